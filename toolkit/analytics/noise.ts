import { randomBytes } from "node:crypto";
import { bitsOf, type Ratio, rootOf } from "../internal/ratios.js";
import { isSoundQuery, isWellFormedPartial, PartialError, packed, partialWords } from "./partials.js";
import { Operation, type Query } from "./query.js";

/** Where random bytes come from: so many of them, uniform and independent. */
export type Entropy = (bytes: number) => Uint8Array;

const MILLION = 1_000_000n;

/** A whole number from 0 to `bound` - 1, each as likely. Errors: RangeError for a bound below 1. */
export function uniformBelow(bound: bigint, random: Entropy = randomBytes): bigint {
  if (bound < 1n) throw new RangeError("There is no whole number below the bound.");
  const bits = bitsOf(bound - 1n);
  if (bits === 0) return 0n;
  const length = (bits + 7) >> 3;
  for (;;) {
    let drawn = 0n;
    for (const byte of random(length)) drawn = (drawn << 8n) | BigInt(byte);
    drawn >>= BigInt(8 * length - bits);
    if (drawn < bound) return drawn;
  }
}

/**
 * True with probability e^-rate, exactly: Canonne, Kamath, Steinke 2020 (https://arxiv.org/abs/2004.00010), algorithm 1.
 *
 * Errors: RangeError for a rate below 0.
 */
export function bernoulliExp({ numerator, denominator }: Ratio, random: Entropy = randomBytes): boolean {
  requireRatio(numerator, denominator);
  for (let whole = numerator / denominator; whole > 0n; whole--) if (!smallBernoulliExp(1n, 1n, random)) return false;
  return smallBernoulliExp(numerator % denominator, denominator, random);
}

/**
 * A whole number k with probability proportional to e^(-|k| / scale), exactly: the paper's algorithm 2. Scale 0 gives 0.
 *
 * Errors: RangeError for a scale below 0.
 * @example discreteLaplace({ numerator: 3n, denominator: 2n })
 */
export function discreteLaplace({ numerator, denominator }: Ratio, random: Entropy = randomBytes): bigint {
  requireRatio(numerator, denominator);
  if (numerator === 0n) return 0n;
  for (;;) {
    const low = uniformBelow(numerator, random);
    if (!smallBernoulliExp(low, numerator, random)) continue;
    let high = 0n;
    while (smallBernoulliExp(1n, 1n, random)) high++;
    const size = (low + numerator * high) / denominator;
    // Zero has no sign: without this it would come twice as often.
    const negative = uniformBelow(2n, random) === 1n;
    if (negative && size === 0n) continue;
    return negative ? -size : size;
  }
}

/**
 * A whole number k with probability proportional to e^(-k² / (2 variance)), exactly: the paper's algorithm 3. Variance 0 gives 0.
 *
 * Errors: RangeError for a variance below 0.
 * @example discreteGaussian({ numerator: 9n, denominator: 4n })
 */
export function discreteGaussian({ numerator, denominator }: Ratio, random: Entropy = randomBytes): bigint {
  requireRatio(numerator, denominator);
  if (numerator === 0n) return 0n;
  const scale = rootOf(numerator / denominator) + 1n;
  for (;;) {
    const drawn = discreteLaplace({ numerator: scale, denominator: 1n }, random);
    const off = sizeOf(drawn) * denominator * scale - numerator;
    const rate = { numerator: off * off, denominator: 2n * numerator * denominator * scale * scale };
    if (bernoulliExp(rate, random)) return drawn;
  }
}

/**
 * By how much each word of a device's partial differs at most from one of no readings: its sensitivity for a device that comes or goes.
 * With M = max(|lower|, |upper|) and W = to - from - 1:
 *
 * - Count: cap. Sum: cap M. Mean: cap M, cap.
 * - Histogram: cap for each bin, and cap for all of them together, since a reading is in one bin.
 * - Regression: cap, cap W, cap M, cap W², cap W M, cap M².
 *
 * Errors: {@link PartialError} `ITC_NOISE_UNSUITED` for operations whose partials don't add up: noise would make nonsense of them.
 */
export function sensitivitiesOf({ operation, size, lower, upper, from, to, cap }: Query): bigint[] {
  const most = sizeOf(-lower > upper ? lower : upper);
  const longest = to - from - 1n;
  switch (operation) {
    case Operation.Count:
      return [cap];
    case Operation.Sum:
      return [cap * most];
    case Operation.Mean:
      return [cap * most, cap];
    case Operation.Histogram:
      return new Array<bigint>(size).fill(cap);
    case Operation.Regression:
      return [1n, longest, most, longest * longest, longest * most, most * most].map((side) => cap * side);
    default:
      throw new PartialError(
        "ITC_NOISE_UNSUITED",
        "Extremes and sketches can't be given noise.",
        "Ask for them with an epsilon of 0, or for a histogram.",
      );
  }
}

/**
 * The scale of the discrete Laplace noise of each word. A mean's two words have half of epsilon each, a regression's six a sixth; a histogram's
 * bins each have all of it, for their sensitivity is that of all together.
 *
 * @param epsilonMicro The device's privacy loss in millionths, above 0.
 * Errors: {@link PartialError} `ITC_NOISE_UNSUITED`; RangeError for an epsilon of 0 or less.
 */
export function noiseScales(query: Query, epsilonMicro: bigint): Ratio[] {
  if (epsilonMicro <= 0n) throw new RangeError("Noise takes an epsilon above 0.");
  const sensitivities = sensitivitiesOf(query);
  const parts = query.operation === Operation.Histogram ? 1n : BigInt(sensitivities.length);
  return sensitivities.map((most) => ({ numerator: most * parts * MILLION, denominator: epsilonMicro }));
}

/**
 * A device's partial with noise of its own, so that what leaves it is private: whether it took part, with these readings or with none, changes
 * the probability of any answer by a factor of at most e^epsilon; one set of its readings or another by at most e^(2 epsilon).
 *
 * @param epsilonMicro The privacy loss in millionths; 0 leaves the partial exact.
 * @param aggregate The exact partial of the device, of at most `cap` readings.
 * @param random Replaced in tests alone.
 * Errors: {@link PartialError} `ITC_NOISE_UNSUITED` for extremes and sketches; `ITC_NOISE_UNSOUND` for a query that can't be asked, or a partial
 * that isn't of it or of more readings than its cap, which the noise wouldn't cover.
 * @example
 * const sent = noisyPartial(query, 500_000n, partial); // epsilon 0.5
 */
export function noisyPartial(
  query: Query,
  epsilonMicro: bigint,
  aggregate: Uint8Array,
  random: Entropy = randomBytes,
): Uint8Array {
  if (epsilonMicro === 0n) return aggregate.slice();
  const scales = noiseScales(query, epsilonMicro);
  if (!isSoundQuery(query) || !isWellFormedPartial(query, aggregate) || !isCapped(query, aggregate))
    throw new PartialError(
      "ITC_NOISE_UNSOUND",
      "The query can't be asked, or the partial isn't one of so many readings as it lets count.",
      "Make the partial anew, of the first readings in the window.",
    );
  return packed(partialWords(aggregate).map((word, k) => word + discreteLaplace(scales[k] ?? NONE, random)));
}

const NONE: Ratio = { numerator: 0n, denominator: 1n };

/** Whether no word is above its sensitivity, nor the bins of a histogram together. */
function isCapped(query: Query, aggregate: Uint8Array): boolean {
  const words = partialWords(aggregate);
  const sizes = words.map(sizeOf);
  const most = sensitivitiesOf(query);
  const whole = query.operation === Operation.Histogram ? sizes.reduce((a, b) => a + b, 0n) : 0n;
  return sizes.every((size, k) => size <= (most[k] ?? 0n)) && whole <= query.cap;
}

/** The same for a rate of 0 to 1: how long a run of draws with falling probability is says yes or no. */
function smallBernoulliExp(numerator: bigint, denominator: bigint, random: Entropy): boolean {
  let length = 1n;
  while (uniformBelow(denominator * length, random) < numerator) length++;
  return length % 2n === 1n;
}

function sizeOf(n: bigint): bigint {
  return n < 0n ? -n : n;
}

function requireRatio(numerator: bigint, denominator: bigint): void {
  if (numerator < 0n || denominator <= 0n) throw new RangeError("Not a fraction of 0 or more.");
}
