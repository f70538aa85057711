import { AbiCoder, keccak256, type Signer } from "ethers";
import { Operation, type Query } from "./query.js";
import { type DeviceFilter, FILTER_TUPLE, QUERY_TUPLE } from "./requests.js";

/** A project of credits for metered energy, as the contract's `Project`; its words never change. */
export interface CarbonProject {
  readonly owner: string;
  readonly verifier: string;
  /** The contract whose results count. */
  readonly analytics: string;
  readonly purpose: string;
  /** See {@link carbonQuery}. */
  readonly query: Query;
  /** Names a lot or a region. */
  readonly filter: DeviceFilter;
  /** The fewest devices that a result must be of. */
  readonly meters: bigint;
  /** Grams of CO2e a kWh, with 6 decimals. */
  readonly factor: bigint;
  /** Of the readings, in kWh. */
  readonly decimals: number;
  /** Seconds after a period that its readings have to be anchored, at least. */
  readonly grace: bigint;
}

/** What a verifier vouches for: that this result of a project's avoids this many grams. */
export interface Reductions {
  /** The project's id. */
  readonly project: string;
  /** The request's id. */
  readonly request: string;
  /** The result, at the scale of its readings. */
  readonly sum: bigint;
  /** Grams of CO2e. */
  readonly amount: bigint;
  /** Last second at which the signature is taken, Unix seconds. */
  readonly deadline: bigint;
}

const REDUCTIONS = [
  { name: "project", type: "bytes32" },
  { name: "request", type: "bytes32" },
  { name: "sum", type: "int256" },
  { name: "amount", type: "uint256" },
  { name: "deadline", type: "uint64" },
];
const PROJECT =
  `tuple(address owner,address verifier,address analytics,bytes32 purpose,${QUERY_TUPLE} query,${FILTER_TUPLE} filter,` +
  "uint64 meters,uint64 factor,uint8 decimals,uint64 grace)";
const FACTOR_DECIMALS = 6;

/**
 * What a project asks in each period: the sum of all readings of a schema, none left out. The period is the request's, so its times are 0.
 *
 * @param schema The readings' schema id.
 */
export function carbonQuery(schema: Uint8Array): Query {
  const [lower, upper, cap] = [-(2n ** 63n), 2n ** 63n - 1n, 2n ** 32n - 1n];
  return { schema, operation: Operation.Sum, size: 0, hashes: 0, lower, upper, from: 0n, to: 0n, anchoredBy: 0n, cap };
}

/** The id of a project on a chain and ledger, and the salt of its requests; the contract's `projectIdOf`. */
export function carbonProjectId(project: CarbonProject, chainId: bigint, ledger: string): string {
  return keccak256(AbiCoder.defaultAbiCoder().encode(["uint256", "address", PROJECT], [chainId, ledger, project]));
}

/** Grams of CO2e that a sum of readings stands for, rounded down; 0 for a negative one. The contract's `reductionsOf`. */
export function reductionsOf({ factor, decimals }: Pick<CarbonProject, "factor" | "decimals">, sum: bigint): bigint {
  return sum <= 0n ? 0n : (sum * factor) / 10n ** BigInt(FACTOR_DECIMALS + decimals);
}

/**
 * A verifier's signature for `CarbonLedger.issue` (EIP-712).
 *
 * @param ledger The contract's address.
 * @example
 * const signature = await signReductions(verifier, { chainId, ledger }, { project, request, sum, amount, deadline });
 */
export function signReductions(
  verifier: Signer,
  { chainId, ledger }: { readonly chainId: bigint; readonly ledger: string },
  { project, request, sum, amount, deadline }: Reductions,
): Promise<string> {
  const domain = { name: "CarbonLedger", version: "1", chainId, verifyingContract: ledger };
  return verifier.signTypedData(domain, { Reductions: REDUCTIONS }, { project, request, sum, amount, deadline });
}
