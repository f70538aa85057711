import { generateKeyPairSync } from "node:crypto";
import { expect } from "chai";
import { Interface, Wallet } from "ethers";
import { contractKey, rsaKey, signerOf } from "../../toolkit/identity/keys.js";
import { type LotId, LotTree, lotIdOf, lotLeaf } from "../../toolkit/identity/lots.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { MerkleTree } from "../../toolkit/internal/merkle.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { type Deployed, deployed } from "../support.js";
import { type BatchCall, type BatchKey, batchOf, owedBy, sendBatch } from "./batches.js";
import { activationOf, BOND, type EnrolledLot, enrolLot, FAR, highS, keyOf, makeIssuer, send } from "./fleet.js";
import { dice, pictureOf } from "./lives.js";

const keys = Array.from({ length: 60 }, (_, k) => keyOf(`batch-${k}`, k % 3 === 2 ? "p256" : "secp256k1"));
const few = keys.slice(0, 5);
const [first = keyOf("batch-0"), second = keyOf("batch-1"), third = keyOf("batch-2")] = keys;
const library = { interface: new Interface(["error MerkleBadMultiproof(uint256 leaves, uint256 siblings)"]) };

describe("DeviceRegistry.activateBatch", () => {
  let world: Deployed;
  let lot: EnrolledLot;
  let restore: () => Promise<void>;
  const maker = () => world.accounts[0] ?? world.operator;
  const owner = () => (world.accounts[1] ?? world.operator).address;
  const other = () => (world.accounts[2] ?? world.operator).address;
  const batch = (chosen: readonly BatchKey[] = few, of = lot) => batchOf(world, of, chosen, owner());

  before(async () => {
    world = await deployed();
    await makeIssuer(world, maker());
    lot = await enrolLot(world, maker(), keys);
  });

  beforeEach(async () => {
    const snapshot = await world.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  /** These devices and no others of the lot are active, each with its bond; all ITC is accounted for. */
  async function expectActive(chosen: readonly BatchKey[], all: readonly BatchKey[] = keys, of = lot): Promise<void> {
    const active = await Promise.all(all.map(({ id }) => world.registry.isActive(id)));
    expect(all.filter((_, k) => active[k]).map(({ id }) => id)).to.deep.equal(
      all.filter((key) => chosen.includes(key)).map(({ id }) => id),
    );
    for (const { id } of chosen) expect((await world.registry.standingOf(id)).bond).to.equal(BOND);
    expect((await world.registry.lotOf(of.id)).activated).to.equal(BigInt(chosen.length));
    const lots = [...new Set([lot.id, of.id])];
    const devices = all.map(({ id }) => id);
    expect(await world.itc.balanceOf(world.addresses.DeviceRegistry)).to.equal(await owedBy(world, lots, devices));
  }

  /** Refused with this error, and no device is active. */
  async function refused(call: BatchCall, error: string, ...args: unknown[]): Promise<void> {
    await expect(sendBatch(world, call))
      .to.be.revertedWithCustomError(error.startsWith("Merkle") ? library : world.registry, error)
      .withArgs(...args);
    await expectActive([]);
  }

  describe("when everything is right", () => {
    it("brings 1, 2 and 50 devices to life: the first of a lot, some of it, and all", async () => {
      const scattered = keys.filter((_, k) => k % 6 !== 1);
      for (const chosen of [[first], [third], [first, second], [third, ...keys.slice(59)], scattered, keys]) {
        const snapshot = await world.networkHelpers.takeSnapshot();
        await sendBatch(world, batch(chosen));
        await expectActive(chosen);
        for (const { id } of chosen) expect(await world.registry.ownerOf(id)).to.equal(owner());
        await snapshot.restore();
      }
      expect(scattered.length).to.equal(50);
    });

    it("brings a random part of every lot of 1 to 40 devices to life", async () => {
      const roll = dice(40);
      for (let size = 1; size <= 40; size++) {
        const snapshot = await world.networkHelpers.takeSnapshot();
        const listed = keys.slice(0, size);
        const made = await enrolLot(world, maker(), listed);
        const part = listed.filter(() => roll(3) === 0);
        const chosen = part.length === 0 ? listed.slice(-1) : part;
        await sendBatch(world, batch(chosen, made));
        await expectActive(chosen, listed, made);
        await snapshot.restore();
      }
    });

    it("takes devices with keys of every kind", async () => {
      const wallet = new Wallet(secretOf(1, "device's wallet"));
      const contract = await world.ethers.deployContract("MoodyWallet", [wallet.address]);
      const sign = (digest: Uint8Array) => fromHex(wallet.signingKey.sign(digest).serialized);
      const account: BatchKey = { ...contractKey(await contract.getAddress()), sign };
      const rsa = rsaKey(generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey);
      const mixed: readonly BatchKey[] = [account, first, rsa, third];
      const tree = new LotTree(mixed);
      await world.registry.connect(maker()).enrolLot(tree.root, 4, 2, BOND);
      const made = { id: tree.idFor(maker().address), tree };
      await sendBatch(world, batch(mixed, made));
      await expectActive(mixed, mixed, made);
      const kinds = await Promise.all(mixed.map(async ({ id }) => (await world.registry.deviceOf(id)).kind));
      expect(kinds).to.deep.equal([3n, 0n, 2n, 1n]);
    });

    it("says the same of a device as activate does", async () => {
      const { provider } = world.ethers;
      const seen = async (act: () => Promise<{ hash: string }>) => {
        const snapshot = await world.networkHelpers.takeSnapshot();
        await world.networkHelpers.time.setNextBlockTimestamp(FAR - 1n);
        const receipt = await provider.getTransactionReceipt((await act()).hash);
        const logs = receipt?.logs.map(({ topics, data }) => [topics, data]);
        const picture = await pictureOf(world, third.id);
        await snapshot.restore();
        return { logs, picture };
      };
      const alone = await seen(() => send(world, activationOf(world, lot, third, owner())));
      expect(alone.logs).to.have.lengthOf(4);
      expect(await seen(() => sendBatch(world, batch([third])))).to.deep.equal(alone);
    });
  });

  describe("when devices are known", () => {
    it("passes over one that someone activated first", async () => {
      // With another word of the device, for another owner.
      await send(world, activationOf(world, lot, second, other()));
      await sendBatch(world, batch());
      await expectActive(few);
      const owners = await Promise.all(few.map(({ id }) => world.registry.ownerOf(id)));
      expect(owners).to.deep.equal(few.map((key) => (key === second ? other() : owner())));
    });

    it("passes over those that have ended, and doesn't bring them back", async () => {
      await sendBatch(world, batch([first, second]));
      await world.registry.connect(world.accounts[1]).retire(first.id);
      await world.registry.connect(maker()).revokeDevice(lot.id, second.id);
      const before = [await pictureOf(world, first.id), await pictureOf(world, second.id)];
      await sendBatch(world, batch());
      expect([await pictureOf(world, first.id), await pictureOf(world, second.id)]).to.deep.equal(before);
      expect(await world.registry.isActive(third.id)).to.equal(true);
      expect((await world.registry.lotOf(lot.id)).activated).to.equal(5n);
    });

    it("changes nothing if all are", async () => {
      await sendBatch(world, batch());
      const receipt = await (await sendBatch(world, batchOf(world, lot, few, other()))).wait();
      expect(receipt?.logs).to.deep.equal([]);
      await expectActive(few);
      expect(await world.registry.ownerOf(first.id)).to.equal(owner());
    });

    it("passes over a device that the maker's tree lists twice", async () => {
      const tree = new MerkleTree([first, second, first].map(lotLeaf));
      await world.registry.connect(maker()).enrolLot(tree.root, 3, 2, BOND);
      const id = lotIdOf(maker().address, tree.root);
      const digest = world.digests.activation({ device: first.id, lot: id, owner: owner(), deadline: FAR });
      const twice = <T>(one: T) => [one, one];
      await sendBatch(world, {
        lot: id,
        deadline: FAR,
        signers: twice(toHex(signerOf(first, world.addresses))),
        owners: twice(owner()),
        signatures: twice(toHex(first.sign(digest))),
        places: [0n, 2n],
        leaves: 3n,
        proof: tree.proveMany([0, 2]).map(toHex),
      });
      expect((await world.registry.lotOf(id)).activated).to.equal(1n);
      expect(await world.registry.balanceOf(owner())).to.equal(1n);
    });
  });

  describe("when the proof is wrong", () => {
    const bad = (call: BatchCall) => refused(call, "MerkleBadMultiproof", call.leaves, call.proof.length);

    it("refuses places that don't ascend, or lie outside the tree", async () => {
      const right = batch();
      const swap = <T>([a, b, ...rest]: readonly T[]): T[] => [b, a, ...rest].filter((one) => one !== undefined);
      await bad({ ...right, places: swap(right.places) });
      await bad({
        ...right,
        signers: swap(right.signers),
        signatures: swap(right.signatures),
        places: swap(right.places),
      });
      await bad({ ...right, places: [0n, 0n, 2n, 3n, 4n] });
      await bad({ ...right, places: [0n, 1n, 2n, 3n, 60n] });
      await bad({ ...right, places: [0n, 1n, 2n, 3n, 2n ** 256n - 1n] });
      await bad({ ...right, places: right.places.slice(1) });
      await bad({ ...right, places: [...right.places, 5n] });
      // The same device twice, at one place.
      const [signer = ""] = right.signers;
      const [signature = ""] = right.signatures;
      const twice = { signers: [signer, signer], signatures: [signature, signature], owners: [owner(), owner()] };
      await bad({ ...batch([first]), ...twice, places: [0n, 0n] });
    });

    it("refuses a node too few, too many, or another one", async () => {
      const right = batch([first, third, ...keys.slice(40, 43)]);
      const { proof } = right;
      await bad({ ...right, proof: proof.slice(1) });
      await bad({ ...right, proof: proof.slice(0, -1) });
      await bad({ ...right, proof: [...proof, lot.tree.root] });
      for (const k of proof.keys()) {
        const changed = proof.map((node, at) => (at === k ? lot.tree.root : node));
        await refused({ ...right, proof: changed }, "DeviceRegistryInvalidProof", first.id, lot.id);
      }
    });

    it("refuses another number of leaves", async () => {
      const right = batch([first, ...keys.slice(59)]);
      for (const leaves of [0n, 1n, 59n]) await bad({ ...right, leaves });
      for (const leaves of [65n, 120n, 2n ** 255n, 2n ** 256n - 1n]) await bad({ ...right, leaves });
    });

    it("refuses devices of another lot, naming the first", async () => {
      const tree = new LotTree([...few, keyOf("beside")]);
      const made = { id: tree.idFor(maker().address), tree };
      await refused({ ...batch(few, made), lot: lot.id }, "DeviceRegistryInvalidProof", first.id, lot.id);
      const stranger = keyOf("stranger");
      const { signers } = batch();
      const exchanged = [...signers.slice(0, 4), toHex(signerOf(stranger, world.addresses))];
      await refused({ ...batch(), signers: exchanged }, "DeviceRegistryInvalidProof", first.id, lot.id);
    });
  });

  describe("when the call is malformed", () => {
    it("refuses lists of different lengths, and empty ones", async () => {
      const right = batch();
      await refused({ ...right, signers: right.signers.slice(1) }, "DeviceRegistryLengthMismatch");
      await refused({ ...right, owners: right.owners.slice(1) }, "DeviceRegistryLengthMismatch");
      await refused({ ...right, signatures: [...right.signatures, "0x"] }, "DeviceRegistryLengthMismatch");
      const empty = { signers: [], owners: [], signatures: [], places: [], proof: [lot.tree.root] };
      await refused({ ...right, ...empty }, "DeviceRegistryLengthMismatch");
    });

    it("refuses one after its last second", async () => {
      const past = BigInt(await world.networkHelpers.time.latest()) + 50n;
      await world.networkHelpers.time.setNextBlockTimestamp(past + 1n);
      await refused({ ...batch(), deadline: past }, "DeviceRegistryExpired", past);
    });

    it("refuses a signer of no kind", async () => {
      const { signers } = batch();
      const cut = signers.map((signer, k) => (k === 3 ? signer.slice(0, -2) : signer));
      await refused({ ...batch(), signers: cut }, "DeviceKeysUnknownKind", cut[3]);
    });
  });

  describe("when one device can't be activated", () => {
    it("refuses all for one bad signature, naming its device", async () => {
      const { signatures, owners } = batch();
      for (const [k, key] of few.entries()) {
        const wrong = (signature: string) => signatures.map((one, at) => (at === k ? signature : one));
        const last = signatures[k] ?? "";
        const kind = key.kind === "p256" ? "p256" : "secp256k1";
        for (const bad of ["0x", signatures[(k + 1) % 5] ?? "", last.slice(0, -2), highS(last, kind)]) {
          await refused({ ...batch(), signatures: wrong(bad) }, "DeviceRegistryInvalidSignature", key.id);
        }
        const elsewhere = owners.map((one, at) => (at === k ? other() : one));
        await refused({ ...batch(), owners: elsewhere }, "DeviceRegistryInvalidSignature", key.id);
      }
    });

    it("refuses all for one that its issuer has revoked", async () => {
      await world.registry.connect(maker()).revokeDevice(lot.id, third.id);
      await refused(batch(), "DeviceRegistryDeviceRevoked", third.id, lot.id);
      await sendBatch(world, batch(few.filter((key) => key !== third)));
      await expectActive(few.filter((key) => key !== third));
    });

    it("refuses all beyond the lot's size", async () => {
      const made = await enrolLot(world, maker(), few, 3);
      await expect(sendBatch(world, batch(few, made)))
        .to.be.revertedWithCustomError(world.registry, "DeviceRegistryLotFull")
        .withArgs(made.id, 3);
      await expectActive([], few, made);
      await sendBatch(world, batch(few.slice(1, 4), made));
      await expectActive(few.slice(1, 4), few, made);
    });

    it("refuses all of an unknown lot, a revoked one, and of a revoked issuer", async () => {
      const unknown = `0x${"01".repeat(32)}` as LotId;
      await refused({ ...batch(), lot: unknown }, "LotBookLotUnknown", unknown);
      const snapshot = await world.networkHelpers.takeSnapshot();
      await world.registry.connect(maker()).revokeLot(lot.id);
      await refused(batch(), "LotBookLotRevoked", lot.id);
      await snapshot.restore();
      await world.registry.revokeIssuer(maker().address);
      await refused(batch(), "LotBookIssuerNotRegistered", maker().address);
    });

    it("refuses all for an owner that takes no tokens", async () => {
      const deaf = world.addresses.ITC;
      const call = batchOf(world, lot, few, (key) => (key === third ? deaf : owner()));
      await refused(call, "ERC721InvalidReceiver", deaf);
      const nobody = batchOf(world, lot, few, (key) => (key === third ? `0x${"00".repeat(20)}` : owner()));
      await refused(nobody, "ERC721InvalidReceiver", `0x${"00".repeat(20)}`);
    });
  });
});
