import { expect } from "chai";
import { poseidon16 } from "poseidon-lite/poseidon16";
import * as snarkjs from "snarkjs";
import { CIRCUITS, compileCircuit, developmentKey } from "../../scripts/zk-circuits.js";
import type { Circuit } from "../../toolkit/analytics/zk-prove.js";
import { histogramStatement, type Statement, sumStatement } from "../../toolkit/analytics/zk-statements.js";
import { type CommittedValues, shifted, VALUE_OFFSET } from "../../toolkit/anchoring/zk-values.js";
import { committed, ORDER, request } from "./zk-rig.js";

/** A circuit's constraints: a product of two sums is a third; a sum is of factors by signal. */
type Constraint = readonly [Map<number, bigint>, Map<number, bigint>, Map<number, bigint>];

const QUERY = { request, lower: -300n, upper: 700n };
const mod = (value: bigint): bigint => ((value % ORDER) + ORDER) % ORDER;

type Input = Record<string, bigint | bigint[]>;

function inputOf(of: CommittedValues, statement: Statement, places: number): Input {
  const salt = BigInt(`0x${Buffer.from(of.salt).toString("hex")}`);
  return { ...statement, salt, values: shifted(of.values, places) };
}

/** The circuit's signals; undefined where it refuses. */
async function signalsOf(circuit: Circuit, input: Input): Promise<bigint[] | undefined> {
  const { wasm } = await compileCircuit(circuit);
  const witness = { type: "mem" as const };
  try {
    await snarkjs.wtns.calculate(input, wasm, witness as never);
  } catch (error) {
    expect(String(error)).to.match(/Assert Failed/);
    return undefined;
  }
  return (await snarkjs.wtns.exportJson(witness as never)) as unknown as bigint[];
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

async function stopWorkers(): Promise<void> {
  const { curves } = snarkjs as unknown as {
    readonly curves: { getCurveFromName(name: string): Promise<{ terminate(): Promise<void> }> };
  };
  await (await curves.getCurveFromName("bn128")).terminate();
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
  // snarkjs's workers would keep the process alive.
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
        const wide = sumStatement(off, { request, lower: -VALUE_OFFSET, upper: VALUE_OFFSET - 1n }).statement;
        const sum = (wide.claim ?? 0n) >> 200n;
        const narrow = sumInput().claim as bigint;
        const claim = (sum << 200n) | (narrow & (2n ** 200n - 1n));
        expect(await signalsOf("sum-64", inputOf(off, { ...wide, claim }, 64)), `${value}`).to.equal(undefined);
        const { batch = 0n, commitment = 0n } = wide;
        const statement: Statement = { ...(histogramInput() as Statement), batch, commitment };
        for (const counts of [statement.counts ?? 0n, (statement.counts ?? 0n) + 1n]) {
          const said = inputOf(off, { batch, commitment, claim: statement.claim ?? 0n, counts }, 64);
          expect(await signalsOf("histogram-64", said), `${value}`).to.equal(undefined);
        }
      }
    }
  });

  it("refuse another sum, a count that isn't the batch's, and one beyond their places", async () => {
    const input = sumInput();
    const { batch, claim } = input as { batch: bigint; claim: bigint };
    expect(await signalsOf("sum-64", { ...input, claim: claim + 2n ** 200n })).to.equal(undefined);
    for (const count of [0n, 49n, 51n, 65n, 65535n]) {
      const other = { ...input, batch: ((batch >> 16n) << 16n) | count };
      expect(await signalsOf("sum-64", other), `${count}`).to.equal(undefined);
    }
    // A batch of 65, whose commitment is right, in the circuit for 64.
    const many = committed(65);
    const whole = inputOf(many, sumStatement(many, QUERY).statement, 64);
    expect(await signalsOf("sum-64", whole)).to.equal(undefined);
  });

  it("refuse a head of more than 224 bits, and values in places that aren't used", async () => {
    const input = sumInput();
    const wide = { ...input, batch: (input.batch as bigint) + 2n ** 240n };
    expect(await signalsOf("sum-64", wide)).to.equal(undefined);
    const values = (input.values as bigint[]).with(50, VALUE_OFFSET);
    expect(await signalsOf("sum-64", { ...input, values })).to.equal(undefined);
  });

  it("refuse other bins, and a width of 0", async () => {
    const input = histogramInput();
    const { counts, claim } = input as { counts: bigint; claim: bigint };
    expect(await signalsOf("histogram-64", input)).not.to.equal(undefined);
    for (const wrong of [counts + 1n, counts - 1n, counts + 511n, counts + 512n - 1n, 0n])
      expect(await signalsOf("histogram-64", { ...input, counts: wrong })).to.equal(undefined);
    const mask = (2n ** 40n - 1n) << 120n;
    const width = (claim & mask) >> 120n;
    for (const other of [0n, 1n, width - 1n]) {
      const said = (claim & ~mask) | (other << 120n);
      expect(await signalsOf("histogram-64", { ...input, claim: said }), `${other}`).to.equal(undefined);
    }
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
