import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import type { Content, FileContent, FileId } from "../../toolkit/anchoring/contents.js";
import { type Evidence, EvidenceError } from "../../toolkit/anchoring/evidence.js";
import { hashFile } from "../../toolkit/anchoring/files.js";
import type { EcPublicJwk } from "../../toolkit/anchoring/jwe.js";
import { checkPayload } from "../../toolkit/anchoring/payload-check.js";
import { jwkOfSecret, regrant, seal } from "../../toolkit/anchoring/sealing.js";
import { keccak256 } from "../../toolkit/internal/bytes.js";
import { leafHash, MerkleTree } from "../../toolkit/internal/merkle.js";

const CHUNK = 1_024;
const bytes = Uint8Array.from({ length: 4_500 }, (_, k) => k % 251);
const salt = new Uint8Array(32).fill(5);
const sha256 = (of: Uint8Array) => new Uint8Array(createHash("sha256").update(of).digest());

function treeOf(of: Uint8Array): MerkleTree {
  const count = Math.max(1, Math.ceil(of.length / CHUNK));
  return new MerkleTree(
    Array.from({ length: count }, (_, k) => leafHash(sha256(of.subarray(k * CHUNK, k * CHUNK + CHUNK)))),
  );
}

describe("The payload of evidence", () => {
  let folder: string;
  let file: FileId;
  let content: FileContent;
  // Nothing else of the evidence is looked at.
  const about = (of: Partial<Evidence>) => of as Evidence;
  const named = async (of: Uint8Array) => {
    const path = join(folder, "payload");
    await writeFile(path, of);
    return path;
  };
  const holds = async (of: Partial<Evidence>, payload: Uint8Array) =>
    (await checkPayload(about(of), await named(payload)))?.holds;
  const code = (of: Promise<unknown>) =>
    of.then(
      () => "none",
      (error: unknown) => (error instanceof EvidenceError ? error.code : String(error)),
    );
  const longer = Uint8Array.from([...bytes, 0]);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "payload-"));
    file = (await hashFile([bytes], { chunkSize: CHUNK })).id;
    content = { kind: "file", file, salt };
  });

  after(() => rm(folder, { recursive: true }));

  it("is the bytes that the reading's hash is of, and no others", async () => {
    const payload: Content = { kind: "payload", hash: keccak256(bytes), salt };
    for (const wrong of [longer, bytes.subarray(1), bytes.with(7, 0), new Uint8Array()]) {
      expect(await holds({ content: payload }, wrong)).to.equal(false);
    }
    expect(await holds({ content: payload }, bytes)).to.equal(true);
  });

  it("is the ciphertext that was signed, whoever its recipients are", async () => {
    const [first, second] = [jwkOfSecret(new Uint8Array(32).fill(7)), jwkOfSecret(new Uint8Array(32).fill(8))];
    const publicKey = ({ kty, crv, x, y }: EcPublicJwk) => ({ kty, crv, x, y });
    const { jwe, content: sealed } = await seal(bytes, [publicKey(first)]);
    const text = (of: object) => new TextEncoder().encode(JSON.stringify(of));
    expect(await holds({ content: sealed }, text(jwe))).to.equal(true);
    expect(await holds({ content: sealed }, text(await regrant(jwe, first, publicKey(second))))).to.equal(true);
    const { jwe: other } = await seal(bytes, [publicKey(first)]);
    for (const wrong of [text(other), text({ ...jwe, tag: other.tag }), text({ ...jwe, zip: "DEF" }), bytes]) {
      expect(await holds({ content: sealed }, wrong)).to.equal(false);
    }
  });

  it("is a file by its chunks and its CID", async () => {
    for (const wrong of [longer, bytes.subarray(0, 4_499), bytes.with(4_400, 0), new Uint8Array()]) {
      expect(await holds({ content }, wrong)).to.equal(false);
    }
    expect(await holds({ content }, bytes)).to.equal(true);
    expect(await holds({ content: { ...content, file: { ...file, cid: salt } } }, bytes)).to.equal(false);
    const { id: nothing } = await hashFile([], { chunkSize: CHUNK });
    const empty: Content = { kind: "file", file: nothing, salt };
    expect([await holds({ content: empty }, new Uint8Array()), await holds({ content: empty }, bytes)]).to.deep.equal([
      true,
      false,
    ]);
  });

  it("is a segment of a file, at its place and whole", async () => {
    const segment = (first: number, count: number) => ({
      first,
      end: first + count,
      siblings: treeOf(bytes).proveMany(Array.from({ length: count }, (_, k) => first + k)),
    });
    for (const [first, count] of [
      [0, 1],
      [1, 3],
      [4, 1],
      [0, 5],
    ] as const) {
      const part = bytes.subarray(first * CHUNK, (first + count) * CHUNK);
      expect(await holds({ content, segment: segment(first, count) }, part)).to.equal(true);
      expect(await holds({ content, segment: segment(first, count) }, part.subarray(1))).to.equal(false);
      const moved = { ...segment(first, count), first: first + 1, end: first + count + 1 };
      expect(await holds({ content, segment: moved }, part)).to.equal(false);
    }
    for (const wrong of [{ end: 1 }, { end: 10 }, { first: 2 ** 52 }, { siblings: [] }]) {
      expect(
        await holds({ content, segment: { ...segment(1, 2), ...wrong } }, bytes.subarray(CHUNK, 3 * CHUNK)),
      ).to.equal(false);
    }
  });

  it("isn't looked at without a file, and that is said", async () => {
    expect((await checkPayload(about({ content }), undefined))?.detail).to.equal("payload not checked");
    const scalar: Content = { kind: "scalar", value: 1n, salt };
    expect(await checkPayload(about({ content: scalar }), undefined)).to.equal(undefined);
  });

  it("is refused where there is none to compare with, or no file", async () => {
    const scalar: Content = { kind: "scalar", value: 1n, salt };
    for (const of of [{}, { content: scalar }]) {
      expect(await code(checkPayload(about(of), await named(bytes)))).to.equal("ITC_EVIDENCE_PAYLOAD");
    }
    for (const path of [folder, join(folder, "nothing"), "\0"]) {
      expect(await code(checkPayload(about({ content }), path))).to.equal("ITC_EVIDENCE_PAYLOAD");
    }
  });
});
