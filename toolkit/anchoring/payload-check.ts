import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { createKeccak } from "hash-wasm";
import { concat, sameBytes } from "../internal/bytes.js";
import { type Finding, finding } from "../internal/findings.js";
import { climbMany, leafHash } from "../internal/merkle.js";
import { type Content, type FileId, fileWord, type SealedContent } from "./contents.js";
import type { Evidence, FileSegment } from "./evidence.js";
import { EvidenceError } from "./evidence-error.js";

/** What recognises payloads in ways that take more than hashing; each may be left out. */
export interface PayloadReaders {
  /** What identifies the file at a path, in chunks of this many bytes. Left out, its chunks are compared and its CID is not. */
  readonly hashFile?: (path: string, chunkSize: number) => Promise<FileId>;
  /** Whether the file at a path is the ciphertext. Left out, its hash is compared. */
  readonly isSealed?: (path: string, content: SealedContent) => Promise<boolean>;
}

/** Most chunks of a segment: their hashes are kept until the last is read. */
const MAX_CHUNKS = 2 ** 20;

/**
 * Whether a file is what the evidence's content commits to. Undefined where there is nothing to compare. The file is read as a stream.
 *
 * @param path The file; left out, that it wasn't looked at is said, and holds.
 * Errors: ITC_EVIDENCE_PAYLOAD when it can't be read, or when the content has none.
 */
export async function checkPayload(
  { content, segment }: Evidence,
  path: string | undefined,
  readers: PayloadReaders = {},
): Promise<Finding | undefined> {
  if (path === undefined) {
    return content && content.kind !== "scalar" ? finding("payload", true, "payload not checked") : undefined;
  }
  if (!content || content.kind === "scalar") {
    const what = content ? "The reading's content is one number." : "The bundle keeps its content private.";
    throw new EvidenceError("ITC_EVIDENCE_PAYLOAD", what, "Leave the file out.");
  }
  try {
    return await compared(content, segment, path, readers);
  } catch (cause) {
    const what = `${path} can't be read: ${cause instanceof Error ? cause.message : String(cause)}.`;
    throw new EvidenceError("ITC_EVIDENCE_PAYLOAD", what, "Name the file that the reading is about.", { cause });
  }
}

async function compared(
  content: Exclude<Content, { kind: "scalar" }>,
  segment: FileSegment | undefined,
  path: string,
  readers: PayloadReaders,
): Promise<Finding> {
  const is = (same: boolean): string => `${path} ${same ? "is" : "is NOT"} what the device committed to`;
  switch (content.kind) {
    case "payload": {
      const same = sameBytes(await keccakOf(path), content.hash);
      return finding("payload", same, is(same));
    }
    case "sealed": {
      const same = readers.isSealed
        ? await readers.isSealed(path, content)
        : sameBytes(await keccakOf(path), content.ciphertext);
      return finding("payload", same, `${is(same)}, still encrypted`);
    }
    case "file": {
      const same = await isFile(path, content.file, segment, readers);
      const part = segment ? `, chunks ${segment.first} to ${segment.first + segment.count - 1n}` : "";
      return finding("payload", same, is(same) + part);
    }
  }
}

async function isFile(path: string, file: FileId, segment: FileSegment | undefined, { hashFile }: PayloadReaders) {
  if (segment) return isSegment(path, file, segment);
  if (!hashFile) return isSegment(path, file, { first: 0n, count: chunksOf(file), siblings: [] });
  return sameBytes(fileWord(await hashFile(path, file.chunkSize)), fileWord(file));
}

/** An empty file is one empty chunk. */
function chunksOf({ size, chunkSize }: FileId): bigint {
  return size === 0n ? 1n : (size + BigInt(chunkSize) - 1n) / BigInt(chunkSize);
}

async function keccakOf(path: string): Promise<Uint8Array> {
  const hasher = await createKeccak(256);
  for await (const piece of createReadStream(path)) hasher.update(piece as Uint8Array);
  return hasher.digest("binary");
}

/** Whether a file holds these chunks and nothing else. */
async function isSegment(path: string, file: FileId, { first, count, siblings }: FileSegment): Promise<boolean> {
  const chunkSize = BigInt(file.chunkSize);
  const chunks = chunksOf(file);
  if (count === 0n || count > MAX_CHUNKS || first + count > chunks || chunks > Number.MAX_SAFE_INTEGER) return false;
  const end = (first + count) * chunkSize;
  const bytes = (end < file.size ? end : file.size) - first * chunkSize;
  const leaves: Uint8Array[] = [];
  let [rest, seen]: [Uint8Array, bigint] = [new Uint8Array(), 0n];
  const take = (chunk: Uint8Array): void =>
    void leaves.push(leafHash(new Uint8Array(createHash("sha256").update(chunk).digest())));
  for await (const piece of createReadStream(path, { highWaterMark: Math.max(file.chunkSize, 2 ** 16) })) {
    seen += BigInt((piece as Uint8Array).length);
    if (seen > bytes) return false;
    rest = concat(rest, piece as Uint8Array);
    for (; rest.length >= file.chunkSize; rest = rest.subarray(file.chunkSize)) take(rest.subarray(0, file.chunkSize));
  }
  if (seen !== bytes) return false;
  if (rest.length > 0 || bytes === 0n) take(rest);
  const places = leaves.map((_, k) => Number(first) + k);
  const root = climbMany(leaves, places, Number(chunks), siblings);
  return root !== undefined && sameBytes(root, file.root);
}
