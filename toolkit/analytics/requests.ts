import { AbiCoder, id, keccak256, ZeroAddress, ZeroHash } from "ethers";
import type { Query } from "./query.js";

/** What a weight is; see `Weighting` in Solidity. */
export const Weighting = { Readings: 0, Devices: 1 } as const;
export type Weighting = (typeof Weighting)[keyof typeof Weighting];

/** How the reward reaches the owners; see `Settlement` in Solidity. */
export const Settlement = { Direct: 0, Rolled: 1, Pushed: 2 } as const;
export type Settlement = (typeof Settlement)[keyof typeof Settlement];

/** Where a request stands, by the number that the contract has for it. */
export const REQUEST_STATUSES = ["none", "open", "proposed", "final", "cancelled"] as const;

/** Which devices are meant; zeros ask for nothing. See `Filter` in Solidity. */
export interface DeviceFilter {
  readonly lot: string;
  /** A cell, see `regionOf`. */
  readonly region: bigint;
  readonly assurance: number;
  readonly verifier: string;
}

/** Takes devices of any lot, place and assurance. */
export const ANY_DEVICE: DeviceFilter = { lot: ZeroHash, region: 0n, assurance: 0, verifier: ZeroAddress };

/** On which terms; see `Terms` in Solidity. ITC has 18 decimals, times are Unix seconds. */
export interface RequestTerms {
  readonly cohort: bigint;
  /** Millionths; 0 asks for exact partials. */
  readonly epsilon: bigint;
  readonly price: bigint;
  readonly reward: bigint;
  readonly fee: bigint;
  readonly bond: bigint;
  readonly deadline: bigint;
  readonly challengeWindow: bigint;
  readonly weighting: Weighting;
  readonly settlement: Settlement;
}

/** What a company asks for, as the contract's `Request`. */
export interface AnalysisRequest {
  readonly requester: string;
  readonly salt: string;
  readonly purpose: string;
  readonly query: Query;
  readonly filter: DeviceFilter;
  readonly terms: RequestTerms;
}

/** The contract's `Query`, for the ABI coder. */
export const QUERY_TUPLE =
  "tuple(bytes32 schema,uint8 operation,uint8 size,uint8 hashes,int64 lower,int64 upper,uint64 from,uint64 to,uint64 anchoredBy,uint32 cap)";
/** The contract's `Filter`, for the ABI coder. */
export const FILTER_TUPLE = "tuple(bytes32 lot,uint64 region,uint8 assurance,address verifier)";
const TERMS =
  "tuple(uint64 cohort,uint64 epsilon,uint128 price,uint128 reward,uint128 fee,uint128 bond,uint64 deadline,uint64 challengeWindow," +
  "uint8 weighting,uint8 settlement)";
const REQUEST = `tuple(address requester,bytes32 salt,bytes32 purpose,${QUERY_TUPLE} query,${FILTER_TUPLE} filter,${TERMS} terms)`;

/** The id of a request on a chain and contract; the contract's `requestIdOf`. */
export function requestIdOf(request: AnalysisRequest, chainId: bigint, analytics: string): string {
  return keccak256(AbiCoder.defaultAbiCoder().encode(["uint256", "address", REQUEST], [chainId, analytics, request]));
}

/** The purpose that a text of terms stands for: its keccak256. */
export function purposeOf(terms: string): string {
  return id(terms);
}

/** The weight of a device with this many readings; the contract's `LeafRules.weightOf`. */
export function weightOf(terms: RequestTerms, count: bigint): bigint {
  return terms.weighting === Weighting.Readings ? count : 1n;
}
