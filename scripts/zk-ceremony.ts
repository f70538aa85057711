import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as snarkjs from "snarkjs";
import { compileCircuit } from "./zk-circuits.js";
import { contributionsOf, readPowers, sizeOfCircuit } from "./zk-files.js";

// The second phase of a ceremony: the first key of each circuit, and the check of the last one. docs/zk.md, The set-up, says who runs what.

type Log = (line: string) => void;

/** What `npm run zk:setup` is asked for. */
export type Plan =
  | { readonly phase: "development" }
  | { readonly phase: "initial" | "final"; readonly powers: string; readonly folder: string };

/** Reads the command's options. Throws an Error for any that don't go together: development keys come of no option at all. */
export function planOf(args: readonly string[]): Plan {
  const text = { type: "string" } as const;
  const { powers, initial, final } = parseArgs({
    args: [...args],
    options: { powers: text, initial: text, final: text },
  }).values;
  const folder = initial ?? final;
  if (powers === undefined && folder === undefined) return { phase: "development" };
  if (!powers || !folder || (initial !== undefined && final !== undefined)) {
    throw new Error(
      "With --powers goes either --initial, a folder to write the first keys to, or --final, one with the last.",
    );
  }
  return { phase: initial === undefined ? "final" : "initial", powers, folder };
}

/** The key of a circuit in a folder. */
export function keyIn(folder: string, circuit: string): string {
  return join(folder, `${circuit}.zkey`);
}

/** Where the second phase begins. Throws an Error for powers that won't do, and rather than write over a key. */
export async function initialKeys(powers: string, folder: string, circuits: readonly string[]): Promise<void> {
  for (const circuit of circuits) {
    const key = keyIn(folder, circuit);
    if (existsSync(key)) throw new Error(`${key} is there already. A ceremony begins in an empty folder.`);
    await checkPowers(powers, circuit);
  }
  await mkdir(folder, { recursive: true });
  for (const circuit of circuits) await initialKey(powers, circuit, keyIn(folder, circuit));
}

/** A circuit's key before anyone has contributed: whoever has no other one can forge proofs. */
export async function initialKey(powers: string, circuit: string, path: string): Promise<void> {
  const { r1cs } = await compileCircuit(circuit);
  const { logger, errors } = loggerFor();
  // Its types say that it returns a hash, or nothing; where it fails that is -1, and half a file.
  const result: unknown = await snarkjs.zKey.newZKey(r1cs, powers, path, logger);
  if (result !== -1) return;
  await rm(path, { force: true });
  throw new Error(`No key of ${circuit} from ${powers}: ${errors.join(" ")}`);
}

/**
 * Where it ends: each key must follow from circuit and powers by a chain of contributions, one of a party at least, with a beacon at the end. Its
 * hashes are logged, for the parties to compare. Throws an Error else.
 */
export async function checkFinalKeys(
  powers: string,
  folder: string,
  circuits: readonly string[],
  log: Log,
): Promise<void> {
  for (const circuit of circuits) {
    const key = keyIn(folder, circuit);
    await checkPowers(powers, circuit);
    const contributions = await contributionsOf(key);
    if (!contributions.includes("party")) {
      throw new Error(`${key}: no party has contributed to it, so anyone can forge proofs.`);
    }
    if (contributions.at(-1) !== "beacon") throw new Error(`${key}: it doesn't end with a beacon.`);
  }
  for (const circuit of circuits) {
    log(`${circuit}:`);
    await checkFinalKey(powers, circuit, keyIn(folder, circuit), log);
  }
}

async function checkFinalKey(powers: string, circuit: string, key: string, log: Log): Promise<void> {
  const { r1cs } = await compileCircuit(circuit);
  const { logger, errors } = loggerFor((line) => {
    if (/^(Circuit Hash|contribution|Beacon)/.test(line)) log(line);
  });
  const holds: unknown = await snarkjs.zKey.verifyFromR1cs(r1cs, powers, key, logger).catch((error: unknown) => {
    errors.push(String(error));
    return false;
  });
  if (holds === true) return;
  throw new Error(`${key} doesn't follow from ${circuit} and ${powers}. ${errors.join(" ")}`);
}

async function checkPowers(path: string, circuit: string): Promise<void> {
  const { power, contributions, isPrepared } = await readPowers(path);
  if (contributions === 0)
    throw new Error(`${path}: nobody has contributed to these powers, so anyone can forge proofs.`);
  if (!isPrepared) {
    throw new Error(
      `${path}: not prepared. Run snarkjs powersoftau prepare phase2 ${path} prepared.ptau, and pass that.`,
    );
  }
  const size = await sizeOfCircuit((await compileCircuit(circuit)).r1cs);
  if (size > 2 ** power) {
    const needed = Math.ceil(Math.log2(size));
    throw new Error(`${path}: powers for 2^${power} constraints; ${circuit} has ${size} and needs 2^${needed}.`);
  }
}

/** snarkjs tells a logger why it says no. */
function loggerFor(info: Log = () => {}) {
  const errors: string[] = [];
  const ignore = (): void => {};
  const logger = { debug: ignore, info, warn: ignore, error: (line: string) => void errors.push(line) };
  return { logger, errors };
}
