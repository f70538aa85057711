import { z } from "zod";
import { IotchainError } from "../errors.js";
import { type EcPublicJwk, KEY_WRAP } from "../internal/key-wrap.js";

export type { EcPrivateJwk, EcPublicJwk } from "../internal/key-wrap.js";

/** Bytes that can't be sealed or opened. */
export class SealError extends IotchainError {}

/** How content is encrypted (RFC 7518 §5.3). */
export const CONTENT_CIPHER = "A256GCM";

/** Most bytes that are sealed at once: AES-GCM gives none before it has checked all. */
export const MAX_SEALED_BYTES = 32 * 2 ** 20;

/** Most who can open one JWE. */
export const MAX_RECIPIENTS = 64;

/** Most bytes of a JWE as text. */
export const MAX_SEALED_TEXT = Math.ceil((MAX_SEALED_BYTES * 4) / 3) + 64 * 1024;

/** Base64url in its one spelling, of `bytes` bytes or any number. */
const base64 = (bytes?: number): z.ZodType<string> =>
  z
    .string()
    .max(MAX_SEALED_TEXT)
    .refine(
      (text) => {
        const decoded = Buffer.from(text, "base64url");
        return (bytes === undefined || decoded.length === bytes) && decoded.toString("base64url") === text;
      },
      bytes === undefined ? "expected base64url" : `expected ${bytes} bytes as base64url`,
    );

const PublicJwk: z.ZodType<EcPublicJwk> = z.strictObject({
  kty: z.literal("EC"),
  crv: z.literal("P-256"),
  x: base64(32),
  y: base64(32),
});

const RecipientSchema = z.strictObject({
  header: z.strictObject({ alg: z.literal(KEY_WRAP), kid: base64(32), epk: PublicJwk }),
  encrypted_key: base64(40),
});

const Jwe = z.strictObject({
  protected: base64(),
  recipients: z
    .array(RecipientSchema)
    .min(1)
    .max(MAX_RECIPIENTS)
    .refine((all) => new Set(all.map(({ header }) => header.kid)).size === all.length, "expected each recipient once"),
  iv: base64(12),
  ciphertext: base64(),
  tag: base64(16),
});

const Protected = z.strictObject({ enc: z.literal(CONTENT_CIPHER), cty: z.optional(z.string().max(256)) });

/** A JWE in general JSON serialisation (RFC 7516 §7.2.1), with no other members and algorithms than `seal` writes. */
export type SealedJwe = z.output<typeof Jwe>;

/** One who can open a JWE. */
export type SealedRecipient = z.output<typeof RecipientSchema>;

/** Writes a JWE as JSON. */
export function writeSealed(jwe: SealedJwe): string {
  return JSON.stringify(jwe);
}

/**
 * Reads a JWE. Only the algorithms that `seal` writes are taken, each member in its one spelling: nothing is left for a header to choose, such
 * as `none`, a weaker algorithm, compression (`zip`), a password's iterations or an extension (`crit`).
 *
 * @returns Errors: ITC_SEAL_TOO_LARGE, ITC_SEAL_MALFORMED; nothing else is thrown, whatever the text is.
 */
export function readSealed(json: string): SealedJwe {
  if (json.length > MAX_SEALED_TEXT) {
    const what = `The JWE has ${json.length} characters, ${MAX_SEALED_TEXT} is the limit.`;
    throw new SealError("ITC_SEAL_TOO_LARGE", what, "Pass one sealed payload.");
  }
  const jwe = parsed(Jwe, json, "JWE");
  parsed(Protected, Buffer.from(jwe.protected, "base64url").toString(), "protected header");
  return jwe;
}

/** Reads a P-256 public key as JWK. Errors: ITC_SEAL_MALFORMED. */
export function readPublicJwk(value: unknown): EcPublicJwk {
  return parsed(PublicJwk, JSON.stringify(value) ?? "", "key");
}

function parsed<T>(schema: z.ZodType<T>, json: string, what: string): T {
  let cause: unknown;
  let wrong = "it is not JSON";
  try {
    const result = schema.safeParse(JSON.parse(json));
    if (result.success) return result.data;
    const issue = result.error.issues[0];
    wrong = `${issue?.path.join(".") || "the top"}: ${issue?.message ?? "unknown"}`;
  } catch (error) {
    cause = error;
  }
  const next = `Seal with ${KEY_WRAP} and ${CONTENT_CIPHER} for keys of P-256.`;
  throw new SealError("ITC_SEAL_MALFORMED", `The ${what} is wrong: ${wrong}.`, next, { cause });
}
