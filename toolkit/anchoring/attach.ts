import type { Provider } from "ethers";
import { DataAnchor__factory } from "../contracts.js";
import type { Evidence } from "./evidence.js";
import { EvidenceError } from "./evidence-error.js";
import { digestOf, leadsTo } from "./evidence-findings.js";
import type { RpcClient } from "./headers.js";
import { LogError, readLog } from "./log-reader.js";
import { proveState } from "./state-proof.js";

/** A node by all of its methods; ethers' `JsonRpcProvider` is one. */
export type StateProvider = Provider & RpcClient;

/**
 * Adds a state proof to evidence, so that a block's hash is all that its reader needs.
 *
 * @param provider A node that has the state of the block.
 * @param block Number of the block to prove it by. Left out, the entry's own if the node still has its state (most keep the last 128
 *   blocks), else the latest: of a device whose key was replaced, or whose state has changed since, only the entry's own block tells what
 *   was then.
 * @returns The evidence with its state proof, and with its siblings as they were at that block. Errors: ITC_EVIDENCE_NODE,
 *   ITC_EVIDENCE_HEADER, ITC_EVIDENCE_PROOF, and ITC_EVIDENCE_NOT_THERE when the log doesn't hold the reading.
 * @example
 * const bundle = writeEvidence(await attachState(readEvidence(json), new JsonRpcProvider(url)));
 */
export async function attachState(evidence: Evidence, provider: StateProvider, block?: bigint): Promise<Evidence> {
  const { domain, anchor, reading, entry } = evidence;
  const question = { registry: domain.registry, anchor, device: reading.device, ...entry };
  const own = block ?? (await blockOf(evidence, provider));
  const { proof, state, header } = await proveState(provider, question, own).catch((error: unknown) => {
    const pruned = error instanceof EvidenceError && error.code === "ITC_EVIDENCE_NODE" && block === undefined;
    if (pruned && own !== undefined) return proveState(provider, question);
    throw error;
  });
  const { size, peak } = state.log;
  if (!peak) throw notThere(evidence);
  const digest = digestOf(evidence);
  if (leadsTo(peak, evidence, digest, size)) return { ...evidence, state: proof };
  const siblings = await siblingsAt(evidence, provider, Number(header.number));
  if (!leadsTo(peak, evidence, digest, size, siblings)) throw notThere(evidence);
  return { ...evidence, entry: { ...entry, siblings }, state: proof };
}

/** The block in which the entry came, if the node has its event. */
async function blockOf({ anchor, entry }: Evidence, provider: Provider): Promise<bigint | undefined> {
  const contract = DataAnchor__factory.connect(anchor, provider);
  try {
    const [event] = await contract.queryFilter(contract.filters.EntryAppended(entry.publisher, entry.index));
    return event && BigInt(event.blockNumber);
  } catch {
    // A node that doesn't look through all blocks at once; the latest block serves nearly as well.
    return undefined;
  }
}

async function siblingsAt({ anchor, entry }: Evidence, provider: Provider, block: number): Promise<Uint8Array[]> {
  try {
    const { range } = await readLog(provider, anchor, entry.publisher, { toBlock: block });
    return range.prove(Number(entry.index));
  } catch (cause) {
    const what = cause instanceof LogError ? cause.message : "The node has no events of the log.";
    throw new EvidenceError("ITC_EVIDENCE_NODE", what, "Ask a node that keeps all events.", { cause });
  }
}

function notThere({ entry }: Evidence): EvidenceError {
  const what = `The log of ${entry.publisher} doesn't hold this reading at ${entry.index}.`;
  return new EvidenceError(
    "ITC_EVIDENCE_NOT_THERE",
    what,
    "Attach at a block from the entry's on, to a bundle that holds.",
  );
}
