import { formatEther, formatUnits, parseEther, ZeroAddress, ZeroHash } from "ethers";
import { Operation } from "../analytics/query.js";
import { geohashOfCell } from "../analytics/regions.js";
import { type DeviceFilter, Settlement } from "../analytics/requests.js";
import { Origin, type ResultLeaf } from "../analytics/result-words.js";
import type {
  ReportAnalysis,
  ReportMembers,
  ReportOutcome,
  ReportPay,
  ReportPayment,
  ReportRequest,
} from "./report.js";
import { outcomeOf } from "./report-figures.js";
import { decimal } from "./report-format.js";
import { WIDEST } from "./scenario-queries.js";
import type { RequestState, World } from "./world.js";

const NAMES: Readonly<Record<Operation, readonly [name: string, phrase: string]>> = {
  [Operation.Count]: ["count", "count of"],
  [Operation.Sum]: ["sum", "sum of"],
  [Operation.Mean]: ["mean", "mean"],
  [Operation.MinMax]: ["min-max", "extremes of"],
  [Operation.Histogram]: ["histogram", "histogram of"],
  [Operation.Distinct]: ["distinct", "distinct values of"],
  [Operation.Membership]: ["membership", "values seen of"],
  [Operation.Regression]: ["regression", "trend of"],
};
const SETTLEMENTS = ["direct", "rolled", "pushed"] as const;
const WEIGHTINGS = ["readings", "devices"] as const;

/** A request and what came of it, as the report shows it. */
export function analysisOf(world: World, state: RequestState): ReportAnalysis {
  const { name, company, request, source, purpose, tree } = state;
  const { query, terms } = request;
  const payments = paymentsOf(state);
  const outcome = outcomeOf(state);
  const quantity = source.quantity.replaceAll("_", " ");
  return {
    name,
    company: titleOf(world, company),
    operation: `${NAMES[query.operation][1]} ${quantity}`,
    purpose,
    unit: unitOf(query.operation, source.unit),
    from: Number(query.from),
    to: Number(query.to),
    cohort: Number(terms.cohort),
    devices: tree?.leaves.filter(({ weight }) => weight > 0n).length ?? 0,
    owners: payments.length,
    readings: Number(tree?.root.summary.count ?? 0n),
    result: outcome ? resultText(query.operation, outcome, source.scale) : "",
    error: outcome ? errorText(outcome, epsilonOf(state)) : "",
    reward: formatEther(terms.reward),
    payments,
    state: state.status,
    request: requestOf(world, state, quantity),
    ...(tree && { members: membersOf(tree.leaves, state) }),
    ...(outcome && { outcome }),
    pay: payOf(world, state, payments),
  };
}

function requestOf(world: World, state: RequestState, quantity: string): ReportRequest {
  const { request, id, source, requestedAt } = state;
  const { query, terms, filter } = request;
  const bound = (value: bigint) => formatUnits(value, source.scale).replace(/\.0$/, "");
  const isSketch = query.operation === Operation.Distinct || query.operation === Operation.Membership;
  return {
    id,
    operation: NAMES[query.operation][0],
    quantity,
    unit: source.unit,
    ...(!isSketch && query.lower > -WIDEST && { lower: bound(query.lower) }),
    ...(!isSketch && query.upper < WIDEST - 1n && { upper: bound(query.upper) }),
    cap: Number(query.cap),
    size: query.size,
    hashes: query.hashes,
    filter: filterWords(world, filter),
    epsilon: epsilonOf(state),
    fee: formatEther(terms.fee),
    bond: formatEther(terms.bond),
    weighting: WEIGHTINGS[terms.weighting],
    settlement: SETTLEMENTS[terms.settlement],
    requestedAt: Number(requestedAt),
    deadline: Number(terms.deadline),
    challengeWindow: Number(terms.challengeWindow),
  };
}

function filterWords(world: World, { lot, region, assurance, verifier }: DeviceFilter): string[] {
  const fleet = [...world.fleets.values()].find(({ lot: tree, spec }) => {
    return tree.idFor(world.account(spec.issuer).address) === lot;
  });
  const words = [
    lot !== ZeroHash && `of the lot ${fleet?.name ?? lot}`,
    region !== 0n && `in region ${regionName(region)}`,
    assurance > 0 && `with assurance ${assurance} or more`,
    verifier !== ZeroAddress && `attested by ${world.nameOf.get(verifier) ?? verifier}`,
  ];
  return words.filter((word) => word !== false);
}

/** The geohash, or the cell's number where none is of its size. */
function regionName(cell: bigint): string {
  try {
    return geohashOfCell(cell);
  } catch {
    return String(cell);
  }
}

function membersOf(leaves: readonly ResultLeaf[], { withheld }: RequestState): ReportMembers {
  const of = (origin: Origin) => leaves.filter((leaf) => leaf.origin === origin).length;
  const counted = leaves.filter(({ origin }) => origin !== Origin.Withheld);
  const reasons = [...Map.groupBy(withheld?.values() ?? [], (why) => why)];
  const weights = [...Map.groupBy(counted, ({ weight }) => weight)].sort(([a], [b]) => (a < b ? -1 : 1));
  const ineligible = [...(withheld?.values() ?? [])].filter((why) => why === "ineligible").length;
  return {
    all: leaves.length,
    ...(withheld && { eligible: leaves.length - ineligible }),
    proved: of(Origin.Proved),
    attested: of(Origin.Attested),
    withheld: of(Origin.Withheld),
    reasons: reasons.map(([why, devices]) => ({ why, devices: devices.length })),
    weights: weights.map(([weight, devices]) => ({ weight: String(weight), devices: devices.length })),
  };
}

/** As a decimal. */
function epsilonOf({ request }: RequestState): string {
  return formatUnits(request.terms.epsilon, 6).replace(/\.0$/, "");
}

/** What each owner gets by the settlement's rule: rounded down once, or for each device where each is claimed by itself. */
function paymentsOf({ tree, request, shares }: RequestState): ReportPayment[] {
  const { reward, settlement } = request.terms;
  const total = tree?.root.summary.weight ?? 0n;
  const leaves = tree?.leaves.filter(({ weight }) => weight > 0n) ?? [];
  const sum = (group: readonly ResultLeaf[], part: (leaf: ResultLeaf) => bigint) =>
    group.reduce((all, leaf) => all + part(leaf), 0n);
  const payments = [...Map.groupBy(leaves, ({ owner }) => owner)].map(([owner, group]): ReportPayment => {
    const byDevice = () => sum(group, ({ weight }) => (reward * weight) / total);
    return {
      owner,
      devices: group.length,
      readings: Number(sum(group, (leaf) => leaf.count)),
      weight: String(sum(group, (leaf) => leaf.weight)),
      itc: formatEther(settlement === Settlement.Direct ? byDevice() : (shares.get(owner) ?? 0n)),
    };
  });
  return payments.sort((a, b) => b.readings - a.readings || (a.owner < b.owner ? -1 : 1));
}

function payOf(world: World, { request, tree, proposer }: RequestState, payments: readonly ReportPayment[]): ReportPay {
  const { reward, fee } = request.terms;
  const owners = payments.reduce((sum, { itc }) => sum + parseEther(itc), 0n);
  return {
    owners: formatEther(owners),
    carry: formatEther(tree ? reward - owners : 0n),
    fee: formatEther(fee),
    ...(tree && proposer !== undefined && { proposer: titleOf(world, proposer) }),
  };
}

function titleOf(world: World, actor: string): string {
  return world.scenario.actors[actor]?.title ?? actor;
}

/** The result in a line. */
function resultText(operation: Operation, { figures }: ReportOutcome, scale: number): string {
  const [first, second] = figures;
  if (first?.value === undefined) return "none";
  switch (operation) {
    case Operation.Mean:
      return Number(first.value).toFixed(scale + 1);
    case Operation.MinMax:
      return `${first.value} to ${second?.value}`;
    case Operation.Histogram:
      return figures.map(({ from, to, value }) => `${from} to ${to}: ${value}`).join(" · ");
    case Operation.Regression:
      return decimal(Number(first.value), 4);
    default:
      return first.value;
  }
}

/** How far the truth may be from the result, one standard deviation, where chance has a part in it; else nothing. */
function errorText({ figures, chance }: ReportOutcome, epsilon: string): string {
  const [first, second] = figures;
  if (chance === "none" || first?.value === undefined) return "";
  const deviation = Number(first.deviation);
  if (chance === "noise") return `± ${decimal(deviation, 3)} by noise (ε ${epsilon})`;
  const spread = deviation > 0 ? `± ${((100 * deviation) / Number(first.value)).toFixed(1)} %` : "";
  const passing = second && `a value not seen passes in ${decimal(Number(second.value), 2)} %`;
  return [spread, passing].filter(Boolean).join("; ");
}

function unitOf(operation: Operation, unit: string): string {
  if (operation === Operation.Count) return "readings";
  if (operation === Operation.Regression) return `${unit} a day`;
  return operation === Operation.Distinct || operation === Operation.Membership ? "values" : unit;
}
