import { createCipheriv } from "node:crypto";
import { expect } from "chai";
import {
  bernoulliExp,
  discreteGaussian,
  discreteLaplace,
  type Entropy,
  noiseScales,
  noisyPartial,
  sensitivitiesOf,
  uniformBelow,
} from "../../toolkit/analytics/noise.js";
import {
  addToPartial,
  isWellFormedPartial,
  neutralPartial,
  packed,
  partialWords,
} from "../../toolkit/analytics/partials.js";
import { Operation, type Query } from "../../toolkit/analytics/query.js";
import { intBytes, keccak256, toHex } from "../../toolkit/internal/bytes.js";
import { ADDITIVE, codeOf, OPERATIONS, queryOf } from "./queries.js";

const SAMPLES = Number(process.env.SAMPLES ?? 20_000);
const MILLION = 1_000_000n;

/** Random bytes that are the same for the same seed: AES in counter mode, whose output nobody tells from random. */
function entropyOf(seed: number): Entropy {
  const cipher = createCipheriv("aes-256-ctr", keccak256(intBytes(BigInt(seed), 32)), new Uint8Array(16));
  return (bytes) => cipher.update(new Uint8Array(bytes));
}

const drawn = (draw: () => bigint, count = SAMPLES) => Array.from({ length: count }, () => Number(draw()));
const sum = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);

/**
 * How far samples are from a distribution: Pearson's chi-square in standard deviations above its mean. Values that lie side by side share a cell
 * until ten samples are to be expected of it; what lies farther out than any sample belongs to the last.
 */
function distance(samples: readonly number[], pmf: (k: number) => number): number {
  const counts = new Map<number, number>();
  for (const sample of samples) counts.set(sample, (counts.get(sample) ?? 0) + 1);
  const cells: { expected: number; seen: number }[] = [];
  let cell = { expected: 0, seen: 0 };
  const most = Math.max(...samples.map(Math.abs));
  for (let k = -most; k <= most; k++) {
    cell = { expected: cell.expected + pmf(k) * samples.length, seen: cell.seen + (counts.get(k) ?? 0) };
    if (cell.expected < 10) continue;
    cells.push(cell);
    cell = { expected: 0, seen: 0 };
  }
  const last = cells.pop();
  if (!last) throw new RangeError("Too few samples.");
  cells.push({ expected: samples.length - sum(cells.map((one) => one.expected)), seen: last.seen + cell.seen });
  const square = sum(cells.map(({ expected, seen }) => (seen - expected) ** 2 / expected));
  const freedom = Math.max(cells.length - 1, 1);
  return (square - freedom) / Math.sqrt(2 * freedom);
}

/** e^(-|k| / scale), normalised. */
const laplace = (scale: number) => {
  const whole = (1 + Math.exp(-1 / scale)) / (1 - Math.exp(-1 / scale));
  return (k: number) => Math.exp(-Math.abs(k) / scale) / whole;
};

/** e^(-k² / (2 variance)), normalised. */
const gaussian = (variance: number) => {
  const weight = (k: number) => Math.exp((-k * k) / (2 * variance));
  const whole = sum(Array.from({ length: 4001 }, (_, k) => weight(k - 2000)));
  return (k: number) => weight(k) / whole;
};

const ratio = (numerator: number, denominator = 1) => ({
  numerator: BigInt(numerator),
  denominator: BigInt(denominator),
});

describe("Noise", () => {
  describe("of samplers", () => {
    it("is uniform below any bound", () => {
      for (const bound of [1, 2, 3, 10, 256, 257, 1000]) {
        const random = entropyOf(bound);
        const samples = drawn(() => uniformBelow(BigInt(bound), random));
        expect(samples.every((sample) => sample >= 0 && sample < bound)).to.equal(true);
        expect(distance(samples, (k) => (k >= 0 && k < bound ? 1 / bound : 0))).to.be.below(5);
      }
      const far = uniformBelow(2n ** 200n, entropyOf(1));
      expect(far >= 2n ** 180n && far < 2n ** 200n).to.equal(true);
      expect(() => uniformBelow(0n)).to.throw(RangeError);
    });

    it("comes true with probability e^-rate, for rates from 0 to above 1", () => {
      for (const [numerator, denominator] of [
        [0, 1],
        [1, 1000],
        [1, 3],
        [1, 1],
        [5, 3],
        [4, 1],
      ] as const) {
        const random = entropyOf(numerator * 7 + denominator);
        const expected = Math.exp(-numerator / denominator);
        const hits = Array.from({ length: SAMPLES }, () => bernoulliExp(ratio(numerator, denominator), random));
        const share = hits.filter(Boolean).length / SAMPLES;
        const text = `e^-${numerator}/${denominator}: ${share}`;
        expect(Math.abs(share - expected), text).to.be.at.most(4.5 * Math.sqrt((expected * (1 - expected)) / SAMPLES));
      }
    });

    it("is discrete Laplace of any scale, and not of one that is a tenth larger", () => {
      for (const [numerator, denominator] of [
        [1, 3],
        [1, 1],
        [3, 2],
        [10, 1],
        [70, 3],
      ] as const) {
        const random = entropyOf(numerator);
        const scale = numerator / denominator;
        const samples = drawn(() => discreteLaplace(ratio(numerator, denominator), random));
        expect(distance(samples, laplace(scale)), `scale ${scale}`).to.be.below(5);
        expect(distance(samples, laplace(scale * 1.1)), `not ${scale * 1.1}`).to.be.above(5);
      }
    });

    it("is discrete Gaussian of any variance, and not of one that is a tenth larger", () => {
      for (const [numerator, denominator] of [
        [1, 4],
        [1, 1],
        [9, 4],
        [50, 1],
        [1000, 7],
      ] as const) {
        const random = entropyOf(numerator);
        const variance = numerator / denominator;
        const samples = drawn(() => discreteGaussian(ratio(numerator, denominator), random));
        expect(distance(samples, gaussian(variance)), `variance ${variance}`).to.be.below(5);
        expect(distance(samples, gaussian(variance * 1.1)), `not ${variance * 1.1}`).to.be.above(5);
      }
    });

    it("is 0 at scale 0, and refuses scales below 0", () => {
      expect(discreteLaplace(ratio(0))).to.equal(0n);
      expect(discreteGaussian(ratio(0))).to.equal(0n);
      for (const wrong of [ratio(-1), ratio(1, 0), ratio(1, -1)]) {
        for (const draw of [discreteLaplace, discreteGaussian, bernoulliExp])
          expect(() => draw(wrong)).to.throw(RangeError);
      }
    });

    it("comes from node's own random bytes where none are given", () => {
      const samples = drawn(() => discreteLaplace(ratio(5)), 4000);
      expect(distance(samples, laplace(5))).to.be.below(8);
      expect(
        distance(
          drawn(() => discreteGaussian(ratio(5)), 4000),
          gaussian(5),
        ),
      ).to.be.below(8);
    });
  });

  describe("of partials", () => {
    /** Bounds of 5 and 7 seconds; epsilon 2. */
    const small = (operation: Operation): Query =>
      queryOf(operation, { lower: -5n, upper: 4n, from: 1000n, to: 1008n, cap: 3n });
    const epsilon = 2n * MILLION;

    it("has the scale of each word's sensitivity by epsilon, split where words are of different kinds", () => {
      const scalesOf = (operation: Operation) =>
        noiseScales(small(operation), epsilon).map((one) => Number(one.numerator) / Number(one.denominator));
      expect(scalesOf(Operation.Count)).to.deep.equal([1.5]);
      expect(scalesOf(Operation.Sum)).to.deep.equal([7.5]);
      expect(scalesOf(Operation.Mean)).to.deep.equal([15, 3]);
      expect(scalesOf(Operation.Histogram)).to.deep.equal([1.5, 1.5, 1.5, 1.5, 1.5]);
      expect(scalesOf(Operation.Regression)).to.deep.equal([9, 63, 45, 441, 315, 225]);
      expect(() => noiseScales(small(Operation.Count), 0n)).to.throw(RangeError);
      expect(() => noiseScales(small(Operation.Count), -1n)).to.throw(RangeError);
    });

    it("takes sensitivities that the readings of a full device reach, and none passes", () => {
      for (const [, operation] of ADDITIVE) {
        for (const bounds of [
          { lower: -5n, upper: 4n },
          { lower: -5n, upper: 9n },
          { lower: -11n, upper: -2n },
          { lower: 1n, upper: 10n },
        ]) {
          const query = { ...small(operation), ...bounds };
          const reached = sensitivitiesOf(query).map(() => 0n);
          for (let value = query.lower - 1n; value <= query.upper + 1n; value++) {
            for (let time = query.from; time < query.to; time++) {
              const full = neutralPartial(query);
              for (let k = 0n; k < query.cap; k++) addToPartial(query, full, value, time);
              for (const [k, word] of partialWords(full).entries()) {
                const size = word < 0n ? -word : word;
                if (size > (reached[k] ?? 0n)) reached[k] = size;
              }
            }
          }
          expect(reached).to.deep.equal(sensitivitiesOf(query));
        }
      }
    });

    for (const [name, operation] of ADDITIVE) {
      it(`is discrete Laplace of that scale about each word (${name})`, () => {
        const query = small(operation);
        const random = entropyOf(operation);
        const exact = neutralPartial(query);
        addToPartial(query, exact, 3n, 1005n);
        addToPartial(query, exact, -4n, 1002n);
        const before = toHex(exact);
        const noise = Array.from({ length: SAMPLES / 4 }, () => {
          const noisy = noisyPartial(query, epsilon, exact, random);
          expect(isWellFormedPartial(query, noisy)).to.equal(true);
          return partialWords(noisy);
        });
        expect(toHex(exact)).to.equal(before);
        for (const [k, { numerator, denominator }] of noiseScales(query, epsilon).entries()) {
          const word = partialWords(exact)[k] ?? 0n;
          const samples = noise.map((words) => Number((words[k] ?? 0n) - word));
          const scale = Number(numerator) / Number(denominator);
          const text = `word ${k}, scale ${scale}`;
          expect(distance(samples, laplace(scale)), text).to.be.below(5);
          // Mean size of the noise: 2 e / (1 - e²), with e = e^(-1 / scale).
          const decay = Math.exp(-1 / scale);
          const size = sum(samples.map(Math.abs)) / samples.length / ((2 * decay) / (1 - decay ** 2));
          expect(size, text).to.be.within(1 - 6 / Math.sqrt(samples.length), 1 + 6 / Math.sqrt(samples.length));
        }
      });
    }

    it("tells no device's presence by more than epsilon allows", () => {
      const query = small(Operation.Count);
      const random = entropyOf(99);
      const answers = [0n, 3n].map((count) =>
        drawn(() => partialWords(noisyPartial(query, MILLION / 2n, packed([count]), random))[0] ?? 0n),
      );
      const [absent = [], present = []] = answers;
      for (const bar of [-3, 0, 1, 2, 3, 6]) {
        const [p, q] = [absent, present].map((list) => list.filter((answer) => answer >= bar).length / SAMPLES);
        if (p === undefined || q === undefined) throw new Error("There are two.");
        expect(q / p, `at least ${bar}`).to.be.below(Math.exp(0.5) * 1.06);
        expect((1 - p) / (1 - q), `below ${bar}`).to.be.below(Math.exp(0.5) * 1.06);
      }
      // At the bar where the two differ most, the bound is reached: more noise than needed would be wrong as well.
      const share = (list: number[]) => list.filter((answer) => answer >= 3).length;
      expect(share(present) / share(absent)).to.be.above(Math.exp(0.5) * 0.94);
    });

    it("isn't added for an epsilon of 0, to any partial", () => {
      for (const [, operation] of OPERATIONS) {
        const query = queryOf(operation);
        const exact = neutralPartial(query);
        addToPartial(query, exact, 3n, 1005n);
        const same = noisyPartial(query, 0n, exact);
        expect(toHex(same)).to.equal(toHex(exact));
        expect(same).not.to.equal(exact);
      }
    });

    it("isn't added to extremes and sketches", () => {
      for (const operation of [Operation.MinMax, Operation.Distinct, Operation.Membership]) {
        const query = queryOf(operation);
        expect(codeOf(() => noisyPartial(query, 1n, neutralPartial(query)))).to.equal("ITC_NOISE_UNSUITED");
        expect(codeOf(() => sensitivitiesOf(query))).to.equal("ITC_NOISE_UNSUITED");
      }
    });

    it("isn't added to what it wouldn't cover: an unsound query, another's partial, more readings than the cap", () => {
      for (const [query, partial] of [
        [queryOf(Operation.Count, { cap: 0n }), packed([0n])],
        [queryOf(Operation.Count), packed([1n, 1n])],
        [queryOf(Operation.Count), packed([101n])],
        [queryOf(Operation.Sum), packed([6001n])],
        [queryOf(Operation.Sum), packed([-6001n])],
        [queryOf(Operation.Mean), packed([0n, 101n])],
        [queryOf(Operation.Histogram), packed([50n, 51n, 0n, 0n, 0n])],
        [queryOf(Operation.Histogram), packed([-50n, 51n, 0n, 0n, 0n])],
        [queryOf(Operation.Regression), packed([101n, 0n, 0n, 0n, 0n, 0n])],
      ] as const) {
        expect(
          codeOf(() => noisyPartial(query, 1n, partial)),
          `${toHex(partial)}`,
        ).to.equal("ITC_NOISE_UNSOUND");
      }
      for (const [query, partial] of [
        [queryOf(Operation.Sum), packed([-6000n])],
        [queryOf(Operation.Histogram), packed([50n, 50n, 0n, 0n, 0n])],
      ] as const) {
        expect(codeOf(() => noisyPartial(query, 1n, partial))).to.equal("none");
      }
    });

    it("keeps partials of the largest sound queries well formed at the smallest epsilon", () => {
      const cap = 2n ** 32n - 1n;
      for (const [, operation] of ADDITIVE) {
        const bound = operation === Operation.Regression ? 2n ** 32n : 2n ** 63n;
        const bounds = { lower: -bound, upper: bound - 1n, to: 2n ** 32n, anchoredBy: 2n ** 32n };
        const query = queryOf(operation, { ...bounds, cap });
        for (let k = 0; k < 50; k++) {
          const noisy = noisyPartial(query, 1n, neutralPartial(query), entropyOf(k));
          expect(isWellFormedPartial(query, noisy)).to.equal(true);
        }
      }
    });
  });
});
