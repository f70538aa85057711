import { createKeccak } from "hash-wasm";

// One instance, initialised once: hash-wasm is the fastest keccak there is for Node, and synchronous after this line.
const hasher = await createKeccak(256);

/** keccak-256 of the given pieces, one after the other. */
export function keccak256(...pieces: Uint8Array[]): Uint8Array {
  hasher.init();
  for (const piece of pieces) hasher.update(piece);
  return hasher.digest("binary");
}

/** `0x`-prefixed lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")}`;
}

/** The bytes of a hex string, with or without `0x`. The caller has checked that it is hex. */
export function fromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.startsWith("0x") ? hex.slice(2) : hex, "hex"));
}

/** An unsigned integer as `length` bytes, big end first. */
export function uintBytes(value: bigint | number, length: number): Uint8Array {
  return fromHex(
    BigInt(value)
      .toString(16)
      .padStart(length * 2, "0"),
  );
}

/** A signed integer in two's complement as `length` bytes, big end first. */
export function intBytes(value: bigint, length: number): Uint8Array {
  return uintBytes(BigInt.asUintN(length * 8, value), length);
}

/** An ABI word that holds `bytes` on its right, as addresses and integers stand. */
export function word(bytes: Uint8Array): Uint8Array {
  const padded = new Uint8Array(32);
  padded.set(bytes, 32 - bytes.length);
  return padded;
}

/** Whether two byte strings are the same. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

/** The pieces, one after the other. */
export function concat(...pieces: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces));
}
