import { ZeroAddress } from "ethers";
import { PayoutRoller__factory } from "../contracts.js";
import { toHex } from "../internal/bytes.js";
import { PayoutTree } from "../payouts/payout-tree.js";
import { DataError } from "./data-sources.js";
import { nodeDigest, type ResultTree } from "./result-tree.js";
import { readRollData } from "./roll-data.js";
import {
  allOf,
  ownerWeights,
  pieceRollTogether,
  type RollChallenge,
  type RollFacts,
  rollChallenges,
  type ShownRoll,
} from "./roll-faults.js";
import { planRoll, type RolledResult } from "./rolls.js";
import type { PlannedCall } from "./sender.js";
import type { WatchOptions } from "./watch.js";
import type { WatchBook } from "./watch-book.js";
import { Notes, type WatchNote } from "./watch-notes.js";
import type { ResultWatch, WatchParts } from "./watch-results.js";

/** Seconds after a roll before its data count as missing, unless the watcher's owner says otherwise. */
const PATIENCE = 600n;

type RollEvent = WatchBook["rolls"]["proposed"][number];

/** What accounts have earned by the latest published tree that is known. */
interface Published {
  readonly earned: ReadonlyMap<string, bigint>;
  /** None before the first roll. */
  readonly tree: PayoutTree | undefined;
}

interface Parts extends WatchParts {
  readonly results: ResultWatch;
  /** What a demand costs. */
  readonly deposit: bigint;
}

/** The part of a watchtower that looks at rolls. */
export class RollWatch {
  private readonly notes = new Notes();
  private readonly published = new Map<bigint, Published>();
  private readonly done = new Set<bigint>();

  constructor(
    private readonly options: WatchOptions,
    private readonly parts: Parts,
  ) {}

  /** @param now The time of the latest block. */
  async round(now: bigint): Promise<WatchNote[]> {
    const { provider, addresses } = this.options;
    const roller = PayoutRoller__factory.connect(addresses.PayoutRoller, provider);
    const [pending, { number }] = await Promise.all([
      roller.pendingOf(addresses.Analytics),
      roller.ledgerOf(addresses.Analytics),
    ]);
    const isPending = pending.proposer !== ZeroAddress;
    await this.settle(isPending ? number : undefined, now);
    const event = this.parts.book.rolls.proposed.findLast(({ args }) => args.number === number);
    if (!event || !isPending || now > pending.challengeEnd || this.done.has(number)) return this.notes.take();
    await this.look(event, pending.demandEnd, now).catch((error: unknown) => {
      this.add("trouble", number, error instanceof Error ? error.message : String(error));
    });
    return this.notes.take();
  }

  /** Takes a roll down whose demanded leaf is overdue, and takes back what was paid for leaves of one that fell. */
  private async settle(pending: bigint | undefined, now: bigint): Promise<void> {
    const { provider, addresses } = this.options;
    const roller = PayoutRoller__factory.connect(addresses.PayoutRoller, provider);
    const { demanded, rejected } = this.parts.book.rolls;
    const me = await this.parts.sender.address();
    const fallen = new Set(rejected.map(({ args }) => args.number));
    for (const { args } of demanded) {
      const { number, index } = args;
      const isOurs = number === pending || (fallen.has(number) && args.by === me);
      if (!isOurs) continue;
      const { by, until } = await roller.demandOf(addresses.Analytics, number, index);
      if (by === ZeroAddress || (number === pending && now <= until)) continue;
      const call =
        number === pending
          ? this.call("fail", roller.interface.encodeFunctionData("fail", [addresses.Analytics, index]))
          : this.call("refund", roller.interface.encodeFunctionData("refund", [addresses.Analytics, number, index]));
      this.notes.outcome(String(number), call, await this.parts.sender.send(call));
    }
  }

  private async look(event: RollEvent, demandEnd: bigint, now: bigint): Promise<void> {
    const { number, root, leaves } = event.args;
    const facts = await this.factsOf(event);
    const size = Number(leaves);
    const expected = facts.due && new PayoutTree(facts.due);
    const isExpected = expected?.root === root && expected.size === size;
    const tree = isExpected ? expected : await this.readTree(event);
    const shown = this.shownOf(number);
    const pieced = tree ? { tree } : pieceRollTogether(root, size, expected, shown);
    const known = "tree" in pieced ? allOf(pieced.tree) : shown;
    let isRight = true;
    for (const challenge of rollChallenges(facts, known)) {
      isRight = false;
      this.add("fault", number, challenge.name.replace("challenge", "").toLowerCase());
      if (!(await this.challenge(number, challenge))) continue;
      this.done.add(number);
      return;
    }
    if ("next" in pieced) return this.demand(event, pieced.next, demandEnd, now);
    if (!facts.due) return this.add("unseen", number, "What accounts are due can't be seen.");
    // A challenge that is refused, as by a node that lags, is tried again.
    if (!isRight) return;
    this.add("clean", number, `${root} is right.`);
    this.done.add(number);
  }

  /** Says whether a challenge went out. */
  private async challenge(number: bigint, { before, ...call }: RollChallenge): Promise<boolean> {
    const { sender } = this.parts;
    for (const step of before) {
      if (!this.notes.outcome(String(number), step, await sender.send(step))) return false;
    }
    // What only a sender's own steps make right can't be simulated without one.
    return this.notes.outcome(String(number), call, await sender.send(call, before.length === 0));
  }

  /** The latest weight that the watcher has shown of accounts in results of a roll. */
  private weighedIn(number: bigint): (account: string, index: number) => bigint {
    const own = this.parts.book.rolls.weighed.filter(({ args }) => args.number === number);
    const latest = new Map(own.map(({ args }) => [`${args.account.toLowerCase()} ${args.result}`, args.weight]));
    return (account, index) => latest.get(`${account} ${index}`) ?? 0n;
  }

  private async factsOf({ args }: RollEvent): Promise<RollFacts> {
    const { addresses } = this.options;
    const results = args.results.map(({ id, root, weight, reward }): RolledResult => ({ id, root, weight, reward }));
    const former = await this.publishedBefore(args.number);
    const trees = await this.treesOf(results);
    return {
      analytics: addresses.Analytics,
      roller: addresses.PayoutRoller,
      leaves: Number(args.leaves),
      total: args.total,
      results,
      former: former?.tree,
      trees: trees ?? [],
      due: former && trees && dueOf(former, results, trees),
      weighed: this.weighedIn(args.number),
      mostCalldata: this.options.mostCalldata,
    };
  }

  private async treesOf(results: readonly RolledResult[]): Promise<ResultTree[] | undefined> {
    const trees: ResultTree[] = [];
    for (const { id, root } of results) {
      const tree = await this.parts.results.treeOf(id).catch(unlessLost);
      if (!tree || toHex(nodeDigest(tree.root)) !== root) return undefined;
      trees.push(tree);
    }
    return trees;
  }

  /** Follows the published rolls from the first on: each by the rule, or by its data. */
  private async publishedBefore(number: bigint): Promise<Published | undefined> {
    let last: Published = { earned: new Map(), tree: undefined };
    for (const { args } of this.parts.book.rolls.published) {
      if (args.number >= number) break;
      const known = this.published.get(args.number) ?? (await this.publishedAs(args.number, args.root, last));
      if (!known) return undefined;
      this.published.set(args.number, known);
      last = known;
    }
    return last;
  }

  private async publishedAs(number: bigint, root: string, before: Published): Promise<Published | undefined> {
    const event = this.parts.book.rolls.proposed.findLast(({ args }) => args.number === number);
    if (!event) return undefined;
    const results = event.args.results.map(({ id, root, weight, reward }) => ({ id, root, weight, reward }));
    const trees = await this.treesOf(results);
    const planned = trees && new PayoutTree(dueOf(before, results, trees));
    const tree = planned?.root === root ? planned : await this.readTree(event);
    return tree?.root === root ? { earned: tree.earned, tree } : undefined;
  }

  private async readTree({ args }: RollEvent): Promise<PayoutTree | undefined> {
    const data = await this.options.dataOf(args.content).catch(unlessLost);
    const leaves = data && (await readRollData(data, Number(args.leaves)).catch(unlessLost));
    const tree = leaves && new PayoutTree(leaves);
    return tree?.root === args.root ? tree : undefined;
  }

  private shownOf(number: bigint): ShownRoll {
    const own = this.parts.book.rolls.shown.filter(({ args }) => args.number === number);
    return new Map(
      own.map(({ args: { shown } }) => {
        const { account, earned, before } = shown.leaf;
        const leaf = { account, earned, before };
        return [Number(shown.index), { leaf, index: shown.index, siblings: [...shown.siblings] }];
      }),
    );
  }

  private async demand(event: RollEvent, next: readonly number[], demandEnd: bigint, now: bigint): Promise<void> {
    const { number } = event.args;
    this.add("unseen", number, "There are no data that make its root.");
    const { timestamp } = await event.getBlock();
    const half = (demandEnd - BigInt(timestamp)) / 2n;
    const { patience = PATIENCE } = this.options;
    if (now < BigInt(timestamp) + (patience < half ? patience : half) || now > demandEnd) return;
    const own = this.parts.book.rolls.demanded.filter(({ args }) => args.number === number);
    const demanded = new Set(own.map(({ args }) => Number(args.index)));
    const isAnswering = this.shownOf(number).size > 0;
    // As with results: not a deposit for every leaf before one was shown.
    const wanted = isAnswering ? next : demanded.size === 0 ? next.slice(0, 1) : [];
    const { interface: roller } = PayoutRoller__factory.connect(this.options.addresses.PayoutRoller);
    for (const index of wanted.filter((one) => !demanded.has(one))) {
      const data = roller.encodeFunctionData("demand", [this.options.addresses.Analytics, BigInt(index)]);
      const call = this.call(`demand ${index}`, data);
      const outcome = await this.parts.purse.pay(call, this.parts.deposit);
      if (!outcome) return this.add("limit", number, `Leaf ${index} isn't demanded: the budget is used up.`);
      this.notes.outcome(String(number), call, outcome);
    }
  }

  private call(name: string, data: string): PlannedCall {
    return { name, to: this.options.addresses.PayoutRoller, data };
  }

  private add(what: WatchNote["what"], number: bigint, detail: string): void {
    this.notes.add({ what, about: String(number), detail });
  }
}

/** What accounts have earned after a roll, by the rule. */
function dueOf(
  { earned }: Published,
  results: readonly RolledResult[],
  trees: readonly ResultTree[],
): ReadonlyMap<string, bigint> {
  const rollable = results.flatMap(({ id, root, reward }, k) => {
    const tree = trees[k];
    return tree ? [{ id, root, reward, weights: ownerWeights(tree) }] : [];
  });
  // The first result's reward has the carry in it.
  return planRoll(earned, rollable, 0n).tree.earned;
}

function unlessLost(error: unknown): undefined {
  if (error instanceof DataError) return undefined;
  throw error;
}
