import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { scenarioJsonSchema } from "../toolkit/testing/scenario-schema.js";

// docs/scenario.schema.json, for editors; a test fails when it isn't the present form.
const path = fileURLToPath(new URL("../docs/scenario.schema.json", import.meta.url));
await writeFile(path, `${JSON.stringify(scenarioJsonSchema(), undefined, 2)}\n`);
