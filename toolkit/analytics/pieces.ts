import { intBytes, sameBytes, toHex } from "../internal/bytes.js";
import type { Accepted } from "./batch-check.js";
import { PartialSum } from "./partial-sum.js";
import type { Query } from "./query.js";
import { encodeRanges } from "./result-tree.js";

// A piece is what one entry holds of one device: a byte that says how wide values are (8 or 32), then a record a reading: sequence number
// and time in 8 bytes each, the digest in 32, the value. Digests stay, since they alone tell a reading that is there twice from two that
// contradict each other.

const NARROW = 8;
const WIDE = 32;
const HEAD = 48;
const isNarrow = (value: bigint) => BigInt.asIntN(64, value) === value;

/** Two readings of a device under one sequence number, both in its own word. */
export interface Equivocation {
  readonly device: string;
  readonly sequence: bigint;
  /** What the device said: the digests of two readings, ascending. */
  readonly digests: readonly [Uint8Array, Uint8Array];
}

/** What a device's readings come to. */
export interface DevicePartial {
  readonly device: string;
  /** How many readings count: those of the lowest sequence numbers, `cap` at most. */
  readonly count: bigint;
  readonly partial: Uint8Array;
  /** Their sequence numbers as evidence has them, see `encodeRanges`. */
  readonly ranges: Uint8Array;
  /** That of the lowest sequence number, if there is one: the device counts for nothing then. */
  readonly equivocation?: Equivocation;
}

interface Entry {
  readonly sequence: bigint;
  readonly time: bigint;
  readonly digest: Uint8Array;
  readonly value: bigint;
}

/** A piece of these readings. */
export function encodePiece(readings: readonly Accepted[]): Uint8Array {
  return written(readings.map(({ reading: { sequence, time }, digest, value }) => ({ sequence, time, digest, value })));
}

/** How many readings pieces of one width have, by their bytes in all. The width is a piece's first byte. */
export function readingsIn(bytes: number, width: number, pieces = 1): number {
  return (bytes - pieces) / (HEAD + width);
}

/** A piece of all readings that two pieces have. */
export function mergePieces(a: Uint8Array, b: Uint8Array): Uint8Array {
  const seen = new Set<string>();
  const entries = [...entriesOf(a), ...entriesOf(b)].filter(({ digest }) => {
    const key = toHex(digest);
    return !seen.has(key) && seen.add(key);
  });
  return written(entries);
}

/**
 * What a device's pieces come to. It doesn't matter in which order they came, nor how often a reading is among them.
 *
 * @param pieces At least one reading in all.
 * @param most How many readings count.
 */
export function foldPieces(
  query: Query,
  device: string,
  pieces: readonly Uint8Array[],
  most = query.cap,
): DevicePartial {
  const entries = pieces.flatMap(entriesOf);
  if (!entries.every(({ sequence }, k) => k === 0 || sequence > (entries[k - 1]?.sequence ?? sequence))) {
    entries.sort((a, b) => (a.sequence < b.sequence ? -1 : a.sequence > b.sequence ? 1 : compare(a.digest, b.digest)));
  }
  const sum = new PartialSum(query);
  const ranges: [bigint, bigint][] = [];
  let [count, before]: [bigint, Entry | undefined] = [0n, undefined];
  let equivocation: Equivocation | undefined;
  for (const entry of entries) {
    const { sequence, time, value, digest } = entry;
    if (before && before.sequence === sequence) {
      if (sameBytes(before.digest, digest)) continue;
      equivocation ??= { device, sequence, digests: [before.digest, digest] };
    } else if (count < most) {
      count++;
      sum.add(value, time);
      const last = ranges.at(-1);
      if (last && last[1] + 1n === sequence) last[1] = sequence;
      else ranges.push([sequence, sequence]);
    }
    before = entry;
  }
  const folded = { device, count, partial: sum.bytes(), ranges: encodeRanges(ranges) };
  return equivocation ? { ...folded, equivocation } : folded;
}

function written(entries: readonly Entry[]): Uint8Array {
  const width = entries.every(({ value }) => isNarrow(value)) ? NARROW : WIDE;
  const piece = new Uint8Array(1 + entries.length * (HEAD + width));
  const view = new DataView(piece.buffer);
  piece[0] = width;
  let at = 1;
  for (const { sequence, time, digest, value } of entries) {
    view.setBigUint64(at, sequence);
    view.setBigUint64(at + 8, time);
    piece.set(digest, at + 16);
    if (width === NARROW) view.setBigInt64(at + HEAD, value);
    else piece.set(intBytes(value, WIDE), at + HEAD);
    at += HEAD + width;
  }
  return piece;
}

function entriesOf(piece: Uint8Array): Entry[] {
  const width = piece[0] ?? 0;
  const view = new DataView(piece.buffer, piece.byteOffset, piece.byteLength);
  const entries: Entry[] = [];
  for (let at = 1; at < piece.length; at += HEAD + width) {
    entries.push({
      sequence: view.getBigUint64(at),
      time: view.getBigUint64(at + 8),
      digest: piece.subarray(at + 16, at + HEAD),
      value: width === NARROW ? view.getBigInt64(at + HEAD) : wide(piece.subarray(at + HEAD, at + HEAD + WIDE)),
    });
  }
  return entries;
}

function wide(bytes: Uint8Array): bigint {
  return BigInt.asIntN(256, BigInt(toHex(bytes)));
}

function compare(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}
