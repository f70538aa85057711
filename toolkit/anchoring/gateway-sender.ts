import type { EventEmitter } from "node:events";
import type { DeviceKey } from "../identity/keys.js";
import { sameBytes } from "../internal/bytes.js";
import type { Batches, Sealed } from "./gateway-batches.js";
import { GatewayError } from "./gateway-errors.js";
import type { GatewayEvents } from "./gateway-events.js";
import { type FeePolicy, firstFees, higherFees } from "./gateway-fees.js";
import { type AnchorNode, appendCall, signedCall, type Told, tellsOf, type View } from "./gateway-node.js";
import type { Queue } from "./gateway-queue.js";
import type { QueueOwner } from "./gateway-store.js";
import { entryLeaf } from "./mountain-range.js";

/** How batches get into the log. */
export interface SenderOptions {
  readonly owner: QueueOwner;
  readonly publisher: DeviceKey;
  readonly fees: FeePolicy;
  /** Blocks on top of a batch's before it is final. */
  readonly confirmations: bigint;
  /** Whether a new queue may go on with a log that has entries. */
  readonly continueLog: boolean;
}

/** Transactions that wait for a block at once; nodes keep 16 of one account at least. */
const IN_FLIGHT = 8n;
/** Batches that are looked up at once. */
const LOOKED_UP = 256n;
/** Final batches that are looked at again when the log isn't what they make it; doubled until it is. */
const DOUBTED = 16n;

/**
 * Brings batches into the log, each once. That rests on the contract, not on bookkeeping: a batch has its index before its first
 * transaction is signed, and the contract takes an entry at no index but the log's size. So whatever is unclear after a crash, a reorg or
 * a lost answer is sent again. What the chain holds is read from it each time; notes of an earlier look never stand against it.
 */
export class Sender {
  private readonly offered = new Map<bigint, string>();
  private doubted = DOUBTED;

  constructor(
    private readonly queue: Queue,
    private readonly batches: Batches,
    private readonly node: AnchorNode,
    private readonly events: EventEmitter<GatewayEvents>,
    private readonly options: SenderOptions,
  ) {}

  /**
   * Looks at the chain once, takes note of what it holds and sends what is missing.
   * Errors: ITC_GATEWAY_NODE, ITC_GATEWAY_CHAIN, ITC_GATEWAY_NO_ANCHOR, ITC_GATEWAY_REFUSED, ITC_GATEWAY_LOG_EXISTS,
   * ITC_GATEWAY_LOG_MOVES, ITC_GATEWAY_LOG_SHORT; ITC_GATEWAY_FOREIGN_ENTRY as long as it is there, with nothing sent.
   */
  async step(): Promise<void> {
    if (this.batches.final === this.batches.size) return;
    const view = await this.node.view();
    const base = this.batches.base ?? (await this.begin(view));
    const included = view.size - base.size;
    if (included < 0n) {
      const what = `The log has ${view.size} entries; it had ${base.size} when the queue was begun.`;
      throw new GatewayError(
        "ITC_GATEWAY_LOG_SHORT",
        what,
        "The node lags, or the chain was reorganised further back: wait.",
      );
    }
    this.displace(included, view);
    const foreign = await this.note(base.size, included, view);
    await this.compare(view);
    this.finish(base.size, view);
    if (foreign !== undefined) throw this.foreign(foreign);
    await this.send(base.size, included, view);
  }

  /** Finds out where the log stands, once for each queue. */
  private async begin(view: View): Promise<{ size: bigint; block: bigint }> {
    const { owner, confirmations, continueLog } = this.options;
    if (view.size > 0n && !continueLog) {
      const what = `The queue is new, but the log of ${owner.publisher} has ${view.size} entries.`;
      throw new GatewayError(
        "ITC_GATEWAY_LOG_EXISTS",
        what,
        "Bring the old queue file back, or set continueLog if it's lost.",
      );
    }
    const depth = view.number > confirmations ? view.number - confirmations : 0n;
    const [settled, pending] = await Promise.all([
      depth === 0n ? 0n : this.node.sizeAt(`0x${depth.toString(16)}`),
      this.node.pendingNonce(),
    ]);
    const log = view.size === 0n ? undefined : await this.node.log();
    if (settled !== view.size || pending !== view.nonce || BigInt(log?.entries.length ?? 0) !== view.size) {
      const what = `The log of ${owner.publisher} still moves.`;
      throw new GatewayError("ITC_GATEWAY_LOG_MOVES", what, "Stop whatever else sends with this key, and wait.");
    }
    const base = { size: view.size, block: depth };
    this.batches.begin(base, log?.entries.map(({ entry, time }) => entryLeaf(entry, time)) ?? []);
    return base;
  }

  /**
   * Takes back what the chain has lost. A node that stands lower than the block of a batch can't know it, so its word doesn't count:
   * for what is final, lower than the block that made it so.
   */
  private displace(included: bigint, view: View): void {
    const depth = this.options.confirmations;
    const lost = this.batches
      .anchoredFrom(included)
      .find(({ block = 0n, final }) => view.number >= block + (final ? depth : 0n));
    if (lost) this.forget(lost.number);
  }

  /** Takes it that the chain holds none of the batches from `first` on. */
  private forget(first: bigint): void {
    const lost = this.batches.anchoredFrom(first);
    this.queue.transaction(() => {
      this.batches.displace(first);
      this.batches.truncate(this.indexOf(first));
    });
    for (const { number } of lost) this.events.emit("reorganised", { index: this.indexOf(number) });
  }

  /**
   * Reads anew where and when each batch that isn't final was included: a reorg may have moved it.
   *
   * @returns The index of the first entry that isn't ours, if there is one; what comes before it is noted all the same.
   */
  private async note(base: bigint, included: bigint, view: View): Promise<bigint | undefined> {
    for (let first = this.batches.final; first < included; first += LOOKED_UP) {
      const end = first + LOOKED_UP < included ? first + LOOKED_UP : included;
      const batches = this.batches.between(first, end);
      const told = await this.tell(base, batches, view);
      const foreign = batches.findIndex(({ entry }, k) => !(told[k] && tellsOf(told[k], entry)));
      const ours = foreign < 0 ? batches : batches.slice(0, foreign);
      this.queue.transaction(() => this.keep(base, ours, told));
      for (const [k, { number, time }] of ours.entries()) {
        const at = told[k];
        if (at && at.time !== time)
          this.events.emit("anchored", { index: base + number, time: at.time, block: at.block });
      }
      if (BigInt(ours.length) === end - first) continue;
      this.forget(first + BigInt(ours.length));
      return base + first + BigInt(ours.length);
    }
    return undefined;
  }

  private async tell(base: bigint, batches: readonly Sealed[], view: View): Promise<Told[]> {
    const origin = this.batches.base?.block ?? 0n;
    const since = batches.reduce((least, { since: one = 0n }) => (one < least ? one : least), view.number);
    const depth = this.options.confirmations;
    const from = since > origin + depth ? since - depth : origin;
    let found = await this.node.entries(from, view.number);
    // A reorg beyond what counts as final may have put a batch where it couldn't be.
    if (batches.some(({ number }) => !found.has(base + number))) found = await this.node.entries(origin, view.number);
    return batches.map(({ number }) => {
      const told = found.get(base + number);
      if (told) return told;
      const what = `The node counts entry ${base + number}, but doesn't show its event.`;
      throw new GatewayError("ITC_GATEWAY_NODE", what, "Ask a node that keeps events.");
    });
  }

  private keep(base: bigint, batches: readonly Sealed[], told: readonly Told[]): void {
    const moved = batches.find(({ time }, k) => time !== told[k]?.time);
    if (moved) this.batches.truncate(base + moved.number);
    for (const [k, { number, entry, time, block }] of batches.entries()) {
      const at = told[k];
      if (!at) continue;
      if (at.time !== time || at.block !== block) this.batches.place(number, at.time, at.block);
      if (this.batches.logSize === base + number) this.batches.append(entryLeaf(entry, at.time));
    }
  }

  /** The log that our notes make must have the root that the contract holds: evidence rests on it. */
  private async compare(view: View): Promise<void> {
    if (view.size === 0n || this.batches.logSize < view.size) return;
    const root = await this.node.rootAt(view);
    if (sameBytes(root, this.batches.rootAt(view.size) ?? new Uint8Array())) {
      this.doubted = DOUBTED;
      return;
    }
    const { final } = this.batches;
    this.batches.doubt(final > this.doubted ? final - this.doubted : 0n);
    this.doubted *= 2n;
    const what = `The events that the node shows don't make the root of log ${this.options.owner.publisher}.`;
    throw new GatewayError("ITC_GATEWAY_NODE", what, "The gateway looks further back; ask another node if it goes on.");
  }

  private finish(base: bigint, view: View): void {
    const first = this.batches.final;
    const ready: bigint[] = [];
    for (const { number, block } of this.batches.between(first, first + LOOKED_UP)) {
      if (block === undefined || view.number < block + this.options.confirmations) break;
      ready.push(number);
    }
    if (ready.length === 0) return;
    this.queue.transaction(() => {
      for (const number of ready) this.batches.finish(number);
    });
    for (const number of ready) {
      this.offered.delete(number);
      this.events.emit("final", { index: base + number });
    }
  }

  /** The n-th batch that is missing has the n-th nonce from now: appends go through in this order or not at all. */
  private async send(base: bigint, included: bigint, view: View): Promise<void> {
    for (const batch of this.batches.between(included, included + IN_FLIGHT)) {
      // Those that an earlier look has seen as well: after a reorg the chain is lower for a while, and to a node that lags it is harmless.
      if (batch.final) continue;
      const nonce = view.nonce + batch.number - included;
      const raw = await this.rawFor(base, batch, nonce, batch.number === included, view);
      if (raw === undefined) return;
      // Once a block: a node may have dropped it, or lost the one before.
      if (this.offered.get(batch.number) === view.hash + raw) continue;
      const why = await this.node.broadcast(raw);
      if (why === undefined) this.offered.set(batch.number, view.hash + raw);
      else this.events.emit("refused", { index: base + batch.number, why });
    }
  }

  /** The transaction for a batch: the one that was signed, unless its nonce is gone or no block takes it. Undefined while it costs too much. */
  private async rawFor(
    base: bigint,
    batch: Sealed,
    nonce: bigint,
    isNext: boolean,
    view: View,
  ): Promise<string | undefined> {
    const { fees } = this.options;
    const { attempt } = batch;
    if (attempt?.nonce === nonce) {
      if (!isNext || view.number < attempt.sent + fees.patience) return attempt.raw;
      const higher = higherFees(view.baseFee, attempt, fees);
      if (higher) return this.sign(base, batch, nonce, higher, view);
      this.events.emit("expensive", { baseFee: view.baseFee, ceiling: fees.ceiling });
      return attempt.raw;
    }
    const first = firstFees(view.baseFee, fees);
    if (!first) {
      this.events.emit("expensive", { baseFee: view.baseFee, ceiling: fees.ceiling });
      return undefined;
    }
    // Those after it can't be tried before it is there.
    if (isNext) {
      const { publisher } = this.options.owner;
      const index = base + batch.number;
      const data = appendCall(publisher, index, batch.entry);
      await this.node.simulate(data, `entry ${index} of ${publisher}`, fees.gas, view);
    }
    return this.sign(base, batch, nonce, first, view);
  }

  private sign(
    base: bigint,
    { number, entry }: Sealed,
    nonce: bigint,
    fees: { maxFee: bigint; tip: bigint },
    view: View,
  ): string {
    const { owner, publisher, fees: policy } = this.options;
    const index = base + number;
    const data = appendCall(owner.publisher, index, entry);
    const raw = signedCall(publisher, owner, { data, nonce, gas: policy.gas, ...fees });
    this.batches.attempt(number, { nonce, raw, ...fees, sent: view.number });
    this.events.emit("signed", { index, nonce, ...fees });
    return raw;
  }

  private foreign(index: bigint): GatewayError {
    const what = `Entry ${index} of ${this.options.owner.publisher} isn't the one of this queue.`;
    const next =
      "Someone else appends with this key, or the queue is an old copy: nothing is lost; see docs/gateway.md, Recovery.";
    return new GatewayError("ITC_GATEWAY_FOREIGN_ENTRY", what, next);
  }

  private indexOf(number: bigint): bigint {
    return (this.batches.base?.size ?? 0n) + number;
  }
}
