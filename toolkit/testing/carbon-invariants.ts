import { meteredOf, type PeriodState, retiredOf } from "./carbon-book.js";
import type { Invariant } from "./invariants.js";
import type { World } from "./world.js";

/** What must hold for credits; the numbers are those of docs/invariants.md. */
export function carbonInvariants(): Invariant[] {
  return [creditsAsMetered(), creditsIssuedOnce()];
}

function creditsAsMetered(): Invariant {
  return {
    name: "Credits as metered",
    description:
      "A period's credits are the grams that its meters' data come to, computed apart from chain and aggregator; periods that were refused have none.",
    async check({ carbon, contracts }) {
      const periods = [...carbon.periods.values()];
      const failures = await Promise.all(
        periods.map(async (period) => {
          const { issued } = await contracts.carbon.supplyOf(period.credit);
          const isGiven = periods.some(({ credit, issued: grams }) => credit === period.credit && grams > 0n);
          const due = isGiven ? meteredOf(period).grams : 0n;
          return issued === due ? undefined : `${period.name}: ${issued} credits are issued, ${due} were due`;
        }),
      );
      return verdict(periods.length, failures);
    },
  };
}

function creditsIssuedOnce(): Invariant {
  return {
    name: "Credits issued once",
    description:
      "Each period that gave credits gave them in one issue; what is issued and not retired, and no more, is in its holders' accounts.",
    async check(world) {
      const { carbon, contracts } = world;
      const issues = await contracts.carbon.queryFilter(contracts.carbon.filters.CreditsIssued());
      const given = [...carbon.periods.values()].filter(({ issued }) => issued > 0n);
      const failures = await Promise.all(given.map((period) => holdingsFailure(world, period)));
      for (const { credit, name } of given) {
        const times = issues.filter(({ args }) => args.credit === credit).length;
        if (times !== 1) failures.push(`${name} was issued ${times} times`);
      }
      const [all, due] = [issues.map(({ args }) => args.amount), given.map(({ issued }) => issued)].map(sum);
      if (all !== due) failures.push(`${all} credits are issued in all, ${due} were due`);
      return verdict(given.length, failures);
    },
  };
}

async function holdingsFailure(world: World, period: PeriodState): Promise<string | undefined> {
  const { carbon } = world.contracts;
  const holders = [...period.holders];
  const held = await Promise.all(
    holders.map(([actor]) => carbon.balanceOf(world.account(actor).address, period.credit)),
  );
  const wrong = holders.find(([, grams], k) => held[k] !== grams);
  if (wrong) return `${period.name}: ${wrong[0]} hasn't ${wrong[1]} credits`;
  const { issued, retired } = await carbon.supplyOf(period.credit);
  const right = retired === retiredOf(period) && retired <= issued && sum(held) === issued - retired;
  return right ? undefined : `${period.name}: ${issued} issued, ${retired} retired, ${sum(held)} held`;
}

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, one) => total + one, 0n);

function verdict(checked: number, failures: readonly (string | undefined)[]): { checked: number; failure?: string } {
  const failure = failures.find((found) => found !== undefined);
  return { checked, ...(failure !== undefined && { failure }) };
}
