import { expect } from "chai";
import { ZeroHash } from "ethers";
import { Digests } from "../../toolkit/identity/digests.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { FAR } from "./fleet.js";
import { curveKey, keyedFleet, RING_NAMES, type RingKey, spoiled, wearOut } from "./keyring.js";

const EVENTS = 2 ** 16 - 1;

describe("DeviceRegistry.rotateKey's refusals", () => {
  const fleet = keyedFleet();
  const { world, registry, ring, lot, maker, owner, now, refused, counts, keyChange, rotate } = fleet;

  /** Sends a change with these signatures. */
  const send = (key: RingKey, next: RingKey, first: Uint8Array, second: Uint8Array, deadline = FAR) =>
    registry().rotateKey(key.id, key.signer, next.signer, deadline, first, second);

  /** Other messages of the same keys, each a word beside the right one. */
  async function otherMessages(key: RingKey, next: RingKey): Promise<Uint8Array[]> {
    const { chainId, addresses, digests } = world();
    const change = { device: key.id, signer: next.signer, nonce: 0n, deadline: FAR };
    const registryHere = addresses.DeviceRegistry;
    return [
      new Digests({ chainId: chainId + 1n, registry: registryHere }).keyChange(change),
      new Digests({ chainId, registry: addresses.ITC }).keyChange(change),
      digests.keyChange({ ...change, device: ring().wots[1].id }),
      digests.keyChange({ ...change, signer: curveKey(world(), "else", "p256").signer }),
      digests.keyChange({ ...change, signer: key.signer }),
      digests.keyChange({ ...change, nonce: 1n }),
      digests.keyChange({ ...change, deadline: FAR - 1n }),
      digests.recoveryVeto(key.id, new Uint8Array(32)),
      digests.activation({ device: key.id, lot: lot().id, owner: owner().address, deadline: FAR }),
      fromHex(await registry().readingDigest(key.id, 0, FAR, ZeroHash, ZeroHash)),
    ];
  }

  describe("when a signature is wrong", () => {
    it("refuses the present key's: missing, cut, spoiled, of another key, for another message", async () => {
      for (const name of RING_NAMES) {
        const [key, next] = ring()[name];
        const digest = await keyChange(key.id, next);
        const messages = await otherMessages(key, next);
        const thief = name === "secp256k1" ? ring().p256[0] : curveKey(world(), "thief", "secp256k1");
        for (const bad of [
          ...spoiled(key, key.sign(digest)),
          thief.sign(digest),
          ...messages.map((message) => key.sign(message)),
        ]) {
          const attempt = () => send(key, next, bad, next.sign(digest));
          await refused(key.id, attempt, "DeviceKeysInvalidSignature", key.id, toHex(key.signer));
        }
      }
    });

    it("refuses the new key's likewise", async () => {
      for (const name of RING_NAMES) {
        const [key, next] = ring()[name];
        const digest = await keyChange(key.id, next);
        const messages = await otherMessages(key, next);
        const thief = name === "secp256k1" ? ring().p256[0] : curveKey(world(), "thief", "secp256k1");
        for (const bad of [
          ...spoiled(next, next.sign(digest)),
          thief.sign(digest),
          ...messages.map((message) => next.sign(message)),
        ]) {
          const attempt = () => send(key, next, key.sign(digest), bad);
          await refused(key.id, attempt, "DeviceKeysInvalidSignature", key.id, toHex(next.signer));
        }
      }
    });

    it("refuses both swapped", async () => {
      for (const name of RING_NAMES) {
        const [key, next] = ring()[name];
        const digest = await keyChange(key.id, next);
        const attempt = () => send(key, next, next.sign(digest), key.sign(digest));
        await refused(key.id, attempt, "DeviceKeysInvalidSignature", key.id, toHex(next.signer));
      }
    });

    it("refuses both after their deadline, and not at it", async () => {
      const [key, next] = ring().secp256k1;
      const deadline = (await now()) + 100n;
      const digest = await keyChange(key.id, next, deadline);
      const attempt = () => send(key, next, key.sign(digest), next.sign(digest), deadline);
      const snapshot = await world().networkHelpers.takeSnapshot();
      await world().networkHelpers.time.increaseTo(deadline);
      await refused(key.id, attempt, "DeviceKeysExpired", deadline);
      await snapshot.restore();
      await world().networkHelpers.time.setNextBlockTimestamp(deadline);
      await attempt();
      expect(await counts(key.id, next)).to.equal(true);
    });
  });

  describe("when a key is wrong", () => {
    it("refuses a present key that isn't the device's", async () => {
      for (const name of RING_NAMES) {
        const [key, next] = ring()[name];
        const digest = await keyChange(key.id, next);
        const others = RING_NAMES.filter((other) => other !== name).map((other) => ring()[other][0]);
        for (const wrong of [...others, { ...key, signer: fromHex(key.id) }, { ...key, signer: new Uint8Array(0) }]) {
          if (toHex(wrong.signer) === toHex(key.signer)) continue;
          const attempt = () => send({ ...wrong, id: key.id }, next, wrong.sign(digest), next.sign(digest));
          await refused(key.id, attempt, "DeviceKeysNotTheKey", key.id, toHex(wrong.signer));
        }
      }
    });

    it("refuses the same key", async () => {
      for (const name of RING_NAMES) {
        const [key, next] = ring()[name];
        await refused(key.id, () => rotate(key.id, key, key), "DeviceKeysSameKey", key.id);
        await rotate(key.id, key, next);
        await refused(key.id, () => rotate(key.id, next, next), "DeviceKeysSameKey", key.id);
      }
    });

    it("refuses a kind that nobody added", async () => {
      const [key, next] = ring().wots;
      const verifier = await (await world().ethers.deployContract("WotsVerifier")).getAddress();
      const unknown = { ...next, signer: fromHex(verifier + toHex(next.signer.subarray(20)).slice(2)) };
      const attempt = () => rotate(key.id, key, unknown);
      await refused(key.id, attempt, "DeviceKeysUnknownKind", toHex(unknown.signer));
      await world().registry.addKeyKind(verifier, "0x01");
      await attempt();
      expect((await registry().deviceOf(key.id)).kind).to.equal(5n);
      expect(await counts(key.id, unknown)).to.equal(true);
    });
  });

  describe("when the state is wrong", () => {
    it("refuses a device that isn't active: none, suspended, retired, revoked", async () => {
      const [unborn] = [ring().secp256k1[1]];
      const [[byOwner], [byMaker], [retired], [revoked]] = [
        ring().secp256k1,
        ring().p256,
        ring().rsa2048,
        ring().erc1271,
      ];
      await registry(owner()).suspend(byOwner.id);
      await registry(maker()).suspend(byMaker.id);
      await registry(owner()).retire(retired.id);
      await registry(maker()).revokeDevice(lot().id, revoked.id);
      for (const [key, state] of [
        [unborn, 0],
        [byOwner, 2],
        [byMaker, 2],
        [retired, 3],
        [revoked, 4],
      ] as const) {
        const attempt = () => rotate(key.id, key, ring().wots[1]);
        await refused(key.id, attempt, "DeviceRegistryWrongState", key.id, state);
      }
      await registry(owner()).resume(byOwner.id);
      await rotate(byOwner.id, byOwner, ring().wots[1]);
    });

    it("refuses a device whose key was revoked", async () => {
      const [key, next] = ring().p256;
      await registry(owner()).revokeKey(key.id, key.signer);
      await refused(key.id, () => rotate(key.id, key, next), "DeviceRegistryWrongState", key.id, 2);
    });
  });

  it("goes around when the count of key events is full, never to 0", async () => {
    const [key, spare] = ring().secp256k1;
    const device = key.id;
    await rotate(device, key, spare);
    await wearOut(world(), device, EVENTS - 1);
    await rotate(device, spare, key);
    // Were the count 0, the id alone would say which key holds.
    expect(await counts(device, key)).to.equal(true);
    const next = curveKey(world(), "one more", "p256");
    await rotate(device, key, next);
    expect([await counts(device, key), await counts(device, next)]).to.deep.equal([false, true]);
    await registry(owner()).revokeKey(device, next.signer);
    expect(await counts(device, next)).to.equal(false);
  });
});
