import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Circuit, ProvingKey } from "../toolkit/analytics/zk-prove.js";

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL("../", import.meta.url));

export const CIRCUITS: readonly Circuit[] = ["sum-64", "sum-256", "histogram-64", "histogram-256"];

/** Where circuits are compiled to; not committed. */
export const BUILD: string = join(root, "cache", "zk");
/** Proving keys of the development set-up; those of the small circuits are committed. */
export const KEYS: string = join(root, "circuits", "keys");
const SOURCES = join(root, "circuits");

/** A compiled circuit's files. */
export interface Compiled {
  readonly r1cs: string;
  readonly wasm: string;
}

/** Compiles `circuits/<circuit>.circom` unless that was done from the same sources. */
export async function compileCircuit(circuit: string): Promise<Compiled> {
  const compiled = {
    r1cs: join(BUILD, `${circuit}.r1cs`),
    wasm: join(BUILD, `${circuit}_js`, `${circuit}.wasm`),
  };
  await mkdir(BUILD, { recursive: true });
  const stamp = join(BUILD, `${circuit}.sources`);
  const sources = await hashOfSources();
  if ((await readFile(stamp, "utf8").catch(() => "")) === sources) return compiled;
  // --O1: full simplification (--O2) makes longer constraints, and larger keys of them.
  await run(join(dirname(require.resolve("circom2")), "cli.js"), [
    `${circuit}.circom`,
    ...["--r1cs", "--wasm", "--O1", "-o", "../cache/zk"],
  ]);
  await writeFile(stamp, sources);
  return compiled;
}

/** What proves by the development keys. */
export async function developmentKey(circuit: Circuit): Promise<ProvingKey> {
  return { wasm: (await compileCircuit(circuit)).wasm, zkey: join(KEYS, `${circuit}.zkey`) };
}

/** Computes a circuit's signals; rejects where a constraint doesn't hold. */
export interface Calculator {
  calculateWitness(input: Record<string, bigint | bigint[]>, isChecked: boolean): Promise<bigint[]>;
}

/** The calculator that circom writes beside a circuit. Made once, it computes in a fraction of the time that snarkjs's takes, which is made anew. */
export async function calculatorOf(circuit: string): Promise<Calculator> {
  const { wasm } = await compileCircuit(circuit);
  await writeFile(join(BUILD, "package.json"), '{ "type": "commonjs" }\n');
  const build = require(join(dirname(wasm), "witness_calculator.js")) as (code: Buffer) => Promise<Calculator>;
  return build(await readFile(wasm));
}

async function hashOfSources(): Promise<string> {
  const names = (await readdir(SOURCES)).filter((name) => name.endsWith(".circom")).sort();
  const hash = createHash("sha256").update(require("circom2/package.json").version);
  for (const name of names) hash.update(name).update(await readFile(join(SOURCES, name)));
  return hash.digest("hex");
}

function run(script: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...args], { cwd: SOURCES, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (output += data.toString()));
    child.on("error", reject);
    child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(output))));
  });
}

/** `circuits/poseidon-constants.circom`, from the constants of poseidon-lite, which the toolkit hashes with. */
export function poseidonConstants(): string {
  const module = require(join(dirname(require.resolve("poseidon-lite")), "constants", "16.js")) as {
    readonly default: { readonly C: readonly string[]; readonly M: readonly (readonly string[])[] };
  };
  const number = (text: string): string => BigInt(`0x${Buffer.from(text, "base64").toString("hex")}`).toString();
  const list = (items: readonly string[]): string => `[\n${items.join(",\n")}\n]`;
  const { C, M } = module.default;
  return `pragma circom 2.2.0;

// Written by scripts/zk-setup.ts: round constants and matrix of Poseidon for width 17, from poseidon-lite.
function POSEIDON_ROUND_CONSTANTS() {
    return ${list(C.map(number))};
}

function POSEIDON_MATRIX() {
    return ${list(M.map((row) => list(row.map(number))))};
}
`;
}
