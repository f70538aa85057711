import type { Signer } from "ethers";
import { partIdOf, prefixHashOf, serialHashOf } from "../../toolkit/identity/epc.js";
import type { Deployed } from "../support.js";

/** The ranks, numbered as in Solidity. */
export const RANK = { none: 0, ipBlock: 1, chip: 2, module: 3, device: 4, installation: 5 } as const;
export const STATE = { none: 0n, active: 1n, inTransit: 2n, decommissioned: 3n } as const;

/** An EPC of a maker's prefix; the name is its serial. */
export function epcOf(prefix: string, name: string): string {
  return `urn:epc:id:sgtin:${prefix}.${"0".repeat(13 - prefix.length)}.${name}`;
}

export const idOf = (prefix: string, name: string): string => partIdOf(epcOf(prefix, name));

/** Commissions a good; the answer is its id, whether or not the claim was a right one. */
export async function commission(
  world: Deployed,
  maker: Signer,
  prefix: string,
  name: string,
  rank: number,
  designs: readonly string[] = [],
): Promise<string> {
  const uri = epcOf(prefix, name);
  await world.provenance.connect(maker).commission(prefixHashOf(prefix), serialHashOf(uri), rank, [...designs].sort());
  return partIdOf(uri);
}
