import { expect } from "chai";
import { id, Signature, type Signer, ZeroAddress } from "ethers";
import { Operation } from "../../toolkit/analytics/query.js";
import type { AnalysisRequest } from "../../toolkit/analytics/requests.js";
import { asked, HOUR, ITC, idOf, type Market, openMarket, propose, requestOf } from "./market.js";
import { gains, withProposal, withReadings } from "./questions.js";

const ESCROW = 1005n * ITC;
const NONE = 0n;
const OPEN = 1n;
const CANCELLED = 4n;
const DAY = 24n * HOUR;

async function tokenDomain({ itc, chainId, addresses }: Market) {
  return { name: await itc.name(), version: "1", chainId, verifyingContract: addresses.ITC };
}

async function permitBy(market: Market, by: Signer, value: bigint, deadline = 4_000_000_000n) {
  const owner = await by.getAddress();
  const types = {
    Permit: ["address owner", "address spender", "uint256 value", "uint256 nonce", "uint256 deadline"].map(fieldOf),
  };
  const spender = market.addresses.Analytics;
  const nonce = await market.itc.nonces(owner);
  const words = { owner, spender, value, nonce, deadline };
  return Signature.from(await by.signTypedData(await tokenDomain(market), types, words));
}

/** What the requester signs to let anyone send the request. */
async function authorisationOf(market: Market, request: AnalysisRequest, by: Signer, changes = {}) {
  const fields = ["address from", "address to", "uint256 value", "uint256 validAfter", "uint256 validBefore"];
  const types = { ReceiveWithAuthorization: [...fields, "bytes32 nonce"].map(fieldOf) };
  const words = {
    from: request.requester,
    to: market.addresses.Analytics,
    value: request.terms.reward + request.terms.fee,
    validAfter: 0n,
    validBefore: 4_000_000_000n,
    nonce: idOf(market, request),
    ...changes,
  };
  return Signature.from(await by.signTypedData(await tokenDomain(market), types, words));
}

function fieldOf(field: string) {
  const [type = "", name = ""] = field.split(" ");
  return { type, name };
}

async function statusOf({ analytics }: Market, request: AnalysisRequest): Promise<bigint> {
  return (await analytics.statusOf(request)).status;
}

describe("Analytics, requests", () => {
  describe("request", () => {
    it("takes reward and fee into escrow, has the toolkit's id and the block's time as snapshot", async () => {
      const market = await openMarket();
      const request = await requestOf(market);
      const id_ = idOf(market, request);
      expect(await market.analytics.requestIdOf(request)).to.equal(id_);
      const call = market.analytics.connect(market.company).request(request);
      await gains({ market }, call, [0n, 0n, -ESCROW]);
      await expect(call)
        .to.emit(market.analytics, "AnalysisRequested")
        .withArgs(id_, market.company.address, request.purpose, (words: unknown[]) => words[0] === request.requester);
      const time = BigInt(await market.networkHelpers.time.latest());
      expect(await market.analytics.statusOf(request)).to.deep.equal([OPEN, time, 0n, request.terms.deadline]);
      expect(await market.itc.balanceOf(market.addresses.Analytics)).to.equal(ESCROW);
    });

    it("takes each request once, cancelled or not", async () => {
      const market = await openMarket();
      const request = await asked(market);
      const again = () => market.analytics.connect(market.company).request(request);
      await expect(again())
        .to.be.revertedWithCustomError(market.analytics, "AnalyticsWrongStatus")
        .withArgs(idOf(market, request), OPEN);
      await market.analytics.connect(market.company).cancel(request);
      await expect(again())
        .to.be.revertedWithCustomError(market.analytics, "AnalyticsWrongStatus")
        .withArgs(idOf(market, request), CANCELLED);
    });

    it("takes it of the requester alone, with the means", async () => {
      const market = await openMarket();
      const request = await requestOf(market);
      const { analytics, itc, company, watcher, addresses } = market;
      await expect(analytics.connect(watcher).request(request))
        .to.be.revertedWithCustomError(analytics, "AnalyticsNotRequester")
        .withArgs(company.address, watcher.address);
      await itc.connect(company).approve(addresses.Analytics, ESCROW - 1n);
      await expect(analytics.connect(company).request(request)).to.be.revertedWithCustomError(
        itc,
        "ERC20InsufficientAllowance",
      );
      await itc.connect(company).approve(addresses.Analytics, ESCROW);
      await itc.connect(company).transfer(watcher.address, (await itc.balanceOf(company.address)) - ESCROW + 1n);
      await expect(analytics.connect(company).request(request)).to.be.revertedWithCustomError(
        itc,
        "ERC20InsufficientBalance",
      );
    });

    it("refuses each unfair term, and takes what is just fair", async () => {
      const market = await openMarket();
      const [minimumWindow, , minimumBond] = await market.analytics.limits();
      const { query } = await requestOf(market);
      const { anchoredBy, from } = query;
      const noisy = { epsilon: 1n };
      const extremes = { operation: Operation.MinMax };
      const sketch = { operation: Operation.Distinct, size: 10, lower: 0n, upper: 0n };
      const filter = { operation: Operation.Membership, size: 8, hashes: 1, lower: 0n, upper: 0n };
      const unfair = [
        { query: { cap: 0n } },
        { query: { to: from } },
        { query: { anchoredBy: from } },
        { terms: noisy, query: extremes },
        { terms: noisy, query: sketch },
        { terms: noisy, query: filter },
        { terms: { cohort: 1n } },
        { terms: { deadline: anchoredBy } },
        { terms: { deadline: 2n ** 40n } },
        { terms: { challengeWindow: minimumWindow - 1n } },
        { terms: { challengeWindow: 30n * DAY + 1n } },
        { terms: { reward: 0n } },
        { terms: { bond: minimumBond - 1n } },
        { query: { from: 1n, to: 2n, anchoredBy: 2n }, terms: { deadline: 3n } },
      ];
      for (const changes of unfair) {
        const request = await requestOf(market, changes);
        await expect(
          market.analytics.connect(market.company).request(request),
          JSON.stringify(Object.entries(changes), (_, v) => String(v)),
        )
          .to.be.revertedWithCustomError(market.analytics, "AnalyticsBadTerms")
          .withArgs(idOf(market, request));
        expect(await statusOf(market, request)).to.equal(NONE);
      }
      const fair = [
        { terms: { ...noisy, cohort: 2n, challengeWindow: minimumWindow, bond: minimumBond, reward: 1n, fee: 0n } },
        { terms: { deadline: 2n ** 40n - 1n, challengeWindow: 30n * DAY } },
        { terms: { deadline: anchoredBy + 10n } },
        { query: extremes },
        { query: sketch },
        { query: { from: 1n, to: 2n, anchoredBy: 2n } },
      ];
      for (const changes of fair) {
        const request = await asked(market, { ...changes, salt: id(String(fair.indexOf(changes))) });
        expect(await statusOf(market, request)).to.equal(OPEN);
      }
    });
  });

  describe("requestWithPermit", () => {
    it("takes what the permit allows, also where somebody else has used it first", async () => {
      for (const usedFirst of [false, true]) {
        const market = await openMarket();
        const { analytics, itc, company, addresses, watcher } = market;
        await itc.connect(company).approve(addresses.Analytics, 0n);
        const request = await requestOf(market);
        const { v, r, s } = await permitBy(market, company, ESCROW);
        if (usedFirst) {
          const { Analytics } = addresses;
          await itc.connect(watcher).permit(company.address, Analytics, ESCROW, 4_000_000_000n, v, r, s);
        }
        const call = analytics.connect(company).requestWithPermit(request, 4_000_000_000n, v, r, s);
        await gains({ market }, call, [0n, 0n, -ESCROW]);
        expect(await statusOf(market, request)).to.equal(OPEN);
      }
    });

    it("refuses another's permit, a late one, and another sender", async () => {
      const market = await openMarket();
      const { analytics, itc, company, addresses, watcher } = market;
      await itc.connect(company).approve(addresses.Analytics, 0n);
      const request = await requestOf(market);
      for (const { v, r, s } of [await permitBy(market, watcher, ESCROW), await permitBy(market, company, 1n)]) {
        const call = analytics.connect(company).requestWithPermit(request, 4_000_000_000n, v, r, s);
        await expect(call).to.be.revertedWithCustomError(itc, "ERC2612InvalidSigner");
      }
      const late = await permitBy(market, company, ESCROW, 1n);
      const call = analytics.connect(company).requestWithPermit(request, 1n, late.v, late.r, late.s);
      await expect(call).to.be.revertedWithCustomError(itc, "ERC2612ExpiredSignature");
      const { v, r, s } = await permitBy(market, company, ESCROW);
      const foreign = analytics.connect(watcher).requestWithPermit(request, 4_000_000_000n, v, r, s);
      await expect(foreign).to.be.revertedWithCustomError(analytics, "AnalyticsNotRequester");
    });
  });

  describe("requestWithAuthorization", () => {
    it("takes the requester's word from whoever brings it, once", async () => {
      const market = await openMarket();
      const { analytics, company, watcher, addresses, itc } = market;
      await itc.connect(company).approve(addresses.Analytics, 0n);
      const request = await requestOf(market);
      const { v, r, s } = await authorisationOf(market, request, company);
      const send = () => analytics.connect(watcher).requestWithAuthorization(request, 0n, 4_000_000_000n, v, r, s);
      await gains({ market }, send(), [0n, 0n, -ESCROW]);
      expect(await statusOf(market, request)).to.equal(OPEN);
      await expect(send()).to.be.revertedWithCustomError(analytics, "AnalyticsWrongStatus");
      await analytics.connect(company).cancel(request);
      await expect(send()).to.be.revertedWithCustomError(analytics, "AnalyticsWrongStatus");
    });

    it("refuses a request that was altered, another's word, and one for another nonce", async () => {
      const market = await openMarket();
      const { analytics, company, watcher, itc } = market;
      const request = await requestOf(market);
      const right = await authorisationOf(market, request, company);
      const send = (words: AnalysisRequest, { v, r, s }: Signature) =>
        analytics.connect(watcher).requestWithAuthorization(words, 0n, 4_000_000_000n, v, r, s);
      const altered: AnalysisRequest[] = [
        { ...request, salt: id("other") },
        { ...request, purpose: id("other") },
        { ...request, query: { ...request.query, cap: 1n } },
        { ...request, filter: { ...request.filter, assurance: 1 } },
        { ...request, terms: { ...request.terms, cohort: 3n } },
        { ...request, requester: watcher.address },
      ];
      for (const words of altered) {
        await expect(send(words, right)).to.be.revertedWithCustomError(itc, "ERC3009InvalidSignature");
      }
      for (const wrong of [
        await authorisationOf(market, request, watcher),
        await authorisationOf(market, request, company, { nonce: id("nonce") }),
        await authorisationOf(market, request, company, { to: ZeroAddress }),
      ]) {
        await expect(send(request, wrong)).to.be.revertedWithCustomError(itc, "ERC3009InvalidSignature");
      }
    });
  });

  describe("cancel", () => {
    it("returns all to the requester, by itself alone up to the second when data end", async () => {
      const market = await openMarket();
      const { analytics, company, watcher } = market;
      const [first, last, late] = [
        await asked(market),
        await asked(market, { salt: id("last") }),
        await asked(market, { salt: id("late") }),
      ];
      await expect(analytics.connect(watcher).cancel(first))
        .to.be.revertedWithCustomError(analytics, "AnalyticsNotRequester")
        .withArgs(company.address, watcher.address);
      const call = analytics.connect(company).cancel(first);
      await gains({ market }, call, [0n, 0n, ESCROW]);
      await expect(call).to.emit(analytics, "RequestCancelled").withArgs(idOf(market, first));
      await expect(analytics.connect(company).cancel(first)).to.be.revertedWithCustomError(
        analytics,
        "AnalyticsWrongStatus",
      );
      await market.networkHelpers.time.setNextBlockTimestamp(last.query.anchoredBy);
      await analytics.connect(company).cancel(last);
      await market.networkHelpers.time.setNextBlockTimestamp(late.query.anchoredBy + 1n);
      await expect(analytics.connect(company).cancel(late)).to.be.revertedWithCustomError(
        analytics,
        "AnalyticsTooEarly",
      );
    });

    it("is anyone's after the last second for a proposal", async () => {
      const market = await openMarket();
      const { analytics, watcher } = market;
      const request = await asked(market);
      const { deadline } = request.terms;
      await market.networkHelpers.time.setNextBlockTimestamp(deadline);
      await expect(analytics.connect(watcher).cancel(request))
        .to.be.revertedWithCustomError(analytics, "AnalyticsTooEarly")
        .withArgs(idOf(market, request), deadline + 1n);
      await market.networkHelpers.time.setNextBlockTimestamp(deadline + 1n);
      await gains({ market }, analytics.connect(watcher).cancel(request), [0n, 0n, ESCROW]);
    });

    it("isn't possible while a result is proposed, nor once it is final", async () => {
      const { market, request } = await withProposal();
      const { analytics, company } = market;
      const cancel = () => analytics.connect(company).cancel(request);
      await expect(cancel()).to.be.revertedWithCustomError(analytics, "AnalyticsWrongStatus");
      await market.networkHelpers.time.increaseTo(request.terms.deadline);
      await expect(cancel()).to.be.revertedWithCustomError(analytics, "AnalyticsWrongStatus");
      await analytics.finalise(request);
      await expect(cancel()).to.be.revertedWithCustomError(analytics, "AnalyticsWrongStatus");
    });

    it("waits for a window more where a proposal fell late", async () => {
      const stage = await withReadings();
      const { market, request, tree } = stage;
      const { analytics, watcher, desk, addresses } = market;
      await market.networkHelpers.time.increaseTo(request.terms.deadline - 1n);
      await propose(market, request, tree);
      await desk.connect(watcher).demand(addresses.Analytics, request, tree.root, 0);
      const { stamp } = await analytics.proposalOf(request);
      await market.networkHelpers.time.increase(2n * HOUR);
      await desk.settle(addresses.Analytics, request, stamp, `0x${"00".repeat(32)}`);
      const fallen = BigInt(await market.networkHelpers.time.latest());
      expect((await analytics.statusOf(request)).lastSecond).to.equal(fallen + HOUR);
      await market.networkHelpers.time.setNextBlockTimestamp(fallen + HOUR);
      await expect(analytics.cancel(request)).to.be.revertedWithCustomError(analytics, "AnalyticsTooEarly");
      await market.networkHelpers.time.setNextBlockTimestamp(fallen + HOUR + 1n);
      // With the escrow comes the requester's half of the bond that was lost.
      const { bond } = request.terms;
      await gains({ market }, analytics.cancel(request), [0n, 0n, ESCROW + bond - bond / 2n]);
    });
  });
});
