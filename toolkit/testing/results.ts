import { Aggregator, type MarkedBatch } from "../analytics/aggregator.js";
import { type AttestedPartial, type BuiltResult, buildResult } from "../analytics/build-result.js";
import { ChainLogs } from "../analytics/chain-logs.js";
import { membersAt, UNLIMITED } from "../analytics/membership.js";
import { noisyPartial } from "../analytics/noise.js";
import { PartialDigests } from "../analytics/partial-digests.js";
import { addToPartial, neutralPartial } from "../analytics/partials.js";
import type { Query } from "../analytics/query.js";
import { publishedBatch } from "../analytics/readings-format.js";
import type { AnalysisRequest } from "../analytics/requests.js";
import { Origin } from "../analytics/result-tree.js";
import type { Batch } from "../anchoring/batches.js";
import type { Gateway } from "../anchoring/gateway.js";
import { signerOf } from "../identity/keys.js";
import { fromHex, keccak256, sameBytes, toHex, uintBytes } from "../internal/bytes.js";
import { secretOf } from "./fixture.js";
import { type Anchored, budgetKey, type RequestState, type World } from "./world.js";

/** Readings of a device that fit into one answer, with room to spare; of more, the device attests to what they come to. */
const MOST_PROVED = 200n;

/** A result as an honest aggregator builds it. */
export interface ScenarioResult extends BuiltResult {
  /** Devices that belong into it and told nothing, as their owners' budgets forbid it. */
  readonly refused: number;
}

/** Somebody's own check of the gateways' batches, for a request. */
export async function withAggregator<Output>(
  world: World,
  { request: asked, id: request }: RequestState,
  work: (aggregator: Aggregator) => Promise<Output> | Output,
): Promise<Output> {
  const { addresses, chain } = world;
  const logs = new ChainLogs(chain.reader, addresses.DataAnchor);
  const keys = new Map(world.activated.map(({ device }) => [device.key.id.toLowerCase(), device.key]));
  const aggregator = await Aggregator.open({
    file: ":memory:",
    request,
    query: asked.query,
    registry: { chainId: chain.id, registry: addresses.DeviceRegistry },
    witness: { isAnchored: logs.isAnchored, keyOf: (device) => keys.get(device.toLowerCase()) },
  });
  try {
    await aggregator.take(batchesFor(world, asked));
    return await work(aggregator);
  } finally {
    aggregator.close();
  }
}

/** What an honest aggregator comes to: its own check of the gateways' batches, and partials in the devices' words. */
export async function resultOf(world: World, state: RequestState): Promise<ScenarioResult> {
  const { request: asked, requestedAt } = state;
  const { addresses, chain } = world;
  const members = await membersAt(chain.reader, addresses, asked, requestedAt);
  const { said, refusals } = partialsBySource(world, state);
  const domain = { chainId: chain.id, analytics: addresses.Analytics };
  const digests = new PartialDigests(domain);
  const built = await withAggregator(world, state, (aggregator) =>
    buildResult({
      ...domain,
      request: asked,
      digests,
      members,
      partialOf: (device) => aggregator.partialOf(device),
      attestedOf: (device) => said.get(device.toLowerCase())?.(digests),
      isSigned: (device, digest, signer, signature) =>
        world.contracts.registry.isSignedByDevice(device, toHex(digest), toHex(signer), toHex(signature)),
      mostProved: MOST_PROVED,
    }),
  );
  const refused = members.filter(({ device, isEligible }) => isEligible && refusals.has(device.toLowerCase())).length;
  return { ...built, refused };
}

/**
 * The batches of all gateways that can have a reading that counts, with what owners have opened of them: the readings of those who have set no limit
 * to their budget. Of the others nothing is ever proved, so an aggregator needs no more than the digests.
 */
function* batchesFor(world: World, { query, purpose }: AnalysisRequest): Generator<MarkedBatch> {
  const wanted = world.anchored.filter(
    ({ reading, member }) =>
      sameBytes(reading.schema, query.schema) &&
      world.budgets.get(budgetKey(purpose, member.owner.address)) === UNLIMITED,
  );
  const opened = new Map(wanted.map((item) => [keyOf(item), item]));
  for (const { account, gateway } of world.gateways.values()) {
    for (const anchored of batchesOf(gateway)) {
      const { schema, first, last } = anchored.batch.header;
      if (!sameBytes(schema, query.schema) || last < query.from || first >= query.to) continue;
      yield publishedBatch({ publisher: account.address, ...anchored }, world.digests, (reading) => {
        return opened.get(`${reading.device}:${reading.sequence}`)?.measurement;
      });
    }
  }
}

/** What each gateway gave when its log had this size: building batches anew for each request would take longer than checking them. */
const given = new WeakMap<Gateway, { readonly size: bigint; readonly batches: ReturnType<typeof batchesOf> }>();

function batchesOf(gateway: Gateway): { readonly index: bigint; readonly time: bigint; readonly batch: Batch }[] {
  const { size } = gateway.log();
  const before = given.get(gateway);
  if (before?.size === size) return before.batches;
  const batches = [...gateway.anchoredBatches()];
  given.set(gateway, { size, batches });
  return batches;
}

const keyOf = ({ reading }: Anchored): string => `${reading.device}:${reading.sequence}`;

/**
 * What each device says of its own readings when it is asked, with noise of its own if the request asks for any. A device keeps count of what it
 * has told for a purpose, and refuses what would go beyond its owner's budget, or what its owner hasn't agreed to.
 */
function partialsBySource(
  world: World,
  state: RequestState,
): { readonly said: Map<string, (digests: PartialDigests) => AttestedPartial>; readonly refusals: Set<string> } {
  const { query, terms } = state.request;
  const byDevice = Map.groupBy(
    world.anchored.filter(({ reading }) => sameBytes(reading.schema, query.schema) && isIn(query, reading.time)),
    ({ reading }) => reading.device.toLowerCase(),
  );
  const said = new Map<string, (digests: PartialDigests) => AttestedPartial>();
  const refusals = new Set<string>();
  for (const [device, all] of byDevice) {
    const { member } = all[0] ?? {};
    if (!member) continue;
    const spent = terms.epsilon === 0n ? 0n : (world.spent.get(spentKey(state, device)) ?? 0n);
    const budget = world.budgets.get(budgetKey(state.request.purpose, member.owner.address)) ?? 0n;
    if (budget !== UNLIMITED && (terms.epsilon === 0n || spent + terms.epsilon > budget)) {
      refusals.add(device);
      continue;
    }
    said.set(device, (digests) => {
      const own = all.slice(0, Number(query.cap));
      const exact = neutralPartial(query);
      for (const { reading, measurement } of own) addToPartial(query, exact, measurement.value, reading.time);
      const partial = noisyPartial(query, terms.epsilon, exact, entropyOf(world, `${state.name}:${device}`));
      const { key } = member.device;
      const claim = { device: key.id, owner: member.owner.address, count: BigInt(own.length), spent, partial };
      const signature = key.sign(digests.partial(state.id, claim));
      return { ...claim, signer: signerOf(key, world.addresses), signature };
    });
  }
  return { said, refusals };
}

/** Adds what the devices of a result have told to what they have spent on its purpose. */
export function noteSpent(
  world: World,
  state: RequestState,
  leaves: readonly { device: string; origin: number }[],
): void {
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
