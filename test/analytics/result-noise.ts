import { createCipheriv } from "node:crypto";
import { expect } from "chai";
import { type Entropy, noisyPartial } from "../../toolkit/analytics/noise.js";
import { lineOf, meanOf } from "../../toolkit/analytics/partial-readers.js";
import { addToPartial, neutralPartial, packed } from "../../toolkit/analytics/partials.js";
import { Operation, type Query } from "../../toolkit/analytics/query.js";
import { laplaceVariance, lineSpread, meanSpread, wordDeviations } from "../../toolkit/analytics/result-noise.js";
import { codeOf, queryOf } from "./queries.js";

const TRIALS = 4_000;
/** The standard error of a standard deviation from so many trials is 1.1 %. */
const WITHIN = 0.06;

function entropy(): Entropy {
  const cipher = createCipheriv("aes-256-ctr", new Uint8Array(32).fill(7), new Uint8Array(16));
  return (bytes) => cipher.update(new Uint8Array(bytes));
}

/** Σ k² p(k) / Σ p(k), added up as far as the probabilities go. */
function variance(scale: number): number {
  let [squares, all] = [0, 1];
  for (let k = 1; k < 60 * scale + 60; k++) {
    const p = 2 * Math.exp(-k / scale);
    squares += k * k * p;
    all += p;
  }
  return squares / all;
}

function deviationOf(list: readonly number[]): number {
  const mean = list.reduce((a, b) => a + b, 0) / list.length;
  return Math.sqrt(list.reduce((sum, one) => sum + (one - mean) ** 2, 0) / list.length);
}

/** A device's exact partial of readings that rise over the window, with some scatter. */
function risingPartial(query: Query): Uint8Array {
  const partial = neutralPartial(query);
  const [whole, span] = [query.to - query.from, query.upper - query.lower];
  for (let k = 0n; k < query.cap; k++) {
    const value = query.lower + (k * span) / (2n * query.cap) + ((k * 37n) % 11n);
    addToPartial(query, partial, value, query.from + (k * whole) / query.cap);
  }
  return partial;
}

function noisy(query: Query, epsilon: bigint, exact: Uint8Array): Uint8Array[] {
  const random = entropy();
  return Array.from({ length: TRIALS }, () => noisyPartial(query, epsilon, exact, random));
}

const near = (actual: number, expected: number): boolean => Math.abs(actual / expected - 1) < WITHIN;

/** Slope and heights of many noisy lines beside what is told of the exact one. */
function expectLine(query: Query, epsilon: bigint): void {
  const exact = risingPartial(query);
  const whole = Number(query.to - query.from);
  const places = [0, whole / 3, whole];
  const told = lineSpread(query, exact, wordDeviations(query, epsilon, 1), places);
  const lines = noisy(query, epsilon, exact).map((partial) => lineOf(query, partial)?.numbers);
  const slopes = lines.map((line) => line?.slope ?? Number.NaN);
  expect(near(told?.slope.deviation ?? 0, deviationOf(slopes)), "slope").to.equal(true);
  for (const [k, place] of places.entries()) {
    const heights = lines.map((line) => (line ? line.intercept + line.slope * place : Number.NaN));
    expect(near(told?.heights[k] ?? 0, deviationOf(heights)), `height at ${place}`).to.equal(true);
  }
}

describe("how far noise moves a result", () => {
  it("the variance is that of the probabilities themselves, for scales small and large", () => {
    for (const [numerator, denominator] of [
      [1n, 9n],
      [1n, 2n],
      [1n, 1n],
      [7n, 2n],
      [400n, 1n],
    ] as const) {
      const expected = variance(Number(numerator) / Number(denominator));
      expect(Math.abs(laplaceVariance({ numerator, denominator }) / expected - 1) < 1e-9, `${numerator}`).to.equal(
        true,
      );
    }
    // 2 t² - 1/6, whose second term is lost here.
    expect(laplaceVariance({ numerator: 2n ** 90n, denominator: 1n })).to.equal(2 ** 181);
    expect(laplaceVariance({ numerator: 0n, denominator: 1n })).to.equal(0);
    expect(laplaceVariance({ numerator: 1n, denominator: 10n ** 6n })).to.equal(0);
  });

  it("each word has that of all attested devices together, and none where none was asked for", () => {
    const query = queryOf(Operation.Mean, { cap: 3n });
    // Epsilon 0.5, half of it for each word; 60 is the larger bound.
    const expected = [3 * 60, 3].map((most) => Math.sqrt(25 * variance((2 * most) / 0.5)));
    wordDeviations(query, 500_000n, 25).forEach((deviation, k) => {
      expect(Math.abs(deviation / (expected[k] ?? 0) - 1) < 1e-9).to.equal(true);
    });
    expect(wordDeviations(query, 500_000n, 0)).to.deep.equal([0, 0]);
    expect(wordDeviations(query, 0n, 25)).to.deep.equal([]);
  });

  it("a mean scatters as far as it says", () => {
    const query = queryOf(Operation.Mean);
    const exact = risingPartial(query);
    const told = meanSpread(query, exact, wordDeviations(query, 40_000_000n, 1));
    const means = noisy(query, 40_000_000n, exact).map((partial) => meanOf(query, partial).mean ?? Number.NaN);
    expect(near(told?.deviation ?? 0, deviationOf(means))).to.equal(true);
    expect(Math.abs((told?.relative ?? 0) - (Math.sqrt(2) * 5) / 100) < 0.001).to.equal(true);
  });

  it("a line scatters as far as it says, in its slope and in its height at any time", () => {
    expectLine(queryOf(Operation.Regression, { upper: 6_000n, lower: -400n }), 1_200_000_000n);
  });

  it("is as much for values and windows far from 0", () => {
    const years = { from: 1_325_376_000n, to: 1_451_606_400n, anchoredBy: 1_451_606_400n };
    expectLine(queryOf(Operation.Regression, { ...years, lower: 10_000n, upper: 12_000n }), 2_400_000_000n);
  });

  it("there is none of no mean, of no line, of extremes and of sketches", () => {
    const [mean, line] = [queryOf(Operation.Mean), queryOf(Operation.Regression)];
    expect(meanSpread(mean, packed([5n, -1n]), [1, 1])).to.equal(undefined);
    expect(lineSpread(line, packed([2n, 0n, 9n, 0n, 0n, 9n]), [], [0])).to.equal(undefined);
    expect(lineSpread(line, packed([-2n, 3n, 9n, -9n, 0n, 9n]), [], [0])).to.equal(undefined);
    for (const operation of [Operation.MinMax, Operation.Distinct, Operation.Membership]) {
      expect(codeOf(() => wordDeviations(queryOf(operation), 1n, 2))).to.equal("ITC_NOISE_UNSUITED");
    }
    expect(codeOf(() => meanSpread(mean, packed([1n]), [1, 1]))).to.equal("ITC_PARTIAL_LENGTH");
    expect(codeOf(() => lineSpread(line, packed([1n]), [], [0]))).to.equal("ITC_PARTIAL_LENGTH");
  });
});
