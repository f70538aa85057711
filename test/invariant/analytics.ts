import { expect } from "chai";
import { id } from "ethers";
import { Operation } from "../../toolkit/analytics/query.js";
import { compareLeaves, Origin, type ResultLeaf } from "../../toolkit/analytics/result-tree.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { HOUR, ITC, provedLeaf, raise, withheldLeaf } from "../analytics/market.js";
import { type Lie, LooseTree, type ModelProposal, type ModelRequest } from "./analytics-model.js";
import { type Proposed, Trials } from "./analytics-trials.js";
import { AnalyticsWorld } from "./analytics-world.js";
import { Dice } from "./dice.js";

const STEPS = 300;
/** `SEED=7` replays the walk of that seed; `FUZZ=20` makes 20 walks. */
const FIRST_SEED = Number(process.env.SEED ?? 20_265);
const WALKS = Number(process.env.FUZZ ?? 1);
const MOST_REQUESTS = 9;
const LIES: readonly Lie[] = ["node", "weight", "invented", "foreign", "double", "omission", "forged", "ignored"];

/** One walk on a chain of its own. */
class Walk extends Trials {
  static async start(seed: number): Promise<Walk> {
    return new Walk(await AnalyticsWorld.open(), new Dice(seed));
  }

  async step(): Promise<void> {
    const { dice, world } = this;
    const action = dice.weighted<() => Promise<void>>([
      [8, () => this.open()],
      [16, () => this.propose()],
      [6, () => this.contribute()],
      [40, () => this.challenge()],
      [14, () => this.ask()],
      [8, () => this.answer()],
      [8, () => this.settle()],
      [6, () => this.finalise()],
      [3, () => this.cancel()],
      [10, () => this.jump(BigInt(1 + dice.below(Number(HOUR))))],
      [3, () => this.change((k) => world.toggleState(k))],
      [2, () => this.change((k) => world.rotateKey(k))],
      [2, () => this.change((k) => world.sell(k, dice.below(3)))],
      [2, async () => void (world.requests.length > 0 && (await world.toggleConsent(dice.below(3))))],
    ]);
    await action();
    await this.holds();
  }

  private async open(): Promise<void> {
    if (this.world.requests.length >= MOST_REQUESTS) return;
    const shape = this.dice.pick([
      { operation: Operation.Mean },
      { operation: Operation.MinMax },
      { operation: Operation.Histogram, size: 4 },
      { operation: Operation.Distinct, size: 10, lower: 0n, upper: 0n },
    ]);
    const of = await this.world.request(shape, 3n * HOUR + BigInt(this.dice.below(40)) * HOUR);
    this.note("request");
    for (let k = this.dice.below(4); k > 0; k--) await this.contribute(of);
  }

  private async contribute(of = this.pick("open")): Promise<void> {
    const k = this.dice.below(6);
    if (!of || !this.world.isUsable(this.world.device(k))) return;
    if ((await this.world.now()) >= of.request.query.anchoredBy - 5n) return;
    const count = this.dice.below(2) + 1;
    const { market } = this.world;
    const device = this.world.device(k).first.id;
    const call = market.desk.contributeReadings(this.at, of.request, device, this.opened(of, k).slice(0, count));
    const expected = BigInt(count) > this.world.contributed(k, of) ? "done" : "QuestionDeskLess";
    const outcome = await this.world.outcomeOf(call);
    expect(outcome, "contribute").to.equal(expected);
    this.note(`contribute: ${outcome}`);
    if (outcome !== "done") return;
    const [time, block] = [await this.world.now(), await market.ethers.provider.getBlockNumber()];
    of.contributed.set(k, { count: BigInt(count), time, block: BigInt(block) });
  }

  private async propose(): Promise<void> {
    const of = this.pick("open");
    if (!of) return;
    if ((await this.world.now()) <= of.request.query.anchoredBy) await this.jumpTo(of.request.query.anchoredBy + 1n);
    if ((await this.world.now()) >= of.lastSecond || of.status !== "open") return;
    const built = await this.build(of, this.dice.chance(45) ? "none" : this.dice.pick(LIES));
    if (!built) return;
    const { market } = this.world;
    const { tree, lie } = built;
    const { node, partial } = tree.root;
    const by = lie === "none" ? market.proposer : market.company;
    const call = market.analytics.connect(by).propose(of.request, node, toHex(partial), id("data"));
    const isSmall = node.summary.members < of.request.terms.cohort;
    if (isSmall) {
      expect(await this.world.outcomeOf(call)).to.equal("AnalyticsCohortTooSmall");
      return;
    }
    const { time, block } = await this.world.done(call);
    const { stamp } = await market.analytics.proposalOf(of.request);
    of.proposal = { ...built, time, block, stamp, isQuestioned: false, questions: [] };
    of.status = "proposed";
    this.note(`propose: ${lie}`);
  }

  /** A tree with one lie; undefined where there is nothing to lie about. */
  private async build(
    of: ModelRequest,
    lie: Lie,
  ): Promise<Pick<ModelProposal, "tree" | "lie" | "at" | "height"> | undefined> {
    const { world, dice } = this;
    const honest = world.honestLeaves(of);
    const used = honest.filter(
      ({ leaf, k }) => leaf.origin === Origin.Proved && world.isEligible(world.holderOf(k, of), k, of),
    );
    const sorted = (leaves: readonly ResultLeaf[]) => [...leaves].sort(compareLeaves);
    const leaves = honest.map(({ leaf }) => leaf);
    if (lie === "none" || lie === "node") {
      if (leaves.length < 2) return undefined;
      const tree = new LooseTree(of.request, sorted(leaves));
      if (lie === "none") return { tree, lie, at: 0, height: 0 };
      const height = 1 + dice.below(tree.height);
      const index = dice.below(tree.widthAt(height));
      if (!tree.childrenOf(index, height)) return undefined;
      return { tree: new LooseTree(of.request, tree.leaves, { height, index }), lie, at: index, height };
    }
    const wanted = lie === "ignored" ? used.filter(({ k }) => world.contributed(k, of) > 0n) : used;
    if (wanted.length === 0) return undefined;
    const { k, leaf } = dice.pick(wanted);
    const others = leaves.filter((one) => one !== leaf);
    const changed = await this.changed(of, lie, k, leaf);
    const kept = lie === "double" ? [...leaves, changed ?? leaf] : changed ? [...others, changed] : others;
    if (kept.length < 2) return undefined;
    const tree = new LooseTree(of.request, sorted(kept));
    const at = changed ? tree.indexOf(changed.owner, changed.device) : k;
    return { tree, lie, at, height: 0 };
  }

  /** What stands instead of a leaf; nothing where it is left out. */
  private async changed(of: ModelRequest, lie: Lie, k: number, leaf: ResultLeaf): Promise<ResultLeaf | undefined> {
    const { world } = this;
    const other = world.address((world.holderOf(k, of) + 1) % 3);
    const [first, second] = of.kept[k] ?? raise();
    switch (lie) {
      case "weight":
        return { ...leaf, weight: leaf.weight + 1n };
      case "invented":
        return provedLeaf(of.request, leaf.owner, [{ ...(first ?? raise()), value: 99n }, second ?? raise()]);
      case "foreign":
      case "double":
        return { ...leaf, owner: other };
      case "forged":
        return world.forgedLeaf(of, k);
      case "ignored":
        return withheldLeaf(of.request, leaf.owner, world.device(k).first);
      default:
        return undefined;
    }
  }

  private async finalise(): Promise<void> {
    const of = this.pickProposed();
    if (!of) return;
    const { proposal } = of;
    const isOver = (await this.world.now()) >= this.endOf(proposal);
    const outcome = await this.world.outcomeOf(this.world.market.analytics.finalise(of.request));
    const expected = isOver ? (proposal.questions.length > 0 ? "AnalyticsQuestionsOpen" : "done") : "AnalyticsTooEarly";
    expect(outcome, "finalise").to.equal(expected);
    this.note(`finalise: ${outcome}`);
    if (outcome !== "done") return;
    expect(proposal.lie, "a lie became final").to.equal("none");
    of.status = "final";
  }

  private async cancel(): Promise<void> {
    const of = this.pick("open");
    if (!of) return;
    const now = (await this.world.now()) + 1n;
    const mayCancel = now <= of.request.query.anchoredBy || now > of.lastSecond;
    if (mayCancel && this.dice.chance(70)) return;
    const call = this.world.market.analytics.connect(this.world.market.company).cancel(of.request);
    const outcome = await this.world.outcomeOf(call);
    expect(outcome, "cancel").to.equal(mayCancel ? "done" : "AnalyticsTooEarly");
    this.note(`cancel: ${outcome}`);
    if (outcome === "done") of.status = "cancelled";
  }

  /** Before a device changes, the watcher says what could not be shown any longer. */
  private async change(how: (k: number) => Promise<void>): Promise<void> {
    for (const of of this.proposed()) {
      if (of.proposal.lie === "omission" || of.proposal.lie === "ignored") await this.accuse(of);
      // Nor could an honest proposer answer any longer.
      else if (of.proposal.lie === "none") await this.answerAll(of);
    }
    await how(this.dice.below(6));
    this.note("change");
  }

  private jump(seconds: bigint): Promise<void> {
    return this.world.now().then((now) => this.jumpTo(now + seconds));
  }

  /** Lets time pass; the watcher and honest proposers do in time what they must. */
  private async jumpTo(time: bigint): Promise<void> {
    const { networkHelpers } = this.world.market;
    for (;;) {
      const now = await this.world.now();
      const target = time < now + 600n ? time : now + 600n;
      for (const of of this.proposed()) await this.beInTime(of, target + 200n);
      if ((await this.world.now()) < target) await networkHelpers.time.increaseTo(target);
      if ((await this.world.now()) >= time) return;
    }
  }

  private async beInTime(of: Proposed, time: bigint): Promise<void> {
    const { lie, time: proposedAt, questions } = of.proposal;
    if (lie === "none") {
      if (questions.some(({ due }) => due <= time)) await this.answerAll(of);
      return;
    }
    if (proposedAt + HOUR <= time) await this.accuse(of);
  }

  private async answerAll(of: Proposed): Promise<void> {
    for (const question of [...of.proposal.questions]) {
      if (this.canAnswer(of, question)) await this.answerTo(of, question);
    }
  }

  /** Shows what is wrong, in one transaction or by a question whose answer is then overdue. */
  private async accuse(of: Proposed): Promise<void> {
    const { lie, at, height, questions, tree } = of.proposal;
    if ((await this.world.now()) >= this.endOf(of.proposal)) raise();
    switch (lie) {
      case "node":
        return this.tryNode(of, at, height);
      case "weight":
        return this.tryLeaf(of, "leaf", at);
      case "foreign":
      case "double":
        return this.tryLeaf(of, "member", at);
      case "forged":
        return this.tryLeaf(of, "signature", at);
      case "ignored":
        return this.tryLeaf(of, "ignored", at);
      case "omission":
        return this.tryAbsent(of, at, true);
      default: {
        const asked = questions.find(({ device, index }) => device !== undefined && index === at);
        if (!asked) await this.askAbout(of, at, true);
        else if ((await this.world.now()) > asked.due) await this.settleOne({ of, question: asked });
        expect(tree.leaves[at]?.origin).to.equal(Origin.Proved);
      }
    }
  }

  private async holds(): Promise<void> {
    const { market, requests } = this.world;
    let held = 0n;
    for (const { status, request, slashed } of requests) {
      const { reward, fee, bond } = request.terms;
      if (status === "open" || status === "proposed") held += reward + fee + slashed * (bond - bond / 2n);
      if (status === "proposed") held += bond;
    }
    expect(await market.itc.balanceOf(market.addresses.Analytics)).to.equal(held);
    expect(await market.itc.balanceOf(market.addresses.QuestionDesk)).to.equal(BigInt(this.asked.length) * 10n * ITC);
    const of = this.dice.pick([undefined, ...requests]);
    if (!of) return;
    const { status } = await market.analytics.statusOf(of.request);
    expect(Number(status)).to.equal(["none", "open", "proposed", "final", "cancelled"].indexOf(of.status));
    const { stamp, challengeEnd } = await market.analytics.proposalOf(of.request);
    if (of.status === "proposed" && of.proposal) {
      expect([stamp, challengeEnd]).to.deep.equal([of.proposal.stamp, this.endOf(of.proposal)]);
    }
  }
}

describe("The results' invariants", () => {
  const outcomes = new Map<string, number>();

  for (let seed = FIRST_SEED; seed < FIRST_SEED + WALKS; seed++) {
    it(`hold at each step of a random walk (SEED=${seed})`, async function () {
      this.timeout(600_000);
      const walk = await Walk.start(seed);
      for (let step = 0; step < STEPS; step++) await walk.step();
      for (const [name, times] of walk.outcomes) outcomes.set(name, (outcomes.get(name) ?? 0) + times);
    });
  }

  it("are tried by walks that go everywhere", () => {
    if (process.env.SHOW) console.log(outcomes);
    for (const name of ["request", "change", "propose: none", "ask: done", "answer: done", "finalise: done"])
      expect(outcomes.get(name) ?? 0, name).to.be.greaterThan(0);
    const refused = ["node", "leaf", "member", "double", "signature", "ignored"].map((kind) => `${kind}: refused`);
    for (const name of refused) expect(outcomes.get(name) ?? 0, name).to.be.greaterThan(0);
    const slashed = [...outcomes].filter(([name]) => name.endsWith(": slashed")).length;
    expect(slashed).to.be.greaterThan(3);
  });
});
