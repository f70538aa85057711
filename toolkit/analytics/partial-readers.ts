import { nearest, type Ratio } from "../internal/ratios.js";
import { estimateMembers, fillOf, hasMember } from "./bloom.js";
import { estimateDistinct } from "./hyperloglog.js";
import { binWidth, partialWords, requireLength } from "./partials.js";
import type { Query } from "./query.js";

// Each takes a query of its operation and an aggregate of it, that of one device or of all, and throws `PartialError` `ITC_PARTIAL_LENGTH`
// for one of another shape. Values are at the scale of the schema. With noise, counts may be below 0, and means what they aren't.

/** A bin of a histogram: the values from `from` to `to`, both in it. */
export interface Bin {
  readonly from: bigint;
  readonly to: bigint;
  readonly count: bigint;
}

/** What a Bloom filter says. */
export interface Members {
  /** Whether a value may have been seen; `false` is certain. */
  readonly has: (value: bigint) => boolean;
  /** In which share of cases a value that wasn't seen is taken for seen: (bits set / bits)^hashes. */
  readonly falsePositiveRate: number;
  /** About how many distinct values were seen; the maximum of uint256 if the filter is full. */
  readonly estimate: bigint;
}

/** A line through values y over seconds x since `from`, by least squares. */
export interface Line {
  readonly slope: Ratio;
  readonly intercept: Ratio;
  /** The share of the values' variance that the line explains; none if all values are the same. */
  readonly r2: Ratio | undefined;
  /** The same as numbers. */
  readonly numbers: { readonly slope: number; readonly intercept: number; readonly r2: number | undefined };
}

/** How many readings there are. */
export function countOf(query: Query, aggregate: Uint8Array): bigint {
  return wordsOf(query, aggregate)[0] ?? 0n;
}

/** What the readings add up to. */
export function sumOf(query: Query, aggregate: Uint8Array): bigint {
  return wordsOf(query, aggregate)[0] ?? 0n;
}

/** Sum, number and mean of the readings; no mean unless the number is above 0. */
export function meanOf(
  query: Query,
  aggregate: Uint8Array,
): { readonly sum: bigint; readonly count: bigint; readonly mean: number | undefined } {
  const [sum = 0n, count = 0n] = wordsOf(query, aggregate);
  return { sum, count, mean: count > 0n ? nearest({ numerator: sum, denominator: count }) : undefined };
}

/** The least and the greatest value; none of no readings. */
export function extremesOf(
  query: Query,
  aggregate: Uint8Array,
): { readonly min: bigint; readonly max: bigint } | undefined {
  const [min = 0n, max = 0n] = wordsOf(query, aggregate);
  return min <= max ? { min, max } : undefined;
}

/** The bins of a histogram, as far as they begin within the bounds. The first and the last also hold what lies beyond. */
export function histogramOf(query: Query, aggregate: Uint8Array): Bin[] {
  const width = binWidth(query);
  return wordsOf(query, aggregate)
    .map((count, k) => {
      const from = query.lower + BigInt(k) * width;
      const last = from + width - 1n;
      return { from, to: last < query.upper ? last : query.upper, count };
    })
    .filter(({ from }) => from <= query.upper);
}

/** About how many distinct values there are, and the standard error as a share of it: 1.04 / √registers. */
export function distinctOf(
  query: Query,
  aggregate: Uint8Array,
): { readonly estimate: bigint; readonly standardError: number } {
  requireLength(query, aggregate);
  return { estimate: estimateDistinct(aggregate), standardError: 1.04 / Math.sqrt(aggregate.length) };
}

/** Which values were seen. */
export function membersOf(query: Query, aggregate: Uint8Array): Members {
  requireLength(query, aggregate);
  const filter = aggregate.slice();
  return {
    has: (value) => hasMember(filter, query.hashes, value),
    falsePositiveRate: (fillOf(filter) / (filter.length * 8)) ** query.hashes,
    estimate: estimateMembers(filter, query.hashes),
  };
}

/** The line of a regression; none unless two readings differ in time. */
export function lineOf(query: Query, aggregate: Uint8Array): Line | undefined {
  const [n = 0n, x = 0n, y = 0n, xx = 0n, xy = 0n, yy = 0n] = wordsOf(query, aggregate);
  const spreadX = n * xx - x * x;
  const spreadY = n * yy - y * y;
  const common = n * xy - x * y;
  // Noise can leave numbers that no readings have.
  if (n <= 0n || spreadX <= 0n) return undefined;
  const slope = { numerator: common, denominator: spreadX };
  const intercept = { numerator: y * spreadX - common * x, denominator: n * spreadX };
  const r2 = spreadY > 0n ? { numerator: common * common, denominator: spreadX * spreadY } : undefined;
  const numbers = { slope: nearest(slope), intercept: nearest(intercept), r2: r2 && nearest(r2) };
  return { slope, intercept, r2, numbers };
}

function wordsOf(query: Query, aggregate: Uint8Array): bigint[] {
  requireLength(query, aggregate);
  return partialWords(aggregate);
}
