import { EventEmitter } from "node:events";
import { setImmediate as breathe, setTimeout as sleep } from "node:timers/promises";
import { Digests } from "../identity/digests.js";
import type { DeviceId, PublicKey } from "../identity/keys.js";
import { sameBytes } from "../internal/bytes.js";
import { Batch } from "./batches.js";
import type { BatchedEvidence } from "./evidence.js";
import { Batches } from "./gateway-batches.js";
import { Committing } from "./gateway-committing.js";
import { standingOf } from "./gateway-devices.js";
import { corrupted, GatewayError } from "./gateway-errors.js";
import type { GatewayEvents } from "./gateway-events.js";
import { Intake } from "./gateway-intake.js";
import { readReadingCbor, readReadingJson, type SentReading } from "./gateway-messages.js";
import { AnchorNode } from "./gateway-node.js";
import { type GatewayOptions, type GatewaySettings, settingsOf } from "./gateway-options.js";
import { bytesOf, type Contradiction, type Kept, Queue } from "./gateway-queue.js";
import { type GatewayReceipt, Receipts } from "./gateway-receipts.js";
import { Sender } from "./gateway-sender.js";
import type { SignedReading } from "./readings.js";

/** Where a gateway stands. */
export interface GatewayStatus {
  /** Readings that no batch has yet. */
  readonly waiting: bigint;
  /** Batches in all; of these, in the log, and as deep as was asked for. */
  readonly batches: { readonly sealed: bigint; readonly anchored: bigint; readonly final: bigint };
  /** Entries that the log had before this queue. Undefined until the node has told. */
  readonly base: bigint | undefined;
  /** Bytes of the queue in use. */
  readonly bytes: bigint;
  /** What the last step failed with, if it did. */
  readonly failure: GatewayError | undefined;
  /** It has met something that only a person can decide, and takes no more readings. */
  readonly halted: boolean;
}

/** How far a reading has come. */
export type ReadingState = "waiting" | "sealed" | "anchored" | "final";

/**
 * Takes signed readings from devices, gives receipts, and brings the readings in batches into its log. All that it has given a receipt for
 * is on disk, and gets into the log exactly once, whatever is killed, refused, lost or reorganised on the way; docs/gateway.md says how.
 *
 * @example
 * const gateway = await Gateway.open({ file: "queue.db", publisher, node, chainId, registry, anchor, fees: { ceiling } });
 * gateway.admit(deviceKey);
 * const receipt = gateway.receiveJson(message);
 * await gateway.run({ signal });
 */
export class Gateway {
  readonly events = new EventEmitter<GatewayEvents>();
  /** Batches of devices' own logs, with commitments to their values; there if the option `commit` is. */
  readonly committing: Committing | undefined;
  private readonly digests: Digests;
  private readonly batches: Batches;
  private readonly intake: Intake;
  private readonly node: AnchorNode;
  private readonly sender: Sender;
  private running: Promise<void> | undefined;
  private failure: GatewayError | undefined;
  private proving: { readonly number: bigint; readonly batch: Batch } | undefined;

  private constructor(
    private readonly queue: Queue,
    private readonly settings: GatewaySettings,
  ) {
    const { owner, publisher, intake, node, patience, sending, commit } = settings;
    this.digests = new Digests(owner);
    this.batches = new Batches(queue);
    this.intake = new Intake(queue, this.digests, new Receipts(owner), publisher, intake);
    this.node = new AnchorNode(node, owner, patience);
    this.sender = new Sender(queue, this.batches, this.node, this.events, { owner, publisher, ...sending });
    this.committing = commit && new Committing({ ...settings, ...sending, queue, events: this.events }, commit);
  }

  /**
   * Opens a queue file, or begins one. Asks the node nothing: readings are taken while it is down.
   * Errors: ITC_GATEWAY_OPTIONS, ITC_GATEWAY_LOCKED, ITC_GATEWAY_CORRUPT, ITC_GATEWAY_FOREIGN_FILE, ITC_GATEWAY_VERSION,
   * ITC_GATEWAY_OTHER_OWNER, ITC_GATEWAY_DISK.
   */
  static async open(options: GatewayOptions): Promise<Gateway> {
    const settings = settingsOf(options);
    return new Gateway(await Queue.open(settings.file, settings.owner), settings);
  }

  /**
   * Serves a device from now on, taken at the caller's word. Admitting it again replaces its key, and lets it go on if it was stopped.
   *
   * @param next The sequence number that is due. One that is below what the queue knows changes nothing; one above leaves numbers out.
   * Errors: ITC_GATEWAY_KEY for an ERC-1271 contract, whose word only the chain can judge.
   */
  admit(key: PublicKey, next = 0n): void {
    if (key.kind === "erc1271") {
      const what = `Device ${key.id} is a contract; a gateway can't check what it signs.`;
      throw new GatewayError("ITC_GATEWAY_KEY", what, "Let it append itself.");
    }
    this.queue.admit(key, next, this.settings.now());
  }

  /** Serves a device that the registry knows as active with this key. Errors: those of {@link admit} and {@link standing}. */
  async enrol(key: PublicKey, next = 0n): Promise<void> {
    const error = await standingOf(this.settings.owner.registry, this.node.reader, key);
    if (error) throw error;
    this.admit(key, next);
  }

  /**
   * Takes a reading: it is on disk when this returns. The same reading sent again is harmless and gets the same receipt.
   *
   * @param payload Bytes that it commits to, to be kept beside it; the gateway doesn't look at them.
   * Errors, with nothing kept: ITC_GATEWAY_UNKNOWN; ITC_GATEWAY_SEQUENCE with the number that was due; ITC_GATEWAY_SIGNATURE;
   * ITC_GATEWAY_CLOCK; ITC_GATEWAY_CONTRADICTION, with both readings kept as proof; ITC_GATEWAY_FOREIGN, ITC_GATEWAY_INACTIVE and
   * ITC_GATEWAY_ROTATED by what the registry said last; ITC_GATEWAY_MALFORMED, ITC_GATEWAY_TOO_LARGE; ITC_GATEWAY_FULL,
   * ITC_GATEWAY_DISK; ITC_GATEWAY_HALTED.
   */
  receive(reading: SignedReading, payload: Uint8Array = new Uint8Array()): GatewayReceipt {
    if (this.halted) {
      const what = `The gateway has halted: ${this.failure?.message ?? "unknown"}`;
      throw new GatewayError("ITC_GATEWAY_HALTED", what, "Keep the reading and send it when it runs again.");
    }
    return this.intake.receive(reading, payload, this.settings.now());
  }

  /** Takes a reading as `writeReadingJson` writes it: what an HTTP or MQTT bridge calls. Errors: as for {@link receive}. */
  receiveJson(text: string): GatewayReceipt {
    const { reading, payload } = readReadingJson(text);
    return this.receive(reading, payload);
  }

  /** Takes a reading as `writeReadingCbor` writes it. Errors: as for {@link receive}. */
  receiveCbor(message: Uint8Array): GatewayReceipt {
    const { reading, payload } = readReadingCbor(message);
    return this.receive(reading, payload);
  }

  /** The devices that were caught, one contradiction each: `proveEquivocation` takes it. */
  contradictions(): Contradiction[] {
    return this.queue.contradictions();
  }

  /** The sequence number that a device has to send next. Errors: ITC_GATEWAY_UNKNOWN. */
  nextOf(device: DeviceId): bigint {
    const served = this.queue.device(device);
    if (served) return served.next;
    throw new GatewayError("ITC_GATEWAY_UNKNOWN", `Device ${device} is not served here.`, "Admit it first.");
  }

  /**
   * Puts all readings that wait into batches, without waiting for a limit.
   *
   * @param most Readings in a batch.
   */
  seal(most = this.settings.batch.readings): void {
    for (const schema of this.queue.schemasWaiting()) while (this.sealOne(schema, most));
  }

  /** One step of all the work: seals what is due, looks at the chain, sends what is missing. Steps don't overlap. */
  tick(): Promise<void> {
    this.running ??= this.step().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  /**
   * Works until the signal says stop. A step that fails is told by `failed` and tried again, later each time, up to a minute.
   * Errors: ITC_GATEWAY_FOREIGN_ENTRY, when it has halted.
   */
  async run({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    for (let failures = 0; !signal?.aborted; ) {
      try {
        await this.tick();
        failures = 0;
      } catch (error) {
        if (this.halted || !(error instanceof GatewayError)) throw error;
        failures += 1;
        this.events.emit("failed", error);
      }
      const pause = Math.min(this.settings.poll * 2 ** failures, 60_000);
      await sleep(pause, undefined, signal && { signal }).catch(() => {});
    }
  }

  /** Seals all that waits and works until it is final. Errors: those of {@link tick}. */
  async flush(most?: number): Promise<void> {
    this.seal(most);
    for (;;) {
      await this.tick();
      if (this.batches.final === this.batches.size) return;
      await sleep(this.settings.poll);
    }
  }

  status(): GatewayStatus {
    const { size: sealed, anchored, final, base } = this.batches;
    return {
      waiting: this.queue.count("SELECT COUNT(*) FROM reading WHERE batch IS NULL"),
      batches: { sealed, anchored, final },
      base: base?.size,
      bytes: this.queue.bytes,
      failure: this.failure,
      halted: this.halted,
    };
  }

  /** The log as far as it is final: what `rootOf` says when nothing else is under way. */
  log(): { readonly size: bigint; readonly root: Uint8Array } {
    const size = (this.batches.base?.size ?? 0n) + this.batches.final;
    return { size, root: this.batches.rootAt(size) ?? new Uint8Array(32) };
  }

  /**
   * All readings that the log doesn't hold as far as is known, in the order of receipt: what another gateway has to take over from one that
   * has halted. Don't receive while reading them.
   */
  *unanchored(): Generator<SentReading> {
    for (let last = 0n; ; ) {
      const page = this.queue.unanchored(last, PAGE);
      for (const { reading, payload } of page) yield { reading, payload };
      const end = page.at(-1);
      if (!end) return;
      last = end.row;
    }
  }

  /** A reading that is kept, with its payload and its receipt. Errors: ITC_GATEWAY_NOT_KEPT. */
  readingOf(
    device: DeviceId,
    sequence: bigint,
  ): {
    readonly reading: SignedReading;
    readonly payload: Uint8Array;
    readonly receipt: GatewayReceipt;
    readonly state: ReadingState;
  } {
    const { reading, payload, receipt, batch } = this.kept(device, sequence);
    return { reading, payload, receipt, state: this.stateOf(batch) };
  }

  /** What proves a reading, without its content. Errors: ITC_GATEWAY_NOT_KEPT, ITC_GATEWAY_NOT_FINAL, ITC_GATEWAY_CORRUPT. */
  evidenceOf(device: DeviceId, sequence: bigint): BatchedEvidence {
    const { reading, key, batch: number, place } = this.kept(device, sequence);
    const sealed = number === undefined ? undefined : this.batches.at(number);
    const { base } = this.batches;
    if (number === undefined || !sealed?.final || sealed.time === undefined || !base) {
      const what = `Reading ${sequence} of ${device} is ${this.stateOf(number)}.`;
      throw new GatewayError("ITC_GATEWAY_NOT_FINAL", what, "Ask again when its batch is final.");
    }
    const batch = this.batchOf(number, sealed.entry);
    const { count, first, last, values } = batch.header;
    const index = base.size + number;
    const size = base.size + this.batches.final;
    const { chainId, registry, anchor, publisher } = this.settings.owner;
    return {
      domain: { chainId, registry },
      anchor,
      key,
      reading,
      batch: { count, first, last, values, proof: batch.prove(Number(place)) },
      entry: { publisher, index, time: sealed.time, siblings: this.batches.siblings(index, size) },
    };
  }

  /** The final batches whose readings are kept, in the order of the log: what an aggregator takes in. Errors: ITC_GATEWAY_CORRUPT. */
  *anchoredBatches(): Generator<{ readonly index: bigint; readonly time: bigint; readonly batch: Batch }> {
    const { base } = this.batches;
    for (let number = 0n; base && number < this.batches.final; number++) {
      const sealed = this.batches.at(number);
      if (sealed?.time === undefined || this.queue.readingsOf(number).length === 0) continue;
      yield { index: base.size + number, time: sealed.time, batch: this.batchOf(number, sealed.entry) };
    }
  }

  /** Whether the log holds what isn't ours at a place that is. */
  private get halted(): boolean {
    return this.failure?.code === "ITC_GATEWAY_FOREIGN_ENTRY";
  }

  /** Ends the step that is under way and lets go of the file. */
  async close(): Promise<void> {
    await this.running?.catch(() => {});
    this.queue.close();
  }

  private async step(): Promise<void> {
    try {
      await this.sealDue();
      await this.sender.step();
      await this.recheck();
      this.prune();
      await this.committing?.step();
      this.failure = undefined;
    } catch (error) {
      // A failure to look leaves it open whether the foreign entry is still there.
      if (error instanceof GatewayError && !(this.halted && error.code === "ITC_GATEWAY_NODE")) this.failure = error;
      throw error;
    }
  }

  private async sealDue(): Promise<void> {
    const { readings, bytes, seconds } = this.settings.batch;
    const isDue = (schema: Uint8Array): boolean => {
      const oldest = this.queue.waitingIn(schema, readings);
      const waited = this.settings.now() - oldest.since;
      return (
        oldest.count >= BigInt(readings) || oldest.bytes >= BigInt(bytes) || (oldest.count > 0n && waited >= seconds)
      );
    };
    for (const schema of this.queue.schemasWaiting()) {
      // Readings come in meanwhile.
      for (; isDue(schema); await breathe()) this.sealOne(schema, readings);
    }
  }

  /** Makes a batch of the oldest readings of a schema, within the limits. Whether there was one. */
  private sealOne(schema: Uint8Array, most: number): boolean {
    const oldest = this.queue.waitingOf(schema, most);
    let bytes = 0;
    const over = oldest.findIndex(
      ({ reading, payload }, k) => (bytes += bytesOf(reading, payload)) > this.settings.batch.bytes && k > 0,
    );
    const chosen = over < 0 ? oldest : oldest.slice(0, over);
    if (chosen.length === 0) return false;
    const batch = this.built(chosen);
    const number = this.batches.seal(batch, chosen, this.settings.now());
    const index = (this.batches.base?.size ?? 0n) + number;
    this.events.emit("sealed", { index, readings: batch.header.count });
    return true;
  }

  /** A bit that has fallen over on the disk is found here, before it is anchored or proved. */
  private built(kept: readonly Kept[]): Batch {
    const spoilt = kept.find(({ reading, digest }) => !sameBytes(this.digests.reading(reading), digest));
    if (!spoilt)
      return new Batch(
        kept.map(({ reading }) => reading),
        this.digests,
      );
    const { device, sequence } = spoilt.reading;
    throw corrupted(`Reading ${sequence} of ${device} isn't what was received.`);
  }

  private batchOf(number: bigint, entry: Uint8Array): Batch {
    if (this.proving?.number === number) return this.proving.batch;
    const batch = this.built(this.queue.readingsOf(number));
    if (!sameBytes(batch.entry, entry)) {
      throw corrupted(`The readings of batch ${number} aren't those that were sealed.`);
    }
    this.proving = { number, batch };
    return batch;
  }

  private kept(device: DeviceId, sequence: bigint): Kept {
    const kept = this.queue.reading(device, sequence);
    if (kept) return kept;
    const what = `Reading ${sequence} of ${device} isn't kept here.`;
    throw new GatewayError("ITC_GATEWAY_NOT_KEPT", what, "It was never received, or has been pruned (keep).");
  }

  private stateOf(number: bigint | undefined): ReadingState {
    const batch = number === undefined ? undefined : this.batches.at(number);
    if (!batch) return "waiting";
    if (batch.final) return "final";
    return batch.time === undefined ? "sealed" : "anchored";
  }

  private async recheck(): Promise<void> {
    const { recheck, now, owner } = this.settings;
    if (recheck === undefined) return;
    for (const device of this.queue.unchecked(now() - recheck, RECHECKED)) {
      const error = await standingOf(owner.registry, this.node.reader, device.key);
      this.queue.checked(device, now(), error?.code);
      if (error) this.events.emit("stopped", { device: device.key.id, code: error.code });
    }
  }

  /** Forgets the readings of batches that were final long enough. */
  private prune(): void {
    const { keep, now } = this.settings;
    if (keep === undefined) return;
    const sql = "SELECT number FROM batch WHERE final = 1 AND sealed < ? AND number >= ? ORDER BY number LIMIT 1";
    // One batch a step, so that no step takes long.
    const kept = this.queue.count("SELECT MIN(batch) FROM reading WHERE batch IS NOT NULL");
    const row = this.queue.get(sql, now() - keep, kept);
    if (row) this.queue.run("DELETE FROM reading WHERE batch = ?", row.number as bigint);
  }
}

/** Readings that are in memory at once when many are listed. */
const PAGE = 256;
/** Devices that are asked for in one step. */
const RECHECKED = 16;
