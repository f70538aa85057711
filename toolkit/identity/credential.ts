import { isError } from "ethers";
import { z } from "zod";
import type { DeviceRegistry } from "../contracts.js";
import { IotchainError } from "../errors.js";
import { type Finding, finding, isoOf, type Verdict, verdictOf } from "../internal/findings.js";
import { DidError, deviceDid, parseDeviceDid, type VerificationMethod } from "./did.js";
import { ALGORITHMS, type JwsAlgorithm, readJws, verifiesJws, writeJws } from "./jws.js";
import type { DeviceId, KeyKind } from "./keys.js";
import type { LotId } from "./lots.js";
import { stateName } from "./states.js";

/** A credential that isn't one: not the format, or too large. */
export class CredentialError extends IotchainError {}

/** Longest credential that is looked at, in characters. A real one has about a thousand. */
export const MAX_CREDENTIAL_LENGTH = 16 * 1024;

const MEDIA_TYPE = "vc+jwt";
const CONTEXT = "https://www.w3.org/ns/credentials/v2";
// The data model's own vocabulary for terms that no context defines; ours are plain words.
const TERMS = "https://www.w3.org/ns/credentials/undefined-terms/v2";
const TYPES = ["VerifiableCredential", "DeviceEndorsementCredential"];
const ALGORITHM_OF = { secp256k1: "ES256K", p256: "ES256" } as const satisfies Record<string, JwsAlgorithm>;

/** What a maker says of one device. Times are Unix seconds. */
export interface Endorsement {
  readonly chainId: bigint;
  /** The maker's account, with which it is registered as an issuer. */
  readonly issuer: string;
  readonly device: DeviceId;
  readonly lot: LotId;
  readonly keyKind: KeyKind;
  /** 0 software, 1 TEE, 2 secure element, 3 PUF; as the lot says. */
  readonly assurance: number;
  readonly validFrom: bigint;
  readonly validUntil: bigint;
  /** What else the maker states, such as model and serial number: any JSON. It can't change what is above. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** A key that signs credentials, such as a `DeviceKey`; a key in hardware may take its time. */
export interface CredentialSigner {
  readonly kind: keyof typeof ALGORITHM_OF;
  /** Signs 32 bytes; r ‖ s, what follows is left out. */
  sign(digest: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/**
 * Issues a W3C Verifiable Credential (Data Model 2.0) of a device's endorsement, secured as a JWT by "Securing Verifiable Credentials
 * using JOSE and COSE": typ `vc+jwt`, ES256K or ES256 by the kind of the signer's key.
 *
 * @param signer The key that the issuer's DID document shows.
 * @param fragment Which of the document's keys that is; the issuer's account itself is `controller`.
 * @returns The compact JWT. Errors: ITC_CREDENTIAL_DATES for a validity that ends before it begins.
 * @example
 * const jwt = await issueCredential({ chainId, issuer, device: key.id, lot, keyKind: "p256", assurance: 2, validFrom, validUntil }, maker);
 */
export async function issueCredential(
  { chainId, issuer, device, claims, validFrom, validUntil, ...subject }: Endorsement,
  signer: CredentialSigner,
  fragment = "controller",
): Promise<string> {
  if (validUntil <= validFrom) {
    const what = `The credential would end at ${validUntil} and begin at ${validFrom}.`;
    throw new CredentialError("ITC_CREDENTIAL_DATES", what, "Let it end later.");
  }
  const did = deviceDid(chainId, issuer);
  const header = { alg: ALGORITHM_OF[signer.kind], typ: MEDIA_TYPE, kid: `${did}#${fragment}` };
  const payload = {
    "@context": [CONTEXT, TERMS],
    type: TYPES,
    issuer: did,
    // The same in the words of a JWT, for verifiers that know no credentials.
    iss: did,
    validFrom: isoOf(validFrom),
    validUntil: isoOf(validUntil),
    credentialSubject: { ...claims, id: deviceDid(chainId, device), ...subject },
  };
  return writeJws(header, payload, (digest) => signer.sign(digest));
}

const did = z.string().transform((text, context) => {
  try {
    return { text, ...parseDeviceDid(text) };
  } catch (error) {
    if (!(error instanceof DidError)) throw error;
    context.addIssue({ code: "custom", message: "a DID did:ethr:0x<chain>:0x<address>" });
    return z.NEVER;
  }
});
const seconds = z.iso.datetime({ offset: true }).transform((text) => BigInt(Math.floor(Date.parse(text) / 1000)));
const numericDate = z.number().int().nonnegative().transform(BigInt);

// Strict: `crit`, `b64`, keys and addresses of keys in a header are ways to talk a verifier out of what it would do.
const Header = z.strictObject({
  alg: z.enum(ALGORITHMS),
  typ: z.literal(MEDIA_TYPE),
  cty: z.literal("vc").optional(),
  kid: z.string().max(256),
});

const Payload = z.looseObject({
  "@context": z.tuple([z.literal(CONTEXT)], z.unknown()),
  type: z.array(z.string()).refine((types) => TYPES.every((type) => types.includes(type)), `the types ${TYPES}`),
  issuer: z.union([did, z.looseObject({ id: did }).transform(({ id }) => id)]),
  iss: z.string().optional(),
  sub: z.string().optional(),
  validFrom: seconds,
  validUntil: seconds.optional(),
  nbf: numericDate.optional(),
  exp: numericDate.optional(),
  credentialSubject: z.looseObject({
    id: did,
    lot: z.string().regex(/^0x[0-9a-f]{64}$/, "a lot's id"),
    keyKind: z.string(),
    assurance: z.number().int().min(0).max(255),
  }),
  // Claims of the data model before this one, and statuses that aren't looked up here: better refused than passed over.
  vc: z.undefined().optional(),
  credentialStatus: z.undefined().optional(),
});

/** A credential as it was read; whether it holds is another matter. */
export interface DeviceCredential {
  /** DIDs, as they are written. */
  readonly issuer: string;
  readonly subject: string;
  readonly device: DeviceId;
  readonly validFrom: bigint;
  readonly validUntil: bigint | undefined;
  /** `credentialSubject`: id, lot, keyKind, assurance, and what else the maker stated. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** What a check of a credential found, and what the credential says. */
export interface CredentialVerdict extends Verdict {
  readonly credential: DeviceCredential;
}

/** Finds DID documents; a `Resolver` of the package did-resolver is one. */
export interface DidResolver {
  resolve(did: string): Promise<unknown>;
}

/** What a credential is checked against. */
export interface CredentialTrust {
  /** For did:ethr on the chain of the issuer. It must read the registry that you trust. */
  readonly resolver: DidResolver;
  /** Unix seconds; the clock of this machine if left out. */
  readonly now?: bigint;
  /** The registry that must agree. Without it the verdict says only that the issuer signed, not that it may endorse. */
  readonly registry?: Pick<DeviceRegistry, "deviceOf" | "lotOf" | "isIssuer" | "runner">;
}

/**
 * Checks a device's endorsement: the signature by the key that `kid` names in the issuer's DID document, the dates, and that the chain
 * agrees.
 *
 * @returns What holds and what does not. Errors: ITC_CREDENTIAL_TOO_LARGE and ITC_CREDENTIAL_MALFORMED for what is no such
 *   credential, and the failures of resolver and node.
 * @example
 * const resolver = new Resolver(getResolver({ networks: [{ chainId: 31337, registry, provider }] }));
 * const { holds, findings, credential } = await checkCredential(jwt, { resolver, registry: DeviceRegistry__factory.connect(registry, provider) });
 */
export async function checkCredential(
  jwt: string,
  { resolver, registry, now = BigInt(Math.floor(Date.now() / 1000)) }: CredentialTrust,
): Promise<CredentialVerdict> {
  const token = readToken(jwt);
  const findings = [...(await checkIssuer(token, resolver)), checkDates(token, now)];
  if (registry) findings.push(...(await checkChain(token, registry)));
  const { issuer, validFrom, validUntil, credentialSubject } = token.payload;
  const { id, ...claims } = credentialSubject;
  const subject = { subject: id.text, device: id.device, claims: { id: id.text, ...claims } };
  return { ...verdictOf(findings), credential: { issuer: issuer.text, ...subject, validFrom, validUntil } };
}

type Token = ReturnType<typeof readToken>;

function readToken(jwt: string) {
  if (jwt.length > MAX_CREDENTIAL_LENGTH) {
    const what = `The credential has more than ${MAX_CREDENTIAL_LENGTH} characters.`;
    throw new CredentialError("ITC_CREDENTIAL_TOO_LARGE", what, "Pass the endorsement of one device.");
  }
  const jws = readJws(jwt);
  if (!jws) throw malformed("It is no compact JWS of ES256 or ES256K.");
  const header = parsed(Header, jws.header, "header");
  const payload = parsed(Payload, jws.payload, "payload");
  const { issuer, iss, sub, credentialSubject } = payload;
  if ((iss ?? issuer.text) !== issuer.text || (sub ?? credentialSubject.id.text) !== credentialSubject.id.text) {
    throw malformed("Its claims iss and sub contradict the credential.");
  }
  return { header, payload, digest: jws.digest, signature: jws.signature };
}

function parsed<Schema extends z.ZodType>(schema: Schema, value: unknown, part: string): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw malformed(`Its ${[part, ...(issue?.path ?? [])].join(".")} is wrong: ${issue?.message ?? "unknown"}.`);
}

function malformed(what: string): CredentialError {
  return new CredentialError("ITC_CREDENTIAL_MALFORMED", what, "Pass a DeviceEndorsementCredential as vc+jwt.");
}

const Method = z.looseObject({
  id: z.string(),
  type: z.string(),
  controller: z.string(),
  blockchainAccountId: z.string().optional(),
  publicKeyHex: z.string().optional(),
});
const Resolution = z.looseObject({
  didDocument: z.looseObject({
    id: z.string(),
    verificationMethod: z.array(Method),
    assertionMethod: z.array(z.unknown()),
  }),
  didDocumentMetadata: z.looseObject({ deactivated: z.boolean().optional() }).optional(),
});

async function checkIssuer({ header, payload, digest, signature }: Token, resolver: DidResolver): Promise<Finding[]> {
  const { text: issuer, chainId } = payload.issuer;
  const found = Resolution.safeParse(await resolver.resolve(issuer));
  const document = found.data?.didDocument.id === issuer ? found.data.didDocument : undefined;
  const deactivated = found.data?.didDocumentMetadata?.deactivated === true;
  const state = document ? (deactivated ? "deactivated" : "in force") : "not found";
  const method: VerificationMethod | undefined = document?.assertionMethod.includes(header.kid)
    ? document.verificationMethod.find(({ id, controller }) => id === header.kid && controller === issuer)
    : undefined;
  const signed = method !== undefined && verifiesJws(method, header.alg, chainId, digest, signature);
  return [
    finding("issuer", document !== undefined && !deactivated, `DID document of ${issuer}: ${state}`),
    finding("key", method !== undefined, `${header.kid} is ${method ? "" : "not "}a key that the issuer asserts with`),
    finding("signature", signed, `${header.alg} by ${header.kid}`),
  ];
}

function checkDates({ payload: { validFrom, validUntil, nbf, exp } }: Token, now: bigint): Finding {
  const begun = now >= validFrom && now >= (nbf ?? validFrom);
  const ended = (validUntil !== undefined && now >= validUntil) || (exp !== undefined && now >= exp);
  const until = validUntil === undefined ? "without an end" : `until ${isoOf(validUntil)}`;
  return finding("dates", begun && !ended, `from ${isoOf(validFrom)} ${until}, checked at ${isoOf(now)}`);
}

async function checkChain(token: Token, registry: NonNullable<CredentialTrust["registry"]>): Promise<Finding[]> {
  const { issuer, credentialSubject: subject } = token.payload;
  const provider = registry.runner?.provider;
  if (!provider) {
    throw new CredentialError("ITC_CREDENTIAL_NO_NODE", "The registry has no node.", "Connect it to a provider.");
  }
  const { chainId } = await provider.getNetwork();
  const here = issuer.chainId === chainId && subject.id.chainId === chainId;
  const chain = finding("chain", here, `DIDs of ${issuer.chainId} and ${subject.id.chainId}, node on ${chainId}`);
  // On another chain the addresses mean nothing.
  if (!here) return [chain];
  try {
    const [{ state, lot, assurance }, registered] = await Promise.all([
      registry.deviceOf(subject.id.device),
      registry.isIssuer(issuer.device),
    ]);
    const [maker] = await registry.lotOf(lot);
    const alive = state === 1n || state === 2n;
    const endorsed = lot === subject.lot && maker === issuer.device;
    return [
      chain,
      finding("device", alive, `${subject.id.device} is ${stateName(state)}`),
      finding("lot", endorsed, `on chain the device is of lot ${lot} by ${maker}`),
      finding("registered", registered, `${issuer.device} is ${registered ? "" : "not "}a registered issuer`),
      finding(
        "assurance",
        assurance >= BigInt(subject.assurance),
        `${subject.assurance} stated, ${assurance} on chain`,
      ),
    ];
  } catch (error) {
    if (!isError(error, "BAD_DATA") && !isError(error, "CALL_EXCEPTION")) throw error;
    return [chain, finding("device", false, "no such contract there")];
  }
}
