import { sha256 } from "ethers";
import { z } from "zod";
import { fromHex, keccak256, sameBytes } from "../internal/bytes.js";
import { AttestationError, TRUST_TIERS, type TrustTier } from "./attestation.js";
import type { DeviceId } from "./keys.js";

// Attestation results as EAR claims sets in JSON (draft-ietf-rats-ear-04), with the claims of the device as in EAT (RFC 9711).

/** The `eat_profile` of the claims sets here. */
export const EAR_PROFILE = "tag:ietf.org,2026:rats/ear#04";

/** Largest token that is looked at, in bytes. */
export const MAX_TOKEN_BYTES = 256 * 1024;

/** Base64url without padding of so many bytes. */
const binary = (least: number, most: number): z.ZodString =>
  z
    .string()
    .regex(/^[A-Za-z0-9_-]+$/, "base64url")
    .refine((text) => {
      const { length } = Buffer.from(text, "base64url");
      return least <= length && length <= most;
    }, `${least} to ${most} bytes as base64url`);
const time = z.int().nonnegative();
const text = z.string().min(1);
const version = z.union([z.tuple([text]), z.tuple([text, text])]);
const nonce = z.union([z.string().min(8).max(88), z.array(z.string().min(8).max(88)).min(2)]);
const tier = z.enum(Object.keys(TRUST_TIERS) as [TrustTier, ...TrustTier[]]);
const trustworthiness = z.int().min(-128).max(127).optional();

/** RFC 9711 §4.2.17: measurements compared with reference values. */
const comparison = z.tuple([text, z.array(z.tuple([text, z.enum(["success", "fail", "not-run", "absent"])])).min(1)]);

/** What the device said of itself: claims of RFC 9711 §4.2, of which some make no sense without others. */
const AttesterClaims = z
  .object({
    ueid: binary(7, 33).optional(),
    oemid: z.union([z.int(), binary(3, 3), binary(16, 16)]).optional(),
    hwmodel: binary(1, 32).optional(),
    hwversion: version.optional(),
    swname: text.optional(),
    swversion: version.optional(),
    oemboot: z.boolean().optional(),
    dbgstat: z
      .enum(["enabled", "disabled", "disabled-since-boot", "disabled-permanently", "disabled-fully-and-permanently"])
      .optional(),
    measurements: z
      .array(z.tuple([z.int().min(0).max(65535), z.string().regex(/^[A-Za-z0-9_-]+$/, "base64url")]))
      .min(1)
      .optional(),
    eat_nonce: nonce.optional(),
  })
  .refine(({ hwmodel, oemid }) => hwmodel === undefined || oemid !== undefined, "hwmodel needs oemid")
  .refine(({ hwversion, hwmodel }) => hwversion === undefined || hwmodel !== undefined, "hwversion needs hwmodel")
  .refine(({ swversion, swname }) => swversion === undefined || swname !== undefined, "swversion needs swname");

/** What the verifier adds: the comparison with its reference values, and the fleet's root. The latter's name is our own. */
const VerifierClaims = z.object({
  measres: z.array(comparison).min(1).optional(),
  iotchain_fleet_root: z
    .string()
    .regex(/^0x[0-9a-f]{64}$/, "a root")
    .optional(),
});

/** AR4SI's eight aspects, -128 to 127 each. */
const TrustworthinessVector = z.object({
  "instance-identity": trustworthiness,
  configuration: trustworthiness,
  executables: trustworthiness,
  "file-system": trustworthiness,
  hardware: trustworthiness,
  "runtime-opaque": trustworthiness,
  "storage-opaque": trustworthiness,
  "sourced-data": trustworthiness,
});

const Appraisal = z
  .object({
    ear_status: tier,
    ear_trustworthiness_vector: TrustworthinessVector.optional(),
    ear_appraisal_policy_ids: z.array(text).min(1).optional(),
    ear_attester_claims: AttesterClaims.optional(),
    ear_verifier_claims: VerifierClaims.optional(),
  })
  .refine(
    ({ ear_status: status, ear_trustworthiness_vector: vector = {} }) =>
      status === "none" || Object.values(vector).every((value) => tierNumberOf(value ?? 0) <= TRUST_TIERS[status]),
    "ear_status promises more than the trustworthiness vector",
  );

/** The number of the tier that a value of the vector falls into (draft-ietf-rats-ar4si §2.3.2). */
function tierNumberOf(value: number): number {
  const size = value < 0 ? -value - 1 : value;
  if (size >= 96) return TRUST_TIERS.contraindicated;
  if (size >= 32) return TRUST_TIERS.warning;
  return value >= 2 || value <= -2 ? TRUST_TIERS.affirming : TRUST_TIERS.none;
}

// Unknown claims are dropped, as receivers must ignore them. One submodule: a result on the chain is on one device or one fleet.
const EarClaims = z.object({
  eat_profile: z.literal(EAR_PROFILE),
  iat: time,
  exp: time,
  ear_verifier_id: z.object({ developer: text, build: text }),
  eat_nonce: nonce.optional(),
  submods: z.record(text, Appraisal).refine((all) => Object.keys(all).length === 1, "one submodule"),
});

/** What a device says of itself (claims of RFC 9711 §4.2, by their names and in their JSON form). */
export type AttesterClaims = z.infer<typeof AttesterClaims>;
/** AR4SI's trustworthiness vector. */
export type TrustworthinessVector = z.infer<typeof TrustworthinessVector>;
/** An EAR claims set, as it stands in the payload of its JWT. */
export type EarClaims = z.infer<typeof EarClaims>;

/** What a verifier found. Times are Unix seconds. */
export interface AttestationResult {
  /** A device, or the root of a fleet (32 bytes as hex). */
  readonly subject: { readonly device: DeviceId } | { readonly root: string };
  readonly tier: TrustTier;
  /** The measurement of the reference that the firmware matches, 32 bytes; nothing if it matches none. */
  readonly measurement?: Uint8Array;
  readonly issuedAt: bigint;
  readonly expiry: bigint;
  /** The verifier's software, `ear_verifier_id`. */
  readonly verifier: { readonly developer: string; readonly build: string };
  /** What the device said of itself; `ueid` is filled in. */
  readonly attester?: Omit<AttesterClaims, "ueid">;
  /** What was found, aspect by aspect. */
  readonly trustworthiness?: TrustworthinessVector;
  /** Appraisal policies that were applied. */
  readonly policies?: readonly string[];
  /** The challenge that the device's evidence answered, 8 to 88 characters. */
  readonly nonce?: string;
}

/** The `ueid` of a device: type RAND (RFC 9711 §4.2.1) with keccak256 of its 20 bytes, as base64url. */
export function ueidOf(device: DeviceId): string {
  return base64url(Uint8Array.of(0x01, ...keccak256(fromHex(device))));
}

/**
 * The EAR claims set of a result, ready to be signed as a JWT by whatever signs for the verifier.
 * Errors: ITC_ATTESTATION_CLAIMS.
 *
 * @example
 * const token = await signJwt(earClaimsOf({ subject: { device }, tier: "affirming", measurement, issuedAt, expiry, verifier }));
 * await attestations.attest(device, ref, TRUST_TIERS.affirming, expiry, resultDigestOf(token));
 */
export function earClaimsOf(result: AttestationResult): EarClaims {
  const { subject, measurement, attester, trustworthiness, policies, nonce: challenge } = result;
  const ueid = "device" in subject ? { ueid: ueidOf(subject.device) } : {};
  return parseEarClaims({
    eat_profile: EAR_PROFILE,
    iat: Number(result.issuedAt),
    exp: Number(result.expiry),
    ear_verifier_id: result.verifier,
    ...(challenge !== undefined && { eat_nonce: challenge }),
    submods: {
      device: {
        ear_status: result.tier,
        ...(trustworthiness && { ear_trustworthiness_vector: trustworthiness }),
        ...(policies && { ear_appraisal_policy_ids: policies }),
        ear_attester_claims: { ...attester, ...ueid },
        ear_verifier_claims: {
          ...(measurement && { measres: [["firmware", [[base64url(measurement), "success"]]]] }),
          ...("root" in subject && { iotchain_fleet_root: subject.root.toLowerCase() }),
        },
      },
    },
  });
}

/**
 * An EAR claims set from what JSON holds; claims that it doesn't know are dropped.
 * Errors: ITC_ATTESTATION_CLAIMS.
 */
export function parseEarClaims(json: unknown): EarClaims {
  const { success, data, error } = EarClaims.safeParse(json);
  if (success) return data;
  const what = `The claims are no attestation result: ${z.prettifyError(error)}.`;
  throw new AttestationError("ITC_ATTESTATION_CLAIMS", what, "See draft-ietf-rats-ear and RFC 9711.", { cause: error });
}

/**
 * What goes on the chain of a token: SHA-256 of its bytes as they were signed, `sha256sum` of the file. Not of canonical JSON: the bytes
 * also fix the signature, need no library, and are the same for JWT and CWT.
 *
 * @param token A JWT in compact form, or the bytes of any token.
 */
export function resultDigestOf(token: string | Uint8Array): Uint8Array {
  return fromHex(sha256(typeof token === "string" ? new TextEncoder().encode(token) : token));
}

/** What a verifier has posted of a result: the arguments of an event, and the measurement behind its reference. */
export interface PostedResult {
  readonly subject: AttestationResult["subject"];
  readonly tier: TrustTier;
  readonly expiry: bigint;
  /** `measurementOf(verifier, ref)`, 32 bytes; nothing for reference 0. */
  readonly measurement?: Uint8Array;
  readonly resultDigest: Uint8Array;
}

/**
 * Reads the token behind a result on the chain, and makes sure that it says what was posted. Its digest was posted by the verifier's own
 * account, which vouches for the bytes; the token's own signature needs no look.
 * Errors: ITC_ATTESTATION_DIGEST, ITC_ATTESTATION_TOKEN, ITC_ATTESTATION_CLAIMS, ITC_ATTESTATION_MISMATCH.
 */
export function readResult(token: string, posted: PostedResult): EarClaims {
  if (token.length > MAX_TOKEN_BYTES || !sameBytes(resultDigestOf(token), posted.resultDigest)) {
    const what = "The token isn't the one whose digest the verifier posted.";
    throw new AttestationError("ITC_ATTESTATION_DIGEST", what, "Ask the verifier for the token of this result.");
  }
  const claims = parseEarClaims(payloadOf(token));
  const wrong = mismatchOf(claims, posted);
  if (wrong !== undefined) {
    const what = `The token and the chain differ in ${wrong}.`;
    throw new AttestationError("ITC_ATTESTATION_MISMATCH", what, "Don't rely on this result; ask its verifier.");
  }
  return claims;
}

function mismatchOf({ exp, submods }: EarClaims, posted: PostedResult): string | undefined {
  const [appraisal] = Object.values(submods);
  const { ear_attester_claims: attester, ear_verifier_claims: verifier } = appraisal ?? {};
  if (appraisal?.ear_status !== posted.tier) return "ear_status";
  if (BigInt(exp) !== posted.expiry) return "exp";
  if ("device" in posted.subject && attester?.ueid !== ueidOf(posted.subject.device)) return "ueid";
  if ("root" in posted.subject && verifier?.iotchain_fleet_root !== posted.subject.root.toLowerCase())
    return "iotchain_fleet_root";
  const matched = (verifier?.measres ?? []).flatMap(([, results]) => results.filter(([, how]) => how === "success"));
  const expected = posted.measurement ? [base64url(posted.measurement)] : [];
  return matched.map(([id]) => id).join() === expected.join() ? undefined : "measres";
}

function payloadOf(token: string): unknown {
  const [, payload = "", ...rest] = token.split(".");
  try {
    if (rest.length !== 1) throw new SyntaxError("a JWT has three parts");
    return JSON.parse(Buffer.from(payload, "base64url").toString());
  } catch (cause) {
    const what = "The token is no JWT.";
    throw new AttestationError("ITC_ATTESTATION_TOKEN", what, "Give its compact form, header.payload.signature.", {
      cause,
    });
  }
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}
