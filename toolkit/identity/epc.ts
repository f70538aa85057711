import { isAddress, keccak256, solidityPackedKeccak256, toUtf8Bytes } from "ethers";
import { z } from "zod";
import { IotchainError } from "../errors.js";
import { concat, fromHex } from "../internal/bytes.js";

/** A part: 32 bytes as hex. */
export type PartId = string & { readonly __brand: "PartId" };

/** Something that is no EPC, or none of the kinds that name parts. */
export class EpcError extends IotchainError {}

/** A GS1 key in its pure-identity form (GS1 EPC Tag Data Standard 2.0, section 6). */
export interface Epc {
  readonly scheme: EpcScheme;
  /** GS1 company prefix, 6 to 12 digits. */
  readonly prefix: string;
  /** The whole URI, as it was given. */
  readonly uri: string;
}

/** Kinds of EPC that name one thing each: a trade item, a component, an asset, a document (as a design is one), a place. */
export type EpcScheme = keyof typeof SCHEMES;

// Serials take GS1's character set 82, of which seven signs stand escaped in a URI. No sign has two spellings: that would be two ids.
const SIGN = "(?:[!'()*+,\\-.0-9:;=A-Z_a-z]|%2[256F]|%3[CEF])";

// After `urn:epc:id:<scheme>:`; prefix and reference together have a fixed number of digits, or 30 signs at most.
const SCHEMES = {
  sgtin: { form: new RegExp(`^(\\d{6,12})\\.(\\d{1,7})\\.${SIGN}{1,20}$`), digits: 13 },
  cpi: { form: /^(\d{6,12})\.((?:[0-9A-Z-]|%2[3F]){1,24})\.(?:0|[1-9]\d{0,11})$/, digits: undefined },
  giai: { form: new RegExp(`^(\\d{6,12})\\.(${SIGN}{1,24})$`), digits: undefined },
  gdti: { form: new RegExp(`^(\\d{6,12})\\.(\\d{0,6})\\.${SIGN}{1,17}$`), digits: 12 },
  sgln: { form: new RegExp(`^(\\d{6,12})\\.(\\d{0,6})\\.${SIGN}{1,20}$`), digits: 12 },
} as const;

/** An EPC URI as it comes from outside. */
export const EpcUri = z.string().transform((uri, context): Epc => {
  const epc = parsed(uri);
  if (epc) return epc;
  context.addIssue({ code: "custom", message: `expected an EPC URI such as ${EXAMPLE}, of ${KINDS}` });
  return z.NEVER;
});

const EXAMPLE = "urn:epc:id:sgtin:4012345.011122.25";
const KINDS = Object.keys(SCHEMES).join(", ");

/**
 * Reads an EPC URI. Errors: ITC_EPC_INVALID.
 *
 * @example
 * parseEpc("urn:epc:id:sgtin:4012345.011122.25").prefix; // "4012345"
 */
export function parseEpc(uri: string): Epc {
  const epc = parsed(uri);
  if (epc) return epc;
  throw new EpcError("ITC_EPC_INVALID", `${uri} is no EPC of ${KINDS}.`, `Write it as ${EXAMPLE}.`);
}

/** The hash of a company prefix, as `Provenance` has it. */
export function prefixHashOf(prefix: string): string {
  return keccak256(toUtf8Bytes(prefix));
}

/** The hash of a whole EPC URI, as `Provenance` has it. */
export function serialHashOf(uri: string): string {
  return keccak256(toUtf8Bytes(uri));
}

/**
 * The id of the good with this EPC. Errors: ITC_EPC_INVALID.
 *
 * @example
 * const tree = await readProvenance(provider, Provenance, partIdOf("urn:epc:id:sgtin:4012345.011122.25"));
 */
export function partIdOf(uri: string): PartId {
  const { prefix } = parseEpc(uri);
  return goodIdOf(prefixHashOf(prefix), serialHashOf(uri));
}

/** The id of a good from what the chain holds of its EPC. */
export function goodIdOf(prefixHash: string, serialHash: string): PartId {
  return keccak256(concat(fromHex(prefixHash), fromHex(serialHash))) as PartId;
}

/** The id of the installation that an account calls by this EPC. Errors: ITC_EPC_INVALID. */
export function installationIdOf(account: string, uri: string): PartId {
  return siteIdOf(account, serialHashOf(parseEpc(uri).uri));
}

/** The id of an installation from what the chain holds of its EPC. Errors: ITC_EPC_INVALID for an account that is none. */
export function siteIdOf(account: string, siteHash: string): PartId {
  if (!isAddress(account)) throw new EpcError("ITC_EPC_INVALID", `${account} is no account.`, "Give its address.");
  return solidityPackedKeccak256(["address", "bytes32"], [account, siteHash]) as PartId;
}

function parsed(uri: string): Epc | undefined {
  const [, name = "", rest = ""] = /^urn:epc:id:([a-z]+):(.+)$/.exec(uri) ?? [];
  if (!Object.hasOwn(SCHEMES, name)) return undefined;
  const scheme = name as EpcScheme;
  const { form, digits } = SCHEMES[scheme];
  const match = form.exec(rest);
  const [, prefix = "", reference = ""] = match ?? [];
  const length = prefix.length + reference.replace(/%../g, "x").length;
  if (!match || (digits === undefined ? length > 30 : length !== digits)) return undefined;
  return { scheme, prefix, uri };
}
