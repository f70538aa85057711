import type { Provider, Signer } from "ethers";
import { PayoutRoller__factory } from "../contracts.js";
import type { OpenReading } from "./answer.js";
import type { DataSource } from "./data-sources.js";
import { ListWatch } from "./list-watch.js";
import type { DevicePartial } from "./pieces.js";
import type { AnalysisRequest } from "./requests.js";
import { RollWatch } from "./roll-watch.js";
import { Sender } from "./sender.js";
import { type WatchAddresses, WatchBook } from "./watch-book.js";
import { Purse, type WatchNote } from "./watch-notes.js";
import { ResultWatch } from "./watch-results.js";

/** Which proved partials are questioned that the watcher has no readings to check by. */
export type QuestionPolicy = "none" | "sampled" | "all";

/** Readings that a watcher has; devices are in lower case, or checksummed. What is left out isn't checked. */
export interface KnownReadings {
  /** Another number where something has come in: the proposal is checked anew. */
  readonly counted?: number;
  readonly partialOf?: (device: string) => DevicePartial | undefined;
  /** One that the court would count; undefined if the watcher has none. */
  readonly readingOf?: (device: string) => Promise<OpenReading | undefined>;
}

/** What a watchtower works with. */
export interface WatchOptions {
  readonly provider: Provider;
  /** Who challenges. Without it nothing is sent: findings are reported. */
  readonly signer?: Signer;
  readonly addresses: WatchAddresses;
  /** Gives the data of results and rolls. */
  readonly dataOf: DataSource;
  /** The block in which the contracts were deployed; 0 if left out. */
  readonly fromBlock?: number;
  /** "none" if left out. */
  readonly questions?: QuestionPolicy;
  /** Most ITC (18 decimals) of the watcher's that may lie in deposits, or have gone with answers; 0 if left out: nothing is demanded then. */
  readonly most?: bigint;
  /** Most bytes of calldata of a transaction; 100,000 if left out. What needs more of them is shown in several. */
  readonly mostCalldata?: number;
  /** Seconds after a proposal before its data count as missing; 600 if left out, and half the window at most. */
  readonly patience?: bigint;
  /**
   * What the watcher knows of the readings that a request speaks of: what a proved partial must come to, and readings that show that a device was
   * left out. Asked for each proposal in each round, see `PublicReadings`.
   */
  readonly readings?: (id: string, request: AnalysisRequest) => Promise<KnownReadings>;
}

/**
 * Watches the results of one Analytics, and the rolls and lists over them: checks each proposal by its data, challenges what is wrong, demands what isn't
 * there, and ends overdue questions. All it knows is on the chain, so it can be stopped and started anywhere, and run twice.
 *
 * What it never does: challenge a proposal that is right by the rules; ask a question twice; send what a simulation shows to revert. A fault for
 * which a proposal would fall without its bond is challenged only if it was one in the block of the proposal: what has changed since is
 * nobody's lie.
 *
 * @example
 * const tower = new Watchtower({ provider, signer, addresses, dataOf: folderSource("results"), most: 100n * 10n ** 18n });
 * for (;;) {
 *   for (const { what, detail } of await tower.round()) console.log(what, detail);
 *   await setTimeout(12_000);
 * }
 */
export class Watchtower {
  private readonly sender: Sender;
  private state: Awaited<ReturnType<Watchtower["begin"]>> | undefined;

  constructor(private readonly options: WatchOptions) {
    this.sender = new Sender(options.provider, options.signer);
  }

  /**
   * Looks at everything once.
   *
   * @returns What was found and done; what hasn't changed since the last round isn't told again.
   * Errors: those of the provider where the chain can't be read; trouble with one proposal is a note.
   */
  async round(): Promise<WatchNote[]> {
    const { book, purse, results, rolls, lists } = (this.state ??= await this.begin());
    await book.read();
    purse.refresh();
    const block = await this.options.provider.getBlock("latest");
    const now = BigInt(block?.timestamp ?? 0);
    return [...(await results.round(now)), ...(await rolls.round(now)), ...(await lists.round(now))];
  }

  private async begin() {
    const { provider, addresses, fromBlock = 0, most = 0n } = this.options;
    const { sender } = this;
    const book = new WatchBook(provider, addresses, await sender.address(), fromBlock);
    const { deposit } = await PayoutRoller__factory.connect(addresses.PayoutRoller, provider).rules();
    const purse = new Purse(provider, sender, addresses, book, most, deposit);
    const { chainId } = await provider.getNetwork();
    const parts = { book, purse, sender, chainId };
    const results = await ResultWatch.open(this.options, parts);
    const rolls = new RollWatch(this.options, { ...parts, results, deposit });
    return { book, purse, results, rolls, lists: new ListWatch(this.options, { ...parts, results }) };
  }
}
