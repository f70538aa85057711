import { ZeroAddress } from "ethers";
import { type FeedRound, medianOf, pushArguments } from "../anchoring/feeds.js";
import { DeviceFeed__factory, FeedFactory__factory } from "../contracts.js";
import { type DeviceId, signerOf } from "../identity/keys.js";
import { sameBytes, toHex } from "../internal/bytes.js";
import type { Measured } from "./devices.js";
import { count } from "./report-format.js";
import type { Source, StepOf } from "./scenario-schema.js";
import { recordFleets } from "./steps-data.js";
import { inUnits } from "./units.js";
import { type CoverState, type FeedState, type FleetState, type Member, ReplayError, type World } from "./world.js";

/** Makes a feed of the devices of fleets that measure one thing. Nobody is its gateway: each value comes with its device's signature. */
export async function feed(world: World, step: StepOf<"feed">): Promise<string> {
  const fleets = step.fleets.map((name) => world.fleet(name));
  const members = fleets.flatMap((fleet) => fleet.members);
  const { schema, source } = oneMeaning(fleets);
  const config = {
    sources: members.map(({ device }) => device.key.id),
    gateway: ZeroAddress,
    schema: toHex(schema),
    decimals: source.scale,
    quorum: step.quorum,
    level: step.level,
    ring: step.ring,
    maxAge: step["max-age"],
    maxAhead: 60,
    minimum: inUnits(step.minimum, source.scale),
    maximum: inUnits(step.maximum, source.scale),
    verifier: ZeroAddress,
    description: `${source.quantity}, ${source.unit}`,
  };
  const by = world.account(world.actorOfKind("operator"));
  await world.send(by, "FeedFactory", "create", [config], "make a feed");
  const { reader } = world.chain;
  const factory = FeedFactory__factory.connect(world.addresses.FeedFactory, reader);
  const contract = DeviceFeed__factory.connect(await factory.feedOf(config), reader);
  const quorum = step.quorum;
  const state = { name: step.feed, contract, quorum, ring: step.ring, maxAge: step["max-age"], fleets };
  world.feeds.set(step.feed, { ...state, scale: source.scale, rounds: [], latest: new Map() });
  world.nameOf.set(String(contract.target), step.feed);
  return `${step.feed} of ${count(members.length, "device")}`;
}

/** An insurer opens a cover on a feed, and the insured pays its premium. */
export async function cover(world: World, step: StepOf<"cover">): Promise<string> {
  const on = world.feed(step.feed);
  const [insurer, insured] = [world.account(step.insurer), world.account(step.insured)];
  const state: Omit<CoverState, "id"> = {
    name: step.cover,
    feed: on,
    insurer,
    insured: insured.address,
    watcher: step.watcher,
    low: inUnits(step.low, on.scale),
    high: inUnits(step.high, on.scale),
    start: step.from,
    end: step.to,
    amount: step.amount,
    premium: step.premium,
    status: "open",
  };
  await world.send(insurer, "ITC", "approve", [world.addresses.BandCover, step.amount], "approve a cover");
  const { low, high, start, end, amount, premium } = state;
  const terms = [insured.address, on.contract.target, low, high, start, end, step.grace, amount, premium];
  await world.send(insurer, "BandCover", "open", [terms], "open a cover");
  const id = BigInt(world.covers.size + 1);
  await world.send(insured, "ITC", "approve", [world.addresses.BandCover, premium], "approve a premium");
  await world.send(insured, "BandCover", "accept", [id], "pay a premium");
  world.covers.set(step.cover, { ...state, id });
  return `${step.cover}: ${step.low} to ${step.high}`;
}

/**
 * Has a feed's devices measure while the clock goes on: each value is brought to the feed when it is measured, and covers are settled as soon as a
 * round shows damage. At the end gateways anchor the same readings in batches.
 */
export async function stream(world: World, step: StepOf<"stream">): Promise<string> {
  const on = world.feed(step.feed);
  const [before, rounds] = [world.anchored.length, on.rounds.length];
  await recordFleets(world, on.fleets, step.batch, {
    each: async (member, measured) => {
      const lag = measured.reading.time - (await world.chain.now());
      if (lag > 0n) await world.chain.wait(lag);
      await bring(world, on, member, measured);
    },
  });
  const paid = [...world.covers.values()].filter(({ feed: of, status }) => of === on && status === "paid");
  return `${world.anchored.length - before} values, ${on.rounds.length - rounds} rounds, ${count(paid.length, "cover")} paid`;
}

/** The insurer takes back a cover that wasn't paid. */
export async function giveBack(world: World, step: StepOf<"give-back">): Promise<string> {
  const state = world.cover(step.cover);
  await world.send(state.insurer, "BandCover", "giveBack", [state.id], "give a cover back");
  world.covers.set(state.name, { ...state, status: "returned" });
  return state.name;
}

async function bring(world: World, on: FeedState, member: Member, { reading, measurement }: Measured): Promise<void> {
  const { key } = member.device;
  const data = on.contract.interface.encodeFunctionData(
    "push",
    pushArguments(reading, measurement, signerOf(key, world.addresses)),
  );
  await world.chain.send(member.owner, { to: String(on.contract.target), data, what: "push a value to a feed" });
  const round = follow(on, reading.device, reading.time, measurement.value, await world.chain.now());
  if (round) await settle(world, on, round);
}

/** What the feed should do with a value: the round that it makes, if it makes one. */
function follow(on: FeedState, device: DeviceId, time: bigint, value: bigint, now: bigint): FeedRound | undefined {
  on.latest.set(device, { time, value });
  const fresh = [...on.latest.values()].filter((latest) => now - latest.time <= on.maxAge);
  if (fresh.length < on.quorum) return undefined;
  let updatedAt = now;
  for (const latest of fresh) if (latest.time < updatedAt) updatedAt = latest.time;
  const answer = medianOf(fresh.map((latest) => latest.value));
  const round = { roundId: BigInt(on.rounds.length + 1), answer, startedAt: now, updatedAt };
  on.rounds.push(round);
  return round;
}

async function settle(
  world: World,
  on: FeedState,
  { roundId, answer, startedAt, updatedAt }: FeedRound,
): Promise<void> {
  for (const state of world.covers.values()) {
    const within = answer >= state.low && answer <= state.high;
    if (state.feed !== on || state.status !== "open" || within) continue;
    if (updatedAt < state.start || startedAt > state.end) continue;
    const args = [state.id, roundId];
    await world.send(world.account(state.watcher), "BandCover", "settle", args, "settle a cover");
    world.covers.set(state.name, { ...state, status: "paid" });
  }
}

/** The first of fleets that measure one thing. Errors: ITC_REPLAY_FEED. */
export function oneMeaning(fleets: readonly FleetState[]): FleetState & { readonly source: Source } {
  const [first, ...others] = fleets;
  const same = first && others.every(({ schema }) => sameBytes(schema, first.schema));
  if (same && first.source) return { ...first, source: first.source };
  const what = "The fleets measure different things.";
  throw new ReplayError("ITC_REPLAY_FEED", what, "Name fleets whose sources have one quantity, unit and scale.");
}
