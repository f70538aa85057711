import { expect } from "chai";
import { ZeroHash } from "ethers";
import { PayoutTree } from "../../toolkit/payouts/payout-tree.js";
import { Dice } from "../invariant/dice.js";
import { claim, earn, openPool, PERIOD, type PoolStage, publish } from "./pool-stage.js";

describe("Payout pool", () => {
  let stage: PoolStage;

  beforeEach(async () => {
    stage = await openPool();
  });

  const held = () => stage.itc.balanceOf(stage.address);
  const addressOf = (k: number) => stage.accounts[k]?.address ?? "";

  describe("publish", () => {
    it("takes the amount from the manager and keeps each root with its time", async () => {
      const tree = new PayoutTree(earn(stage, 5n));
      await expect(stage.pool.connect(stage.manager).publish(tree.root, 5n))
        .to.emit(stage.pool, "EpochPublished")
        .withArgs(1n, tree.root, 5n);
      const time = BigInt(await stage.networkHelpers.time.latest());
      const later = await publish(stage, earn(stage, 5n, 6n), tree);
      expect([...(await stage.pool.epochOf(1n))]).to.deep.equal([tree.root, time]);
      expect([...(await stage.pool.currentEpoch())]).to.deep.equal([2n, later.root]);
      expect([...(await stage.pool.epochOf(3n))]).to.deep.equal([ZeroHash, 0n]);
      expect([await held(), await stage.pool.manager(), await stage.pool.claimPeriod()]).to.deep.equal([
        11n,
        stage.manager.address,
        PERIOD,
      ]);
    });

    it("refuses anybody else", async () => {
      await expect(stage.pool.publish(ZeroHash, 0n))
        .to.be.revertedWithCustomError(stage.pool, "PayoutPoolNotManager")
        .withArgs(stage.stranger.address);
    });
  });

  describe("claim", () => {
    it("pays what was earned, once, to the account alone, whoever sends it", async () => {
      const tree = await publish(stage, earn(stage, 3n, 4n, 5n));
      for (const [account, amount] of tree.earned) {
        await expect(claim(stage, tree, account))
          .to.emit(stage.itc, "Transfer")
          .withArgs(stage.address, account, amount);
        await expect(claim(stage, tree, account))
          .to.be.revertedWithCustomError(stage.pool, "PayoutPoolNothingToClaim")
          .withArgs(account, amount);
        expect([await stage.itc.balanceOf(account), await stage.pool.claimedOf(account)]).to.deep.equal([
          amount,
          amount,
        ]);
      }
      expect(await held()).to.equal(0n);
    });

    it("refuses each changed word, a foreign account, a foreign path, and any claim before the first epoch", async () => {
      const early = new PayoutTree(earn(stage, 3n, 4n, 5n, 6n, 7n));
      await expect(claim(stage, early, addressOf(0))).to.be.revertedWithCustomError(
        stage.pool,
        "PayoutPoolInvalidProof",
      );
      const tree = await publish(stage, early.earned);
      const { leaf, path, siblings } = tree.claimOf(addressOf(1));
      const changed = [
        { leaf: { ...leaf, earned: leaf.earned + 1n } },
        { leaf: { ...leaf, before: leaf.before + 1n } },
        { leaf: { ...leaf, account: stage.stranger.address } },
        { leaf: tree.claimOf(addressOf(2)).leaf },
        { path: path ^ 1n },
        { siblings: siblings.slice(1), path: path >> 1n },
        { siblings: [], path: 0n },
        { siblings: [...siblings, ZeroHash] },
      ];
      for (const one of changed) {
        await expect(claim(stage, tree, addressOf(1), one)).to.be.revertedWithCustomError(
          stage.pool,
          "PayoutPoolInvalidProof",
        );
      }
      const longer = { path: path | (1n << BigInt(siblings.length)) };
      await expect(claim(stage, tree, addressOf(1), longer)).to.be.revertedWithCustomError(
        stage.pool,
        "MerklePathTooLong",
      );
      expect(await held()).to.equal(25n);
    });

    it("pays the difference in a later epoch, and refuses the old root's proof", async () => {
      const one = await publish(stage, earn(stage, 3n, 4n));
      await claim(stage, one, addressOf(0));
      const two = await publish(stage, earn(stage, 10n, 4n, 1n), one);
      await expect(claim(stage, one, addressOf(1))).to.be.revertedWithCustomError(stage.pool, "PayoutPoolInvalidProof");
      await expect(claim(stage, two, addressOf(0)))
        .to.emit(stage.itc, "Transfer")
        .withArgs(stage.address, addressOf(0), 7n);
      expect(await held()).to.equal(5n);
    });
  });

  describe("claimBatch", () => {
    it("pays any part of the accounts by one proof, and passes over those that have all", async () => {
      const tree = await publish(stage, earn(stage, 3n, 4n, 5n, 0n, 7n, 8n, 9n));
      await claim(stage, tree, addressOf(1));
      const part = [0, 1, 3, 5].map(addressOf);
      await stage.pool.claimBatch(tree.batchOf(part));
      expect(await Promise.all(part.map((account) => stage.itc.balanceOf(account)))).to.deep.equal([3n, 4n, 0n, 8n]);
      await stage.pool.claimBatch(tree.batchOf(tree.earned.keys()));
      expect(await held()).to.equal(0n);
      await expect(stage.pool.claimBatch(tree.batchOf(part))).not.to.emit(stage.itc, "Transfer");
    });

    it("refuses a changed leaf, a wrong order, a missing node, and pays nobody then", async () => {
      const tree = await publish(stage, earn(stage, 3n, 4n, 5n, 6n, 7n));
      const batch = tree.batchOf([0, 1].map(addressOf));
      const [first, second] = batch.leaves;
      if (!first || !second) throw new Error("The batch is too small.");
      const greedy = { ...batch, leaves: [{ ...first, earned: first.earned + 1n }, second] };
      for (const wrong of [greedy, { ...batch, leaves: [second, first] }]) {
        await expect(stage.pool.claimBatch(wrong))
          .to.be.revertedWithCustomError(stage.pool, "PayoutPoolInvalidBatch")
          .withArgs(tree.root);
      }
      for (const wrong of [
        { ...batch, siblings: batch.siblings.slice(1) },
        { ...batch, places: [...batch.places].reverse() },
        { ...batch, leaves: [], places: [] },
      ]) {
        await expect(stage.pool.claimBatch(wrong)).to.be.revertedWithCustomError(stage.pool, "MerkleBadMultiproof");
      }
      expect(await held()).to.equal(25n);
    });
  });

  describe("expire", () => {
    it("gives the manager what was earned by an old epoch and not claimed, and no more", async () => {
      const tree = await publish(stage, earn(stage, 3n, 4n, 5n));
      await claim(stage, tree, addressOf(0));
      await stage.networkHelpers.time.increase(PERIOD + 1n);
      const mine = stage.pool.connect(stage.manager);
      const batch = tree.batchOf([0, 1].map(addressOf));
      await expect(mine.expire(1n, batch))
        .to.emit(stage.pool, "EarningsExpired")
        .withArgs(1n, addressOf(1), 4n)
        .and.to.emit(stage.itc, "Transfer")
        .withArgs(stage.address, stage.manager.address, 4n);
      await expect(mine.expire(1n, batch)).not.to.emit(stage.pool, "EarningsExpired");
      await expect(claim(stage, tree, addressOf(1))).to.be.revertedWithCustomError(
        stage.pool,
        "PayoutPoolNothingToClaim",
      );
      await claim(stage, tree, addressOf(2));
      expect(await held()).to.equal(0n);
    });

    it("refuses anybody else, an epoch that is too young or never was, and another epoch's proof", async () => {
      const one = await publish(stage, earn(stage, 3n, 4n, 5n));
      const { publishedAt } = await stage.pool.epochOf(1n);
      const batch = one.batchOf([addressOf(0)]);
      await expect(stage.pool.expire(1n, batch)).to.be.revertedWithCustomError(stage.pool, "PayoutPoolNotManager");
      const mine = stage.pool.connect(stage.manager);
      await stage.networkHelpers.time.setNextBlockTimestamp(publishedAt + PERIOD);
      await expect(mine.expire(1n, batch))
        .to.be.revertedWithCustomError(stage.pool, "PayoutPoolTooEarly")
        .withArgs(1n, publishedAt + PERIOD);
      const two = await publish(stage, earn(stage, 30n, 4n, 5n), one);
      await expect(mine.expire(2n, two.batchOf([addressOf(0)]))).to.be.revertedWithCustomError(
        stage.pool,
        "PayoutPoolTooEarly",
      );
      await expect(mine.expire(9n, batch)).to.be.revertedWithCustomError(stage.pool, "PayoutPoolTooEarly");
      await expect(mine.expire(1n, two.batchOf([addressOf(0)])))
        .to.be.revertedWithCustomError(stage.pool, "PayoutPoolInvalidBatch")
        .withArgs(one.root);
    });

    it("leaves later earnings to be claimed", async () => {
      const one = await publish(stage, earn(stage, 3n, 4n));
      await stage.networkHelpers.time.increase(PERIOD + 1n);
      const two = await publish(stage, earn(stage, 10n, 4n), one);
      await stage.pool.connect(stage.manager).expire(1n, one.batchOf([addressOf(0), addressOf(1)]));
      await expect(claim(stage, two, addressOf(0)))
        .to.emit(stage.itc, "Transfer")
        .withArgs(stage.address, addressOf(0), 7n);
      expect(await held()).to.equal(0n);
    });
  });

  describe("any history", () => {
    it("holds what is earned, not claimed and not expired", async () => {
      const dice = new Dice(7);
      const trees: PayoutTree[] = [];
      const settled = new Map<string, bigint>();
      const has = (tree: PayoutTree | undefined, account: string) => tree?.earned.get(account) ?? 0n;
      const seen = { claimed: 0, batched: 0, expired: 0 };
      for (let step = 0; step < 150; step++) {
        const present = trees.at(-1);
        const verb = dice.below(6);
        const account = addressOf(dice.below(8));
        if (verb === 0 || !present) {
          const earned = new Map(
            Array.from({ length: 8 }, (_, k) => [addressOf(k), has(present, addressOf(k)) + BigInt(dice.below(50))]),
          );
          trees.push(await publish(stage, earned, present));
        } else if (verb === 1) {
          await stage.networkHelpers.time.increase(PERIOD / BigInt(2 + dice.below(9)));
        } else if (verb === 2 && has(present, account) > (settled.get(account) ?? 0n)) {
          await claim(stage, present, account);
          settled.set(account, has(present, account));
          seen.claimed += 1;
        } else if (verb === 3) {
          const part = [...present.earned.keys()].filter(() => dice.chance(30));
          if (part.length === 0) continue;
          await stage.pool.claimBatch(present.batchOf(part));
          for (const one of part) if (has(present, one) > (settled.get(one) ?? 0n)) settled.set(one, has(present, one));
          seen.batched += 1;
        } else if (verb > 3) {
          const epoch = dice.below(trees.length);
          const old = trees[epoch];
          const { publishedAt } = await stage.pool.epochOf(BigInt(epoch + 1));
          const attempt = stage.pool
            .connect(stage.manager)
            .expire(BigInt(epoch + 1), (old ?? present).batchOf([account]));
          if (BigInt(await stage.networkHelpers.time.latest()) + 1n <= publishedAt + PERIOD) {
            await expect(attempt).to.be.revertedWithCustomError(stage.pool, "PayoutPoolTooEarly");
            continue;
          }
          await attempt;
          if (has(old, account) > (settled.get(account) ?? 0n)) settled.set(account, has(old, account));
          seen.expired += 1;
        }
        const owed = [...(trees.at(-1)?.earned ?? [])].reduce(
          (sum, [one, amount]) => sum + amount - (settled.get(one) ?? 0n),
          0n,
        );
        expect(await held(), `step ${step}`).to.equal(owed);
      }
      expect(Math.min(seen.claimed, seen.batched, seen.expired), JSON.stringify(seen)).to.be.greaterThan(4);
    });
  });
});
