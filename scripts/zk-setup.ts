import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as snarkjs from "snarkjs";
import type { Circuit } from "../toolkit/analytics/zk-prove.js";
import { BUILD, CIRCUITS, compileCircuit, KEYS, poseidonConstants } from "./zk-circuits.js";
import { KEYS_FILE, keysSource, type VerificationKey } from "./zk-keys.js";
import { writeDevelopmentPowers } from "./zk-powers.js";

// Keys for the circuits: docs/zk.md, The set-up, says who runs what.
const POWER = 16;
const BEACON = "69".repeat(32);
const DEPLOY_FILE = fileURLToPath(new URL("../deploy/zk-keys.ts", import.meta.url));
const CONSTANTS = fileURLToPath(new URL("../circuits/poseidon-constants.circom", import.meta.url));

/** Keys that everyone can make again, byte by byte, and that nobody may rely on. */
async function developmentKeys(): Promise<void> {
  const powers = join(BUILD, "development.ptau");
  if (!existsSync(powers)) await writeDevelopmentPowers(powers, POWER, console.log);
  await mkdir(KEYS, { recursive: true });
  for (const circuit of CIRCUITS) {
    const initial = join(BUILD, `${circuit}.zkey`);
    await initialKey(circuit, powers, initial);
    // Without a contribution, delta would be gamma, and a proof for one public input could be turned into one for any other.
    await snarkjs.zKey.beacon(initial, keyIn(KEYS, circuit), "iotchain development", BEACON, 10);
    await rm(initial);
    console.log(`key of ${circuit}`);
  }
  await writeKeys(KEYS, true);
}

async function initialKey(circuit: Circuit, powers: string, path: string): Promise<void> {
  const { r1cs } = await compileCircuit(circuit);
  await snarkjs.zKey.newZKey(r1cs, powers, path);
}

/** Where a ceremony's second phase begins. */
async function initialKeys(powers: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const circuit of CIRCUITS) await initialKey(circuit, powers, keyIn(folder, circuit));
}

/** Where it ends: keys that are checked against circuits and powers go into the verifier. */
async function finalKeys(powers: string, folder: string): Promise<void> {
  for (const circuit of CIRCUITS) {
    const { r1cs } = await compileCircuit(circuit);
    const holds: unknown = await snarkjs.zKey.verifyFromR1cs(r1cs, powers, keyIn(folder, circuit));
    if (holds !== true) throw new Error(`The key of ${circuit} doesn't follow from the circuit and these powers.`);
  }
  await writeKeys(folder, false);
}

async function writeKeys(folder: string, isDevelopment: boolean): Promise<void> {
  const keys = new Map<Circuit, VerificationKey>();
  for (const circuit of CIRCUITS) {
    const key: unknown = await snarkjs.zKey.exportVerificationKey(keyIn(folder, circuit));
    keys.set(circuit, key as VerificationKey);
  }
  await writeFile(KEYS_FILE, await keysSource(keys, isDevelopment));
  const about = "/** Whether the verifier has the keys of the development set-up. Written by scripts/zk-setup.ts. */";
  await writeFile(DEPLOY_FILE, `${about}\nexport const DEVELOPMENT_KEYS: boolean = ${isDevelopment};\n`);
}

function keyIn(folder: string, circuit: Circuit): string {
  return join(folder, `${circuit}.zkey`);
}

const { values } = parseArgs({
  options: { powers: { type: "string" }, initial: { type: "string" }, final: { type: "string" } },
});
await writeFile(CONSTANTS, poseidonConstants());
if (values.powers === undefined) await developmentKeys();
else if (values.initial !== undefined) await initialKeys(values.powers, values.initial);
else if (values.final !== undefined) await finalKeys(values.powers, values.final);
else
  throw new Error("With --powers goes --initial, a folder to write the first keys to, or --final, one with the last.");
// snarkjs's workers would keep the process alive.
process.exit();
