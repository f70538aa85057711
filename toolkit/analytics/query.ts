/** What is computed, numbered as `Operation` in Solidity. */
export const Operation = {
  Count: 0,
  Sum: 1,
  Mean: 2,
  MinMax: 3,
  Histogram: 4,
  Distinct: 5,
  Membership: 6,
  Regression: 7,
} as const;

export type Operation = (typeof Operation)[keyof typeof Operation];

/** What is asked of which readings: the struct `Query` of `RequestTypes.sol`, where its fields are told. Times are Unix seconds. */
export interface Query {
  readonly schema: Uint8Array;
  readonly operation: Operation;
  readonly size: number;
  readonly hashes: number;
  /** At the scale of the schema, as values are. */
  readonly lower: bigint;
  readonly upper: bigint;
  readonly from: bigint;
  readonly to: bigint;
  readonly anchoredBy: bigint;
  readonly cap: bigint;
}
