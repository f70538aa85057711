import { expect } from "chai";
import { Batch, batchRootFrom, entryOf } from "../../toolkit/anchoring/batches.js";
import { Gateway, GatewayError } from "../../toolkit/anchoring/gateway.js";
import {
  contentOf,
  isAuthentic,
  type SignedReading,
  saltOf,
  schemaIdOf,
  signReading,
} from "../../toolkit/anchoring/readings.js";
import { Digests } from "../../toolkit/identity/digests.js";
import { type CurveKind, deviceKey, heldBy, isSignature, KeyError } from "../../toolkit/identity/keys.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { VirtualDevice } from "../../toolkit/testing/devices.js";
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

describe("Readings, batches and gateways", () => {
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
      for (const change of [{ count: 0n }, { first: 1n }, { last: 1n }, { schema: rain }, { root: rain }]) {
        expect(toHex(entryOf({ ...batch.header, ...change }))).not.to.equal(toHex(batch.entry));
      }
    }
    expect(() => new Batch([], digests)).to.throw(RangeError);
  });

  describe("a gateway", () => {
    const refused = (gateway: Gateway, one: SignedReading, code: string): void => {
      expect(() => gateway.receive(one)).to.throw(GatewayError, code);
    };

    it("goes on with a device that has another key, and takes nothing more of the first", () => {
      const gateway = new Gateway(digests, 10);
      const first = keyOf("a");
      gateway.admit(first);
      gateway.receive(reading("a", 0n));
      for (const kind of ["p256", "secp256k1"] as const) {
        const next = heldBy(first.id, keyOf("a's next", kind));
        const sequence = kind === "p256" ? 1n : 2n;
        gateway.admit(next, sequence);
        refused(gateway, reading("a", sequence), "ITC_GATEWAY_SIGNATURE");
        const { content } = reading("a", sequence);
        const said = signReading(next, digests, { sequence, time: 200n, schema, content });
        expect(said.device).to.equal(first.id);
        gateway.receive(said);
      }
      expect(gateway.seal()[0]?.header.count).to.equal(3n);
    });

    it("forwards what its devices sign, once and in order, and keeps nothing that it refuses", () => {
      const gateway = new Gateway(digests, 10);
      refused(gateway, reading("a", 0n), "ITC_GATEWAY_UNKNOWN");
      gateway.admit(keyOf("a"));
      refused(gateway, reading("a", 1n), "ITC_GATEWAY_SEQUENCE");
      refused(gateway, { ...reading("a", 0n), signature: reading("b", 0n).signature }, "ITC_GATEWAY_SIGNATURE");
      refused(
        gateway,
        { ...reading("a", 0n), signature: fromHex(highS(toHex(reading("a", 0n).signature), "secp256k1")) },
        "ITC_GATEWAY_SIGNATURE",
      );
      gateway.receive(reading("a", 0n));
      refused(gateway, reading("a", 0n), "ITC_GATEWAY_SEQUENCE");
      gateway.receive(reading("a", 1n));
      const [batch, ...more] = gateway.seal();
      expect([batch?.readings.length, more.length]).to.deep.equal([2, 0]);
      expect(gateway.seal()).to.deep.equal([]);
    });

    it("fills batches to its capacity, one schema each", () => {
      const gateway = new Gateway(digests, 3);
      gateway.admit(keyOf("a"));
      gateway.admit(keyOf("b"));
      for (let k = 0n; k < 7n; k++) gateway.receive(reading("a", k));
      const other = signReading(keyOf("b"), digests, { sequence: 0n, time: 1n, schema: rain, content: rain });
      gateway.receive(other);
      const batches = gateway.seal();
      expect(batches.map(({ readings }) => readings.length)).to.deep.equal([3, 3, 1, 1]);
      for (const { readings, header } of batches) {
        expect(readings.every((one) => toHex(one.schema) === toHex(header.schema))).to.equal(true);
      }
      expect(() => new Gateway(digests, 0)).to.throw(RangeError);
    });

    it("goes on where a virtual device is", () => {
      const device = new VirtualDevice("p256", 7, "d");
      device.measure(digests, schema, 1n, 1n);
      const gateway = new Gateway(digests, 3);
      gateway.admit(device.key, device.nextSequence);
      const { reading: next, measurement } = device.measure(digests, schema, 2n, 2n);
      gateway.receive(next);
      expect(next.sequence).to.equal(1n);
      expect(toHex(next.content)).to.equal(toHex(contentOf(measurement)));
      expect(new VirtualDevice("p256", 7, "d").key.id).to.equal(device.key.id);
      expect(new VirtualDevice("p256", 8, "d").key.id).not.to.equal(device.key.id);
    });
  });
});
