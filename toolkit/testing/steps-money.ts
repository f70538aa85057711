import { id } from "ethers";
import { AggregateTree, type Contribution, inOrder } from "../analytics/aggregate-tree.js";
import { type AnalysisRequest, OPERATIONS, purposeOf, requestIdOf } from "../analytics/requests.js";
import { sharesOf } from "../analytics/shares.js";
import { schemaIdOf } from "../anchoring/readings.js";
import { sameBytes, toHex } from "../internal/bytes.js";
import { addEarnings, PayoutTree } from "../payouts/payout-tree.js";
import type { StepOf } from "./scenario-schema.js";
import { ReplayError, type RequestState, type World } from "./world.js";

/** A company asks and pays into escrow. */
export async function request(world: World, step: StepOf<"request">): Promise<string> {
  const company = world.account(step.company);
  const source = Object.values(world.scenario.sources).find(({ quantity }) => quantity === step.quantity);
  if (!source) {
    throw new ReplayError(
      "ITC_REPLAY_QUANTITY",
      `No source measures ${step.quantity}.`,
      "Name the quantity of a source.",
    );
  }
  const asked: AnalysisRequest = {
    requester: company.address,
    salt: id(step.request),
    purpose: purposeOf(step.purpose),
    schema: toHex(schemaIdOf(source)),
    operation: OPERATIONS[step.operation],
    from: step.from,
    to: step.to,
    cohort: BigInt(step.cohort),
    deadline: (await world.chain.now()) + step.deadline,
    challengeWindow: step.challenge,
    reward: step.reward,
    bond: step.bond,
  };
  await world.send(company, "ITC", "approve", [world.addresses.Analytics, step.reward], "approve ITC");
  await world.send(company, "Analytics", "request", [asked], "request an analysis");
  world.requests.set(step.request, {
    name: step.request,
    company: step.company,
    request: asked,
    id: requestIdOf(asked, world.chain.id, world.addresses.Analytics),
    requestedAt: await world.chain.now(),
    source,
    purpose: step.purpose,
    status: "open",
    tree: undefined,
    shares: new Map(),
  });
  return `mean ${step.quantity} of ${step.cohort} devices or more`;
}

/** An aggregator computes the result from what is anchored, and proposes it with a bond. */
export async function propose(world: World, step: StepOf<"propose">): Promise<string> {
  const state = world.request(step.request);
  const author = world.account(step.by);
  const contributions = await contributionsTo(world, state);
  if (contributions.length < 2) {
    throw new ReplayError(
      "ITC_REPLAY_COHORT",
      `Only ${contributions.length} devices fit ${state.name}.`,
      "Widen its window.",
    );
  }
  const tree = new AggregateTree(inOrder(contributions));
  const { aggregate } = tree.root;
  const content = id(
    JSON.stringify(tree.leaves.map(({ owner, device, sum, count }) => [owner, device, String(sum), String(count)])),
  );
  await world.send(author, "ITC", "approve", [world.addresses.Analytics, state.request.bond], "approve ITC");
  const args = [state.request, aggregate, ...tree.children, content];
  await world.send(author, "Analytics", "propose", args, "propose a result");
  world.requests.set(state.name, {
    ...state,
    status: "proposed",
    tree,
    shares: sharesOf(tree.leaves, state.request.reward),
  });
  return `${aggregate.count} readings of ${aggregate.members} devices`;
}

/** Lets time pass. */
export async function wait(world: World, step: StepOf<"wait">): Promise<string> {
  await world.chain.wait(step.for);
  return `${step.for} s`;
}

/** Makes a result final once its window is over. */
export async function finalise(world: World, step: StepOf<"finalise">): Promise<string> {
  const state = world.request(step.request);
  await world.send(world.account(step.by), "Analytics", "finalise", [state.request], "finalise a result");
  world.requests.set(state.name, { ...state, status: "final" });
  return state.name;
}

/** Proposes the pool's next root over final results. */
export async function roll(world: World, step: StepOf<"roll">): Promise<string> {
  const author = world.account(step.by);
  const states = step.requests.map((name) => world.request(name));
  const earned = states.reduce((sum, { shares }) => addEarnings(sum, shares), world.earned);
  const tree = new PayoutTree(earned);
  const content = id(JSON.stringify([...tree.earned].map(([account, amount]) => [account, String(amount)])));
  await world.send(author, "ITC", "approve", [world.addresses.PayoutRoller, await rollBond(world)], "approve ITC");
  await world.send(
    author,
    "PayoutRoller",
    "roll",
    [states.map((state) => state.request), tree.root, content],
    "roll results",
  );
  for (const state of states) world.requests.set(state.name, { ...state, status: "rolled" });
  world.proposedEarnings = earned;
  return `${states.length} results, ${earned.size} accounts`;
}

/** Publishes the root once its window is over. */
export async function publish(world: World, step: StepOf<"publish">): Promise<string> {
  await world.send(world.account(step.by), "PayoutRoller", "publish", [], "publish a payout root");
  world.earned = world.proposedEarnings ?? world.earned;
  world.proposedEarnings = undefined;
  for (const state of world.requests.values()) {
    if (state.status === "rolled") world.requests.set(state.name, { ...state, status: "published" });
  }
  return `${world.earned.size} accounts`;
}

/** Pays owners what they have earned; anyone may send their claims. */
export async function claim(world: World, step: StepOf<"claim">): Promise<string> {
  const tree = new PayoutTree(world.earned);
  let claims = 0;
  for (const owner of world.accountsOf(step.owners)) {
    const earned = world.earned.get(owner.address) ?? 0n;
    if (earned > world.claimed(owner.address)) {
      const { leaf, path, siblings } = tree.claimOf(owner.address);
      const sender = step.by === undefined ? owner : world.account(step.by);
      await world.send(
        sender,
        "PayoutPool",
        "claim",
        [owner.address, earned, leaf.before, path, siblings],
        "claim a payout",
      );
      claims += 1;
    }
    world.tick(1);
  }
  return `${claims} claims`;
}

/** What every eligible device brings: its anchored readings of the schema, in the window, with its owner's consent at the time of the request. */
async function contributionsTo(world: World, { request: asked, requestedAt }: RequestState): Promise<Contribution[]> {
  const { consents } = world.contracts;
  const agreed = new Map<string, boolean>();
  const byDevice = new Map<string, Contribution>();
  for (const { reading, measurement, member, fleet } of world.anchored) {
    if (toHex(fleet.schema) !== asked.schema || !sameBytes(reading.schema, fleet.schema)) continue;
    if (reading.time < asked.from || reading.time >= asked.to) continue;
    const owner = member.owner.address;
    const { device } = reading;
    if (!agreed.has(device)) {
      const consent = await consents.consentAt(owner, device, asked.purpose, requestedAt);
      agreed.set(device, consent.granted);
    }
    if (!agreed.get(device)) continue;
    const before = byDevice.get(device) ?? { owner, device, sum: 0n, count: 0n };
    byDevice.set(device, { ...before, sum: before.sum + measurement.value, count: before.count + 1n });
  }
  return [...byDevice.values()];
}

async function rollBond(world: World): Promise<bigint> {
  return world.contracts.analytics.minimumBond();
}
