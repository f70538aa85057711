import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { CarbonLedger__factory } from "../../toolkit/contracts.js";
import { comparable, type Report } from "../../toolkit/testing/report.js";
import { renderPage } from "../../toolkit/testing/report-page.js";
import { parseScenario } from "../../toolkit/testing/scenario.js";
import type { Source } from "../../toolkit/testing/scenario-schema.js";
import { loadSource } from "../../toolkit/testing/sources.js";
import { played, problemsIn } from "./played.js";

const FILE = new URL("../../scenarios/carbon-mrv.yaml", import.meta.url).pathname;
const METERS = new URL("../../scenarios/data/small-turbines.csv", import.meta.url).pathname;
/** In tenths of m/s. */
const WIND: Source = {
  file: "npm:vega-datasets/data/weather.csv",
  what: "Daily mean wind speed in Seattle, January to March 2012",
  licence: "U.S. Government work (NOAA)",
  quantity: "wind_speed",
  unit: "m/s",
  scale: 1,
  columns: { value: "wind", time: "date" },
  where: { location: "Seattle" },
  device: "series",
  every: 1,
  limit: 91,
};
const RATED = { north: 5n, harbour: 10n, hill: 15n, east: 6n };
const AGAIN =
  "do: project, project: small-turbines, owner: cooperative, verifier: auditor, fleets: [north], geohash: c23n, purpose: p, " +
  'meters: 1, factor: "1", grace: 1d';
const MARCH =
  "do: ask-period\n    name: The cooperative asks for March\n    request: march\n    project: small-turbines";
const PLAIN = "do: request\n    request: march\n    purpose: p\n    quantity: energy_generated\n    operation: sum";
const ledger = CarbonLedger__factory.createInterface();

/** The scenario with some text replaced, everywhere. */
async function changed(found: string, by: string): Promise<string> {
  const text = await readFile(FILE, "utf8");
  expect(text, `the scenario has ${found}`).to.include(found);
  return text.replaceAll(found, by);
}

/** Changes what a node answers. */
type Lie = (request: { method: string; params: string }, answer: unknown) => unknown;

async function run(found = "", by = "", lie: Lie = (_, answer) => answer): Promise<Report> {
  const scenario = parseScenario(await changed(found, by), FILE);
  return played(scenario, { file: FILE }, (node) => ({
    request: async ({ method, params }) =>
      lie({ method, params: JSON.stringify(params ?? []) }, await node.request({ method, params })),
  }));
}

async function rowsOf(file: string): Promise<string[][]> {
  const [, ...lines] = (await readFile(file, "utf8")).trim().split("\n");
  return lines.map((line) => line.split(","));
}

/** Wh of all meters by the beginning of a row's time, added up from the file by hand. */
async function wattHours(...beginnings: string[]): Promise<number> {
  const rows = (await rowsOf(METERS)).filter(([time]) => beginnings.some((one) => time?.startsWith(one)));
  return rows.reduce((sum, [, , kwh]) => sum + Number(kwh?.replace(".", "")), 0);
}

describe("replaying carbon credits", () => {
  let report: Report;

  before(async () => {
    report = await run();
  });

  it("issues what the meters' file comes to, refuses the rest, and comes out the same again", async () => {
    expect([report.failure, report.verdict]).to.deep.equal([undefined, "passed"]);
    const [january = 0, february = 0] = [await wattHours("2012-01"), await wattHours("2012-02")];
    // 412.5 g/kWh; Wh fit a double with room to spare.
    const grams = (wh: number) => Math.floor((wh * 4125) / 10_000);
    const periods = report.carbon?.projects[0]?.periods ?? [];
    expect(periods.map(({ name, energy, issued, retired }) => [name, energy, issued, retired])).to.deep.equal([
      ["january", "1776.444", grams(january), 450_000],
      ["overlap", "1589.798", 0, 0],
      ["february", "1783.73", grams(february), 0],
      ["march", "1636.489", 0, 0],
    ]);
    expect([january, february]).to.deep.equal([1_776_444, 1_783_730]);
    expect(report.carbon?.refusals.map(({ period, error }) => [period, error.split("(")[0]])).to.deep.equal([
      ["january", "CarbonLedgerInvalidAttestation"],
      ["january", "CarbonLedgerInvalidAttestation"],
      ["january", "CarbonLedgerPeriodPast"],
      ["january", "ERC1155InsufficientBalance"],
      ["overlap", "CarbonLedgerPeriodPast"],
      ["overlap", "CarbonLedgerPeriodPast"],
      ["march", "CarbonLedgerTooFewMeters"],
    ]);
    for (const name of ["Credits as metered", "Credits issued once"]) {
      const found = report.invariants.find((invariant) => invariant.name === name);
      expect([name, found?.holds, (found?.checked ?? 0) > 20]).to.deep.equal([name, true, true]);
    }
    expect(comparable(await run())).to.equal(comparable(report));
  });

  it("comes to the figures of docs/carbon.md", async () => {
    const page = await readFile(new URL("../../docs/carbon.md", import.meta.url), "utf8");
    const rows = [...page.matchAll(/^\| `(\w+)` \| (\d) \| ([\d,.]+) \| ([\d,]+) \|/gm)].map(([, ...cells]) =>
      cells.map((cell) => cell.replaceAll(",", "")),
    );
    const periods = report.carbon?.projects[0]?.periods ?? [];
    expect(rows).to.deep.equal(
      periods.map(({ name, meters, energy, issued }) => [name, meters, energy, issued].map(String)),
    );
    for (const { error } of report.carbon?.refusals ?? []) expect(page).to.include(`| \`${error.split("(")[0]}\``);
  });

  it("draws projects, periods, retirements and refusals into its report", () => {
    const page = renderPage(report);
    for (const text of ["Wind Cooperative", "1,776.444", "732,783", "Flights between two lakes", "TooFewMeters(3, 4)"])
      expect(page).to.include(text);
    expect(page).to.include("in red: 7 attempts");
    const { carbon, ...others } = report;
    expect(renderPage(others)).not.to.include("What the meters’ energy became");
    expect(renderPage({ ...others, carbon: { projects: carbon?.projects ?? [], refusals: [] } })).not.to.include(
      "in red",
    );
  });

  it("has meters whose energy follows from the wind as the scenario says", async () => {
    const [wind] = await loadSource("wind", WIND, FILE);
    const expected = (wind?.readings ?? []).flatMap(({ time, value: v }) => {
      const end = new Date(Number(time + 86_399n) * 1000).toISOString().replace(".000", "");
      return Object.entries(RATED).map(([name, kw]) => {
        const most = kw * 24_000n;
        const full = (most * v ** 3n) / 110n ** 3n;
        const wh = v < 30n ? 0n : full < most ? full : most;
        return [end, name, `${wh / 1000n}.${String(wh % 1000n).padStart(3, "0")}`];
      });
    });
    expect(expected.length).to.equal(364);
    expect(await rowsOf(METERS)).to.deep.equal(expected);
  });

  it("ends where what must be refused goes through, or is refused for another reason", async () => {
    const accepted = await run("request: january, signer: cooperative", "request: january, signer: auditor");
    expect(accepted.failure?.code).to.equal("ITC_REPLAY_ACCEPTED");
    expect(accepted.failure?.message).to.include("An attestation in the verifier's place is refused went through");
    const other = await run("refused: CarbonLedgerInvalidAttestation", "refused: CarbonLedgerExpired");
    expect(other.failure?.code).to.equal("ITC_REPLAY_REFUSAL");
    expect(other.failure?.message).to.match(/says CarbonLedgerExpired.*refused: CarbonLedgerInvalidAttestation/);
    const unsaid = await run("    refused: CarbonLedgerInvalidAttestation\n", "");
    expect([unsaid.failure?.code, unsaid.carbon?.refusals]).to.deep.equal(["ITC_CHAIN_REVERTED", []]);
  });

  it("ends where steps come out of order, or meters don't count kWh", async () => {
    const early = await run(
      "do: finalise, name: January is final, request: january, by: aggregator",
      "do: wait, for: 1s",
    );
    expect(early.failure?.message).to.include("The result of january isn't final");
    const signs = "do: attest, name: The cooperative signs instead";
    const unsigned = await run(`${signs}, request: january, signer: cooperative, valid: 30d`, "do: wait, for: 1s");
    expect(unsigned.failure?.message).to.include("Nobody has attested to january");
    expect((await run("unit: kWh", "unit: Wh")).failure?.code).to.equal("ITC_REPLAY_METERS");
  });

  it("ends where a node shows other credits than are due, or the same twice", async () => {
    const supply = ledger.getFunction("supplyOf").selector;
    const more = await run("", "", ({ method, params }, answer) =>
      method === "eth_call" && params.includes(supply) && /[1-9a-f]/.test(String(answer).slice(2))
        ? String(answer).replace(/^0x0/, "0x1")
        : answer,
    );
    expect(more.failure?.code).to.equal("ITC_REPLAY_INVARIANT");
    expect(more.failure?.message).to.match(
      /"Credits as metered" doesn't hold: january: \d+ credits are issued, 732783/,
    );
    const issued = ledger.getEvent("CreditsIssued").topicHash;
    const twice = await run("", "", ({ method, params }, answer) =>
      method === "eth_getLogs" && params.includes(issued) && Array.isArray(answer) ? [...answer, ...answer] : answer,
    );
    expect(twice.failure?.message).to.include('"Credits issued once" doesn\'t hold: january was issued 2 times');
  });

  it("refuses a file that names what isn't made, or makes no sense", async () => {
    const problemsOf = async (found: string, by: string) => problemsIn(await changed(found, by), FILE);
    const cases: [found: string, by: string, problem: string][] = [
      ["request: february\n    project: small-turbines", "request: february\n    project: big", "no project big yet"],
      ["do: wait, name: January goes by, for: 32d", AGAIN, "project small-turbines is made twice"],
      [MARCH, PLAIN, "request march asks for no period of a project, expected one of january, overlap, february"],
      ["verifier: auditor", "verifier: airline", "actor airline is of kind company, expected verifier"],
      ["owner: cooperative", "owner: auditor", "actor auditor is of kind verifier, expected owner or company"],
      ["company: cooperative", "company: aggregator", "actor aggregator is of kind aggregator, expected company"],
      ["request: february\n    project", "request: january\n    project", "request january is made twice"],
      ["to: 2012-04-01T00:00:00Z\n    cohort", "to: 2012-03-01T00:00:00Z\n    cohort", "the window is empty"],
      ["request: march, signer: auditor", "request: april, signer: auditor", "request april isn't made by an earlier"],
      ["request: march, signer: auditor", "request: march, signer: nobody", "no actor nobody"],
      ["to: airline", "to: nobody", "no actor nobody"],
      ["holder: airline", "holder: nobody", "no actor nobody"],
      ['factor: "412.5"', 'factor: "0.0"', "expected grams a kWh above 0"],
      ['factor: "412.5"', "factor: 412.5", "expected grams a kWh in quotes"],
      ['factor: "412.5"', 'factor: "-412.5"', "expected grams a kWh above 0"],
      ['factor: "412.5"', 'factor: "99999999999999"', "expected grams a kWh above 0"],
      ["geohash: c23n", "geohash: seattle", "expected a geohash of 1 to 12 characters"],
      ["meters: 4", "meters: 0", "expected 1 or more"],
      ["grams: 500000", "grams: -500000", "expected 1 or more"],
      ["grams: 500000", "grams: 0.5", "expected a whole number"],
      ["refused: CarbonLedgerTooFewMeters", "refused: 0x12", "expected the name of a contract's error"],
      ["refused: CarbonLedgerTooFewMeters", "refused: too few", "expected the name of a contract's error"],
      ["until: 2012-03-01T00:00:00Z", "until: March", "expected an instant"],
    ];
    for (const [found, by, problem] of cases) expect(await problemsOf(found, by)).to.include(problem);
  });
});
