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
