import { expect } from "chai";
import { id, ZeroAddress, ZeroHash } from "ethers";
import { neutralPartial } from "../../toolkit/analytics/partials.js";
import { Operation } from "../../toolkit/analytics/query.js";
import type { ResultLeaf } from "../../toolkit/analytics/result-tree.js";
import { fromHex } from "../../toolkit/internal/bytes.js";
import {
  ANSWER,
  anchored,
  asked,
  attestedLeaf,
  HOUR,
  ITC,
  opened,
  openMarket,
  ownerOf,
  passWindow,
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
  demand,
  type Opened,
  openedOf,
  passAnswer,
  placed,
  type QuestionStage,
  question,
  settle,
  show,
  showing,
  subjectOf,
  unsigned,
  withProposal,
} from "./questions.js";

const DEPOSIT = 10n * ITC;

/** What the deposits and the bond are worth to the two. */
async function purses({ market }: Pick<QuestionStage, "market">) {
  const balances = [market.proposer, market.watcher, market.company].map(({ address }) =>
    market.itc.balanceOf(address),
  );
  const [proposer = 0n, watcher = 0n, company = 0n] = await Promise.all(balances);
  return { proposer, watcher, company };
}

describe("QuestionDesk", () => {
  describe("demand, show", () => {
    it("demand takes the deposit, and makes the window longer by twice the answer time, once", async () => {
      const stage = await withProposal();
      const { market, request } = stage;
      const { proposedAt, challengeEnd, stamp, id: request_ } = await market.analytics.proposalOf(request);
      expect(challengeEnd).to.equal(proposedAt + HOUR);
      const [before, desk] = [await purses(stage), market.addresses.QuestionDesk];
      for (const [index, count] of [
        [0, 1n],
        [5, 2n],
      ] as const) {
        const call = await demand(stage, index);
        const due = BigInt(await market.networkHelpers.time.latest()) + ANSWER;
        await expect(call)
          .to.emit(market.desk, "LeafDemanded")
          .withArgs(market.addresses.Analytics, request_, stamp, index, due);
        const question = await market.desk.questionIdOf(market.addresses.Analytics, stamp, subjectOf(index));
        expect(await market.desk.questionOf(question)).to.deep.equal([market.watcher.address, due, ZeroAddress]);
        expect((await market.analytics.proposalOf(request)).challengeEnd).to.equal(proposedAt + HOUR + 2n * ANSWER);
        expect(await market.itc.balanceOf(desk)).to.equal(count * DEPOSIT);
      }
      expect((await purses(stage)).watcher).to.equal(before.watcher - 2n * (await market.desk.deposit()));
    });

    const shapes = [
      { operation: Operation.Mean },
      { operation: Operation.MinMax },
      { operation: Operation.Histogram, size: 7 },
      { operation: Operation.Regression },
      { operation: Operation.Distinct, size: 10, lower: 0n, upper: 0n },
      { operation: Operation.Membership, size: 8, hashes: 3, lower: 0n, upper: 0n },
    ];
    for (const query of shapes) {
      it(`each leaf can be shown, of operation ${query.operation}, and the proposer earns the deposit`, async () => {
        const stage = await withProposal({ query });
        const { market, request, tree } = stage;
        for (const index of tree.leaves.keys()) {
          const before = await purses(stage);
          await demand(stage, index);
          await expect(show(market, request, showing(tree, index)))
            .to.emit(market.desk, "QuestionSettled")
            .withArgs((question: unknown) => typeof question === "string", true);
          expect((await purses(stage)).proposer).to.equal(before.proposer + DEPOSIT);
        }
        expect(await market.itc.balanceOf(market.addresses.QuestionDesk)).to.equal(0n);
      });
    }

    it("show takes withheld and attested leaves", async () => {
      const market = await openMarket();
      const request = await asked(market);
      const partial = neutralPartial(request.query);
      const key = market.keys[1] ?? raise();
      const leaves = [
        withheldLeaf(request, ownerOf(market, 0), market.keys[0] ?? raise()),
        await attestedLeaf(market, request, ownerOf(market, 1), key, { partial, count: 3n }),
        provedLeaf(request, ownerOf(market, 2), readingsOf(market, request, market.keys[2] ?? raise(), [5n])),
      ];
      const tree = treeOf(request, leaves);
      await propose(market, request, tree);
      for (const index of [0, 1, 2]) {
        await demand({ market, request, tree }, index);
        await show(market, request, showing(tree, index));
      }
    });

    it("show refuses another leaf, other bytes, other evidence and another way up", async () => {
      const stage = await withProposal();
      const { market, request, tree } = stage;
      await demand(stage, 2);
      const right = showing(tree, 2);
      const other = showing(tree, 3);
      const [sibling, ...siblings] = right.siblings;
      const [bytes = "0x", ...aggregates] = right.aggregates;
      if (!sibling) raise();
      const swollen = { ...sibling, summary: { ...sibling.summary, leaves: 2n } };
      for (const wrong of [{ aggregate: other.aggregate }, { first: "0x00" }, { second: "0x00" }]) {
        const call = show(market, request, { ...right, ...wrong });
        await expect(call).to.be.revertedWithCustomError(market.desk, "CourtWrongEvidence");
      }
      for (const wrong of [
        { ...other, index: 2 },
        { path: right.path ^ 1n },
        { path: right.path | (1n << 200n) },
        { siblings: [swollen, ...siblings] },
        { siblings: [{ ...sibling, below: ZeroHash }, ...siblings] },
        { siblings, aggregates },
        { aggregates },
        { aggregates: [`${bytes}00`, ...aggregates] },
        { aggregates: [other.aggregate.replace(/.$/, "f"), ...aggregates] },
      ]) {
        const call = show(market, request, { ...right, ...wrong });
        await expect(call).to.be.revertedWithCustomError(market.desk, "CourtNotInResult");
      }
      await expect(show(market, request, other)).to.be.revertedWithCustomError(market.desk, "QuestionDeskNotAsked");
      await show(market, request, right);
      await expect(show(market, request, right)).to.be.revertedWithCustomError(market.desk, "QuestionDeskNotAsked");
    });

    it("demand refuses a leaf beyond the last, another root, a second time, a late hour and what isn't proposed", async () => {
      const stage = await withProposal();
      const { market, request, tree } = stage;
      const { id: requestId, challengeEnd } = await market.analytics.proposalOf(request);
      await expect(demand(stage, 6))
        .to.be.revertedWithCustomError(market.desk, "QuestionDeskNoLeaf")
        .withArgs(requestId, 6n);
      const more = { ...tree.root, summary: { ...tree.root.summary, leaves: 7n } };
      const call = market.desk.connect(market.watcher).demand(market.addresses.Analytics, request, more, 6);
      await expect(call).to.be.revertedWithCustomError(market.desk, "CourtNotInResult");
      await demand(stage, 1);
      await expect(demand(stage, 1)).to.be.revertedWithCustomError(market.desk, "QuestionDeskAsked");
      await market.networkHelpers.time.setNextBlockTimestamp(challengeEnd);
      await demand(stage, 2);
      // The window is longer now, for challenges alone.
      await expect(demand(stage, 3))
        .to.be.revertedWithCustomError(market.analytics, "AnalyticsTooLate")
        .withArgs(requestId, challengeEnd);
      await passWindow(market, 2n * ANSWER);
      await expect(demand(stage, 3)).to.be.revertedWithCustomError(market.desk, "CourtWindowOver");
      const next = await asked(market, { salt: id("next") });
      await expect(demand({ ...stage, request: next }, 0)).to.be.revertedWithCustomError(
        market.desk,
        "CourtWindowOver",
      );
    });
  });

  describe("question, answerWithReadings", () => {
    it("readings answer, by ascending number, whoever sends them, and the proposer earns the deposit", async () => {
      const stage = await withProposal();
      const { market, request } = stage;
      const before = await purses(stage);
      for (const k of [0, 3, 5]) {
        const { stamp, id: requestId } = await market.analytics.proposalOf(request);
        const { leaf, subject } = placed(stage, k);
        const call = await question(stage, k);
        const due = BigInt(await market.networkHelpers.time.latest()) + ANSWER;
        await expect(call)
          .to.emit(market.desk, "PartialQuestioned")
          .withArgs(market.addresses.Analytics, requestId, stamp, leaf.device, subject, due);
        await answer(stage, k, openedOf(stage, k));
      }
      expect((await purses(stage)).proposer).to.equal(before.proposer + 3n * DEPOSIT);
      expect((await purses(stage)).watcher).to.equal(before.watcher - 3n * DEPOSIT);
    });

    it("a reading in the device's own log needs no signature, one in another's does", async () => {
      const market = await openMarket();
      const request = await asked(market);
      const kept = [0, 1].map((k) => readingsOf(market, request, market.keys[k] ?? raise(), [4n, 5n]));
      const own = await anchoredByDevice(market, 0, kept[0] ?? raise());
      const others = await anchored(market, kept[1] ?? raise());
      const leaves = kept.map((readings, k) => provedLeaf(request, ownerOf(market, k), readings));
      const stage = { market, request, kept, batch: own, leaves, tree: treeOf(request, leaves) };
      await propose(market, request, stage.tree);
      await question(stage, 0);
      await question(stage, 1);
      const two = (batch: typeof own) => [opened(market, batch, 0), opened(market, batch, 1)];
      await answer(stage, 0, two(own).map(unsigned));
      const wrong = answer(stage, 1, two(others).map(unsigned));
      await expect(wrong).to.be.revertedWithCustomError(market.desk, "CourtWrongEvidence");
      await answer(stage, 1, two(others));
    });

    it("refuses values, salts, numbers and orders that aren't the leaf's", async () => {
      const stage = await withProposal();
      const { market } = stage;
      await question(stage, 4);
      const [a = raise(), b = raise(), c = raise()] = openedOf(stage, 4);
      const [other = raise()] = openedOf(stage, 3);
      const lists: Opened[][] = [
        [],
        [a, b],
        [b, c],
        [a, c],
        [a, b, c, c],
        [a, a, b],
        [b, a, c],
        [a, b, other],
        [a, b, { ...c, value: c.value + 1n }],
        [a, b, { ...c, salt: id("salt") }],
        [a, b, { ...c, fields: { ...c.fields, sequence: 4n } }],
        [a, b, { ...c, signature: b.signature }],
        [a, b, { ...c, place: b.place }],
      ];
      for (const readings of lists) {
        const call = answer(stage, 4, readings);
        await expect(call).to.be.revertedWithCustomError(market.desk, "CourtWrongEvidence");
      }
      await answer(stage, 4, [a, b, c]);
      const again = answer(stage, 4, [a, b, c]);
      await expect(again).to.be.revertedWithCustomError(market.desk, "QuestionDeskNotAsked");
    });

    it("refuses readings outside the window, of another schema, or anchored too late", async () => {
      const market = await openMarket();
      const request = await asked(market);
      const shifted = (by: bigint) => ({ ...request, query: { ...request.query, from: request.query.from + by } });
      const key = market.keys[0] ?? raise();
      const early = readingsOf(market, shifted(-2n), key, [1n]);
      const late = readingsOf(market, shifted(HOUR - 2n), key, [1n], 2n);
      const foreign = { ...request, query: { ...request.query, schema: fromHex(id("other")) } };
      const other = readingsOf(market, foreign, key, [1n], 3n);
      const right = readingsOf(market, request, key, [1n], 4n);
      const first = await anchored(market, [...early, ...late, ...other, ...right]);
      expect(late[0]?.reading.time).to.equal(request.query.to);
      await market.networkHelpers.time.increaseTo(request.query.anchoredBy);
      const tardy = readingsOf(market, request, key, [1n], 5n);
      const kept = [...early, ...late, ...other, ...tardy, ...right].map((one) => [one]);
      const filler = market.keys
        .slice(1, 3)
        .map((one, k) => provedLeaf(request, ownerOf(market, k + 1), readingsOf(market, request, one, [1n])));
      const second = await anchored({ ...market, gateway: market.operator }, tardy);
      expect(second.entryTime).to.equal(request.query.anchoredBy + 1n);
      const openings = [0, 1, 2].map((k) => opened(market, first, k));
      openings.push(opened(market, second, 0), opened(market, first, 3));
      for (const [k, readings] of kept.entries()) {
        const leaves = [provedLeaf(request, ownerOf(market, 0), readings), ...filler];
        const stage = { market, request, kept, batch: first, leaves, tree: treeOf(request, leaves) };
        await propose(market, request, stage.tree);
        await question(stage, 0);
        const call = answer(stage, 0, [openings[k] ?? raise()]);
        if (k === 4) return void (await call);
        await expect(call).to.be.revertedWithCustomError(market.desk, "CourtWrongEvidence");
        await passAnswer(market);
        await settle(stage, placed(stage, 0).subject);
      }
    });

    it("question refuses leaves that aren't proved or aren't there, and a second time", async () => {
      const market = await openMarket();
      const request = await asked(market);
      const partial = neutralPartial(request.query);
      const leaves: ResultLeaf[] = [
        withheldLeaf(request, ownerOf(market, 0), market.keys[0] ?? raise()),
        await attestedLeaf(market, request, ownerOf(market, 1), market.keys[1] ?? raise(), { partial, count: 3n }),
        provedLeaf(request, ownerOf(market, 2), readingsOf(market, request, market.keys[2] ?? raise(), [5n])),
      ];
      const stage = { market, request, leaves, tree: treeOf(request, leaves) } as unknown as QuestionStage;
      await propose(market, request, stage.tree);
      for (const k of [0, 1]) {
        await expect(question(stage, k)).to.be.revertedWithCustomError(market.desk, "CourtNothingWrong");
      }
      const { words, place } = placed(stage, 2);
      const absent = market.desk.question(market.addresses.Analytics, request, { ...words, count: 2n }, place);
      await expect(absent).to.be.revertedWithCustomError(market.desk, "CourtNotInResult");
      await question(stage, 2);
      await expect(question(stage, 2)).to.be.revertedWithCustomError(market.desk, "QuestionDeskAsked");
    });
  });
});
