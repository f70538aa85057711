import { AbiCoder, id, keccak256 } from "ethers";

/** The operations, numbered as `Operation` in Solidity. */
export const OPERATIONS = { mean: 0 } as const;

/** What a company asks for, as the contract's `Request`. ITC has 18 decimals, times are Unix seconds. */
export interface AnalysisRequest {
  readonly requester: string;
  readonly salt: string;
  readonly purpose: string;
  readonly schema: string;
  readonly operation: number;
  readonly from: bigint;
  readonly to: bigint;
  readonly cohort: bigint;
  readonly deadline: bigint;
  readonly challengeWindow: bigint;
  readonly reward: bigint;
  readonly bond: bigint;
}

const REQUEST_TUPLE =
  "tuple(address requester,bytes32 salt,bytes32 purpose,bytes32 schema,uint8 operation,uint64 from,uint64 to,uint64 cohort," +
  "uint64 deadline,uint64 challengeWindow,uint128 reward,uint128 bond)";

/** The id of a request on a chain and contract; the contract's `requestIdOf`. */
export function requestIdOf(request: AnalysisRequest, chainId: bigint, analytics: string): string {
  return keccak256(
    AbiCoder.defaultAbiCoder().encode(["uint256", "address", REQUEST_TUPLE], [chainId, analytics, request]),
  );
}

/** The purpose that a text of terms stands for: its keccak256. */
export function purposeOf(terms: string): string {
  return id(terms);
}
