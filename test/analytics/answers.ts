import { expect } from "chai";
import { ZeroHash } from "ethers";
import * as snarkjs from "snarkjs";
import { developmentKey } from "../../scripts/zk-circuits.js";
import { Operation } from "../../toolkit/analytics/query.js";
import { leafWords } from "../../toolkit/analytics/result-tree.js";
import { proveHistogram, proveSum } from "../../toolkit/analytics/zk-prove.js";
import { type ProvableQuery, sumStatement } from "../../toolkit/analytics/zk-statements.js";
import { type CommittedValues, commitValues, secretsOf } from "../../toolkit/anchoring/zk-values.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { committedBatch } from "./committed.js";
import {
  asked,
  idOf,
  type Kept,
  openMarket,
  ownerOf,
  propose,
  provedLeaf,
  raise,
  readingsOf,
  treeOf,
} from "./market.js";
import { openedOf, placed, type QuestionStage, question, withProposal } from "./questions.js";

const NOTHING = { count: 0, start: 0, last: 0, aggregate: "0x", ranges: "0x" };

/** What the next part goes on from: the latest `PartialLaid`. */
async function laid({ market }: Pick<QuestionStage, "market">) {
  const events = await market.desk.queryFilter(market.desk.filters.PartialLaid());
  const { count, start, last, aggregate, ranges } = events.at(-1)?.args.opening ?? raise();
  return { count, start, last, aggregate, ranges };
}

function lay(stage: QuestionStage, k: number, before: object, readings: readonly object[], by = stage.market.operator) {
  const { market, request } = stage;
  return market.desk
    .connect(by)
    .layReadings(market.addresses.Analytics, request, placed(stage, k).words, before as never, readings as never);
}

/** A histogram's words where there are bins, else the sum. */
async function provedOf(of: CommittedValues, query: ProvableQuery, size: number) {
  if (size > 0) {
    const { counts, proof } = await proveHistogram(of, { ...query, size }, await developmentKey("histogram-64"));
    return { words: counts, proof };
  }
  const { sum, proof } = await proveSum(of, query, await developmentKey("sum-64"));
  return { words: [BigInt.asUintN(256, sum)], proof };
}

/** Proves a batch's sum as if its first reading had another number. Whoever knows values and salt can do so: no circuit looks into `head`. */
async function provedAs(firstSequence: bigint, of: CommittedValues, query: ProvableQuery) {
  const { commitment } = sumStatement(of, query).statement;
  const { head } = secretsOf(of);
  const { fullProve } = snarkjs.groth16;
  const forging = {
    fullProve: (input: object, ...rest: unknown[]) =>
      fullProve.apply(undefined, [{ ...input, commitment, head }, ...rest] as never),
  };
  const key = await developmentKey("sum-64");
  return toHex((await proveSum({ ...of, firstSequence }, query, key, async () => ({ groth16: forging }))).proof);
}

/** Readings, and the same once more under the numbers that follow. */
function twice(kept: readonly Kept[]): Kept[] {
  const more = BigInt(kept.length);
  return [
    ...kept,
    ...kept.map((one) => ({ ...one, reading: { ...one.reading, sequence: one.reading.sequence + more } })),
  ];
}

/** A proposal whose first device has eight readings in its own log, and a question about them; it counts what `told` makes of them. */
async function withCommitted(
  operation: Operation = Operation.Mean,
  size = 0,
  told: (kept: readonly Kept[]) => readonly Kept[] = (kept) => kept,
) {
  const market = await openMarket();
  const request = await asked(market, { query: { operation, size } });
  const kept = market.keys
    .slice(0, 6)
    .map((key, k) => readingsOf(market, request, key, k === 0 ? [5n, -7n, 9n, 0n, 11n, -3n, 8n, 1n] : [1n]));
  const own = await committedBatch(market, 0, kept[0] ?? raise());
  const leaves = kept.map((readings, k) =>
    provedLeaf(request, ownerOf(market, k), k === 0 ? told(readings) : readings),
  );
  const tree = treeOf(request, leaves);
  await propose(market, request, tree);
  const index = tree.indexOf(ownerOf(market, 0), market.keys[0]?.id ?? "") ?? raise();
  const words = leafWords(leaves[0] ?? raise());
  const desk = market.desk.connect(market.watcher);
  await desk.question(market.addresses.Analytics, request, words, tree.place(index));
  const { lower, upper } = request.query;
  const query = { request: fromHex(idOf(market, request)), lower, upper };
  const { words: partial, proof } = await provedOf(own.committed, query, size);
  const { header } = own.batch;
  const proved = {
    index: own.index,
    entryTime: own.entryTime,
    root: toHex(header.root),
    count: header.count,
    first: header.first,
    last: header.last,
    values: toHex(commitValues(own.committed)),
    logSiblings: [] as string[],
    firstSequence: own.committed.firstSequence,
    words: partial,
    proof: toHex(proof),
  };
  const answer = (changes = {}, of = words, before: object = NOTHING) =>
    market.desk.layProof(market.addresses.Analytics, request, of, before as never, { ...proved, ...changes });
  return { market, request, leaves, tree, query, own, proved, answer };
}

describe("Answers in several transactions", function () {
  this.timeout(240_000);

  it("layReadings answers with the part that completes the leaf, and not before", async () => {
    const stage = await withProposal();
    await question(stage, 1);
    const [a, b, c] = openedOf(stage, 1);
    await expect(lay(stage, 1, NOTHING, [a ?? raise()])).to.emit(stage.market.desk, "PartialLaid");
    await expect(lay(stage, 1, await laid(stage), [b ?? raise()])).to.emit(stage.market.desk, "PartialLaid");
    const before = await stage.market.itc.balanceOf(stage.market.proposer.address);
    await expect(lay(stage, 1, await laid(stage), [c ?? raise()])).to.emit(stage.market.desk, "QuestionSettled");
    const deposit = await stage.market.desk.deposit();
    expect(await stage.market.itc.balanceOf(stage.market.proposer.address)).to.equal(before + deposit);
  });

  it("layReadings goes on only from what the same sender laid open", async () => {
    const stage = await withProposal();
    await question(stage, 1);
    const [a, b] = openedOf(stage, 1);
    await lay(stage, 1, NOTHING, [a ?? raise()]);
    const before = await laid(stage);
    for (const call of [
      lay(stage, 1, before, [b ?? raise()], stage.market.watcher),
      lay(stage, 1, { ...before, aggregate: `0x${"11".repeat(64)}` }, [b ?? raise()]),
    ]) {
      await expect(call).to.be.revertedWithCustomError(stage.market.desk, "CourtWrongEvidence");
    }
  });

  it("layReadings refuses readings that are laid twice, or don't follow", async () => {
    const stage = await withProposal();
    const [a, b] = openedOf(stage, 1);
    await expect(lay(stage, 1, NOTHING, [a ?? raise()])).to.be.revertedWithCustomError(
      stage.market.desk,
      "QuestionDeskNotAsked",
    );
    await question(stage, 1);
    await lay(stage, 1, NOTHING, [a ?? raise(), b ?? raise()]);
    for (const again of [a, b]) {
      const call = lay(stage, 1, await laid(stage), [again ?? raise()]);
      await expect(call).to.be.revertedWithCustomError(stage.market.desk, "CourtWrongEvidence");
    }
  });

  describe("layProof", () => {
    it("answers for a batch of the device's own log, with none of its readings shown", async () => {
      for (const operation of [Operation.Count, Operation.Sum, Operation.Mean]) {
        const { market, answer } = await withCommitted(operation);
        await expect(answer()).to.emit(market.desk, "QuestionSettled");
        expect((await market.desk.queryFilter(market.desk.filters.PartialLaid())).length).to.equal(0);
      }
    });

    it("answers with a histogram of more bins than a word holds, and with no other", async () => {
      const { market, proved, answer } = await withCommitted(Operation.Histogram, 33);
      expect(proved.words.length).to.equal(3);
      const [first = 0n, second = 0n, third = 0n] = proved.words;
      const wrong = [
        [first, second],
        [first, second, third, 0n],
        [second, first, third],
        [first + 1n, second - 1n, third],
      ];
      for (const words of wrong) {
        await expect(answer({ words: words.map((word) => BigInt.asUintN(256, word)) })).to.be.revertedWithCustomError(
          market.desk,
          "CourtWrongEvidence",
        );
      }
      await expect(answer()).to.emit(market.desk, "QuestionSettled");
    });

    it("refuses proofs of other sums, batches, devices and requests, and batches beyond the window", async () => {
      const { market, request, leaves, proved, answer } = await withCommitted();
      const other = leafWords(leaves[1] ?? raise());
      for (const call of [
        answer({ words: [(proved.words[0] ?? 0n) + 1n] }),
        answer({ words: [] }),
        answer({ words: [2n ** 256n - 1n] }),
        answer({ proof: `0x${"00".repeat(256)}` }),
        answer({ proof: proved.proof.slice(0, -2) }),
        answer({ values: ZeroHash }),
        answer({ index: 1n }),
        answer({ firstSequence: 2n }),
        answer({ count: 7n }),
        answer({ first: request.query.from - 1n }),
        answer({ last: request.query.to }),
        answer({ entryTime: request.query.anchoredBy + 1n }),
      ]) {
        await expect(call).to.be.revertedWithCustomError(market.desk, "CourtWrongEvidence");
      }
      await expect(answer({}, other)).to.be.revertedWithCustomError(market.desk, "QuestionDeskNotAsked");
      await expect(answer()).to.emit(market.desk, "QuestionSettled");
    });

    it("counts a batch once, under the numbers that its readings have", async () => {
      const stage = await withCommitted(Operation.Mean, 0, twice);
      const { market, query, own, answer } = stage;
      await expect(answer()).to.emit(market.desk, "PartialLaid");
      const firstSequence = own.committed.firstSequence + 8n;
      const proof = await provedAs(firstSequence, own.committed, query);
      await expect(answer({ firstSequence, proof }, undefined, await laid(stage))).to.be.revertedWithCustomError(
        market.desk,
        "CourtWrongEvidence",
      );
    });
  });
});
