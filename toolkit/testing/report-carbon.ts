import { formatUnits } from "ethers";
import { sumOf } from "../analytics/partial-readers.js";
import { type PeriodState, retiredOf } from "./carbon-book.js";
import { count, formatNumber, formatWindow } from "./report-format.js";
import { html, type Markup } from "./report-html.js";
import { meter, table } from "./report-table.js";
import type { World } from "./world.js";

/** Projects whose metered energy became credits, and what was refused. */
export interface ReportCarbon {
  readonly projects: readonly ReportProject[];
  readonly refusals: readonly ReportRefusal[];
}

/** A project; actors by their titles. */
export interface ReportProject {
  readonly name: string;
  readonly owner: string;
  readonly verifier: string;
  /** The fewest that a result must be of. */
  readonly meters: number;
  /** Grams of CO2e a kWh, decimal. */
  readonly factor: string;
  readonly periods: readonly ReportPeriod[];
}

/** A period that was asked for; times are Unix seconds, credits whole grams of CO2e. */
export interface ReportPeriod {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly meters: number;
  /** The result in kWh, decimal; empty where there is none. */
  readonly energy: string;
  readonly issued: number;
  readonly retired: number;
  /** Who has the rest. */
  readonly holders: readonly { readonly holder: string; readonly grams: number }[];
  readonly retirements: readonly { readonly holder: string; readonly grams: number; readonly reason: string }[];
}

/** An attempt that a contract refused. */
export interface ReportRefusal {
  readonly what: string;
  readonly period: string;
  readonly by: string;
  /** The contract's error with its figures. */
  readonly error: string;
}

/** What a run's projects have come to; nothing if it has none. */
export function carbonOf(world: World): ReportCarbon | undefined {
  const { projects, periods, refusals } = world.carbon;
  if (projects.size === 0) return undefined;
  const titleOf = (actor: string): string => world.scenario.actors[actor]?.title ?? actor;
  return {
    projects: [...projects.values()].map((project) => ({
      name: project.name,
      owner: titleOf(project.owner),
      verifier: titleOf(project.verifier),
      meters: Number(project.words.meters),
      factor: formatUnits(project.words.factor, 6),
      periods: [...periods.values()]
        .filter((period) => period.project === project)
        .map((period) => periodOf(world, period, titleOf)),
    })),
    refusals: refusals.map(({ by, ...refusal }) => ({ ...refusal, by: titleOf(by) })),
  };
}

/** Tables of projects, periods, retirements and refusals. */
export function carbonTables({ projects, refusals }: ReportCarbon): Markup {
  const all = projects.flatMap(({ name, periods }) => periods.map((period) => ({ ...period, project: name })));
  const most = Math.max(0, ...all.map(({ issued }) => issued));
  const periods = all.map(({ name, project, from, to, meters, energy, issued, retired, holders }) => [
    html`${name}<br /><span class="quiet">${project}, ${formatWindow(from, to - 1)}</span>`,
    meters,
    energy && formatNumber(Number(energy), 9),
    html`${formatNumber(issued)}${meter(issued, most)}`,
    html`${formatNumber(retired)}${meter(retired, most)}`,
    holders.map(({ holder, grams }) => html`${holder}: ${formatNumber(grams)}<br />`),
  ]);
  const words = projects.map(({ name, owner, verifier, meters, factor }) => [
    name,
    owner,
    verifier,
    count(meters, "meter"),
    factor,
  ]);
  const retirements = all.flatMap((period) =>
    period.retirements.map(({ holder, grams, reason }) => [reason, holder, period.name, formatNumber(grams)]),
  );
  const attempts = refusals.map(({ what, period, by, error }) => [
    html`${what}<br /><span class="quiet">${by}, ${period}</span>`,
    html`<code>${error}</code>`,
  ]);
  return html`${table("Projects", ["Project", "Owner", "Verifier", "At least", "g CO2e a kWh#"], words)}
    ${table("Periods", ["Period", "Meters#", "kWh#", "Credits issued#", "Retired#", "Held by"], periods)}
    ${table("Retirements", ["For", "Holder", "Period", "Credits#"], retirements)}
    ${table(
      "Refused attempts",
      ["Attempt", "The contract's answer"],
      attempts,
      attempts.map(() => true),
    )}`;
}

function periodOf(world: World, period: PeriodState, titleOf: (actor: string) => string): ReportPeriod {
  const { name, from, to, project, issued, holders, retired } = period;
  const { tree, request } = world.request(name);
  return {
    name,
    from: Number(from),
    to: Number(to),
    meters: Number(tree?.root.summary.members ?? 0n),
    energy: tree ? formatUnits(sumOf(request.query, tree.aggregate), project.source.scale) : "",
    issued: Number(issued),
    retired: Number(retiredOf(period)),
    holders: [...holders].map(([actor, grams]) => ({ holder: titleOf(actor), grams: Number(grams) })),
    retirements: retired.map(({ holder, grams, reason }) => ({
      holder: titleOf(holder),
      grams: Number(grams),
      reason,
    })),
  };
}
