import { expect } from "chai";
import { forkOf, leafWords, Origin, type ResultLeaf, ResultTree } from "../../toolkit/analytics/result-tree.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { ANSWER, HOUR, opened, raise } from "../analytics/market.js";
import { type Opened, show, subjectOf } from "../analytics/questions.js";
import type { ModelProposal, ModelQuestion, ModelRequest } from "./analytics-model.js";
import type { AnalyticsWorld, Outcome } from "./analytics-world.js";
import type { Dice } from "./dice.js";

/** A request with a proposal. */
export type Proposed = ModelRequest & { readonly proposal: ModelProposal };

/** Challenges and questions, each with what the model has for it. */
export class Trials {
  readonly outcomes = new Map<string, number>();
  /** Questions whose deposits the desk holds. */
  protected readonly asked: { readonly of: ModelRequest; readonly question: ModelQuestion }[] = [];

  constructor(
    protected readonly world: AnalyticsWorld,
    protected readonly dice: Dice,
  ) {}

  /** A challenge of any kind at any place, right or wrong. */
  protected async challenge(): Promise<void> {
    const of = this.pickProposed();
    if (!of) return;
    const kinds = ["node", "leaf", "member", "double", "signature", "omission", "ignored"] as const;
    const kind = this.dice.pick(kinds);
    const { tree } = of.proposal;
    const index = this.dice.below(tree.leaves.length);
    const height = 1 + this.dice.below(tree.height);
    if (kind === "node") return this.tryNode(of, this.dice.below(tree.widthAt(height)), height);
    if (kind === "omission") return this.tryAbsent(of, this.dice.below(6), this.dice.chance(50));
    await this.tryLeaf(of, kind, index);
  }

  protected async tryNode(of: Proposed, index: number, height: number): Promise<void> {
    const { tree, lie, at, height: wrong } = of.proposal;
    const children = tree.childrenOf(index, height);
    if (!children) return;
    const [left, right] = children;
    const bytes = [toHex(left.partial), toHex(right.partial)] as const;
    const place = tree.place(index, height);
    const { node } = tree.node(index, height);
    const call = this.court.challengeNode(this.at, of.request, place, node, left.node, right.node, ...bytes);
    const isLie = lie === "node" && at === index && wrong === height;
    await this.rules(of, "node", call, isLie ? "slashed" : "refused");
  }

  protected async tryLeaf(of: Proposed, kind: "leaf" | "member" | "double" | "signature" | "ignored", index: number) {
    const { tree, lie, at } = of.proposal;
    const leaf = tree.leaves[index] ?? raise();
    const [words, place] = [leafWords(leaf), tree.place(index)];
    const k = this.numberOf(leaf);
    const isThis = at === index;
    const { court, world } = this;
    if (kind === "leaf") {
      const { node } = tree.node(index);
      const call = court.challengeLeaf(this.at, of.request, place, node, words, toHex(leaf.partial));
      return this.rules(of, kind, call, lie === "weight" && isThis ? "slashed" : "refused");
    }
    if (kind === "member") {
      const call = court.challengeMember(this.at, of.request, words, place);
      const isWithheld = leaf.origin === Origin.Withheld;
      const owner = this.ownerOf(leaf);
      const isMember = isWithheld ? world.wasMember(owner, k, of) : world.isEligible(owner, k, of);
      return this.rules(of, kind, call, isMember ? "refused" : "slashed");
    }
    if (kind === "double") {
      const other = lie === "double" ? at : this.dice.below(tree.leaves.length);
      if (other === index) return;
      const [left, right] = other < index ? [other, index] : [index, other];
      const [a, b] = [tree.leaves[left] ?? raise(), tree.leaves[right] ?? raise()];
      const fork = forkOf(tree.place(left), tree.place(right));
      const call = court.challengeDouble(this.at, of.request, [leafWords(a), leafWords(b)], fork);
      const isTwin = a.device === b.device;
      return this.rules(of, kind, call, isTwin ? "slashed" : "refused");
    }
    if (kind === "signature") {
      if (leaf.origin === Origin.Withheld) return;
      const [signer, signature] = leaf.evidence.map(toHex);
      const call = court.challengeSignature(this.at, of.request, words, place, signer ?? "0x", signature ?? "0x");
      const ruling = world.isSteady(k, of.proposal) ? "slashed" : "dismissed";
      return this.rules(of, kind, call, lie === "forged" && isThis ? ruling : "refused");
    }
    const call = court.challengeIgnored(this.at, of.request, words, place);
    const isDue = leaf.count < world.contributed(k, of) && world.isEligible(this.ownerOf(leaf), k, of);
    return this.rules(of, kind, call, isDue ? "slashed" : "refused");
  }

  /** Says that a device is missing: by a reading, or by what was contributed. */
  protected async tryAbsent(of: Proposed, k: number, byReading: boolean): Promise<void> {
    const { world, court } = this;
    const { tree, lie } = of.proposal;
    const holder = world.holderOf(k, of);
    const [owner, device] = [world.address(holder), world.device(k).first.id];
    if (lie === "node" || tree.indexOf(owner, device) >= 0) return;
    const gap = new ResultTree(of.request.query, tree.leaves).gap(owner, device);
    const isEligible = world.isEligible(holder, k, of);
    if (byReading) {
      const { fields, place, signer, signature } = this.opened(of, k)[0] ?? raise();
      const call = court.challengeOmission(this.at, of.request, owner, gap, fields, place, signer, signature);
      const isDue = isEligible && world.isUsable(world.device(k));
      return this.rules(of, "omission", call, isDue ? "slashed" : "refused");
    }
    const call = court.challengeIgnoredDevice(this.at, of.request, owner, device, gap);
    await this.rules(of, "ignored-device", call, isEligible && world.contributed(k, of) > 0n ? "slashed" : "refused");
  }

  protected async rules(
    of: Proposed,
    kind: string,
    call: Parameters<AnalyticsWorld["outcomeOf"]>[0],
    expected: Outcome,
  ): Promise<void> {
    const ruled = (await this.world.now()) > this.endOf(of.proposal) ? "CourtWindowOver" : expected;
    const outcome = await this.world.outcomeOf(call);
    const late = outcome === "CourtWindowOver" && (await this.world.now()) >= this.endOf(of.proposal);
    if (!late) expect(outcome, `${kind} against ${of.proposal.lie}`).to.equal(ruled);
    this.note(`${kind}: ${outcome}`);
    if (outcome === "slashed" || outcome === "dismissed") await this.fell(of, outcome);
  }

  /** A proposal is gone. No honest one ever loses its bond. */
  protected async fell(of: Proposed, how: "slashed" | "dismissed"): Promise<void> {
    expect(how === "slashed" && of.proposal.lie === "none", "an honest proposer lost its bond").to.equal(false);
    const fallen = (await this.world.now()) + HOUR;
    of.status = "open";
    if (how === "slashed") of.slashed++;
    if (fallen > of.lastSecond) of.lastSecond = fallen;
    delete (of as ModelRequest).proposal;
  }

  protected async ask(): Promise<void> {
    const of = this.pickProposed();
    if (!of) return;
    const index = this.dice.below(of.proposal.tree.leaves.length);
    const isProved = of.proposal.tree.leaves[index]?.origin === Origin.Proved;
    await this.askAbout(of, index, isProved && this.dice.chance(60));
  }

  protected async askAbout(of: Proposed, index: number, byReadings: boolean): Promise<void> {
    const { market } = this.world;
    const { tree, time, stamp, questions } = of.proposal;
    const leaf = tree.leaves[index] ?? raise();
    const subject = byReadings ? tree.node(index).node.below : subjectOf(index);
    const as = market.desk.connect(market.watcher);
    const call = byReadings
      ? as.question(this.at, of.request, leafWords(leaf), tree.place(index))
      : as.demand(this.at, of.request, tree.root.node, index);
    const outcome = await this.world.outcomeOf(call);
    this.note(`ask: ${outcome}`);
    const now = await this.world.now();
    if (outcome !== "done") {
      const isAsked = questions.some((one) => one.subject === subject);
      const errors = isAsked ? ["QuestionDeskAsked", "CourtWindowOver"] : ["AnalyticsTooLate", "CourtWindowOver"];
      expect(outcome, "ask").to.be.oneOf(errors);
      if (!isAsked) expect(now).to.be.at.least(Number(time + HOUR));
      return;
    }
    const device = byReadings ? this.numberOf(leaf) : undefined;
    const question = { stamp, subject, due: now + ANSWER, index, device };
    of.proposal.isQuestioned = true;
    questions.push(question);
    this.asked.push({ of, question });
  }

  protected async answer(): Promise<void> {
    const of = this.pickProposed();
    if (!of || of.proposal.questions.length === 0) return;
    await this.answerTo(of, this.dice.pick(of.proposal.questions));
  }

  protected async answerTo(of: Proposed, question: ModelQuestion): Promise<void> {
    const { market } = this.world;
    const { tree } = of.proposal;
    const leaf = tree.leaves[question.index] ?? raise();
    const { device } = question;
    const call =
      device === undefined
        ? show(market, of.request, tree.showing(question.index))
        : market.desk.answerWithReadings(this.at, of.request, leafWords(leaf), this.opened(of, device));
    const outcome = await this.world.outcomeOf(call);
    expect(outcome, `answer for ${of.proposal.lie}`).to.equal(this.canAnswer(of, question) ? "done" : outcome);
    if (!this.canAnswer(of, question)) expect(outcome).to.be.oneOf(["CourtNotInResult", "CourtWrongEvidence"]);
    this.note(`answer: ${outcome}`);
    if (outcome === "done") this.close(of, question);
  }

  protected canAnswer({ proposal }: Proposed, { index, device }: ModelQuestion): boolean {
    const { lie, at, height } = proposal;
    if (device === undefined) return lie !== "node" || index >>> height !== at;
    // A twin of a leaf is borne out by the same readings; a swollen one too, as nothing here looks at its weight.
    return this.world.isUsable(this.world.device(device)) && !(lie === "invented" && index === at);
  }

  protected close(of: ModelRequest, question: ModelQuestion): void {
    const at = this.asked.findIndex((one) => one.question === question);
    this.asked.splice(at, 1);
    if (of.proposal) of.proposal.questions = of.proposal.questions.filter((one) => one !== question);
  }

  protected async settle(): Promise<void> {
    if (this.asked.length > 0) await this.settleOne(this.dice.pick(this.asked));
  }

  protected async settleOne({ of, question }: { of: ModelRequest; question: ModelQuestion }): Promise<void> {
    const { market } = this.world;
    const stands = of.proposal?.stamp === question.stamp && of.status === "proposed";
    const isDue = (await this.world.now()) >= question.due;
    const call = market.desk.settle(this.at, of.request, question.stamp, question.subject);
    const outcome = await this.world.outcomeOf(call);
    expect(outcome, "settle").to.equal(stands && !isDue ? "QuestionDeskNotDue" : "done");
    this.note(`settle: ${stands ? outcome : "gone"}`);
    if (outcome !== "done") return;
    this.close(of, question);
    if (!stands || !of.proposal) return;
    const { device } = question;
    const isExcused = device !== undefined && !this.world.isSteady(device, of.proposal);
    this.note(`settle: ${isExcused ? "dismissed" : "slashed"}`);
    await this.fell(of as Proposed, isExcused ? "dismissed" : "slashed");
  }

  protected endOf({ time, isQuestioned }: ModelProposal): bigint {
    return time + HOUR + (isQuestioned ? 2n * ANSWER : 0n);
  }

  protected opened(of: ModelRequest, k: number): Opened[] {
    return [0, 1].map((n) => opened(this.world.market, of.batch, 2 * k + n));
  }

  protected numberOf({ device }: ResultLeaf): number {
    return this.world.devices.findIndex(({ first }) => first.id === device);
  }

  protected ownerOf({ owner }: ResultLeaf): number {
    return this.world.market.owners.findIndex(({ address }) => address === owner);
  }

  protected pick(status: ModelRequest["status"]): ModelRequest | undefined {
    const all = this.world.requests.filter((one) => one.status === status);
    return all.length > 0 ? this.dice.pick(all) : undefined;
  }

  protected proposed(): Proposed[] {
    return this.world.requests.filter(
      (one): one is Proposed => one.status === "proposed" && one.proposal !== undefined,
    );
  }

  protected pickProposed(): Proposed | undefined {
    const all = this.proposed();
    return all.length > 0 ? this.dice.pick(all) : undefined;
  }

  protected get at(): string {
    return this.world.market.addresses.Analytics;
  }

  protected get court() {
    return this.world.market.court.connect(this.world.market.watcher);
  }

  protected note(name: string): void {
    this.outcomes.set(name, (this.outcomes.get(name) ?? 0) + 1);
  }
}
