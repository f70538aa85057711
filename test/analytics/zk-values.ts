import { expect } from "chai";
import { developmentKey } from "../../scripts/zk-circuits.js";
import { circuitFor, proveSum } from "../../toolkit/analytics/zk-prove.js";
import { histogramStatement, sumStatement } from "../../toolkit/analytics/zk-statements.js";
import { entryOf } from "../../toolkit/anchoring/batches.js";
import { saltOf } from "../../toolkit/anchoring/readings.js";
import {
  boundValues,
  type CommittedValues,
  commitValues,
  isCommittable,
  valuesSaltOf,
  type ZkError,
} from "../../toolkit/anchoring/zk-values.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { committed, request, stranger } from "./zk-rig.js";

const EDGE = 2n ** 39n;

function codeOf(act: () => unknown): string {
  try {
    act();
    return "nothing";
  } catch (error) {
    return (error as ZkError).code;
  }
}

describe("commitments to values", () => {
  const mine = committed(50);

  it("differ by device, sequence, count, order, each value and salt, and so do the batches' entries", () => {
    const [first = 0n, second = 0n, ...others] = mine.values;
    const changes: readonly Partial<CommittedValues>[] = [
      {},
      { device: stranger },
      { firstSequence: mine.firstSequence + 1n },
      { values: mine.values.slice(1) },
      { values: [...mine.values, 0n] },
      { values: [...mine.values, -EDGE] },
      { values: [second, first, ...others] },
      ...mine.values.map((value, k) => ({ values: mine.values.with(k, value + 1n) })),
      { salt: mine.salt.map((byte, k) => (k === 30 ? byte ^ 1 : byte)) },
    ];
    const commitments = changes.map((change) => commitValues({ ...mine, ...change }));
    expect(new Set(commitments.map(toHex)).size).to.equal(changes.length);
    const bound = changes.map((change) => boundValues({ ...mine, ...change }));
    const header = { root: new Uint8Array(32), count: 1n, first: 0n, last: 0n, schema: new Uint8Array(32) };
    expect(new Set(bound.map((values) => toHex(entryOf({ ...header, values })))).size).to.equal(changes.length);
  });

  it("are refused for what they can't hold", () => {
    for (const values of [[], [EDGE], [-EDGE - 1n], Array<bigint>(257).fill(0n)]) {
      expect(isCommittable(values)).to.equal(false);
      expect(codeOf(() => commitValues({ ...mine, values }))).to.equal("ITC_ZK_VALUES");
    }
    for (const values of [[0n], [EDGE - 1n, -EDGE], Array<bigint>(256).fill(0n)])
      expect(isCommittable(values)).to.equal(true);
    for (const change of [{ salt: new Uint8Array(32) }, { firstSequence: -1n }, { firstSequence: 2n ** 64n }])
      expect(codeOf(() => commitValues({ ...mine, ...change }))).to.equal("ITC_ZK_VALUES");
  });

  it("have a salt that is no reading's", () => {
    const secret = fromHex(secretOf(7, "salt"));
    expect(toHex(saltOf(secret, 4096n)).startsWith(toHex(valuesSaltOf(secret, 4096n)))).to.equal(false);
    expect(valuesSaltOf(secret, 0n).length).to.equal(31);
  });

  it("lead to bins as the rule has them, at all edges", () => {
    for (const [lower, upper] of [
      [-10n, 9n],
      [0n, 0n],
      [-7n, 12n],
      [5n, 6n],
      [-EDGE, EDGE - 1n],
    ] as const) {
      for (const size of [2, 3, 5, 7, 8, 13, 15, 16, 17, 32, 33, 48, 63, 64]) {
        const span = upper - lower + 1n;
        const width = span % BigInt(size) === 0n ? span / BigInt(size) : span / BigInt(size) + 1n;
        const near = Array.from({ length: size + 1 }, (_, k) => lower + width * BigInt(k)).flatMap((each) => [
          each - 1n,
          each,
        ]);
        const values = [lower, upper, ...near].filter((value) => value >= lower && value <= upper);
        const expected = Array<bigint>(size).fill(0n);
        for (const value of values) {
          const bin = Math.min(size - 1, Number((value - lower) / width));
          expected[bin] = (expected[bin] ?? 0n) + 1n;
        }
        expect(histogramStatement({ ...mine, values }, { request, lower, upper, size }).bins).to.deep.equal(expected);
      }
    }
  });

  it("are proved within the request's bounds alone", () => {
    const inside = { request, lower: -300n, upper: 700n };
    for (const wrong of [
      { ...inside, lower: -299n },
      { ...inside, upper: 0n },
      { ...inside, lower: 1n, upper: 0n },
      { ...inside, lower: -EDGE - 1n },
      { ...inside, upper: EDGE },
    ])
      expect(codeOf(() => sumStatement(mine, wrong))).to.equal("ITC_ZK_BOUNDS");
    for (const size of [1, 65, 2.5])
      expect(codeOf(() => histogramStatement(mine, { ...inside, size }))).to.equal("ITC_ZK_BOUNDS");
  });

  it("are proved by snarkjs if it is there, and by the circuit's own key", async () => {
    const query = { request, lower: -300n, upper: 700n };
    const failure = (proving: Promise<unknown>): Promise<string> =>
      proving.then(
        () => "nothing",
        (error: ZkError) => error.code,
      );
    const key = await developmentKey(circuitFor("sum", 50));
    const missing = (): Promise<unknown> => import(["not", "installed"].join("-"));
    expect(await failure(proveSum(mine, query, key, missing))).to.equal("ITC_ZK_PROVER_MISSING");
    const other = await developmentKey(circuitFor("histogram", 50));
    expect(await failure(proveSum(mine, query, { ...key, wasm: other.wasm }))).to.equal("ITC_ZK_UNPROVED");
  }).timeout(120_000);
});
