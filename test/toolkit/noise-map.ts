import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { noiseMapCsv } from "../../scripts/noise-map-data.js";
import { comparable, type Report, type ReportAnalysis } from "../../toolkit/testing/report.js";
import { parseScenario, ScenarioError } from "../../toolkit/testing/scenario.js";
import { played } from "./played.js";

const FILE = new URL("../../scenarios/noise-map.yaml", import.meta.url).pathname;
const DATA = new URL("../../scenarios/data/noise-map.csv", import.meta.url);
const PAGE = new URL("../../docs/noise-map.md", import.meta.url);
const DISTRICTS = ["station", "market", "harbour", "park"] as const;
type District = (typeof DISTRICTS)[number];

const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);

/** The levels of a district's households in the order of the file, in dB over 55, read without the toolkit. */
async function levelsOf(district: District): Promise<number[]> {
  const rows = (await readFile(DATA, "utf8")).trim().split("\n").slice(1);
  return rows.map((row) => row.split(",")).flatMap((cells) => (cells[1] === district ? [Number(cells[4])] : []));
}

/** The standard deviation of discrete Laplace noise of a scale, added by `devices`. */
function deviationOf(scale: number, devices: number): number {
  const p = Math.exp(-1 / scale);
  return Math.sqrt((devices * 2 * p) / (1 - p) ** 2);
}

/** Households by bands of 5 dB from 20 below 55 dB on; what lies beyond is in the first and the last. */
function bandsOf(levels: readonly number[]): number[] {
  const bands = new Array<number>(8).fill(0);
  for (const level of levels) {
    const band = Math.min(Math.max(Math.floor((level + 20) / 5), 0), 7);
    bands[band] = (bands[band] ?? 0) + 1;
  }
  return bands;
}

/** A mean of levels within the request's bounds, and how far noise takes it: epsilon is 2, half of it for the sum, half for the count. */
function meanOf(levels: readonly number[]): { mean: number; deviation: number } {
  const mean = sum(levels.map((level) => Math.min(Math.max(level, -20), 19.9))) / levels.length;
  const noise = [deviationOf(20 * 10, levels.length) / 10, mean * deviationOf(1, levels.length)];
  return { mean, deviation: Math.hypot(...noise) / levels.length };
}

const bins = (result: string): number[] => result.split(" · ").map((bin) => Number(bin.split(": ")[1]));

/** The scenario's text with some of it replaced, everywhere. */
async function changed(...changes: readonly (readonly [found: string, by: string])[]): Promise<string> {
  let text = await readFile(FILE, "utf8");
  for (const [found, by] of changes) {
    expect(text, `the scenario has ${found}`).to.include(found);
    text = text.replaceAll(found, by);
  }
  return text;
}

async function run(text: string): Promise<Report> {
  return played(parseScenario(text, FILE), { file: FILE });
}

/** 24 households a district, which is enough for all but a map: each owner's consent and claim takes time. */
const small = (...changes: readonly (readonly [string, string])[]): Promise<Report> =>
  changed(
    ["device: row", "device: row\n    limit: 24"],
    ["kind: owner, count: 150", "kind: owner, count: 24"],
    ["cohort: 100", "cohort: 4"],
    ["name: noise-map", "name: noise-map-small"],
    ...changes,
  ).then(run);

describe("a noise map with privacy", () => {
  let report: Report;
  const of = (name: string): ReportAnalysis => {
    const found = report.analyses.find((analysis) => analysis.name === name);
    if (!found) throw new Error(`No analysis ${name}.`);
    return found;
  };
  const note = (name: string) => report.steps.find((step) => step.name === name)?.note;

  before(async () => {
    report = await run(await changed());
  });

  it("passes with eight results, each of one district, from data that the script makes", async () => {
    const answered = report.analyses.filter(({ outcome }) => outcome !== undefined);
    expect([report.failure, answered.length, report.totals.devices]).to.deep.equal([undefined, 8, 600]);
    for (const { name, devices } of answered) {
      expect([name, devices]).to.deep.equal([name, name === "station-mean" ? 130 : 150]);
    }
    expect(await readFile(DATA, "utf8")).to.equal(noiseMapCsv(20260530));
  });

  it("counts households by band as exactly as epsilon lets it, and no more so", async () => {
    const errors: number[] = [];
    for (const district of DISTRICTS) {
      const exact = bandsOf(await levelsOf(district));
      errors.push(...bins(of(`${district}-bands`).result).map((count, k) => count - (exact[k] ?? 0)));
    }
    const deviation = deviationOf(1, 150);
    expect(errors.length).to.equal(32);
    for (const error of errors) expect(Math.abs(error)).to.be.lessThan(4 * deviation);
    const found = Math.sqrt(sum(errors.map((error) => error ** 2)) / errors.length);
    expect(found / deviation).to.be.within(0.7, 1.4);
  });

  it("finds the means within three standard deviations, and states those in its report", async () => {
    for (const district of DISTRICTS) {
      const levels = (await levelsOf(district)).slice(district === "station" ? 20 : 0);
      const { mean, deviation } = meanOf(levels);
      const { result, error } = of(`${district}-mean`);
      expect(Math.abs(Number(result) - mean)).to.be.within(0.01, 3 * deviation);
      expect(Number(/^± ([\d.]+) by noise \(ε 2\)$/.exec(error)?.[1]) / deviation).to.be.within(0.75, 1.25);
    }
  });

  it("has the figures that its page shows", async () => {
    const page = await readFile(PAGE, "utf8");
    for (const district of DISTRICTS) {
      const levels = await levelsOf(district);
      const { mean, deviation } = meanOf(levels.slice(district === "station" ? 20 : 0));
      const noisy = Number(of(`${district}-mean`).result);
      const cells = [mean, noisy, deviation].map((level) => level.toFixed(1).replace("-", "−"));
      expect(page).to.include(`| ${district} | ${of(`${district}-mean`).devices} | ${cells.join(" | ")} |`);
      const loud = (bands: readonly number[]) => sum(bands.slice(4));
      const counts = [loud(bandsOf(levels)), loud(bins(of(`${district}-bands`).result))];
      expect(page).to.include(
        `| ${district} | 150 | ${counts.join(" | ")} | ${(2 * deviationOf(1, 150)).toFixed(0)} |`,
      );
    }
  });

  it("asks nobody who has withdrawn", () => {
    const owners = (name: string) => new Set(of(name).payments.map(({ owner }) => owner));
    const left = [...owners("station-bands")].filter((owner) => !owners("station-mean").has(owner));
    expect([left.length, owners("station-mean").size]).to.deep.equal([20, 130]);
    const each = (name: string) => [...new Set(of(name).payments.map(({ itc }) => Number(itc).toFixed(2)))];
    expect([each("station-bands"), each("station-mean"), each("park-mean")]).to.deep.equal([
      ["1.00"],
      ["2.31"],
      ["2.00"],
    ]);
    expect(note("Mean of the station district")).to.equal("130 readings of 130 devices, 450 withheld");
  });

  it("ends without a result where the budget is spent, and the city has its money back", () => {
    expect(note("Microphones refuse")).to.equal(
      "0 readings of 0 devices, 130 withheld, 130 refuse; refused: AnalyticsCohortTooSmall",
    );
    expect([of("again").state, of("again").result, of("again").payments.length]).to.deep.equal(["cancelled", "", 0]);
    const back = report.money.find(({ what }) => what === "cancel a request");
    expect([back?.to, back?.itc]).to.deep.equal(["city", "300.0"]);
    // Four times 150 and four times 300 ITC.
    expect(Number(report.actors.find(({ name }) => name === "city")?.itcAfter)).to.equal(6000 - 1800);
    expect(Math.abs(Number(report.totals.itcPaid) - 1800)).to.be.lessThan(1e-9);
  });

  it("keeps budgets to the millionth, and comes out the same for the same seed", async () => {
    const exact = await small(['budget: "4"', 'budget: "3"']);
    expect(exact.failure).to.equal(undefined);
    expect(comparable(await small(['budget: "4"', 'budget: "3"']))).to.equal(comparable(exact));
    const short = await small(['budget: "4"', 'budget: "2.999999"']);
    expect([short.failure?.step, short.failure?.code]).to.deep.equal([
      "Mean of the station district",
      "ITC_CHAIN_REVERTED",
    ]);
    expect(short.failure?.message).to.include("AnalyticsCohortTooSmall");
    const wide = await small(['budget: "4"', 'budget: "5"']);
    expect([wide.failure?.step, wide.failure?.code]).to.deep.equal(["Microphones refuse", "ITC_REPLAY_ACCEPTED"]);
    const named = await small(["AnalyticsCohortTooSmall", "AnalyticsBondTooSmall"]);
    expect([named.failure?.step, named.failure?.code]).to.deep.equal(["Microphones refuse", "ITC_REPLAY_REFUSAL"]);
  });

  it("stops at a cancellation that is too early, and at a withdrawal of what nobody agreed to", async () => {
    const early = await small(["in time, for: 8d", "in time, for: 6d"]);
    expect(early.failure?.message).to.include("AnalyticsTooEarly");
    const everybody = await small([
      "owners: station-households\n    count: 20",
      "owners: park-households\n    count: 24",
    ]);
    expect(everybody.failure?.message).to.include("AnalyticsCohortTooSmall");
    const other = await small(["count: 20\n    purpose: A map", "count: 20\n    purpose: Another map"]);
    expect(other.failure?.code).to.equal("ITC_REPLAY_CONSENT");
  });

  it("is refused with a place, a lot, a number or a request that there isn't", async () => {
    const mistakes = [
      ["region: u33db", "region: u33da!", "expected a geohash"],
      ["region: u33db", "region: U33DB", "expected a geohash"],
      ["region: u33db", 'region: ""', "expected a geohash"],
      ["lot: station-microphones", "lot: constructor", "no fleet constructor"],
      ["count: 20", "count: 151", "151 of 150 station-households"],
      ["count: 20", "count: 0", "expected 1 or more"],
      ["owners: station-households\n    count", "owners: city\n    count", "of kind company, expected owner"],
      ["request: again, by: city", "request: never, by: city", "request never isn't made"],
      ["request: again, by: city", "request: again, by: orelle", "of kind issuer, expected"],
      ["refused: AnalyticsCohortTooSmall", "refused: yes it is", "the name of a contract's error"],
    ] as const;
    for (const [found, by, message] of mistakes) {
      const text = await changed([found, by]);
      expect(() => parseScenario(text, FILE)).to.throw(ScenarioError, message);
    }
  });
});
