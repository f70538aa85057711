import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { loadScenario } from "../../toolkit/testing/scenario.js";
import type { Source } from "../../toolkit/testing/scenario-schema.js";
import { DataError, type DeviceSeries, fixedPoint, loadSource } from "../../toolkit/testing/sources.js";

const CITY = new URL("../../scenarios/city-sensors.yaml", import.meta.url).pathname;

const SERIES: Source = {
  file: "data.csv",
  what: "Test",
  licence: "none",
  quantity: "wind",
  unit: "m/s",
  scale: 2,
  columns: { value: "v", time: "t" },
  device: "series",
  every: 1,
};
const STATIONS: Source = { ...SERIES, columns: { value: "v", longitude: "x", latitude: "y" }, at: 100n, device: "row" };

describe("sources of data", () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sources-"));
  });

  after(() => rm(folder, { recursive: true }));

  async function load(text: string, source: Source = SERIES): Promise<DeviceSeries[]> {
    await writeFile(join(folder, source.file), text);
    return loadSource("test", source, join(folder, "scenario.yaml"));
  }

  async function refused(text: string, problem: RegExp, source: Source = SERIES): Promise<void> {
    const error: unknown = await load(text, source).catch((cause: unknown) => cause);
    expect(error).to.be.instanceOf(DataError);
    expect((error as DataError).message).to.match(problem);
  }

  it("are read exactly: times as UTC, values as fixed point", async () => {
    const [device] = await load("t,v\n2010-01-01T01:00:00,1.5\n2010-01-01T02:00:00Z,-0.25\n2010-01-02,3\n");
    expect(device?.readings).to.deep.equal([
      { time: 1_262_307_600n, value: 150n, line: 2 },
      { time: 1_262_311_200n, value: -25n, line: 3 },
      { time: 1_262_390_400n, value: 300n, line: 4 },
    ]);
    const [first, second] = await load("x,y,v\n0.125,45.125,3.12\n-1,50,0\n", STATIONS);
    expect(first).to.deep.equal({
      key: "0.125,45.125",
      longitude: 0.125,
      latitude: 45.125,
      readings: [{ time: 100n, value: 312n, line: 2 }],
    });
    expect(second?.longitude).to.equal(-1);
  });

  const rows = (...lines: string[]) => ["t,v", ...lines, ""].join("\n");
  const mistakes: [what: string, text: string, problem: RegExp, source?: Source][] = [
    ["a missing column", "t,w\n2010-01-01,1\n", /data\.csv:1: no column v; there are t, w/],
    ["NaN", rows("2010-01-01,1", "2010-01-02,NaN"), /data\.csv:3: v: "NaN", expected a decimal number/],
    ["infinity", rows("2010-01-01,Infinity"), /data\.csv:2: v: "Infinity"/],
    ["an exponent", rows("2010-01-01,1e3"), /expected a decimal number/],
    ["an empty value", rows("2010-01-01,"), /data\.csv:2: v: nothing, expected a decimal number/],
    ["more decimals than the scale", rows("2010-01-01,1.005"), /2 decimals at most; raise the scale/],
    ["a value beyond 64 bits", rows("2010-01-01,92233720368547758.08"), /fits 64 bits/],
    [
      "a row out of time order",
      rows("2010-01-02,1", "2010-01-01,1"),
      /data\.csv:3: t: a time at or before that of line 2/,
    ],
    ["a time that comes again", rows("2010-01-02,1", "2010-01-02,1"), /strictly ascending/],
    ["a day that isn't", rows("2010-02-30,1"), /data\.csv:2: t: 2010-02-30, expected an ISO 8601 time/],
    ["a time before 1970", rows("1969-01-01,1"), /expected an ISO 8601 time/],
    ["a time of another form", rows("1/2/2010,1"), /expected an ISO 8601 time/],
    ["a file with a header only", "t,v\n", /no row for source test/],
    ["an empty file", "", /no row for source test/],
    ["a row with a cell too many", rows("2010-01-01,1,2"), /not a table/],
    ["a column that stands twice", "t,v,v\n2010-01-01,1,2\n", /column v stands twice/],
    ["a longitude out of range", "x,y,v\n181,0,1\n", /degrees from -180 to 180/, STATIONS],
    ["a latitude that is no number", "x,y,v\n1,north,1\n", /degrees from -90 to 90/, STATIONS],
    [
      "a station that stands twice",
      "x,y,v\n1,2,3\n1,2,4\n",
      /data\.csv:3: longitude: station 1,2 again, .*line 2/,
      STATIONS,
    ],
    ["JSON that is none", "[{]", /not JSON/, { ...SERIES, file: "data.json" }],
    ["JSON without rows", "{}", /no array of rows/, { ...SERIES, file: "data.json" }],
  ];
  for (const [what, text, problem, source] of mistakes) {
    it(`name file, line and what was expected for ${what}`, () => refused(text, problem, source));
  }

  it("are looked for where they are said to be", async () => {
    const at = (file: string) =>
      loadSource("test", { ...SERIES, file }, join(folder, "s.yaml")).catch((cause: unknown) => String(cause));
    expect(await at("nowhere.csv")).to.match(/ITC_DATA_FILE.*no such file/);
    expect(await at("npm:vega-datasets/../x.csv")).to.match(/without \.\./);
    expect(await at("npm:no-such-package-here/data.csv")).to.match(/npm i -D no-such-package-here/);
  });

  it("keep every decimal exact", () => {
    for (let k = 0; k < 500; k++) {
      const value = BigInt.asIntN(63, BigInt(secretOf(k, "decimal")));
      const scale = k % 10;
      const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, "0");
      const text = `${value < 0n ? "-" : ""}${digits.slice(0, digits.length - scale)}${scale ? `.${digits.slice(-scale)}` : ""}`;
      expect(fixedPoint(text, scale)).to.equal(value);
    }
    expect(["", "1.", ".5", "+1", "0x1", "1,5", " 1"].map((text) => fixedPoint(text, 2))).to.deep.equal(
      Array(7).fill(undefined),
    );
  });

  it("hold what the files of vega-datasets hold, and enough of it", async () => {
    const { sources } = await loadScenario(CITY);
    const home = new URL("../../node_modules/vega-datasets/data/", import.meta.url).pathname;
    const lines = async (file: string) => (await readFile(home + file, "utf8")).trim().split("\n").slice(1);
    const of = async (name: string) => {
      const source = sources[name];
      if (!source) throw new Error(`No source ${name}.`);
      return loadSource(name, source, CITY);
    };
    const stations = await of("wind-stations");
    const raw = (await lines("windvectors.csv")).filter((_, k) => k % 3 === 0).map((line) => line.split(","));
    expect(stations.length).to.equal(1600);
    expect(stations.map(({ readings }) => Number(readings[0]?.value) / 100)).to.deep.equal(
      raw.map((cells) => Number(cells[4])),
    );
    const [hourly] = await of("seattle-hourly-wind");
    const hours = (await lines("seattle-weather-hourly-normals.csv")).map((line) => Number(line.trim().split(",")[3]));
    expect(hourly?.readings.map(({ value }) => Number(value) / 100)).to.deep.equal(hours);
    const [high] = await of("new-york-daily-high");
    const days = (await lines("weather.csv")).map((line) => line.split(",")).filter(([city]) => city === "New York");
    expect(high?.readings.map(({ value }) => Number(value) / 10)).to.deep.equal(days.map((cells) => Number(cells[3])));
  });

  it("of the city are as many as README says, for as many analyses", async () => {
    const { sources, fleets, actors, steps } = await loadScenario(CITY);
    const members = await Promise.all(
      Object.values(fleets).map(async ({ source = "", from = 0, count }) => {
        const spec = sources[source];
        if (!spec) throw new Error(`No source ${source}.`);
        const all = await loadSource(source, spec, CITY);
        return all.slice(from, count === undefined ? undefined : from + count);
      }),
    );
    const devices = members.flat();
    const readings = devices.reduce((total, device) => total + device.readings.length, 0);
    const requests = steps.filter((step) => step.do === "request");
    const companies = Object.values(actors).filter(({ kind }) => kind === "company");
    const operations = new Set(requests.map(({ operation }) => operation));
    const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
    const [devicesSaid, readingsSaid] = [devices.length, readings].map((figure) => figure.toLocaleString("en-US"));
    expect(readme).to.include(`replays ${devicesSaid} devices with ${readingsSaid} readings`);
    expect([companies.length, requests.length, operations.size]).to.deep.equal([4, 9, 8]);
    expect(readme).to.include("Four companies put rewards in escrow for nine analyses, by all eight operations");
  });
});
