import { expect } from "chai";
import { developmentKey } from "../../scripts/zk-circuits.js";
import { Answerer, type AnswerOptions, type OpenReading } from "../../toolkit/analytics/answer.js";
import { Operation } from "../../toolkit/analytics/query.js";
import { proveBatch } from "../../toolkit/analytics/zk-answer.js";
import { committedBatch } from "./committed.js";
import {
  anchored,
  asked,
  opened,
  openMarket,
  ownerOf,
  propose,
  provedLeaf,
  raise,
  readingsOf,
  treeOf,
} from "./market.js";
import { openedOf, placed, type QuestionStage, question, withProposal } from "./questions.js";
import { answererOf, brief } from "./watched.js";

/** An answerer with the readings of the k-th device alone. */
function answererWith(stage: QuestionStage, readings: readonly OpenReading[], changes: Partial<AnswerOptions> = {}) {
  return answererOf(stage, stage.tree, { readingsOf: async () => [...readings], ...changes });
}

const partsOf = async ({ market }: Pick<QuestionStage, "market">) =>
  (await market.desk.queryFilter(market.desk.filters.PartialLaid())).length;

async function answered({ market }: Pick<QuestionStage, "market">): Promise<boolean[]> {
  const events = await market.desk.queryFilter(market.desk.filters.QuestionSettled());
  return events.map(({ args }) => args.answered);
}

describe("A proposer's answers to questions about partials", function () {
  this.timeout(240_000);

  it("answers in one transaction where the readings fit", async () => {
    const stage = await withProposal();
    await question(stage, 1);
    const said = brief(await answererWith(stage, openedOf(stage, 1)).round());
    expect(said.join()).to.match(/^sent answerWithReadings 0x[0-9a-f]{40}$/i);
    expect([await answered(stage), await partsOf(stage)]).to.deep.equal([[true], 0]);
  });

  it("answers in parts where they don't, by their number or by their calldata", async () => {
    for (const [limit, parts] of [
      [{ mostReadings: 1 }, 2],
      [{ mostReadings: 2 }, 1],
      [{ mostCalldata: 3_900 }, 1],
      [{ mostCalldata: 1 }, 2],
    ] as const) {
      const stage = await withProposal();
      await question(stage, 1);
      const said = brief(await answererWith(stage, openedOf(stage, 1), limit).round());
      expect(said.every((line) => line.startsWith("sent layReadings"))).to.equal(true);
      expect([await answered(stage), await partsOf(stage)], JSON.stringify(limit)).to.deep.equal([[true], parts]);
    }
  });

  it("goes on where the same sender has stopped, and begins anew for another", async () => {
    for (const isSame of [true, false]) {
      const stage = await withProposal();
      const { market, request } = stage;
      await question(stage, 1);
      const [first = raise()] = openedOf(stage, 1);
      const nothing = { count: 0, start: 0, last: 0, aggregate: "0x", ranges: "0x" };
      const by = isSame ? market.proposer : market.company;
      await market.desk
        .connect(by)
        .layReadings(market.addresses.Analytics, request, placed(stage, 1).words, nothing, [first]);
      const answerer = answererWith(stage, openedOf(stage, 1), { mostReadings: 2 });
      expect(await answerer.round()).to.have.length(isSame ? 1 : 2);
      expect(await answered(stage)).to.deep.equal([true]);
    }
  });

  it("answers a question that is put again", async () => {
    const stage = await withProposal();
    const answerer = answererWith(stage, openedOf(stage, 1));
    for (const round of [1, 2, 3]) {
      await question(stage, 1);
      expect((await answerer.round()).map(({ what }) => what)).to.deep.equal(["sent"]);
      expect(await answered(stage)).to.have.length(round);
      expect(await answerer.round()).to.deep.equal([]);
    }
  });

  it("lays nothing open where a reading is missing", async () => {
    const stage = await withProposal();
    await question(stage, 1);
    for (const k of [0, 1, 2]) {
      const some = openedOf(stage, 1).filter((_, index) => index !== k);
      const said = brief(await answererWith(stage, some, { mostReadings: 1 }).round());
      expect(said.join()).to.match(/^unseen There is nothing to answer with: the readings of 0x/);
    }
    expect([await answered(stage), await partsOf(stage)]).to.deep.equal([[], 0]);
  });

  /** A proposal whose first device has eight readings with committed values in its own log, and three in the gateway's. */
  async function withBoth(operation: Operation = Operation.Mean) {
    const market = await openMarket();
    const request = await asked(market, { query: { operation } });
    const key = market.keys[0] ?? raise();
    const committed = readingsOf(market, request, key, [5n, -7n, 9n, 0n, 11n, -3n, 8n, 1n]);
    const own = await committedBatch(market, 0, committed);
    const more = readingsOf(market, request, key, [4n, 4n, 4n], 20n);
    const others = market.keys.slice(1, 6).map((other) => readingsOf(market, request, other, [1n]));
    const batch = await anchored(market, [...more, ...others.flat()]);
    const kept = [[...committed, ...more], ...others];
    const leaves = kept.map((readings, k) => provedLeaf(request, ownerOf(market, k), readings));
    const tree = treeOf(request, leaves);
    await propose(market, request, tree);
    const stage: QuestionStage = { market, request, kept, batch, leaves, tree };
    await question(stage, 0);
    const values = { ...own, time: own.entryTime, header: own.batch.header };
    const proofsOf = async (id: string) => [await proveBatch(values, { id, query: request.query }, [], developmentKey)];
    const open = async (_: string, device: string) =>
      device === key.id ? more.map((_, k) => opened(market, batch, k)) : undefined;
    return { stage, proofsOf, open };
  }

  it("proves what a batch of the device's own log comes to, and lays open the rest", async () => {
    for (const operation of [Operation.Mean, Operation.Count]) {
      const { stage, proofsOf, open } = await withBoth(operation);
      const said = brief(await answererOf(stage, stage.tree, { proofsOf, readingsOf: open }).round());
      expect(said.map((line) => line.split(" 0x")[0])).to.deep.equal(["sent layProof", "sent layReadings"]);
      expect(await answered(stage)).to.deep.equal([true]);
    }
    const { stage, proofsOf } = await withBoth(Operation.MinMax);
    expect(brief(await answererOf(stage, stage.tree, { proofsOf }).round()).join()).to.match(
      /^trouble ITC_ZK_OPERATION.*,unseen/,
    );
  });

  it("lays readings open where proving fails", async () => {
    const stage = await withProposal();
    await question(stage, 1);
    const proofsOf = () => Promise.reject(new Error("no prover"));
    const said = brief(await answererWith(stage, openedOf(stage, 1), { proofsOf }).round());
    expect(said[0]).to.equal("trouble no prover");
    expect([said.length, await answered(stage)]).to.deep.equal([2, [true]]);
  });

  it("reports the first part without a key", async () => {
    const stage = await withProposal();
    const { market } = stage;
    await question(stage, 1);
    const silent = new Answerer({
      provider: market.ethers.provider,
      addresses: market.addresses,
      proposer: market.proposer.address,
      treeOf: async () => stage.tree,
      readingsOf: async () => openedOf(stage, 1),
      mostReadings: 1,
    });
    const block = await market.ethers.provider.getBlockNumber();
    expect(brief(await silent.round()).join()).to.match(/^reported layReadings 0x[0-9a-f]{40}$/i);
    expect(await market.ethers.provider.getBlockNumber()).to.equal(block);
  });
});
