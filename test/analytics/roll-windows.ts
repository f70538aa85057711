import { expect } from "chai";
import { planRoll } from "../../toolkit/analytics/rolls.js";
import { PayoutTree } from "../../toolkit/payouts/payout-tree.js";
import { BOND, finish, openStage, type Stage, WINDOW, wait } from "./payout-stage.js";
import { challengeUnderpaid, changed, ownedIn, propose, sevenShares } from "./roll-rig.js";

describe("Windows of rolls", () => {
  let stage: Stage;

  beforeEach(async () => {
    stage = await openStage();
  });

  const final = (name = "result", changes: Parameters<typeof finish>[3] = {}) =>
    finish(stage, "roller", sevenShares(stage), { name, ...changes });
  const fallen = async (attempt: Promise<unknown>) =>
    expect(attempt).to.emit(stage.roller, "RootRejected").withArgs(stage.analytics, 1n, stage.challenger.address);

  it("are open to their last second, to each challenge", async () => {
    const result = await final();
    const plan = planRoll(new Map(), [result], 0n);
    const [first, ...rest] = plan.tree.leaves;
    if (!first) throw new Error("The tree is empty.");
    const lie = new PayoutTree([{ ...first, before: 1n, earned: 1n }, ...rest]);
    await propose(stage, [result], lie, { total: plan.tree.total });
    const { challengeEnd } = await stage.roller.pendingOf(stage.analytics);
    const mine = stage.roller.connect(stage.challenger);
    const owned = ownedIn([result], first.account);
    const challenges = [
      () => mine.challengePair(stage.analytics, lie.show(0), lie.show(1)),
      () => mine.challengeEdge(stage.analytics, lie.show(0)),
      () => challengeUnderpaid(stage, first.account, lie, undefined, plan.results, owned),
    ];
    for (const challenge of challenges) {
      const snapshot = await stage.networkHelpers.takeSnapshot();
      await stage.networkHelpers.time.setNextBlockTimestamp(challengeEnd + 1n);
      await expect(challenge())
        .to.be.revertedWithCustomError(stage.roller, "PayoutRollerWindowOver")
        .withArgs(challengeEnd);
      await snapshot.restore();
      await stage.networkHelpers.time.setNextBlockTimestamp(challengeEnd);
      await fallen(challenge());
      await snapshot.restore();
    }
  });

  it("are none without a roll", async () => {
    const { tree } = planRoll(new Map(), [await final()], 0n);
    for (const attempt of [
      stage.roller.challengePair(stage.analytics, tree.show(0), tree.show(1)),
      stage.roller.challengeEdge(stage.analytics, tree.show(0)),
    ]) {
      await expect(attempt).to.be.revertedWithCustomError(stage.roller, "PayoutRollerIdle").withArgs(stage.analytics);
    }
  });

  it("of two contracts with results don't touch: a challenge to one roll leaves the other", async () => {
    const [mine, theirs] = [await final(), await final("theirs", { source: stage.others })];
    const analytics = await stage.others.getAddress();
    const victim = stage.owners[1]?.address ?? "";
    const plan = planRoll(new Map(), [mine], 0n);
    const lie = changed(plan, { [victim]: 0n });
    await propose(stage, [mine], lie);
    await propose(stage, [theirs], plan.tree, { analytics });
    await fallen(challengeUnderpaid(stage, victim, lie, undefined, plan.results, ownedIn([mine], victim)));
    expect((await stage.roller.pendingOf(analytics)).proposer).to.equal(stage.proposer.address);
    await wait(stage, WINDOW + 1n);
    await stage.roller.publish(analytics);
    const kept = BOND - BOND / 2n;
    expect((await stage.roller.ledgerOf(stage.analytics)).carry).to.equal(kept);
    expect(await stage.itc.balanceOf(stage.sinks.roller)).to.equal(1_000n + 2n + kept);
  });
});
