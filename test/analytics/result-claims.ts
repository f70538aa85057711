import { expect } from "chai";
import { id, ZeroHash } from "ethers";
import { nodesOfRange, ownerRange } from "../../toolkit/analytics/owner-nodes.js";
import { Dice } from "../invariant/dice.js";
import { type Finished, finish, openStage, PERIOD, type Stage, wait } from "./payout-stage.js";
import { inOrder, PlainResultTree, positionOf, type ResultLeaf, type ResultPlace, type Share } from "./result-trees.js";

describe("Rewards claimed from a result's tree", () => {
  let stage: Stage;

  beforeEach(async () => {
    stage = await openStage();
  });

  const held = () => stage.itc.balanceOf(stage.sinks.claims);
  const ownerOf = (k: number) => stage.owners[k]?.address ?? "";
  /** Three owners of one, two and four devices. */
  const sevenShares = (): Share[] =>
    [0, 1, 1, 2, 2, 2, 2].map((owner, k) => ({ owner: ownerOf(owner), device: inOrder(k), weight: BigInt(k + 1) }));
  const final = (reward = 1_000n) => finish(stage, "claims", sevenShares(), { reward });
  const claim = ({ id, tree }: Finished, k: number, leaf: object = {}, place: object = {}) =>
    stage.claims.claim(stage.analytics, id, { ...leafAt(tree, k), ...leaf }, { ...tree.place(0, k), ...place });
  const many = ({ id, tree }: Finished, ks: readonly number[], places = ks.map((k) => tree.place(0, k))) =>
    stage.claims.claimMany(
      stage.analytics,
      id,
      ks.map((k) => leafAt(tree, k)),
      places,
    );

  describe("fund", () => {
    it("takes a reward that has come in, once, and says whose it is", async () => {
      const result = await final();
      const time = BigInt(await stage.networkHelpers.time.latest());
      expect([...(await stage.claims.rewardOf(stage.analytics, result.id))]).to.deep.equal([
        stage.company.address,
        1_000n,
        1_000n,
        time,
      ]);
      expect([await stage.claims.owed(), await held(), await stage.claims.claimPeriod()]).to.deep.equal([
        1_000n,
        1_000n,
        PERIOD,
      ]);
      const again = stage.results.getFunction("hand")(
        stage.token,
        stage.sinks.claims,
        result.id,
        stage.company.address,
        1n,
        1n,
      );
      await expect(again)
        .to.be.revertedWithCustomError(stage.claims, "RewardSinkFunded")
        .withArgs(stage.analytics, result.id);
      await expect(finish(stage, "claims", sevenShares(), { source: stage.others })).not.to.be.revert(stage.ethers);
    });

    it("refuses one that hasn't come in, also when others' money is there", async () => {
      await final();
      const thief = stage.others.getFunction("hand");
      for (const [reward, sent] of [
        [1n, 0n],
        [1_000n, 999n],
      ] as const) {
        await expect(thief(stage.token, stage.sinks.claims, id("x"), stage.stranger.address, reward, sent))
          .to.be.revertedWithCustomError(stage.claims, "RewardSinkNotPaid")
          .withArgs(1_000n + sent, 1_000n + reward);
      }
    });
  });

  describe("claim", () => {
    it("pays each leaf its share, once, to its owner, whoever sends it", async () => {
      const result = await final();
      let paid = 0n;
      for (const [k, { owner, weight }] of result.tree.leaves.entries()) {
        const share = (1_000n * weight) / 28n;
        const position = positionOf(result.tree.place(0, k));
        await expect(claim(result, k))
          .to.emit(stage.claims, "RewardClaimed")
          .withArgs(stage.analytics, result.id, owner, position, share)
          .and.to.emit(stage.itc, "Transfer")
          .withArgs(stage.sinks.claims, owner, share);
        await expect(claim(result, k))
          .to.be.revertedWithCustomError(stage.claims, "ResultClaimsNothingDue")
          .withArgs(result.id, position);
        expect(await stage.claims.isClaimed(stage.analytics, result.id, position)).to.equal(true);
        paid += share;
      }
      expect(paid).to.equal(997n);
      expect([await held(), await stage.claims.owed()]).to.deep.equal([3n, 3n]);
    });

    it("refuses each changed word of a leaf, a foreign place, and a place of another length", async () => {
      const result = await final();
      const { path, steps } = result.tree.place(0, 1);
      const leaves = [
        { owner: stage.stranger.address },
        { device: inOrder(99) },
        { origin: 0n },
        { count: 99n },
        { weight: 28n },
        { spent: 1n },
        { evidence: id("x") },
        { aggregate: id("x") },
      ];
      const places = [
        result.tree.place(0, 2),
        { path: path ^ 1n },
        { steps: steps.slice(2), path: path >> 1n },
        { steps: [], path: 0n },
        { steps: [...steps, ZeroHash, ZeroHash] },
        { steps: [ZeroHash, ZeroHash, ...steps], path: path << 1n },
      ];
      const attempts = [
        ...leaves.map((leaf) => claim(result, 1, leaf)),
        ...places.map((place) => claim(result, 1, {}, place)),
      ];
      for (const attempt of attempts) {
        await expect(attempt).to.be.revertedWithCustomError(stage.claims, "ResultClaimsInvalidProof");
      }
      for (const place of [{ path: path | 8n }, { steps: steps.slice(1) }, { path: path | (1n << 255n) }]) {
        await expect(claim(result, 1, {}, place)).to.be.revertedWithCustomError(
          stage.libraries.places,
          "ResultTreeBadPlace",
        );
      }
      expect(await held()).to.equal(1_000n);
    });

    it("refuses a result that isn't final, and one whose reward never came", async () => {
      const open = await finish(stage, "claims", sevenShares(), { isFinal: false });
      await expect(claim(open, 0))
        .to.be.revertedWithCustomError(stage.claims, "ResultClaimsNotFinal")
        .withArgs(open.id);
      const weightless = await finish(stage, "claims", sevenShares(), { name: "no weight", weight: 0n });
      await expect(claim(weightless, 0)).to.be.revertedWithCustomError(stage.claims, "ResultClaimsNotFinal");
      const elsewhere = await finish(stage, "lists", sevenShares(), { name: "elsewhere" });
      await expect(claim(elsewhere, 0)).to.be.revertedWithCustomError(stage.claims, "ResultClaimsNothingDue");
    });

    it("pays nothing of a unit for 1,000 devices, and the unit goes back", async () => {
      const shares = Array.from({ length: 1_000 }, (_, k) => ({ owner: inOrder(k), device: inOrder(k), weight: 1n }));
      const result = await finish(stage, "claims", shares, { reward: 1n });
      await expect(claim(result, 500)).to.be.revertedWithCustomError(stage.claims, "ResultClaimsNothingDue");
      await many(result, [0, 1, 999]);
      expect(await held()).to.equal(1n);
      await wait(stage, PERIOD + 1n);
      await stage.claims.sweep(stage.analytics, result.id);
      expect(await stage.itc.balanceOf(stage.company.address)).to.equal(1n);
    });

    it("pays no more than the reward from a tree whose leaves weigh more than it says", async () => {
      await finish(stage, "claims", sevenShares(), { name: "another's" });
      const heavy = await finish(stage, "claims", sevenShares(), { source: stage.others, weight: 8n });
      const [at, analytics] = [(k: number) => heavy.tree.place(0, k), await stage.others.getAddress()];
      const take = (k: number) => stage.claims.claim(analytics, heavy.id, leafAt(heavy.tree, k), at(k));
      const order = [...heavy.tree.leaves.keys()].sort((a, b) =>
        Number(leafAt(heavy.tree, a).weight - leafAt(heavy.tree, b).weight),
      );
      const [one = 0, two = 0, three = 0, four = 0] = order;
      for (const k of [one, two, four]) await take(k);
      await expect(take(three))
        .to.be.revertedWithCustomError(stage.claims, "ResultClaimsSpent")
        .withArgs(heavy.id, 125n, 375n);
      const heavier = await finish(stage, "claims", sevenShares(), {
        source: stage.others,
        weight: 1n,
        name: "heavier",
      });
      await expect(stage.claims.claim(analytics, heavier.id, leafAt(heavier.tree, two), heavier.tree.place(0, two)))
        .to.be.revertedWithCustomError(stage.claims, "ResultClaimsSpent")
        .withArgs(heavier.id, 1_000n, 2_000n);
    });
  });

  describe("claimMany", () => {
    it("pays an owner's leaves in one transfer, and passes over those that are paid", async () => {
      const result = await final();
      const { first, end } = ownerRange(result.tree.leaves, ownerOf(2));
      const mine = Array.from({ length: end - first }, (_, k) => first + k);
      await claim(result, first);
      const due = mine.slice(1).reduce((sum, k) => sum + (1_000n * leafAt(result.tree, k).weight) / 28n, 0n);
      await expect(many(result, mine)).to.emit(stage.itc, "Transfer").withArgs(stage.sinks.claims, ownerOf(2), due);
      await many(result, [...result.tree.leaves.keys()]);
      expect(await held()).to.equal(3n);
      await expect(many(result, mine)).not.to.emit(stage.itc, "Transfer");
      await expect(many(result, [])).not.to.emit(stage.itc, "Transfer");
    });

    it("refuses leaves without places, and pays nobody if one leaf is wrong", async () => {
      const result = await final();
      const place = result.tree.place(0, 0);
      await expect(many(result, [0, 1], [place]))
        .to.be.revertedWithCustomError(stage.claims, "ResultClaimsBadLength")
        .withArgs(2n, 1n);
      await expect(many(result, [0, 1], [place, place])).to.be.revertedWithCustomError(
        stage.claims,
        "ResultClaimsInvalidProof",
      );
      await many(result, [0, 0], [place, place]);
      expect(await stage.itc.balanceOf(leafAt(result.tree, 0).owner)).to.equal(
        (1_000n * leafAt(result.tree, 0).weight) / 28n,
      );
    });
  });

  describe("sweep", () => {
    it("returns what is left to the requester after the period, not at its end, and once", async () => {
      const result = await final();
      await claim(result, 0);
      const left = await held();
      const { fundedAt } = await stage.claims.rewardOf(stage.analytics, result.id);
      await stage.networkHelpers.time.setNextBlockTimestamp(fundedAt + PERIOD);
      await expect(stage.claims.sweep(stage.analytics, result.id))
        .to.be.revertedWithCustomError(stage.claims, "RewardSinkTooEarly")
        .withArgs(fundedAt + PERIOD);
      await stage.networkHelpers.time.setNextBlockTimestamp(fundedAt + PERIOD + 1n);
      await expect(stage.claims.sweep(stage.analytics, result.id))
        .to.emit(stage.claims, "RewardReturned")
        .withArgs(stage.analytics, result.id, stage.company.address, left)
        .and.to.emit(stage.itc, "Transfer")
        .withArgs(stage.sinks.claims, stage.company.address, left);
      for (const id of [result.id, ZeroHash]) {
        await expect(stage.claims.sweep(stage.analytics, id))
          .to.be.revertedWithCustomError(stage.claims, "RewardSinkNothingLeft")
          .withArgs(stage.analytics, id);
      }
      expect([await held(), await stage.claims.owed()]).to.deep.equal([0n, 0n]);
    });

    it("leaves nothing to claim", async () => {
      const result = await final();
      await wait(stage, PERIOD + 1n);
      await claim(result, 0);
      await stage.claims.sweep(stage.analytics, result.id);
      await expect(claim(result, 1)).to.be.revertedWithCustomError(stage.claims, "ResultClaimsSpent");
      expect(await stage.claims.isClaimed(stage.analytics, result.id, positionOf(result.tree.place(0, 1)))).to.equal(
        false,
      );
    });
  });

  describe("any history", () => {
    it("claims come to no more than the reward, and to the reward less the carry", async () => {
      const dice = new Dice(31);
      let owed = 0n;
      for (let round = 0; round < 12; round++) {
        const shares = Array.from({ length: 1 + dice.below(20) }, (_, k) => ({
          owner: inOrder(dice.below(6)),
          device: inOrder(k),
          weight: BigInt(1 + dice.below(40)),
        }));
        const reward = BigInt(1 + dice.below(500));
        const result = await finish(stage, "claims", shares, { reward, name: `round ${round}` });
        const open = new Set(result.tree.leaves.keys());
        let paid = 0n;
        while (open.size > 0) {
          const part = [...result.tree.leaves.keys()].filter(() => dice.chance(40));
          await many(result, part);
          for (const k of part.filter((k) => open.delete(k)))
            paid += (reward * leafAt(result.tree, k).weight) / result.tree.weight;
          expect((await stage.claims.rewardOf(stage.analytics, result.id)).left).to.equal(reward - paid);
        }
        owed += reward - paid;
        expect([await held(), await stage.claims.owed()], `round ${round}`).to.deep.equal([owed, owed]);
        expect(reward - paid < BigInt(result.tree.size), "less than a unit for each leaf").to.equal(true);
      }
    });
  });

  it("has nodes of a range that are all its leaves, and at most two a level", () => {
    for (let size = 1; size <= 13; size++) {
      const shares = Array.from({ length: size }, (_, k) => ({ owner: inOrder(k), device: inOrder(k), weight: 1n }));
      const tree = new PlainResultTree(shares);
      for (let first = 0; first < size; first++) {
        for (let end = first; end <= size; end++) {
          const { nodes, places } = nodesOfRange(tree, first, end);
          expect(nodes.reduce((sum, { summary }) => sum + summary.leaves, 0n)).to.equal(BigInt(end - first));
          expect(nodes[0]?.summary.firstOwner).to.equal(end > first ? inOrder(first) : undefined);
          expect(nodes.at(-1)?.summary.lastOwner).to.equal(end > first ? inOrder(end - 1) : undefined);
          expect(new Set(places.map((place: ResultPlace) => positionOf(place))).size).to.equal(nodes.length);
          expect(nodes.length).to.be.at.most(2 * Math.ceil(Math.log2(size + 1)));
        }
      }
    }
  });
});

function leafAt(tree: PlainResultTree, k: number): ResultLeaf {
  const leaf = tree.leaves[k];
  if (!leaf) throw new RangeError(`There is no leaf ${k}.`);
  return leaf;
}
