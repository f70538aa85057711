import { readFile } from "node:fs/promises";
import { type CommittedValues, placesFor, secretsOf, ZkError } from "../anchoring/zk-values.js";
import { concat, uintBytes } from "../internal/bytes.js";
import { histogramStatement, type ProvableQuery, type Statement, sumStatement } from "./zk-statements.js";

/** What a circuit is proved with, as `npm run zk:setup` makes it: paths or contents. */
export interface ProvingKey {
  /** Computes the circuit's signals. */
  readonly wasm: string | Uint8Array;
  readonly zkey: string | Uint8Array;
}

/** What of snarkjs is used. It is no dependency of this package, for its licence is GPL-3.0: who proves installs it. */
interface Snarkjs {
  readonly groth16: {
    fullProve(
      input: Record<string, bigint | bigint[]>,
      wasm: Uint8Array,
      zkey: Uint8Array,
      logger: undefined,
      witness: undefined,
      options: { readonly singleThread: boolean },
    ): Promise<{ readonly proof: Proof }>;
  };
}

interface Proof {
  readonly pi_a: readonly unknown[];
  readonly pi_b: readonly (readonly unknown[])[];
  readonly pi_c: readonly unknown[];
}

type Load = () => Promise<unknown>;

/** A circuit's name, and the name of its files: which one proves so many values. */
export type Circuit = `${"sum" | "histogram"}-${64 | 256}`;

/** The circuit that proves a partial of so many values. */
export function circuitFor(partial: "sum" | "histogram", count: number): Circuit {
  return `${partial}-${placesFor(count)}`;
}

/**
 * Proves the sum of a batch's values without revealing them, for `IPartialVerifier.verifySum`. A count and a mean follow from it.
 *
 * @param key Of the circuit `circuitFor("sum", values.length)`.
 * @param load Instead of the installed snarkjs.
 * @example
 * const { sum, proof } = await proveSum({ device, firstSequence, values, salt }, { request, lower, upper }, key);
 * Errors: ITC_ZK_VALUES, ITC_ZK_BOUNDS, ITC_ZK_PROVER_MISSING, ITC_ZK_UNPROVED.
 */
export async function proveSum(
  committed: CommittedValues,
  query: ProvableQuery,
  key: ProvingKey,
  load?: Load,
): Promise<{ readonly sum: bigint; readonly proof: Uint8Array }> {
  const { sum, statement } = sumStatement(committed, query);
  return { sum, proof: await prove(committed, statement, key, load) };
}

/**
 * Proves how many of a batch's values are in which bin, for `IPartialVerifier.verifyHistogram`.
 *
 * @param query `size` is the number of bins, 2 to 64.
 * @returns The values in each bin, and the same as the verifier takes them: 16 bins a word.
 * @param key Of the circuit `circuitFor("histogram", values.length)`.
 * @param load Instead of the installed snarkjs.
 * Errors: as `proveSum`.
 */
export async function proveHistogram(
  committed: CommittedValues,
  query: ProvableQuery & { readonly size: number },
  key: ProvingKey,
  load?: Load,
): Promise<{ readonly bins: bigint[]; readonly counts: bigint[]; readonly proof: Uint8Array }> {
  const { bins, counts, statement } = histogramStatement(committed, query);
  return { bins, counts, proof: await prove(committed, statement, key, load) };
}

async function prove(
  committed: CommittedValues,
  statement: Statement,
  { wasm, zkey }: ProvingKey,
  load: Load = () => import("snarkjs"),
): Promise<Uint8Array> {
  const { groth16 } = await loaded(load);
  const input = { ...statement, ...secretsOf(committed) };
  try {
    // As contents: of files, snarkjs leaves those open with which proving fails.
    const contents = [await contentOf(wasm), await contentOf(zkey)] as const;
    // In this thread: workers would keep the process alive.
    const { proof } = await groth16.fullProve(input, ...contents, undefined, undefined, { singleThread: true });
    return bytesOf(proof);
  } catch (cause) {
    const next = "Pass wasm and zkey of the circuit that `circuitFor` names, both of one set-up.";
    throw new ZkError("ITC_ZK_UNPROVED", "The prover failed.", next, { cause });
  }
}

async function contentOf(file: string | Uint8Array): Promise<Uint8Array> {
  return typeof file === "string" ? await readFile(file) : file;
}

async function loaded(load: Load): Promise<Snarkjs> {
  try {
    return (await load()) as Snarkjs;
  } catch (cause) {
    const next = "Install it beside this package: npm install snarkjs.";
    throw new ZkError("ITC_ZK_PROVER_MISSING", "Proofs are made by snarkjs, which isn't there.", next, { cause });
  }
}

/** A, B, C in 256 bytes as EIP-197 has them: imaginary parts first. */
function bytesOf({ pi_a, pi_b, pi_c }: Proof): Uint8Array {
  const [x = [], y = []] = pi_b;
  const words = [pi_a[0], pi_a[1], x[1], x[0], y[1], y[0], pi_c[0], pi_c[1]];
  return concat(...words.map((coordinate) => uintBytes(BigInt(String(coordinate)), 32)));
}
