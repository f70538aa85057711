import { id, TypedDataEncoder } from "ethers";
import type { RegistryDomain } from "../identity/digests.js";
import { fromHex, keccak256 } from "../internal/bytes.js";

const READING_TYPE = fromHex(id("Reading(address device,uint64 sequence,uint64 time,bytes32 schema,bytes32 content)"));

/**
 * Hashes readings by the million. `Digests.reading` and `contentOf` are the plain way to the same bytes; here each hash is of one buffer that is
 * filled anew, without hex and without pieces, in a third of the time.
 */
export class ReadingHasher {
  private readonly typed = new Uint8Array(66);
  private readonly struct = new Uint8Array(192);
  private readonly view = new DataView(this.struct.buffer);
  private readonly opened = new Uint8Array(64);
  private readonly openedView = new DataView(this.opened.buffer);
  private device = "";

  constructor({ chainId, registry }: RegistryDomain) {
    const domain = { name: "DeviceRegistry", version: "1", chainId, verifyingContract: registry };
    this.typed.set([0x19, 0x01]);
    this.typed.set(fromHex(TypedDataEncoder.hashDomain(domain)), 2);
    this.struct.set(READING_TYPE);
  }

  /** The 32 bytes that a device signs; as `Digests.reading`. Numbers are below 2^64. */
  reading(device: string, sequence: bigint, time: bigint, schema: Uint8Array, content: Uint8Array): Uint8Array {
    const { struct, view, typed } = this;
    if (device !== this.device) {
      struct.set(fromHex(device), 44);
      this.device = device;
    }
    view.setBigUint64(88, sequence);
    view.setBigUint64(120, time);
    struct.set(schema, 128);
    struct.set(content, 160);
    typed.set(keccak256(struct), 34);
    return keccak256(typed);
  }

  /** The content hash of a number; as `contentOf`. */
  content(value: bigint, salt: Uint8Array): Uint8Array {
    const { opened, openedView } = this;
    openedView.setBigInt64(0, value >> 192n);
    openedView.setBigInt64(8, value >> 128n);
    openedView.setBigInt64(16, value >> 64n);
    openedView.setBigInt64(24, value);
    opened.set(salt, 32);
    return keccak256(opened);
  }
}
