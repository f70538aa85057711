import { reductionsOf } from "../analytics/carbon.js";
import { type PeriodState, retiredOf } from "./carbon-book.js";
import type { Invariant } from "./invariants.js";
import type { World } from "./world.js";

/** What must hold for credits; the numbers are those of docs/invariants.md. */
export function carbonInvariants(): Invariant[] {
  return [creditsAsMetered(), creditsIssuedOnce()];
}

/** Its memory is what issued periods are due: what was anchored in time stays so. */
function creditsAsMetered(): Invariant {
  const dues = new Map<bigint, bigint>();
  return {
    name: "Credits as metered",
    description:
      "A period's credits are the grams that the data behind its meters' readings come to, computed apart from aggregator and contract; others have none.",
    async check(world) {
      const periods = [...world.carbon.periods.values()];
      for (const period of periods) {
        if (period.issued > 0n && !dues.has(period.credit)) dues.set(period.credit, gramsBehind(world, period));
      }
      const failures = await Promise.all(
        periods.map(async ({ name, credit }) => {
          const { issued } = await world.contracts.carbon.supplyOf(credit);
          const due = dues.get(credit) ?? 0n;
          return issued === due ? undefined : `${name}: ${issued} credits are issued, ${due} were due`;
        }),
      );
      return verdict(periods.length, failures);
    },
  };
}

/** What the data come to of whose readings logs have in time; batches say which, and no value is taken from them. */
function gramsBehind(world: World, { name, project, from, to }: PeriodState): bigint {
  const { anchoredBy } = world.request(name).request.query;
  const members = new Map(project.fleets.flatMap((fleet) => fleet.members.map((one) => [one.device.key.id, one])));
  let units = 0n;
  for (const { gateway } of world.gateways.values()) {
    for (const { time: anchoredAt, batch } of gateway.anchoredBatches()) {
      for (const { device, sequence, time } of batch.readings) {
        const value = members.get(device)?.series.readings[Number(sequence)]?.value;
        if (value !== undefined && time >= from && time < to && anchoredAt <= anchoredBy) units += value;
      }
    }
  }
  return reductionsOf(project.words, units);
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
