import * as Plot from "@observablehq/plot";
import type { ReportAnalysis, ReportFigure, ReportMembers } from "./report.js";
import { draw } from "./report-charts.js";
import { decimal, formatFigure, formatInstant, formatNumber } from "./report-format.js";
import { html, type Markup } from "./report-html.js";
import { meter } from "./report-table.js";

/** Most bars of a chart of weights. */
const WEIGHT_BARS = 8;
/** One standard deviation is drawn thick, two are drawn thin. */
const BARS = [
  { times: 2, strokeWidth: 1.5 },
  { times: 1, strokeWidth: 5 },
] as const;
const LINE = { stroke: "var(--accent)" };
const ERROR = { stroke: "var(--error)", strokeLinecap: "butt" } as const;

interface Point {
  readonly value: number;
  readonly deviation: number;
  readonly at: number;
}

/** The result drawn by its operation, with error bars where chance had a part in it. Nothing where there is no figure. */
export function resultChart({ request, outcome }: ReportAnalysis): Markup | undefined {
  const figures = outcome?.figures.filter(({ value }) => value !== undefined) ?? [];
  const [first, second] = figures;
  if (first === undefined) return undefined;
  const bounds = [request.lower, request.upper].flatMap((bound) => (bound === undefined ? [] : [Number(bound)]));
  if (first.what === "bin") return histogramChart(figures);
  if (first.what === "least") return second && rangeChart(first, second, bounds);
  if (first.what === "slope") return lineChart(figures.filter(({ what }) => what === "height"));
  const filled = figures.find(({ what }) => what === "filled");
  return html`${pointChart(first, first.what === "mean" ? bounds : [])}${filled && fillBar(filled)}`;
}

/** A figure in words, with what chance may have done to it. */
export function figureWords({ value, unit, deviation }: ReportFigure): string {
  if (value === undefined) return "none";
  const spread = Number(deviation) > 0 ? ` ± ${formatFigure(deviation, deviation)}` : "";
  return `${formatFigure(value, deviation)}${spread} ${unit}`.trim();
}

/** A figure on its axis; an exact one has no bar. */
function pointChart(figure: ReportFigure, bounds: readonly number[]): Markup {
  const point = pointOf(figure);
  const { value, deviation } = point;
  const ends = deviation > 0 ? [value - 3 * deviation, value + 3 * deviation] : [0, value, ...bounds];
  const segment = (times: number) => ({ x1: value - times * deviation, x2: value + times * deviation, y: () => 0 });
  return draw(
    {
      ...{ height: 92, marginLeft: 20, marginRight: 20, marginBottom: 32 },
      x: { label: null, domain: domainOf(ends), ticks: 5, tickFormat: tick },
      y: { axis: null, domain: [-1, 1] },
      marks: [
        Plot.axisX({ label: null, ticks: 5, tickFormat: tick }),
        Plot.gridX({ ticks: 5 }),
        ...(deviation > 0
          ? BARS.map(({ times, strokeWidth }) => Plot.ruleY([point], { ...segment(times), ...ERROR, strokeWidth }))
          : []),
        Plot.dot([point], { x: "value", y: () => 0, r: 6, fill: "var(--accent)" }),
      ],
    },
    `${figure.what}: ${figureWords(figure)}${deviation > 0 ? ", one standard deviation" : ", without chance"}`,
  );
}

/** From the least to the greatest value, within the bounds of the request. */
function rangeChart(least: ReportFigure, greatest: ReportFigure, bounds: readonly number[]): Markup {
  const ends = [pointOf(least), pointOf(greatest)];
  const [x1 = 0, x2 = 0] = ends.map(({ value }) => value);
  return draw(
    {
      ...{ height: 92, marginLeft: 24, marginRight: 24, marginBottom: 32 },
      x: { label: null, domain: domainOf([x1, x2, ...bounds]) },
      y: { axis: null, domain: [-1, 1] },
      marks: [
        Plot.axisX({ label: null, ticks: 5, tickFormat: tick }),
        Plot.gridX({ ticks: 5 }),
        Plot.ruleY([0], { x1, x2, y: () => 0, ...LINE, strokeWidth: 8, strokeOpacity: 0.35 }),
        Plot.dot(ends, { x: "value", y: () => 0, r: 6, fill: "var(--accent)" }),
      ],
    },
    `${figureWords(least)} to ${figureWords(greatest)}`,
  );
}

/** A bar for each bin, with its error bars. */
function histogramChart(figures: readonly ReportFigure[]): Markup {
  const bins = figures.map((figure, k) => {
    const [from, to] = [Number(figure.from), Number(figures[k + 1]?.from ?? figure.to)];
    return { ...pointOf(figure), from, to, middle: (from + to) / 2 };
  });
  const isNoisy = bins.some(({ deviation }) => deviation > 0);
  const total = bins.reduce((sum, { value }) => sum + value, 0);
  return draw(
    {
      ...{ height: 240, marginLeft: 52, marginTop: 14 },
      x: { label: null, ticks: 8, tickFormat: tick },
      y: { label: null, grid: true, ticks: 5, tickFormat: tick, zero: true, nice: true },
      marks: [
        Plot.rectY(bins, { x1: "from", x2: "to", y: "value", fill: "var(--accent)", fillOpacity: 0.75, inset: 0.5 }),
        ...(isNoisy ? errorBars(bins, "middle", bins.length) : []),
        Plot.ruleY([0], { stroke: "currentColor", strokeOpacity: 0.6 }),
      ],
    },
    `Histogram of ${bins.length} bins, ${formatNumber(total)} readings in all${isNoisy ? ", with error bars" : ""}`,
  );
}

/** The line over its window, with error bars where it begins, in the middle and where it ends. */
function lineChart(figures: readonly ReportFigure[]): Markup {
  const heights = figures.map((figure) => ({ ...pointOf(figure), date: new Date(1_000 * (figure.at ?? 0)) }));
  const hasDates = heights.every(({ date }) => !Number.isNaN(date.getTime()));
  const x = hasDates ? "date" : "at";
  const isNoisy = heights.some(({ deviation }) => deviation > 0);
  const [first, last] = [figures[0], figures.at(-1)];
  return draw(
    {
      ...{ height: 220, marginLeft: 58, marginTop: 14, marginRight: 24 },
      x: hasDates ? { type: "utc", label: null, ticks: 5 } : { label: null, ticks: 5, tickFormat: tick },
      y: { label: null, grid: true, ticks: 5, tickFormat: tick, nice: true },
      marks: [
        Plot.lineY(heights, { x, y: "value", ...LINE, strokeWidth: 2.5 }),
        ...(isNoisy ? errorBars(heights, x, heights.length) : []),
      ],
    },
    `Line from ${first ? figureWords(first) : ""} to ${last ? figureWords(last) : ""}${isNoisy ? ", with error bars" : ""}`,
  );
}

function errorBars<Bar extends Point>(points: readonly Bar[], x: keyof Bar & string, many: number): Plot.Markish[] {
  const narrow = many > 24 ? 0.6 : 1;
  return BARS.map(({ times, strokeWidth }) =>
    Plot.ruleX(points, {
      ...{ x, ...ERROR, strokeWidth: strokeWidth * narrow },
      y1: ({ value, deviation }: Bar) => value - times * deviation,
      y2: ({ value, deviation }: Bar) => value + times * deviation,
    }),
  );
}

function fillBar(figure: ReportFigure): Markup {
  const words = `${decimal(Number(figure.value), 3)} % of the filter’s bits are set`;
  return html`<div class="filled" role="img" aria-label="${words}">${meter(Number(figure.value), 100)}</div>
    <p class="quiet">${words}.</p>`;
}

/** How many devices have which weight; many weights are put together by powers of two. */
export function weightChart({ weights }: ReportMembers): Markup | undefined {
  if (weights.length === 0) return undefined;
  const bars =
    weights.length <= WEIGHT_BARS
      ? weights.map(({ weight, devices }) => ({ label: shortened(weight), devices }))
      : byPowers(weights);
  const most = weights.reduce((sum, { devices }) => sum + devices, 0);
  return draw(
    {
      ...{ height: 170, marginLeft: 16, marginRight: 16, marginTop: 24 },
      x: { label: null, domain: bars.map(({ label }) => label), padding: 0.2 },
      y: { axis: null, type: "sqrt", zero: true },
      marks: [
        Plot.barY(bars, { x: "label", y: "devices", fill: "var(--accent)" }),
        Plot.text(bars, {
          x: "label",
          y: "devices",
          text: ({ devices }: { devices: number }) => formatNumber(devices),
          dy: -8,
        }),
        Plot.ruleY([0], { stroke: "currentColor", strokeOpacity: 0.6 }),
      ],
    },
    `Weights of ${formatNumber(most)} devices: ${bars.map(({ label, devices }) => `${formatNumber(devices)} of ${label}`).join(", ")}`,
  );
}

function byPowers(weights: ReportMembers["weights"]): { label: string; devices: number }[] {
  const sizes = weights.map(({ weight, devices }) => ({ bits: BigInt(weight).toString(2).length - 1, devices }));
  const [low, high] = [sizes[0]?.bits ?? 0, sizes.at(-1)?.bits ?? 0];
  const step = Math.ceil((high - low + 1) / WEIGHT_BARS);
  const ends = Array.from({ length: Math.floor((high - low) / step) + 1 }, (_, k) => low + k * step);
  return ends.map((from) => ({
    label: `${shortened(String(2n ** BigInt(from)))}–${shortened(String(2n ** BigInt(from + step) - 1n))}`,
    devices: sizes
      .filter(({ bits }) => bits >= from && bits < from + step)
      .reduce((sum, { devices }) => sum + devices, 0),
  }));
}

/** The rows of a table with the same figures. */
export function figureRows(figures: readonly ReportFigure[]): readonly (readonly string[])[] {
  return figures.map((figure) => {
    const { value, unit, deviation } = figure;
    const spread = Number(deviation);
    const end = (times: number) => formatFigure(String(Number(value) + times * spread), deviation);
    const isSpread = value !== undefined && spread > 0;
    const shown = value === undefined ? "none" : formatFigure(value, deviation);
    const bars = isSpread ? [formatFigure(deviation, deviation), `${end(-2)} to ${end(2)}`] : ["–", "–"];
    return [nameOf(figure), shown, ...bars, unit];
  });
}

const NAMES: Readonly<Record<string, string>> = {
  count: "Count",
  sum: "Sum",
  mean: "Mean",
  least: "Least value",
  greatest: "Greatest value",
  distinct: "Distinct values",
  "false positives": "Values not seen that pass",
  filled: "Bits set",
  slope: "Slope",
  r2: "R²: share of the variance that the line explains",
  scatter: "Standard error of the slope, were the readings a sample",
};

function nameOf({ what, from, to, at }: ReportFigure): string {
  if (from !== undefined && to !== undefined) return `${formatFigure(from)} to ${formatFigure(to)}`;
  if (at !== undefined) return `Line at ${formatInstant(at)}`;
  return NAMES[what] ?? what;
}

function pointOf({ value, deviation, at = 0 }: ReportFigure): Point {
  return { value: Number(value), deviation: Number(deviation), at };
}

/** With room on both sides, also where all ends are one. */
function domainOf(ends: readonly number[]): [number, number] {
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const room = (high - low || Math.abs(high) || 1) * 0.04;
  return [low - room, high + room];
}

function tick(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e15) return value.toExponential(0).replace("e+", "×10^");
  return value.toLocaleString("en", { notation: size >= 1e5 ? "compact" : "standard", maximumSignificantDigits: 6 });
}

function shortened(whole: string): string {
  return tick(Number(whole));
}
