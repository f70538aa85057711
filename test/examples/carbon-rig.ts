import { expect } from "chai";
import type { Signer } from "ethers";
import {
  type CarbonProject,
  carbonProjectId,
  carbonQuery,
  type Reductions,
  signReductions,
} from "../../toolkit/analytics/carbon.js";
import { ANY_DEVICE, type AnalysisRequest } from "../../toolkit/analytics/requests.js";
import { schemaIdOf } from "../../toolkit/anchoring/readings.js";
import {
  anchored,
  asked,
  type Changes,
  HOUR,
  ITC,
  openMarket,
  ownerOf,
  PURPOSE,
  passWindow,
  propose,
  provedLeaf,
  readingsOf,
  treeOf,
  withheldLeaf,
} from "../analytics/market.js";

/** A meter that counts whole Wh. */
export const ENERGY = schemaIdOf({ quantity: "energy", unit: "Wh", scale: 0 });
/** Grams of CO2e for each kWh. */
export const FACTOR = 412_500_000n;
export const GRACE = HOUR;
export const METERS = 6n;

/** Wh of each of six meters: 28,501 together. */
export const DAY = [[4000n, 3000n], [7001n], [500n, 500n, 500n], [9000n], [1000n], [3000n]];

/** A final result, and what can be issued by it. */
export interface Measured extends Reductions {
  readonly words: CarbonProject;
  readonly asked: AnalysisRequest;
}

/** A market of six meters, a project's owner and its verifier. */
export async function openLedger() {
  const market = await openMarket();
  const { world, operator, company } = market;
  await world.itc.transfer(company.address, 20_000n * ITC);
  const pick = (k: number) => world.accounts[k] ?? operator;
  return { ...market, market, owner: pick(10), verifier: pick(11), anyone: pick(12), ledger: world.carbon };
}

export type Ledger = Awaited<ReturnType<typeof openLedger>>;

/** A sound project of the six meters, with changes. */
export function projectOf(stage: Ledger, changes: Partial<CarbonProject> = {}): CarbonProject {
  return {
    owner: stage.owner.address,
    verifier: stage.verifier.address,
    analytics: stage.addresses.Analytics,
    purpose: PURPOSE,
    query: carbonQuery(ENERGY),
    filter: { ...ANY_DEVICE, lot: stage.lot.id },
    meters: METERS,
    factor: FACTOR,
    decimals: 3,
    grace: GRACE,
    ...changes,
  };
}

/** The hash that `projectIdOf` is to give. */
export function idOfProject(stage: Ledger, words: CarbonProject): string {
  return carbonProjectId(words, stage.chainId, stage.addresses.CarbonLedger);
}

/** Registers a project. */
export async function registered(stage: Ledger, changes: Partial<CarbonProject> = {}): Promise<CarbonProject> {
  const words = projectOf(stage, changes);
  await stage.ledger.connect(stage.owner).register(words);
  return words;
}

/** What the ledger is to make of a sum, written down another way. */
export function expectedGrams(words: CarbonProject, sum: bigint): bigint {
  let grams = sum > 0n ? sum * words.factor : 0n;
  for (let k = 0n; k < 6n + BigInt(words.decimals); k++) grams /= 10n;
  return grams;
}

/** Asks for a project's sum over the next hour, or as the changes say. */
export async function askFor(stage: Ledger, words: CarbonProject, changes: Changes = {}): Promise<AnalysisRequest> {
  const { market } = stage;
  const now = BigInt(await market.networkHelpers.time.latest());
  const from = changes.query?.from ?? now;
  const to = changes.query?.to ?? from + HOUR;
  const late = to + GRACE > now + HOUR ? to + GRACE : now + HOUR;
  return asked(market, {
    salt: changes.salt ?? idOfProject(stage, words),
    purpose: changes.purpose ?? words.purpose,
    query: { ...words.query, from, to, anchoredBy: late, ...changes.query },
    filter: { ...words.filter, ...changes.filter },
    terms: { deadline: late + 1000n * HOUR, ...changes.terms },
  });
}

/** Anchors each meter's readings, and proposes and finalises what they come to. Meters without readings withhold theirs. */
export async function measured(
  stage: Ledger,
  words: CarbonProject,
  wattHours: readonly (readonly bigint[])[],
  changes: Changes = {},
): Promise<Measured> {
  const { market } = stage;
  const request = await askFor(stage, words, changes);
  const kept = wattHours.map((values, k) => readingsOf(market, request, market.keys[k] ?? fail(), values));
  await anchored(market, kept.flat());
  const leaves = kept.map((readings, k) =>
    readings.length === 0
      ? withheldLeaf(request, ownerOf(market, k), market.keys[k] ?? fail())
      : provedLeaf(request, ownerOf(market, k), readings),
  );
  await propose(market, request, treeOf(request, leaves));
  await passWindow(market);
  await market.analytics.finalise(request);
  return result(stage, words, request, wattHours.flat());
}

/** What can be issued by a request whose readings are these. */
export async function result(
  { market }: Ledger,
  words: CarbonProject,
  request: AnalysisRequest,
  readings: readonly bigint[],
): Promise<Measured> {
  const sum = readings.reduce((all, one) => all + one, 0n);
  const deadline = BigInt(await market.networkHelpers.time.latest()) + 24n * HOUR;
  return {
    words,
    asked: request,
    project: request.salt,
    request: await market.analytics.requestIdOf(request),
    sum,
    amount: expectedGrams(words, sum),
    deadline,
  };
}

/** A verifier's signature; on this chain and ledger unless others are named. */
export function attest(
  stage: Ledger,
  made: Reductions,
  { by = stage.verifier as Signer, chainId = stage.chainId, ledger = stage.addresses.CarbonLedger } = {},
): Promise<string> {
  return signReductions(by, { chainId, ledger }, made);
}

/** Has somebody issue, with the verifier's signature unless another is given. */
export async function issue(stage: Ledger, made: Measured, signature?: string) {
  const by = signature ?? (await attest(stage, made));
  return stage.ledger.connect(stage.anyone).issue(made.words, made.asked, made.deadline, by);
}

/** For a suite: a ledger with a registered project; anew for each test. */
export function withProject() {
  let stage: Ledger;
  let project: CarbonProject;
  let restore: () => Promise<void>;

  before(async () => {
    stage = await openLedger();
    project = await registered(stage);
  });

  beforeEach(async () => {
    const snapshot = await stage.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  return {
    opened: () => ({ stage, project }),
    now: async () => BigInt(await stage.networkHelpers.time.latest()),
    /** The token of a result's period. */
    credit: ({ project: of, asked: { query } }: Measured) => stage.ledger.creditOf(of, query.from, query.to),
    /** A period in which all six meters measure. */
    day: (changes: Changes = {}) => measured(stage, project, DAY, changes),
    refused: (call: Promise<unknown>, error: string, ...args: unknown[]) =>
      expect(call)
        .to.be.revertedWithCustomError(stage.ledger, error)
        .withArgs(...args),
  };
}

function fail(): never {
  throw new Error("The test is wrong.");
}
