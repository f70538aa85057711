import { id } from "ethers";
import { Aggregator, type MarkedBatch } from "../analytics/aggregator.js";
import { type AttestedPartial, buildResult } from "../analytics/build-result.js";
import { ChainLogs } from "../analytics/chain-logs.js";
import { membersAt } from "../analytics/membership.js";
import { noisyPartial } from "../analytics/noise.js";
import { PartialDigests } from "../analytics/partial-digests.js";
import { addToPartial, neutralPartial } from "../analytics/partials.js";
import { Operation, type Query } from "../analytics/query.js";
import { publishedBatch } from "../analytics/readings-format.js";
import {
  ANY_DEVICE,
  type AnalysisRequest,
  purposeOf,
  type RequestTerms,
  requestIdOf,
  Settlement,
  Weighting,
} from "../analytics/requests.js";
import { contentOfData, writeResultData } from "../analytics/result-data.js";
import { Origin } from "../analytics/result-tree.js";
import { sharesByWeight, weightsOf } from "../analytics/shares.js";
import { schemaIdOf } from "../anchoring/readings.js";
import { signerOf } from "../identity/keys.js";
import { fromHex, keccak256, sameBytes, toHex, uintBytes } from "../internal/bytes.js";
import { secretOf } from "./fixture.js";
import { falseResult } from "./lies.js";
import { noteProposal, outsiderOf } from "./proposals.js";
import type { Source, StepOf } from "./scenario-schema.js";
import { inUnits, millionths } from "./units.js";
import { type Anchored, ReplayError, type RequestState, type World } from "./world.js";

/** What proofs of partials can hold: values of 40 bits. */
export const WIDEST = 2n ** 39n;
/** Readings of a device that fit into one answer, with room to spare; of more, the device attests to what they come to. */
const MOST_PROVED = 200n;

const OPERATIONS = {
  count: Operation.Count,
  sum: Operation.Sum,
  mean: Operation.Mean,
  "min-max": Operation.MinMax,
  histogram: Operation.Histogram,
  distinct: Operation.Distinct,
  membership: Operation.Membership,
  regression: Operation.Regression,
} as const;
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
  const asked = { salt: id(step.request), query: queryOf(step, source, now), filter: ANY_DEVICE, epsilon };
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

/** An aggregator computes the result from what is anchored, and proposes it, or a lie about it, with a bond. */
export async function propose(world: World, step: StepOf<"propose">): Promise<string> {
  const state = world.request(step.request);
  const author = world.account(step.by);
  const { tree, withheld } = await withAggregator(world, state, (aggregator) => told(world, step, aggregator));
  const { reward, bond } = state.request.terms;
  const header = { chainId: world.chain.id, analytics: world.addresses.Analytics, request: state.request };
  const data = () => writeResultData({ ...header, leaves: tree.leaves.length }, tree.leaves);
  const isShown = step.lie !== "withheld-data";
  const content = isShown ? await world.shelf.put(data()) : await contentOfData(data());
  const args = [state.request, tree.root, toHex(tree.aggregate), content];
  await world.send(author, "ITC", "approve", [world.addresses.Analytics, bond], "approve ITC");
  await world.send(author, "Analytics", "propose", args, "propose a result");
  const shares = sharesByWeight(weightsOf(tree.leaves), reward);
  world.requests.set(state.name, { ...state, status: "proposed", tree, shares, proposer: step.by, withheld });
  noteProposal(world, { request: state.name, author: step.by, lie: step.lie, tree, isShown });
  if (step.lie === undefined) noteSpent(world, state, tree.leaves);
  const { count, members } = tree.root.summary;
  const said = `${count} readings of ${members} devices${withheld.size > 0 ? `, ${withheld.size} withheld` : ""}`;
  return step.lie === undefined ? said : `${step.lie}: ${said}`;
}

/** The honest result, or what a liar makes of it. */
async function told(world: World, { request: name, by, lie }: StepOf<"propose">, aggregator: Aggregator) {
  const state = world.request(name);
  const honest = await resultOf(world, state, aggregator);
  if (lie === undefined) return honest;
  const outsider = outsiderOf(world, state.request, honest.tree, aggregator);
  const parts = { request: state.request, accomplice: world.account(by).address, outsider };
  return { ...honest, tree: falseResult(lie, honest.tree, parts) };
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

function queryOf(step: StepOf<"request">, source: Source, now: bigint): Query {
  const operation = OPERATIONS[step.operation];
  const isSketch = operation === Operation.Distinct || operation === Operation.Membership;
  const bound = (text: string | undefined, otherwise: bigint) =>
    isSketch ? 0n : text === undefined ? otherwise : inUnits(text, source.scale);
  return {
    schema: schemaIdOf(source),
    operation,
    size: step.size,
    hashes: step.hashes,
    lower: bound(step.lower, -WIDEST),
    upper: bound(step.upper, WIDEST - 1n),
    from: step.from,
    to: step.to,
    // Data of the past are all there; proposals begin in the next second.
    anchoredBy: step.to > now ? step.to : now,
    cap: BigInt(step.cap),
  };
}

/** Somebody's own check of the gateways' batches, and what they come to. */
export async function withAggregator<Output>(
  world: World,
  { request: { query }, id: request }: RequestState,
  work: (aggregator: Aggregator) => Promise<Output> | Output,
): Promise<Output> {
  const { addresses, chain } = world;
  const logs = new ChainLogs(chain.reader, addresses.DataAnchor);
  const keys = new Map(world.activated.map(({ device }) => [device.key.id.toLowerCase(), device.key]));
  const aggregator = await Aggregator.open({
    file: ":memory:",
    request,
    query,
    registry: { chainId: chain.id, registry: addresses.DeviceRegistry },
    witness: { isAnchored: logs.isAnchored, keyOf: (device) => keys.get(device.toLowerCase()) },
  });
  try {
    await aggregator.take(batchesOf(world));
    return await work(aggregator);
  } finally {
    aggregator.close();
  }
}

/** What an honest aggregator comes to: partials of its own, or in the devices' words. */
async function resultOf(world: World, state: RequestState, aggregator: Aggregator) {
  const { request: asked, requestedAt } = state;
  const { addresses, chain } = world;
  const members = await membersAt(chain.reader, addresses, asked, requestedAt);
  const attested = partialsBySource(world, state);
  const digests = new PartialDigests({ chainId: chain.id, analytics: addresses.Analytics });
  return buildResult({
    chainId: chain.id,
    analytics: addresses.Analytics,
    request: asked,
    digests,
    members,
    partialOf: (device, most) => aggregator.partialOf(device, most),
    attestedOf: (device) => attested.get(device.toLowerCase())?.(digests),
    isSigned: (device, digest, signer, signature) =>
      world.contracts.registry.isSignedByDevice(device, toHex(digest), toHex(signer), toHex(signature)),
    mostProved: MOST_PROVED,
  });
}

/** All batches of all gateways, with what owners have opened of them. */
function* batchesOf(world: World): Generator<MarkedBatch> {
  const opened = new Map(world.anchored.map((item) => [keyOf(item), item]));
  for (const { account, gateway } of world.gateways.values()) {
    for (const anchored of gateway.anchoredBatches()) {
      yield publishedBatch({ publisher: account.address, ...anchored }, world.digests, (reading) => {
        return opened.get(`${reading.device}:${reading.sequence}`)?.measurement;
      });
    }
  }
}

const keyOf = ({ reading }: Anchored): string => `${reading.device}:${reading.sequence}`;

/** What each device says of its own readings when it is asked, with noise of its own if the request asks for any. */
function partialsBySource(
  world: World,
  state: RequestState,
): Map<string, (digests: PartialDigests) => AttestedPartial> {
  const { query, terms } = state.request;
  const byDevice = Map.groupBy(
    world.anchored.filter(({ reading }) => sameBytes(reading.schema, query.schema) && isIn(query, reading.time)),
    ({ reading }) => reading.device.toLowerCase(),
  );
  const said = new Map<string, (digests: PartialDigests) => AttestedPartial>();
  for (const [device, all] of byDevice) {
    const { member } = all[0] ?? {};
    if (!member) continue;
    said.set(device, (digests) => {
      const own = all.slice(0, Number(query.cap));
      const exact = neutralPartial(query);
      for (const { reading, measurement } of own) addToPartial(query, exact, measurement.value, reading.time);
      const partial = noisyPartial(query, terms.epsilon, exact, entropyOf(world, `${state.name}:${device}`));
      const { key } = member.device;
      const spent = terms.epsilon === 0n ? 0n : (world.spent.get(spentKey(state, device)) ?? 0n);
      const claim = { device: key.id, owner: member.owner.address, count: BigInt(own.length), spent, partial };
      const signature = key.sign(digests.partial(state.id, claim));
      return { ...claim, signer: signerOf(key, world.addresses), signature };
    });
  }
  return said;
}

function noteSpent(world: World, state: RequestState, leaves: readonly { device: string; origin: number }[]): void {
  const { epsilon } = state.request.terms;
  if (epsilon === 0n) return;
  for (const { device, origin } of leaves) {
    if (origin !== Origin.Attested) continue;
    const key = spentKey(state, device.toLowerCase());
    world.spent.set(key, (world.spent.get(key) ?? 0n) + epsilon);
  }
}

const spentKey = ({ request: asked }: RequestState, device: string): string => `${asked.purpose}:${device}`;
const isIn = ({ from, to }: Query, time: bigint): boolean => time >= from && time < to;

/** Random bytes that the scenario's seed fixes: a run is the same each time. Real devices draw theirs. */
function entropyOf(world: World, label: string): (bytes: number) => Uint8Array {
  const seed = fromHex(secretOf(world.scenario.seed, `noise:${label}`));
  let counter = 0n;
  return (bytes) => {
    const drawn = new Uint8Array(bytes);
    for (let at = 0; at < bytes; at += 32) {
      drawn.set(keccak256(seed, uintBytes(counter++, 8)).subarray(0, Math.min(32, bytes - at)), at);
    }
    return drawn;
  };
}
