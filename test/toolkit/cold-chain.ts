import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { comparable, type Report } from "../../toolkit/testing/report.js";
import { parseScenario } from "../../toolkit/testing/scenario.js";
import { played, problemsIn } from "./played.js";

const FILE = new URL("../../scenarios/cold-chain.yaml", import.meta.url).pathname;

async function changed(found: string, by: string): Promise<string> {
  const text = await readFile(FILE, "utf8");
  expect(text, `the scenario has ${found}`).to.include(found);
  return text.replace(found, by);
}

/** Plays the scenario with some text replaced. */
async function run(found = "", by = ""): Promise<Report> {
  return played(parseScenario(await changed(found, by), FILE), { file: FILE });
}

const early = "do: give-back, cover: frost";

describe("replaying a cold chain", () => {
  it("pays one cover once, gives the other back, and comes out the same again", async () => {
    const report = await run();
    expect([report.failure, report.verdict]).to.deep.equal([undefined, "passed"]);
    const stream = report.steps.find((step) => step.do === "stream");
    expect(stream?.note).to.equal("90 values, 30 rounds, 1 cover paid");
    for (const name of ["Feeds agree", "Covers paid once", "Parts agree"]) {
      const found = report.invariants.find((invariant) => invariant.name === name);
      expect([name, found?.holds, (found?.checked ?? 0) >= 8]).to.deep.equal([name, true, true]);
    }
    expect(comparable(await run())).to.equal(comparable(report));
  });

  it("ends where a cover goes back too early, and says why", async () => {
    const { failure } = await run(
      "do: stream, name: The sensors measure for thirty days, feed: container, batch: 30",
      early,
    );
    expect(failure?.message).to.include("BandCoverNotOver");
  });

  it("ends where a band has more decimals than the data, or fleets measure different things", async () => {
    expect((await run('low: "0"', 'low: "0.05"')).failure?.code).to.equal("ITC_REPLAY_BAND");
    const mixed = await run(
      "quantity: container_temperature\n    unit: Cel\n    scale: 1\n    columns: { value: temp_max",
      "quantity: another\n    unit: Cel\n    scale: 1\n    columns: { value: temp_max",
    );
    expect(mixed.failure?.code).to.equal("ITC_REPLAY_FEED");
  });

  it("refuses a file that names what isn't made, or makes it twice", async () => {
    const problemsOf = async (found: string, by: string) => problemsIn(await changed(found, by), FILE);
    expect(await problemsOf("thirty days, feed: container", "thirty days, feed: crate")).to.include(
      "no feed crate yet",
    );
    expect(await problemsOf("cover: total-loss\n    feed", "cover: frost\n    feed")).to.include("made twice");
    expect(await problemsOf("insurer: insurer", "insurer: shipper")).to.include("of kind owner, expected company");
    expect(await problemsOf("goes back, cover: total-loss", "goes back, cover: none")).to.include("no cover none yet");
    expect(await problemsOf('low: "0"', "low: zero")).to.include("expected a number in quotes");
  });
});
