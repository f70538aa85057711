import { expect } from "chai";
import { id } from "ethers";
import { keyOf } from "../identity/fleet.js";
import {
  attestedLeaf,
  consent,
  opened,
  ownerOf,
  pastAnchoring,
  propose,
  provedLeaf,
  raise,
  readingsOf,
  treeOf,
  withheldLeaf,
} from "./market.js";
import {
  anchoredByDevice,
  answer,
  deviceOf,
  gains,
  openedOf,
  ownerSigner,
  placed,
  type QuestionStage,
  question,
  rotate,
  unsigned,
  withReadings,
} from "./questions.js";

describe("QuestionDesk, contributions", () => {
  const contribute = ({ market, request }: QuestionStage, k: number, readings: ReturnType<typeof openedOf>) =>
    market.desk.contributeReadings(market.addresses.Analytics, request, deviceOf(market, k), readings);

  it("lay readings open up to the second when data end, more each time, up to the cap", async () => {
    const stage = await withReadings({ query: { cap: 2n } });
    const { market, request } = stage;
    const [a = raise(), b = raise(), c = raise()] = openedOf(stage, 1);
    const requestId = await market.analytics.requestIdOf(request);
    const count = () => market.desk.contributionOf(market.addresses.Analytics, requestId, deviceOf(market, 1));
    await expect(contribute(stage, 1, [])).to.be.revertedWithCustomError(market.desk, "QuestionDeskLess");
    await expect(contribute(stage, 1, [a]))
      .to.emit(market.desk, "ReadingsContributed")
      .withArgs(market.addresses.Analytics, requestId, deviceOf(market, 1), 1n);
    for (const readings of [[b], [a, b, c]]) {
      await expect(contribute(stage, 1, readings))
        .to.be.revertedWithCustomError(market.desk, "QuestionDeskLess")
        .withArgs(requestId, deviceOf(market, 1), 1n);
    }
    for (const readings of [[b, a], [a, { ...b, value: 1n + b.value }], openedOf(stage, 2).slice(1)]) {
      const call = contribute(stage, 1, readings);
      await expect(call).to.be.revertedWithCustomError(market.desk, "CourtWrongEvidence");
    }
    expect(await count()).to.equal(1n);
    await market.networkHelpers.time.setNextBlockTimestamp(request.query.anchoredBy);
    await contribute(stage, 1, [a, c]);
    expect(await count()).to.equal(2n);
    await expect(contribute(stage, 2, openedOf(stage, 2).slice(1)))
      .to.be.revertedWithCustomError(market.desk, "QuestionDeskTooLate")
      .withArgs(requestId, request.query.anchoredBy);
  });

  it("aren't taken for a request that isn't open", async () => {
    const stage = await withReadings();
    await stage.market.analytics.connect(stage.market.company).cancel(stage.request);
    await expect(contribute(stage, 1, openedOf(stage, 1))).to.be.revertedWithCustomError(
      stage.market.desk,
      "QuestionDeskTooLate",
    );
  });

  it("leave as much gas as an answer needs beyond them", async () => {
    const stage = await withReadings();
    const { market, request } = stage;
    const readings = openedOf(stage, 1);
    const args = [market.addresses.Analytics, request, deviceOf(market, 1), readings] as const;
    const snapshot = await market.networkHelpers.takeSnapshot();
    const used = (await (await contribute(stage, 1, readings)).wait())?.gasUsed ?? 0n;
    await snapshot.restore();
    const tight = market.desk.contributeReadings(...args, { gasLimit: used + 200_000n });
    await expect(tight).to.be.revertedWithCustomError(market.desk, "QuestionDeskNoMargin");
    await market.desk.contributeReadings(...args, { gasLimit: used + 260_000n });
    await propose(market, request, stage.tree);
    await question(stage, 1);
    const answered = (await (await answer(stage, 1, readings)).wait())?.gasUsed ?? 0n;
    expect(answered).to.be.lessThan(used + 250_000n);
  });

  it("hold while the device doesn't change, and can be made anew", async () => {
    const stage = await withReadings();
    const { market, request } = stage;
    const requestId = await market.analytics.requestIdOf(request);
    const count = () => market.desk.contributionOf(market.addresses.Analytics, requestId, deviceOf(market, 1));
    await contribute(stage, 1, openedOf(stage, 1));
    const owner = market.registry.connect(ownerSigner(market, 1));
    await owner.suspend(deviceOf(market, 1));
    expect(await count()).to.equal(0n);
    await owner.resume(deviceOf(market, 1));
    expect(await count()).to.equal(0n);
    await contribute(stage, 1, openedOf(stage, 1).slice(1));
    expect(await count()).to.equal(2n);
    await rotate(market, market.keys[1] ?? raise(), keyOf("another"));
    expect(await count()).to.equal(0n);
    const call = contribute(stage, 1, openedOf(stage, 1));
    await expect(call).to.be.revertedWithCustomError(market.desk, "CourtWrongEvidence");
  });

  it("in the device's own log hold without signatures", async () => {
    const stage = await withReadings();
    const { market, request } = stage;
    const batch = await anchoredByDevice(market, 1, readingsOf(market, request, market.keys[1] ?? raise(), [1n, 2n]));
    await contribute(
      stage,
      1,
      [0, 1].map((n) => unsigned(opened(market, batch, n))),
    );
  });

  describe("challengeIgnored, challengeIgnoredDevice", () => {
    const ignored = (stage: QuestionStage, k: number) => {
      const { words, place } = placed(stage, k);
      const { market, request } = stage;
      return market.court.connect(market.watcher).challengeIgnored(market.addresses.Analytics, request, words, place);
    };

    async function proposed(stage: QuestionStage, leaf: (typeof stage.leaves)[0]): Promise<QuestionStage> {
      const leaves = stage.leaves.map((one, k) => (k === 1 ? leaf : one));
      const lying = { ...stage, leaves, tree: treeOf(stage.request, leaves) };
      await propose(stage.market, stage.request, lying.tree);
      return lying;
    }

    it("uphold a leaf that counts fewer, proved or withheld or attested, and leave one alone that counts as many", async () => {
      const stage = await withReadings();
      const { market, request, kept } = stage;
      await contribute(stage, 1, openedOf(stage, 1).slice(1));
      const [owner, key] = [ownerOf(market, 1), market.keys[1] ?? raise()];
      const partial = stage.leaves[1]?.partial ?? raise();
      const half = request.terms.bond / 2n;
      for (const leaf of [
        provedLeaf(request, owner, (kept[1] ?? raise()).slice(2)),
        withheldLeaf(request, owner, key),
        await attestedLeaf(market, request, owner, key, { partial, count: 1n }),
      ]) {
        const lying = await proposed(stage, leaf);
        await gains(lying, ignored(lying, 1), [0n, half, 0n]);
      }
      const right = await proposed(stage, provedLeaf(request, owner, (kept[1] ?? raise()).slice(0, 2)));
      for (const k of [0, 1, 2]) {
        await expect(ignored(right, k)).to.be.revertedWithCustomError(market.court, "CourtNothingWrong");
      }
    });

    it("uphold a device that isn't there, not one that was no member", async () => {
      const stage = await withReadings();
      const { market, request, leaves } = stage;
      await contribute(stage, 1, openedOf(stage, 1));
      const tree = treeOf(
        request,
        leaves.filter((_, k) => k !== 1 && k !== 2),
      );
      await propose(market, request, tree);
      const call = (k: number, owner = ownerOf(market, k)) =>
        market.court
          .connect(market.watcher)
          .challengeIgnoredDevice(
            market.addresses.Analytics,
            request,
            owner,
            deviceOf(market, k),
            tree.gap(owner, deviceOf(market, k)),
          );
      await expect(call(2)).to.be.revertedWithCustomError(market.court, "CourtNothingWrong");
      await expect(call(1, ownerOf(market, 0))).to.be.revertedWithCustomError(market.court, "CourtNothingWrong");
      await gains(stage, call(1), [0n, request.terms.bond / 2n, 0n]);
    });

    it("leave exact readings out alone where the owner's budget is limited", async () => {
      const stage = await withReadings();
      const { market, request, leaves } = stage;
      const snapshot = { ...request, salt: id("limited") };
      await consent(market.world, ownerSigner(market, 1), { budget: 1n });
      await market.analytics.connect(market.company).request(snapshot);
      const limited = { ...stage, request: snapshot };
      await contribute(limited, 1, openedOf(stage, 1));
      const tree = treeOf(
        snapshot,
        leaves.filter((_, k) => k !== 1 && k !== 4),
      );
      await pastAnchoring(market, snapshot);
      await propose(market, snapshot, tree);
      const owner = ownerOf(market, 1);
      const call = market.court.challengeIgnoredDevice(
        market.addresses.Analytics,
        snapshot,
        owner,
        deviceOf(market, 1),
        tree.gap(owner, deviceOf(market, 1)),
      );
      await expect(call).to.be.revertedWithCustomError(market.court, "CourtNothingWrong");
    });
  });
});
