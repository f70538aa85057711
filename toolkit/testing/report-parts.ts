import type { ReportAnalysis, ReportVerification } from "./report.js";
import { paymentChart } from "./report-charts.js";
import { count, formatItc, formatNumber, formatWindow } from "./report-format.js";
import { html, type Markup } from "./report-html.js";
import { table } from "./report-table.js";

const TOP_OWNERS = 5;
const LONG_RESULT = 24;

const PROOF_PATH: readonly (readonly [string, string])[] = [
  ["The device is known", "Its maker enrolled a lot under one Merkle root; a proof shows that this key is in the lot."],
  ["The device said it", "Its own key signed the value, the time and a sequence number. Nobody else can make that up."],
  [
    "The reading is in its batch",
    "A gateway hashed many readings into a Merkle tree; a few sibling hashes lead to the root.",
  ],
  [
    "The batch is in the log",
    "The root is one entry of an append-only Merkle Mountain Range; more hashes lead to a peak.",
  ],
  [
    "The log is on chain",
    "The contract keeps the peaks. They match, so the reading is as it was when it was anchored.",
  ],
];

/** One analysis: what was asked, what came out, and how the reward was shared. */
export function analysisCard(analysis: ReportAnalysis, index: number): Markup {
  const facts: readonly (readonly [string, string])[] = [
    ["Purpose", analysis.purpose],
    ["Window", formatWindow(analysis.from, analysis.to)],
    ["Cohort", `${count(analysis.devices, "device")}, at least ${formatNumber(analysis.cohort)} asked for`],
    ["Readings", formatNumber(analysis.readings)],
    [
      "Reward",
      `${formatItc(analysis.reward)} ITC${analysis.owners > 0 ? ` among ${count(analysis.owners, "owner")}` : ""}`,
    ],
  ];
  return html`<article class="card">
    <p class="eyebrow">${analysis.company} asked</p>
    <h3>${analysis.name}</h3>
    ${resultLine(analysis, ` · ${analysis.operation}`)}
    <dl class="facts">
      ${facts.map(
        ([term, value]) =>
          html`<dt>${term}</dt>
            <dd>${value}</dd>`,
      )}
    </dl>
    ${analysis.payments.length > 0 && payments(analysis)}
    <p class="more"><a href="analyses.html#${requestAnchor(index)}">In full, with error bars</a></p>
  </article>`;
}

/** Where the page of analyses has a request. */
export function requestAnchor(index: number): string {
  return `request-${index + 1}`;
}

/** The result with its unit and error; a list of bins is set smaller. Without one, how far the request has come. */
export function resultLine({ result, outcome, unit, error, state }: ReportAnalysis, after = ""): Markup {
  if (outcome === undefined) return html`<p class="result">No result <small>${state}${after}</small></p>`;
  const size = result.length > LONG_RESULT ? "result long" : "result";
  return html`<p class="${size}">${result} <small>${unit}${error && html` ${error}`}${after}</small></p>`;
}

function payments({ name, payments }: ReportAnalysis): Markup {
  const top = [...payments].sort((a, b) => Number(b.itc) - Number(a.itc)).slice(0, TOP_OWNERS);
  const rows = top.map(({ owner, devices, readings, itc }) => [
    owner,
    formatNumber(devices),
    formatNumber(readings),
    formatItc(itc),
  ]);
  const caption = `ITC paid to each of ${count(payments.length, "owner")}, best paid first`;
  return html`<figure>
      <figcaption>${caption}</figcaption>
      ${paymentChart(payments)}
    </figure>
    ${table(`Best-paid owners of ${name}`, ["Owner", "Devices#", "Readings#", "ITC#"], rows)}`;
}

/** The way from a reading to the chain, and what one real check found on it. */
export function proofPath({ bundleBytes, example }: ReportVerification): Markup {
  const steps = PROOF_PATH.map(([what, why]) => html`<li><strong>${what}</strong><span>${why}</span></li>`);
  const { min, mean, max } = bundleBytes;
  return html`<div class="pair">
    <ol class="path">
      ${steps}
    </ol>
    <div class="card">
      <h3>One check, as it went</h3>
      <ol class="found">
        ${example.map((line) => html`<li>${line}</li>`)}
      </ol>
      <p class="quiet">
        The evidence for one reading takes ${formatNumber(mean, 0)} bytes (${formatNumber(min)} to
        ${formatNumber(max)}).
      </p>
    </div>
  </div>`;
}
