import { expect } from "chai";
import { type BaseContract, Interface } from "ethers";
import { network } from "hardhat";
import {
  addDistinct,
  addHash,
  estimateDistinct,
  hasRightRanks,
  maxRank,
  mergeDistinct,
} from "../../toolkit/analytics/hyperloglog.js";
import { intBytes, keccak256, toHex } from "../../toolkit/internal/bytes.js";
import { Dice } from "../invariant/dice.js";

const SEEDS = Number(process.env.SEEDS ?? 40);
const MAX = 2n ** 256n - 1n;
const library = {
  interface: new Interface([
    "error HyperLogLogBadLength(uint256 length)",
    "error HyperLogLogUnlike(uint256 length, uint256 other)",
  ]),
};

/** Registers as the definition has them, bit by bit. */
function plainAdd(registers: Uint8Array, value: bigint): void {
  const bits = [...keccak256(intBytes(value, 32)).slice(0, 8)]
    .map((byte) => byte.toString(2).padStart(8, "0"))
    .join("");
  const precision = Math.log2(registers.length);
  const place = Number.parseInt(bits.slice(0, precision), 2);
  const first = bits.slice(precision).indexOf("1");
  registers[place] = Math.max(registers[place] ?? 0, first < 0 ? 64 - precision + 1 : first + 1);
}

/** Algorithm 6 of Ertl 2017 in floating point, from the histogram of the registers. */
function plainEstimate(registers: Uint8Array): number {
  const [m, q] = [registers.length, maxRank(registers) - 1];
  const counts = new Array<number>(q + 2).fill(0);
  for (const register of registers) counts[register] = (counts[register] ?? 0) + 1;
  const at = (k: number) => counts[k] ?? 0;
  let z = m * plainTau(1 - at(q + 1) / m);
  for (let k = q; k >= 1; k--) z = (z + at(k)) / 2;
  return (m * m) / (2 * Math.LN2) / (z + m * plainSigma(at(0) / m));
}

function plainSigma(x: number): number {
  if (x === 1) return Number.POSITIVE_INFINITY;
  let sum = x;
  for (let [y, power] = [1, x * x]; power * y > 1e-18; y *= 2, power *= power) sum += power * y;
  return sum;
}

function plainTau(x: number): number {
  if (x === 0 || x === 1) return 0;
  let sum = 1 - x;
  for (let [y, root] = [0.5, Math.sqrt(x)]; y > 1e-18; y /= 2, root = Math.sqrt(root)) sum -= (1 - root) ** 2 * y;
  return sum / 3;
}

/** 64 random bits at a time, in two halves, fast: xoshiro128**. They stand for hashes of distinct values. */
function hashes(seed: number): () => number {
  const start = new DataView(keccak256(intBytes(BigInt(seed), 32)).slice().buffer);
  let [a, b, c, d] = [start.getInt32(0), start.getInt32(4), start.getInt32(8), start.getInt32(12)];
  const turned = (x: number, by: number) => (x << by) | (x >>> (32 - by));
  return () => {
    const drawn = Math.imul(turned(Math.imul(b, 5), 7), 9);
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = turned(d, 11);
    return drawn >>> 0;
  };
}

/** The estimate's relative error for so many distinct values. */
function errorFor(seed: number, precision: number, values: number): number {
  const registers = new Uint8Array(2 ** precision);
  const next = hashes(seed);
  for (let k = 0; k < values; k++) addHash(registers, next(), next());
  return Number(estimateDistinct(registers)) / values - 1;
}

/** Registers with ranks that a sketch of so many values might hold. */
function registersOf(roll: Dice, precision: number, values: number): Uint8Array {
  const registers = new Uint8Array(2 ** precision);
  const next = hashes(roll.below(2 ** 30));
  for (let k = 0; k < values; k++) addHash(registers, next(), next());
  return registers;
}

/** Registers that are full or nearly so: alone here it counts what full ones say. */
function highRanks(roll: Dice, precision: number): Uint8Array {
  return Uint8Array.from({ length: 2 ** precision }, () => 65 - precision - roll.below(3));
}

const anyBytes = (roll: Dice, length: number) => Uint8Array.from({ length }, () => roll.below(256));
const sum = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);

describe("HyperLogLog", () => {
  describe("in the toolkit", () => {
    it("has the registers of the definition", () => {
      const roll = new Dice(1);
      for (const precision of [5, 10, 12, 14, 16]) {
        const [fast, plain] = [new Uint8Array(2 ** precision), new Uint8Array(2 ** precision)];
        const values = [0n, 1n, -1n, 2n ** 255n - 1n, -(2n ** 255n)];
        for (let k = 0; k < 500; k++) values.push(BigInt(roll.below(2 ** 31)) - 2n ** 30n);
        for (const value of values) {
          addDistinct(fast, value);
          plainAdd(plain, value);
        }
        expect(toHex(fast)).to.equal(toHex(plain));
      }
    });

    it("counts all zeros that a hash can have, and no more", () => {
      for (const precision of [5, 10, 14, 16]) {
        for (let zeros = 0; zeros <= 64 - precision; zeros++) {
          const registers = new Uint8Array(2 ** precision);
          const hash = (1n << BigInt(64 - precision)) >> BigInt(zeros + 1);
          addHash(registers, Number(hash >> 32n), Number(hash & 0xffffffffn));
          expect(registers[0]).to.equal(zeros + 1);
        }
        expect(maxRank(new Uint8Array(2 ** precision))).to.equal(65 - precision);
      }
    });

    it("takes a value that comes again, or in another order, for the same", () => {
      const values = Array.from({ length: 300 }, (_, k) => BigInt(k * k));
      const [once, often] = [new Uint8Array(1024), new Uint8Array(1024)];
      for (const value of values) addDistinct(once, value);
      for (const value of [...values.reverse(), ...values]) addDistinct(often, value);
      expect(toHex(often)).to.equal(toHex(once));
      expect(Math.abs(Number(estimateDistinct(once)) - 300)).to.be.at.most(30);
    });

    it("estimates what the paper's algorithm does in floating point", () => {
      const roll = new Dice(2);
      for (const precision of [5, 10, 14]) {
        for (const values of [1, 10, 1000, 10_000, 100_000]) {
          const registers = registersOf(roll, precision, values);
          const plain = plainEstimate(registers);
          expect(Math.abs(Number(estimateDistinct(registers)) - plain)).to.be.at.most(0.5 + plain * 1e-9);
          // Some full registers, as only 2^64 values would leave them.
          for (let k = 0; k < registers.length; k += 1 + roll.below(9)) registers[k] = maxRank(registers);
          const full = plainEstimate(registers);
          expect(Math.abs(Number(estimateDistinct(registers)) - full)).to.be.at.most(0.5 + full * 1e-9);
          const high = highRanks(roll, precision);
          expect(Math.abs(Number(estimateDistinct(high)) / plainEstimate(high) - 1)).to.be.below(1e-9);
        }
      }
    });

    it("estimates 0 of no values, 1 of one, and infinity of full registers", () => {
      for (const precision of [10, 12, 14]) {
        const registers = new Uint8Array(2 ** precision);
        expect(estimateDistinct(registers)).to.equal(0n);
        addDistinct(registers, 42n);
        expect(estimateDistinct(registers)).to.equal(1n);
        expect(estimateDistinct(registers.fill(65 - precision))).to.equal(MAX);
      }
    });

    it("is off by at most 3 × 1.04 / √m at 1,000,000 values in 99 of 100 cases, and not to one side (m = 2^12)", () => {
      const deviation = 1.04 / Math.sqrt(2 ** 12);
      const errors = Array.from({ length: SEEDS }, (_, seed) => errorFor(seed, 12, 1_000_000));
      const outside = errors.filter((error) => Math.abs(error) > 3 * deviation);
      expect(outside.length, `${outside}`).to.be.at.most(Math.floor(SEEDS / 100));
      expect(Math.abs(sum(errors) / SEEDS)).to.be.below((4 * deviation) / Math.sqrt(SEEDS));
      expect(Math.sqrt(sum(errors.map((error) => error ** 2)) / SEEDS)).to.be.within(deviation / 2, deviation * 1.5);
    }).timeout(120_000 + SEEDS * 1000);

    it("is off to no side where others change from linear counting to the raw estimate", () => {
      const seeds = 200;
      const deviation = 1.04 / Math.sqrt(2 ** 10);
      for (const share of [0.1, 0.5, 1, 2, 2.5, 3, 4, 5, 8]) {
        const errors = Array.from({ length: seeds }, (_, seed) => errorFor(seed, 10, Math.round(share * 1024)));
        const text = `${share} m: ${(100 * sum(errors)) / seeds} %`;
        expect(Math.abs(sum(errors) / seeds), text).to.be.below((4 * deviation) / Math.sqrt(seeds));
        expect(Math.sqrt(sum(errors.map((error) => error ** 2)) / seeds), text).to.be.below(deviation * 1.2);
      }
    });

    it("holds with keccak as it does with random bits", () => {
      for (const seed of [1n, 2n]) {
        const registers = new Uint8Array(2 ** 12);
        for (let k = 0n; k < 50_000n; k++) addDistinct(registers, (seed << 64n) + k);
        expect(Math.abs(Number(estimateDistinct(registers)) / 50_000 - 1)).to.be.below(3 * (1.04 / 64));
      }
    });

    it("merges to what one sketch of both would be: in any order, however grouped, however often", () => {
      const roll = new Dice(3);
      const [a, b, c] = [300, 3000, 30_000].map((values) => registersOf(roll, 10, values));
      if (!a || !b || !c) throw new Error("There are three.");
      const empty = new Uint8Array(1024);
      const same = (x: Uint8Array, y: Uint8Array) => expect(toHex(x)).to.equal(toHex(y));
      same(mergeDistinct(a, b), mergeDistinct(b, a));
      same(mergeDistinct(mergeDistinct(a, b), c), mergeDistinct(a, mergeDistinct(b, c)));
      same(mergeDistinct(a, a), a);
      same(mergeDistinct(a, empty), a);
      const [left, right, both] = [new Uint8Array(1024), new Uint8Array(1024), new Uint8Array(1024)];
      for (let k = 0n; k < 900n; k++) {
        if (k < 600n) addDistinct(left, k);
        if (k >= 300n) addDistinct(right, k);
        addDistinct(both, k);
      }
      same(mergeDistinct(left, right), both);
    });

    it("refuses other numbers of registers", () => {
      for (const length of [0, 16, 33, 1000, 131_072]) {
        const registers = new Uint8Array(length);
        for (const use of [maxRank, hasRightRanks, estimateDistinct]) expect(() => use(registers)).to.throw(RangeError);
        expect(() => addDistinct(registers, 1n)).to.throw(RangeError);
      }
      expect(() => mergeDistinct(new Uint8Array(32), new Uint8Array(64))).to.throw(RangeError);
    });
  });

  describe("on chain", () => {
    let reference: BaseContract;
    const call = (name: string, ...args: unknown[]) => reference.getFunction(name)(...args);

    before(async () => {
      const { ethers } = await network.create();
      reference = await ethers.deployContract("SketchReference");
    });

    it("has the registers of the toolkit", async () => {
      const roll = new Dice(4);
      for (const precision of [5, 10, 14, 16]) {
        const values = [0n, -1n, 2n ** 255n - 1n, -(2n ** 255n)];
        for (let k = 0; k < 60; k++) values.push(BigInt.asIntN(256, BigInt(toHex(roll.bytes()))));
        const own = registersOf(roll, precision, 100);
        const [theirs] = await call("addDistinct", own, values);
        for (const value of values) addDistinct(own, value);
        expect(theirs).to.equal(toHex(own));
      }
    });

    it("counts all zeros that a hash can have, as the toolkit does", async () => {
      for (const precision of [5, 10, 14]) {
        const place = 2n ** BigInt(precision) - 2n;
        for (let zeros = 0; zeros <= 64 - precision; zeros++) {
          const hash = (place << BigInt(64 - precision)) | ((1n << BigInt(64 - precision)) >> BigInt(zeros + 1));
          const own = new Uint8Array(2 ** precision);
          addHash(own, Number(hash >> 32n), Number(hash & 0xffffffffn));
          expect(own[Number(place)]).to.equal(zeros + 1);
          expect(await call("addHash", new Uint8Array(2 ** precision), hash)).to.equal(toHex(own));
        }
      }
    });

    it("merges any bytes as plain Solidity and the toolkit do", async () => {
      const roll = new Dice(5);
      for (let k = 0; k < 40; k++) {
        const length = 32 * (1 + roll.below(9));
        const [a, b] = [anyBytes(roll, length), anyBytes(roll, length)];
        // Bytes that are the same, or differ by one, are where a borrow would show.
        for (let j = 0; j < length; j += 1 + roll.below(3)) b[j] = (a[j] ?? 0) + roll.below(3) - 1;
        const [fast, plain] = await call("mergeDistinct", a, b);
        expect([fast, plain]).to.deep.equal([toHex(mergeDistinct(a, b)), toHex(mergeDistinct(a, b))]);
      }
    });

    it("estimates what the toolkit does, bit for bit: sketches of all sizes, full registers, any bytes", async () => {
      const roll = new Dice(6);
      for (const precision of [5, 10, 12, 14]) {
        const sketches = [0, 1, 3, 40, 1000, 5000, 200_000].map((values) => registersOf(roll, precision, values));
        const size = 2 ** precision;
        sketches.push(new Uint8Array(size).fill(65 - precision), new Uint8Array(size).fill(255));
        sketches.push(
          anyBytes(roll, size),
          Uint8Array.from({ length: size }, () => roll.below(66 - precision)),
        );
        const nearlyFull = new Uint8Array(size).fill(65 - precision);
        nearlyFull[roll.below(size)] = 1;
        const nearlyEmpty = new Uint8Array(size);
        nearlyEmpty[roll.below(size)] = 65 - precision;
        for (const registers of [...sketches, nearlyFull, nearlyEmpty, highRanks(roll, precision)]) {
          expect((await call("estimateDistinct", registers))[0]).to.equal(estimateDistinct(registers));
        }
      }
    });

    it("knows ranks that there aren't, wherever they stand", async () => {
      const roll = new Dice(7);
      for (const precision of [5, 10, 12]) {
        const top = 65 - precision;
        const right = Uint8Array.from({ length: 2 ** precision }, () => roll.below(top + 1));
        expect([...(await call("isWellFormed", right))]).to.deep.equal([true, true]);
        for (const wrong of [top + 1, 127, 128, 129, 255]) {
          for (let k = 0; k < 6; k++) {
            const registers = right.slice();
            registers[roll.below(registers.length)] = wrong;
            expect([...(await call("isWellFormed", registers))]).to.deep.equal([false, false]);
            expect(hasRightRanks(registers)).to.equal(false);
          }
        }
        expect(hasRightRanks(right)).to.equal(true);
      }
    });

    it("refuses other lengths", async () => {
      for (const length of [0, 16, 33, 96, 131_072]) {
        const registers = new Uint8Array(length);
        for (const name of ["isWellFormed", "estimateDistinct"]) {
          await expect(call(name, registers))
            .to.be.revertedWithCustomError(library, "HyperLogLogBadLength")
            .withArgs(length);
        }
        await expect(call("addDistinct", registers, [1n]))
          .to.be.revertedWithCustomError(library, "HyperLogLogBadLength")
          .withArgs(length);
      }
      for (const [a, b] of [
        [32, 64],
        [64, 32],
        [33, 33],
      ] as const) {
        await expect(call("mergeDistinct", new Uint8Array(a), new Uint8Array(b)))
          .to.be.revertedWithCustomError(library, "HyperLogLogUnlike")
          .withArgs(a, b);
      }
    });

    it("merges 1,024 registers for less than 7,000 gas, and estimates them for less than 32,000", async () => {
      const roll = new Dice(8);
      for (const [precision, merge, estimate] of [
        [10, 7_000, 32_000],
        [14, 105_000, 480_000],
      ] as const) {
        const [a, b] = [registersOf(roll, precision, 9000), registersOf(roll, precision, 30_000)];
        const merged = Number((await call("mergeDistinct", a, b))[2]);
        const estimated = Number((await call("estimateDistinct", b))[1]);
        const values = Array.from({ length: 100 }, (_, k) => BigInt(k));
        const added = Number((await call("addDistinct", a, values))[1]) / 100;
        if (process.env.GAS) console.log(`2^${precision}: merge ${merged}, estimate ${estimated}, add ${added}`);
        expect(merged).to.be.within(1000, merge);
        expect(estimated).to.be.within(1000, estimate);
        expect(added).to.be.within(100, 900);
      }
    });
  });
});
