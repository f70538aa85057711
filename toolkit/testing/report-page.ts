import type { Report, ReportStation } from "./report.js";
import { carbonTables } from "./report-carbon.js";
import { challengesTable } from "./report-challenges.js";
import { seriesChart, stationMap } from "./report-charts.js";
import { moneyFlow } from "./report-flow.js";
import {
  count,
  failureMessage,
  formatDuration,
  formatItc,
  formatItcChange,
  formatNumber,
  formatShort,
  formatWindow,
  verdictSentence,
} from "./report-format.js";
import { type Content, html, type Markup } from "./report-html.js";
import { analysisCard, proofPath } from "./report-parts.js";
import { partTree } from "./report-provenance.js";
import { foot, pageOf } from "./report-shell.js";
import { meter, table } from "./report-table.js";

/** The report as one HTML page that opens from disk and loads nothing. */
export function renderPage(report: Report): string {
  const sections = [
    dataSection(report),
    analysesSection(report),
    challengesSection(report),
    provenanceSection(report),
    carbonSection(report),
    moneySection(report),
    stepsSection(report),
    gasSection(report),
    invariantsSection(report),
    verificationSection(report),
  ];
  return pageOf(`${report.title} · ${report.verdict}`, headline(report), html`${sections}`, foot(report));
}

function headline(report: Report): Markup {
  const { totals, failure } = report;
  const figures: readonly (readonly [string, string])[] = [
    ["Devices", formatNumber(totals.devices)],
    ["Readings", formatNumber(totals.readings)],
    ["Batches on chain", formatNumber(totals.batches)],
    ["Transactions", formatNumber(totals.transactions)],
    ["Gas used", formatShort(totals.gasUsed)],
    ["ITC paid to owners", formatItc(totals.itcPaid, 2)],
  ];
  return html`<header>
    <p class="eyebrow">iotchain replay · ${report.scenario}</p>
    <h1>${report.title}</h1>
    <p class="lead">${report.description}</p>
    <p class="verdict ${report.verdict}">
      <strong>${report.verdict === "passed" ? "✓ Passed" : "✗ Failed"}</strong><span>${verdictSentence(report)}</span>
    </p>
    ${
      failure !== undefined &&
      html`<section class="failure">
        <h2>Why it failed</h2>
        <p>${failureMessage(failure)}</p>
        <p class="quiet">Step “${failure.step}”, code <code>${failure.code}</code></p>
      </section>`
    }
    <dl class="figures">
      ${figures.map(
        ([term, value]) =>
          html`<div>
            <dt>${term}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>
  </header>`;
}

function section(title: string, intro: string, body: Content): Markup {
  return html`<section>
    <h2>${title}</h2>
    <p class="quiet">${intro}</p>
    ${body}
  </section>`;
}

/** As many charts as the map is high. */
const BESIDE_MAP = 2;

function dataSection({ data }: Report): Markup | undefined {
  if (data.sources.length === 0 && data.stations.length === 0 && data.series.length === 0) return undefined;
  const sources = table(
    "Sources of the data",
    ["Source", "File and licence", "Devices#", "Readings#", "Window#"],
    data.sources.map((source) => [
      html`${source.name}<br /><span class="quiet">${source.what}, ${source.unit}</span>`,
      html`<code>${source.file}</code><br /><span class="quiet">${source.licence}</span>`,
      formatNumber(source.devices),
      formatNumber(source.readings),
      formatWindow(source.from, source.to),
    ]),
  );
  const charts = data.series.map(
    (series) =>
      html`<figure>
        <figcaption><strong>${series.name}</strong>daily means, ${series.unit}</figcaption>
        ${seriesChart(series)}
      </figure>`,
  );
  const map = largestMap(data.stations);
  return section(
    "The data",
    "Recorded or simulated values, as each source says, replayed by devices that each sign with a key of their own.",
    html`${map !== undefined && html`<div class="pair">${map}<div class="stack">${charts.slice(0, BESIDE_MAP)}</div></div>`}
      <div class="cards">${map === undefined ? charts : charts.slice(BESIDE_MAP)}</div>
      ${sources}`,
  );
}

/** One map can't show two continents, so it shows the source with the most stations. */
function largestMap(stations: readonly ReportStation[]): Markup | undefined {
  const groups = new Map<string, ReportStation[]>();
  for (const station of stations) {
    const group = groups.get(station.source);
    if (group === undefined) groups.set(station.source, [station]);
    else group.push(station);
  }
  const [largest] = [...groups.entries()].sort((a, b) => b[1].length - a[1].length);
  if (largest === undefined) return undefined;
  const [source, members] = largest;
  return html`<figure>
    <figcaption><strong>${source}</strong>${count(members.length, "station")}, one dot each</figcaption>
    ${stationMap(members)}
  </figure>`;
}

function analysesSection({ analyses }: Report): Markup | undefined {
  if (analyses.length === 0) return undefined;
  return section(
    "What companies learned",
    "A company puts a reward in escrow and learns one figure over many devices; the owners who agreed share it.",
    html`<p><a href="analyses.html">Each request in full</a>: its terms, its cohort, the result with its error bars, and who got what.</p>
      <div class="cards">${analyses.map(analysisCard)}</div>`,
  );
}

function challengesSection(report: Report): Markup | undefined {
  const body = challengesTable(report);
  const intro =
    "Proposed results that said what isn’t so, or were questioned: who showed it, what that took, and what became of the bond.";
  return body && section("Who lied, and who showed it", intro, body);
}

function provenanceSection({ provenance }: Report): Markup | undefined {
  if (provenance === undefined) return undefined;
  const { of, parts } = provenance;
  const claims = parts.flatMap(({ name, serial, maker, claims }) =>
    claims.map((by) => [
      html`${name}<br /><span class="quiet">made by ${maker}</span>`,
      html`<code>${serial}</code>`,
      by,
    ]),
  );
  const words =
    claims.length === 0 ? "" : ` Refused, and in red: ${count(claims.length, "claim")} of serials that are taken.`;
  return section(
    "What it is made of",
    `${count(parts.length, "part")} in ${of} or once in it, traced to their makers by a third party from the chain alone.${words}`,
    html`<div class="scroll" role="region" aria-label="Parts" tabindex="0">${partTree(provenance)}</div>
      ${table("Refused claims", ["Part", "Serial", "Claimed by"], claims)}`,
  );
}

function carbonSection({ carbon }: Report): Markup | undefined {
  if (carbon === undefined) return undefined;
  const refused =
    carbon.refusals.length === 0 ? "" : ` Refused, and in red: ${count(carbon.refusals.length, "attempt")}.`;
  const intro = `A credit is a gram of CO2e that metered energy has avoided, in a verifier’s word; each period gives its credits once.${refused}`;
  return section("What the meters’ energy became", intro, carbonTables(carbon));
}

function moneySection({ money }: Report): Markup | undefined {
  if (money.length === 0) return undefined;
  const rows = money.map(({ from, to, itc, what }) => [from, to, formatItc(itc), what]);
  return section(
    "Who paid whom",
    "ITC that changed hands. A band’s width grows with the square root of its amount.",
    html`<div class="scroll" role="region" aria-label="Money flow" tabindex="0">${moneyFlow(money)}</div>
      ${table("Payments", ["From", "To", "ITC#", "What for"], rows)}`,
  );
}

function stepsSection({ steps, failure }: Report): Markup | undefined {
  if (steps.length === 0) return undefined;
  const most = Math.max(...steps.map(({ gasUsed }) => gasUsed));
  const rows = steps.map((step) => [
    html`${step.name}<br /><span class="quiet">${step.do}</span>`,
    step.note,
    html`${formatNumber(step.gasUsed)}${meter(step.gasUsed, most)}`,
    formatNumber(step.transactions),
    formatDuration(step.ms),
  ]);
  const broken = steps.map(({ name }) => name === failure?.step);
  return section(
    "Step by step",
    `${count(steps.length, "step")}, in the order they ran.`,
    table("Steps", ["Step", "What came of it", "Gas#", "Transactions#", "Time#"], rows, broken),
  );
}

function gasSection({ operations, actors }: Report): Markup | undefined {
  if (operations.length === 0 && actors.length === 0) return undefined;
  const gas = formatNumber;
  const most = Math.max(...operations.map(({ gasUsed }) => gasUsed));
  const mostByActor = Math.max(...actors.map(({ gasUsed }) => gasUsed));
  const byOperation = [...operations]
    .sort((a, b) => b.gasUsed - a.gasUsed)
    .map((operation) => [
      html`<code>${operation.name}</code>`,
      gas(operation.transactions),
      html`${gas(operation.gasUsed)}${meter(operation.gasUsed, most)}`,
      gas(operation.min),
      gas(operation.mean, 0),
      gas(operation.max),
    ]);
  const byActor = actors.map((actor) => [
    html`${actor.name}<br /><span class="quiet">${actor.kind}, ${count(actor.accounts, "account")}</span>`,
    gas(actor.transactions),
    html`${gas(actor.gasUsed)}${meter(actor.gasUsed, mostByActor)}`,
    formatItc(actor.itcBefore),
    formatItc(actor.itcAfter),
    formatItcChange(actor.itcBefore, actor.itcAfter),
  ]);
  const operationColumns = ["Operation", "Transactions#", "Gas in all#", "Least#", "Mean#", "Most#"];
  const actorColumns = ["Actor", "Transactions#", "Gas#", "ITC before#", "ITC after#", "Change#"];
  return section(
    "What it cost",
    "Gas by kind of transaction, and by who sent it.",
    html`${table("Gas by operation", operationColumns, byOperation)}${table("Actors", actorColumns, byActor)}`,
  );
}

function invariantsSection({ invariants }: Report): Markup | undefined {
  if (invariants.length === 0) return undefined;
  const rows = invariants.map(({ name, description, checked, holds, firstFailure }) => [
    name,
    html`${description}${firstFailure !== undefined && html`<br /><span class="bad">${firstFailure}</span>`}`,
    formatNumber(checked),
    holds ? html`<span class="good">✓ holds</span>` : html`<strong class="bad">✗ broken</strong>`,
  ]);
  return section(
    "What must always be true",
    "Checked after each step, against the chain.",
    table(
      "Invariants",
      ["Invariant", "It says", "Checks#", "State"],
      rows,
      invariants.map(({ holds }) => !holds),
    ),
  );
}

function verificationSection({ verification }: Report): Markup | undefined {
  if (verification.sampled === 0) return undefined;
  const { sampled, verified } = verification;
  return section(
    "How anyone can check a reading",
    `${formatNumber(verified)} of ${formatNumber(sampled)} sampled readings verified, by a third party who has the ` +
      "evidence and an RPC address only.",
    proofPath(verification),
  );
}
