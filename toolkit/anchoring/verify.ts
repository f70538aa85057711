import { isError, type Provider } from "ethers";
import { DataAnchor__factory, DeviceRegistry__factory } from "../contracts.js";
import { Digests } from "../identity/digests.js";
import { spokeFor } from "../identity/key-history.js";
import { isSignature } from "../identity/keys.js";
import { fromHex, sameBytes, toHex } from "../internal/bytes.js";
import { type Finding, finding, isoOf, type Verdict, verdictOf } from "../internal/findings.js";
import { batchRootFrom, entryOf } from "./batches.js";
import { type Content, contentHash } from "./contents.js";
import { type Evidence, readEvidence } from "./evidence.js";
import { readLog } from "./log-reader.js";
import { entryLeaf, peakHeight, provesEntry } from "./mountain-range.js";

export type { Finding, Verdict } from "../internal/findings.js";

/** The states of a device, as `DeviceState` in Solidity numbers them. */
const STATES = ["never activated", "active", "suspended", "retired", "revoked"];
const ACTIVE = 1n;

/** Contracts that the reader knows to be the real ones, from somewhere else than the bundle. */
export interface TrustedContracts {
  readonly registry: string;
  readonly anchor: string;
}

/**
 * Checks one reading as a third party: with its evidence and a node, and nothing of ours.
 *
 * @param json The bundle, see {@link writeEvidence}.
 * @param provider Any node of the chain that the bundle names.
 * @param trusted Where the contracts are. Without it the bundle is taken at its word, which proves no more than that *these* contracts
 *   say so: compare the addresses of the finding `contracts` with those that the network publishes.
 * @returns What holds and what does not. Errors: those of {@link readEvidence}, and the provider's own failures.
 * @example
 * const { holds, findings } = await verifyEvidence(await readFile("reading.itcproof", "utf8"), new JsonRpcProvider(url), addresses);
 */
export async function verifyEvidence(json: string, provider: Provider, trusted?: TrustedContracts): Promise<Verdict> {
  const evidence = readEvidence(json);
  const { chainId } = await provider.getNetwork();
  const named = { registry: evidence.domain.registry, anchor: evidence.anchor };
  const known = !trusted || (trusted.registry === named.registry && trusted.anchor === named.anchor);
  const findings: Finding[] = [
    finding(
      "chain",
      chainId === evidence.domain.chainId,
      `bundle of chain ${evidence.domain.chainId}, node on ${chainId}`,
    ),
    finding(
      "contracts",
      known,
      `registry ${named.registry}, logs ${named.anchor}${trusted ? "" : " (as the bundle says)"}`,
    ),
    ...checkSignature(evidence),
  ];
  // On another chain the addresses mean nothing.
  if (findings[0]?.holds) {
    findings.push(
      await asked("device", checkDevice(evidence, provider)),
      await asked("log", checkLog(evidence, provider)),
    );
  }
  return verdictOf(findings);
}

/** A bundle may name an address where there is no such contract: that is a finding, not a failure of the check. */
async function asked(what: string, answer: Promise<Finding>): Promise<Finding> {
  try {
    return await answer;
  } catch (error) {
    if (isError(error, "BAD_DATA") || isError(error, "CALL_EXCEPTION"))
      return finding(what, false, "no such contract there");
    throw error;
  }
}

function checkSignature({ domain, key, reading, content }: Evidence): Finding[] {
  const digest = new Digests(domain).reading(reading);
  const signed = isSignature(key, digest, reading.signature);
  const findings = [
    finding("signature", signed, `${key.kind} key of device ${reading.device} over reading ${reading.sequence}`),
  ];
  if (content) {
    const opened = sameBytes(contentHash(content), reading.content);
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

/** Whether the key spoke for the device when the reading was anchored: no later theft of an old key can make evidence. */
async function checkDevice({ domain, key, reading, entry }: Evidence, provider: Provider): Promise<Finding> {
  const registry = DeviceRegistry__factory.connect(domain.registry, provider);
  const { state, activatedAt, stateSince, lot } = await registry.deviceOf(reading.device);
  if (state === 0n) return finding("device", false, `${reading.device} was never activated`);
  if (state !== ACTIVE && stateSince <= entry.time) {
    const what = `${STATES[Number(state)]} at ${isoOf(stateSince)}, before the reading was anchored`;
    return finding("device", false, what);
  }
  const [issuer] = await registry.lotOf(lot);
  const spoke = await spokeFor(domain.registry, provider, reading.device, key, entry.time);
  const detail = `endorsed by issuer ${issuer} in lot ${lot.slice(0, 10)}…, active since ${isoOf(activatedAt)}`;
  const silent = `this key didn't speak for ${reading.device} at ${isoOf(entry.time)}, when the reading was anchored`;
  return finding("device", spoke, spoke ? detail : silent);
}

async function checkLog(evidence: Evidence, provider: Provider): Promise<Finding> {
  const { domain, anchor, reading, batch, entry } = evidence;
  const root = batchRootFrom(new Digests(domain).reading(reading), batch.proof);
  const leaf = entryLeaf(entryOf({ ...batch, root, schema: reading.schema }), entry.time);
  const contract = DataAnchor__factory.connect(anchor, provider);
  const [size] = await contract.headOf(entry.publisher);
  const detail = `entry ${entry.index} of ${size} in the log of ${entry.publisher}, there since ${isoOf(entry.time)}`;
  if (entry.index >= size) return finding("log", false, detail);
  const siblings = size === entry.size ? entry.siblings : await presentSiblings(evidence, provider);
  const height = peakHeight(entry.index, size);
  const peak = await contract.peakOf(entry.publisher, height);
  const holds =
    batch.proof.path >> BigInt(batch.proof.siblings.length) === 0n &&
    siblings.length === height &&
    reading.time >= batch.first &&
    reading.time <= batch.last &&
    provesEntry(fromHex(peak), entry.index, leaf, siblings);
  return finding("log", holds, detail);
}

/** The log has grown since the bundle was made: its siblings today follow from its events. */
async function presentSiblings({ anchor, entry }: Evidence, provider: Provider): Promise<readonly Uint8Array[]> {
  const { range } = await readLog(provider, anchor, entry.publisher);
  return range.prove(Number(entry.index));
}
