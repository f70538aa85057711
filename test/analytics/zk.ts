import { expect } from "chai";
import { developmentKey } from "../../scripts/zk-circuits.js";
import { type Circuit, proveHistogram, proveSum } from "../../toolkit/analytics/zk-prove.js";
import type { Groth16Verifier } from "../../toolkit/contracts.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import proofs from "../vectors/zk.json" with { type: "json" };
import { batchOf, bytes32, committed, MODULUS, ORDER, otherRequest, request, stranger, verifierOn } from "./zk-rig.js";

const BOUNDS = { lower: -300n, upper: 700n };
const MAX_GAS = 240_000n;

describe("proofs of partials", function () {
  this.timeout(240_000);
  let verifier: Groth16Verifier;
  let operator: Awaited<ReturnType<typeof verifierOn>>["operator"];
  const readings = committed(50);
  const right = { batch: { ...batchOf(readings), values: bytes32(batchOf(readings).values) }, ...BOUNDS, request };
  let sum: Awaited<ReturnType<typeof proveSum>>;
  let histogram: Awaited<ReturnType<typeof proveHistogram>>;
  /** The same of 64 bins, in four words. */
  let many: Awaited<ReturnType<typeof proveHistogram>>;

  before(async () => {
    const chain = await verifierOn();
    ({ operator } = chain);
    const { factory } = chain;
    verifier = await (await factory.deploy()).waitForDeployment();
    sum = await proveSum(readings, { request, ...BOUNDS }, await developmentKey("sum-64"));
    const key = await developmentKey("histogram-64");
    histogram = await proveHistogram(readings, { request, ...BOUNDS, size: 7 }, key);
    many = await proveHistogram(readings, { request, ...BOUNDS, size: 64 }, key);
  });

  type Said = typeof right & {
    readonly sum: bigint;
    readonly size: number;
    readonly counts: readonly bigint[];
    readonly proof: Uint8Array;
  };

  function saysSum(changed: Partial<Said> = {}): Promise<boolean> {
    const said = { ...right, ...sum, ...changed };
    return verifier.verifySum(said.batch, said.lower, said.upper, said.request, said.sum, said.proof);
  }

  function saysHistogram(changed: Partial<Said> = {}): Promise<boolean> {
    const { batch, lower, upper, request: of, size, counts, proof } = { ...right, ...histogram, size: 7, ...changed };
    return verifier.verifyHistogram(batch, lower, upper, of, size, [...counts], proof);
  }

  /** What a proof doesn't show. */
  const changes: readonly Partial<Said>[] = [
    { batch: { ...right.batch, device: stranger } },
    { batch: { ...right.batch, firstSequence: right.batch.firstSequence + 1n } },
    ...[0, 49, 51, 64, 65, 256, 257].map((count) => ({ batch: { ...right.batch, count } })),
    { batch: { ...right.batch, values: bytes32(0n) } },
    { batch: { ...right.batch, values: bytes32(BigInt(right.batch.values) + 1n) } },
    { batch: { ...right.batch, values: bytes32(BigInt(right.batch.values) + ORDER) } },
    { request: otherRequest },
    { lower: BOUNDS.lower - 1n },
    { lower: BOUNDS.lower + 1n },
    { upper: BOUNDS.upper + 1n },
    { lower: BOUNDS.upper, upper: BOUNDS.lower },
    { lower: -(2n ** 63n), upper: 2n ** 63n - 1n },
    { lower: -(2n ** 39n) - 1n },
    { upper: 2n ** 39n },
  ];

  /** Proofs that aren't. */
  function malformed(proof: Uint8Array): Uint8Array[] {
    const words = Array.from({ length: 8 }, (_, k) => BigInt(toHex(proof.slice(32 * k, 32 * k + 32))));
    const written = (list: readonly bigint[]): Uint8Array =>
      fromHex(list.map((each) => bytes32(each).slice(2)).join(""));
    return [
      new Uint8Array(256),
      new Uint8Array(0),
      proof.slice(0, 255),
      new Uint8Array([...proof, 0]),
      new Uint8Array(256).fill(255),
      // Off the curve, and another spelling of a point that is on it.
      ...words.map((each, k) => written(words.with(k, each + 1n))),
      ...words
        .filter((each) => each + MODULUS < 2n ** 256n)
        .map((each) => written(words.with(words.indexOf(each), each + MODULUS))),
      // A and C in the other's place, and A negated.
      new Uint8Array([...proof.slice(192), ...proof.slice(64, 192), ...proof.slice(0, 64)]),
      written(words.with(1, MODULUS - (words[1] ?? 0n))),
    ];
  }

  it("show a sum, of negative values too, and a histogram", async () => {
    expect(readings.values.some((value) => value < 0n)).to.equal(true);
    expect(sum.sum).to.equal(readings.values.reduce((total, value) => total + value, 0n));
    expect(await saysSum()).to.equal(true);
    expect(histogram.bins.reduce((total, count) => total + count, 0n)).to.equal(50n);
    expect(await saysHistogram()).to.equal(true);
  });

  it("show no other sum", async () => {
    for (const wrong of [sum.sum + 1n, sum.sum - 1n, -sum.sum, sum.sum + 2n ** 48n, 2n ** 255n - 1n, -(2n ** 255n)])
      expect(await saysSum({ sum: wrong }), String(wrong)).to.equal(false);
  });

  it("show no other histogram", async () => {
    const [word = 0n] = histogram.counts;
    for (const wrong of [
      // One more; one moved to the next bin; a bin that runs over into the next; the first and the last bin swapped.
      word + 1n,
      word + 2n ** 16n - 1n,
      word + 65536n * 512n,
      word - 65536n + 65536n * 65536n,
      (word & ~(65535n | (65535n << 96n))) | ((word & 65535n) << 96n) | ((word >> 96n) & 65535n),
      // A bin beyond the seventh, and what no count has.
      word + 2n ** 112n,
      word + 2n ** 255n,
      word + ORDER,
      0n,
      2n ** 256n - 1n,
    ]) {
      expect(await saysHistogram({ counts: [BigInt.asUintN(256, wrong)] }), String(wrong)).to.equal(false);
    }
    for (const counts of [[], [word, 0n], [word - 1n, 1n], [0n, word]])
      expect(await saysHistogram({ counts }), counts.join()).to.equal(false);
    for (const size of [0, 1, 6, 8, 17, 64, 65])
      for (const counts of [[word], [word, 0n], [word, 0n, 0n, 0n], [word, 0n, 0n, 0n, 0n]])
        expect(await saysHistogram({ size, counts }), `${size}`).to.equal(false);
  });

  it("show no other histogram of several words, whichever word is changed", async () => {
    const size = 64;
    expect(many.counts.length).to.equal(4);
    expect(await saysHistogram({ ...many, size })).to.equal(true);
    const moves = many.counts.flatMap((_word, from) => many.counts.map((_other, to) => [from, to] as const));
    for (const [from, to] of moves.filter(([one, other]) => one !== other)) {
      const counts = many.counts.with(from, (many.counts[from] ?? 0n) - 1n).with(to, (many.counts[to] ?? 0n) + 1n);
      expect(await saysHistogram({ ...many, counts, size }), `${from} ${to}`).to.equal(false);
    }
    const [first = 0n, ...others] = many.counts;
    for (const counts of [[...others, first], [first, ...others].toReversed(), [first + ORDER, ...others], [first]])
      expect(await saysHistogram({ ...many, counts, size })).to.equal(false);
  });

  it("serve no other device, sequence, count, commitment, request or bounds", async () => {
    for (const [k, change] of changes.entries()) {
      expect(await saysSum(change), `${k}`).to.equal(false);
      expect(await saysHistogram(change), `${k}`).to.equal(false);
    }
  });

  it("are refused where they are malformed, and cost no more than 400,000 gas and the transaction then", async () => {
    for (const [k, wrong] of malformed(sum.proof).entries()) {
      expect(await saysSum({ proof: wrong }), `${k}`).to.equal(false);
      const said = [right.batch, right.lower, right.upper, right.request, sum.sum, wrong] as const;
      expect(await verifier.verifySum.estimateGas(...said)).to.be.lessThan(450_000n);
    }
    for (const [k, wrong] of malformed(histogram.proof).entries())
      expect(await saysHistogram({ proof: wrong }), `${k}`).to.equal(false);
    expect(await saysSum({ proof: histogram.proof })).to.equal(false);
    expect(await saysHistogram({ proof: sum.proof })).to.equal(false);
  });

  it("cost at most 240,000 gas as a transaction by themselves: a sum, and a histogram of 64 bins", async () => {
    const { batch, lower, upper } = right;
    for (const call of [
      verifier.verifySum.populateTransaction(batch, lower, upper, request, sum.sum, sum.proof),
      verifier.verifyHistogram.populateTransaction(batch, lower, upper, request, 64, many.counts, many.proof),
    ]) {
      const sent = await operator.sendTransaction({ ...(await call), gasLimit: 400_000 });
      expect((await sent.wait())?.gasUsed).to.be.lessThan(MAX_GAS);
    }
  });

  it("of batches of up to 256 readings hold too", async () => {
    for (const { circuit, count, size, partial, proof } of proofs) {
      const many = committed(count);
      const batch = { ...batchOf(many), values: bytes32(batchOf(many).values) };
      const [lower, upper] = [-300n, 700n];
      const holds = (said: bigint[]): Promise<boolean> =>
        circuit.startsWith("sum")
          ? verifier.verifySum(batch, lower, upper, request, said[0] ?? 0n, proof)
          : verifier.verifyHistogram(batch, lower, upper, request, size, said, proof);
      const said = partial.map(BigInt);
      expect(await holds(said), circuit).to.equal(true);
      expect(await holds(said.with(0, (said[0] ?? 0n) + 1n)), circuit).to.equal(false);
    }
    expect(proofs.map(({ circuit }) => circuit as Circuit)).to.include.members(["sum-256", "histogram-256"]);
  });

  it("of values at all edges hold", async () => {
    const edge = { ...committed(3), values: [-(2n ** 39n), 2n ** 39n - 1n, 0n] };
    const query = { request, lower: -(2n ** 39n), upper: 2n ** 39n - 1n };
    const batch = { ...batchOf(edge), values: bytes32(batchOf(edge).values) };
    const proved = await proveSum(edge, query, await developmentKey("sum-64"));
    expect(proved.sum).to.equal(-1n);
    expect(await verifier.verifySum(batch, query.lower, query.upper, request, -1n, proved.proof)).to.equal(true);
    const bins = await proveHistogram(edge, { ...query, size: 16 }, await developmentKey("histogram-64"));
    expect(bins.bins).to.deep.equal([1n, ...Array<bigint>(7).fill(0n), 1n, ...Array<bigint>(6).fill(0n), 1n]);
    const { lower, upper } = query;
    expect(await verifier.verifyHistogram(batch, lower, upper, request, 16, bins.counts, bins.proof)).to.equal(true);
  });

  it("come by keys of which it is said that they are for development, and which no other chain takes", async () => {
    expect(await verifier.isDevelopment()).to.equal(true);
    await (await (await verifierOn(1337)).factory.deploy()).waitForDeployment();
    for (const chainId of [1, 11155111]) {
      const { factory } = await verifierOn(chainId);
      await expect(factory.deploy())
        .to.be.revertedWithCustomError(factory, "PartialVerifierDevelopmentKeys")
        .withArgs(chainId);
    }
  });

  it("are checked by assembly as they are without it", async () => {
    const { ethers } = await verifierOn();
    const both = await (await ethers.deployContract("PlainGroth16")).waitForDeployment();
    const statement = await import("../../toolkit/analytics/zk-statements.js").then(
      ({ sumStatement }) => sumStatement(readings, { request, ...BOUNDS }).statement,
    );
    const inputs = [statement.claim ?? 0n, statement.commitment ?? 0n];
    const random = Array.from({ length: 8 }, (_, k) =>
      fromHex(Array.from({ length: 8 }, (_none, j) => secretOf(k, `p${j}`).slice(2)).join("")),
    );
    const cases: readonly (readonly [bigint[], Uint8Array])[] = [
      [inputs, sum.proof],
      ...inputs.map((each, k) => [inputs.with(k, each + 1n), sum.proof] as const),
      ...inputs.map((each, k) => [inputs.with(k, each + ORDER), sum.proof] as const),
      [inputs.with(0, ORDER), sum.proof],
      [inputs.with(0, 0n), sum.proof],
      [inputs.slice(1), sum.proof],
      [[...inputs, 0n], sum.proof],
      ...[...malformed(sum.proof), ...random].map((proof) => [inputs, proof] as const),
    ];
    for (const [k, [given, proof]] of cases.entries()) {
      const [holds, plain] = await both.getFunction("compare").staticCall(given, proof);
      expect([holds, plain], `${k}`).to.deep.equal([k === 0, k === 0]);
    }
  });
});
