import { expect } from "chai";
import { TypedDataEncoder, ZeroAddress } from "ethers";
import { signerOf } from "../../toolkit/identity/keys.js";
import { LotTree } from "../../toolkit/identity/lots.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { type Deployed, deployed } from "../support.js";
import { activationOf, BOND, type EnrolledLot, enrolLot, FAR, keyOf, makeIssuer, send } from "./fleet.js";

const keys = Array.from({ length: 7 }, (_, k) => keyOf(`lot-${k}`));
const [first = keyOf("lot-0"), second = keyOf("lot-1")] = keys;

describe("DeviceRegistry's lots and issuers", () => {
  let world: Deployed;
  let lot: EnrolledLot;
  let restore: () => Promise<void>;
  const signer = (k: number) => world.accounts[k] ?? world.operator;
  const maker = () => signer(0);
  const rival = () => signer(1);
  const owner = () => signer(2);
  const stranger = () => signer(3);

  before(async () => {
    world = await deployed();
    await makeIssuer(world, maker());
    await makeIssuer(world, rival());
    lot = await enrolLot(world, maker(), keys);
  });

  beforeEach(async () => {
    const snapshot = await world.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  describe("registerIssuer, revokeIssuer, setMinimumBond", () => {
    it("are for their roles alone", async () => {
      const { registry } = world;
      const outside = registry.connect(stranger());
      for (const call of [
        () => outside.registerIssuer(stranger().address, "Me"),
        () => outside.revokeIssuer(maker().address),
        () => outside.setMinimumBond(0),
      ]) {
        await expect(call())
          .to.be.revertedWithCustomError(registry, "AccessManagedUnauthorized")
          .withArgs(stranger().address);
      }
      expect(await registry.isIssuer(maker().address)).to.equal(true);
      await expect(registry.setMinimumBond(7)).to.emit(registry, "MinimumBondSet").withArgs(7);
      expect(await registry.minimumBond()).to.equal(7n);
    });

    it("an issuer is registered once and never comes back", async () => {
      const { registry } = world;
      const known = () =>
        expect(registry.registerIssuer(maker().address, "Again"))
          .to.be.revertedWithCustomError(registry, "LotBookIssuerKnown")
          .withArgs(maker().address);
      await known();
      await expect(registry.revokeIssuer(maker().address)).to.emit(registry, "IssuerRevoked").withArgs(maker().address);
      await known();
      await expect(registry.revokeIssuer(maker().address))
        .to.be.revertedWithCustomError(registry, "LotBookIssuerNotRegistered")
        .withArgs(maker().address);
      expect(await registry.isIssuer(maker().address)).to.equal(false);
    });
  });

  describe("enrolLot", () => {
    const root = `0x${"ab".repeat(32)}`;

    it("takes the whole bond in one transaction and stores the lot", async () => {
      const { registry, itc, addresses } = world;
      const id = await registry.lotIdOf(maker().address, root);
      const call = registry.connect(maker()).enrolLot(root, 1_000_000 - 7, 3, BOND / 2n + BOND / 2n);
      await expect(call)
        .to.emit(registry, "LotEnrolled")
        .withArgs(id, maker().address, root, 1_000_000 - 7, 3, BOND);
      expect(await itc.balanceOf(addresses.DeviceRegistry)).to.equal(1_000_000n * BOND);
      expect(await registry.lotOf(id)).to.deep.equal([maker().address, 999_993n, 0n, BOND, 3n, false]);
    });

    it("refuses whoever is no issuer", async () => {
      await expect(world.registry.connect(stranger()).enrolLot(root, 1, 0, BOND))
        .to.be.revertedWithCustomError(world.registry, "LotBookIssuerNotRegistered")
        .withArgs(stranger().address);
      await world.registry.revokeIssuer(maker().address);
      await expect(world.registry.connect(maker()).enrolLot(root, 1, 0, BOND)).to.be.revertedWithCustomError(
        world.registry,
        "LotBookIssuerNotRegistered",
      );
    });

    it("refuses a lot without its bond: allowance, balance, below the minimum, beyond all ITC", async () => {
      const { registry, itc, addresses } = world;
      const enrol = (bond: bigint, size = 10n) => registry.connect(maker()).enrolLot(root, size, 0, bond);
      await expect(enrol(BOND - 1n))
        .to.be.revertedWithCustomError(registry, "LotBookBondTooLow")
        .withArgs(BOND - 1n, BOND);
      await expect(enrol(BOND, 2_000_000n)).to.be.revertedWithCustomError(itc, "ERC20InsufficientBalance");
      await expect(enrol(2n ** 88n)).to.be.revertedWithCustomError(registry, "SafeCastOverflowedUintDowncast");
      await expect(enrol(2n ** 88n - 1n, 2n ** 40n - 1n)).to.be.revertedWithCustomError(
        itc,
        "ERC20InsufficientBalance",
      );
      await itc.connect(maker()).approve(addresses.DeviceRegistry, 10n * BOND - 1n);
      await expect(enrol(BOND)).to.be.revertedWithCustomError(itc, "ERC20InsufficientAllowance");
      expect((await registry.lotOf(await registry.lotIdOf(maker().address, root))).size).to.equal(0n);
    });

    it("refuses a size of 0 and one beyond 40 bits", async () => {
      for (const size of [0n, 2n ** 40n, 2n ** 64n - 1n]) {
        await expect(world.registry.connect(maker()).enrolLot(root, size, 0, BOND))
          .to.be.revertedWithCustomError(world.registry, "LotBookLotSize")
          .withArgs(size);
      }
    });

    it("refuses the same lot twice", async () => {
      const again = () => world.registry.connect(maker()).enrolLot(lot.tree.root, 1, 0, BOND);
      await expect(again()).to.be.revertedWithCustomError(world.registry, "LotBookLotKnown").withArgs(lot.id);
      await world.registry.connect(maker()).revokeLot(lot.id);
      await expect(again()).to.be.revertedWithCustomError(world.registry, "LotBookLotKnown");
    });

    it("keeps lots of two makers with one root apart", async () => {
      const copy = await enrolLot(world, rival(), keys);
      expect(copy.id).not.to.equal(lot.id);
      expect(copy.id).to.equal(await world.registry.lotIdOf(rival().address, lot.tree.root));
    });
  });

  describe("revokeLot", () => {
    it("returns the bond of devices that never were active, to the unit", async () => {
      await send(world, activationOf(world, lot, first, owner().address));
      await send(world, activationOf(world, lot, second, owner().address));
      const call = world.registry.connect(maker()).revokeLot(lot.id);
      await expect(call)
        .to.emit(world.registry, "LotRevoked")
        .withArgs(lot.id, 5n * BOND);
      expect(await world.itc.balanceOf(world.addresses.DeviceRegistry)).to.equal(2n * BOND);
      expect(await world.registry.isActive(first.id)).to.equal(true);
    });

    it("is for its issuer, once", async () => {
      const { registry } = world;
      await expect(registry.connect(rival()).revokeLot(lot.id))
        .to.be.revertedWithCustomError(registry, "LotBookNotIssuer")
        .withArgs(lot.id, rival().address);
      await expect(registry.connect(maker()).revokeLot(`0x${"01".repeat(32)}`)).to.be.revertedWithCustomError(
        registry,
        "LotBookLotUnknown",
      );
      await registry.connect(maker()).revokeLot(lot.id);
      await expect(registry.connect(maker()).revokeLot(lot.id))
        .to.be.revertedWithCustomError(registry, "LotBookLotRevoked")
        .withArgs(lot.id);
      expect(await world.itc.balanceOf(world.addresses.DeviceRegistry)).to.equal(0n);
    });
  });

  describe("revokeDevice", () => {
    it("ends an active device: signatures, DID, not the token", async () => {
      const { registry } = world;
      await send(world, activationOf(world, lot, first, owner().address));
      const born = await registry.changed(first.id);
      await expect(registry.connect(maker()).revokeDevice(lot.id, first.id))
        .to.emit(registry, "DeviceRevoked")
        .withArgs(lot.id, first.id)
        .and.to.emit(registry, "DIDOwnerChanged")
        .withArgs(first.id, ZeroAddress, born);
      const { state, stateSince } = await registry.deviceOf(first.id);
      expect([state, stateSince]).to.deep.equal([4n, BigInt(await world.networkHelpers.time.latest())]);
      expect(await registry.identityOwner(first.id)).to.equal(ZeroAddress);
      expect(await registry.ownerOf(first.id)).to.equal(owner().address);
      const digest = new Uint8Array(32).fill(7);
      const said = [first.id, digest, first.id, toHex(first.sign(digest))] as const;
      expect(await registry.isSignedByDevice(...said)).to.equal(false);
      // Its bond is still there: revoking doesn't outrun a slashing.
      expect(await world.itc.balanceOf(world.addresses.DeviceRegistry)).to.equal(7n * BOND);
    });

    it("leaves a device alone that is active from another maker's lot", async () => {
      const copy = await enrolLot(world, rival(), keys);
      await send(world, activationOf(world, lot, first, owner().address));
      await world.registry.connect(rival()).revokeDevice(copy.id, first.id);
      await world.registry.connect(rival()).revokeDevice(copy.id, second.id);
      expect(await world.registry.isActive(first.id)).to.equal(true);
      await send(world, activationOf(world, lot, second, owner().address));
      expect(await world.registry.isActive(second.id)).to.equal(true);
    });

    it("is for its issuer, once, for a lot that exists", async () => {
      const { registry } = world;
      await expect(registry.connect(rival()).revokeDevice(lot.id, first.id)).to.be.revertedWithCustomError(
        registry,
        "LotBookNotIssuer",
      );
      await expect(
        registry.connect(maker()).revokeDevice(`0x${"01".repeat(32)}`, first.id),
      ).to.be.revertedWithCustomError(registry, "LotBookLotUnknown");
      await registry.connect(maker()).revokeDevice(lot.id, first.id);
      await expect(registry.connect(maker()).revokeDevice(lot.id, first.id)).to.be.revertedWithCustomError(
        registry,
        "DeviceRegistryDeviceRevoked",
      );
    });
  });

  describe("transfers", () => {
    it("move the DID's controller and chain their events", async () => {
      const { registry } = world;
      expect(await registry.identityOwner(first.id)).to.equal(first.id);
      expect(await registry.changed(first.id)).to.equal(0n);
      await send(world, activationOf(world, lot, first, owner().address));
      const born = await registry.changed(first.id);
      await world.networkHelpers.mine(3);
      await expect(registry.connect(owner()).transferFrom(owner().address, stranger().address, first.id))
        .to.emit(registry, "DIDOwnerChanged")
        .withArgs(first.id, stranger().address, born);
      const block = await world.ethers.provider.getBlockNumber();
      expect(await registry.changed(first.id)).to.equal(BigInt(block));
      expect(await registry.identityOwner(first.id)).to.equal(stranger().address);
      const { activatedAt, ownedSince } = await registry.deviceOf(first.id);
      expect(ownedSince > activatedAt).to.equal(true);
      expect(await registry.nonce(first.id)).to.equal(0n);
      expect(await registry.validDelegate(first.id, `0x${"00".repeat(32)}`, stranger().address)).to.equal(false);
      // Every event that a did:ethr resolver would read of the device lies in a block that the chain of changes names.
      const topic = `0x${first.id.slice(2).toLowerCase().padStart(64, "0")}`;
      const logs = await world.ethers.provider.getLogs({
        address: world.addresses.DeviceRegistry,
        fromBlock: 0,
        topics: [null, topic],
      });
      expect(logs.map(({ blockNumber }) => BigInt(blockNumber))).to.deep.equal([born, born, BigInt(block)]);
    });

    it("don't bring a revoked device's DID back", async () => {
      const { registry } = world;
      await send(world, activationOf(world, lot, first, owner().address));
      await registry.connect(maker()).revokeDevice(lot.id, first.id);
      await expect(registry.connect(owner()).transferFrom(owner().address, stranger().address, first.id)).not.to.emit(
        registry,
        "DIDOwnerChanged",
      );
      expect(await registry.identityOwner(first.id)).to.equal(ZeroAddress);
    });
  });

  describe("isSignedByDevice", () => {
    it("is true for the key of an active device and false for all else", async () => {
      const { registry, addresses } = world;
      const p256 = keyOf("mine", "p256");
      const mixed = await enrolLot(world, maker(), [p256, keyOf("other")]);
      const digest = new Uint8Array(32).fill(9);
      const check = (key: typeof first, by = key, over = digest) =>
        registry.isSignedByDevice(key.id, over, signerOf(by, addresses), key.sign(digest));
      expect(await check(first)).to.equal(false);
      await send(world, activationOf(world, lot, first, owner().address));
      await send(world, activationOf(world, mixed, p256, owner().address));
      expect([await check(first), await check(p256)]).to.deep.equal([true, true]);
      expect(await check(first, second)).to.equal(false);
      expect(await check(p256, first)).to.equal(false);
      expect(await check(first, first, new Uint8Array(32))).to.equal(false);
      // The 20 bytes of a P-256 device as if they were an account.
      expect(await registry.isSignedByDevice(p256.id, digest, p256.id, first.sign(digest))).to.equal(false);
      expect(await registry.isSignedByDevice(first.id, digest, "0x", first.sign(digest))).to.equal(false);
      expect(await registry.p256Verifier()).to.equal(addresses.P256Verifier);
    });
  });

  describe("digests", () => {
    it("are what the toolkit and ethers make of the same words", async () => {
      const { registry, digests, chainId, addresses } = world;
      const domain = { name: "DeviceRegistry", version: "1", chainId, verifyingContract: addresses.DeviceRegistry };
      const schema = new Uint8Array(32).fill(1);
      const content = new Uint8Array(32).fill(2);
      const reading = { device: first.id, sequence: 2n ** 64n - 1n, time: 1_700_000_000n, schema, content };
      const types = {
        Reading: [
          { name: "device", type: "address" },
          { name: "sequence", type: "uint64" },
          { name: "time", type: "uint64" },
          { name: "schema", type: "bytes32" },
          { name: "content", type: "bytes32" },
        ],
      };
      const said = await registry.readingDigest(first.id, reading.sequence, reading.time, schema, content);
      expect(toHex(digests.reading(reading))).to.equal(said);
      expect(TypedDataEncoder.hash(domain, types, reading)).to.equal(said);
      const activation = {
        device: first.id,
        lot: new LotTree(keys).idFor(maker().address),
        owner: owner().address,
        deadline: FAR,
      };
      expect(toHex(digests.activation(activation))).to.equal(
        await registry.activationDigest(first.id, activation.lot, activation.owner, FAR),
      );
    });
  });
});
