import { expect } from "chai";
import { AbiCoder, encodeBytes32String, TypedDataEncoder, ZeroHash } from "ethers";
import { fromHex, keccak256, toHex } from "../../toolkit/internal/bytes.js";
import { FAR } from "./fleet.js";
import {
  activateKey,
  curveKey,
  enrolRing,
  FOREVER,
  fingerprint,
  keyEvent,
  keyedFleet,
  NO_KEY,
  RING_NAMES,
} from "./keyring.js";

const DAY = 86_400;
const fieldOf = (field: string) => {
  const [type = "", name = ""] = field.split(" ");
  return { type, name };
};

describe("DeviceRegistry's key changes", () => {
  const fleet = keyedFleet();
  const { world, registry, ring, lot, maker, owner, stranger, other } = fleet;
  const { refused, eventsOf, counts, keyChange, rotate } = fleet;

  describe("rotateKey, when both keys have signed", () => {
    for (const from of RING_NAMES) {
      it(`replaces a ${from} key by one of each kind, sent by anyone`, async () => {
        const [key] = ring()[from];
        for (const to of RING_NAMES) {
          const snapshot = await world().networkHelpers.takeSnapshot();
          const next = ring()[to][1];
          const previous = await registry().changed(key.id);
          const { events, block, time } = await eventsOf(rotate(key.id, key, next));
          expect(events).to.deep.equal([
            keyEvent(key.id, key, time - 1n, Number(previous)),
            keyEvent(key.id, next, FOREVER, block),
            ["AssuranceStated", lot().id, key.id, 0n],
          ]);
          expect(await registry().changed(key.id)).to.equal(block);
          expect(await registry().keyOf(key.id)).to.deep.equal([fingerprint(next), 3n]);
          const { state, kind, assurance } = await registry().deviceOf(key.id);
          expect([state, kind, assurance]).to.deep.equal([1n, BigInt(next.kind), 0n]);
          expect([await counts(key.id, key), await counts(key.id, next)]).to.deep.equal([false, true]);
          await snapshot.restore();
        }
      });
    }

    it("makes the old key's word worthless everywhere, and the new key's good", async () => {
      for (const [from, to] of [
        ["secp256k1", "p256"],
        ["p256", "secp256k1"],
      ] as const) {
        const [key] = ring()[from];
        const [, next] = ring()[to];
        const device = key.id;
        await rotate(device, key, next);
        // Another rotation.
        const third = curveKey(world(), `third ${from}`, "p256");
        await refused(device, () => rotate(device, key, third), "DeviceKeysNotTheKey", device, toHex(key.signer));
        // A second life through another lot that lists the first key.
        const again = await enrolRing(world(), maker(), [key, third]);
        const activation = () => activateKey(world(), again, key, stranger().address);
        await refused(device, activation, "DeviceRegistryDeviceKnown", device, 1);
        // A contradiction.
        const words = [ZeroHash, toHex(new Uint8Array(32).fill(1))] as const;
        const contradiction = async (by: typeof key) => {
          const digests = await Promise.all(
            words.map((word) => registry().readingDigest(device, 1, 1, ZeroHash, word)),
          );
          const [one = "0x", two = "0x"] = digests.map((digest) => toHex(by.sign(fromHex(digest))));
          return registry().proveEquivocation(
            device,
            by.signer,
            1,
            [1, 1],
            [ZeroHash, ZeroHash],
            [...words],
            [one, two],
          );
        };
        await refused(device, () => contradiction(key), "DeviceKeysNotTheKey", device, toHex(key.signer));
        // A veto.
        const change = third.sign(await keyChange(device, third));
        await registry(owner()).requestRecovery(device, third.signer, FAR, change);
        const veto = async (by: typeof key) => {
          const digest = fromHex(await registry().cancelRecoveryDigest(device));
          return registry().cancelRecovery(device, by.signer, by.sign(digest));
        };
        await refused(device, () => veto(key), "DeviceKeysNotTheKey", device, toHex(key.signer));
        // What the old key can't, the new one can.
        await veto(next);
        expect([await counts(device, key), await counts(device, next)]).to.deep.equal([false, true]);
        await contradiction(next);
        expect(await registry().isActive(device)).to.equal(false);
      }
    });

    it("goes there and back, with a nonce of its own each time", async () => {
      for (const name of RING_NAMES) {
        const [key, spare] = ring()[name];
        const device = key.id;
        const digest = await keyChange(device, spare);
        const said = [key.sign(digest), spare.sign(digest)] as const;
        const send = () => registry().rotateKey(device, key.signer, spare.signer, FAR, ...said);
        await send();
        await refused(device, send, "DeviceKeysSameKey", device);
        await rotate(device, spare, key);
        expect(await registry().keyOf(device)).to.deep.equal([fingerprint(key), 5n]);
        expect([await counts(device, key), await counts(device, spare)]).to.deep.equal([true, false]);
        // All that was said the first time is true again but for the nonce.
        await refused(device, send, "DeviceKeysInvalidSignature", device, toHex(spare.signer));
        await rotate(device, key, spare);
        expect(await registry().keyOf(device)).to.deep.equal([fingerprint(spare), 7n]);
      }
    });

    it("counts the keys of the DID document along with delegates", async () => {
      const [key, spare] = ring().p256;
      const device = key.id;
      const type = encodeBytes32String("veriKey");
      await registry(owner()).addDelegate(device, type, stranger().address, DAY);
      await registry(owner()).revokeDelegate(device, type, stranger().address);
      await registry(owner()).setAttribute(device, encodeBytes32String("did/svc/Hub"), "0x01", DAY);
      expect(await registry().keyOf(device)).to.deep.equal([NO_KEY, 1n]);
      await rotate(device, key, spare);
      expect(await registry().keyOf(device)).to.deep.equal([fingerprint(spare), 5n]);
    });

    it("keeps owner, bond and time of activation; its assurance falls to 0", async () => {
      const [key] = ring().secp256k1;
      const before = [...(await registry().deviceOf(key.id))];
      const standing = await registry().standingOf(key.id);
      await rotate(key.id, key, ring().rsa2048[1]);
      expect([...(await registry().deviceOf(key.id))]).to.deep.equal(before.with(1, 2n).with(2, 0n));
      expect(await registry().standingOf(key.id)).to.deep.equal(standing);
      expect(await registry().identityOwner(key.id)).to.equal(owner().address);
    });
  });

  describe("revokeKey", () => {
    it("is for the owner and the issuer", async () => {
      for (const who of [owner(), maker()]) {
        for (const name of RING_NAMES) {
          const snapshot = await world().networkHelpers.takeSnapshot();
          const [key] = ring()[name];
          const previous = Number(await registry().changed(key.id));
          const { events, block, time } = await eventsOf(registry(who).revokeKey(key.id, key.signer));
          expect(events).to.deep.equal([
            keyEvent(key.id, key, time - 1n, previous),
            ["DeviceSuspended", lot().id, key.id, 8n],
          ]);
          expect(await registry().changed(key.id)).to.equal(block);
          expect((await registry().deviceOf(key.id)).state).to.equal(2n);
          expect((await registry().deviceOf(key.id)).stateSince).to.equal(time);
          expect((await registry().standingOf(key.id)).holds).to.equal(8n);
          expect(await registry().keyOf(key.id)).to.deep.equal([NO_KEY, 0n]);
          await snapshot.restore();
        }
      }
    });

    it("is not for the device's account, an operator, a delegate, the user or an owner before", async () => {
      const [key] = ring().secp256k1;
      const device = key.id;
      const nobody = async (who: { address: string }, sender = registry(other())) => {
        const attempt = () => sender.revokeKey(device, key.signer);
        await refused(device, attempt, "DeviceRegistryNotAllowed", device, who.address);
      };
      await nobody(other());
      await registry(owner()).approve(other().address, device);
      await registry(owner()).setApprovalForAll(other().address, true);
      await registry(owner()).addDelegate(device, encodeBytes32String("veriKey"), other().address, DAY);
      await registry(owner()).setUser(device, other().address, FAR);
      await nobody(other());
      await nobody(world().operator, world().registry);
      await world().networkHelpers.impersonateAccount(device);
      await world().networkHelpers.setBalance(device, 10n ** 18n);
      await nobody({ address: device }, registry(await world().ethers.getSigner(device)));
      await registry(owner()).transferFrom(owner().address, other().address, device);
      await nobody(owner(), registry(owner()));
      await registry(other()).revokeKey(device, key.signer);
    });

    it("leaves nothing that the key could sign", async () => {
      for (const name of ["secp256k1", "p256", "erc1271"] as const) {
        const [key, spare] = ring()[name];
        const device = key.id;
        await registry(owner()).revokeKey(device, key.signer);
        expect(await counts(device, key)).to.equal(false);
        await refused(device, () => rotate(device, key, spare), "DeviceRegistryWrongState", device, 2);
        await registry(owner()).requestRecovery(device, spare.signer, FAR, spare.sign(await keyChange(device, spare)));
        const veto = key.sign(fromHex(await registry().cancelRecoveryDigest(device)));
        const attempt = () => registry().cancelRecovery(device, key.signer, veto);
        await refused(device, attempt, "DeviceKeysNotTheKey", device, toHex(key.signer));
        const again = await enrolRing(world(), maker(), [key, spare]);
        const activation = () => activateKey(world(), again, key, stranger().address);
        await refused(device, activation, "DeviceRegistryDeviceKnown", device, 2);
        expect(await registry().validDelegate(device, encodeBytes32String("sigAuth"), key.shown.slice(0, 42))).to.equal(
          false,
        );
      }
    });

    it("refuses bytes that aren't the key, and a second time", async () => {
      for (const name of RING_NAMES) {
        const [key, spare] = ring()[name];
        const wrong = [spare.signer, ring()[name === "p256" ? "wots" : "p256"][0].signer, new Uint8Array(0)];
        for (const signer of [...wrong, key.signer.subarray(1), fromHex(key.id)]) {
          if (toHex(signer) === toHex(key.signer)) continue;
          const attempt = () => registry(owner()).revokeKey(key.id, signer);
          await refused(key.id, attempt, "DeviceKeysNotTheKey", key.id, toHex(signer));
        }
        await registry(owner()).revokeKey(key.id, key.signer);
        for (const who of [owner(), maker()]) {
          const attempt = () => registry(who).revokeKey(key.id, key.signer);
          await refused(key.id, attempt, "DeviceKeysNotTheKey", key.id, toHex(key.signer));
        }
      }
    });

    it("works on a suspended device and keeps its holds", async () => {
      const [key, spare] = ring().secp256k1;
      const device = key.id;
      await rotate(device, key, spare);
      await registry(owner()).suspend(device);
      const { stateSince } = await registry().deviceOf(device);
      await registry(maker()).suspend(device);
      await registry(maker()).revokeKey(device, spare.signer);
      expect((await registry().standingOf(device)).holds).to.equal(11n);
      expect((await registry().deviceOf(device)).stateSince).to.equal(stateSince);
      await registry(maker()).resume(device);
      await registry(owner()).resume(device);
      expect((await registry().standingOf(device)).holds).to.equal(8n);
      expect(await registry().isActive(device)).to.equal(false);
      for (const who of [owner(), maker()]) {
        await refused(device, () => registry(who).resume(device), "DeviceRegistryWrongState", device, 2);
      }
    });

    it("refuses a device that isn't alive: none, retired, revoked", async () => {
      const [, unborn] = ring().secp256k1;
      const [retired] = ring().secp256k1;
      const [revoked] = ring().p256;
      await registry(owner()).retire(retired.id);
      await registry(maker()).revokeDevice(lot().id, revoked.id);
      for (const [key, state] of [
        [unborn, 0],
        [retired, 3],
        [revoked, 4],
      ] as const) {
        for (const who of [owner(), maker()]) {
          const attempt = () => registry(who).revokeKey(key.id, key.signer);
          await refused(key.id, attempt, "DeviceRegistryWrongState", key.id, state);
        }
      }
    });
  });

  describe("keyChangeDigest and cancelRecoveryDigest", () => {
    it("are what the toolkit and ethers make of the same words", async () => {
      const { addresses, chainId, digests } = world();
      const domain = { name: "DeviceRegistry", version: "1", chainId, verifyingContract: addresses.DeviceRegistry };
      const [key, spare] = ring().rsa2048;
      const device = key.id;
      for (const nonce of [0n, 2n]) {
        const deadline = 2n ** 64n - 1n;
        const types = {
          KeyChange: ["address device", "bytes32 signer", "uint64 nonce", "uint64 deadline"].map(fieldOf),
        };
        const words = { device, signer: keccak256(spare.signer), nonce, deadline };
        const said = await registry().keyChangeDigest(device, spare.signer, deadline);
        expect(said).to.equal(toHex(digests.keyChange({ device, signer: spare.signer, nonce, deadline })));
        expect(said).to.equal(TypedDataEncoder.hash(domain, types, words));
        if (nonce === 0n) await rotate(device, key, ring().wots[1]);
      }
      const [next] = ring().wots;
      const request = registry(owner()).requestRecovery(
        device,
        next.signer,
        FAR,
        next.sign(await keyChange(device, next)),
      );
      const { time } = await eventsOf(request);
      // What the registry keeps of a request: the owner has had the device since its activation, which counts as 0.
      const kept = ["bytes32", "uint64", "address", "uint40", "uint16"];
      const readyAt = time + (await registry().recoveryDelay());
      const asked = [keccak256(next.signer), readyAt, owner().address, 0, 2];
      const recovery = toHex(keccak256(fromHex(AbiCoder.defaultAbiCoder().encode(kept, asked))));
      const veto = { RecoveryVeto: ["address device", "bytes32 recovery"].map(fieldOf) };
      const said = await registry().cancelRecoveryDigest(device);
      expect(said).to.equal(toHex(digests.recoveryVeto(device, fromHex(recovery))));
      expect(said).to.equal(TypedDataEncoder.hash(domain, veto, { device, recovery }));
    });
  });
});
