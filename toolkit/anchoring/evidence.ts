import { getAddress, isHexString } from "ethers";
import { z } from "zod";
import { IotchainError } from "../errors.js";
import type { RegistryDomain } from "../identity/digests.js";
import { type DeviceId, deviceIdOf, type PublicKey } from "../identity/keys.js";
import { fromHex, toHex } from "../internal/bytes.js";
import type { MerkleProof } from "../internal/merkle.js";
import type { BatchHeader } from "./batches.js";
import type { Content } from "./contents.js";
import type { SignedReading } from "./readings.js";

/** Evidence that isn't evidence: not the format, or too large. */
export class EvidenceError extends IotchainError {}

/** Largest chunk of a file, in bytes: what IPFS still exchanges as one block. */
const MAX_CHUNK_BYTES = 2 ** 20;

/** Largest bundle that is looked at, in bytes of JSON. A real one is under 4 KiB. */
export const MAX_BUNDLE_BYTES = 64 * 1024;

const hex = (bytes?: number): z.ZodType<Uint8Array> =>
  z
    .string()
    .refine((text) => isHexString(text, bytes ?? true), bytes === undefined ? "bytes as 0x…" : `${bytes} bytes as 0x…`)
    .transform(fromHex);
const address = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, "an address")
  .transform((text) => getAddress(text.toLowerCase()));
const uint = (bits: bigint): z.ZodType<bigint> =>
  z
    .string()
    .regex(/^(0|[1-9]\d{0,77})$/, "a whole number as a decimal string")
    .transform(BigInt)
    .refine((value) => value >> bits === 0n, `a number below 2^${bits}`);
const siblings = z.array(hex(32)).max(64);

const CONTENT = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("scalar"),
    value: z
      .string()
      .regex(/^(0|-?[1-9]\d{0,76})$/, "a whole number")
      .transform(BigInt),
    salt: hex(32),
  }),
  z.strictObject({ kind: z.literal("payload"), hash: hex(32), salt: hex(32) }),
  z.strictObject({
    kind: z.literal("file"),
    file: z.strictObject({
      size: uint(64n),
      chunkSize: z.int().positive().max(MAX_CHUNK_BYTES),
      root: hex(32),
      cid: hex(32),
    }),
    salt: hex(32),
  }),
  z.strictObject({ kind: z.literal("sealed"), ciphertext: hex(32), plain: hex(32), salt: hex(32) }),
]);

const Bundle = z.strictObject({
  format: z.literal("iotchain-evidence/2"),
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
    signature: hex(),
  }),
  content: z.optional(CONTENT),
  batch: z.strictObject({ count: uint(64n), first: uint(64n), last: uint(64n), path: uint(64n), siblings }),
  entry: z.strictObject({ publisher: address, index: uint(53n), time: uint(64n), size: uint(53n), siblings }),
});

/** All that a third party needs, beside the chain, to check one reading. */
export interface Evidence {
  readonly domain: RegistryDomain;
  readonly anchor: string;
  readonly key: PublicKey;
  readonly reading: SignedReading;
  /** What the reading commits to. Left out where it stays private. */
  readonly content?: Content;
  readonly batch: Omit<BatchHeader, "root" | "schema"> & { readonly proof: MerkleProof };
  /** Where the batch stands; the siblings reach the peak of the log when it had `size` entries. */
  readonly entry: {
    readonly publisher: string;
    readonly index: bigint;
    readonly time: bigint;
    readonly size: bigint;
    readonly siblings: readonly Uint8Array[];
  };
}

/** Writes evidence as one JSON text. */
export function writeEvidence({ domain, anchor, key, reading, content, batch, entry }: Evidence): string {
  const text = (value: bigint): string => value.toString();
  return JSON.stringify({
    format: "iotchain-evidence/2",
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
    batch: {
      count: text(batch.count),
      first: text(batch.first),
      last: text(batch.last),
      path: text(batch.proof.path),
      siblings: batch.proof.siblings.map(toHex),
    },
    entry: {
      publisher: entry.publisher,
      index: text(entry.index),
      time: text(entry.time),
      size: text(entry.size),
      siblings: entry.siblings.map(toHex),
    },
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
  const { chainId, registry, anchor, key, reading, content, batch, entry } = parseBundle(json);
  return {
    domain: { chainId, registry },
    anchor,
    key: { ...key, id: deviceIdOf(key.material) },
    reading: { ...reading, device: reading.device as DeviceId },
    ...(content && { content }),
    batch: {
      count: batch.count,
      first: batch.first,
      last: batch.last,
      proof: { path: batch.path, siblings: batch.siblings },
    },
    entry,
  };
}

function parseBundle(json: string): z.output<typeof Bundle> {
  const malformed = (what: string, cause?: unknown): EvidenceError =>
    new EvidenceError("ITC_EVIDENCE_MALFORMED", what, "Pass a bundle of format iotchain-evidence/2.", { cause });
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw malformed("The bundle is not JSON.", cause);
  }
  const result = Bundle.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw malformed(`The bundle's ${issue?.path.join(".") || "top"} is wrong: ${issue?.message ?? "unknown"}.`);
}
