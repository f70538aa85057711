import { rejects } from "node:assert/strict";
import { expect } from "chai";
import { AbiCoder, concat, dataLength, dataSlice, keccak256, toBeHex } from "ethers";
import { toHex } from "../../toolkit/internal/bytes.js";
import { ANSWER, HOUR, idOf, passWindow, pastAnchoring, propose } from "./market.js";
import { demand, gains, passAnswer, type QuestionStage, settle, subjectOf, withReadings } from "./questions.js";

/** Proposes, and lets a demand for a leaf go unanswered. */
async function lose(stage: QuestionStage): Promise<unknown> {
  await propose(stage.market, stage.request, stage.tree);
  await demand(stage, 0);
  await passAnswer(stage.market);
  return settle(stage, subjectOf(0));
}

describe("Bonds of proposers", () => {
  it("it is for as many leaves as it is enough for, no more", async () => {
    const { market, request, tree } = await withReadings();
    const { analytics, proposer } = market;
    await pastAnchoring(market, request);
    const [, , minimum] = await analytics.limits();
    const most = (request.terms.bond * 1_000n) / minimum;
    const saying = (leaves: bigint) =>
      analytics
        .connect(proposer)
        .propose(
          request,
          { ...tree.root, summary: { ...tree.root.summary, leaves } },
          toHex(tree.aggregate),
          `0x${"00".repeat(32)}`,
        );
    for (const leaves of [most + 1n, 2n ** 64n - 1n]) {
      await expect(saying(leaves))
        .to.be.revertedWithCustomError(analytics, "AnalyticsBondTooSmall")
        .withArgs(idOf(market, request), leaves);
    }
    await saying(most);
  });

  it("the requester has its half of each one that was lost when the result is final", async () => {
    const stage = await withReadings();
    const { market, request, tree } = stage;
    const { bond, fee } = request.terms;
    for (let k = 0; k < 2; k++) await lose(stage);
    await propose(market, request, tree);
    await passWindow(market, HOUR + 2n * ANSWER);
    await gains({ market }, market.analytics.finalise(request), [bond + fee, 0n, 2n * (bond - bond / 2n)]);
    expect(await market.itc.balanceOf(market.addresses.Analytics)).to.equal(0n);
  });

  it("it has them before more are lost than are counted", async () => {
    const stage = await withReadings();
    const { market, request } = stage;
    const { itc, addresses, provider } = market;
    const half = request.terms.bond - request.terms.bond / 2n;
    // Slot 2 has the requests; the second byte from below of a request's first word counts bonds.
    const where = AbiCoder.defaultAbiCoder().encode(["bytes32", "uint256"], [idOf(market, request), 2]);
    const slot = keccak256(where);
    const word = BigInt(await market.ethers.provider.getStorage(addresses.Analytics, slot));
    const params = [addresses.Analytics, slot, toBeHex(word | (254n << 8n), 32)];
    await provider.request({ method: "hardhat_setStorageAt", params });
    await itc.transfer(addresses.Analytics, 254n * half);
    const before = await itc.balanceOf(market.company.address);
    await lose(stage);
    expect((await itc.balanceOf(market.company.address)) - before).to.equal(255n * half);
    await market.networkHelpers.time.increaseTo(request.terms.deadline + HOUR + 1n);
    const { reward, fee } = request.terms;
    await gains({ market }, market.analytics.cancel(request), [0n, 0n, reward + fee]);
    expect(await itc.balanceOf(addresses.Analytics)).to.equal(0n);
  });
});

describe("Words with bits beyond their types", () => {
  /** The calldata with one bit set above the type of each word that is narrower than a word; `from` counts words. */
  function spoilt(data: string, from: number, widths: readonly number[]): string[] {
    return widths.flatMap((bits, k) => {
      if (bits === 256) return [];
      const at = 4 + 32 * (from + k);
      const word = BigInt(dataSlice(data, at, at + 32)) ^ (1n << BigInt(bits));
      return [concat([dataSlice(data, 0, at), toBeHex(word, 32), dataSlice(data, at + 32)])];
    });
  }

  it("open no request", async () => {
    const { market, request } = await withReadings();
    const { analytics, company } = market;
    const asked = { ...request, salt: keccak256("0x01") };
    const data = analytics.interface.encodeFunctionData("request", [asked]);
    const widths = [
      ...[160, 256, 256],
      ...[256, 3, 8, 8, 64, 64, 64, 64, 64, 32],
      ...[256, 64, 8, 160],
      ...[64, 64, 128, 128, 128, 128, 64, 64, 1, 2],
    ];
    expect(dataLength(data)).to.equal(4 + 32 * widths.length);
    for (const words of spoilt(data, 0, widths)) {
      await rejects(company.call({ to: analytics, data: words }), /revert/);
    }
    await company.call({ to: analytics, data });
  });

  it("propose no result", async () => {
    const { market, request, tree } = await withReadings();
    const { analytics, proposer } = market;
    await pastAnchoring(market, request);
    const args = [request, tree.root, toHex(tree.aggregate), `0x${"00".repeat(32)}`] as const;
    const data = analytics.interface.encodeFunctionData("propose", [...args]);
    for (const words of spoilt(data, 27, [160, 160, 160, 160, 64, 64, 64, 128, 256, 256])) {
      await rejects(proposer.call({ to: analytics, data: words }), /revert/);
    }
    await proposer.call({ to: analytics, data });
  });
});
