import type { WithheldFor } from "../analytics/build-result.js";
import type { Report, ReportAnalysis, ReportMembers, ReportPayment } from "./report.js";
import { paymentChart } from "./report-charts.js";
import { count, formatFigure, formatInstant, formatItc, formatNumber, formatSpan, sumItc } from "./report-format.js";
import { type Content, html, type Markup } from "./report-html.js";
import { requestAnchor, resultLine } from "./report-parts.js";
import { figureRows, resultChart, weightChart } from "./report-results.js";
import { foot, pageOf } from "./report-shell.js";
import { table } from "./report-table.js";

const TOP_OWNERS = 8;
/** More owners than that are in report.json alone. */
const ALL_OWNERS = 2_000;

const STATES: Readonly<Record<ReportAnalysis["state"], string>> = {
  open: "Open: no result is proposed",
  proposed: "Proposed: it can be challenged",
  final: "Final",
  rolled: "Final, and in a payout root that can be challenged",
  published: "Final, and payouts are open",
  cancelled: "Cancelled: the company has its escrow back",
};
const OPERATIONS: Readonly<Record<string, string>> = {
  count: "Count",
  sum: "Sum",
  mean: "Mean",
  "min-max": "Least and greatest value",
  histogram: "Histogram",
  distinct: "Number of distinct values",
  membership: "Which values were seen",
  regression: "Line by least squares",
};
const SETTLEMENTS = {
  direct: "Direct: claimed with a leaf of the result’s own tree",
  rolled: "Rolled: claimed from a pool, many results at once",
  pushed: "Pushed: a list is paid at once",
} as const;
const WEIGHTINGS = { readings: "By readings", devices: "Each device alike" } as const;
const CARRIES = { direct: "to the company", rolled: "to the next roll", pushed: "to the company" } as const;
const REASONS: Readonly<Record<WithheldFor, string>> = {
  ineligible: "may not contribute now (state, assurance, region or attestation)",
  equivocation: "contradicted itself",
  budget: "its owner’s budget allows no exact partial, or not so large an ε",
  spent: "spent the same budget twice",
  attested: "its word is against the rules",
  "proof-size": "too many readings to be proved, and it said nothing itself",
  changed: "its keys or state have changed since",
  "no-partial": "no reading in the window, and no word of its own",
};

/** Each request in full, on a page beside the report's: what was asked of whom, what came out with its error bars, and who got what. */
export function renderAnalyses(report: Report): string {
  const { analyses, title } = report;
  const rows = analyses.map((analysis, index) => [
    html`<a href="#${requestAnchor(index)}">${analysis.name}</a>`,
    analysis.company,
    analysis.operation,
    formatItc(analysis.reward),
    STATES[analysis.state],
  ]);
  const head = html`<header>
    <p class="eyebrow"><a href="index.html">Report</a> · ${report.scenario}</p>
    <h1>Analyses in full</h1>
    <p class="lead">${title}: ${count(analyses.length, "request")}, each with its cohort, its result and its error bars, and who got what.</p>
    ${table("Requests", ["Request", "Asked by", "What", "Reward, ITC#", "State"], rows, [], analyses.length)}
  </header>`;
  return pageOf(`Analyses · ${title}`, head, html`${analyses.map(requestSection)}`, foot(report));
}

function requestSection(analysis: ReportAnalysis, index: number): Markup {
  return html`<section id="${requestAnchor(index)}">
    <h2>${analysis.name}</h2>
    <p class="quiet">${analysis.company} asked for the ${analysis.operation}. ${STATES[analysis.state]}.</p>
    <div class="pair">
      <div class="stack">${requestPart(analysis)}${membersPart(analysis)}</div>
      <div class="stack">${resultPart(analysis)}${payPart(analysis)}</div>
    </div>
  </section>`;
}

function requestPart(analysis: ReportAnalysis): Markup {
  const { request, reward, from, to, cohort } = analysis;
  const { unit, quantity } = request;
  const itc = (amount: string) => `${formatItc(amount, 18)} ITC`;
  return html`<article class="card">
    <h3>The request</h3>
    ${facts([
      ["Asked by", analysis.company],
      ["Purpose", analysis.purpose],
      ["Operation", OPERATIONS[request.operation] ?? request.operation],
      ["Of", `${quantity}, in ${unit}`],
      ["Window", `${formatInstant(from).replace(/ UTC$/, "")} to ${formatInstant(to)}`],
      ["Devices", request.filter.length === 0 ? "any" : request.filter.join(", ")],
      ["Bounds", boundWords(analysis)],
      ["Size", sizeWords(analysis)],
      ["Cap", `${count(request.cap, "reading")} a device`],
      ["Least cohort", count(cohort, "device")],
      [
        "Privacy",
        request.epsilon === "0" ? "none asked for: partials are exact" : `ε ${request.epsilon} for each device`,
      ],
      ["Reward", itc(reward)],
      ["Fee", itc(request.fee)],
      ["Bond", itc(request.bond)],
      ["Weights", WEIGHTINGS[request.weighting]],
      ["Payout", SETTLEMENTS[request.settlement]],
      ["Asked at", formatInstant(request.requestedAt)],
      ["Deadline", formatInstant(request.deadline)],
      ["Challenges", `for ${formatSpan(request.challengeWindow)} after a proposal`],
      ["State", STATES[analysis.state]],
      ["Id", html`<code>${request.id}</code>`],
    ])}
  </article>`;
}

function membersPart({ members, owners, readings, cohort }: ReportAnalysis): Markup {
  if (members === undefined) {
    return html`<article class="card">
      <h3>The cohort</h3>
      <p>Nobody has counted one. At least ${count(cohort, "device")} must contribute, or nothing is published and the company has its escrow back.</p>
    </article>`;
  }
  const { all, eligible, proved, attested, withheld, reasons } = members;
  const why = reasons.map(({ why: reason, devices }) => `${formatNumber(devices)}: ${REASONS[reason]}`);
  return html`<article class="card">
    <h3>The cohort</h3>
    ${facts([
      ["Agreed", `${count(all, "device")}, by their owners’ consent at the time of the request`],
      ["Eligible", eligible !== undefined && count(eligible, "device")],
      ["Counted", `${formatNumber(proved + attested)}, of at least ${formatNumber(cohort)}`],
      ["Proved", `${formatNumber(proved)}: their readings are anchored, anyone can check them`],
      ["Attested", `${formatNumber(attested)}: on the device’s signed word`],
      ["Withheld", html`${formatNumber(withheld)}${why.map((line) => html`<br /><span class="quiet">${line}</span>`)}`],
      ["Owners", formatNumber(owners)],
      ["Readings", formatNumber(readings)],
    ])}
    ${weightFigure(members)}
  </article>`;
}

/** One weight for all needs no picture. */
function weightFigure(members: ReportMembers): Markup {
  const [only, other] = members.weights;
  if (only === undefined || other === undefined) {
    const words = only && `Each of ${count(only.devices, "device")} weighs ${formatItc(only.weight)}.`;
    return html`${words !== undefined && html`<p class="quiet">${words}</p>`}`;
  }
  return html`<figure>
    <figcaption><strong>Weights</strong>how many devices have which; heights grow with the square root</figcaption>
    ${weightChart(members)}
  </figure>`;
}

function resultPart(analysis: ReportAnalysis): Markup {
  const { outcome, request } = analysis;
  if (outcome === undefined) {
    return html`<article class="card">
      <h3>The result</h3>
      <p>There is none. ${STATES[analysis.state]}.</p>
    </article>`;
  }
  const columns = ["Figure", "Value#", "± 1 SD#", "± 2 SD#", "Unit"];
  const isHistogram = outcome.figures[0]?.what === "bin";
  const isLine = outcome.figures[0]?.what === "slope";
  const unit = isHistogram ? `readings by ${request.quantity}, ${request.unit}` : isLine ? request.unit : analysis.unit;
  const bars =
    outcome.chance === "none" ? "exact, so without error bars" : "thick bar: one standard deviation, thin: two";
  const chart = resultChart(analysis);
  return html`<article class="card">
    <h3>The result</h3>
    ${!isHistogram && resultLine(analysis)}
    ${
      chart !== undefined &&
      html`<figure>
        <figcaption>${unit}; ${bars}</figcaption>
        ${chart}
      </figure>`
    }
    <ul class="notes">
      ${outcome.notes.map((note) => html`<li>${note}</li>`)}
    </ul>
    <details>
      <summary>As a table</summary>
      ${table(`Figures of ${analysis.name}`, columns, figureRows(outcome.figures), [], outcome.figures.length)}
    </details>
  </article>`;
}

function payPart({ name, state, payments, pay, reward, request, members }: ReportAnalysis): Markup {
  if (members === undefined) {
    return html`<article class="card">
      <h3>Who got what</h3>
      <p>Nobody has got anything: ${formatItc(reward, 18)} ITC of reward and ${formatItc(pay.fee, 18)} ITC of fee were put in escrow.</p>
    </article>`;
  }
  const sorted = [...payments].sort((a, b) => Number(b.itc) - Number(a.itc));
  const rest = sorted.slice(TOP_OWNERS);
  const rows = [
    ...sorted.slice(0, TOP_OWNERS).map((payment) => payRow(payment, true)),
    ...(rest.length > 0 ? [restRow(rest)] : []),
  ];
  const columns = ["Owner", "Devices#", "Readings#", "Weight#", "ITC#"];
  return html`<article class="card">
    <h3>Who got what</h3>
    ${state === "proposed" && html`<p class="quiet">If the result stands; until it is final, nobody has got it.</p>`}
    ${facts([
      ["Owners", `${formatItc(pay.owners, 18)} ITC, ${count(payments.length, "owner")}`],
      ["Carry", `${formatItc(pay.carry, 18)} ITC that rounding leaves, ${CARRIES[request.settlement]}`],
      ["Reward", `${formatItc(reward, 18)} ITC, the sum of both`],
      [
        "Fee",
        `${formatItc(pay.fee, 18)} ITC${pay.proposer === undefined ? "" : `, to ${pay.proposer} for the result`}`,
      ],
    ])}
    ${
      new Set(payments.map(({ itc }) => itc)).size > 1 &&
      html`<figure>
        <figcaption>ITC of each of ${count(payments.length, "owner")}, the most first</figcaption>
        ${paymentChart(payments)}
      </figure>`
    }
    ${table(`Best-paid owners of ${name}`, columns, rows)}
    ${
      rest.length > 0 &&
      html`<details>
        <summary>All ${count(payments.length, "owner")}</summary>
        ${table(
          `All owners of ${name}`,
          columns,
          sorted.map((payment) => payRow(payment, false)),
          [],
          ALL_OWNERS,
        )}
      </details>`
    }
  </article>`;
}

function payRow({ owner, devices, readings, weight, itc }: ReportPayment, isShort: boolean): Content[] {
  return [
    isShort ? html`<code class="name">${shortOwner(owner)}</code>` : html`<code>${owner}</code>`,
    formatNumber(devices),
    formatNumber(readings),
    formatItc(weight),
    formatItc(itc, isShort ? 2 : 4),
  ];
}

/** An address by its ends; other names in full. */
function shortOwner(owner: string): string {
  return /^0x[0-9a-f]{40}$/i.test(owner) ? `${owner.slice(0, 8)}…${owner.slice(-6)}` : owner;
}

function restRow(rest: readonly ReportPayment[]): Content[] {
  const sum = (part: (payment: ReportPayment) => number) => rest.reduce((all, payment) => all + part(payment), 0);
  const weight = rest.reduce((all, payment) => all + BigInt(payment.weight), 0n);
  return [
    `${count(rest.length, "other")}, together`,
    formatNumber(sum(({ devices }) => devices)),
    formatNumber(sum(({ readings }) => readings)),
    formatItc(String(weight)),
    formatItc(sumItc(rest.map(({ itc }) => itc)), 2),
  ];
}

/** Terms with what they are; without those that are not. */
function facts(rows: readonly (readonly [term: string, value: Content])[]): Markup {
  const shown = rows.filter(([, value]) => value !== undefined && value !== false);
  return html`<dl class="facts">
    ${shown.map(
      ([term, value]) =>
        html`<dt>${term}</dt>
          <dd>${value}</dd>`,
    )}
  </dl>`;
}

function boundWords({ request: { lower, upper, unit } }: ReportAnalysis): string | undefined {
  if (lower === undefined && upper === undefined) return undefined;
  const side = (bound: string | undefined) => (bound === undefined ? "any" : `${formatFigure(bound)} ${unit}`);
  return `${side(lower)} to ${side(upper)}; values beyond count as these`;
}

function sizeWords({ request: { operation, size, hashes } }: ReportAnalysis): string | undefined {
  if (operation === "histogram") return count(size, "bin");
  if (operation === "distinct") return count(2 ** size, "register");
  return operation === "membership" ? `${count(2 ** size, "bit")}, ${formatNumber(hashes)} for a value` : undefined;
}
