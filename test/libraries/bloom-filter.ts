import { expect } from "chai";
import { type BaseContract, Interface } from "ethers";
import { network } from "hardhat";
import { addMember, estimateMembers, fillOf, hasMember, mergeMembers } from "../../toolkit/analytics/bloom.js";
import { intBytes, keccak256, toHex } from "../../toolkit/internal/bytes.js";
import { Dice } from "../invariant/dice.js";

const MAX = 2n ** 256n - 1n;
const EDGES = [0n, 1n, -1n, 2n ** 255n - 1n, -(2n ** 255n)];
const library = {
  interface: new Interface([
    "error BloomFilterBadLength(uint256 length)",
    "error BloomFilterUnlike(uint256 length, uint256 other)",
    "error BloomFilterNoHashes()",
  ]),
};

const emptyOf = (size: number) => new Uint8Array(2 ** size / 8);
const anyBytes = (roll: Dice, length: number) => Uint8Array.from({ length }, () => roll.below(256));
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, k) => BigInt(from + k));

/** The bits of a value by the definition, in whole numbers of any length. */
function plainPlaces(value: bigint, size: number, hashes: number): bigint[] {
  const hash = BigInt(toHex(keccak256(intBytes(value, 32))));
  const [a, b] = [hash >> 128n, (hash & (2n ** 128n - 1n)) | 1n];
  return Array.from({ length: hashes }, (_, k) => (a + BigInt(k) * b) % 2n ** BigInt(size));
}

function filterOf(size: number, hashes: number, values: readonly bigint[]): Uint8Array {
  const filter = emptyOf(size);
  for (const value of values) addMember(filter, hashes, value);
  return filter;
}

describe("BloomFilter", () => {
  describe("in the toolkit", () => {
    it("sets the bits of the definition, as many for a value as there are hashes", () => {
      for (const [size, hashes] of [
        [8, 1],
        [8, 16],
        [12, 7],
        [16, 16],
      ] as const) {
        for (const value of [...EDGES, ...range(5, 40)]) {
          const bits = Array.from({ length: 2 ** size }, () => "0");
          for (const place of plainPlaces(value, size, hashes)) bits[Number(place)] = "1";
          const filter = filterOf(size, hashes, [value]);
          expect([...filter].map((byte) => byte.toString(2).padStart(8, "0")).join("")).to.equal(bits.join(""));
          expect(fillOf(filter)).to.equal(hashes);
        }
      }
    });

    it("has what it has seen, and nothing before it has seen anything", () => {
      const filter = emptyOf(10);
      for (const value of EDGES) expect(hasMember(filter, 5, value)).to.equal(false);
      for (const value of [...EDGES, ...range(100, 400)]) addMember(filter, 5, value);
      for (const value of [...EDGES, ...range(100, 400)]) expect(hasMember(filter, 5, value)).to.equal(true);
    });

    it("has what it hasn't seen as often as its fill says", () => {
      for (const [size, hashes, values] of [
        [12, 4, 800],
        [14, 7, 1500],
        [16, 2, 20_000],
      ] as const) {
        const filter = filterOf(size, hashes, range(0, values));
        const expected = (fillOf(filter) / 2 ** size) ** hashes;
        const tries = 40_000;
        const found = range(1_000_000, 1_000_000 + tries).filter((value) => hasMember(filter, hashes, value)).length;
        expect(Math.abs(found / tries - expected)).to.be.at.most(5 * Math.sqrt(expected / tries));
      }
    });

    it("estimates how many values it has seen, and infinity when it is full", () => {
      for (const [size, hashes, values] of [
        [8, 2, 40],
        [12, 4, 800],
        [16, 16, 3000],
      ] as const) {
        const filter = filterOf(size, hashes, range(0, values));
        const share = fillOf(filter) / 2 ** size;
        const plain = (-(2 ** size) / hashes) * Math.log(1 - share);
        expect(Math.abs(Number(estimateMembers(filter, hashes)) - plain)).to.be.at.most(0.501);
        expect(Math.abs(plain - values)).to.be.at.most(values * 0.1);
      }
      expect(estimateMembers(emptyOf(8), 3)).to.equal(0n);
      expect(estimateMembers(filterOf(16, 3, [7n]), 3)).to.equal(1n);
      expect(estimateMembers(emptyOf(8).fill(255), 3)).to.equal(MAX);
    });

    it("merges to what one filter of both would be: in any order, however grouped, however often", () => {
      const [a, b, c] = [filterOf(10, 3, range(0, 60)), filterOf(10, 3, range(40, 90)), filterOf(10, 3, EDGES)];
      const same = (x: Uint8Array, y: Uint8Array) => expect(toHex(x)).to.equal(toHex(y));
      same(mergeMembers(a, b), filterOf(10, 3, range(0, 90)));
      same(mergeMembers(a, b), mergeMembers(b, a));
      same(mergeMembers(mergeMembers(a, b), c), mergeMembers(a, mergeMembers(b, c)));
      same(mergeMembers(a, a), a);
      same(mergeMembers(a, emptyOf(10)), a);
    });

    it("refuses other lengths, and an estimate of no hashes", () => {
      for (const length of [0, 16, 33, 96, 16_384]) {
        const filter = new Uint8Array(length);
        expect(() => addMember(filter, 1, 1n)).to.throw(RangeError);
        expect(() => hasMember(filter, 1, 1n)).to.throw(RangeError);
        expect(() => estimateMembers(filter, 1)).to.throw(RangeError);
      }
      expect(() => mergeMembers(new Uint8Array(32), new Uint8Array(64))).to.throw(RangeError);
      expect(() => estimateMembers(emptyOf(8), 0)).to.throw(RangeError);
    });
  });

  describe("on chain", () => {
    let reference: BaseContract;
    const call = (name: string, ...args: unknown[]) => reference.getFunction(name)(...args);

    before(async () => {
      const { ethers } = await network.create();
      reference = await ethers.deployContract("SketchReference");
    });

    it("sets the bits that the toolkit does, and finds them", async () => {
      const roll = new Dice(1);
      for (const size of [8, 9, 12, 16]) {
        for (const hashes of [1, 5, 16]) {
          const filter = emptyOf(size);
          const values = [
            ...EDGES,
            ...Array.from({ length: 10 }, () => BigInt.asIntN(256, BigInt(toHex(roll.bytes())))),
          ];
          const [theirs] = await call("addMembers", filter, hashes, values);
          for (const value of values) addMember(filter, hashes, value);
          expect(theirs).to.equal(toHex(filter));
          for (const value of [...EDGES, ...range(0, 10)]) {
            expect((await call("hasMember", filter, hashes, value))[0]).to.equal(hasMember(filter, hashes, value));
          }
        }
      }
    });

    it("merges any bytes, and counts their bits, as plain Solidity and the toolkit do", async () => {
      const roll = new Dice(2);
      for (let k = 0; k < 20; k++) {
        const length = 2 ** (5 + roll.below(4));
        const [a, b] = [anyBytes(roll, length), anyBytes(roll, length)];
        const own = toHex(mergeMembers(a, b));
        expect([...(await call("mergeMembers", a, b))].slice(0, 2)).to.deep.equal([own, own]);
        expect([...(await call("fill", a))]).to.deep.equal([BigInt(fillOf(a)), BigInt(fillOf(a))]);
      }
      const full = emptyOf(9).fill(255);
      expect([...(await call("fill", full))]).to.deep.equal([512n, 512n]);
    });

    it("estimates what the toolkit does, bit for bit, at any fill", async () => {
      const roll = new Dice(3);
      for (const size of [8, 12, 16]) {
        for (const rarity of [1, 2, 5, 40, 1000]) {
          const filter = emptyOf(size).map(() => (roll.below(rarity) === 0 ? roll.below(256) : 0));
          const hashes = 1 + roll.below(16);
          expect((await call("estimateMembers", filter, hashes))[0]).to.equal(estimateMembers(filter, hashes));
        }
        for (const [byte, last] of [
          [0, 0],
          [0, 1],
          [255, 254],
          [255, 255],
        ] as const) {
          const filter = emptyOf(size).fill(byte);
          filter[filter.length - 1] = last;
          expect((await call("estimateMembers", filter, 3))[0]).to.equal(estimateMembers(filter, 3));
        }
      }
    });

    it("refuses other lengths, and an estimate of no hashes", async () => {
      for (const length of [0, 16, 33, 96, 16_384]) {
        const filter = new Uint8Array(length);
        for (const [name, ...args] of [
          ["addMembers", 1, [1n]],
          ["hasMember", 1, 1n],
          ["estimateMembers", 1],
        ] as const) {
          await expect(call(name, filter, ...args))
            .to.be.revertedWithCustomError(library, "BloomFilterBadLength")
            .withArgs(length);
        }
      }
      for (const [a, b] of [
        [32, 64],
        [64, 32],
        [33, 33],
      ] as const) {
        await expect(call("mergeMembers", new Uint8Array(a), new Uint8Array(b)))
          .to.be.revertedWithCustomError(library, "BloomFilterUnlike")
          .withArgs(a, b);
      }
      await expect(call("estimateMembers", emptyOf(8), 0)).to.be.revertedWithCustomError(
        library,
        "BloomFilterNoHashes",
      );
    });

    it("merges 8,192 bits for less than 4,000 gas, and estimates them for less than 22,000", async () => {
      for (const [size, merge, estimate] of [
        [13, 4_000, 22_000],
        [16, 26_000, 60_000],
      ] as const) {
        const [a, b] = [filterOf(size, 4, range(0, 500)), filterOf(size, 4, range(400, 1000))];
        const merged = Number((await call("mergeMembers", a, b))[2]);
        const estimated = Number((await call("estimateMembers", a, 4))[1]);
        const added = Number((await call("addMembers", a, 4, range(0, 100)))[1]) / 100;
        const found = Number((await call("hasMember", a, 4, 1n))[1]);
        if (process.env.GAS)
          console.log(`2^${size}: merge ${merged}, estimate ${estimated}, add ${added}, has ${found}`);
        expect(merged).to.be.within(500, merge);
        expect(estimated).to.be.within(1000, estimate);
        expect(added).to.be.within(100, 1200);
        expect(found).to.be.within(100, 1200);
      }
    });
  });
});
