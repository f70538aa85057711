import { expect } from "chai";
import { AbiCoder, keccak256 } from "ethers";
import { readLog } from "../../toolkit/anchoring/log-reader.js";
import { entryLeaf, MountainRange } from "../../toolkit/anchoring/mountain-range.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { nodeHash } from "../../toolkit/internal/merkle.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { type Deployed, deployed } from "../support.js";
import { entryOf, grow } from "./publishers.js";

/** Of the mapping of logs: OpenZeppelin's EIP712 has the two before. */
const LOGS_SLOT = 2;

/** RFC 9162 §2.1.1, word by word: split at the largest power of two below the size. */
function rootByDefinition(leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves;
  if (only && leaves.length === 1) return only;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return nodeHash(rootByDefinition(leaves.slice(0, split)), rootByDefinition(leaves.slice(split)));
}

describe("DataAnchor", () => {
  let world: Deployed;
  let restore: () => Promise<void>;
  const publisher = () => world.accounts[0] ?? world.operator;
  const other = () => world.accounts[1] ?? world.operator;

  before(async () => {
    world = await deployed();
  });

  beforeEach(async () => {
    const snapshot = await world.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  /** Appends and returns the leaf. */
  async function append(k: number, by = publisher()): Promise<Uint8Array> {
    const [size] = await world.anchor.headOf(by.address);
    await world.anchor.connect(by).append(by.address, size, entryOf(k));
    return entryLeaf(entryOf(k), BigInt(await world.networkHelpers.time.latest()));
  }

  describe("append", () => {
    it("adds an entry for its publisher and says so", async () => {
      const call = world.anchor.connect(publisher()).append(publisher().address, 0, entryOf(0));
      await expect(call).to.emit(world.anchor, "EntryAppended");
      const time = BigInt(await world.networkHelpers.time.latest());
      const [log] = await world.anchor.queryFilter(world.anchor.filters.EntryAppended(publisher().address));
      expect([...(log?.args ?? [])]).to.deep.equal([publisher().address, 0n, toHex(entryOf(0)), time]);
      expect(await world.anchor.headOf(publisher().address)).to.deep.equal([1n, time]);
      expect(await world.anchor.rootOf(publisher().address)).to.equal(toHex(entryLeaf(entryOf(0), time)));
    });

    it("refuses a stranger", async () => {
      await expect(world.anchor.connect(other()).append(publisher().address, 0, entryOf(0)))
        .to.be.revertedWithCustomError(world.anchor, "DataAnchorNotPublisher")
        .withArgs(publisher().address, other().address);
      expect(await world.anchor.headOf(publisher().address)).to.deep.equal([0n, 0n]);
    });

    it("refuses an index that is not the size, so that a resend changes nothing", async () => {
      await append(0);
      await append(1);
      const before = await world.anchor.rootOf(publisher().address);
      for (const index of [0n, 1n, 3n, 2n ** 64n - 1n]) {
        await expect(world.anchor.connect(publisher()).append(publisher().address, index, entryOf(1)))
          .to.be.revertedWithCustomError(world.anchor, "DataAnchorWrongIndex")
          .withArgs(publisher().address, index, 2n);
      }
      expect(await world.anchor.rootOf(publisher().address)).to.equal(before);
    });

    it("keeps publishers apart", async () => {
      await append(0);
      expect(await world.anchor.headOf(other().address)).to.deep.equal([0n, 0n]);
      const leaf = await append(5, other());
      expect(await world.anchor.rootOf(other().address)).to.equal(toHex(leaf));
      expect((await world.anchor.headOf(publisher().address)).size).to.equal(1n);
    });
  });

  describe("verifyEntry", () => {
    it("proves every entry of a log of any size up to 33, and the root is that of RFC 9162", async () => {
      const range = new MountainRange();
      const leaves: Uint8Array[] = [];
      const times: bigint[] = [];
      expect(await world.anchor.rootOf(publisher().address)).to.equal(`0x${"00".repeat(32)}`);
      for (let size = 1; size <= 33; size++) {
        const leaf = await append(size - 1);
        leaves.push(leaf);
        times.push(BigInt(await world.networkHelpers.time.latest()));
        range.append(leaf);
        expect(await world.anchor.rootOf(publisher().address)).to.equal(toHex(rootByDefinition(leaves)));
        expect(toHex(range.root ?? new Uint8Array())).to.equal(toHex(rootByDefinition(leaves)));
        const answers = leaves.map((_, k) =>
          world.anchor.verifyEntry(publisher().address, k, times[k] ?? 0n, entryOf(k), range.prove(k)),
        );
        expect(await Promise.all(answers)).to.deep.equal(leaves.map(() => true));
      }
    });

    it("refuses each proof with one bit changed, at every place", async () => {
      const range = new MountainRange();
      for (let k = 0; k < 12; k++) range.append(await append(k));
      const time = BigInt(await world.networkHelpers.time.latest()) - 11n;
      const address = publisher().address;
      const proof = range.prove(0);
      const ask = (at: bigint, second: bigint, entry: Uint8Array, siblings: Uint8Array[]) =>
        world.anchor.verifyEntry(address, at, second, entry, siblings);
      const block = await world.anchor.queryFilter(world.anchor.filters.EntryAppended(address));
      const first = block[0]?.args.time ?? time;
      expect(await ask(0n, first, entryOf(0), proof)).to.equal(true);
      const wrong: Promise<boolean>[] = [];
      const flip = (bytes: Uint8Array, bit: number) =>
        bytes.map((byte, k) => (k === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      for (let bit = 0; bit < 256; bit++) {
        wrong.push(ask(0n, first, flip(entryOf(0), bit), proof));
        proof.forEach((sibling, k) => {
          wrong.push(
            ask(
              0n,
              first,
              entryOf(0),
              proof.map((one, j) => (j === k ? flip(sibling, bit) : one)),
            ),
          );
        });
      }
      for (let bit = 0n; bit < 64n; bit++) {
        wrong.push(ask(1n << bit, first, entryOf(0), proof), ask(0n, first ^ (1n << bit), entryOf(0), proof));
      }
      expect((await Promise.all(wrong)).filter((holds) => holds)).to.deep.equal([]);
    });

    it("refuses a foreign length, an index beyond the end, and the 64 bytes of a node as an entry", async () => {
      const range = new MountainRange();
      const leaves: Uint8Array[] = [];
      for (let k = 0; k < 4; k++) {
        leaves.push(await append(k));
        range.append(leaves[k] ?? new Uint8Array());
      }
      const address = publisher().address;
      const [time = 0n] = (await world.anchor.queryFilter(world.anchor.filters.EntryAppended(address))).map(
        ({ args }) => args.time,
      );
      const proof = range.prove(0);
      for (const length of [0, 1, 3, 63, 255]) {
        const foreign = Array.from({ length }, (_, k) => proof[k] ?? proof[0] ?? new Uint8Array(32));
        expect(await world.anchor.verifyEntry(address, 0, time, entryOf(0), foreign)).to.equal(false);
      }
      for (const index of [4n, 2n ** 64n - 1n]) {
        expect(await world.anchor.verifyEntry(address, index, time, entryOf(0), proof)).to.equal(false);
      }
      // The inner node above leaves 0 and 1 in place of an entry: no preimage of a leaf hashes to it, whichever word it is put in.
      const inner = nodeHash(leaves[0] ?? new Uint8Array(), leaves[1] ?? new Uint8Array());
      for (const fake of [inner, leaves[0] ?? inner]) {
        expect(await world.anchor.verifyEntry(address, 0, time, fake, proof.slice(1))).to.equal(false);
        expect(await world.anchor.verifyEntry(address, 0, 0n, fake, proof)).to.equal(false);
      }
    });

    it("refuses an entry at a place beyond the end, where a stale peak still lies", async () => {
      const { times } = await grow(world, publisher(), 6);
      for (let beyond = 6; beyond < 20; beyond++) {
        // Peaks of earlier sizes: of 1, 3 and 5 entries at height 0, of 2 and 3 at height 1.
        for (const k of [0, 2, 4, 5])
          expect(await world.anchor.verifyEntry(publisher().address, beyond, times[k] ?? 0n, entryOf(k), [])).to.equal(
            false,
          );
      }
    });

    /** Puts a log into storage as appends would have left it. */
    async function plant(range: MountainRange, time: bigint): Promise<void> {
      const base = BigInt(
        keccak256(AbiCoder.defaultAbiCoder().encode(["address", "uint256"], [publisher().address, LOGS_SLOT])),
      );
      const write = (slot: bigint, value: Uint8Array) =>
        world.networkHelpers.setStorageAt(world.addresses.DataAnchor, slot, toHex(value));
      const head = fromHex(((time << 64n) | BigInt(range.size)).toString(16).padStart(64, "0"));
      await write(base, head);
      for (let height = 0; height < 64; height++) {
        const peak = range.peak(height);
        if (peak) await write(base + 1n + BigInt(height), peak);
      }
    }

    it("proves any entry of a log of 1,000,000 for 25,000 gas", async () => {
      const range = new MountainRange();
      for (let k = 0; k < 1_000_000; k++)
        range.append(entryLeaf(fromHex(k.toString(16).padStart(64, "0")), 1_700_000_000n));
      await plant(range, 1_700_000_000n);
      for (const k of [0, 1, 524_287, 524_288, 777_777, 999_999]) {
        const entry = fromHex(k.toString(16).padStart(64, "0"));
        const said = [publisher().address, k, 1_700_000_000n, entry, range.prove(k)] as const;
        expect(await world.anchor.verifyEntry(...said)).to.equal(true);
        expect(await world.anchor.verifyEntry(said[0], k ^ 1, said[2], entry, said[4])).to.equal(false);
        const data = fromHex(world.anchor.interface.encodeFunctionData("verifyEntry", [...said]));
        const intrinsic = 21_000n + data.reduce((sum, byte) => sum + (byte === 0 ? 4n : 16n), 0n);
        expect((await world.anchor.verifyEntry.estimateGas(...said)) - intrinsic < 25_000n).to.equal(true);
      }
      expect(await world.anchor.rootOf(publisher().address)).to.equal(toHex(range.root ?? new Uint8Array()));
    });

    it("agrees with a log that grew by appends in the same storage", async () => {
      const range = new MountainRange();
      for (let k = 0; k < 37; k++) range.append(entryLeaf(entryOf(k), 1_700_000_000n));
      await plant(range, 1_700_000_000n);
      for (let k = 37; k < 70; k++) range.append(await append(k));
      expect(await world.anchor.rootOf(publisher().address)).to.equal(toHex(range.root ?? new Uint8Array()));
      expect(
        await world.anchor.verifyEntry(publisher().address, 3, 1_700_000_000n, entryOf(3), range.prove(3)),
      ).to.equal(true);
    });
  });

  describe("the log over random histories", () => {
    it("is what the model says, for several publishers at once", async () => {
      const publishers = world.accounts.slice(0, 4);
      const models = publishers.map(() => new MountainRange());
      for (let step = 0; step < 120; step++) {
        const chance = BigInt(secretOf(3, `step-${step}`));
        const who = Number(chance % BigInt(publishers.length));
        const by = publishers[who] ?? publisher();
        const model = models[who] ?? new MountainRange();
        if ((chance >> 8n) % 5n === 0n) {
          const index = (chance >> 16n) % 200n;
          const attempt = world.anchor.connect(by).append(by.address, index, entryOf(step));
          if (index !== BigInt(model.size)) {
            await expect(attempt).to.be.revertedWithCustomError(world.anchor, "DataAnchorWrongIndex");
            continue;
          }
          await attempt;
          model.append(entryLeaf(entryOf(step), BigInt(await world.networkHelpers.time.latest())));
        } else model.append(await append(step, by));
      }
      for (const [k, by] of publishers.entries()) {
        const rebuilt = await readLog(world.ethers.provider, world.addresses.DataAnchor, by.address);
        expect(toHex(rebuilt.range.root ?? new Uint8Array(32))).to.equal(toHex(models[k]?.root ?? new Uint8Array(32)));
        for (const { index, entry, time } of rebuilt.entries) {
          const proof = models[k]?.prove(index) ?? [];
          expect(await world.anchor.verifyEntry(by.address, index, time, entry, proof)).to.equal(true);
        }
      }
    });
  });
});
