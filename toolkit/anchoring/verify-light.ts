import { isHexString } from "ethers";
import { deviceIdOf, KEY_KINDS, signerOf } from "../identity/keys.js";
import { ACTIVE, stateName } from "../identity/states.js";
import { fromHex, keccak256, sameBytes } from "../internal/bytes.js";
import { type Finding, finding, isoOf, type Verdict, verdictOf } from "../internal/findings.js";
import { type Evidence, readEvidence } from "./evidence.js";
import { EvidenceError } from "./evidence-error.js";
import {
  contractsFinding,
  digestOf,
  leadsTo,
  logFindings,
  makerFinding,
  signatureFindings,
  type TrustedContracts,
} from "./evidence-findings.js";
import { type Header, MAX_HEADER_BYTES, MAX_HEADERS, readHeader, unlinkedSince } from "./headers.js";
import { type ProvedDevice, type ProvedState, readState, type StateProof } from "./state-proof.js";

/** What a reader without a node trusts. */
export interface TrustedBlock {
  /** Hash of a block that the reader knows to be on the chain, as 0x…: from a node or a light client of his own, a newspaper, a court. */
  readonly trusted: string;
  /**
   * RLP of the headers from the trusted block down to the child of the bundle's, as 0x…, newest first. Left out where the trusted block is
   * the bundle's. An older trusted block doesn't serve: anyone can add blocks to it.
   */
  readonly headers?: readonly string[];
  /**
   * The trusted block's chain, which no header names: the same contracts may stand at the same addresses of another, on which the device has
   * said other things. Left out, the bundle is taken at its word.
   */
  readonly chainId?: bigint;
  /** Where the contracts are; left out, the bundle is taken at its word, as in {@link verifyEvidence}. */
  readonly contracts?: TrustedContracts;
}

/**
 * Checks one reading without any node, by a block that the reader trusts: all that the chain says follows from its state root (EIP-1186).
 *
 * @param json A bundle with a state proof, see {@link attachState}.
 * @returns What holds and what does not, as of the bundle's block. What one block can't tell doesn't hold. Errors: those of
 *   {@link readEvidence}; ITC_EVIDENCE_NO_STATE for a bundle without a state proof; ITC_EVIDENCE_TRUST for what is no hash or no headers.
 * @example
 * const { holds, findings } = await verifyLight(json, { trusted: "0x5f2c…", contracts });
 */
export async function verifyLight(json: string, block: TrustedBlock): Promise<Verdict> {
  const { trusted, headers = [], chainId, contracts } = block;
  const evidence = readEvidence(json);
  const { state: proof } = evidence;
  if (!proof) {
    const what = "The bundle has no state proof.";
    throw new EvidenceError("ITC_EVIDENCE_NO_STATE", what, "Run itc attach, or verify with a node.");
  }
  const digest = digestOf(evidence);
  const own = [
    chainFinding(evidence, chainId),
    contractsFinding(evidence, contracts),
    ...signatureFindings(evidence, digest),
  ];
  const header = readHeader(proof.header);
  const between = trustedBytes(trusted, headers);
  const broken = header ? unlinkedSince(header, fromHex(trusted), between) : "the bundle's header is none";
  if (!header || broken !== undefined) return verdictOf([finding("header", false, broken ?? ""), ...own]);
  const link = between.length === 0 ? "is the trusted one" : `is ${between.length} before the trusted one`;
  return verdictOf([
    finding("header", true, `block ${header.number} of ${isoOf(header.time)} ${link}`),
    ...own,
    ...(await stateFindings(evidence, digest, proof, header)),
  ]);
}

function chainFinding({ domain }: Evidence, trusted: bigint | undefined): Finding {
  const beside = trusted === undefined ? " (as the bundle says)" : `, block of ${trusted}`;
  return finding(
    "chain",
    trusted === undefined || trusted === domain.chainId,
    `bundle of chain ${domain.chainId}${beside}`,
  );
}

function trustedBytes(trusted: string, headers: readonly string[]): Uint8Array[] {
  const readable =
    isHexString(trusted, 32) &&
    headers.length <= MAX_HEADERS &&
    headers.every((header) => header.length <= 2 + 2 * MAX_HEADER_BYTES && isHexString(header, true));
  if (readable) return headers.map(fromHex);
  const what = "What is to be trusted is no hash of a block, or the headers are none.";
  throw new EvidenceError(
    "ITC_EVIDENCE_TRUST",
    what,
    `Pass 32 bytes as 0x…, and at most ${MAX_HEADERS} headers as 0x….`,
  );
}

/** What a header that is trusted already says of the device and of the log. */
export async function stateFindings(
  evidence: Evidence,
  digest: Uint8Array,
  { nodes }: StateProof,
  header: Header,
): Promise<Finding[]> {
  const { domain, anchor, reading, entry } = evidence;
  const question = { registry: domain.registry, anchor, device: reading.device, ...entry };
  let state: ProvedState;
  try {
    state = await readState(header.stateRoot, nodes, question);
  } catch {
    // The trie's library throws this and that for nodes that aren't there or aren't any.
    return [finding("state", false, `the bundle's nodes don't lead from the state of block ${header.number}`)];
  }
  const { size, peak } = state.log;
  const block = `block ${header.number}`;
  const holds = peak !== undefined && leadsTo(peak, evidence, digest, size);
  return [...deviceFindings(evidence, state.device, header), ...logFindings(evidence, holds, size, block)];
}

function deviceFindings(evidence: Evidence, device: ProvedDevice, header: Header): Finding[] {
  const block = `block ${header.number}`;
  const against = objectionTo(evidence, device, header);
  const detail = `active since ${isoOf(device.stateSince)}, and this is its key, as of ${block}`;
  const findings = [finding("device", against === undefined, against ?? detail)];
  if (device.lot) findings.push(makerFinding(device.lot, device.assurance, block));
  return findings;
}

/** Why one block's state doesn't show that the key spoke for its device when the reading was anchored. */
function objectionTo({ key, reading, entry }: Evidence, device: ProvedDevice, header: Header): string | undefined {
  const { state, kind, activatedAt, stateSince, signer } = device;
  const asOf = `block ${header.number} can't tell`;
  if (state === 0n) return `${reading.device} was never activated`;
  if (entry.time > header.time) return `${asOf}, since it is older than the entry`;
  if (activatedAt > entry.time) return `activated at ${isoOf(activatedAt)}, after the reading was anchored`;
  if (stateSince > entry.time)
    return `${asOf} what it was before it became ${stateName(state)} at ${isoOf(stateSince)}`;
  if (state !== ACTIVE) return `${stateName(state)} at ${isoOf(stateSince)}, before the reading was anchored`;
  if (BigInt(KEY_KINDS[key.kind]) !== kind) return `its key is of another kind, as of block ${header.number}`;
  if (!signer) return deviceIdOf(key.material) === reading.device ? undefined : "this key isn't the device's";
  const { hash, verifier } = signer;
  const mine = signerOf(key, { P256Verifier: verifier, RsaVerifier: verifier, Erc1271Verifier: verifier });
  if (!sameBytes(keccak256(mine).subarray(0, 30), hash)) return `another key is the device's, as of ${header.number}`;
  // The registry keeps no time beside a later key.
  return entry.time === header.time
    ? undefined
    : `${asOf} since when this later key is the device's; the entry's own block can`;
}
