import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as snarkjs from "snarkjs";
import { checkFinalKeys, initialKey, initialKeys, keyIn, planOf } from "./zk-ceremony.js";
import { BUILD, CIRCUITS, KEYS, poseidonConstants } from "./zk-circuits.js";
import { KEYS_FILE, verifierSource } from "./zk-keys.js";
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
    await initialKey(powers, circuit, initial);
    // Without a contribution, delta would be gamma, and a proof for one public input could be turned into one for any other.
    await snarkjs.zKey.beacon(initial, keyIn(KEYS, circuit), "iotchain development", BEACON, 10);
    await rm(initial);
    console.log(`key of ${circuit}`);
  }
  await writeKeys(KEYS, true);
}

async function writeKeys(folder: string, isDevelopment: boolean): Promise<void> {
  await writeFile(KEYS_FILE, await verifierSource(folder, CIRCUITS, isDevelopment));
  const about = "/** Whether the verifier has the keys of the development set-up. Written by scripts/zk-setup.ts. */";
  await writeFile(DEPLOY_FILE, `${about}\nexport const DEVELOPMENT_KEYS: boolean = ${isDevelopment};\n`);
}

async function setUp(): Promise<void> {
  const plan = planOf(process.argv.slice(2));
  await writeFile(CONSTANTS, poseidonConstants());
  if (plan.phase === "development") return developmentKeys();
  if (plan.phase === "initial") return initialKeys(plan.powers, plan.folder, CIRCUITS);
  await checkFinalKeys(plan.powers, plan.folder, CIRCUITS, console.log);
  await writeKeys(plan.folder, false);
}

const code = await setUp().then(
  () => 0,
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  },
);
// snarkjs's workers would keep the process alive.
process.exit(code);
