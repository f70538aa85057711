import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { performance } from "node:perf_hooks";

interface Check {
  readonly name: string;
  readonly command: readonly string[];
  /** What `--fix` runs instead; checks without it are skipped then. */
  readonly fix?: readonly string[];
}

const script = (file: string): string[] => ["node", "--import", "tsx", `scripts/${file}`];

// The slowest first, so that the short ones fill the other core.
const CHECKS: readonly Check[] = [
  { name: "bindings are fresh", command: script("check-bindings.ts") },
  { name: "types (tsc)", command: ["tsc", "--noEmit"] },
  { name: "solidity lint (solhint)", command: ["solhint", "--noPoster", "--disc", "-w", "0", "contracts/**/*.sol"] },
  {
    name: "format (prettier)",
    command: ["prettier", "--check", "--log-level", "warn", "."],
    fix: ["prettier", "--write", "--log-level", "warn", "."],
  },
  { name: "dead exports (knip)", command: ["knip", "--no-progress"] },
  { name: "layout and arrows", command: script("check-layout.ts") },
  {
    name: "typescript lint (biome)",
    command: ["biome", "check", "--error-on-warnings"],
    fix: ["biome", "check", "--write"],
  },
];

interface Outcome {
  readonly passed: boolean;
  readonly output: string;
}

function run(command: readonly string[]): Promise<Outcome> {
  const [file = "", ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"], shell: process.platform === "win32" });
    let output = "";
    child.stdout.on("data", (data: Buffer) => {
      output += data.toString();
    });
    child.stderr.on("data", (data: Buffer) => {
      output += data.toString();
    });
    child.on("error", (error) => resolve({ passed: false, output: error.message }));
    child.on("close", (code) => resolve({ passed: code === 0, output }));
  });
}

/** Runs the checks, as many at once as there are cores, and prints a line each; output only of failures. */
async function main(fix: boolean): Promise<void> {
  const queue = CHECKS.flatMap(({ name, command, fix: repair }) => {
    const chosen = fix ? repair : command;
    return chosen ? [{ name, command: chosen }] : [];
  });
  let failed = 0;
  const worker = async (): Promise<void> => {
    for (let check = queue.shift(); check; check = queue.shift()) {
      const start = performance.now();
      const { passed, output } = await run(check.command);
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      console.log(`${passed ? "ok    " : "FAILED"} ${check.name} (${seconds} s)`);
      if (passed) continue;
      failed++;
      console.log(output.trimEnd().replace(/^/gm, "       "));
    }
  };
  const total = queue.length;
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), total) }, worker));
  console.log(`${total - failed} checks passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

await main(process.argv.includes("--fix"));
