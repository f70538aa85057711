import { concat, keccak256 } from "./bytes.js";

const PREFIX = Uint8Array.of(0x19, 0x01);

/** The 32 bytes that are signed for an EIP-712 struct of 32-byte words. */
export function typedDataHash(domain: Uint8Array, type: Uint8Array, ...words: readonly Uint8Array[]): Uint8Array {
  return keccak256(PREFIX, domain, keccak256(concat(type, ...words)));
}
