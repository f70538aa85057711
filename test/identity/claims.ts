import { expect } from "chai";
import type { Signer } from "ethers";
import { ClaimTree } from "../../toolkit/identity/claims.js";
import type { DeviceKey } from "../../toolkit/identity/keys.js";
import { argsOf, boxed, boxes, codeOf, type Desk, entryOf, first, openDesk, second, tree } from "./boxes.js";
import { FAR, keyOf } from "./fleet.js";

describe("ClaimDesk", () => {
  let desk: Desk;
  let restore: () => Promise<void>;

  before(async () => {
    desk = await openDesk();
  });

  beforeEach(async () => {
    const snapshot = await desk.world.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  describe("offer", () => {
    it("notes when the root was first offered, and until when", async () => {
      const { now, offer, world, parties } = desk;
      const { maker } = parties;
      expect(await world.claims.offerOf(maker.address, tree.root)).to.deep.equal([0n, 0n]);
      await expect(offer(maker)).to.emit(world.claims, "ClaimsOffered").withArgs(maker.address, tree.root, FAR);
      expect(await world.claims.offerOf(maker.address, tree.root)).to.deep.equal([await now(), FAR]);
    });

    it("moves the expiry of a root that is offered again, never the time", async () => {
      const { now, offer, world, parties } = desk;
      const { maker } = parties;
      await offer(maker);
      const offeredAt = await now();
      for (const expiry of [FAR - 5n, FAR + 5n, 2n ** 64n - 1n]) {
        await world.networkHelpers.time.increase(1_000);
        await offer(maker, tree.root, expiry);
        expect(await world.claims.offerOf(maker.address, tree.root)).to.deep.equal([offeredAt, expiry]);
      }
    });

    it("keeps two owners' offers of one root apart", async () => {
      const { now, offer, world, parties } = desk;
      const { maker, retailer } = parties;
      await offer(maker);
      const offeredAt = await now();
      await offer(retailer, tree.root, FAR - 1n);
      await world.claims.connect(retailer).withdrawOffer(tree.root);
      expect(await world.claims.offerOf(maker.address, tree.root)).to.deep.equal([offeredAt, FAR]);
      expect((await world.claims.offerOf(retailer.address, tree.root)).expiry).to.equal(0n);
    });

    it("refuses an expiry that is over", async () => {
      const { now, offer, world, parties } = desk;
      const { maker } = parties;
      const next = (await now()) + 10n;
      for (const expiry of [0n, next - 1n, next]) {
        await world.networkHelpers.time.setNextBlockTimestamp(next);
        await expect(offer(maker, tree.root, expiry))
          .to.be.revertedWithCustomError(world.claims, "ClaimDeskOfferExpired")
          .withArgs(maker.address, tree.root, expiry);
        await restore();
      }
      expect(await world.claims.offerOf(maker.address, tree.root)).to.deep.equal([0n, 0n]);
    });
  });

  describe("withdrawOffer", () => {
    it("ends the offer at once, and for good what was in it before a later sale", async () => {
      const { claim, claimOf, now, offer, ownerOf, refused, transfer, world, parties } = desk;
      const { buyer, maker, retailer } = parties;
      await offer(maker);
      const offeredAt = await now();
      await expect(world.claims.connect(maker).withdrawOffer(tree.root))
        .to.emit(world.claims, "ClaimsWithdrawn")
        .withArgs(maker.address, tree.root);
      expect(await world.claims.offerOf(maker.address, tree.root)).to.deep.equal([offeredAt, 0n]);
      await refused(claimOf(), "ClaimDeskNotOffered", maker.address, tree.root);
      await transfer(maker, retailer.address);
      await transfer(retailer, maker.address);
      const { ownedSince } = await world.registry.deviceOf(first.id);
      await offer(maker);
      expect(await world.claims.offerOf(maker.address, tree.root)).to.deep.equal([offeredAt, FAR]);
      await refused(claimOf(), "ClaimDeskOfferedLater", first.id, ownedSince, offeredAt);
      await claim(claimOf({ device: second.id }, boxed(second)));
      expect(await ownerOf(second)).to.equal(buyer.address);
    });

    it("refuses what isn't offered, a second time and from others", async () => {
      const { offer, world, parties } = desk;
      const { maker, thief } = parties;
      const withdraw = (by: Signer & { address: string }) =>
        expect(world.claims.connect(by).withdrawOffer(tree.root))
          .to.be.revertedWithCustomError(world.claims, "ClaimDeskNotOffered")
          .withArgs(by.address, tree.root);
      await withdraw(maker);
      await offer(maker);
      await withdraw(thief);
      await world.claims.connect(maker).withdrawOffer(tree.root);
      await withdraw(maker);
    });
  });

  describe("claim, when everything is right", () => {
    it("moves the device to the account that the code's holder named, whoever sends it", async () => {
      const { claim, claimOf, offer, ownerOf, world, parties } = desk;
      const { buyer, maker, thief } = parties;
      await offer(maker);
      await expect(claim(claimOf(), thief))
        .to.emit(world.claims, "DeviceClaimed")
        .withArgs(first.id, maker.address, buyer.address, tree.root)
        .and.to.emit(world.registry, "DIDOwnerChanged");
      expect(await ownerOf()).to.equal(buyer.address);
      expect(await world.registry.identityOwner(first.id)).to.equal(buyer.address);
      expect(await ownerOf(second)).to.equal(maker.address);
    });

    it("takes the only device of a tree with an empty proof", async () => {
      const { claim, claimOf, offer, ownerOf, parties } = desk;
      const { buyer, maker } = parties;
      const lone = new ClaimTree([entryOf(first)]);
      await offer(maker, lone.root);
      expect(claimOf({}, boxed(first), lone).proof).to.deep.equal([]);
      await claim(claimOf({}, boxed(first), lone));
      expect(await ownerOf()).to.equal(buyer.address);
    });

    it("works for a retailer who never saw the codes, at the last second of the offer and of the signature", async () => {
      const { claim, claimOf, now, offer, ownerOf, refused, transfer, world, parties } = desk;
      const { buyer, maker, retailer } = parties;
      await transfer(maker, retailer.address);
      await transfer(maker, retailer.address, second);
      await world.registry.connect(retailer).setApprovalForAll(world.addresses.ClaimDesk, true);
      const shelf = new ClaimTree([entryOf(first), entryOf(second)]);
      const expiry = (await now()) + 1_000n;
      await offer(retailer, shelf.root, expiry);
      const sold = (key: DeviceKey) =>
        claimOf({ device: key.id, from: retailer.address, deadline: expiry }, boxed(key), shelf);
      await world.networkHelpers.time.setNextBlockTimestamp(expiry);
      await claim(sold(first));
      expect(await ownerOf()).to.equal(buyer.address);
      await refused(sold(second), "ClaimDeskExpired", expiry);
      const later = { ...sold(second), deadline: FAR };
      await refused(later, "ClaimDeskOfferExpired", retailer.address, shelf.root, expiry);
    });

    it("takes a suspended device, and no other that isn't active", async () => {
      const { claimOf, claim, refused, world, parties, offer } = desk;
      const { buyer, maker } = parties;
      const registry = world.registry.connect(maker);
      const third = boxes[2] ?? first;
      const unknown = keyOf("never activated");
      const wider = new ClaimTree([...boxes, unknown].map((key) => entryOf(key)));
      await offer(maker);
      await offer(maker, wider.root, FAR);
      await registry.suspend(second.id);
      await claim(claimOf({ device: second.id }, boxed(second)));
      expect(await world.registry.ownerOf(second.id)).to.equal(buyer.address);
      await registry.retire(first.id);
      await refused(claimOf({ device: first.id }, boxed(first)), "ClaimDeskNotClaimable", first.id, 3n);
      await registry.revokeDevice((await world.registry.deviceOf(third.id)).lot, third.id);
      await refused(claimOf({ device: third.id }, boxed(third)), "ClaimDeskNotClaimable", third.id, 4n);
      await expect(claim(claimOf({ device: unknown.id }, boxed(unknown), wider)))
        .to.be.revertedWithCustomError(world.claims, "ClaimDeskNotClaimable")
        .withArgs(unknown.id, 0n);
    });
  });

  describe("claim, when the offer doesn't count", () => {
    it("refuses one that was never made, is withdrawn, is another's, or is over", async () => {
      const { claimOf, now, offer, refused, world, parties } = desk;
      const { maker, thief } = parties;
      await refused(claimOf(), "ClaimDeskNotOffered", maker.address, tree.root);
      await offer(thief);
      await refused(claimOf(), "ClaimDeskNotOffered", maker.address, tree.root);
      const expiry = (await now()) + 100n;
      await offer(maker, tree.root, expiry);
      await world.networkHelpers.time.setNextBlockTimestamp(expiry + 1n);
      await refused(claimOf(), "ClaimDeskOfferExpired", maker.address, tree.root, expiry);
    });

    it("refuses in the second of the offer, and not in the next", async () => {
      const { claim, claimOf, now, ownerOf, world, parties } = desk;
      const { buyer, maker } = parties;
      const offeredAt = (await now()) + 10n;
      await world.networkHelpers.time.setNextBlockTimestamp(offeredAt);
      await world.provider.request({ method: "evm_setAutomine", params: [false] });
      await world.claims.connect(maker).offer(tree.root, FAR, { gasLimit: 200_000 });
      const call = claimOf();
      // In the pending block, where the offer is already.
      const early = world.claims.claim.staticCall(...argsOf(call), { blockTag: "pending" });
      await expect(early)
        .to.be.revertedWithCustomError(world.claims, "ClaimDeskTooSoon")
        .withArgs(maker.address, tree.root, offeredAt);
      const sent = await world.claims.claim(...argsOf(call), { gasLimit: 400_000, maxPriorityFeePerGas: 1n });
      await world.provider.request({ method: "evm_mine", params: [] });
      await world.provider.request({ method: "evm_setAutomine", params: [true] });
      expect((await world.claims.offerOf(maker.address, tree.root)).offeredAt).to.equal(offeredAt);
      const receipt = await world.ethers.provider.getTransactionReceipt(sent.hash);
      expect([receipt?.status, await now()]).to.deep.equal([0, offeredAt]);
      expect(await ownerOf()).to.equal(maker.address);
      await world.networkHelpers.time.setNextBlockTimestamp(offeredAt + 1n);
      await claim(call);
      expect(await ownerOf()).to.equal(buyer.address);
    });

    it("refuses a device that its owner got after the offer, though activated in time", async () => {
      const { claimOf, offer, refused, transfer, world, parties } = desk;
      const { maker, retailer } = parties;
      await offer(retailer);
      const { offeredAt } = await world.claims.offerOf(retailer.address, tree.root);
      await world.registry.connect(retailer).setApprovalForAll(world.addresses.ClaimDesk, true);
      await transfer(maker, retailer.address);
      const { ownedSince } = await world.registry.deviceOf(first.id);
      const call = claimOf({ from: retailer.address });
      await refused(call, "ClaimDeskOfferedLater", first.id, ownedSince, offeredAt);
    });

    it("refuses a device that was sold to another in between", async () => {
      const { claimOf, offer, refused, transfer, world, parties } = desk;
      const { maker, retailer } = parties;
      await offer(maker);
      const { offeredAt } = await world.claims.offerOf(maker.address, tree.root);
      await transfer(maker, retailer.address);
      const { ownedSince } = await world.registry.deviceOf(first.id);
      await refused(claimOf(), "ClaimDeskOfferedLater", first.id, ownedSince, offeredAt);
      await refused(claimOf({ from: retailer.address }), "ClaimDeskNotOffered", retailer.address, tree.root);
    });

    it("refuses a device that was away and came back", async () => {
      const { claimOf, offer, refused, transfer, parties } = desk;
      const { maker, retailer } = parties;
      await offer(maker);
      await transfer(maker, retailer.address);
      await transfer(retailer, maker.address);
      await refused(claimOf(), "ClaimDeskOfferedLater");
      // To oneself is enough: so one code is ended alone.
      await transfer(maker, maker.address, second);
      await refused(claimOf({ device: second.id }, boxed(second)), "ClaimDeskOfferedLater");
    });
  });

  describe("claim, when the code was used", () => {
    it("refuses the code and the old signature after the device came back, the root offered again too", async () => {
      const { claim, claimOf, offer, ownerOf, refused, transfer, world, wrongCode, parties } = desk;
      const { buyer, maker, thief } = parties;
      await offer(maker);
      const { offeredAt } = await world.claims.offerOf(maker.address, tree.root);
      const used = claimOf();
      await claim(used);
      await refused(used, "ClaimDeskOfferedLater");
      await transfer(buyer, maker.address);
      const { ownedSince } = await world.registry.deviceOf(first.id);
      await offer(maker, tree.root, FAR + 1n);
      await refused(used, "ClaimDeskOfferedLater", first.id, ownedSince, offeredAt);
      await refused(claimOf({ to: thief.address }), "ClaimDeskOfferedLater", first.id, ownedSince, offeredAt);
      // A new code under a new root is good, and the old signature isn't good for it.
      const fresh = new ClaimTree([entryOf(first, codeOf("returned")), entryOf(second)]);
      await offer(maker, fresh.root);
      const { path, proof } = claimOf({}, codeOf("returned"), fresh);
      await wrongCode({ ...used, root: fresh.root, path, proof });
      await wrongCode(claimOf({}, boxed(first), fresh));
      await claim(claimOf({ to: thief.address }, codeOf("returned"), fresh));
      expect(await ownerOf()).to.equal(thief.address);
    });

    it("refuses them when the receiver gives the device back in the same transaction", async () => {
      const { claim, claimOf, offer, ownerOf, refused, world, parties } = desk;
      const { maker } = parties;
      await offer(maker);
      const { offeredAt } = await world.claims.offerOf(maker.address, tree.root);
      const boomerang = await world.ethers.deployContract("BoomerangBuyer");
      const call = claimOf({ to: await boomerang.getAddress() });
      const again = world.claims.interface.encodeFunctionData("claim", [...argsOf(call)]);
      await boomerang.getFunction("setCall")(world.addresses.ClaimDesk, again);
      await claim(call);
      expect(await boomerang.getFunction("succeeded")()).to.equal(false);
      const answer = world.claims.interface.parseError(await boomerang.getFunction("answer")());
      const { ownedSince } = await world.registry.deviceOf(first.id);
      expect([answer?.name, ...(answer?.args ?? [])]).to.deep.equal([
        "ClaimDeskOfferedLater",
        first.id,
        ownedSince,
        offeredAt,
      ]);
      expect(await ownerOf()).to.equal(maker.address);
      await refused(call, "ClaimDeskOfferedLater", first.id, ownedSince, offeredAt);
    });

    it("refuses them within one block", async () => {
      const { claimOf, offer, ownerOf, world, parties } = desk;
      const { maker, thief } = parties;
      await offer(maker);
      const { provider } = world;
      const boomerang = await world.ethers.deployContract("BoomerangBuyer");
      await boomerang.getFunction("setCall")(world.addresses.ClaimDesk, "0x");
      const call = claimOf({ to: await boomerang.getAddress() });
      await provider.request({ method: "evm_setAutomine", params: [false] });
      const sent: string[] = [];
      for (const by of [world.operator, thief]) {
        const { hash } = await world.claims.connect(by).claim(...argsOf(call), { gasLimit: 500_000 });
        sent.push(hash);
      }
      await provider.request({ method: "evm_mine", params: [] });
      await provider.request({ method: "evm_setAutomine", params: [true] });
      const receipts = await Promise.all(sent.map((hash) => world.ethers.provider.getTransactionReceipt(hash)));
      expect(receipts.map((receipt) => receipt?.status).sort()).to.deep.equal([0, 1]);
      expect(receipts[0]?.blockNumber).to.equal(receipts[1]?.blockNumber);
      expect(await ownerOf()).to.equal(maker.address);
    });
  });
});
