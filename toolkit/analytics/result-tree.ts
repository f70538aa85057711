import { keccak256, sameBytes, toHex } from "../internal/bytes.js";
import { nodeHash } from "../internal/merkle.js";
import { mergePartials } from "./partials.js";
import type { Query } from "./query.js";
import {
  evidenceHash,
  type Gap,
  keyOf,
  leafHashOf,
  NODE,
  Origin,
  type Place,
  type ResultLeaf,
  type ResultNode,
  summaryHashOf,
} from "./result-words.js";

export {
  compareLeaves,
  type Evidence,
  encodeRanges,
  evidenceHash,
  type Fork,
  forkOf,
  type Gap,
  isRootOf,
  type LeafWords,
  leafBelow,
  leafNode,
  leafWords,
  nodeDigest,
  Origin,
  type Place,
  type ResultLeaf,
  type ResultNode,
  rangesOf,
  type Summary,
  summaryHash,
} from "./result-words.js";

/** The nodes of one height, side by side; hashes in 32 bytes each. */
interface Level {
  readonly width: number;
  readonly members: Uint32Array;
  readonly counts: bigint[];
  readonly weights: bigint[];
  readonly partials: Uint8Array[];
  readonly aggregates: Uint8Array;
  /** The hashes of what nodes say. */
  readonly said: Uint8Array;
  readonly below: Uint8Array;
  readonly digests: Uint8Array;
}

/**
 * The tree of a result, of the shape of RFC 9162: a lone right-most node moves up. Holds all nodes in memory; what a node costs is the width of
 * its aggregate and about 300 bytes.
 */
export class ResultTree {
  private readonly levels: Level[];
  /** Owner and device of each leaf, 40 bytes. */
  private readonly keys: Uint8Array;

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
    this.keys = new Uint8Array(40 * leaves.length);
    for (const [k, { owner, device }] of leaves.entries()) {
      this.keys.set(keyOf(owner, device), 40 * k);
      const isBehind = k === 0 || Buffer.compare(this.key(k - 1), this.key(k)) < 0;
      if (strict && !isBehind) throw new RangeError(`Leaf ${k} isn't behind the one before.`);
    }
    let level = this.bottom();
    this.levels = [level];
    for (let height = 1; level.width > 1; height++) {
      level = this.levelAbove(level, height);
      this.levels.push(level);
    }
  }

  get height(): number {
    return this.levels.length - 1;
  }

  get root(): ResultNode {
    return this.nodeAt(this.height, 0);
  }

  /** What the root's aggregate is the hash of. */
  get aggregate(): Uint8Array {
    return this.node(0, this.height).partial;
  }

  /** A node with the bytes of its aggregate; leaves' nodes are at height 0. */
  node(index: number, height = 0): { readonly node: ResultNode; readonly partial: Uint8Array } {
    const node = this.nodeAt(height, index);
    return { node, partial: this.levels[height]?.partials[index] ?? new Uint8Array() };
  }

  /** Where a node is. */
  place(index: number, height = 0): Place {
    const steps: string[] = [];
    let path = 0n;
    this.climb(index, height, (level, sibling, isRight) => {
      if (isRight) path |= 1n << BigInt(steps.length / 2);
      const [here, above] = [this.levels[level], this.levels[level + 1]];
      if (here && above) steps.push(toHex(piece(above.said, sibling >>> 1)), toHex(piece(here.digests, sibling)));
    });
    return { path, steps };
  }

  /** The siblings on the way up, as `IQuestionDesk.show` takes them. */
  siblings(index: number): { path: bigint; siblings: ResultNode[]; aggregates: string[] } {
    const [siblings, aggregates]: [ResultNode[], string[]] = [[], []];
    let path = 0n;
    this.climb(index, 0, (level, sibling, isRight) => {
      if (isRight) path |= 1n << BigInt(siblings.length);
      const { node, partial } = this.node(sibling, level);
      siblings.push(node);
      aggregates.push(toHex(partial));
    });
    return { path, siblings, aggregates };
  }

  /** Where the leaf of an owner and device stands; undefined if there is none. */
  indexOf(owner: string, device: string): number | undefined {
    const key = keyOf(owner, device);
    const index = this.lowerBound(key);
    return index < this.leaves.length && sameBytes(this.key(index), key) ? index : undefined;
  }

  /** Shows that there is no leaf of this owner and device. Errors: RangeError if there is one. */
  gap(owner: string, device: string): Gap {
    if (this.indexOf(owner, device) !== undefined) throw new RangeError("There is such a leaf.");
    const index = this.lowerBound(keyOf(owner, device));
    const root = this.root;
    if (index === 0 || index === this.leaves.length) {
      return { left: root, right: root, path: 0n, steps: [] };
    }
    let [left, right, height] = [index - 1, index, 0];
    while (left >>> 1 !== right >>> 1) [left, right, height] = [left >>> 1, right >>> 1, height + 1];
    const { path, steps } = this.place(left, height);
    const [said = "", , ...others] = steps;
    const [a, b] = [this.nodeAt(height, left), this.nodeAt(height, right)];
    return { left: a, right: b, path: path >> 1n, steps: [said, ...others] };
  }

  private lowerBound(key: Uint8Array): number {
    let [low, high] = [0, this.leaves.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (Buffer.compare(this.key(middle), key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private climb(
    index: number,
    height: number,
    visit: (level: number, sibling: number, isRight: boolean) => void,
  ): void {
    this.nodeAt(height, index);
    for (let level = height, at = index; level < this.height; level++, at >>>= 1) {
      if ((at ^ 1) < (this.levels[level]?.width ?? 0)) visit(level, at ^ 1, at % 2 === 1);
    }
  }

  private key(leaf: number): Uint8Array {
    return this.keys.subarray(40 * leaf, 40 * leaf + 40);
  }

  /** The first leaf below a node, and the one after its last. */
  private span(height: number, index: number): [number, number] {
    return [index * 2 ** height, Math.min(this.leaves.length, (index + 1) * 2 ** height)];
  }

  private nodeAt(height: number, index: number): ResultNode {
    const level = this.levels[height];
    const [start, end] = this.span(height, index);
    const [first, last] = [this.leaves[start], this.leaves[end - 1]];
    if (!level || !first || !last) throw new RangeError(`There is no node ${index} at height ${height}.`);
    return {
      summary: {
        ...{ firstOwner: first.owner, firstDevice: first.device, lastOwner: last.owner, lastDevice: last.device },
        leaves: BigInt(end - start),
        members: BigInt(level.members[index] ?? 0),
        count: level.counts[index] ?? 0n,
        weight: level.weights[index] ?? 0n,
        aggregate: toHex(piece(level.aggregates, index)),
      },
      below: toHex(piece(level.below, index)),
    };
  }

  private bottom(): Level {
    const level = emptyLevel(this.leaves.length);
    for (const [k, { origin, count, weight, spent, evidence, partial }] of this.leaves.entries()) {
      const [key, hash] = [this.key(k), keccak256(partial)];
      level.partials.push(partial);
      level.counts.push(count);
      level.weights.push(weight);
      level.members[k] = origin === Origin.Withheld ? 0 : 1;
      level.aggregates.set(hash, 32 * k);
      level.below.set(leafHashOf(key, origin, count, weight, spent, evidenceHash(origin, evidence), hash), 32 * k);
      this.seal(level, 0, k);
    }
    return level;
  }

  private levelAbove(level: Level, height: number): Level {
    const above = emptyLevel(Math.ceil(level.width / 2));
    for (let k = 0; k < above.width; k++) {
      const [left, right] = [2 * k, 2 * k + 1];
      const isLone = right === level.width;
      const [a, b] = [level.partials[left], level.partials[right]];
      const partial = isLone || !b ? a : a && mergePartials(this.query, a, b);
      if (!partial) throw new RangeError(`The partials below node ${k} at height ${height} don't merge.`);
      above.partials.push(partial);
      above.counts.push((level.counts[left] ?? 0n) + (level.counts[right] ?? 0n));
      above.weights.push((level.weights[left] ?? 0n) + (level.weights[right] ?? 0n));
      above.members[k] = (level.members[left] ?? 0) + (level.members[right] ?? 0);
      if (isLone) {
        for (const name of ["aggregates", "said", "below", "digests"] as const) {
          above[name].set(piece(level[name], left), 32 * k);
        }
      } else {
        above.aggregates.set(keccak256(partial), 32 * k);
        above.below.set(nodeHash(piece(level.digests, left), piece(level.digests, right)), 32 * k);
        this.seal(above, height, k);
      }
    }
    return above;
  }

  /** Hashes what a node says, and then the node. */
  private seal(level: Level, height: number, k: number): void {
    const [start, end] = this.span(height, k);
    const [count = 0n, weight = 0n] = [level.counts[k], level.weights[k]];
    const [leaves, members] = [BigInt(end - start), BigInt(level.members[k] ?? 0)];
    const hash = piece(level.aggregates, k);
    const said = summaryHashOf(this.key(start), this.key(end - 1), leaves, members, count, weight, hash);
    level.said.set(said, 32 * k);
    level.digests.set(keccak256(NODE, said, piece(level.below, k)), 32 * k);
  }
}

function emptyLevel(width: number): Level {
  const [aggregates, said, below, digests] = [0, 1, 2, 3].map(() => new Uint8Array(32 * width));
  if (!aggregates || !said || !below || !digests) throw new RangeError("No level.");
  return {
    width,
    members: new Uint32Array(width),
    counts: [],
    weights: [],
    partials: [],
    aggregates,
    said,
    below,
    digests,
  };
}

function piece(hashes: Uint8Array, index: number): Uint8Array {
  return hashes.subarray(32 * index, 32 * index + 32);
}
