import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { Progress } from "../../toolkit/testing/progress.js";
import { comparable, type Report, writeReport } from "../../toolkit/testing/report.js";
import { renderAnalyses } from "../../toolkit/testing/report-analyses.js";
import { renderPage } from "../../toolkit/testing/report-page.js";
import { summarise } from "../../toolkit/testing/summary.js";
import { empty, failed, hostile, parse, passed } from "./report-fixture.js";

describe("writeReport", () => {
  let folder: string;

  beforeEach(async () => {
    folder = join(await mkdtemp(join(tmpdir(), "report-")), "deep", "city-sensors");
  });

  afterEach(() => rm(join(folder, "..", ".."), { recursive: true }));

  it("leaves report.json and both pages and no draft", async () => {
    await writeReport(passed, folder);
    expect(await readdir(folder)).to.have.members(["analyses.html", "index.html", "report.json"]);
    expect(JSON.parse(await readFile(join(folder, "report.json"), "utf8"))).to.deep.equal(passed);
    expect(await readFile(join(folder, "index.html"), "utf8")).to.equal(renderPage(passed));
    expect(await readFile(join(folder, "analyses.html"), "utf8")).to.equal(renderAnalyses(passed));
  });

  it("replaces an earlier report", async () => {
    await writeReport(passed, folder);
    await writeReport(failed, folder);
    expect(await readFile(join(folder, "report.json"), "utf8")).to.contain('"verdict": "failed"');
  });

  it("gives a reader whole files while it writes", async () => {
    await writeReport(passed, folder);
    const writes = Promise.all(Array.from({ length: 5 }, () => writeReport(passed, folder)));
    for (let read = 0; read < 20; read++) {
      expect(JSON.parse(await readFile(join(folder, "report.json"), "utf8"))).to.deep.equal(passed);
    }
    await writes;
    expect(await readdir(folder)).to.have.members(["analyses.html", "index.html", "report.json"]);
  });

  it("leaves no page of analyses for a run without requests, not even an earlier run's", async () => {
    await writeReport(passed, folder);
    await writeReport(empty, folder);
    expect(await readdir(folder)).to.have.members(["index.html", "report.json"]);
  });
});

describe("comparable", () => {
  it("is the same for two runs that differ in times only", () => {
    const steps = passed.steps.map((step) => ({ ...step, ms: step.ms + 99 }));
    const later: Report = { ...passed, steps, times: { startedAt: "2030-01-01T00:00:00.000Z", ms: 1 } };
    expect(comparable(later)).to.equal(comparable(passed));
  });

  it("differs when anything else does", () => {
    expect(comparable({ ...passed, seed: 8 })).not.to.equal(comparable(passed));
  });
});

describe("the page", () => {
  it("loads nothing and says so in its policy", () => {
    const page = parse(renderPage(passed));
    expect(page.querySelectorAll("script, link, img, iframe, object, embed, [src], :not(a)[href]")).to.have.length(0);
    const links = [...page.querySelectorAll("a")].map((link) => link.getAttribute("href"));
    expect(links).to.deep.equal(["analyses.html", "analyses.html#request-1"]);
    expect(page.querySelector("meta[http-equiv]")?.getAttribute("content")).to.contain("default-src 'none'");
    expect(renderPage(passed)).not.to.match(/@import|url\(/);
  });

  it("is the same each time it is drawn", () => {
    expect(renderPage(passed)).to.equal(renderPage(passed));
  });

  it("shows the verdict, the figures, the map, the series, the money and each invariant", () => {
    const text = parse(renderPage(passed)).body.textContent;
    for (const words of [
      "✓ Passed",
      "9.88 M",
      "Northwind Energy",
      "7.4167",
      "ITC is conserved",
      "seed 7",
      "npm start",
    ]) {
      expect(text).to.contain(words);
    }
    const labels = [...parse(renderPage(passed)).querySelectorAll("[role=img]")].map((picture) =>
      picture.getAttribute("aria-label"),
    );
    expect(labels).to.deep.equal([
      "Map of 24 stations, 3 to 13 m/s",
      "Seattle, greatest temperature: daily means in °C, 60 days",
      "Pay of 3 owners in ITC, largest first: 600 down to 200",
      "Money flow between 4 parties",
    ]);
  });

  it("escapes every string", () => {
    const page = renderPage(hostile(failed));
    expect(page).to.contain("&lt;script&gt;");
    expect(page).not.to.contain("<script");
    expect(page).not.to.contain("<img");
    expect(page.match(/<\/style>/g)).to.have.length(renderPage(failed).match(/<\/style>/g)?.length ?? 0);
    expect(parse(page).querySelectorAll("[onerror]")).to.have.length(0);
  });

  it("puts the failure of a failed run first", () => {
    const page = parse(renderPage(failed));
    expect(page.querySelector("header .verdict")?.textContent).to.contain("✗ Failed");
    const failure = page.querySelector("header .failure")?.textContent;
    for (const words of ["Anchor readings", "ITC_ANCHOR_GAP", "Run itc log repair."]) expect(failure).to.contain(words);
    const broken = [...page.querySelectorAll("tr.broken")].map((row) => row.textContent);
    expect(broken[0]).to.contain("Anchor readings");
    expect(broken[1]).to.contain("The log had 3 entries, then 2.");
  });

  it("says a code that the message starts with only once", () => {
    const failure = { step: "Anchor", code: "ITC_ANCHOR_GAP", message: "ITC_ANCHOR_GAP: Entry 2 is missing." };
    const text = parse(renderPage({ ...failed, failure })).querySelector(".failure")?.textContent;
    expect(text?.match(/ITC_ANCHOR_GAP/g)).to.have.length(1);
  });

  it("cuts a long table but never a broken row", () => {
    const [step] = passed.steps;
    if (step === undefined) throw new Error("The fixture has a step.");
    const steps = Array.from({ length: 100 }, (_, index) => ({ ...step, name: `Step ${index}` }));
    const failure = { step: "Step 99", code: "ITC_X", message: "It stopped." };
    const text = parse(renderPage({ ...failed, steps, failure })).body.textContent;
    expect(text).to.contain("Step 59").and.contain("39 more rows in report.json").and.not.contain("Step 60");
    expect(parse(renderPage({ ...failed, steps, failure })).querySelector("tr.broken")?.textContent).to.contain(
      "Step 99",
    );
  });

  it("draws a run that did nothing", () => {
    expect(parse(renderPage(empty)).querySelectorAll("main section")).to.have.length(0);
  });

  it("draws one station, one owner, one day and payments in a circle", () => {
    const [series] = passed.data.series;
    const [analysis] = passed.analyses;
    if (series === undefined || analysis === undefined) throw new Error("The fixture has a series and an analysis.");
    const page = renderPage({
      ...passed,
      data: {
        sources: passed.data.sources,
        stations: passed.data.stations.slice(0, 1),
        series: [{ ...series, points: series.points.slice(0, 1) }],
      },
      analyses: [{ ...analysis, payments: analysis.payments.slice(0, 1) }],
      money: [...passed.money, { from: "Owners", to: "Treasury", itc: "1", what: "a gift back" }],
    });
    expect(page).not.to.match(/NaN|Infinity|undefined/);
  });
});

describe("summarise", () => {
  it("keeps to 100 columns and says where the report lies", () => {
    for (const report of [passed, failed, empty, hostile(failed)]) {
      const text = summarise(report, "reports/city-sensors");
      for (const line of text.split("\n")) expect(line.length, line).to.be.at.most(100);
      expect(text).to.contain("reports/city-sensors/index.html");
    }
  });

  it("tells the verdict, the gas and the invariants", () => {
    const text = summarise(passed, "out");
    for (const words of ["✓ PASSED", "9,876,543", "activate", "108,000", "Logs only grow", "✓ holds"]) {
      expect(text).to.contain(words);
    }
    expect(summarise(failed, "out")).to.contain("ITC_ANCHOR_GAP").and.contain("✗ broken");
  });
});

describe("Progress", () => {
  function capture(isTTY: boolean): { readonly stream: NodeJS.WriteStream; readonly text: () => string } {
    let text = "";
    const write = (part: string): boolean => {
      text += part;
      return true;
    };
    return { stream: { isTTY, columns: 100, write } as unknown as NodeJS.WriteStream, text: () => text };
  }

  it("writes one plain line a step where there is no terminal", () => {
    const { stream, text } = capture(false);
    const progress = new Progress(stream);
    progress.step("Anchor", 2, 6, 10);
    progress.tick(10);
    progress.done("10 readings");
    expect(text()).to.match(/^✓ \[2\/6\] Anchor +10 readings {2}\d+ ms\n$/);
  });

  it("redraws one line on a terminal", () => {
    const { stream, text } = capture(true);
    const progress = new Progress(stream);
    progress.step("Anchor", 1, 6);
    progress.fail("no gas");
    expect(text().match(/\n/g)).to.have.length(1);
    expect(text()).to.contain("\r\u001b[2K").and.contain("no gas");
  });
});
