import { expect } from "chai";
import { id } from "ethers";
import { Settlement } from "../../toolkit/analytics/requests.js";
import type { ResultTree } from "../../toolkit/analytics/result-tree.js";
import { nodeDigest } from "../../toolkit/analytics/result-tree.js";
import { writeRollData } from "../../toolkit/analytics/roll-data.js";
import { ownedIn, ownerWeights } from "../../toolkit/analytics/roll-faults.js";
import { planRoll } from "../../toolkit/analytics/rolls.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { type Earnings, PayoutTree } from "../../toolkit/payouts/payout-tree.js";
import { asked, ITC, idOf, passWindow, raise, treeOf } from "./market.js";
import { brief, laggingNode, proposeData, towerOf, type WatchStage, withLeaves } from "./watched.js";

const ROLLED = { terms: { settlement: Settlement.Rolled } };

/** A final result whose reward lies at the roller; without its first leaf, if so wanted, so that owners' leaves lie under several nodes. */
async function finished(isUneven = false) {
  const whole = await withLeaves(ROLLED);
  const stage = isUneven ? { ...whole, tree: treeOf(whole.request, whole.tree.leaves.slice(1)) } : whole;
  const { market } = stage;
  for (const who of [market.proposer, market.watcher]) {
    await market.itc.connect(who).approve(market.addresses.PayoutRoller, 2n ** 256n - 1n);
  }
  await finish(stage);
  return stage;
}

type Rolled = Pick<WatchStage, "market" | "request" | "shelf" | "tree">;

async function finish(stage: Rolled): Promise<void> {
  await proposeData(stage, stage.tree, stage.tree);
  await passWindow(stage.market);
  await stage.market.analytics.finalise(stage.request);
}

/** The next tree by the rule. */
async function truth({ market, request, tree }: Rolled, before: ReadonlyMap<string, bigint> = new Map()) {
  const { carry } = await market.roller.ledgerOf(market.addresses.Analytics);
  const { reward } = request.terms;
  const root = toHex(nodeDigest(tree.root));
  return planRoll(before, [{ id: idOf(market, request), root, weights: ownerWeights(tree), reward }], carry).tree;
}

/** Proposes a tree, with its data on the shelf or not. */
async function roll({ market, request, shelf }: Rolled, tree: PayoutTree, total = tree.total, isKept = true) {
  const content = await shelf.put(writeRollData(tree));
  if (!isKept) shelf.kept.delete(content);
  const at = market.addresses.Analytics;
  const roller = market.roller.connect(market.proposer);
  await roller.roll(at, [idOf(market, request)], tree.root, BigInt(tree.size), total, content);
}

const standsRoll = async ({ market }: Rolled) =>
  (await market.roller.pendingOf(market.addresses.Analytics)).proposer === market.proposer.address;

/** The leaves of a tree, with changes to one. */
function with_(tree: PayoutTree, index: number, changes: Partial<Earnings>): PayoutTree {
  return new PayoutTree(tree.leaves.map((leaf, k) => (k === index ? { ...leaf, ...changes } : leaf)));
}

/** Two leaves are in the wrong order; sums are right. */
function disordered(tree: PayoutTree): PayoutTree {
  let before = 0n;
  const leaves = [...tree.leaves].reverse().map(({ account, earned }) => {
    const leaf = { account, earned, before };
    before += earned;
    return leaf;
  });
  return new PayoutTree(leaves);
}

/** Someone gets what is another's; sums are right. */
function shifted(tree: PayoutTree, amount: bigint): PayoutTree {
  const [first = raise(), second = raise()] = tree.leaves;
  const earned = tree.earned;
  earned.set(first.account, first.earned - amount);
  earned.set(second.account, second.earned + amount);
  return new PayoutTree(earned);
}

/** One account is left out, and another has what it earned. */
function without(tree: PayoutTree, index: number): PayoutTree {
  const gone = tree.leaves[index] ?? raise();
  const other = tree.leaves[index === 0 ? 1 : 0] ?? raise();
  const earned = tree.earned;
  earned.delete(gone.account);
  earned.set(other.account, other.earned + gone.earned);
  return new PayoutTree(earned);
}

describe("A watchtower over rolls", () => {
  it("leaves a roll by the rule alone, also without its data", async () => {
    for (const isKept of [true, false]) {
      const stage = await finished();
      const tree = await truth(stage);
      await roll(stage, tree, tree.total, isKept);
      expect(brief(await towerOf(stage).round())).to.deep.equal([`clean ${tree.root} is right.`]);
    }
  });

  it("challenges an edge, a pair, and accounts that have too little or are left out", async () => {
    const lies: [call: string, lie: (tree: PayoutTree) => PayoutTree, total?: bigint][] = [
      ["challengeEdge", (tree) => with_(tree, 0, { before: 1n })],
      ["challengeEdge", (tree) => tree, 1n],
      ["challengePair", (tree) => with_(tree, 1, { before: 0n })],
      ["challengePair", disordered],
      ["challengeUnderpaid", (tree) => shifted(tree, 1n)],
      ["challengeUnderpaid", (tree) => without(tree, 0)],
      ["challengeUnderpaid", (tree) => without(tree, 1)],
      ["challengeUnderpaid", (tree) => without(tree, 2)],
    ];
    for (const [call, lie, total] of lies) {
      const stage = await finished();
      const { market } = stage;
      const tree = lie(await truth(stage));
      await roll(stage, tree, total ?? (await truth(stage)).total);
      const before = await market.itc.balanceOf(market.watcher.address);
      const said = brief(await towerOf(stage).round());
      expect(said.filter((line) => line.startsWith("sent"))).to.deep.equal([`sent ${call}`]);
      expect(await standsRoll(stage)).to.equal(false);
      const { bond } = await market.roller.rules();
      expect((await market.itc.balanceOf(market.watcher.address)) - before).to.equal(bond / 2n);
    }
  });

  it("tries again where a node that lags refuses its challenge", async () => {
    const stage = await finished();
    const { node, provider } = await laggingNode(stage.market);
    await roll(stage, with_(await truth(stage), 0, { before: 1n }));
    const tower = towerOf(stage, { provider });
    expect(new Set((await tower.round()).map(({ what }) => what))).to.deep.equal(new Set(["fault", "refused"]));
    node.isLate = false;
    expect(brief(await tower.round()).filter((line) => line.startsWith("sent"))).to.have.length(1);
    expect(await standsRoll(stage)).to.equal(false);
  });

  it("shows weights first where a challenge doesn't fit into one transaction, and goes on from what it has shown", async () => {
    for (const isBegun of [false, true]) {
      const stage = await finished(true);
      const { market } = stage;
      const tree = await truth(stage);
      await roll(stage, without(tree, 2));
      const account = tree.leaves[2]?.account ?? raise();
      const owned = ownedIn(stage.tree, account);
      expect(owned.nodes.length).to.equal(2);
      if (isBegun) {
        const { args } = (await market.roller.queryFilter(market.roller.filters.RootProposed())).at(-1) ?? raise();
        const results = args.results.map(({ id, root, weight, reward }) => ({ id, root, weight, reward }));
        const first = { nodes: owned.nodes.slice(0, 1), places: owned.places.slice(0, 1) };
        const roller = market.roller.connect(market.watcher);
        await roller.showWeight(market.addresses.Analytics, account, results, 0, first);
      }
      const said = brief(await towerOf(stage, { mostCalldata: 1 }).round());
      const steps = isBegun ? ["sent showWeight"] : ["sent showWeight", "sent showWeight"];
      expect(said.filter((line) => line.startsWith("sent"))).to.deep.equal([...steps, "sent challengeUnderpaid"]);
      expect(await standsRoll(stage)).to.equal(false);
    }
  });

  it("demands leaves of a tree without data, and challenges what is shown", async () => {
    for (const lie of [(tree: PayoutTree) => shifted(tree, 5n), (tree: PayoutTree) => without(tree, 1)]) {
      const stage = await finished();
      const { market } = stage;
      const tree = lie(await truth(stage));
      await roll(stage, tree, tree.total, false);
      let said: string[] = [];
      for (let round = 0; round < 4 && !said.includes("sent challengeUnderpaid"); round++) {
        said = brief(await towerOf(stage).round());
        for (let k = 0; k < tree.size; k++) {
          await market.roller.answer(market.addresses.Analytics, tree.show(k)).catch(() => undefined);
        }
      }
      expect(said).to.include("sent challengeUnderpaid");
      expect(await standsRoll(stage)).to.equal(false);
    }
  });

  it("takes a roll down whose leaf isn't shown in time", async () => {
    const stage = await finished();
    const { market } = stage;
    const tree = shifted(await truth(stage), 5n);
    await roll(stage, tree, tree.total, false);
    const tower = towerOf(stage);
    const before = await market.itc.balanceOf(market.watcher.address);
    expect(brief(await tower.round())).to.include("sent demand 0");
    expect(brief(await tower.round())).to.deep.equal([]);
    const { answerTime, bond } = await market.roller.rules();
    await market.networkHelpers.time.increase(answerTime + 1n);
    expect(brief(await tower.round())).to.deep.equal(["sent fail"]);
    expect((await market.itc.balanceOf(market.watcher.address)) - before).to.equal(bond / 2n);
  });

  it("takes back what it paid for a leaf of a roll that fell otherwise", async () => {
    const stage = await finished();
    const { market } = stage;
    const tree = with_(await truth(stage), 0, { before: 1n });
    await roll(stage, tree, (await truth(stage)).total, false);
    const tower = towerOf(stage);
    expect(brief(await tower.round())).to.include("sent demand 0");
    await market.roller.connect(market.company).challengeEdge(market.addresses.Analytics, tree.show(0));
    const before = await market.itc.balanceOf(market.watcher.address);
    expect(brief(await tower.round())).to.deep.equal(["sent refund"]);
    const { deposit } = await market.roller.rules();
    expect((await market.itc.balanceOf(market.watcher.address)) - before).to.equal(deposit);
  });

  it("follows published rolls to the next one, and sees that somebody has less than before", async () => {
    const stage = await finished();
    const { market, shelf } = stage;
    const first = await truth(stage);
    await roll(stage, first);
    await passWindow(market, (await market.roller.rules()).window);
    await market.roller.publish(market.addresses.Analytics);
    for (const isLie of [true, false]) {
      const next = await nextResult(stage, isLie ? "lie" : "truth");
      const tree = await truth({ ...next, shelf }, first.earned);
      await roll({ ...next, shelf }, isLie ? shifted(tree, 300n * ITC) : tree);
      const said = brief(await towerOf(stage).round());
      if (isLie) expect(said).to.include("sent challengeUnderpaid");
      else expect(said).to.include(`clean ${tree.root} is right.`);
    }
  });
});

/** Another final result of the same devices. */
async function nextResult({ market, shelf, tree }: WatchStage, salt: string): Promise<Rolled> {
  const request = await asked(market, { ...ROLLED, salt: id(salt) });
  const next: Rolled = { market, request, shelf, tree: tree as ResultTree };
  await finish(next);
  return next;
}
