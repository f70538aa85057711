import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hashFile, MAX_CHUNK_BYTES } from "../toolkit/index.js";

// A sparse file of 1 GiB, hashed for evidence or with bare SHA-256, in a process of its own. Prints milliseconds and MiB as JSON.
const MEBIBYTES = 1024;

const jobs: Record<string, (path: string) => Promise<unknown>> = {
  ours: (path) => hashFile(path),
  async bare(path) {
    const hash = createHash("sha256");
    for await (const piece of createReadStream(path, { highWaterMark: MAX_CHUNK_BYTES })) hash.update(piece as Buffer);
    return hash.digest();
  },
};

const run = jobs[process.argv[2] ?? ""];
if (!run) throw new Error("Name one of: ours, bare.");
const folder = await mkdtemp(join(tmpdir(), "speed-"));
try {
  const path = join(folder, "recording");
  const handle = await open(path, "w");
  await handle.truncate(MEBIBYTES * MAX_CHUNK_BYTES);
  await handle.close();
  const start = performance.now();
  await run(path);
  const milliseconds = performance.now() - start;
  console.log(JSON.stringify({ milliseconds, mebibytes: process.resourceUsage().maxRSS / 1024 }));
} finally {
  await rm(folder, { recursive: true });
}
