import { keccak256, sameBytes } from "./bytes.js";

const LEAF = Uint8Array.of(0x00);
const NODE = Uint8Array.of(0x01);

/** A proof of inclusion: the siblings from the lowest level up; bit k of `path` is 1 where the k-th stands on the left. */
export interface MerkleProof {
  readonly path: bigint;
  readonly siblings: readonly Uint8Array[];
}

/** The hash of a leaf, keccak256(0x00 ‖ data). */
export function leafHash(...data: Uint8Array[]): Uint8Array {
  return keccak256(LEAF, ...data);
}

/** The hash of an inner node, keccak256(0x01 ‖ left ‖ right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return keccak256(NODE, left, right);
}

/** The root that a proof leads to from a leaf. */
export function climb(leaf: Uint8Array, proof: MerkleProof): Uint8Array {
  let hash = leaf;
  let path = proof.path;
  for (const sibling of proof.siblings) {
    hash = path & 1n ? nodeHash(sibling, hash) : nodeHash(hash, sibling);
    path >>= 1n;
  }
  return hash;
}

/** Whether a proof leads from the leaf to the root, in the one spelling that the contracts accept. */
export function verify(root: Uint8Array, leaf: Uint8Array, proof: MerkleProof): boolean {
  return proof.path >> BigInt(proof.siblings.length) === 0n && sameBytes(climb(leaf, proof), root);
}

/**
 * The root that many leaves of one tree lead to, as `Merkle.climbMany` climbs. Undefined for places that don't ascend or lie outside the
 * tree, and for siblings that are missing or too many.
 *
 * @param places Where the leaves stand, ascending.
 * @param size How many leaves the tree has.
 * @param siblings See {@link MerkleTree.proveMany}.
 */
export function climbMany(
  leaves: readonly Uint8Array[],
  places: readonly number[],
  size: number,
  siblings: readonly Uint8Array[],
): Uint8Array | undefined {
  if (leaves.length === 0 || places.length !== leaves.length || !ascend(places, size)) return undefined;
  let known = leaves.map((hash, k) => ({ place: places[k] ?? 0, hash }));
  const rest = siblings.values();
  for (let width = size; width > 1; width = Math.ceil(width / 2)) {
    const above: typeof known = [];
    for (let k = 0; k < known.length; k++) {
      const { place, hash } = known[k] ?? { place: 0, hash: new Uint8Array() };
      const next = known[k + 1];
      const parent = Math.floor(place / 2);
      if (place % 2 === 0 && next?.place === place + 1) {
        above.push({ place: parent, hash: nodeHash(hash, next.hash) });
        k++;
      } else if (place % 2 === 0 && place + 1 === width) {
        above.push({ place: parent, hash });
      } else {
        const sibling = rest.next().value;
        if (!sibling) return undefined;
        above.push({ place: parent, hash: place % 2 === 0 ? nodeHash(hash, sibling) : nodeHash(sibling, hash) });
      }
    }
    known = above;
  }
  return rest.next().done ? known[0]?.hash : undefined;
}

/** Whether places ascend and lie in a tree. */
function ascend(places: readonly number[], size: number): boolean {
  return places.every((place, k) => Number.isInteger(place) && place > (places[k - 1] ?? -1) && place < size);
}

/**
 * Merkle tree of RFC 9162 §2.1.1 with keccak-256. Levels lie in flat buffers, so that a million leaves take 64 MB.
 */
export class MerkleTree {
  readonly size: number;
  private readonly levels: Uint8Array[];

  /** @param leaves Leaf hashes of 32 bytes, in order; at least one. */
  constructor(leaves: readonly Uint8Array[] | Uint8Array) {
    // Not concat(...): a million leaves are too many arguments.
    const bottom = leaves instanceof Uint8Array ? leaves : new Uint8Array(Buffer.concat(leaves));
    if (bottom.length === 0 || bottom.length % 32 !== 0)
      throw new RangeError("A Merkle tree needs whole leaves of 32 bytes.");
    this.size = bottom.length / 32;
    this.levels = [bottom];
    for (let level = bottom; level.length > 32; ) {
      level = levelAbove(level);
      this.levels.push(level);
    }
  }

  /** The tree over 32-byte words, one after the other; each leaf is keccak256(0x00 ‖ word). */
  static over(words: Uint8Array): MerkleTree {
    const leaves = new Uint8Array(words.length);
    hashEach(words, 32, LEAF, leaves);
    return new MerkleTree(leaves);
  }

  get root(): Uint8Array {
    return this.at(this.levels.length - 1, 0);
  }

  /** The proof of the leaf at `index`. */
  prove(index: number): MerkleProof {
    if (!Number.isInteger(index) || index < 0 || index >= this.size) {
      throw new RangeError(`Leaf ${index} is not one of ${this.size}.`);
    }
    const siblings: Uint8Array[] = [];
    let path = 0n;
    let place = index;
    for (let height = 0; height < this.levels.length - 1; height++) {
      const sibling = place ^ 1;
      // The lone right-most node moves up without a sibling.
      if (sibling * 32 < (this.levels[height]?.length ?? 0)) {
        if (place & 1) path |= 1n << BigInt(siblings.length);
        siblings.push(this.at(height, sibling));
      }
      place >>>= 1;
    }
    return { path, siblings };
  }

  /** The proof of many leaves at once, given by ascending place: the nodes that don't follow from them, see `Merkle.climbMany`. */
  proveMany(places: readonly number[]): Uint8Array[] {
    if (places.length === 0 || !ascend(places, this.size)) {
      throw new RangeError(`Places must ascend and lie below ${this.size}.`);
    }
    const siblings: Uint8Array[] = [];
    let known = [...places];
    for (const [height, level] of this.levels.slice(0, -1).entries()) {
      const here = new Set(known);
      for (const place of known) {
        const sibling = place ^ 1;
        if (!here.has(sibling) && sibling * 32 < level.length) siblings.push(this.at(height, sibling));
      }
      known = [...new Set(known.map((place) => place >>> 1))];
    }
    return siblings;
  }

  private at(height: number, place: number): Uint8Array {
    const level = this.levels[height] ?? new Uint8Array();
    return level.subarray(place * 32, place * 32 + 32);
  }
}

/** Writes the hash of prefix ‖ piece for each whole piece of `size` bytes. One buffer for all of them. */
function hashEach(from: Uint8Array, size: number, prefix: Uint8Array, to: Uint8Array): void {
  const input = new Uint8Array(1 + size);
  input.set(prefix);
  for (let at = 0, k = 0; at + size <= from.length; at += size, k += 32) {
    input.set(from.subarray(at, at + size), 1);
    to.set(keccak256(input), k);
  }
}

function levelAbove(level: Uint8Array): Uint8Array {
  const count = level.length / 32;
  const above = new Uint8Array(Math.ceil(count / 2) * 32);
  hashEach(level, 64, NODE, above);
  if (count % 2 === 1) above.set(level.subarray((count - 1) * 32), above.length - 32);
  return above;
}
