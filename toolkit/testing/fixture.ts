import { keccak256, toUtf8Bytes } from "ethers";
import { type Addresses, type DeployTarget, deployAll } from "../../deploy/index.js";
import type { Parameters } from "../../deploy/parameters.js";
import { type Account, accountOf, type Chain } from "./chain.js";

/** Ether that each account of the harness gets for gas. */
export const GAS_MONEY = 10n ** 19n;

/** A secret of a run: the same seed and label give the same 32 bytes, as hex. */
export function secretOf(seed: number, label: string): string {
  return keccak256(toUtf8Bytes(`iotchain:${seed}:${label}`));
}

/** What the deploy steps need, on a chain of the harness. */
export function deployTarget(chain: Chain, operator: Account): DeployTarget {
  return {
    chainId: chain.id,
    operator: operator.address,
    codeAt: (address) => chain.reader.getCode(address),
    balanceOf: (address) => chain.reader.getBalance(address),
    call: (to, data) => chain.reader.call({ to, data }),
    send: async (to, data, what, value) => {
      await chain.send(operator, { to, data, what, ...(value === undefined ? {} : { value }) });
    },
    sendRaw: async (serialized, what) => {
      await chain.sendRaw(serialized, what);
    },
  };
}

/** Deploys everything with an operator of one's own: the start of any test. */
export async function deployFixture(
  chain: Chain,
  options: { readonly seed?: number; readonly parameters?: Parameters } = {},
): Promise<{ operator: Account; addresses: Addresses }> {
  const operator = accountOf(secretOf(options.seed ?? 0, "operator"));
  await chain.fund(operator.address, GAS_MONEY, operator);
  const addresses = await deployAll(
    deployTarget(chain, operator),
    options.parameters ? { parameters: options.parameters } : {},
  );
  return { operator, addresses };
}
