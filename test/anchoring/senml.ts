import { expect } from "chai";
import {
  decodePack,
  encodePack,
  MAX_PACK_BYTES,
  payloadContent,
  SenmlError,
  type SenmlRecord,
} from "../../toolkit/anchoring/senml.js";
import { describeRecord, resolvePack } from "../../toolkit/anchoring/senml-resolve.js";
import { fromHex, keccak256, toHex } from "../../toolkit/internal/bytes.js";
import { type Decimal, type DecimalInput, decimalOf, decimalText } from "../../toolkit/internal/decimals.js";
import { Dice } from "../invariant/dice.js";

const SEED = Number(process.env.SEED ?? 8428);
const DEVICE = "urn:dev:mac:0024befffe804ff1:";

/** The code of the one error that is thrown. */
function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return error instanceof SenmlError ? error.code : `not ours: ${error}`;
  }
  return "none";
}
const decoding = (hex: string): string => refusal(() => decodePack(fromHex(hex)));
const encoding = (...records: SenmlRecord<DecimalInput>[]): string => refusal(() => encodePack(records));

/** A record that only chance knows. */
function drawn(dice: Dice): SenmlRecord<DecimalInput> {
  const number = (): Decimal => ({ coefficient: BigInt(dice.below(2 ** 32)) - 2n ** 31n, scale: dice.below(19) });
  const value = dice.pick<SenmlRecord<DecimalInput>>([
    { v: number() },
    { v: dice.below(1000) / 8 },
    { vs: "ü".repeat(dice.below(30)) },
    { vb: dice.chance(50) },
    { vd: dice.bytes() },
    { s: number() },
  ]);
  return {
    ...(dice.chance(30) && { bn: DEVICE, bt: 1_700_000_000, bu: "Cel" }),
    ...(dice.chance(20) && { bv: number(), bs: number(), bver: 10 }),
    ...(dice.chance(50) && { n: `s${dice.below(9)}`, u: "m/s", t: number(), ut: dice.below(60) }),
    ...value,
  };
}

describe("SenML packs", () => {
  it("have one encoding, that of RFC 8428 and RFC 8949", () => {
    const pack = encodePack([
      { v: 21.5, u: "Cel", n: "t", bt: 1_700_000_000, bn: DEVICE },
      { n: "on", vb: true },
    ]);
    const name = Buffer.from(DEVICE).toString("hex");
    const first = `a5 00 6174 01 6343656c 02 c4 82 20 18d7 21 781d ${name} 22 1a6553f100`;
    expect(toHex(pack)).to.equal(`0x${`82 ${first} a2 00 626f6e 04 f5`.replaceAll(" ", "")}`);
  });

  it("write an integer as one, and any other number as the one decimal fraction that it is", () => {
    const numbers: [DecimalInput, string][] = [
      [0, "00"],
      [-0, "00"],
      [5n, "05"],
      [-1, "20"],
      [1e3, "1903e8"],
      [0.1, "c4822001"],
      [-0.05, "c4822124"],
      [1e-7, "c4822601"],
      [{ coefficient: 1230n, scale: 3 }, "c48221187b"],
      [{ coefficient: 500n, scale: 2 }, "05"],
      [{ coefficient: 0n, scale: 9 }, "00"],
      [2n ** 63n - 1n, "1b7fffffffffffffff"],
      [-(2n ** 63n), "3b7fffffffffffffff"],
    ];
    for (const [v, hex] of numbers) {
      const bytes = encodePack([{ v }]);
      expect([v, toHex(bytes)]).to.deep.equal([v, `0x81a102${hex}`]);
      expect(decodePack(bytes)).to.deep.equal([{ v: decimalOf(v) }]);
    }
    for (const v of [Number.NaN, Infinity, 2n ** 63n, -(2n ** 63n) - 1n, 1e-19, { coefficient: 1n, scale: 19 }]) {
      expect(encoding({ v })).to.equal("ITC_SENML_RECORD");
    }
  });

  it("are read back as they were written, by chance", () => {
    const dice = new Dice(SEED);
    for (let run = 0; run < 400; run++) {
      const records = Array.from({ length: 1 + dice.below(6) }, () => drawn(dice));
      const bytes = encodePack(records);
      const read = decodePack(bytes);
      expect(toHex(encodePack(read)), `SEED=${SEED}, run ${run}`).to.equal(toHex(bytes));
    }
  });

  it("are refused in any other encoding", () => {
    const wrong: [string, string][] = [
      ["9fa10202ff", "ITC_SENML_CBOR"], // indefinite array
      ["81bf0202ff", "ITC_SENML_CBOR"], // indefinite map
      ["81a1037f6161ff", "ITC_SENML_CBOR"], // indefinite text
      ["81a1021801", "ITC_SENML_CBOR"], // a longer head than needed
      ["81a2020202 03", "ITC_SENML_CBOR"], // twice the same label
      ["81a10202 00", "ITC_SENML_CBOR"], // bytes behind
      ["81a102", "ITC_SENML_CBOR"], // cut off
      ["81a102f97e00", "ITC_SENML_CBOR"], // NaN
      ["81a102f97c00", "ITC_SENML_CBOR"], // infinity
      ["81a102c1 02", "ITC_SENML_CBOR"], // another tag
      ["81a102c24102", "ITC_SENML_CBOR"], // a bignum
      ["81a102f7", "ITC_SENML_CBOR"], // undefined
      ["81a2 02 02 00 6174", "ITC_SENML_NOT_CANONICAL"], // labels out of order
      ["81a102f94000", "ITC_SENML_NOT_CANONICAL"], // a float that is an integer
      ["81a102f98000", "ITC_SENML_NOT_CANONICAL"], // -0.0
      ["81a102fb4035800000000000", "ITC_SENML_NOT_CANONICAL"], // a longer float than needed
      ["81a10361ff", "ITC_SENML_NOT_CANONICAL"], // no UTF-8
      ["81a102f94d60", "ITC_SENML_RECORD"], // a float
      ["81a102c4820005", "ITC_SENML_RECORD"], // a decimal fraction that is an integer
      ["81a102c4822001", "none"],
      ["81a102c482201817", "ITC_SENML_CBOR"], // a mantissa with a longer head than needed
      ["81a102c48220181e", "ITC_SENML_RECORD"], // 30 × 10^-1
      ["81a102c4822000", "ITC_SENML_RECORD"], // 0 × 10^-1
      ["81a102c4823201", "ITC_SENML_RECORD"], // 10^-19
      ["81a102c48120", "ITC_SENML_RECORD"], // no mantissa
    ];
    for (const [hex, code] of wrong) expect([hex, decoding(hex.replaceAll(" ", ""))]).to.deep.equal([hex, code]);
  });

  it("are refused when a record isn't one", () => {
    for (const hex of ["00", "a0", "80", "8100", "81a0", "8180", "81a10000", "81a10200".replace("0200", "0001")]) {
      expect([hex, decoding(hex)]).to.deep.equal([hex, "ITC_SENML_RECORD"]);
    }
    expect(decoding("81a2020204f5"), "two values").to.equal("ITC_SENML_RECORD");
    expect(decoding("81a10261 31".replace(" ", "")), "text for a number").to.equal("ITC_SENML_RECORD");
    expect(decoding("81a220 0b 02 02".replaceAll(" ", "")), "a version to come").to.equal("ITC_SENML_NOT_CANONICAL");
    expect(decoding("81a20202200b"), "a version to come").to.equal("ITC_SENML_RECORD");
    expect(decoding("81a20202200a"), "this version").to.equal("none");
    for (const record of [{}, { n: "x" }, { v: 1, vb: true }, { v: 1, x: 2 }, { v: "1" }, { vd: "00" }]) {
      expect(encoding(record as SenmlRecord)).to.equal("ITC_SENML_RECORD");
    }
    expect(encoding()).to.equal("ITC_SENML_RECORD");
    expect(encoding({ vs: "x", n: "n".repeat(1025) })).to.equal("ITC_SENML_RECORD");
  });

  it("are refused for labels that must be understood, and read without others that aren't", () => {
    expect(decoding("81a20202626d5f01")).to.equal("ITC_SENML_LABEL");
    expect(decoding("81a202020901")).to.equal("ITC_SENML_LABEL");
    // "v" by its name, beside its number.
    expect(decoding("81a30061610201617601")).to.equal("ITC_SENML_LABEL");
    expect(decodePack(fromHex("81a2020262637401"))).to.deep.equal([{ v: decimalOf(2) }]);
  });

  it("are refused when they are too large or too deep", () => {
    const large = new Uint8Array(MAX_PACK_BYTES + 1);
    expect(refusal(() => decodePack(large))).to.equal("ITC_SENML_TOO_LARGE");
    expect(encoding({ vs: "x".repeat(MAX_PACK_BYTES) })).to.equal("ITC_SENML_TOO_LARGE");
    for (const byte of [0x81, 0xc4, 0xa1]) {
      expect(refusal(() => decodePack(new Uint8Array(MAX_PACK_BYTES).fill(byte)))).to.equal("ITC_SENML_CBOR");
    }
  });

  it("use units that IANA lists, and secondary ones by their version; those of others are read", () => {
    expect(encoding({ v: 1, u: "furlong" })).to.equal("ITC_SENML_UNIT");
    expect(encoding({ v: 1, bu: "C°" })).to.equal("ITC_SENML_UNIT");
    expect(encoding({ v: 1, u: "kWh" })).to.equal("ITC_SENML_UNIT");
    expect(encoding({ v: 1, u: "kWh", bver: 26 })).to.equal("none");
    expect(encoding({ v: 1, bver: 10, u: "Cel" }, { v: 1, u: "%RH" })).to.equal("none");
    expect(decoding("81a20167667572 6c6f6e670202".replace(" ", ""))).to.equal("none");
  });

  it("throw nothing but their own error, whatever the bytes are, and read only what they'd write", () => {
    const dice = new Dice(SEED);
    let read = 0;
    for (let run = 0; run < 4000; run++) {
      const bytes = encodePack(Array.from({ length: 1 + dice.below(3) }, () => drawn(dice)));
      for (let k = dice.below(3); k >= 0; k--) bytes[dice.below(bytes.length)] = dice.below(256);
      const cut = dice.chance(20) ? bytes.subarray(0, dice.below(bytes.length)) : bytes;
      const code = refusal(() => decodePack(cut));
      expect(code, `SEED=${SEED}, run ${run}: ${toHex(cut)}`).to.match(/^(none|ITC_SENML_[A-Z_]+)$/);
      if (code === "none") read += 1;
    }
    expect(read).to.be.greaterThan(0);
  });

  it("commit to their bytes under a salt", () => {
    const bytes = encodePack([{ v: 1 }]);
    const salt = new Uint8Array(32).fill(7);
    expect(payloadContent(bytes, salt)).to.deep.equal({ kind: "payload", hash: keccak256(bytes), salt });
  });
});

describe("Resolving SenML", () => {
  const resolved = (...records: SenmlRecord<DecimalInput>[]) =>
    resolvePack(decodePack(encodePack(records)), 1_700_000_000n);

  it("gives each record its whole name, unit, value and time, in the order of time", () => {
    const [first, second, third] = resolved(
      { bn: DEVICE, bt: 1_700_000_100, bu: "A", bv: 0.25, n: "current", t: 2, v: 1.5 },
      { n: "voltage", u: "V", v: 120, t: -5.5 },
      { bn: "urn:x:", n: "door", vb: true, ut: 60 },
    );
    expect([first, second, third].map((one) => decimalText(one?.time ?? decimalOf(0)))).to.deep.equal([
      "1700000094.5",
      "1700000100",
      "1700000102",
    ]);
    expect([first, second, third].map((one) => one && describeRecord(one))).to.deep.equal([
      `${DEVICE}voltage = 120.25 V`,
      "urn:x:door = true A",
      `${DEVICE}current = 1.75 A`,
    ]);
    expect(second?.updateTime).to.deep.equal(decimalOf(60));
  });

  it("adds base sums, to a record without a sum of its own too", () => {
    const [first, second] = resolved({ n: "e", bs: 10, s: 0.5 }, { n: "e", v: 1 });
    expect([first, second].map((one) => one && describeRecord(one))).to.deep.equal([
      "e =  (sum 10.5)",
      "e = 1 (sum 10)",
    ]);
  });

  it("counts times below 2^28 from the time of the reading", () => {
    const times = resolved({ n: "a", v: 1 }, { n: "b", v: 1, t: -10 }, { n: "c", v: 1, t: 2 ** 28 }).map(
      ({ time }) => time,
    );
    expect(times.map(decimalText)).to.deep.equal([String(2 ** 28), "1699999990", "1700000000"]);
  });

  it("refuses names that aren't, and two versions", () => {
    for (const n of ["", "-a", "a b", "ä", "a\u0000"])
      expect(refusal(() => resolved({ v: 1, n }))).to.equal("ITC_SENML_NAME");
    const two = { n: "a", v: 1 };
    expect(refusal(() => resolved({ ...two, bver: 10 }, { ...two, bver: 26 }))).to.equal("ITC_SENML_VERSION");
  });

  it("shows bytes by their length", () => {
    expect(resolved({ n: "d", vd: new Uint8Array(3) }).map(describeRecord)).to.deep.equal(["d = 3 bytes"]);
  });
});
