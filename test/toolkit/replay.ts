import { expect } from "chai";
import { readEvidence } from "../../toolkit/anchoring/evidence.js";
import { startEmbedded } from "../../toolkit/testing/embedded.js";
import { replay } from "../../toolkit/testing/replay.js";
import { comparable, type Report } from "../../toolkit/testing/report.js";
import { loadScenario } from "../../toolkit/testing/scenario.js";
import type { Scenario, Step } from "../../toolkit/testing/scenario-schema.js";

const CITY = new URL("../../scenarios/city-sensors.yaml", import.meta.url).pathname;

/** The city with twenty stations a maker and two short series: the same steps on real data, in seconds. */
async function smallCity(seed?: number, change: (step: Step) => Step = (step) => step): Promise<Scenario> {
  const city = await loadScenario(CITY);
  const series = ["seattle-thermometer", "new-york-thermometer"];
  const stations = ["nordwind-stations", "zephyr-stations", "borealis-stations"];
  const fleets = Object.fromEntries(
    Object.entries(city.fleets).flatMap(([name, fleet]) => {
      if (stations.includes(name)) return [[name, { ...fleet, count: 20 }]];
      return series.includes(name) ? [[name, fleet]] : [];
    }),
  );
  const kept = new Set(Object.keys(fleets));
  const steps = city.steps.map((step): Step => {
    if (step.do === "request") return change({ ...step, cohort: step.cohort > 2 ? 60 : 2 });
    if (step.do === "verify") return change({ ...step, sample: 40 });
    return change("fleets" in step ? { ...step, fleets: step.fleets.filter((name) => kept.has(name)) } : step);
  });
  const actors = { ...city.actors, citizens: { kind: "owner" as const, count: 7 } };
  return { ...city, actors, fleets, steps, seed: seed ?? city.seed };
}

async function run(scenario: Scenario): Promise<Report> {
  const { provider, close } = await startEmbedded({ start: scenario.clock.start });
  try {
    return await replay(scenario, provider, { file: CITY });
  } finally {
    await close();
  }
}

describe("replaying the city's sensors", () => {
  let report: Report;

  before(async () => {
    report = await run(await smallCity());
  });

  it("goes through every step, and each invariant holds and was looked at", () => {
    expect(report.failure).to.equal(undefined);
    expect(report.verdict).to.equal("passed");
    expect(report.steps.length).to.equal(20);
    expect(report.invariants.length).to.equal(7);
    for (const { name, checked, holds } of report.invariants)
      expect([name, holds, checked > 0]).to.deep.equal([name, true, true]);
    const verifies = report.invariants.find(({ name }) => name === "Each anchored reading verifies");
    expect(verifies?.checked).to.equal(report.totals.readings);
  });

  it("counts what happened", () => {
    const { devices, readings, batches, transactions, gasUsed, itcPaid } = report.totals;
    // Of two rewards, 20,000 and 3,000 ITC; what rounding leaves is the roller's carry.
    expect([devices, readings, itcPaid]).to.deep.equal([62, 60 + 2 * 1461, "22999.999999999999999998"]);
    expect(batches).to.equal(report.operations.find(({ name }) => name === "append a batch")?.transactions);
    const sum = (part: (step: Report["steps"][number]) => number) =>
      report.steps.reduce((total, step) => total + part(step), 0);
    expect([sum((step) => step.transactions), sum((step) => step.gasUsed)]).to.deep.equal([transactions, gasUsed]);
    expect(report.operations.reduce((total, { gasUsed: gas }) => total + gas, 0)).to.equal(gasUsed);
  });

  it("finds the mean that the data have", () => {
    const [wind, high] = report.analyses;
    const mean = report.data.stations.reduce((sum, { value }) => sum + value, 0) / report.data.stations.length;
    expect(Math.abs(Number(wind?.result) - mean) < 0.001).to.equal(true);
    expect([wind?.devices, high?.devices, high?.readings]).to.deep.equal([60, 2, 2922]);
    const paid = report.analyses.flatMap(({ payments }) => payments.map(({ itc }) => Number(itc)));
    expect(Math.abs(paid.reduce((a, b) => a + b, 0) - 23_000) < 1e-6).to.equal(true);
  });

  it("proves a sample from bundle and node alone", () => {
    expect([report.verification.sampled, report.verification.verified]).to.deep.equal([40, 40]);
    expect(report.verification.bundleBytes.max).to.be.lessThan(4096);
  });

  it("gives the same report for the same seed, and another for another", async () => {
    expect(comparable(await run(await smallCity()))).to.equal(comparable(report));
    const other = await run(await smallCity(1));
    expect(other.verdict).to.equal("passed");
    expect(comparable(other)).not.to.equal(comparable(report));
  });

  it("stops at a step that a contract refuses, and says which and why", async () => {
    const failed = await run(
      await smallCity(undefined, (step) => (step.do === "request" ? { ...step, cohort: 61 } : step)),
    );
    expect(failed.verdict).to.equal("failed");
    expect(failed.failure?.step).to.equal("Aggregator proposes the mean wind");
    expect(failed.failure?.code).to.equal("ITC_CHAIN_REVERTED");
    expect(failed.failure?.message).to.match(/AnalyticsCohortTooSmall\(0x[0-9a-f]{64}, 60, 61\)/);
    expect(failed.steps.at(-1)?.name).to.equal(failed.failure?.step);
    expect(failed.invariants.every(({ holds }) => holds)).to.equal(true);
  });

  it("refuses contracts that have a history, and hands out the bundles that it checks", async () => {
    const scenario = await smallCity(2);
    const { provider, close } = await startEmbedded({ start: scenario.clock.start });
    try {
      const bundles = new Map<string, string>();
      const keepEvidence = async (name: string, bundle: string) => void bundles.set(name, bundle);
      expect((await replay(scenario, provider, { file: CITY, keepEvidence })).verdict).to.equal("passed");
      expect(bundles.size).to.equal(40);
      for (const bundle of bundles.values()) expect(readEvidence(bundle).domain.chainId).to.equal(31337n);
      expect((await replay(scenario, provider, { file: CITY })).failure?.code).to.equal("ITC_REPLAY_USED");
    } finally {
      await close();
    }
  });

  it("stops at a fleet that its source can't fill", async () => {
    const scenario = await smallCity();
    const [name = "", fleet] = Object.entries(scenario.fleets)[0] ?? [];
    if (!fleet) throw new Error("No fleet.");
    const failed = await run({
      ...scenario,
      fleets: { ...scenario.fleets, [name]: { ...fleet, from: 1590, count: 20 } },
    });
    expect(failed.failure?.code).to.equal("ITC_REPLAY_FLEET");
  });
});
