import { expect } from "chai";
import type { Gateway } from "../../toolkit/anchoring/gateway.js";
import { checkReceipt, Receipts } from "../../toolkit/anchoring/gateway-receipts.js";
import { type SignedReading, signReading } from "../../toolkit/anchoring/readings.js";
import { heldBy } from "../../toolkit/identity/keys.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { FAR, keyOf } from "../identity/fleet.js";
import { GWEI, onRig, type Rig, rain, refused } from "./gateway-rig.js";

const a = keyOf("a");
const nothing = new Uint8Array();

describe("A gateway", () => {
  let rig: Rig;
  let gateway: Gateway;
  const reading = (sequence: bigint, changes: Partial<SignedReading> = {}): SignedReading =>
    rig.reading("a", sequence, changes);
  const counts = async (): Promise<bigint[]> => {
    const found: bigint[] = [];
    gateway.events.on("sealed", ({ readings }) => found.push(readings));
    await gateway.tick().catch(() => {});
    return found;
  };

  onRig(
    (one) => {
      rig = one;
    },
    async () => {
      gateway = await rig.open();
      gateway.admit(a);
    },
  );

  describe("takes readings", () => {
    it("of devices that it knows, once and in order", async () => {
      await refused(() => gateway.receive(rig.reading("b", 0n)), "ITC_GATEWAY_UNKNOWN");
      await refused(() => gateway.nextOf(keyOf("b").id), "ITC_GATEWAY_UNKNOWN");
      await refused(() => gateway.receive(reading(1n)), "ITC_GATEWAY_SEQUENCE", "0 was due");
      gateway.receive(reading(0n));
      gateway.receive(reading(1n));
      expect(gateway.nextOf(a.id)).to.equal(2n);
    });

    it("signed by the device's own key over these words alone", async () => {
      await refused(
        () => gateway.receive(reading(0n, { signature: rig.reading("b", 0n).signature })),
        "ITC_GATEWAY_SIGNATURE",
      );
      await refused(() => gateway.receive({ ...reading(0n), content: rain }), "ITC_GATEWAY_SIGNATURE");
      for (const length of [0, 1, 63, 66, 256]) {
        await refused(
          () => gateway.receive(reading(0n, { signature: new Uint8Array(length) })),
          "ITC_GATEWAY_SIGNATURE",
        );
      }
      expect(gateway.status().waiting).to.equal(0n);
      gateway.receive(reading(0n));
    });

    it("within the limits of the clock", async () => {
      gateway = await rig.open({ intake: { behind: 1000n, ahead: 10n } });
      gateway.admit(a);
      for (const time of [0n, rig.now - 1001n, rig.now + 11n, 4_102_444_800n, 2n ** 64n - 1n]) {
        await refused(() => gateway.receive(reading(0n, { time })), "ITC_GATEWAY_CLOCK", `second ${time};`);
      }
      gateway.receive(reading(0n, { time: rig.now - 1000n }));
      gateway.receive(reading(1n, { time: rig.now + 10n }));
    });

    it("of the schemas that it may pay for", async () => {
      gateway = await rig.open({ intake: { schemas: [rain] } });
      gateway.admit(a);
      await refused(() => gateway.receive(reading(0n)), "ITC_GATEWAY_SCHEMA");
      gateway.receive(reading(0n, { schema: rain }));
    });

    it("of the shape that they have", async () => {
      const short = new Uint8Array(31);
      const wrong = [
        { sequence: 2n ** 64n },
        { sequence: -1n },
        { time: 2n ** 64n },
        { schema: short },
        { content: short },
      ];
      for (const change of [...wrong, { signature: new Uint8Array(257) }]) {
        await refused(() => gateway.receive({ ...reading(0n), ...change }), "ITC_GATEWAY_MALFORMED");
      }
    });

    it("up to the last sequence number that there is", async () => {
      gateway.admit(a, 2n ** 64n - 1n);
      const last = gateway.receive(reading(2n ** 64n - 1n));
      expect(gateway.receive(reading(2n ** 64n - 1n))).to.deep.equal(last);
      expect(gateway.readingOf(a.id, 2n ** 64n - 1n).reading).to.deep.equal(reading(2n ** 64n - 1n));
      await refused(() => gateway.receive(reading(0n)), "ITC_GATEWAY_SEQUENCE");
    });

    it("with payloads up to a limit, and keeps these beside them", async () => {
      gateway = await rig.open({ intake: { payload: 10 } });
      gateway.admit(a);
      await refused(() => gateway.receive(reading(0n), new Uint8Array(11)), "ITC_GATEWAY_TOO_LARGE");
      gateway.receive(reading(0n), new Uint8Array(10).fill(7));
      expect(gateway.readingOf(a.id, 0n).payload).to.deep.equal(new Uint8Array(10).fill(7));
    });

    it("until its file has the size that it may have, and again once it is pruned", async () => {
      gateway = await rig.open({ intake: { disk: 160_000n }, keep: 10n, batch: { readings: 8 } });
      gateway.admit(a);
      let sequence = 0n;
      const fill = (): void => {
        for (; sequence < 1000n; sequence++) gateway.receive(reading(sequence), new Uint8Array(1000));
      };
      await refused(fill, "ITC_GATEWAY_FULL");
      expect(gateway.status().bytes <= 160_000n).to.equal(true);
      expect(sequence > 20n).to.equal(true);
      await rig.settle(gateway);
      rig.now += 11n;
      // One batch a step.
      for (let k = 0; k < 20; k++) await gateway.tick();
      const before = sequence;
      await refused(fill, "ITC_GATEWAY_FULL");
      expect(sequence > before).to.equal(true);
    });

    it("with numbers left out where that is allowed", async () => {
      gateway = await rig.open({ intake: { allowGaps: true } });
      gateway.admit(a);
      gateway.receive(reading(0n));
      gateway.receive(reading(5n));
      await refused(() => gateway.receive(reading(3n)), "ITC_GATEWAY_SEQUENCE", "6 is due");
      gateway.receive(reading(6n));
      await rig.settle(gateway);
      expect(gateway.evidenceOf(a.id, 5n).reading).to.deep.equal(reading(5n));
    });

    it("from where its device is told to go on, but never from a number that was taken", async () => {
      gateway.receive(reading(0n));
      gateway.admit(a, 7n);
      await refused(() => gateway.receive(reading(1n)), "ITC_GATEWAY_SEQUENCE", "7 is due");
      gateway.receive(reading(7n));
      gateway.admit(a);
      gateway.admit(a, 3n);
      expect(gateway.nextOf(a.id)).to.equal(8n);
    });
  });

  describe("given the same number twice", () => {
    it("takes the same reading as sent again, with the same receipt", async () => {
      const receipt = gateway.receive(reading(0n));
      rig.now += 5n;
      expect(gateway.receive(reading(0n, { time: rig.now - 5n }))).to.deep.equal(receipt);
      // Stamped anew, which the contract forgives.
      expect(gateway.receive(reading(0n))).to.deep.equal(receipt);
      expect([gateway.status().waiting, gateway.contradictions()]).to.deep.equal([1n, []]);
    });

    it("refuses another reading, and keeps both", async () => {
      gateway.receive(reading(0n));
      await refused(() => gateway.receive(reading(0n, { content: rain })), "ITC_GATEWAY_CONTRADICTION");
      await refused(() => gateway.receive(reading(0n, { content: new Uint8Array(32) })), "ITC_GATEWAY_CONTRADICTION");
      const [found, ...more] = gateway.contradictions();
      expect([found?.readings, more.length]).to.deep.equal([[reading(0n), reading(0n, { content: rain })], 0]);
      expect(found?.key.material).to.deep.equal(a.material);
      expect(gateway.readingOf(a.id, 0n).reading).to.deep.equal(reading(0n));
    });

    it("accuses nobody of what others have signed", async () => {
      gateway.receive(reading(0n));
      const foreign = signReading(heldBy(a.id, keyOf("b")), rig.world.digests, { ...reading(0n), content: rain });
      await refused(() => gateway.receive(foreign), "ITC_GATEWAY_SIGNATURE");
      // Another key has said another thing: true, but no proof.
      gateway.admit(heldBy(a.id, keyOf("b")));
      await refused(() => gateway.receive(foreign), "ITC_GATEWAY_CONTRADICTION");
      expect(gateway.contradictions()).to.deep.equal([]);
    });
  });

  describe("makes batches", () => {
    const receive = (count: number, payload = nothing): void => {
      for (let k = 0; k < count; k++) gateway.receive(reading(gateway.nextOf(a.id)), payload);
    };

    it("of so many readings", async () => {
      gateway = await rig.open({ batch: { readings: 3 } });
      gateway.admit(a);
      receive(8);
      expect(await counts()).to.deep.equal([3n, 3n]);
      expect(gateway.status().waiting).to.equal(2n);
    });

    it("of so many bytes", async () => {
      gateway = await rig.open({ batch: { bytes: 1000 } });
      gateway.admit(a);
      // 100 of words, 65 of signature, 135 of payload.
      receive(7, new Uint8Array(135));
      expect(await counts()).to.deep.equal([3n, 3n]);
      receive(1, new Uint8Array(2000));
      expect(await counts()).to.deep.equal([1n, 1n]);
    });

    it("after so many seconds, and not before", async () => {
      gateway = await rig.open({ batch: { seconds: 60n } });
      gateway.admit(a);
      receive(2);
      rig.now += 59n;
      receive(1);
      expect(await counts()).to.deep.equal([]);
      rig.now += 1n;
      expect(await counts()).to.deep.equal([3n]);
    });

    it("of one schema each, at once when it is told to", async () => {
      const found: bigint[] = [];
      gateway.events.on("sealed", ({ readings }) => found.push(readings));
      receive(3);
      gateway.receive(reading(3n, { schema: rain }));
      gateway.seal(2);
      expect(found).to.deep.equal([2n, 1n, 1n]);
      gateway.seal();
      expect(found.length).to.equal(3);
    });
  });

  describe("gives receipts", () => {
    it("that its publisher's key has signed, with the time until which it promises", async () => {
      gateway = await rig.open({ publisher: keyOf("p"), intake: { promise: 1000n } });
      gateway.admit(a);
      const receipt = gateway.receive(reading(0n));
      expect(toHex(receipt.reading)).to.equal(toHex(rig.world.digests.reading(reading(0n))));
      expect([receipt.publisher, receipt.received, receipt.anchorBy]).to.deep.equal([
        keyOf("p").id,
        rig.now,
        rig.now + 1000n,
      ]);
      const domain = { chainId: rig.world.chainId, anchor: rig.world.addresses.DataAnchor };
      expect(checkReceipt(receipt, domain, rig.now + 1000n)).to.equal("pending");
      expect(checkReceipt(receipt, domain, rig.now + 1001n)).to.equal("overdue");
      const forgeries = [
        { anchorBy: rig.now },
        { received: 0n },
        { reading: rain },
        { publisher: a.id },
        { signature: new Uint8Array(65) },
        { signature: nothing },
      ];
      for (const change of forgeries) expect(checkReceipt({ ...receipt, ...change }, domain, 0n)).to.equal("forged");
      expect(checkReceipt(receipt, { ...domain, chainId: 1n }, 0n)).to.equal("forged");
      expect(checkReceipt(receipt, { ...domain, anchor: a.id }, 0n)).to.equal("forged");
    });

    it("that evidence shows to be kept or late, if it is of that reading and log", async () => {
      const publisher = await rig.publisher();
      gateway = await rig.open({ publisher });
      gateway.admit(a);
      const receipt = gateway.receive(reading(0n));
      gateway.receive(reading(1n));
      await rig.settle(gateway);
      const evidence = gateway.evidenceOf(a.id, 0n);
      const { time } = evidence.entry;
      const domain = { chainId: rig.world.chainId, anchor: rig.world.addresses.DataAnchor };
      const receipts = new Receipts(domain);
      const promised = (anchorBy: bigint) => receipts.sign(publisher, receipt.reading, 0n, anchorBy);
      expect(checkReceipt(promised(time), domain, FAR, evidence)).to.equal("kept");
      expect(checkReceipt(promised(time - 1n), domain, FAR, evidence)).to.equal("late");
      const foreign = [
        gateway.evidenceOf(a.id, 1n),
        { ...evidence, anchor: a.id },
        { ...evidence, domain: { ...evidence.domain, chainId: 1n } },
        { ...evidence, entry: { ...evidence.entry, publisher: a.id } },
      ];
      for (const other of foreign) expect(checkReceipt(promised(time), domain, FAR, other)).to.equal("overdue");
    });
  });

  describe("shows evidence", () => {
    it("once a batch is final, and not before", async () => {
      await refused(() => gateway.evidenceOf(a.id, 0n), "ITC_GATEWAY_NOT_KEPT");
      await refused(() => gateway.readingOf(keyOf("b").id, 0n), "ITC_GATEWAY_NOT_KEPT");
      gateway.receive(reading(0n));
      await refused(() => gateway.evidenceOf(a.id, 0n), "ITC_GATEWAY_NOT_FINAL", "waiting");
      gateway.seal();
      await refused(() => gateway.evidenceOf(a.id, 0n), "ITC_GATEWAY_NOT_FINAL", "sealed");
      await gateway.tick();
      await rig.mine();
      await gateway.tick();
      await refused(() => gateway.evidenceOf(a.id, 0n), "ITC_GATEWAY_NOT_FINAL", "anchored");
      await rig.settle(gateway);
      expect(gateway.evidenceOf(a.id, 0n).reading).to.deep.equal(reading(0n));
    });

    it("until it is pruned, which leaves the log and the next number as they are", async () => {
      gateway = await rig.open({ keep: 100n });
      gateway.admit(a);
      gateway.receive(reading(0n));
      await rig.settle(gateway);
      gateway.receive(reading(1n));
      rig.now += 101n;
      await gateway.tick();
      await refused(() => gateway.evidenceOf(a.id, 0n), "ITC_GATEWAY_NOT_KEPT");
      await refused(() => gateway.receive(reading(0n)), "ITC_GATEWAY_SEQUENCE", "pruned");
      await rig.settle(gateway);
      const { entry } = gateway.evidenceOf(a.id, 1n);
      expect([entry.index, entry.siblings.length]).to.deep.equal([1n, 1]);
    });
  });

  it("refuses options that make no sense", async () => {
    const wrong = [
      { file: "" },
      { chainId: 0n },
      { anchor: "0x12" },
      { publisher: keyOf("p", "p256") },
      { fees: { ceiling: 0n } },
      { fees: { ceiling: GWEI, tip: 2n * GWEI } },
      { batch: { readings: 0 } },
      { batch: { seconds: -1n } },
      { intake: { promise: 10n } },
      { confirmations: -1n },
      { poll: 0.5 },
    ];
    for (const options of wrong) await refused(() => rig.open(options as object), "ITC_GATEWAY_OPTIONS");
  });
});
