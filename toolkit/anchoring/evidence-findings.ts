import { Digests, type RegistryDomain } from "../identity/digests.js";
import { isSignature } from "../identity/keys.js";
import { sameBytes, toHex } from "../internal/bytes.js";
import { type Finding, finding, isoOf } from "../internal/findings.js";
import { batchRootFrom, entryOf } from "./batches.js";
import { type Content, contentHash, fitsSchema } from "./contents.js";
import type { Evidence } from "./evidence.js";
import { entryLeaf, peakHeight, provesEntry } from "./mountain-range.js";

/** Contracts that the reader knows to be the real ones, from somewhere else than the bundle. */
export interface TrustedContracts {
  readonly registry: string;
  readonly anchor: string;
}

/** Whether the bundle is about the contracts that the reader trusts. */
export function contractsFinding({ domain, anchor }: Evidence, trusted?: TrustedContracts): Finding {
  const known = !trusted || (trusted.registry === domain.registry && trusted.anchor === anchor);
  return finding(
    "contracts",
    known,
    `registry ${domain.registry}, logs ${anchor}${trusted ? "" : " (as the bundle says)"}`,
  );
}

/** The 32 bytes that the device has signed. */
export function digestOf({ domain, reading }: Evidence): Uint8Array {
  if (domain.chainId !== latest?.chainId || domain.registry !== latest.registry) {
    latest = { ...domain, digests: new Digests(domain) };
  }
  return latest.digests.reading(reading);
}

// Who checks many bundles checks those of one registry: a sixth of the time goes into hashing its domain.
let latest: (RegistryDomain & { readonly digests: Digests }) | undefined;

/** Who signed, and whether what is opened is what was signed. */
export function signatureFindings({ key, reading, content }: Evidence, digest: Uint8Array): Finding[] {
  const signed = isSignature(key, digest, reading.signature);
  const what = `${key.kind} key of device ${reading.device} over reading ${reading.sequence}`;
  const asked = key.kind === "erc1271" ? `${what}: only its contract could say` : what;
  const findings = [finding("signature", signed, asked)];
  if (content) {
    const opened = fitsSchema(reading.schema, content.kind) && sameBytes(contentHash(content), reading.content);
    findings.push(finding("content", opened, `${inWords(content)} is what the device committed to`));
  }
  return findings;
}

function inWords(content: Content): string {
  switch (content.kind) {
    case "scalar":
      return `the value ${content.value}`;
    case "payload":
      return `a payload of hash ${toHex(content.hash)}`;
    case "file":
      return `a file of ${content.file.size} bytes`;
    case "sealed":
      return `a ciphertext of hash ${toHex(content.ciphertext)}`;
  }
}

/**
 * Whether the reading leads to this peak of its log.
 *
 * @param digest See {@link digestOf}.
 * @param size How many entries the log has.
 */
export function leadsTo(
  peak: Uint8Array,
  evidence: Evidence,
  digest: Uint8Array,
  size: bigint,
  siblings: readonly Uint8Array[] = evidence.entry.siblings,
): boolean {
  const { index, time } = evidence.entry;
  const entry = anchoredEntry(evidence, digest);
  return (
    entry !== undefined &&
    index < size &&
    siblings.length === peakHeight(index, size) &&
    provesEntry(peak, index, entryLeaf(entry, time), siblings)
  );
}

/** The entry that the reading leads to; undefined for a batch that the reading isn't in. */
function anchoredEntry({ reading, batch }: Evidence, digest: Uint8Array): Uint8Array | undefined {
  if (!batch) return digest;
  const { path, siblings } = batch.proof;
  if (path >> BigInt(siblings.length) !== 0n || reading.time < batch.first || reading.time > batch.last) {
    return undefined;
  }
  return entryOf({ ...batch, root: batchRootFrom(digest, batch.proof), schema: reading.schema });
}

/** Where the reading stands, and since when: it existed then at the latest. */
export function logFindings({ entry, reading }: Evidence, holds: boolean, size: bigint, asOf: string): Finding[] {
  const place = `entry ${entry.index} of ${size} in the log of ${entry.publisher}, as of ${asOf}`;
  const clock =
    reading.time > entry.time ? "which is later, so its clock is wrong" : "which nobody but the device vouches for";
  return [
    finding("log", holds, place),
    finding(
      "time",
      holds,
      `existed at ${isoOf(entry.time)} at the latest; the device says ${isoOf(reading.time)}, ${clock}`,
    ),
  ];
}

/** Which maker endorsed the device, and how well the device keeps its key. */
export function makerFinding(
  lot: { readonly id: string; readonly issuer: string; readonly revoked: boolean },
  assurance: number,
  asOf: string,
): Finding {
  // A maker or a lot that is revoked activates no more devices; those that are active stay so.
  const revoked = lot.revoked ? ", a lot or a maker that is revoked" : "";
  return finding(
    "maker",
    true,
    `issuer ${lot.issuer} in lot ${lot.id.slice(0, 10)}…, assurance ${assurance} as of ${asOf}${revoked}`,
  );
}
