import { expect } from "chai";
import { Interface, TypedDataEncoder, ZeroAddress } from "ethers";
import { type Claim, ClaimTree, claimDigest, claimLeaf, signClaim } from "../../toolkit/identity/claims.js";
import { lotLeaf } from "../../toolkit/identity/lots.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { MerkleTree } from "../../toolkit/internal/merkle.js";
import { boxed, codeOf, type Desk, entryOf, first, openDesk, second, tree } from "./boxes.js";
import { FAR, highS } from "./fleet.js";

describe("ClaimDesk.claim", () => {
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

  describe("claim, when the signature is wrong", () => {
    it("refuses one cut short, too long, with s in the upper half or another v", async () => {
      const { claimOf, offer, refused, parties } = desk;
      const { maker } = parties;
      await offer(maker);
      const call = claimOf();
      const bad = [
        ...[0, 1, 64].map((length) => call.signature.slice(0, 2 + 2 * length)),
        `${call.signature}00`,
        highS(call.signature, "secp256k1"),
        `${call.signature.slice(0, -2)}00`,
        `${call.signature.slice(0, -2)}1d`,
        `0x${"00".repeat(65)}`,
      ];
      for (const signature of bad) await refused({ ...call, signature }, "ClaimDeskInvalidSignature", first.id);
    });

    it("refuses another code's, and another device's with the same code", async () => {
      const { claimOf, offer, wrongCode, parties } = desk;
      const { maker } = parties;
      await offer(maker);
      await wrongCode(claimOf({}, boxed(second)));
      await wrongCode(claimOf({}, codeOf("nobody's")));
      const twice = new ClaimTree([entryOf(first), entryOf(second, boxed(first))]);
      expect(entryOf(first).key).not.to.equal(entryOf(second, boxed(first)).key);
      await offer(maker, twice.root);
      const ofSecond = claimOf({ device: second.id }, boxed(first), twice);
      const { path, proof } = claimOf({}, boxed(first), twice);
      await wrongCode({ ...ofSecond, device: first.id, path, proof });
    });

    it("refuses a copy for another receiver, owner, root, deadline, chain or desk", async () => {
      const { claim, claimOf, domain, offer, world, wrongCode, parties } = desk;
      const { maker, thief } = parties;
      await offer(maker);
      await offer(thief);
      const call = claimOf();
      const again = new ClaimTree([entryOf(first), entryOf(second)]);
      await offer(maker, again.root);
      await wrongCode({ ...call, to: thief.address });
      await wrongCode({ ...call, from: thief.address });
      await wrongCode({ ...claimOf({}, boxed(first), again), signature: call.signature });
      await wrongCode({ ...call, deadline: FAR - 1n });
      const places = [
        { ...domain, chainId: world.chainId + 1n },
        { ...domain, desk: world.addresses.DeviceRegistry },
      ];
      for (const place of places) {
        await wrongCode({ ...call, signature: toHex(signClaim(boxed(first), place, call)) });
      }
      await claim(call);
    });

    it("refuses one after its deadline", async () => {
      const { claimOf, now, offer, refused, parties } = desk;
      const { maker } = parties;
      await offer(maker);
      const deadline = await now();
      await refused(claimOf({ deadline }), "ClaimDeskExpired", deadline);
    });
  });

  describe("claim, when the proof is wrong", () => {
    it("refuses another device's proof, a wrong side, a length of 0 and of 250", async () => {
      const { claimOf, offer, wrongCode, parties } = desk;
      const { maker } = parties;
      await offer(maker);
      const call = claimOf();
      const other = claimOf({ device: second.id }, boxed(second));
      const bad = [
        { path: other.path, proof: other.proof },
        { path: call.path ^ 1n, proof: call.proof },
        { path: 0n, proof: [] },
        { path: 0n, proof: Array.from({ length: 250 }, () => tree.root) },
      ];
      for (const wrong of bad) await wrongCode({ ...call, ...wrong });
    });

    it("refuses a path beyond the proof", async () => {
      const { claim, claimOf, offer, parties } = desk;
      const { maker } = parties;
      await offer(maker);
      const library = new Interface(["error MerklePathTooLong(uint256 path, uint256 siblings)"]);
      const call = claimOf();
      const path = 1n << BigInt(call.proof.length);
      await expect(claim({ ...call, path }))
        .to.be.revertedWithCustomError({ interface: library }, "MerklePathTooLong")
        .withArgs(path, call.proof.length);
    });

    it("refuses a lot's leaf or an inner node as a code's leaf", async () => {
      const { claimOf, offer, wrongCode, parties } = desk;
      const { maker } = parties;
      // An owner that offers the root of its lot by mistake offers nothing: no leaf of a lot is one of a code.
      const asLot = new MerkleTree([lotLeaf(first), claimLeaf(entryOf(second))]);
      await offer(maker, toHex(asLot.root));
      const { path, siblings } = asLot.prove(0);
      await wrongCode({ ...claimOf({ root: toHex(asLot.root) }), path, proof: siblings.map(toHex) });
      await wrongCode({ ...claimOf({ root: toHex(asLot.root) }), path: 0n, proof: [] });
    });
  });

  describe("claim, when the registry refuses", () => {
    it("refuses to move a device of somebody who offered nothing", async () => {
      const { claim, claimOf, offer, refused, world, parties } = desk;
      const { maker, thief } = parties;
      // The thief offers a code of its own for the maker's device; the maker trusts the desk with all that it has.
      const own = new ClaimTree([entryOf(first, codeOf("the thief's"))]);
      await offer(thief, own.root);
      const call = claimOf({ from: thief.address, to: thief.address }, codeOf("the thief's"), own);
      await expect(claim(call))
        .to.be.revertedWithCustomError(world.registry, "ERC721IncorrectOwner")
        .withArgs(thief.address, BigInt(first.id), maker.address);
      const asMaker = claimOf({ to: thief.address }, codeOf("the thief's"), own);
      await refused(asMaker, "ClaimDeskNotOffered", maker.address, own.root);
    });

    it("refuses without the owner's approval, and works once that is there", async () => {
      const { claim, claimOf, offer, ownerOf, world, parties } = desk;
      const { buyer, maker } = parties;
      await offer(maker);
      await world.registry.connect(maker).setApprovalForAll(world.addresses.ClaimDesk, false);
      await expect(claim(claimOf()))
        .to.be.revertedWithCustomError(world.registry, "ERC721InsufficientApproval")
        .withArgs(world.addresses.ClaimDesk, BigInt(first.id));
      await world.registry.connect(maker).approve(world.addresses.ClaimDesk, first.id);
      await claim(claimOf());
      expect(await ownerOf()).to.equal(buyer.address);
    });

    it("refuses a receiver that takes no devices, and the code is still good", async () => {
      const { claim, claimOf, offer, ownerOf, world, parties } = desk;
      const { buyer, maker } = parties;
      await offer(maker);
      for (const to of [ZeroAddress, world.addresses.ITC]) {
        await expect(claim(claimOf({ to })))
          .to.be.revertedWithCustomError(world.registry, "ERC721InvalidReceiver")
          .withArgs(to);
        expect(await ownerOf()).to.equal(maker.address);
      }
      await claim(claimOf());
      expect(await ownerOf()).to.equal(buyer.address);
    });
  });

  describe("claimDigest", () => {
    it("is what the toolkit and ethers make of the same words", async () => {
      const { domain, world, parties } = desk;
      const { buyer, maker } = parties;
      const said: Claim = {
        device: first.id,
        from: maker.address,
        to: buyer.address,
        root: tree.root,
        deadline: 2n ** 64n - 1n,
      };
      const place = { name: "ClaimDesk", version: "1", chainId: world.chainId, verifyingContract: domain.desk };
      const type = "address device,address from,address to,bytes32 root,uint64 deadline";
      const Claim = type.split(",").map((field) => ({
        type: field.split(" ")[0] ?? "",
        name: field.split(" ")[1] ?? "",
      }));
      const onChain = await world.claims.claimDigest(said.device, said.from, said.to, said.root, said.deadline);
      expect(toHex(claimDigest(domain, said))).to.equal(onChain);
      expect(TypedDataEncoder.hash(place, { Claim }, said)).to.equal(onChain);
    });
  });
});
