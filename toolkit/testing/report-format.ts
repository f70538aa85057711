import { formatEther, parseEther } from "ethers";

import type { Report, ReportFailure } from "./report.js";

const DAY = 86_400;

/** `12345.678` as `12,345.68`; whole numbers stay whole. */
export function formatNumber(value: number, digits = 2): string {
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}

/** A number to be looked at as a decimal that others can read: so many digits that count, never an exponent. */
export function decimal(value: number, digits = 9): string {
  return (value || 0).toLocaleString("en", { maximumSignificantDigits: digits, useGrouping: false });
}

/** A decimal for people, to the digits that its deviation leaves sure; of three where there is room, and with an exponent from 10^15 on. */
export function formatFigure(value: string, deviation = "0"): string {
  const [number, spread] = [Number(value), Number(deviation)];
  if (Math.abs(number) >= 1e15) return number.toExponential(3).replace("e+", " × 10^");
  const places = spread > 0 ? Math.min(12, Math.max(0, 2 - Math.floor(Math.log10(spread)))) : 9;
  return formatNumber(number, places).replace(/^-/, "−");
}

/** `1234567` as `1.23 M`, for figures that need no last digit. */
export function formatShort(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} G`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  return formatNumber(value, 0);
}

/** Decimal ITC with thousands separators, cut after `digits` decimals: `1234.56789` as `1,234.5678`; 18 show all there are. */
export function formatItc(amount: string, digits = 4): string {
  const [whole = "0", fraction = ""] = amount.split(".");
  const kept = fraction.slice(0, digits).replace(/0+$/, "");
  return whole.replace(/\B(?=(\d{3})+$)/g, ",") + (kept === "" ? "" : `.${kept}`);
}

/** The exact sum of decimal ITC amounts, as decimal ITC. */
export function sumItc(amounts: readonly string[]): string {
  return formatEther(amounts.reduce((sum, amount) => sum + parseEther(amount), 0n)).replace(/\.0$/, "");
}

/** `after - before` in decimal ITC, with its sign. */
export function formatItcChange(before: string, after: string): string {
  const change = parseEther(after) - parseEther(before);
  if (change === 0n) return "0";
  return (change > 0n ? "+" : "−") + formatItc(formatEther(change > 0n ? change : -change));
}

/** Milliseconds as `640 ms`, `12.3 s` or `2 min 5 s`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

function formatDay(seconds: number): string {
  return formatInstant(seconds).slice(0, 10);
}

/** Unix seconds as `2016-01-20 12:00 UTC`; as they are where no calendar reaches. */
export function formatInstant(seconds: number): string {
  const date = new Date(seconds * 1_000);
  if (Number.isNaN(date.getTime())) return `second ${seconds}`;
  return `${date.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** Seconds as `3 days`, `12 hours` or `90 s`. */
export function formatSpan(seconds: number): string {
  const [size, noun] = (
    [
      [DAY, "day"],
      [3_600, "hour"],
      [60, "minute"],
    ] as const
  ).find(([unit]) => seconds % unit === 0) ?? [1, "second"];
  return count(seconds / size, noun);
}

/** A window of Unix seconds: one day when it lies in one, else first and last day. */
export function formatWindow(from: number, to: number): string {
  const sameDay = Math.floor(from / DAY) === Math.floor(to / DAY);
  return sameDay ? formatDay(from) : `${formatDay(from)} to ${formatDay(to)}`;
}

/** `1 device`, `2 devices`. */
export function count(value: number, noun: string, plural = `${noun}s`): string {
  return `${formatNumber(value, 0)} ${value === 1 ? noun : plural}`;
}

function are(value: number): string {
  return value === 1 ? "was" : "were";
}

/** The failure's message without the code that it may start with. */
export function failureMessage({ code, message }: ReportFailure): string {
  return message.startsWith(`${code}: `) ? message.slice(code.length + 2) : message;
}

/** What the run came to, in plain words. */
export function verdictSentence(report: Report): string {
  const { totals, failure, verification, invariants, analyses, provenance } = report;
  if (report.verdict === "failed") {
    const broken = invariants.filter((invariant) => !invariant.holds).length;
    const stop = failure === undefined ? "The run came to its end" : `The run stopped at “${failure.step}”`;
    return broken === 0 ? `${stop}.` : `${stop}; ${broken} of ${count(invariants.length, "invariant")} did not hold.`;
  }
  const claims = provenance?.parts.reduce((sum, { claims: refused }) => sum + refused.length, 0) ?? 0;
  const answered = analyses.filter(({ outcome }) => outcome !== undefined).length;
  const told: readonly (string | false)[] = [
    `${count(totals.devices, "device")} signed ${count(totals.readings, "reading")}`,
    `${count(totals.batches, "batch", "batches")} went on chain`,
    provenance !== undefined && `${count(provenance.parts.length, "part")} ${are(provenance.parts.length)} traced`,
    claims > 0 && `${count(claims, "counterfeit claim")} ${are(claims)} refused`,
    answered > 0 && `${count(answered, "analysis", "analyses")} paid the owners ${formatItc(totals.itcPaid)} ITC`,
    verification.sampled > 0 &&
      `${formatNumber(verification.verified)} of ${formatNumber(verification.sampled)} sampled readings verified ` +
        "from the evidence alone",
  ];
  const parts = told.filter((part) => part !== false);
  return `${parts.slice(0, -1).join(", ")}, and ${parts.at(-1)}.`;
}
