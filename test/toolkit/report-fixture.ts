import { DOMParser } from "linkedom";
import type { Report, ReportAnalysis, ReportData } from "../../toolkit/testing/report.js";

/** Text that would run, load or close something where it isn't escaped. */
export const HOSTILE = `</style><script>alert("1")</script><img src=x onerror='a&b'>`;
/** What is a number or a word of the format. */
const KEPT = [
  "format",
  "verdict",
  "itc",
  "reward",
  "itcPaid",
  "itcBefore",
  "itcAfter",
  "value",
  "deviation",
  "from",
  "to",
];
const KEPT_TOO = [
  "lower",
  "upper",
  "weight",
  "owners",
  "carry",
  "fee",
  "bond",
  "what",
  "chance",
  "settlement",
  "weighting",
];

/** The report with every name, note and message replaced; numbers, dates, verdict and amounts stay. */
export function hostile(report: Report): Report {
  const kept = new Set([...KEPT, ...KEPT_TOO]);
  const isKept = (holder: unknown, key: string) =>
    kept.has(key) && !(key === "what" && !Object.hasOwn(Object(holder), "deviation"));
  const text = JSON.stringify(report, function (this: unknown, key, value: unknown) {
    return typeof value === "string" && !isKept(this, key) ? HOSTILE : value;
  });
  return JSON.parse(text) as Report;
}

const parser = new DOMParser();

export function parse(page: string): ReturnType<typeof parser.parseFromString<"text/html">> {
  return parser.parseFromString(page, "text/html");
}

const START = 1_325_376_000;
const DAY = 86_400;

const data: ReportData = {
  sources: [
    {
      name: "Wind stations",
      file: "vega-datasets/data/windvectors.csv",
      what: "wind speed",
      unit: "m/s",
      devices: 24,
      readings: 24,
      from: START,
      to: START,
      licence: "BSD-3-Clause",
    },
    {
      name: "Seattle weather",
      file: "vega-datasets/data/seattle-weather.csv",
      what: "daily greatest temperature",
      unit: "°C",
      devices: 1,
      readings: 60,
      from: START,
      to: START + 59 * DAY,
      licence: "BSD-3-Clause",
    },
  ],
  stations: Array.from({ length: 24 }, (_, index) => ({
    longitude: -9 + (index % 6) * 3,
    latitude: 46 + Math.floor(index / 6) * 4,
    value: 3 + ((index * 7) % 11),
    unit: "m/s",
    source: "Wind stations",
  })),
  series: [
    {
      name: "Seattle, greatest temperature",
      unit: "°C",
      points: Array.from({ length: 60 }, (_, day) => [START + day * DAY, Math.round(80 + 60 * Math.sin(day / 9)) / 10]),
    },
  ],
};

const analysis: ReportAnalysis = {
  name: "Mean wind speed, north-west Europe",
  company: "Northwind Energy",
  operation: "mean",
  purpose: "choose sites for turbines",
  unit: "m/s",
  from: START,
  to: START + DAY,
  cohort: 10,
  devices: 24,
  owners: 3,
  readings: 24,
  result: "7.4167",
  error: "",
  reward: "1200",
  payments: [
    { owner: "owner 1", devices: 12, readings: 12, weight: "12", itc: "600" },
    { owner: "owner 2", devices: 8, readings: 8, weight: "8", itc: "400" },
    { owner: "owner 3", devices: 4, readings: 4, weight: "4", itc: "200" },
  ],
  state: "published",
  request: {
    id: `0x${"5a".repeat(32)}`,
    operation: "mean",
    quantity: "wind speed",
    unit: "m/s",
    lower: "0",
    upper: "40",
    cap: 10_000,
    size: 0,
    hashes: 0,
    filter: [],
    epsilon: "0",
    fee: "10",
    bond: "500",
    weighting: "readings",
    settlement: "rolled",
    requestedAt: START + 2 * DAY,
    deadline: START + 16 * DAY,
    challengeWindow: 3 * DAY,
  },
  members: {
    ...{ all: 26, eligible: 25, proved: 20, attested: 4, withheld: 2 },
    reasons: [
      { why: "ineligible", devices: 1 },
      { why: "no-partial", devices: 1 },
    ],
    weights: [{ weight: "1", devices: 24 }],
  },
  outcome: {
    figures: [{ what: "mean", value: "7.416667", unit: "m/s", deviation: "0" }],
    chance: "none",
    notes: ["2 of 26 devices are withheld: if they measure otherwise than the rest, the figure leans away from them."],
  },
  pay: { owners: "1200", carry: "0", fee: "10", proposer: "Open Aggregator" },
};

/** A run that passed, small and always the same. */
export const passed: Report = {
  format: "iotchain-report/1",
  scenario: "city-sensors",
  title: "A wind atlas that pays its sensors",
  description: "Stations of three makers sign recorded readings; a company buys the mean and their owners are paid.",
  seed: 7,
  verdict: "passed",
  chain: { id: 31337, name: "embedded EVM", blocks: 96 },
  totals: { devices: 25, readings: 84, batches: 3, transactions: 90, gasUsed: 9_876_543, itcPaid: "1200" },
  steps: [
    { name: "Enrol lots", do: "enrol", note: "3 lots, 25 devices", gasUsed: 380_000, transactions: 3, ms: 210 },
    { name: "Activate devices", do: "activate", note: "25 owners", gasUsed: 2_700_000, transactions: 25, ms: 1_900 },
    { name: "Anchor readings", do: "anchor", note: "84 readings", gasUsed: 111_000, transactions: 3, ms: 640 },
  ],
  operations: [
    { name: "activate", transactions: 25, gasUsed: 2_700_000, min: 103_000, mean: 108_000, max: 121_000 },
    { name: "append", transactions: 3, gasUsed: 111_000, min: 31_000, mean: 37_000, max: 52_000 },
  ],
  actors: [
    {
      name: "Northwind Energy",
      kind: "company",
      accounts: 1,
      transactions: 4,
      gasUsed: 420_000,
      itcBefore: "5000",
      itcAfter: "3800",
    },
    { name: "Owners", kind: "owner", accounts: 3, transactions: 3, gasUsed: 168_000, itcBefore: "0", itcAfter: "1200" },
  ],
  invariants: [
    { name: "ITC is conserved", description: "Balances add up to the supply.", checked: 12, holds: true },
    { name: "Logs only grow", description: "No entry is removed or changed.", checked: 12, holds: true },
  ],
  data,
  analyses: [analysis],
  money: [
    { from: "Treasury", to: "Northwind Energy", itc: "5000", what: "funds" },
    { from: "Northwind Energy", to: "Escrow", itc: "1200", what: "reward of the analysis" },
    { from: "Escrow", to: "Owners", itc: "1200", what: "shares, claimed" },
  ],
  verification: {
    sampled: 10,
    verified: 10,
    bundleBytes: { min: 812, mean: 1_004.5, max: 1_212 },
    example: ["Device 0x5a…31 is in lot 2, at place 17.", "Its signature over 7.4 m/s is good."],
  },
  times: { startedAt: "2026-01-01T00:00:00.000Z", ms: 4_321 },
};

/** The same run, stopped at its last step with a broken invariant. */
export const failed: Report = {
  ...passed,
  verdict: "failed",
  failure: { step: "Anchor readings", code: "ITC_ANCHOR_GAP", message: "Entry 2 is missing. Run itc log repair." },
  invariants: [
    {
      name: "Logs only grow",
      description: "No entry is removed or changed.",
      checked: 12,
      holds: false,
      firstFailure: "The log had 3 entries, then 2.",
    },
  ],
};

/** A run that stopped before it did anything. */
export const empty: Report = {
  ...failed,
  totals: { devices: 0, readings: 0, batches: 0, transactions: 0, gasUsed: 0, itcPaid: "0" },
  steps: [],
  operations: [],
  actors: [],
  invariants: [],
  data: { sources: [], stations: [], series: [] },
  analyses: [],
  money: [],
  verification: { sampled: 0, verified: 0, bundleBytes: { min: 0, mean: 0, max: 0 }, example: [] },
};
