import { expect } from "chai";
import { formatEther, parseEther } from "ethers";
import { cellOfGeohash } from "../../toolkit/analytics/regions.js";
import type { DeviceId } from "../../toolkit/identity/keys.js";
import { LotTree } from "../../toolkit/identity/lots.js";
import { Chain } from "../../toolkit/testing/chain.js";
import { type EmbeddedChain, startEmbedded } from "../../toolkit/testing/embedded.js";
import { replay } from "../../toolkit/testing/replay.js";
import { comparable, type Report, type ReportAnalysis, type ReportFigure } from "../../toolkit/testing/report.js";
import { renderAnalyses } from "../../toolkit/testing/report-analyses.js";
import { analysisOf } from "../../toolkit/testing/report-analysis.js";
import { parseScenario } from "../../toolkit/testing/scenario.js";
import { type FleetState, type RequestState, World } from "../../toolkit/testing/world.js";
import { queryOf } from "../analytics/queries.js";
import { HOSTILE, hostile, parse, passed } from "./report-fixture.js";

const FILE = "analyses.yaml";
const ASKED =
  'company: city, quantity: wind_speed, from: 2015-06-01T00:00:00Z, to: 2015-07-01T00:00:00Z, cohort: 2, reward: "10.000000000000000001", ' +
  'bond: "200", deadline: 14d, challenge: 3d';
const SCENARIO = `
name: analyses
title: A few stations
description: Three requests, one of them with noise, one without a result.
seed: 3
clock: { start: 2016-01-01T00:00:00Z }
actors:
  operator: { kind: operator }
  maker: { kind: issuer, itc: "100" }
  citizens: { kind: owner, count: 3 }
  gateway: { kind: gateway }
  city: { kind: company, itc: "500", title: Windpark Planning }
  aggregator: { kind: aggregator, itc: "900", title: Open Aggregator }
sources:
  wind:
    file: npm:vega-datasets/data/windvectors.csv
    what: Wind speed
    licence: BSD-3-Clause
    quantity: wind_speed
    unit: m/s
    scale: 2
    columns: { value: speed }
    at: 2015-06-01T12:00:00Z
    device: row
    limit: 10
fleets:
  stations: { source: wind, issuer: maker, key: secp256k1, owner: citizens, gateway: gateway, assurance: 0 }
steps:
  - { do: deploy }
  - { do: register, issuers: [maker] }
  - { do: enrol, fleets: [stations], bond: "1" }
  - { do: activate, fleets: [stations] }
  - { do: consent, owners: citizens, purpose: exact, for: 365d }
  - { do: consent, owners: citizens, purpose: private, for: 365d, budget: "9" }
  - { do: record, fleets: [stations], batch: 16 }
  - { do: request, request: mean-wind, purpose: exact, operation: mean, fee: "2.5", settlement: direct, ${ASKED} }
  - { do: request, request: bins, purpose: private, operation: histogram, size: 4, lower: "0", upper: "20", cap: 1, epsilon: "2", ${ASKED} }
  - { do: request, request: unanswered, purpose: exact, operation: count, ${ASKED} }
  - { do: propose, request: mean-wind, by: aggregator }
  - { do: propose, request: bins, by: aggregator }
  - { do: wait, for: 3d }
  - { do: finalise, request: mean-wind, by: aggregator }
`;

function only(figure: ReportAnalysis["outcome"]): ReportFigure {
  const first = figure?.figures[0];
  if (first === undefined) throw new Error("There is a figure.");
  return first;
}

/** The passed report with one analysis that is changed. */
function reportWith(changes: Partial<ReportAnalysis>): Report {
  const [analysis] = passed.analyses;
  if (analysis === undefined) throw new Error("The fixture has an analysis.");
  return { ...passed, analyses: [{ ...analysis, ...changes }] };
}

const textOf = (report: Report): string => parse(renderAnalyses(report)).body.textContent.replaceAll(/\s+/g, " ");
const labelsOf = (report: Report): (string | null)[] =>
  [...parse(renderAnalyses(report)).querySelectorAll("[role=img]")].map((picture) =>
    picture.getAttribute("aria-label"),
  );

describe("the page of analyses", () => {
  describe("of a replay", () => {
    let report: Report;
    let embedded: EmbeddedChain;

    async function run(): Promise<Report> {
      const scenario = parseScenario(SCENARIO, FILE);
      embedded = await startEmbedded({ start: scenario.clock.start });
      try {
        return await replay(scenario, embedded.provider, { file: FILE });
      } finally {
        await embedded.close();
      }
    }

    before(async () => {
      report = await run();
      expect(report.failure?.message).to.equal(undefined);
    });

    it("has a section for each request, open ones too, and is reached from the report and back", () => {
      const page = parse(renderAnalyses(report));
      const sections = [...page.querySelectorAll("main section")];
      expect(sections.map(({ id }) => id)).to.deep.equal(["request-1", "request-2", "request-3"]);
      const links = [...page.querySelectorAll("a")].map((link) => link.getAttribute("href"));
      expect(links).to.deep.equal(["index.html", "#request-1", "#request-2", "#request-3"]);
      expect(sections[2]?.textContent).to.contain("no result is proposed").and.contain("Nobody has got anything");
    });

    it("shows who asked, on which terms, whom the result counts and what came out", () => {
      const section = parse(renderAnalyses(report)).querySelector("#request-2");
      const facts = new Map(
        [...(section?.querySelectorAll("dt") ?? [])].map((term) => [
          term.textContent,
          term.nextElementSibling?.textContent.trim(),
        ]),
      );
      const expected = {
        "Asked by": "Windpark Planning",
        Purpose: "private",
        Operation: "Histogram",
        Of: "wind speed, in m/s",
        Window: "2015-06-01 00:00 to 2015-07-01 00:00 UTC",
        Devices: "any",
        Bounds: "0 m/s to 20 m/s; values beyond count as these",
        Size: "4 bins",
        Cap: "1 reading a device",
        "Least cohort": "2 devices",
        Privacy: "ε 2 for each device",
        Bond: "200 ITC",
        Weights: "By readings",
        Challenges: "for 3 days after a proposal",
        State: "Proposed: it can be challenged",
        Id: report.analyses[1]?.request.id,
        Eligible: "10 devices",
        Counted: "10, of at least 2",
        Attested: "10: on the device’s signed word",
        Withheld: "0",
        Readings: "10",
      };
      for (const [term, value] of Object.entries(expected))
        expect([term, facts.get(term)]).to.deep.equal([term, value]);
      expect(report.analyses[0]?.members).to.deep.include({
        all: 10,
        eligible: 10,
        proved: 10,
        attested: 0,
        withheld: 0,
      });
    });

    it("shares each reward out to the last unit, and says where the rest and the fee go", () => {
      for (const { payments, pay, reward } of report.analyses.slice(0, 2)) {
        const paid = payments.reduce((sum, { itc }) => sum + parseEther(itc), 0n);
        expect(formatEther(paid)).to.equal(pay.owners);
        expect(paid + parseEther(pay.carry)).to.equal(parseEther(reward));
      }
      // Ten devices of 10^18 each; the unit that is over can't be shared.
      expect(report.analyses[0]?.pay).to.deep.equal({
        ...{ owners: "10.0", carry: "0.000000000000000001", fee: "2.5", proposer: "Open Aggregator" },
      });
      const text = textOf(report);
      expect(text).to.contain("0.000000000000000001 ITC that rounding leaves, to the company");
      expect(text).to.contain("2.5 ITC, to Open Aggregator").and.contain("If the result stands");
      expect(report.analyses[2]?.pay).to.deep.equal({ owners: "0.0", carry: "0.0", fee: "0.0" });
    });

    it("has error bars that are as long as they should be, and none where the result is exact", () => {
      const [mean, bins] = report.analyses;
      expect(only(mean?.outcome).deviation).to.equal("0");
      // Ten devices whose noise has p(k) ∝ e^(-2 |k|): variance 2 p / (1 - p)² with p = e^-2.
      const p = Math.exp(-2);
      const expected = Math.sqrt((10 * 2 * p) / (1 - p) ** 2);
      for (const { deviation } of bins?.outcome?.figures ?? []) {
        expect(Math.abs(Number(deviation) / expected - 1) < 1e-8).to.equal(true);
      }
      const page = parse(renderAnalyses(report));
      const bars = (id: string) => {
        const lines = [...page.querySelectorAll(`#${id} svg line`)].filter((line) => line.getAttribute("y1") !== null);
        return lines.map((line) => Math.abs(Number(line.getAttribute("y1")) - Number(line.getAttribute("y2"))));
      };
      const lengths = bars("request-2").filter((length) => length > 0);
      const [two = 0, one = 0] = [lengths[0], lengths.at(-1)];
      expect(Math.abs(two / one - 2) < 0.01, `${lengths}`).to.equal(true);
      expect(page.querySelectorAll("#request-1 [stroke='var(--error)']")).to.have.length(0);
      expect(page.querySelectorAll("#request-2 [stroke='var(--error)']")).to.have.length(2);
    });

    it("says each figure in a table too", () => {
      const rows = [...parse(renderAnalyses(report)).querySelectorAll("#request-2 details tbody tr")];
      const figures = report.analyses[1]?.outcome?.figures ?? [];
      expect(rows.slice(0, 4).map((row) => row.querySelector("th")?.textContent)).to.deep.equal([
        ...["0 to 5", "5.01 to 10.01", "10.02 to 15.02", "15.03 to 20"],
      ]);
      expect(rows[0]?.textContent).to.contain(figures[0]?.value?.replace("-", "−"));
    });

    it("is the same again but for its times", async () => {
      const again = await run();
      expect(comparable(again)).to.equal(comparable(report));
    });
  });

  describe("of any report", () => {
    it("loads nothing and escapes every string", () => {
      const text = renderAnalyses(hostile(passed));
      const page = parse(text);
      expect(page.querySelectorAll("script, link, img, iframe, object, embed, [src], [onerror]")).to.have.length(0);
      expect(page.querySelectorAll("a")).to.have.length(2);
      expect(page.querySelector("meta[http-equiv]")?.getAttribute("content")).to.contain("default-src 'none'");
      expect(text.match(/<\/style>/g)).to.deep.equal(renderAnalyses(passed).match(/<\/style>/g));
      expect(page.querySelector("h2")?.textContent).to.equal(HOSTILE);
    });

    it("draws what was cancelled or never proposed", () => {
      const nothing = { members: undefined, outcome: undefined, payments: [], result: "" };
      const words = [
        ["cancelled", "Cancelled: the company has its escrow back"],
        ["open", "Open: no result is proposed"],
      ] as const;
      for (const [state, expected] of words) {
        const text = textOf(reportWith({ ...nothing, state }));
        expect(text).to.contain(`There is none. ${expected}.`).and.contain("1,200 ITC of reward");
        expect(text).not.to.match(/NaN|Infinity|undefined/);
      }
    });

    it("draws results that are none, and ones beyond all measure", () => {
      const figure = (what: string, more: Partial<ReportFigure> = {}): ReportFigure => ({
        ...{ what, unit: "m/s", deviation: "0", ...more },
      });
      const vast = `${2n ** 255n}`;
      const bin = { value: vast, deviation: "1", from: "-9223372036854775808", to: "9223372036854775807" };
      const results: readonly ReportFigure[][] = [
        [figure("mean")],
        [figure("least"), figure("greatest")],
        [figure("slope")],
        [],
        [figure("sum", { value: vast, deviation: vast })],
        [figure("sum", { value: `-${vast}` })],
        [figure("count", { value: "0" })],
        [figure("bin", bin)],
        [figure("bin", { ...bin, value: "0", deviation: "0", from: "1", to: "1" })],
        [figure("least", { value: "4" }), figure("greatest", { value: "4" })],
        [0, 2 ** 63, 2 ** 64].map((at, k) => figure(k === 0 ? "slope" : "height", { value: vast, at })),
        [
          figure("distinct", { value: "0" }),
          figure("false positives", { value: "0" }),
          figure("filled", { value: "0" }),
        ],
        [figure("slope", { value: "0.000000000000000000012", deviation: "0.0000000000000000000034" })],
      ];
      for (const figures of results) {
        const outcome = { figures, chance: "noise" as const, notes: ["A note."] };
        const far = { from: 2 ** 63, to: 2 ** 64, readings: 2 ** 64, outcome };
        const page = renderAnalyses(reportWith(far));
        expect(page, JSON.stringify(figures)).not.to.match(/NaN|Infinity|undefined/);
        expect(parse(page).body.textContent).to.contain("A note.");
      }
    });

    it("puts weights together by powers of two, and says in words what all have in common", () => {
      const [analysis] = passed.analyses;
      if (!analysis?.members) throw new Error("The fixture has members.");
      const { members } = analysis;
      const weigh = (weights: readonly bigint[]) =>
        reportWith({
          members: { ...members, weights: weights.map((weight) => ({ weight: `${weight}`, devices: 2 })) },
        });
      expect(textOf(passed)).to.contain("Each of 24 devices weighs 1.");
      expect(labelsOf(weigh([1n, 5n]))).to.include("Weights of 4 devices: 2 of 1, 2 of 5");
      const many = Array.from({ length: 16 }, (_, k) => BigInt(k + 1));
      expect(labelsOf(weigh(many))).to.include(
        "Weights of 32 devices: 2 of 1–1, 4 of 2–3, 8 of 4–7, 16 of 8–15, 2 of 16–31",
      );
      const wide = Array.from({ length: 128 }, (_, k) => 2n ** BigInt(k));
      expect(labelsOf(weigh(wide)).join())
        .to.contain("Weights of 256 devices")
        .and.contain("×10^");
      expect(textOf(weigh([]))).not.to.contain("weighs");
    });

    it("shows the first owners, the rest in one row, and all on demand", () => {
      const payments = Array.from({ length: 20 }, (_, k) => ({
        owner: `0x${(k + 1).toString(16).padStart(40, "0")}`,
        ...{ devices: 1, readings: k + 1, weight: `${k + 1}`, itc: `${k + 1}` },
      }));
      const page = parse(renderAnalyses(reportWith({ payments })));
      const regions = [...page.querySelectorAll("[role=region]")];
      const rows = (label: string) => {
        const region = regions.find((one) => one.getAttribute("aria-label")?.startsWith(label));
        return [...(region?.querySelectorAll("tbody tr") ?? [])].map((row) =>
          [...row.children].map((cell) => cell.textContent.trim()).join(" "),
        );
      };
      const best = rows("Best-paid owners");
      expect(best).to.have.length(9);
      expect(best[0]).to.equal("0x000000…000014 1 20 20 20");
      expect(best.at(-1)).to.equal("12 others, together 12 78 78 78");
      expect(rows("All owners")).to.have.length(20);
      expect(page.querySelector("details summary")?.textContent).to.equal("As a table");
    });

    it("names lots, regions, verifiers and assurance that were asked for", async () => {
      const scenario = parseScenario(SCENARIO, FILE);
      const { provider, close } = await startEmbedded();
      try {
        const world = new World(scenario, FILE, await Chain.connect(provider), () => undefined);
        const lot = new LotTree([{ kind: "secp256k1", id: `0x${"1".repeat(40)}` as DeviceId }]);
        const [maker, verifier] = [world.account("maker").address, world.account("aggregator").address];
        world.fleets.set("stations", { name: "stations", spec: scenario.fleets.stations, lot } as FleetState);
        const filter = { lot: lot.idFor(maker), region: cellOfGeohash("u33d"), assurance: 2, verifier };
        const source = scenario.sources.wind;
        if (!source) throw new Error("The scenario has a source.");
        const { request: terms } = reportWith({}).analyses[0] ?? {};
        const state: RequestState = {
          ...{
            name: "asked",
            company: "city",
            id: `${terms?.id}`,
            requestedAt: 1n,
            purpose: "to know",
            status: "open",
            source,
          },
          request: {
            ...{ requester: maker, salt: "", purpose: "", query: queryOf(0), filter },
            terms: {
              ...{ cohort: 2n, epsilon: 0n, price: 0n, reward: 1n, fee: 0n, bond: 0n, deadline: 2n ** 64n - 1n },
              ...{ challengeWindow: 1n, weighting: 1, settlement: 2 },
            },
          },
          tree: undefined,
          shares: new Map(),
        };
        const { request } = analysisOf(world, state);
        expect(request.filter).to.deep.equal([
          ...["of the lot stations", "in region u33d", "with assurance 2 or more", "attested by aggregator"],
        ]);
        expect([request.weighting, request.settlement]).to.deep.equal(["devices", "pushed"]);
        const odd = { ...filter, lot: `0x${"7".repeat(64)}`, region: 2n ** 63n, verifier: `0x${"7".repeat(40)}` };
        const words = analysisOf(world, { ...state, request: { ...state.request, filter: odd } }).request.filter.join();
        expect(words)
          .to.contain(`of the lot ${odd.lot}`)
          .and.contain(`region ${2n ** 63n}`)
          .and.contain(odd.verifier);
        expect(textOf({ ...passed, analyses: [analysisOf(world, state)] })).to.contain("in region u33d");
      } finally {
        await close();
      }
    });
  });
});
