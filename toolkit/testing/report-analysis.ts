import { formatEther, formatUnits } from "ethers";
import { noiseScales } from "../analytics/noise.js";
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
import type { ReportAnalysis, ReportPayment } from "./report.js";
import type { RequestState, World } from "./world.js";

const NAMES: Readonly<Record<Operation, string>> = {
  [Operation.Count]: "count of",
  [Operation.Sum]: "sum of",
  [Operation.Mean]: "mean",
  [Operation.MinMax]: "extremes of",
  [Operation.Histogram]: "histogram of",
  [Operation.Distinct]: "distinct values of",
  [Operation.Membership]: "values seen of",
  [Operation.Regression]: "trend of",
};

/** A request and what came of it, as the report shows it. */
export function analysisOf(world: World, state: RequestState): ReportAnalysis {
  const { name, company, request, source, purpose, tree, shares } = state;
  const leaves = tree?.leaves.filter(({ weight }) => weight > 0n) ?? [];
  const payments = [...Map.groupBy(leaves, ({ owner }) => owner)].map(
    ([owner, group]): ReportPayment => ({
      owner,
      devices: group.length,
      readings: Number(group.reduce((total, leaf) => total + leaf.count, 0n)),
      itc: formatEther(shares.get(owner) ?? 0n),
    }),
  );
  const { query, terms } = request;
  return {
    name,
    company: world.scenario.actors[company]?.title ?? company,
    operation: `${NAMES[query.operation]} ${source.quantity.replaceAll("_", " ")}`,
    purpose,
    unit: unitOf(query, source.unit),
    from: Number(query.from),
    to: Number(query.to),
    cohort: Number(terms.cohort),
    devices: leaves.length,
    owners: payments.length,
    readings: Number(tree?.root.summary.count ?? 0n),
    result: tree ? resultText(query, tree.aggregate, source.scale) : "",
    error: errorText(state),
    reward: formatEther(terms.reward),
    payments: payments.sort((a, b) => b.readings - a.readings || (a.owner < b.owner ? -1 : 1)),
  };
}

/** To be looked at; what is paid and proved never goes through floating point. */
function resultText(query: Query, aggregate: Uint8Array, scale: number): string {
  const fixed = (value: number) => (value / 10 ** scale).toFixed(scale + 1);
  const units = (value: bigint) => formatUnits(value, scale);
  switch (query.operation) {
    case Operation.Count:
      return String(countOf(query, aggregate));
    case Operation.Sum:
      return units(sumOf(query, aggregate));
    case Operation.Mean: {
      const { mean } = meanOf(query, aggregate);
      return mean === undefined ? "none" : fixed(mean);
    }
    case Operation.MinMax: {
      const found = extremesOf(query, aggregate);
      return found ? `${units(found.min)} to ${units(found.max)}` : "none";
    }
    case Operation.Histogram:
      return histogramOf(query, aggregate)
        .map(({ from, to, count }) => `${units(from)} to ${units(to)}: ${count}`)
        .join(" · ");
    case Operation.Distinct:
      return String(distinctOf(query, aggregate).estimate);
    case Operation.Membership:
      return String(membersOf(query, aggregate).estimate);
    default: {
      const line = lineOf(query, aggregate);
      return line ? `${((line.numbers.slope * 86_400) / 10 ** scale).toPrecision(4)} a day` : "none";
    }
  }
}

/** How far the truth may be from the result, one standard deviation, where chance has a part in it; else nothing. */
function errorText({ request: { query, terms }, tree, source }: RequestState): string {
  if (!tree) return "";
  if (query.operation === Operation.Distinct) {
    return `± ${(100 * distinctOf(query, tree.aggregate).standardError).toFixed(1)} %`;
  }
  if (query.operation === Operation.Membership) {
    return `a value not seen passes in ${(100 * membersOf(query, tree.aggregate).falsePositiveRate).toPrecision(2)} %`;
  }
  if (terms.epsilon === 0n) return "";
  const { count, members } = tree.root.summary;
  // Of discrete Laplace noise the standard deviation is about √2 of the scale; each device adds its own to each word.
  const [first = 0, second = 0] = noiseScales(query, terms.epsilon).map(
    ({ numerator, denominator }) => (Number(numerator) / Number(denominator)) * Math.sqrt(2 * Number(members)),
  );
  const budget = `by noise (ε ${Number(terms.epsilon) / 1e6})`;
  const said = (deviation: number) => `± ${deviation.toPrecision(3)} ${budget}`;
  if (query.operation === Operation.Regression) return budget;
  if (query.operation === Operation.Sum) return said(first / 10 ** source.scale);
  if (query.operation !== Operation.Mean) return said(first);
  // A mean has noise above and below the line.
  const { mean = 0 } = meanOf(query, tree.aggregate);
  return said(Math.hypot(first, mean * second) / Number(count) / 10 ** source.scale);
}

function unitOf({ operation }: Query, unit: string): string {
  const isNumber =
    operation === Operation.Count || operation === Operation.Distinct || operation === Operation.Membership;
  return isNumber ? "values" : unit;
}
