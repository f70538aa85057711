import { IotchainError } from "../errors.js";
import { concat, intBytes, toHex } from "../internal/bytes.js";
import { addMember, mergeMembers } from "./bloom.js";
import { addDistinct, hasRightRanks, mergeDistinct } from "./hyperloglog.js";
import { Operation, type Query } from "./query.js";

/** Failures of partials; `code` says which. */
export class PartialError extends IotchainError {}

const MAX_WORD = 2n ** 255n - 1n;
const MIN_WORD = -(2n ** 255n);
const MAX_SQUARES = 2n ** 96n;
const isWithin = (value: bigint, least: bigint, most: bigint) => least <= value && value <= most;

/** How many bytes a partial has; as `Partials.lengthOf` in Solidity, where the shapes are told. */
export function partialLength({ operation, size }: Query): number {
  switch (operation) {
    case Operation.Distinct:
      return 2 ** size;
    case Operation.Membership:
      return 2 ** size / 8;
    case Operation.Histogram:
      return 32 * size;
    case Operation.Regression:
      return 192;
    case Operation.Mean:
    case Operation.MinMax:
      return 64;
    default:
      return 32;
  }
}

/** The partial of no readings, which merges with any other to that one. */
export function neutralPartial(query: Query): Uint8Array {
  return query.operation === Operation.MinMax ? packed([MAX_WORD, MIN_WORD]) : new Uint8Array(partialLength(query));
}

/**
 * Lets a partial count one more reading, in place.
 *
 * @param value The reading's, an int256 at the scale of its schema.
 * @param time The reading's, Unix seconds, inside the query's window.
 * Errors: {@link PartialError} `ITC_PARTIAL_LENGTH` for a partial of another query, `ITC_PARTIAL_RANGE` for a value, or what it leads to,
 * that isn't an int256, or a time before the window.
 * @example
 * const partial = neutralPartial(query);
 * for (const { value, time } of readings) addToPartial(query, partial, value, time);
 */
export function addToPartial(query: Query, partial: Uint8Array, value: bigint, time: bigint): void {
  requireLength(query, partial);
  if (!isWithin(value, MIN_WORD, MAX_WORD)) throw outOfRange(`The value ${value} is no int256.`);
  if (query.operation === Operation.Distinct) addDistinct(partial, value);
  else if (query.operation === Operation.Membership) addMember(partial, query.hashes, value);
  else partial.set(packed(added(query, partialWords(partial), clamped(query, value), time)));
}

/**
 * One partial of two; as `Partials.merge` in Solidity.
 *
 * @returns Nothing if a length is wrong or a sum leaves int256.
 */
export function mergePartials(query: Query, a: Uint8Array, b: Uint8Array): Uint8Array | undefined {
  const length = partialLength(query);
  if (a.length !== length || b.length !== length) return undefined;
  if (query.operation === Operation.Distinct) return mergeDistinct(a, b);
  if (query.operation === Operation.Membership) return mergeMembers(a, b);
  const others = partialWords(b);
  const merged =
    query.operation === Operation.MinMax
      ? widened(partialWords(a), others[0] ?? MAX_WORD, others[1] ?? MIN_WORD)
      : partialWords(a).map((word, k) => word + (others[k] ?? 0n));
  return merged.every((word) => isWithin(word, MIN_WORD, MAX_WORD)) ? packed(merged) : undefined;
}

/**
 * Whether a device can have sent these bytes, with noise or without; as `Partials.isWellFormed` in Solidity: the length is right, words that
 * are added are within int128, extremes are in order and within the query's bounds, or neutral, and no register is above the highest rank.
 */
export function isWellFormedPartial(query: Query, partial: Uint8Array): boolean {
  if (partial.length !== partialLength(query)) return false;
  if (query.operation === Operation.Distinct) return hasRightRanks(partial);
  if (query.operation === Operation.Membership) return true;
  const words = partialWords(partial);
  if (query.operation !== Operation.MinMax)
    return words.every((word) => isWithin(word, -(2n ** 127n), 2n ** 127n - 1n));
  const [min = 0n, max = 0n] = words;
  if (min === MAX_WORD && max === MIN_WORD) return true;
  return query.lower <= min && min <= max && max <= query.upper;
}

/** Whether a query can be asked; as `Partials.isSound` in Solidity. */
export function isSoundQuery(query: Query): boolean {
  const { operation, size, hashes, lower, upper, from, to, anchoredBy, cap } = query;
  if (from >= to || anchoredBy < to - 1n || cap === 0n) return false;
  if (operation === Operation.Distinct) return size >= 10 && size <= 14 && hashes === 0 && lower === 0n && upper === 0n;
  if (operation === Operation.Membership)
    return size >= 8 && size <= 16 && hashes >= 1 && hashes <= 16 && lower === 0n && upper === 0n;
  if (hashes !== 0 || lower > upper) return false;
  if (operation === Operation.Histogram) return size >= 2 && size <= 64 && upper - lower >= BigInt(size - 1);
  return size === 0 && (operation !== Operation.Regression || hasSmallSquares(query));
}

/** The words of a partial that isn't a sketch, as signed numbers. */
export function partialWords(partial: Uint8Array): bigint[] {
  return Array.from({ length: partial.length / 32 }, (_, k) =>
    BigInt.asIntN(256, BigInt(toHex(partial.subarray(32 * k, 32 * k + 32)))),
  );
}

/** A partial of signed words. */
export function packed(words: readonly bigint[]): Uint8Array {
  return concat(...words.map((word) => intBytes(word, 32)));
}

/** How many values a bin of a histogram holds. */
export function binWidth({ lower, upper, size }: Query): bigint {
  return (upper - lower + BigInt(size)) / BigInt(size);
}

/** Errors: {@link PartialError} `ITC_PARTIAL_LENGTH`. */
export function requireLength(query: Query, partial: Uint8Array): void {
  const expected = partialLength(query);
  if (partial.length === expected) return;
  throw new PartialError(
    "ITC_PARTIAL_LENGTH",
    `The partial has ${partial.length} bytes, those of this query have ${expected}.`,
    "Take the query that the partial was made for.",
  );
}

function hasSmallSquares({ lower, upper, from, to, cap }: Query): boolean {
  const longest = to - from - 1n;
  return [longest, lower, upper].every((side) => side * side * cap <= MAX_SQUARES);
}

function clamped({ lower, upper }: Query, value: bigint): bigint {
  if (value < lower) return lower;
  return value > upper ? upper : value;
}

function widened([least = MAX_WORD, most = MIN_WORD]: readonly bigint[], min: bigint, max: bigint): bigint[] {
  return [min < least ? min : least, max > most ? max : most];
}

function added(query: Query, words: readonly bigint[], value: bigint, time: bigint): bigint[] {
  if (query.operation === Operation.MinMax) return widened(words, value, value);
  const steps = stepsOf(query, value, time);
  const raised = words.map((word, k) => word + (steps[k] ?? 0n));
  if (raised.every((word) => isWithin(word, MIN_WORD, MAX_WORD))) return raised;
  throw outOfRange("A sum leaves int256.");
}

/** By how much one reading raises each word. */
function stepsOf(query: Query, y: bigint, time: bigint): bigint[] {
  switch (query.operation) {
    case Operation.Histogram: {
      const bin = (y - query.lower) / binWidth(query);
      return Array.from({ length: query.size }, (_, k) => (BigInt(k) === bin ? 1n : 0n));
    }
    case Operation.Regression: {
      const x = time - query.from;
      if (x < 0n) throw outOfRange(`The time ${time} is before the window.`);
      return [1n, x, y, x * x, x * y, y * y];
    }
    case Operation.Mean:
      return [y, 1n];
    default:
      return [query.operation === Operation.Count ? 1n : y];
  }
}

function outOfRange(what: string): PartialError {
  return new PartialError("ITC_PARTIAL_RANGE", what, "Give readings of the query's schema and window.");
}
