import { formatEther } from "ethers";
import type { Flow } from "./ledger.js";
import type { ProposalState } from "./proposals.js";
import type { Report, ReportChallenge } from "./report.js";
import { formatItcChange, formatNumber } from "./report-format.js";
import { html, type Markup } from "./report-html.js";
import { table } from "./report-table.js";
import type { World } from "./world.js";

/** The proposals that lied, or that something was sent about, in the order in which they came. */
export function challengesOf(world: World): ReportChallenge[] {
  return world.proposals
    .filter(({ lie, calls }) => lie !== undefined || calls.length > 0)
    .map((proposal): ReportChallenge => {
      const { request, author, lie, calls, fell } = proposal;
      const gasOf = (mine: boolean) =>
        calls.filter(({ by }) => (by === author) === mine).reduce((sum, { gasUsed }) => sum + Number(gasUsed), 0);
      return {
        request,
        proposer: author,
        ...(lie !== undefined && { lie }),
        fell,
        calls: calls.map(({ by, name, gasUsed }) => ({ by, name, gasUsed: Number(gasUsed) })),
        gasUsed: gasOf(false),
        answerGas: gasOf(true),
        changes: changesOf(world, proposal),
      };
    });
}

/** What each actor has more or less by the calls about a proposal, its bond counted as the proposer's until it falls. */
function changesOf(world: World, proposal: ProposalState): ReportChallenge["changes"] {
  const { author, calls, fell, lostBond } = proposal;
  const { request, company } = world.request(proposal.request);
  const { bond } = request.terms;
  const changes = new Map<string, bigint>([[author, fell ? -bond : 0n]]);
  const add = (account: string, amount: bigint) => {
    const name = world.nameOf.get(account) ?? account;
    // Contracts only pass on.
    if (world.scenario.actors[name]) changes.set(name, (changes.get(name) ?? 0n) + amount);
  };
  for (const { from, to, amount } of calls.flatMap(({ flows }): readonly Flow[] => flows)) {
    add(from, -amount);
    add(to, amount);
  }
  // The requester has its half when the request ends.
  if (lostBond) changes.set(company, (changes.get(company) ?? 0n) + bond - bond / 2n);
  return [...changes].map(([actor, itc]) => ({ actor, itc: formatEther(itc) }));
}

/** What was said, who showed it by which calls, what that cost, and who gained and lost. */
export function challengesTable({ challenges = [] }: Report): Markup | undefined {
  const rows = challenges.map(({ request, proposer, lie, fell, calls, gasUsed, answerGas, changes }) => [
    html`${request}<br /><span class="quiet">by ${proposer}</span>`,
    lie === undefined ? "the truth" : html`<span class="bad">${lie}</span>`,
    fell ? "fell" : "stood",
    html`${calls.map(({ by, name, gasUsed: gas }) => html`<code>${name}</code> <span class="quiet">${by}, ${formatNumber(gas)}</span><br />`)}`,
    formatNumber(gasUsed),
    formatNumber(answerGas),
    html`${changes.map(({ actor, itc }) => html`${actor} ${formatItcChange("0", itc)}<br />`)}`,
  ]);
  const columns = [
    "Request",
    "It said",
    "It",
    "Calls and their gas",
    "Gas to show#",
    "Gas to answer#",
    "ITC won and lost#",
  ];
  return table(
    "Lies and challenges",
    columns,
    rows,
    challenges.map(({ lie, fell }) => (lie !== undefined) !== fell),
  );
}
