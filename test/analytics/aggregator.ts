import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect } from "chai";
import { id } from "ethers";
import type { MarkedBatch } from "../../toolkit/analytics/aggregator.js";
import { PartialSum } from "../../toolkit/analytics/partial-sum.js";
import { addToPartial, neutralPartial } from "../../toolkit/analytics/partials.js";
import { Operation } from "../../toolkit/analytics/query.js";
import { ReadingHasher } from "../../toolkit/analytics/reading-hasher.js";
import { encodeRanges } from "../../toolkit/analytics/result-tree.js";
import { contentOf } from "../../toolkit/anchoring/readings.js";
import type { DeviceKey } from "../../toolkit/identity/keys.js";
import { fromHex } from "../../toolkit/internal/bytes.js";
import { Dice } from "../invariant/dice.js";
import { digests, GATEWAY, keys, Logs, never, open, openedOf, REGISTRY, summaryOf } from "./aggregating.js";
import { between, OPERATIONS, queryOf } from "./queries.js";

const query = queryOf(Operation.Mean, { cap: 10n });
const [first, second] = keys as [DeviceKey, DeviceKey];

/** Readings 0 to 11 of each device: in its own log, in the gateway's, and some in both. */
function scattered() {
  const logs = new Logs(query);
  const batches: MarkedBatch[] = [];
  const all = keys.map((key, k) =>
    Array.from({ length: 12 }, (_, n) => openedOf(query, key, BigInt(n), BigInt(k * n - 20))),
  );
  for (const [k, readings] of all.entries()) {
    batches.push(logs.append(keys[k]?.id ?? never(), readings.slice(0, 5)));
    batches.push(logs.append(keys[k]?.id ?? never(), readings.slice(7, 8), false));
  }
  batches.push(
    logs.append(
      GATEWAY,
      all.flatMap((readings) => readings.slice(3, 9)),
    ),
  );
  batches.push(
    logs.append(
      GATEWAY,
      all.flatMap((readings) => readings.slice(8)),
    ),
  );
  return { logs, batches, all };
}

function shuffled<Item>(roll: Dice, items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, by: roll.below(1_000_000) }))
    .sort((a, b) => a.by - b.by)
    .map(({ item }) => item);
}

describe("Aggregator", () => {
  let folder: string;
  let names = 0;
  const file = () => path.join(folder, `pieces-${names++}`);

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "aggregator-"));
  });

  after(() => rm(folder, { recursive: true }));

  async function expected(): Promise<string[]> {
    const { logs, batches } = scattered();
    const { aggregator } = await open(logs);
    await aggregator.take(batches);
    return summaryOf(aggregator);
  }

  describe("of partials", () => {
    for (const [name, operation] of OPERATIONS) {
      it(`comes to what adding reading by reading comes to: ${name}`, () => {
        const roll = new Dice(name.length);
        const asked = queryOf(operation);
        const sum = new PartialSum(asked);
        const partial = neutralPartial(asked);
        for (let k = 0; k < 50; k++) {
          const [value, time] = [between(roll, -100n, 100n), between(roll, asked.from, asked.to - 1n)];
          sum.add(value, time);
          addToPartial(asked, partial, value, time);
          expect(sum.bytes()).to.deep.equal(partial);
        }
      });
    }

    it("hashes readings and contents as devices do", () => {
      const hasher = new ReadingHasher(REGISTRY);
      const roll = new Dice(7);
      for (let k = 0; k < 40; k++) {
        const key = keys[k % 5] ?? never();
        const [sequence, time] = [between(roll, 0n, 2n ** 64n - 1n), between(roll, 0n, 2n ** 64n - 1n)];
        const measurement = { value: between(roll, -(2n ** 255n), 2n ** 255n - 1n), salt: fromHex(id(`salt-${k}`)) };
        const content = contentOf(measurement);
        expect(hasher.content(measurement.value, measurement.salt)).to.deep.equal(content);
        const reading = { device: key.id, sequence, time, schema: query.schema, content };
        expect(hasher.reading(key.id, sequence, time, query.schema, content)).to.deep.equal(digests.reading(reading));
      }
    });

    it("counts the readings of the lowest sequence numbers where there are more than the cap", async () => {
      const { logs, batches, all } = scattered();
      const { aggregator } = await open(logs);
      await aggregator.take(batches.reverse());
      for (const [k, key] of keys.entries()) {
        const partial = neutralPartial(query);
        for (const { reading, measurement } of all[k]?.slice(0, 10) ?? []) {
          addToPartial(query, partial, measurement.value, reading.time);
        }
        const folded = aggregator.partialOf(key.id);
        expect(folded?.count).to.equal(10n);
        expect(folded?.partial).to.deep.equal(partial);
        expect(folded?.ranges).to.deep.equal(encodeRanges([[0n, 9n]]));
      }
    });
  });

  describe("whatever way batches come", () => {
    it("comes to the same when they come doubled, shuffled, and again under other entries", async () => {
      const wanted = await expected();
      expect(wanted).to.have.length(5);
      for (let seed = 0; seed < 20; seed++) {
        const roll = new Dice(seed);
        const { logs, batches, all } = scattered();
        batches.push(logs.append(GATEWAY, shuffled(roll, all.flat()).slice(0, 30)));
        const { aggregator, refused } = await open(logs);
        await aggregator.take(shuffled(roll, [...batches, ...batches, ...batches]));
        expect(summaryOf(aggregator)).to.deep.equal(wanted);
        expect(refused).to.deep.equal([]);
      }
    });

    it("comes to the same after cuts at random places", async () => {
      const wanted = await expected();
      for (let seed = 0; seed < 10; seed++) {
        const roll = new Dice(seed);
        const { logs, batches } = scattered();
        const name = file();
        for (let left = 0; left < batches.length; ) {
          const { aggregator } = await open(logs, name);
          const from = batches.findIndex(({ mark }) => mark === aggregator.mark) + 1;
          expect(from).to.equal(left);
          const end = left + 1 + roll.below(5);
          const broken = function* () {
            yield* batches.slice(from, end);
            if (end < batches.length) throw new Error("cut");
          };
          const taking = aggregator.take(broken());
          if (end < batches.length) await taking.then(never, ({ message }) => expect(message).to.equal("cut"));
          else await taking;
          aggregator.close();
          left = end;
        }
        const { aggregator } = await open(logs, name);
        expect(summaryOf(aggregator)).to.deep.equal(wanted);
        aggregator.close();
      }
    });

    it("keeps nothing of a batch that isn't committed, and begins at the mark of the last one that is", async () => {
      const { logs, batches } = scattered();
      const name = file();
      const { aggregator } = await open(logs, name);
      await aggregator.take(batches.slice(0, 3));
      const [saved, mark] = [summaryOf(aggregator), aggregator.mark];
      const stuck = (async function* () {
        yield* batches.slice(3, 6);
        aggregator.close();
        yield batches[6] ?? never();
      })();
      await aggregator.take(stuck).then(never, () => undefined);
      const { aggregator: again } = await open(logs, name);
      expect([summaryOf(again), again.mark]).to.deep.equal([saved, mark]);
      await again.take(batches.slice(3));
      expect(summaryOf(again)).to.deep.equal(await expected());
      again.close();
    });

    it("takes what is opened later of an entry that it knows", async () => {
      const { logs, batches } = scattered();
      const { aggregator } = await open(logs);
      const closed = (which: number) =>
        batches.map((batch) => ({
          ...batch,
          readings: batch.readings.map((item, k) =>
            "reading" in item && k % 2 === which ? { digest: digests.reading(item.reading) } : item,
          ),
        }));
      await aggregator.take(closed(0));
      expect(summaryOf(aggregator)).to.not.deep.equal(await expected());
      await aggregator.take(closed(1));
      expect(summaryOf(aggregator)).to.deep.equal(await expected());
      const { known } = await aggregator.take([...batches, ...batches]);
      expect(known).to.equal(batches.length + batches.filter(({ readings }) => readings.length === 1).length);
    });
  });

  describe("of readings that don't count", () => {
    const readings = [0n, 1n, 2n].map((sequence) => openedOf(query, first, sequence, 5n));
    const reasons = async (logs: Logs, batch: MarkedBatch) => {
      const { aggregator, refused } = await open(logs);
      await aggregator.take([batch]);
      return { why: refused.map(({ why }) => why), count: aggregator.partialOf(first.id)?.count };
    };

    it("refuses entries that are late, not in the log, or not made of their readings", async () => {
      const logs = new Logs(query);
      const late = logs.append(first.id, readings, true, query.anchoredBy + 1n);
      const good = logs.append(first.id, readings);
      const header = good.header ?? never();
      const wrongs: [MarkedBatch, string][] = [
        [late, "late"],
        [{ ...good, index: 7n }, "entry"],
        [{ ...good, publisher: second.id }, "entry"],
        [{ ...good, entryTime: good.entryTime + 1n }, "entry"],
        [{ ...good, header: { ...header, last: header.last + 1n } }, "entry"],
        [{ ...good, header: { ...header, count: 4n } }, "root"],
        [{ ...good, readings: readings.slice(1) }, "root"],
        [{ ...good, readings: [...readings].reverse() }, "root"],
        [{ ...good, readings: [] }, "root"],
        [{ ...good, readings: [...readings.slice(1), { digest: new Uint8Array(31) }] }, "root"],
        [{ publisher: good.publisher, index: good.index, entryTime: good.entryTime, readings }, "root"],
        [{ ...good, header: { ...header, schema: fromHex(id("other")) } }, "schema"],
      ];
      for (const [wrong, why] of wrongs) {
        expect(await reasons(logs, wrong), why).to.deep.equal({ why: [why], count: undefined });
      }
      expect(await reasons(logs, good)).to.deep.equal({ why: [], count: 3n });
    });

    it("refuses readings of another schema, another time, another content", async () => {
      const logs = new Logs(query);
      const early = openedOf(query, first, 3n, 5n, { time: query.from - 1n });
      const after = openedOf(query, first, 4n, 5n, { time: query.to });
      const other = openedOf(query, first, 5n, 5n, { content: fromHex(id("other")) });
      const foreign = openedOf(query, first, 6n, 5n, { schema: fromHex(id("other")) });
      const batch = logs.append(first.id, [...readings, early, after, other, foreign]);
      expect(await reasons(logs, batch)).to.deep.equal({ why: ["time", "time", "content", "schema"], count: 3n });
      for (const lie of [{ first: query.from + 1n }, { last: query.from + 1n }]) {
        const narrow = logs.append(first.id, readings, true, query.to, lie);
        expect(await reasons(logs, narrow)).to.deep.equal({ why: ["time"], count: 2n });
      }
      const { measurement } = readings[0] ?? never();
      for (const wrong of [
        { ...measurement, value: 6n },
        { ...measurement, value: 5n + 2n ** 256n },
        { ...measurement, salt: new Uint8Array(31) },
      ]) {
        const lie = [{ ...(readings[0] ?? never()), measurement: wrong }, ...readings.slice(1)];
        expect(await reasons(logs, { ...logs.append(first.id, readings), readings: lie })).to.deep.equal({
          why: ["content"],
          count: 2n,
        });
      }
    });

    it("refuses readings in the logs of others without the device's present signature", async () => {
      const unsigned = readings.map(({ reading, measurement }) => ({ reading, measurement }));
      const swapped = readings.map((opened, k) => {
        const signature = readings[(k + 1) % 3]?.signature;
        return signature ? { ...opened, signature } : opened;
      });
      const none = { count: undefined, why: ["signature", "signature", "signature"] };
      for (const log of [GATEWAY, second.id]) {
        const logs = new Logs(query);
        const batch = logs.append(log, readings);
        expect(await reasons(logs, batch)).to.deep.equal({ why: [], count: 3n });
        expect(await reasons(logs, { ...batch, readings: unsigned })).to.deep.equal(none);
        expect(await reasons(logs, { ...batch, readings: swapped })).to.deep.equal(none);
        const gone = new Logs(query, [second]);
        expect(await reasons(gone, gone.append(log, readings))).to.deep.equal(none);
      }
    });

    it("counts readings in the device's own log without any", async () => {
      const logs = new Logs(query, []);
      const unsigned = readings.map(({ reading, measurement }) => ({ reading, measurement }));
      expect(await reasons(logs, logs.append(first.id, unsigned))).to.deep.equal({ why: [], count: 3n });
    });
  });

  it("reports devices that contradict themselves, in whatever order the readings come", async () => {
    const wanted = new Set<string>();
    for (let seed = 0; seed < 10; seed++) {
      const { logs, batches } = scattered();
      batches.push(logs.append(second.id, [openedOf(query, second, 6n, 99n), openedOf(query, second, 4n, 99n)]));
      const { aggregator } = await open(logs);
      await aggregator.take(shuffled(new Dice(seed), batches));
      const found = [...aggregator.equivocations()];
      expect(found.map(({ device, sequence }) => [device, sequence])).to.deep.equal([[second.id.toLowerCase(), 4n]]);
      expect(found[0]?.digests[0]).to.not.deep.equal(found[0]?.digests[1]);
      wanted.add(summaryOf(aggregator).join("\n"));
    }
    expect(wanted.size).to.equal(1);
  });

  it("has no partials of no readings", async () => {
    const { aggregator } = await open(new Logs(query));
    expect(await aggregator.take([])).to.deep.include({ entries: 0, readings: 0 });
    expect([summaryOf(aggregator), aggregator.partialOf(first.id), aggregator.mark]).to.deep.equal([
      [],
      undefined,
      undefined,
    ]);
  });

  describe("of its file", () => {
    it("keeps it from other users", async () => {
      const name = file();
      const { aggregator } = await open(new Logs(query), name);
      aggregator.close();
      expect((await stat(name)).mode & 0o077).to.equal(0);
    });

    it("refuses one of another request, one that another has open, and one that is something else", async () => {
      const name = file();
      const { aggregator } = await open(new Logs(query), name);
      const code = (error: { code?: string }) => error.code;
      expect(await open(new Logs(query), name).then(never, code)).to.equal("ITC_AGGREGATOR_LOCKED");
      aggregator.close();
      expect(await open(new Logs(query), name, id("other")).then(never, code)).to.equal("ITC_AGGREGATOR_OTHER_REQUEST");
      const text = file();
      await writeFile(
        text,
        "This is no database, and was never meant to be one; it is longer than a header.".repeat(9),
      );
      expect(await open(new Logs(query), text).then(never, code)).to.equal("ITC_AGGREGATOR_FILE");
    });
  });
});
