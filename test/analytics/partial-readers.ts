import { expect } from "chai";
import {
  countOf,
  distinctOf,
  extremesOf,
  histogramOf,
  lineOf,
  meanOf,
  membersOf,
  sumOf,
} from "../../toolkit/analytics/partial-readers.js";
import { addToPartial, neutralPartial, PartialError, packed } from "../../toolkit/analytics/partials.js";
import { Operation, type Query } from "../../toolkit/analytics/query.js";
import { nearest, rootOf } from "../../toolkit/internal/ratios.js";
import { Dice } from "../invariant/dice.js";
import { between, queryOf } from "./queries.js";

function of(query: Query, readings: readonly (readonly [value: bigint, time: bigint])[]): Uint8Array {
  const partial = neutralPartial(query);
  for (const [value, time] of readings) addToPartial(query, partial, value, time);
  return partial;
}

const at = (...values: bigint[]) => values.map((value): [bigint, bigint] => [value, 1000n]);

describe("Readers of partials", () => {
  it("say counts, sums and means, and no mean of no readings", () => {
    const mean = queryOf(Operation.Mean);
    expect(countOf(queryOf(Operation.Count), of(queryOf(Operation.Count), at(1n, 2n)))).to.equal(2n);
    expect(sumOf(queryOf(Operation.Sum), of(queryOf(Operation.Sum), at(-7n, 2n)))).to.equal(-5n);
    expect(meanOf(mean, of(mean, at(1n, 2n, 2n)))).to.deep.equal({ sum: 5n, count: 3n, mean: 5 / 3 });
    expect(meanOf(mean, neutralPartial(mean)).mean).to.equal(undefined);
    expect(meanOf(mean, packed([5n, -1n])).mean).to.equal(undefined);
  });

  it("say extremes, and none of no readings", () => {
    const query = queryOf(Operation.MinMax);
    expect(extremesOf(query, of(query, at(3n, -9n, 4n)))).to.deep.equal({ min: -9n, max: 4n });
    expect(extremesOf(query, of(query, at(3n)))).to.deep.equal({ min: 3n, max: 3n });
    expect(extremesOf(query, neutralPartial(query))).to.equal(undefined);
  });

  it("say a histogram's bins, which follow one another from bound to bound", () => {
    const query = queryOf(Operation.Histogram);
    expect(histogramOf(query, of(query, at(-40n, -20n, -19n, 60n, 99n)))).to.deep.equal([
      { from: -40n, to: -20n, count: 2n },
      { from: -19n, to: 1n, count: 1n },
      { from: 2n, to: 22n, count: 0n },
      { from: 23n, to: 43n, count: 0n },
      { from: 44n, to: 60n, count: 2n },
    ]);
    // 65 values in bins of 2: the last of 64 bins would begin beyond the bounds.
    const ragged = queryOf(Operation.Histogram, { lower: 0n, upper: 64n, size: 64 });
    const bins = histogramOf(ragged, neutralPartial(ragged));
    expect(bins.length).to.equal(33);
    expect(bins.at(-1)).to.deep.equal({ from: 64n, to: 64n, count: 0n });
  });

  it("say about how many distinct values there are, and how far off that is", () => {
    const query = queryOf(Operation.Distinct);
    const { estimate, standardError } = distinctOf(query, of(query, at(1n, 2n, 2n, 1n, 3n)));
    expect(estimate).to.equal(3n);
    expect(standardError).to.equal(1.04 / 32);
  });

  it("say which values were seen, how often they say so wrongly, and about how many there were", () => {
    const query = queryOf(Operation.Membership);
    const filter = of(query, at(1n, 2n, 3n));
    const members = membersOf(query, filter);
    filter.fill(0);
    expect([1n, 2n, 3n].every(members.has)).to.equal(true);
    expect(members.estimate).to.equal(3n);
    expect(members.falsePositiveRate).to.be.within((7 / 512) ** 3, (9 / 512) ** 3);
    expect(membersOf(query, new Uint8Array(64)).falsePositiveRate).to.equal(0);
    expect(membersOf(query, new Uint8Array(64).fill(255)).falsePositiveRate).to.equal(1);
  });

  it("say the line through values on a line exactly", () => {
    const query = queryOf(Operation.Regression);
    const line = lineOf(
      query,
      of(query, [
        [-5n, 1000n],
        [-2n, 1001n],
        [7n, 1004n],
        [25n, 1010n],
      ]),
    );
    expect(line?.numbers).to.deep.equal({ slope: 3, intercept: -5, r2: 1 });
  });

  it("say the line of least squares that floating point finds", () => {
    const roll = new Dice(1);
    const query = queryOf(Operation.Regression);
    for (let k = 0; k < 30; k++) {
      const readings = Array.from({ length: 3 + roll.below(20) }, (_, j): [bigint, bigint] => [
        between(roll, -40n, 60n),
        1000n + BigInt(j) * 7n,
      ]);
      const line = lineOf(query, of(query, readings));
      const xs = readings.map(([, time]) => Number(time - 1000n));
      const ys = readings.map(([value]) => Number(value));
      const mean = (list: number[]) => list.reduce((a, b) => a + b, 0) / list.length;
      const cov = (a: number[], b: number[]) => mean(a.map((x, j) => (x - mean(a)) * ((b[j] ?? 0) - mean(b))));
      const slope = cov(xs, ys) / cov(xs, xs);
      const near = (a: number | undefined, b: number) => expect(Math.abs((a ?? Number.NaN) - b)).to.be.below(1e-9);
      near(line?.numbers.slope, slope);
      near(line?.numbers.intercept, mean(ys) - slope * mean(xs));
      if (cov(ys, ys) > 0) near(line?.numbers.r2, cov(xs, ys) ** 2 / (cov(xs, xs) * cov(ys, ys)));
    }
  });

  it("say no line through one time, and no R² where all values are the same", () => {
    const query = queryOf(Operation.Regression);
    expect(lineOf(query, neutralPartial(query))).to.equal(undefined);
    expect(lineOf(query, of(query, at(1n, 2n, 3n)))).to.equal(undefined);
    expect(lineOf(query, packed([-3n, 1n, 1n, 1n, 1n, 1n]))).to.equal(undefined);
    const flat = lineOf(
      query,
      of(query, [
        [4n, 1000n],
        [4n, 1009n],
      ]),
    );
    expect(flat?.numbers).to.deep.equal({ slope: 0, intercept: 4, r2: undefined });
  });

  it("refuse an aggregate of another shape", () => {
    for (const [read, operation] of [
      [countOf, Operation.Count],
      [sumOf, Operation.Sum],
      [meanOf, Operation.Mean],
      [extremesOf, Operation.MinMax],
      [histogramOf, Operation.Histogram],
      [distinctOf, Operation.Distinct],
      [membersOf, Operation.Membership],
      [lineOf, Operation.Regression],
    ] as const) {
      expect(() => read(queryOf(operation), new Uint8Array(96)))
        .to.throw(PartialError)
        .with.property("code", "ITC_PARTIAL_LENGTH");
    }
  });
});

describe("Ratios", () => {
  it("become the nearest number", () => {
    expect(nearest({ numerator: 0n, denominator: 7n })).to.equal(0);
    for (const [a, b] of [
      [1, 3],
      [-2, 3],
      [355, 113],
      [1, 2 ** 40],
      [2 ** 52 + 1, 2],
      [-1, 1],
      [5, 1_000_003],
    ] as const) {
      expect(nearest({ numerator: BigInt(a), denominator: BigInt(b) })).to.equal(a / b);
    }
    const roll = new Dice(2);
    for (let k = 0; k < 300; k++) {
      const [a, b] = [between(roll, -(2n ** 53n), 2n ** 53n), between(roll, 1n, 2n ** 53n)];
      // Both are numbers, so that one division of numbers is right to the last bit.
      expect(nearest({ numerator: a, denominator: b })).to.equal(Number(a) / Number(b));
      const far = 3n ** 150n;
      expect(nearest({ numerator: a * far, denominator: b * far })).to.equal(Number(a) / Number(b));
    }
  });

  it("have whole roots, rounded down", () => {
    const roll = new Dice(3);
    for (let n = 0n; n < 300n; n++) expect(rootOf(n)).to.equal(BigInt(Math.floor(Math.sqrt(Number(n)))));
    for (let k = 0; k < 200; k++) {
      const root = between(roll, 1n, 2n ** BigInt(1 + roll.below(200)));
      for (const [n, right] of [
        [root * root - 1n, root - 1n],
        [root * root, root],
        [root * root + 2n * root, root],
      ] as const) {
        expect(rootOf(n)).to.equal(right);
      }
    }
    expect(() => rootOf(-1n)).to.throw(RangeError);
  });
});
