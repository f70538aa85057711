import { createHash } from "node:crypto";
import { getBytes, keccak256 } from "ethers";
import { concat } from "../../toolkit/internal/bytes.js";

// Files in chunks by their definitions and other libraries: what the toolkit's are compared with.
const hash = (...pieces: Uint8Array[]): Uint8Array => getBytes(keccak256(concat(...pieces)));
const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash("sha256").update(bytes).digest());
const chunksOf = (bytes: Uint8Array, size: number): Uint8Array[] =>
  Array.from({ length: Math.max(1, Math.ceil(bytes.length / size)) }, (_, k) =>
    bytes.subarray(k * size, (k + 1) * size),
  );

/** The root over leaves by the definition of RFC 9162 §2.1.1: split at the largest power of two below. */
export function plainRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves;
  if (leaves.length === 1 && only) return only;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return hash(Uint8Array.of(1), plainRoot(leaves.slice(0, split)), plainRoot(leaves.slice(split)));
}

/** Protobuf by hand: a field of bytes, and one of a number. */
const field = (number: number, bytes: Uint8Array) => concat(varint(number * 8 + 2), varint(bytes.length), bytes);
const number = (of: number, value: number) => concat(varint(of * 8), varint(value));
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    bytes.push(rest < 128 ? rest : (rest % 128) + 128);
    if (rest < 128) return Uint8Array.from(bytes);
  }
}

interface Block {
  readonly cid: Uint8Array;
  readonly fileSize: number;
  readonly total: number;
}

/** The node of dag-pb over some blocks: links first, then UnixFS data of type file with the sizes below. */
function nodeOver(blocks: readonly Block[]): Block {
  const links = blocks.map(({ cid, total }) =>
    field(2, concat(field(1, cid), field(2, new Uint8Array()), number(3, total))),
  );
  const fileSize = blocks.reduce((sum, block) => sum + block.fileSize, 0);
  const data = concat(number(1, 2), number(3, fileSize), ...blocks.map((block) => number(4, block.fileSize)));
  const node = concat(...links, field(1, data));
  const total = node.length + blocks.reduce((sum, block) => sum + block.total, 0);
  return { cid: concat(Uint8Array.of(1, 0x70, 0x12, 32), sha256(node)), fileSize, total };
}

/** SHA-256 in the CID of a file in chunks. */
export function plainCid(bytes: Uint8Array, size: number): Uint8Array {
  let level = chunksOf(bytes, size).map(
    (chunk): Block => ({
      cid: concat(Uint8Array.of(1, 0x55, 0x12, 32), sha256(chunk)),
      fileSize: chunk.length,
      total: chunk.length,
    }),
  );
  while (level.length > 1) {
    level = Array.from({ length: Math.ceil(level.length / 1024) }, (_, k) =>
      nodeOver(level.slice(k * 1024, (k + 1) * 1024)),
    );
  }
  return level[0]?.cid.subarray(4) ?? new Uint8Array();
}

/** The root of a file in chunks. */
export function plainFileRoot(bytes: Uint8Array, size: number): Uint8Array {
  return plainRoot(chunksOf(bytes, size).map((chunk) => hash(Uint8Array.of(0), sha256(chunk))));
}
