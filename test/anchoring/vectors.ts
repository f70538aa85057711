import { readdir, readFile } from "node:fs/promises";
import { p256 } from "@noble/curves/nist.js";
import { expect } from "chai";
import { AbiCoder, concat, getBytes, keccak256, recoverAddress, TypedDataEncoder, toUtf8Bytes } from "ethers";
import { calculateJwkThumbprint, generalDecrypt } from "jose";
import { patternBytes, vectorFiles } from "../../scripts/vectors.js";
import { verifySegment } from "../../toolkit/anchoring/files.js";
import { readSealed, SealError } from "../../toolkit/anchoring/jwe.js";
import { isAuthentic } from "../../toolkit/anchoring/readings.js";
import { openSealed } from "../../toolkit/anchoring/sealing.js";
import { decodePack, encodePack, SenmlError } from "../../toolkit/anchoring/senml.js";
import { DeviceRegistry__factory, P256Verifier__factory } from "../../toolkit/contracts.js";
import { Digests } from "../../toolkit/identity/digests.js";
import type { DeviceId } from "../../toolkit/identity/keys.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { type Deployed, deployed } from "../support.js";
import { plainCid, plainFileRoot, plainRoot } from "./plain-files.js";

const FOLDER = new URL("../../docs/vectors/", import.meta.url);
const abi = AbiCoder.defaultAbiCoder();
const leaf = (...data: string[]): string => keccak256(concat(["0x00", ...data]));

// biome-ignore lint/suspicious/noExplicitAny: a stranger reads the file without our types
type Json = any;
const load = async (name: string): Promise<Json> => JSON.parse(await readFile(new URL(name, FOLDER), "utf8"));

/** keccak256 of a word and a salt. */
const salted = (word: string, salt: string): string => keccak256(concat([word, salt]));

function climbed(start: string, path: string, siblings: readonly string[]): string {
  return siblings.reduce((hash, sibling, k) => {
    const isLeft = ((BigInt(path) >> BigInt(k)) & 1n) === 1n;
    return keccak256(concat(["0x01", ...(isLeft ? [sibling, hash] : [hash, sibling])]));
  }, start);
}

/** How the vectors' file spells what the toolkit has as bytes and bigints. */
function revived(value: Json): Json {
  if (typeof value === "object" && value !== null) {
    if (Array.isArray(value)) return value.map(revived);
    const { coefficient, scale } = value;
    if (coefficient !== undefined) return { coefficient: BigInt(coefficient), scale };
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, revived(each)]));
  }
  return typeof value === "string" && /^0x[0-9a-f]*$/.test(value) ? fromHex(value) : value;
}

describe("Test vectors", () => {
  let world: Deployed;

  before(async () => {
    world = await deployed();
  });

  it("are what the toolkit makes", async () => {
    const made = await vectorFiles();
    const there = (await readdir(FOLDER)).filter((name) => name.endsWith(".json"));
    expect(there.sort()).to.deep.equal(Object.keys(made).sort());
    for (const [name, value] of Object.entries(made)) expect(await load(name), name).to.deep.equal(value);
  });

  it("of readings are what ethers and the registry hash, and verify by other libraries", async () => {
    const { domain, type, typeHash, readings } = await load("readings.json");
    const code = await world.ethers.provider.getCode(world.addresses.DeviceRegistry);
    // The domain follows from where the code stands.
    await world.networkHelpers.setCode(domain.registry, code);
    const registry = DeviceRegistry__factory.connect(domain.registry, world.operator);
    const { name, version, chainId, registry: verifyingContract } = domain;
    expect(TypedDataEncoder.hashDomain({ name, version, chainId, verifyingContract })).to.equal(domain.separator);
    expect(keccak256(toUtf8Bytes(type))).to.equal(typeHash);
    const verifier = P256Verifier__factory.connect(world.addresses.P256Verifier, world.operator);
    for (const { key, reading, structHash, digest } of readings) {
      const { device, sequence, time, schema, content, signature } = reading;
      const words = ["bytes32", "address", "uint64", "uint64", "bytes32", "bytes32"];
      const encoded = abi.encode(words, [typeHash, device, sequence, time, schema, content]);
      expect(keccak256(encoded)).to.equal(structHash);
      expect(keccak256(concat(["0x1901", domain.separator, structHash]))).to.equal(digest);
      expect(await registry.readingDigest(device, sequence, time, schema, content)).to.equal(digest);
      expect(BigInt(device)).to.equal(BigInt(keccak256(key.public)) & (2n ** 160n - 1n));
      if (key.kind === "secp256k1") expect(recoverAddress(digest, signature)).to.equal(device);
      else {
        expect(toHex(p256.getPublicKey(getBytes(key.secret), false))).to.equal(`0x04${key.public.slice(2)}`);
        expect(await verifier.verify(key.public, digest, signature)).to.equal("0x024ad318");
      }
    }
    expect(readings.length).to.equal(6);
  });

  it("of wrong signatures are refused here and by the verifier on chain", async () => {
    const { domain, invalid } = await load("readings.json");
    const digests = new Digests({ chainId: BigInt(domain.chainId), registry: domain.registry });
    const verifier = P256Verifier__factory.connect(world.addresses.P256Verifier, world.operator);
    expect(invalid.length).to.equal(5);
    for (const { why, key, reading } of invalid) {
      const { schema, content, signature } = revived(reading);
      const [sequence, time] = [BigInt(reading.sequence), BigInt(reading.time)];
      const read = { device: reading.device as DeviceId, sequence, time, schema, content, signature };
      const pub = { kind: key.kind, material: fromHex(key.public), id: key.device };
      expect(isAuthentic(read, pub, digests), why).to.equal(false);
      expect(await verifier.verify(key.public, digests.reading(read), signature), why).to.equal("0xffffffff");
    }
  });

  it("of scalars, batches and logs follow from their definitions", async () => {
    const { scalars, schemas, batches, logs } = await load("readings.json");
    for (const { quantity, unit, scale, id } of schemas) {
      expect(keccak256(toUtf8Bytes(`iotchain:scalar:${quantity}:${unit}:${scale}`))).to.equal(id);
    }
    for (const { value, saltSecret, sequence, salt, content } of scalars) {
      expect(keccak256(concat([saltSecret, `0x${BigInt(sequence).toString(16).padStart(16, "0")}`]))).to.equal(salt);
      expect(keccak256(abi.encode(["int256", "bytes32"], [value, salt]))).to.equal(content);
    }
    const type = keccak256(
      toUtf8Bytes("Batch(bytes32 root,uint64 count,uint64 first,uint64 last,bytes32 schema,bytes32 values)"),
    );
    batches.forEach(({ header, entry, proofs }: Json, k: number) => {
      const { root, count, first, last, schema, values } = header;
      const words = ["bytes32", "bytes32", "uint64", "uint64", "uint64", "bytes32", "bytes32"];
      expect(keccak256(abi.encode(words, [type, root, count, first, last, schema, values]))).to.equal(entry);
      expect([Number(count), proofs.length]).to.deep.equal([k + 1, k + 1]);
      expect(toHex(plainRoot(proofs.map(({ digest }: Json) => getBytes(leaf(digest)))))).to.equal(root);
      for (const { digest, path, siblings } of proofs) expect(climbed(leaf(digest), path, siblings)).to.equal(root);
    });
    const leaves: Uint8Array[] = [];
    for (const { entry, time, leaf: stated, size, peaks, root } of logs) {
      expect(leaf(entry, `0x${BigInt(time).toString(16).padStart(16, "0")}`)).to.equal(stated);
      leaves.push(getBytes(stated));
      expect(toHex(plainRoot(leaves))).to.equal(root);
      const heights = [...BigInt(size).toString(2)].reverse().flatMap((bit, height) => (bit === "1" ? [height] : []));
      expect(peaks.map(({ height }: Json) => height)).to.deep.equal(heights);
      let end = size;
      for (const { height, peak } of peaks) {
        expect(toHex(plainRoot(leaves.slice(end - 2 ** height, end)))).to.equal(peak);
        end -= 2 ** height;
      }
    }
  });

  it("of packs are encoded and read, and wrong ones refused as they say", async () => {
    const { packs, invalid } = await load("senml.json");
    for (const { name, records, cbor, payloadHash, salt, content } of packs) {
      // JSON numbers stand as they are in the file; bytes as 0x….
      expect(toHex(encodePack(records.map((record: Json) => revived(record)))), name).to.equal(cbor);
      expect(toHex(encodePack(decodePack(fromHex(cbor))))).to.equal(cbor);
      expect(keccak256(cbor)).to.equal(payloadHash);
      expect(salted(payloadHash, salt)).to.equal(content);
    }
    for (const { why, cbor, error } of invalid) {
      expect(() => decodePack(fromHex(cbor)), why)
        .to.throw(SenmlError)
        .with.property("code", error);
    }
    expect([packs.length, invalid.length]).to.deep.equal([5, 16]);
  });

  it("of files have roots, CIDs and words by other libraries, and segments that hold", async () => {
    const { files } = await load("files.json");
    const type = keccak256(toUtf8Bytes("File(uint64 size,uint32 chunkSize,bytes32 root,bytes32 cid)"));
    for (const { file, word, salt, content, segments } of files) {
      const bytes = patternBytes(Number(file.size));
      expect(toHex(plainFileRoot(bytes, file.chunkSize))).to.equal(file.root);
      expect(toHex(plainCid(bytes, file.chunkSize))).to.equal(file.cid);
      const words = ["bytes32", "uint64", "uint32", "bytes32", "bytes32"];
      expect(keccak256(abi.encode(words, [type, file.size, file.chunkSize, file.root, file.cid]))).to.equal(word);
      expect(salted(word, salt)).to.equal(content);
      const id = { ...revived(file), size: BigInt(file.size) };
      for (const { first, end, siblings } of segments) {
        const part = bytes.subarray(first * file.chunkSize, end * file.chunkSize);
        const { holds } = await verifySegment(id, { first, end, siblings: siblings.map(fromHex) }, [part]);
        expect(holds).to.equal(true);
      }
    }
    expect(files.flatMap(({ segments }: Json) => segments).length).to.equal(4);
  });

  it("of sealed payloads are opened by jose, and wrong ones refused as they say", async () => {
    const { recipients, plaintext, plainSalt, plainContent, jwe, ciphertextHash, word, salt, content, grant, invalid } =
      await load("sealed.json");
    for (const [k, key] of recipients.entries()) {
      const { plaintext: inner } = await generalDecrypt(jwe, key);
      // CBOR of [salt, plaintext]: array of 2, 32 bytes, then fewer than 24 or 256 bytes.
      const head = `0x825820${plainSalt.slice(2)}`;
      expect(toHex(inner).startsWith(head)).to.equal(true);
      expect(toHex(inner).endsWith(plaintext.slice(2))).to.equal(true);
      expect(await calculateJwkThumbprint(key)).to.equal(jwe.recipients[k].header.kid);
    }
    expect(salted(keccak256(plaintext), plainSalt)).to.equal(plainContent);
    expect(keccak256(toUtf8Bytes([jwe.protected, jwe.iv, jwe.ciphertext, jwe.tag].join(".")))).to.equal(ciphertextHash);
    const type = keccak256(toUtf8Bytes("Sealed(bytes32 ciphertext,bytes32 plain)"));
    expect(keccak256(concat([type, ciphertextHash, plainContent]))).to.equal(word);
    expect(salted(word, salt)).to.equal(content);
    const { device, recipient, from, until, number } = grant.says;
    const grantType = keccak256(
      toUtf8Bytes("Grant(address device,bytes32 recipient,uint64 from,uint64 until,uint64 number)"),
    );
    const words = ["bytes32", "address", "bytes32", "uint64", "uint64", "uint64"];
    const struct = keccak256(abi.encode(words, [grantType, device, recipient, from, until, number]));
    const { registry: verifyingContract, ...domain } = grant.domain;
    const separator = TypedDataEncoder.hashDomain({ ...domain, verifyingContract });
    expect(keccak256(concat(["0x1901", separator, struct]))).to.equal(grant.digest);
    const signed = {
      kind: "sealed",
      ciphertext: fromHex(ciphertextHash),
      plain: fromHex(plainContent),
      salt: fromHex(salt),
    } as const;
    for (const { why, change, error } of invalid) {
      const opening = Promise.resolve(JSON.stringify({ ...jwe, ...change }))
        .then(readSealed)
        .then((read) => openSealed(read, recipients[0], signed));
      const caught: unknown = await opening.catch((cause: unknown) => cause);
      expect(caught, why).to.be.instanceOf(SealError).with.property("code", error);
    }
    expect(invalid.length).to.equal(7);
  });
});
