import { parseEther } from "ethers";
import { z } from "zod";
import { EpcUri } from "../identity/epc.js";
import { LIES } from "./lies.js";

const NAME = /^[a-z][a-z0-9-]*$/;
const SECONDS = { s: 1n, m: 60n, h: 3600n, d: 86_400n } as const;

const name = z.string().regex(NAME, "expected a name of lower-case letters, digits and hyphens").describe("A name");

const itc = z
  .string('expected an amount of ITC in quotes, such as "12.5"')
  .regex(/^\d{1,12}(\.\d{1,18})?$/, 'expected an amount of ITC of at most 18 decimals, such as "12.5"')
  .describe("ITC, as a decimal in quotes")
  .transform((amount) => parseEther(amount));

const duration = z
  .string('expected a duration such as "7d", "12h", "30m" or "15s"')
  .regex(/^\d{1,6}[smhd]$/, 'expected a duration such as "7d", "12h", "30m" or "15s"')
  .describe("A duration: a number and s, m, h or d")
  .transform((text) => BigInt(text.slice(0, -1)) * SECONDS[text.slice(-1) as keyof typeof SECONDS]);

const INSTANT = "expected an instant such as 2016-01-01T00:00:00Z";
const instant = z
  .string(INSTANT)
  .regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/, { error: INSTANT, abort: true })
  .refine((text) => !Number.isNaN(Date.parse(text)), { error: "expected a day and hour that exist", abort: true })
  .describe("An instant in UTC, to the second")
  .transform((text) => BigInt(Date.parse(text) / 1000));

const positive = z.int("expected a whole number").min(1, "expected 1 or more");

const Actor = z.strictObject({
  kind: z.enum(["operator", "issuer", "owner", "gateway", "company", "aggregator", "verifier", "installer", "watcher"]),
  /** More than one makes a group that acts as one name. */
  count: positive.max(10_000).default(1),
  /** ITC that the operator hands out to each at the start. */
  itc: itc.optional(),
  title: z.string().min(1).max(80).optional(),
});

const Source = z.strictObject({
  /** `npm:<package>/<path>`, or a path relative to the scenario. */
  file: z.string().min(1),
  /** What the data are, truthfully, for whoever reads the report. */
  what: z.string().min(1),
  licence: z.string().min(1),
  quantity: z.string().regex(/^[a-z][a-z0-9_]*$/, "expected a quantity such as wind_speed"),
  /** A SenML unit (RFC 8428). */
  unit: z.string().min(1).max(16),
  /** Decimals of the fixed-point values. */
  scale: z.int().min(0).max(9),
  columns: z.strictObject({
    value: z.string(),
    time: z.string().optional(),
    longitude: z.string().optional(),
    latitude: z.string().optional(),
  }),
  /** Keeps only the rows with this text in that column. */
  where: z.record(z.string(), z.string()).optional(),
  /** The time of all readings, for data that have none. */
  at: instant.optional(),
  /** Whether each row is a device, or all rows are one device's series. */
  device: z.enum(["row", "series"]),
  /** Takes each n-th row only. */
  every: positive.default(1),
  limit: positive.optional(),
});

const Fleet = z.strictObject({
  /** Left out for cameras: `film` makes what they record. Such a fleet says its count. */
  source: name.optional(),
  issuer: name,
  key: z.enum(["secp256k1", "p256"]),
  owner: name,
  gateway: name,
  /** The issuer's word on how the keys are kept: 0 software, 1 TEE, 2 secure element, 3 PUF. */
  assurance: z.int().min(0).max(255),
  /** A slice of the source's devices, so that makers can share one source. */
  from: z.int().min(0).optional(),
  count: positive.optional(),
});

/** One part, such as `chip-3`, or all that were commissioned as `chip`. */
const parts = name.describe("A name of parts, or one of them by its number");

/** The EPC of each part, by its number. */
const epc = z
  .string()
  .refine((text) => EpcUri.safeParse(text.replace("{n}", "1")).success, {
    error: "expected an EPC URI in which {n} stands for the part's number, such as urn:epc:id:sgtin:4012345.011122.{n}",
  })
  .describe("An EPC URI in which {n} stands for the part's number");

const decimal = z
  .string('expected a number in quotes, such as "-4.5"')
  .regex(/^-?\d{1,18}(\.\d{1,9})?$/, 'expected a number in quotes, such as "-4.5"')
  .describe("A number in the unit of what is measured, as a decimal in quotes");

const LOSS = 'expected a privacy loss in quotes, such as "0.5", of at most 6 decimals and below 4294.967295';
const privacyLoss = z
  .string(LOSS)
  .regex(/^\d{1,4}(\.\d{1,6})?$/, { error: LOSS, abort: true })
  // As consents hold it: millionths in 32 bits, of which the greatest is without limit.
  .refine((text) => Number(text) < 4294.967295, LOSS)
  .describe("Privacy loss, epsilon, as a decimal in quotes");

const GEOHASH = 'expected a geohash of 1 to 12 characters, such as u33db; in quotes if it is all digits, such as "23"';
const region = z
  .string(GEOHASH)
  .regex(/^[0-9b-hjkmnp-z]{1,12}$/, GEOHASH)
  .describe("A geohash: 5 characters are about 5 km by 5 km");

const names = z.array(name).min(1, "expected at least one name");
const label = z.string().min(1).max(80).optional();
const step = <Verb extends string, Shape extends z.ZodRawShape>(verb: Verb, shape: Shape) =>
  z.strictObject({ do: z.literal(verb), name: label, ...shape });

const period = { from: instant, to: instant };

/** On which terms a company asks. */
const deal = {
  weighting: z.enum(["readings", "devices"]).default("readings"),
  /** How the reward reaches the owners. */
  settlement: z.enum(["direct", "rolled", "pushed"]).default("rolled"),
  /** For whoever proposes the result that stands. */
  fee: itc.optional(),
  cohort: positive.min(2, "expected 2 devices or more"),
  reward: itc,
  bond: itc,
  deadline: duration,
  challenge: duration,
};

const factor = z
  .string('expected grams a kWh in quotes, such as "412.5"')
  .regex(/^(?!0+(\.0+)?$)\d{1,12}(\.\d{1,6})?$/, 'expected grams a kWh above 0, of at most 6 decimals, such as "412.5"')
  .describe("Grams of CO2e that a kWh avoids, as a decimal in quotes");

const grams = positive.max(Number.MAX_SAFE_INTEGER).describe("Grams of CO2e, a credit each");

const ERROR = "expected the name of a contract's error, such as CarbonLedgerPeriodPast";
/** The error with which a contract has to refuse; then it is the step's aim. */
const refused = z
  .string(ERROR)
  .regex(/^[A-Z]\w*$/, ERROR)
  .optional();

const VERBS =
  "deploy, register, enrol, activate, consent, withdraw, place, record, request, propose, watch, question, answer, wait, cancel, finalise, roll, list, push, publish, claim, verify, " +
  "commission, license, bind, assemble, replace, hand-over, counterfeit, decommission, trace, feed, cover, stream, give-back, " +
  "film, grant-key, revoke-key, inspect, unseal, project, ask-period, attest, issue, sell-credits, retire-credits";
const Step = z.discriminatedUnion(
  "do",
  [
    step("deploy", {}),
    step("register", { issuers: names }),
    step("enrol", { fleets: names, bond: itc }),
    step("activate", { fleets: names }),
    step("consent", {
      owners: name,
      purpose: z.string().min(1),
      for: duration,
      /** Privacy loss that a device may suffer by the purpose; without limit if left out, which also allows exact partials. */
      budget: privacyLoss.optional(),
    }),
    step("withdraw", {
      owners: name,
      /** The first so many of them; all if left out. */
      count: positive.optional(),
      purpose: z.string().min(1),
    }),
    /** Owners say where their devices stand. */
    step("place", { fleets: names, region }),
    step("record", {
      fleets: names,
      batch: positive.max(65_536),
      /** Leaves readings of this instant and later to a later step. */
      until: instant.optional(),
    }),
    step("request", {
      request: name,
      company: name,
      purpose: z.string().min(1),
      quantity: z.string(),
      /** Only devices that their owners have placed here. */
      region: region.optional(),
      /** Only devices of this fleet. */
      lot: name.optional(),
      operation: z.enum(["count", "sum", "mean", "min-max", "histogram", "distinct", "membership", "regression"]),
      /** Bins of a histogram, log2 of a distinct count's registers or of a filter's bits. */
      size: z.int().min(0).max(64).default(0),
      /** Bits that a filter sets for a value. */
      hashes: z.int().min(0).max(16).default(0),
      /** Values below count as this one. */
      lower: decimal.optional(),
      upper: decimal.optional(),
      /** Most readings of a device that count. */
      cap: positive.max(4_294_967_295).default(10_000),
      /** Privacy loss of each device; exact if left out. */
      epsilon: privacyLoss.optional(),
      ...period,
      ...deal,
    }),
    step("propose", {
      request: name,
      by: name,
      /** What the result says that isn't so. */
      lie: z.enum(LIES).optional(),
      refused,
    }),
    /** Goes on until nothing is left to challenge or to wait for; proposers answer what they can. */
    step("watch", { by: name }),
    /** Questions the first proved partial in a result that is of a device of the fleet. */
    step("question", { request: name, by: name, fleet: name }),
    step("answer", { by: name }),
    step("wait", { for: duration }),
    /** Gives a company back its money, before there was a result or when there can be none any more. */
    step("cancel", { request: name, by: name }),
    step("finalise", { request: name, by: name }),
    step("roll", { requests: names, by: name }),
    /** Proposes who gets what of a result that is pushed. */
    step("list", { request: name, by: name }),
    step("push", { request: name, by: name }),
    step("publish", { by: name }),
    /** From the pool; with a request, from that result's own tree. */
    step("claim", { owners: name, by: name.optional(), request: name.optional() }),
    step("verify", { by: name, sample: positive }),
    step("commission", {
      by: name,
      /** What the parts are called: `chip` makes chip-1, chip-2 and so on. */
      parts: name.refine((text) => !/-\d+$/.test(text), "expected a name without a number at its end"),
      rank: z.enum(["ip-block", "chip", "module", "device", "installation"]),
      epc,
      count: positive.max(1000).default(1),
      designs: names.optional(),
    }),
    step("license", { designs: names, to: names }),
    step("bind", { parts, fleet: name }),
    /** All into one, or the first into the first, the second into the second and so on; what is left over stays out. */
    step("assemble", { parts, into: parts }),
    step("replace", { part: parts, by: parts }),
    step("hand-over", { parts, to: name }),
    /** Claims the serials of parts that are there. */
    step("counterfeit", { by: name, parts }),
    step("decommission", { parts }),
    step("trace", { by: name, part: parts }),
    step("feed", {
      feed: name,
      fleets: names,
      quorum: positive.max(16),
      /** How many rounds the feed keeps. */
      ring: positive.max(65_535),
      "max-age": duration,
      minimum: decimal,
      maximum: decimal,
      level: z.int().min(0).max(3).default(0),
    }),
    step("cover", {
      cover: name,
      feed: name,
      insurer: name,
      insured: name,
      /** Settles it as soon as a round shows damage. */
      watcher: name,
      low: decimal,
      high: decimal,
      from: instant,
      to: instant,
      grace: duration,
      amount: itc,
      /** Paid by the insured at once. */
      premium: itc,
    }),
    step("stream", { feed: name, batch: positive.max(65_536) }),
    step("give-back", { cover: name }),
    step("film", {
      fleets: names,
      /** Of each camera. */
      recordings: positive.max(100),
      /** Of each recording. */
      bytes: positive.max(2 ** 30),
      /** Whether they are encrypted for those who hold a grant. */
      sealed: z.boolean().default(false),
    }),
    step("grant-key", { fleets: names, to: name, for: duration }),
    step("revoke-key", { fleets: names, of: name }),
    step("inspect", { by: name }),
    step("unseal", { by: name }),
    /** Has the meters' owners place them in a cell, and registers a project over all devices there. */
    step("project", {
      project: name,
      owner: name,
      verifier: name,
      fleets: names,
      geohash: region,
      purpose: z.string().min(1),
      /** The fewest that a result must be of. */
      meters: positive,
      factor,
      /** How long after a period its readings may be anchored, at least. */
      grace: duration,
    }),
    /** A company asks for the sum of a project's meters over a period. */
    step("ask-period", { request: name, project: name, company: name, ...period, ...deal }),
    step("attest", {
      request: name,
      signer: name,
      valid: duration,
      /** Others than what the result comes to. */
      grams: grams.optional(),
    }),
    step("issue", { request: name, by: name, refused }),
    /** The buyer pays first. */
    step("sell-credits", { request: name, from: name, to: name, grams, price: itc }),
    step("retire-credits", { request: name, holder: name, grams, reason: z.string().min(1).max(200), refused }),
  ],
  {
    error: `expected one of ${VERBS}`,
  },
);

/** The form of a scenario file. docs/scenario.schema.json is made of it. */
export const ScenarioSchema = z.strictObject({
  name,
  title: z.string().min(1).max(120),
  description: z.string().min(1),
  /** Fixes every key and every choice of the run. */
  seed: z.int("expected a whole number").min(0),
  /** When an embedded chain begins. */
  clock: z.strictObject({ start: instant }),
  actors: z.record(name, Actor),
  sources: z.record(name, Source),
  fleets: z.record(name, Fleet),
  steps: z.array(Step).min(1, "expected at least one step"),
});

/** A scenario as it is after it was read: amounts in units of ITC, durations and instants in seconds. */
export type Scenario = z.output<typeof ScenarioSchema>;
export type Actor = z.output<typeof Actor>;
export type ActorKind = Actor["kind"];
export type Source = z.output<typeof Source>;
export type Fleet = z.output<typeof Fleet>;
export type Step = z.output<typeof Step>;
/** The step of one verb. */
export type StepOf<Verb extends Step["do"]> = Extract<Step, { do: Verb }>;

/** JSON Schema of scenario files, for editors. */
export function scenarioJsonSchema(): object {
  return z.toJSONSchema(ScenarioSchema, { io: "input" });
}
