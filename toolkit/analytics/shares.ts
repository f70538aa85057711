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
