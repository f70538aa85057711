import { setTimeout as sleep } from "node:timers/promises";
import {
  BrowserProvider,
  type Eip1193Provider,
  type Log,
  Transaction,
  type TransactionReceiptParams,
  Wallet,
} from "ethers";
import { IotchainError } from "../errors.js";
import { decodeRevert, RevertedError, revertDataOf } from "../reverts.js";

/** Something about the chain that the harness can't go on with. */
export class ChainError extends IotchainError {}

/** An account that the harness signs for, locally. */
export interface Account {
  readonly wallet: Wallet;
  readonly address: string;
  nonce: number | undefined;
}

/** An account of a private key, 32 bytes as hex. */
export function accountOf(privateKey: string): Account {
  const wallet = new Wallet(privateKey);
  return { wallet, address: wallet.address, nonce: undefined };
}

/** A call to be sent. */
export interface Call {
  readonly to: string;
  readonly data: string;
  readonly value?: bigint;
  /** What it is, for errors and for the gas tables: "append a batch". */
  readonly what: string;
}

/** What a transaction did. */
export interface Receipt {
  readonly hash: string;
  readonly from: string;
  readonly block: number;
  readonly gasUsed: bigint;
  readonly logs: readonly Pick<Log, "address" | "topics" | "data">[];
}

const LOCAL_CHAINS = new Set([31337n, 1337n]);
const GAS_PRICE_FLOOR = 1_000_000_000n;
const POLLS = 300;

/**
 * A chain behind any EIP-1193 provider. Transactions are signed here and sent raw: a node refuses a raw transaction that it has
 * already, while it would pay an `eth_sendTransaction` twice.
 *
 * On a local chain (chain id 31337 or 1337) the clock is the harness's: each block is one second after the last, and waiting costs nothing.
 */
export class Chain {
  /** For typed bindings that only read. */
  readonly reader: BrowserProvider;
  /** Called with every receipt. */
  onReceipt: (receipt: Receipt, call: Call) => void = () => {};
  private gasPrice = 0n;
  private sinceGasPrice = 0;

  private constructor(
    private readonly provider: Eip1193Provider,
    readonly id: bigint,
    private time: bigint,
  ) {
    this.reader = new BrowserProvider(provider, id, { staticNetwork: true, cacheTimeout: -1 });
    // ethers polls for receipts and filters every 4 s unless told otherwise; the harness asks for receipts itself.
    this.reader.pollingInterval = 100;
  }

  /** Connects. Errors: ITC_CHAIN_UNREACHABLE. */
  static async connect(provider: Eip1193Provider): Promise<Chain> {
    try {
      const id = BigInt(await provider.request({ method: "eth_chainId" }));
      const block = await provider.request({ method: "eth_getBlockByNumber", params: ["latest", false] });
      return new Chain(provider, id, BigInt(block.timestamp));
    } catch (cause) {
      const what = `The node doesn't answer: ${messageOf(cause)}.`;
      throw new ChainError("ITC_CHAIN_UNREACHABLE", what, "Check the RPC address and that the node is up.", { cause });
    }
  }

  /** Whether the harness may set clock and balances. */
  get isLocal(): boolean {
    return LOCAL_CHAINS.has(this.id);
  }

  /** Time of the latest block, Unix seconds. */
  async now(): Promise<bigint> {
    if (this.isLocal) return this.time;
    return BigInt((await this.request("eth_getBlockByNumber", ["latest", false])).timestamp);
  }

  /** Number of the latest block. */
  async blockNumber(): Promise<number> {
    return Number(await this.request("eth_blockNumber"));
  }

  /** Lets time pass: at once on a local chain, by waiting elsewhere. */
  async wait(seconds: bigint): Promise<void> {
    if (this.isLocal) {
      await this.setNextTime(this.time + seconds);
      await this.request("evm_mine");
      return;
    }
    const end = (await this.now()) + seconds;
    while ((await this.now()) < end) await sleep(1000);
  }

  /** Gives an account ether for gas; on a local chain out of nothing, elsewhere from `from`. */
  async fund(to: string, wei: bigint, from: Account): Promise<void> {
    if (this.isLocal) await this.request("hardhat_setBalance", [to, `0x${wei.toString(16)}`]);
    else await this.send(from, { to, data: "0x", value: wei, what: "fund gas" });
  }

  /** Signs, sends and waits for one transaction. Errors: RevertedError, ITC_CHAIN_LOST, ITC_CHAIN_UNREACHABLE. */
  async send(from: Account, call: Call): Promise<Receipt> {
    if (this.isLocal) await this.setNextTime(this.time + 1n);
    from.nonce ??= Number(await this.request("eth_getTransactionCount", [from.address, "latest"]));
    const transaction = Transaction.from({
      type: 2,
      chainId: this.id,
      nonce: from.nonce,
      to: call.to,
      data: call.data,
      value: call.value ?? 0n,
      gasLimit: await this.gasLimit(from, call),
      maxFeePerGas: await this.maxFee(),
      maxPriorityFeePerGas: GAS_PRICE_FLOOR,
    });
    transaction.signature = from.wallet.signingKey.sign(transaction.unsignedHash);
    const hash = await this.submit(transaction.serialized, call.what);
    from.nonce += 1;
    const receipt = await this.receiptOf(hash, call);
    this.onReceipt(receipt, call);
    return receipt;
  }

  /** Sends a transaction that is signed already. */
  async sendRaw(serialized: string, what: string): Promise<string> {
    if (this.isLocal) await this.setNextTime(this.time + 1n);
    return this.submit(serialized, what);
  }

  /** The node for a component that signs and sends for an account by itself: what it sends is mined and counted as the harness's own. */
  nodeFor(account: Account, what: string): Eip1193Provider {
    return {
      request: async (asked) => {
        if (asked.method !== "eth_sendRawTransaction" || !Array.isArray(asked.params))
          return this.provider.request(asked);
        const { to, data } = Transaction.from(String(asked.params[0]));
        const call = { to: to ?? "", data, what };
        const hash = await this.sendRaw(String(asked.params[0]), what);
        account.nonce = undefined;
        this.onReceipt(await this.receiptOf(hash, call), call);
        return hash;
      },
    };
  }

  /** One that the node has is not paid twice: it answers that it knows it. */
  private async submit(serialized: string, what: string): Promise<string> {
    try {
      return await this.provider.request({ method: "eth_sendRawTransaction", params: [serialized] });
    } catch (cause) {
      const known = /already known|known transaction|already imported/i.test(messageOf(cause));
      if (known) return Transaction.from(serialized).hash ?? "";
      throw this.explain(cause, what);
    }
  }

  /** On a local chain: what the next block's clock, and an estimate for it, will show. */
  private async setNextTime(time: bigint): Promise<void> {
    this.time = time;
    await this.request("evm_setNextBlockTimestamp", [`0x${time.toString(16)}`]);
  }

  /** A plain JSON-RPC request. */
  // biome-ignore lint/suspicious/noExplicitAny: EIP-1193 answers are untyped by nature; callers say what they asked for.
  private async request(method: string, params: unknown[] = []): Promise<any> {
    try {
      return await this.provider.request({ method, params });
    } catch (cause) {
      throw this.explain(cause, method);
    }
  }

  private async gasLimit(from: Account, call: Call): Promise<bigint> {
    const transaction = {
      from: from.address,
      to: call.to,
      data: call.data,
      value: `0x${(call.value ?? 0n).toString(16)}`,
    };
    try {
      const gas = BigInt(await this.provider.request({ method: "eth_estimateGas", params: [transaction] }));
      // Other transactions may come first and change what a slot costs.
      return gas + gas / 4n;
    } catch (cause) {
      throw this.explain(cause, call.what);
    }
  }

  /** The fee moves by an eighth a block at most, so one look in fifty transactions, doubled three times, is enough. */
  private async maxFee(): Promise<bigint> {
    if (this.sinceGasPrice-- <= 0) {
      this.gasPrice = BigInt(await this.request("eth_gasPrice")) * 8n + 2n * GAS_PRICE_FLOOR;
      this.sinceGasPrice = this.isLocal ? 50 : 0;
    }
    return this.gasPrice;
  }

  private async receiptOf(hash: string, call: Call): Promise<Receipt> {
    for (let poll = 0; poll < POLLS; poll++) {
      const found: TransactionReceiptParams | null = await this.request("eth_getTransactionReceipt", [hash]);
      if (found) {
        if (Number(found.status) === 0) throw new RevertedError(`To ${call.what}`, undefined);
        const { from, blockNumber, gasUsed, logs } = found;
        return { hash, from, block: Number(blockNumber), gasUsed: BigInt(gasUsed), logs };
      }
      await sleep(this.isLocal ? 5 : 1000);
    }
    throw new ChainError(
      "ITC_CHAIN_LOST",
      `Transaction ${hash} (${call.what}) was never mined.`,
      "Run again: what is done is kept.",
    );
  }

  private explain(cause: unknown, what: string): IotchainError {
    const data = revertDataOf(cause);
    if (data !== undefined) return new RevertedError(`To ${what}`, decodeRevert(data), { cause });
    return new ChainError("ITC_CHAIN_UNREACHABLE", `To ${what} failed: ${messageOf(cause)}.`, "Check the node.", {
      cause,
    });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
