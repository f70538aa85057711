import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { build } from "esbuild";
import { batchRootFrom, entryOf } from "../../toolkit/anchoring/batches.js";
import { writeReadingJson } from "../../toolkit/anchoring/gateway-messages.js";
import { readLog } from "../../toolkit/anchoring/log-reader.js";
import { isAuthentic } from "../../toolkit/anchoring/readings.js";
import { sameBytes, toHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { keyOf } from "../identity/fleet.js";
import { Dice } from "../invariant/dice.js";
import type { ChildOptions } from "./gateway-kill-child.js";
import { Rig, wind } from "./gateway-rig.js";

const KILLS = Number(process.env.KILLS ?? 200);
const SEED = Number(process.env.SEED ?? 1);
const SOURCE = fileURLToPath(new URL("gateway-kill-child.ts", import.meta.url));
/** One file that Node loads in a quarter of the time. Beside node_modules, since a package with WebAssembly stays outside. */
const CHILD = fileURLToPath(new URL("../../cache/gateway-kill-child.mjs", import.meta.url));
const PUBLISHER = "killed publisher";
const DEVICES = ["killed-a", "killed-b", "killed-c"];

/** When a child is killed. */
type Plan =
  /** At its n-th request, which the chain never sees, or whose answer the child never sees. */
  | { readonly at: "request" | "answer"; readonly count: number }
  /** When it has given its n-th receipt. */
  | { readonly at: "receipt"; readonly count: number }
  /** So many milliseconds after it was told to open its file. */
  | { readonly at: "time"; readonly count: number };

/** A child that does nothing any more, though its plan is not fulfilled, is killed after so many milliseconds. */
const IDLE_MS = 200;

type Child = ChildProcessByStdio<Writable, Readable, null>;

/** A chain behind HTTP (JSON-RPC 2.0) that mines now and then, and says each request to `watch` before and after it took effect. */
class Chain {
  watch: (moment: "request" | "answer") => boolean = () => false;

  private constructor(
    private readonly rig: Rig,
    private readonly dice: Dice,
    private readonly server: Server,
  ) {}

  static async start(rig: Rig, dice: Dice): Promise<Chain> {
    const server = createServer();
    const chain = new Chain(rig, dice, server);
    server.on("request", async (request, response) => {
      const pieces: Buffer[] = [];
      for await (const piece of request) pieces.push(piece);
      response.end(await chain.answer(Buffer.concat(pieces).toString()).catch(() => undefined));
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    return chain;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async end(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(body: string): Promise<string | undefined> {
    if (this.watch("request")) return undefined;
    const { method, params } = JSON.parse(body);
    const answer = await this.rig.ask(method, params).then(
      (result) => ({ result }),
      ({ message, code, data }) => ({ error: { message, code, data } }),
    );
    if (method === "eth_sendRawTransaction" ? this.dice.chance(50) : method === "eth_chainId" && this.dice.chance(20)) {
      await this.rig.mine();
    }
    if (this.watch("answer")) return undefined;
    return JSON.stringify({ jsonrpc: "2.0", id: 1, ...answer });
  }
}

describe("A gateway that is killed", () => {
  let rig: Rig;
  let chain: Chain;
  let dice: Dice;
  let options: ChildOptions;
  /** Starts ahead of time, since most of a child's life is spent on loading. */
  let spare: Child | undefined;
  const sent = new Map<string, bigint>();
  /** Readings without a receipt, in the order in which devices send them. */
  const queue: { label: string; sequence: bigint }[] = [];
  const receipts = new Map<string, string>();
  const kills = { request: 0, answer: 0, receipt: 0, time: 0, idle: 0 };

  const spawnChild = (): Child =>
    spawn(process.execPath, ["--no-warnings", CHILD], { stdio: ["pipe", "pipe", "inherit"] });

  const planned = (): Plan =>
    dice.weighted<() => Plan>([
      [4, () => ({ at: "request", count: 1 + dice.below(12) })],
      [4, () => ({ at: "answer", count: 1 + dice.below(12) })],
      [2, () => ({ at: "receipt", count: 1 + dice.below(3) })],
      [3, () => ({ at: "time", count: dice.below(60) })],
    ])();

  const measure = (): void => {
    for (let k = 1 + dice.below(4); k > 0; k--) {
      const label = dice.pick(DEVICES);
      const sequence = sent.get(label) ?? 0n;
      sent.set(label, sequence + 1n);
      queue.push({ label, sequence });
    }
  };

  /** One life: from opening the file to the kill, or until each reading has its receipt if there is no plan. */
  const live = async (plan: Plan | undefined): Promise<void> => {
    const child = spare ?? spawnChild();
    spare = plan && spawnChild();
    const dead = once(child, "exit");
    let cause: keyof typeof kills | undefined;
    let active = Number.POSITIVE_INFINITY;
    const kill = (why: keyof typeof kills): void => {
      if (cause) return;
      cause = why;
      child.kill("SIGKILL");
    };
    const seen = { request: 0, answer: 0, receipt: 0, time: 0 };
    const happens = (what: Plan["at"]): boolean => {
      active = performance.now();
      if (plan?.at === what && ++seen[what] === plan.count) kill(what);
      return cause !== undefined;
    };
    chain.watch = happens;
    const idle = setInterval(() => plan && performance.now() - active > IDLE_MS && kill("idle"), 20);
    child.stdin.on("error", () => {});
    child.stdin.write(`${JSON.stringify(options)}\n`);
    if (plan?.at === "time") void sleep(plan.count).then(() => kill("time"));
    for await (const line of createInterface({ input: child.stdout })) {
      if (line === "open") active = performance.now();
      else note(line, happens);
      const next = queue[0];
      if (next) child.stdin.write(`${messageOf(next)}\n`);
      else if (!plan) kill("idle");
    }
    await dead;
    clearInterval(idle);
    if (plan && cause) kills[cause] += 1;
  };

  /** Takes a receipt for the reading that was sent last. A device that was given none sends it again, and gets the one that it missed. */
  const note = (line: string, happens: (what: "receipt") => void): void => {
    const one = queue.shift();
    if (!one) throw new Error(`A receipt for nothing: ${line}`);
    receipts.set(`${one.label}:${one.sequence}`, line);
    happens("receipt");
  };

  const messageOf = ({ label, sequence }: { label: string; sequence: bigint }): string =>
    writeReadingJson({ reading: rig.reading(label, sequence), payload: new Uint8Array() });

  const log = () => readLog(rig.world.ethers.provider, rig.world.addresses.DataAnchor, keyOf(PUBLISHER).id);

  before(async () => {
    rig = await Rig.start();
    dice = new Dice(SEED);
    const external = ["tiny-secp256k1"];
    // ethers brings a CommonJS package along.
    const banner = {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    };
    await build({
      entryPoints: [SOURCE],
      outfile: CHILD,
      bundle: true,
      platform: "node",
      format: "esm",
      external,
      banner,
    });
    chain = await Chain.start(rig, dice);
    const publisher = keyOf(PUBLISHER);
    await rig.ask("hardhat_setBalance", [publisher.id, "0xde0b6b3a7640000"]);
    options = {
      file: rig.file(),
      url: chain.url,
      secret: secretOf(1, PUBLISHER),
      chainId: String(rig.world.chainId),
      registry: rig.world.addresses.DeviceRegistry,
      anchor: rig.world.addresses.DataAnchor,
      devices: DEVICES.map((label) => toHex(keyOf(label).material)),
    };
  });

  after(async () => {
    spare?.kill("SIGKILL");
    await chain.end();
    await rig.end();
  });

  it(`loses and doubles nothing in ${KILLS} kills at random points`, async function () {
    this.timeout(KILLS * 10_000 + 60_000);
    for (let k = 0; k < KILLS; k++) {
      measure();
      await live(planned());
    }
    await live(undefined);
    expect(Object.values(kills).reduce((sum, count) => sum + count, 0)).to.equal(KILLS);

    const gateway = await rig.open({ file: options.file, publisher: keyOf(PUBLISHER), confirmations: 1n });
    await rig.settle(gateway);
    const { entries, range } = await log();
    const { size, root } = gateway.log();
    expect([BigInt(entries.length), range.root]).to.deep.equal([size, root]);
    const places = new Set<string>();
    const total = new Map<bigint, bigint>();
    for (const [label, count] of sent) {
      for (let sequence = 0n; sequence < count; sequence++) {
        const { reading, batch, entry } = gateway.evidenceOf(keyOf(label).id, sequence);
        const digest = rig.world.digests.reading(reading);
        expect(isAuthentic(reading, keyOf(label), rig.world.digests)).to.equal(true);
        expect(receipts.get(`${label}:${sequence}`)?.split(" ")[0]).to.equal(toHex(digest));
        const root = batchRootFrom(digest, batch.proof);
        const held = entries[Number(entry.index)];
        const right =
          held && sameBytes(held.entry, entryOf({ ...batch, root, schema: wind })) && held.time === entry.time;
        expect(right, `${label}:${sequence}`).to.equal(true);
        places.add(`${entry.index}:${batch.proof.siblings.length}:${batch.proof.path}`);
        total.set(entry.index, batch.count);
      }
    }
    const all = [...sent.values()].reduce((sum, count) => sum + count, 0n);
    // Each reading has a place of its own, and all places in all entries are taken by them.
    expect(BigInt(places.size)).to.equal(all);
    expect([...total.values()].reduce((sum, count) => sum + count, 0n)).to.equal(all);
    expect(total.size).to.equal(entries.length);
    console.log(`      ${all} readings in ${entries.length} entries; killed ${JSON.stringify(kills)}`);
  });
});
