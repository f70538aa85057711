import { join } from "node:path";
import type { Provider } from "ethers";
import { type RebuiltLog, readLog } from "../anchoring/log-reader.js";
import { DeviceRegistry__factory } from "../contracts.js";
import type { RegistryDomain } from "../identity/digests.js";
import type { Verifiers } from "../identity/keys.js";
import { Aggregator, type MarkedBatch } from "./aggregator.js";
import type { OpenReading } from "./answer.js";
import type { BatchWitness } from "./batch-check.js";
import { ChainLogs } from "./chain-logs.js";
import { ContributedReadings, type ContributionAddresses } from "./contributed-readings.js";
import { openedIn } from "./open-readings.js";
import type { DevicePartial } from "./pieces.js";
import { PresentKeys } from "./present-keys.js";
import type { Query } from "./query.js";
import { ReadingsFolder, readMark } from "./readings-folder.js";
import type { AnalysisRequest } from "./requests.js";

/** Where published readings are, and what they are checked by. */
export interface PublicReadingsOptions {
  readonly provider: Provider;
  readonly addresses: ContributionAddresses & Verifiers;
  /** See `ReadingsFolder`. */
  readonly folder: string;
  /** A folder for what was aggregated, a file for each request. */
  readonly state: string;
  /** The block in which the contracts were deployed; 0 if left out. */
  readonly fromBlock?: number;
  /** Told of what is passed over: a file, or a line by its first byte. */
  readonly onTrouble?: (place: string, why: string) => void;
}

/** What is known of the readings that a request speaks of. Devices are in any spelling. */
export interface RequestReadings {
  /** Rises whenever more readings count, also from one process to the next. */
  readonly counted: number;
  /** What a device's published readings come to; undefined if none counts. Where it contradicts itself, nothing follows from them. */
  partialOf(device: string, most?: bigint): DevicePartial | undefined;
  /**
   * A device's readings that count, open, one for each sequence number, ascending: what was contributed on chain (`ContributedReadings`), and what is
   * published. Errors: the provider's, ITC_LOG_MISMATCH.
   */
  readingsOf(device: string): Promise<OpenReading[]>;
  /** One that is published. */
  readingOf(device: string): Promise<OpenReading | undefined>;
}

/** Requests whose aggregators are open at a time. */
const MOST_OPEN = 8;

/**
 * Readings that gateways and owners publish, aggregated for the requests that somebody asks about. Each time a request is asked about, what has come
 * since is taken in. What was refused once, as when its device's key wasn't the present one, isn't looked at again: remove the request's file for
 * that.
 *
 * @example
 * const known = new PublicReadings({ provider, addresses, folder: "readings", state: "aggregates" });
 * const { partialOf } = await known.of(id, request);
 */
export class PublicReadings {
  private readonly aggregators = new Map<string, Aggregator>();
  private logs: ChainLogs;
  private keys: PresentKeys;
  private source: ReadingsFolder | undefined;
  private readonly contributed: ContributedReadings;

  constructor(private readonly options: PublicReadingsOptions) {
    const { provider, addresses, fromBlock } = options;
    this.contributed = new ContributedReadings(provider, addresses, fromBlock);
    [this.logs, this.keys] = this.look();
  }

  /**
   * What is published for a request by now. Ask after `anchoredBy`: entries that a node doesn't know yet count for nothing.
   *
   * @param id The request's.
   * Errors: those of `Aggregator.open` and `ReadingsFolder.from`; ITC_LOG_MISMATCH; the provider's.
   */
  readonly of = async (id: string, request: AnalysisRequest): Promise<RequestReadings> => {
    const aggregator = await this.opened(id, request);
    await aggregator.take(this.fresh(aggregator.mark));
    return {
      counted: aggregator.counted,
      partialOf: (device, most) => aggregator.partialOf(device, most),
      readingsOf: async (device) => {
        // Before those that are published: whoever was held to these must find the same again, whatever is published later.
        const contributed = await this.contributed.of(id, request, device);
        const bySequence = new Map(contributed.map((one) => [one.fields.sequence, one]));
        for await (const one of this.open(aggregator, device)) {
          if (!bySequence.has(one.fields.sequence)) bySequence.set(one.fields.sequence, one);
        }
        return [...bySequence.values()].sort((a, b) => (a.fields.sequence < b.fields.sequence ? -1 : 1));
      },
      readingOf: async (device) => {
        for await (const one of this.open(aggregator, device)) return one;
        return undefined;
      },
    };
  };

  /** Whether neither a device's keys nor its state have changed since its readings for a request began to be taken in. */
  async isSteady(id: string, device: string): Promise<boolean> {
    const mark = this.aggregators.get(id)?.mark;
    const since = mark === undefined ? undefined : readMark(mark)?.since;
    if (!since) return false;
    const registry = DeviceRegistry__factory.connect(this.options.addresses.DeviceRegistry, this.options.provider);
    const [{ stateSince }, changed] = await Promise.all([registry.deviceOf(device), registry.changed(device)]);
    return stateSince <= since.time && changed <= BigInt(since.block);
  }

  /** Lets go of all files. */
  close(): void {
    for (const aggregator of this.aggregators.values()) aggregator.close();
    this.aggregators.clear();
  }

  private async opened(id: string, { query }: AnalysisRequest): Promise<Aggregator> {
    const known = this.aggregators.get(id) ?? (await this.begin(id, query));
    this.aggregators.delete(id);
    this.aggregators.set(id, known);
    const [oldest] = this.aggregators;
    if (this.aggregators.size > MOST_OPEN && oldest) {
      oldest[1].close();
      this.aggregators.delete(oldest[0]);
    }
    return known;
  }

  private async begin(id: string, query: Query): Promise<Aggregator> {
    const witness: BatchWitness = {
      isAnchored: (...entry) => this.logs.isAnchored(...entry),
      keyOf: (device) => this.keys.keyOf(device),
    };
    const file = join(this.options.state, `${id}.db`);
    return Aggregator.open({ file, request: id, query, registry: await this.registry(), witness });
  }

  private async registry(): Promise<RegistryDomain> {
    const { chainId } = await this.options.provider.getNetwork();
    return { chainId, registry: this.options.addresses.DeviceRegistry };
  }

  /** The chain as it is now. */
  private look(): [ChainLogs, PresentKeys] {
    const { provider, addresses, fromBlock = 0 } = this.options;
    return [
      new ChainLogs(provider, addresses.DataAnchor, { fromBlock }),
      new PresentKeys(addresses.DeviceRegistry, provider),
    ];
  }

  private async *fresh(mark: string | undefined): AsyncGenerator<MarkedBatch> {
    const { provider, addresses, folder, onTrouble } = this.options;
    const domain = { ...(await this.registry()), anchor: addresses.DataAnchor };
    this.source ??= new ReadingsFolder(folder, domain, onTrouble);
    const latest = await provider.getBlock("latest");
    const since = { block: latest?.number ?? 0, time: BigInt(latest?.timestamp ?? 0) };
    [this.logs, this.keys] = this.look();
    for await (const batch of this.source.from(mark, since)) {
      this.keys.offer(batch.keys);
      yield batch;
    }
  }

  /** A device's readings that count, from where they were found. */
  private async *open(aggregator: Aggregator, device: string): AsyncGenerator<OpenReading> {
    const { provider, addresses, fromBlock = 0 } = this.options;
    const registry = await this.registry();
    const logs = new Map<string, RebuiltLog>();
    const [, keys] = this.look();
    for (const place of aggregator.placesOf(device)) {
      const batch = await this.source?.at(place);
      if (!batch) continue;
      const { publisher } = batch;
      const log = logs.get(publisher) ?? (await readLog(provider, addresses.DataAnchor, publisher, { fromBlock }));
      logs.set(publisher, log);
      keys.offer(batch.keys);
      const sources = { registry, log, keyOf: keys.keyOf, verifiers: addresses };
      yield* await openedIn(batch, device, aggregator.query, sources);
    }
  }
}
