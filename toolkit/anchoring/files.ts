import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { type BufferImporter, importByteStream } from "ipfs-unixfs-importer";
import { CID } from "multiformats/cid";
import * as raw from "multiformats/codecs/raw";
import * as multihash from "multiformats/hashes/digest";
import { IotchainError } from "../errors.js";
import { sameBytes, toHex } from "../internal/bytes.js";
import { type Finding, finding, type Verdict, verdictOf } from "../internal/findings.js";
import { climbMany, leafHash, MerkleTree } from "../internal/merkle.js";
import { type FileContent, type FileId, MAX_CHUNK_BYTES, MIN_CHUNK_BYTES, type Segment } from "./contents.js";

/** A file that can't be hashed, or a segment that there isn't. */
export class FileError extends IotchainError {}

export { FILE_SCHEMA } from "./contents.js";

/** Codes of multicodec: what a CID says of the block that it names. */
const SHA2_256 = 0x12;
const DAG_PB = 0x70;

/** Where bytes come from: a path, or pieces of any length in order. */
export type ByteSource = string | AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** How to hash a file. */
export interface HashOptions {
  /** Bytes of each chunk but the last, {@link MIN_CHUNK_BYTES} to {@link MAX_CHUNK_BYTES}, which is also the default. */
  readonly chunkSize?: number;
  /** What the file should measure, in bytes, where the caller knows. */
  readonly size?: bigint;
}

/** A file that was hashed: its id, and what proves its segments. Keeps 64 bytes for each chunk. */
export class HashedFile {
  constructor(
    readonly id: FileId,
    private readonly tree: MerkleTree,
  ) {}

  /** The proof of the chunks from `first` to before `end`. Errors: ITC_FILE_SEGMENT. */
  proveSegment(first: number, end: number): Segment {
    requireSegment(this.id, first, end);
    return { first, end, siblings: this.tree.proveMany(placesFrom(first, end - first)) };
  }
}

/**
 * Hashes a file in one pass, each byte once with SHA-256: the Merkle tree of its chunks, and the CID that IPFS gives it. Memory doesn't grow
 * with the file but for 64 bytes a chunk. An empty file is one empty chunk.
 *
 * The CID is that of the profile unixfs-v1-2025 (IPIP-499):
 * `ipfs add --cid-version 1 --raw-leaves --chunker size-1048576 --max-file-links 1024`.
 *
 * @returns Errors: ITC_FILE_CHUNK_SIZE, ITC_FILE_SIZE when it is longer or shorter than `options.size`, ITC_FILE_CHANGED when somebody wrote to
 *   the path meanwhile, and those of the source.
 * @example
 * const { id } = await hashFile("recording.mp4");
 * cidOf(id); // bafybei…
 */
export async function hashFile(source: ByteSource, options: HashOptions = {}): Promise<HashedFile> {
  const { chunkSize = MAX_CHUNK_BYTES } = options;
  requireChunkSize(chunkSize);
  const leaves: Uint8Array[] = [];
  let size = 0n;
  // In place of the importer's own, so that a chunk's digest serves its leaf and its CID.
  const bufferImporter: BufferImporter = async function* (file) {
    for await (const block of file.content) {
      const digest = sha256(block);
      leaves.push(leafHash(digest));
      const length = BigInt(block.length);
      size += length;
      yield async () => ({ cid: rawCid(digest), size: length, block: NOT_KEPT });
    }
  };
  const { cid } = await importByteStream(bytesOf(source), KEEPS_NOTHING, {
    profile: "unixfs-v1-2025",
    blockWriteConcurrency: 1,
    chunker: (pieces) => chunksIn(pieces, chunkSize),
    bufferImporter,
  });
  if (options.size !== undefined && options.size !== size) {
    const what = `The file has ${size} bytes, expected ${options.size}.`;
    throw new FileError("ITC_FILE_SIZE", what, "Pass the whole file.");
  }
  const tree = new MerkleTree(leaves);
  return new HashedFile({ size, chunkSize, root: tree.root, cid: cid.multihash.digest }, tree);
}

/** The file's CID as IPFS prints it. */
export function cidOf({ size, chunkSize, cid }: FileId): string {
  // A file of one chunk is its own block; others have a node of links above.
  return CID.createV1(size > BigInt(chunkSize) ? DAG_PB : raw.code, multihash.create(SHA2_256, cid)).toString();
}

/** The SHA-256 in a CID, version 1, of a file. Errors: ITC_FILE_CID. */
export function cidDigest(text: string): Uint8Array {
  try {
    const { version, code, multihash: hash } = CID.parse(text);
    if (
      version === 1 &&
      (code === DAG_PB || code === raw.code) &&
      hash.code === SHA2_256 &&
      hash.digest.length === 32
    ) {
      return hash.digest;
    }
  } catch {
    // Said below.
  }
  throw new FileError("ITC_FILE_CID", `${text.slice(0, 100)} is no CID of a file.`, "Pass a CIDv1 with SHA-256.");
}

/** What a reading of a file commits to. `salt` has 32 bytes that nobody can guess. */
export function fileContent(file: FileId, salt: Uint8Array): FileContent {
  return { kind: "file", file, salt };
}

/** Checks a whole file against its id, in constant memory. Errors: those of the source. */
export async function verifyFile(file: FileId, source: ByteSource): Promise<Verdict> {
  const { id: found } = await hashFile(source, { chunkSize: file.chunkSize });
  return verdictOf([
    finding("size", found.size === file.size, `${found.size} bytes, the id says ${file.size}`),
    finding("chunks", sameBytes(found.root, file.root), `chunks of ${file.chunkSize} bytes under ${toHex(file.root)}`),
    finding("cid", sameBytes(found.cid, file.cid), `${cidOf(found)}, the id says ${cidOf(file)}`),
  ]);
}

/**
 * Checks a segment alone, in constant memory: nothing of the rest of the file is needed.
 *
 * @param source The bytes of the segment's chunks and no others. Errors: ITC_FILE_CHUNK_SIZE, ITC_FILE_SEGMENT, and those of the source.
 */
export async function verifySegment(file: FileId, segment: Segment, source: ByteSource): Promise<Verdict> {
  requireChunkSize(file.chunkSize);
  requireSegment(file, segment.first, segment.end);
  const leaves: Uint8Array[] = [];
  const due = byteRange(file, segment);
  let length = 0n;
  for await (const chunk of chunksIn(bytesOf(source), file.chunkSize)) {
    length += BigInt(chunk.length);
    if (length > due.to - due.from) break;
    leaves.push(leafHash(sha256(chunk)));
  }
  const right = length === due.to - due.from;
  const findings: Finding[] = [finding("size", right, `bytes ${due.from} to ${due.to} of ${file.size}`)];
  if (right) {
    // As many as there were chunks: a segment of a hostile size costs no more than its bytes.
    const root = climbMany(leaves, placesFrom(segment.first, leaves.length), chunkCount(file), segment.siblings);
    const holds = root !== undefined && sameBytes(root, file.root);
    findings.push(finding("chunks", holds, `chunks ${segment.first} to ${segment.end} under ${toHex(file.root)}`));
  }
  return verdictOf(findings);
}

/** How many chunks a file has; an empty one has one. */
export function chunkCount({ size, chunkSize }: Pick<FileId, "size" | "chunkSize">): number {
  return Math.max(1, Number((size + BigInt(chunkSize) - 1n) / BigInt(chunkSize)));
}

/** From which byte to before which the chunks of a segment go. */
export function byteRange(file: FileId, { first, end }: Pick<Segment, "first" | "end">): { from: bigint; to: bigint } {
  const at = (chunk: number): bigint => BigInt(chunk) * BigInt(file.chunkSize);
  return { from: at(first), to: end === chunkCount(file) ? file.size : at(end) };
}

/** A place in a recording: what was recorded at `time` (Unix seconds) begins at the byte `offset`. */
export interface RecordingMark {
  readonly time: bigint;
  readonly offset: bigint;
}

/**
 * The smallest segment that holds some bytes of a file.
 *
 * @param from The first byte. @param to The one after the last. Errors: ITC_FILE_SEGMENT when there are no such bytes.
 */
export function chunksOfBytes(file: FileId, from: bigint, to: bigint): { first: number; end: number } {
  if (from < 0n || from >= to || to > file.size) {
    const what = `The file has bytes 0 to ${file.size}, not ${from} to ${to}.`;
    throw new FileError("ITC_FILE_SEGMENT", what, "Name bytes from the first to one after the last.");
  }
  const chunkSize = BigInt(file.chunkSize);
  return { first: Number(from / chunkSize), end: Number((to - 1n) / chunkSize) + 1 };
}

/**
 * The smallest segment that holds a time of a recording.
 *
 * @param marks The recorder's index, ascending: a segment goes from the last mark at or before `from` to the first at or after `to`.
 * Errors: ITC_FILE_SEGMENT when the recording begins later, or the times hold nothing of it.
 */
export function chunksOfTime(
  file: FileId,
  marks: readonly RecordingMark[],
  from: bigint,
  to: bigint,
): { first: number; end: number } {
  const begin = marks.findLast(({ time }) => time <= from);
  const after = marks.find(({ time }) => time >= to);
  return chunksOfBytes(file, begin?.offset ?? -1n, after?.offset ?? file.size);
}

function requireChunkSize(chunkSize: number): void {
  if (!Number.isInteger(chunkSize) || chunkSize < MIN_CHUNK_BYTES || chunkSize > MAX_CHUNK_BYTES) {
    const what = `Chunks of ${chunkSize} bytes are not possible.`;
    throw new FileError("ITC_FILE_CHUNK_SIZE", what, `Take ${MIN_CHUNK_BYTES} to ${MAX_CHUNK_BYTES} bytes.`);
  }
}

function requireSegment(file: FileId, first: number, end: number): void {
  const count = chunkCount(file);
  if (Number.isInteger(first) && Number.isInteger(end) && first >= 0 && first < end && end <= count) return;
  const what = `The file has chunks 0 to ${count}, not ${first} to ${end}.`;
  throw new FileError("ITC_FILE_SEGMENT", what, "Name chunks from the first to one after the last.");
}

function placesFrom(first: number, length: number): number[] {
  return Array.from({ length }, (_, k) => first + k);
}

// Nobody reads the blocks: only their names count.
const NOT_KEPT = new Uint8Array();
const KEEPS_NOTHING = { put: async (cid: CID): Promise<CID> => cid };

function rawCid(digest: Uint8Array): CID {
  return CID.createV1(raw.code, multihash.create(SHA2_256, digest));
}

function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

function bytesOf(source: ByteSource): AsyncIterable<Uint8Array> | Iterable<Uint8Array> {
  return typeof source === "string" ? readUnchanged(source) : source;
}

/**
 * Reads a file in pieces, and finds out if somebody writes to it meanwhile. A piece is good until the next is asked for: there are two buffers,
 * so that one is filled while the other is hashed. Errors: ITC_FILE_CHANGED, and those of the system.
 */
export async function* readUnchanged(path: string): AsyncGenerator<Uint8Array> {
  const handle = await open(path);
  try {
    const before = await handle.stat({ bigint: true });
    let read = 0n;
    let [filling, free] = [new Uint8Array(MAX_CHUNK_BYTES), new Uint8Array(MAX_CHUNK_BYTES)];
    for (let next = handle.read(filling); ; ) {
      const { bytesRead } = await next;
      if (bytesRead === 0) break;
      read += BigInt(bytesRead);
      [filling, free] = [free, filling];
      next = handle.read(filling);
      yield free.subarray(0, bytesRead);
    }
    const after = await handle.stat({ bigint: true });
    if (before.size === read && before.size === after.size && before.mtimeNs === after.mtimeNs) return;
    throw new FileError("ITC_FILE_CHANGED", `${path} was written to while it was read.`, "Close the recording first.");
  } finally {
    await handle.close();
  }
}

/** Pieces of any length as chunks of one size, the last maybe shorter; one empty chunk where there are no bytes. Good until the next. */
async function* chunksIn(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  chunkSize: number,
): AsyncGenerator<Uint8Array> {
  const begun = new Uint8Array(chunkSize);
  let length = 0;
  let any = false;
  for await (const piece of pieces) {
    for (let rest = piece; rest.length > 0; ) {
      const part = rest.subarray(0, chunkSize - length);
      rest = rest.subarray(part.length);
      if (part.length < chunkSize) begun.set(part, length);
      length += part.length;
      if (length < chunkSize) continue;
      any = true;
      yield part.length === chunkSize ? part : begun;
      length = 0;
    }
  }
  if (length > 0 || !any) yield begun.subarray(0, length);
}
