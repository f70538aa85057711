import { Analytics__factory, QuestionDesk__factory } from "../contracts.js";
import { sameBytes, toHex } from "../internal/bytes.js";
import { challengeOf, demandOf, settleOf } from "./challenges.js";
import { checkResult } from "./check-result.js";
import { ContributedReadings, contributionsTo } from "./contributed-readings.js";
import { courtViews } from "./court-views.js";
import { DataError } from "./data-sources.js";
import { type Challengeable, isChallengeable, isFaultBy, shuffled } from "./fault-views.js";
import { membersAt } from "./membership.js";
import { checkable } from "./open-readings.js";
import { PartialDigests } from "./partial-digests.js";
import { Recent } from "./recent.js";
import type { AnalysisRequest } from "./requests.js";
import { writeResultData } from "./result-data.js";
import type { CheckSources, EarlierResult, Placed, ProposalFacts, ResultFault } from "./result-faults.js";
import { leafBelow, nodeDigest, Origin, type ResultLeaf, type ResultTree } from "./result-tree.js";
import type { Sender } from "./sender.js";
import { pieceTogether, type ShownLeaf, shownIn } from "./shown-leaves.js";
import { leavesIn, treeIn } from "./tree-data.js";
import type { KnownReadings, WatchOptions } from "./watch.js";
import type { Proposed, WatchBook } from "./watch-book.js";
import { EarlierResults } from "./watch-earlier.js";
import { Notes, type Purse, type WatchNote } from "./watch-notes.js";

/** What the parts of a watchtower share. */
export interface WatchParts {
  readonly book: WatchBook;
  readonly purse: Purse;
  readonly sender: Sender;
  readonly chainId: bigint;
}

/** One is enough to take a proposal down; the others are for when it is refused. */
const MOST_FAULTS = 20;
/** Partials that are questioned of a result under the policy "sampled". */
const SAMPLE = 3;
const PATIENCE = 600n;
const MOST_TREES = 8;

/** A proposal that can be challenged. */
interface Standing {
  readonly proposed: Proposed;
  readonly facts: ProposalFacts;
  readonly stamp: string;
  readonly snapshot: bigint;
  /** Last second for a question. */
  readonly questionEnd: bigint;
}

/** What is known of a proposal. */
interface Case {
  found?: { readonly tree: ResultTree; readonly faults: readonly ResultFault[] };
  /** How many earlier results were looked at, and `counted` of the watcher's readings then; none where they couldn't be read. */
  earlier: number;
  counted?: number | undefined;
  isDone: boolean;
}

/** The published leaves of a proposal that don't make its root, and where to begin; `since`: from when on to demand. */
interface Unmatched {
  readonly published: readonly ResultLeaf[];
  readonly suspect: number;
  readonly since: bigint;
  readonly why: string;
}

/** The part of a watchtower that looks at results. */
export class ResultWatch {
  private readonly notes = new Notes();
  private readonly cases = new Map<string, Case>();
  private readonly shown = new Map<string, ShownLeaf>();
  /** Of proposals that aren't open any longer: their data can be got again. */
  private readonly trees = new Recent<ResultTree>(MOST_TREES);
  private readonly digests: PartialDigests;
  private readonly earlier: EarlierResults;

  private constructor(
    private readonly options: WatchOptions,
    private readonly parts: WatchParts,
    private readonly deposit: bigint,
    private readonly answerTime: bigint,
  ) {
    this.digests = new PartialDigests({ chainId: parts.chainId, analytics: options.addresses.Analytics });
    this.earlier = new EarlierResults(options, parts.book, (id) => this.treeOf(id), this.notes);
  }

  static async open(options: WatchOptions, parts: WatchParts): Promise<ResultWatch> {
    const desk = QuestionDesk__factory.connect(options.addresses.QuestionDesk, options.provider);
    const analytics = Analytics__factory.connect(options.addresses.Analytics, options.provider);
    const [deposit, { answerTime }] = await Promise.all([desk.deposit(), analytics.limits()]);
    return new ResultWatch(options, parts, deposit, answerTime);
  }

  /** @param now The time of the latest block. */
  async round(now: bigint): Promise<WatchNote[]> {
    const stamps = new Map<string, Standing>();
    for (const proposed of this.parts.book.proposals()) {
      const standing = await this.standing(proposed);
      if (standing) stamps.set(standing.stamp, standing);
    }
    for (const stamp of this.cases.keys()) if (!stamps.has(stamp)) this.cases.delete(stamp);
    for (const key of this.shown.keys()) if (!stamps.has(key.split(" ", 1)[0] ?? "")) this.shown.delete(key);
    await this.settle(new Set(stamps.keys()), now);
    for (const standing of stamps.values()) {
      await this.look(standing, now).catch((error: unknown) => this.trouble(standing, error));
    }
    return this.notes.take();
  }

  /** The tree of the latest proposal of a request, or of its result, if its data are to be had. */
  async treeOf(id: string): Promise<ResultTree | undefined> {
    const proposed = this.parts.book.proposals().find((one) => one.id === id);
    const request = this.parts.book.request(id);
    if (!proposed || !request) return undefined;
    const root = toHex(nodeDigest(proposed.root));
    const known = this.trees.get(root) ?? [...this.cases.values()].find((one) => rootOf(one) === root)?.found?.tree;
    if (known) return known;
    const data = await this.options.dataOf(proposed.content);
    const tree = data && (await treeIn(data, this.expected(request), root));
    if (tree) this.trees.set(root, tree);
    return tree;
  }

  private expected(request: AnalysisRequest) {
    return { chainId: this.parts.chainId, analytics: this.options.addresses.Analytics, request };
  }

  private async standing(proposed: Proposed): Promise<Standing | undefined> {
    const { id, content, root } = proposed;
    const request = this.parts.book.request(id);
    if (!request || this.parts.book.isFinal(id)) return undefined;
    const analytics = Analytics__factory.connect(this.options.addresses.Analytics, this.options.provider);
    const [proposal, { proposedAt }] = await Promise.all([analytics.proposalOf(request), analytics.statusOf(request)]);
    const { root: digest, proposedBlock, stamp, snapshot } = proposal;
    if (digest !== toHex(nodeDigest(root))) return undefined;
    const facts = { ...this.expected(request), root: digest, content, proposedAt, proposedBlock };
    return { proposed, facts, stamp, snapshot, questionEnd: proposedAt + request.terms.challengeWindow };
  }

  /** Ends questions that are overdue, whoever asked, and takes back what was asked of proposals that are gone. */
  private async settle(standing: ReadonlySet<string>, now: bigint): Promise<void> {
    const { book, sender } = this.parts;
    for (const asked of book.questions()) {
      const request = book.request(asked.request);
      if (!request || book.settled(asked)) continue;
      const isDue = standing.has(asked.stamp) ? now > asked.due : book.isMine(asked);
      if (!isDue) continue;
      const call = settleOf(asked, request, this.options.addresses);
      this.notes.outcome(asked.request, call, await sender.send(call));
    }
  }

  private async look(standing: Standing, now: bigint): Promise<void> {
    const { stamp, proposed, facts } = standing;
    const known = this.cases.get(stamp) ?? { earlier: 0, isDone: false };
    this.cases.set(stamp, known);
    const seen = await this.readings(standing);
    // What was checked by readings waits for them: without, the watcher would pay for answers that it knows.
    if (!seen && known.counted !== undefined) return;
    const readings = seen ?? {};
    const { counted } = readings;
    if (known.isDone && counted === known.counted) return;
    const earlier = await this.earlier.before(proposed.id, facts.request);
    if (!known.found || earlier.length > known.earlier || counted !== known.counted) {
      const found = await this.find(standing, earlier, readings, now);
      if (!found) return;
      Object.assign(known, { found, counted, earlier: earlier.length, isDone: false });
    }
    if (!known.found) return;
    for (const { kind, ...fault } of known.found.faults) {
      this.notes.add({ what: "fault", about: proposed.id, detail: "why" in fault ? `${kind}: ${fault.why}` : kind });
    }
    const challenged = await this.challenge(standing, known.found.faults);
    if (challenged === "sent") known.isDone = true;
    else if (await this.ask(standing, known.found, readings, now)) {
      const mayBeMore = await this.earlier.isMoreThan(earlier.length, proposed.id, facts.request);
      known.isDone = challenged !== "refused" && !mayBeMore;
    }
  }

  /** What the watcher has itself; undefined where it can't be read. What is wrong with the rest of a proposal can be seen without. */
  private async readings(standing: Standing): Promise<KnownReadings | undefined> {
    const { proposed, facts } = standing;
    try {
      return (await this.options.readings?.(proposed.id, facts.request)) ?? {};
    } catch (error) {
      this.trouble(standing, error);
      return undefined;
    }
  }

  /** The faults of a proposal, by its data or by what was shown of it; undefined while its tree isn't known. */
  private async find(
    standing: Standing,
    earlier: readonly EarlierResult[],
    readings: KnownReadings,
    now: bigint,
  ): Promise<Case["found"]> {
    const { facts, proposed } = standing;
    const sources = await this.sources(standing, earlier, readings);
    const read = await this.read(standing, sources);
    if ("tree" in read) return read;
    this.notes.add({ what: "unseen", about: proposed.id, detail: read.why });
    const { book } = this.parts;
    const questions = book.questions().filter((asked) => asked.stamp === standing.stamp && asked.index !== undefined);
    const known = {
      query: facts.request.query,
      root: proposed.root,
      published: read.published,
      shown: await this.shownOf(standing),
      suspect: read.suspect,
      demanded: new Set(questions.map(({ index = -1 }) => index)),
      rounds: 1 + Math.floor(Number(standing.questionEnd - now) / Number(this.answerTime)),
    };
    const pieced = pieceTogether(known);
    if ("next" in pieced) {
      const isWaiting = questions.some((asked) => !book.settled(asked));
      // Without data every leaf is needed; a proposer who hasn't answered once mustn't get a deposit for each.
      const isBlind = read.published.length === 0 && known.shown.length === 0;
      const next = isWaiting ? [] : isBlind ? pieced.next.slice(0, 1) : pieced.next;
      if (now >= read.since && now <= standing.questionEnd) await this.demand(standing, next);
      return undefined;
    }
    if (pieced.fault) return { tree: pieced.tree, faults: [pieced.fault] };
    const { leaves } = pieced.tree;
    const data = writeResultData({ ...this.expected(facts.request), leaves: leaves.length }, leaves);
    const { faults } = await checkResult(data, facts, sources, MOST_FAULTS);
    return { tree: pieced.tree, faults: faults.filter(({ kind }) => kind !== "content-mismatch") };
  }

  private async read(
    { proposed, facts }: Standing,
    sources: CheckSources,
  ): Promise<NonNullable<Case["found"]> | Unmatched> {
    const { request, proposedAt } = facts;
    const half = request.terms.challengeWindow / 2n;
    const { patience = PATIENCE } = this.options;
    const missing = { published: [], suspect: 0, since: proposedAt + (patience < half ? patience : half) };
    try {
      const data = await this.options.dataOf(proposed.content);
      if (!data) return { ...missing, why: "There are no data." };
      const { tree, faults } = await checkResult(data, facts, sources, MOST_FAULTS);
      const isOther = faults.some(({ kind }) => kind === "content-mismatch");
      // Whoever has the tree can check it, whatever its file is called.
      if (tree) return { tree, faults: faults.filter(({ kind }) => kind !== "content-mismatch") };
      if (isOther) return { ...missing, why: "The data aren't those that the proposal names." };
      const mismatch = faults.find((fault) => fault.kind === "root-mismatch");
      const { why = "The data have no root.", index: suspect = 0 } = mismatch ?? {};
      const again = await this.options.dataOf(proposed.content);
      const published = (again && (await leavesIn(again, facts))) ?? [];
      return { published, suspect, since: published.length > 0 ? 0n : missing.since, why };
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      // It may be the watcher's own trouble.
      return { ...missing, since: proposedAt + half, why: error.message };
    }
  }

  private async sources(
    standing: Standing,
    earlier: readonly EarlierResult[],
    readings: KnownReadings,
  ): Promise<CheckSources> {
    const { facts, snapshot, proposed } = standing;
    const { provider, addresses, fromBlock = 0 } = this.options;
    const contributions = await contributionsTo(proposed.id, this.parts.book, provider, addresses);
    const contributed = new ContributedReadings(provider, addresses, fromBlock);
    const onTrouble = (error: unknown) => this.trouble(standing, error);
    const known = await contributed.beside(readings, proposed.id, facts.request, contributions.keys(), onTrouble);
    const needsMembers = contributions.size > 0 || readings.readingOf !== undefined;
    return {
      digests: this.digests,
      views: courtViews(provider, addresses, facts.request, snapshot),
      members: needsMembers ? await membersAt(provider, addresses, facts.request, snapshot, { fromBlock }) : [],
      contributions,
      earlier,
      ...checkable(known),
    };
  }

  private async shownOf({ stamp, facts }: Standing): Promise<ShownLeaf[]> {
    const found: ShownLeaf[] = [];
    for (const asked of this.parts.book.questions()) {
      const settled = this.parts.book.settled(asked);
      if (asked.stamp !== stamp || asked.index === undefined || !settled?.answered) continue;
      const key = `${stamp} ${asked.index}`;
      const { provider } = this.options;
      const shown =
        this.shown.get(key) ?? (await shownIn(provider, settled.hash, asked.index, facts.request.query, facts.root));
      if (shown) {
        this.shown.set(key, shown);
        found.push(shown);
        continue;
      }
      const detail = `Leaf ${asked.index} was shown in ${settled.hash}, which doesn't have its words.`;
      this.notes.add({ what: "unseen", about: asked.request, detail });
    }
    return found;
  }

  private async demand({ proposed, facts }: Standing, indices: readonly number[]): Promise<void> {
    for (const index of indices) {
      const call = demandOf(proposed.root, index, facts.request, this.options.addresses);
      const outcome = await this.parts.purse.pay(call, this.deposit);
      if (!outcome) return this.limit(proposed.id, `Leaf ${index} isn't demanded: the budget is used up.`);
      this.notes.outcome(proposed.id, { ...call, name: `demand ${index}` }, outcome);
    }
  }

  /** What became of challenges: one that is refused, as by a node that lags, is tried again. */
  private async challenge(standing: Standing, faults: readonly ResultFault[]): Promise<"sent" | "refused" | "none"> {
    const isMild = ({ ruling }: Challengeable) => Number(ruling !== "slashed");
    const shown = faults.filter(isChallengeable).sort((a, b) => isMild(a) - isMild(b));
    let isRefused = false;
    for (const fault of shown) {
      if (fault.ruling !== "slashed" && !(await this.stoodThen(standing, fault))) continue;
      const call = challengeOf(fault, standing.facts.request, this.options.addresses);
      if (this.notes.outcome(standing.proposed.id, call, await this.parts.sender.send(call))) return "sent";
      isRefused = true;
    }
    return isRefused ? "refused" : "none";
  }

  /** Whether a fault that costs no bond was one already when the proposal came. */
  private async stoodThen(standing: Standing, fault: Challengeable): Promise<boolean> {
    const { proposed, facts } = standing;
    const about = proposed.id;
    try {
      const { provider, addresses } = this.options;
      const block = Number(facts.proposedBlock);
      const views = courtViews(provider, addresses, facts.request, standing.snapshot, block);
      if (await isFaultBy(views, this.digests, proposed.id, fault)) return true;
      this.notes.add({ what: "doubtful", about, detail: `${fault.kind}: it was right in the block of the proposal.` });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const detail = `${fault.kind}: the state of block ${facts.proposedBlock} isn't to be had: ${why}`;
      this.notes.add({ what: "doubtful", about, detail });
    }
    return false;
  }

  /** Questions partials; says whether there is nothing left to do. */
  private async ask(
    standing: Standing,
    found: NonNullable<Case["found"]>,
    readings: KnownReadings,
    now: bigint,
  ): Promise<boolean> {
    const { proposed, facts } = standing;
    const [wrong] = found.faults.filter((fault) => fault.kind === "question");
    const unchecked = wrong ? [wrong] : this.chosen(standing, found.tree, readings);
    if (found.faults.length === 0)
      this.notes.add({ what: "clean", about: proposed.id, detail: `${facts.root} is right.` });
    const asked = new Set(this.parts.book.questions().map(({ stamp, subject }) => `${stamp} ${subject}`));
    for (const { leaf, place } of now > standing.questionEnd ? [] : unchecked) {
      if (asked.has(`${standing.stamp} ${toHex(leafBelow(leaf))}`)) continue;
      const fault = { kind: "question", why: "", leaf, place } as const;
      const call = challengeOf(fault, facts.request, this.options.addresses);
      const outcome = await this.parts.purse.pay(call, this.deposit);
      if (!outcome) {
        this.limit(proposed.id, `The partial of ${leaf.device} isn't questioned: the budget is used up.`);
        return false;
      }
      this.notes.outcome(proposed.id, { ...call, name: `question ${leaf.device}` }, outcome);
    }
    return true;
  }

  /** Proved partials that the watcher's own readings don't bear out, as far as the policy wants them questioned. */
  private chosen({ stamp }: Standing, tree: ResultTree, { partialOf }: KnownReadings): Placed[] {
    const { questions = "none" } = this.options;
    if (questions === "none") return [];
    const open = [...tree.leaves.keys()].filter((index) => {
      const leaf = tree.leaves[index];
      const own = leaf && partialOf?.(leaf.device);
      return leaf?.origin === Origin.Proved && !(own && sameBytes(own.partial, leaf.partial));
    });
    const mine = this.parts.book.questions().filter((asked) => asked.stamp === stamp && this.parts.book.isMine(asked));
    const most = questions === "all" ? open.length : SAMPLE - mine.length;
    return shuffled(open)
      .slice(0, Math.max(0, most))
      .flatMap((index) => {
        const leaf = tree.leaves[index];
        return leaf ? [{ leaf, place: tree.place(index) }] : [];
      });
  }

  private limit(about: string, detail: string): void {
    this.notes.add({ what: "limit", about, detail });
  }

  private trouble({ proposed }: Standing, error: unknown): void {
    const detail = error instanceof Error ? error.message : String(error);
    this.notes.add({ what: "trouble", about: proposed.id, detail });
  }
}

function rootOf({ found }: Case): string | undefined {
  return found && toHex(nodeDigest(found.tree.root));
}
