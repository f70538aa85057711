import { expect } from "chai";
import { poseidon16 } from "poseidon-lite/poseidon16";
import * as snarkjs from "snarkjs";
import { type Calculator, CIRCUITS, calculatorOf, compileCircuit, developmentKey } from "../../scripts/zk-circuits.js";
import type { Circuit } from "../../toolkit/analytics/zk-prove.js";
import { histogramStatement, type Statement, sumStatement } from "../../toolkit/analytics/zk-statements.js";
import { type CommittedValues, secretsOf, VALUE_OFFSET } from "../../toolkit/anchoring/zk-values.js";
import { committed, ORDER, request, stopWorkers } from "./zk-rig.js";

/** A circuit's constraints: a product of two sums is a third; a sum is of factors by signal. */
type Constraint = readonly [Map<number, bigint>, Map<number, bigint>, Map<number, bigint>];

const QUERY = { request, lower: -300n, upper: 700n };
const mod = (value: bigint): bigint => ((value % ORDER) + ORDER) % ORDER;

type Input = Record<string, bigint | bigint[]>;

const maskOf = (from: bigint, width: bigint): bigint => (2n ** width - 1n) << from;
/** Where claims have what; the last one ties a proof to a request, and a circuit takes any. */
const FIELDS = {
  sum: {
    sum: maskOf(205n, 48n),
    lower: maskOf(165n, 40n),
    upper: maskOf(125n, 40n),
    count: maskOf(116n, 9n),
    tie: maskOf(0n, 116n),
  },
  histogram: {
    count: maskOf(244n, 9n),
    lower: maskOf(204n, 40n),
    upper: maskOf(164n, 40n),
    width: maskOf(124n, 40n),
    tie: maskOf(0n, 124n),
  },
} as const;

function inputOf(of: CommittedValues, statement: Statement, places: number): Input {
  return { ...statement, ...secretsOf(of, places) };
}

const calculators = new Map<Circuit, Promise<Calculator>>();

/** The circuit's signals; undefined where it refuses. */
async function signalsOf(circuit: Circuit, input: Input): Promise<bigint[] | undefined> {
  const calculator = calculators.get(circuit) ?? calculatorOf(circuit);
  calculators.set(circuit, calculator);
  try {
    return await (await calculator).calculateWitness(input, true);
  } catch (error) {
    expect(String(error)).to.match(/Assert Failed/);
    return undefined;
  }
}

async function constraintsOf(circuit: Circuit): Promise<Constraint[]> {
  const { r1cs } = await compileCircuit(circuit);
  const read = (await snarkjs.r1cs.exportJson(r1cs, undefined as never)) as unknown as {
    constraints: [Record<string, bigint | string>, Record<string, bigint | string>, Record<string, bigint | string>][];
  };
  const sumOf = (terms: Record<string, bigint | string>): Map<number, bigint> =>
    new Map(Object.entries(terms).map(([signal, factor]) => [Number(signal), BigInt(factor)]));
  return read.constraints.map(([a, b, c]) => [sumOf(a), sumOf(b), sumOf(c)]);
}

function holds([a, b, c]: Constraint, signals: readonly bigint[]): boolean {
  const value = (sum: Map<number, bigint>): bigint => {
    let total = 0n;
    for (const [signal, factor] of sum) total += factor * (signals[signal] ?? 0n);
    return total;
  };
  return mod(value(a) * value(b) - value(c)) === 0n;
}

describe("circuits of partials", function () {
  this.timeout(300_000);
  after(() => stopWorkers());
  const mine = committed(50);
  const small = (changed: Partial<CommittedValues> = {}): CommittedValues => ({ ...mine, ...changed });
  const sumInput = (of = mine, query = QUERY): Input => inputOf(of, sumStatement(of, query).statement, 64);
  const histogramInput = (of = mine, size = 7): Input =>
    inputOf(of, histogramStatement(of, { ...QUERY, size }).statement, 64);

  it("hash as the toolkit does: Poseidon with its published constants, whatever the count", async () => {
    const numbers = Array.from({ length: 16 }, (_, k) => BigInt(k + 1));
    expect(poseidon16(numbers)).to.equal(9989051620750914585850546081941653841776809718687451684622678807385399211877n);
    for (const count of [1, 5, 6, 7, 63, 64, 65, 255, 256]) {
      const of = committed(count);
      const places = count <= 64 ? 64 : 256;
      const input = inputOf(of, sumStatement(of, QUERY).statement, places);
      expect(await signalsOf(`sum-${places}`, input), `${count}`).not.to.equal(undefined);
      const other = { ...input, commitment: (input.commitment as bigint) + 1n };
      expect(await signalsOf(`sum-${places}`, other), `${count}`).to.equal(undefined);
    }
  });

  it("refuse a value out of bounds, in any place, on either side", async () => {
    for (const value of [-301n, 701n, VALUE_OFFSET - 1n, -VALUE_OFFSET]) {
      for (const place of [0, 25, 49]) {
        const off = small({ values: mine.values.with(place, value) });
        // What is said of it would be right.
        const wide = { request, lower: -VALUE_OFFSET, upper: VALUE_OFFSET - 1n };
        const { claim = 0n, commitment = 0n } = sumStatement(off, wide).statement;
        const sum = { claim: (claim & FIELDS.sum.sum) | ((sumInput().claim as bigint) & ~FIELDS.sum.sum), commitment };
        expect(await signalsOf("sum-64", inputOf(off, sum, 64)), `${value}`).to.equal(undefined);
        const said = histogramInput() as Record<"claim" | "counts", bigint>;
        for (const counts of [said.counts, said.counts - 1n]) {
          const input = inputOf(off, { claim: said.claim, counts, commitment }, 64);
          expect(await signalsOf("histogram-64", input), `${value}`).to.equal(undefined);
        }
      }
    }
  });

  it("refuse a count that isn't the batch's, and one beyond their places", async () => {
    for (const [circuit, input, at] of [
      ["sum-64", sumInput(), 116n],
      ["histogram-64", histogramInput(), 244n],
    ] as const) {
      const claim = input.claim as bigint;
      for (const count of [0n, 49n, 51n, 65n, 511n]) {
        const other = { ...input, claim: claim + ((count - 50n) << at) };
        expect(await signalsOf(circuit, other), `${circuit} ${count}`).to.equal(undefined);
      }
    }
    // A batch of 65, whose commitment is right, in the circuit for 64.
    const many = committed(65);
    const whole = inputOf(many, sumStatement(many, QUERY).statement, 64);
    expect(await signalsOf("sum-64", whole)).to.equal(undefined);
  });

  it("refuse values in places that aren't used, and another device or sequence than those committed to", async () => {
    for (const [circuit, input] of [
      ["sum-64", sumInput()],
      ["histogram-64", histogramInput()],
    ] as const) {
      const values = (input.values as bigint[]).with(50, VALUE_OFFSET);
      expect(await signalsOf(circuit, { ...input, values }), circuit).to.equal(undefined);
      expect(await signalsOf(circuit, { ...input, head: (input.head as bigint) + 1n }), circuit).to.equal(undefined);
    }
  });

  it("refuse each packed field changed, by one, by its largest step, and where it runs over into the next", async () => {
    // Bounds that no value leaves room in.
    const upper = [...mine.values].sort((a, b) => Number(a - b)).at(-1) ?? 0n;
    const tight = { ...QUERY, upper, size: 7 };
    for (const [circuit, input, fields] of [
      ["sum-64", sumInput(mine, tight), FIELDS.sum],
      ["histogram-64", inputOf(mine, histogramStatement(mine, tight).statement, 64), FIELDS.histogram],
    ] as const) {
      const claim = input.claim as bigint;
      expect(await signalsOf(circuit, input)).not.to.equal(undefined);
      for (const [place, [field, mask]] of Object.entries(fields).entries()) {
        if (field === "tie") continue;
        const least = mask & -mask;
        // Wider bounds are another claim that is right; a field that runs over makes the one above it larger.
        const above = Object.keys(fields)[place - 1];
        const down = field === "lower" ? [] : [claim - least, claim & ~mask];
        const up = field === "upper" ? [] : [claim + least, claim | mask];
        const over = [
          ...(above === "upper" ? [] : [claim + mask + least]),
          ...(above === "lower" ? [] : [claim - mask - least]),
        ];
        for (const [k, other] of [claim ^ mask, ...down, ...up, ...over].entries())
          expect(await signalsOf(circuit, { ...input, claim: mod(other) }), `${field} ${k}`).to.equal(undefined);
      }
      // Beyond 253 bits, and less than nothing.
      for (const other of [claim + 2n ** 253n, claim - 2n ** 253n])
        expect(await signalsOf(circuit, { ...input, claim: mod(other) })).to.equal(undefined);
    }
  });

  it("refuse other bins, and a width of 0", async () => {
    const input = histogramInput();
    const { counts, claim } = input as { counts: bigint; claim: bigint };
    for (const wrong of [counts + 1n, counts - 1n, counts + 65535n, counts + 2n ** 16n - 1n, 0n, ORDER - 1n])
      expect(await signalsOf("histogram-64", { ...input, counts: wrong })).to.equal(undefined);
    const mask = FIELDS.histogram.width;
    const width = (claim & mask) >> 124n;
    for (const other of [0n, 1n, width - 1n]) {
      const said = (claim & ~mask) | (other << 124n);
      expect(await signalsOf("histogram-64", { ...input, claim: said }), `${other}`).to.equal(undefined);
    }
  });

  it("count in any of 64 bins, at the place that the challenge gives it", async () => {
    for (const size of [2, 16, 17, 33, 64]) {
      const bounds = { request, lower: 0n, upper: BigInt(size) - 1n };
      const values = Array.from({ length: 64 }, (_, k) => BigInt(k % size));
      const of = small({ values });
      const { bins, counts, statement } = histogramStatement(of, { ...bounds, size });
      expect(bins.every((count) => count > 0n)).to.equal(true);
      expect(await signalsOf("histogram-64", inputOf(of, statement, 64)), `${size}`).not.to.equal(undefined);
      // As many, a bin further on: within a word, and in the next word.
      const challenge = (statement.claim ?? 0n) & FIELDS.histogram.tie;
      const moved = counts.map(
        (word, k) => (k === 0 ? word - 1n : word) + (k === 1 || counts.length === 1 ? 2n ** 16n : 0n),
      );
      const combined = moved.reduceRight((total, word) => mod(total * challenge + word), 0n);
      const input = inputOf(of, { ...statement, counts: combined }, 64);
      expect(await signalsOf("histogram-64", input), `${size}`).to.equal(undefined);
    }
  });

  it("prove other counts for no challenge but one that was known before they were said", async () => {
    const of = small({ values: Array.from({ length: 20 }, (_, k) => BigInt(k)) });
    const { statement, counts } = histogramStatement(of, { request, lower: 0n, upper: 19n, size: 20 });
    // Right for a challenge of 1, which no hash is: one from the first word stands in the second.
    const claim = ((statement.claim ?? 0n) & ~FIELDS.histogram.tie) | 1n;
    const [first = 0n, second = 0n] = counts;
    const lie = { ...statement, claim, counts: first - 1n + (second + 1n) };
    expect(await signalsOf("histogram-64", inputOf(of, lie, 64))).not.to.equal(undefined);
    const challenge = (statement.claim ?? 0n) & FIELDS.histogram.tie;
    const same = { ...statement, counts: mod(first - 1n + (second + 1n) * challenge) };
    expect(await signalsOf("histogram-64", inputOf(of, same, 64))).to.equal(undefined);
  });

  for (const circuit of ["sum-64", "histogram-64"] as const) {
    it(`leave no signal of ${circuit} free: each one changed alone breaks a constraint`, async () => {
      const signals = await signalsOf(circuit, circuit === "sum-64" ? sumInput() : histogramInput());
      if (!signals) return expect.fail("The circuit refuses what is right.");
      const constraints = await constraintsOf(circuit);
      expect(constraints.every((constraint) => holds(constraint, signals))).to.equal(true);
      const bySignal = signals.map((): Constraint[] => []);
      for (const constraint of constraints) {
        for (const signal of new Set(constraint.flatMap((sum) => [...sum.keys()]))) bySignal[signal]?.push(constraint);
      }
      const free = signals.flatMap((value, signal) => {
        signals[signal] = mod(value + 1n);
        const isFree = (bySignal[signal] ?? []).every((constraint) => holds(constraint, signals));
        signals[signal] = value;
        return isFree ? [signal] : [];
      });
      expect(free).to.deep.equal([]);
    });
  }

  it("have keys whose delta isn't gamma, so that no proof can be moved to other inputs", async () => {
    for (const circuit of CIRCUITS.filter((name) => name.endsWith("-64"))) {
      const { zkey } = await developmentKey(circuit);
      const key = (await snarkjs.zKey.exportVerificationKey(zkey as string)) as {
        vk_gamma_2: string[][];
        vk_delta_2: string[][];
      };
      expect(key.vk_delta_2).not.to.deep.equal(key.vk_gamma_2);
    }
  });
});
