import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { format, resolveConfig } from "prettier";
import { evidenceJsonSchema } from "../toolkit/anchoring/evidence.js";
import { DEVICE_FACING_CONTRACTS, deviceAbiOf } from "../toolkit/device-abi.js";
import { scenarioJsonSchema } from "../toolkit/testing/scenario-schema.js";
import { noiseMapCsv } from "./noise-map-data.js";
import { vectorFiles } from "./vectors.js";

// Files that are made of the code and committed for readers and other tools; tests fail when they aren't what the code makes.
const root = fileURLToPath(new URL("../", import.meta.url));

async function write(path: string, value: object): Promise<void> {
  const options = await resolveConfig(root + path);
  await writeFile(root + path, await format(JSON.stringify(value), { ...options, parser: "json" }));
  console.log(`wrote ${path}`);
}

await write("docs/scenario.schema.json", scenarioJsonSchema());
await write("docs/evidence.schema.json", evidenceJsonSchema());
await mkdir(`${root}abi/device`, { recursive: true });
for (const contract of DEVICE_FACING_CONTRACTS) await write(`abi/device/${contract}.json`, deviceAbiOf(contract));
await mkdir(`${root}docs/vectors`, { recursive: true });
for (const [name, vectors] of Object.entries(await vectorFiles())) await write(`docs/vectors/${name}`, vectors);
await mkdir(`${root}scenarios/data`, { recursive: true });
await writeFile(`${root}scenarios/data/noise-map.csv`, noiseMapCsv(20260530));
console.log("wrote scenarios/data/noise-map.csv");
