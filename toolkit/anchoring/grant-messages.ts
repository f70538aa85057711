import { getAddress, TypedDataEncoder } from "ethers";
import { z } from "zod";
import { IotchainError } from "../errors.js";
import type { RegistryDomain } from "../identity/digests.js";
import type { DeviceId } from "../identity/keys.js";
import { fromHex, toHex } from "../internal/bytes.js";
import { type EcPublicJwk, readPublicJwk } from "./jwe.js";

/** A message about grants that doesn't count. */
export class GrantError extends IotchainError {}

/** What an owner says to let somebody read what a device seals (EIP-712 struct `Grant`). Times are Unix seconds. */
export interface KeyGrant {
  readonly device: DeviceId;
  /** JWK thumbprint of the recipient's key (RFC 7638), 32 bytes. */
  readonly recipient: Uint8Array;
  /** What is sealed from this second on, */
  readonly from: bigint;
  /** and before this one. */
  readonly until: bigint;
  /** How many messages the owner has signed about the device before: 0, 1, 2 and so on. */
  readonly number: bigint;
}

/** What an owner says to end all earlier grants of a recipient (EIP-712 struct `Revocation`). */
export interface KeyRevocation {
  readonly device: DeviceId;
  readonly recipient: Uint8Array;
  /** What is sealed from this second on is closed to the recipient; what was sealed before can't be taken back. */
  readonly from: bigint;
  readonly number: bigint;
}

/** A message with the owner's signature, and the key that a grant names. */
export type OwnerMessage =
  | { readonly kind: "grant"; readonly says: KeyGrant; readonly key: EcPublicJwk; readonly signature: Uint8Array }
  | { readonly kind: "revocation"; readonly says: KeyRevocation; readonly signature: Uint8Array };

const TYPES = {
  grant: {
    Grant: [
      { name: "device", type: "address" },
      { name: "recipient", type: "bytes32" },
      { name: "from", type: "uint64" },
      { name: "until", type: "uint64" },
      { name: "number", type: "uint64" },
    ],
  },
  revocation: {
    Revocation: [
      { name: "device", type: "address" },
      { name: "recipient", type: "bytes32" },
      { name: "from", type: "uint64" },
      { name: "number", type: "uint64" },
    ],
  },
};

/** What a wallet signs: EIP-712 domain, types and value, in the order of `signTypedData`. */
export function grantTypedData(
  { chainId, registry }: RegistryDomain,
  { kind, says }: Omit<OwnerMessage, "signature" | "key">,
): [domain: object, types: Record<string, { name: string; type: string }[]>, value: Record<string, unknown>] {
  // Not the registry's own domain: no contract takes these, and what they say is no word of the registry.
  const domain = { name: "KeyGrants", version: "1", chainId, verifyingContract: registry };
  return [domain, TYPES[kind], { ...says }];
}

/** The 32 bytes that an owner signs. */
export function grantDigest(domain: RegistryDomain, message: Omit<OwnerMessage, "signature" | "key">): Uint8Array {
  return fromHex(TypedDataEncoder.hash(...grantTypedData(domain, message)));
}

const hex = (pattern: RegExp) => z.string().max(20_000).regex(pattern, "expected bytes as 0x…").transform(fromHex);
const uint64 = z
  .string()
  .regex(/^(0|[1-9]\d{0,19})$/, "expected a whole number as a decimal string")
  .transform(BigInt)
  .refine((value) => value >> 64n === 0n, "expected a number below 2^64");
const common = {
  device: z
    .string()
    .regex(/^0x[0-9a-fA-F]{40}$/, "expected an address")
    .transform((text) => getAddress(text.toLowerCase()) as DeviceId),
  recipient: hex(/^0x[0-9a-fA-F]{64}$/),
  from: uint64,
  number: uint64,
};
const signature = hex(/^0x([0-9a-fA-F]{2})*$/);
const Message = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("grant"),
    says: z.strictObject({ ...common, until: uint64 }),
    key: z.unknown().transform(readPublicJwk),
    signature,
  }),
  z.strictObject({ kind: z.literal("revocation"), says: z.strictObject(common), signature }),
]);

/** Writes a message as JSON. */
export function writeOwnerMessage(message: OwnerMessage): string {
  const plain = (_: string, value: unknown): unknown => {
    if (value instanceof Uint8Array) return toHex(value);
    return typeof value === "bigint" ? value.toString() : value;
  };
  return JSON.stringify(message, plain);
}

/** Reads a message. Errors: ITC_GRANT_MALFORMED; nothing else is thrown, whatever the text is. */
export function readOwnerMessage(json: string): OwnerMessage {
  let cause: unknown;
  try {
    const result = Message.safeParse(JSON.parse(json.length > MAX_MESSAGE ? "" : json));
    if (result.success) return result.data;
    cause = result.error;
  } catch (error) {
    cause = error;
  }
  throw new GrantError(
    "ITC_GRANT_MALFORMED",
    "This is no grant and no revocation.",
    "Write one with writeOwnerMessage.",
    {
      cause,
    },
  );
}

const MAX_MESSAGE = 64 * 1024;
