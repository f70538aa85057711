import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { createKeccak } from "hash-wasm";
import { concat, sameBytes } from "../internal/bytes.js";
import { type Finding, finding } from "../internal/findings.js";
import { climbMany, leafHash } from "../internal/merkle.js";
import { type Content, type FileId, fileWord, type SealedContent } from "./contents.js";
import type { Evidence, Segment } from "./evidence.js";
import { EvidenceError } from "./evidence-error.js";

/** How files in chunks, and sealed ones, are recognised. */
export interface PayloadReaders {
  /** What identifies the file at a path, in chunks of this many bytes. */
  readonly hashFile: (path: string, chunkSize: number) => Promise<FileId>;
  /** Whether the file at a path is the ciphertext; left out, its hash is compared. */
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
  readers: PayloadReaders,
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
  segment: Segment | undefined,
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
      if (segment) {
        const same = await isSegment(path, content.file, segment);
        return finding(
          "payload",
          same,
          `${is(same)}: chunks ${segment.first} to ${segment.first + segment.count - 1n}`,
        );
      }
      const found = await readers.hashFile(path, content.file.chunkSize);
      const same = sameBytes(fileWord(found), fileWord(content.file));
      return finding("payload", same, is(same));
    }
  }
}

async function keccakOf(path: string): Promise<Uint8Array> {
  const hasher = await createKeccak(256);
  for await (const piece of createReadStream(path)) hasher.update(piece as Uint8Array);
  return hasher.digest("binary");
}

/** Whether a file holds these chunks and nothing else. */
async function isSegment(path: string, file: FileId, { first, count, siblings }: Segment): Promise<boolean> {
  const chunkSize = BigInt(file.chunkSize);
  const chunks = (file.size + chunkSize - 1n) / chunkSize;
  if (count === 0n || count > MAX_CHUNKS || first + count > chunks || chunks > Number.MAX_SAFE_INTEGER) return false;
  const end = (first + count) * chunkSize;
  const bytes = (end < file.size ? end : file.size) - first * chunkSize;
  const leaves: Uint8Array[] = [];
  let [rest, seen]: [Uint8Array, bigint] = [new Uint8Array(), 0n];
  const take = (chunk: Uint8Array): void =>
    void leaves.push(leafHash(new Uint8Array(createHash("sha256").update(chunk).digest())));
  for await (const piece of createReadStream(path)) {
    seen += BigInt((piece as Uint8Array).length);
    if (seen > bytes) return false;
    rest = concat(rest, piece as Uint8Array);
    for (; rest.length >= file.chunkSize; rest = rest.subarray(file.chunkSize)) take(rest.subarray(0, file.chunkSize));
  }
  if (seen !== bytes) return false;
  if (rest.length > 0) take(rest);
  const places = leaves.map((_, k) => Number(first) + k);
  const root = climbMany(leaves, places, Number(chunks), siblings);
  return root !== undefined && sameBytes(root, file.root);
}
