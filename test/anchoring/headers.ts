import { expect } from "chai";
import { encodeRlp } from "ethers";
import { EvidenceError } from "../../toolkit/anchoring/evidence.js";
import {
  headerFromRpc,
  headersBetween,
  MAX_HEADERS,
  readHeader,
  unlinkedSince,
} from "../../toolkit/anchoring/headers.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { type Deployed, deployed } from "../support.js";

describe("Headers", () => {
  let world: Deployed;
  let headers: Uint8Array[];
  const at = (place: number) => headers.at(place) ?? expect.fail("no header");
  const read = (rlp: Uint8Array) => readHeader(rlp) ?? expect.fail("no header");

  before(async () => {
    world = await deployed();
    await world.networkHelpers.mine(6);
    const latest = BigInt(await world.ethers.provider.getBlockNumber());
    headers = await headersBetween(world.ethers.provider, latest, latest - 6n);
  });

  it("hash to the block's hash, of this hardfork and of those before", async () => {
    for (const chain of [world, await deployed("prague")]) {
      const block = await chain.ethers.provider.send("eth_getBlockByNumber", ["latest", false]);
      const header = read(headerFromRpc(block));
      expect([toHex(header.hash), toHex(header.stateRoot)]).to.deep.equal([block.hash, block.stateRoot]);
      expect([header.number, header.time]).to.deep.equal([BigInt(block.number), BigInt(block.timestamp)]);
    }
    // Ethereum's first block, from before base fees, withdrawals and blobs.
    expect(toHex(read(headerFromRpc(GENESIS)).hash)).to.equal(GENESIS.hash);
  });

  it("are refused when a field is changed, missing or of another type", async () => {
    const block = await world.ethers.provider.send("eth_getBlockByNumber", ["latest", false]);
    for (const [name, change] of [
      ["number", "0x1"],
      ["stateRoot", `0x${"00".repeat(32)}`],
      ["timestamp", "soon"],
      ["hash", null],
      ["miner", { length: 1 }],
      ["extraData", "0x1"],
    ]) {
      expect(() => headerFromRpc({ ...block, [String(name)]: change }), String(name)).to.throw(EvidenceError);
    }
    for (const nothing of [null, undefined, 7, "0x", [], {}])
      expect(() => headerFromRpc(nothing)).to.throw(EvidenceError);
  });

  it("aren't read from bytes that are none", () => {
    const nested = Array.from({ length: 400 }, () => 0xf8);
    const fields = (count: number, field: string) => fromHex(encodeRlp(Array.from({ length: count }, () => field)));
    const wrong = [
      new Uint8Array(),
      Uint8Array.of(0xc0),
      Uint8Array.from(nested),
      new Uint8Array(1_000).fill(0xc1),
      new Uint8Array(3_000),
      fields(15, "0x"),
      fields(3, `0x${"11".repeat(32)}`),
      fields(20, `0x${"11".repeat(32)}`),
      at(0).subarray(1),
      // A number of 2^63.
      numbered("0x8000000000000000"),
    ];
    for (const bytes of wrong) expect(readHeader(bytes), toHex(bytes.subarray(0, 8))).to.equal(undefined);
  });

  it("are linked to a trusted one by their parents", () => {
    const trusted = read(at(0)).hash;
    expect(unlinkedSince(read(at(0)), trusted)).to.equal(undefined);
    for (let back = 1; back < headers.length; back++) {
      expect(unlinkedSince(read(at(back)), trusted, headers.slice(0, back))).to.equal(undefined);
    }
  });

  it("aren't linked by a chain with a header missing, changed, twice, or in the other order", () => {
    const trusted = read(at(0)).hash;
    const between = headers.slice(0, 5);
    const wrong: [why: RegExp, chain: Uint8Array[]][] = [
      [/another hash/, between.slice(0, 4)],
      [/not the parent/, between.slice(1)],
      [/not the parent/, between.toSpliced(2, 1)],
      [/not the parent/, between.toSpliced(2, 0, at(2))],
      [/not the parent/, between.toReversed()],
      [/not the parent/, between.with(3, at(3).with(100, 7))],
      [/is no header/, between.with(3, new Uint8Array())],
      [/more than/, Array.from({ length: MAX_HEADERS + 1 }, () => at(0))],
      [/another hash/, []],
    ];
    for (const [why, chain] of wrong) expect(unlinkedSince(read(at(5)), trusted, chain)).to.match(why);
    expect(unlinkedSince(read(at(5)), read(at(1)).hash, between)).to.match(/not the parent/);
  });

  it("aren't linked when hashes fit and numbers don't", () => {
    const forged = (parent: Uint8Array, number: number) => numbered(`0x0${number}`, parent);
    const base = forged(new Uint8Array(32), 3);
    const skips = forged(read(base).hash, 5);
    const above = forged(read(skips).hash, 9);
    expect(unlinkedSince(read(base), read(skips).hash, [skips])).to.match(/is not before 5/);
    expect(unlinkedSince(read(base), read(above).hash, [above, skips])).to.match(/has number 5/);
  });

  it("aren't asked of a node by the million", async () => {
    const error = await headersBetween(world.ethers.provider, 1_000_000n, 0n).catch((cause: unknown) => cause);
    expect(error).to.be.instanceOf(RangeError);
  });
});

/** A header that nobody has mined. */
function numbered(number: string, parent: Uint8Array = new Uint8Array(32)): Uint8Array {
  const fields: string[] = Array.from({ length: 15 }, () => "0x");
  fields[0] = toHex(parent);
  fields[3] = `0x${"22".repeat(32)}`;
  fields[8] = number;
  return fromHex(encodeRlp(fields));
}

const EMPTY_TRIE = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421";
const GENESIS = {
  hash: "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
  parentHash: `0x${"00".repeat(32)}`,
  sha3Uncles: "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
  miner: `0x${"00".repeat(20)}`,
  stateRoot: "0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544",
  transactionsRoot: EMPTY_TRIE,
  receiptsRoot: EMPTY_TRIE,
  logsBloom: `0x${"00".repeat(256)}`,
  difficulty: "0x400000000",
  number: "0x0",
  gasLimit: "0x1388",
  gasUsed: "0x0",
  timestamp: "0x0",
  extraData: "0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa",
  mixHash: `0x${"00".repeat(32)}`,
  nonce: "0x0000000000000042",
};
