import { leafWords, nodeDigest } from "../analytics/result-tree.js";
import { writeRollData } from "../analytics/roll-data.js";
import { planRoll, type RollPlan } from "../analytics/rolls.js";
import { weightsOf } from "../analytics/shares.js";
import { toHex } from "../internal/bytes.js";
import { payoutList } from "../payouts/payout-list.js";
import { PayoutTree } from "../payouts/payout-tree.js";
import type { StepOf } from "./scenario-schema.js";
import { ReplayError, type RequestState, type World } from "./world.js";

/** Proposes the pool's next tree over final results. */
export async function roll(world: World, step: StepOf<"roll">): Promise<string> {
  const author = world.account(step.by);
  const states = step.requests.map((name) => world.request(name));
  const plan = await planOf(world, states);
  const { tree } = plan;
  const { bond } = await world.contracts.roller.rules();
  const content = await world.shelf.put(writeRollData(tree));
  const ids = states.map((state) => state.id);
  await world.send(author, "ITC", "approve", [world.addresses.PayoutRoller, bond], "approve ITC");
  const args = [world.addresses.Analytics, ids, tree.root, tree.size, tree.total, content];
  await world.send(author, "PayoutRoller", "roll", args, "roll results");
  for (const state of states) world.requests.set(state.name, { ...state, status: "rolled" });
  world.proposedEarnings = tree.earned;
  return `${states.length} results, ${tree.size} accounts`;
}

/** Publishes the tree once its window is over. */
export async function publish(world: World, step: StepOf<"publish">): Promise<string> {
  const args = [world.addresses.Analytics];
  await world.send(world.account(step.by), "PayoutRoller", "publish", args, "publish a payout root");
  world.earned = world.proposedEarnings ?? world.earned;
  world.proposedEarnings = undefined;
  for (const state of world.requests.values()) {
    if (state.status === "rolled") world.requests.set(state.name, { ...state, status: "published" });
  }
  return `${world.earned.size} accounts`;
}

/** Proposes who gets what of a result that is pushed. */
export async function list(world: World, step: StepOf<"list">): Promise<string> {
  const author = world.account(step.by);
  const state = world.request(step.request);
  const words = payoutList(state.shares);
  const bond = await world.contracts.lists.bond();
  await world.send(author, "ITC", "approve", [world.addresses.PayoutLists, bond], "approve ITC");
  const args = [world.addresses.Analytics, state.id, words];
  await world.send(author, "PayoutLists", "rollList", args, "propose a list of payouts");
  return `${words.length} accounts`;
}

/** Pays all on a list once its window is over. */
export async function push(world: World, step: StepOf<"push">): Promise<string> {
  const state = world.request(step.request);
  const words = payoutList(state.shares);
  const args = [world.addresses.Analytics, state.id, words];
  await world.send(world.account(step.by), "PayoutLists", "push", args, "push payouts");
  world.requests.set(state.name, { ...state, status: "published" });
  return `${words.length} accounts`;
}

/** Pays owners what they have earned; anyone may send their claims. */
export async function claim(world: World, step: StepOf<"claim">): Promise<string> {
  if (step.request !== undefined) return claimDirectly(world, step, world.request(step.request));
  const tree = new PayoutTree(world.earned);
  let claims = 0;
  for (const owner of world.accountsOf(step.owners)) {
    const earned = world.earned.get(owner.address) ?? 0n;
    if (earned > world.claimed(owner.address)) {
      const { leaf, path, siblings } = tree.claimOf(owner.address);
      const args = [leaf.account, leaf.earned, leaf.before, path, siblings];
      const sender = step.by === undefined ? owner : world.account(step.by);
      await world.send(sender, "PayoutPool", "claim", args, "claim a payout");
      claims += 1;
    }
    world.tick(1);
  }
  return `${claims} claims`;
}

/** Pays the leaves of a result, each with its place in the result's own tree. */
async function claimDirectly(world: World, step: StepOf<"claim">, state: RequestState): Promise<string> {
  const { tree } = state;
  if (!tree) throw new ReplayError("ITC_REPLAY_ORDER", `${state.name} has no result yet.`, "Propose it first.");
  let claims = 0;
  for (const owner of world.accountsOf(step.owners)) {
    const own = [...tree.leaves.entries()].filter(([, leaf]) => leaf.owner === owner.address && leaf.weight > 0n);
    if (own.length > 0) {
      const leaves = own.map(([, leaf]) => leafWords(leaf));
      const places = own.map(([index]) => tree.place(index));
      const args = [world.addresses.Analytics, state.id, leaves, places];
      const sender = step.by === undefined ? owner : world.account(step.by);
      await world.send(sender, "ResultClaims", "claimMany", args, "claim from a result");
      claims += own.length;
    }
    world.tick(1);
  }
  world.requests.set(state.name, { ...state, status: "published" });
  return `${claims} claims`;
}

async function planOf(world: World, states: readonly RequestState[]): Promise<RollPlan> {
  const { carry } = await world.contracts.roller.ledgerOf(world.addresses.Analytics);
  const results = states.map(({ id: result, tree, request: asked }) => {
    if (!tree) throw new ReplayError("ITC_REPLAY_ORDER", "A result isn't there yet.", "Propose it first.");
    const weights = weightsOf(tree.leaves.filter(({ weight }) => weight > 0n));
    return { id: result, root: toHex(nodeDigest(tree.root)), weights, reward: asked.terms.reward };
  });
  return planRoll(world.earned, results, carry);
}
