import { join } from "node:path";
import type { Report } from "./report.js";
import { failureMessage, formatDuration, formatItc, formatNumber, verdictSentence } from "./report-format.js";

const WIDTH = 100;
const NAME_WIDTH = 40;

/** What a person reads when a run ends: verdict, figures, gas, invariants and where the report lies; ≤ 100 columns. */
export function summarise(report: Report, folder: string): string {
  const blocks = [
    headline(report),
    figures(report),
    gas(report),
    invariants(report),
    // A path is never cut: people copy it.
    [`Report  ${join(folder, "index.html")}`],
  ];
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`;
}

function headline(report: Report): string[] {
  const mark = report.verdict === "passed" ? "✓ PASSED" : "✗ FAILED";
  const { failure } = report;
  const why = failure === undefined ? [] : wrap(oneLine(`${failure.code}: ${failureMessage(failure)}`));
  return [cut(`${mark}  ${oneLine(report.title)}`), ...wrap(oneLine(verdictSentence(report))), ...why];
}

function figures({ totals, chain, times }: Report): string[] {
  const pairs: readonly (readonly [string, string])[] = [
    ["Devices", formatNumber(totals.devices)],
    ["Transactions", formatNumber(totals.transactions)],
    ["Readings", formatNumber(totals.readings)],
    ["Gas used", formatNumber(totals.gasUsed)],
    ["Batches", formatNumber(totals.batches)],
    ["Blocks", formatNumber(chain.blocks)],
    ["ITC to owners", formatItc(totals.itcPaid)],
    ["Time", formatDuration(times.ms)],
  ];
  const cells = pairs.map(([term, value]) => `${term.padEnd(14)}${value.padStart(16)}`);
  return cells.flatMap((cell, at) => (at % 2 === 0 ? [`  ${cell}      ${cells[at + 1] ?? ""}`] : []));
}

function gas({ operations }: Report): string[] {
  if (operations.length === 0) return [];
  const row = (name: string, cells: readonly string[]): string =>
    `  ${cell(name, NAME_WIDTH)}${cells.map((figure, at) => figure.padStart(at === 1 ? 16 : 10)).join("")}`;
  const rows = [...operations]
    .sort((a, b) => b.gasUsed - a.gasUsed)
    .map(({ name, transactions, gasUsed, min, mean, max }) =>
      row(
        name,
        [transactions, gasUsed, min, mean, max].map((value) => formatNumber(value, 0)),
      ),
    );
  return [row("Gas by operation", ["txs", "gas", "min", "mean", "max"]), ...rows];
}

function invariants({ invariants }: Report): string[] {
  if (invariants.length === 0) return [];
  const rows = invariants.flatMap(({ name, checked, holds, firstFailure }) => [
    `  ${cell(name, NAME_WIDTH)}${formatNumber(checked).padStart(10)}   ${holds ? "✓ holds" : "✗ broken"}`,
    ...(firstFailure === undefined ? [] : [cut(`    ${oneLine(firstFailure)}`)]),
  ]);
  return [`  ${"Invariants".padEnd(NAME_WIDTH)}${"checks".padStart(10)}`, ...rows];
}

function oneLine(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, " ");
}

function cut(text: string, width = WIDTH): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

function cell(text: string, width: number): string {
  return cut(oneLine(text), width - 1).padEnd(width);
}

function wrap(text: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ").map((long) => cut(long))) {
    if (line !== "" && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
