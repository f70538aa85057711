import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { readEvidence } from "../../toolkit/anchoring/evidence.js";
import { comparable, type Report } from "../../toolkit/testing/report.js";
import { parseScenario, ScenarioError } from "../../toolkit/testing/scenario.js";
import { played } from "./played.js";

const FILE = new URL("../../scenarios/camera-evidence.yaml", import.meta.url).pathname;

/** Plays the scenario with some text replaced. */
async function run(found = "", by = "", evidence = new Map<string, string>()): Promise<Report> {
  const text = await readFile(FILE, "utf8");
  expect(text, `the scenario has ${found}`).to.include(found);
  const scenario = parseScenario(text.replace(found, by), FILE);
  const keepEvidence = async (name: string, bundle: string) => void evidence.set(name, bundle);
  return played(scenario, { file: FILE, keepEvidence });
}

describe("replaying camera evidence", () => {
  let report: Report;
  const evidence = new Map<string, string>();
  const notes = (verb: string) => report.steps.filter((step) => step.do === verb).map(({ note }) => note);

  before(async () => {
    report = await run("", "", evidence);
  });

  it("passes, counts the recordings, and comes out the same again", async () => {
    expect([report.failure, report.verdict]).to.deep.equal([undefined, "passed"]);
    expect([report.totals.devices, report.totals.readings]).to.deep.equal([3, 8]);
    const verifies = report.invariants.find(({ name }) => name === "Each anchored reading verifies");
    expect([verifies?.checked, verifies?.holds]).to.deep.equal([8, true]);
    expect(comparable(await run())).to.equal(comparable(report));
  });

  it("lets each open what a grant allowed when it was sealed, and nothing else", () => {
    expect(notes("unseal")).to.deep.equal([
      "landlord opened 4, 0 stayed closed",
      "guard opened 2, 2 stayed closed",
      "insurer opened 1, 3 stayed closed",
      "court opened 0, 4 stayed closed",
    ]);
  });

  it("proves each recording from bundle, bytes and node, whole and in part", () => {
    expect([report.verification.sampled, report.verification.verified]).to.deep.equal([8, 8]);
    expect(report.verification.example.map((line) => line.split(":")[0])).to.include.members([
      "file",
      "segment",
      "log",
    ]);
    expect(report.verification.bundleBytes.max).to.be.lessThan(4096);
    const kinds = [...evidence.values()].map((bundle) => readEvidence(bundle).content?.kind);
    expect(Map.groupBy(kinds, (kind) => kind).get("sealed")?.length).to.equal(4);
  });

  it("stops when there is nobody to seal for", async () => {
    const failed = await run(
      "  - { do: grant-key, name: The owner grants itself a key",
      "  - { do: wait, for: 1s }\n  #",
    );
    expect(failed.failure?.step).to.equal("The camera at the door records for its owner");
    expect(failed.failure?.code).to.equal("ITC_SEAL_RECIPIENTS");
  });

  it("is refused for a fleet with neither source nor count, and for readers that there aren't", async () => {
    const text = await readFile(FILE, "utf8");
    const mistakes = [
      [", count: 1 }", " }", "a fleet without a source"],
      ["to: guard", "to: nobody", "no actor nobody"],
      ["of: guard", "of: nobody", "no actor nobody"],
      ["by: insurer", "by: nobody", "no actor nobody"],
      ['part", by: court', 'part", by: guard', "expected verifier"],
    ] as const;
    for (const [found, by, message] of mistakes) {
      expect(text).to.include(found);
      expect(() => parseScenario(text.replace(found, by), FILE)).to.throw(ScenarioError, message);
    }
  });
});
