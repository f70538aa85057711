import { Analytics__factory } from "../contracts.js";
import type { AnalysisRequest } from "./requests.js";
import type { EarlierResult } from "./result-faults.js";
import type { ResultTree } from "./result-tree.js";
import type { WatchOptions } from "./watch.js";
import type { WatchBook } from "./watch-book.js";
import type { Notes } from "./watch-notes.js";

interface Related {
  readonly id: string;
  readonly request: AnalysisRequest;
  readonly proposedAt: bigint;
  readonly isFinal: boolean;
}

/** `RequestStatus` in Solidity. */
const PROPOSED = 2n;

/** Results with noise for the same purpose that a proposer could know: those in which a budget may have been spent before. */
export class EarlierResults {
  /** @param treeOf The tree of a result by its request's id, if its data are to be had. */
  constructor(
    private readonly options: WatchOptions,
    private readonly book: WatchBook,
    private readonly treeOf: (id: string) => Promise<ResultTree | undefined>,
    private readonly notes: Notes,
  ) {}

  /** Those that the watcher has, before a request. */
  async before(id: string, request: AnalysisRequest): Promise<EarlierResult[]> {
    const found: EarlierResult[] = [];
    for (const { id: other, ...result } of await this.related(id, request)) {
      if (!result.isFinal) continue;
      const tree = await this.treeOf(other).catch(() => undefined);
      if (tree) found.push({ ...result, tree });
      else this.notes.add({ what: "unseen", about: other, detail: "Whether its budget is spent again can't be seen." });
    }
    return found;
  }

  /** Whether there are more than so many, with those that anyone may still make final: a court takes them then. */
  async isMoreThan(count: number, id: string, request: AnalysisRequest): Promise<boolean> {
    return (await this.related(id, request)).length > count;
  }

  private async related(id: string, request: AnalysisRequest): Promise<Related[]> {
    const { book } = this;
    const analytics = Analytics__factory.connect(this.options.addresses.Analytics, this.options.provider);
    const found: Related[] = [];
    for (const { id: other } of request.terms.epsilon === 0n ? [] : book.proposals()) {
      const asked = book.request(other);
      if (!asked || other === id || asked.purpose !== request.purpose || asked.terms.epsilon === 0n) continue;
      const { status, proposedAt } = await analytics.statusOf(asked);
      const isFinal = book.isFinal(other);
      if (!isFinal && status !== PROPOSED) continue;
      if (proposedAt + asked.terms.challengeWindow > request.query.anchoredBy) continue;
      found.push({ id: other, request: asked, proposedAt, isFinal });
    }
    return found;
  }
}
