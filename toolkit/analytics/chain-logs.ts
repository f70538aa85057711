import type { Provider } from "ethers";
import { type LogEntry, type LogQuery, readLog } from "../anchoring/log-reader.js";
import { sameBytes } from "../internal/bytes.js";

/**
 * Says which entries stand in which logs, by what the chain has: a log is rebuilt from its events and compared with the contract's root when it is
 * first asked for. The logs that were asked for last are kept.
 *
 * @example
 * const logs = new ChainLogs(provider, addresses.DataAnchor, { toBlock });
 * const witness = { isAnchored: logs.isAnchored, keyOf };
 */
export class ChainLogs {
  private readonly logs = new Map<string, Promise<readonly LogEntry[]>>();

  /** @param kept How many logs stay in memory. */
  constructor(
    private readonly provider: Provider,
    private readonly anchor: string,
    private readonly where: LogQuery = {},
    private readonly kept = 1_000,
  ) {}

  /** As `BatchWitness` asks. Errors: those of `readLog`. */
  readonly isAnchored = async (publisher: string, index: bigint, entry: Uint8Array, time: bigint): Promise<boolean> => {
    const found = (await this.logOf(publisher.toLowerCase()))[Number(index)];
    return found !== undefined && found.time === time && sameBytes(found.entry, entry);
  };

  private logOf(publisher: string): Promise<readonly LogEntry[]> {
    const log = this.logs.get(publisher) ?? this.read(publisher);
    this.logs.delete(publisher);
    this.logs.set(publisher, log);
    const [oldest] = this.logs.keys();
    if (this.logs.size > this.kept && oldest !== undefined) this.logs.delete(oldest);
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
