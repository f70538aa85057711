import type { webcrypto } from "node:crypto";
import { concat, uintBytes } from "./bytes.js";

/** The public part of a P-256 key as JWK (RFC 7518 §6.2.1). */
export interface EcPublicJwk {
  readonly kty: "EC";
  readonly crv: "P-256";
  readonly x: string;
  readonly y: string;
}

/** A P-256 key as JWK, with its secret. */
export interface EcPrivateJwk extends EcPublicJwk {
  readonly d: string;
}

/** How content keys are wrapped (RFC 7518 §4.6). */
export const KEY_WRAP = "ECDH-ES+A256KW";

const CURVE = { name: "ECDH", namedCurve: "P-256" };
const SHA256_ROUND = uintBytes(1, 4);

/**
 * The key that wraps a content key between two P-256 keys: Concat KDF with one round of SHA-256 (RFC 7518 §4.6.2), without party info.
 * The same from either side.
 */
async function wrappingKey(
  mine: EcPrivateJwk,
  theirs: EcPublicJwk,
  use: "wrapKey" | "unwrapKey",
): Promise<webcrypto.CryptoKey> {
  const { kty, crv, x, y } = theirs;
  const secret = await crypto.subtle.importKey("jwk", { ...mine }, CURVE, false, ["deriveBits"]);
  const other = await crypto.subtle.importKey("jwk", { kty, crv, x, y }, CURVE, false, []);
  const shared = await crypto.subtle.deriveBits({ name: "ECDH", public: other }, secret, 256);
  const algorithm = new TextEncoder().encode(KEY_WRAP);
  const none = uintBytes(0, 4);
  const info = [uintBytes(algorithm.length, 4), algorithm, none, none, uintBytes(256, 4)];
  const material = await crypto.subtle.digest(
    "SHA-256",
    bufferOf(concat(SHA256_ROUND, new Uint8Array(shared), ...info)),
  );
  return crypto.subtle.importKey("raw", material, "AES-KW", false, [use]);
}

/** Wraps a content key of 32 bytes (RFC 3394) for `recipient`. `ephemeral` serves once. */
export async function wrapKey(
  content: Uint8Array,
  ephemeral: EcPrivateJwk,
  recipient: EcPublicJwk,
): Promise<Uint8Array> {
  const key = await crypto.subtle.importKey("raw", bufferOf(content), "AES-GCM", true, ["encrypt"]);
  const wrapping = await wrappingKey(ephemeral, recipient, "wrapKey");
  return new Uint8Array(await crypto.subtle.wrapKey("raw", key, wrapping, "AES-KW"));
}

/** The content key. Errors: a DOMException when it wasn't wrapped for `recipient`, or the points aren't on the curve. */
export async function unwrapKey(
  wrapped: Uint8Array,
  recipient: EcPrivateJwk,
  ephemeral: EcPublicJwk,
): Promise<Uint8Array> {
  const wrapping = await wrappingKey(recipient, ephemeral, "unwrapKey");
  const use: webcrypto.KeyUsage[] = ["encrypt"];
  const key = await crypto.subtle.unwrapKey("raw", bufferOf(wrapped), wrapping, "AES-KW", "AES-GCM", true, use);
  return new Uint8Array(await crypto.subtle.exportKey("raw", key));
}

/** AES-256-GCM with a tag of 16 bytes (RFC 7518 §5.3). */
export async function encryptGcm(
  content: Uint8Array,
  iv: Uint8Array,
  plaintext: Uint8Array,
  additionalData: Uint8Array,
): Promise<{ ciphertext: Uint8Array; tag: Uint8Array }> {
  const key = await crypto.subtle.importKey("raw", bufferOf(content), "AES-GCM", false, ["encrypt"]);
  const how = { name: "AES-GCM", iv: bufferOf(iv), additionalData: bufferOf(additionalData) };
  const both = new Uint8Array(await crypto.subtle.encrypt(how, key, bufferOf(plaintext)));
  return { ciphertext: both.subarray(0, -16), tag: both.subarray(-16) };
}

/** WebCrypto's types want bytes that nobody shares. */
function bufferOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);
}
