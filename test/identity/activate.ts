import { expect } from "chai";
import { Interface } from "ethers";
import { Digests } from "../../toolkit/identity/digests.js";
import { deviceKey } from "../../toolkit/identity/keys.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { type Deployed, deployed } from "../support.js";
import {
  type ActivationCall,
  activationOf,
  BOND,
  type EnrolledLot,
  enrolLot,
  FAR,
  highS,
  keyOf,
  makeIssuer,
  send,
} from "./fleet.js";

const keys = Array.from({ length: 5 }, (_, k) => keyOf(`device-${k}`, k === 4 ? "p256" : "secp256k1"));
const [first = keyOf("device-0"), second = keyOf("device-1")] = keys;
const p256 = keys[4] ?? keyOf("device-4", "p256");

describe("DeviceRegistry.activate", () => {
  let world: Deployed;
  let lot: EnrolledLot;
  let owner: string;
  let restore: () => Promise<void>;

  before(async () => {
    world = await deployed();
    const [maker, someone] = world.accounts;
    if (!maker || !someone) throw new Error("The chain has too few signers.");
    owner = someone.address;
    await makeIssuer(world, maker);
    lot = await enrolLot(world, maker, keys);
  });

  beforeEach(async () => {
    const snapshot = await world.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  /** Refused with this error, and the device is as unknown as before. */
  async function refused(call: ActivationCall, error: string, ...args: unknown[]): Promise<void> {
    const attempt = expect(send(world, call)).to.be.revertedWithCustomError(world.registry, error);
    await (args.length > 0 ? attempt.withArgs(...args) : attempt);
    expect((await world.registry.deviceOf(first.id)).state).to.equal(0n);
    expect((await world.registry.lotOf(lot.id)).activated).to.equal(0n);
  }

  const maker = () => world.accounts[0] ?? world.operator;
  const right = (key = first) => activationOf(world, lot, key, owner);

  describe("when everything is right", () => {
    it("makes the device a token of the owner that it named, whoever sends it (secp256k1)", async () => {
      await expect(send(world, right())).to.emit(world.registry, "DeviceActivated").withArgs(lot.id, first.id, owner);
      const { state, kind, assurance, lot: from } = await world.registry.deviceOf(first.id);
      expect([state, kind, assurance, from]).to.deep.equal([1n, 0n, 2n, lot.id]);
      expect(await world.registry.ownerOf(first.id)).to.equal(owner);
      expect(await world.registry.identityOwner(first.id)).to.equal(owner);
      expect((await world.registry.lotOf(lot.id)).activated).to.equal(1n);
    });

    for (const hardfork of ["osaka", "prague"] as const) {
      it(`does the same for a P-256 key (${hardfork}: ${hardfork === "osaka" ? "precompile" : "Solidity fallback"})`, async () => {
        const chain = await deployed(hardfork);
        const issuer = chain.accounts[0] ?? chain.operator;
        await makeIssuer(chain, issuer);
        const call = activationOf(chain, await enrolLot(chain, issuer, keys), p256, owner);
        await expect(send(chain, { ...call, signature: highS(call.signature, "p256") })).to.be.revertedWithCustomError(
          chain.registry,
          "DeviceRegistryInvalidSignature",
        );
        await expect(
          send(chain, { ...call, signature: `${call.signature.slice(0, -2)}00` }),
        ).to.be.revertedWithCustomError(chain.registry, "DeviceRegistryInvalidSignature");
        const y = BigInt(toHex(p256.material.subarray(32)));
        const multikey = `0x8024${y % 2n === 0n ? "02" : "03"}${toHex(p256.material.subarray(0, 32)).slice(2)}`;
        await expect(send(chain, call))
          .to.emit(chain.registry, "DIDAttributeChanged")
          .withArgs(
            p256.id,
            toHex(new TextEncoder().encode("did/pub/Multikey/sigAuth")).padEnd(66, "0"),
            multikey,
            2n ** 256n - 1n,
            await chain.ethers.provider.getBlockNumber().then((number) => number + 1),
          );
        expect(await chain.registry.ownerOf(p256.id)).to.equal(owner);
      });
    }

    it("takes the only device of a lot with an empty proof", async () => {
      const lone = keyOf("lone");
      const single = await enrolLot(world, maker(), [lone]);
      await send(world, activationOf(world, single, lone, owner));
      expect(await world.registry.isActive(lone.id)).to.equal(true);
    });

    it("verifies as a plain signature though the device's account has code", async () => {
      await world.networkHelpers.setCode(first.id, "0xfe");
      await send(world, right());
      expect(await world.registry.isActive(first.id)).to.equal(true);
    });
  });

  describe("when the endorsement is wrong", () => {
    it("refuses a proof for another lot", async () => {
      const other = await enrolLot(world, maker(), [first, keyOf("other")]);
      const { path, proof } = activationOf(world, other, first, owner);
      await refused({ ...right(), path, proof }, "DeviceRegistryInvalidProof", first.id, lot.id);
    });

    it("refuses a proof for another device", async () => {
      const { path, proof } = right(second);
      await refused({ ...right(), path, proof }, "DeviceRegistryInvalidProof", first.id, lot.id);
    });

    it("refuses a path with a wrong side, and one longer than the proof", async () => {
      const call = right();
      await refused({ ...call, path: call.path ^ 1n }, "DeviceRegistryInvalidProof");
      const library = new Interface(["error MerklePathTooLong(uint256 path, uint256 siblings)"]);
      const path = 1n << BigInt(call.proof.length);
      await expect(send(world, { ...call, path }))
        .to.be.revertedWithCustomError({ interface: library }, "MerklePathTooLong")
        .withArgs(path, call.proof.length);
    });

    it("refuses a proof of length 0 and of length 256", async () => {
      await refused({ ...right(), path: 0n, proof: [] }, "DeviceRegistryInvalidProof");
      await refused(
        { ...right(), proof: Array.from({ length: 250 }, () => lot.tree.root) },
        "DeviceRegistryInvalidProof",
      );
    });

    it("refuses the 64 bytes of a node as a device", async () => {
      // A P-256 signer whose key is the two children of a node: its id would have to be a leaf.
      const [sibling = ""] = right(second).proof;
      const children = `${world.addresses.P256Verifier}${sibling.slice(2)}${sibling.slice(2)}`;
      await refused({ ...right(), signer: children, proof: right().proof.slice(1) }, "DeviceRegistryInvalidProof");
    });

    it("refuses a key of one curve that the maker endorsed as one of another", async () => {
      // The same 20 bytes, listed as an account: the leaf holds the kind.
      const mislabelled = await enrolLot(world, maker(), [{ ...p256, kind: "secp256k1" }, second]);
      const call = activationOf(world, mislabelled, p256, owner);
      await refused(call, "DeviceRegistryInvalidProof", p256.id, mislabelled.id);
    });

    it("refuses an unknown lot, a revoked lot and a revoked issuer's lot", async () => {
      const unknown = `0x${"11".repeat(32)}`;
      await refused({ ...right(), lot: unknown }, "LotBookLotUnknown", unknown);
      const snapshot = await world.networkHelpers.takeSnapshot();
      await world.registry.connect(maker()).revokeLot(lot.id);
      await refused(right(), "LotBookLotRevoked", lot.id);
      await snapshot.restore();
      await world.registry.revokeIssuer(maker().address);
      await refused(right(), "LotBookIssuerNotRegistered", maker().address);
    });

    it("refuses a device beyond the lot's size", async () => {
      const pair = [keyOf("a"), keyOf("b")] as const;
      const small = await enrolLot(world, maker(), pair, 1);
      await send(world, activationOf(world, small, pair[0], owner));
      await refused(activationOf(world, small, pair[1], owner), "DeviceRegistryLotFull", small.id, 1n);
    });
  });

  describe("when the signature is wrong", () => {
    it("refuses another key's", async () => {
      const digest = world.digests.activation({ device: first.id, lot: lot.id, owner, deadline: FAR });
      await refused({ ...right(), signature: toHex(second.sign(digest)) }, "DeviceRegistryInvalidSignature", first.id);
    });

    it("refuses one with s in the upper half (secp256k1 and P-256)", async () => {
      const call = right();
      await refused(
        { ...call, signature: highS(call.signature, "secp256k1") },
        "DeviceRegistryInvalidSignature",
        first.id,
      );
      const other = right(p256);
      await refused({ ...other, signature: highS(other.signature, "p256") }, "DeviceRegistryInvalidSignature", p256.id);
    });

    it("refuses one for another chain, contract, lot, owner or deadline", async () => {
      const said = { device: first.id, lot: lot.id, owner, deadline: FAR };
      const registry = world.addresses.DeviceRegistry;
      const elsewhere = [
        new Digests({ chainId: world.chainId + 1n, registry }).activation(said),
        new Digests({ chainId: world.chainId, registry: world.addresses.ITC }).activation(said),
        world.digests.activation({ ...said, lot: (await enrolLot(world, maker(), [first])).id }),
        world.digests.activation({ ...said, owner: maker().address }),
        world.digests.activation({ ...said, deadline: FAR + 1n }),
      ];
      for (const digest of elsewhere) {
        await refused({ ...right(), signature: toHex(first.sign(digest)) }, "DeviceRegistryInvalidSignature", first.id);
      }
    });

    it("refuses one cut short", async () => {
      for (const call of [right(), right(p256)]) {
        for (const length of [0, 1, 63, 64].filter((bytes) => 2 + 2 * bytes < call.signature.length)) {
          await refused(
            { ...call, signature: call.signature.slice(0, 2 + 2 * length) },
            "DeviceRegistryInvalidSignature",
          );
        }
      }
    });

    it("refuses one after its deadline", async () => {
      const now = BigInt(await world.networkHelpers.time.latest());
      await refused({ ...right(), deadline: now - 1n }, "DeviceRegistryExpired", now - 1n);
    });
  });

  describe("when the signer is malformed", () => {
    it("refuses lengths that no key has", async () => {
      for (const length of [0, 1, 19, 21, 32, 64, 83, 85, 128]) {
        const signer = `0x${"22".repeat(length)}`;
        await refused({ ...right(), signer }, "DeviceKeysUnknownKind", signer);
      }
    });

    it("refuses a foreign verifier", async () => {
      const signer = `${owner}${toHex(p256.material).slice(2)}`.toLowerCase();
      await refused({ ...right(p256), signer }, "DeviceKeysUnknownKind", signer);
    });

    it("refuses a P-256 point that is not on the curve", async () => {
      for (const point of [new Uint8Array(64), new Uint8Array(64).fill(0xff), fromHex(`${"00".repeat(63)}01`)]) {
        const bad = { ...deviceKey("p256", fromHex("33".repeat(32))), material: point };
        const id = (await import("../../toolkit/identity/keys.js")).deviceIdOf(point);
        const listed = await enrolLot(world, maker(), [{ ...bad, id }, second]);
        await refused(activationOf(world, listed, { ...bad, id }, owner), "DeviceRegistryInvalidSignature", id);
      }
    });
  });

  describe("when the device is known", () => {
    it("refuses a replay", async () => {
      await send(world, right());
      await expect(send(world, right()))
        .to.be.revertedWithCustomError(world.registry, "DeviceRegistryDeviceKnown")
        .withArgs(first.id, 1n);
    });

    it("refuses a device that its issuer revoked before", async () => {
      await world.registry.connect(maker()).revokeDevice(lot.id, first.id);
      await refused(right(), "DeviceRegistryDeviceRevoked", first.id, lot.id);
      await send(world, right(second));
      expect(await world.registry.isActive(second.id)).to.equal(true);
    });

    it("refuses an active device that was revoked", async () => {
      await send(world, right());
      await world.registry.connect(maker()).revokeDevice(lot.id, first.id);
      await expect(send(world, right())).to.be.revertedWithCustomError(world.registry, "DeviceRegistryDeviceKnown");
      // Nor through another lot that lists it.
      const other = await enrolLot(world, maker(), [first, keyOf("x")]);
      await expect(send(world, activationOf(world, other, first, owner)))
        .to.be.revertedWithCustomError(world.registry, "DeviceRegistryDeviceKnown")
        .withArgs(first.id, 4n);
    });
  });

  describe("when the owner is a contract", () => {
    it("refuses one that takes no tokens, and the device is free for another owner", async () => {
      // Any contract that knows nothing of ERC-721.
      const deaf = await world.ethers.deployContract("PlainToken", [owner]);
      const address = await deaf.getAddress();
      await refused(activationOf(world, lot, first, address), "ERC721InvalidReceiver", address);
      await send(world, right());
      expect(await world.registry.ownerOf(first.id)).to.equal(owner);
    });

    it("is not fooled by one that comes back", async () => {
      const reentrant = await world.ethers.deployContract("ReentrantOwner");
      const call = activationOf(world, lot, first, await reentrant.getAddress());
      const { signer, deadline, signature, path, proof } = call;
      const args = [call.lot, signer, call.owner, signature, deadline, path, proof] as const;
      await reentrant.getFunction("setCall")(world.registry.interface.encodeFunctionData("activate", [...args]));
      await send(world, call);
      expect(await reentrant.getFunction("succeeded")()).to.equal(false);
      const answer: string = await reentrant.getFunction("answer")();
      expect(world.registry.interface.parseError(answer)?.name).to.equal("DeviceRegistryDeviceKnown");
      expect((await world.registry.lotOf(lot.id)).activated).to.equal(1n);
      expect(await world.itc.balanceOf(world.addresses.DeviceRegistry)).to.equal(BOND * BigInt(keys.length));
    });
  });
});
