import { ZeroHash } from "ethers";
import { batchRootFrom, entryOf } from "../anchoring/batches.js";
import { readRounds } from "../anchoring/feeds.js";
import { entryLeaf, peakHeight, provesEntry } from "../anchoring/mountain-range.js";
import { isAuthentic } from "../anchoring/readings.js";
import { fromHex, toHex } from "../internal/bytes.js";
import { carbonInvariants } from "./invariants-carbon.js";
import { lieInvariants } from "./invariants-lies.js";
import { halvesKept } from "./proposals.js";
import type { Scenario } from "./scenario-schema.js";
import type { Anchored, World } from "./world.js";

/** Something that must hold after every step, whatever the scenario does. */
export interface Invariant {
  readonly name: string;
  readonly description: string;
  /** What to do when it doesn't hold; a defect of this project if left out. */
  readonly advice?: string;
  /** Looks at the world and says how many things it looked at, or what is wrong. */
  check(world: World): Promise<{ checked: number; failure?: string }>;
}

/** How an invariant fared over a run. */
export interface InvariantRecord {
  readonly name: string;
  readonly description: string;
  checked: number;
  holds: boolean;
  firstFailure?: string;
}

/** The numbers are those of docs/invariants.md. */
export function invariants({ steps }: Pick<Scenario, "steps">): Invariant[] {
  const hasParts = steps.some((step) => step.do === "commission");
  const hasFeeds = steps.some((step) => step.do === "feed");
  const hasProjects = steps.some((step) => step.do === "project");
  const hasLies = steps.some((step) => step.do === "watch" || step.do === "question" || "lie" in step);
  return [
    itcConserved(),
    bondsCovered(),
    escrowCovered(),
    payoutsCovered(),
    logsGrow(),
    readingsVerify(),
    ownersAgree(),
    ...(hasParts ? [partsAgree()] : []),
    ...(hasFeeds ? [feedsAgree(), coversPaidOnce()] : []),
    ...(hasProjects ? carbonInvariants() : []),
    ...(hasLies ? lieInvariants() : []),
  ];
}

/** Checks all of them and adds to the records. A check that throws counts as one that failed. */
export async function checkAll(list: readonly Invariant[], records: InvariantRecord[], world: World): Promise<void> {
  for (const [k, invariant] of list.entries()) {
    const { name, description } = invariant;
    const record = (records[k] ??= { name, description, checked: 0, holds: true });
    const { checked, failure } = await invariant.check(world);
    record.checked += checked;
    if (failure === undefined) continue;
    record.holds = false;
    record.firstFailure ??= failure;
  }
}

function itcConserved(): Invariant {
  return {
    name: "ITC conserved",
    description: "The balances of all accounts that ever held ITC add up to the fixed supply.",
    async check(world) {
      const holders = [...world.ledger.holders()];
      const balances = await Promise.all(holders.map((holder) => balanceOf(world, holder)));
      const sum = balances.reduce((a, b) => a + b, 0n);
      const supply = await world.contracts.itc.totalSupply();
      return result(holders.length, sum === supply, `${sum} of ${supply} units are accounted for`);
    },
  };
}

function bondsCovered(): Invariant {
  return {
    name: "Bonds covered",
    description: "The registry holds exactly the bond of every device that is or may still become active.",
    async check(world) {
      const { registry } = world.contracts;
      let owed = 0n;
      for (const fleet of world.fleets.values()) {
        const id = fleet.lot.idFor(world.account(fleet.spec.issuer).address);
        const { size, activated, bond, revoked } = await registry.lotOf(id);
        owed += bond * (revoked ? activated : size);
      }
      const held = await balanceOf(world, world.addresses.DeviceRegistry);
      return result(world.fleets.size, held === owed, `${held} units held, ${owed} owed`);
    },
  };
}

function escrowCovered(): Invariant {
  return {
    name: "Escrow covers what is owed",
    description:
      "Analytics holds exactly rewards, fees, bonds and halves of lost bonds of what is undecided; each sink of rewards what it owes.",
    async check(world) {
      let owed = 0n;
      for (const state of world.requests.values()) {
        const { status, request } = state;
        const { reward, fee, bond } = request.terms;
        if (status === "open" || status === "proposed") owed += reward + fee + halvesKept(world, state);
        if (status === "proposed") owed += bond;
      }
      const held = await balanceOf(world, world.addresses.Analytics);
      const sinks = await Promise.all([
        sinkOf(world, "ResultClaims"),
        sinkOf(world, "PayoutRoller"),
        sinkOf(world, "PayoutLists"),
      ]);
      const right = held === owed && sinks.every((sink) => sink.held === sink.owed);
      const rest = sinks.map((sink) => `${sink.held} of ${sink.owed}`).join(", ");
      return result(world.requests.size, right, `${held} units held, ${owed} owed; the sinks hold ${rest}`);
    },
  };
}

async function sinkOf(
  world: World,
  name: "ResultClaims" | "PayoutRoller" | "PayoutLists",
): Promise<{ held: bigint; owed: bigint }> {
  const { resultClaims, roller, lists } = world.contracts;
  const sink = { ResultClaims: resultClaims, PayoutRoller: roller, PayoutLists: lists }[name];
  return { held: await balanceOf(world, world.addresses[name]), owed: await sink.owed() };
}

function payoutsCovered(): Invariant {
  return {
    name: "Payouts covered",
    description: "The pool holds exactly what accounts have earned and not claimed; no unit is lost to rounding.",
    async check(world) {
      const { pool } = world.contracts;
      let owed = 0n;
      const left = [...world.earned].map(async ([account, earned]) => earned - (await pool.claimedOf(account)));
      for (const amount of await Promise.all(left)) owed += amount;
      const held = await balanceOf(world, world.addresses.PayoutPool);
      return result(world.earned.size, held === owed, `${held} units held, ${owed} owed`);
    },
  };
}

/** Its memory is the sizes seen last. */
function logsGrow(): Invariant {
  const seen = new Map<string, bigint>();
  return {
    name: "Logs only grow",
    description:
      "Each log is the log of before with entries added: same root as a log that can only append, never shorter.",
    async check(world) {
      const { anchor } = world.contracts;
      for (const [name, { account, gateway }] of world.gateways) {
        const [size] = await anchor.headOf(account.address);
        const root = await anchor.rootOf(account.address);
        const expected = gateway.log();
        const grew = size >= (seen.get(name) ?? 0n) && size === expected.size;
        seen.set(name, size);
        if (!grew || root !== toHex(expected.root)) {
          return { checked: 1, failure: `the log of ${name} has ${size} entries and root ${root}` };
        }
      }
      return { checked: world.gateways.size };
    },
  };
}

/** Its memory is how many readings it has looked at: what has verified stays so while logs only grow. */
function readingsVerify(): Invariant {
  const done = new Set<object>();
  return {
    name: "Each anchored reading verifies",
    description:
      "Every reading is signed by its device, is in its batch, and its batch is under a peak that the contract holds.",
    async check(world) {
      const fresh = [...world.anchored, ...world.recordings].filter((one) => !done.has(one));
      for (const one of fresh) done.add(one);
      const peaks = new Map<string, Promise<string>>();
      for (const anchored of fresh) {
        const failure = await failureOf(world, anchored, peaks);
        if (failure !== undefined) return { checked: fresh.length, failure };
      }
      return { checked: fresh.length };
    },
  };
}

/** Its memory is which devices it has looked at. */
function ownersAgree(): Invariant {
  const seen = new Set<string>();
  return {
    name: "Owners agree",
    description: "Each active device is a token of the owner that its own signature named, and its DID names the same.",
    async check(world) {
      const { registry } = world.contracts;
      const fresh = world.activated.filter(({ device }) => !seen.has(device.key.id));
      // Asked all at once: one after the other, each answer costs a turn of the event loop.
      const failures = await Promise.all(
        fresh.map(async ({ device, owner }) => {
          const { id } = device.key;
          seen.add(id);
          const [token, did] = await Promise.all([registry.ownerOf(BigInt(id)), registry.identityOwner(id)]);
          const right = token === owner.address && did === owner.address;
          return right ? undefined : `device ${id}: token of ${token}, DID of ${did}, meant for ${owner.address}`;
        }),
      );
      const failure = failures.find((found) => found !== undefined);
      return { checked: fresh.length, ...(failure !== undefined && { failure }) };
    },
  };
}

function partsAgree(): Invariant {
  return {
    name: "Parts agree",
    description: "Each part is where it was put, with who accepted it, and shows each wrong claim of its serial.",
    async check(world) {
      const { provenance } = world.contracts;
      const parts = [...world.parts.all()];
      const failures = await Promise.all(
        parts.map(async (part) => {
          const { parent, custodian, claims } = await provenance.partOf(part.id);
          const expected = [
            part.parent?.id ?? ZeroHash,
            world.account(world.parts.rootOf(part).custodian).address,
            BigInt(part.claims),
          ];
          const right = [parent, custodian, claims].every((found, k) => found === expected[k]);
          return right ? undefined : `${part.name}: in ${parent}, with ${custodian}, ${claims} wrong claims`;
        }),
      );
      const failure = failures.find((found) => found !== undefined);
      return { checked: parts.length, ...(failure !== undefined && { failure }) };
    },
  };
}

function feedsAgree(): Invariant {
  return {
    name: "Feeds agree",
    description:
      "Each feed keeps exactly the latest rounds, each the median of the values that were fresh when it was made.",
    async check(world) {
      let checked = 0;
      for (const { name, contract, ring, rounds } of world.feeds.values()) {
        const kept = await readRounds(contract);
        const expected = rounds.slice(-ring);
        checked += kept.length;
        const wrong = kept.find((round, k) => {
          const { roundId, answer, startedAt, updatedAt } = expected[k] ?? {};
          return (
            ![roundId === round.roundId, answer === round.answer, startedAt === round.startedAt].every(Boolean) ||
            updatedAt !== round.updatedAt
          );
        });
        if (wrong) return { checked, failure: `${name} answers ${wrong.answer} in round ${wrong.roundId}` };
        if (kept.length !== expected.length) return { checked, failure: `${name} keeps ${kept.length} rounds` };
      }
      return { checked };
    },
  };
}

function coversPaidOnce(): Invariant {
  return {
    name: "Covers paid once",
    description:
      "Each account got exactly the covers that damage was shown for, once, and each insurer its premiums; what is open is held, to the unit.",
    async check(world) {
      const covers = [...world.covers.values()];
      const { BandCover: desk } = world.addresses;
      const sum = (list: typeof covers) => list.reduce((total, { amount }) => total + amount, 0n);
      const held = await balanceOf(world, desk);
      const open = sum(covers.filter(({ status }) => status === "open"));
      if (held !== open) return { checked: covers.length, failure: `${held} units held, ${open} open` };
      for (const account of new Set(covers.flatMap(({ insured, insurer }) => [insured, insurer.address]))) {
        const due = sum(
          covers.filter(({ status, insured, insurer }) =>
            status === "paid" ? insured === account : status === "returned" && insurer.address === account,
          ),
        );
        const got = world.ledger.sent(desk, account);
        if (got !== due) return { checked: covers.length, failure: `${account} got ${got} units, ${due} were due` };
      }
      for (const { insured, insurer } of covers) {
        const pair = covers.filter((one) => one.insured === insured && one.insurer === insurer);
        const due = pair.reduce((total, { premium }) => total + premium, 0n);
        const got = world.ledger.sent(insured, insurer.address);
        if (got !== due) return { checked: covers.length, failure: `premiums of ${got} units paid, ${due} were due` };
      }
      return { checked: covers.length };
    },
  };
}

async function failureOf(
  world: World,
  anchored: Pick<Anchored, "reading" | "member" | "gateway">,
  peaks: Map<string, Promise<string>>,
): Promise<string | undefined> {
  const { reading, member, gateway } = anchored;
  const where = `reading ${reading.sequence} of ${reading.device}`;
  if (!isAuthentic(reading, member.device.key, world.digests)) return `${where} is not signed by its device`;
  const { batch, entry } = gateway.evidenceOf(reading.device, reading.sequence);
  const root = batchRootFrom(world.digests.reading(reading), batch.proof);
  const leaf = entryLeaf(entryOf({ ...batch, root, schema: reading.schema }), entry.time);
  const height = peakHeight(entry.index, gateway.log().size);
  const key = `${entry.publisher}:${height}`;
  const peak = peaks.get(key) ?? world.contracts.anchor.peakOf(entry.publisher, height);
  peaks.set(key, peak);
  const proved = provesEntry(fromHex(await peak), entry.index, leaf, entry.siblings);
  return proved ? undefined : `${where}: it is not in the log of ${entry.publisher}`;
}

function balanceOf(world: World, account: string): Promise<bigint> {
  return world.contracts.itc.balanceOf(account);
}

function result(checked: number, holds: boolean, failure: string): { checked: number; failure?: string } {
  return holds ? { checked } : { checked, failure };
}
