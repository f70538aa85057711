import { type CarbonProject, carbonProjectId, carbonQuery, reductionsOf, signReductions } from "../analytics/carbon.js";
import { cellOfGeohash } from "../analytics/regions.js";
import { ANY_DEVICE, purposeOf } from "../analytics/requests.js";
import type { PeriodState, ProjectState } from "./carbon-book.js";
import { attempt } from "./refusals.js";
import { count } from "./report-format.js";
import type { StepOf } from "./scenario-schema.js";
import { open } from "./steps-analytics.js";
import { oneMeaning } from "./steps-feeds.js";
import { placeDevices } from "./steps-identity.js";
import { millionths } from "./units.js";
import { ReplayError, type World } from "./world.js";

/** The meters' owners say in which cell they stand, and somebody registers a project over all devices there. */
export async function project(world: World, step: StepOf<"project">): Promise<string> {
  const fleets = step.fleets.map((name) => world.fleet(name));
  const { schema, source } = oneMeaning(fleets);
  if (source.unit !== "kWh") {
    const what = `The meters of ${step.project} measure ${source.unit}, and credits are for kWh.`;
    throw new ReplayError("ITC_REPLAY_METERS", what, "Name fleets whose source has the unit kWh.");
  }
  const region = cellOfGeohash(step.geohash);
  const members = fleets.flatMap((fleet) => fleet.members);
  await placeDevices(world, members, region);
  const { Analytics: analytics, CarbonLedger: ledger } = world.addresses;
  const owner = world.account(step.owner);
  const words: CarbonProject = {
    owner: owner.address,
    verifier: world.account(step.verifier).address,
    analytics,
    purpose: purposeOf(step.purpose),
    query: carbonQuery(schema),
    filter: { ...ANY_DEVICE, region },
    meters: BigInt(step.meters),
    factor: millionths(step.factor),
    decimals: source.scale,
    grace: step.grace,
  };
  await world.send(owner, "CarbonLedger", "register", [words], "register a project");
  const { project: name, verifier, purpose } = step;
  const id = carbonProjectId(words, world.chain.id, ledger);
  world.carbon.projects.set(name, { name, words, id, owner: step.owner, verifier, purpose, source, fleets });
  return `${name}: ${count(members.length, "meter")} in ${step.geohash}, ${step.factor} g/kWh`;
}

/** Somebody pays for the sum over a period. */
export async function askPeriod(world: World, step: StepOf<"ask-period">): Promise<string> {
  const of = projectOf(world, step.project);
  const { words, source, purpose } = of;
  const { from, to, request: name } = step;
  const now = await world.chain.now();
  const query = { ...words.query, from, to, anchoredBy: to + words.grace };
  // Of a period long past, all is there; proposals begin in the next second.
  if (query.anchoredBy < now) query.anchoredBy = now;
  await open(world, step, { salt: of.id, query, filter: words.filter, epsilon: 0n, source, purpose });
  const credit = await world.contracts.carbon.creditOf(of.id, from, to);
  const fresh = { attested: undefined, issued: 0n, holders: new Map(), retired: [] };
  world.carbon.periods.set(name, { project: of, name, from, to, credit, ...fresh });
  return `${of.name}, readings anchored within ${query.anchoredBy - to} s count`;
}

/** Somebody signs for what a final result comes to, or for another amount. */
export async function attest(world: World, step: StepOf<"attest">): Promise<string> {
  const period = periodOf(world, step.request);
  const { words, id: project } = period.project;
  const { id: request } = world.request(step.request);
  const { isFinal, value } = await world.contracts.analytics.resultOf(request);
  if (!isFinal) {
    throw new ReplayError("ITC_REPLAY_ORDER", `The result of ${period.name} isn't final.`, "Put `finalise` before.");
  }
  const sum = BigInt.asIntN(128, BigInt(value) >> 128n);
  const amount = step.grams === undefined ? reductionsOf(words, sum) : BigInt(step.grams);
  const deadline = (await world.chain.now()) + step.valid;
  const reductions = { project, request, sum, amount, deadline };
  const place = { chainId: world.chain.id, ledger: world.addresses.CarbonLedger };
  const signature = await signReductions(world.account(step.signer).wallet, place, reductions);
  period.attested = { ...reductions, signature };
  return `${step.signer} signs for ${amount} g`;
}

/** Anyone has a period's credits issued to the project's owner. */
export async function issue(world: World, step: StepOf<"issue">): Promise<string> {
  const period = periodOf(world, step.request);
  const { project: of, attested } = period;
  if (!attested) {
    throw new ReplayError("ITC_REPLAY_ORDER", `Nobody has attested to ${period.name}.`, "Put `attest` before.");
  }
  const { request } = world.request(step.request);
  const args = [of.words, request, attested.deadline, attested.signature];
  const send = () => world.send(world.account(step.by), "CarbonLedger", "issue", args, "issue credits");
  const refusal = await tried(world, step, step.by, send);
  if (refusal !== undefined) return refusal;
  period.issued = attested.amount;
  period.holders.set(of.owner, attested.amount);
  return `${attested.amount} credits, a gram each`;
}

/** A buyer pays, and a holder hands over. */
export async function sellCredits(world: World, step: StepOf<"sell-credits">): Promise<string> {
  const { credit, holders } = periodOf(world, step.request);
  const [seller, buyer] = [world.account(step.from), world.account(step.to)];
  const grams = BigInt(step.grams);
  await world.send(buyer, "ITC", "transfer", [seller.address, step.price], "pay for credits");
  const args = [seller.address, buyer.address, credit, grams, "0x"];
  await world.send(seller, "CarbonLedger", "safeTransferFrom", args, "transfer credits");
  holders.set(step.from, (holders.get(step.from) ?? 0n) - grams);
  holders.set(step.to, (holders.get(step.to) ?? 0n) + grams);
  return `${count(step.grams, "credit")} to ${step.to}`;
}

/** A holder takes credits out of the world. */
export async function retireCredits(world: World, step: StepOf<"retire-credits">): Promise<string> {
  const { credit, holders, retired } = periodOf(world, step.request);
  const { holder, reason } = step;
  const grams = BigInt(step.grams);
  const args = [credit, grams, reason];
  const send = () => world.send(world.account(holder), "CarbonLedger", "retire", args, "retire credits");
  const refusal = await tried(world, step, holder, send);
  if (refusal !== undefined) return refusal;
  holders.set(holder, (holders.get(holder) ?? 0n) - grams);
  retired.push({ holder, grams, reason });
  return `${count(step.grams, "credit")} of ${holder}: ${reason}`;
}

/** Sends; if it is refused as the scenario says, notes that and says with what. */
async function tried(
  world: World,
  step: StepOf<"issue"> | StepOf<"retire-credits">,
  by: string,
  send: () => Promise<unknown>,
): Promise<string | undefined> {
  const args = await attempt(step, send);
  if (!args) return undefined;
  const { credit } = periodOf(world, step.request);
  const named = (arg: unknown): string =>
    arg === credit ? `credits of ${step.request}` : (world.nameOf.get(String(arg)) ?? String(arg));
  const said = `${step.refused}(${args.map(named).join(", ")})`;
  world.carbon.refusals.push({ period: step.request, what: step.name ?? step.do, by, error: said });
  return `refused: ${said}`;
}

function projectOf(world: World, name: string): ProjectState {
  return known(world.carbon.projects.get(name), `There is no project ${name}.`, "project");
}

function periodOf(world: World, request: string): PeriodState {
  return known(world.carbon.periods.get(request), `${request} is no period of a project.`, "ask-period");
}

function known<State>(state: State | undefined, what: string, verb: string): State {
  if (state !== undefined) return state;
  throw new ReplayError("ITC_REPLAY_ORDER", what, `Put \`${verb}\` before.`);
}
