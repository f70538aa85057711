import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { Interface, type InterfaceAbi } from "ethers";
import { z } from "zod";
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
  /** Deploys code that is no part of the project, unless it is there, and returns its address. */
  deploy(abi: InterfaceAbi, bytecode: string, args: readonly unknown[]): Promise<string>;
  /** A plain JSON-RPC request. */
  rpc(method: string, params: unknown[]): Promise<unknown>;
  close(): Promise<void>;
}

/** What of a compiler's output a bench needs. */
export const Artifact = z.object({
  abi: z.custom<InterfaceAbi>((value) => Array.isArray(value)),
  bytecode: z.string(),
});

/** A contract of contracts/mocks, as the build has left it. */
export function mock(name: string): Promise<z.infer<typeof Artifact>> {
  return artifact(new URL(`../artifacts/contracts/mocks/${name}.sol/${name}.json`, import.meta.url));
}

/** A contract of the Ethereum Attestation Service, as it comes from npm. */
export function easContract(name: string): Promise<z.infer<typeof Artifact>> {
  const path = `@ethereum-attestation-service/eas-contracts/artifacts/contracts/${name}.sol/${name}.json`;
  return artifact(createRequire(import.meta.url).resolve(path));
}

async function artifact(path: URL | string): Promise<z.infer<typeof Artifact>> {
  return Artifact.parse(JSON.parse(await readFile(path, "utf8")));
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
      const address = addressOf(initCode);
      if ((await chain.reader.getCode(address)) === "0x") {
        await chain.send(operator, { to: FACTORY, data: creationData(initCode), what: "deploy" });
      }
      return address;
    },
  };
}
