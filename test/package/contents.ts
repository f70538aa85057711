import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";

import { expect } from "chai";

/** What `npm pack --json` says, as far as it is read here. */
interface Packed {
  readonly files: readonly { readonly path: string }[];
}

const { exports: subpaths } = JSON.parse(readFileSync("package.json", "utf8")) as { exports: Record<string, unknown> };

describe("package: contents", () => {
  let files: string[];

  before(() => {
    rmSync("dist", { recursive: true, force: true });
    // Not through the script `prepack`: it may install packages under the feet of this run.
    succeed(process.execPath, ["node_modules/typescript/lib/tsc.js", "-p", "tsconfig.build.json"]);
    const [packed] = JSON.parse(succeed("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"])) as Packed[];
    files = (packed?.files ?? []).map((file) => file.path);
  });

  function succeed(command: string, args: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync(command, args, {
      encoding: "utf8",
      shell: process.platform === "win32",
    });
    expect(status, `${command} ${args.join(" ")}\n${stdout}${stderr}`).to.equal(0);
    return stdout;
  }

  it("have the contracts and their interfaces", () => {
    expect(files).to.include.members(["contracts/token/ITC.sol", "contracts/identity/IDeviceRegistry.sol"]);
  });

  it("have the licence, the notice and the readme", () => {
    expect(files).to.include.members(["LICENSE", "NOTICE", "README.md", "package.json"]);
  });

  it("have no mocks, tests, sources of the toolkit, chores or reports", () => {
    const allowed = /^(abi\/device\/|dist\/(toolkit|deploy|typechain-types)\/|contracts\/(?!mocks\/)|[^/]+$)/;
    expect(files.filter((file) => !allowed.test(file))).to.deep.equal([]);
    expect(files.filter((file) => /mock/i.test(file))).to.deep.equal([]);
  });

  for (const [subpath, target] of Object.entries(subpaths)) {
    if (typeof target === "string") continue;
    it(`have code and types of "${subpath}", which loads`, () => {
      const paths = Object.values(target as Record<string, string>).map((file) => file.replace("./", ""));
      expect(files).to.include.members(paths);
      // By the package's own name, as users do it, and without a loader of TypeScript.
      succeed(process.execPath, ["--input-type=module", "-e", `await import("iotchain${subpath.slice(1)}")`]);
    });
  }

  it("have the command itc", () => {
    expect(files).to.include("dist/toolkit/cli/main.js");
    expect(readFileSync("dist/toolkit/cli/main.js", "utf8")).to.match(/^#!\/usr\/bin\/env node\n/);
  });
});
