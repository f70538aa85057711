import type { Attempt } from "./gateway-batches.js";

/** What a gateway pays. Fees are wei a unit of gas (EIP-1559). */
export interface FeePolicy {
  /** Most that a unit of gas may cost, tip included. */
  readonly ceiling: bigint;
  /** What the first transaction offers to the block's maker. */
  readonly tip: bigint;
  /** Blocks without inclusion after which more is offered. */
  readonly patience: bigint;
  /** Gas limit of an append. Not estimated: an estimate can't see the appends before it that are still pending. */
  readonly gas: bigint;
}

type Fees = Pick<Attempt, "maxFee" | "tip">;

/** What to offer at first: room for six full blocks in a row, within the ceiling. Undefined while the ceiling isn't enough for a block. */
export function firstFees(baseFee: bigint, { ceiling, tip }: FeePolicy): Fees | undefined {
  if (baseFee + tip > ceiling) return undefined;
  return { maxFee: least(2n * baseFee + tip, ceiling), tip };
}

/**
 * What to offer instead of a transaction that no block took: an eighth more of both, which every node takes for a replacement. Undefined
 * where that is above the ceiling.
 */
export function higherFees(baseFee: bigint, { maxFee, tip }: Fees, { ceiling }: FeePolicy): Fees | undefined {
  const needed = eighthMore(maxFee);
  if (needed > ceiling) return undefined;
  const more = least(eighthMore(tip), ceiling);
  const wanted = 2n * baseFee + more;
  return { maxFee: wanted > needed ? least(wanted, ceiling) : needed, tip: more };
}

function eighthMore(fee: bigint): bigint {
  return (fee * 9n + 7n) / 8n;
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
