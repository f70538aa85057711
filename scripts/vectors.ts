import { TypedDataEncoder } from "ethers";
import { Batch, type BatchHeader } from "../toolkit/anchoring/batches.js";
import { contentHash, fileWord, sealedWord } from "../toolkit/anchoring/contents.js";
import { cidOf, fileContent, hashFile } from "../toolkit/anchoring/files.js";
import { grantDigest } from "../toolkit/anchoring/grant-messages.js";
import { writeSealed } from "../toolkit/anchoring/jwe.js";
import { entryLeaf, MountainRange } from "../toolkit/anchoring/mountain-range.js";
import { contentOf, type SignedReading, saltOf, schemaIdOf, signReading } from "../toolkit/anchoring/readings.js";
import { jwkOfSecret, seal, sealedHash, thumbprintOf } from "../toolkit/anchoring/sealing.js";
import { decodePack, encodePack, payloadContent, type SenmlRecord } from "../toolkit/anchoring/senml.js";
import { Digests } from "../toolkit/identity/digests.js";
import { type CurveKind, deviceKey } from "../toolkit/identity/keys.js";
import { fromHex, keccak256, toHex, uintBytes } from "../toolkit/internal/bytes.js";
import type { DecimalInput } from "../toolkit/internal/decimals.js";
import { secretOf } from "../toolkit/testing/fixture.js";
import { WRONG_JWES, WRONG_PACKS, WRONG_SIGNATURES } from "./wrong-vectors.js";

// Test vectors for whoever writes this in another language: docs/vectors/*.json. Every secret here is known to all.
const DOMAIN = { chainId: 31337n, registry: "0x1111111111111111111111111111111111111111" };
const WARNING = "Keys and secrets are for tests only.";
const digests = new Digests(DOMAIN);
const secret = (label: string): Uint8Array => fromHex(secretOf(5, `vector:${label}`));
const CURVES: readonly CurveKind[] = ["secp256k1", "p256"];
const WIND = { quantity: "wind_speed", unit: "m/s", scale: 2 };
const TIME = 1_700_000_000n;

/** Values as JSON has them: bytes as 0x…, integers of any size as decimal strings. */
function plain(value: unknown): unknown {
  const replace = (_: string, each: unknown): unknown => {
    if (each instanceof Uint8Array) return toHex(each);
    return typeof each === "bigint" ? each.toString() : each;
  };
  return JSON.parse(JSON.stringify(value, replace));
}

/** All files, by name. */
export async function vectorFiles(): Promise<Readonly<Record<string, object>>> {
  const files = { readings: readings(), senml: packs(), files: await chunkedFiles(), sealed: await sealedPayloads() };
  return Object.fromEntries(Object.entries(files).map(([name, value]) => [`${name}.json`, plain(value) as object]));
}

function readings(): object {
  const type = "Reading(address device,uint64 sequence,uint64 time,bytes32 schema,bytes32 content)";
  return {
    about: `Readings as devices sign them (EIP-712), their scalar contents, batches and logs. ${WARNING}`,
    domain: {
      name: "DeviceRegistry",
      version: "1",
      ...DOMAIN,
      separator: TypedDataEncoder.hashDomain({
        name: "DeviceRegistry",
        version: "1",
        chainId: DOMAIN.chainId,
        verifyingContract: DOMAIN.registry,
      }),
    },
    type,
    typeHash: keccak256(new TextEncoder().encode(type)),
    schemas: [WIND, { quantity: "temperature", unit: "Cel", scale: 1 }].map((schema) => ({
      ...schema,
      id: schemaIdOf(schema),
    })),
    scalars: [0n, 1n, -1n, 2150n, -27315n, 2n ** 255n - 1n, -(2n ** 255n)].map((value, k) => {
      const salt = saltOf(secret("salt"), BigInt(k));
      return { value, saltSecret: secret("salt"), sequence: k, salt, content: contentOf({ value, salt }) };
    }),
    readings: CURVES.flatMap((kind) => [0n, 1n, 2n ** 64n - 1n].map((sequence) => signedVector(kind, sequence))),
    invalid: WRONG_SIGNATURES.map(({ why, change }) => {
      const { reading, key } = signedVector("p256", 0n);
      return { why, key, reading: { ...reading, signature: change(reading.signature) } };
    }),
    batches: Array.from({ length: 9 }, (_, k) => batchVector(k + 1)),
    logs: logVectors(9),
  };
}

function signedVector(
  kind: CurveKind,
  sequence: bigint,
): { key: object; reading: SignedReading; structHash: Uint8Array; digest: Uint8Array } {
  const key = deviceKey(kind, secret(`device ${kind}`));
  const content = contentOf({ value: 2150n, salt: saltOf(secret("salt"), sequence) });
  const time = sequence < 2n ** 63n ? TIME + sequence : 2n ** 64n - 1n;
  const reading = signReading(key, digests, { sequence, time, schema: schemaIdOf(WIND), content });
  const { signature: _, ...struct } = reading;
  const types = {
    Reading: [
      { name: "device", type: "address" },
      { name: "sequence", type: "uint64" },
      { name: "time", type: "uint64" },
      { name: "schema", type: "bytes32" },
      { name: "content", type: "bytes32" },
    ],
  };
  return {
    key: { kind, secret: secret(`device ${kind}`), public: key.material, device: key.id },
    reading,
    structHash: fromHex(TypedDataEncoder.hashStruct("Reading", types, struct)),
    digest: digests.reading(reading),
  };
}

function batchVector(size: number): object {
  const key = deviceKey("secp256k1", secret("device secp256k1"));
  const signed = Array.from({ length: size }, (_, k) => {
    const content = contentOf({ value: BigInt(k), salt: saltOf(secret("salt"), BigInt(k)) });
    return signReading(key, digests, {
      sequence: BigInt(k),
      time: TIME + BigInt(k),
      schema: schemaIdOf(WIND),
      content,
    });
  });
  const batch = new Batch(signed, digests);
  const header: BatchHeader = batch.header;
  const proofs = signed.map((reading, k) => ({ digest: digests.reading(reading), ...batch.prove(k) }));
  return { header, entry: batch.entry, proofs };
}

function logVectors(size: number): object[] {
  const range = new MountainRange();
  return Array.from({ length: size }, (_, k) => {
    const entry = secret(`entry ${k}`);
    const time = TIME + BigInt(12 * k);
    const leaf = entryLeaf(entry, time);
    range.append(leaf);
    const peaks = Array.from({ length: 5 }, (_none, height) => range.peak(height));
    return {
      entry,
      time,
      leaf,
      size: k + 1,
      peaks: peaks.flatMap((peak, height) => (peak ? [{ height, peak }] : [])),
      root: range.root,
    };
  });
}

const PACKS: readonly (readonly [string, readonly SenmlRecord<DecimalInput>[]])[] = [
  ["one temperature", [{ n: "urn:dev:mac:0024befffe804ff1:temp", u: "Cel", t: 1_700_000_000, v: 21.5 }]],
  [
    "base fields",
    [
      { bn: "urn:dev:mac:0024befffe804ff1:", bt: 1_700_000_000, bu: "A", n: "i1", v: 1.2 },
      { n: "i2", t: -5, v: -0.05 },
    ],
  ],
  [
    "all kinds of value",
    [
      { n: "v", v: 3 },
      { n: "vs", vs: "open ✓" },
      { n: "vb", vb: false },
      { n: "vd", vd: Uint8Array.of(0, 255) },
      { n: "s", s: 12.75 },
    ],
  ],
  [
    "extremes",
    [
      { n: "max", v: 2n ** 63n - 1n },
      { n: "min", v: -(2n ** 63n) },
      { n: "small", v: { coefficient: 1n, scale: 18 } },
    ],
  ],
  ["a secondary unit", [{ bver: 26, n: "meter", u: "kWh", v: 1234.567 }]],
];

function packs(): object {
  return {
    about: `SenML packs (RFC 8428) in deterministic CBOR (RFC 8949 §4.2.1). Numbers are {coefficient, scale}: coefficient × 10^-scale. ${WARNING}`,
    packs: PACKS.map(([name, records], k) => {
      const cbor = encodePack(records);
      const salt = saltOf(secret("salt"), BigInt(k));
      const content = payloadContent(cbor, salt);
      return { name, records: decodePack(cbor), cbor, payloadHash: content.hash, salt, content: contentHash(content) };
    }),
    invalid: WRONG_PACKS,
  };
}

/** The bytes of a file of the vectors: byte k is k XOR k/256 XOR k/65536, modulo 256. */
export function patternBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let k = 0; k < length; k++) bytes[k] = (k ^ (k >> 8) ^ (k >> 16)) & 255;
  return bytes;
}

async function chunkedFiles(): Promise<object> {
  const sizes = [
    [0, 1024],
    [1, 1024],
    [1024, 1024],
    [1025, 1024],
    [10_000, 1024],
    [3_000_000, 2 ** 20],
  ] as const;
  const files: object[] = [];
  for (const [size, chunkSize] of sizes) {
    const hashed = await hashFile([patternBytes(size)], { chunkSize });
    const salt = saltOf(secret("salt"), BigInt(size));
    const end = Math.ceil(size / chunkSize);
    files.push({
      file: hashed.id,
      cid: cidOf(hashed.id),
      word: fileWord(hashed.id),
      salt,
      content: contentHash(fileContent(hashed.id, salt)),
      segments: end < 3 ? [] : [hashed.proveSegment(1, 3), hashed.proveSegment(end - 1, end)],
    });
  }
  return { about: `Files in chunks. Byte k of a file is (k xor k/256 xor k/65536) mod 256. ${WARNING}`, files };
}

async function sealedPayloads(): Promise<object> {
  const recipients = ["owner", "clinic"].map((label) => jwkOfSecret(secret(label)));
  const plaintext = encodePack([{ n: "pulse", u: "beat/min", v: 61 }]);
  let drawn = 0;
  // Random bytes in an order that never changes: what no device may do.
  const random = (length: number): Uint8Array => {
    const both = [0, 1].map(() => toHex(keccak256(secret("random"), uintBytes(drawn++, 8))).slice(2));
    return fromHex(both.join("")).slice(0, length);
  };
  const {
    jwe,
    content,
    plain: inner,
  } = await seal(plaintext, recipients, { contentType: "application/senml+cbor", random });
  const [, clinic] = recipients;
  const says = {
    device: deviceKey("p256", secret("device p256")).id,
    recipient: clinic ? await thumbprintOf(clinic) : new Uint8Array(),
    from: TIME,
    until: TIME + 86_400n,
    number: 0n,
  };
  return {
    about: `Payloads that are sealed for recipients (JWE, RFC 7516), and what an owner signs to grant a key. ${WARNING}`,
    recipients,
    plaintext,
    plainSalt: inner.salt,
    plainContent: contentHash(inner),
    jwe: JSON.parse(writeSealed(jwe)),
    ciphertextHash: sealedHash(jwe),
    word: sealedWord(content),
    salt: content.salt,
    content: contentHash(content),
    grant: {
      domain: { name: "KeyGrants", version: "1", ...DOMAIN },
      says,
      digest: grantDigest(DOMAIN, { kind: "grant", says }),
    },
    invalid: WRONG_JWES,
  };
}
