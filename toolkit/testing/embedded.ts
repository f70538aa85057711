import type { Eip1193Provider } from "ethers";
import { ChainError } from "./chain.js";

/** How an embedded chain is to be. */
export interface EmbeddedOptions {
  /** Time of its first block, Unix seconds; the same start makes the same run. */
  readonly start?: bigint;
  readonly hardfork?: "osaka" | "prague";
}

/** An embedded chain and the way to end it. */
export interface EmbeddedChain {
  readonly provider: Eip1193Provider;
  close(): Promise<void>;
}

/**
 * Starts Hardhat's EVM in this process. Hardhat is an optional peer of the package.
 * Errors: ITC_CHAIN_NO_HARDHAT.
 */
export async function startEmbedded({ start, hardfork = "osaka" }: EmbeddedOptions = {}): Promise<EmbeddedChain> {
  const { createHardhatRuntimeEnvironment } = await import("hardhat/hre").catch((cause: unknown) => {
    throw new ChainError(
      "ITC_CHAIN_NO_HARDHAT",
      "Hardhat 3 is not installed.",
      "Run npm i -D hardhat, or name an RPC address.",
      {
        cause,
      },
    );
  });
  const initialDate = start === undefined ? {} : { initialDate: new Date(Number(start) * 1000) };
  const network = { type: "edr-simulated", chainType: "l1", chainId: 31337, hardfork, ...initialDate } as const;
  const hre = await createHardhatRuntimeEnvironment({ networks: { embedded: network } });
  const connection = await hre.network.create({ network: "embedded", chainType: "l1" });
  return { provider: connection.provider, close: () => connection.close() };
}
