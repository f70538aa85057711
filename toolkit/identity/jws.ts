import { createHash } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { isHexString } from "ethers";
import * as secp256k1 from "tiny-secp256k1";
import { fromHex } from "../internal/bytes.js";
import { RECOVERY_METHOD, type VerificationMethod } from "./did.js";
import { deviceIdOf } from "./keys.js";

/** The algorithms that are spoken here: RFC 7518 and RFC 8812. Whatever else a token names isn't read. */
export const ALGORITHMS = ["ES256", "ES256K"] as const;
export type JwsAlgorithm = (typeof ALGORITHMS)[number];

const SIGNATURE_BYTES = 64;
// Varints of the multicodecs p256-pub and secp256k1-pub; a compressed point follows.
const MULTIKEYS: Readonly<Record<string, JwsAlgorithm>> = { "8024": "ES256", e701: "ES256K" };
const COMPRESSED_BYTES = 33;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A compact JWS, its base64url taken off; nothing in it is checked yet. */
export interface Jws {
  readonly header: unknown;
  readonly payload: unknown;
  /** SHA-256 of the signing input, 32 bytes. */
  readonly digest: Uint8Array;
  /** r ‖ s, 64 bytes. */
  readonly signature: Uint8Array;
}

/** Writes a compact JWS; `sign` is given SHA-256 of the signing input and returns r ‖ s, or r ‖ s ‖ v. */
export async function writeJws(
  header: object,
  payload: object,
  sign: (digest: Uint8Array) => Uint8Array | Promise<Uint8Array>,
): Promise<string> {
  const input = [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  const signature = (await sign(sha256(input))).subarray(0, SIGNATURE_BYTES);
  return `${input}.${Buffer.from(signature).toString("base64url")}`;
}

/** Reads a compact JWS. Undefined unless it is three pieces of canonical base64url, two of JSON and one of 64 bytes. */
export function readJws(jws: string): Jws | undefined {
  const [header, payload, signature, ...rest] = jws.split(".").map(decodeBase64url);
  if (!header || !payload || signature?.length !== SIGNATURE_BYTES || rest.length > 0) return undefined;
  try {
    const digest = sha256(jws.slice(0, jws.lastIndexOf(".")));
    return { header: parseJson(header), payload: parseJson(payload), digest, signature };
  } catch {
    return undefined;
  }
}

/**
 * Whether a signature is the method's, by the one algorithm that the method's key is for: a token can't choose another. False, never an
 * error, for keys that are none. s may be in either half: JOSE allows both, and nothing here is used up by its signature.
 *
 * @param chainId The chain that accounts must be of.
 */
export function verifiesJws(
  method: VerificationMethod,
  algorithm: JwsAlgorithm,
  chainId: bigint,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    if (method.type === RECOVERY_METHOD) {
      return algorithm === "ES256K" && isAccountSignature(method.blockchainAccountId, chainId, digest, signature);
    }
    const key = publicKeyOf(method);
    if (key?.algorithm !== algorithm) return false;
    return algorithm === "ES256"
      ? p256.verify(signature, digest, key.point, { prehash: false, lowS: false })
      : secp256k1.verify(digest, key.point, signature);
  } catch {
    return false;
  }
}

/** The signer's account is recovered; without v, both that r allows are tried. */
function isAccountSignature(
  account: string | undefined,
  chainId: bigint,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  return ([0, 1] as const).some((parity) => {
    const point = secp256k1.recover(digest, signature, parity, false);
    if (point === null) return false;
    const signer = `eip155:${chainId}:${deviceIdOf(point.subarray(1))}`;
    return account?.toLowerCase() === signer.toLowerCase();
  });
}

function publicKeyOf({ type, publicKeyHex }: VerificationMethod) {
  if (publicKeyHex === undefined || !isHexString(`0x${publicKeyHex}`)) return undefined;
  const bytes = fromHex(publicKeyHex);
  if (type === "EcdsaSecp256k1VerificationKey2019") return { algorithm: "ES256K", point: bytes } as const;
  const algorithm = type === "Multikey" ? MULTIKEYS[publicKeyHex.slice(0, 4).toLowerCase()] : undefined;
  const point = bytes.subarray(2);
  return algorithm && point.length === COMPRESSED_BYTES ? { algorithm, point } : undefined;
}

function decodeBase64url(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, "base64url");
  // Node skips what is no base64url and ignores bits at the end; one text for one value, or a token could be changed without notice.
  return text !== "" && bytes.toString("base64url") === text ? new Uint8Array(bytes) : undefined;
}

function parseJson(bytes: Uint8Array): unknown {
  return JSON.parse(utf8.decode(bytes));
}

function sha256(text: string): Uint8Array {
  return new Uint8Array(createHash("sha256").update(text).digest());
}
