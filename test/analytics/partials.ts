import { expect } from "chai";
import { type BaseContract, Interface } from "ethers";
import { network } from "hardhat";
import {
  addToPartial,
  isSoundQuery,
  isWellFormedPartial,
  mergePartials,
  neutralPartial,
  packed,
  partialLength,
  partialWords,
} from "../../toolkit/analytics/partials.js";
import { Operation, type Query } from "../../toolkit/analytics/query.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { Dice } from "../invariant/dice.js";
import { ADDITIVE, anyQuery, anyReading, between, codeOf, OPERATIONS, queryOf } from "./queries.js";

const MAX = 2n ** 255n - 1n;
const MIN = -(2n ** 255n);
const library = { interface: new Interface(["error PartialsBadLength(uint256 length, uint256 expected)"]) };

/** The partial of some readings, in the toolkit. */
function partialOf(query: Query, readings: readonly (readonly [bigint, bigint])[]): Uint8Array {
  const partial = neutralPartial(query);
  for (const [value, time] of readings) addToPartial(query, partial, value, time);
  return partial;
}

const readingsOf = (roll: Dice, query: Query, count: number) =>
  Array.from({ length: count }, () => anyReading(roll, query));

const wordsFor = (query: Query, ...values: bigint[]) =>
  partialWords(
    partialOf(
      query,
      values.map((value) => [value, query.from]),
    ),
  );

describe("Partials", () => {
  describe("in the toolkit", () => {
    it("hold what the readings come to, values beyond the bounds counting as the nearer one", () => {
      const values = [-100n, -40n, 0n, 7n, 60n, 61n, MAX, MIN];
      expect(wordsFor(queryOf(Operation.Count), ...values)).to.deep.equal([8n]);
      expect(wordsFor(queryOf(Operation.Sum), ...values)).to.deep.equal([-40n * 3n + 7n + 60n * 3n]);
      expect(wordsFor(queryOf(Operation.Mean), ...values)).to.deep.equal([67n, 8n]);
      expect(wordsFor(queryOf(Operation.MinMax), ...values)).to.deep.equal([-40n, 60n]);
      expect(wordsFor(queryOf(Operation.MinMax), 5n, 3n)).to.deep.equal([3n, 5n]);
      // 101 values in 5 bins of 21: [-40, -20], [-19, 1], [2, 22], [23, 43], [44, 60].
      const edges = [-41n, -40n, -20n, -19n, 1n, 2n, 22n, 23n, 43n, 44n, 60n, MAX];
      expect(wordsFor(queryOf(Operation.Histogram), ...edges)).to.deep.equal([3n, 2n, 2n, 2n, 3n]);
      const line = partialOf(queryOf(Operation.Regression), [
        [2n, 1000n],
        [-5n, 1003n],
        [99n, 1010n],
      ]);
      const [xx, xy, yy] = [9n + 100n, -15n + 600n, 4n + 25n + 3600n];
      expect(partialWords(line)).to.deep.equal([3n, 13n, 57n, xx, xy, yy]);
    });

    it("divide the whole of int64 into bins of one width, and as many values as bins into bins of one", () => {
      const whole = queryOf(Operation.Histogram, { lower: -(2n ** 63n), upper: 2n ** 63n - 1n, size: 64 });
      const bins = wordsFor(whole, MIN, -(2n ** 63n) + 2n ** 58n, -1n, 0n, 2n ** 63n - 1n);
      expect(bins.map((count, k) => (count > 0n ? k : -1)).filter((k) => k >= 0)).to.deep.equal([0, 1, 31, 32, 63]);
      const few = queryOf(Operation.Histogram, { lower: -1n, upper: 2n, size: 4 });
      expect(wordsFor(few, -1n, 0n, 0n, 1n, 2n, 2n, 2n)).to.deep.equal([1n, 2n, 1n, 3n]);
    });

    for (const [name, operation] of OPERATIONS) {
      it(`merge to what all readings together come to, in any order, however grouped (${name})`, () => {
        const roll = new Dice(operation + 1);
        for (let k = 0; k < 20; k++) {
          const query = anyQuery(roll, operation);
          expect(isSoundQuery(query)).to.equal(true);
          const [x, y, z] = [0, 1, 2].map(() => readingsOf(roll, query, roll.below(8)));
          const [a, b, c] = [x, y, z].map((readings) => partialOf(query, readings ?? []));
          if (!x || !y || !z || !a || !b || !c) throw new Error("There are three.");
          const merge = (p: Uint8Array | undefined, q: Uint8Array | undefined) => p && q && mergePartials(query, p, q);
          const same = (p: Uint8Array | undefined, q: Uint8Array | undefined) =>
            expect(p && toHex(p)).to.equal(q && toHex(q));
          same(merge(merge(a, b), c), partialOf(query, [...z, ...x, ...y]));
          same(merge(merge(a, b), c), merge(a, merge(b, c)));
          same(merge(a, b), merge(b, a));
          same(merge(a, neutralPartial(query)), a);
          if (!ADDITIVE.some(([, one]) => one === operation)) same(merge(a, a), a);
          for (const one of [a, b, c]) expect(isWellFormedPartial(query, one)).to.equal(true);
        }
      });
    }

    it("don't merge where a length is wrong or a sum leaves int256", () => {
      for (const [, operation] of OPERATIONS) {
        const query = queryOf(operation);
        const right = neutralPartial(query);
        for (const wrong of [new Uint8Array(), right.slice(1), new Uint8Array(right.length + 32)]) {
          expect(mergePartials(query, right, wrong)).to.equal(undefined);
          expect(mergePartials(query, wrong, right)).to.equal(undefined);
          expect(codeOf(() => addToPartial(query, wrong, 1n, 1000n))).to.equal("ITC_PARTIAL_LENGTH");
        }
      }
      const sums = queryOf(Operation.Sum);
      expect(mergePartials(sums, packed([MAX]), packed([1n]))).to.equal(undefined);
      expect(mergePartials(sums, packed([MIN]), packed([-1n]))).to.equal(undefined);
      expect(mergePartials(sums, packed([MIN]), packed([MAX]))).to.deep.equal(packed([-1n]));
    });

    it("refuse values that aren't int256, times before the window, and sums that leave int256", () => {
      for (const [query, value, time, partial] of [
        [queryOf(Operation.Count), MAX + 1n, 1000n, packed([0n])],
        [queryOf(Operation.Distinct), MIN - 1n, 1000n, new Uint8Array(1024)],
        [queryOf(Operation.Regression), 1n, 999n, new Uint8Array(192)],
        [queryOf(Operation.Count), 1n, 1000n, packed([MAX])],
      ] as const) {
        expect(codeOf(() => addToPartial(query, partial.slice(), value, time))).to.equal("ITC_PARTIAL_RANGE");
      }
    });

    it("leave room in int128 for what a sound query's cap lets a device add up to", () => {
      for (const [, operation] of ADDITIVE) {
        const bound = operation === Operation.Regression ? 2n ** 32n : 2n ** 63n;
        const [cap, to, anchoredBy] = [2n ** 32n - 1n, 2n ** 32n, 2n ** 32n];
        const query = queryOf(operation, { lower: -bound, upper: bound - 1n, cap, to, anchoredBy });
        expect(isSoundQuery(query)).to.equal(true);
        const once = partialWords(partialOf(query, [[MIN, query.to - 1n]]));
        const most = once.map((word) => word * query.cap);
        expect(most.every((word) => word >= -(2n ** 96n) && word <= 2n ** 96n)).to.equal(true);
      }
    });
  });

  describe("on chain", () => {
    let probe: BaseContract;
    const call = (name: string, ...args: unknown[]) => probe.getFunction(name)(...args);

    before(async () => {
      const { ethers } = await network.create();
      probe = await ethers.deployContract("PartialsProbe");
    });

    for (const [name, operation] of OPERATIONS) {
      it(`are those of the toolkit, byte by byte, and so are their merges (${name})`, async () => {
        const roll = new Dice(100 + operation);
        for (let k = 0; k < 12; k++) {
          const query = anyQuery(roll, operation);
          expect(await call("isSound", query)).to.equal(true);
          expect(await call("lengthOf", query)).to.equal(partialLength(query));
          expect(await call("neutral", query)).to.equal(toHex(neutralPartial(query)));
          const [x, y] = [readingsOf(roll, query, 1 + roll.below(12)), readingsOf(roll, query, roll.below(12))];
          const [a, b] = [partialOf(query, x), partialOf(query, y)];
          const added = await call(
            "add",
            query,
            neutralPartial(query),
            x.map(([value]) => value),
            x.map(([, time]) => time),
          );
          expect(added).to.equal(toHex(a));
          const own = mergePartials(query, a, b);
          const [fits, merged, intact] = await call("merge", query, a, b);
          expect([fits, merged, intact]).to.deep.equal([true, toHex(own ?? new Uint8Array()), true]);
          expect(await call("isWellFormed", query, a)).to.equal(true);
        }
      });
    }

    it("merge for less than 11,000 gas where there are 64 words or 1,024 registers, for less than 2,000 where there are 6", async () => {
      for (const [operation, size, most] of [
        [Operation.Regression, 0, 2_000],
        [Operation.MinMax, 0, 2_000],
        [Operation.Histogram, 64, 11_000],
        [Operation.Distinct, 10, 11_000],
        [Operation.Membership, 13, 11_000],
      ] as const) {
        const query = queryOf(operation, { size });
        const gas = Number((await call("merge", query, neutralPartial(query), neutralPartial(query)))[3]);
        if (process.env.GAS) console.log(`merge of operation ${operation}, size ${size}: ${gas}`);
        expect(gas).to.be.within(300, most);
      }
    });

    it("merge any words as the toolkit does, and say where they don't fit", async () => {
      const roll = new Dice(200);
      const outcomes = { fits: 0, not: 0 };
      for (let k = 0; k < 120; k++) {
        const query = anyQuery(roll, roll.pick([...ADDITIVE.map(([, one]) => one), Operation.MinMax]));
        const words = partialLength(query) / 32;
        const range = words > 6 ? 2n ** 250n : MAX;
        const [a, b] = [0, 1].map(() => packed(Array.from({ length: words }, () => between(roll, -range, range))));
        if (!a || !b) throw new Error("There are two.");
        const own = mergePartials(query, a, b);
        const [fits, merged] = await call("merge", query, a, b);
        expect([fits, merged]).to.deep.equal([own !== undefined, toHex(own ?? new Uint8Array())]);
        outcomes[fits ? "fits" : "not"]++;
      }
      expect(outcomes.fits).to.be.above(20);
      expect(outcomes.not).to.be.above(20);
    });

    it("don't fit where a length is wrong, and can't be added to", async () => {
      for (const [, operation] of OPERATIONS) {
        const query = queryOf(operation);
        const right = neutralPartial(query);
        for (const wrong of [new Uint8Array(), right.slice(1), new Uint8Array(right.length + 32)]) {
          expect([...(await call("merge", query, right, wrong))].slice(0, 2)).to.deep.equal([false, "0x"]);
          expect([...(await call("merge", query, wrong, right))].slice(0, 2)).to.deep.equal([false, "0x"]);
          expect(await call("isWellFormed", query, wrong)).to.equal(false);
          expect(isWellFormedPartial(query, wrong)).to.equal(false);
          await expect(call("add", query, wrong, [1n], [1000n]))
            .to.be.revertedWithCustomError(library, "PartialsBadLength")
            .withArgs(wrong.length, right.length);
        }
      }
    });

    it("can't be added to where a sum leaves int256 or a time is before the window", async () => {
      await expect(call("add", queryOf(Operation.Count), packed([MAX]), [1n], [1000n])).to.be.revertedWithPanic(0x11);
      const line = queryOf(Operation.Regression);
      await expect(call("add", line, neutralPartial(line), [1n], [999n])).to.be.revertedWithPanic(0x11);
    });

    it("are well formed where the toolkit says so: at the ends of int128, of the bounds and of the ranks", async () => {
      const [most, least] = [2n ** 127n - 1n, -(2n ** 127n)];
      const cases: [Query, Uint8Array, boolean][] = [];
      for (const [, operation] of ADDITIVE) {
        const query = queryOf(operation);
        const count = partialLength(query) / 32;
        for (const [word, right] of [
          [most, true],
          [least, true],
          [most + 1n, false],
          [least - 1n, false],
          [MIN, false],
        ] as const) {
          for (let k = 0; k < count; k++)
            cases.push([query, packed(Array.from({ length: count }, (_, j) => (j === k ? word : 3n))), right]);
        }
      }
      const extremes = queryOf(Operation.MinMax);
      for (const [min, max, right] of [
        [-40n, 60n, true],
        [7n, 7n, true],
        [8n, 7n, false],
        [-41n, 60n, false],
        [-40n, 61n, false],
        [MAX, MIN, true],
        [MAX, MAX, false],
        [MIN, MIN, false],
        [MIN, MAX, false],
      ] as const) {
        cases.push([extremes, packed([min, max]), right]);
      }
      const distinct = queryOf(Operation.Distinct);
      cases.push([distinct, new Uint8Array(1024).fill(55), true], [distinct, new Uint8Array(1024).fill(56), false]);
      cases.push([queryOf(Operation.Membership), new Uint8Array(64).fill(255), true]);
      for (const [query, partial, right] of cases) {
        expect(await call("isWellFormed", query, partial)).to.equal(right);
        expect(isWellFormedPartial(query, partial)).to.equal(right);
      }
    });

    it("are asked for by sound queries alone", async () => {
      const bad: [Operation, Partial<Query>][] = OPERATIONS.flatMap(([, operation]): [Operation, Partial<Query>][] => [
        [operation, { to: 1000n }],
        [operation, { from: 5000n }],
        [operation, { from: 0n, to: 0n, anchoredBy: 0n }],
        [operation, { anchoredBy: 4998n }],
        [operation, { cap: 0n }],
        [operation, { lower: 1n, upper: 0n }],
        [operation, operation === Operation.Membership ? { hashes: 0 } : { hashes: 1 }],
        [operation, { hashes: 17 }],
        [operation, { size: 1 }],
        [operation, { size: 255 }],
      ]);
      bad.push(
        ...[9, 15].map((size): [Operation, Partial<Query>] => [Operation.Distinct, { size }]),
        ...[7, 17].map((size): [Operation, Partial<Query>] => [Operation.Membership, { size }]),
        ...[0, 65, 129].map((size): [Operation, Partial<Query>] => [Operation.Histogram, { size }]),
        [Operation.Histogram, { lower: 0n, upper: 3n }],
        [Operation.Distinct, { lower: -1n }],
        [Operation.Distinct, { upper: 1n }],
        [Operation.Membership, { lower: -1n, upper: 1n }],
        [Operation.Regression, { lower: -(2n ** 48n), cap: 2n }],
        [Operation.Regression, { upper: 2n ** 48n, cap: 2n }],
        [Operation.Regression, { upper: 2n ** 48n + 1n, cap: 1n }],
        [Operation.Regression, { to: 2n ** 48n + 1002n, anchoredBy: 2n ** 50n, cap: 1n }],
        [Operation.Regression, { from: 0n, to: 2n ** 64n - 1n, anchoredBy: 2n ** 64n - 1n }],
      );
      const good: [Operation, Partial<Query>][] = [
        ...OPERATIONS.map(([, operation]): [Operation, Partial<Query>] => [operation, {}]),
        ...OPERATIONS.map(([, one]): [Operation, Partial<Query>] => [one, { from: 4999n, anchoredBy: 4999n }]),
        ...[10, 14].map((size): [Operation, Partial<Query>] => [Operation.Distinct, { size }]),
        ...[8, 16].map((size): [Operation, Partial<Query>] => [Operation.Membership, { size, hashes: size }]),
        ...[2, 64].map((size): [Operation, Partial<Query>] => [Operation.Histogram, { size }]),
        [Operation.Histogram, { lower: 0n, upper: 4n }],
        [Operation.Histogram, { lower: -(2n ** 63n), upper: 2n ** 63n - 1n, size: 64 }],
        [Operation.Sum, { lower: -(2n ** 63n), upper: 2n ** 63n - 1n, cap: 2n ** 32n - 1n }],
        [Operation.Sum, { from: 0n, to: 2n ** 64n - 1n, anchoredBy: 2n ** 64n - 1n }],
        [Operation.Sum, { lower: 5n, upper: 5n }],
        [Operation.Regression, { lower: -(2n ** 48n), upper: 2n ** 48n, cap: 1n }],
        [Operation.Regression, { to: 2n ** 48n + 1001n, anchoredBy: 2n ** 50n, cap: 1n }],
      ];
      for (const [list, sound] of [
        [bad, false],
        [good, true],
      ] as const) {
        for (const [operation, changes] of list) {
          const query = queryOf(operation, changes);
          const text = `${operation} ${Object.entries(changes)}`;
          expect(await call("isSound", query), text).to.equal(sound);
          expect(isSoundQuery(query), text).to.equal(sound);
        }
      }
    });

    it("are found sound or not as by the toolkit, whatever the words are", async () => {
      const roll = new Dice(300);
      const found = { true: 0, false: 0 };
      for (let k = 0; k < 300; k++) {
        const operation = roll.pick(OPERATIONS.map(([, one]) => one));
        const sketch = operation === Operation.Distinct || operation === Operation.Membership;
        const narrow = (least: bigint, most: bigint) => (roll.below(6) === 0 ? between(roll, least, most) : 0n);
        const lower = sketch ? narrow(-(2n ** 63n), 2n ** 63n - 1n) : between(roll, -(2n ** 45n), 2n ** 63n - 1n);
        const upper = sketch ? narrow(-(2n ** 63n), 2n ** 63n - 1n) : between(roll, lower, 2n ** 63n - 1n);
        const query = queryOf(operation, { lower, upper, cap: between(roll, 0n, 2n ** 32n - 1n) });
        const sound = isSoundQuery(query);
        expect(await call("isSound", query)).to.equal(sound);
        found[`${sound}`]++;
      }
      expect(found.true).to.be.above(30);
      expect(found.false).to.be.above(30);
    });
  });
});
