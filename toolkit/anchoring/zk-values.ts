import { poseidon16 } from "poseidon-lite/poseidon16";
import { IotchainError } from "../errors.js";
import type { DeviceId } from "../identity/keys.js";
import { concat, keccak256, uintBytes } from "../internal/bytes.js";

/** Something is wrong with values that are to be committed to, or with a proof about them. */
export class ZkError extends IotchainError {}

/** Values are from -2^39 up to and without 2^39: this makes them positive. */
export const VALUE_OFFSET: bigint = 2n ** 39n;
/** Most readings that one commitment holds. */
export const MAX_COMMITTED = 256;
/** Bytes of a commitment's salt; a field element holds 31 whatever they are. */
const SALT_BYTES = 31;
const VALUES_PER_ELEMENT = 6;

/** The values of a device's readings whose sequence numbers follow one another. */
export interface CommittedValues {
  readonly device: DeviceId;
  readonly firstSequence: bigint;
  /** Fixed point; the schema says the scale. */
  readonly values: readonly bigint[];
  /** 31 bytes that only the device and whom it tells can know: without them, few values would be guessed from the commitment. */
  readonly salt: Uint8Array;
}

/** The salt of a commitment, from the secret that a device has for salts. It says nothing of the salts of its readings, nor they of it. */
export function valuesSaltOf(secret: Uint8Array, firstSequence: bigint): Uint8Array {
  const salt = keccak256(concat(secret, new TextEncoder().encode("values"), uintBytes(firstSequence, 8)));
  return salt.slice(0, SALT_BYTES);
}

/** Whether a commitment can hold these values: 1 to 256, each from -2^39 up to and without 2^39. */
export function isCommittable(values: readonly bigint[]): boolean {
  const fits = (value: bigint): boolean => value >= -VALUE_OFFSET && value < VALUE_OFFSET;
  return values.length > 0 && values.length <= MAX_COMMITTED && values.every(fits);
}

/**
 * The field `values` of a batch's header, 32 bytes: keccak256 of commitment, device and first sequence, a word each. No circuit looks into a
 * commitment for the last two, and a batch counts under no others.
 *
 * Errors: ITC_ZK_VALUES.
 */
export function boundValues(committed: CommittedValues): Uint8Array {
  const { device, firstSequence } = committed;
  return keccak256(concat(commitValues(committed), uintBytes(BigInt(device), 32), uintBytes(firstSequence, 32)));
}

/**
 * The commitment to a batch's values, 32 bytes, of which `boundValues` goes into its header: a Poseidon hash over BN254's scalar field of
 * [salt, device ‖ first sequence, count, values], six values an element; see docs/zk.md.
 *
 * Errors: ITC_ZK_VALUES.
 */
export function commitValues(committed: CommittedValues): Uint8Array {
  const { firstSequence, values, salt } = committed;
  if (!isCommittable(values) || salt.length !== SALT_BYTES || firstSequence < 0n || firstSequence >> 64n !== 0n) {
    throw new ZkError(
      "ITC_ZK_VALUES",
      `${values.length} values from sequence ${firstSequence} can't be committed to.`,
      `Pass 1 to ${MAX_COMMITTED} values from -2^39 up to 2^39, a sequence of 64 bits and a salt of ${SALT_BYTES} bytes.`,
    );
  }
  const places = shifted(values, placesFor(values.length));
  return uintBytes(chain([bigintOf(salt), headOf(committed), BigInt(values.length), ...packs(places)]), 32);
}

/** A circuit's secret inputs, for so many places. */
export function secretsOf(
  committed: CommittedValues,
  places: number = placesFor(committed.values.length),
): { salt: bigint; head: bigint; values: bigint[] } {
  return { salt: bigintOf(committed.salt), head: headOf(committed), values: shifted(committed.values, places) };
}

function headOf({ device, firstSequence }: CommittedValues): bigint {
  return (BigInt(device) << 64n) | firstSequence;
}

/** How many places the circuit has that takes so many values. */
export function placesFor(count: number): 64 | 256 {
  return count <= 64 ? 64 : 256;
}

/** Values as the circuits take them: positive, and 0 in the places that aren't used. */
function shifted(values: readonly bigint[], places: number): bigint[] {
  return Array.from({ length: places }, (_, k) => {
    const value = values[k];
    return value === undefined ? 0n : value + VALUE_OFFSET;
  });
}

function packs(values: readonly bigint[]): bigint[] {
  return Array.from({ length: Math.ceil(values.length / VALUES_PER_ELEMENT) }, (_, k) =>
    values
      .slice(k * VALUES_PER_ELEMENT, (k + 1) * VALUES_PER_ELEMENT)
      .reduce((pack, value, place) => pack | (value << BigInt(40 * place)), 0n),
  );
}

/** Poseidon over 16 elements, then over the last hash and 15 more, until all are in; zeros fill up the last one. */
function chain(elements: readonly bigint[]): bigint {
  const filled = (part: readonly bigint[]): bigint[] => Array.from({ length: 16 }, (_, k) => part[k] ?? 0n);
  let hash = poseidon16(filled(elements.slice(0, 16)));
  for (let next = 16; next < elements.length; next += 15) {
    hash = poseidon16(filled([hash, ...elements.slice(next, next + 15)]));
  }
  return hash;
}

function bigintOf(bytes: Uint8Array): bigint {
  return bytes.reduce((number, byte) => (number << 8n) | BigInt(byte), 0n);
}
