import { Groth16Verifier__factory } from "../toolkit/contracts.js";
import type { Deployment } from "./deployment.js";
import { DEVELOPMENT_KEYS } from "./zk-keys.js";

/** Chains that exist to be tried on: those of Hardhat, Anvil and Ganache. */
const DEVELOPMENT_CHAINS: readonly bigint[] = [31337n, 1337n];

/**
 * The verifier of partials. With development keys anyone can forge proofs, so these go to no other chain than one for development; the contract
 * itself refuses too.
 *
 * @param isDevelopment Whether its keys are such.
 */
export async function deployPartialVerifier(
  deployment: Deployment,
  isDevelopment: boolean = DEVELOPMENT_KEYS,
): Promise<void> {
  const { chainId } = deployment.target;
  if (isDevelopment && !DEVELOPMENT_CHAINS.includes(chainId)) {
    throw new Error(
      `The verifier of partials has the keys of the development set-up, with which anyone forges proofs: chain ${chainId} gets none. ` +
        "Make keys by a ceremony, see docs/zk.md, and deploy again.",
    );
  }
  await deployment.deploy("Groth16Verifier", Groth16Verifier__factory);
}
