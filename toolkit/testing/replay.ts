import type { Eip1193Provider } from "ethers";
import { IotchainError } from "../errors.js";
import { type Account, Chain } from "./chain.js";
import { checkAll, type InvariantRecord, invariants } from "./invariants.js";
import type { Report, ReportStep } from "./report.js";
import { reportOf } from "./report-data.js";
import type { Scenario, Step, StepOf } from "./scenario-schema.js";
import { cancel, finalise, propose, request, wait } from "./steps-analytics.js";
import { askPeriod, attest, issue, project, retireCredits, sellCredits } from "./steps-carbon.js";
import { dueOf, record, verify } from "./steps-data.js";
import { cover, feed, giveBack, stream } from "./steps-feeds.js";
import { film, grantKey, inspect, revokeKey, unseal } from "./steps-files.js";
import { activate, consent, deploy, enrol, place, register, withdraw } from "./steps-identity.js";
import { answer, question, watch } from "./steps-lies.js";
import { claim, list, publish, push, roll } from "./steps-payouts.js";
import {
  assemble,
  bind,
  commission,
  counterfeit,
  decommission,
  handOver,
  license,
  replace,
  trace,
} from "./steps-provenance.js";
import { World } from "./world.js";

/** What a replay tells while it runs. {@link Progress} is one that writes to a terminal. */
export interface ReplayListener {
  /** A step begins. `total` is how many things it will tick off, where that is known. */
  step(name: string, index: number, count: number, total?: number): void;
  tick(n?: number): void;
  done(note: string): void;
  fail(message: string): void;
}

/** How to replay. */
export interface ReplayOptions {
  /** Where the scenario lies; data files are relative to it. */
  readonly file: string;
  readonly listener?: ReplayListener;
  /** Pays on a network that is not local; there its key comes from outside. */
  readonly operator?: Account;
  /** Is handed each bundle that a `verify` step checks, to keep it. */
  readonly keepEvidence?: (name: string, bundle: string) => Promise<void>;
  /** What the report calls the chain. */
  readonly chainName?: string;
}

const SILENT: ReplayListener = { step() {}, tick() {}, done() {}, fail() {} };

type Handlers = { readonly [Verb in Step["do"]]: (world: World, step: StepOf<Verb>) => Promise<string> };

const HANDLERS: Handlers = {
  deploy,
  register,
  enrol,
  activate,
  consent,
  withdraw,
  place,
  record,
  request,
  propose,
  watch,
  question,
  answer,
  wait,
  cancel,
  finalise,
  roll,
  list,
  push,
  publish,
  claim,
  verify,
  commission,
  license,
  bind,
  assemble,
  replace,
  "hand-over": handOver,
  counterfeit,
  decommission,
  trace,
  feed,
  cover,
  stream,
  "give-back": giveBack,
  film,
  "grant-key": grantKey,
  "revoke-key": revokeKey,
  inspect,
  unseal,
  project,
  "ask-period": askPeriod,
  attest,
  issue,
  "sell-credits": sellCredits,
  "retire-credits": retireCredits,
};

/**
 * Plays a scenario on a chain and reports on it. A step that fails ends the run; the report says which and why, and holds all that
 * was found till then. It never throws for what a scenario does.
 *
 * @example
 * const { provider } = await startEmbedded({ start: scenario.clock.start });
 * const report = await replay(scenario, provider, { file: "scenarios/city-sensors.yaml" });
 */
export async function replay(scenario: Scenario, provider: Eip1193Provider, options: ReplayOptions): Promise<Report> {
  const started = new Date();
  const listener = options.listener ?? SILENT;
  const world = new World(scenario, options.file, await Chain.connect(provider), (n) => listener.tick(n));
  if (options.keepEvidence) world.keepEvidence = options.keepEvidence;
  if (options.operator) world.setAccount(world.actorOfKind("operator"), options.operator);
  const list = invariants(scenario);
  const records: InvariantRecord[] = [];
  const steps: ReportStep[] = [];
  let failure: Report["failure"];
  for (const [index, step] of scenario.steps.entries()) {
    const name = step.name ?? step.do;
    listener.step(name, index + 1, scenario.steps.length, totalOf(world, step));
    const before = { ...world.ledger.total, ms: performance.now() };
    let note = "";
    try {
      note = await run(world, step);
      await checkAll(list, records, world);
      const broken = records.find(({ holds }) => !holds);
      if (broken) throw new BrokenInvariant(broken, list[records.indexOf(broken)]?.advice);
      if (step.do === "verify" || step.do === "inspect") requireProof(world);
      listener.done(note);
    } catch (error) {
      failure = { step: name, ...describe(error) };
      listener.fail(failure.message);
    }
    steps.push({
      name,
      do: step.do,
      note: failure ? failure.message : note,
      gasUsed: Number(world.ledger.total.gasUsed - before.gasUsed),
      transactions: world.ledger.total.transactions - before.transactions,
      ms: Math.round(performance.now() - before.ms),
    });
    if (failure) break;
  }
  return reportOf(world, {
    steps,
    records,
    failure,
    started,
    chainName: options.chainName ?? `chain ${world.chain.id}`,
  });
}

const DEFECT = "This is a defect of the contracts, the toolkit or the node: report it.";

/** An invariant that a step has broken. */
export class BrokenInvariant extends IotchainError {
  constructor({ name, firstFailure }: InvariantRecord, advice = DEFECT) {
    super("ITC_REPLAY_INVARIANT", `The invariant "${name}" doesn't hold: ${firstFailure ?? "unknown"}.`, advice);
  }
}

/** A sampled reading that a third party could not prove. */
export class UnprovedReading extends IotchainError {}

function requireProof({ verification }: World): void {
  const [first] = verification.failures;
  if (first === undefined) return;
  const what = `${verification.failures.length} of ${verification.sampled} sampled readings don't verify; the first fails at: ${first}.`;
  throw new UnprovedReading("ITC_REPLAY_UNPROVED", what, "Look at the bundles in the report.");
}

/** Hands a step to its handler; the two have the same verb. */
function run<Verb extends Step["do"]>(world: World, step: StepOf<Verb>): Promise<string> {
  const handler: (world: World, step: StepOf<Verb>) => Promise<string> = HANDLERS[step.do as Verb];
  return handler(world, step);
}

/** How many ticks a step will give, where that is known before it runs. */
function totalOf(world: World, step: Step): number | undefined {
  const sum = (fleets: readonly string[], of: (name: string) => number): number =>
    fleets.reduce((total, name) => total + of(name), 0);
  const membersOf = (name: string) => world.fleets.get(name)?.members ?? [];
  const readingsOf = (name: string, until?: bigint) =>
    membersOf(name).reduce((total, member) => total + dueOf(member, until).length, 0);
  switch (step.do) {
    case "activate":
    case "place":
      return sum(step.fleets, (name) => membersOf(name).length);
    case "record":
      return sum(step.fleets, (name) => readingsOf(name, step.until));
    case "stream":
      return sum(
        (world.feeds.get(step.feed)?.fleets ?? []).map(({ name }) => name),
        (name) => readingsOf(name),
      );
    case "consent":
    case "claim":
    case "withdraw":
      return world.accountsOf(step.owners).slice(0, "count" in step ? step.count : undefined).length;
    case "verify":
      return step.sample;
    default:
      return undefined;
  }
}

function describe(error: unknown): { code: string; message: string } {
  if (error instanceof IotchainError) return { code: error.code, message: error.message };
  return { code: "ITC_REPLAY_UNEXPECTED", message: error instanceof Error ? error.message : String(error) };
}
