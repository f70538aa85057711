import { expect } from "chai";
import { id } from "ethers";
import type { AnalysisRequest } from "../../toolkit/analytics/requests.js";
import { AggregateTree__factory } from "../../typechain-types/index.js";
import {
  contributionsOf,
  HOUR,
  ITC,
  idOf,
  type Market,
  openMarket,
  passWindow,
  propose,
  proposed,
  requestOf,
  treeOf,
} from "./market.js";

const ROOT = `0x${"5a".repeat(32)}`;

describe("Requests and results", () => {
  let market: Market;
  let restore: () => Promise<void>;

  before(async () => {
    market = await openMarket();
  });

  beforeEach(async () => {
    const snapshot = await market.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  const held = (name: "Analytics" | "PayoutRoller" | "PayoutPool") => market.itc.balanceOf(market.addresses[name]);
  const open = async (changes: Partial<AnalysisRequest> = {}) => {
    const request = await requestOf(market, changes);
    await market.analytics.connect(market.company).request(request);
    return request;
  };
  const refusedRequest = async (changes: Partial<AnalysisRequest>, by = market.company) =>
    expect(market.analytics.connect(by).request(await requestOf(market, changes)));

  describe("request", () => {
    it("takes the reward into escrow and has the toolkit's id", async () => {
      const request = await requestOf(market);
      expect(await market.analytics.requestIdOf(request)).to.equal(idOf(market, request));
      await expect(market.analytics.connect(market.company).request(request))
        .to.emit(market.analytics, "AnalysisRequested")
        .and.to.emit(market.itc, "Transfer")
        .withArgs(market.company.address, market.addresses.Analytics, request.reward);
      expect((await market.analytics.statusOf(idOf(market, request))).status).to.equal(1n);
    });

    it("refuses whoever isn't the requester, or lacks funds or allowance", async () => {
      await (await refusedRequest({}, market.stranger)).to.be
        .revertedWithCustomError(market.analytics, "AnalyticsNotRequester")
        .withArgs(market.company.address, market.stranger.address);
      await (await refusedRequest({ reward: 10_001n * ITC })).to.be.revertedWithCustomError(
        market.itc,
        "ERC20InsufficientBalance",
      );
      await (
        await refusedRequest({ requester: market.stranger.address }, market.stranger)
      ).to.be.revertedWithCustomError(market.itc, "ERC20InsufficientAllowance");
      expect(await held("Analytics")).to.equal(0n);
    });

    it("refuses each unfair term", async () => {
      const now = BigInt(await market.networkHelpers.time.latest());
      const unfair: Partial<AnalysisRequest>[] = [
        { from: 2n, to: 2n },
        { from: 3n, to: 2n },
        { cohort: 1n },
        { cohort: 0n },
        { deadline: now - 1n },
        { challengeWindow: HOUR - 1n },
        { challengeWindow: 30n * 24n * HOUR + 1n },
        { challengeWindow: 2n ** 64n - 1n },
        { reward: 0n },
        { bond: 100n * ITC - 1n },
      ];
      for (const changes of unfair) {
        await (await refusedRequest(changes)).to.be.revertedWithCustomError(market.analytics, "AnalyticsBadTerms");
      }
    });

    it("refuses the same request twice", async () => {
      const request = await open();
      await expect(market.analytics.connect(market.company).request(request))
        .to.be.revertedWithCustomError(market.analytics, "AnalyticsWrongStatus")
        .withArgs(idOf(market, request), 1n);
    });
  });

  describe("cancel", () => {
    it("returns the reward: to the requester any time, by anyone after the deadline", async () => {
      const first = await open();
      await expect(market.analytics.connect(market.company).cancel(first))
        .to.emit(market.analytics, "RequestCancelled")
        .withArgs(idOf(market, first));
      const second = await open({ salt: id("2") });
      await market.networkHelpers.time.increaseTo(second.deadline + 1n);
      await market.analytics.connect(market.stranger).cancel(second);
      expect(await market.itc.balanceOf(market.company.address)).to.equal(10_000n * ITC);
    });

    it("is refused before the deadline for strangers, after a proposal, and twice", async () => {
      const request = await open();
      await expect(market.analytics.connect(market.stranger).cancel(request))
        .to.be.revertedWithCustomError(market.analytics, "AnalyticsDeadlineAhead")
        .withArgs(idOf(market, request), request.deadline);
      await propose(market, request, treeOf(contributionsOf(market)));
      const again = () => expect(market.analytics.connect(market.company).cancel(request));
      await again()
        .to.be.revertedWithCustomError(market.analytics, "AnalyticsWrongStatus")
        .withArgs(idOf(market, request), 2n);
      await market.analytics.reject(request);
      await market.analytics.connect(market.company).cancel(request);
      await again()
        .to.be.revertedWithCustomError(market.analytics, "AnalyticsWrongStatus")
        .withArgs(idOf(market, request), 4n);
    });
  });

  describe("propose", () => {
    it("takes the bond and stores the result for contracts to read", async () => {
      const tree = treeOf(contributionsOf(market));
      const request = await proposed(market, tree);
      expect(await held("Analytics")).to.equal(request.reward + request.bond);
      const { isFinal, root, result } = await market.analytics.resultOf(idOf(market, request));
      expect([isFinal, root]).to.deep.equal([false, tree.root.hash]);
      const { sum, count, members } = tree.root.aggregate;
      expect(result).to.deep.equal([sum, count, members]);
    });

    it("refuses a result that doesn't sum", async () => {
      const request = await open();
      const { root, children } = treeOf(contributionsOf(market));
      for (const part of ["sum", "count", "members"] as const) {
        const stated = { ...root.aggregate, [part]: root.aggregate[part] + 1n };
        await expect(
          market.analytics.connect(market.proposer).propose(request, stated, ...children, ROOT),
        ).to.be.revertedWithCustomError(market.analytics, "AnalyticsResultDoesNotSum");
      }
      expect((await market.analytics.statusOf(idOf(market, request))).status).to.equal(1n);
    });

    it("refuses sums and counts beyond their width, and takes negative ones", async () => {
      const request = await open();
      const huge = [
        { sum: 2n ** 127n - 1n, count: 1n, members: 3n },
        { sum: -(2n ** 127n), count: 1n, members: 3n },
        { sum: 1n, count: 2n ** 64n - 1n, members: 3n },
        { sum: 1n, count: 1n, members: 2n ** 64n - 1n },
      ];
      for (const aggregate of huge) {
        const node = { hash: ROOT, aggregate };
        const library = {
          interface: AggregateTree__factory.createInterface(),
        };
        await expect(
          market.analytics.connect(market.proposer).propose(request, aggregate, node, node, ROOT),
        ).to.be.revertedWithCustomError(library, "AggregateTreeOverflow");
      }
      const negative = contributionsOf(market).map((one) => ({ ...one, sum: -(2n ** 120n) }));
      await propose(market, request, treeOf(negative));
      expect((await market.analytics.resultOf(idOf(market, request))).result.sum).to.equal(-6n * 2n ** 120n);
    });

    it("refuses no readings, too small a cohort, a late hour, a second proposer, a missing bond", async () => {
      const { analytics } = market;
      const tree = treeOf(contributionsOf(market));
      const request = await open({ cohort: 7n });
      await expect(propose(market, request, tree))
        .to.be.revertedWithCustomError(analytics, "AnalyticsCohortTooSmall")
        .withArgs(idOf(market, request), 6n, 7n);
      const empty = treeOf(contributionsOf(market).map((one) => ({ ...one, count: 0n })));
      await expect(propose(market, request, empty)).to.be.revertedWithCustomError(analytics, "AnalyticsNoReadings");
      const other = await open({ salt: id("other") });
      await expect(propose(market, other, tree, market.stranger)).to.be.revertedWithCustomError(
        market.itc,
        "ERC20InsufficientAllowance",
      );
      await propose(market, other, tree);
      await expect(propose(market, other, tree, market.company)).to.be.revertedWithCustomError(
        analytics,
        "AnalyticsWrongStatus",
      );
      const unknown = await requestOf(market, { salt: id("never made") });
      await expect(propose(market, unknown, tree)).to.be.revertedWithCustomError(analytics, "AnalyticsWrongStatus");
      await market.networkHelpers.time.increaseTo(request.deadline + 1n);
      await expect(propose(market, request, tree))
        .to.be.revertedWithCustomError(analytics, "AnalyticsDeadlinePassed")
        .withArgs(idOf(market, request), request.deadline);
    });

    it("takes one at the last second", async () => {
      const request = await open();
      await market.networkHelpers.time.setNextBlockTimestamp(request.deadline);
      await propose(market, request, treeOf(contributionsOf(market)));
      expect((await market.analytics.statusOf(idOf(market, request))).challengeEnd).to.equal(request.deadline + HOUR);
    });
  });

  describe("finalise, reject", () => {
    it("is final after the window, not at its end", async () => {
      const tree = treeOf(contributionsOf(market));
      const request = await proposed(market, tree);
      const { challengeEnd } = await market.analytics.statusOf(idOf(market, request));
      await market.networkHelpers.time.setNextBlockTimestamp(challengeEnd);
      await expect(market.analytics.finalise(request))
        .to.be.revertedWithCustomError(market.analytics, "AnalyticsChallengeOpen")
        .withArgs(idOf(market, request), challengeEnd);
      await market.networkHelpers.time.setNextBlockTimestamp(challengeEnd + 1n);
      await expect(market.analytics.connect(market.stranger).finalise(request)).to.emit(
        market.analytics,
        "ResultFinalised",
      );
      expect([await held("Analytics"), await held("PayoutRoller")]).to.deep.equal([0n, request.reward]);
      expect(await market.itc.balanceOf(market.proposer.address)).to.equal(10_000n * ITC);
      expect((await market.analytics.resultOf(idOf(market, request))).isFinal).to.equal(true);
      await expect(market.analytics.finalise(request)).to.be.revertedWithCustomError(
        market.analytics,
        "AnalyticsWrongStatus",
      );
    });

    it("the guardian turns it down inside the window alone, and the bond returns", async () => {
      const tree = treeOf(contributionsOf(market));
      const request = await proposed(market, tree);
      await expect(market.analytics.reject(request))
        .to.emit(market.analytics, "ResultRejected")
        .withArgs(idOf(market, request), market.operator.address);
      expect(await market.itc.balanceOf(market.proposer.address)).to.equal(10_000n * ITC);
      await propose(market, request, tree);
      await passWindow(market);
      await expect(market.analytics.reject(request)).to.be.revertedWithCustomError(
        market.analytics,
        "AnalyticsChallengeOver",
      );
    });

    it("nobody else can", async () => {
      const request = await proposed(market, treeOf(contributionsOf(market)));
      const stranger = market.company;
      const calls = [
        () => market.analytics.connect(stranger).reject(request),
        () => market.roller.connect(stranger).reject(),
      ];
      for (const call of calls) {
        await expect(call()).to.be.revertedWithCustomError(market.analytics, "AccessManagedUnauthorized");
      }
    });
  });
});
