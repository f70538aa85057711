import type { Provider } from "ethers";
import { DataAnchor__factory } from "../contracts.js";
import { IotchainError } from "../errors.js";
import { fromHex, toHex } from "../internal/bytes.js";
import { entryLeaf, MountainRange } from "./mountain-range.js";

/** A log that can't be rebuilt from what the node says. */
export class LogError extends IotchainError {}

/** An entry as it stands in a log. */
export interface LogEntry {
  readonly index: number;
  readonly entry: Uint8Array;
  /** Time of its block, Unix seconds. */
  readonly time: bigint;
}

/** A publisher's log, rebuilt from its events and compared with the chain's root. */
export interface RebuiltLog {
  readonly entries: readonly LogEntry[];
  readonly range: MountainRange;
}

/**
 * Rebuilds a publisher's log from the events of `DataAnchor`.
 * Errors: ITC_LOG_MISMATCH when the events don't give the root that the contract holds, as when a node has pruned some.
 */
export async function readLog(provider: Provider, anchor: string, publisher: string): Promise<RebuiltLog> {
  const contract = DataAnchor__factory.connect(anchor, provider);
  const block = await provider.getBlockNumber();
  const events = await contract.queryFilter(contract.filters.EntryAppended(publisher), 0, block);
  const range = new MountainRange();
  const entries = events.map(({ args }, index) => {
    const entry = fromHex(args.entry);
    range.append(entryLeaf(entry, args.time));
    return { index, entry, time: args.time };
  });
  const root = await contract.rootOf(publisher, { blockTag: block });
  if (root !== toHex(range.root ?? new Uint8Array(32))) {
    const what = `The node's ${entries.length} events of ${publisher} don't make the root that its contract holds.`;
    throw new LogError("ITC_LOG_MISMATCH", what, "Ask a node that keeps all events.");
  }
  return { entries, range };
}
