import { expect } from "chai";
import {
  committedBatch,
  type MeasuredReading,
  openedBy,
  openingOf,
  stateBatch,
} from "../../toolkit/anchoring/committed-batch.js";
import { EntryDigests } from "../../toolkit/anchoring/entries.js";
import { contentOf, saltOf, schemaIdOf, signReading } from "../../toolkit/anchoring/readings.js";
import { valuesSaltOf, ZkError } from "../../toolkit/anchoring/zk-values.js";
import { Digests } from "../../toolkit/identity/digests.js";
import { type DeviceKey, isSignature } from "../../toolkit/identity/keys.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { keyOf } from "../identity/fleet.js";

const [wind, rain] = ["wind_speed", "rain"].map((quantity) => schemaIdOf({ quantity, unit: "m/s", scale: 2 }));
const key = keyOf("stating");
const digests = new Digests({ chainId: 1n, registry: keyOf("registry").id });
const domain = { digests, entries: new EntryDigests({ chainId: 1n, anchor: keyOf("anchor").id }) };
const salt = valuesSaltOf(fromHex("07"), 0n);

function measure(sequence: bigint, value = sequence * 3n, schema = wind, by: DeviceKey = key): MeasuredReading {
  const measurement = { value, salt: saltOf(fromHex("07"), sequence) };
  const said = { sequence, time: 100n + sequence, schema: schema ?? salt, content: contentOf(measurement) };
  return { reading: signReading(by, digests, said), measurement };
}

const mine = [0n, 1n, 2n].map((sequence) => measure(sequence));
const draft = stateBatch(key, domain, mine, { index: 5n, salt });

/** What comes of it, or the error's code. */
function say(measured: readonly MeasuredReading[], changes: Partial<typeof draft> = {}, by: DeviceKey = key): string {
  try {
    return toHex(stateBatch(by, domain, measured, { ...draft, ...changes }).signature);
  } catch (error) {
    return error instanceof ZkError ? error.code : String(error);
  }
}

describe("Batches that commit to their values", () => {
  it("are stated by their device alone, as it was offered and as it has measured", () => {
    expect(isSignature(key, domain.entries.entry(draft), draft.signature)).to.equal(true);
    expect(say(mine)).to.equal(toHex(draft.signature));
    expect(say(mine, {}, keyOf("another"))).to.equal("ITC_ZK_DRAFT");
    expect(say(mine, { salt: salt.map((byte) => byte ^ 1) })).to.equal("ITC_ZK_DRAFT");
    expect(say(mine, { entry: new Uint8Array(32) })).to.equal("ITC_ZK_DRAFT");
    expect(say(mine.with(1, measure(1n, 4n)))).to.equal("ITC_ZK_DRAFT");
    expect(say(mine.slice(1))).to.equal("ITC_ZK_DRAFT");
  });

  it("have one device, one schema, consecutive numbers and the values that were signed", () => {
    const lied = { ...measure(1n), measurement: measure(1n, 4n).measurement };
    const wrapped = { ...measure(1n), measurement: { ...measure(1n).measurement, value: 3n + 2n ** 256n } };
    const foreign = measure(1n, 3n, wind, keyOf("another"));
    for (const wrong of [lied, wrapped, foreign, measure(1n, 3n, rain), measure(3n)]) {
      expect(say(mine.with(1, wrong))).to.equal("ITC_ZK_READINGS");
    }
    for (const wrong of [[], mine.toReversed()]) expect(say(wrong)).to.equal("ITC_ZK_READINGS");
    for (const value of [2n ** 39n, -(2n ** 39n) - 1n]) {
      expect(say(mine.with(1, measure(1n, value)))).to.equal("ITC_ZK_VALUES");
    }
    expect(say(Array.from({ length: 257 }, (_, k) => measure(BigInt(k))))).to.equal("ITC_ZK_VALUES");
    expect(say(mine, { salt: new Uint8Array(32) })).to.equal("ITC_ZK_VALUES");
    for (const value of [0n, -1n, 2n ** 255n - 1n, -(2n ** 255n)]) {
      const { reading, measurement } = measure(0n, value);
      expect(openedBy(reading.content, openingOf(measurement))).to.deep.equal(measurement);
      expect(openedBy(reading.content, openingOf(measurement).slice(1))).to.equal(undefined);
      expect(openedBy(salt, openingOf(measurement))).to.equal(undefined);
    }
  });

  it("show anyone who is given the readings whether a header tells the truth", () => {
    const told = committedBatch(mine, salt, digests).batch;
    expect([told.entry, told.header.count]).to.deep.equal([draft.entry, 3n]);
    const other = committedBatch(mine, valuesSaltOf(fromHex("08"), 0n), digests).batch;
    expect(toHex(other.header.root)).to.equal(toHex(told.header.root));
    expect(toHex(other.header.values)).not.to.equal(toHex(told.header.values));
  });
});
