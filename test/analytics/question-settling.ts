import { expect } from "chai";
import { encodeBytes32String, id } from "ethers";
import { toHex } from "../../toolkit/internal/bytes.js";
import { keyOf } from "../identity/fleet.js";
import { ANSWER, HOUR, ITC, type Market, ownerOf, passWindow, propose, raise } from "./market.js";
import {
  answer,
  demand,
  deviceOf,
  gains,
  openedOf,
  ownerSigner,
  passAnswer,
  placed,
  type QuestionStage,
  question,
  rotate,
  settle,
  show,
  showing,
  subjectOf,
  withProposal,
  withReadings,
} from "./questions.js";

const DEPOSIT = 10n * ITC;

async function statusOf({ market, request }: QuestionStage): Promise<bigint> {
  return (await market.analytics.statusOf(request)).status;
}

describe("QuestionDesk, settling", () => {
  it("leaves a question alone until its answer is overdue", async () => {
    const stage = await withProposal();
    const { market, request } = stage;
    await expect(settle(stage, subjectOf(0))).to.be.revertedWithCustomError(market.desk, "QuestionDeskNotAsked");
    await demand(stage, 0);
    const { stamp } = await market.analytics.proposalOf(request);
    const question = await market.desk.questionIdOf(market.addresses.Analytics, stamp, subjectOf(0));
    const { due } = await market.desk.questionOf(question);
    await market.networkHelpers.time.setNextBlockTimestamp(due);
    await expect(settle(stage, subjectOf(0)))
      .to.be.revertedWithCustomError(market.desk, "QuestionDeskNotDue")
      .withArgs(question, due);
    // A late answer still is one.
    await show(market, request, showing(stage.tree, 0));
    await expect(settle(stage, subjectOf(0))).to.be.revertedWithCustomError(market.desk, "QuestionDeskNotAsked");
  });

  it("an overdue answer takes the proposal down: half the bond and the deposit to the asker", async () => {
    for (const leafIsShown of [true, false]) {
      const stage = await withProposal();
      const { market, request } = stage;
      await (leafIsShown ? demand(stage, 3) : question(stage, 3));
      await passAnswer(market);
      const half = request.terms.bond / 2n;
      const subject = leafIsShown ? subjectOf(3) : placed(stage, 3).subject;
      await gains(stage, settle(stage, subject), [0n, half + DEPOSIT, 0n]);
      expect(await statusOf(stage)).to.equal(1n);
      expect(await market.itc.balanceOf(market.addresses.QuestionDesk)).to.equal(0n);
    }
  });

  const changes: [string, (market: Market, k: number) => Promise<unknown>][] = [
    ["was suspended", (market, k) => market.registry.connect(ownerSigner(market, k)).suspend(deviceOf(market, k))],
    ["was retired", (market, k) => market.registry.connect(ownerSigner(market, k)).retire(deviceOf(market, k))],
    [
      "has another owner",
      (market, k) =>
        market.registry
          .connect(ownerSigner(market, k))
          .transferFrom(ownerOf(market, k), market.company.address, deviceOf(market, k)),
    ],
    [
      "has another attribute",
      (market, k) =>
        market.registry
          .connect(ownerSigner(market, k))
          .setAttribute(deviceOf(market, k), encodeBytes32String("note"), "0x01", 1000n),
    ],
    ["has another key", (market, k) => rotate(market, market.keys[k] ?? raise(), keyOf("another"))],
  ];
  for (const [what, change] of changes) {
    it(`a question about a device that ${what} since returns bond and deposit; one about a leaf doesn't`, async () => {
      const stage = await withProposal();
      const { market, request } = stage;
      await question(stage, 1);
      await change(market, 1);
      await passAnswer(market);
      await gains(stage, settle(stage, placed(stage, 1).subject), [request.terms.bond, DEPOSIT, 0n]);
      expect(await statusOf(stage)).to.equal(1n);
      await propose(market, request, stage.tree);
      await demand(stage, placed(stage, 1).index);
      await change(market, 3).catch(() => undefined);
      await passAnswer(market);
      const half = request.terms.bond / 2n;
      await gains(stage, settle(stage, subjectOf(placed(stage, 1).index)), [0n, half + DEPOSIT, 0n]);
    });
  }

  it("a change before the proposal is no excuse, one in its block is", async () => {
    const stage = await withReadings();
    const { market, request, tree } = stage;
    await rotate(market, market.keys[0] ?? raise(), keyOf("another"));
    await propose(market, request, tree);
    await question(stage, 0);
    await expect(answer(stage, 0, openedOf(stage, 0))).to.be.revertedWithCustomError(market.desk, "CourtWrongEvidence");
    await passAnswer(market);
    const half = request.terms.bond / 2n;
    await gains(stage, settle(stage, placed(stage, 0).subject), [0n, half + DEPOSIT, 0n]);
    await market.networkHelpers.time.increase(10);
    await market.provider.request({ method: "evm_setAutomine", params: [false] });
    const device = deviceOf(market, 1);
    const name = encodeBytes32String("note");
    await market.registry.connect(ownerSigner(market, 1)).setAttribute(device, name, "0x01", 9n, { gasLimit: 500_000 });
    await market.analytics.connect(market.proposer).propose(request, tree.root, toHex(tree.aggregate), id("data"), {
      gasLimit: 1_000_000,
    });
    await market.networkHelpers.mine();
    await market.provider.request({ method: "evm_setAutomine", params: [true] });
    await question(stage, 1);
    await passAnswer(market);
    await gains(stage, settle(stage, placed(stage, 1).subject), [request.terms.bond, DEPOSIT, 0n]);
  });

  it("questions outlive their proposal for the deposit alone, also where the same root is proposed again", async () => {
    const stage = await withProposal();
    const { market, request, tree } = stage;
    await demand(stage, 0);
    await demand(stage, 1);
    await question(stage, 2);
    const old = (await market.analytics.proposalOf(request)).stamp;
    await passAnswer(market);
    await settle(stage, subjectOf(0));
    await expect(show(market, request, showing(tree, 1))).to.be.revertedWithCustomError(
      market.desk,
      "CourtNotInResult",
    );
    await expect(answer(stage, 2, openedOf(stage, 2))).to.be.revertedWithCustomError(
      market.desk,
      "QuestionDeskNotAsked",
    );
    await gains(stage, settle(stage, subjectOf(1), old), [0n, DEPOSIT, 0n]);
    await propose(market, request, tree);
    expect((await market.analytics.proposalOf(request)).stamp).not.to.equal(old);
    await expect(answer(stage, 2, openedOf(stage, 2))).to.be.revertedWithCustomError(
      market.desk,
      "QuestionDeskNotAsked",
    );
    await gains(stage, settle(stage, placed(stage, 2).subject, old), [0n, DEPOSIT, 0n]);
    expect(await statusOf(stage)).to.equal(2n);
    const { proposedAt, challengeEnd } = await market.analytics.proposalOf(request);
    expect(challengeEnd).to.equal(proposedAt + HOUR);
    // And it can be asked anew.
    await demand(stage, 1);
    await show(market, request, showing(tree, 1));
  });

  it("a result isn't final while a question is open, if the window is long over", async () => {
    const stage = await withProposal();
    const { market, request } = stage;
    await demand(stage, 0);
    await passWindow(market, HOUR + 2n * ANSWER);
    await expect(market.analytics.finalise(request))
      .to.be.revertedWithCustomError(market.analytics, "AnalyticsQuestionsOpen")
      .withArgs((await market.analytics.proposalOf(request)).id, 1n);
    await gains(stage, settle(stage, subjectOf(0)), [0n, request.terms.bond / 2n + DEPOSIT, 0n]);
  });
});
