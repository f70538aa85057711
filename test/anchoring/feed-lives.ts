import { expect } from "chai";
import { medianOf, readRounds } from "../../toolkit/anchoring/feeds.js";
import type { DeviceFeed } from "../../toolkit/contracts.js";
import { type Obstacle, TRUST_TIERS } from "../../toolkit/identity/attestation.js";
import type { CurveKey, DeviceId } from "../../toolkit/identity/keys.js";
import { decodeRevert, revertDataOf } from "../../toolkit/reverts.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { keyOf } from "../identity/fleet.js";
import { Dice } from "../invariant/dice.js";
import { type Feeders, feeders, MAX_AGE } from "./feeders.js";

/** `SEED=7` replays the history of that seed; the usual one is known to meet every outcome. */
const USUAL = 1;
const SEED = Number(process.env.SEED ?? USUAL);
const STEPS = 350;
const LEVEL = 2;
const QUORUM = 2;
const RING = 5;
/** The obstacles that a push can meet, as the contract numbers them. */
const OBSTACLES: readonly [bigint, Obstacle][] = [
  [6n, "assuranceTooLow"],
  [7n, "notAttested"],
  [9n, "expired"],
  [10n, "recalledByVerifier"],
  [11n, "recalledByIssuer"],
  [12n, "contraindicated"],
  [13n, "warning"],
];

const keys = Array.from({ length: 5 }, (_, k) => keyOf(`life ${k}`, k % 2 === 0 ? "secp256k1" : "p256"));

describe("Feeds through the lives of their devices", () => {
  const chain = feeders(keys);

  it("take a value exactly while its device may be relied upon, and say what stands against it", async () => {
    const verifier = chain().account(1);
    const feed = await chain().create(keys, { quorum: QUORUM, ring: RING, level: LEVEL, verifier: verifier.address });
    const lives = new Lives(chain(), feed, new Dice(SEED));
    await lives.begin();
    for (let k = 0; k < STEPS; k++) await lives.step();
    if (SEED !== USUAL) return;
    for (const outcome of ["taken", "DeviceFeedInvalidSignature", "DeviceFeedNotActive", "DeviceFeedNotReporter"])
      expect([outcome, lives.outcomes.has(outcome)]).to.deep.equal([outcome, true]);
    for (const [, obstacle] of OBSTACLES)
      expect([obstacle, lives.outcomes.has(obstacle)]).to.deep.equal([obstacle, true]);
  });
});

/** What the model knows of a device. */
interface Life {
  readonly id: DeviceId;
  /** All that it ever had, the present one last. */
  readonly keys: CurveKey[];
  state: "active" | "suspended" | "over";
  assurance: number;
  result: { ref: number; tier: number; expiry: bigint } | undefined;
  latest: { time: bigint; value: bigint } | undefined;
  sequence: bigint;
}

interface Measurement {
  readonly hash: string;
  byVerifier: boolean;
  byIssuer: boolean;
}

const WAYS = ["push", "push with an earlier key", "gateway", "own account"] as const;
type Way = (typeof WAYS)[number];

/** Devices that rotate, rest and end, a verifier that changes its mind, and what a feed of them should say. */
class Lives {
  readonly outcomes = new Set<string>();
  private readonly lives: Life[];
  private readonly measurements: Measurement[] = [];
  private readonly rounds: { answer: bigint; startedAt: bigint; updatedAt: bigint }[] = [];
  private made = 0;

  constructor(
    private readonly chain: Feeders,
    private readonly feed: DeviceFeed,
    private readonly dice: Dice,
  ) {
    const start = { state: "active", assurance: 2, result: undefined, latest: undefined, sequence: 0n } as const;
    this.lives = keys.map((key) => ({ ...start, id: key.id, keys: [key] }));
  }

  async begin(): Promise<void> {
    await this.addFirmware();
    await this.addFirmware();
    for (const life of this.lives.slice(1)) await this.attest(life, TRUST_TIERS.affirming);
  }

  async step(): Promise<void> {
    const { dice } = this;
    const life = dice.pick(this.lives);
    const act = dice.weighted<() => Promise<void>>([
      [60, () => this.push(life)],
      [4, () => this.rotate(life)],
      [6, () => this.restate(life)],
      [4, () => this.rest(life)],
      [6, () => this.wake(life)],
      [dice.chance(8) ? 1 : 0, () => this.end(life)],
      [11, () => this.attest(life, dice.weighted(TIERS))],
      [3, () => this.recall()],
    ]);
    await act();
    const kept = this.rounds.map((round, k) => ({ roundId: BigInt(k + 1), ...round })).slice(-RING);
    expect(await readRounds(this.feed)).to.deep.equal(kept);
  }

  private async push(life: Life): Promise<void> {
    const { chain, feed, dice } = this;
    const way = dice.weighted<Way>([
      [70, "push"],
      [10, "push with an earlier key"],
      [15, "gateway"],
      [5, "own account"],
    ]);
    const now = await chain.after(1 + dice.below(dice.chance(5) ? MAX_AGE : 30));
    const value = { sequence: life.sequence + 1n, time: now, value: BigInt(dice.below(100)), device: life.id };
    const expected = this.expected(life, way, now);
    const said = await outcomeOf(() => {
      if (way === "gateway") return chain.pushAs(feed, chain.account(0), life.keys[0] ?? present(life), value);
      if (way === "own account") return chain.pushAs(feed, chain.account(5), present(life), value);
      return chain.push(feed, way === "push" ? present(life) : (life.keys[0] ?? present(life)), value);
    });
    expect([this.made++, way, said]).to.deep.equal([this.made - 1, way, expected]);
    this.outcomes.add(expected);
    if (expected !== "taken") return;
    life.sequence += 1n;
    life.latest = { time: now, value: value.value };
    this.round(now);
  }

  private round(now: bigint): void {
    const fresh = this.lives.flatMap(({ latest }) => (latest && now - latest.time <= BigInt(MAX_AGE) ? [latest] : []));
    if (fresh.length < QUORUM) return;
    let updatedAt = now;
    for (const { time } of fresh) if (time < updatedAt) updatedAt = time;
    this.rounds.push({ answer: medianOf(fresh.map(({ value }) => value)), startedAt: now, updatedAt });
  }

  private expected(life: Life, way: Way, now: bigint): string {
    if (way === "own account") return "DeviceFeedNotReporter";
    if (life.state !== "active") return way === "gateway" ? "DeviceFeedNotActive" : "DeviceFeedInvalidSignature";
    if (way === "push with an earlier key" && life.keys.length > 1) return "DeviceFeedInvalidSignature";
    return this.obstacle(life, now) ?? "taken";
  }

  private obstacle({ assurance, result }: Life, now: bigint): Obstacle | undefined {
    if (assurance < LEVEL) return "assuranceTooLow";
    if (!result || result.tier === TRUST_TIERS.none) return "notAttested";
    if (result.expiry <= now) return "expired";
    const measurement = this.measurements[result.ref - 1];
    if (measurement?.byVerifier) return "recalledByVerifier";
    if (measurement?.byIssuer) return "recalledByIssuer";
    if (result.tier === TRUST_TIERS.contraindicated) return "contraindicated";
    return result.tier === TRUST_TIERS.warning ? "warning" : undefined;
  }

  private async rotate(life: Life): Promise<void> {
    if (life.state !== "active") return;
    const next = keyOf(`life of ${life.id} ${life.keys.length}`, this.dice.pick(["secp256k1", "p256"]));
    await this.chain.publishers.rotate(life.id, present(life), next, 2n * BigInt(life.keys.length - 1));
    life.keys.push(next);
    life.assurance = 0;
  }

  private async restate(life: Life): Promise<void> {
    if (life.state === "over") return;
    const assurance = this.dice.chance(80) ? 2 : this.dice.below(2);
    await this.registry.stateAssurance(life.id, assurance);
    life.assurance = assurance;
  }

  private async rest(life: Life): Promise<void> {
    if (life.state !== "active") return;
    await this.registry.suspend(life.id);
    life.state = "suspended";
  }

  private async wake(life: Life): Promise<void> {
    if (life.state !== "suspended") return;
    await this.registry.resume(life.id);
    life.state = "active";
  }

  /** Two stay, so that rounds go on. */
  private async end(life: Life): Promise<void> {
    if (life.state === "over" || this.lives.filter(({ state }) => state !== "over").length < 4) return;
    const { publishers, world } = this.chain;
    if (this.dice.chance(50)) await this.registry.revokeDevice(publishers.lot.id, life.id);
    else await world.registry.retire(life.id);
    life.state = "over";
  }

  private async attest(life: Life, tier: number): Promise<void> {
    const expiry = (await this.chain.after()) + 60n + BigInt(this.dice.below(2 * MAX_AGE));
    const good = this.measurements.flatMap(({ byVerifier }, k) => (byVerifier ? [] : [k + 1]));
    const ref = this.dice.pick(good);
    await this.attestations.attest(life.id, ref, tier, expiry, secretOf(1, "token"));
    life.result = { ref, tier, expiry };
  }

  /** One of the two says that firmware is bad; the verifier knows another. */
  private async recall(): Promise<void> {
    const measurement = this.dice.pick(this.measurements.filter((one) => !one.byVerifier && !one.byIssuer));
    if (this.dice.chance(50)) {
      await this.attestations.recall(measurement.hash);
      measurement.byVerifier = true;
    } else {
      await this.chain.world.attestations.connect(this.chain.publishers.maker).recall(measurement.hash);
      measurement.byIssuer = true;
    }
    await this.addFirmware();
  }

  private async addFirmware(): Promise<void> {
    const hash = secretOf(1, `firmware ${this.measurements.length}`);
    await this.attestations.addReference(hash, "");
    this.measurements.push({ hash, byVerifier: false, byIssuer: false });
  }

  private get attestations() {
    return this.chain.world.attestations.connect(this.chain.account(1));
  }

  /** As the maker. */
  private get registry() {
    return this.chain.world.registry.connect(this.chain.publishers.maker);
  }
}

const TIERS = [
  [80, TRUST_TIERS.affirming],
  [7, TRUST_TIERS.warning],
  [7, TRUST_TIERS.contraindicated],
  [6, TRUST_TIERS.none],
] as const;

function present(life: Life): CurveKey {
  const key = life.keys.at(-1);
  if (!key) throw new RangeError("A device without a key.");
  return key;
}

/** The error's name, or the obstacle where it carries one. */
async function outcomeOf(call: () => Promise<unknown>): Promise<string> {
  try {
    await call();
    return "taken";
  } catch (error) {
    const data = revertDataOf(error);
    if (!data) throw error;
    const said = decodeRevert(data);
    return OBSTACLES.find(([number]) => number === said?.args.obstacle)?.[1] ?? said?.name ?? data;
  }
}
