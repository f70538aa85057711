import { id } from "ethers";
import type { Digests } from "../identity/digests.js";
import { concat, fromHex, keccak256, uintBytes } from "../internal/bytes.js";
import { climb, leafHash, type MerkleProof, MerkleTree } from "../internal/merkle.js";
import type { SignedReading } from "./readings.js";

const BATCH_TYPE = fromHex(
  id("Batch(bytes32 root,uint64 count,uint64 first,uint64 last,bytes32 schema,bytes32 values)"),
);

/** What an entry commits to when it stands for many readings (EIP-712 struct `Batch`). Times are Unix seconds. */
export interface BatchHeader {
  /** Root over the readings; a leaf is keccak256(0x00 ‖ the digest that the device signed). */
  readonly root: Uint8Array;
  readonly count: bigint;
  /** Time of the earliest reading. */
  readonly first: bigint;
  /** Time of the latest reading. */
  readonly last: bigint;
  /** What all of the readings mean. */
  readonly schema: Uint8Array;
  /** Commitment to the values, for proofs that reveal none of them; 32 zero bytes where there is none. */
  readonly values: Uint8Array;
}

/** What a header says of its values where it commits to none. */
export const NO_VALUES: Uint8Array = new Uint8Array(32);

/** The 32 bytes that are anchored for a batch: its EIP-712 struct hash. */
export function entryOf({ root, count, first, last, schema, values }: BatchHeader): Uint8Array {
  const span = [count, first, last].map((word) => uintBytes(word, 32));
  return keccak256(concat(BATCH_TYPE, root, ...span, schema, values));
}

/** The root that a reading's digest leads to. */
export function batchRootFrom(digest: Uint8Array, proof: MerkleProof): Uint8Array {
  return climb(leafHash(digest), proof);
}

function digestsOf(readings: readonly SignedReading[], digests: Digests): Uint8Array {
  const flat = new Uint8Array(readings.length * 32);
  for (const [k, reading] of readings.entries()) flat.set(digests.reading(reading), k * 32);
  return flat;
}

/** Signed readings under one root. */
export class Batch {
  readonly header: BatchHeader;
  readonly entry: Uint8Array;
  private readonly tree: MerkleTree;

  /**
   * @param readings At least one, all of one schema.
   * @param values The commitment to their values, if there is one.
   */
  constructor(
    readonly readings: readonly SignedReading[],
    digests: Digests,
    values: Uint8Array = NO_VALUES,
  ) {
    const schema = readings[0]?.schema;
    if (!schema) throw new RangeError("A batch needs a reading.");
    this.tree = MerkleTree.over(digestsOf(readings, digests));
    const times = readings.map(({ time }) => time);
    times.sort((a, b) => Number(a - b));
    const [first = 0n] = times;
    const last = times.at(-1) ?? first;
    this.header = { root: this.tree.root, count: BigInt(readings.length), first, last, schema, values };
    this.entry = entryOf(this.header);
  }

  /** The proof of the reading at `index`. */
  prove(index: number): MerkleProof {
    return this.tree.prove(index);
  }
}
