import { id, TypedDataEncoder } from "ethers";
import { concat, fromHex, keccak256, uintBytes, word } from "../internal/bytes.js";
import type { DeviceId } from "./keys.js";
import type { LotId } from "./lots.js";

const PREFIX = Uint8Array.of(0x19, 0x01);
const READING_TYPE = fromHex(id("Reading(address device,uint64 sequence,uint64 time,bytes32 schema,bytes32 content)"));
const ACTIVATION_TYPE = fromHex(id("Activation(address device,bytes32 lot,address owner,uint64 deadline)"));

/** The registry that signatures are meant for: its chain and its address. */
export interface RegistryDomain {
  readonly chainId: bigint;
  readonly registry: string;
}

/** What a device says of one reading (EIP-712 struct `Reading`). Times are Unix seconds. */
export interface Reading {
  readonly device: DeviceId;
  readonly sequence: bigint;
  readonly time: bigint;
  /** What the content means: fixes its encoding, unit and scale. 32 bytes. */
  readonly schema: Uint8Array;
  /** Hash of the content, 32 bytes. */
  readonly content: Uint8Array;
}

/** What a device says to come alive (EIP-712 struct `Activation`). */
export interface Activation {
  readonly device: DeviceId;
  readonly lot: LotId;
  readonly owner: string;
  /** Last second at which the signature counts. */
  readonly deadline: bigint;
}

/** Hashes the messages of one registry (EIP-712); keep it, since the domain is hashed once. */
export class Digests {
  private readonly domain: Uint8Array;

  constructor({ chainId, registry }: RegistryDomain) {
    const domain = { name: "DeviceRegistry", version: "1", chainId, verifyingContract: registry };
    this.domain = fromHex(TypedDataEncoder.hashDomain(domain));
  }

  /** The 32 bytes that a device signs for a reading; the registry's `readingDigest`. */
  reading({ device, sequence, time, schema, content }: Reading): Uint8Array {
    return this.typed(
      READING_TYPE,
      word(fromHex(device)),
      uintBytes(sequence, 32),
      uintBytes(time, 32),
      schema,
      content,
    );
  }

  /** The 32 bytes that a device signs to be activated; the registry's `activationDigest`. */
  activation({ device, lot, owner, deadline }: Activation): Uint8Array {
    const words = [word(fromHex(device)), fromHex(lot), word(fromHex(owner)), uintBytes(deadline, 32)];
    return this.typed(ACTIVATION_TYPE, ...words);
  }

  private typed(type: Uint8Array, ...words: Uint8Array[]): Uint8Array {
    return keccak256(PREFIX, this.domain, keccak256(concat(type, ...words)));
  }
}
