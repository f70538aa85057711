import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { AbiCoder, getAddress } from "ethers";
import * as secp256k1 from "tiny-secp256k1";
import type { Addresses } from "../addresses.js";
import { IotchainError } from "../errors.js";
import { concat, fromHex, keccak256, sameBytes, toHex } from "../internal/bytes.js";

/** A device: the checksummed address of its secp256k1 key, or of the hash of its P-256 key. */
export type DeviceId = string & { readonly __brand: "DeviceId" };

/** The kinds of key that a registry is born with, numbered as `KeyKind` in Solidity. The registrar may add more, from 4 on. */
export const KEY_KINDS = { secp256k1: 0, p256: 1, rsa2048: 2, erc1271: 3 } as const;
export type KeyKind = keyof typeof KEY_KINDS;

/** The kinds that follow from 32 secret bytes. */
export type CurveKind = "secp256k1" | "p256";

/** Where the ERC-7913 verifiers of a deployment are. */
export type Verifiers = Pick<Addresses, "P256Verifier" | "RsaVerifier" | "Erc1271Verifier">;

/** What the world may know of a device's key. */
export interface PublicKey {
  readonly kind: KeyKind;
  /**
   * The key as its verifier takes it: 64 bytes x ‖ y on a curve, `abi.encode(bytes e, bytes n)` for RSA, the 20 bytes of a
   * contract.
   */
  readonly material: Uint8Array;
  /** The device that it speaks for: of a first key, what the key itself says. */
  readonly id: DeviceId;
}

/** A key that signs; what a secure element offers. */
export interface DeviceKey extends PublicKey {
  /** Signs 32 bytes; the same bytes give the same signature. On a curve s is in the lower half (RFC 6979 nonces). */
  sign(digest: Uint8Array): Uint8Array;
}

/** A key on a curve. */
export interface CurveKey extends DeviceKey {
  readonly kind: CurveKind;
}

/** A key that is not one. */
export class KeyError extends IotchainError {}

/** The id of a public key: the last 20 bytes of keccak256 of it, whatever its kind. */
export function deviceIdOf(material: Uint8Array): DeviceId {
  return getAddress(toHex(keccak256(material).subarray(12))) as DeviceId;
}

/**
 * A device key from its 32 secret bytes.
 *
 * @example
 * const key = deviceKey("p256", crypto.getRandomValues(new Uint8Array(32)));
 * key.sign(digest); // 64 bytes r ‖ s; for secp256k1 65 bytes r ‖ s ‖ v
 */
export function deviceKey(kind: CurveKind, secret: Uint8Array): CurveKey {
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
  const material = full.subarray(1);
  const signWith = kind === "p256" ? signP256 : signSecp256k1;
  return { kind, material, id: deviceIdOf(material), sign: (digest) => signWith(digest, secret) };
}

/**
 * A device key from an RSA-2048 private key with exponent 65537. It signs by PKCS#1 v1.5 over SHA-256 of the 32 bytes, as
 * the verifier on chain checks it (RFC 8017); a signature has 256 bytes.
 *
 * @param privateKey PEM, or a `KeyObject` of `node:crypto`. Errors: ITC_KEY_INVALID.
 */
export function rsaKey(privateKey: string | KeyObject): DeviceKey {
  const key = typeof privateKey === "string" ? createPrivateKey(privateKey) : privateKey;
  const { kty, e, n } = createPublicKey(key).export({ format: "jwk" });
  const modulus = new Uint8Array(Buffer.from(n ?? "", "base64url"));
  if (kty !== "RSA" || e !== "AQAB" || modulus.length !== 256) {
    const what = "The key is not of RSA with 2048 bits and exponent 65537.";
    throw new KeyError("ITC_KEY_INVALID", what, "Make one with openssl genrsa 2048.");
  }
  const material = fromHex(AbiCoder.defaultAbiCoder().encode(["bytes", "bytes"], [RSA_EXPONENT, modulus]));
  return {
    kind: "rsa2048",
    material,
    id: deviceIdOf(material),
    sign: (digest) => new Uint8Array(sign("sha256", digest, key)),
  };
}

/**
 * A key that a device has taken later, by rotation or recovery: it speaks for that device, whose id stays.
 *
 * @example
 * gateway.admit(heldBy(device, nextKey), nextSequence);
 */
export function heldBy<Key extends PublicKey>(device: DeviceId, key: Key): Key {
  return { ...key, id: device };
}

/** A device that is an ERC-1271 contract: a wallet that says itself what its signatures are. */
export function contractKey(contract: string): PublicKey {
  const material = fromHex(getAddress(contract));
  return { kind: "erc1271", material, id: deviceIdOf(material) };
}

/**
 * The ERC-7913 signer of a key: the account for secp256k1, `verifier ‖ key` for other kinds.
 *
 * @param verifiers The deployment's addresses.
 */
export function signerOf(key: PublicKey, verifiers: Verifiers): Uint8Array {
  switch (key.kind) {
    case "secp256k1":
      return fromHex(deviceIdOf(key.material));
    case "p256":
      return concat(fromHex(verifiers.P256Verifier), key.material);
    case "rsa2048":
      return concat(fromHex(verifiers.RsaVerifier), key.material);
    case "erc1271":
      return concat(fromHex(verifiers.Erc1271Verifier), key.material);
  }
}

/**
 * Whether a signature over 32 bytes is the key's. False, never an error, for bytes that are no signature or no key, and for an
 * ERC-1271 contract, which only the chain can ask. On a curve s must be in the lower half, as on chain.
 */
export function isSignature(key: PublicKey, digest: Uint8Array, signature: Uint8Array): boolean {
  try {
    // node:crypto hashes what it is given and takes no digest, so each curve has the fastest library that does.
    switch (key.kind) {
      case "secp256k1": {
        const recovered = recoverKey(digest, signature);
        return recovered !== undefined && sameBytes(recovered, key.material);
      }
      case "p256": {
        const options = { prehash: false, lowS: true };
        return signature.length === 64 && p256.verify(signature, digest, concat(UNCOMPRESSED, key.material), options);
      }
      case "rsa2048":
        return verify("sha256", digest, rsaPublicKey(key.material), signature);
      case "erc1271":
        return false;
    }
  } catch {
    return false;
  }
}

/** The one spelling that the verifier on chain takes. Errors: whatever malformed bytes cause. */
function rsaPublicKey(material: Uint8Array): KeyObject {
  const coder = AbiCoder.defaultAbiCoder();
  const [e, n]: string[] = coder.decode(["bytes", "bytes"], material);
  if (e !== RSA_EXPONENT || n?.length !== 514 || coder.encode(["bytes", "bytes"], [e, n]) !== toHex(material)) {
    throw new TypeError("no RSA-2048 key");
  }
  const modulus = Buffer.from(n.slice(2), "hex").toString("base64url");
  return createPublicKey({ key: { kty: "RSA", e: "AQAB", n: modulus }, format: "jwk" });
}

/** The 64 bytes of the secp256k1 key behind a signature, as ecrecover finds it: v counts, and s is in the lower half. */
export function recoverKey(digest: Uint8Array, signature: Uint8Array): Uint8Array | undefined {
  const v = signature[64];
  if (signature.length !== 65 || (v !== 27 && v !== 28)) return undefined;
  if (Buffer.compare(signature.subarray(32, 64), HALF_SECP256K1_ORDER) > 0) return undefined;
  try {
    return secp256k1.recover(digest, signature.subarray(0, 64), v === 28 ? 1 : 0, false)?.subarray(1);
  } catch {
    // Numbers that no point of the curve has.
    return undefined;
  }
}

const HALF_SECP256K1_ORDER = fromHex("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0");
const RSA_EXPONENT = "0x010001";
const UNCOMPRESSED = Uint8Array.of(0x04);

function signSecp256k1(digest: Uint8Array, secret: Uint8Array): Uint8Array {
  const { signature, recoveryId } = secp256k1.signRecoverable(digest, secret);
  return concat(signature, Uint8Array.of(27 + recoveryId));
}

function signP256(digest: Uint8Array, secret: Uint8Array): Uint8Array {
  return p256.sign(digest, secret, { prehash: false, lowS: true });
}
