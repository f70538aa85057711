import { Interface, type InterfaceAbi } from "ethers";
import { addressOf, creationData, FACTORY } from "../deploy/create2.js";
import type { Addresses } from "../deploy/index.js";
import { type Account, accountOf, Chain } from "../toolkit/testing/chain.js";
import { startEmbedded } from "../toolkit/testing/embedded.js";
import { deployFixture, GAS_MONEY, secretOf } from "../toolkit/testing/fixture.js";

/** One figure, with a peer's where one ran beside it. */
export interface Measured {
  readonly id: string;
  readonly gas: number;
  readonly peer?: { readonly name: string; readonly gas: number; readonly measured: boolean };
}

/** A fresh chain on the osaka fork with everything deployed, and short ways to send and to count. */
export interface Bench {
  readonly chain: Chain;
  readonly operator: Account;
  readonly addresses: Addresses;
  /** An account with ether that is the same in each run. */
  account(label: string): Promise<Account>;
  /** Sends a call and returns the gas of the whole transaction. */
  send(from: Account, to: string, abi: InterfaceAbi, method: string, args: readonly unknown[]): Promise<number>;
  /** Deploys code that is no part of the project, and returns its address. */
  deploy(abi: InterfaceAbi, bytecode: string, args: readonly unknown[]): Promise<string>;
  /** A plain JSON-RPC request. */
  rpc(method: string, params: unknown[]): Promise<unknown>;
  close(): Promise<void>;
}

export async function openBench(): Promise<Bench> {
  const { provider, close } = await startEmbedded({ start: 1_800_000_000n, hardfork: "osaka" });
  const chain = await Chain.connect(provider);
  const { operator, addresses } = await deployFixture(chain, { seed: 1 });
  return {
    chain,
    operator,
    addresses,
    close,
    rpc: (method, params) => provider.request({ method, params }),
    async account(label) {
      const account = accountOf(secretOf(1, label));
      await chain.fund(account.address, GAS_MONEY, operator);
      return account;
    },
    async send(from, to, abi, method, args) {
      const data = new Interface(abi).encodeFunctionData(method, args);
      return Number((await chain.send(from, { to, data, what: method })).gasUsed);
    },
    async deploy(abi, bytecode, args) {
      const initCode = bytecode + new Interface(abi).encodeDeploy(args).slice(2);
      await chain.send(operator, { to: FACTORY, data: creationData(initCode), what: "deploy" });
      return addressOf(initCode);
    },
  };
}
