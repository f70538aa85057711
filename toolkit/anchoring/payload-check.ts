import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { createKeccak } from "hash-wasm";
import { sameBytes } from "../internal/bytes.js";
import { type Finding, finding } from "../internal/findings.js";
import type { Content, FileContent, SealedContent, Segment } from "./contents.js";
import type { Evidence } from "./evidence.js";
import { EvidenceError } from "./evidence-error.js";
import { FileError, verifyFile, verifySegment } from "./files.js";
import { MAX_SEALED_TEXT, readSealed, SealError } from "./jwe.js";
import { sealedHash } from "./sealing.js";

/**
 * Whether a file is what the evidence's content commits to. Undefined where there is nothing to compare. Large files are read as streams.
 *
 * @param path The file; left out, that it wasn't looked at is said, and holds.
 * Errors: ITC_EVIDENCE_PAYLOAD when it can't be read, or when the content has none.
 */
export async function checkPayload(
  { content, segment }: Evidence,
  path: string | undefined,
): Promise<Finding | undefined> {
  if (path === undefined) {
    return content && content.kind !== "scalar" ? finding("payload", true, "payload not checked") : undefined;
  }
  if (!content || content.kind === "scalar") {
    const what = content ? "The reading's content is one number." : "The bundle keeps its content private.";
    throw new EvidenceError("ITC_EVIDENCE_PAYLOAD", what, "Leave the file out.");
  }
  try {
    return await compared(content, segment, path);
  } catch (cause) {
    const what = `${path} can't be read: ${cause instanceof Error ? cause.message : String(cause)}.`;
    throw new EvidenceError("ITC_EVIDENCE_PAYLOAD", what, "Name the file that the reading is about.", { cause });
  }
}

async function compared(
  content: Exclude<Content, { kind: "scalar" }>,
  segment: Segment | undefined,
  path: string,
): Promise<Finding> {
  const is = (same: boolean): string => `${path} ${same ? "is" : "is NOT"} what the device committed to`;
  switch (content.kind) {
    case "payload": {
      const same = sameBytes(await keccakOf(path), content.hash);
      return finding("payload", same, is(same));
    }
    case "sealed": {
      const same = await isSealed(path, content);
      return finding("payload", same, `${is(same)}, still encrypted`);
    }
    case "file": {
      const same = await isFile(path, content, segment);
      const part = segment ? `, chunks ${segment.first} to ${segment.end}` : "";
      return finding("payload", same, is(same) + part);
    }
  }
}

async function keccakOf(path: string): Promise<Uint8Array> {
  const hasher = await createKeccak(256);
  for await (const piece of createReadStream(path)) hasher.update(piece as Uint8Array);
  return hasher.digest("binary");
}

/** Whether a file is a JWE of this ciphertext, whoever its recipients are. */
async function isSealed(path: string, content: SealedContent): Promise<boolean> {
  const handle = await open(path);
  try {
    if ((await handle.stat()).size > MAX_SEALED_TEXT) return false;
    return sameBytes(sealedHash(readSealed(await handle.readFile("utf8"))), content.ciphertext);
  } catch (error) {
    if (error instanceof SealError) return false;
    throw error;
  } finally {
    await handle.close();
  }
}

async function isFile(path: string, { file }: FileContent, segment: Segment | undefined): Promise<boolean> {
  try {
    return (segment ? await verifySegment(file, segment, path) : await verifyFile(file, path)).holds;
  } catch (error) {
    // Chunks that the file can't have; a file that changes meanwhile is a failure of the check.
    if (error instanceof FileError && error.code !== "ITC_FILE_CHANGED") return false;
    throw error;
  }
}
