import { expect } from "chai";
import { id } from "ethers";
import { planRoll } from "../../toolkit/analytics/rolls.js";
import { sharesByWeight } from "../../toolkit/analytics/shares.js";
import { PayoutTree } from "../../toolkit/payouts/payout-tree.js";
import { Dice } from "../invariant/dice.js";
import {
  ANSWER_TIME,
  BOND,
  DEPOSIT,
  type Finished,
  finish,
  openStage,
  PERIOD,
  poolOf,
  type Stage,
  WINDOW,
  wait,
} from "./payout-stage.js";
import { inOrder } from "./result-trees.js";
import {
  CONTENT,
  challengeUnderpaid,
  changed,
  ownedIn,
  propose,
  publishTruth,
  rollTruth,
  sevenShares,
} from "./roll-rig.js";

describe("Rolls of final results", () => {
  let stage: Stage;

  beforeEach(async () => {
    stage = await openStage();
  });

  const held = () => stage.itc.balanceOf(stage.sinks.roller);
  const ownerOf = (k: number) => stage.owners[k]?.address ?? "";
  const final = (name = "result", changes: Parameters<typeof finish>[3] = {}) =>
    finish(stage, "roller", sevenShares(stage), { name, ...changes });
  const ledger = () => stage.roller.ledgerOf(stage.analytics);
  const pending = () => stage.roller.pendingOf(stage.analytics);

  describe("openPool", () => {
    it("makes one pool for each contract with results, whoever asks", async () => {
      const others = await stage.others.getAddress();
      await expect(stage.roller.openPool(stage.analytics)).to.emit(stage.roller, "PoolOpened");
      await expect(stage.roller.openPool(stage.analytics)).not.to.emit(stage.roller, "PoolOpened");
      await stage.roller.openPool(others);
      const [one, two] = [await poolOf(stage), await poolOf(stage, others)];
      expect(await one.getAddress()).not.to.equal(await two.getAddress());
      expect([await one.manager(), await one.claimPeriod()]).to.deep.equal([stage.sinks.roller, PERIOD]);
    });
  });

  describe("roll", () => {
    it("takes results, their rewards and the carry, and the bond", async () => {
      const [one, two] = [await final("one"), await final("two", { reward: 500n })];
      const plan = planRoll(new Map(), [one, two], 0n);
      const time = BigInt(await stage.networkHelpers.time.latest()) + 10n;
      await stage.networkHelpers.time.setNextBlockTimestamp(time);
      const rolled = plan.results.map(({ id, root, weight, reward }) => [id, root, weight, reward]);
      await expect(propose(stage, [one, two], plan.tree))
        .to.emit(stage.roller, "RootProposed")
        .withArgs(
          stage.analytics,
          1n,
          stage.proposer.address,
          plan.tree.root,
          3n,
          plan.tree.total,
          CONTENT,
          time + WINDOW,
          rolled,
        );
      const { proposer, demandEnd, challengeEnd, leaves, total, demands, rewards, carry, root } = await pending();
      expect([proposer, demandEnd, challengeEnd, leaves, total, demands, rewards, carry, root]).to.deep.equal([
        stage.proposer.address,
        time + WINDOW,
        time + WINDOW,
        3n,
        plan.tree.total,
        0n,
        1_500n,
        0n,
        plan.tree.root,
      ]);
      expect([await held(), await stage.roller.owed()]).to.deep.equal([1_500n + BOND, 1_500n + BOND]);
      expect(await stage.roller.isRolled(stage.analytics, one.id)).to.equal(true);
      expect([...(await stage.roller.rules())]).to.deep.equal([PERIOD, WINDOW, ANSWER_TIME, BOND, DEPOSIT]);
    });

    it("refuses none, too many, no leaves, what isn't final, has no reward here, or is rolled", async () => {
      const result = await final();
      const { tree } = planRoll(new Map(), [result], 0n);
      const { roller } = stage;
      for (const [results, leaves] of [
        [[], 1n],
        [Array.from({ length: 65 }, () => result), 1n],
        [[result], 0n],
      ] as const) {
        await expect(propose(stage, results, tree, { leaves }))
          .to.be.revertedWithCustomError(roller, "PayoutRollerBadSize")
          .withArgs(results.length, leaves);
      }
      for (const [error, one] of [
        ["PayoutRollerNotFinal", await final("open", { isFinal: false })],
        ["PayoutRollerNotFinal", await final("weightless", { weight: 0n })],
        ["PayoutRollerNoReward", await finish(stage, "claims", sevenShares(stage), { name: "elsewhere" })],
      ] as const) {
        await expect(propose(stage, [one], tree))
          .to.be.revertedWithCustomError(roller, error)
          .withArgs(one.id);
      }
      await expect(propose(stage, [result, result], tree))
        .to.be.revertedWithCustomError(roller, "PayoutRollerRolled")
        .withArgs(result.id);
      await expect(propose(stage, [result], tree, { by: stage.stranger })).to.be.revertedWithCustomError(
        stage.itc,
        "ERC20InsufficientAllowance",
      );
      const plan = await publishTruth(stage, [result]);
      await expect(propose(stage, [result], plan.tree)).to.be.revertedWithCustomError(roller, "PayoutRollerRolled");
    });

    it("refuses a total below the published one, and above it by more than rewards and carry", async () => {
      const { tree } = await publishTruth(stage, [await final()]);
      const result = await final("next", { reward: 100n });
      const { carry } = await ledger();
      const most = tree.total + 100n + carry;
      for (const total of [tree.total - 1n, most + 1n, 2n ** 128n - 1n]) {
        await expect(propose(stage, [result], tree, { total }))
          .to.be.revertedWithCustomError(stage.roller, "PayoutRollerBadTotal")
          .withArgs(total, tree.total, most);
      }
      await propose(stage, [result], tree, { total: most });
    });

    it("refuses a second one at once, but not of another contract with results", async () => {
      const [one, two] = [await final("one"), await final("two")];
      const foreign = await final("one", { source: stage.others });
      const { tree } = planRoll(new Map(), [one], 0n);
      const analytics = await stage.others.getAddress();
      await propose(stage, [one], tree);
      await expect(propose(stage, [two], tree))
        .to.be.revertedWithCustomError(stage.roller, "PayoutRollerBusy")
        .withArgs(stage.analytics, 1n);
      await propose(stage, [foreign], tree, { analytics });
      await wait(stage, WINDOW + 1n);
      await stage.roller.publish(stage.analytics);
      await stage.roller.publish(analytics);
      const pools = [await poolOf(stage), await poolOf(stage, analytics)];
      for (const pool of pools) expect(await stage.itc.balanceOf(await pool.getAddress())).to.equal(998n);
    });
  });

  describe("publish", () => {
    it("hands the pool what was earned and keeps the rest as carry, which goes to the first result of the next roll", async () => {
      const first = await final();
      const one = await rollTruth(stage, [first]);
      await wait(stage, WINDOW + 1n);
      await expect(stage.roller.publish(stage.analytics))
        .to.emit(stage.roller, "RootPublished")
        .withArgs(stage.analytics, 1n, one.tree.root, 998n, 2n);
      const pool = await poolOf(stage);
      expect([...(await pool.currentEpoch())]).to.deep.equal([1n, one.tree.root]);
      expect([await held(), await stage.roller.owed()]).to.deep.equal([2n, 2n]);
      const { root, total, carry, leaves, number } = await ledger();
      expect([root, total, carry, leaves, number]).to.deep.equal([one.tree.root, 998n, 2n, 3n, 1n]);
      const two = await publishTruth(stage, [await final("two", { reward: 26n })], one.tree.earned);
      expect(two.results[0]?.reward).to.equal(28n);
      expect([two.carry, (await ledger()).carry]).to.deep.equal([0n, 0n]);
      for (const [k, share] of [35n + 1n, 178n + 5n, 785n + 22n].entries()) {
        const { leaf, path, siblings } = two.tree.claimOf(ownerOf(k));
        await pool.claim(leaf.account, leaf.earned, leaf.before, path, siblings);
        expect(await stage.itc.balanceOf(ownerOf(k))).to.equal(share);
      }
      expect(await stage.itc.balanceOf(await pool.getAddress())).to.equal(0n);
    });

    it("waits for the end of the window", async () => {
      await expect(stage.roller.publish(stage.analytics))
        .to.be.revertedWithCustomError(stage.roller, "PayoutRollerIdle")
        .withArgs(stage.analytics);
      await rollTruth(stage, [await final()]);
      const { challengeEnd } = await pending();
      await stage.networkHelpers.time.setNextBlockTimestamp(challengeEnd);
      await expect(stage.roller.publish(stage.analytics))
        .to.be.revertedWithCustomError(stage.roller, "PayoutRollerWindowOpen")
        .withArgs(challengeEnd);
      await stage.networkHelpers.time.setNextBlockTimestamp(challengeEnd + 1n);
      await expect(stage.roller.publish(stage.analytics))
        .to.emit(stage.itc, "Transfer")
        .withArgs(stage.sinks.roller, stage.proposer.address, BOND);
      expect((await pending()).proposer).to.equal(`0x${"0".repeat(40)}`);
    });

    it("rolls 1 unit for 1,000 devices, and the unit stays", async () => {
      const shares = Array.from({ length: 1_000 }, (_, k) => ({ owner: inOrder(k), device: inOrder(k), weight: 1n }));
      const result = await finish(stage, "roller", shares, { reward: 1n });
      const { tree } = await publishTruth(stage, [result]);
      expect([tree.size, tree.total, (await ledger()).carry]).to.deep.equal([1_000, 0n, 1n]);
      const next = await publishTruth(stage, [await final("next", { reward: 27n })], tree.earned);
      expect(next.tree.total).to.equal(28n);
    });

    it("a proposer can give away no more than the carry, and takes it from nobody's share", async () => {
      const result = await final();
      const plan = planRoll(new Map(), [result], 0n);
      expect(plan.carry).to.equal(2n);
      const [thief, victim] = [stage.proposer.address, ownerOf(2)];
      await expect(propose(stage, [result], changed(plan, { [thief]: 3n }))).to.be.revertedWithCustomError(
        stage.roller,
        "PayoutRollerBadTotal",
      );
      const robbing = changed(plan, { [thief]: 3n, [victim]: (plan.tree.earned.get(victim) ?? 0n) - 1n });
      await propose(stage, [result], robbing);
      await challengeUnderpaid(stage, victim, robbing, undefined, plan.results, ownedIn([result], victim));
      // What the lost bond has brought is the first result's, not the proposer's.
      const again = planRoll(new Map(), [result], (await ledger()).carry);
      expect(again.results[0]?.reward).to.equal(1_051n);
      const taking = changed(again, { [thief]: again.carry });
      expect(again.carry < BigInt(result.weights.size)).to.equal(true);
      await propose(stage, [result], taking);
      for (const [owner, share] of sharesByWeight(result.weights, 1_051n)) {
        await expect(challengeUnderpaid(stage, owner, taking, undefined, again.results, ownedIn([result], owner)))
          .to.be.revertedWithCustomError(stage.roller, "PayoutRollerPaidEnough")
          .withArgs(owner, share, share);
      }
    });
  });

  describe("expire", () => {
    it("makes carry of what accounts left for the whole period", async () => {
      const result = await final();
      const empty = { leaves: [], places: [], size: 0n, siblings: [] };
      await expect(stage.roller.expire(stage.analytics, 1n, empty))
        .to.be.revertedWithCustomError(stage.roller, "PayoutRollerNoPool")
        .withArgs(stage.analytics);
      const { tree } = await publishTruth(stage, [result]);
      const batch = tree.batchOf([ownerOf(0), ownerOf(1)]);
      const pool = await poolOf(stage);
      await expect(stage.roller.expire(stage.analytics, 1n, batch)).to.be.revertedWithCustomError(
        pool,
        "PayoutPoolTooEarly",
      );
      await wait(stage, PERIOD + 1n);
      await expect(stage.roller.expire(stage.analytics, 1n, batch))
        .to.emit(stage.roller, "CarryReturned")
        .withArgs(stage.analytics, 1n, 213n);
      expect([(await ledger()).carry, await stage.roller.owed(), await held()]).to.deep.equal([215n, 215n, 215n]);
      await expect(stage.roller.expire(stage.analytics, 1n, batch))
        .to.emit(stage.roller, "CarryReturned")
        .withArgs(stage.analytics, 1n, 0n);
      const next = await publishTruth(stage, [await final("next", { reward: 65n })], tree.earned);
      expect(next.results[0]?.reward).to.equal(280n);
      const { leaf, path, siblings } = next.tree.claimOf(ownerOf(1));
      await pool.claim(leaf.account, leaf.earned, leaf.before, path, siblings);
      expect(await stage.itc.balanceOf(ownerOf(1))).to.equal(50n);
    });
  });

  describe("sweep", () => {
    it("returns a reward that nobody rolled, and none that is in a roll", async () => {
      const [one, two] = [await final("one"), await final("two", { reward: 500n })];
      const plan = await rollTruth(stage, [one]);
      await wait(stage, PERIOD + 1n);
      const refused = () =>
        expect(stage.roller.sweep(stage.analytics, one.id))
          .to.be.revertedWithCustomError(stage.roller, "RewardSinkBusy")
          .withArgs(stage.analytics, one.id);
      await refused();
      await stage.roller.publish(stage.analytics);
      await refused();
      await stage.roller.sweep(stage.analytics, two.id);
      expect(await stage.itc.balanceOf(stage.company.address)).to.equal(500n);
      await expect(propose(stage, [two], plan.tree)).to.be.revertedWithCustomError(
        stage.roller,
        "PayoutRollerNoReward",
      );
      expect(await held()).to.equal(plan.carry);
    });
  });

  describe("any history", () => {
    it("holds rewards, bonds and carry, and pools hold what is earned and not claimed", async () => {
      const dice = new Dice(77);
      const free: Finished[] = [];
      let earned = new Map<string, bigint>();
      let roll:
        | { plan: ReturnType<typeof planRoll>; results: Finished[]; tree: PayoutTree; victim?: string }
        | undefined;
      let [cameIn, claimed, lost] = [0n, 0n, 0n];
      const seen = { published: 0, fell: 0, claimed: 0 };
      await stage.roller.openPool(stage.analytics);
      const pool = await poolOf(stage);
      for (let step = 0; step < 160; step++) {
        const verb = dice.below(6);
        if (verb === 0) {
          const shares = Array.from({ length: 1 + dice.below(9) }, (_, k) => {
            const weight = BigInt(1 + dice.below(99));
            return { owner: ownerOf(dice.below(5)), device: inOrder(k), weight };
          });
          const reward = BigInt(1 + dice.below(700));
          free.push(await finish(stage, "roller", shares, { reward, name: `step ${step}` }));
          cameIn += reward;
        } else if (verb === 1 && free.length > 0 && !roll) {
          const results = free.splice(0, 1 + dice.below(free.length));
          const plan = planRoll(earned, results, (await ledger()).carry);
          const victim = dice.chance(40)
            ? dice.pick([...plan.tree.earned].filter(([, share]) => share > 0n))[0]
            : undefined;
          const loot = victim ? (plan.tree.earned.get(victim) ?? 0n) : 0n;
          const lie = { [victim ?? ""]: dice.chance(50) ? undefined : 0n, [stage.proposer.address]: loot };
          const tree = victim ? changed(plan, lie) : plan.tree;
          await propose(stage, results, tree);
          roll = { plan, results, tree, ...(victim ? { victim } : {}) };
        } else if (verb > 1 && verb < 4 && roll) {
          const { plan, results, tree, victim } = roll;
          const former = earned.size > 0 ? new PayoutTree(earned) : undefined;
          const account = victim ?? ownerOf(dice.below(5));
          const attempt = challengeUnderpaid(stage, account, tree, former, plan.results, ownedIn(results, account));
          if (victim) {
            await attempt;
            free.push(...results);
            lost += BOND - BOND / 2n;
            seen.fell += 1;
          } else {
            await expect(attempt).to.be.revertedWithCustomError(stage.roller, "PayoutRollerPaidEnough");
            await wait(stage, WINDOW + 1n);
            await stage.roller.publish(stage.analytics);
            earned = tree.earned;
            expect((await ledger()).carry).to.equal(plan.carry);
            seen.published += 1;
          }
          roll = undefined;
        } else if (verb > 3 && earned.size > 0) {
          const tree = new PayoutTree(earned);
          const account = dice.pick([...earned.keys()]);
          const due = (earned.get(account) ?? 0n) - (await pool.claimedOf(account));
          if (due === 0n) continue;
          const { leaf, path, siblings } = tree.claimOf(account);
          await pool.claim(leaf.account, leaf.earned, leaf.before, path, siblings);
          claimed += due;
          seen.claimed += 1;
        }
        const total = [...earned.values()].reduce((sum, one) => sum + one, 0n);
        const inRoller = cameIn + lost - total + (roll ? BOND : 0n);
        expect([await held(), await stage.roller.owed()], `step ${step}`).to.deep.equal([inRoller, inRoller]);
        expect(await stage.itc.balanceOf(await pool.getAddress())).to.equal(total - claimed);
      }
      expect(Math.min(seen.published, seen.fell, seen.claimed), JSON.stringify(seen)).to.be.greaterThan(4);
    });

    it("accounts have no less than their shares, and all together what came in but the carry", () => {
      const dice = new Dice(3);
      for (let round = 0; round < 200; round++) {
        const results = Array.from({ length: 1 + dice.below(5) }, (_, k) => {
          const weights = new Map(
            Array.from({ length: 1 + dice.below(12) }, (_, j) => [inOrder(j), BigInt(1 + dice.below(1_000))]),
          );
          return { id: id(`${k}`), root: id("root"), weights, reward: BigInt(dice.below(10_000)) };
        });
        const carry = BigInt(dice.below(50));
        const published = new Map([[inOrder(3), BigInt(dice.below(100))]]);
        const plan = planRoll(published, results, carry);
        const cameIn = carry + results.reduce((sum, { reward }) => sum + reward, 0n);
        expect(plan.amount + plan.carry).to.equal(cameIn);
        expect(
          plan.carry >= 0n && plan.carry < results.reduce((sum, { weights }) => sum + BigInt(weights.size), 0n),
        ).to.equal(true);
        for (const [owner, earned] of plan.tree.earned) {
          const due = results.reduce(
            (sum, { reward, weights }, k) =>
              sum + (sharesByWeight(weights, k ? reward : reward + carry).get(owner) ?? 0n),
            published.get(owner) ?? 0n,
          );
          expect(earned).to.equal(due);
        }
      }
      expect(() => planRoll(new Map(), [], 0n)).to.throw(RangeError);
      expect(sharesByWeight(new Map([[inOrder(0), 0n]]), 5n).size).to.equal(0);
    });
  });
});
