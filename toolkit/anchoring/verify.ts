import { isError, type Provider } from "ethers";
import { DataAnchor__factory, DeviceRegistry__factory } from "../contracts.js";
import { spokeFor } from "../identity/key-history.js";
import { ACTIVE, stateName } from "../identity/states.js";
import { fromHex, toHex } from "../internal/bytes.js";
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
import { readHeader } from "./headers.js";
import { LogError, readLog } from "./log-reader.js";
import { peakHeight } from "./mountain-range.js";
import { stateFindings } from "./verify-light.js";

export type { Finding, Verdict } from "../internal/findings.js";
export type { TrustedContracts } from "./evidence-findings.js";

/**
 * Checks one reading as a third party: with its evidence and a node, and nothing of ours.
 *
 * @param json The bundle, see {@link writeEvidence}.
 * @param provider Any node of the chain that the bundle names. It is believed: to believe a block's hash alone, see {@link verifyLight}.
 * @param trusted Where the contracts are. Without it the bundle is taken at its word, which proves no more than that *these* contracts
 *   say so: compare the addresses of the finding `contracts` with those that the network publishes.
 * @returns What holds and what does not. Errors: those of {@link readEvidence}; ITC_EVIDENCE_NODE when the node fails.
 * @example
 * const { holds, findings } = await verifyEvidence(await readFile("reading.itcproof", "utf8"), new JsonRpcProvider(url), addresses);
 */
export async function verifyEvidence(json: string, provider: Provider, trusted?: TrustedContracts): Promise<Verdict> {
  const evidence = readEvidence(json);
  try {
    return verdictOf(await findingsBy(provider, evidence, trusted));
  } catch (cause) {
    if (cause instanceof EvidenceError) throw cause;
    const what = `The node failed: ${cause instanceof Error ? cause.message : String(cause)}.`;
    throw new EvidenceError("ITC_EVIDENCE_NODE", what, "Ask another node.", { cause });
  }
}

async function findingsBy(provider: Provider, evidence: Evidence, trusted?: TrustedContracts): Promise<Finding[]> {
  const { chainId } = await provider.getNetwork();
  const digest = digestOf(evidence);
  const chain = `bundle of chain ${evidence.domain.chainId}, node on ${chainId}`;
  const findings = [
    finding("chain", chainId === evidence.domain.chainId, chain),
    contractsFinding(evidence, trusted),
    ...signatureFindings(evidence, digest),
  ];
  // On another chain the addresses mean nothing.
  if (!findings[0]?.holds) return findings;
  const latest = await provider.getBlock("latest");
  if (!latest || BigInt(latest.timestamp) < evidence.entry.time) {
    const behind = `the node is at ${latest ? isoOf(BigInt(latest.timestamp)) : "no block"}, before the entry`;
    return [...findings, finding("node", false, behind)];
  }
  return [
    ...findings,
    ...(await asked("device", checkDevice(evidence, provider))),
    ...(await asked("log", checkLog(evidence, digest, provider, latest.number))),
    ...(evidence.state ? await checkState(evidence, digest, provider) : []),
  ];
}

/** A bundle may name an address where there is no such contract: that is a finding, not a failure of the check. */
async function asked(what: string, answer: Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof LogError) return [finding(what, false, error.message)];
    if (isError(error, "BAD_DATA") || isError(error, "CALL_EXCEPTION")) {
      return [finding(what, false, "no such contract there, or the node doesn't answer")];
    }
    throw error;
  }
}

/** Whether the key spoke for the device when the reading was anchored: no later theft of an old key can make evidence. */
async function checkDevice({ domain, key, reading, entry }: Evidence, provider: Provider): Promise<Finding[]> {
  const registry = DeviceRegistry__factory.connect(domain.registry, provider);
  const { state, activatedAt, stateSince, lot, assurance } = await registry.deviceOf(reading.device);
  if (state === 0n) return [finding("device", false, `${reading.device} was never activated`)];
  const { issuer, revoked } = await registry.lotOf(lot);
  const gone = revoked || !(await registry.isIssuer(issuer));
  const maker = makerFinding({ id: lot, issuer, revoked: gone }, Number(assurance), "now");
  if (state !== ACTIVE && stateSince <= entry.time) {
    const what = `${stateName(state)} at ${isoOf(stateSince)}, before the reading was anchored`;
    return [finding("device", false, what), maker];
  }
  const spoke = await spokeFor(domain.registry, provider, reading.device, key, entry.time);
  const detail = `active since ${isoOf(activatedAt)}; this key spoke for it at ${isoOf(entry.time)}`;
  const silent = `this key didn't speak for ${reading.device} at ${isoOf(entry.time)}, when the reading was anchored`;
  return [finding("device", spoke, spoke ? detail : silent), maker];
}

async function checkLog(evidence: Evidence, digest: Uint8Array, provider: Provider, block: number): Promise<Finding[]> {
  const { anchor, entry } = evidence;
  const contract = DataAnchor__factory.connect(anchor, provider);
  const [size] = await contract.headOf(entry.publisher, { blockTag: block });
  const findings = (holds: boolean): Finding[] => logFindings(evidence, holds, size, `block ${block}`);
  if (entry.index >= size) return findings(false);
  const height = peakHeight(entry.index, size);
  const peak = fromHex(await contract.peakOf(entry.publisher, height, { blockTag: block }));
  if (leadsTo(peak, evidence, digest, size)) return findings(true);
  // The log has grown, and the entry's mountain with it: the siblings today follow from its events.
  if (height <= entry.siblings.length) return findings(false);
  const { range } = await readLog(provider, anchor, entry.publisher, { toBlock: block });
  return findings(leadsTo(peak, evidence, digest, size, range.prove(Number(entry.index))));
}

/** What the state proof says, if its block is one that the node has. */
async function checkState(evidence: Evidence, digest: Uint8Array, provider: Provider): Promise<Finding[]> {
  const header = evidence.state && readHeader(evidence.state.header);
  if (!evidence.state || !header) return [finding("header", false, "the bundle's header is none")];
  const block = await provider.getBlock(Number(header.number));
  const known = block?.hash === toHex(header.hash);
  const detail = `block ${header.number} of ${isoOf(header.time)} is ${known ? "" : "not "}the node's`;
  const proved = known ? await stateFindings(evidence, digest, evidence.state, header) : [];
  return [finding("header", known, detail), ...proved];
}
