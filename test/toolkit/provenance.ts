import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { DOMParser } from "linkedom";
import { comparable, type Report, type ReportPart } from "../../toolkit/testing/report.js";
import { renderPage } from "../../toolkit/testing/report-page.js";
import { parseScenario, ScenarioError } from "../../toolkit/testing/scenario.js";
import { played } from "./played.js";
import { passed } from "./report-fixture.js";

const FILE = new URL("../../scenarios/chip-to-device.yaml", import.meta.url).pathname;

/** Plays the scenario with some text replaced. */
async function run(found = "", by = "", evidence = new Map<string, string>()): Promise<Report> {
  const scenario = parseScenario(await changed(found, by), FILE);
  const keepEvidence = async (name: string, text: string) => void evidence.set(name, text);
  return played(scenario, { file: FILE, keepEvidence });
}

async function changed(found: string, by: string): Promise<string> {
  const text = await readFile(FILE, "utf8");
  expect(text, `the scenario has ${found}`).to.include(found);
  return text.replace(found, by);
}

describe("replaying parts from chip to device", () => {
  let report: Report;
  const evidence = new Map<string, string>();
  const partNamed = (name: string): ReportPart | undefined =>
    report.provenance?.parts.find((part) => part.name === name);

  before(async () => {
    report = await run("", "", evidence);
  });

  it("passes, looks at every part after each step, and comes out the same again", async () => {
    expect([report.failure, report.verdict]).to.deep.equal([undefined, "passed"]);
    const parts = report.invariants.find(({ name }) => name === "Parts agree");
    expect([parts?.holds, (parts?.checked ?? 0) > 300]).to.deep.equal([true, true]);
    expect(comparable(await run())).to.equal(comparable(report));
  });

  it("reports the whole tree: what is in what, by whom, with whom", () => {
    const { of, parts = [] } = report.provenance ?? {};
    expect([of, parts.length]).to.deep.equal(["roof", 20]);
    const counts = Map.groupBy(parts, ({ rank }) => rank);
    const ranks = ["ip-block", "chip", "module", "device", "installation"];
    expect(ranks.map((rank) => counts.get(rank)?.length)).to.deep.equal([2, 6, 6, 5, 1]);
    for (const part of counts.get("device") ?? []) {
      expect([part.inside, part.custodian, part.handOvers]).to.deep.equal([["roof"], "Rooftop Installers", 1]);
      expect(part.device).to.match(/^0x[0-9a-fA-F]{40}$/);
    }
    expect(partNamed("radio-core")?.inside.length).to.equal(6);
    expect(partNamed("module-6")?.inside).to.deep.equal(["station-2"]);
    const { inside, formerly, state, maker } = partNamed("module-2") ?? {};
    expect([inside, formerly, state, maker]).to.deep.equal([[], ["station-2"], "decommissioned", "Modulo Radio"]);
    expect(parts.flatMap(({ name, claims }) => claims.map((by) => [name, by])).sort()).to.deep.equal([
      ["module-4", "Greymark Trading"],
      ["station-5", "Greymark Trading"],
    ]);
  });

  it("leaves the history as EPCIS", () => {
    const { type, epcisBody } = JSON.parse(evidence.get("roof.epcis.json") ?? "{}");
    expect([type, epcisBody.eventList.length]).to.deep.equal(["EPCISDocument", 74]);
  });

  it("shows the picture, the claims in red, what was taken out in grey", () => {
    const page = new DOMParser().parseFromString(renderPage(report), "text/html");
    const picture = page.querySelector('svg[aria-label="20 parts of roof"]');
    const number = (selector: string) => picture?.querySelectorAll(selector).length;
    expect(["rect.there", "rect.gone", "rect.refused", "path.there", "path.gone"].map(number)).to.deep.equal([
      18, 2, 2, 28, 1,
    ]);
    expect(picture?.textContent).to.contain("by Greymark Trading").and.to.contain("by Nordwind Instruments");
    expect(overlapping(rectanglesOf(renderPage(report)))).to.deep.equal([]);
    expect(page.querySelector(".verdict")?.textContent).to.contain("2 counterfeit claims were refused");
    expect(renderPage(passed)).not.to.contain("What it is made of");
  });

  it("stops where a contract or the parts say no, and says why", async () => {
    for (const [found, by, step, message] of [
      ["to: [silica] }", "to: [modulo] }", "Silica makes chips of both", /ProvenanceUnlicensed/],
      ["to: modulo }", "to: rooftop }", "A chip goes into each module", /ProvenanceNotCustodian/],
      ["part: module-2, by: module-6", "part: module-6, by: module-2", "A broken module is replaced", /is in nothing/],
      ["limit: 5", "limit: 4", "Say which part is which device", /4 devices for 5 parts/],
      ["count: 6\n    designs", "count: 7\n    designs", undefined, /^$/],
    ] as const) {
      const { failure } = await run(found, by);
      expect(failure?.step, by).to.equal(step);
      expect(failure?.message ?? "").to.match(message);
    }
  });

  for (const [what, found, by, problem] of [
    ["a part that isn't there", "part: roof }", "part: house }", /no part house yet, expected one of radio-core, /],
    ["a number that isn't there", "parts: module-6,", "parts: module-7,", /no part module-7 yet/],
    ["a part used too early", "designs: [radio-core, secure-element], to", "designs: [chip], to", /no part chip yet/],
    ["parts made twice", "parts: secure-element\n", "parts: radio-core\n", /radio-core are commissioned twice/],
    ["a name with a number", "parts: module\n", "parts: module-1\n", /without a number at its end/],
    ["an EPC that is none", "SOC7.{n}", "soc7.{n}", /steps\.5\.epc: expected an EPC URI in which \{n\}/],
    ["one EPC for many", "SOC7.{n}", "SOC7.1", /one EPC for many parts/],
    ["a maker that is none", "by: silica", "by: rooftop", /rooftop is of kind installer, expected issuer/],
    ["a receiver that isn't there", "to: modulo }", "to: nobody }", /no actor nobody/],
    ["a fleet that isn't there", "fleet: stations }", "fleet: boats }", /no fleet boats/],
    ["a tracer that is no third party", "by: auditor, part", "by: greymark, part", /issuer, expected verifier/],
    [
      "a counterfeiter that is no issuer",
      "by: greymark, parts: m",
      "by: gateway, parts: m",
      /gateway, expected issuer/,
    ],
  ] as const) {
    it(`names ${what}`, async () => {
      const text = await changed(found, by);
      try {
        parseScenario(text, "s.yaml");
        expect.fail("nothing was wrong");
      } catch (error) {
        if (!(error instanceof ScenarioError)) throw error;
        expect(error.problems.join("\n")).to.match(problem);
      }
    });
  }
});

describe("the picture of parts", () => {
  const part = (name: string, rank: string, change: Partial<ReportPart> = {}): ReportPart => ({
    ...{ name, rank, serial: `urn:${name}`, state: "active", maker: "Maker", custodian: "Holder" },
    ...{ inside: [], formerly: [], claims: [], handOvers: 0 },
    ...change,
  });
  const draw = (of: string, parts: readonly ReportPart[]) => renderPage({ ...passed, provenance: { of, parts } });

  it("keeps boxes apart, whatever the tree", () => {
    const claims = ["A", "B", "C"];
    const chips = [1, 2, 3].map((k) =>
      part(`chip-${k}`, "chip", { inside: ["module-1"], claims: k === 2 ? claims : [] }),
    );
    const designs = Array.from({ length: 9 }, (_, k) => part(`ip-${k}`, "ip-block", { inside: ["chip-2"] }));
    const module = part("module-1", "module", { inside: ["device"], claims: ["A"] });
    const page = draw("device", [part("device", "device", { claims }), module, ...chips, ...designs]);
    const boxes = rectanglesOf(page);
    expect([boxes.length, overlapping(boxes)]).to.deep.equal([14 + 7, []]);
  });

  it("shows a dozen of many, the disputed first, and how many more there are", () => {
    const many = Array.from({ length: 40 }, (_, k) =>
      part(`station-${k}`, "device", { inside: ["site"], claims: k === 39 ? ["Grey"] : [] }),
    );
    const page = draw("site", [part("site", "installation"), ...many]);
    expect(page).to.contain("and 28 more").and.to.contain("by Grey");
    expect(overlapping(rectanglesOf(page))).to.deep.equal([]);
  });

  it("escapes what parts and makers are called, and survives parts that make no sense", () => {
    const hostile = `</svg><script>alert("1")</script>`;
    const odd = part(hostile, hostile, { inside: [hostile], formerly: [hostile], claims: [hostile], maker: hostile });
    const page = draw(hostile, [odd, part("b", "chip", { inside: [hostile] })]);
    expect(page).not.to.contain("<script>");
    expect(draw("nothing", [])).to.contain("0 parts of nothing");
  });
});

type Box = readonly [x: number, y: number, width: number, height: number];

/** The boxes of the picture. */
function rectanglesOf(page: string): Box[] {
  const rects = new DOMParser().parseFromString(page, "text/html").querySelectorAll("rect.part");
  return [...rects].map((rect): Box => {
    const at = (name: string) => Number(rect.getAttribute(name));
    return [at("x"), at("y"), at("width"), at("height")];
  });
}

function overlapping(boxes: readonly Box[]): (readonly [Box, Box])[] {
  const meet = (a: Box, b: Box) => a[0] < b[0] + b[2] && b[0] < a[0] + a[2] && a[1] < b[1] + b[3] && b[1] < a[1] + a[3];
  return boxes.flatMap((a, k) => boxes.slice(k + 1).flatMap((b) => (meet(a, b) ? [[a, b] as const] : [])));
}
