import { type BatchHeader, entryOf } from "../anchoring/batches.js";
import type { Measurement } from "../anchoring/readings.js";
import type { Reading, RegistryDomain } from "../identity/digests.js";
import { isSignature, type PublicKey } from "../identity/keys.js";
import { sameBytes } from "../internal/bytes.js";
import { MerkleTree } from "../internal/merkle.js";
import type { Query } from "./query.js";
import { ReadingHasher } from "./reading-hasher.js";

/** A reading that its owner has opened to the one who aggregates. */
export interface OpenedReading {
  readonly reading: Reading;
  readonly measurement: Measurement;
  /** The device's, over the reading's digest. Not needed in the device's own log. */
  readonly signature?: Uint8Array;
}

/** A reading of which no more is known than what the batch's root needs. */
export interface ClosedReading {
  /** What the device has signed, 32 bytes. */
  readonly digest: Uint8Array;
}

export type BatchReading = OpenedReading | ClosedReading;

/** An entry of a log, with all readings that it commits to, in the order of its tree. */
export interface AnchoredBatch {
  /** Whose log. */
  readonly publisher: string;
  readonly index: bigint;
  /** When the entry came, Unix seconds. */
  readonly entryTime: bigint;
  /** None where the entry is a reading's own digest. */
  readonly header?: BatchHeader;
  readonly readings: readonly BatchReading[];
}

/** What the check asks of the chain. Each may answer at once or later. */
export interface BatchWitness {
  /** Whether this entry stands in the publisher's log at this index, and came at this time; see `ChainLogs`. */
  isAnchored(publisher: string, index: bigint, entry: Uint8Array, time: bigint): boolean | Promise<boolean>;
  /** The device's present key; undefined unless the device is active. Asked only of readings in logs of others. */
  keyOf(device: string): PublicKey | undefined | Promise<PublicKey | undefined>;
}

/** Why an entry, or a reading of it, counts for nothing. */
export type Refusal =
  /** The entry came after `anchoredBy`. */
  | "late"
  /** The readings don't make the header's root or count, or are none. */
  | "root"
  /** No such entry stands in the log. */
  | "entry"
  /** Of another schema than the query's or its batch's. */
  | "schema"
  /** Outside the query's window, or its batch's. */
  | "time"
  /** Value and salt aren't what the content is the hash of. */
  | "content"
  /** In somebody else's log, and not signed by the device's present key. */
  | "signature";

/** A reading that counts. */
export interface Accepted {
  readonly reading: Reading;
  readonly value: bigint;
  readonly digest: Uint8Array;
}

/** What an entry comes to. */
export interface CheckedBatch {
  /** Why none of its readings counts. */
  readonly refused?: Refusal;
  readonly accepted: readonly Accepted[];
  /** Readings that are open and don't count. */
  readonly rejected: readonly { readonly reading: Reading; readonly why: Refusal }[];
}

const MAX_VALUE = 2n ** 255n;

/** Says which readings of an entry a contract would count (`Court._counts` in Solidity), and why not the others. */
export class BatchCheck {
  private readonly hasher: ReadingHasher;

  constructor(
    private readonly query: Query,
    registry: RegistryDomain,
    private readonly witness: BatchWitness,
  ) {
    this.hasher = new ReadingHasher(registry);
  }

  async check(batch: AnchoredBatch): Promise<CheckedBatch> {
    const { publisher, index, entryTime, readings, header } = batch;
    if (entryTime > this.query.anchoredBy) return refused("late");
    if (header && !sameBytes(header.schema, this.query.schema)) return refused("schema");
    const digests = this.digestsOf(readings);
    const entry = digests && this.entryOf(batch, digests);
    if (!entry) return refused("root");
    const anchored = this.witness.isAnchored(publisher, index, entry, entryTime);
    if (!(typeof anchored === "boolean" ? anchored : await anchored)) return refused("entry");
    return await this.sift(batch, digests);
  }

  private digestsOf(readings: readonly BatchReading[]): Uint8Array | undefined {
    const flat = new Uint8Array(readings.length * 32);
    let at = 0;
    for (const item of readings) {
      const digest = "digest" in item ? item.digest : this.digestOf(item.reading);
      if (digest.length !== 32) return undefined;
      flat.set(digest, at);
      at += 32;
    }
    return flat;
  }

  private digestOf({ device, sequence, time, schema, content }: Reading): Uint8Array {
    return this.hasher.reading(device, sequence, time, schema, content);
  }

  /** The entry that follows from the readings; undefined if the header isn't theirs. */
  private entryOf({ readings, header }: AnchoredBatch, digests: Uint8Array): Uint8Array | undefined {
    if (!header) return readings.length === 1 ? digests : undefined;
    if (readings.length === 0 || header.count !== BigInt(readings.length)) return undefined;
    return sameBytes(MerkleTree.over(digests).root, header.root) ? entryOf(header) : undefined;
  }

  private async sift({ publisher, header, readings }: AnchoredBatch, digests: Uint8Array): Promise<CheckedBatch> {
    const accepted: Accepted[] = [];
    const rejected: { reading: Reading; why: Refusal }[] = [];
    const owner = publisher.toLowerCase();
    for (const [k, item] of readings.entries()) {
      if ("digest" in item) continue;
      const { reading, measurement } = item;
      const digest = digests.subarray(k * 32, k * 32 + 32);
      let why = this.faultOf(item, header);
      const isOwn = reading.device === publisher || reading.device.toLowerCase() === owner;
      if (!why && !isOwn && !(await this.isSigned(item, digest))) why = "signature";
      if (why) rejected.push({ reading, why });
      else accepted.push({ reading, value: measurement.value, digest });
    }
    return { accepted, rejected };
  }

  private faultOf({ reading, measurement }: OpenedReading, header: BatchHeader | undefined): Refusal | undefined {
    const { query } = this;
    const { time, schema, content } = reading;
    if (!sameBytes(schema, query.schema)) return "schema";
    if (time < query.from || time >= query.to) return "time";
    if (header && (time < header.first || time > header.last)) return "time";
    const { value, salt } = measurement;
    if (value >= MAX_VALUE || value < -MAX_VALUE || salt.length !== 32) return "content";
    return sameBytes(this.hasher.content(value, salt), content) ? undefined : "content";
  }

  private async isSigned({ reading, signature }: OpenedReading, digest: Uint8Array): Promise<boolean> {
    if (!signature) return false;
    const key = await this.witness.keyOf(reading.device);
    return key !== undefined && isSignature(key, digest, signature);
  }
}

function refused(why: Refusal): CheckedBatch {
  return { refused: why, accepted: [], rejected: [] };
}
