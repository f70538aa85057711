import { id } from "ethers";
import { cellOfGeohash } from "../analytics/regions.js";
import {
  ANY_DEVICE,
  type AnalysisRequest,
  type DeviceFilter,
  purposeOf,
  type RequestTerms,
  requestIdOf,
  Settlement,
  Weighting,
} from "../analytics/requests.js";
import { contentOfData, writeResultData } from "../analytics/result-data.js";
import { sharesByWeight, weightsOf } from "../analytics/shares.js";
import { toHex } from "../internal/bytes.js";
import { falseResult } from "./lies.js";
import { noteProposal, outsiderOf } from "./proposals.js";
import { attempt } from "./refusals.js";
import { noteSpent, resultOf, type ScenarioResult } from "./results.js";
import { queryOf } from "./scenario-queries.js";
import type { Source, StepOf } from "./scenario-schema.js";
import { millionths } from "./units.js";
import { ReplayError, type World } from "./world.js";

const WEIGHTINGS = { readings: Weighting.Readings, devices: Weighting.Devices } as const;
const SETTLEMENTS = { direct: Settlement.Direct, rolled: Settlement.Rolled, pushed: Settlement.Pushed } as const;

/** A company asks and pays into escrow. */
export async function request(world: World, step: StepOf<"request">): Promise<string> {
  const source = Object.values(world.scenario.sources).find(({ quantity }) => quantity === step.quantity);
  if (!source) {
    const what = `No source measures ${step.quantity}.`;
    throw new ReplayError("ITC_REPLAY_QUANTITY", what, "Name the quantity of a source.");
  }
  const now = await world.chain.now();
  const epsilon = step.epsilon === undefined ? 0n : millionths(step.epsilon);
  const asked = { salt: id(step.request), query: queryOf(step, source, now), filter: filterOf(world, step), epsilon };
  await open(world, step, { ...asked, source, purpose: step.purpose });
  return `${step.operation} of ${step.quantity}, ${step.cohort} devices or more`;
}

/** What is asked, beside the terms. */
export interface Question extends Pick<AnalysisRequest, "salt" | "query" | "filter"> {
  readonly epsilon: bigint;
  readonly source: Source;
  /** In words. */
  readonly purpose: string;
}

/** Sends a request on a step's terms. */
export async function open(
  world: World,
  step: StepOf<"request"> | StepOf<"ask-period">,
  { salt, query, filter, epsilon, source, purpose }: Question,
): Promise<void> {
  const company = world.account(step.company);
  const terms: RequestTerms = {
    cohort: BigInt(step.cohort),
    epsilon,
    price: 0n,
    reward: step.reward,
    fee: step.fee ?? 0n,
    bond: step.bond,
    deadline: (await world.chain.now()) + step.deadline,
    challengeWindow: step.challenge,
    weighting: WEIGHTINGS[step.weighting],
    settlement: SETTLEMENTS[step.settlement],
  };
  const request = { requester: company.address, salt, purpose: purposeOf(purpose), query, filter, terms };
  const escrow = terms.reward + terms.fee;
  await world.send(company, "ITC", "approve", [world.addresses.Analytics, escrow], "approve ITC");
  await world.send(company, "Analytics", "request", [request], "request an analysis");
  world.requests.set(step.request, {
    name: step.request,
    company: step.company,
    request,
    id: requestIdOf(request, world.chain.id, world.addresses.Analytics),
    requestedAt: await world.chain.now(),
    source,
    purpose,
    status: "open",
    tree: undefined,
    shares: new Map(),
  });
}

/** An aggregator computes the result from what is anchored, and proposes it, or a lie about it, with a bond; or tries to, where the step says that it can't. */
export async function propose(world: World, step: StepOf<"propose">): Promise<string> {
  const state = world.request(step.request);
  const author = world.account(step.by);
  const { tree, withheld, refused } = await told(world, step);
  const { reward, bond } = state.request.terms;
  const header = { chainId: world.chain.id, analytics: world.addresses.Analytics, request: state.request };
  const data = () => writeResultData({ ...header, leaves: tree.leaves.length }, tree.leaves);
  const isShown = step.lie !== "withheld-data";
  const content = isShown ? await world.shelf.put(data()) : await contentOfData(data());
  const args = [state.request, tree.root, toHex(tree.aggregate), content];
  const send = async () => {
    await world.send(author, "ITC", "approve", [world.addresses.Analytics, bond], "approve ITC");
    await world.send(author, "Analytics", "propose", args, "propose a result");
  };
  const { count, members } = tree.root.summary;
  const rest = [
    ...(withheld.size > 0 ? [`${withheld.size} withheld`] : []),
    ...(refused > 0 ? [`${refused} refuse`] : []),
  ];
  const note = [`${step.lie ? `${step.lie}: ` : ""}${count} readings of ${members} devices`, ...rest].join(", ");
  if (await attempt(step, send)) return `${note}; refused: ${step.refused}`;
  const shares = sharesByWeight(weightsOf(tree.leaves), reward);
  world.requests.set(state.name, { ...state, status: "proposed", tree, shares, proposer: step.by, withheld });
  noteProposal(world, { request: state.name, author: step.by, lie: step.lie, tree, isShown });
  if (step.lie === undefined) noteSpent(world, state, tree.leaves);
  return note;
}

/** The honest result, or what a liar makes of it. */
async function told(world: World, { request: name, by, lie }: StepOf<"propose">): Promise<ScenarioResult> {
  const state = world.request(name);
  const honest = await resultOf(world, state);
  if (lie === undefined) return honest;
  const accomplice = world.account(by).address;
  const parts = { request: state.request, accomplice, outsider: outsiderOf(world, honest.tree) };
  return { ...honest, tree: falseResult(lie, honest.tree, parts) };
}

/** Ends a request that has no result; the company has its money back. */
export async function cancel(world: World, step: StepOf<"cancel">): Promise<string> {
  const state = world.request(step.request);
  await world.send(world.account(step.by), "Analytics", "cancel", [state.request], "cancel a request");
  world.requests.set(state.name, { ...state, status: "cancelled" });
  return `${state.name}, without a result`;
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

/** Which devices a request is about: of one fleet's lot, in one region, or all. */
function filterOf(world: World, { lot, region }: StepOf<"request">): DeviceFilter {
  const fleet = lot === undefined ? undefined : world.fleet(lot);
  return {
    ...ANY_DEVICE,
    ...(fleet && { lot: fleet.lot.idFor(world.account(fleet.spec.issuer).address) }),
    ...(region !== undefined && { region: cellOfGeohash(region) }),
  };
}
