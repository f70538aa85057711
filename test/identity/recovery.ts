import { expect } from "chai";
import { Digests } from "../../toolkit/identity/digests.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { contradictions } from "./contradictions.js";
import { FAR } from "./fleet.js";
import { curveKey, FOREVER, fingerprint, keyEvent, keyedFleet, RING_NAMES, type RingKey, spoiled } from "./keyring.js";

describe("DeviceRegistry's recovery of keys", () => {
  const fleet = keyedFleet();
  const { world, registry, ring, lot, maker, owner, stranger, other, now } = fleet;
  const { refused, eventsOf, counts, keyChange, rotate } = fleet;
  const { prove } = contradictions(fleet);
  const key = () => ring().secp256k1[0];
  const next = () => ring().p256[1];

  const send = (device: RingKey, to: RingKey, signature: Uint8Array, who = owner(), deadline = FAR) =>
    registry(who).requestRecovery(device.id, to.signer, deadline, signature);

  /** A request that is right; tells when it can be completed. */
  async function request(device: RingKey, to: RingKey, who = owner()): Promise<bigint> {
    await send(device, to, to.sign(await keyChange(device.id, to)), who);
    return (await now()) + (await registry().recoveryDelay());
  }

  const complete = (device: RingKey, from: RingKey | undefined, to: RingKey, readyAt: bigint) =>
    registry().completeRecovery(device.id, from?.signer ?? "0x", to.signer, readyAt);

  const wait = (readyAt: bigint) => world().networkHelpers.time.increaseTo(readyAt);

  const veto = async (device: RingKey, by = device, who = stranger()) => {
    const digest = fromHex(await registry().cancelRecoveryDigest(device.id));
    return registry(who).cancelRecovery(device.id, by.signer, by.sign(digest));
  };

  describe("requestRecovery", () => {
    it("is for the owner, of an active or a suspended device, to a key of each kind", async () => {
      for (const suspended of [false, true]) {
        if (suspended) await registry(owner()).suspend(key().id);
        for (const name of RING_NAMES) {
          const [, to] = ring()[name];
          const before = await registry().changed(key().id);
          const { events, time } = await eventsOf(send(key(), to, to.sign(await keyChange(key().id, to))));
          const readyAt = time + 3_600n;
          expect(await registry().recoveryDelay()).to.equal(3_600n);
          expect(events).to.deep.equal([["RecoveryRequested", owner().address, key().id, toHex(to.signer), readyAt]]);
          // Nothing of the device has changed yet.
          expect(await registry().changed(key().id)).to.equal(before);
          expect(await counts(key().id, key())).to.equal(!suspended);
        }
      }
    });

    it("is for nobody else: issuer, operator, the device's account, an owner before", async () => {
      const said = next().sign(await keyChange(key().id, next()));
      await registry(owner()).approve(other().address, key().id);
      await registry(owner()).setApprovalForAll(other().address, true);
      await world().networkHelpers.impersonateAccount(key().id);
      await world().networkHelpers.setBalance(key().id, 10n ** 18n);
      const account = await world().ethers.getSigner(key().id);
      for (const who of [maker(), other(), stranger(), account]) {
        const attempt = () => send(key(), next(), said, who);
        await refused(key().id, attempt, "DeviceRegistryNotAllowed", key().id, who.address);
      }
      await registry(owner()).transferFrom(owner().address, other().address, key().id);
      const late = () => send(key(), next(), said);
      await refused(key().id, late, "DeviceRegistryNotAllowed", key().id, owner().address);
      await send(key(), next(), said, other());
    });

    it("refuses a new key that didn't sign this, or is the present one, or of no kind", async () => {
      const { chainId, addresses, digests } = world();
      for (const name of RING_NAMES) {
        const [device] = ring()[name];
        const [, to] = ring()[name];
        const change = { device: device.id, signer: to.signer, nonce: 0n, deadline: FAR };
        const right = digests.keyChange(change);
        for (const bad of [
          ...spoiled(to, to.sign(right)),
          device.sign(right),
          to.sign(digests.keyChange({ ...change, nonce: 1n })),
          to.sign(digests.keyChange({ ...change, deadline: FAR + 1n })),
          to.sign(digests.keyChange({ ...change, device: to.id })),
          to.sign(new Digests({ chainId: chainId + 1n, registry: addresses.DeviceRegistry }).keyChange(change)),
          to.sign(new Digests({ chainId, registry: addresses.ITC }).keyChange(change)),
        ]) {
          const attempt = () => send(device, to, bad);
          await refused(device.id, attempt, "DeviceKeysInvalidSignature", device.id, toHex(to.signer));
        }
        const same = device.sign(await keyChange(device.id, device));
        await refused(device.id, () => send(device, device, same), "DeviceKeysSameKey", device.id);
      }
      const unknown = { ...next(), signer: next().signer.subarray(1) };
      await refused(key().id, () => send(key(), unknown, same()), "DeviceKeysUnknownKind", toHex(unknown.signer));
    });
    const same = () => new Uint8Array(65);

    it("refuses a key that was revoked or contradicted itself just before", async () => {
      const [first, spare] = ring().secp256k1;
      const [point] = ring().p256;
      await rotate(first.id, first, spare);
      await registry(owner()).revokeKey(first.id, spare.signer);
      await prove(point);
      await registry(owner()).revokeKey(ring().wots[0].id, ring().wots[0].signer);
      for (const [device, void_] of [
        [first, spare],
        [point, point],
        [ring().wots[0], ring().wots[0]],
      ] as const) {
        const said = void_.sign(await keyChange(device.id, void_));
        await refused(device.id, () => send(device, void_, said), "DeviceKeysVoidKey", device.id, toHex(void_.signer));
      }
    });

    it("refuses a signature after its deadline, and not at it", async () => {
      const deadline = (await now()) + 50n;
      const said = next().sign(await keyChange(key().id, next(), deadline));
      const attempt = () => send(key(), next(), said, owner(), deadline);
      const snapshot = await world().networkHelpers.takeSnapshot();
      await wait(deadline);
      await refused(key().id, attempt, "DeviceKeysExpired", deadline);
      await snapshot.restore();
      await world().networkHelpers.time.setNextBlockTimestamp(deadline);
      await expect(attempt()).to.emit(registry(), "RecoveryRequested");
    });

    it("refuses a device that isn't alive", async () => {
      const [retired, revoked, unborn] = [ring().secp256k1[0], ring().rsa2048[0], ring().secp256k1[1]];
      await registry(owner()).retire(retired.id);
      await registry(maker()).revokeDevice(lot().id, revoked.id);
      for (const [device, state] of [
        [unborn, 0],
        [retired, 3],
        [revoked, 4],
      ] as const) {
        const said = next().sign(await keyChange(device.id, next()));
        await refused(device.id, () => send(device, next(), said), "DeviceRegistryWrongState", device.id, state);
      }
    });

    it("replaces an earlier request", async () => {
      const first = await request(key(), next());
      const to = ring().wots[1];
      const second = await request(key(), to);
      await wait(second);
      const attempt = () => complete(key(), key(), next(), first);
      await refused(key().id, attempt, "DeviceKeysNoRecovery", key().id);
      await complete(key(), key(), to, second);
      expect(await counts(key().id, to)).to.equal(true);
    });
  });

  describe("completeRecovery", () => {
    it("gives the device its key from the very second on, sent by anyone, and assurance 0", async () => {
      for (const name of RING_NAMES) {
        const [device] = ring()[name];
        const [, to] = ring()[name === "p256" ? "rsa2048" : "p256"];
        const readyAt = await request(device, to);
        const previous = Number(await registry().changed(device.id));
        await wait(readyAt - 2n);
        await world().networkHelpers.time.setNextBlockTimestamp(readyAt - 1n);
        const attempt = () => complete(device, device, to, readyAt);
        await refused(device.id, attempt, "DeviceKeysRecoveryNotReady", device.id, readyAt);
        await world().networkHelpers.time.setNextBlockTimestamp(readyAt);
        const { events, block } = await eventsOf(attempt());
        expect(events).to.deep.equal([
          keyEvent(device.id, device, readyAt - 1n, previous),
          keyEvent(device.id, to, FOREVER, block),
          ["AssuranceStated", lot().id, device.id, 0n],
        ]);
        const { state, kind, assurance } = await registry().deviceOf(device.id);
        expect([state, kind, assurance]).to.deep.equal([1n, BigInt(to.kind), 0n]);
        expect(await registry().keyOf(device.id)).to.deep.equal([fingerprint(to), 3n]);
        expect([await counts(device.id, device), await counts(device.id, to)]).to.deep.equal([false, true]);
      }
    });

    it("gives a device whose key was revoked another and resumes it", async () => {
      await registry(maker()).revokeKey(key().id, key().signer);
      const readyAt = await request(key(), next());
      await wait(readyAt + 1_000_000n);
      const previous = Number(await registry().changed(key().id));
      const { events, time } = await eventsOf(complete(key(), undefined, next(), readyAt));
      expect(events).to.deep.equal([
        keyEvent(key().id, next(), FOREVER, previous),
        ["AssuranceStated", lot().id, key().id, 0n],
        ["DeviceResumed", lot().id, key().id, 8n, 0n],
      ]);
      const { state, stateSince, assurance } = await registry().deviceOf(key().id);
      expect([state, stateSince, assurance]).to.deep.equal([1n, time, 0n]);
      expect(await registry().keyOf(key().id)).to.deep.equal([fingerprint(next()), 3n]);
      expect([await counts(key().id, key()), await counts(key().id, next())]).to.deep.equal([false, true]);
    });

    it("does not resume a device that something else holds", async () => {
      for (const [place, name] of (["secp256k1", "p256", "wots"] as const).entries()) {
        const [device] = ring()[name];
        const to = curveKey(world(), `held ${place}`, "p256");
        if (place === 2) await prove(device);
        else await registry([owner(), maker()][place]).suspend(device.id);
        if (place === 1) await registry(owner()).revokeKey(device.id, device.signer);
        const readyAt = await request(device, to);
        await wait(readyAt);
        const { events } = await eventsOf(complete(device, device, to, readyAt));
        const left = [1n, 2n, 4n][place] ?? 0n;
        if (place === 0) expect(events.map(([event]) => event)).to.not.include("DeviceResumed");
        else expect(events.at(-1)).to.deep.equal(["DeviceResumed", lot().id, device.id, 8n, left]);
        expect((await registry().standingOf(device.id)).holds).to.equal(left);
        expect((await registry().deviceOf(device.id)).state).to.equal(2n);
        expect(await counts(device.id, to)).to.equal(false);
      }
    });

    it("refuses another present key, another new key, another time and a second go", async () => {
      const readyAt = await request(key(), next());
      await wait(readyAt);
      const wrong = ring().erc1271[1];
      for (const from of [wrong, next(), undefined]) {
        const attempt = () => complete(key(), from, next(), readyAt);
        await refused(key().id, attempt, "DeviceKeysNotTheKey", key().id, toHex(from?.signer ?? new Uint8Array(0)));
      }
      for (const [to, time] of [
        [wrong, readyAt],
        [key(), readyAt],
        [next(), readyAt - 1n],
        [next(), readyAt + 1n],
        [next(), 0n],
        [{ ...next(), signer: new Uint8Array(0) }, readyAt],
      ] as const) {
        await refused(key().id, () => complete(key(), key(), to, time), "DeviceKeysNoRecovery", key().id);
      }
      await complete(key(), key(), next(), readyAt);
      for (const from of [key(), next()]) {
        await refused(key().id, () => complete(key(), from, next(), readyAt), "DeviceKeysNoRecovery", key().id);
      }
    });

    it("refuses where nothing was asked for", async () => {
      await refused(key().id, () => complete(key(), key(), next(), 0n), "DeviceKeysNoRecovery", key().id);
      const unborn = ring().secp256k1[1];
      const attempt = () => complete(unborn, unborn, next(), 0n);
      await refused(unborn.id, attempt, "DeviceRegistryWrongState", unborn.id, 0);
    });

    it("leaves a lot's lower assurance alone, and lets the issuer state it again", async () => {
      const readyAt = await request(key(), next());
      await wait(readyAt);
      await complete(key(), key(), next(), readyAt);
      expect((await registry().deviceOf(ring().p256[0].id)).assurance).to.equal(2n);
      await registry(maker()).stateAssurance(key().id, 1);
      expect((await registry().deviceOf(key().id)).assurance).to.equal(1n);
    });
  });

  describe("cancelRecovery", () => {
    it("is for the owner, the issuer, and anyone with the device's signature", async () => {
      for (const name of RING_NAMES) {
        const [device] = ring()[name];
        for (const by of [
          () => registry(owner()).cancelRecovery(device.id, "0x", "0x"),
          () => registry(maker()).cancelRecovery(device.id, "0x", "0x"),
          () => veto(device),
        ]) {
          const readyAt = await request(device, next());
          const { events } = await eventsOf(by());
          expect(events.map(([event, , id]) => [event, id])).to.deep.equal([["RecoveryCancelled", device.id]]);
          await wait(readyAt);
          const attempt = () => complete(device, device, next(), readyAt);
          await refused(device.id, attempt, "DeviceKeysNoRecovery", device.id);
        }
      }
      await request(key(), next());
      const { events } = await eventsOf(veto(key(), key(), other()));
      expect(events).to.deep.equal([["RecoveryCancelled", other().address, key().id]]);
    });

    it("is for nobody without it, or with another message's", async () => {
      for (const name of RING_NAMES) {
        const [device, spare] = ring()[name];
        await request(device, next());
        const digest = fromHex(await registry().cancelRecoveryDigest(device.id));
        const { digests } = world();
        for (const bad of [
          ...spoiled(device, device.sign(digest)),
          spare.sign(digest),
          device.sign(digests.recoveryVeto(spare.id, new Uint8Array(32))),
          device.sign(digests.recoveryVeto(device.id, new Uint8Array(32))),
          device.sign(await keyChange(device.id, next())),
        ]) {
          const attempt = () => registry().cancelRecovery(device.id, device.signer, bad);
          await refused(device.id, attempt, "DeviceKeysInvalidSignature", device.id, toHex(device.signer));
        }
        for (const by of [spare, next()]) {
          const attempt = () => veto(device, by);
          await refused(device.id, attempt, "DeviceKeysNotTheKey", device.id, toHex(by.signer));
        }
        const empty = () => registry(other()).cancelRecovery(device.id, "0x", "0x");
        await refused(device.id, empty, "DeviceKeysNotTheKey", device.id, "0x");
      }
    });

    it("does not serve for the next request", async () => {
      await request(key(), next());
      const first = key().sign(fromHex(await registry().cancelRecoveryDigest(key().id)));
      const replay = () => registry().cancelRecovery(key().id, key().signer, first);
      await replay();
      await request(key(), next());
      await refused(key().id, replay, "DeviceKeysInvalidSignature", key().id, toHex(key().signer));
      await request(key(), ring().wots[1]);
      await refused(key().id, replay, "DeviceKeysInvalidSignature", key().id, toHex(key().signer));
    });

    it("is not for a key that was revoked", async () => {
      await registry(owner()).revokeKey(key().id, key().signer);
      await request(key(), next());
      const attempt = () => veto(key());
      await refused(key().id, attempt, "DeviceKeysNotTheKey", key().id, toHex(key().signer));
      await registry(maker()).cancelRecovery(key().id, "0x", "0x");
    });

    it("refuses where nothing is pending", async () => {
      const attempts = [owner(), maker(), stranger()].map(
        (who) => () => registry(who).cancelRecovery(key().id, "0x", "0x"),
      );
      for (const attempt of [...attempts, () => veto(key())]) {
        await refused(key().id, attempt, "DeviceKeysNoRecovery", key().id);
      }
      await request(key(), next());
      await veto(key());
      for (const attempt of attempts) await refused(key().id, attempt, "DeviceKeysNoRecovery", key().id);
    });
  });

  describe("a pending recovery", () => {
    /** Nobody can complete it any more. */
    async function isVoid(readyAt: bigint, from: RingKey | undefined = key()): Promise<void> {
      if ((await now()) < readyAt) await wait(readyAt);
      await refused(key().id, () => complete(key(), from, next(), readyAt), "DeviceKeysNoRecovery", key().id);
    }

    it("ends with a transfer, there and back as well", async () => {
      const readyAt = await request(key(), next());
      await registry(owner()).transferFrom(owner().address, other().address, key().id);
      await isVoid(readyAt);
      await registry(other()).transferFrom(other().address, owner().address, key().id);
      await isVoid(readyAt);
      const again = await request(key(), next());
      await registry(owner()).changeOwner(key().id, other().address);
      await registry(other()).changeOwner(key().id, owner().address);
      await isVoid(again);
      const last = await request(key(), next());
      await wait(last);
      await complete(key(), key(), next(), last);
    });

    it("ends with a rotation, there and back as well", async () => {
      const spare = ring().secp256k1[1];
      const readyAt = await request(key(), next());
      await rotate(key().id, key(), spare);
      await isVoid(readyAt, spare);
      await rotate(key().id, spare, key());
      await isVoid(readyAt);
    });

    it("ends with the revocation of the key", async () => {
      const readyAt = await request(key(), next());
      await registry(owner()).revokeKey(key().id, key().signer);
      await isVoid(readyAt);
      await isVoid(readyAt, undefined);
    });

    it("ends with a proved contradiction", async () => {
      const readyAt = await request(key(), next());
      await prove(key());
      await isVoid(readyAt);
    });

    it("ends with the device, retired or revoked", async () => {
      for (const [state, end] of [
        [3, () => registry(owner()).retire(key().id)],
        [4, () => registry(maker()).revokeDevice(lot().id, key().id)],
      ] as const) {
        const snapshot = await world().networkHelpers.takeSnapshot();
        const readyAt = await request(key(), next());
        await end();
        await wait(readyAt);
        const attempt = () => complete(key(), key(), next(), readyAt);
        await refused(key().id, attempt, "DeviceRegistryWrongState", key().id, state);
        await snapshot.restore();
      }
    });
  });
});
