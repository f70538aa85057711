import { id, TypedDataEncoder } from "ethers";
import type { DeviceId } from "../identity/keys.js";
import { fromHex, uintBytes, word } from "../internal/bytes.js";
import { typedDataHash } from "../internal/typed-data.js";

const ENTRY_TYPE = fromHex(id("Entry(address device,uint64 index,bytes32 entry)"));

/** The logs that signatures and receipts are meant for: their chain, and the address of `DataAnchor`. */
export interface AnchorDomain {
  readonly chainId: bigint;
  readonly anchor: string;
}

/** What a device says so that anyone can add an entry to its log (EIP-712 struct `Entry`). */
export interface Entry {
  readonly device: DeviceId;
  /** The position, which is the log's size. */
  readonly index: bigint;
  /** The commitment, 32 bytes: a reading's digest, or the hash of a batch header. */
  readonly entry: Uint8Array;
}

/**
 * Hashes the entries of one `DataAnchor`; keep it, since the domain is hashed once.
 *
 * @example
 * const digests = new EntryDigests({ chainId: 1n, anchor: addresses.DataAnchor });
 * const signature = key.sign(digests.entry({ device: key.id, index: size, entry: readingDigest }));
 * await anchor.appendFor(key.id, size, readingDigest, signerOf(key, addresses), signature);
 */
export class EntryDigests {
  private readonly domain: Uint8Array;

  constructor({ chainId, anchor }: AnchorDomain) {
    const domain = { name: "DataAnchor", version: "1", chainId, verifyingContract: anchor };
    this.domain = fromHex(TypedDataEncoder.hashDomain(domain));
  }

  /** The 32 bytes that the device signs; the contract's `entryDigest`. */
  entry({ device, index, entry }: Entry): Uint8Array {
    return typedDataHash(this.domain, ENTRY_TYPE, word(fromHex(device)), uintBytes(index, 32), entry);
  }
}
