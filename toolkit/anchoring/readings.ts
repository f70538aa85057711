import { id } from "ethers";
import type { Digests, Reading } from "../identity/digests.js";
import { type DeviceKey, isSignature, type PublicKey } from "../identity/keys.js";
import { concat, fromHex, keccak256, uintBytes } from "../internal/bytes.js";
import { contentHash } from "./contents.js";

/** A reading with its device's signature: what travels from the device to a gateway. */
export interface SignedReading extends Reading {
  readonly signature: Uint8Array;
}

/** A number that a device measured, with the salt that keeps it from being guessed from its hash. */
export interface Measurement {
  /** Fixed point; the schema says the scale. */
  readonly value: bigint;
  /** 32 bytes that only the device and whom it tells can know. */
  readonly salt: Uint8Array;
}

/** What a series of readings means. Its hash is the `schema` of each reading. */
export interface ReadingSchema {
  /** For example `wind_speed`. */
  readonly quantity: string;
  /** A SenML unit (RFC 8428), for example `m/s`. */
  readonly unit: string;
  /** Decimals of the fixed-point value. */
  readonly scale: number;
}

/** The id of a schema: keccak256 of `iotchain:scalar:<quantity>:<unit>:<scale>`. */
export function schemaIdOf({ quantity, unit, scale }: ReadingSchema): Uint8Array {
  return fromHex(id(`iotchain:scalar:${quantity}:${unit}:${scale}`));
}

/** The content hash of a measurement: keccak256(abi.encode(int256 value, bytes32 salt)). */
export function contentOf(measurement: Measurement): Uint8Array {
  return contentHash({ kind: "scalar", ...measurement });
}

/** The salt of a device's reading, from a secret that it keeps for this alone. */
export function saltOf(secret: Uint8Array, sequence: bigint): Uint8Array {
  return keccak256(concat(secret, uintBytes(sequence, 8)));
}

/** Signs a reading as its device does. */
export function signReading(key: DeviceKey, digests: Digests, reading: Omit<Reading, "device">): SignedReading {
  const whole = { ...reading, device: key.id };
  return { ...whole, signature: key.sign(digests.reading(whole)) };
}

/** Whether a reading was signed by this key, and the key is the device's. */
export function isAuthentic(reading: SignedReading, key: PublicKey, digests: Digests): boolean {
  return key.id === reading.device && isSignature(key, digests.reading(reading), reading.signature);
}
