import { p256 } from "@noble/curves/nist.js";
import { decode, encode } from "cborg";
import { base64url, calculateJwkThumbprint, generalDecrypt } from "jose";
import { concat, keccak256, sameBytes } from "../internal/bytes.js";
import { type EcPrivateJwk, type EcPublicJwk, encryptGcm, KEY_WRAP, unwrapKey, wrapKey } from "../internal/key-wrap.js";
import { contentHash, type PayloadContent, type SealedContent } from "./contents.js";
import {
  CONTENT_CIPHER,
  MAX_RECIPIENTS,
  MAX_SEALED_BYTES,
  SealError,
  type SealedJwe,
  type SealedRecipient,
} from "./jwe.js";

export { SEALED_SCHEMA } from "./contents.js";

/** Where random bytes come from: a device's own generator. */
export type RandomBytes = (length: number) => Uint8Array;

/** How to seal. */
export interface SealOptions {
  /** The media type of the plaintext, such as `application/senml+cbor`. Everyone can read it. */
  readonly contentType?: string;
  /** Default: that of the platform. Whoever can guess these bytes can read the plaintext. */
  readonly random?: RandomBytes;
}

/** What comes of sealing. */
export interface Sealed {
  readonly jwe: SealedJwe;
  /** What the reading commits to. */
  readonly content: SealedContent;
  /** What the plaintext is proved with; it stays with the source and the recipients. */
  readonly plain: PayloadContent;
}

/** A plaintext with what proves it to somebody who has no key. */
export interface Opened {
  readonly plaintext: Uint8Array;
  readonly plainSalt: Uint8Array;
}

/** The JWK thumbprint of a key (RFC 7638) as 32 bytes: how grants name recipients. Errors: ITC_SEAL_KEY. */
export async function thumbprintOf({ kty, crv, x, y }: EcPublicJwk): Promise<Uint8Array> {
  requirePoint({ kty, crv, x, y });
  return base64url.decode(await calculateJwkThumbprint({ kty, crv, x, y }));
}

/**
 * Encrypts for recipients, as a JWE in general JSON serialisation (RFC 7516 §7.2.1): A256GCM, its key wrapped by ECDH-ES+A256KW for each,
 * who are named by the thumbprints of their keys.
 *
 * What is encrypted is CBOR `[plain salt, plaintext]`. So each recipient can prove the plaintext to others, and nobody else can so much
 * as try a guess: the reading's content binds the ciphertext and the salted hash of the plaintext, and that salt is only inside. The length
 * of the plaintext is not hidden.
 *
 * Written with WebCrypto where `jose` could have served: its encryption puts the ephemeral key of a lone recipient where it would be in
 * the way of later ones, and hands out no content key to wrap again. `jose` opens what is sealed here.
 *
 * @returns Errors: ITC_SEAL_RECIPIENTS for none, too many or one twice; ITC_SEAL_KEY, ITC_SEAL_TOO_LARGE.
 * @example
 * const { jwe, content } = await seal(recording, await grants.recipients(device, now));
 * signReading(key, digests, { sequence, time, schema: SEALED_SCHEMA, content: contentHash(content) });
 */
export async function seal(
  plaintext: Uint8Array,
  recipients: readonly EcPublicJwk[],
  { contentType, random = platformRandom }: SealOptions = {},
): Promise<Sealed> {
  const plainSalt = random(32);
  const inner = encode([plainSalt, plaintext]);
  requireSize(inner.length);
  const key = random(32);
  const iv = random(12);
  const header = { enc: CONTENT_CIPHER, ...(contentType !== undefined && { cty: contentType }) };
  const protectedHeader = base64url.encode(JSON.stringify(header));
  const wrapped: SealedRecipient[] = [];
  for (const recipient of recipients) wrapped.push(await recipientOf(key, recipient, random));
  requireRecipients(wrapped);
  const { ciphertext, tag } = await encryptGcm(key, iv, inner, new TextEncoder().encode(protectedHeader));
  const jwe: SealedJwe = {
    protected: protectedHeader,
    recipients: wrapped,
    iv: base64url.encode(iv),
    ciphertext: base64url.encode(ciphertext),
    tag: base64url.encode(tag),
  };
  const plain = plainContent({ plaintext, plainSalt });
  const content = { kind: "sealed", ciphertext: sealedHash(jwe), plain: contentHash(plain), salt: random(32) } as const;
  return { jwe, plain, content };
}

/**
 * The `ciphertext` of a {@link SealedContent}: keccak256 of the ASCII text `protected.iv.ciphertext.tag`, each in base64url as in the JWE.
 * Recipients aren't in it, so that the owner can add some later (see {@link regrant}); who they are changes nothing of what was sealed.
 */
export function sealedHash({ protected: header, iv, ciphertext, tag }: Omit<SealedJwe, "recipients">): Uint8Array {
  return keccak256(new TextEncoder().encode([header, iv, ciphertext, tag].join(".")));
}

/**
 * Opens a JWE with a recipient's key, and checks it against what the device has signed: that this is the ciphertext, and that what is inside
 * is what the device said is inside. Without the second a source could give each recipient another plaintext, since AES-GCM doesn't commit
 * to its key.
 *
 * @param jwe From {@link readSealed}, which refuses other algorithms and sizes. @param content As the reading's evidence tells it.
 * @returns Errors: ITC_SEAL_OTHER when it isn't the ciphertext of `content`, ITC_SEAL_NO_ACCESS when the key is no recipient's,
 *   ITC_SEAL_BROKEN when it doesn't decrypt, ITC_SEAL_PLAINTEXT when something else is inside.
 */
export async function openSealed(jwe: SealedJwe, key: EcPrivateJwk, content: SealedContent): Promise<Opened> {
  if (!sameBytes(sealedHash(jwe), content.ciphertext)) {
    throw new SealError("ITC_SEAL_OTHER", "The ciphertext isn't what the device signed.", "Fetch it again.");
  }
  const recipient = await ownEntry(jwe, key);
  let inner: unknown;
  try {
    const { plaintext } = await generalDecrypt(
      { ...jwe, recipients: [recipient] },
      { ...key },
      {
        keyManagementAlgorithms: [KEY_WRAP],
        contentEncryptionAlgorithms: [CONTENT_CIPHER],
      },
    );
    inner = decode(plaintext);
  } catch (cause) {
    throw broken(cause);
  }
  const [plainSalt, plaintext] = Array.isArray(inner) && inner.length === 2 ? inner : [];
  if (plainSalt instanceof Uint8Array && plaintext instanceof Uint8Array) {
    const opened = { plaintext, plainSalt };
    if (isPlaintext(content, opened)) return opened;
  }
  const what = "Inside is something else than the device said.";
  throw new SealError("ITC_SEAL_PLAINTEXT", what, "Report the device: it contradicts itself.");
}

/** Whether a plaintext is what a sealed reading holds; for whoever has no key, and was shown plaintext and salt. */
export function isPlaintext(content: SealedContent, opened: Opened): boolean {
  return opened.plainSalt.length === 32 && sameBytes(contentHash(plainContent(opened)), content.plain);
}

/** The content of a plaintext. */
export function plainContent({ plaintext, plainSalt }: Opened): PayloadContent {
  return { kind: "payload", hash: keccak256(plaintext), salt: plainSalt };
}

/**
 * Lets one more read what was sealed: wraps the content key once more (RFC 7516 lets each recipient have its own). The ciphertext, and so
 * what is anchored, stays as it is.
 *
 * @param key Of any recipient, such as the owner. @param recipient Who gets access.
 * @returns A JWE with one recipient more. Errors: ITC_SEAL_NO_ACCESS, ITC_SEAL_BROKEN, ITC_SEAL_RECIPIENTS, ITC_SEAL_KEY.
 */
export async function regrant(
  jwe: SealedJwe,
  key: EcPrivateJwk,
  recipient: EcPublicJwk,
  random: RandomBytes = platformRandom,
): Promise<SealedJwe> {
  const { header, encrypted_key } = await ownEntry(jwe, key);
  let content: Uint8Array;
  try {
    content = await unwrapKey(base64url.decode(encrypted_key), key, header.epk);
  } catch (cause) {
    throw broken(cause);
  }
  const recipients = [...jwe.recipients, await recipientOf(content, recipient, random)];
  requireRecipients(recipients);
  return { ...jwe, recipients };
}

async function recipientOf(content: Uint8Array, recipient: EcPublicJwk, random: RandomBytes): Promise<SealedRecipient> {
  const kid = base64url.encode(await thumbprintOf(recipient));
  const ephemeral = secretJwk(random);
  const wrapped = await wrapKey(content, ephemeral, recipient);
  const { d: _secret, ...epk } = ephemeral;
  return { header: { alg: KEY_WRAP, kid, epk }, encrypted_key: base64url.encode(wrapped) };
}

/** A fresh P-256 key of 48 random bytes, so that none is likelier than another (FIPS 186-5 A.2.1). */
function secretJwk(random: RandomBytes): EcPrivateJwk {
  return jwkOfSecret(p256.utils.randomSecretKey(random(48)));
}

/** A P-256 key as JWK, from its 32 secret bytes. */
export function jwkOfSecret(secret: Uint8Array): EcPrivateJwk {
  return { ...jwkOfPoint(p256.getPublicKey(secret, false).subarray(1)), d: base64url.encode(secret) };
}

/** A P-256 public key as JWK, from its 64 bytes x ‖ y. */
export function jwkOfPoint(point: Uint8Array): EcPublicJwk {
  return {
    kty: "EC",
    crv: "P-256",
    x: base64url.encode(point.subarray(0, 32)),
    y: base64url.encode(point.subarray(32)),
  };
}

async function ownEntry({ recipients }: SealedJwe, key: EcPrivateJwk): Promise<SealedRecipient> {
  const kid = base64url.encode(await thumbprintOf(key));
  const own = recipients.find(({ header }) => header.kid === kid);
  if (own) return own;
  const what = `The key ${kid} is none of the ${recipients.length} recipients'.`;
  throw new SealError("ITC_SEAL_NO_ACCESS", what, "Ask the owner for a grant.");
}

function requirePoint(key: EcPublicJwk): void {
  try {
    const point = concat(Uint8Array.of(4), base64url.decode(key.x), base64url.decode(key.y));
    if (key.kty === "EC" && key.crv === "P-256" && point.length === 65) return void p256.Point.fromBytes(point);
  } catch {
    // Said below.
  }
  throw new SealError("ITC_SEAL_KEY", "A recipient's key is no point of P-256.", "Pass its JWK.");
}

function requireRecipients(recipients: readonly SealedRecipient[]): void {
  const names = new Set(recipients.map(({ header }) => header.kid));
  if (names.size > 0 && names.size === recipients.length && names.size <= MAX_RECIPIENTS) return;
  const what = `${recipients.length} recipients of ${names.size} keys, 1 to ${MAX_RECIPIENTS} are possible, each once.`;
  throw new SealError("ITC_SEAL_RECIPIENTS", what, "Pass each recipient once.");
}

function requireSize(length: number): void {
  if (length <= MAX_SEALED_BYTES) return;
  const what = `The plaintext has ${length} bytes, ${MAX_SEALED_BYTES} is the limit.`;
  throw new SealError("ITC_SEAL_TOO_LARGE", what, "Seal a recording in parts.");
}

function broken(cause: unknown): SealError {
  return new SealError("ITC_SEAL_BROKEN", "The ciphertext doesn't decrypt.", "Fetch it again.", { cause });
}

function platformRandom(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}
