import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { ResultTree } from "../../toolkit/analytics/result-tree.js";
import { Chain } from "../../toolkit/testing/chain.js";
import { startEmbedded } from "../../toolkit/testing/embedded.js";
import { checkAll, type InvariantRecord } from "../../toolkit/testing/invariants.js";
import { lieInvariants } from "../../toolkit/testing/invariants-lies.js";
import { falseResult, LIES, LieError } from "../../toolkit/testing/lies.js";
import { comparable, type Report } from "../../toolkit/testing/report.js";
import { renderPage } from "../../toolkit/testing/report-page.js";
import { loadScenario, parseScenario, ScenarioError } from "../../toolkit/testing/scenario.js";
import type { Scenario, Step } from "../../toolkit/testing/scenario-schema.js";
import { propose, request } from "../../toolkit/testing/steps-analytics.js";
import { record } from "../../toolkit/testing/steps-data.js";
import { activate, consent, deploy, enrol, register } from "../../toolkit/testing/steps-identity.js";
import { answer, question } from "../../toolkit/testing/steps-lies.js";
import { ReplayError, World } from "../../toolkit/testing/world.js";
import { played } from "./played.js";

const FILE = new URL("../../scenarios/cheating-aggregator.yaml", import.meta.url).pathname;
/** What each lie falls by. */
const CALLS: Readonly<Record<(typeof LIES)[number], readonly string[]>> = {
  "wrong-root": ["challengeNode"],
  "wrong-merge": ["demand", "demand", "show", "settle"],
  unsorted: ["challengeNode"],
  doubled: ["challengeDouble"],
  ineligible: ["challengeMember"],
  omission: ["challengeOmission"],
  unsigned: ["challengeSignature"],
  weight: ["challengeLeaf"],
  partial: ["question", "settle"],
  "withheld-data": ["demand", "settle"],
};

async function run(scenario: Scenario): Promise<Report> {
  return played(scenario, { file: FILE });
}

/** The scenario with the steps about one request only, up to its end, and with some of them left out. */
async function only(name: string, isKept: (step: Step) => boolean = () => true): Promise<Scenario> {
  const scenario = await loadScenario(FILE);
  const others = scenario.steps.flatMap((step) =>
    step.do === "request" && step.request !== name ? [step.request] : [],
  );
  const isOther = (step: Step) =>
    others.some((other) => step.name?.startsWith(`${other}: `) || ("request" in step && step.request === other));
  const steps = scenario.steps
    .filter((step) => !isOther(step) && step.do !== "verify" && isKept(step))
    .map((step) => (step.do === "roll" ? { ...step, requests: [name] } : step));
  return { ...scenario, steps };
}

const SETUP = { deploy, register, enrol, activate, consent, record, request } as const;

/** A world in which all that comes before the first proposal has been done. */
async function prepared(work: (world: World) => Promise<void>): Promise<void> {
  const scenario = await loadScenario(FILE);
  const { provider, close } = await startEmbedded({ start: scenario.clock.start });
  try {
    const world = new World(scenario, FILE, await Chain.connect(provider), () => {});
    for (const step of scenario.steps) {
      if (step.do in SETUP)
        await (SETUP[step.do as keyof typeof SETUP] as (...args: unknown[]) => unknown)(world, step);
    }
    await work(world);
  } finally {
    await close();
  }
}

/** The code of the error that something ends with. */
async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof ReplayError || error instanceof LieError) return error.code;
    throw error;
  }
  return "none";
}

/** To the nearest hundred, as the page has it. */
const hundreds = (gas: number): string => (Math.round(gas / 100) * 100).toLocaleString("en-US");

/** What an actor won or lost, as the page has it: a minus is a minus sign. */
function signed(changes: readonly { readonly actor: string; readonly itc: string }[], name: string): string {
  const itc = Number(changes.find(({ actor }) => actor === name)?.itc);
  return itc < 0 ? `−${-itc}` : `+${itc}`;
}

function raise(): never {
  throw new Error("The test is wrong.");
}

describe("replaying a cheating aggregator", () => {
  let report: Report;

  before(async () => {
    report = await run(await loadScenario(FILE));
  });

  it("takes each lie down by its challenge, for half the bond, and ends with honest results", () => {
    expect([report.failure, report.verdict]).to.deep.equal([undefined, "passed"]);
    const lies = report.challenges?.filter(({ lie }) => lie !== undefined) ?? [];
    expect(lies.map(({ lie }) => lie)).to.deep.equal(LIES);
    for (const { lie, fell, calls, changes } of lies) {
      expect([lie, fell, calls.map(({ name }) => name)]).to.deep.equal([lie, true, CALLS[lie as keyof typeof CALLS]]);
      // The cheat has answered one demand about its tree, and has the deposit for it.
      const shown = lie === "wrong-merge" ? 10 : 0;
      const won = Object.fromEntries(changes.map(({ actor, itc }) => [actor, Number(itc)]));
      expect(won).to.deep.equal({ cheat: shown - 120, guard: 60 - shown, council: 60 });
    }
    expect(report.analyses.map(({ devices, payments }) => [devices, payments.length > 0])).to.deep.equal(
      Array(11).fill([24, true]),
    );
    expect(report.totals.itcPaid).to.match(/^10999\.9/);
    for (const name of ["No lie becomes final", "Deposits covered", "Honest proposers lose nothing"]) {
      const found = report.invariants.find((invariant) => invariant.name === name);
      expect([name, found?.holds, (found?.checked ?? 0) > 10]).to.deep.equal([name, true, true]);
    }
  });

  it("costs and brings what docs/cheating-aggregator.md says", async () => {
    const page = await readFile(new URL("../../docs/cheating-aggregator.md", import.meta.url), "utf8");
    const rows = [...page.matchAll(/^\| `([\w-]+)` \|.*\| ([\d,]+) \| (.*) \|$/gm)].map(([, ...cells]) => cells);
    const challenges = report.challenges ?? raise();
    const lies = challenges.filter(({ lie }) => lie !== undefined);
    expect(rows).to.deep.equal(
      lies.map(({ lie, gasUsed, changes }) => [
        lie,
        hundreds(gasUsed),
        ["cheat", "guard", "council"].map((name) => signed(changes, name)).join(", "),
      ]),
    );
    const gasOf = (of: (typeof challenges)[number] | undefined, call: string): string[] =>
      (of?.calls ?? []).flatMap(({ name, gasUsed }) => (name === call ? [hundreds(gasUsed)] : []));
    const shown = gasOf(
      lies.find(({ lie }) => lie === "wrong-merge"),
      "show",
    );
    expect([...page.matchAll(/\(([\d,]+) gas\)/g)].map(([, gas]) => gas)).to.deep.equal(shown);
    const answers = gasOf(
      challenges.find(({ lie }) => lie === undefined),
      "answerWithReadings",
    );
    const said = /costs ([\d,]+) gas to answer, sixty readings of a P-256 anemometer ([\d,]+)\./.exec(page) ?? [];
    const thousands = (gas: string) => Math.round(Number(gas.replaceAll(",", "")) / 1000);
    expect(said.slice(1).map(thousands)).to.deep.equal(answers.map(thousands));
  });

  it("comes out the same again", async () => {
    const scenario = await only("trend");
    const again = await run(scenario);
    expect(again.verdict).to.equal("passed");
    expect(comparable(await run(scenario))).to.equal(comparable(again));
  });

  it("keeps the deposits of whoever questions the truth", () => {
    const asked = report.challenges?.find(({ request: name }) => name === "asked");
    expect([asked?.lie, asked?.fell, asked?.proposer]).to.deep.equal([undefined, false, "honest"]);
    expect(asked?.calls.map(({ by, name }) => `${by} ${name}`)).to.deep.equal([
      "griefer question",
      "griefer question",
      "honest answerWithReadings",
      "honest answerWithReadings",
    ]);
    expect(asked?.changes.map(({ actor, itc }) => [actor, Number(itc)])).to.deep.equal([
      ["honest", 20],
      ["griefer", -20],
    ]);
  });

  it("shows on the page who lied and who showed it", () => {
    const page = renderPage(report);
    expect(page).to.include("Who lied, and who showed it");
    for (const lie of LIES) expect(page).to.include(`<span class="bad">${lie}</span>`);
    expect(renderPage({ ...report, challenges: [] })).not.to.include("Who lied");
  });

  it("stops when a lie becomes final that nobody watched", async () => {
    const { failure, invariants } = await run(
      await only("count", (step) => step.do !== "watch" && !(step.do === "propose" && step.lie === undefined)),
    );
    expect([failure?.step, failure?.code]).to.deep.equal(["count: final", "ITC_REPLAY_INVARIANT"]);
    expect(failure?.message).to.match(/"No lie becomes final".*wrong-merge, which nobody watched.*put a watch step/);
    expect(invariants.filter(({ holds }) => !holds).map(({ name }) => name)).to.deep.equal(["No lie becomes final"]);
  });

  it("stops when an honest proposer doesn't answer", async () => {
    const scenario = await only("asked", (step) => step.do !== "answer");
    const at = scenario.steps.findIndex((step) => step.do === "watch");
    const { failure } = await run({
      ...scenario,
      steps: scenario.steps.toSpliced(at, 0, { do: "wait", name: "It is late", for: 3600n }),
    });
    expect(failure?.step).to.equal("The watchtower finds nothing wrong");
    expect(failure?.message).to.match(/"Honest proposers lose nothing".*honest has lost 120.0 ITC.*answer step/);
  });

  it("stops when a watcher hasn't the ITC to demand data", async () => {
    const scenario = await only("speeds");
    const guard = { kind: "watcher", count: 1 } as const;
    const { failure } = await run({ ...scenario, actors: { ...scenario.actors, guard } });
    expect([failure?.step, failure?.code]).to.deep.equal(["speeds: the watchtower looks", "ITC_REPLAY_LIE"]);
  });

  it("sees ITC at the question desk that no question has put there", async () => {
    await prepared(async (world) => {
      const broken = async () => {
        const records: InvariantRecord[] = [];
        await checkAll(lieInvariants(), records, world);
        return records.flatMap(({ name, holds, firstFailure }) => (holds ? [] : [`${name}: ${firstFailure}`]));
      };
      expect(await broken()).to.deep.equal([]);
      const args = [world.addresses.QuestionDesk, 7n];
      await world.send(world.account("operator"), "ITC", "transfer", args, "transfer ITC");
      expect(await broken()).to.deep.equal(["Deposits covered: 7 units held for 0 open questions"]);
    });
  });

  it("refuses lies, questions and answers that a result isn't made for", async () => {
    await prepared(async (world) => {
      const tell = (name: string, lie?: (typeof LIES)[number]) =>
        propose(world, { do: "propose", request: name, by: "cheat", lie });
      const ask = (name: string, fleet: string) =>
        question(world, { do: "question", request: name, by: "griefer", fleet });
      expect(await codeOf(tell("count", "unsigned"))).to.equal("ITC_LIE_IMPOSSIBLE");
      expect(await codeOf(tell("noisy-mean", "partial"))).to.equal("ITC_LIE_IMPOSSIBLE");
      expect(await codeOf(ask("count", "harbour-stations"))).to.equal("ITC_REPLAY_ORDER");
      await tell("noisy-mean");
      expect(await codeOf(ask("noisy-mean", "harbour-stations"))).to.equal("ITC_REPLAY_QUESTION");
      await tell("trend", "partial");
      expect(await codeOf(ask("trend", "private-stations"))).to.equal("ITC_REPLAY_QUESTION");
      expect(await answer(world, { do: "answer", by: "honest" })).to.equal("0 answers");
      const { tree } = world.request("trend");
      const alone = new ResultTree(tree?.query ?? raise(), tree?.leaves.slice(0, 1) ?? []);
      const parts = { request: world.request("trend").request, accomplice: world.account("cheat").address };
      for (const lie of ["wrong-root", "wrong-merge", "unsorted", "omission", "ineligible", "partial"] as const) {
        expect(() => falseResult(lie, alone, parts)).to.throw(LieError, lie);
      }
      const { device } = tree?.leaves[0] ?? raise();
      const fleets = [...world.fleets.values()];
      const own = fleets.find(({ members }) => members.some((member) => member.device.key.id === device)) ?? raise();
      await ask("trend", own.name);
      expect(await codeOf(answer(world, { do: "answer", by: "cheat" }))).to.equal("ITC_REPLAY_ANSWER");
    });
  });

  it("refuses a file with lies, watchers and fleets that there aren't", async () => {
    const text = await readFile(FILE, "utf8");
    const mistakes = [
      ["lie: unsorted", "lie: fraud", "Invalid option"],
      ['looks", by: guard', 'looks", by: council', "actor council is of kind company, expected watcher"],
      ["by: griefer,\n      fleet: harbour-stations", "by: griefer,\n      fleet: nowhere", "no fleet nowhere"],
      ["request: asked,\n      by: griefer", "request: nothing,\n      by: griefer", "request nothing isn't made"],
      ["request: asked,\n      by: griefer", "request: asked,\n      by: honest", "expected watcher"],
      ["answers, by: honest", "answers, by: guard", "actor guard is of kind watcher"],
    ] as const;
    for (const [found, by, message] of mistakes) {
      expect(text).to.include(found);
      expect(() => parseScenario(text.replace(found, by), FILE)).to.throw(ScenarioError, message);
    }
  });
});
