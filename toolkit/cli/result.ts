import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { AnalyticsError } from "../analytics/analytics-error.js";
import { obstacleTo } from "../analytics/build-result.js";
import { checkResult } from "../analytics/check-result.js";
import { PartialDigests } from "../analytics/partial-digests.js";
import { requestIdOf } from "../analytics/requests.js";
import { contentOfData, ResultData } from "../analytics/result-data.js";
import { HeaderLine, type ResultHeader } from "../analytics/result-format.js";
import { TABLE_FORMATS, writeResultTable } from "../analytics/result-tables.js";
import { nodeDigest, ResultTree } from "../analytics/result-tree.js";
import { leavesIn } from "../analytics/tree-data.js";
import { toHex } from "../internal/bytes.js";
import { printable, UsageError } from "./input.js";

/** A header isn't longer. */
const MAX_HEADER = 4_096;

/** `itc result export`. */
export async function exportResult(file: string, { to, out }: { to: string; out: string }): Promise<void> {
  const format = TABLE_FORMATS.find((one) => one === to);
  if (!format) {
    throw new UsageError(
      "ITC_CLI_FORMAT",
      `${printable(to)} is no format.`,
      `Name one of ${TABLE_FORMATS.join(", ")}.`,
    );
  }
  if (resolve(file) === resolve(out)) {
    throw new UsageError("ITC_CLI_SAME_FILE", "The table would replace the data.", "Name another file for it.");
  }
  const header = await headerOf(file);
  const data = await ResultData.open(createReadStream(file), header);
  await replace(out, (draft) => writeResultTable(header, data, format, draft));
  console.log(`${header.leaves} leaves of request ${idOf(header)} are in ${out}.`);
}

/** `itc result check`: exit code 1 where something is wrong. */
export async function checkFile(
  file: string,
  { root, content, json = false }: { root?: string; content?: string; json?: boolean },
): Promise<void> {
  for (const word of [root, content]) {
    if (word === undefined || /^0x[0-9a-fA-F]{64}$/.test(word)) continue;
    throw new UsageError("ITC_CLI_WORD", `${printable(word)} is no root or content.`, "Each has 0x and 64 hex digits.");
  }
  const header = await headerOf(file);
  const own = await contentOfData(createReadStream(file));
  const tree = await treeOf(file, header);
  const digest = tree && toHex(nodeDigest(tree.root));
  const facts = {
    ...header,
    root: (root ?? digest ?? `0x${"00".repeat(32)}`).toLowerCase(),
    content: content ?? own,
    proposedAt: 0n,
    proposedBlock: 0n,
  };
  const digests = new PartialDigests(header);
  const { faults } = await checkResult(createReadStream(file), facts, { digests });
  const findings = faults.map((fault) => ({ kind: fault.kind, detail: detailOf(fault) }));
  const obstacle = tree && obstacleTo(header.request, tree.root.summary, tree.aggregate);
  if (obstacle) findings.push({ kind: "node", detail: `It can't be proposed for its ${obstacle}.` });
  const summary = { request: idOf(header), leaves: header.leaves, root: digest ?? null, content: own };
  if (json) console.log(JSON.stringify({ ...summary, findings }));
  else {
    for (const [name, value] of Object.entries(summary)) console.log(`${name.padEnd(8)} ${value ?? "none"}`);
    for (const { kind, detail } of findings) console.log(`FAULT    ${kind.padEnd(16)} ${printable(detail)}`);
    console.log(findings.length === 0 ? "Nothing is wrong with the data by themselves." : "The data are NOT right.");
  }
  if (findings.length > 0) process.exitCode = 1;
}

function detailOf(fault: object): string {
  if ("why" in fault) return String(fault.why);
  const leaf = "leaf" in fault ? fault.leaf : undefined;
  return typeof leaf === "object" && leaf !== null && "device" in leaf
    ? `device ${leaf.device}`
    : "see the courts' rules";
}

async function treeOf(file: string, header: ResultHeader): Promise<ResultTree | undefined> {
  const leaves = await leavesIn(createReadStream(file), header);
  try {
    return leaves && new ResultTree(header.request.query, leaves, false);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** What the data say they are. */
async function headerOf(file: string): Promise<ResultHeader> {
  const found = await stat(file).catch(() => undefined);
  if (!found?.isFile())
    throw new UsageError("ITC_CLI_FILE", `There is no file ${printable(file)}.`, "Name a result's data.");
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(MAX_HEADER + 1), 0, MAX_HEADER + 1, 0);
    const end = buffer.subarray(0, bytesRead).indexOf(0x0a);
    const header = end < 0 ? undefined : HeaderLine.safeParse(jsonOf(buffer.toString("latin1", 0, end))).data;
    if (header) return header;
  } finally {
    await handle.close();
  }
  const what = `${printable(file)} doesn't begin with the header of a result's data.`;
  throw new AnalyticsError("ITC_RESULT_DATA", what, "Ask its proposer for the data.");
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function idOf({ request, chainId, analytics }: ResultHeader): string {
  return requestIdOf(request, chainId, analytics);
}

/** What was there stays whole until the new file is. */
async function replace(path: string, write: (draft: string) => Promise<void>): Promise<void> {
  const draft = `${path}.${randomUUID()}.tmp`;
  try {
    await write(draft);
    await rename(draft, path);
  } catch (cause) {
    await rm(draft, { force: true });
    if (cause instanceof Error && "syscall" in cause) {
      const what = `${printable(path)} can't be written: ${cause.message}.`;
      throw new UsageError("ITC_CLI_WRITE", what, "Name another file.", { cause });
    }
    throw cause;
  }
}
