import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { type Evidence, writeEvidence } from "../../toolkit/anchoring/evidence.js";
import { attachFile, verifyFile } from "../../toolkit/cli/evidence.js";
import { IotchainError } from "../../toolkit/errors.js";
import { anchorReading } from "../anchoring/bundles.js";
import { activeLot, keyOf } from "../identity/fleet.js";
import { type Deployed, deployed } from "../support.js";

const run = promisify(execFile);
const key = keyOf("verify command");

describe("itc verify and itc attach", () => {
  let world: Deployed;
  let server: Server;
  let rpc: string;
  let folder: string;
  let evidence: Evidence;
  let bundle: string;

  /** Runs the command as a user does. */
  async function itc(...args: string[]): Promise<{ code: number; out: string; errors: string }> {
    try {
      const { stdout, stderr } = await run(process.execPath, ["--import", "tsx", "toolkit/cli/main.ts", ...args]);
      return { code: 0, out: stdout, errors: stderr };
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { code, out: stdout, errors: stderr };
    }
  }

  /** Calls what the command calls, here, and returns what it prints or the code of its error. A process takes seconds to start. */
  async function printed(command: Promise<void>): Promise<string> {
    const { log } = console;
    const { exitCode } = process;
    const lines: string[] = [];
    console.log = (line: string) => void lines.push(line);
    try {
      await command;
      return `${lines.join("\n")}\nexit ${process.exitCode ?? 0}`;
    } catch (error) {
      if (error instanceof IotchainError) return error.code;
      throw error;
    } finally {
      console.log = log;
      process.exitCode = exitCode;
    }
  }

  before(async () => {
    world = await deployed();
    await activeLot(world, [key]);
    evidence = await anchorReading(world, key);
    // The chain behind an address, as a user's node is.
    server = createServer(async (request, response) => {
      const pieces: Buffer[] = [];
      for await (const piece of request) pieces.push(piece as Buffer);
      const { id, method, params } = JSON.parse(Buffer.concat(pieces).toString());
      const answer = await world.provider.request({ method, params }).then(
        (result) => ({ result }),
        (error: unknown) => ({ error: { code: -32000, message: String(error) } }),
      );
      response.setHeader("content-type", "application/json").end(JSON.stringify({ jsonrpc: "2.0", id, ...answer }));
    });
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    rpc = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "itc-verify-"));
    bundle = join(folder, "reading.itcproof");
    await writeFile(bundle, writeEvidence(evidence));
  });

  afterEach(() => rm(folder, { recursive: true }));
  after(() => new Promise((closed) => server.close(closed)));

  it("prove a reading by a node, then by a block's hash alone, with the headers between", async () => {
    const { code, out } = await itc("verify", "--evidence", bundle, "--rpc", rpc);
    expect([code, out.includes("The reading is proved")]).to.deep.equal([0, true]);
    // One by one: blocks that are mined in bulk aren't made until they are asked for, and don't name their parents.
    for (let k = 0; k < 80; k++) await world.networkHelpers.mine();
    const headers = join(folder, "headers");
    const attached = await printed(attachFile(bundle, { rpc, headers }));
    const [own = "", final = ""] = [...attached.matchAll(/0x[0-9a-f]{64}/g)].map(String);
    const byOwn = await itc("verify", "--evidence", bundle, "--trust", own, "--json");
    expect([byOwn.code, JSON.parse(byOwn.out).holds]).to.deep.equal([0, true]);
    const linked = await printed(verifyFile(undefined, { evidence: bundle, trust: final, headers }));
    expect(linked).to.match(/is proved.*exit 0/s);
    expect(await printed(verifyFile(undefined, { evidence: bundle, trust: final }))).to.match(/FAILS +header.*exit 1/s);
  });

  it("fail for a reading that doesn't hold, and say which part", async () => {
    await writeFile(bundle, writeEvidence({ ...evidence, reading: { ...evidence.reading, sequence: 77n } }));
    const out = await printed(verifyFile(undefined, { evidence: bundle, rpc }));
    expect(out).to.match(/FAILS +signature.*NOT proved.*exit 1/s);
  });

  it("compare with the addresses of a deployment", async () => {
    const deployments = join(folder, "deployments");
    const path = join(deployments, "31337", "addresses.json");
    await mkdir(join(deployments, "31337"), { recursive: true });
    await writeFile(path, JSON.stringify(world.addresses));
    expect(await printed(verifyFile(undefined, { evidence: bundle, rpc, deployments }))).to.match(/exit 0/);
    await writeFile(path, JSON.stringify({ ...world.addresses, DataAnchor: world.addresses.ITC }));
    expect(await printed(verifyFile(undefined, { evidence: bundle, rpc, deployments }))).to.match(/FAILS +contracts/);
  });

  it("refuse what they can't take, each with its name", async () => {
    const huge = join(folder, "huge");
    await writeFile(huge, "");
    await truncate(huge, 2 ** 30);
    const deep = join(folder, "deep");
    await writeFile(deep, "[".repeat(10_000) + "]".repeat(10_000));
    const trust = `0x${"11".repeat(32)}`;
    const refused: [code: string, command: () => Promise<void>][] = [
      ["ITC_CLI_TOO_LARGE", () => verifyFile(undefined, { evidence: huge, trust })],
      ["ITC_EVIDENCE_MALFORMED", () => verifyFile(undefined, { evidence: deep, trust })],
      ["ITC_EVIDENCE_NO_STATE", () => verifyFile(undefined, { evidence: bundle, trust })],
      ["ITC_CLI_TRUST", () => verifyFile(undefined, { evidence: bundle })],
      ["ITC_CLI_TRUST", () => verifyFile(undefined, { evidence: bundle, trust, rpc })],
      ["ITC_CLI_TRUST", () => verifyFile(undefined, { evidence: bundle, rpc, headers: huge })],
      ["ITC_CLI_TRUST", () => verifyFile(undefined, { evidence: bundle, rpc, chain: 31337 })],
      ["ITC_CLI_SAME_FILE", () => attachFile(bundle, { rpc, headers: join(folder, ".", "reading.itcproof") })],
      ["ITC_CLI_FILE", () => verifyFile(undefined, { evidence: folder, trust })],
      ["ITC_EVIDENCE_PAYLOAD", () => verifyFile(huge, { evidence: bundle, rpc })],
      ["ITC_CLI_URL", () => attachFile(bundle, { rpc: "ftp://x" })],
    ];
    for (const [code, command] of refused) expect(await printed(command())).to.equal(code);
    expect(await readFile(bundle, "utf8")).to.equal(writeEvidence(evidence));
  });

  it("don't write headers from a block that isn't final", async () => {
    const headers = join(folder, "headers");
    expect(
      await printed(attachFile(bundle, { rpc, headers, block: await world.ethers.provider.getBlockNumber() })),
    ).to.equal("ITC_CLI_NOT_FINAL");
  });

  it("say what only the bundle vouches for, and nothing of it once the reader has named it", async () => {
    const deployments = join(folder, "deployments");
    await mkdir(join(deployments, "31337"), { recursive: true });
    await writeFile(join(deployments, "31337", "addresses.json"), JSON.stringify(world.addresses));
    expect(await printed(verifyFile(undefined, { evidence: bundle, rpc }))).to.match(
      /proved, provided that the contracts/,
    );
    expect(await printed(verifyFile(undefined, { evidence: bundle, rpc, deployments }))).to.match(/is proved\.\n/);
    const [trust = ""] = (await printed(attachFile(bundle, { rpc }))).match(/0x[0-9a-f]{64}/) ?? [];
    const light = { evidence: bundle, trust, deployments };
    expect(await printed(verifyFile(undefined, light))).to.match(/provided that the block is of chain 31337/);
    expect(await printed(verifyFile(undefined, { ...light, chain: 31337 }))).to.match(/is proved\.\n/);
    expect(await printed(verifyFile(undefined, { ...light, chain: 1 }))).to.match(/FAILS +chain.*exit 1/s);
  });

  it("print nothing that a terminal would act upon", async () => {
    const text = writeEvidence(evidence).replace("{", '{"\\u001b[2JThe reading is proved.":"1",');
    await writeFile(bundle, text);
    const { code, errors } = await itc("verify", "--evidence", bundle, "--rpc", rpc);
    expect([code, errors.includes("ITC_EVIDENCE_MALFORMED"), errors.includes("\u001b")]).to.deep.equal([
      1,
      true,
      false,
    ]);
  });
});
