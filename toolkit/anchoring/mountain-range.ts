import { sameBytes, uintBytes } from "../internal/bytes.js";
import { climb, leafHash, nodeHash } from "../internal/merkle.js";

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

/** A publisher's log as `DataAnchor` keeps it, with all its nodes, so that any entry can be proved. */
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
    let root: Uint8Array | undefined;
    for (let height = 0; height < this.levels.length; height++) {
      const peak = this.peak(height);
      if (peak) root = root ? nodeHash(peak, root) : peak;
    }
    return root;
  }

  /** The siblings of a leaf up to its peak in the log as it is now. */
  prove(index: number): Uint8Array[] {
    if (!Number.isInteger(index) || index < 0 || index >= this.size) {
      throw new RangeError(`Entry ${index} is not one of ${this.size}.`);
    }
    const height = peakHeight(BigInt(index), BigInt(this.size));
    const siblings: Uint8Array[] = [];
    for (let level = 0; level < height; level++) {
      const sibling = this.levels[level]?.[Math.floor(index / 2 ** level) ^ 1];
      if (sibling) siblings.push(sibling);
    }
    return siblings;
  }
}
