import type { RegistryDomain } from "../identity/digests.js";
import { PieceStore } from "./aggregator-store.js";
import { type Accepted, type AnchoredBatch, BatchCheck, type BatchWitness, type Refusal } from "./batch-check.js";
import { type DevicePartial, type Equivocation, encodePiece, foldPieces } from "./pieces.js";
import type { Query } from "./query.js";

/** What an aggregator works for. */
export interface AggregatorOptions {
  /** Where it keeps its state, or ":memory:". */
  readonly file: string;
  /** The request's id. */
  readonly request: string;
  readonly query: Query;
  /** Whose devices these are. */
  readonly registry: RegistryDomain;
  readonly witness: BatchWitness;
  /** Told of each entry, or reading of it, that is open and counts for nothing. */
  readonly onRefused?: (refused: Refused) => void;
}

/** Something that counts for nothing; `device` and `sequence` where it is one reading. */
export interface Refused {
  readonly publisher: string;
  readonly index: bigint;
  readonly why: Refusal;
  readonly device?: string;
  readonly sequence?: bigint;
}

/** An entry as a source has it. */
export interface MarkedBatch extends AnchoredBatch {
  /** Where the source then is, so that it can go on from there. Asked for when something is kept, after the entry was looked at. */
  readonly mark?: string;
  /** Where the source has it, so that it can be looked up again. */
  readonly place?: string;
}

/** What a stream came to. */
export interface Taken {
  /** Entries that were looked at. */
  readonly entries: number;
  /** Entries that had given all they have before. */
  readonly known: number;
  /** Readings that count; again, where an entry comes back with more of its readings open. */
  readonly readings: number;
  /** By reason, readings that are open, or whole entries, that count for nothing. */
  readonly refused: ReadonlyMap<Refusal, number>;
}

/** Readings between two commits. What a cut takes is streamed again. */
const COMMIT_EVERY = 100_000;

/**
 * Takes in anchored readings, checks each as the courts would, and keeps what counts, by device, in a file. Batches may come in any order, more
 * than once, and under several entries: the partials are the same. Memory holds one batch, or one device's readings.
 *
 * @example
 * const aggregator = await Aggregator.open({ file, request, query, registry, witness });
 * await aggregator.take(source.from(aggregator.mark));
 * const partial = aggregator.partialOf(device);
 */
export class Aggregator {
  private readonly check: BatchCheck;
  private uncommitted = 0;

  private constructor(
    private readonly options: AggregatorOptions,
    private readonly store: PieceStore,
  ) {
    this.check = new BatchCheck(options.query, options.registry, options.witness);
  }

  /** Errors: ITC_AGGREGATOR_FILE, ITC_AGGREGATOR_OTHER_REQUEST, ITC_AGGREGATOR_LOCKED. */
  static async open(options: AggregatorOptions): Promise<Aggregator> {
    const { chainId, registry } = options.registry;
    return new Aggregator(
      options,
      await PieceStore.open(options.file, { request: options.request, chainId, registry }),
    );
  }

  get query(): Query {
    return this.options.query;
  }

  /** The mark of the last batch that is kept for good. */
  get mark(): string | undefined {
    return this.store.mark;
  }

  /** Rises whenever more readings count, also from one process to the next. */
  get counted(): number {
    return this.store.readings;
  }

  /** Takes in a stream. What came before a failure of the source is kept; the failure is passed on. */
  async take(source: AsyncIterable<MarkedBatch> | Iterable<MarkedBatch>): Promise<Taken> {
    const counts = { entries: 0, known: 0, readings: 0 };
    const refused = new Map<Refusal, number>();
    let marked: MarkedBatch | undefined;
    const save = () => {
      const mark = marked?.mark;
      if (mark !== undefined) this.store.mark = mark;
      this.store.commit();
      this.uncommitted = 0;
    };
    try {
      for await (const batch of source) {
        counts.entries++;
        if (this.store.isComplete(batch.publisher, batch.index)) counts.known++;
        else counts.readings += await this.takeOne(batch, refused);
        if ("mark" in batch) marked = batch;
        if (this.uncommitted >= COMMIT_EVERY) save();
      }
    } finally {
      save();
    }
    return { ...counts, refused };
  }

  /** What a device's readings come to, `most` of them if there are more; undefined if none counts. */
  partialOf(device: string, most = this.query.cap): DevicePartial | undefined {
    const pieces = this.store.piecesOf(device);
    return pieces.length === 0 ? undefined : foldPieces(this.query, device, pieces, most);
  }

  /** The partials of all devices with readings that count, ascending by device. */
  *partials(): Generator<DevicePartial> {
    for (const device of this.store.devices()) {
      const partial = this.partialOf(device);
      if (partial) yield partial;
    }
  }

  /** Where the source has the entries from which a device's readings count. */
  placesOf(device: string): string[] {
    return this.store.placesOf(device);
  }

  /** Devices that contradict themselves; each is withheld. */
  *equivocations(): Generator<Equivocation> {
    for (const { equivocation } of this.partials()) if (equivocation) yield equivocation;
  }

  close(): void {
    this.store.close();
  }

  private async takeOne(batch: MarkedBatch, refused: Map<Refusal, number>): Promise<number> {
    const { publisher, index } = batch;
    const { refused: why, accepted, rejected } = await this.check.check(batch);
    const note = (reason: Refusal, place?: { device: string; sequence: bigint }) => {
      refused.set(reason, (refused.get(reason) ?? 0) + 1);
      const which = place && { device: place.device, sequence: place.sequence };
      this.options.onRefused?.({ publisher, index, why: reason, ...which });
    };
    if (why) {
      note(why);
      return 0;
    }
    for (const { reading, why: reason } of rejected) note(reason, reading);
    if (accepted.length > 0) {
      const isComplete = accepted.length === batch.readings.length;
      this.store.file(publisher, index, isComplete, piecesOf(accepted), batch.place);
      this.uncommitted += accepted.length;
    }
    return accepted.length;
  }
}

function piecesOf(accepted: readonly Accepted[]): Map<string, Uint8Array> {
  const first = accepted[0]?.reading.device ?? "";
  if (accepted.every(({ reading }) => reading.device === first)) return new Map([[first, encodePiece(accepted)]]);
  const byDevice = Map.groupBy(accepted, ({ reading }) => reading.device.toLowerCase());
  return new Map([...byDevice].map(([device, readings]) => [device, encodePiece(readings)]));
}
