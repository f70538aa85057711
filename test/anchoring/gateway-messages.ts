import { generateKeyPairSync } from "node:crypto";
import { expect } from "chai";
import { spellingsOf } from "../../toolkit/anchoring/device-signatures.js";
import type { Gateway } from "../../toolkit/anchoring/gateway.js";
import {
  MAX_MESSAGE_BYTES,
  readDraft,
  readReadingCbor,
  readReadingJson,
  readReceipt,
  readStatement,
  writeDraft,
  writeReadingCbor,
  writeReadingJson,
  writeReceipt,
  writeStatement,
} from "../../toolkit/anchoring/gateway-messages.js";
import { type SignedReading, signReading } from "../../toolkit/anchoring/readings.js";
import { contractKey, recoverKey, rsaKey } from "../../toolkit/identity/keys.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { highS, keyOf } from "../identity/fleet.js";
import { onRig, type Rig, rain, refused } from "./gateway-rig.js";

const a = keyOf("a");
const nothing = new Uint8Array();

describe("What a gateway is sent", () => {
  let rig: Rig;
  let gateway: Gateway;
  const reading = (sequence: bigint, changes: Partial<SignedReading> = {}): SignedReading =>
    rig.reading("a", sequence, changes);

  onRig(
    (one) => {
      rig = one;
    },
    async () => {
      gateway = await rig.open();
      gateway.admit(a);
    },
  );

  describe("takes each signature that means the same", () => {
    for (const kind of ["secp256k1", "p256"] as const) {
      it(`whichever s or v a chip puts out (${kind})`, async () => {
        const key = keyOf("chip", kind);
        gateway.admit(key);
        let sequence = 0n;
        const spellings = (signature: Uint8Array): Uint8Array[] => {
          const high = fromHex(highS(toHex(signature), kind));
          if (kind === "p256") return [signature, high];
          const zero = (one: Uint8Array) => Uint8Array.from([...one.subarray(0, 64), (one[64] ?? 27) - 27]);
          return [signature, high, zero(signature), zero(high), signature.subarray(0, 64), high.subarray(0, 64)];
        };
        for (let k = 0; k < spellings(new Uint8Array(65).fill(1)).length; k++, sequence++) {
          const said = { sequence, time: rig.now, schema: rain, content: rain };
          const right = signReading(key, rig.world.digests, said);
          gateway.receive({ ...right, signature: spellings(right.signature)[k] ?? nothing });
          expect(toHex(gateway.readingOf(key.id, sequence).reading.signature)).to.equal(toHex(right.signature));
        }
      });
    }

    it("and leaves alone what is none", () => {
      expect(spellingsOf("rsa2048", new Uint8Array(256)).length).to.equal(1);
      expect(spellingsOf("secp256k1", new Uint8Array(65).fill(2))).to.deep.equal([]);
      expect(spellingsOf("p256", new Uint8Array(63)).length).to.equal(1);
      expect(recoverKey(new Uint8Array(32), new Uint8Array(65))).to.equal(undefined);
    });

    it("of RSA keys, but not of contracts, which only the chain can ask", async () => {
      const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
      const key = rsaKey(privateKey);
      gateway.admit(key);
      gateway.receive(
        signReading(key, rig.world.digests, { sequence: 0n, time: rig.now, schema: rain, content: rain }),
      );
      await refused(() => gateway.admit(contractKey(rig.world.addresses.ITC)), "ITC_GATEWAY_KEY");
    });
  });

  describe("reads messages", () => {
    const sent = (payload = nothing) => ({ reading: reading(0n), payload });

    it("as JSON and as CBOR, with or without a payload, as they were written", () => {
      for (const payload of [nothing, new Uint8Array([1, 2, 3]), new Uint8Array(64 * 1024)]) {
        expect(readReadingJson(writeReadingJson(sent(payload)))).to.deep.equal(sent(payload));
        expect(readReadingCbor(writeReadingCbor(sent(payload)))).to.deep.equal(sent(payload));
      }
      const far = { reading: { ...reading(0n), sequence: 2n ** 64n - 1n }, payload: nothing };
      expect(readReadingCbor(writeReadingCbor(far))).to.deep.equal(far);
      expect(readReadingJson(writeReadingJson(far))).to.deep.equal(far);
      expect(writeReadingCbor(sent()).length).to.be.lessThan(180);
      const { reading: first } = gateway.receiveJson(writeReadingJson(sent()));
      expect(gateway.receiveCbor(writeReadingCbor(sent())).reading).to.deep.equal(first);
    });

    it("and refuses what is too large or nested deep, without looking into it", async () => {
      const gigabyte = "[".repeat(2 ** 29 - 24);
      await refused(() => gateway.receiveJson(gigabyte), "ITC_GATEWAY_TOO_LARGE");
      await refused(() => gateway.receiveCbor(new Uint8Array(MAX_MESSAGE_BYTES + 1)), "ITC_GATEWAY_TOO_LARGE");
      for (const deep of ["[".repeat(10_000) + "]".repeat(10_000), `${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`]) {
        await refused(() => gateway.receiveJson(deep), "ITC_GATEWAY_MALFORMED");
      }
      await refused(() => gateway.receiveCbor(new Uint8Array(100_000).fill(0x81)), "ITC_GATEWAY_MALFORMED");
      await refused(() => gateway.receiveCbor(new Uint8Array(100_000).fill(0xd8)), "ITC_GATEWAY_MALFORMED");
    });

    it("and refuses each with a part missing, added, or of another type", async () => {
      const message: object = JSON.parse(writeReadingJson(sent(new Uint8Array(3))));
      for (const name of Object.keys(message)) {
        for (const value of [undefined, null, 7, "", "0x", "0xzz", "-1", "1e3", "01", "18446744073709551616", [], {}]) {
          if (name === "payload" && (value === undefined || value === "0x")) continue;
          if (name === "signature" && value === "0x") continue;
          const changed = JSON.stringify({ ...message, [name]: value });
          await refused(() => gateway.receiveJson(changed), "ITC_GATEWAY_MALFORMED");
        }
      }
      await refused(() => gateway.receiveJson(JSON.stringify({ ...message, more: 1 })), "ITC_GATEWAY_MALFORMED");
      for (const text of ["", "null", "7", "[]", "{", "\0"]) {
        await refused(() => gateway.receiveJson(text), "ITC_GATEWAY_MALFORMED");
      }
      const bytes = writeReadingCbor(sent());
      for (let length = 0; length < bytes.length; length++) {
        await refused(() => gateway.receiveCbor(bytes.subarray(0, length)), "ITC_GATEWAY_MALFORMED");
      }
      await refused(() => gateway.receiveCbor(Uint8Array.from([...bytes, 0])), "ITC_GATEWAY_MALFORMED");
      expect(gateway.nextOf(a.id)).to.equal(0n);
    });

    it("and receipts", async () => {
      const receipt = gateway.receive(reading(0n));
      expect(readReceipt(writeReceipt(receipt))).to.deep.equal(receipt);
      const message: object = JSON.parse(writeReceipt(receipt));
      for (const name of Object.keys(message)) {
        for (const value of [undefined, null, 7, "", "0x", []]) {
          await refused(() => readReceipt(JSON.stringify({ ...message, [name]: value })), "ITC_GATEWAY_MALFORMED");
        }
      }
      await refused(() => readReceipt(" ".repeat(MAX_MESSAGE_BYTES + 1)), "ITC_GATEWAY_TOO_LARGE");
    });

    it("and drafts and statements of batches", async () => {
      const [numbers, word] = [{ index: 1n, firstSequence: 2n ** 64n - 1n, count: 1n }, new Uint8Array(32).fill(7)];
      const draft = { device: a.id, ...numbers, salt: word.slice(1), entry: word };
      const statement = { ...draft, signature: a.sign(word) };
      expect(readDraft(writeDraft(statement))).to.deep.equal(draft);
      expect(readStatement(writeStatement(statement))).to.deep.equal(statement);
      await refused(() => readDraft(writeStatement(statement)), "ITC_GATEWAY_MALFORMED");
      const message: object = JSON.parse(writeStatement(statement));
      for (const name of Object.keys(message)) {
        for (const value of [undefined, null, 7, "", "0x0", "-1", []]) {
          await refused(() => readStatement(JSON.stringify({ ...message, [name]: value })), "ITC_GATEWAY_MALFORMED");
        }
      }
      await refused(() => readStatement(" ".repeat(MAX_MESSAGE_BYTES + 1)), "ITC_GATEWAY_TOO_LARGE");
      await refused(() => readDraft(" ".repeat(MAX_MESSAGE_BYTES + 1)), "ITC_GATEWAY_TOO_LARGE");
    });

    it("and never throws anything but a named error, whatever the bit that has fallen over", async () => {
      const bytes = writeReadingCbor(sent(new Uint8Array(3)));
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const spoilt = Uint8Array.from(bytes);
        spoilt[bit >> 3] = (spoilt[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        let code = "taken";
        try {
          gateway.receiveCbor(spoilt);
        } catch (error) {
          code = (error as { code: string }).code;
        }
        // A payload isn't signed by itself; what the reading commits to is.
        if (code !== "taken") expect(code).to.match(/^ITC_GATEWAY_/);
        else expect(bit >> 3, "only the payload").to.be.greaterThan(bytes.length - 4);
      }
    });
  });
});
