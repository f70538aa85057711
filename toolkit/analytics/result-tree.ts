import type { DeviceId } from "../identity/keys.js";
import { concat, fromHex, keccak256, sameBytes, toHex, uintBytes, word } from "../internal/bytes.js";
import { leafHash, nodeHash } from "../internal/merkle.js";
import { mergePartials } from "./partials.js";
import type { Query } from "./query.js";

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
export interface Gap {
  readonly place: Place;
  readonly node: ResultNode;
  readonly left: ResultNode;
  readonly right: ResultNode;
}

interface Built extends ResultNode {
  readonly partial: Uint8Array;
  readonly said: Uint8Array;
  readonly digest: Uint8Array;
}

const NODE = Uint8Array.of(0x02);
const NO_EVIDENCE = new Uint8Array(32);

/** The hash that a leaf names as its evidence: keccak256(abi.encode(first, second)); zeros for a withheld one. */
export function evidenceHash(origin: Origin, [first, second]: Evidence): Uint8Array {
  if (origin === Origin.Withheld) return NO_EVIDENCE;
  const padded = (bytes: Uint8Array) =>
    concat(uintBytes(bytes.length, 32), bytes, new Uint8Array((32 - (bytes.length % 32)) % 32));
  const head = padded(first);
  return keccak256(uintBytes(64, 32), uintBytes(64 + head.length, 32), head, padded(second));
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
  const { owner, device, origin, count, weight, spent, evidence, aggregate } = leafWords(leaf);
  const numbers = [BigInt(origin), count, weight, spent].map((value) => uintBytes(value, 32));
  return leafHash(word(fromHex(owner)), word(fromHex(device)), ...numbers, fromHex(evidence), fromHex(aggregate));
}

/** The node of a leaf. */
export function leafNode(leaf: ResultLeaf): ResultNode {
  return nodeOf(builtLeaf(leaf));
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
  const accounts = [firstOwner, firstDevice, lastOwner, lastDevice].map((account) => word(fromHex(account)));
  const numbers = [leaves, members, count, weight].map((value) => uintBytes(value, 32));
  return keccak256(...accounts, ...numbers, fromHex(aggregate));
}

/** The digest of a node: what its parent, or a proposal, commits to. */
export function nodeDigest(node: ResultNode): Uint8Array {
  return keccak256(NODE, summaryHash(node.summary), fromHex(node.below));
}

/**
 * The tree of a result, of the shape of RFC 9162: a lone right-most node moves up. Holds all nodes in memory; what a node costs is the width of
 * its aggregate and about 600 bytes.
 */
export class ResultTree {
  private readonly levels: Built[][];

  /**
   * @param query Says how partials merge.
   * @param leaves At least one, ascending by {@link compareLeaves}.
   * @param strict False takes leaves in any order, as a false proposal may have them; no gap can be told then.
   * Errors: RangeError for leaves that don't ascend, or don't merge.
   */
  constructor(
    readonly query: Query,
    readonly leaves: readonly ResultLeaf[],
    strict = true,
  ) {
    if (leaves.length === 0) throw new RangeError("A result needs a leaf.");
    for (let k = 1; strict && k < leaves.length; k++) {
      const [before, leaf] = [leaves[k - 1], leaves[k]];
      if (before && leaf && compareLeaves(before, leaf) >= 0)
        throw new RangeError(`Leaf ${k} isn't behind the one before.`);
    }
    this.levels = [leaves.map(builtLeaf)];
    for (let level = this.levels[0] ?? []; level.length > 1; ) {
      level = this.levelAbove(level);
      this.levels.push(level);
    }
  }

  get height(): number {
    return this.levels.length - 1;
  }

  get root(): ResultNode {
    return nodeOf(this.at(this.height, 0));
  }

  /** What the root's aggregate is the hash of. */
  get aggregate(): Uint8Array {
    return this.at(this.height, 0).partial;
  }

  /** A node with the bytes of its aggregate; leaves' nodes are at height 0. */
  node(index: number, height = 0): { readonly node: ResultNode; readonly partial: Uint8Array } {
    const built = this.at(height, index);
    return { node: nodeOf(built), partial: built.partial };
  }

  /** Where a node is. */
  place(index: number, height = 0): Place {
    const steps: string[] = [];
    let path = 0n;
    this.climb(index, height, ({ sibling, parent, isRight }) => {
      if (isRight) path |= 1n << BigInt(steps.length / 2);
      steps.push(toHex(parent.said), toHex(sibling.digest));
    });
    return { path, steps };
  }

  /** The siblings on the way up, as `IQuestionDesk.show` takes them. */
  siblings(index: number): { path: bigint; siblings: ResultNode[]; aggregates: string[] } {
    const [siblings, aggregates]: [ResultNode[], string[]] = [[], []];
    let path = 0n;
    this.climb(index, 0, ({ sibling, isRight }) => {
      if (isRight) path |= 1n << BigInt(siblings.length);
      siblings.push(nodeOf(sibling));
      aggregates.push(toHex(sibling.partial));
    });
    return { path, siblings, aggregates };
  }

  /** Where the leaf of an owner and device stands; undefined if there is none. */
  indexOf(owner: string, device: string): number | undefined {
    const index = this.lowerBound(owner, device);
    const found = this.leaves[index];
    return found && compareLeaves(found, { owner, device }) === 0 ? index : undefined;
  }

  /** Shows that there is no leaf of this owner and device. Errors: RangeError if there is one. */
  gap(owner: string, device: string): Gap {
    if (this.indexOf(owner, device) !== undefined) throw new RangeError("There is such a leaf.");
    const index = this.lowerBound(owner, device);
    const root = this.root;
    if (index === 0 || index === this.leaves.length) {
      return { place: { path: 0n, steps: [] }, node: root, left: root, right: root };
    }
    let [left, right, height] = [index - 1, index, 0];
    while (left >>> 1 !== right >>> 1) [left, right, height] = [left >>> 1, right >>> 1, height + 1];
    const [node, a, b] = [this.at(height + 1, left >>> 1), this.at(height, left), this.at(height, right)];
    return {
      place: this.place(left >>> 1, height + 1),
      node: nodeOf(node),
      left: nodeOf(a),
      right: nodeOf(b),
    };
  }

  private lowerBound(owner: string, device: string): number {
    let [low, high] = [0, this.leaves.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const leaf = this.leaves[middle];
      if (leaf && compareLeaves(leaf, { owner, device }) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private climb(
    index: number,
    height: number,
    visit: (step: { sibling: Built; parent: Built; isRight: boolean }) => void,
  ): void {
    this.at(height, index);
    for (let level = height, at = index; level < this.height; level++, at >>>= 1) {
      const sibling = this.levels[level]?.[at ^ 1];
      if (sibling) visit({ sibling, parent: this.at(level + 1, at >>> 1), isRight: at % 2 === 1 });
    }
  }

  private at(height: number, index: number): Built {
    const node = this.levels[height]?.[index];
    if (!node) throw new RangeError(`There is no node ${index} at height ${height}.`);
    return node;
  }

  private levelAbove(level: readonly Built[]): Built[] {
    const above: Built[] = [];
    for (let k = 0; k < level.length; k += 2) {
      const [left, right] = [level[k], level[k + 1]];
      if (left) above.push(right ? this.over(left, right) : left);
    }
    return above;
  }

  private over(left: Built, right: Built): Built {
    const partial = mergePartials(this.query, left.partial, right.partial);
    if (!partial) throw new RangeError(`The partials from ${left.summary.firstDevice} on don't merge.`);
    const [a, b] = [left.summary, right.summary];
    const summary: Summary = {
      firstOwner: a.firstOwner,
      firstDevice: a.firstDevice,
      lastOwner: b.lastOwner,
      lastDevice: b.lastDevice,
      leaves: a.leaves + b.leaves,
      members: a.members + b.members,
      count: a.count + b.count,
      weight: a.weight + b.weight,
      aggregate: toHex(keccak256(partial)),
    };
    return built(summary, nodeHash(left.digest, right.digest), partial);
  }
}

/** Whether a tree's root is the one that a proposal has. */
export function isRootOf(root: ResultNode, digest: string): boolean {
  return sameBytes(nodeDigest(root), fromHex(digest));
}

function builtLeaf(leaf: ResultLeaf): Built {
  const { owner, device, origin, count, weight, partial } = leaf;
  const members = origin === Origin.Withheld ? 0n : 1n;
  const ends = { firstOwner: owner, firstDevice: device, lastOwner: owner, lastDevice: device };
  const aggregate = toHex(keccak256(partial));
  return built({ ...ends, leaves: 1n, members, count, weight, aggregate }, leafBelow(leaf), partial);
}

function built(summary: Summary, below: Uint8Array, partial: Uint8Array): Built {
  const said = summaryHash(summary);
  return { summary, below: toHex(below), partial, said, digest: keccak256(NODE, said, below) };
}

function nodeOf({ summary, below }: Built): ResultNode {
  return { summary, below };
}
