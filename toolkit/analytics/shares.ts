import type { Contribution } from "./aggregate-tree.js";

/**
 * What each owner earns of a reward: the owner of the readings numbered a to b of n gets floor(reward·b/n) − floor(reward·a/n).
 * The shares add up to the reward to the unit, and none is a unit off its exact part.
 *
 * @param leaves In the order of the result tree, so that an owner's devices stand together.
 */
export function sharesOf(leaves: readonly Contribution[], reward: bigint): Map<string, bigint> {
  const total = leaves.reduce((sum, { count }) => sum + count, 0n);
  const shares = new Map<string, bigint>();
  if (total === 0n) return shares;
  let before = 0n;
  for (const { owner, count } of leaves) {
    const after = before + count;
    const share = (reward * after) / total - (reward * before) / total;
    shares.set(owner, (shares.get(owner) ?? 0n) + share);
    before = after;
  }
  return shares;
}

/** An owner's weight in a result, by device. */
export interface Weighted {
  readonly owner: string;
  readonly weight: bigint;
}

/** What each owner weighs, all devices together. */
export function weightsOf(leaves: Iterable<Weighted>): Map<string, bigint> {
  const weights = new Map<string, bigint>();
  for (const { owner, weight } of leaves) weights.set(owner, (weights.get(owner) ?? 0n) + weight);
  return weights;
}

/**
 * What each owner earns of a reward, by the rule of `PayoutRoller` and `PayoutLists`: floor(reward × weight / total weight). What rounding
 * leaves is less than a unit for each owner. `ResultClaims` applies the same to single leaves.
 */
export function sharesByWeight(weights: ReadonlyMap<string, bigint>, reward: bigint): Map<string, bigint> {
  const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0n);
  if (total === 0n) return new Map();
  return new Map([...weights].map(([owner, weight]) => [owner, (reward * weight) / total]));
}
