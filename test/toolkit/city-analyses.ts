import { readFile } from "node:fs/promises";
import { expect } from "chai";
import type { Report, ReportAnalysis } from "../../toolkit/testing/report.js";
import { played } from "./played.js";
import { CITY, smallCity } from "./small-city.js";

type Row = Readonly<Record<string, string>>;

/** Of each of three makers; beside them all days of the daily series. */
const STATIONS = 5;

/** The rows of a plain CSV file, read without the toolkit. */
async function rowsOf(file: string): Promise<Row[]> {
  const text = await readFile(new URL(`../../node_modules/vega-datasets/data/${file}`, import.meta.url), "utf8");
  const [header = [], ...rows] = text
    .trim()
    .split(/\r?\n/)
    .map((line) => line.split(","));
  return rows.map((cells) => Object.fromEntries(header.map((column, k) => [column, cells[k] ?? ""])));
}

const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
/** As whole hundredths, so that sums are exact. */
const hundredths = (text: string | undefined): number => Math.round(Number(text) * 100);

describe("analyses of the city's sensors", () => {
  let report: Report;
  let days: Row[];
  const of = (name: string): ReportAnalysis => {
    const found = report.analyses.find((analysis) => analysis.name === name);
    if (!found) throw new Error(`No analysis ${name}.`);
    return found;
  };
  /** A column of both cities' days from one year to before another. */
  const column = (name: string, from: number, to: number): number[] =>
    days.filter(({ date = "" }) => date >= String(from) && date < String(to)).map((row) => hundredths(row[name]));

  before(async () => {
    days = await rowsOf("weather.csv");
    report = await played(await smallCity({ stations: STATIONS, every: 1 }), { file: CITY });
  });

  it("are nine, by all eight operations, and all were paid", () => {
    expect(report.failure).to.equal(undefined);
    const kinds = new Set(report.analyses.map(({ operation }) => operation.split(" ")[0]));
    expect(report.analyses.length).to.equal(9);
    expect([...kinds].sort()).to.deep.equal(
      ["count", "distinct", "extremes", "histogram", "mean", "sum", "trend", "values"].sort(),
    );
    for (const { name, payments, reward, cohort, devices } of report.analyses) {
      const paid = sum(payments.map(({ itc }) => Number(itc)));
      expect([name, Math.abs(paid - Number(reward)) < 1e-6, devices >= cohort]).to.deep.equal([name, true, true]);
    }
  });

  it("find both means that the raw files have, to the last digit shown", async () => {
    const field = (await rowsOf("windvectors.csv")).filter((_, k) => k % 3 === 0);
    const slices = [0, 533, 1066].flatMap((from) => field.slice(from, from + STATIONS));
    const june = days.filter(({ date = "" }) => date.startsWith("2015-06")).map(({ wind }) => hundredths(wind));
    const speeds = [...slices.map(({ speed }) => hundredths(speed)), ...june];
    expect(of("mean-wind").result).to.equal((sum(speeds) / speeds.length / 100).toFixed(3));
    expect(of("mean-wind").readings).to.equal(3 * STATIONS + 60);
    const highs = column("temp_max", 2012, 2016);
    expect(of("mean-high").result).to.equal((sum(highs) / highs.length / 100).toFixed(2));
  });

  it("count, add up within bounds, and find the extremes, exactly", () => {
    const highs = column("temp_max", 2015, 2016);
    expect(of("coverage").result).to.equal(String(highs.length));
    const bounded = highs.map((value) => Math.min(Math.max(value, 1000), 3000));
    expect(Number(of("heat-sum").result)).to.equal(sum(bounded) / 100);
    const wind = column("wind", 2012, 2013);
    const [low, high] = of("wind-extremes").result.split(" to ").map(Number);
    expect([low, high]).to.deep.equal([Math.min(...wind) / 100, Math.max(...wind) / 100]);
  });

  it("count the days in each bin of the histogram, exactly", () => {
    const expected = new Array<number>(10).fill(0);
    for (const value of column("wind", 2015, 2016)) {
      const bin = Math.min(Math.floor(value / 100), 9);
      expected[bin] = (expected[bin] ?? 0) + 1;
    }
    const found = of("wind-bins")
      .result.split(" · ")
      .map((bin) => Number(bin.split(": ")[1]));
    expect(found).to.deep.equal(expected);
  });

  it("estimate distinct values and those seen within the error that they state", () => {
    const distinct = new Set(column("temp_max", 2015, 2016)).size;
    const { result, error } = of("resolution");
    const standardError = Number(/^± ([\d.]+) %$/.exec(error)?.[1]) / 100;
    expect(Math.abs(standardError - 1.04 / Math.sqrt(2 ** 10))).to.be.lessThan(0.001);
    expect(Math.abs(Number(result) - distinct)).to.be.lessThan(2 * standardError * distinct);
    // n values that set 4 of 4,096 bits each leave about e^(-4n/4096) of the bits unset.
    const filled = 1 - Math.exp((-4 * distinct) / 4096);
    const passes = Number(/passes in ([\d.e-]+) %$/.exec(of("highs-seen").error)?.[1]) / 100;
    expect(passes / filled ** 4).to.be.within(0.75, 1.25);
    expect(Math.abs(Number(of("highs-seen").result) - distinct)).to.be.lessThan(0.05 * distinct);
  });

  it("find the line of least squares through all days", () => {
    const points = days.map(({ date, temp_max: high }) => [Date.parse(date ?? "") / 86_400_000, Number(high)] as const);
    const [x, y] = [
      sum(points.map(([day]) => day)) / points.length,
      sum(points.map(([, high]) => high)) / points.length,
    ];
    const spread = sum(points.map(([day]) => (day - x) ** 2));
    const slope = sum(points.map(([day, high]) => (day - x) * (high - y))) / spread;
    expect([of("trend").result, of("trend").unit]).to.deep.equal([slope.toPrecision(4), "Cel a day"]);
  });

  it("reach the owners in all three ways, to the unit", () => {
    const { operations, money, totals } = report;
    const count = (name: string) => operations.find((operation) => operation.name === name)?.transactions;
    expect([count("claim from a result"), count("push payouts")]).to.deep.equal([4, 1]);
    const owners = new Set(["citizens", "observers"]);
    const paid = money.filter(({ to }) => owners.has(to));
    const by = (what: string) => sum(paid.filter((flow) => flow.what === what).map(({ itc }) => Number(itc)));
    expect([by("claim from a result"), by("push payouts")]).to.deep.equal([60 + 800, 500]);
    const inAll = by("claim a payout") + 60 + 800 + 500;
    expect(Math.abs(Number(totals.itcPaid) - inAll)).to.be.lessThan(1e-9);
    // Three fees for the aggregator, and its bonds back.
    const { itcBefore, itcAfter } = report.actors.find(({ name }) => name === "aggregator") ?? {};
    expect(Number(itcAfter)).to.equal(Number(itcBefore) + 20 + 10 + 5);
  });
});
