import { getAddress } from "ethers";
import { z } from "zod";
import type { RegistryDomain } from "../identity/digests.js";
import { type DeviceId, deviceIdOf, type PublicKey } from "../identity/keys.js";
import { fromHex, toHex } from "../internal/bytes.js";
import type { MerkleProof } from "../internal/merkle.js";
import type { BatchHeader } from "./batches.js";
import { type Content, MAX_CHUNK_BYTES, MIN_CHUNK_BYTES, type Segment } from "./contents.js";
import { EvidenceError } from "./evidence-error.js";
import { MAX_HEADER_BYTES } from "./headers.js";
import type { SignedReading } from "./readings.js";
import { MAX_NODE_BYTES, type StateProof } from "./state-proof.js";

export { EvidenceError } from "./evidence-error.js";

/** Most nodes of a state proof: two accounts and eight words, each below nine or ten others, and as many again. */
const MAX_NODES = 256;

/** Largest bundle that is looked at, in bytes of JSON. A plain one is under 4 KiB; one with the largest state proof that is taken fits. */
export const MAX_BUNDLE_BYTES = 2 ** 20;

/** Longest signature, in bytes: RSA-2048's has 256, that of a contract may be longer. */
const MAX_SIGNATURE_BYTES = 8192;

// One spelling for each value, so that two different texts never say the same: hex in lower case, addresses with their checksum (EIP-55).
const hex = (bytes: number): z.ZodType<Uint8Array> =>
  z
    .string()
    .regex(new RegExp(`^0x[0-9a-f]{${bytes * 2}}$`), `${bytes} bytes as 0x…`)
    .transform(fromHex);
const hexUpTo = (most: number): z.ZodType<Uint8Array> =>
  z
    .string()
    .max(2 + most * 2, `${most} bytes at most`)
    .regex(/^0x[0-9a-f]*$/, "bytes as 0x…")
    .refine((text) => text.length % 2 === 0, "whole bytes")
    .transform(fromHex);
const address = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, "an address")
  .refine(
    (text) => /^0x[0-9a-fA-F]{40}$/.test(text) && getAddress(text.toLowerCase()) === text,
    "an address with its checksum",
  );
const uint = (bits: bigint): z.ZodType<bigint> =>
  z
    .string()
    .regex(/^(0|[1-9]\d{0,77})$/, "a whole number as a decimal string")
    .refine((text) => text.length < 79 && /^\d+$/.test(text) && BigInt(text) >> bits === 0n, `a number below 2^${bits}`)
    .transform(BigInt);
const place = uint(53n).transform(Number);
const siblings = z.array(hex(32)).max(64);

const CONTENT = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("scalar"),
    value: z
      .string()
      .regex(/^(0|-?[1-9]\d{0,76})$/, "a whole number")
      .transform(BigInt)
      .refine((value) => BigInt.asIntN(256, value) === value, "an int256"),
    salt: hex(32),
  }),
  z.strictObject({ kind: z.literal("payload"), hash: hex(32), salt: hex(32) }),
  z.strictObject({
    kind: z.literal("file"),
    file: z.strictObject({
      size: uint(64n),
      chunkSize: z.int().min(MIN_CHUNK_BYTES).max(MAX_CHUNK_BYTES),
      root: hex(32),
      cid: hex(32),
    }),
    salt: hex(32),
  }),
  z.strictObject({ kind: z.literal("sealed"), ciphertext: hex(32), plain: hex(32), salt: hex(32) }),
]);

const Bundle = z.strictObject({
  format: z.literal("iotchain-evidence/3"),
  chainId: uint(64n),
  registry: address,
  anchor: address,
  key: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("secp256k1"), material: hex(64) }),
    z.strictObject({ kind: z.literal("p256"), material: hex(64) }),
    z.strictObject({ kind: z.literal("rsa2048"), material: hex(416) }),
    z.strictObject({ kind: z.literal("erc1271"), material: hex(20) }),
  ]),
  reading: z.strictObject({
    device: address,
    sequence: uint(64n),
    time: uint(64n),
    schema: hex(32),
    content: hex(32),
    signature: hexUpTo(MAX_SIGNATURE_BYTES),
  }),
  content: z.optional(CONTENT),
  segment: z.optional(z.strictObject({ first: place, end: place, siblings: z.array(hex(32)).max(128) })),
  batch: z.optional(
    z.strictObject({ count: uint(64n), first: uint(64n), last: uint(64n), values: hex(32), path: uint(64n), siblings }),
  ),
  entry: z.strictObject({ publisher: address, index: uint(53n), time: uint(64n), siblings }),
  state: z.optional(
    z.strictObject({ header: hexUpTo(MAX_HEADER_BYTES), nodes: z.array(hexUpTo(MAX_NODE_BYTES)).max(MAX_NODES) }),
  ),
});

/** All that a third party needs, beside the chain, to check one reading. */
export interface Evidence {
  readonly domain: RegistryDomain;
  readonly anchor: string;
  readonly key: PublicKey;
  readonly reading: SignedReading;
  /** What the reading commits to. Left out where it stays private. */
  readonly content?: Content;
  /** Which chunks of a file travel beside this, where not all do. */
  readonly segment?: Segment;
  /** Left out where the entry is the reading's own digest. */
  readonly batch?: Omit<BatchHeader, "root" | "schema"> & { readonly proof: MerkleProof };
  /** Where the batch, or the reading, stands in a log; the siblings go up to the peak that covered it when the bundle was made. */
  readonly entry: {
    readonly publisher: string;
    readonly index: bigint;
    readonly time: bigint;
    readonly siblings: readonly Uint8Array[];
  };
  /** What makes the bundle stand by a trusted block alone. The siblings are then those of its block. */
  readonly state?: StateProof;
}

/** Evidence of a reading that came by a gateway. */
export type BatchedEvidence = Evidence & Required<Pick<Evidence, "batch">>;

/** Writes evidence as one JSON text. */
export function writeEvidence(evidence: Evidence): string {
  const { domain, anchor, key, reading, content, segment, batch, entry, state } = evidence;
  const text = (value: bigint): string => value.toString();
  return JSON.stringify({
    format: "iotchain-evidence/3",
    chainId: text(domain.chainId),
    registry: domain.registry,
    anchor,
    key: { kind: key.kind, material: toHex(key.material) },
    reading: {
      device: reading.device,
      sequence: text(reading.sequence),
      time: text(reading.time),
      schema: toHex(reading.schema),
      content: toHex(reading.content),
      signature: toHex(reading.signature),
    },
    ...(content && { content: contentJson(content) }),
    ...(segment && {
      segment: { first: String(segment.first), end: String(segment.end), siblings: segment.siblings.map(toHex) },
    }),
    ...(batch && {
      batch: {
        count: text(batch.count),
        first: text(batch.first),
        last: text(batch.last),
        values: toHex(batch.values),
        path: text(batch.proof.path),
        siblings: batch.proof.siblings.map(toHex),
      },
    }),
    entry: {
      publisher: entry.publisher,
      index: text(entry.index),
      time: text(entry.time),
      siblings: entry.siblings.map(toHex),
    },
    ...(state && { state: { header: toHex(state.header), nodes: state.nodes.map(toHex) } }),
  });
}

function contentJson(content: Content): object {
  const salt = toHex(content.salt);
  switch (content.kind) {
    case "scalar":
      return { kind: content.kind, value: content.value.toString(), salt };
    case "payload":
      return { kind: content.kind, hash: toHex(content.hash), salt };
    case "file": {
      const { size, chunkSize, root, cid } = content.file;
      return {
        kind: content.kind,
        file: { size: size.toString(), chunkSize, root: toHex(root), cid: toHex(cid) },
        salt,
      };
    }
    case "sealed":
      return { kind: content.kind, ciphertext: toHex(content.ciphertext), plain: toHex(content.plain), salt };
  }
}

/** Reads evidence. Errors: ITC_EVIDENCE_TOO_LARGE, ITC_EVIDENCE_MALFORMED; nothing else is thrown, whatever the text is. */
export function readEvidence(json: string): Evidence {
  if (Buffer.byteLength(json) > MAX_BUNDLE_BYTES) {
    throw new EvidenceError(
      "ITC_EVIDENCE_TOO_LARGE",
      `The bundle is larger than ${MAX_BUNDLE_BYTES} bytes.`,
      "Pass one reading's bundle.",
    );
  }
  const { chainId, registry, anchor, key, reading, content, segment, batch, entry, state } = parseBundle(json);
  return {
    domain: { chainId, registry },
    anchor,
    key: { ...key, id: deviceIdOf(key.material) },
    reading: { ...reading, device: reading.device as DeviceId },
    ...(content && { content }),
    ...(segment && { segment }),
    ...(batch && { batch: batchOf(batch) }),
    entry,
    ...(state && { state }),
  };
}

function batchOf({ path, siblings: above, ...times }: NonNullable<z.output<typeof Bundle>["batch"]>) {
  return { ...times, proof: { path, siblings: above } };
}

/** The JSON Schema of a bundle, `docs/evidence.schema.json`. */
export function evidenceJsonSchema(): object {
  return { title: "Evidence of a reading, iotchain-evidence/3", ...z.toJSONSchema(Bundle, { io: "input" }) };
}

function parseBundle(json: string): z.output<typeof Bundle> {
  const malformed = (what: string, cause?: unknown): EvidenceError =>
    new EvidenceError("ITC_EVIDENCE_MALFORMED", what, "Pass a bundle of format iotchain-evidence/3.", { cause });
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw malformed("The bundle is not JSON.", cause);
  }
  const result = Bundle.safeParse(value);
  if (result.success) {
    // No value has spaces or escapes, so this tells a text in which a name stands twice: readers would differ about it.
    const compact = JSON.stringify(value);
    if (compact === json || compact === json.replace(/[ \t\r\n]/g, "")) return result.data;
    throw malformed("The bundle says something twice, or in another spelling.");
  }
  const issue = result.error.issues[0];
  throw malformed(`The bundle's ${issue?.path.join(".") || "top"} is wrong: ${issue?.message ?? "unknown"}.`);
}
