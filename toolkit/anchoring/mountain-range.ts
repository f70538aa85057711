import { sameBytes, uintBytes } from "../internal/bytes.js";
import { climb, climbMany, leafHash, nodeHash } from "../internal/merkle.js";

/** The leaf of an entry: keccak256(0x00 ‖ entry ‖ time of its block as 8 bytes). */
export function entryLeaf(entry: Uint8Array, time: bigint): Uint8Array {
  return leafHash(entry, uintBytes(time, 8));
}

/** At which height the peak stands that covers `index` in a log of `size` entries: the highest bit in which the two differ. */
export function peakHeight(index: bigint, size: bigint): number {
  return (index ^ size).toString(2).length - 1;
}

/** Whether a leaf stands at `index` below the peak of its mountain. `siblings` go from the leaf up. */
export function provesEntry(
  peak: Uint8Array,
  index: bigint,
  leaf: Uint8Array,
  siblings: readonly Uint8Array[],
): boolean {
  const path = index & ((1n << BigInt(siblings.length)) - 1n);
  return sameBytes(climb(leaf, { path, siblings }), peak);
}

/** A log as somebody once saw it: how many entries it had, and the root over them. */
export interface Checkpoint {
  readonly size: number;
  /** Of RFC 9162 §2.1.1; 32 zero bytes for an empty log. */
  readonly root: Uint8Array;
}

/**
 * Whether a log that was `old` has only been added to until it was `present` (RFC 9162 §2.1.4.2).
 *
 * @param proof See {@link MountainRange.proveConsistency}.
 */
export function provesConsistency(old: Checkpoint, present: Checkpoint, proof: readonly Uint8Array[]): boolean {
  if (old.size === 0 || old.size >= present.size) {
    const root = old.size === 0 ? new Uint8Array(32) : present.root;
    return old.size <= present.size && proof.length === 0 && sameBytes(old.root, root);
  }
  const path = isPerfect(old.size) ? [old.root, ...proof] : proof;
  const [start, ...rest] = path;
  if (!start) return false;
  let [from, last] = [old.size - 1, present.size - 1];
  const up = (): void => {
    from = Math.floor(from / 2);
    last = Math.floor(last / 2);
  };
  while (from % 2 === 1) up();
  let [oldHash, hash] = [start, start];
  for (const node of rest) {
    if (last === 0) return false;
    if (from % 2 === 1 || from === last) {
      [oldHash, hash] = [nodeHash(node, oldHash), nodeHash(node, hash)];
      while (from % 2 === 0 && from !== 0) up();
    } else {
      hash = nodeHash(hash, node);
    }
    up();
  }
  return last === 0 && sameBytes(oldHash, old.root) && sameBytes(hash, present.root);
}

/**
 * Whether these are the leaves of a log from `first` on, all of them, in this order.
 *
 * @param proof See {@link MountainRange.proveRange}.
 */
export function provesRange(
  log: Checkpoint,
  first: number,
  leaves: readonly Uint8Array[],
  proof: readonly Uint8Array[],
): boolean {
  const places = leaves.map((_, k) => first + k);
  const root = climbMany(leaves, places, log.size, proof);
  return root !== undefined && sameBytes(root, log.root);
}

/**
 * A publisher's log as `DataAnchor` keeps it, with all its nodes, so that anything about it can be proved: as it is now, or as it was
 * when it had `size` entries.
 */
export class MountainRange {
  /** Level h holds the roots of the complete subtrees of 2^h leaves, from the left. */
  private readonly levels: Uint8Array[][] = [[]];

  get size(): number {
    return this.levels[0]?.length ?? 0;
  }

  /** Adds a leaf, see {@link entryLeaf}. */
  append(leaf: Uint8Array): void {
    let node = leaf;
    for (let height = 0; ; height++) {
      const level = (this.levels[height] ??= []);
      level.push(node);
      if (level.length % 2 === 1) return;
      node = nodeHash(level[level.length - 2] ?? node, node);
    }
  }

  /** The peak of the perfect tree of 2^height leaves, if the log has one now. */
  peak(height: number): Uint8Array | undefined {
    const level = this.levels[height];
    return level && level.length % 2 === 1 ? level[level.length - 1] : undefined;
  }

  /** The root over all leaves (RFC 9162 §2.1.1); undefined for an empty log. */
  get root(): Uint8Array | undefined {
    return this.size === 0 ? undefined : this.under(0, this.size);
  }

  /** The log when it had `size` entries. Errors: RangeError for more than it has. */
  checkpoint(size = this.size): Checkpoint {
    this.requireSize(size);
    return { size, root: size === 0 ? new Uint8Array(32) : this.under(0, size) };
  }

  /** The siblings of a leaf up to its peak. Errors: RangeError for an entry that isn't one of them. */
  prove(index: number, size = this.size): Uint8Array[] {
    this.requireSize(size);
    if (!Number.isInteger(index) || index < 0 || index >= size) {
      throw new RangeError(`Entry ${index} is not one of ${size}.`);
    }
    const height = peakHeight(BigInt(index), BigInt(size));
    return Array.from({ length: height }, (_, level) => {
      const width = 2 ** level;
      return this.under((Math.floor(index / width) ^ 1) * width, width);
    });
  }

  /** The consistency proof between two sizes (RFC 9162 §2.1.4.1). Errors: RangeError for sizes that it never had in this order. */
  proveConsistency(from: number, to = this.size): Uint8Array[] {
    this.requireSize(to);
    if (!Number.isInteger(from) || from < 0 || from > to) throw new RangeError(`${from} is no size before ${to}.`);
    const nodes: Uint8Array[] = [];
    let [start, count, old] = [0, to, from];
    // From the root down: whichever half `from` ends in is looked into, the other is a node of the proof.
    let whole = true;
    while (old !== 0 && old !== count) {
      const left = widthBelow(count);
      if (old <= left) {
        nodes.unshift(this.under(start + left, count - left));
        count = left;
      } else {
        nodes.unshift(this.under(start, left));
        [start, count, old, whole] = [start + left, count - left, old - left, false];
      }
    }
    // Where the old log is one perfect tree, its root is known.
    if (!whole && old !== 0) nodes.unshift(this.under(start, count));
    return nodes;
  }

  /** The nodes with which entries from `first` on lead to the root, see `Merkle.climbMany`. Errors: RangeError for what isn't there. */
  proveRange(first: number, count: number, size = this.size): Uint8Array[] {
    this.requireSize(size);
    if (!(Number.isInteger(first) && Number.isInteger(count) && first >= 0 && count > 0 && first + count <= size)) {
      throw new RangeError(`Entries ${first} to ${first + count - 1} are not among ${size}.`);
    }
    const nodes: Uint8Array[] = [];
    let [from, to] = [first, first + count - 1];
    for (let width = 1; width < size; width *= 2) {
      const last = Math.ceil(size / width) - 1;
      if (from % 2 === 1) nodes.push(this.under((from - 1) * width, width));
      if (to % 2 === 0 && to < last) nodes.push(this.under((to + 1) * width, Math.min(width, size - (to + 1) * width)));
      [from, to] = [Math.floor(from / 2), Math.floor(to / 2)];
    }
    return nodes;
  }

  /** The root over `count` leaves from `start` on, which is a multiple of the least power of two that isn't below `count`. */
  private under(start: number, count: number): Uint8Array {
    if (isPerfect(count)) {
      const node = this.levels[Math.log2(count)]?.[start / count];
      if (node) return node;
      throw new RangeError(`There is no tree of ${count} leaves at ${start}.`);
    }
    const left = widthBelow(count);
    return nodeHash(this.under(start, left), this.under(start + left, count - left));
  }

  private requireSize(size: number): void {
    if (!Number.isInteger(size) || size < 0 || size > this.size) {
      throw new RangeError(`The log has ${this.size} entries, and never had ${size}.`);
    }
  }
}

function isPerfect(count: number): boolean {
  return Number.isInteger(Math.log2(count));
}

/** The largest power of two below a number. */
function widthBelow(count: number): number {
  return 2 ** Math.ceil(Math.log2(count) - 1);
}
