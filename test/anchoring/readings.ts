import { expect } from "chai";
import { Batch, batchRootFrom, entryOf } from "../../toolkit/anchoring/batches.js";
import {
  contentOf,
  isAuthentic,
  type SignedReading,
  saltOf,
  schemaIdOf,
  signReading,
} from "../../toolkit/anchoring/readings.js";
import { Digests } from "../../toolkit/identity/digests.js";
import { type CurveKind, deviceKey, isSignature, KeyError } from "../../toolkit/identity/keys.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { highS, keyOf } from "../identity/fleet.js";

const registry = `0x${"42".repeat(20)}`;
const digests = new Digests({ chainId: 31337n, registry });
const schema = schemaIdOf({ quantity: "wind_speed", unit: "m/s", scale: 2 });
const rain = schemaIdOf({ quantity: "rain", unit: "mm", scale: 1 });

const reading = (
  label: string,
  sequence: bigint,
  changes: Partial<SignedReading> = {},
  kind: CurveKind = "secp256k1",
): SignedReading => {
  const content = contentOf({ value: sequence, salt: saltOf(fromHex("01"), sequence) });
  return {
    ...signReading(keyOf(label, kind), digests, { sequence, time: 100n + sequence, schema, content }),
    ...changes,
  };
};

describe("Readings and batches", () => {
  it("commit to value and salt, with two's complement for what is below zero", () => {
    const salt = new Uint8Array(32).fill(1);
    expect(toHex(contentOf({ value: -1n, salt }))).not.to.equal(toHex(contentOf({ value: 1n, salt })));
    expect(toHex(contentOf({ value: 5n, salt }))).not.to.equal(
      toHex(contentOf({ value: 5n, salt: new Uint8Array(32) })),
    );
    expect(toHex(schema)).not.to.equal(toHex(rain));
  });

  for (const kind of ["secp256k1", "p256"] as const) {
    it(`are authentic with the device's own signature over these words alone (${kind})`, () => {
      const key = keyOf("a", kind);
      const right = reading("a", 3n, {}, kind);
      expect(isAuthentic(right, key, digests)).to.equal(true);
      expect(isAuthentic(right, keyOf("b", kind), digests)).to.equal(false);
      expect(isAuthentic(right, key, new Digests({ chainId: 1n, registry }))).to.equal(false);
      expect(isAuthentic(right, key, new Digests({ chainId: 31337n, registry: `0x${"43".repeat(20)}` }))).to.equal(
        false,
      );
      const high = fromHex(highS(toHex(right.signature), kind));
      const changes = [
        { sequence: 4n },
        { time: 0n },
        { schema: rain },
        { content: rain },
        { device: keyOf("b", kind).id },
        { signature: high },
      ];
      for (const change of changes) expect(isAuthentic({ ...right, ...change }, key, digests)).to.equal(false);
      for (const length of [0, 1, 32, 63, 66, 128]) {
        expect(isAuthentic({ ...right, signature: new Uint8Array(length) }, key, digests)).to.equal(false);
      }
      for (const material of [new Uint8Array(64), new Uint8Array(64).fill(255), new Uint8Array(3)]) {
        expect(isSignature({ ...key, material }, digests.reading(right), right.signature)).to.equal(false);
      }
    });
  }

  it("come from keys that are keys", () => {
    for (const kind of ["secp256k1", "p256"] as const) {
      for (const secret of [new Uint8Array(32), new Uint8Array(32).fill(255), new Uint8Array(31), new Uint8Array(33)]) {
        expect(() => deviceKey(kind, secret)).to.throw(KeyError, "ITC_KEY_INVALID");
      }
    }
  });

  it("are in their batch, each by its own proof, and the header fixes count, times and schema", () => {
    for (const size of [1, 2, 3, 7, 64, 100]) {
      const readings = Array.from({ length: size }, (_, k) => reading("a", BigInt(k)));
      const batch = new Batch(readings, digests);
      readings.forEach((one, k) => {
        expect(toHex(batchRootFrom(digests.reading(one), batch.prove(k)))).to.equal(toHex(batch.header.root));
        if (size > 1)
          expect(toHex(batchRootFrom(digests.reading(one), batch.prove((k + 1) % size)))).not.to.equal(
            toHex(batch.header.root),
          );
      });
      const { count, first, last } = batch.header;
      expect([count, first, last]).to.deep.equal([BigInt(size), 100n, 99n + BigInt(size)]);
      for (const change of [
        { count: 0n },
        { first: 1n },
        { last: 1n },
        { schema: rain },
        { root: rain },
        { values: rain },
      ]) {
        expect(toHex(entryOf({ ...batch.header, ...change }))).not.to.equal(toHex(batch.entry));
      }
    }
    expect(() => new Batch([], digests)).to.throw(RangeError);
  });
});
