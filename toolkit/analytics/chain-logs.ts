import type { Provider } from "ethers";
import { type LogEntry, type LogQuery, readLog } from "../anchoring/log-reader.js";
import { sameBytes } from "../internal/bytes.js";
import { Recent } from "./recent.js";

/**
 * Says which entries stand in which logs, by what the chain has: a log is rebuilt from its events and compared with the contract's root when it is
 * first asked for. The logs that were asked for last are kept.
 *
 * @example
 * const logs = new ChainLogs(provider, addresses.DataAnchor, { toBlock });
 * const witness = { isAnchored: logs.isAnchored, keyOf };
 */
export class ChainLogs {
  private readonly logs: Recent<Promise<readonly LogEntry[]>>;

  /** @param kept How many logs stay in memory. */
  constructor(
    private readonly provider: Provider,
    private readonly anchor: string,
    private readonly where: LogQuery = {},
    kept = 1_000,
  ) {
    this.logs = new Recent(kept);
  }

  /** As `BatchWitness` asks. Errors: those of `readLog`. */
  readonly isAnchored = async (publisher: string, index: bigint, entry: Uint8Array, time: bigint): Promise<boolean> => {
    const found = (await this.logOf(publisher.toLowerCase()))[Number(index)];
    return found !== undefined && found.time === time && sameBytes(found.entry, entry);
  };

  private logOf(publisher: string): Promise<readonly LogEntry[]> {
    const known = this.logs.get(publisher);
    if (known) return known;
    const log = this.read(publisher);
    this.logs.set(publisher, log);
    return log;
  }

  private async read(publisher: string): Promise<readonly LogEntry[]> {
    try {
      return (await readLog(this.provider, this.anchor, publisher, this.where)).entries;
    } catch (error) {
      this.logs.delete(publisher);
      throw error;
    }
  }
}
