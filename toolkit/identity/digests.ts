import { id, TypedDataEncoder } from "ethers";
import { fromHex, keccak256, uintBytes, word } from "../internal/bytes.js";
import { typedDataHash } from "../internal/typed-data.js";
import type { DeviceId } from "./keys.js";
import type { LotId } from "./lots.js";

const READING_TYPE = fromHex(id("Reading(address device,uint64 sequence,uint64 time,bytes32 schema,bytes32 content)"));
const KEY_CHANGE_TYPE = fromHex(id("KeyChange(address device,bytes32 signer,uint64 nonce,uint64 deadline)"));
const RECOVERY_VETO_TYPE = fromHex(id("RecoveryVeto(address device,bytes32 recovery)"));
const LOT_TYPE = fromHex(
  id("Lot(address issuer,bytes32 root,uint64 size,uint8 assurance,uint128 bond,uint64 deadline)"),
);
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

/** What the present key and the next one say when a key is replaced, and the next one when it is recovered (`KeyChange`). */
export interface KeyChange {
  readonly device: DeviceId;
  /** The next ERC-7913 signer, see `signerOf`. */
  readonly signer: Uint8Array;
  /** How many events about keys the device has had since its activation: 0, then two more with each rotation. */
  readonly nonce: bigint;
  /** Last second at which the signature counts. */
  readonly deadline: bigint;
}

/** What an issuer says to endorse a lot without sending a transaction (EIP-712 struct `Lot`). */
export interface LotEndorsement {
  readonly issuer: string;
  readonly root: Uint8Array;
  readonly size: bigint;
  readonly assurance: number;
  /** ITC units for each device. */
  readonly bond: bigint;
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

  /** The 32 bytes that both keys sign for a change; the registry's `keyChangeDigest`. */
  keyChange({ device, signer, nonce, deadline }: KeyChange): Uint8Array {
    const words = [word(fromHex(device)), keccak256(signer), uintBytes(nonce, 32), uintBytes(deadline, 32)];
    return this.typed(KEY_CHANGE_TYPE, ...words);
  }

  /** The 32 bytes that a device signs to turn a pending recovery down; the registry's `cancelRecoveryDigest`. */
  recoveryVeto(device: DeviceId, recovery: Uint8Array): Uint8Array {
    return this.typed(RECOVERY_VETO_TYPE, word(fromHex(device)), recovery);
  }

  /** The 32 bytes that an issuer signs to endorse a lot; the registry's `lotDigest`. */
  lot({ issuer, root, size, assurance, bond, deadline }: LotEndorsement): Uint8Array {
    const numbers = [size, assurance, bond, deadline].map((value) => uintBytes(value, 32));
    return this.typed(LOT_TYPE, word(fromHex(issuer)), root, ...numbers);
  }

  private typed(type: Uint8Array, ...words: Uint8Array[]): Uint8Array {
    return typedDataHash(this.domain, type, ...words);
  }
}
