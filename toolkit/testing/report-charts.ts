import * as Plot from "@observablehq/plot";
import { DOMParser } from "linkedom";
import type { ReportPayment, ReportSeries, ReportStation } from "./report.js";
import { formatNumber } from "./report-format.js";
import { html, type Markup, trusted } from "./report-html.js";

/** How many colours the map's scale has; the page's style defines `--scale-0` and up. */
const SCALE_STEPS = 9;

const WIDTH = 480;
const BARS = 160;
const MAP_MARGINS = { marginTop: 8, marginRight: 8, marginBottom: 28, marginLeft: 44 };

/** Draws with Plot in a document of its own; `label` is what a screen reader says in place of the picture. */
export function draw(options: Plot.PlotOptions, label: string): Markup {
  const document = new DOMParser().parseFromString("<!doctype html><html></html>", "text/html");
  const style = { background: "none", color: "inherit", fontFamily: "inherit", fontSize: "13px", overflow: "visible" };
  const svg = Plot.plot({ width: WIDTH, ...options, style, document });
  // The label goes past Plot: linkedom leaves "<" in attributes as it is.
  return html`<div class="chart" role="img" aria-label="${label}">${trusted(svg.outerHTML)}</div>`;
}

/** Stations of one source as dots, coloured by value in equal steps from the least to the greatest. */
export function stationMap(stations: readonly ReportStation[]): Markup {
  const box = bounds(stations);
  const unit = stations[0]?.unit ?? "";
  const step = Math.max((box.value[1] - box.value[0]) / SCALE_STEPS, Number.EPSILON);
  const band = (value: number): number => Math.min(SCALE_STEPS - 1, Math.floor((value - box.value[0]) / step));
  const corners = [
    [box.longitude[0], box.latitude[0]],
    [box.longitude[1], box.latitude[1]],
  ];
  const height = mapHeight(box);
  const spacing = Math.sqrt((WIDTH * height) / Math.max(stations.length, 1));
  const chart = draw(
    {
      height,
      ...MAP_MARGINS,
      projection: { type: "mercator", domain: { type: "MultiPoint", coordinates: corners } },
      marks: [
        Plot.dot(stations, {
          x: "longitude",
          y: "latitude",
          r: Math.min(7, Math.max(1.2, spacing * 0.31)),
          fill: (station: ReportStation) => `var(--scale-${band(station.value)})`,
        }),
        ...gridLabels(box),
      ],
    },
    `Map of ${stations.length} stations, ${formatNumber(box.value[0])} to ${formatNumber(box.value[1])} ${unit}`,
  );
  return html`${chart}${mapLegend(box.value, unit)}`;
}

/** Daily means as a line over time. */
export function seriesChart(series: ReportSeries): Markup {
  const points = series.points.map(([seconds, value]) => ({ date: new Date(seconds * 1_000), value }));
  return draw(
    {
      height: 200,
      marginLeft: 44,
      marginTop: 14,
      x: { type: "utc", label: null, ticks: 5 },
      y: { label: null, grid: true, ticks: 4, nice: true, zero: points.every(({ value }) => value >= 0) },
      marks: [
        Plot.ruleY(
          [0].filter(() => points.some(({ value }) => value <= 0)),
          { strokeOpacity: 0.3 },
        ),
        Plot.lineY(points, {
          x: "date",
          y: "value",
          stroke: "var(--accent)",
          strokeWidth: 1.4,
          strokeLinejoin: "round",
        }),
      ],
    },
    `${series.name}: daily means in ${series.unit}, ${series.points.length} days`,
  );
}

/** What each owner got, the largest first. */
export function paymentChart(payments: readonly ReportPayment[]): Markup {
  const sorted = payments.map(({ itc }) => Number(itc)).sort((a, b) => b - a);
  const width = sorted.length / Math.min(sorted.length, BARS);
  const bars = Array.from({ length: Math.min(sorted.length, BARS) }, (_, index) => ({
    from: Math.round(index * width),
    to: Math.round((index + 1) * width),
    itc: sorted[Math.floor(index * width)] ?? 0,
  }));
  return draw(
    {
      height: 150,
      marginLeft: 48,
      marginTop: 14,
      x: { label: null, ticks: Math.min(4, bars.length), tickFormat: "d" },
      y: { label: null, grid: true, ticks: 3, zero: true },
      marks: [Plot.rectY(bars, { x1: "from", x2: "to", y: "itc", fill: "var(--accent)", insetRight: 0.5 })],
    },
    `Pay of ${sorted.length} owners in ITC, largest first: ${sorted[0] ?? 0} down to ${sorted.at(-1) ?? 0}`,
  );
}

interface Bounds {
  readonly longitude: readonly [number, number];
  readonly latitude: readonly [number, number];
  readonly value: readonly [number, number];
}

function bounds(stations: readonly ReportStation[]): Bounds {
  const range = (pick: (station: ReportStation) => number): readonly [number, number] =>
    stations.reduce<readonly [number, number]>(
      ([low, high], station) => [Math.min(low, pick(station)), Math.max(high, pick(station))],
      [Infinity, -Infinity],
    );
  return { longitude: range((s) => s.longitude), latitude: range((s) => s.latitude), value: range((s) => s.value) };
}

/** The height at which a Mercator map of the box fills the width, within reason. */
function mapHeight({ longitude, latitude }: Bounds): number {
  const northing = (degrees: number): number => Math.log(Math.tan(Math.PI / 4 + (degrees * Math.PI) / 360));
  const width = ((longitude[1] - longitude[0]) * Math.PI) / 180;
  const ratio = (northing(latitude[1]) - northing(latitude[0])) / Math.max(width, 1e-6);
  const { marginTop, marginRight, marginBottom, marginLeft } = MAP_MARGINS;
  return Math.round(
    marginTop + marginBottom + (WIDTH - marginLeft - marginRight) * Math.min(1.3, Math.max(0.4, ratio)),
  );
}

function gridLabels({ longitude, latitude }: Bounds): Plot.Markish[] {
  const [west, east] = longitude;
  const [south, north] = latitude;
  const meridians = multiplesOfFive(west, east).map((value) => ({
    x: value,
    y: south,
    text: compass(value, "E", "W"),
  }));
  const parallels = multiplesOfFive(south, north).map((value) => ({
    x: west,
    y: value,
    text: compass(value, "N", "S"),
  }));
  const look = { x: "x", y: "y", text: "text", fill: "currentColor", fillOpacity: 0.75, fontSize: 11 } as const;
  return [Plot.text(meridians, { ...look, dy: 16 }), Plot.text(parallels, { ...look, dx: -8, textAnchor: "end" })];
}

function multiplesOfFive(low: number, high: number): number[] {
  const first = Math.ceil(low / 5) * 5;
  return Array.from({ length: Math.max(0, Math.floor((high - first) / 5) + 1) }, (_, index) => first + index * 5);
}

function compass(degrees: number, positive: string, negative: string): string {
  return degrees === 0 ? "0°" : `${Math.abs(degrees)}° ${degrees > 0 ? positive : negative}`;
}

function mapLegend([low, high]: readonly [number, number], unit: string): Markup {
  const swatches = Array.from({ length: SCALE_STEPS }, (_, index) => {
    return html`<i style="background:var(--scale-${index})"></i>`;
  });
  return html`<p class="legend"><span>${low.toFixed(1)}</span>${swatches}<span>${high.toFixed(1)} ${unit}</span></p>`;
}
