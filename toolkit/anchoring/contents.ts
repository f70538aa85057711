import { id } from "ethers";
import { concat, fromHex, intBytes, keccak256, sameBytes, uintBytes } from "../internal/bytes.js";

/**
 * What a reading's content hash opens to. Each kind has a 32-byte word; the content is keccak256(word ‖ salt), so that nobody can guess
 * it, and what stays private is one word.
 */
export type Content = ScalarContent | PayloadContent | FileContent | SealedContent;

/** One number. Its word is the value as an int256, which contracts can open. */
export interface ScalarContent {
  readonly kind: "scalar";
  /** Fixed point; the schema says the scale. */
  readonly value: bigint;
  readonly salt: Uint8Array;
}

/** Bytes that travel beside the evidence, such as a SenML pack. Their word is keccak256 of them. */
export interface PayloadContent {
  readonly kind: "payload";
  readonly hash: Uint8Array;
  readonly salt: Uint8Array;
}

/** A large file in chunks. Its word is {@link fileWord}. */
export interface FileContent {
  readonly kind: "file";
  readonly file: FileId;
  readonly salt: Uint8Array;
}

/** Bytes that are encrypted for some. Their word binds the ciphertext and the content of the plaintext: {@link sealedWord}. */
export interface SealedContent {
  readonly kind: "sealed";
  /** keccak256 of the ciphertext's bytes. */
  readonly ciphertext: Uint8Array;
  /** The content hash of the plaintext: its word with a salt of its own, which is inside what is encrypted. */
  readonly plain: Uint8Array;
  readonly salt: Uint8Array;
}

/** Largest chunk of a file, in bytes, and the usual one: what IPFS still exchanges as one block. */
export const MAX_CHUNK_BYTES = 2 ** 20;

/** Smallest chunk: a proof of less is larger than what it proves. */
export const MIN_CHUNK_BYTES = 1024;

/** A file by its chunks. */
export interface FileId {
  /** Bytes. */
  readonly size: bigint;
  /** Bytes of each chunk but the last. */
  readonly chunkSize: number;
  /** Merkle root over the chunks; a leaf is keccak256(0x00 ‖ SHA-256 of the chunk). */
  readonly root: Uint8Array;
  /** SHA-256 in the file's CID. */
  readonly cid: Uint8Array;
}

/** Part of a file with the proof that it is one: chunks `first` to `end`, the last not among them. */
export interface Segment {
  readonly first: number;
  readonly end: number;
  /** The nodes that don't follow from the chunks: level by level from the lowest, each from left to right, as `Merkle.climbMany` has them. */
  readonly siblings: readonly Uint8Array[];
}

/** Schema id of readings whose content is a file. */
export const FILE_SCHEMA = fromHex(id("iotchain:file:1"));

/** Schema id of readings whose content is sealed. */
export const SEALED_SCHEMA = fromHex(id("iotchain:sealed:1"));

/** Schema id of readings whose content is a SenML pack as `encodePack` writes it. */
export const SENML_SCHEMA = fromHex(id("iotchain:senml:1"));

/**
 * Whether a reading of this schema may open as this kind. A word doesn't say of which kind it is: the hash of a payload is an int256 as well, and a
 * file's word the hash of 160 bytes. The schema, which the device has signed, says it.
 */
export function fitsSchema(schema: Uint8Array, kind: Content["kind"]): boolean {
  for (const [known, own] of KINDS) if (sameBytes(schema, known)) return kind === own;
  return true;
}

const KINDS = [
  [FILE_SCHEMA, "file"],
  [SEALED_SCHEMA, "sealed"],
  [SENML_SCHEMA, "payload"],
] as const;

const FILE_TYPE = fromHex(id("File(uint64 size,uint32 chunkSize,bytes32 root,bytes32 cid)"));
const SEALED_TYPE = fromHex(id("Sealed(bytes32 ciphertext,bytes32 plain)"));

/** The word of a file: its EIP-712 struct hash. */
export function fileWord({ size, chunkSize, root, cid }: FileId): Uint8Array {
  return keccak256(concat(FILE_TYPE, uintBytes(size, 32), uintBytes(chunkSize, 32), root, cid));
}

/** The word of sealed bytes: its EIP-712 struct hash. */
export function sealedWord({ ciphertext, plain }: Pick<SealedContent, "ciphertext" | "plain">): Uint8Array {
  return keccak256(concat(SEALED_TYPE, ciphertext, plain));
}

/** The content hash of a word: keccak256(word ‖ salt), 32 bytes each. */
export function saltedHash(word: Uint8Array, salt: Uint8Array): Uint8Array {
  return keccak256(word, salt);
}

/** The content hash that a device signs. */
export function contentHash(content: Content): Uint8Array {
  return saltedHash(wordOf(content), content.salt);
}

function wordOf(content: Content): Uint8Array {
  switch (content.kind) {
    case "scalar":
      return intBytes(content.value, 32);
    case "payload":
      return content.hash;
    case "file":
      return fileWord(content.file);
    case "sealed":
      return sealedWord(content);
  }
}
