import { keccak256, type Provider, toBeHex, ZeroAddress } from "ethers";
import { PayoutLists__factory } from "../contracts.js";
import { readPayoutList } from "../payouts/payout-list.js";
import type { ResultTree } from "./result-tree.js";
import { ownedIn, ownerWeights } from "./roll-faults.js";
import type { PlannedCall } from "./sender.js";
import { sharesByWeight } from "./shares.js";
import type { WatchOptions } from "./watch.js";
import type { WatchBook } from "./watch-book.js";
import { Notes, type WatchNote } from "./watch-notes.js";
import type { ResultWatch, WatchParts } from "./watch-results.js";

type ListEvent = ReturnType<WatchBook["lists"]>[number];

interface Parts extends WatchParts {
  readonly results: ResultWatch;
}

/** The part of a watchtower that looks at lists of payouts. */
export class ListWatch {
  private readonly notes = new Notes();
  private readonly done = new Set<string>();

  constructor(
    private readonly options: WatchOptions,
    private readonly parts: Parts,
  ) {}

  /** @param now The time of the latest block. */
  async round(now: bigint): Promise<WatchNote[]> {
    const { provider, addresses } = this.options;
    const lists = PayoutLists__factory.connect(addresses.PayoutLists, provider);
    for (const event of this.parts.book.lists()) {
      const { id, challengeEnd, hash } = event.args;
      if (now > challengeEnd || this.done.has(keyOf(event))) continue;
      const standing = await lists.listOf(addresses.Analytics, id);
      if (standing.proposer === ZeroAddress || standing.hash !== hash) continue;
      await this.look(event).catch((error: unknown) => {
        this.add("trouble", id, error instanceof Error ? error.message : String(error));
      });
    }
    return this.notes.take();
  }

  private async look(event: ListEvent): Promise<void> {
    const { id, hash, count } = event.args;
    const words = await wordsIn(this.options.provider, event.transactionHash, hash, Number(count));
    if (!words) return this.add("unseen", id, `The list isn't in the calldata of ${event.transactionHash}.`);
    const tree = await this.treeOf(id);
    if (!tree) return this.add("unseen", id, "What accounts are due of the list can't be seen.");
    const challenges = await this.challenges(id, words, tree);
    for (const call of challenges) {
      this.add("fault", id, "list");
      if (!this.notes.outcome(id, call, await this.parts.sender.send(call))) continue;
      this.done.add(keyOf(event));
      return;
    }
    // One that is refused, as by a node that lags, is tried again.
    if (challenges.length > 0) return;
    this.add("clean", id, `The list ${hash} is right.`);
    this.done.add(keyOf(event));
  }

  /** The tree of a final result; undefined where its data aren't to be had. */
  private async treeOf(id: string): Promise<ResultTree | undefined> {
    const tree = await this.parts.results.treeOf(id);
    return tree && this.parts.book.isFinal(id) ? tree : undefined;
  }

  /** One for each account that gets too little. */
  private async challenges(id: string, words: readonly string[], tree: ResultTree): Promise<PlannedCall[]> {
    const { provider, addresses } = this.options;
    const lists = PayoutLists__factory.connect(addresses.PayoutLists, provider);
    const at = addresses.Analytics;
    const { reward } = await lists.rewardOf(at, id);
    const granted = readPayoutList(words);
    return [...sharesByWeight(ownerWeights(tree), reward)]
      .filter(([account, share]) => (granted.get(account) ?? 0n) < share)
      .map(([account]) => {
        const owned = ownedIn(tree, account);
        const data = lists.interface.encodeFunctionData("challengeList", [at, id, [...words], account, owned]);
        return { name: "challengeList", to: addresses.PayoutLists, data };
      });
  }

  private add(what: WatchNote["what"], about: string, detail: string): void {
    this.notes.add({ what, about, detail });
  }
}

/**
 * The words of a list, from the transaction that proposed it: also where another contract has passed the call on, if they are in its calldata.
 * Undefined where they aren't.
 */
async function wordsIn(
  provider: Provider,
  transaction: string,
  hash: string,
  count: number,
): Promise<string[] | undefined> {
  const data = (await provider.getTransaction(transaction))?.data ?? "0x";
  const length = toBeHex(count, 32).slice(2);
  for (let at = data.indexOf(length); at >= 0; at = data.indexOf(length, at + 1)) {
    const words = data.slice(at + 64, at + 64 * (count + 1));
    if (at % 2 === 0 && words.length === 64 * count && keccak256(`0x${words}`) === hash) {
      return Array.from({ length: count }, (_, k) => `0x${words.slice(64 * k, 64 * (k + 1))}`);
    }
  }
  return undefined;
}

/** A list that was proposed twice is two. */
function keyOf({ transactionHash, index }: ListEvent): string {
  return `${transactionHash} ${index}`;
}
