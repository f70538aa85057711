import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { expect } from "chai";

// What stands in for npm: it writes down how it was called and fills folders as npm would. MODE=fail is a machine without
// a network, MODE=slow gives the test time to interfere, MODE=broken delivers a Node that does not run.
const FAKE_NPM = `#!/bin/sh
echo "$1" >> "$CALLS"
[ "$MODE" = fail ] && { printf 'npm error network ENOTFOUND\\nnpm error     at npm.js:1\\n' >&2; exit 1; }
[ "$MODE" = slow ] && sleep 1
if [ "$1" = ci ]; then rm -rf node_modules; mkdir -p node_modules/.bin; exit 0; fi
for argument; do case "$argument" in node-*@*) spec=$argument;; esac; done
bin="$3/node_modules/\${spec%@*}/bin"
mkdir -p "$bin"
[ "$MODE" = broken ] && { printf '#!/bin/sh\\nexit 1\\n' > "$bin/node"; chmod +x "$bin/node"; exit 0; }
printf '#!/bin/sh\\n[ "$1" = --version ] && { echo v%s; exit; }\\nFETCHED=yes exec "%s" "$@"\\n' "\${spec#*@}" "$REAL_NODE" > "$bin/node"
chmod +x "$bin/node"
`;

interface Result {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A Node too old for the project, where the machine has one: the bootstrap must run on it. */
function oldestNodeHere(): string {
  const system = "/usr/bin/node";
  if (!existsSync(system)) return process.execPath;
  const { status } = spawnSync(system, ["-e", "process.exit(process.versions.node.split('.')[0] >= 18 ? 0 : 1)"]);
  return status === 0 ? system : process.execPath;
}

describe("package: bootstrap", () => {
  const node = oldestNodeHere();
  let project: string;
  let calls: string;

  before(function () {
    // The fake npm is a shell script.
    if (process.platform === "win32") this.skip();
  });

  beforeEach(() => {
    project = mkdtempSync(path.join(tmpdir(), "a project "));
    calls = path.join(project, "calls");
    mkdirSync(path.join(project, "scripts"));
    mkdirSync(path.join(project, "path"));
    copyFileSync("scripts/bootstrap.mjs", path.join(project, "scripts", "bootstrap.mjs"));
    writeFileSync(path.join(project, "path", "npm"), FAKE_NPM, { mode: 0o755 });
    write("package-lock.json", "{}");
    needs(">=18");
  });

  afterEach(() => rmSync(project, { recursive: true }));

  function write(file: string, text: string): void {
    mkdirSync(path.dirname(path.join(project, file)), { recursive: true });
    writeFileSync(path.join(project, file), text);
  }

  function needs(range: string): void {
    write("package.json", JSON.stringify({ engines: { node: range } }));
  }

  /** How npm was called so far: "install" for Node, "ci" for packages. */
  function npmCalls(): string[] {
    return existsSync(calls) ? readFileSync(calls, "utf8").trim().split("\n") : [];
  }

  function start(command: readonly string[], env: Record<string, string> = {}): ChildProcess {
    const { npm_execpath: _, NODE_OPTIONS: __, ...inherited } = process.env;
    return spawn(node, [path.join(project, "scripts", "bootstrap.mjs"), ...command], {
      cwd: project,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...inherited,
        PATH: `${path.join(project, "path")}:${process.env.PATH}`,
        CALLS: calls,
        REAL_NODE: process.execPath,
        ...env,
      },
    });
  }

  function finish(child: ChildProcess): Promise<Result> {
    let out = "";
    let err = "";
    child.stdout?.on("data", (data: Buffer) => {
      out += data.toString();
    });
    child.stderr?.on("data", (data: Buffer) => {
      err += data.toString();
    });
    return new Promise((resolve) => child.on("close", (code) => resolve({ code, out, err })));
  }

  const run = (command: readonly string[], env?: Record<string, string>): Promise<Result> =>
    finish(start(command, env));

  /** Waits until the process has written something, so that it is past its start. */
  const speaks = (stream: ChildProcess["stdout"]): Promise<void> =>
    new Promise((resolve) => stream?.once("data", () => resolve()));

  function expectPlain({ code, err }: Result, ...says: RegExp[]): void {
    expect(code).to.equal(1);
    for (const text of says) expect(err).to.match(text);
    expect(err, "no stack trace").not.to.match(/ {2,}at /);
  }

  describe("the command", () => {
    it("gets its arguments as they are", async () => {
      const print = "console.log(JSON.stringify(process.argv.slice(1)))";
      const { code, out } = await run(["node", "-e", print, "two words", 'a "quote"', "$HOME"]);
      expect(code).to.equal(0);
      expect(JSON.parse(out)).to.deep.equal(["two words", 'a "quote"', "$HOME"]);
    });

    it("finds node_modules/.bin on PATH", async () => {
      await run(["node", "-v"]);
      writeFileSync(path.join(project, "node_modules", ".bin", "greet"), "#!/bin/sh\necho hello\n", { mode: 0o755 });
      expect((await run(["greet"])).out).to.equal("hello\n");
    });

    it("passes its exit code on", async () => {
      expect((await run(["node", "-e", "process.exit(7)"])).code).to.equal(7);
    });

    it("makes 128 + n of its death by signal n", async () => {
      expect(
        (await run(["node", "-e", "process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 9000)"])).code,
      ).to.equal(143);
    });

    for (const [signal, code] of [
      ["SIGINT", 130],
      ["SIGTERM", 143],
    ] as const) {
      it(`gets ${signal}, and ends with ${code} if it does nothing about it`, async () => {
        const child = start(["node", "-e", "console.log('up'); setTimeout(() => {}, 9000)"]);
        const finished = finish(child);
        await speaks(child.stdout);
        child.kill(signal);
        expect((await finished).code).to.equal(code);
      });

      it(`may handle ${signal} and choose its exit code`, async () => {
        const handle = `process.on('${signal}', () => process.exit(5)); console.log('up'); setTimeout(() => {}, 9000)`;
        const child = start(["node", "-e", handle]);
        const finished = finish(child);
        await speaks(child.stdout);
        child.kill(signal);
        expect((await finished).code).to.equal(5);
      });
    }

    it("that does not exist is named", async () => {
      expectPlain(await run(["no-such-command"]), /Cannot run no-such-command: not found/);
    });

    it("must be given", async () => {
      expectPlain(await run([]), /Say what to run/);
    });
  });

  describe("packages", () => {
    it("are installed once, and the second run is silent", async () => {
      expect((await run(["node", "-v"])).err).to.match(/^bootstrap: no node_modules: running npm ci\n$/);
      expect((await run(["node", "-v"])).err).to.equal("");
      expect(npmCalls()).to.deep.equal(["ci"]);
    });

    it("are installed again when the lockfile changed, whatever the times of files", async () => {
      await run(["node", "-v"]);
      write("package-lock.json", '{ "changed": true }');
      utimesSync(path.join(project, "package-lock.json"), 0, 0);
      expect((await run(["node", "-v"])).err).to.match(/does not match the lockfile/);
      expect(npmCalls()).to.deep.equal(["ci", "ci"]);
    });

    it("that somebody else installed are not trusted", async () => {
      write("node_modules/x/package.json", "{}");
      await run(["node", "-v"]);
      expect(npmCalls()).to.deep.equal(["ci"]);
    });

    it("that could not be installed leave no stamp", async () => {
      await run(["node", "-v"]);
      write("package-lock.json", '{ "changed": true }');
      expectPlain(await run(["node", "-v"], { MODE: "fail" }), /ENOTFOUND/, /npm ci failed\. Check the network/);
      expect((await run(["node", "-v"])).code).to.equal(0);
      expect(npmCalls()).to.deep.equal(["ci", "ci", "ci"]);
    });

    it("are installed by one of two runs at once", async () => {
      const both = await Promise.all([run(["node", "-v"], { MODE: "slow" }), run(["node", "-v"], { MODE: "slow" })]);
      expect(both.map(({ code }) => code)).to.deep.equal([0, 0]);
      expect(npmCalls()).to.deep.equal(["ci"]);
    });

    it("are installed anew after an interruption", async () => {
      const child = start(["node", "-v"], { MODE: "slow" });
      const finished = finish(child);
      await speaks(child.stderr);
      child.kill("SIGTERM");
      expect((await finished).code).to.equal(143);
      expect(readdirSync(path.join(project, ".cache"))).to.deep.equal([]);
      expect((await run(["node", "-v"])).code).to.equal(0);
    });

    it("are not held up by the lock of a run that was killed", async () => {
      write(".cache/setup.lock", "");
      utimesSync(path.join(project, ".cache", "setup.lock"), 0, 0);
      const { code, err } = await run(["node", "-v"]);
      expect(code).to.equal(0);
      expect(err).not.to.match(/waiting/);
    });
  });

  describe("Node", () => {
    const isFetched = ["node", "-p", "process.env.FETCHED"];

    /** The folder of the fetched Node. */
    function home(): string {
      const [name = ""] = readdirSync(path.join(project, ".cache"));
      return path.join(project, ".cache", name);
    }

    it("that is new enough is used", async () => {
      expect((await run(isFetched)).out).to.equal("undefined\n");
      expect(npmCalls()).to.deep.equal(["ci"]);
    });

    it("that is too old is replaced by one from npm, once", async () => {
      needs(">=99.1");
      const { out, err } = await run(isFetched);
      expect(out).to.equal("yes\n");
      expect(err).to.match(/is older than 99\.1: fetching node-\S+@24\.\d+\.\d+ from npm into \.cache \(once\)/);
      expect((await run(isFetched)).err).to.equal("");
      expect(npmCalls()).to.deep.equal(["install", "ci"]);
    });

    it("that could not be fetched is asked for", async () => {
      needs(">=99");
      const result = await run(isFetched, { MODE: "fail" });
      expectPlain(result, /ENOTFOUND/, /npm could not fetch node-/, /install Node 99 or newer/);
      expect(readdirSync(path.join(project, ".cache"))).to.deep.equal([]);
    });

    it("that does not run here is not kept", async () => {
      needs(">=99");
      expectPlain(await run(isFetched, { MODE: "broken" }), /does not run on this machine/, /install Node 99 or newer/);
      expect(readdirSync(path.join(project, ".cache"))).to.deep.equal([]);
    });

    it("is fetched again over what an interrupted run left", async () => {
      needs(">=99");
      await run(isFetched);
      rmSync(path.join(home(), "bin", "node"));
      write(".cache/tmp-left/node_modules/half", "");
      expect((await run(isFetched)).out).to.equal("yes\n");
      expect(readdirSync(path.join(project, ".cache"))).to.have.length(1);
    });

    it("is fetched by one of two runs at once", async () => {
      needs(">=99");
      const both = await Promise.all([run(isFetched, { MODE: "slow" }), run(isFetched, { MODE: "slow" })]);
      expect(both.map(({ out }) => out)).to.deep.equal(["yes\n", "yes\n"]);
      expect(npmCalls()).to.deep.equal(["install", "ci"]);
    });

    const strangers: [name: string, preload: string, says: RegExp][] = [
      [
        "a platform",
        "Object.defineProperty(process, 'arch', { value: 'mips' })",
        /newer one for \w+-mips\. Install Node 99/,
      ],
      [
        "musl",
        "Object.defineProperty(process, 'platform', { value: 'linux' }); process.report.getReport = () => ({ header: {} })",
        /newer one for linux-\w+ with musl\. Install Node 99/,
      ],
    ];
    for (const [name, preload, says] of strangers) {
      it(`for ${name} that npm has none for is asked for`, async () => {
        needs(">=99");
        const file = path.join(mkdtempSync(path.join(tmpdir(), "preload-")), "x.cjs");
        writeFileSync(file, preload);
        expectPlain(await run(isFetched, { NODE_OPTIONS: `--require ${file}` }), says);
        rmSync(path.dirname(file), { recursive: true });
      });
    }

    it("must be stated in package.json", async () => {
      needs("24");
      expectPlain(await run(isFetched), /package\.json needs "engines"/);
    });
  });
});
