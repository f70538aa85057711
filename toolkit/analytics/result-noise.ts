import { nearest, type Ratio } from "../internal/ratios.js";
import { noiseScales } from "./noise.js";
import { partialWords, requireLength } from "./partials.js";
import type { Query } from "./query.js";

/**
 * The variance of discrete Laplace noise of a scale t, in squared units of a word: 2 e^(1/t) / (e^(1/t) - 1)², see Canonne, Kamath, Steinke 2020
 * (https://arxiv.org/abs/2004.00010). Written as 1 / (2 sinh²(1 / 2t)), which loses no digits where t is large. Scale 0 has none.
 */
export function laplaceVariance(scale: Ratio): number {
  if (scale.numerator === 0n) return 0;
  return 1 / (2 * Math.sinh(1 / (2 * nearest(scale))) ** 2);
}

/**
 * The standard deviation of the noise in each word of a result, in units of that word: that of `attested` devices, each with noise of its own.
 *
 * @param epsilonMicro The request's, in millionths; 0 asked for exact partials.
 * @param attested Devices whose partials are attested; proved ones are exact.
 * Errors: `PartialError` `ITC_NOISE_UNSUITED` for extremes and sketches with an epsilon.
 * @example
 * const [deviation] = wordDeviations(query, 500_000n, 1_599); // of a count
 */
export function wordDeviations(query: Query, epsilonMicro: bigint, attested: number): number[] {
  if (epsilonMicro === 0n) return [];
  return noiseScales(query, epsilonMicro).map((scale) => Math.sqrt(attested * laplaceVariance(scale)));
}

/** How far noise can have moved a figure, to first order; `relative` is that of what the figure was divided by. */
export interface Spread {
  readonly deviation: number;
  /** From about 0.3 on, the first order says little. */
  readonly relative: number;
}

/**
 * The standard deviation of a mean whose sum and number are both noisy, at the scale of values: √(σ²(sum) + mean² σ²(number)) / number.
 * Nothing where there is no mean.
 */
export function meanSpread(query: Query, aggregate: Uint8Array, deviations: readonly number[]): Spread | undefined {
  const [sum = 0, count = 0] = numbersOf(query, aggregate);
  if (count <= 0) return undefined;
  const [ofSum = 0, ofCount = 0] = deviations;
  return { deviation: Math.hypot(ofSum, (sum / count) * ofCount) / count, relative: ofCount / count };
}

/** How far noise can have moved a line: its slope, and its height at each time that was asked for. */
export interface LineSpread {
  readonly slope: Spread;
  readonly heights: readonly number[];
}

/**
 * The standard deviations of a regression's slope (values a second) and of its heights `at` so many seconds after the window's start, at the scale of
 * values. Each word's noise is independent, so their shares add up as squares. Nothing where there is no line.
 */
export function lineSpread(
  query: Query,
  aggregate: Uint8Array,
  deviations: readonly number[],
  at: readonly number[],
): LineSpread | undefined {
  requireLength(query, aggregate);
  const [bigN = 0n, bigX = 0n, bigY = 0n, bigXx = 0n, bigXy = 0n] = partialWords(aggregate);
  const exact = bigN * bigXx - bigX * bigX;
  if (bigN <= 0n || exact <= 0n) return undefined;
  const [n, x, xx, d] = [bigN, bigX, bigXx, exact].map(Number) as [number, number, number, number];
  const slope = nearest({ numerator: bigN * bigXy - bigX * bigY, denominator: exact });
  const start = nearest({ numerator: bigY * bigXx - bigX * bigXy, denominator: exact });
  // What the slope gains by each of n, x, y, xx, xy; by the normal equations, so that nothing large cancels out.
  const bySlope = [(start * x) / d, (slope * x - start * n) / d, -x / d, (-slope * n) / d, n / d];
  const own = [-start / n, -slope / n, 1 / n, 0, 0];
  const byStart = own.map((share, k) => share - (x / n) * (bySlope[k] ?? 0));
  const total = (shares: readonly number[]) => Math.hypot(...shares.map((share, k) => share * (deviations[k] ?? 0)));
  const relative = total([xx / d, (-2 * x) / d, 0, n / d, 0]);
  return {
    slope: { deviation: total(bySlope), relative },
    heights: at.map((seconds) => total(byStart.map((share, k) => share + seconds * (bySlope[k] ?? 0)))),
  };
}

function numbersOf(query: Query, aggregate: Uint8Array): number[] {
  requireLength(query, aggregate);
  return partialWords(aggregate).map(Number);
}
