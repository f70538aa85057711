import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const COMMITTED = "typechain-types";

/**
 * Builds the bindings anew, beside the committed ones, and says how those differ: one line a file.
 * The committed ones are left as they are, and git is not asked, so the check means the same before and after a commit.
 */
export function checkBindings(root: string): string[] {
  mkdirSync(path.join(root, ".cache"), { recursive: true });
  const scratch = mkdtempSync(path.join(root, ".cache", "bindings-"));
  try {
    const fresh = path.join(scratch, "types");
    const config = path.join(scratch, "hardhat.config.ts");
    writeFileSync(config, configInto(fresh));
    const hardhat = path.join(root, "node_modules", "hardhat", "dist", "src", "cli.js");
    const build = spawnSync(process.execPath, [hardhat, "--config", config, "build"], { cwd: root, encoding: "utf8" });
    if (build.status !== 0) return [`hardhat build failed:\n${build.stdout}${build.stderr}`];
    return differences(contents(path.join(root, COMMITTED)), contents(fresh));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The house's configuration with another place for the bindings. */
function configInto(folder: string): string {
  return `import config from "../../hardhat.config.js";
export default { ...config, typechain: { ...config.typechain, outDir: ${JSON.stringify(folder)} } };
`;
}

function contents(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  return new Map(files.map((name) => [name, readFileSync(path.join(folder, name), "utf8")]));
}

/** How the committed files differ from fresh ones. */
export function differences(committed: ReadonlyMap<string, string>, fresh: ReadonlyMap<string, string>): string[] {
  const next = "run `npm run build:contracts` and commit it";
  const missing = [...fresh.keys()].filter((name) => !committed.has(name));
  const stale = [...fresh].filter(([name, text]) => committed.has(name) && committed.get(name) !== text);
  const orphans = [...committed.keys()].filter((name) => !fresh.has(name));
  return [
    ...missing.map((name) => `${COMMITTED}/${name}:1: is missing, ${next}`),
    ...stale.map(([name]) => `${COMMITTED}/${name}:1: is stale, ${next}`),
    ...orphans.map((name) => `${COMMITTED}/${name}:1: belongs to no contract, delete it`),
  ].sort();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const lines = checkBindings(process.cwd());
  for (const line of lines) console.error(line);
  process.exitCode = lines.length > 0 ? 1 : 0;
}
