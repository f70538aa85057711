import { spawnSync } from "node:child_process";
import { type FileHandle, mkdtemp, open, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect } from "chai";
import { importByteStream } from "ipfs-unixfs-importer";
import { patternBytes as bytesOf } from "../../scripts/vectors.js";
import type { FileId } from "../../toolkit/anchoring/contents.js";
import { MAX_CHUNK_BYTES, type Segment } from "../../toolkit/anchoring/contents.js";
import {
  byteRange,
  chunkCount,
  chunksOfBytes,
  chunksOfTime,
  cidDigest,
  cidOf,
  FileError,
  fileContent,
  hashFile,
  readUnchanged,
  verifyFile,
  verifySegment,
} from "../../toolkit/anchoring/files.js";
import { concat, toHex, uintBytes } from "../../toolkit/internal/bytes.js";
import { Dice } from "../invariant/dice.js";
import { plainCid, plainFileRoot } from "./plain-files.js";

const SEED = Number(process.env.SEED ?? 9162);
const KIB = 1024;

async function refusal(act: () => Promise<unknown> | unknown): Promise<string> {
  try {
    await act();
    return "none";
  } catch (error) {
    return error instanceof FileError ? error.code : `not ours: ${error}`;
  }
}

describe("Files in chunks", () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "iotchain-files-"));
  });

  after(() => rm(folder, { recursive: true }));

  it("have the CIDs that everybody knows", async () => {
    const { id: empty } = await hashFile([]);
    expect(cidOf(empty)).to.equal("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku");
    const { id: hello } = await hashFile([Buffer.from("hello world")]);
    expect(cidOf(hello)).to.equal("bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e");
    expect(toHex(cidDigest(cidOf(hello)))).to.equal(toHex(hello.cid));
  });

  it("have root and CID by their definitions, however the bytes come", async () => {
    const dice = new Dice(SEED);
    for (const size of [0, 1, KIB - 1, KIB, KIB + 1, 2 * KIB, 5 * KIB + 3, 1024 * KIB, 1025 * KIB + 7]) {
      const bytes = bytesOf(size);
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < size; ) {
        const length = 1 + dice.below(dice.chance(50) ? 100 : 200_000);
        pieces.push(bytes.subarray(at, at + length));
        at += length;
      }
      const { id } = await hashFile(pieces, { chunkSize: KIB, size: BigInt(size) });
      expect([size, toHex(id.root)]).to.deep.equal([size, toHex(plainFileRoot(bytes, KIB))]);
      expect([size, toHex(id.cid)]).to.deep.equal([size, toHex(plainCid(bytes, KIB))]);
      expect([id.size, chunkCount(id)]).to.deep.equal([BigInt(size), Math.max(1, Math.ceil(size / KIB))]);
    }
  });

  it("have the CID that the importer gives by its own profile", async () => {
    const bytes = bytesOf(3 * MAX_CHUNK_BYTES + 5);
    const keepsNothing = { put: async <T>(cid: T): Promise<T> => cid };
    const { cid } = await importByteStream([bytes], keepsNothing, { profile: "unixfs-v1-2025" });
    const file = path.join(folder, "three");
    await writeFile(file, bytes);
    expect(cidOf((await hashFile(file)).id)).to.equal(cid.toString());
  });

  it("are verified whole, and not with a byte more, less or changed", async () => {
    const bytes = bytesOf(5 * KIB + 100);
    const { id } = await hashFile([bytes], { chunkSize: KIB });
    const failing = async (source: Uint8Array, file = id) =>
      (await verifyFile(file, [source])).findings.filter(({ holds }) => !holds).map(({ what }) => what);
    expect(await failing(bytes)).to.deep.equal([]);
    expect(await failing(bytes.subarray(1))).to.deep.equal(["size", "chunks", "cid"]);
    expect(await failing(concat(bytes, Uint8Array.of(0)))).to.deep.equal(["size", "chunks", "cid"]);
    const changed = bytes.slice();
    changed[4000] = (changed[4000] ?? 0) ^ 1;
    expect(await failing(changed)).to.deep.equal(["chunks", "cid"]);
    expect(await failing(bytes, { ...id, cid: id.root })).to.deep.equal(["cid"]);
    expect(await failing(bytes, { ...id, root: id.cid })).to.deep.equal(["chunks"]);
    expect(await failing(bytes, { ...id, size: 1n })).to.deep.equal(["size"]);
    expect(await failing(bytes, { ...id, chunkSize: 2 * KIB })).to.deep.equal(["chunks", "cid"]);
  });

  it("prove any segment alone", async () => {
    for (const count of [1, 2, 3, 5, 8, 13]) {
      const bytes = bytesOf(count * KIB - 300);
      const file = await hashFile([bytes], { chunkSize: KIB });
      for (let first = 0; first < count; first++) {
        for (let end = first + 1; end <= count; end++) {
          const segment = file.proveSegment(first, end);
          const { from, to } = byteRange(file.id, segment);
          const { holds } = await verifySegment(file.id, segment, [bytes.subarray(Number(from), Number(to))]);
          expect([count, first, end, holds]).to.deep.equal([count, first, end, true]);
        }
      }
    }
  });

  it("prove no segment that isn't theirs: other bytes, place, length or nodes", async () => {
    const bytes = bytesOf(9 * KIB + 10);
    const file = await hashFile([bytes], { chunkSize: KIB });
    const segment = file.proveSegment(2, 5);
    const part = bytes.subarray(2 * KIB, 5 * KIB);
    const holds = async (changed: Partial<Segment>, source = part, id: FileId = file.id) =>
      (await verifySegment(id, { ...segment, ...changed }, [source])).holds;
    expect(await holds({})).to.equal(true);
    for (let at = 0; at < part.length; at += 97) {
      const other = part.slice();
      other[at] = (other[at] ?? 0) ^ 128;
      expect(await holds({}, other)).to.equal(false);
    }
    expect(await holds({}, part.subarray(1))).to.equal(false);
    expect(await holds({}, bytes.subarray(2 * KIB, 5 * KIB + 1))).to.equal(false);
    expect(await holds({}, new Uint8Array())).to.equal(false);
    for (const place of [
      { first: 1, end: 4 },
      { first: 3, end: 6 },
      { first: 1 },
      { first: 3 },
      { end: 4 },
      { end: 6 },
    ]) {
      expect(await holds(place)).to.equal(false);
    }
    for (let k = 0; k < segment.siblings.length; k++) {
      const siblings = segment.siblings.map((node, place) => (place === k ? file.id.root : node));
      expect(await holds({ siblings })).to.equal(false);
      expect(await holds({ siblings: segment.siblings.filter((_, place) => place !== k) })).to.equal(false);
    }
    expect(await holds({ siblings: [...segment.siblings, file.id.root] })).to.equal(false);
    expect(await holds({}, part, { ...file.id, size: 6n * BigInt(KIB) })).to.equal(false);
    expect(await holds({}, part, { ...file.id, chunkSize: 2 * KIB })).to.equal(false);
    expect(await holds({}, part, { ...file.id, root: file.id.cid })).to.equal(false);
    // Nothing that costs more than the bytes that came, whatever the id says.
    const hostile = { ...file.id, size: 2n ** 63n };
    expect(await holds({ first: 0, end: 2 ** 50, siblings: [] }, part, hostile)).to.equal(false);
  });

  it("are segmented by bytes, and by the times of a recorder's index", async () => {
    const { id } = await hashFile([bytesOf(5 * KIB + 1)], { chunkSize: KIB });
    const bytes = (from: number, to: number) => chunksOfBytes(id, BigInt(from), BigInt(to));
    expect(bytes(0, 1)).to.deep.equal({ first: 0, end: 1 });
    expect(bytes(KIB - 1, KIB + 1)).to.deep.equal({ first: 0, end: 2 });
    expect(bytes(KIB, 2 * KIB)).to.deep.equal({ first: 1, end: 2 });
    expect(bytes(5 * KIB, 5 * KIB + 1)).to.deep.equal({ first: 5, end: 6 });
    const marks = [0, 10, 20, 30].map((time) => ({ time: 100n + BigInt(time), offset: BigInt(time * 150) }));
    const times = (from: number, to: number) => chunksOfTime(id, marks, BigInt(from), BigInt(to));
    expect(times(100, 110)).to.deep.equal({ first: 0, end: 2 });
    expect(times(115, 116)).to.deep.equal({ first: 1, end: 3 });
    expect(times(125, 999)).to.deep.equal({ first: 2, end: 6 });
    for (const [from, to] of [
      [-1, 1],
      [1, 1],
      [2, 1],
      [0, 5 * KIB + 2],
    ] as const) {
      expect(await refusal(() => bytes(from, to))).to.equal("ITC_FILE_SEGMENT");
    }
    for (const [from, to] of [
      [99, 110],
      [110, 110],
      [120, 105],
    ] as const) {
      expect(await refusal(() => times(from, to))).to.equal("ITC_FILE_SEGMENT");
    }
  });

  it("are refused for segments, chunks, sizes and CIDs that there aren't", async () => {
    const file = await hashFile([bytesOf(3 * KIB)], { chunkSize: KIB });
    for (const [first, end] of [
      [0, 0],
      [1, 1],
      [2, 1],
      [-1, 1],
      [0, 4],
      [0.5, 1],
      [Number.NaN, 1],
    ] as const) {
      expect(await refusal(() => file.proveSegment(first, end))).to.equal("ITC_FILE_SEGMENT");
      expect(await refusal(() => verifySegment(file.id, { first, end, siblings: [] }, []))).to.equal(
        "ITC_FILE_SEGMENT",
      );
    }
    for (const chunkSize of [0, -1, 1.5, KIB - 1, MAX_CHUNK_BYTES + 1, Number.NaN, Infinity]) {
      expect(await refusal(() => hashFile([], { chunkSize }))).to.equal("ITC_FILE_CHUNK_SIZE");
      const id = { ...file.id, chunkSize };
      expect(await refusal(() => verifyFile(id, []))).to.equal("ITC_FILE_CHUNK_SIZE");
      expect(await refusal(() => verifySegment(id, { first: 0, end: 1, siblings: [] }, []))).to.equal(
        "ITC_FILE_CHUNK_SIZE",
      );
    }
    expect(await refusal(() => hashFile([bytesOf(10)], { size: 11n }))).to.equal("ITC_FILE_SIZE");
    expect(await refusal(() => hashFile([bytesOf(10)], { size: 9n }))).to.equal("ITC_FILE_SIZE");
    const others = ["", "bafy", "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n", "x".repeat(1000)];
    for (const text of others) expect(await refusal(() => cidDigest(text))).to.equal("ITC_FILE_CID");
  });

  it("are refused when somebody writes to them meanwhile", async () => {
    const recording = path.join(folder, "recording");
    const changes: ((handle: FileHandle) => Promise<unknown>)[] = [
      (handle) => handle.write(Uint8Array.of(1), 0, 1, 3 * MAX_CHUNK_BYTES),
      (handle) => handle.write(Uint8Array.of(1), 0, 1, 2 * MAX_CHUNK_BYTES),
      (handle) => handle.truncate(5),
      async () => {},
    ];
    const codes: string[] = [];
    for (const change of changes) {
      await writeFile(recording, bytesOf(3 * MAX_CHUNK_BYTES));
      // Some systems tell times to a hundredth of a second only.
      await utimes(recording, 1, 1);
      const pieces = readUnchanged(recording);
      await pieces.next();
      const handle = await open(recording, "r+");
      await change(handle);
      await handle.close();
      codes.push(await refusal(() => hashFile(pieces)));
    }
    expect(codes).to.deep.equal(["ITC_FILE_CHANGED", "ITC_FILE_CHANGED", "ITC_FILE_CHANGED", "none"]);
    expect(await refusal(() => hashFile(path.join(folder, "nowhere")))).to.match(/^not ours: .*ENOENT/);
  });

  it("are hashed in memory that doesn't grow with them", async () => {
    const [small, large] = [path.join(folder, "small"), path.join(folder, "large")];
    const mebibytes = Number(process.env.FILE_MIB ?? 1024);
    for (const [name, size] of [
      [small, 64],
      [large, mebibytes],
    ] as const) {
      const handle = await open(name, "w");
      await handle.truncate(size * MAX_CHUNK_BYTES);
      await handle.close();
    }
    // In a process of its own. After the small one it has what it takes, however much its loader took.
    const run = `
      const { hashFile } = await import("./toolkit/anchoring/files.ts");
      const [small, large] = process.argv.slice(1);
      await hashFile(small);
      const before = process.resourceUsage().maxRSS;
      const { id } = await hashFile(large);
      console.log(JSON.stringify({ size: Number(id.size), grown: process.resourceUsage().maxRSS - before }));`;
    const args = ["--max-old-space-size=64", "--import", "tsx", "--input-type=module", "-e", run, small, large];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect(stderr).to.equal("");
    const { size, grown } = JSON.parse(stdout);
    expect(size).to.equal(mebibytes * MAX_CHUNK_BYTES);
    expect(grown).to.be.lessThan((mebibytes * KIB) / 4);
  });

  it("are what a reading commits to", async () => {
    const { id } = await hashFile([bytesOf(10)]);
    const salt = uintBytes(5, 32);
    expect(fileContent(id, salt)).to.deep.equal({ kind: "file", file: id, salt });
  });
});
