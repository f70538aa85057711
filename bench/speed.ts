import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { z } from "zod";

// Each job runs in a process of its own, so that its memory is its alone, turn by turn with what it is compared with.
const ROUNDS = 3;
const RESULTS = fileURLToPath(new URL("results/speed.json", import.meta.url));
const PAGE = fileURLToPath(new URL("../docs/anchoring.md", import.meta.url));
const BEGIN = "<!-- speed table: begin, written by npm run bench:speed -->";
const END = "<!-- speed table: end -->";

const number = z.number().positive();
const Outcome = z.strictObject({
  milliseconds: number,
  mebibytes: number,
  perSecond: z.optional(number),
  bundleBytes: z.optional(number),
});
type Outcome = z.infer<typeof Outcome>;

const run = promisify(execFile);

/** The median time of a job, and the most memory that it took. */
function summary(outcomes: readonly Outcome[]): Outcome {
  const byTime = [...outcomes].sort((a, b) => a.milliseconds - b.milliseconds);
  const median = byTime[Math.floor(byTime.length / 2)];
  if (!median) throw new Error("A job gave nothing.");
  return {
    ...median,
    mebibytes: Math.max(...outcomes.map(({ mebibytes }) => mebibytes)),
  };
}

async function measure(file: string, jobs: readonly string[], rounds = ROUNDS): Promise<Outcome[]> {
  const outcomes = jobs.map((): Outcome[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [k, job] of jobs.entries()) {
      const path = fileURLToPath(new URL(file, import.meta.url));
      const { stdout } = await run(process.execPath, ["--import", "tsx", path, job], { maxBuffer: 2 ** 20 });
      outcomes[k]?.push(Outcome.parse(JSON.parse(stdout)));
    }
  }
  return outcomes.map(summary);
}

/** A figure of the page: a ratio or a rate, never a time alone. */
interface Row {
  readonly what: string;
  readonly figure: string;
  readonly asked: string;
  readonly beside: string;
}

async function batching(): Promise<Row[]> {
  const [ours, bare] = await measure("speed-batch.ts", ["ours", "bare"]);
  const [peer] = await measure("speed-batch.ts", ["peer"], 1);
  if (!ours || !bare || !peer) throw new Error("A job gave nothing.");
  const ratio = (one: Outcome) => (one.milliseconds / bare.milliseconds).toFixed(2);
  return [
    {
      what: "1,000,000 hashed readings to a root, beside 2,000,000 bare hashes (hash-wasm)",
      figure: `${ratio(ours)} × their time, ${Math.ceil(ours.mebibytes)} MiB`,
      asked: "≤ 1.5 ×, ≤ 256 MiB",
      beside: `@openzeppelin/merkle-tree ${ratio(peer)} ×, ${Math.ceil(peer.mebibytes)} MiB`,
    },
  ];
}

async function checking(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const kind of ["secp256k1", "p256"]) {
    const [with_, plain] = await measure("speed-evidence.ts", [kind, `${kind}-plain`], 1);
    if (!with_ || !plain) throw new Error("A job gave nothing.");
    rows.push({
      what: `bundles checked on one core, ${kind}: offline parts of a plain one / by a block's hash alone`,
      figure: `${plain.perSecond} / ${with_.perSecond} a second`,
      asked: "≥ 500 a second",
      beside: `${plain.bundleBytes} / ${with_.bundleBytes} bytes (asked ≤ 4 KiB plain)`,
    });
  }
  return rows;
}

async function hashing(): Promise<Row[]> {
  const [ours, bare] = await measure("speed-file.ts", ["ours", "bare"]);
  if (!ours || !bare) throw new Error("A job gave nothing.");
  return [
    {
      what: "a file of 1 GiB hashed for evidence, chunks and CID, beside bare SHA-256 of it",
      figure: `${(ours.milliseconds / bare.milliseconds).toFixed(2)} × its time, ${Math.ceil(ours.mebibytes)} MiB`,
      asked: "constant memory",
      beside: `bare ${Math.ceil(bare.mebibytes)} MiB`,
    },
  ];
}

async function main(): Promise<void> {
  const rows = [...(await batching()), ...(await checking()), ...(await hashing())];
  const lines = rows.map(({ what, figure, asked, beside }) => `| ${what} | ${figure} | ${asked} | ${beside} |`);
  const table = ["| | measured | asked | beside it |", "| --- | --- | --- | --- |", ...lines].join("\n");
  await mkdir(dirname(RESULTS), { recursive: true });
  await writeFile(RESULTS, `${JSON.stringify({ rows }, null, 2)}\n`);
  const page = await readFile(PAGE, "utf8");
  const [head = "", rest = ""] = page.split(BEGIN);
  const tail = rest.split(END)[1] ?? "";
  await writeFile(PAGE, `${head}${BEGIN}\n\n${table}\n\n${END}${tail}`);
  console.log(table);
}

await main();
