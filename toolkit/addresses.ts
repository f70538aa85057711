import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { getAddress } from "ethers";
import { z } from "zod";
import { IotchainError } from "./errors.js";

/** A deployment that can't be found or read. */
export class AddressesError extends IotchainError {}

const address = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, "an address")
  .transform((text) => getAddress(text.toLowerCase()));

const Addresses = z.object({
  Authority: address,
  ITC: address,
  P256Verifier: address,
  RsaVerifier: address,
  Erc1271Verifier: address,
  DeviceRegistry: address,
  Attestations: address,
  ClaimDesk: address,
  Provenance: address,
  DataAnchor: address,
  FeedFactory: address,
  BandCover: address,
  CarbonLedger: address,
  Holdings: address,
  ConsentRegistry: address,
  DeviceRegions: address,
  Eligibility: address,
  /** None where partials can't be proved in zero knowledge. */
  Groth16Verifier: address.optional(),
  QuestionDesk: address,
  ResultCourt: address,
  Analytics: address,
  ResultClaims: address,
  PayoutRoller: address,
  PayoutLists: address,
  PayoutPoolFactory: address,
  PayoutPool: address,
});

/** Where the contracts of a deployment are, by name. */
export type Addresses = z.infer<typeof Addresses>;

/**
 * Reads what a deployment has left for a chain: `<folder>/<chain id>/addresses.json`.
 * Errors: ITC_ADDRESSES_NONE, ITC_ADDRESSES_MALFORMED.
 *
 * @example
 * const { DeviceRegistry } = await readAddresses("deployments", 11155111n);
 */
export async function readAddresses(folder: string, chainId: bigint): Promise<Addresses> {
  const path = join(folder, chainId.toString(), "addresses.json");
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    const what = `There is no deployment on chain ${chainId} in ${folder}.`;
    throw new AddressesError("ITC_ADDRESSES_NONE", what, "Run itc deploy, or name another folder.", { cause });
  });
  try {
    return Addresses.parse(JSON.parse(text));
  } catch (cause) {
    throw new AddressesError(
      "ITC_ADDRESSES_MALFORMED",
      `${path} is not a list of addresses.`,
      "Run itc deploy again.",
      { cause },
    );
  }
}
