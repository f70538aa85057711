import { expect } from "chai";
import { id, keccak256, TypedDataEncoder } from "ethers";
import { neutralPartial, packed } from "../../toolkit/analytics/partials.js";
import { Operation } from "../../toolkit/analytics/query.js";
import { type AnalysisRequest, Settlement } from "../../toolkit/analytics/requests.js";
import { leafWords, nodeDigest, type ResultLeaf, type ResultNode } from "../../toolkit/analytics/result-tree.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { builtLeaf, builtOver } from "./lies.js";
import {
  ANSWER,
  asked,
  attestedLeaf,
  type Changes,
  HOUR,
  ITC,
  idOf,
  type Market,
  openMarket,
  ownerOf,
  passWindow,
  pastAnchoring,
  propose,
  raise,
  treeOf,
} from "./market.js";
import {
  demand,
  gains,
  passAnswer,
  settle,
  show,
  showing,
  subjectOf,
  withProposal,
  withReadings,
} from "./questions.js";

const OPEN = 1n;
const PROPOSED = 2n;
const FINAL = 3n;

/** Proposes a root with the bytes of its aggregate. */
function proposeRoot(market: Market, request: AnalysisRequest, root: ResultNode, aggregate: Uint8Array | string) {
  const bytes = typeof aggregate === "string" ? aggregate : toHex(aggregate);
  return market.analytics.connect(market.proposer).propose(request, root, bytes, id("data"));
}

/** A market with a request, and a result of two attested leaves with these words. */
async function withWords(changes: Changes, ...words: [bigint[], bigint[]]) {
  const market = await openMarket();
  const request = await asked(market, changes);
  const leaves = await Promise.all(
    words.map((of, k) =>
      attestedLeaf(market, request, ownerOf(market, k), market.keys[k] ?? raise(), { partial: packed(of), count: 1n }),
    ),
  );
  return { market, request, tree: treeOf(request, leaves) };
}

describe("Analytics, results", () => {
  describe("propose", () => {
    it("takes the bond, and keeps the result for contracts to read", async () => {
      const { market, request, tree } = await withReadings();
      await pastAnchoring(market, request);
      const call = market.analytics
        .connect(market.proposer)
        .propose(request, tree.root, toHex(tree.aggregate), id("data"));
      await gains({ market }, call, [-request.terms.bond, 0n, 0n]);
      const time = BigInt(await market.networkHelpers.time.latest());
      await expect(call)
        .to.emit(market.analytics, "ResultProposed")
        .withArgs(
          idOf(market, request),
          market.proposer.address,
          (words: unknown[]) => words[1] === tree.root.below,
          toHex(tree.aggregate),
          id("data"),
          time + HOUR,
        );
      const root = toHex(nodeDigest(tree.root));
      const { status, requestedAt, proposedAt } = await market.analytics.statusOf(request);
      expect([status, proposedAt]).to.deep.equal([PROPOSED, time]);
      const proposal = await market.analytics.proposalOf(request);
      const block = BigInt(await market.ethers.provider.getBlockNumber());
      expect([...proposal].slice(0, 7)).to.deep.equal([
        idOf(market, request),
        root,
        market.proposer.address,
        requestedAt,
        time,
        block,
        time + HOUR,
      ]);
      const [isFinal, kept, members, weight, value] = await market.analytics.resultOf(idOf(market, request));
      expect([isFinal, kept, members, weight]).to.deep.equal([false, root, 6n, 18n]);
      const [sum, count] = [-20 - 10 + 0 + 10 + 20 + 30 + (0 + 1 + 2 + 3 + 4 + 5) + 6 * 7, 18];
      expect(value).to.equal(toHex(Uint8Array.from(half(BigInt(sum)).concat(half(BigInt(count))))));
      expect(await market.analytics.contentOf(idOf(market, request))).to.equal(id("data"));
    });

    it("is possible after data end, up to the last second", async () => {
      const { market, request, tree } = await withReadings();
      const { networkHelpers, analytics } = market;
      const { anchoredBy } = request.query;
      const call = () => proposeRoot(market, request, tree.root, tree.aggregate);
      await networkHelpers.time.setNextBlockTimestamp(anchoredBy);
      await expect(call())
        .to.be.revertedWithCustomError(analytics, "AnalyticsTooEarly")
        .withArgs(idOf(market, request), anchoredBy + 1n);
      const snapshot = await networkHelpers.takeSnapshot();
      await networkHelpers.time.setNextBlockTimestamp(anchoredBy + 1n);
      await call();
      await snapshot.restore();
      await networkHelpers.time.setNextBlockTimestamp(request.terms.deadline + 1n);
      await expect(call())
        .to.be.revertedWithCustomError(analytics, "AnalyticsTooLate")
        .withArgs(idOf(market, request), request.terms.deadline);
      await networkHelpers.time.setNextBlockTimestamp(request.terms.deadline);
      await call();
    });

    it("isn't possible in the second of the request, nor of the last proposal's fall", async () => {
      const old = { query: { from: 1n, to: 2n, anchoredBy: 2n } };
      const { market, request, tree } = await withWords(old, [1n, 1n], [2n, 1n]);
      const { analytics, networkHelpers, provider, desk, addresses, watcher } = market;
      const next = { ...request, salt: id("next") };
      const gas = { gasLimit: 1_500_000n };
      await provider.request({ method: "evm_setAutomine", params: [false] });
      await analytics.connect(market.company).request(next, gas);
      const early = await analytics
        .connect(market.proposer)
        .propose(next, tree.root, toHex(tree.aggregate), id("data"), gas);
      await networkHelpers.mine();
      await provider.request({ method: "evm_setAutomine", params: [true] });
      expect((await provider.request({ method: "eth_getTransactionReceipt", params: [early.hash] })) as object)
        .to.have.property("status")
        .that.equals("0x0");
      await propose(market, next, tree);
      await demand({ market, request: next, tree }, 0);
      const { stamp } = await analytics.proposalOf(next);
      await passAnswer(market);
      await provider.request({ method: "evm_setAutomine", params: [false] });
      await desk.connect(watcher).settle(addresses.Analytics, next, stamp, subjectOf(0), gas);
      const again = await analytics
        .connect(market.proposer)
        .propose(next, tree.root, toHex(tree.aggregate), id("data"), gas);
      await networkHelpers.mine();
      await provider.request({ method: "evm_setAutomine", params: [true] });
      expect((await provider.request({ method: "eth_getTransactionReceipt", params: [again.hash] })) as object)
        .to.have.property("status")
        .that.equals("0x0");
      expect((await analytics.statusOf(next)).status).to.equal(OPEN);
      await propose(market, next, tree);
    });

    it("refuses other bytes than the root's, and those of another length", async () => {
      const { market, request, tree } = await withReadings();
      await pastAnchoring(market, request);
      const long = new Uint8Array(96);
      const { node } = { node: tree.root };
      const longer = { ...node, summary: { ...node.summary, aggregate: keccak256(long) } };
      for (const [root, bytes] of [
        [node, neutralPartial(request.query)],
        [longer, long],
        [node, new Uint8Array()],
      ] as const) {
        await expect(proposeRoot(market, request, root, bytes))
          .to.be.revertedWithCustomError(market.analytics, "AnalyticsWrongAggregate")
          .withArgs(idOf(market, request));
      }
    });

    it("refuses too small a cohort, and more weight than the reward pays for, or none", async () => {
      const terms = { cohort: 6n, price: 50n * ITC, reward: 900n * ITC };
      const { market, request, tree } = await withReadings({ terms });
      await pastAnchoring(market, request);
      const { root, aggregate } = tree;
      const saying = (changes: object) => ({ ...root, summary: { ...root.summary, ...changes } });
      const { analytics } = market;
      await expect(proposeRoot(market, request, saying({ members: 5n }), aggregate))
        .to.be.revertedWithCustomError(analytics, "AnalyticsCohortTooSmall")
        .withArgs(idOf(market, request), 5n, 6n);
      for (const weight of [19n, 0n, 2n ** 128n - 1n]) {
        await expect(proposeRoot(market, request, saying({ weight }), aggregate))
          .to.be.revertedWithCustomError(analytics, "AnalyticsRewardTooSmall")
          .withArgs(idOf(market, request), weight);
      }
      await proposeRoot(market, request, root, aggregate);
    });

    it("takes one of two at a time, with the means, and the next where that one falls", async () => {
      const stage = await withReadings();
      const { market, request, tree } = stage;
      const { analytics, itc, watcher, company, addresses } = market;
      await pastAnchoring(market, request);
      await itc.connect(watcher).approve(addresses.Analytics, request.terms.bond - 1n);
      const poor = analytics.connect(watcher).propose(request, tree.root, toHex(tree.aggregate), id("data"));
      await expect(poor).to.be.revertedWithCustomError(itc, "ERC20InsufficientAllowance");
      await propose(market, request, tree);
      const second = propose(market, request, tree, company);
      await expect(second).to.be.revertedWithCustomError(analytics, "AnalyticsWrongStatus");
      await demand(stage, 0);
      await passAnswer(market);
      await settle(stage, subjectOf(0));
      await propose(market, request, tree, company);
      expect((await analytics.proposalOf(request)).proposer).to.equal(company.address);
    });
  });

  describe("values", () => {
    it("of one or two numbers are packed in a word, also below zero", async () => {
      const most = 2n ** 126n;
      for (const [operation, a, b, first, second] of [
        [Operation.Sum, [-5n], [2n], -3n, 0n],
        [Operation.Count, [5n], [2n], 7n, 0n],
        [Operation.Mean, [-most, 3n], [-most, -4n], -2n * most, -1n],
        [Operation.Mean, [most, 3n], [most - 1n, -4n], 2n * most - 1n, -1n],
        [Operation.MinMax, [-7n, 9n], [-3n, 12n], -7n, 12n],
      ] as const) {
        const { market, request, tree } = await withWords({ query: { operation } }, [...a], [...b]);
        await propose(market, request, tree);
        const { value } = await market.analytics.resultOf(idOf(market, request));
        expect(value).to.equal(toHex(Uint8Array.from([...half(first), ...half(second)])));
        await passWindow(market);
        await market.analytics.finalise(request);
        expect(await market.analytics.isResult(request, toHex(tree.aggregate))).to.equal(true);
        expect(await market.analytics.isResult(request, toHex(packed([...a])))).to.equal(false);
      }
    });

    it("beyond int128 can't be proposed", async () => {
      const most = 2n ** 126n;
      for (const [a, b] of [
        [
          [most, 0n],
          [most, 0n],
        ],
        [
          [-most, 0n],
          [-most - 1n, 0n],
        ],
        [
          [0n, most],
          [0n, most],
        ],
      ] as const) {
        const { market, request, tree } = await withWords({}, [...a], [...b]);
        const call = propose(market, request, tree);
        await expect(call).to.be.revertedWithCustomError(market.analytics, "AnalyticsWrongAggregate");
      }
    });

    it("of more numbers, and filters, are kept as their hash", async () => {
      for (const query of [
        { operation: Operation.Histogram, size: 3 },
        { operation: Operation.Regression },
        { operation: Operation.Distinct, size: 10, lower: 0n, upper: 0n },
        { operation: Operation.Membership, size: 8, hashes: 4, lower: 0n, upper: 0n },
        { operation: Operation.Membership, size: 9, hashes: 4, lower: 0n, upper: 0n },
      ]) {
        const { market, request, tree } = await withProposal({ query });
        const bytes = toHex(tree.aggregate);
        const { value } = await market.analytics.resultOf(idOf(market, request));
        expect(value).to.equal(keccak256(bytes));
        expect(await market.analytics.isResult(request, bytes)).to.equal(false);
        await passWindow(market);
        await market.analytics.finalise(request);
        expect(await market.analytics.isResult(request, bytes)).to.equal(true);
        expect(await market.analytics.isResult(request, toHex(neutralPartial(request.query)))).to.equal(false);
        expect(await market.analytics.isResult(request, "0x")).to.equal(false);
      }
    });

    it("of sketches with nothing in them are results", async () => {
      const query = { operation: Operation.Distinct, size: 10, lower: 0n, upper: 0n };
      const market = await openMarket();
      const request = await asked(market, { query });
      const leaves = await Promise.all(
        [0, 1].map((k) =>
          attestedLeaf(market, request, ownerOf(market, k), market.keys[k] ?? raise(), {
            partial: neutralPartial(request.query),
            count: 1n,
          }),
        ),
      );
      const tree = treeOf(request, leaves);
      await propose(market, request, tree);
      await demand({ market, request, tree }, 1);
      await show(market, request, showing(tree, 1));
    });

    it("that leave int256 are no sum of any two", async () => {
      const most = 2n ** 254n;
      const market = await openMarket();
      const request = await asked(market, { query: { operation: Operation.Regression } });
      const leaves = await Promise.all(
        [0, 1].map((k) =>
          attestedLeaf(market, request, ownerOf(market, k), market.keys[k] ?? raise(), {
            partial: packed([1n, 0n, 0n, 0n, 0n, most]),
            count: 1n,
          }),
        ),
      );
      const sorted = leaves.sort((a, b) => (a.owner.toLowerCase() < b.owner.toLowerCase() ? -1 : 1));
      const [left, right] = sorted.map((leaf) => builtLeaf(request.query, leaf));
      if (!left || !right) raise();
      const root = builtOver(request.query, left, right);
      await pastAnchoring(market, request);
      await proposeRoot(market, request, root.node, root.partial);
      const bytes = [toHex(left.partial), toHex(right.partial)] as const;
      const place = { path: 0n, steps: [] };
      const { Analytics } = market.addresses;
      const call = market.court.challengeNode(Analytics, request, place, root.node, left.node, right.node, ...bytes);
      await expect(call).to.emit(market.court, "ChallengeUpheld");
    });
  });

  describe("finalise", () => {
    it("is anyone's once the window is over, and pays proposer and sink", async () => {
      for (const [settlement, sink] of [
        [Settlement.Direct, "ResultClaims"],
        [Settlement.Rolled, "PayoutRoller"],
        [Settlement.Pushed, "PayoutLists"],
      ] as const) {
        const { market, request } = await withProposal({ terms: { settlement } });
        const { analytics, itc, addresses, networkHelpers } = market;
        const { challengeEnd } = await analytics.proposalOf(request);
        await networkHelpers.time.setNextBlockTimestamp(challengeEnd);
        await expect(analytics.finalise(request))
          .to.be.revertedWithCustomError(analytics, "AnalyticsTooEarly")
          .withArgs(idOf(market, request), challengeEnd + 1n);
        await networkHelpers.time.setNextBlockTimestamp(challengeEnd + 1n);
        const { bond, fee, reward } = request.terms;
        const call = analytics.finalise(request);
        await gains({ market }, call, [bond + fee, 0n, 0n]);
        await expect(call).to.emit(analytics, "ResultFinalised");
        expect(await itc.balanceOf(addresses[sink])).to.equal(reward);
        expect(await itc.balanceOf(addresses.Analytics)).to.equal(0n);
        expect((await analytics.statusOf(request)).status).to.equal(FINAL);
        expect((await analytics.resultOf(idOf(market, request))).isFinal).to.equal(true);
        expect((await analytics.proposalOf(request)).root).to.equal(`0x${"00".repeat(32)}`);
        await expect(analytics.finalise(request)).to.be.revertedWithCustomError(analytics, "AnalyticsWrongStatus");
      }
    });

    it("waits twice the answer time longer for a result that was questioned", async () => {
      const stage = await withProposal();
      const { market, request, tree } = stage;
      const { proposedAt } = await market.analytics.proposalOf(request);
      await demand(stage, 0);
      await show(market, request, showing(tree, 0));
      await market.networkHelpers.time.setNextBlockTimestamp(proposedAt + HOUR + 2n * ANSWER);
      await expect(market.analytics.finalise(request)).to.be.revertedWithCustomError(
        market.analytics,
        "AnalyticsTooEarly",
      );
      await market.networkHelpers.time.setNextBlockTimestamp(proposedAt + HOUR + 2n * ANSWER + 1n);
      await market.analytics.finalise(request);
    });
  });

  it("slash, dismiss, hold and release are for courts", async () => {
    const { market, request } = await withProposal();
    const { analytics, company } = market;
    const as = analytics.connect(company);
    const calls = [
      () => as.slash(request, company.address),
      () => as.dismiss(request, company.address),
      () => as.hold(request),
      () => as.release(request),
    ];
    for (const call of calls) {
      await expect(call()).to.be.revertedWithCustomError(analytics, "AnalyticsNotCourt").withArgs(company.address);
    }
  });

  it("partialDigest is the EIP-712 digest that ethers has", async () => {
    const { market, request, leaves } = await withReadings();
    const { Analytics } = market.addresses;
    const domain = { name: "Analytics", version: "1", chainId: market.chainId, verifyingContract: Analytics };
    const fields = ["address device", "bytes32 request", "address owner", "uint64 count", "uint64 spent"];
    const types = {
      Partial: [...fields, "bytes32 aggregate"].map((field) => {
        const [type = "", name = ""] = field.split(" ");
        return { type, name };
      }),
    };
    const leaf: ResultLeaf = { ...(leaves[0] ?? raise()), spent: 77n };
    const words = leafWords(leaf);
    const digest = TypedDataEncoder.hash(domain, types, { ...words, request: idOf(market, request) });
    expect(await market.analytics.partialDigest(idOf(market, request), words)).to.equal(digest);
  });
});

/** A number as int128. */
function half(value: bigint): number[] {
  const hex = BigInt.asUintN(128, value).toString(16).padStart(32, "0");
  return hex.match(/../g)?.map((byte) => Number.parseInt(byte, 16)) ?? [];
}
