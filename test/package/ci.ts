import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { expect } from "chai";

const CHECKED = "ok     types\n7 checks passed, 0 failed";
const TESTED = "  3 passing (9ms)\n\n\n5 passing (2 solidity, 3 mocha)";

describe("package: .ci/run", () => {
  let project: string;

  before(function () {
    if (process.platform === "win32") this.skip();
  });

  beforeEach(() => {
    project = mkdtempSync(path.join(tmpdir(), "a project "));
    mkdirSync(path.join(project, ".ci"));
    copyFileSync(".ci/run", path.join(project, ".ci", "run"));
  });

  afterEach(() => rmSync(project, { recursive: true }));

  /** The exit code and last line, when `npm run check` and `npm run test` print and end like this. */
  function outcome(check: [text: string, code: number], test: [text: string, code: number]): [number | null, string] {
    const [checked, tested] = [check, test].map(([text, code]) => `printf '%s\\n' '${text}'; exit ${code}`);
    writeFileSync(path.join(project, "npm"), `#!/bin/sh\n[ "$3" = check ] && { ${checked}; }\n${tested}\n`, {
      mode: 0o755,
    });
    const { status, stdout } = spawnSync("bash", [path.join(project, ".ci", "run")], {
      encoding: "utf8",
      env: { ...process.env, PATH: `${project}:${process.env.PATH}` },
    });
    return [status, stdout.trimEnd().split("\n").at(-1) ?? ""];
  }

  it("adds checks and tests up", () => {
    expect(outcome([CHECKED, 0], [TESTED, 0])).to.deep.equal([0, "12 passed, 0 failed"]);
  });

  it("fails with what failed", () => {
    expect(outcome(["5 checks passed, 2 failed", 1], [TESTED, 0])).to.deep.equal([1, "10 passed, 2 failed"]);
    expect(outcome([CHECKED, 0], ["5 passing (5 mocha)\n1 failing (1 mocha)", 1])).to.deep.equal([
      1,
      "12 passed, 1 failed",
    ]);
  });

  it("counts a crash as a failure", () => {
    expect(outcome([CHECKED, 0], ["Error: out of memory", 134])).to.deep.equal([1, "7 passed, 1 failed"]);
    expect(outcome(["", 1], [TESTED, 0])).to.deep.equal([1, "5 passed, 1 failed"]);
  });

  it("counts silence as a failure, even with exit code 0", () => {
    expect(outcome([CHECKED, 0], ["", 0])).to.deep.equal([1, "7 passed, 1 failed"]);
  });

  it("counts an exit code that no failure explains", () => {
    expect(outcome([CHECKED, 0], [TESTED, 1])).to.deep.equal([1, "12 passed, 1 failed"]);
  });

  it("sees through colours", () => {
    expect(outcome([CHECKED, 0], ["\u001b[32m5 passing\u001b[0m (5 mocha)", 0])).to.deep.equal([
      0,
      "12 passed, 0 failed",
    ]);
  });
});
