import { isError, type Provider } from "ethers";
import { type DataAnchor, DataAnchor__factory } from "../contracts.js";
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

/** Where to look for a log. */
export interface LogQuery {
  /** A block before its first entry, such as the one in which the contract was deployed; 0 if left out. */
  readonly fromBlock?: number;
  /** The block as of which the log is wanted; the latest if left out. */
  readonly toBlock?: number;
}

/** Narrower than that, a node refuses for another reason than the number of blocks. */
const NARROWEST = 64;

/**
 * Rebuilds a publisher's log from the events of `DataAnchor`. A node that answers for some blocks at a time only is asked for fewer.
 * Errors: ITC_LOG_MISMATCH when the events don't give the root that the contract holds, as when a node has pruned some, or hides or
 * invents them.
 */
export async function readLog(
  provider: Provider,
  anchor: string,
  publisher: string,
  { fromBlock = 0, toBlock }: LogQuery = {},
): Promise<RebuiltLog> {
  const contract = DataAnchor__factory.connect(anchor, provider);
  const block = toBlock ?? (await provider.getBlockNumber());
  const events = await eventsOf(contract, publisher, fromBlock, block);
  const range = new MountainRange();
  const entries = events.map(({ args }, index) => {
    const entry = fromHex(args.entry);
    range.append(entryLeaf(entry, args.time));
    return { index, entry, time: args.time };
  });
  const root = await contract.rootOf(publisher, { blockTag: block });
  if (root !== toHex(range.checkpoint().root)) {
    const what = `The node's ${entries.length} events of ${publisher} don't make the root that its contract holds.`;
    throw new LogError("ITC_LOG_MISMATCH", what, "Ask a node that keeps all events.");
  }
  return { entries, range };
}

async function eventsOf(contract: DataAnchor, publisher: string, from: number, to: number) {
  const page = (start: number, end: number) =>
    contract.queryFilter(contract.filters.EntryAppended(publisher), start, end);
  const found: Awaited<ReturnType<typeof page>> = [];
  let width = to - from + 1;
  for (let start = from; start <= to; ) {
    const end = Math.min(to, start + width - 1);
    try {
      found.push(...(await page(start, end)));
      start = end + 1;
    } catch (error) {
      if (isError(error, "NETWORK_ERROR") || width <= NARROWEST) throw error;
      width = Math.max(NARROWEST, Math.floor(width / 2));
    }
  }
  return found;
}
