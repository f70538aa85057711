import type { DeviceId } from "../identity/keys.js";
import { concat, fromHex, keccak256, sameBytes, toHex, uintBytes } from "../internal/bytes.js";

/** Where a device's partial comes from; see `Origin` in Solidity. */
export const Origin = { Withheld: 0, Proved: 1, Attested: 2 } as const;
export type Origin = (typeof Origin)[keyof typeof Origin];

/** What one device contributes, and to whose credit. */
export interface ResultLeaf {
  /** Who had the device when the request was made. */
  readonly owner: string;
  readonly device: DeviceId;
  readonly origin: Origin;
  /** Readings. */
  readonly count: bigint;
  /** Its part of the reward, by the request's rule. */
  readonly weight: bigint;
  /** Millionths of epsilon that the device had spent before; 0 for exact partials. */
  readonly spent: bigint;
  /** What bears the leaf out; see {@link evidenceHash}. */
  readonly evidence: Evidence;
  /** The partial's bytes. */
  readonly partial: Uint8Array;
}

/** Two byte strings. Proved: ranges of sequence numbers, and nothing. Attested: signer and signature. Withheld: nothing. */
export type Evidence = readonly [Uint8Array, Uint8Array];

/** What a node says of all leaves below it; the contract's `Summary`. */
export interface Summary {
  readonly firstOwner: string;
  readonly firstDevice: string;
  readonly lastOwner: string;
  readonly lastDevice: string;
  readonly leaves: bigint;
  readonly members: bigint;
  readonly count: bigint;
  readonly weight: bigint;
  /** 32 bytes as hex. */
  readonly aggregate: string;
}

/** A node as the contracts take it, with the bytes of its aggregate. */
export interface ResultNode {
  readonly summary: Summary;
  /** 32 bytes as hex. */
  readonly below: string;
}

/** A leaf as the contracts take it. */
export interface LeafWords {
  readonly owner: string;
  readonly device: string;
  readonly origin: Origin;
  readonly count: bigint;
  readonly weight: bigint;
  readonly spent: bigint;
  readonly evidence: string;
  readonly aggregate: string;
}

/** Where a node is: bit k of `path` is 1 where the k-th sibling, from below, is on the left; two words a level, see `Place` in Solidity. */
export interface Place {
  readonly path: bigint;
  readonly steps: string[];
}

/** A place where no leaf stands, see `Gap` in Solidity. */
export interface Gap extends Place {
  readonly left: ResultNode;
  readonly right: ResultNode;
}

/** Where two leaves are; what their ways share is said once, see `Fork` in Solidity. */
export interface Fork extends Place {
  readonly leftPath: bigint;
  readonly rightPath: bigint;
  readonly turn: number;
  readonly meet: number;
}

/**
 * Joins the ways of two nodes of a tree, the left one first.
 * Errors: RangeError where the second isn't on the right of the first.
 */
export function forkOf(left: Place, right: Place): Fork {
  const [a, b] = [left.steps.length / 2, right.steps.length / 2];
  const bit = (path: bigint, level: number): bigint => (path >> BigInt(level)) & 1n;
  let shared = 0;
  const isShared = () => shared < Math.min(a, b) && bit(left.path, a - 1 - shared) === bit(right.path, b - 1 - shared);
  while (isShared()) shared++;
  const [leftLevels, rightLevels] = [a - 1 - shared, b - 1 - shared];
  if (leftLevels < 0 || rightLevels < 0 || bit(left.path, leftLevels) === 1n) {
    throw new RangeError("The second node isn't on the right of the first.");
  }
  const [said = "", , ...above] = left.steps.slice(2 * leftLevels);
  return {
    leftPath: BigInt.asUintN(leftLevels, left.path),
    rightPath: BigInt.asUintN(rightLevels, right.path),
    path: left.path >> BigInt(leftLevels + 1),
    turn: 2 * leftLevels,
    meet: 2 * (leftLevels + rightLevels),
    steps: [...left.steps.slice(0, 2 * leftLevels), ...right.steps.slice(0, 2 * rightLevels), said, ...above],
  };
}

/** What the hash of a node begins with. */
export const NODE = Uint8Array.of(0x02);
const NO_EVIDENCE = new Uint8Array(32);

/** The hash that a leaf names as its evidence: keccak256(abi.encode(first, second)); zeros for a withheld one. */
export function evidenceHash(origin: Origin, [first, second]: Evidence): Uint8Array {
  if (origin === Origin.Withheld) return NO_EVIDENCE;
  const at = 96 + 32 * Math.ceil(first.length / 32);
  const encoded = new Uint8Array(at + 32 + 32 * Math.ceil(second.length / 32));
  const view = new DataView(encoded.buffer);
  view.setUint32(28, 64);
  view.setUint32(60, at);
  view.setUint32(92, first.length);
  encoded.set(first, 96);
  view.setUint32(at + 28, second.length);
  encoded.set(second, at + 32);
  return keccak256(encoded);
}

/** Ranges of sequence numbers as evidence has them: first and last of each in 8 bytes, ascending. */
export function encodeRanges(ranges: readonly (readonly [bigint, bigint])[]): Uint8Array {
  return concat(...ranges.flatMap(([first, last]) => [uintBytes(first, 8), uintBytes(last, 8)]));
}

/** The sequence numbers of ranges, taken together where they are consecutive. */
export function rangesOf(sequences: readonly bigint[]): [bigint, bigint][] {
  const ranges: [bigint, bigint][] = [];
  for (const sequence of sequences) {
    const last = ranges.at(-1);
    if (last && last[1] + 1n === sequence) last[1] = sequence;
    else ranges.push([sequence, sequence]);
  }
  return ranges;
}

/** A leaf as the contracts take it. */
export function leafWords(leaf: ResultLeaf): LeafWords {
  const { owner, device, origin, count, weight, spent, evidence, partial } = leaf;
  const hashes = { evidence: toHex(evidenceHash(origin, evidence)), aggregate: toHex(keccak256(partial)) };
  return { owner, device, origin, count, weight, spent, ...hashes };
}

/** What lies below a leaf's node: its hash, by which questions about it are known. */
export function leafBelow(leaf: ResultLeaf): Uint8Array {
  const { owner, device, origin, count, weight, spent, evidence, partial } = leaf;
  return leafHashOf(
    keyOf(owner, device),
    origin,
    count,
    weight,
    spent,
    evidenceHash(origin, evidence),
    keccak256(partial),
  );
}

/** The node of a leaf. */
export function leafNode(leaf: ResultLeaf): ResultNode {
  const { owner, device, origin, count, weight, partial } = leaf;
  const ends = { firstOwner: owner, firstDevice: device, lastOwner: owner, lastDevice: device };
  const members = origin === Origin.Withheld ? 0n : 1n;
  const aggregate = toHex(keccak256(partial));
  return { summary: { ...ends, leaves: 1n, members, count, weight, aggregate }, below: toHex(leafBelow(leaf)) };
}

/** The order of leaves: by owner, then by device. */
export function compareLeaves(
  a: { readonly owner: string; readonly device: string },
  b: { readonly owner: string; readonly device: string },
): number {
  const [x, y] = [(a.owner + a.device).toLowerCase(), (b.owner + b.device).toLowerCase()];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** The hash of what a node says. */
export function summaryHash(summary: Summary): Uint8Array {
  const { firstOwner, firstDevice, lastOwner, lastDevice, leaves, members, count, weight, aggregate } = summary;
  const [first, last] = [keyOf(firstOwner, firstDevice), keyOf(lastOwner, lastDevice)];
  return summaryHashOf(first, last, leaves, members, count, weight, fromHex(aggregate));
}

/** The digest of a node: what its parent, or a proposal, commits to. */
export function nodeDigest(node: ResultNode): Uint8Array {
  return keccak256(NODE, summaryHash(node.summary), fromHex(node.below));
}

/** Whether a tree's root is the one that a proposal has. */
export function isRootOf(root: ResultNode, digest: string): boolean {
  return sameBytes(nodeDigest(root), fromHex(digest));
}

/** Owner and device, 20 bytes each. */
export function keyOf(owner: string, device: string): Uint8Array {
  const key = Buffer.alloc(40);
  key.write(owner.slice(2), 0, 20, "hex");
  key.write(device.slice(2), 20, 20, "hex");
  return key;
}

// Structs of words are encoded into one buffer each, which is hashed at once: the tree of a large fleet has a million of them.
const LEAF_WORDS = new Uint8Array(1 + 8 * 32);
const LEAF_VIEW = new DataView(LEAF_WORDS.buffer);
const SUMMARY_WORDS = new Uint8Array(9 * 32);
const SUMMARY_VIEW = new DataView(SUMMARY_WORDS.buffer);

/** The hash of a leaf, given its owner and device as {@link keyOf} has them. */
export function leafHashOf(
  key: Uint8Array,
  origin: Origin,
  count: bigint,
  weight: bigint,
  spent: bigint,
  evidence: Uint8Array,
  aggregate: Uint8Array,
): Uint8Array {
  LEAF_WORDS.set(key.subarray(0, 20), 13);
  LEAF_WORDS.set(key.subarray(20), 45);
  LEAF_VIEW.setUint8(96, origin);
  setUint128(LEAF_VIEW, 113, count);
  setUint128(LEAF_VIEW, 145, weight);
  setUint128(LEAF_VIEW, 177, spent);
  LEAF_WORDS.set(evidence, 193);
  LEAF_WORDS.set(aggregate, 225);
  return keccak256(LEAF_WORDS);
}

/** The hash of a summary, given its ends as {@link keyOf} has them. */
export function summaryHashOf(
  first: Uint8Array,
  last: Uint8Array,
  leaves: bigint,
  members: bigint,
  count: bigint,
  weight: bigint,
  aggregate: Uint8Array,
): Uint8Array {
  SUMMARY_WORDS.set(first.subarray(0, 20), 12);
  SUMMARY_WORDS.set(first.subarray(20), 44);
  SUMMARY_WORDS.set(last.subarray(0, 20), 76);
  SUMMARY_WORDS.set(last.subarray(20), 108);
  for (const [k, value] of [leaves, members, count, weight].entries()) setUint128(SUMMARY_VIEW, 144 + 32 * k, value);
  SUMMARY_WORDS.set(aggregate, 256);
  return keccak256(SUMMARY_WORDS);
}

/** The lower half of a word; numbers here have no more. */
function setUint128(view: DataView, at: number, value: bigint): void {
  view.setBigUint64(at, value >> 64n);
  view.setBigUint64(at + 8, value);
}
