import { formatEther, formatUnits } from "ethers";
import type { InvariantRecord } from "./invariants.js";
import type { Tally } from "./ledger.js";
import type {
  Report,
  ReportActor,
  ReportData,
  ReportOperation,
  ReportSeries,
  ReportStep,
  ReportTransfer,
} from "./report.js";
import { analysisOf } from "./report-analysis.js";
import { carbonOf } from "./report-carbon.js";
import { challengesOf } from "./report-challenges.js";
import type { FleetState, World } from "./world.js";

/** What the engine knows beside the world. */
export interface RunFacts {
  readonly steps: readonly ReportStep[];
  readonly records: readonly InvariantRecord[];
  readonly failure: Report["failure"];
  readonly started: Date;
  readonly chainName: string;
}

const DAY = 86_400;
const ZERO = `0x${"0".repeat(40)}`;

/** The report of a run, from what its world has come to. */
export async function reportOf(
  world: World,
  { steps, records, failure, started, chainName }: RunFacts,
): Promise<Report> {
  const { scenario, ledger, chain } = world;
  const carbon = carbonOf(world);
  const challenges = challengesOf(world);
  return {
    format: "iotchain-report/1",
    scenario: scenario.name,
    title: scenario.title,
    description: scenario.description,
    seed: scenario.seed,
    verdict: failure ? "failed" : "passed",
    ...(failure && { failure }),
    chain: { id: Number(chain.id), name: chainName, blocks: await chain.blockNumber().catch(() => 0) },
    totals: {
      devices: world.memberCount(),
      readings: world.anchored.length + world.recordings.length,
      batches: ledger.byOperation.get("append a batch")?.transactions ?? 0,
      transactions: ledger.total.transactions,
      gasUsed: Number(ledger.total.gasUsed),
      itcPaid: formatEther(paidToOwners(world)),
    },
    steps,
    operations: operationsOf(ledger.byOperation),
    actors: actorsOf(world),
    invariants: records,
    data: dataOf(world),
    analyses: [...world.requests.values()].map((state) => analysisOf(world, state)),
    money: moneyOf(world),
    verification: verificationOf(world),
    ...(challenges.length > 0 && { challenges }),
    ...(world.provenance && { provenance: world.provenance }),
    ...(carbon && { carbon }),
    times: { startedAt: started.toISOString(), ms: Date.now() - started.getTime() },
  };
}

/** By the pool, from results' own trees and by lists; what a list or a tree leaves goes to companies. */
function paidToOwners(world: World): bigint {
  if (!world.isDeployed) return 0n;
  const { PayoutPool, PayoutLists, ResultClaims } = world.addresses;
  const sinks = new Set<string>([PayoutPool, PayoutLists, ResultClaims]);
  const isOwner = (account: string) => world.scenario.actors[world.nameOf.get(account) ?? ""]?.kind === "owner";
  const payments = world.ledger.flows.filter(({ from, to }) => sinks.has(from) && isOwner(to));
  return payments.reduce((sum, { amount }) => sum + amount, 0n);
}

function operationsOf(tallies: ReadonlyMap<string, Tally>): ReportOperation[] {
  const rows = [...tallies].map(([name, { transactions, gasUsed, min, max }]) => {
    const mean = Math.round(Number(gasUsed) / transactions);
    return { name, transactions, gasUsed: Number(gasUsed), min: Number(min), mean, max: Number(max) };
  });
  return rows.sort((a, b) => b.gasUsed - a.gasUsed);
}

function actorsOf(world: World): ReportActor[] {
  const { ledger } = world;
  const received = new Map<string, bigint>();
  const sent = new Map<string, bigint>();
  const first = new Map<string, bigint>();
  const add = (sums: Map<string, bigint>, key: string, amount: bigint) => sums.set(key, (sums.get(key) ?? 0n) + amount);
  for (const { from, to, amount, what } of ledger.flows) {
    const [source, target] = [world.nameOf.get(from) ?? from, world.nameOf.get(to) ?? to];
    if (what === "transfer ITC") add(first, target, amount);
    add(sent, source, amount);
    add(received, target, amount);
  }
  return Object.entries(world.scenario.actors).map(([name, { kind }]) => {
    const accounts = world.accountsOf(name);
    const tallies = accounts.flatMap(({ address }) => ledger.bySender.get(address) ?? []);
    const supply = kind === "operator" ? 10n ** 26n : 0n;
    const after = supply + (received.get(name) ?? 0n) - (sent.get(name) ?? 0n);
    return {
      name,
      kind,
      accounts: accounts.length,
      transactions: tallies.reduce((sum, { transactions }) => sum + transactions, 0),
      gasUsed: Number(tallies.reduce((sum, { gasUsed }) => sum + gasUsed, 0n)),
      itcBefore: formatEther(supply + (first.get(name) ?? 0n)),
      itcAfter: formatEther(after),
    };
  });
}

function dataOf(world: World): ReportData {
  const bySource = Map.groupBy(world.fleets.values(), ({ spec }) => spec.source);
  const data = { sources: [] as ReportData["sources"][number][], stations: [] as ReportData["stations"][number][] };
  const series: ReportSeries[] = [];
  for (const [name, fleets] of bySource) {
    const source = fleets[0]?.source;
    if (!source || name === undefined) continue;
    const members = fleets.flatMap((fleet) => fleet.members);
    const readings = members.flatMap((member) => member.series.readings);
    const times = readings.map(({ time }) => Number(time));
    const { file, what, unit, licence, scale } = source;
    const span = { from: Math.min(...times.slice(0, 1)), to: Math.max(...times.slice(-1)) };
    for (const time of times) {
      if (time < span.from) span.from = time;
      if (time > span.to) span.to = time;
    }
    data.sources.push({ name, file, what, unit, devices: members.length, readings: readings.length, ...span, licence });
    for (const { series: one } of members) {
      const [reading] = one.readings;
      if (one.longitude === undefined || one.latitude === undefined || !reading) continue;
      const value = Number(formatUnits(reading.value, scale));
      data.stations.push({ longitude: one.longitude, latitude: one.latitude, value, unit, source: name });
    }
    if (source.device === "series") series.push({ name, unit, points: dailyMeans(fleets, scale) });
  }
  return { ...data, series };
}

function dailyMeans(fleets: readonly FleetState[], scale: number): [number, number][] {
  const days = new Map<number, { sum: bigint; count: bigint }>();
  for (const { time, value } of fleets.flatMap(({ members }) => members.flatMap(({ series }) => series.readings))) {
    const day = Math.floor(Number(time) / DAY) * DAY;
    const { sum, count } = days.get(day) ?? { sum: 0n, count: 0n };
    days.set(day, { sum: sum + value, count: count + 1n });
  }
  const means = [...days].map(([day, { sum, count }]): [number, number] => [day, meanOf(sum, count, scale)]);
  return means.sort(([a], [b]) => a - b);
}

function moneyOf(world: World): ReportTransfer[] {
  const sums = new Map<string, { from: string; to: string; what: string; amount: bigint }>();
  for (const { from, to, amount, what } of world.ledger.flows) {
    if (from === ZERO || amount === 0n) continue;
    const names = { from: world.nameOf.get(from) ?? from, to: world.nameOf.get(to) ?? to, what };
    const key = JSON.stringify(names);
    sums.set(key, { ...names, amount: (sums.get(key)?.amount ?? 0n) + amount });
  }
  return [...sums.values()].map(({ from, to, what, amount }) => ({ from, to, itc: formatEther(amount), what }));
}

function verificationOf({ verification }: World): Report["verification"] {
  const { sampled, verified, bytes, example } = verification;
  const mean = bytes.length === 0 ? 0 : Math.round(bytes.reduce((a, b) => a + b, 0) / bytes.length);
  const bundleBytes = { min: bytes.length ? Math.min(...bytes) : 0, mean, max: bytes.length ? Math.max(...bytes) : 0 };
  return { sampled, verified, bundleBytes, example };
}

/** A mean to be looked at; what is paid and proved never goes through floating point. */
function meanOf(sum: bigint, count: bigint, scale: number): number {
  return Number(formatUnits((sum * 1_000_000n) / count, scale + 6));
}
