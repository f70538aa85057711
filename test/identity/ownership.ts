import { expect } from "chai";
import { encodeBytes32String, ZeroAddress } from "ethers";
import { signerOf } from "../../toolkit/identity/keys.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { type Deployed, deployed } from "../support.js";
import { behavesLikeErc721 } from "./erc721.js";
import { activationOf, type EnrolledLot, enrolLot, FAR, keyOf, makeIssuer, send } from "./fleet.js";
import { pictureOf } from "./lives.js";

const first = keyOf("token-0");
const second = keyOf("token-1", "p256");
const never = keyOf("token-2");
const VERIFIER = encodeBytes32String("veriKey");
const SERVICE = encodeBytes32String("did/svc/Hub");

describe("DeviceRegistry's tokens", () => {
  let world: Deployed;
  let lot: EnrolledLot;
  let restore: () => Promise<void>;
  const account = (k: number) => world.accounts[k] ?? world.operator;
  const owner = () => account(0);
  const approved = () => account(1);
  const operator = () => account(2);
  const buyer = () => account(3);
  const stranger = () => account(4);
  const maker = () => account(5);
  const mine = () => world.registry.connect(owner());
  const issuer = () => world.registry.connect(maker());
  const now = async () => BigInt(await world.networkHelpers.time.latest());

  before(async () => {
    world = await deployed();
    await makeIssuer(world, maker());
    lot = await enrolLot(world, maker(), [first, second, never]);
    for (const key of [first, second]) await send(world, activationOf(world, lot, key, owner().address));
  });

  beforeEach(async () => {
    const snapshot = await world.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  describe("behave like an ERC-721", () => {
    behavesLikeErc721(() => ({
      world,
      token: BigInt(first.id),
      second: BigInt(second.id),
      unknown: BigInt(never.id),
    }));
  });

  describe("tokenURI", () => {
    async function told(device = first.id): Promise<unknown> {
      const uri = await world.registry.tokenURI(device);
      const [, text = ""] = /^data:application\/json;base64,(.+)$/.exec(uri) ?? [];
      return JSON.parse(Buffer.from(text, "base64").toString("utf8"));
    }

    const expected = (state: string, { id, kind } = first, assurance = 2) => ({
      name: `Device ${id.toLowerCase()}`,
      description: `did:ethr:0x${world.chainId.toString(16)}:${id.toLowerCase()}`,
      attributes: [
        { trait_type: "state", value: state },
        { trait_type: "issuer", value: maker().address.toLowerCase() },
        { trait_type: "lot", value: lot.id },
        { trait_type: "key kind", value: kind === "p256" ? 1 : 0 },
        { trait_type: "assurance", value: assurance },
      ],
    });

    it("tells what the registry knows, in every state", async () => {
      expect(await told()).to.deep.equal(expected("active"));
      expect(await told(second.id)).to.deep.equal(expected("active", second));
      await mine().suspend(first.id);
      expect(await told()).to.deep.equal(expected("suspended"));
      await issuer().stateAssurance(second.id, 1);
      expect(await told(second.id)).to.deep.equal(expected("active", second, 1));
      await issuer().lowerAssurance(lot.id, 0);
      expect(await told(second.id)).to.deep.equal(expected("active", second, 0));
      await mine().retire(first.id);
      expect(await told()).to.deep.equal(expected("retired", first, 0));
      await issuer().revokeDevice(lot.id, second.id);
      expect(await told(second.id)).to.deep.equal(expected("revoked", second, 0));
    });

    it("is refused for a device that never was active", async () => {
      await expect(world.registry.tokenURI(never.id))
        .to.be.revertedWithCustomError(world.registry, "ERC721NonexistentToken")
        .withArgs(BigInt(never.id));
    });
  });

  describe("ERC-4907", () => {
    it("setUser is for the owner and whom it has approved", async () => {
      await mine().approve(approved().address, first.id);
      await mine().setApprovalForAll(operator().address, true);
      for (const [k, by] of [owner(), approved(), operator()].entries()) {
        const expires = FAR + BigInt(k);
        await expect(world.registry.connect(by).setUser(first.id, buyer().address, expires))
          .to.emit(world.registry, "UpdateUser")
          .withArgs(BigInt(first.id), buyer().address, expires);
        expect(await world.registry.userOf(first.id)).to.equal(buyer().address);
        expect(await world.registry.userExpires(first.id)).to.equal(expires);
      }
      for (const by of [stranger(), buyer(), maker(), world.operator]) {
        await expect(world.registry.connect(by).setUser(first.id, by.address, FAR))
          .to.be.revertedWithCustomError(world.registry, "ERC721InsufficientApproval")
          .withArgs(by.address, BigInt(first.id));
      }
      expect(await world.registry.userOf(first.id)).to.equal(buyer().address);
      await expect(mine().setUser(never.id, buyer().address, FAR))
        .to.be.revertedWithCustomError(world.registry, "ERC721NonexistentToken")
        .withArgs(BigInt(never.id));
      expect(await world.registry.userOf(never.id)).to.equal(ZeroAddress);
    });

    it("userOf ends after the last second, and while the device isn't active", async () => {
      const expires = (await now()) + 100n;
      await mine().setUser(first.id, buyer().address, expires);
      const userAt = async (time: bigint) => {
        await world.networkHelpers.time.increaseTo(time);
        return world.registry.userOf(first.id);
      };
      await mine().suspend(first.id);
      expect(await world.registry.userOf(first.id)).to.equal(ZeroAddress);
      await mine().resume(first.id);
      expect(await world.registry.userOf(first.id)).to.equal(buyer().address);
      expect(await userAt(expires)).to.equal(buyer().address);
      expect(await userAt(expires + 1n)).to.equal(ZeroAddress);
      // ERC-4907: the time stays readable.
      expect(await world.registry.userExpires(first.id)).to.equal(expires);
      await mine().setUser(first.id, buyer().address, 2n ** 64n - 1n);
      expect(await world.registry.userOf(first.id)).to.equal(buyer().address);
      await mine().setUser(first.id, ZeroAddress, 0);
      expect(await world.registry.userOf(first.id)).to.equal(ZeroAddress);
    });

    it("a transfer ends it with an event, and says nothing where there was nobody", async () => {
      await mine().setUser(first.id, stranger().address, FAR);
      await expect(mine().transferFrom(owner().address, buyer().address, first.id))
        .to.emit(world.registry, "UpdateUser")
        .withArgs(BigInt(first.id), ZeroAddress, 0);
      expect(await world.registry.userOf(first.id)).to.equal(ZeroAddress);
      expect(await world.registry.userExpires(first.id)).to.equal(0n);
      await expect(mine().transferFrom(owner().address, buyer().address, second.id)).not.to.emit(
        world.registry,
        "UpdateUser",
      );
    });

    it("nobody uses a device that has retired or was revoked", async () => {
      for (const key of [first, second]) await mine().setUser(key.id, buyer().address, FAR);
      await mine().retire(first.id);
      await issuer().revokeDevice(lot.id, second.id);
      for (const key of [first, second]) {
        expect(await world.registry.userOf(key.id)).to.equal(ZeroAddress);
        await mine().setUser(key.id, buyer().address, FAR);
        expect(await world.registry.userOf(key.id)).to.equal(ZeroAddress);
      }
    });
  });

  describe("changeOwner", () => {
    it("is a safe transfer, for the owner alone", async () => {
      await mine().approve(approved().address, first.id);
      for (const by of [approved(), stranger(), maker(), world.operator]) {
        await expect(world.registry.connect(by).changeOwner(first.id, by.address))
          .to.be.revertedWithCustomError(world.registry, "DeviceRegistryNotAllowed")
          .withArgs(first.id, by.address);
      }
      // Nor does an address that is no device change hands, which in the reference registry owns itself.
      await expect(mine().changeOwner(owner().address, buyer().address))
        .to.be.revertedWithCustomError(world.registry, "DeviceRegistryNotAllowed")
        .withArgs(owner().address, owner().address);
      await expect(mine().changeOwner(first.id, world.addresses.ITC))
        .to.be.revertedWithCustomError(world.registry, "ERC721InvalidReceiver")
        .withArgs(world.addresses.ITC);
      await expect(mine().changeOwner(first.id, ZeroAddress))
        .to.be.revertedWithCustomError(world.registry, "ERC721InvalidReceiver")
        .withArgs(ZeroAddress);
      const before = await world.registry.changed(first.id);
      await expect(mine().changeOwner(first.id, buyer().address))
        .to.emit(world.registry, "DIDOwnerChanged")
        .withArgs(first.id, buyer().address, before)
        .and.to.emit(world.registry, "Transfer")
        .withArgs(owner().address, buyer().address, BigInt(first.id));
      expect(await world.registry.identityOwner(first.id)).to.equal(buyer().address);
    });

    it("moves a device that has ended, and not its DID", async () => {
      await mine().retire(first.id);
      const before = await pictureOf(world, first.id);
      await mine().changeOwner(first.id, buyer().address);
      const after = { ...before, owner: buyer().address, ownedSince: await now() };
      expect(await pictureOf(world, first.id)).to.deep.equal(after);
    });
  });

  describe("a transfer", () => {
    const grantAll = async () => {
      await mine().addDelegate(first.id, VERIFIER, stranger().address, 1_000);
      await mine().addDelegate(first.id, SERVICE, approved().address, 1_000);
      await mine().setAttribute(first.id, SERVICE, "0x01", 1_000);
      await mine().setUser(first.id, stranger().address, FAR);
      await mine().approve(approved().address, first.id);
      await mine().suspend(first.id);
    };

    async function expectEnded(before: Awaited<ReturnType<typeof pictureOf>>, to: string): Promise<void> {
      const block = BigInt(await world.ethers.provider.getBlockNumber());
      expect(await pictureOf(world, first.id)).to.deep.equal({
        ...before,
        owner: to,
        controller: to,
        ownedSince: await now(),
        changed: block,
        delegates: "",
        userExpires: 0n,
      });
      expect(await world.registry.validDelegate(first.id, VERIFIER, stranger().address)).to.equal(false);
      expect(await world.registry.getApproved(first.id)).to.equal(ZeroAddress);
    }

    it("ends delegates, user and approval, and keeps attributes and holds", async () => {
      await grantAll();
      const before = await pictureOf(world, first.id);
      expect(before.delegates).to.equal([stranger().address, approved().address].join());
      const call = mine().transferFrom(owner().address, buyer().address, first.id);
      await call;
      await expect(call)
        .to.emit(world.registry, "DIDDelegateChanged")
        .withArgs(first.id, VERIFIER, stranger().address, (await now()) - 1n, before.changed);
      await expectEnded(before, buyer().address);
      // The seller's hold is the buyer's to take away; the seller has no word in it.
      await expect(mine().resume(first.id))
        .to.be.revertedWithCustomError(world.registry, "DeviceRegistryNotAllowed")
        .withArgs(first.id, owner().address);
      await world.registry.connect(buyer()).resume(first.id);
      expect(await world.registry.isActive(first.id)).to.equal(true);
    });

    it("to oneself ends them as well", async () => {
      await grantAll();
      const before = await pictureOf(world, first.id);
      await mine().transferFrom(owner().address, owner().address, first.id);
      await expectEnded(before, owner().address);
    });

    it("moves a retired or revoked device, whose DID stays deactivated", async () => {
      await mine().addDelegate(first.id, VERIFIER, stranger().address, 1_000);
      await mine().retire(first.id);
      await issuer().revokeDevice(lot.id, second.id);
      for (const key of [first, second]) {
        const { owner: held, controller, changed } = await pictureOf(world, key.id);
        expect([held, controller]).to.deep.equal([owner().address, ZeroAddress]);
        const call = mine().transferFrom(owner().address, buyer().address, key.id);
        await expect(call).not.to.emit(world.registry, "DIDOwnerChanged");
        const after = await pictureOf(world, key.id);
        expect([after.owner, after.controller, after.changed]).to.deep.equal([buyer().address, ZeroAddress, changed]);
        expect(await world.registry.validDelegate(key.id, VERIFIER, stranger().address)).to.equal(false);
        const signer = toHex(signerOf(key, world.addresses));
        const signature = toHex(key.sign(new Uint8Array(32)));
        const valid = world.registry.isSignedByDevice(key.id, new Uint8Array(32), signer, signature);
        expect(await valid).to.equal(false);
      }
    });
  });
});
