import { expect } from "chai";
import type { ContractTransactionResponse } from "ethers";
import { type Checkpoint, entryLeaf, MountainRange } from "../../toolkit/anchoring/mountain-range.js";
import type { CurveKey } from "../../toolkit/identity/keys.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { decodeRevert, revertDataOf } from "../../toolkit/reverts.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { Publishers } from "../anchoring/publishers.js";
import { keyOf } from "../identity/fleet.js";
import { Dice } from "./dice.js";

const STEPS = 400;
/** `SEED=7` replays the walk of that seed; `FUZZ=20` makes 20 walks. */
const FIRST_SEED = Number(process.env.SEED ?? 20_265);
const WALKS = Number(process.env.FUZZ ?? 1);

/** A device, or an account that is none: what its log should be, and whose word counts. */
interface Publisher {
  readonly first: CurveKey;
  readonly secret: string;
  /** Whether the registry knows it. */
  readonly isDevice: boolean;
  readonly log: MountainRange;
  readonly times: bigint[];
  readonly entries: Uint8Array[];
  readonly seen: Checkpoint[];
  key: CurveKey;
  rotations: bigint;
  state: "active" | "suspended" | "ended";
  barred: boolean;
}

/** One walk on a chain of its own. */
class Walk {
  readonly outcomes = new Map<string, number>();

  private constructor(
    private readonly chain: Publishers,
    private readonly all: readonly Publisher[],
    private readonly dice: Dice,
  ) {}

  static async start(seed: number): Promise<Walk> {
    const kinds = ["secp256k1", "secp256k1", "p256", "p256"] as const;
    const devices = kinds.map((kind, k) => publisherOf(`publisher ${k}`, kind));
    const chain = await Publishers.of(devices.map(({ first }) => first));
    return new Walk(chain, [...devices, publisherOf("gateway", "secp256k1", false)], new Dice(seed));
  }

  async step(): Promise<void> {
    const { dice } = this;
    const one = dice.pick(this.all);
    const action = dice.weighted<() => Promise<void>>([
      [30, () => this.append(one)],
      [30, () => this.relay(one)],
      [10, () => this.relayMany()],
      [8, () => this.check(one)],
      [10, () => this.rotate(one)],
      [8, () => this.pause(one)],
      [1, () => this.end(one)],
    ]);
    await action();
    await this.holds(one);
  }

  /** By its account, whoever's key that is now. */
  private async append(one: Publisher): Promise<void> {
    if (one.first.kind !== "secp256k1") return;
    const index = this.indexFor(one);
    const entry = this.dice.bytes();
    const refused = one.barred
      ? "DataAnchorAccountBarred"
      : index === BigInt(one.log.size)
        ? undefined
        : "DataAnchorWrongIndex";
    await this.expect("append", this.chain.append(one.first, one.secret, index, entry), refused);
    if (!refused) await this.grown(one, entry);
  }

  private async relay(one: Publisher): Promise<void> {
    const { index, entry, key, refused } = this.draw(one);
    await this.expect("appendFor", this.chain.relay(key, index, entry, one.first.id), refused);
    if (!refused) await this.grown(one, entry, key);
  }

  private async relayMany(): Promise<void> {
    const taken: { one: Publisher; entry: Uint8Array; key: CurveKey }[] = [];
    const drawn = Array.from({ length: this.dice.below(6) }, () => {
      const one = this.dice.pick(this.all);
      const ahead = taken.filter((before) => before.one === one).length;
      const item = { one, ...this.draw(one, ahead) };
      if (!item.refused) taken.push(item);
      return item;
    });
    const call = this.chain.world.anchor.appendMany(
      drawn.map(({ one }) => one.first.id),
      drawn.map(({ index }) => index),
      drawn.map(({ entry }) => entry),
      drawn.map(({ key }) => this.chain.signer(key)),
      drawn.map(({ one, index, entry, key }) => this.chain.signed(key, index, entry, one.first.id)),
    );
    await this.expect("appendMany", call, undefined);
    const receipt = await (await call).wait();
    const passed = receipt?.logs.filter(({ topics }) => topics[0] === passedOver(this.chain)).length;
    expect(passed).to.equal(drawn.length - taken.length);
    for (const { one, entry, key } of taken) await this.grown(one, entry, key);
  }

  /** An entry for a publisher, right or wrong in some way, and what the contract says to it. */
  private draw(one: Publisher, ahead = 0) {
    const key = this.dice.chance(80) ? one.key : this.dice.pick(this.all).key;
    const index = this.indexFor(one, ahead);
    const right = key === one.key && one.isDevice && one.state === "active";
    const refused =
      index === BigInt(one.log.size + ahead)
        ? right
          ? undefined
          : "DataAnchorInvalidSignature"
        : "DataAnchorWrongIndex";
    return { key, index, entry: this.dice.bytes(), refused };
  }

  private indexFor(one: Publisher, ahead = 0): bigint {
    return BigInt(this.dice.chance(85) ? one.log.size + ahead : this.dice.below(one.log.size + 4));
  }

  private async check(one: Publisher): Promise<void> {
    await this.expect("checkAccount", this.chain.world.anchor.checkAccount(one.first.id), undefined);
    one.barred = one.isDevice && (one.state === "ended" || one.key !== one.first || one.first.kind !== "secp256k1");
  }

  private async rotate(one: Publisher): Promise<void> {
    if (!one.isDevice || one.state !== "active") return;
    const label = `${one.secret} ${this.dice.below(3)}`;
    const next = this.dice.chance(30) ? one.first : keyOf(label, this.dice.chance(50) ? "p256" : "secp256k1");
    if (next.id === one.key.id) return;
    const { first, key, rotations } = one;
    await this.expect("rotate", this.chain.rotate(first.id, key, next, rotations), undefined);
    one.key = next;
    one.rotations += 2n;
  }

  private async pause(one: Publisher): Promise<void> {
    if (!one.isDevice || one.state === "ended") return;
    const { registry } = this.chain.world;
    const suspend = one.state === "active";
    await this.expect("pause", suspend ? registry.suspend(one.first.id) : registry.resume(one.first.id), undefined);
    one.state = suspend ? "suspended" : "active";
  }

  private async end(one: Publisher): Promise<void> {
    // One lives on, so that a walk doesn't end early.
    if (!one.isDevice || one.state === "ended" || one === this.all[0] || one === this.all[2]) return;
    await this.expect("retire", this.chain.world.registry.retire(one.first.id), undefined);
    one.state = "ended";
  }

  private async expect(
    what: string,
    call: Promise<ContractTransactionResponse>,
    refused: string | undefined,
  ): Promise<void> {
    const outcome = await call.then(
      () => undefined,
      (error: unknown) => decodeRevert(revertDataOf(error) ?? "0x")?.name ?? String(error),
    );
    expect(outcome, what).to.equal(refused);
    const name = `${what}${refused ? `: ${refused}` : ""}`;
    this.outcomes.set(name, (this.outcomes.get(name) ?? 0) + 1);
  }

  private async grown(one: Publisher, entry: Uint8Array, key?: CurveKey): Promise<void> {
    one.seen.push(one.log.checkpoint());
    const time = BigInt(await this.chain.world.networkHelpers.time.latest());
    one.log.append(entryLeaf(entry, time));
    one.times.push(time);
    one.entries.push(entry);
    if (key) one.barred = key.kind !== "secp256k1" || key !== one.first;
  }

  private async holds(one: Publisher): Promise<void> {
    const { anchor } = this.chain.world;
    const { log, times, entries, seen } = one;
    const id = one.first.id;
    expect(await anchor.headOf(id)).to.deep.equal([BigInt(log.size), times.at(-1) ?? 0n]);
    expect(await anchor.rootOf(id)).to.equal(toHex(log.checkpoint().root));
    expect(await anchor.isBarred(id)).to.equal(one.barred);
    if (log.size === 0) return;
    const { size, root } = this.dice.pick(seen);
    expect(await anchor.verifyConsistency(id, size, root, log.proveConsistency(size))).to.equal(true);
    const first = this.dice.below(log.size);
    const count = 1 + this.dice.below(log.size - first);
    const [seconds, said] = [times.slice(first, first + count), entries.slice(first, first + count)];
    expect(await anchor.verifyRange(id, first, seconds, said, log.proveRange(first, count))).to.equal(true);
  }
}

function passedOver({ world }: Publishers): string {
  return world.anchor.interface.getEvent("EntryPassedOver").topicHash;
}

function publisherOf(label: string, kind: "secp256k1" | "p256", isDevice = true): Publisher {
  const first = keyOf(label, kind);
  const log = { log: new MountainRange(), times: [], entries: [], seen: [] };
  const secret = secretOf(1, label);
  return { first, secret, isDevice, ...log, key: first, rotations: 0n, state: "active", barred: false };
}

describe("The logs' invariants", () => {
  const outcomes = new Map<string, number>();

  for (let seed = FIRST_SEED; seed < FIRST_SEED + WALKS; seed++) {
    it(`hold at each step of a random walk (SEED=${seed})`, async function () {
      this.timeout(600_000);
      const walk = await Walk.start(seed);
      for (let step = 0; step < STEPS; step++) await walk.step();
      for (const [name, times] of walk.outcomes) outcomes.set(name, (outcomes.get(name) ?? 0) + times);
    });
  }

  it("are tried by walks that go everywhere", () => {
    for (const name of ["append", "appendFor", "appendMany", "checkAccount", "rotate", "pause"])
      expect(outcomes.get(name) ?? 0, name).to.be.greaterThan(0);
    for (const [name, error] of [
      ["append", "DataAnchorAccountBarred"],
      ["append", "DataAnchorWrongIndex"],
      ["appendFor", "DataAnchorWrongIndex"],
      ["appendFor", "DataAnchorInvalidSignature"],
    ])
      expect(outcomes.get(`${name}: ${error}`) ?? 0, error).to.be.greaterThan(0);
  });
});
