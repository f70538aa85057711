import type { KeyKind } from "../identity/keys.js";
import { concat, uintBytes } from "../internal/bytes.js";

const ORDERS = {
  secp256k1: 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n,
  p256: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
} as const;

/**
 * The spellings that a device's signature may stand for on chain: with s in the lower half, and for secp256k1 with v as 27 or 28. Some chips and
 * SDKs leave v out, number it 0 and 1, or take whichever s comes first. What is no signature is given back as it is.
 */
export function spellingsOf(kind: KeyKind, signature: Uint8Array): Uint8Array[] {
  if (kind === "p256" && signature.length === 64) return [lowS(ORDERS.p256, signature).bytes];
  if (kind !== "secp256k1" || (signature.length !== 64 && signature.length !== 65)) return [signature];
  const { bytes, flipped } = lowS(ORDERS.secp256k1, signature.subarray(0, 64));
  const v = signature[64];
  const parities = v === undefined ? [0, 1] : v === 0 || v === 1 ? [v] : v === 27 || v === 28 ? [v - 27] : [];
  return parities.map((parity) => concat(bytes, Uint8Array.of(27 + (flipped ? 1 - parity : parity))));
}

function lowS(order: bigint, signature: Uint8Array): { bytes: Uint8Array; flipped: boolean } {
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).toString("hex")}`);
  if (s <= order / 2n || s >= order) return { bytes: signature, flipped: false };
  return { bytes: concat(signature.subarray(0, 32), uintBytes(order - s, 32)), flipped: true };
}
