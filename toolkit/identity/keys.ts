import { p256 } from "@noble/curves/nist.js";
import { getAddress } from "ethers";
import * as secp256k1 from "tiny-secp256k1";
import { IotchainError } from "../errors.js";
import { concat, fromHex, keccak256, sameBytes, toHex } from "../internal/bytes.js";

/** A device: the checksummed address of its secp256k1 key, or of the hash of its P-256 key. */
export type DeviceId = string & { readonly __brand: "DeviceId" };

/** The kinds of key, numbered as `KeyKind` in Solidity. */
export const KEY_KINDS = { secp256k1: 0, p256: 1 } as const;
export type KeyKind = keyof typeof KEY_KINDS;

/** What the world may know of a device's key. */
export interface PublicKey {
  readonly kind: KeyKind;
  /** x ‖ y, 64 bytes. */
  readonly point: Uint8Array;
  readonly id: DeviceId;
}

/** A key that signs; what a secure element offers. */
export interface DeviceKey extends PublicKey {
  /** Signs 32 bytes; the same bytes give the same signature (RFC 6979). s is in the lower half. */
  sign(digest: Uint8Array): Uint8Array;
}

/** A key that is not one. */
export class KeyError extends IotchainError {}

/** The id of a public key: the last 20 bytes of keccak256(x ‖ y), whatever the curve. */
export function deviceIdOf(point: Uint8Array): DeviceId {
  return getAddress(toHex(keccak256(point).subarray(12))) as DeviceId;
}

/**
 * A device key from its 32 secret bytes.
 *
 * @example
 * const key = deviceKey("p256", crypto.getRandomValues(new Uint8Array(32)));
 * key.sign(digest); // 64 bytes r ‖ s; for secp256k1 65 bytes r ‖ s ‖ v
 */
export function deviceKey(kind: KeyKind, secret: Uint8Array): DeviceKey {
  const valid =
    kind === "p256" ? p256.utils.isValidSecretKey(secret) : secret.length === 32 && secp256k1.isPrivate(secret);
  if (!valid) {
    throw new KeyError(
      "ITC_KEY_INVALID",
      `The secret is no ${kind} key.`,
      "Take 32 random bytes below the order of the curve.",
    );
  }
  const full = kind === "p256" ? p256.getPublicKey(secret, false) : secp256k1.pointFromScalar(secret, false);
  if (!full) throw new KeyError("ITC_KEY_INVALID", "The secret has no public key.", "Take another.");
  const point = full.subarray(1);
  const sign = kind === "p256" ? signP256 : signSecp256k1;
  return { kind, point, id: deviceIdOf(point), sign: (digest) => sign(digest, secret) };
}

/**
 * The ERC-7913 signer of a key: the account for secp256k1, `verifier ‖ x ‖ y` for P-256.
 *
 * @param p256Verifier The registry's `p256Verifier()`.
 */
export function signerOf(key: PublicKey, p256Verifier: string): Uint8Array {
  return key.kind === "secp256k1" ? fromHex(key.id) : concat(fromHex(p256Verifier), key.point);
}

/**
 * Whether a signature over 32 bytes is the key's. False, never an error, for bytes that are no signature or no point of the curve.
 * s must be in the lower half, as on chain.
 */
export function isSignature(key: PublicKey, digest: Uint8Array, signature: Uint8Array): boolean {
  const full = concat(UNCOMPRESSED, key.point);
  try {
    // node:crypto hashes what it is given and takes no digest, so each curve has the fastest library that does.
    return key.kind === "p256"
      ? signature.length === 64 && p256.verify(signature, digest, full, { prehash: false, lowS: true })
      : isRecoverable(digest, signature, full);
  } catch {
    return false;
  }
}

/** As ecrecover sees it: v counts, and s is in the lower half. */
function isRecoverable(digest: Uint8Array, signature: Uint8Array, full: Uint8Array): boolean {
  const v = signature[64];
  if (signature.length !== 65 || (v !== 27 && v !== 28)) return false;
  if (Buffer.compare(signature.subarray(32, 64), HALF_SECP256K1_ORDER) > 0) return false;
  const recovered = secp256k1.recover(digest, signature.subarray(0, 64), v === 28 ? 1 : 0, false);
  return recovered !== null && sameBytes(recovered, full);
}

const HALF_SECP256K1_ORDER = fromHex("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0");
const UNCOMPRESSED = Uint8Array.of(0x04);

function signSecp256k1(digest: Uint8Array, secret: Uint8Array): Uint8Array {
  const { signature, recoveryId } = secp256k1.signRecoverable(digest, secret);
  return concat(signature, Uint8Array.of(27 + recoveryId));
}

function signP256(digest: Uint8Array, secret: Uint8Array): Uint8Array {
  return p256.sign(digest, secret, { prehash: false, lowS: true });
}
