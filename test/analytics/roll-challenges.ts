import { expect } from "chai";
import { id } from "ethers";
import { nodesOfRange, ownerRange } from "../../toolkit/analytics/owner-nodes.js";
import { planRoll, type RollPlan } from "../../toolkit/analytics/rolls.js";
import { type Earnings, PayoutTree, type ShownEarnings } from "../../toolkit/payouts/payout-tree.js";
import { BOND, type Finished, finish, openStage, type Stage } from "./payout-stage.js";
import { inOrder, type Share } from "./result-trees.js";
import { challengeUnderpaid, changed, ownedIn, propose, publishTruth, rollTruth, sevenShares } from "./roll-rig.js";

type Owned = ReturnType<typeof ownedIn>[number];

describe("Challenges to rolls", () => {
  let stage: Stage;

  beforeEach(async () => {
    stage = await openStage();
  });

  const held = () => stage.itc.balanceOf(stage.sinks.roller);
  const ownerOf = (k: number) => stage.owners[k]?.address ?? "";
  const final = (name = "result", changes: Parameters<typeof finish>[3] = {}) =>
    finish(stage, "roller", sevenShares(stage), { name, ...changes });
  /** A result of owners 0 to `size` - 1 in the order of addresses, one device each. */
  const many = (size: number, weight = (k: number) => BigInt(k + 1), reward = 1_000_000n) => {
    const shares: Share[] = Array.from({ length: size }, (_, k) => ({
      owner: inOrder(2 * k + 1),
      device: inOrder(k),
      weight: weight(k),
    }));
    return finish(stage, "roller", shares, { reward, name: `many ${size}` });
  };
  const pair = (left: ShownEarnings, right: ShownEarnings) =>
    stage.roller.connect(stage.challenger).challengePair(stage.analytics, left, right);
  const edge = (shown: ShownEarnings) => stage.roller.connect(stage.challenger).challengeEdge(stage.analytics, shown);
  const fallen = async (attempt: Promise<unknown>) => {
    const { number } = await stage.roller.ledgerOf(stage.analytics);
    await expect(attempt)
      .to.emit(stage.roller, "RootRejected")
      .withArgs(stage.analytics, number, stage.challenger.address);
  };
  /** Proposes leaves as they stand, with the total that they end at or another. */
  const proposeLeaves = async (result: Finished, leaves: readonly Earnings[], total?: bigint) => {
    const tree = new PayoutTree(leaves);
    const last = leaves.at(-1);
    await propose(stage, [result], tree, { total: total ?? (last ? last.before + last.earned : 0n) });
    return tree;
  };
  const edit = (leaves: readonly Earnings[], at: number, changes: Partial<Earnings>) =>
    leaves.map((leaf, k) => (k === at ? { ...leaf, ...changes } : leaf));
  const planOf = (result: Finished): RollPlan => planRoll(new Map(), [result], 0n);

  describe("challengePair", () => {
    it("takes down a tree with two leaves out of order, doubled, or with a wrong sum between them", async () => {
      const result = await many(7);
      const { leaves } = planOf(result).tree;
      const { number: none } = await stage.roller.ledgerOf(stage.analytics);
      expect(none).to.equal(0n);
      for (const at of [0, 2, 3, 5]) {
        const [left, right] = [leaves[at], leaves[at + 1]];
        if (!left || !right) throw new Error("The tree is too small.");
        const lies = [
          edit(leaves, at + 1, { account: left.account }),
          edit(leaves, at + 1, { account: inOrder(0) }),
          edit(leaves, at + 1, { before: right.before + 1n }),
          edit(leaves, at + 1, { before: right.before - 1n }),
          edit(leaves, at, { earned: left.earned - 1n }),
          edit(leaves, at, { earned: 2n ** 128n - 1n, before: 2n ** 128n - 1n }),
        ];
        for (const lie of lies) {
          const tree = await proposeLeaves(result, lie, 1_000_000n);
          await fallen(pair(tree.show(at), tree.show(at + 1)));
        }
      }
    });

    it("refuses neighbours that are right, leaves that aren't neighbours, and leaves that aren't in the tree", async () => {
      const plan = await rollTruth(stage, [await many(7)]);
      const show = (k: number) => plan.tree.show(k);
      for (let k = 0; k < 6; k++) {
        await expect(pair(show(k), show(k + 1))).to.be.revertedWithCustomError(
          stage.roller,
          "PayoutRollerNothingWrong",
        );
      }
      for (const [left, right] of [
        [0, 2],
        [3, 3],
        [4, 3],
      ] as const) {
        await expect(pair(show(left), show(right)))
          .to.be.revertedWithCustomError(stage.roller, "PayoutRollerNotNeighbours")
          .withArgs(left, right);
      }
      const lies = [
        { ...show(3), leaf: { ...show(3).leaf, before: 0n } },
        { ...show(5), index: 3n },
        { ...show(3), siblings: show(3).siblings.slice(1) },
        { ...show(3), siblings: [...show(3).siblings, id("x")] },
      ];
      for (const lie of lies) {
        await expect(pair(show(2), lie))
          .to.be.revertedWithCustomError(stage.roller, "PayoutRollerNotInTree")
          .withArgs(3n);
      }
      await expect(pair(show(6), { ...show(6), index: 7n }))
        .to.be.revertedWithCustomError(stage.roller, "PayoutRollerNotInTree")
        .withArgs(7n);
    });

    it("pays half the bond, keeps half and the carry, and frees the results", async () => {
      const first = await publishTruth(stage, [await final()]);
      const { carry } = await stage.roller.ledgerOf(stage.analytics);
      expect(carry).to.equal(2n);
      const result = await final("next");
      const { tree } = planRoll(first.tree.earned, [result], carry);
      const lie = await proposeLeaves(result, edit(tree.leaves, 1, { before: 0n }));
      await expect(pair(lie.show(0), lie.show(1)))
        .to.emit(stage.itc, "Transfer")
        .withArgs(stage.sinks.roller, stage.challenger.address, BOND / 2n);
      const left = carry + BOND - BOND / 2n;
      expect((await stage.roller.ledgerOf(stage.analytics)).carry).to.equal(left);
      expect([await held(), await stage.roller.owed()]).to.deep.equal([1_000n + left, 1_000n + left]);
      expect(await stage.roller.isRolled(stage.analytics, result.id)).to.equal(false);
      const next = await publishTruth(stage, [result], first.tree.earned);
      expect(next.results[0]?.reward).to.equal(1_000n + left);
    });
  });

  describe("challengeEdge", () => {
    it("takes down a first leaf with something before it, and a last one that misses the total", async () => {
      const result = await many(7);
      const { leaves, total } = planOf(result).tree;
      const shifted = leaves.map((leaf) => ({ ...leaf, before: leaf.before + 1n }));
      const early = await proposeLeaves(result, shifted, total);
      await fallen(edge(early.show(0)));
      for (const wrong of [total + 1n, total - 1n]) {
        const tree = await proposeLeaves(result, leaves, wrong);
        await expect(edge(tree.show(0))).to.be.revertedWithCustomError(stage.roller, "PayoutRollerNothingWrong");
        await fallen(edge(tree.show(6)));
      }
      const [lone] = leaves;
      if (!lone) throw new Error("The tree is empty.");
      const single = await proposeLeaves(result, [{ ...lone, before: 1n }]);
      await fallen(edge(single.show(0)));
      const short = await proposeLeaves(result, [lone], lone.earned + 1n);
      await fallen(edge(short.show(0)));
    });

    it("refuses ends that are right, and leaves that aren't at an end", async () => {
      const { tree } = await rollTruth(stage, [await many(7)]);
      for (const k of [0, 1, 5, 6]) {
        await expect(edge(tree.show(k))).to.be.revertedWithCustomError(stage.roller, "PayoutRollerNothingWrong");
      }
      await expect(edge({ ...tree.show(1), index: 0n })).to.be.revertedWithCustomError(
        stage.roller,
        "PayoutRollerNotInTree",
      );
    });
  });

  describe("challengeUnderpaid", () => {
    const less = (plan: RollPlan, account: string, by = 1n) =>
      changed(plan, { [account]: (plan.tree.earned.get(account) ?? 0n) - by });

    it("takes down a tree that grants an account less than its share, whatever its place", async () => {
      const result = await many(9);
      for (const k of [0, 3, 8]) {
        const { carry } = await stage.roller.ledgerOf(stage.analytics);
        const plan = planRoll(new Map(), [result], carry);
        const account = inOrder(2 * k + 1);
        const tree = less(plan, account);
        await propose(stage, [result], tree);
        await fallen(challengeUnderpaid(stage, account, tree, undefined, plan.results, ownedIn([result], account)));
      }
    });

    it("takes down a tree without the account, at the start, in the middle, and at the end", async () => {
      const result = await many(9);
      for (const k of [0, 4, 8]) {
        const { carry } = await stage.roller.ledgerOf(stage.analytics);
        const plan = planRoll(new Map(), [result], carry);
        const account = inOrder(2 * k + 1);
        const tree = changed(plan, { [account]: undefined });
        await propose(stage, [result], tree);
        await fallen(challengeUnderpaid(stage, account, tree, undefined, plan.results, ownedIn([result], account)));
      }
    });

    it("takes down a tree that grants less than the published one did", async () => {
      const first = await publishTruth(stage, [await many(5)]);
      const result = await final();
      const { carry } = await stage.roller.ledgerOf(stage.analytics);
      const account = inOrder(5);
      const plan = planRoll(first.tree.earned, [result], carry);
      const loot = (plan.tree.earned.get(account) ?? 0n) - 1n;
      const lie = changed(plan, { [account]: 1n, [stage.proposer.address]: loot });
      await propose(stage, [result], lie);
      const none = ownedIn([result], account);
      expect(none).to.deep.equal([{ nodes: [], places: [] }]);
      await expect(challengeUnderpaid(stage, account, lie, undefined, plan.results, none))
        .to.be.revertedWithCustomError(stage.roller, "PayoutRollerPaidEnough")
        .withArgs(account, 1n, 0n);
      await fallen(challengeUnderpaid(stage, account, lie, first.tree, plan.results, none));
    });

    it("adds the shares of all results, and the carry in the first", async () => {
      const first = await publishTruth(stage, [await final("zero")]);
      const results = [await final("one", { reward: 26n }), await final("two"), await final("three", { reward: 7n })];
      const plan = planRoll(first.tree.earned, results, 2n);
      const account = ownerOf(2);
      const tree = less(plan, account);
      await propose(stage, results, tree);
      const owned = ownedIn(results, account);
      const due = 785n + (28n * 22n) / 28n + 785n + (7n * 22n) / 28n;
      expect(plan.tree.earned.get(account)).to.equal(due);
      for (const k of [0, 1, 2]) {
        const part = owned.map((one, j) => (j === k ? { nodes: [], places: [] } : one));
        await expect(
          challengeUnderpaid(stage, account, tree, first.tree, plan.results, part),
        ).to.be.revertedWithCustomError(stage.roller, "PayoutRollerPaidEnough");
      }
      await fallen(challengeUnderpaid(stage, account, tree, first.tree, plan.results, owned));
    });

    it("any nodes do whose weight suffices, and 2 log n are all that an owner of 300 devices has", async () => {
      const owner = inOrder(50);
      const shares = Array.from({ length: 512 }, (_, k) => {
        const theirs = k >= 101 && k < 401;
        const device = inOrder(k);
        return { owner: theirs ? owner : inOrder(k < 101 ? 1 : 99), device, weight: 1n };
      });
      const result = await finish(stage, "roller", shares, { reward: 512n });
      const { first, end } = ownerRange(result.tree.leaves, owner);
      const all = nodesOfRange(result.tree, first, end);
      expect([end - first, all.nodes.length]).to.deep.equal([300, 8]);
      const plan = planRoll(new Map(), [result], 0n);
      const loot = (lost: bigint) => changed(plan, { [owner]: 300n - lost, [stage.proposer.address]: lost });
      const tree = loot(1n);
      await propose(stage, [result], tree);
      const most = { nodes: all.nodes.slice(1), places: all.places.slice(1) };
      await expect(challengeUnderpaid(stage, owner, tree, undefined, plan.results, [most]))
        .to.be.revertedWithCustomError(stage.roller, "PayoutRollerPaidEnough")
        .withArgs(owner, 299n, 299n);
      await fallen(challengeUnderpaid(stage, owner, tree, undefined, plan.results, [all]));
      const again = planRoll(new Map(), [result], BOND - BOND / 2n);
      const worse = changed(again, { [owner]: 100n });
      await propose(stage, [result], worse);
      const big = all.nodes.findIndex(({ summary }) => summary.leaves === 128n);
      const node = { nodes: all.nodes.slice(big, big + 1), places: all.places.slice(big, big + 1) };
      await fallen(challengeUnderpaid(stage, owner, worse, undefined, again.results, [node]));
    });

    it("refuses a challenge to a true tree, with all nodes of each owner", async () => {
      const first = await publishTruth(stage, [await final("zero")]);
      const results = [await final("one"), await many(5)];
      const plan = await rollTruth(stage, results, first.tree.earned);
      for (const [account, earned] of plan.tree.earned) {
        await expect(challengeUnderpaid(stage, account, plan.tree, first.tree, plan.results, ownedIn(results, account)))
          .to.be.revertedWithCustomError(stage.roller, "PayoutRollerPaidEnough")
          .withArgs(account, earned, earned);
      }
      const nobody = stage.stranger.address;
      await expect(challengeUnderpaid(stage, nobody, plan.tree, first.tree, plan.results, ownedIn(results, nobody)))
        .to.be.revertedWithCustomError(stage.roller, "PayoutRollerPaidEnough")
        .withArgs(nobody, 0n, 0n);
    });

    it("refuses a foreign leaf or gap, other results, a former leaf of another, and nodes that aren't the owner's", async () => {
      const first = await publishTruth(stage, [await many(5)]);
      const result = await final();
      const plan = await rollTruth(stage, [result], first.tree.earned);
      const { leaves } = plan.tree;
      const at = 3;
      const account = leaves[at]?.account ?? "";
      const owned = ownedIn([result], account);
      const show = (k: number) => plan.tree.show(k);
      const attempt = (granted: ShownEarnings[], former: ShownEarnings[] = [], results = plan.results, nodes = owned) =>
        stage.roller.challengeUnderpaid(stage.analytics, account, granted, former, results, nodes);
      const notGranted = [[], [show(at - 1)], [show(at + 1)], [show(at - 1), show(at + 1)], [show(at), show(at + 1)]];
      const few = [[show(0)], [show(leaves.length - 1)], [show(at - 2), show(at - 1)], [show(1), show(2), show(3)]];
      for (const granted of [...notGranted, ...few]) {
        await expect(attempt(granted))
          .to.be.revertedWithCustomError(stage.roller, "PayoutRollerNotGranted")
          .withArgs(account);
      }
      const forged = { ...show(at), leaf: { ...show(at).leaf, earned: 0n } };
      await expect(attempt([forged])).to.be.revertedWithCustomError(stage.roller, "PayoutRollerNotInTree");
      await expect(attempt([show(at)], [first.tree.show(0)])).to.be.revertedWithCustomError(
        stage.roller,
        first.tree.leaves[0]?.account === account ? "PayoutRollerPaidEnough" : "PayoutRollerNotGranted",
      );
      await expect(attempt([show(at)], [show(at)])).to.be.revertedWithCustomError(
        stage.roller,
        "PayoutRollerNotInTree",
      );
      const dear = plan.results.map((one) => ({ ...one, reward: one.reward + 1_000n }));
      for (const [results, nodes] of [
        [dear, owned],
        [[], []],
        [plan.results, []],
        [plan.results, [...owned, ...owned]],
      ] as const) {
        await expect(attempt([show(at)], [], [...results], [...nodes]))
          .to.be.revertedWithCustomError(stage.roller, "PayoutRollerWrongResults")
          .withArgs(stage.analytics);
      }
      const whole = { nodes: [result.tree.node(3, 0)], places: [result.tree.place(3, 0)] };
      await expect(attempt([show(at)], [], plan.results, [whole])).to.be.revertedWithCustomError(
        stage.libraries.nodes,
        "OwnerSharesBadNode",
      );
    });

    it("takes weights that the challenger has shown before, and nobody else's", async () => {
      const results = [await final("one"), await final("two")];
      const plan = planRoll(new Map(), results, 0n);
      const account = ownerOf(2);
      const tree = less(plan, account);
      await propose(stage, results, tree);
      const source = results[1]?.tree ?? raise();
      const { first, end } = ownerRange(source.leaves, account);
      const leaf = (k: number): Owned => ({ nodes: [source.node(0, k)], places: [source.place(0, k)] });
      const none: Owned = { nodes: [], places: [] };
      const mine = stage.roller.connect(stage.challenger);
      const show = (part: Owned, by = mine) => by.showWeight(stage.analytics, account, plan.results, 1n, part);
      await expect(show(leaf(first)))
        .to.emit(stage.roller, "WeightShown")
        .withArgs(stage.analytics, 1n, stage.challenger.address, account, 1n, source.leaves[first]?.weight);
      await expect(show(leaf(first))).to.be.revertedWithCustomError(stage.libraries.nodes, "OwnerSharesBadNode");
      for (let k = first + 1; k < end; k++) await show(leaf(k));
      const args = [tree, undefined, plan.results, [ownedIn(results, account)[0] ?? none, none]] as const;
      await expect(
        challengeUnderpaid(stage, account, args[0], args[1], args[2], [...args[3]], stage.proposer),
      ).to.be.revertedWithCustomError(stage.roller, "PayoutRollerPaidEnough");
      await expect(
        mine.showWeight(stage.analytics, account, plan.results.slice(1), 0n, none),
      ).to.be.revertedWithCustomError(stage.roller, "PayoutRollerWrongResults");
      await fallen(challengeUnderpaid(stage, account, args[0], args[1], args[2], [...args[3]]));
      await expect(show(none)).to.be.revertedWithCustomError(stage.roller, "PayoutRollerIdle");
      const next = planRoll(new Map(), results, BOND - BOND / 2n);
      const lie = less(next, account);
      await propose(stage, results, lie);
      await expect(
        challengeUnderpaid(stage, account, lie, undefined, next.results, [none, none]),
      ).to.be.revertedWithCustomError(stage.roller, "PayoutRollerPaidEnough");
    });
  });
});

function raise(): never {
  throw new Error("There is no such result.");
}
