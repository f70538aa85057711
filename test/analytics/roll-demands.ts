import { expect } from "chai";
import { ZeroAddress } from "ethers";
import { planRoll } from "../../toolkit/analytics/rolls.js";
import { PayoutTree } from "../../toolkit/payouts/payout-tree.js";
import {
  ANSWER_TIME,
  BOND,
  DEPOSIT,
  type Finished,
  finish,
  openStage,
  type Stage,
  WINDOW,
  wait,
} from "./payout-stage.js";
import { propose, rollTruth, sevenShares } from "./roll-rig.js";

describe("Leaves that are demanded", () => {
  let stage: Stage;
  let result: Finished;
  let tree: PayoutTree;
  let end: bigint;

  beforeEach(async () => {
    stage = await openStage();
    result = await finish(stage, "roller", sevenShares(stage));
    tree = (await rollTruth(stage, [result])).tree;
    end = (await pending()).challengeEnd;
  });

  const held = () => stage.itc.balanceOf(stage.sinks.roller);
  const pending = () => stage.roller.pendingOf(stage.analytics);
  const demand = (index: number, by = stage.challenger) => stage.roller.connect(by).demand(stage.analytics, index);
  const answer = (index: number, changes: object = {}) =>
    stage.roller.answer(stage.analytics, { ...tree.show(index), ...changes });
  const at = (time: bigint) => stage.networkHelpers.time.setNextBlockTimestamp(time);

  describe("demand", () => {
    it("takes a deposit, and makes the window longer once", async () => {
      const time = BigInt(await stage.networkHelpers.time.latest()) + 5n;
      await at(time);
      const longer = end + 2n * ANSWER_TIME;
      await expect(demand(1))
        .to.emit(stage.roller, "LeafDemanded")
        .withArgs(stage.analytics, 1n, 1n, stage.challenger.address, time + ANSWER_TIME, longer)
        .and.to.emit(stage.itc, "Transfer")
        .withArgs(stage.challenger.address, stage.sinks.roller, DEPOSIT);
      await demand(2);
      const { challengeEnd, demandEnd, demands } = await pending();
      expect([challengeEnd, demandEnd, demands]).to.deep.equal([longer, end, 2n]);
      expect([...(await stage.roller.demandOf(stage.analytics, 1n, 1n))]).to.deep.equal([
        stage.challenger.address,
        time + ANSWER_TIME,
      ]);
      expect(await stage.roller.owed()).to.equal(1_000n + BOND + 2n * DEPOSIT);
    });

    it("is open to the last second of the first window", async () => {
      await demand(0);
      await at(end);
      await demand(1);
      await at(end + 1n);
      await expect(demand(2)).to.be.revertedWithCustomError(stage.roller, "PayoutRollerWindowOver").withArgs(end);
    });

    it("refuses an index beyond the tree, the same leaf twice, a missing deposit, and no roll", async () => {
      await expect(demand(3)).to.be.revertedWithCustomError(stage.roller, "PayoutRollerNotInTree").withArgs(3n);
      await demand(2);
      await expect(demand(2)).to.be.revertedWithCustomError(stage.roller, "PayoutRollerDemanded").withArgs(2n);
      await expect(demand(1, stage.stranger)).to.be.revertedWithCustomError(stage.itc, "ERC20InsufficientAllowance");
      await expect(
        stage.roller.connect(stage.challenger).demand(await stage.others.getAddress(), 0n),
      ).to.be.revertedWithCustomError(stage.roller, "PayoutRollerIdle");
    });
  });

  describe("answer", () => {
    it("gives the deposit to the proposer, whoever shows the leaf, to the last second", async () => {
      await demand(1);
      const { until } = await stage.roller.demandOf(stage.analytics, 1n, 1n);
      await at(until);
      await expect(answer(1))
        .to.emit(stage.roller, "LeafShown")
        .and.to.emit(stage.itc, "Transfer")
        .withArgs(stage.sinks.roller, stage.proposer.address, DEPOSIT);
      expect([(await pending()).demands, await stage.roller.owed()]).to.deep.equal([0n, 1_000n + BOND]);
      expect([...(await stage.roller.demandOf(stage.analytics, 1n, 1n))]).to.deep.equal([ZeroAddress, 0n]);
      await demand(1);
    });

    it("refuses another leaf, a late one, and one that nobody demanded", async () => {
      await expect(answer(1)).to.be.revertedWithCustomError(stage.roller, "PayoutRollerNotDemanded").withArgs(1n);
      await demand(1);
      const { leaf, siblings } = tree.show(1);
      for (const lie of [tree.show(2), { leaf: { ...leaf, earned: 0n } }, { siblings: siblings.slice(1) }]) {
        await expect(answer(1, { ...lie, index: 1n }))
          .to.be.revertedWithCustomError(stage.roller, "PayoutRollerNotInTree")
          .withArgs(1n);
      }
      const { until } = await stage.roller.demandOf(stage.analytics, 1n, 1n);
      await at(until + 1n);
      await expect(answer(1)).to.be.revertedWithCustomError(stage.roller, "PayoutRollerTooLate").withArgs(until);
    });

    it("what it shows can be challenged", async () => {
      await wait(stage, WINDOW + 1n);
      await stage.roller.publish(stage.analytics);
      const next = await finish(stage, "roller", sevenShares(stage), { name: "next" });
      const { carry } = await stage.roller.ledgerOf(stage.analytics);
      const plan = planRoll(tree.earned, [next], carry);
      const [first, second, third] = plan.tree.leaves;
      if (!first || !second || !third) throw new Error("The tree is too small.");
      tree = new PayoutTree([first, { ...second, before: 0n }, third]);
      await propose(stage, [next], tree, { total: plan.tree.total });
      const { demandEnd } = await pending();
      await at(demandEnd);
      await demand(1);
      await at(demandEnd + ANSWER_TIME);
      await answer(1);
      await at(demandEnd + 2n * ANSWER_TIME);
      await stage.roller.connect(stage.challenger).challengePair(stage.analytics, tree.show(0), tree.show(1));
    });
  });

  describe("fail", () => {
    it("takes down a roll whose leaf wasn't shown, with the deposit and half the bond for who demanded it", async () => {
      await demand(1);
      await wait(stage, ANSWER_TIME + 1n);
      await expect(stage.roller.fail(stage.analytics, 1n))
        .to.emit(stage.roller, "RootRejected")
        .withArgs(stage.analytics, 1n, stage.challenger.address)
        .and.to.emit(stage.itc, "Transfer")
        .withArgs(stage.sinks.roller, stage.challenger.address, BOND / 2n + DEPOSIT);
      const left = 1_000n + BOND - BOND / 2n;
      expect([await held(), await stage.roller.owed()]).to.deep.equal([left, left]);
      await rollTruth(stage, [result]);
      await expect(stage.roller.fail(stage.analytics, 1n)).to.be.revertedWithCustomError(
        stage.roller,
        "PayoutRollerNotDemanded",
      );
      await expect(stage.roller.refund(stage.analytics, 1n, 1n)).to.be.revertedWithCustomError(
        stage.roller,
        "PayoutRollerNotDemanded",
      );
    });

    it("waits for the time to answer", async () => {
      await demand(1);
      const { until } = await stage.roller.demandOf(stage.analytics, 1n, 1n);
      await at(until);
      await expect(stage.roller.fail(stage.analytics, 1n))
        .to.be.revertedWithCustomError(stage.roller, "PayoutRollerTooEarly")
        .withArgs(until);
    });
  });

  describe("publish", () => {
    it("waits for all answers, also after the window", async () => {
      await demand(1);
      await demand(2);
      await answer(1);
      await at(end + 2n * ANSWER_TIME);
      await expect(stage.roller.publish(stage.analytics)).to.be.revertedWithCustomError(
        stage.roller,
        "PayoutRollerWindowOpen",
      );
      await at(end + 2n * ANSWER_TIME + 1n);
      await expect(stage.roller.publish(stage.analytics))
        .to.be.revertedWithCustomError(stage.roller, "PayoutRollerDemandsOpen")
        .withArgs(1n);
      await stage.roller.fail(stage.analytics, 2n);
      expect((await pending()).proposer).to.equal(ZeroAddress);
    });
  });

  describe("refund", () => {
    it("returns deposits of a roll that fell otherwise, once", async () => {
      await demand(0);
      await demand(1);
      await expect(stage.roller.refund(stage.analytics, 1n, 0n))
        .to.be.revertedWithCustomError(stage.roller, "PayoutRollerNotFallen")
        .withArgs(1n);
      await wait(stage, ANSWER_TIME + 1n);
      await stage.roller.fail(stage.analytics, 1n);
      await expect(stage.roller.refund(stage.analytics, 1n, 0n))
        .to.emit(stage.roller, "DemandRefunded")
        .withArgs(stage.analytics, 1n, 0n, stage.challenger.address)
        .and.to.emit(stage.itc, "Transfer")
        .withArgs(stage.sinks.roller, stage.challenger.address, DEPOSIT);
      await expect(stage.roller.refund(stage.analytics, 1n, 0n))
        .to.be.revertedWithCustomError(stage.roller, "PayoutRollerNotDemanded")
        .withArgs(0n);
      expect(await stage.roller.owed()).to.equal(await held());
    });
  });
});
