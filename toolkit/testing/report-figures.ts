import { formatUnits } from "ethers";
import { fillOf } from "../analytics/bloom.js";
import {
  countOf,
  distinctOf,
  extremesOf,
  histogramOf,
  lineOf,
  meanOf,
  membersOf,
  sumOf,
} from "../analytics/partial-readers.js";
import { Operation, type Query } from "../analytics/query.js";
import { lineSpread, meanSpread, wordDeviations } from "../analytics/result-noise.js";
import { Origin } from "../analytics/result-words.js";
import { nearest } from "../internal/ratios.js";
import type { ReportFigure, ReportOutcome } from "./report.js";
import { count, decimal } from "./report-format.js";
import { WIDEST } from "./scenario-queries.js";
import type { RequestState } from "./world.js";

const DAY = 86_400;
/** What sketches say when they are full: there may be any number. */
const ANY_NUMBER = 2n ** 256n - 1n;
/** Above this share of what a figure is divided by, noise can move it further than the first order tells. */
const ROUGH = 0.3;

/** What the readers of partials need, and how far noise can have moved each word. */
interface Result {
  readonly query: Query;
  readonly aggregate: Uint8Array;
  readonly deviations: readonly number[];
  readonly unit: string;
  readonly scale: number;
}

interface Found {
  readonly figures: readonly ReportFigure[];
  /** The noise of what figures were divided by, as a share of it. */
  readonly relative?: number;
}

/** The figures of a result with what chance has added, and what to bear in mind; nothing before there is one. */
export function outcomeOf({ request, tree, source, withheld }: RequestState): ReportOutcome | undefined {
  if (!tree) return undefined;
  const { query, terms } = request;
  const attested = tree.leaves.filter(({ origin }) => origin === Origin.Attested).length;
  const { unit, scale } = source;
  const deviations = wordDeviations(query, terms.epsilon, attested);
  const { figures, relative = 0 } = found({ query, aggregate: tree.aggregate, deviations, unit, scale });
  const isSketch = query.operation === Operation.Distinct || query.operation === Operation.Membership;
  const chance = isSketch ? "sketch" : deviations.some((deviation) => deviation > 0) ? "noise" : "none";
  const notes = [
    chance === "none" && "Exact for the readings that count: chance had no part in it.",
    chance === "noise" &&
      `${count(attested, "attested device")} ${attested === 1 ? "has" : "have"} added noise of ${attested === 1 ? "its" : "their"} own ` +
        `(ε ${plain(formatUnits(terms.epsilon, 6))}). Error bars are one and two standard deviations of all of it.`,
    chance === "sketch" &&
      "A sketch of fixed size says about how many. Error bars are one and two standard deviations of its estimate.",
    figures.some(({ value }) => value === undefined) &&
      "What is left is no figure: too few readings, too much noise, or a full sketch.",
    relative > ROUGH &&
      `What the figure is divided by has noise of ${Math.round(100 * relative)} % itself, so the bars are only rough.`,
    scatterNote(figures),
    ...boundNotes(query, figures, unit, scale),
    tree.leaves.some(({ count }) => count === query.cap) && capNote(query.cap),
    withheldNote(tree.leaves.length, tree.leaves.length - Number(tree.root.summary.members), withheld),
  ];
  return { figures, chance, notes: notes.filter((note) => note !== false) };
}

function found(result: Result): Found {
  const { query, aggregate, deviations, unit, scale } = result;
  const inUnit = (value: bigint) => plain(formatUnits(value, scale));
  switch (query.operation) {
    case Operation.Count:
      return one("count", String(countOf(query, aggregate)), "readings", deviations[0]);
    case Operation.Sum:
      return one("sum", inUnit(sumOf(query, aggregate)), unit, (deviations[0] ?? 0) / 10 ** scale);
    case Operation.Mean:
      return mean(result);
    case Operation.MinMax: {
      const { min, max } = extremesOf(query, aggregate) ?? {};
      const figure = (what: string, value: bigint | undefined): ReportFigure => ({
        ...{ what, unit, deviation: "0" },
        ...(value !== undefined && { value: inUnit(value) }),
      });
      return { figures: [figure("least", min), figure("greatest", max)] };
    }
    case Operation.Histogram:
      return {
        figures: histogramOf(query, aggregate).map(({ from, to, count }, k) => ({
          ...{ what: "bin", value: String(count), unit: "readings", deviation: decimal(deviations[k] ?? 0) },
          ...{ from: inUnit(from), to: inUnit(to) },
        })),
      };
    case Operation.Distinct: {
      const { estimate, standardError } = distinctOf(query, aggregate);
      return estimate === ANY_NUMBER
        ? one("distinct", undefined, "values", 0)
        : one("distinct", String(estimate), "values", Number(estimate) * standardError);
    }
    case Operation.Membership:
      return membership(result);
    default:
      return line(result);
  }
}

function mean({ query, aggregate, deviations, unit, scale }: Result): Found {
  const { sum, count } = meanOf(query, aggregate);
  const { deviation = 0, relative } = meanSpread(query, aggregate, deviations) ?? {};
  if (relative === undefined) return one("mean", undefined, unit, 0);
  const millionths = (sum * 2_000_000n + (sum < 0n ? -count : count)) / (2n * count);
  return { ...one("mean", plain(formatUnits(millionths, scale + 6)), unit, deviation / 10 ** scale), relative };
}

/** The estimate's deviation is that of linear counting (Whang, Vander-Zanden, Taylor 1990), with each value counted once a hash. */
function membership({ query, aggregate }: Result): Found {
  const { estimate, falsePositiveRate } = membersOf(query, aggregate);
  const bits = 8 * aggregate.length;
  const load = (Number(estimate) * query.hashes) / bits;
  const deviation = Math.sqrt(bits * Math.max(0, Math.expm1(load) - load)) / query.hashes;
  const share = (what: string, part: number) => ({ what, value: decimal(100 * part), unit: "%", deviation: "0" });
  const { figures } =
    estimate === ANY_NUMBER
      ? one("distinct", undefined, "values", 0)
      : one("distinct", String(estimate), "values", deviation);
  return {
    figures: [...figures, share("false positives", falsePositiveRate), share("filled", fillOf(aggregate) / bits)],
  };
}

/** The slope in units a day, and the line's height where the window begins, in its middle and where it ends. */
function line({ query, aggregate, deviations, unit, scale }: Result): Found {
  const at = lineOf(query, aggregate);
  const whole = Number(query.to - query.from);
  const places = [0, whole / 2, whole];
  const spread = at && lineSpread(query, aggregate, deviations, places);
  if (!at || !spread) return one("slope", undefined, `${unit} a day`, 0);
  const { slope, intercept, r2 } = at.numbers;
  const figure = (what: string, value: number, of: string, deviation = 0): ReportFigure => {
    return { what, value: decimal(value), unit: of, deviation: decimal(deviation) };
  };
  const daily = DAY / 10 ** scale;
  const scatter = scatterOf(query, aggregate);
  return {
    figures: [
      figure("slope", slope * daily, `${unit} a day`, spread.slope.deviation * daily),
      ...places.map((place, k) => ({
        ...figure("height", (intercept + slope * place) / 10 ** scale, unit, (spread.heights[k] ?? 0) / 10 ** scale),
        at: Number(query.from) + place,
      })),
      // With noise, these are mostly its own.
      ...(r2 !== undefined && deviations.length === 0 ? [figure("r2", r2, "")] : []),
      ...(scatter !== undefined && deviations.length === 0
        ? [figure("scatter", scatter * daily, `${unit} a day`)]
        : []),
    ],
    relative: spread.slope.relative,
  };
}

/** The slope's standard error by least squares: what it could differ by, were the readings a sample of many. */
function scatterOf(query: Query, aggregate: Uint8Array): number | undefined {
  const { r2, slope } = lineOf(query, aggregate) ?? {};
  const free = countOf(query, aggregate) - 2n;
  if (!r2 || !slope || free <= 0n) return undefined;
  return Math.sqrt(nearest({ numerator: r2.denominator - r2.numerator, denominator: slope.denominator ** 2n * free }));
}

/** What those who are missing may do to a result; why they are is known to who built it. */
function withheldNote(all: number, missing: number, why: RequestState["withheld"]): string | false {
  const silent = [...(why?.values() ?? [])].filter((reason) => reason === "no-partial").length;
  if (missing === 0) return false;
  const withheld = `${missing} of ${all} devices are withheld`;
  if (silent === missing) return `${withheld}: there is nothing of theirs to count.`;
  const known = silent > 0 ? `, ${silent} of them with nothing to count` : "";
  return `${withheld}${known}. If they would measure otherwise than the rest, the figure leans.`;
}

function capNote(cap: bigint): string {
  return cap === 1n ? "Of a device’s readings, the first counts." : `Of a device’s readings, the first ${cap} count.`;
}

/** The line is exact for the readings that there are; of others it says but so much. */
function scatterNote(figures: readonly ReportFigure[]): string | false {
  const { value, unit } = figures.find(({ what }) => what === "scatter") ?? {};
  if (value === undefined) return false;
  return `Were the readings a sample, the slope would have a standard error of ${decimal(Number(value), 3)} ${unit} (least squares).`;
}

/** What bounds do to a result. */
function boundNotes(query: Query, figures: readonly ReportFigure[], unit: string, scale: number): string[] {
  const [lower, upper] = [query.lower, query.upper].map((bound) =>
    bound > -WIDEST && bound < WIDEST - 1n ? `${plain(formatUnits(bound, scale))} ${unit}` : undefined,
  );
  switch (query.operation) {
    case Operation.Histogram:
      return ["The first and the last bin also hold what lies beyond the bounds."];
    case Operation.MinMax: {
      const [least, greatest] = figures.map(({ value, unit: of }) => `${value} ${of}`);
      return [
        ...(least === lower ? ["The least value is the lower bound: the true one may be lower."] : []),
        ...(greatest === upper ? ["The greatest value is the upper bound: the true one may be higher."] : []),
      ];
    }
    case Operation.Sum:
    case Operation.Mean:
    case Operation.Regression: {
      const sides = [lower && `below ${lower}`, upper && `above ${upper}`].filter((side) => side !== undefined);
      return sides.length === 0
        ? []
        : [
            `Values ${sides.join(" or ")} count as the bound itself: where there are any, they pull the figure inwards.`,
          ];
    }
    default:
      return [];
  }
}

function one(what: string, value: string | undefined, unit: string, deviation = 0): Found {
  return { figures: [{ what, ...(value !== undefined && { value }), unit, deviation: decimal(deviation) }] };
}

function plain(text: string): string {
  return text.replace(/\.0$/, "");
}
