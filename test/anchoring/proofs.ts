import { expect } from "chai";
import { Batch, NO_VALUES } from "../../toolkit/anchoring/batches.js";
import { entryLeaf, MountainRange, provesConsistency, provesRange } from "../../toolkit/anchoring/mountain-range.js";
import { contentOf, type SignedReading, schemaIdOf, signReading } from "../../toolkit/anchoring/readings.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { nodeHash } from "../../toolkit/internal/merkle.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { keyOf } from "../identity/fleet.js";
import { entryOf, grow, Publishers } from "./publishers.js";

const key = keyOf("proved");
const next = keyOf("proved later", "p256");
const schema = schemaIdOf({ quantity: "wind_speed", unit: "m/s", scale: 2 });
const flip = (bytes: Uint8Array, bit: number) =>
  bytes.map((byte, k) => (k === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));

/** RFC 9162 §2.1.1 and §2.1.4.1, word by word. */
function treeHash(leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves;
  if (only && leaves.length === 1) return only;
  const split = splitOf(leaves.length);
  return nodeHash(treeHash(leaves.slice(0, split)), treeHash(leaves.slice(split)));
}

function subproof(old: number, leaves: readonly Uint8Array[], whole: boolean): Uint8Array[] {
  if (old === leaves.length) return whole ? [] : [treeHash(leaves)];
  const split = splitOf(leaves.length);
  return old <= split
    ? [...subproof(old, leaves.slice(0, split), whole), treeHash(leaves.slice(split))]
    : [...subproof(old - split, leaves.slice(split), false), treeHash(leaves.slice(0, split))];
}

function splitOf(size: number): number {
  let split = 1;
  while (split * 2 < size) split *= 2;
  return split;
}

describe("Proofs about a log", () => {
  let publishers: Publishers;
  let restore: () => Promise<void>;
  const anchor = () => publishers.world.anchor;
  const publisher = () => publishers.maker;

  before(async () => {
    publishers = await Publishers.of([key]);
  });

  beforeEach(async () => {
    const snapshot = await publishers.world.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  describe("verifyRange", () => {
    it("proves every stretch of logs of every size up to 20, on chain and off", async () => {
      const { world } = publishers;
      const range = new MountainRange();
      const times: bigint[] = [];
      for (let size = 1; size <= 20; size++) {
        await world.anchor.connect(publisher()).append(publisher().address, size - 1, entryOf(size - 1));
        times.push(BigInt(await world.networkHelpers.time.latest()));
        range.append(entryLeaf(entryOf(size - 1), times.at(-1) ?? 0n));
        const asked: Promise<boolean>[] = [];
        for (let first = 0; first < size; first++) {
          for (let count = 1; first + count <= size; count++) {
            const proof = range.proveRange(first, count);
            const entries = Array.from({ length: count }, (_, k) => entryOf(first + k));
            const seconds = times.slice(first, first + count);
            asked.push(anchor().verifyRange(publisher().address, first, seconds, entries, proof));
            const leaves = entries.map((entry, k) => entryLeaf(entry, seconds[k] ?? 0n));
            expect(provesRange(range.checkpoint(), first, leaves, proof)).to.equal(true);
          }
        }
        expect((await Promise.all(asked)).every((holds) => holds)).to.equal(true);
      }
    });

    it("refuses a stretch with an entry left out, added, swapped, changed or moved", async () => {
      const { range, times, entries } = await grow(publishers.world, publisher(), 13);
      const [first, count] = [3, 6];
      const proof = range.proveRange(first, count);
      const places = Array.from({ length: count }, (_, k) => first + k);
      /** Whether both sides hold it, or refuse it; a shape that can't be is a revert on chain. */
      const ask = async (
        from: number,
        taken: readonly number[],
        changed = proof,
        alter = (entry: Uint8Array) => entry,
      ) => {
        const said = taken.map((k) => alter(entries[k] ?? new Uint8Array(32)));
        const seconds = taken.map((k) => times[k] ?? 0n);
        const leaves = said.map((entry, k) => entryLeaf(entry, seconds[k] ?? 0n));
        const here = provesRange(range.checkpoint(), from, leaves, changed);
        const there = await anchor()
          .verifyRange(publisher().address, from, seconds, said, changed)
          .catch(() => false);
        expect(there).to.equal(here);
        return here;
      };
      expect(await ask(first, places)).to.equal(true);
      for (let k = 0; k < count; k++) {
        expect(await ask(first, places.toSpliced(k, 1))).to.equal(false);
        expect(await ask(first, places.toSpliced(k, 0, 12))).to.equal(false);
        if (k > 0) expect(await ask(first, places.with(k, first + k - 1).with(k - 1, first + k))).to.equal(false);
      }
      for (const from of [0, 2, 4, 7]) expect(await ask(from, places)).to.equal(false);
      expect(await ask(first, places, proof.slice(1))).to.equal(false);
      expect(await ask(first, places, [...proof, new Uint8Array(32)])).to.equal(false);
      for (let bit = 0; bit < 256; bit += 17) {
        expect(await ask(first, places, proof, (entry) => flip(entry, bit))).to.equal(false);
        for (let k = 0; k < proof.length; k++)
          expect(await ask(first, places, proof.with(k, flip(proof[k] ?? new Uint8Array(), bit)))).to.equal(false);
      }
    });

    it("refuses what is beyond the log, an empty stretch, and lists of different lengths", async () => {
      const { times, range } = await grow(publishers.world, publisher(), 3);
      const ask = (first: number | bigint, seconds: bigint[], entries: Uint8Array[]) =>
        anchor().verifyRange(publisher().address, first, seconds, entries, []);
      for (const first of [3n, 2n, 2n ** 64n - 1n]) {
        await expect(ask(first, times.slice(0, 2), [entryOf(0), entryOf(1)])).to.be.revertedWithCustomError(
          anchor(),
          "MerkleBadMultiproof",
        );
      }
      await expect(ask(0, [], [])).to.be.revertedWithCustomError(anchor(), "MerkleBadMultiproof");
      await expect(ask(0, times, [entryOf(0)])).to.be.revertedWithCustomError(anchor(), "DataAnchorLengthMismatch");
      for (const [first, count] of [
        [0, 0],
        [-1, 1],
        [0, 4],
        [3, 1],
        [0.5, 1],
        [0, Number.NaN],
      ] as const)
        expect(() => range.proveRange(first, count)).to.throw(RangeError);
    });
  });

  describe("verifyConsistency", () => {
    it("proves every earlier size of logs up to 33, on chain and off", async () => {
      const { world } = publishers;
      const range = new MountainRange();
      for (let size = 0; size <= 33; size++) {
        if (size > 0) {
          await world.anchor.connect(publisher()).append(publisher().address, size - 1, entryOf(size - 1));
          range.append(entryLeaf(entryOf(size - 1), BigInt(await world.networkHelpers.time.latest())));
        }
        const asked: Promise<boolean>[] = [];
        for (let old = 0; old <= size; old++) {
          const [proof, before] = [range.proveConsistency(old), range.checkpoint(old)];
          expect(provesConsistency(before, range.checkpoint(), proof)).to.equal(true);
          asked.push(anchor().verifyConsistency(publisher().address, old, before.root, proof));
        }
        expect((await Promise.all(asked)).every((holds) => holds)).to.equal(true);
      }
    });

    it("refuses every proof with one bit changed, a node too few or too many", async () => {
      const { range } = await grow(publishers.world, publisher(), 21);
      for (const old of [1, 4, 7, 8, 13, 20]) {
        const [proof, before] = [range.proveConsistency(old), range.checkpoint(old)];
        const wrong = [proof.slice(1), proof.slice(0, -1), [...proof, before.root], [before.root, ...proof], []];
        for (let k = 0; k < proof.length; k++)
          for (let bit = 0; bit < 256; bit += 5) wrong.push(proof.with(k, flip(proof[k] ?? new Uint8Array(), bit)));
        const there = await Promise.all(
          wrong.map((nodes) => anchor().verifyConsistency(publisher().address, old, before.root, nodes)),
        );
        expect(there.some((holds) => holds)).to.equal(false);
        expect(wrong.some((nodes) => provesConsistency(before, range.checkpoint(), nodes))).to.equal(false);
      }
    });

    it("refuses a log that was rewritten, cut, or never was", async () => {
      const { range } = await grow(publishers.world, publisher(), 12);
      const other = new MountainRange();
      for (let k = 0; k < 12; k++) other.append(entryLeaf(entryOf(k === 2 ? 99 : k), 1_700_000_000n));
      for (const old of [0, 1, 3, 4, 8, 11, 12]) {
        for (const [proof, { root }] of [
          [other.proveConsistency(old), other.checkpoint(old)],
          [range.proveConsistency(old), other.checkpoint(old)],
          [range.proveConsistency(old), range.checkpoint(old === 0 ? 1 : old - 1)],
        ] as const) {
          const holds = old === 0 && root.every((byte) => byte === 0);
          expect(await anchor().verifyConsistency(publisher().address, old, root, proof)).to.equal(holds);
          expect(provesConsistency({ size: old, root }, range.checkpoint(), proof)).to.equal(holds);
        }
      }
      const { root } = range.checkpoint();
      for (const size of [13n, 2n ** 64n - 1n])
        expect(await anchor().verifyConsistency(publisher().address, size, root, [])).to.equal(false);
      expect(provesConsistency({ size: 13, root }, range.checkpoint(), [])).to.equal(false);
      for (const size of [13, -1, 0.5]) expect(() => range.proveConsistency(size)).to.throw(RangeError);
      for (const size of [13, -1]) expect(() => range.checkpoint(size)).to.throw(RangeError);
    });

    it("takes the nodes that RFC 9162 §2.1.4.1 defines", () => {
      const leaves = Array.from({ length: 40 }, (_, k) => entryLeaf(entryOf(k), BigInt(k)));
      const range = new MountainRange();
      leaves.forEach((leaf, k) => {
        range.append(leaf);
        for (let old = 1; old <= k + 1; old++) {
          const defined = subproof(old, leaves.slice(0, k + 1), true).map(toHex);
          expect(range.proveConsistency(old).map(toHex)).to.deep.equal(defined);
        }
      });
      // Of a log that has grown, everything can be proved as of any earlier size.
      for (let size = 1; size <= 40; size++) {
        expect(toHex(range.checkpoint(size).root)).to.equal(toHex(treeHash(leaves.slice(0, size))));
        const defined = subproof(1, leaves.slice(0, size), true).map(toHex);
        expect(range.proveConsistency(1, size).map(toHex)).to.deep.equal(defined);
      }
    });
  });

  /** Anchors readings of the device, in one batch and one by itself, and says where they are. */
  async function anchored() {
    const { world } = publishers;
    const readings = Array.from({ length: 5 }, (_, k): SignedReading => {
      const content = contentOf({ value: BigInt(k), salt: fromHex(secretOf(1, `salt ${k}`)) });
      return signReading(key, world.digests, {
        sequence: BigInt(k),
        time: 1_700_000_000n + BigInt(k),
        schema,
        content,
      });
    });
    const [alone, ...rest] = readings;
    if (!alone) throw new Error("There is no reading.");
    const batch = new Batch(rest, world.digests);
    const range = new MountainRange();
    const times: bigint[] = [];
    for (const [index, entry] of [entryOf(0), world.digests.reading(alone), batch.entry, entryOf(1)].entries()) {
      await world.anchor.connect(publisher()).append(publisher().address, index, entry);
      times.push(BigInt(await world.networkHelpers.time.latest()));
      range.append(entryLeaf(entry, times.at(-1) ?? 0n));
    }
    const { count, first, last } = batch.header;
    const values = toHex(batch.header.values);
    const { path, siblings } = batch.prove(2);
    const [entryTime, inBatch] = [times[1] ?? 0n, times[2] ?? 0n];
    const none = { count: 0n, first: 0n, last: 0n, values: toHex(NO_VALUES), path: 0n, batchSiblings: [] };
    const here = { publisher: publisher().address, index: 1, entryTime, ...none, logSiblings: range.prove(1) };
    const there = {
      publisher: publisher().address,
      index: 2,
      entryTime: inBatch,
      ...{ count, first, last, values, path, batchSiblings: [...siblings] },
      logSiblings: range.prove(2),
    };
    return { alone, here, batched: batch.readings[2] ?? alone, there };
  }

  describe("verifyReading", () => {
    it("proves a reading in a batch, and one that is an entry by itself", async () => {
      const { alone, here, batched, there } = await anchored();
      expect(await anchor().verifyReading(alone, here)).to.equal(true);
      expect(await anchor().verifyReading(batched, there)).to.equal(true);
      expect(await anchor().verifyReading(alone, there)).to.equal(false);
      expect(await anchor().verifyReading(batched, here)).to.equal(false);
    });

    it("refuses every part changed", async () => {
      const { alone, here, batched, there } = await anchored();
      const other = secretOf(1, "other");
      for (const [reading, place] of [
        [alone, here],
        [batched, there],
      ] as const) {
        const changes = {
          device: next.id,
          sequence: reading.sequence + 1n,
          time: reading.time + 1n,
          schema: other,
          content: other,
        };
        for (const change of Object.entries(changes))
          expect(await anchor().verifyReading({ ...reading, ...Object.fromEntries([change]) }, place)).to.equal(false);
        const moves = {
          publisher: key.id,
          index: place.index + 1,
          entryTime: place.entryTime + 1n,
          count: place.count + 1n,
          logSiblings: place.logSiblings.slice(1),
        };
        for (const move of Object.entries(moves))
          expect(await anchor().verifyReading(reading, { ...place, ...Object.fromEntries([move]) })).to.equal(false);
      }
      for (const move of [
        { first: there.first - 1n },
        { last: there.last + 1n },
        { path: there.path ^ 1n },
        { values: other },
      ])
        expect(await anchor().verifyReading(batched, { ...there, ...move })).to.equal(false);
      await expect(anchor().verifyReading(batched, { ...there, path: 2n ** 200n })).to.be.revertedWithCustomError(
        anchor(),
        "MerklePathTooLong",
      );
    });

    it("refuses a reading whose time the batch doesn't cover", async () => {
      const { world } = publishers;
      const content = contentOf({ value: 1n, salt: new Uint8Array(32) });
      const reading = signReading(key, world.digests, { sequence: 0n, time: 1_700_000_000n, schema, content });
      const batch = new Batch([reading], world.digests);
      for (const [first, last, holds] of [
        [1_700_000_000n, 1_700_000_000n, true],
        [1_700_000_001n, 1_700_000_009n, false],
        [1_699_999_999n, 1_699_999_999n, false],
      ] as const) {
        // A gateway may sign any header; what it says of the time must cover what it holds.
        const entry = fromHex(
          world.ethers.keccak256(
            world.ethers.AbiCoder.defaultAbiCoder().encode(
              ["bytes32", "bytes32", "uint64", "uint64", "uint64", "bytes32", "bytes32"],
              [
                world.ethers.id(
                  "Batch(bytes32 root,uint64 count,uint64 first,uint64 last,bytes32 schema,bytes32 values)",
                ),
                batch.header.root,
                1n,
                first,
                last,
                schema,
                NO_VALUES,
              ],
            ),
          ),
        );
        const index = await publishers.sizeOf(publisher().address);
        const range = new MountainRange();
        const { entries } = await import("../../toolkit/anchoring/log-reader.js").then(({ readLog }) =>
          readLog(world.ethers.provider, world.addresses.DataAnchor, publisher().address),
        );
        for (const before of entries) range.append(entryLeaf(before.entry, before.time));
        await world.anchor.connect(publisher()).append(publisher().address, index, entry);
        const entryTime = BigInt(await world.networkHelpers.time.latest());
        range.append(entryLeaf(entry, entryTime));
        const place = {
          publisher: publisher().address,
          index,
          entryTime,
          count: 1n,
          first,
          last,
          values: NO_VALUES,
          path: 0n,
        };
        const siblings = { batchSiblings: [], logSiblings: range.prove(Number(index)) };
        expect(await anchor().verifyReading(reading, { ...place, ...siblings })).to.equal(holds);
      }
    });
  });

  describe("verifySignedReading", () => {
    it("holds for the present key of an active device", async () => {
      const { alone, here, batched, there } = await anchored();
      const signer = publishers.signer(key);
      expect(await anchor().verifySignedReading(alone, here, signer, alone.signature)).to.equal(true);
      expect(await anchor().verifySignedReading(batched, there, signer, batched.signature)).to.equal(true);
    });

    it("fails for another signature, a replaced key, and a device that isn't active", async () => {
      const { alone, here, batched } = await anchored();
      const ask = (signature = alone.signature, signer = publishers.signer(key)) =>
        anchor().verifySignedReading(alone, here, signer, signature);
      expect(await ask(batched.signature)).to.equal(false);
      expect(await ask(alone.signature, publishers.signer(next))).to.equal(false);
      expect(
        await anchor().verifySignedReading(alone, { ...here, index: 0 }, publishers.signer(key), alone.signature),
      ).to.equal(false);
      await publishers.world.registry.suspend(key.id);
      expect(await ask()).to.equal(false);
      await publishers.world.registry.resume(key.id);
      expect(await ask()).to.equal(true);
      await publishers.rotate(key.id, key, next);
      expect(await ask()).to.equal(false);
    });
  });
});
