import { nodesOfRange, ownerRange } from "../../toolkit/analytics/owner-nodes.js";
import { planRoll, type RolledResult, type RollPlan } from "../../toolkit/analytics/rolls.js";
import { PayoutTree } from "../../toolkit/payouts/payout-tree.js";
import { type Finished, type Stage, WINDOW, wait } from "./payout-stage.js";
import { inOrder, type Share } from "./result-trees.js";

export const CONTENT = `0x${"5a".repeat(32)}`;

/** Three owners of one, two and four devices, with weights 1 to 7. */
export function sevenShares(stage: Stage): Share[] {
  return [0, 1, 1, 2, 2, 2, 2].map((owner, k) => ({
    owner: stage.owners[owner]?.address ?? "",
    device: inOrder(k),
    weight: BigInt(k + 1),
  }));
}

/** Proposes results with a tree, which may be a lie. */
export function propose(
  stage: Stage,
  results: readonly Finished[],
  tree: PayoutTree,
  changes: { leaves?: bigint; total?: bigint; analytics?: string; by?: Stage["proposer"] } = {},
) {
  const { leaves = BigInt(tree.size), total = tree.total, analytics = stage.analytics, by = stage.proposer } = changes;
  const ids = results.map(({ id }) => id);
  return stage.roller.connect(by).roll(analytics, ids, tree.root, leaves, total, CONTENT);
}

/** Plans and proposes results by the rule. */
export async function rollTruth(
  stage: Stage,
  results: readonly Finished[],
  published: ReadonlyMap<string, bigint> = new Map(),
): Promise<RollPlan> {
  const { carry } = await stage.roller.ledgerOf(stage.analytics);
  const plan = planRoll(published, results, carry);
  await propose(stage, results, plan.tree);
  return plan;
}

/** Rolls results by the rule and publishes them. */
export async function publishTruth(
  stage: Stage,
  results: readonly Finished[],
  published: ReadonlyMap<string, bigint> = new Map(),
): Promise<RollPlan> {
  const plan = await rollTruth(stage, results, published);
  await wait(stage, WINDOW + 1n);
  await stage.roller.publish(stage.analytics);
  return plan;
}

/** The tree of a plan with other earnings for some accounts; undefined takes the account out. */
export function changed(plan: RollPlan, changes: Readonly<Record<string, bigint | undefined>>): PayoutTree {
  const earned = plan.tree.earned;
  for (const [account, amount] of Object.entries(changes)) {
    if (amount === undefined) earned.delete(account);
    else earned.set(account, amount);
  }
  return new PayoutTree(earned);
}

/** All nodes of an owner in each of some results. */
export function ownedIn(results: readonly Finished[], owner: string) {
  return results.map(({ tree }) => {
    const { first, end } = ownerRange(tree.leaves, owner);
    return nodesOfRange(tree, first, end);
  });
}

/** Shows that an account has too little in a proposed tree. */
export function challengeUnderpaid(
  stage: Stage,
  account: string,
  proposed: PayoutTree,
  former: PayoutTree | undefined,
  rolled: readonly RolledResult[],
  owned: ReturnType<typeof ownedIn>,
  by = stage.challenger,
) {
  return stage.roller
    .connect(by)
    .challengeUnderpaid(
      stage.analytics,
      account,
      proposed.showGranted(account),
      former?.showLeaf(account) ?? [],
      [...rolled],
      owned,
    );
}
