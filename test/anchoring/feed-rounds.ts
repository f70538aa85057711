import { expect } from "chai";
import { medianOf, readLatestRound, readRounds } from "../../toolkit/anchoring/feeds.js";
import type { DeviceFeed } from "../../toolkit/contracts.js";
import type { CurveKey } from "../../toolkit/identity/keys.js";
import { decodeRevert, revertDataOf } from "../../toolkit/reverts.js";
import { keyOf } from "../identity/fleet.js";
import { Dice } from "../invariant/dice.js";
import { feeders, MAX_AGE, MAX_AHEAD } from "./feeders.js";

const keys = Array.from({ length: 16 }, (_, k) => keyOf(`round ${k}`, k % 4 === 3 ? "p256" : "secp256k1"));
const at = (k: number): CurveKey => keys[k] ?? keyOf("round 0");
const stranger = keyOf("round of another");
const [LEAST, GREATEST] = [-(2n ** 127n), 2n ** 127n - 1n];
/** `SEED=7` replays the history of that seed. */
const SEED = Number(process.env.SEED ?? 20_267);

describe("Rounds of a feed", () => {
  const chain = feeders(keys);
  const round = async (feed: DeviceFeed, id: bigint) => {
    const [roundId, answer, startedAt, updatedAt, answeredInRound] = await feed.getRoundData(id);
    return { roundId, answer, startedAt, updatedAt, answeredInRound };
  };

  describe("a round", () => {
    it("is made by each value as soon as enough are fresh, and by none before", async () => {
      const feed = await chain().create(keys.slice(0, 3), { quorum: 2 });
      await expect(feed.latestRoundData()).to.be.revertedWithCustomError(feed, "DeviceFeedNoRound").withArgs(0);
      await chain().pushNow(feed, at(0), 1n, 10n);
      await chain().pushNow(feed, at(0), 2n, 12n);
      expect([await feed.latestRound(), await feed.isFresh()]).to.deep.equal([0n, false]);
      expect(await readLatestRound(feed)).to.equal(undefined);
      const time = await chain().after();
      await expect(chain().push(feed, at(1), { sequence: 1n, time, value: 20n }))
        .to.emit(feed, "AnswerUpdated")
        .withArgs(16n, 1n, time - 1n);
      expect(await round(feed, 1n)).to.deep.equal({
        roundId: 1n,
        answer: 16n,
        startedAt: time,
        updatedAt: time - 1n,
        answeredInRound: 1n,
      });
    });

    it("leaves out values that have become too old, and stops when too few are left", async () => {
      const feed = await chain().create(keys.slice(0, 3), { quorum: 2 });
      const first = await chain().pushNow(feed, at(0), 1n, -50n);
      await chain().pushNow(feed, at(1), 1n, 10n);
      const onTheDot = first + BigInt(MAX_AGE);
      await chain().after(onTheDot - (await chain().now()));
      await chain().push(feed, at(2), { sequence: 1n, time: onTheDot, value: 20n });
      expect(await feed.latestRoundData()).to.deep.equal([2n, 10n, onTheDot, first, 2n]);
      await chain().pushNow(feed, at(2), 2n, 20n);
      expect((await feed.latestRoundData()).answer).to.equal(15n);
      const time = await chain().after(MAX_AGE + 1);
      await chain().push(feed, at(0), { sequence: 2n, time, value: 0n });
      expect(await feed.latestRound()).to.equal(3n);
    });

    it("takes a device that has never spoken for none, however old values may be", async () => {
      const feed = await chain().create(keys.slice(0, 2), { quorum: 2, maxAge: 2n ** 32n - 1n });
      await chain().pushNow(feed, at(0), 1n, 10n);
      expect(await feed.latestRound()).to.equal(0n);
      await chain().pushNow(feed, at(1), 1n, 10n);
      expect(await feed.latestRound()).to.equal(1n);
    });

    it("dates from its oldest value, but never from the future", async () => {
      const feed = await chain().create(keys.slice(0, 2));
      const now = await chain().after(100n);
      await chain().push(feed, at(0), { sequence: 1n, time: now + BigInt(MAX_AHEAD), value: 1n });
      expect((await feed.latestRoundData()).updatedAt).to.equal(now);
      await chain().after();
      await chain().push(feed, at(1), { sequence: 1n, time: now - 90n, value: 1n });
      expect((await feed.latestRoundData()).updatedAt).to.equal(now - 90n);
    });

    it("is fresh until its oldest value is older than maxAge", async () => {
      const feed = await chain().create(keys.slice(0, 2));
      const time = await chain().pushNow(feed, at(0), 1n, 1n);
      await chain().world.networkHelpers.time.increaseTo(time + BigInt(MAX_AGE));
      expect(await feed.isFresh()).to.equal(true);
      await chain().world.networkHelpers.time.increaseTo(time + BigInt(MAX_AGE) + 1n);
      expect(await feed.isFresh()).to.equal(false);
      expect((await feed.latestRoundData()).answer).to.equal(1n);
    });
  });

  describe("the median", () => {
    it("is right for 1 to 16 devices in any order, up to the ends of the range", async () => {
      const dice = new Dice(SEED);
      const extremes = [LEAST, LEAST + 1n, -3n, -2n, -1n, 0n, 1n, 2n, GREATEST - 1n, GREATEST];
      for (let count = 1; count <= keys.length; count++) {
        const feed = await chain().create(keys.slice(0, count), { quorum: count });
        const values = Array.from({ length: count }, () => dice.pick(extremes));
        for (const [k, value] of values.entries()) await chain().pushNow(feed, at(k), 1n, value);
        expect([count, (await feed.latestRoundData()).answer]).to.deep.equal([count, medianOf(values)]);
      }
    });

    it("of two is their mean, rounded toward zero, without overflow", async () => {
      const cases: [bigint, bigint, bigint][] = [
        [1n, 2n, 1n],
        [-1n, -2n, -1n],
        [-2n, 1n, 0n],
        [LEAST, LEAST, LEAST],
        [GREATEST, GREATEST, GREATEST],
        [LEAST, GREATEST, 0n],
        [GREATEST, GREATEST - 1n, GREATEST - 1n],
        [LEAST, LEAST + 1n, LEAST + 1n],
      ];
      const feed = await chain().create(keys.slice(0, 2), { quorum: 2 });
      for (const [k, [first, second, answer]] of cases.entries()) {
        await chain().pushNow(feed, at(0), BigInt(k), first);
        await chain().pushNow(feed, at(1), BigInt(k), second);
        expect((await feed.latestRoundData()).answer).to.equal(answer);
        expect(medianOf([second, first])).to.equal(answer);
      }
    });

    it("of the toolkit refuses no values", () => {
      expect(() => medianOf([])).to.throw(RangeError);
    });
  });

  describe("the ring", () => {
    it("keeps so many rounds, and says so of each that it lacks", async () => {
      for (const ring of [1, 3]) {
        const feed = await chain().create([at(0)], { ring });
        for (let k = 1n; k <= 8n; k++) {
          await chain().pushNow(feed, at(0), k, k * 10n);
          const kept = Array.from({ length: ring }, (_, back) => k - BigInt(back))
            .filter((id) => id > 0n)
            .reverse();
          const read = await readRounds(feed);
          expect(read.map(({ roundId, answer }) => [roundId, answer])).to.deep.equal(kept.map((id) => [id, id * 10n]));
          expect(read.at(-1)).to.deep.equal(await readLatestRound(feed));
          for (const absent of [0n, k - BigInt(ring), k + 1n, 2n ** 80n - 1n]) {
            if (absent < 0n) continue;
            await expect(feed.getRoundData(absent))
              .to.be.revertedWithCustomError(feed, "DeviceFeedNoRound")
              .withArgs(absent);
          }
        }
      }
    });
  });

  describe("a random history", () => {
    it("goes as a model of it says, in every outcome and answer", async () => {
      const walk = new History(await chain().create(keys.slice(0, 5), CONFIG), new Dice(SEED));
      for (let k = 0; k < 250; k++) await walk.step(chain());
      for (const outcome of OUTCOMES) expect([outcome, walk.outcomes.has(outcome)]).to.deep.equal([outcome, true]);
      expect(walk.rounds.length).to.be.greaterThan(3 * CONFIG.ring);
    });
  });
});

const CONFIG = { quorum: 3, ring: 7, minimum: -1000n, maximum: 1000n };
const OUTCOMES = [
  "taken",
  "DeviceFeedNotSource",
  "DeviceFeedOldSequence",
  "DeviceFeedTimeNotAfter",
  "DeviceFeedStale",
  "DeviceFeedFuture",
  "DeviceFeedOutOfRange",
  "DeviceFeedInvalidSignature",
  "DeviceFeedNotReporter",
];

interface Kept {
  readonly sequence: bigint;
  readonly time: bigint;
  readonly value: bigint;
}

/** What a feed of five devices should be, and the draws that it goes by. */
class History {
  readonly outcomes = new Set<string>();
  readonly rounds: { answer: bigint; startedAt: bigint; updatedAt: bigint }[] = [];
  private readonly latest = new Map<CurveKey, Kept>();

  constructor(
    private readonly feed: DeviceFeed,
    private readonly dice: Dice,
  ) {}

  async step(chain: ReturnType<ReturnType<typeof feeders>>): Promise<void> {
    const { dice, feed } = this;
    const now = await chain.after(1 + dice.below(dice.chance(8) ? MAX_AGE : 40));
    const key = dice.chance(5) ? stranger : at(dice.below(5));
    const value = this.draw(key, now);
    const way = dice.weighted([
      [60, "push"],
      [20, "gateway"],
      [10, "forged"],
      [10, "intruder"],
    ] as const);
    const expected =
      this.expected(key, value, now) ??
      { forged: "DeviceFeedInvalidSignature", intruder: "DeviceFeedNotReporter", push: "taken", gateway: "taken" }[way];
    const call = () => {
      if (way === "gateway") return chain.pushAs(feed, chain.account(0), key, value);
      if (way === "intruder") return chain.pushAs(feed, chain.account(5), key, value);
      return chain.push(feed, way === "forged" ? stranger : key, { ...value, device: key.id });
    };
    expect([this.outcomes.size, way, await outcomeOf(call)]).to.deep.equal([this.outcomes.size, way, expected]);
    this.outcomes.add(expected);
    if (expected === "taken") this.take(key, value, now);
    await this.compare();
  }

  private draw(key: CurveKey, now: bigint): Kept {
    const { dice } = this;
    const last = this.latest.get(key);
    const sequence = (last?.sequence ?? 0n) + BigInt(dice.below(5)) - (dice.chance(10) ? 2n : 0n);
    const time = dice.weighted([
      [70, now - BigInt(dice.below(20))],
      [10, now + BigInt(dice.below(2 * MAX_AHEAD))],
      [10, now - BigInt(MAX_AGE) - BigInt(dice.below(5)) + 2n],
      [10, last?.time ?? now],
    ]);
    return { sequence: sequence < 0n ? 0n : sequence, time, value: BigInt(dice.below(2200)) - 1100n };
  }

  /** The first rule that a value breaks. */
  private expected(key: CurveKey, { sequence, time, value }: Kept, now: bigint): string | undefined {
    const last = this.latest.get(key);
    if (key === stranger) return "DeviceFeedNotSource";
    if (last && sequence <= last.sequence) return "DeviceFeedOldSequence";
    if (last && time <= last.time) return "DeviceFeedTimeNotAfter";
    if (now - time > BigInt(MAX_AGE)) return "DeviceFeedStale";
    if (time - now > BigInt(MAX_AHEAD)) return "DeviceFeedFuture";
    return value < CONFIG.minimum || value > CONFIG.maximum ? "DeviceFeedOutOfRange" : undefined;
  }

  private take(key: CurveKey, value: Kept, now: bigint): void {
    this.latest.set(key, value);
    const fresh = [...this.latest.values()].filter(({ time }) => now - time <= BigInt(MAX_AGE));
    if (fresh.length < CONFIG.quorum) return;
    const updatedAt = [...fresh.map(({ time }) => time), now].reduce((a, b) => (a < b ? a : b));
    this.rounds.push({ answer: medianOf(fresh.map((one) => one.value)), startedAt: now, updatedAt });
  }

  private async compare(): Promise<void> {
    const expected = this.rounds.map((round, k) => ({ roundId: BigInt(k + 1), ...round })).slice(-CONFIG.ring);
    expect(await readRounds(this.feed)).to.deep.equal(expected);
  }
}

async function outcomeOf(call: () => Promise<unknown>): Promise<string> {
  try {
    await call();
    return "taken";
  } catch (error) {
    const data = revertDataOf(error);
    if (!data) throw error;
    return decodeRevert(data)?.name ?? data;
  }
}
