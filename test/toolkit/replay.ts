import { expect } from "chai";
import { readEvidence } from "../../toolkit/anchoring/evidence.js";
import { startEmbedded } from "../../toolkit/testing/embedded.js";
import { replay } from "../../toolkit/testing/replay.js";
import { comparable, type Report } from "../../toolkit/testing/report.js";
import type { Scenario } from "../../toolkit/testing/scenario-schema.js";
import { played } from "./played.js";
import { CITY, smallCity } from "./small-city.js";

async function run(scenario: Scenario): Promise<Report> {
  return played(scenario, { file: CITY });
}

describe("replaying the city's sensors", () => {
  let report: Report;

  before(async () => {
    report = await run(await smallCity());
  });

  it("goes through every step, and each invariant holds and was looked at", () => {
    expect(report.failure).to.equal(undefined);
    expect(report.verdict).to.equal("passed");
    expect(report.steps.length).to.equal(47);
    expect(report.invariants.length).to.equal(7);
    for (const { name, checked, holds } of report.invariants)
      expect([name, holds, checked > 0]).to.deep.equal([name, true, true]);
    const verifies = report.invariants.find(({ name }) => name === "Each anchored reading verifies");
    expect(verifies?.checked).to.equal(report.totals.readings);
  });

  it("counts what happened", () => {
    const { devices, readings, batches, transactions, gasUsed, itcPaid } = report.totals;
    // Of nine rewards; what rounding leaves is the roller's carry.
    expect([devices, readings, itcPaid]).to.deep.equal([64, 60 + 4 * 209, "25959.999999999999999996"]);
    expect(batches).to.equal(report.operations.find(({ name }) => name === "append a batch")?.transactions);
    const sum = (part: (step: Report["steps"][number]) => number) =>
      report.steps.reduce((total, step) => total + part(step), 0);
    expect([sum((step) => step.transactions), sum((step) => step.gasUsed)]).to.deep.equal([transactions, gasUsed]);
    expect(report.operations.reduce((total, { gasUsed: gas }) => total + gas, 0)).to.equal(gasUsed);
  });

  it("proves a sample from bundle and node alone", () => {
    expect([report.verification.sampled, report.verification.verified]).to.deep.equal([40, 40]);
    expect(report.verification.bundleBytes.max).to.be.lessThan(4096);
  });

  it("gives the same report for the same seed, and another for another", async () => {
    expect(comparable(await run(await smallCity()))).to.equal(comparable(report));
    const other = await run(await smallCity({ seed: 1 }));
    expect(other.verdict).to.equal("passed");
    expect(comparable(other)).not.to.equal(comparable(report));
  });

  it("stops at a step that a contract refuses, and says which and why", async () => {
    const failed = await run(
      await smallCity({ change: (step) => (step.do === "request" ? { ...step, cohort: 70 } : step) }),
    );
    expect(failed.verdict).to.equal("failed");
    expect(failed.failure?.step).to.equal("Aggregator proposes the mean wind");
    expect(failed.failure?.code).to.equal("ITC_CHAIN_REVERTED");
    expect(failed.failure?.message).to.match(/AnalyticsCohortTooSmall\(0x[0-9a-f]{64}, 62, 70\)/);
    expect(failed.steps.at(-1)?.name).to.equal(failed.failure?.step);
    expect(failed.invariants.every(({ holds }) => holds)).to.equal(true);
  });

  it("refuses contracts that have a history, and hands out the bundles that it checks", async () => {
    const scenario = await smallCity({ seed: 2 });
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
