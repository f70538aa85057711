import { addEarnings, PayoutTree } from "../payouts/payout-tree.js";
import { sharesByWeight } from "./shares.js";

/** A final result whose reward has come in to a roller. */
export interface RollableResult {
  /** 32 bytes as hex, as `root`. */
  readonly id: string;
  /** The digest of the root of its tree. */
  readonly root: string;
  /** By owner, all devices together. */
  readonly weights: ReadonlyMap<string, bigint>;
  /** ITC, 18 decimals. */
  readonly reward: bigint;
}

/** A result as a roll divides it, as the contract takes it in challenges. */
export interface RolledResult {
  readonly id: string;
  readonly root: string;
  readonly weight: bigint;
  readonly reward: bigint;
}

/** What a proposer rolls. */
export interface RollPlan {
  readonly results: RolledResult[];
  /** The pool's next tree. */
  readonly tree: PayoutTree;
  /** ITC that go to the pool. */
  readonly amount: bigint;
  /** ITC that are left for the next roll. */
  readonly carry: bigint;
}

/**
 * The next tree of a pool, by the rule of `PayoutRoller`. Accounts that earn less than a unit stand in it with 0, so that there is always a
 * tree.
 *
 * @param published What accounts have earned by the published tree.
 * @param results In the order in which they are rolled: the first takes the carry.
 * @param carry What earlier rolls left, see `ledgerOf`.
 * @example
 * const { tree, results } = planRoll(published, finals, carry);
 * await roller.roll(analytics, results.map(({ id }) => id), tree.root, tree.size, tree.total, content);
 */
export function planRoll(
  published: ReadonlyMap<string, bigint>,
  results: readonly RollableResult[],
  carry: bigint,
): RollPlan {
  if (results.length === 0) throw new RangeError("A roll needs a result at least.");
  const rolled = results.map(({ id, root, weights, reward }, k) => ({
    id,
    root,
    weight: [...weights.values()].reduce((sum, weight) => sum + weight, 0n),
    reward: k === 0 ? reward + carry : reward,
  }));
  const earned = results.reduce(
    (sum, { weights }, k) => addEarnings(sum, sharesByWeight(weights, rolled[k]?.reward ?? 0n)),
    new Map(published),
  );
  const tree = new PayoutTree(earned);
  const amount = tree.total - [...published.values()].reduce((sum, one) => sum + one, 0n);
  const rewards = rolled.reduce((sum, { reward }) => sum + reward, 0n);
  return { results: rolled, tree, amount, carry: rewards - amount };
}
