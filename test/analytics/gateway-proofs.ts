import { expect } from "chai";
import { developmentKey } from "../../scripts/zk-circuits.js";
import { Operation } from "../../toolkit/analytics/query.js";
import { leafWords } from "../../toolkit/analytics/result-tree.js";
import { type ProvedBatch, proveBatch } from "../../toolkit/analytics/zk-answer.js";
import { NO_VALUES } from "../../toolkit/anchoring/batches.js";
import { openingOf, stateBatch } from "../../toolkit/anchoring/committed-batch.js";
import { EntryDigests } from "../../toolkit/anchoring/entries.js";
import { Gateway } from "../../toolkit/anchoring/gateway.js";
import type { ProvableBatch } from "../../toolkit/anchoring/gateway-committing.js";
import { readLog } from "../../toolkit/anchoring/log-reader.js";
import { ZkError } from "../../toolkit/anchoring/zk-values.js";
import { Groth16Verifier__factory } from "../../toolkit/contracts.js";
import { deviceKey } from "../../toolkit/identity/keys.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import {
  asked,
  idOf,
  type Kept,
  type Market,
  openMarket,
  ownerOf,
  propose,
  provedLeaf,
  raise,
  readingsOf,
  treeOf,
} from "./market.js";

const VALUES = Array.from({ length: 20 }, (_, k) => BigInt(((k * 37) % 40) - 20));
const NOTHING = { count: 0, start: 0, last: 0, aggregate: "0x", ranges: "0x" };

async function gatewayOf(market: Market): Promise<Gateway> {
  const [publisher, relayer] = ["publisher", "relayer"].map((name) =>
    deviceKey("secp256k1", fromHex(secretOf(3, name))),
  );
  for (const key of [publisher, relayer]) {
    await market.operator.sendTransaction({ to: key?.id ?? raise(), value: 10n ** 18n });
  }
  const { DeviceRegistry: registry, DataAnchor: anchor } = market.addresses;
  return await Gateway.open({
    ...{
      file: ":memory:",
      publisher: publisher ?? raise(),
      node: market.provider,
      chainId: market.chainId,
      registry,
      anchor,
    },
    fees: { ceiling: 10n ** 12n },
    confirmations: 0n,
    intake: { behind: 1n << 40n, ahead: 1n << 40n },
    commit: {
      secret: fromHex(secretOf(3, "salts")),
      relayer: relayer ?? raise(),
      verifiers: market.addresses,
      readings: 64,
    },
  });
}

/** Brings a device's readings into its own log by way of the gateway, in batches of the counts. */
async function brought(
  market: Market,
  gateway: Gateway,
  kept: readonly Kept[],
  counts: readonly number[],
): Promise<ProvableBatch[]> {
  const committing = gateway.committing ?? raise();
  const { key } = kept[0] ?? raise();
  const { chainId, digests, addresses } = market;
  const domain = { digests, entries: new EntryDigests({ chainId, anchor: addresses.DataAnchor }) };
  gateway.admit(key, kept[0]?.reading.sequence);
  let sent = 0;
  for (const count of counts) {
    const part = kept.slice(sent, sent + count);
    sent += count;
    for (const { reading, value, salt } of part) gateway.receive(reading, openingOf({ value, salt }));
    const draft = (await committing.draftOf(key.id)) ?? raise();
    committing.receive(
      stateBatch(
        key,
        domain,
        part.map(({ reading, value, salt }) => ({ reading, measurement: { value, salt } })),
        draft,
      ),
    );
  }
  for (let steps = 0; committing.status().relaying > 0n && steps < 20; steps++) await gateway.tick();
  return [...committing.provable(key.id)];
}

/** A question about the mean of a device whose readings came by a gateway, in two batches. */
async function questioned() {
  const market = await openMarket();
  const request = await asked(market, { query: { operation: Operation.Mean } });
  const kept = market.keys.slice(0, 6).map((key, k) => readingsOf(market, request, key, k === 0 ? VALUES : [1n]));
  const gateway = await gatewayOf(market);
  const batches = await brought(market, gateway, kept[0] ?? raise(), [12, 8]);
  await gateway.close();
  const leaves = kept.map((readings, k) => provedLeaf(request, ownerOf(market, k), readings));
  const tree = treeOf(request, leaves);
  await propose(market, request, tree);
  const device = market.keys[0]?.id ?? raise();
  const index = tree.indexOf(ownerOf(market, 0), device) ?? raise();
  const words = leafWords(leaves[0] ?? raise());
  await market.desk.connect(market.watcher).question(market.addresses.Analytics, request, words, tree.place(index));
  const { range } = await readLog(market.ethers.provider, market.addresses.DataAnchor, device);
  const id = idOf(market, request);
  const prove = (batch: ProvableBatch, query = request.query) =>
    proveBatch(batch, { id, query }, range.prove(Number(batch.index)), developmentKey);
  const lay = (before: object, proved: object) =>
    market.desk.layProof(market.addresses.Analytics, request, words, before as never, proved as never);
  return { market, request, id, batches, prove, lay };
}

describe("Proofs from a gateway's batches", function () {
  this.timeout(240_000);
  let stage: Awaited<ReturnType<typeof questioned>>;
  let first: ProvedBatch;

  before(async () => {
    stage = await questioned();
    first = await stage.prove(stage.batches[0] ?? raise());
  });

  it("are made for counts, sums, means and histograms, of values that the header commits to", async () => {
    const { request, batches, prove } = stage;
    const [batch = raise()] = batches;
    const { committed } = batch;
    for (const [query, changed, code] of [
      [{ ...request.query, operation: Operation.MinMax }, batch, "ITC_ZK_OPERATION"],
      [
        request.query,
        { ...batch, committed: { ...committed, values: committed.values.with(3, 19n) } },
        "ITC_ZK_COMMITMENT",
      ],
      [request.query, { ...batch, header: { ...batch.header, values: NO_VALUES } }, "ITC_ZK_COMMITMENT"],
      [{ ...request.query, upper: 0n }, batch, "ITC_ZK_BOUNDS"],
    ] as const) {
      const failure = await prove(changed, query).catch((error: unknown) => error);
      expect(failure).to.be.instanceOf(ZkError).with.property("code", code);
    }
  });

  it("bear out a histogram", async () => {
    const { market, request, id, batches, prove } = stage;
    const query = { ...request.query, operation: Operation.Histogram, size: 4, lower: -20n, upper: 19n };
    const { words, proof, values, firstSequence, count } = await prove(batches[1] ?? raise(), query);
    const [word = raise(), ...others] = words;
    expect(others).to.deep.equal([]);
    const bins = [0n, 16n, 32n, 48n].map((shift) => (word >> shift) & 65535n);
    expect(bins.reduce((total, bin) => total + bin, 0n)).to.equal(count);
    const verifier = Groth16Verifier__factory.connect(await market.desk.verifier(), market.operator);
    const about = { values, device: market.keys[0]?.id ?? raise(), firstSequence, count };
    expect(await verifier.verifyHistogram(about, query.lower, query.upper, id, 4, words, proof)).to.equal(true);
  });

  it("are refused with another commitment, place or root than the log holds", async () => {
    const other = `0x${"11".repeat(32)}`;
    for (const wrong of [{ values: other }, { index: 1n }, { root: other }, { entryTime: first.entryTime + 1n }]) {
      const call = stage.lay(NOTHING, { ...first, ...wrong });
      await expect(call).to.be.revertedWithCustomError(stage.market.desk, "CourtWrongEvidence");
    }
  });

  it("answer a question about a mean, batch by batch, with none of the readings shown", async () => {
    const { market, request, batches, prove, lay } = stage;
    const second = await prove(batches[1] ?? raise());
    await expect(lay(NOTHING, first)).to.emit(market.desk, "PartialLaid");
    const [event] = await market.desk.queryFilter(market.desk.filters.PartialLaid());
    const { count, start, last, aggregate, ranges } = event?.args.opening ?? raise();
    const answer = await lay({ count, start, last, aggregate, ranges }, second);
    await expect(answer).to.emit(market.desk, "QuestionSettled");
    const text = (_: string, value: unknown): unknown => (typeof value === "bigint" ? String(value) : value);
    const shown = JSON.stringify([first, second, answer.data], text);
    for (const { salt, reading } of readingsOf(market, request, market.keys[0] ?? raise(), VALUES)) {
      for (const secret of [salt, reading.content]) expect(shown).not.to.contain(toHex(secret).slice(2));
    }
  });
});
