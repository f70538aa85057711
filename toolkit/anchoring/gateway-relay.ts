import type { EventEmitter } from "node:events";
import { DataAnchor__factory } from "../contracts.js";
import { type DeviceKey, signerOf, type Verifiers } from "../identity/keys.js";
import { toHex } from "../internal/bytes.js";
import { GatewayError } from "./gateway-errors.js";
import type { GatewayEvents } from "./gateway-events.js";
import { type FeePolicy, firstFees, higherFees } from "./gateway-fees.js";
import { type AnchorNode, signedCall, type Told, tellsOf, type View } from "./gateway-node.js";
import type { Stated, Statements } from "./gateway-statements.js";
import type { QueueOwner } from "./gateway-store.js";

/** How statements get into the devices' logs. */
export interface RelayOptions {
  readonly owner: QueueOwner;
  readonly relayer: DeviceKey;
  readonly verifiers: Verifiers;
  readonly fees: FeePolicy;
  readonly confirmations: bigint;
  readonly events: EventEmitter<GatewayEvents>;
}

/** Devices that are looked up in one step. */
const LOOKED_UP = 64;
/** Entries in one transaction. */
const TOGETHER = 16;
/** Blocks of the past that a step looks through; a device can make it look, and the gateway's own log waits meanwhile. */
const STRETCH = 16_000n;

const anchor = DataAnchor__factory.createInterface();

/**
 * Brings what devices have signed into their logs, each once: the contract takes an entry for its own position alone, whoever sends it, and how often.
 * So nothing of a transaction is kept; after a crash the logs are read, and what they lack is sent.
 */
export class Relay {
  private attempt: { nonce: bigint; raw: string; maxFee: bigint; tip: bigint; sent: bigint } | undefined;
  private offered = "";
  private after = 0n;
  /** Down to which block the logs of devices have been searched for what stood there before it was stated. */
  private readonly searched = new Map<string, bigint>();
  private hasSearched = false;

  constructor(
    private readonly statements: Statements,
    private readonly node: AnchorNode,
    private readonly options: RelayOptions,
  ) {}

  /** Looks at the logs of the next devices, takes note of what they hold, and sends what is due. Errors: ITC_GATEWAY_NODE, ITC_GATEWAY_CHAIN. */
  async step(): Promise<void> {
    const open = this.statements.relaying(this.after, LOOKED_UP);
    const devices = Map.groupBy(open, ({ row }) => row);
    this.after = devices.size < LOOKED_UP ? 0n : (open.at(-1)?.row ?? 0n);
    if (open.length === 0) return;
    this.hasSearched = false;
    const view = await this.node.view();
    const due: Stated[] = [];
    for (const stated of devices.values()) {
      const first = await this.note(stated, view);
      if (first) due.push(first);
    }
    await this.send(due, view);
  }

  /** Reads where a device's statements stand. Returns the one whose turn it is. */
  private async note(stated: readonly Stated[], view: View): Promise<Stated | undefined> {
    const device = stated[0]?.key.id ?? "";
    const size = await this.node.sizeAt({ blockHash: view.hash }, device);
    const there = stated.filter(({ index }) => index < size);
    const found = await this.entriesOf(device, there, view);
    for (const one of there) {
      const told = found.get(one.index);
      if (told || !this.searched.has(device)) this.keep(one, told, view);
    }
    for (const one of stated) {
      if (one.index < size) continue;
      if (one.since === undefined) this.statements.seek(one, view.number);
      // A node that stands lower than its block can't know it.
      if (one.block !== undefined && view.number >= one.block) this.statements.place(one);
    }
    return stated.find(({ index }) => index === size);
  }

  private async entriesOf(device: string, stated: readonly Stated[], view: View): Promise<Map<bigint, Told>> {
    if (stated.length === 0) return new Map();
    const { confirmations } = this.options;
    const [since = view.number] = stated.flatMap((one) => one.since ?? []).sort((a, b) => Number(a - b));
    const from = since > confirmations ? since - confirmations : 0n;
    const found = await this.node.entries(from, view.number, device);
    const isThere = (entries: Map<bigint, Told>) => stated.every(({ index }) => entries.has(index));
    const end = this.searched.get(device) ?? from;
    this.searched.delete(device);
    if (isThere(found) || end === 0n) return found;
    // Somebody has relayed it before we first looked: it stands further back, a stretch a step.
    const start = this.hasSearched ? end : end > STRETCH ? end - STRETCH : 0n;
    const older = this.hasSearched ? [] : await this.node.entries(start, end - 1n, device);
    this.hasSearched = true;
    const all = new Map([...older, ...found]);
    if (!isThere(all)) this.searched.set(device, start);
    return all;
  }

  private keep(stated: Stated, told: Told | undefined, view: View): void {
    const { index, entry, time, block, key } = stated;
    if (!told) {
      const what = `The node counts entry ${index} of ${key.id}, but doesn't show its event.`;
      throw new GatewayError("ITC_GATEWAY_NODE", what, "Ask a node that keeps events.");
    }
    const deep = view.number >= told.block + this.options.confirmations;
    if (!tellsOf(told, entry)) {
      if (!deep) return;
      this.statements.drop(stated);
      this.options.events.emit("overtaken", { device: key.id, index });
    } else if (deep || told.time !== time || told.block !== block) {
      this.statements.place(stated, told, deep);
      if (deep) this.options.events.emit("committed", { device: key.id, index });
    }
  }

  /** One transaction at a time: what is due later goes with the next one. */
  private async send(due: readonly Stated[], view: View): Promise<void> {
    const { fees } = this.options;
    if (due.length === 0) return;
    const pending = this.attempt?.nonce === view.nonce ? this.attempt : undefined;
    if (pending && view.number < pending.sent + fees.patience) return this.offer(pending.raw, due, view);
    const price = pending ? higherFees(view.baseFee, pending, fees) : firstFees(view.baseFee, fees);
    if (!price) {
      this.options.events.emit("expensive", { baseFee: view.baseFee, ceiling: fees.ceiling });
      return pending && this.offer(pending.raw, due, view);
    }
    const good = await this.taken(due, view);
    if (good.length === 0) return;
    const { relayer, owner } = this.options;
    // What each may cost alone is enough for all together.
    const gas = fees.gas * BigInt(good.length);
    const raw = signedCall(relayer, owner, { data: this.call(good), nonce: view.nonce, gas, ...price });
    this.attempt = { nonce: view.nonce, raw, ...price, sent: view.number };
    await this.offer(raw, good, view);
  }

  /** Those that the chain would take now, so that nothing is paid for others. */
  private async taken(due: readonly Stated[], view: View): Promise<Stated[]> {
    const good: Stated[] = [];
    for (const stated of due) {
      if (good.length === TOGETHER) break;
      const { index, entry, key, signature } = stated;
      const args = [key.id, index, toHex(entry), this.signer(stated), toHex(signature)] as const;
      const data = anchor.encodeFunctionData("appendFor", [...args]);
      try {
        await this.node.simulate(data, `entry ${index} of ${key.id}`, this.options.fees.gas, view);
        good.push(stated);
      } catch (error) {
        if (!(error instanceof GatewayError) || error.code !== "ITC_GATEWAY_REFUSED") throw error;
        this.options.events.emit("unrelayed", { device: key.id, index, why: error.message });
      }
    }
    return good;
  }

  private async offer(raw: string, due: readonly Stated[], view: View): Promise<void> {
    if (this.offered === view.hash + raw) return;
    const why = await this.node.broadcast(raw);
    if (why === undefined) this.offered = view.hash + raw;
    else for (const { key, index } of due) this.options.events.emit("unrelayed", { device: key.id, index, why });
  }

  private call(stated: readonly Stated[]): string {
    return anchor.encodeFunctionData("appendMany", [
      stated.map(({ key }) => key.id),
      stated.map(({ index }) => index),
      stated.map(({ entry }) => toHex(entry)),
      stated.map((one) => this.signer(one)),
      stated.map(({ signature }) => toHex(signature)),
    ]);
  }

  private signer({ key }: Stated): string {
    return toHex(signerOf(key, this.options.verifiers));
  }
}
