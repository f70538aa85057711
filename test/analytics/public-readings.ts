import { truncate, writeFile } from "node:fs/promises";
import { expect } from "chai";
import { Wallet } from "ethers";
import type { RequestReadings } from "../../toolkit/analytics/public-readings.js";
import { batchLine, type PublishedBatch } from "../../toolkit/analytics/readings-format.js";
import { Batch } from "../../toolkit/anchoring/batches.js";
import type { IotchainError } from "../../toolkit/errors.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { type Anchored, idOf, type Kept, raise, readingsOf } from "./market.js";
import { Mirror } from "./mirror.js";
import { type WatchStage, withLeaves } from "./watched.js";

describe("Published readings", () => {
  let stage: WatchStage;
  let mirror: Mirror;

  beforeEach(async () => {
    stage = await withLeaves();
    mirror = await Mirror.open(stage.market);
  });

  afterEach(() => mirror.remove());

  const known = (reader = mirror.reader()) => reader.of(idOf(stage.market, stage.request), stage.request);
  const partials = ({ partialOf }: RequestReadings) =>
    stage.leaves.map(({ device }) => {
      const own = partialOf(device);
      return own && [own.count, toHex(own.partial), toHex(own.ranges)];
    });
  const expected = () =>
    stage.leaves.map(({ count, partial, evidence }) => [count, toHex(partial), toHex(evidence[0])]);
  const nothing = () => stage.leaves.map(() => undefined);
  const device = (k: number) => stage.market.keys[k]?.id ?? raise();

  /** More readings of a device, in its own log: as a batch, or the first one as an entry of its own. */
  async function inOwnLog(k: number, isBatch: boolean): Promise<Anchored> {
    const { market, request } = stage;
    const kept = readingsOf(market, request, market.keys[k] ?? raise(), isBatch ? [5n, 6n] : [4n], isBatch ? 10n : 20n);
    const account = new Wallet(secretOf(1, `market-${k}`), market.ethers.provider);
    await market.operator.sendTransaction({ to: account.address, value: 10n ** 18n });
    const readings = kept.map(({ reading }) => reading);
    const batch = new Batch(readings, market.digests);
    const { size } = await market.anchor.headOf(account.address);
    const entry = isBatch ? batch.entry : market.digests.reading(readings[0] ?? raise());
    await market.anchor.connect(account).append(account.address, size, entry);
    const entryTime = BigInt(await market.networkHelpers.time.latest());
    return { batch, publisher: account.address, index: size, entryTime, entries: Number(size) + 1, kept };
  }

  const alone = ({ header: _, ...batch }: PublishedBatch): PublishedBatch => batch;

  it("come to what the devices measured, from a gateway's log and from a device's own, and open as contracts take them", async () => {
    const { market, batch } = stage;
    const own = await inOwnLog(0, true);
    const single = await inOwnLog(0, false);
    await mirror.publish("gateway.ndjson", mirror.batch(batch));
    const reader = mirror.reader();
    expect(partials(await known(reader))).to.deep.equal(expected());
    await mirror.publish("owner.ndjson", mirror.batch(own), alone(mirror.batch(single)));
    const { partialOf, readingsOf: openOf, readingOf } = await known(reader);
    expect(partialOf(device(0))?.count).to.equal(6n);
    const open = await openOf(device(0).toLowerCase());
    expect(open.map(({ fields, value }) => [fields.sequence, value])).to.deep.equal([
      ...[1n, 2n, 3n].map((sequence, k) => [sequence, stage.kept[0]?.[k]?.value]),
      ...[10n, 11n].map((sequence, k) => [sequence, BigInt(5 + k)]),
      [20n, 4n],
    ]);
    for (const { fields, place, signer, signature } of open) {
      const isOwn = place.publisher === device(0);
      expect(signature === "0x").to.equal(isOwn);
      const held = isOwn
        ? market.anchor.verifyReading(fields, place)
        : market.anchor.verifySignedReading(fields, place, signer, signature);
      expect(await held).to.equal(true);
    }
    expect((await readingOf(device(3)))?.fields.device).to.equal(device(3));
    expect(await readingOf(device(7))).to.equal(undefined);
    reader.close();
  });

  it("go on where they stopped, also in another process, and take in what is opened later", async () => {
    const { batch } = stage;
    const of = (...ks: number[]) =>
      mirror.batch(batch, ({ key }: Kept) => ks.includes(stage.market.keys.findIndex(({ id }) => id === key.id)));
    await mirror.publish("a.ndjson", of());
    const first = mirror.reader();
    expect([(await known(first)).counted, partials(await known(first))]).to.deep.equal([0, nothing()]);
    await mirror.publish("b.ndjson", of(0, 1));
    expect([(await known(first)).counted, (await known(first)).counted]).to.deep.equal([6, 6]);
    first.close();
    const second = mirror.reader();
    expect((await known(second)).counted).to.equal(6);
    await mirror.publish("a.ndjson", of(2, 3), of(4, 5));
    const late = await known(second);
    expect([late.counted, partials(late)]).to.deep.equal([18, expected()]);
    expect(await late.readingsOf(device(4))).to.have.length(3);
    second.close();
  });

  it("count more whenever there is more, by the same number wherever they were taken in", async () => {
    const { batch } = stage;
    const own = await inOwnLog(0, true);
    const reader = mirror.reader();
    const none = (await known(reader)).counted;
    await mirror.publish(
      "gateway.ndjson",
      mirror.batch(batch, ({ reading }) => reading.device === device(0)),
    );
    const some = (await known(reader)).counted;
    await mirror.publish("gateway.ndjson", mirror.batch(batch));
    const more = (await known(reader)).counted;
    await mirror.publish("owner.ndjson", mirror.batch(own));
    const all = (await known(reader)).counted;
    expect([none < some, some < more, more < all, (await known(reader)).counted - all]).to.deep.equal([
      ...[true, true, true],
      0,
    ]);
    reader.close();
    const again = mirror.reader();
    expect((await known(again)).counted).to.equal(all);
    again.close();
  });

  it("leave half a line for later, and read a file that has become shorter from its start", async () => {
    const line = batchLine(mirror.batch(stage.batch));
    await mirror.append("a.ndjson", mirror.header + line.slice(0, 500));
    const reader = mirror.reader();
    expect((await known(reader)).counted).to.equal(0);
    await mirror.append("a.ndjson", `${line.slice(500)}\n`);
    expect((await known(reader)).counted).to.equal(18);
    const own = await inOwnLog(1, true);
    await truncate(mirror.path("a.ndjson"), 0);
    await mirror.append("a.ndjson", `${mirror.header}${batchLine(mirror.batch(own))}\n`);
    expect((await known(reader)).counted).to.equal(20);
    expect(await (await known(reader)).readingsOf(device(0))).to.deep.equal([]);
    expect(mirror.troubles).to.deep.equal([]);
    reader.close();
  });

  it("pass over files and lines that are something else, and tell each once", async () => {
    const good = batchLine(mirror.batch(stage.batch));
    const other = mirror.header.replace('"chain":"31337"', '"chain":"1"');
    await writeFile(mirror.path("1-other.ndjson"), `${other}${good}\n`);
    await writeFile(mirror.path("2-binary.ndjson"), Buffer.alloc(100_000, 0xff));
    await writeFile(mirror.path("3-empty.ndjson"), "");
    await writeFile(mirror.path("4-headless.ndjson"), `${good}\n`);
    await writeFile(mirror.path("5-text.txt"), good);
    const spoilt: [name: string, line: string][] = [
      ["no JSON", good.slice(1)],
      ["an empty line", ""],
      ["a number", "7"],
      ["nested deeply", "[".repeat(100_000)],
      ["too long", `"${"x".repeat(2 ** 24)}"`],
      ["another field", good.replace('"keys"', '"more":1,"keys"')],
      ["a publisher that is none", good.replace('"publisher":"0x', '"publisher":"0xzz')],
      ["a negative index", good.replace('"index":"', '"index":"-')],
      ["an index beyond what a log has", good.replace(/"index":"\d+"/, `"index":"${2n ** 53n}"`)],
      ["a time beyond 64 bits", good.replace(/"time":"\d+"/, `"time":"${2n ** 64n}"`)],
      ["a root of 31 bytes", good.replace(/"root":"0x../, '"root":"0x')],
      ["a salt in upper case", good.replace(/"(0x[0-9a-f]{64})","(0x[0-9a-f]{130})"\]\]/, '"0xAB","$2"]]')],
      ["no readings", good.replace(/"readings":.*/, '"readings":[]}')],
      ["a key of a kind that nobody knows", good.replace(/"secp256k1"|"p256"/, '"ed25519"')],
    ];
    await mirror.append("6-mixed.ndjson", `${mirror.header}${spoilt.map(([, line]) => `${line}\n`).join("")}${good}\n`);
    const reader = mirror.reader();
    for (let round = 0; round < 2; round++) expect(partials(await known(reader))).to.deep.equal(expected());
    expect(mirror.troubles.map((told) => told.split(/[ :]/, 1)[0])).to.deep.equal([
      ...["1-other.ndjson", "2-binary.ndjson", "4-headless.ndjson"],
      ...spoilt.map(() => "6-mixed.ndjson"),
    ]);
    reader.close();
  });

  it("count nothing that isn't anchored, or isn't in the device's present word", async () => {
    const { market } = stage;
    const good = mirror.batch(stage.batch);
    const [first = raise(), ...rest] = good.readings;
    if (!("reading" in first)) raise();
    const swapped = good.keys.map((key, k) => ({ ...(good.keys[(k + 1) % 6] ?? raise()), id: key.id }));
    const lie = { ...first, measurement: { ...first.measurement, value: 99n } };
    const lies: [what: string, batch: PublishedBatch, counted: number][] = [
      ["another's log", { ...good, publisher: device(0) }, 0],
      ["another place", { ...good, index: 1n }, 0],
      ["another second", { ...good, entryTime: good.entryTime - 1n }, 0],
      ["readings in another order", { ...good, readings: [...rest, first] }, 0],
      ["no keys", { ...good, keys: [] }, 0],
      ["the keys of others", { ...good, keys: swapped }, 0],
      ["a value that was never measured", { ...good, readings: [lie, ...rest] }, 17],
    ];
    for (const [what, batch, counted] of lies) {
      const one = await Mirror.open(market);
      await one.publish("a.ndjson", batch);
      const reader = one.reader();
      expect((await known(reader)).counted, what).to.equal(counted);
      reader.close();
      await one.remove();
    }
    await market.registry.connect(market.owners[0]).suspend(device(0));
    await mirror.publish("a.ndjson", good);
    const reader = mirror.reader();
    expect((await known(reader)).counted).to.equal(15);
    reader.close();
  });

  it("say whether a device is as it was", async () => {
    const { market, request } = stage;
    const id = idOf(market, request);
    await mirror.publish("a.ndjson", mirror.batch(stage.batch));
    const reader = mirror.reader();
    expect(await reader.isSteady(id, device(0))).to.equal(false);
    await known(reader);
    await market.registry.connect(market.owners[0]).suspend(device(0));
    await known(reader);
    expect([await reader.isSteady(id, device(0)), await reader.isSteady(id, device(1))]).to.deep.equal([false, true]);
    reader.close();
  });

  it("refuse a folder that isn't there, one with too many files, and a state that another has open", async () => {
    const codeOf = (asked: Promise<unknown>) => asked.then(raise, ({ code }: IotchainError) => code);
    const away = mirror.reader({ folder: mirror.path("away") });
    expect(await codeOf(known(away))).to.equal("ITC_READINGS_FOLDER");
    expect(await codeOf(known())).to.equal("ITC_AGGREGATOR_LOCKED");
    away.close();
    const reader = mirror.reader();
    await known(reader);
    for (let k = 0; k <= 10_000; k++) await writeFile(mirror.path(`${k}.ndjson`), "");
    expect(await codeOf(known(reader))).to.equal("ITC_READINGS_FOLDER");
    reader.close();
    const id = idOf(stage.market, stage.request);
    await writeFile(`${mirror.state}/${id}.db`, "not a database, but long enough to be looked at".repeat(99));
    expect(await codeOf(known())).to.equal("ITC_AGGREGATOR_FILE");
  });
});
