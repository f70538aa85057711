import type { Digests } from "../identity/digests.js";
import type { DeviceId, DeviceKey } from "../identity/keys.js";
import { concat, intBytes, keccak256, sameBytes } from "../internal/bytes.js";
import { Batch } from "./batches.js";
import type { EntryDigests } from "./entries.js";
import type { Measurement, SignedReading } from "./readings.js";
import { boundValues, type CommittedValues, ZkError } from "./zk-values.js";

/** A reading with the number that it commits to. */
export interface MeasuredReading {
  readonly reading: SignedReading;
  readonly measurement: Measurement;
}

/** Which of a device's readings are to be a batch of the device's own log, with a commitment to their values. */
export interface BatchDraft {
  readonly device: DeviceId;
  /** Position in the device's log, which is the log's size by then. */
  readonly index: bigint;
  readonly firstSequence: bigint;
  readonly count: bigint;
  /** 31 bytes; as secret as the values. */
  readonly salt: Uint8Array;
  /** Hash of the batch's header, 32 bytes. */
  readonly entry: Uint8Array;
}

/** A draft in its device's word. */
export interface BatchStatement extends BatchDraft {
  /** The device's, over `EntryDigests.entry`: what `DataAnchor.appendFor` takes. */
  readonly signature: Uint8Array;
}

/** A batch whose header commits to its values, with what the commitment opens to. */
export interface CommittedBatch {
  readonly batch: Batch;
  readonly committed: CommittedValues;
}

/** Bytes of a payload that opens a reading of one number. */
export const OPENING_BYTES = 64;

/** The payload that opens a reading of one number to a gateway: int256 ‖ salt, of which the content is the hash. */
export function openingOf({ value, salt }: Measurement): Uint8Array {
  return concat(intBytes(value, 32), salt);
}

/** What a payload opens a reading to. Undefined for any other payload, whoever sent it. */
export function openedBy(content: Uint8Array, payload: Uint8Array): Measurement | undefined {
  if (payload.length !== OPENING_BYTES || !sameBytes(keccak256(payload), content)) return undefined;
  const value = BigInt.asIntN(256, BigInt(`0x${Buffer.from(payload.subarray(0, 32)).toString("hex")}`));
  return { value, salt: payload.slice(32) };
}

/**
 * The batch of a device's readings whose header commits to their values. The same readings and salt make the same batch, so whoever is
 * shown them all sees whether a header's commitment is right.
 *
 * @param readings 1 to 256 of one device and schema, with consecutive sequence numbers, in their order.
 * @param salt 31 bytes, as `valuesSaltOf` gives them.
 * Errors: ITC_ZK_READINGS, ITC_ZK_VALUES.
 */
export function committedBatch(
  readings: readonly MeasuredReading[],
  salt: Uint8Array,
  digests: Digests,
): CommittedBatch {
  const first = readings[0]?.reading;
  const follows = ({ reading, measurement }: MeasuredReading, k: number): boolean =>
    first !== undefined &&
    reading.device === first.device &&
    reading.sequence === first.sequence + BigInt(k) &&
    sameBytes(reading.schema, first.schema) &&
    openedBy(reading.content, openingOf(measurement))?.value === measurement.value;
  if (!first || !readings.every(follows)) {
    throw new ZkError(
      "ITC_ZK_READINGS",
      `${readings.length} readings are no batch that commits to its values.`,
      "Pass readings of one device and schema with consecutive numbers, and the value and salt that each commits to.",
    );
  }
  const values = readings.map(({ measurement }) => measurement.value);
  const committed = { device: first.device, firstSequence: first.sequence, values, salt };
  const signed = readings.map(({ reading }) => reading);
  return { batch: new Batch(signed, digests, boundValues(committed)), committed };
}

/** Where a device signs what, for {@link stateBatch}. */
export interface StateDomain {
  readonly digests: Digests;
  readonly entries: EntryDigests;
}

/**
 * Gives a device's word that a batch of its readings is an entry of its own log, and that the commitment in its header is to their values: for
 * a batch of the device's own making, or for a gateway's draft. The device computes the batch from what it has measured, and signs nothing else.
 *
 * @param readings Those of the batch, as the device remembers them.
 * @param at The gateway's draft; or position and salt alone.
 * @example
 * const statement = stateBatch(key, { digests, entries }, remembered, draft);
 * Errors: ITC_ZK_READINGS, ITC_ZK_VALUES; ITC_ZK_DRAFT when the draft isn't what these readings make.
 */
export function stateBatch(
  key: DeviceKey,
  { digests, entries }: StateDomain,
  readings: readonly MeasuredReading[],
  at: Pick<BatchDraft, "index" | "salt"> & Partial<BatchDraft>,
): BatchStatement {
  const { batch, committed } = committedBatch(readings, at.salt, digests);
  const { device, firstSequence, salt } = committed;
  const { entry } = batch;
  if (device !== key.id || (at.entry && !sameBytes(at.entry, entry))) {
    throw new ZkError(
      "ITC_ZK_DRAFT",
      `The batch from reading ${firstSequence} of ${device} isn't the one that was offered.`,
      "Sign nothing: the gateway has other readings, or commits to other values.",
    );
  }
  const draft = { device, index: at.index, firstSequence, count: batch.header.count, salt, entry };
  return { ...draft, signature: key.sign(entries.entry(draft)) };
}
