import { encodeBase58, encodeBase64, getAddress, toUtf8String, ZeroAddress } from "ethers";
import { IotchainError } from "../errors.js";
import { concat, toHex } from "../internal/bytes.js";
import type { DeviceId } from "./keys.js";

/** A DID, or a part of its document, that can't be believed. */
export class DidError extends IotchainError {}

/** One ERC-1056 event of an identity. Names and types are the 32 bytes of the event, times Unix seconds. */
export type DidChange =
  | { readonly kind: "owner"; readonly owner: string }
  | { readonly kind: "delegate"; readonly type: Uint8Array; readonly delegate: string; readonly validTo: bigint }
  | ({ readonly kind: "attribute" } & AttributeChange);

/** An attribute as it was set, or revoked by a `validTo` that is over. */
export interface AttributeChange {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
  readonly validTo: bigint;
}

/** What a DID document says of a key; one of the last members holds it. */
export interface VerificationMethod {
  readonly id: string;
  readonly type: string;
  readonly controller: string;
  readonly blockchainAccountId?: string;
  readonly publicKeyHex?: string;
  readonly publicKeyBase64?: string;
  readonly publicKeyBase58?: string;
  readonly publicKeyPem?: string;
  readonly value?: string;
}

/** A service endpoint; the endpoint is text, or whatever JSON the owner wrote. */
export interface DidService {
  readonly id: string;
  readonly type: string;
  readonly serviceEndpoint: unknown;
}

/** A DID document (DID Core, `application/did+json`). Its lists are sets; here they stand by number. */
export interface DidDocument {
  readonly id: string;
  readonly verificationMethod: readonly VerificationMethod[];
  readonly authentication: readonly string[];
  readonly assertionMethod: readonly string[];
  readonly keyAgreement?: readonly string[];
  readonly service?: readonly DidService[];
}

/** A document, and whether the identity has come to its end; then the document is empty. */
export interface ResolvedDid {
  readonly didDocument: DidDocument;
  readonly deactivated: boolean;
}

/** A key of a document, with the number that its event has. */
export interface NumberedMethod {
  readonly number: number;
  readonly purpose: "sigAuth" | "veriKey" | "enc";
  readonly key: Omit<VerificationMethod, "id" | "controller">;
}

/** A service of a document, with the number that its event has. */
export interface NumberedService {
  readonly number: number;
  readonly service: Omit<DidService, "id">;
}

/** The method of an account: who signs is recovered from the signature. */
export const RECOVERY_METHOD = "EcdsaSecp256k1RecoveryMethod2020";

/**
 * The did:ethr identifier of a device, or of any account.
 *
 * @example
 * deviceDid(31337n, key.id); // did:ethr:0x7a69:0x…
 */
export function deviceDid(chainId: bigint, device: string): string {
  return `did:ethr:0x${chainId.toString(16)}:${getAddress(device)}`;
}

/**
 * The parts of an identifier of the form that {@link deviceDid} writes; the address may be in any case. Names of networks and public keys
 * in place of addresses, which did:ethr knows too, are refused: one identity should have one name. Errors: ITC_DID_MALFORMED.
 */
export function parseDeviceDid(did: string): { readonly chainId: bigint; readonly device: DeviceId } {
  const parts = /^did:ethr:(0x[1-9a-f][0-9a-f]{0,15}):(0x[0-9a-fA-F]{40})$/.exec(did);
  if (!parts?.[1] || !parts[2]) {
    throw new DidError("ITC_DID_MALFORMED", "That is no DID of a device.", "Pass did:ethr:0x<chain>:0x<address>.");
  }
  return { chainId: BigInt(parts[1]), device: getAddress(parts[2].toLowerCase()) as DeviceId };
}

/**
 * The document that follows from an identity's ERC-1056 events, by the rules of the did:ethr method. It is what a resolver shows that sees
 * these events; to have an older version, pass the events up to its block and that block's time.
 *
 * @param did As {@link deviceDid} writes it.
 * @param changes All events of the identity, oldest first. Without any the identity controls itself.
 * @param now Unix seconds: what ended before is left out.
 */
export function documentOf(did: string, changes: readonly DidChange[], now: bigint): ResolvedDid {
  const { chainId, device } = parseDeviceDid(did);
  const methods = new Ledger<NumberedMethod>();
  const services = new Ledger<NumberedService>();
  let owner: string = device;
  for (const change of changes) {
    if (change.kind === "owner") {
      owner = change.owner;
      // The end: no later event counts.
      if (owner === ZeroAddress) return deactivatedDocument(did);
    } else if (change.kind === "delegate") {
      noteDelegate(methods, change, chainId, now);
    } else {
      noteAttribute(methods, services, change, now);
    }
  }
  return assembleDocument(did, owner, methods.entries(), services.entries());
}

/** The services that follow from all attribute changes of an identity, oldest first. */
export function servicesOf(attributes: readonly AttributeChange[], now: bigint): readonly NumberedService[] {
  const services = new Ledger<NumberedService>();
  for (const attribute of attributes) noteAttribute(new Ledger<NumberedMethod>(), services, attribute, now);
  return services.entries();
}

/** The document of an owner's identity with these keys and services. */
export function assembleDocument(
  did: string,
  owner: string,
  methods: readonly NumberedMethod[],
  services: readonly NumberedService[],
): ResolvedDid {
  const sorted = [...methods].sort((a, b) => a.number - b.number);
  const idOf = ({ number }: NumberedMethod): string => `${did}#delegate-${number}`;
  const controller = `${did}#controller`;
  const enc = sorted.filter(({ purpose }) => purpose === "enc");
  const didDocument: DidDocument = {
    id: did,
    verificationMethod: [
      { id: controller, controller: did, ...accountMethod(parseDeviceDid(did).chainId, owner) },
      ...sorted.map((method) => ({ id: idOf(method), controller: did, ...method.key })),
    ],
    authentication: [controller, ...sorted.filter(({ purpose }) => purpose === "sigAuth").map(idOf)],
    assertionMethod: [controller, ...sorted.filter(({ purpose }) => purpose !== "enc").map(idOf)],
    ...(enc.length > 0 && { keyAgreement: enc.map(idOf) }),
    ...(services.length > 0 && {
      service: [...services]
        .sort((a, b) => a.number - b.number)
        .map(({ number, service }) => ({ id: `${did}#service-${number}`, ...service })),
    }),
  };
  return { didDocument, deactivated: false };
}

/** The document of an identity that has no owner any more. */
export function deactivatedDocument(did: string): ResolvedDid {
  return {
    didDocument: { id: did, verificationMethod: [], authentication: [], assertionMethod: [] },
    deactivated: true,
  };
}

/** How a document shows an account. */
export function accountMethod(chainId: bigint, account: string): NumberedMethod["key"] {
  return { type: RECOVERY_METHOD, blockchainAccountId: `eip155:${chainId}:${getAddress(account)}` };
}

/** The text of a 32-byte name, zeros at the end left out; undefined if it is no UTF-8. */
export function textOf(name: Uint8Array): string | undefined {
  return utf8Of(name)?.replace(/\0+$/, "");
}

/** What stands in a document under a name, and the number that the latest event of its kind had. */
class Ledger<Entry> {
  number = 0;
  private readonly live = new Map<string, Entry>();

  put(name: string, entry: Entry): void {
    this.live.set(name, entry);
  }

  drop(name: string): void {
    this.live.delete(name);
  }

  entries(): readonly Entry[] {
    return [...this.live.values()];
  }
}

function noteDelegate(
  methods: Ledger<NumberedMethod>,
  { type, delegate, validTo }: Extract<DidChange, { kind: "delegate" }>,
  chainId: bigint,
  now: bigint,
): void {
  const purpose = textOf(type);
  if (purpose === undefined) return;
  const number = ++methods.number;
  const name = `delegate ${purpose} ${getAddress(delegate)}`;
  if (validTo < now) methods.drop(name);
  else if (purpose === "sigAuth" || purpose === "veriKey") {
    methods.put(name, { number, purpose, key: accountMethod(chainId, delegate) });
  }
}

function noteAttribute(
  methods: Ledger<NumberedMethod>,
  services: Ledger<NumberedService>,
  { name, value, validTo }: AttributeChange,
  now: bigint,
): void {
  const text = textOf(name);
  const section = /^did\/(pub|svc)\//.exec(text ?? "")?.[1];
  if (text === undefined || section === undefined) return;
  const ledger = section === "pub" ? methods : services;
  const place = `attribute ${text} ${toHex(value)}`;
  if (validTo < now) {
    ledger.number++;
    ledger.drop(place);
    return;
  }
  const parts = /^did\/(?:pub|svc)\/(\w+)(?:\/(\w+))?(?:\/(\w+))?$/.exec(text);
  // Resolvers don't count a name that only begins so, until it is over. Odd, but numbers are of use only where all agree.
  if (!parts?.[1]) return;
  const number = ++ledger.number;
  if (section === "svc") {
    const endpoint = utf8Of(value);
    if (endpoint !== undefined) {
      services.put(place, { number, service: { type: parts[1], serviceEndpoint: jsonOr(endpoint) } });
    }
    return;
  }
  const key = publicKeyMethod(parts[1], parts[2], parts[3], value);
  if (key) methods.put(place, { number, purpose: purposeOf(parts[2]), key });
}

/** `did/pub/<algorithm>/<purpose>/<encoding>`; the encodings and the names of types are the method's. */
function publicKeyMethod(
  algorithm: string,
  purpose: string | undefined,
  encoding: string | undefined,
  value: Uint8Array,
): NumberedMethod["key"] | undefined {
  const type = METHOD_TYPES[`${algorithm}/${purpose}`] ?? algorithm;
  const hex = toHex(value).slice(2);
  switch (encoding) {
    case undefined:
    case "hex":
      return { type, publicKeyHex: hex };
    case "base64":
      return { type, publicKeyBase64: encodeBase64(value) };
    case "base58":
      return { type, publicKeyBase58: encodeBase58(value) };
    case "pem": {
      const publicKeyPem = utf8Of(value);
      return publicKeyPem === undefined ? undefined : { type, publicKeyPem };
    }
    default:
      return { type, value: hex };
  }
}

const METHOD_TYPES: Readonly<Record<string, string>> = {
  "Secp256k1/veriKey": "EcdsaSecp256k1VerificationKey2019",
  "Secp256k1/sigAuth": "EcdsaSecp256k1VerificationKey2019",
  "Ed25519/veriKey": "Ed25519VerificationKey2018",
  "Ed25519/sigAuth": "Ed25519VerificationKey2018",
  "RSA/veriKey": "RSAVerificationKey2018",
  "X25519/enc": "X25519KeyAgreementKey2019",
};

function purposeOf(text: string | undefined): NumberedMethod["purpose"] {
  return text === "sigAuth" || text === "enc" ? text : "veriKey";
}

function utf8Of(bytes: Uint8Array): string | undefined {
  try {
    return toUtf8String(bytes);
  } catch {
    return undefined;
  }
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The value of a P-256 key as a Multikey: 0x8024 (the varint of p256-pub) ‖ compressed point. */
export function p256Multikey(point: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(0x80, 0x24, 2 + ((point[63] ?? 0) & 1)), point.subarray(0, 32));
}
