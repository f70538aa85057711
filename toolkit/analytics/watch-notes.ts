import type { Provider } from "ethers";
import { ITC__factory } from "../contracts.js";
import type { Outcome, PlannedCall, Sender } from "./sender.js";
import type { WatchAddresses, WatchBook } from "./watch-book.js";

/** What a watcher has found, or done. */
export interface WatchNote {
  /**
   * `clean`: nothing wrong with a proposal. `fault`: something is. `sent`: a call went out. `refused`: a call that the contract doesn't take.
   * `reported`: a call that would have gone out. `unseen`: data that aren't to be had (yet). `doubtful`: what can't be told from a lie, and is
   * left alone. `limit`: the budget is used up. `trouble`: something else went wrong; it is tried again.
   */
  readonly what: "clean" | "fault" | "sent" | "refused" | "reported" | "unseen" | "doubtful" | "limit" | "trouble";
  /** The id of the request, or the number of the roll. */
  readonly about: string;
  readonly detail: string;
  /** The function that was called. */
  readonly call?: string;
  /** Of the transaction. */
  readonly hash?: string;
}

/** Collects notes, each once. */
export class Notes {
  private readonly told = new Set<string>();
  private fresh: WatchNote[] = [];

  add(note: WatchNote): void {
    const key = `${note.what} ${note.about} ${note.detail} ${note.hash ?? ""}`;
    if (this.told.has(key)) return;
    this.told.add(key);
    this.fresh.push(note);
  }

  /** Says what became of a call, and whether it is done with: sent, or nothing to be sent with. */
  outcome(about: string, { name }: PlannedCall, outcome: Outcome): boolean {
    const detail = outcome.kind === "refused" ? outcome.why : name;
    this.add({ what: outcome.kind, about, detail, call: name, ...(outcome.kind === "sent" && { hash: outcome.hash }) });
    return outcome.kind !== "refused";
  }

  /** All since the last time. */
  take(): WatchNote[] {
    const fresh = this.fresh;
    this.fresh = [];
    return fresh;
  }
}

/** Pays deposits, up to a limit. */
export class Purse {
  private readonly out = new Map<string, bigint>();

  /** @param most ITC, 18 decimals. */
  constructor(
    private readonly provider: Provider,
    private readonly sender: Sender,
    private readonly addresses: Pick<WatchAddresses, "ITC">,
    private readonly book: WatchBook,
    private readonly most: bigint,
    /** What a demand costs at the roller. */
    private readonly rollDeposit: bigint,
  ) {}

  /** Forgets what was sent since the book was read: it is in the book now. */
  refresh(): void {
    this.out.clear();
  }

  /** Sends a call that takes a deposit. Undefined where the limit doesn't allow it. */
  async pay(call: PlannedCall, deposit: bigint): Promise<Outcome | undefined> {
    const sent = [...this.out.values()].reduce((sum, value) => sum + value, 0n);
    const me = await this.sender.address();
    const rolls = this.book.rollDemands(me) * this.rollDeposit;
    if (this.book.deposits() + rolls + sent + deposit > this.most) return undefined;
    if (me !== undefined) await this.allow(me, call.to, deposit);
    // A deposit is taken from somebody: without a sender there is nothing to simulate.
    const outcome = await this.sender.send(call, false);
    if (outcome.kind === "sent") this.out.set(outcome.hash, deposit);
    return outcome;
  }

  private async allow(me: string, spender: string, deposit: bigint): Promise<void> {
    const itc = ITC__factory.connect(this.addresses.ITC, this.provider);
    if ((await itc.allowance(me, spender)) >= deposit) return;
    const data = itc.interface.encodeFunctionData("approve", [spender, this.most]);
    await this.sender.send({ name: "approve", to: this.addresses.ITC, data });
  }
}
