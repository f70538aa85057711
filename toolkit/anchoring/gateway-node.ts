import { setTimeout as sleep } from "node:timers/promises";
import { BrowserProvider, type Eip1193Provider, Transaction } from "ethers";
import { z } from "zod";
import { DataAnchor__factory } from "../contracts.js";
import type { DeviceKey } from "../identity/keys.js";
import { fromHex, toHex } from "../internal/bytes.js";
import { decodeRevert, revertDataOf } from "../reverts.js";
import { GatewayError, messageOf } from "./gateway-errors.js";
import type { QueueOwner } from "./gateway-store.js";
import { type RebuiltLog, readLog } from "./log-reader.js";

/** A node as a gateway asks it: EIP-1193, or what ethers calls a `JsonRpcApiProvider`. */
export type NodeProvider =
  | Eip1193Provider
  | { send(method: string, params: unknown[] | Record<string, unknown>): Promise<unknown> };

/** What a node says of one block, all of it as of that block. */
export interface View {
  readonly number: bigint;
  readonly hash: string;
  readonly time: bigint;
  /** Wei a unit of gas. */
  readonly baseFee: bigint;
  /** Entries in the publisher's log. */
  readonly size: bigint;
  /** Transactions of the publisher. */
  readonly nonce: bigint;
}

/** An entry as an event tells it. */
export interface Told {
  readonly entry: string;
  readonly time: bigint;
  readonly block: bigint;
}

/** Blocks whose events are asked for at once; what the public nodes allow at least. */
const SPAN = 1_000n;

const anchor = DataAnchor__factory.createInterface();
const quantity = z
  .string()
  .regex(/^0x[0-9a-f]{1,64}$/i)
  .transform(BigInt);
const hash = z.string().regex(/^0x[0-9a-f]{64}$/i);
const data = z.string().regex(/^0x([0-9a-f]{2})*$/i);
const Block = z.object({ number: quantity, hash, timestamp: quantity, baseFeePerGas: quantity.optional() });
const Logs = z.array(z.object({ topics: z.array(hash), data, blockNumber: quantity }));

/** The one who speaks to the node. It believes no answer that isn't of the right shape, and no node of another chain. */
export class AnchorNode {
  /** For typed bindings that only read. */
  readonly reader: BrowserProvider;
  private readonly provider: Eip1193Provider;

  /** @param patience Milliseconds after which a node that says nothing counts as one that failed. */
  constructor(
    provider: NodeProvider,
    private readonly owner: QueueOwner,
    private readonly patience: number,
  ) {
    const send = "request" in provider ? undefined : provider.send.bind(provider);
    const request = send
      ? ({ method, params }: { method: string; params?: unknown[] | Record<string, unknown> }) =>
          send(method, params ?? [])
      : (provider as Eip1193Provider).request.bind(provider);
    this.provider = { request: (asked) => this.inTime(asked.method, request(asked)) };
    this.reader = new BrowserProvider(this.provider, owner.chainId, { staticNetwork: true, cacheTimeout: -1 });
  }

  /** Errors: ITC_GATEWAY_NODE, ITC_GATEWAY_CHAIN, ITC_GATEWAY_NO_ANCHOR. */
  async view(): Promise<View> {
    const chainId = await this.ask("eth_chainId", [], quantity);
    if (chainId !== this.owner.chainId) {
      const what = `The node is of chain ${chainId}; the queue is of chain ${this.owner.chainId}.`;
      throw new GatewayError("ITC_GATEWAY_CHAIN", what, "Name a node of that chain; nothing was sent to this one.");
    }
    const block = await this.ask("eth_getBlockByNumber", ["latest", false], Block);
    // By hash (EIP-1898), so that the answers belong together though the chain moves, or a pool of nodes takes turns.
    const at = { blockHash: block.hash };
    const [size, nonce] = await Promise.all([
      this.sizeAt(at),
      this.ask("eth_getTransactionCount", [this.owner.publisher, at], quantity),
    ]);
    const { number, timestamp: time, baseFeePerGas: baseFee = 0n } = block;
    return { number, hash: block.hash, time, baseFee, size, nonce };
  }

  /** Entries in the log at a block, or in another publisher's. */
  async sizeAt(block: object | string, publisher = this.owner.publisher): Promise<bigint> {
    const answer = await this.call(anchor.encodeFunctionData("headOf", [publisher]), block);
    if (answer.length === 130) return BigInt(answer.slice(0, 66));
    const what = `There is no DataAnchor at ${this.owner.anchor} on chain ${this.owner.chainId}.`;
    throw new GatewayError("ITC_GATEWAY_NO_ANCHOR", what, "Give the address that the network publishes.");
  }

  async rootAt({ hash: blockHash }: View): Promise<Uint8Array> {
    return fromHex(await this.call(anchor.encodeFunctionData("rootOf", [this.owner.publisher]), { blockHash }));
  }

  /** The whole log, or another publisher's, as its events tell it and its root confirms. */
  async log(publisher = this.owner.publisher): Promise<RebuiltLog> {
    try {
      return await readLog(this.reader, this.owner.anchor, publisher);
    } catch (cause) {
      throw this.failed("eth_getLogs", cause);
    }
  }

  /** Transactions of the publisher, with those that wait for a block. */
  pendingNonce(): Promise<bigint> {
    return this.ask("eth_getTransactionCount", [this.owner.publisher, "pending"], quantity);
  }

  /** The entries of the log, or of another publisher's, that came in blocks from `first` to `last`, by index. */
  async entries(first: bigint, last: bigint, publisher = this.owner.publisher): Promise<Map<bigint, Told>> {
    const found = new Map<bigint, Told>();
    const topics = anchor.encodeFilterTopics("EntryAppended", [publisher]);
    for (let from = first; from <= last; from += SPAN) {
      const to = from + SPAN - 1n < last ? from + SPAN - 1n : last;
      const range = { fromBlock: quantityOf(from), toBlock: quantityOf(to) };
      for (const log of await this.ask("eth_getLogs", [{ address: this.owner.anchor, topics, ...range }], Logs)) {
        const event = anchor.parseLog(log);
        if (event)
          found.set(event.args.index, { entry: event.args.entry, time: event.args.time, block: log.blockNumber });
      }
    }
    return found;
  }

  /**
   * Whether an append would go through now, so that a gateway doesn't pay for one that can't.
   *
   * @param what The entry, in words.
   * Errors: ITC_GATEWAY_REFUSED with the contract's reason, ITC_GATEWAY_NODE.
   */
  async simulate(calldata: string, what: string, gas: bigint, { hash: blockHash }: View): Promise<void> {
    const transaction = { from: this.owner.publisher, to: this.owner.anchor, gas: quantityOf(gas), data: calldata };
    try {
      await this.provider.request({ method: "eth_call", params: [transaction, { blockHash }] });
    } catch (cause) {
      const revert = revertDataOf(cause);
      if (revert === undefined && !/revert|out of gas|gas required/i.test(messageOf(cause)))
        throw this.failed("eth_call", cause);
      const reason = decodeRevert(revert ?? "")?.name ?? messageOf(cause);
      throw new GatewayError(
        "ITC_GATEWAY_REFUSED",
        `The chain would refuse ${what}: ${reason}.`,
        "Nothing was paid; see the contract's errors, or raise the gas limit.",
        { cause },
      );
    }
  }

  /** Hands a transaction to the node. Returns why the node doesn't take it, if it doesn't; one that it has counts as taken. */
  async broadcast(raw: string): Promise<string | undefined> {
    try {
      await this.provider.request({ method: "eth_sendRawTransaction", params: [raw] });
      return undefined;
    } catch (error) {
      const message = messageOf(error);
      return /already known|known transaction|already imported|nonce too low|nonce has already been used/i.test(message)
        ? undefined
        : message;
    }
  }

  private call(calldata: string, block: object | string): Promise<string> {
    return this.ask("eth_call", [{ to: this.owner.anchor, data: calldata }, block], data);
  }

  private async ask<Schema extends z.ZodType>(
    method: string,
    params: unknown[],
    shape: Schema,
  ): Promise<z.output<Schema>> {
    let answer: unknown;
    try {
      answer = await this.provider.request({ method, params });
    } catch (cause) {
      throw this.failed(method, cause);
    }
    const parsed = shape.safeParse(answer);
    if (parsed.success) return parsed.data;
    throw this.failed(method, new Error("an answer of another shape"));
  }

  private failed(method: string, cause: unknown): GatewayError {
    const what = `The node failed at ${method}: ${messageOf(cause)}.`;
    return new GatewayError("ITC_GATEWAY_NODE", what, "The gateway tries again; check the node if it goes on.", {
      cause,
    });
  }

  /** A node that hangs must not hang the gateway. */
  private async inTime(method: string, answer: Promise<unknown>): Promise<unknown> {
    const over = new AbortController();
    const late = sleep(this.patience, undefined, { signal: over.signal }).then(() => {
      throw new Error(`${method} took longer than ${this.patience} ms`);
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      over.abort();
    }
  }
}

/** The calldata that appends an entry. */
export function appendCall(publisher: string, index: bigint, entry: Uint8Array): string {
  return anchor.encodeFunctionData("append", [publisher, index, toHex(entry)]);
}

/** A transaction to the anchor, signed by the account that pays; fees are wei a unit of gas. */
export function signedCall(
  key: DeviceKey,
  { chainId, anchor: to }: Pick<QueueOwner, "chainId" | "anchor">,
  call: {
    readonly data: string;
    readonly nonce: bigint;
    readonly gas: bigint;
    readonly maxFee: bigint;
    readonly tip: bigint;
  },
): string {
  const transaction = Transaction.from({
    type: 2,
    chainId,
    nonce: Number(call.nonce),
    to,
    data: call.data,
    gasLimit: call.gas,
    maxFeePerGas: call.maxFee,
    maxPriorityFeePerGas: call.tip,
  });
  transaction.signature = toHex(key.sign(fromHex(transaction.unsignedHash)));
  return transaction.serialized;
}

/** Whether an event tells of this entry. */
export function tellsOf({ entry }: Told, ours: Uint8Array): boolean {
  return entry === toHex(ours);
}

function quantityOf(value: bigint): string {
  return `0x${value.toString(16)}`;
}
