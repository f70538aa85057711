import { expect } from "chai";
import { toHex } from "../../toolkit/internal/bytes.js";
import { cold, contradictions, warm } from "./contradictions.js";
import { BOND, FAR } from "./fleet.js";
import { keyedFleet } from "./keyring.js";

describe("DeviceRegistry's bonds after a fault", () => {
  const fleet = keyedFleet();
  const { world, registry, ring, maker, owner, stranger, other, refused, eventsOf, counts, keyChange } = fleet;
  const { prove, signed, bonded, recover, held } = contradictions(fleet);

  describe("restoreBond", () => {
    it("takes the bond anew, and the device waits for another key", async () => {
      const key = await bonded("odd", BOND + 1n);
      await prove(key);
      const [before, registryHeld] = [await world().itc.balanceOf(maker().address), await held()];
      const { events } = await eventsOf(registry(maker()).restoreBond(key.id));
      const { lot: from } = await registry().deviceOf(key.id);
      expect(events).to.deep.equal([
        ["DeviceResumed", from, key.id, 4n, 8n],
        ["BondMoved", maker().address, key.id, BOND + 1n, false],
      ]);
      expect(await world().itc.balanceOf(maker().address)).to.equal(before - BOND - 1n);
      expect(await held()).to.equal(registryHeld + BOND + 1n);
      expect(await registry().standingOf(key.id)).to.deep.equal([8n, BOND + 1n]);
      expect(await registry().isActive(key.id)).to.equal(false);
      await recover(key, ring().p256[1]);
      expect(await registry().isActive(key.id)).to.equal(true);
    });

    it("works after the recovery as well", async () => {
      const [key] = ring().secp256k1;
      await prove(key);
      await recover(key, ring().p256[1]);
      expect(await registry().standingOf(key.id)).to.deep.equal([4n, 0n]);
      expect(await counts(key.id, ring().p256[1])).to.equal(false);
      await registry(maker()).restoreBond(key.id);
      expect(await registry().standingOf(key.id)).to.deep.equal([0n, BOND]);
      expect(await counts(key.id, ring().p256[1])).to.equal(true);
    });

    it("does not let the same readings count again", async () => {
      for (const [key, next] of [
        [ring().secp256k1[0], ring().rsa2048[1]],
        [ring().p256[0], ring().wots[1]],
      ] as const) {
        await prove(key);
        await registry(maker()).restoreBond(key.id);
        await refused(key.id, () => prove(key), "DeviceKeysNotTheKey", key.id, toHex(key.signer));
        const same = key.sign(await keyChange(key.id, key));
        const back = () => registry(owner()).requestRecovery(key.id, key.signer, FAR, same);
        await refused(key.id, back, "DeviceKeysVoidKey", key.id, toHex(key.signer));
        await recover(key, next);
        await refused(key.id, () => prove(key), "DeviceKeysNotTheKey", key.id, toHex(key.signer));
        const said = [signed(next, warm, key.id), signed(next, cold, key.id)];
        await prove(next, [warm, cold], said, key.id);
        expect(await registry().standingOf(key.id)).to.deep.equal([12n, 0n]);
      }
    });

    it("is for the issuer, after a fault, while the device is suspended, if it pays", async () => {
      const [[key], [sound], [unborn]] = [ring().secp256k1, ring().p256, [ring().secp256k1[1]]];
      const restore = (who = maker(), device = key) => registry(who).restoreBond(device.id);
      await refused(sound.id, () => restore(maker(), sound), "DeviceRegistryWrongState", sound.id, 1);
      await registry(maker()).suspend(sound.id);
      await refused(sound.id, () => restore(maker(), sound), "DeviceRegistryNoFault", sound.id);
      const nobody = () => restore(maker(), unborn);
      await refused(unborn.id, nobody, "DeviceRegistryNotAllowed", unborn.id, maker().address);
      await prove(key);
      for (const who of [owner(), stranger(), world().operator]) {
        const attempt = () => registry(who as ReturnType<typeof owner>).restoreBond(key.id);
        await refused(key.id, attempt, "DeviceRegistryNotAllowed", key.id, who.address);
      }
      const { itc, addresses } = world();
      await itc.connect(maker()).approve(addresses.DeviceRegistry, BOND - 1n);
      const before = await registry().standingOf(key.id);
      await expect(restore())
        .to.be.revertedWithCustomError(itc, "ERC20InsufficientAllowance")
        .withArgs(addresses.DeviceRegistry, BOND - 1n, BOND);
      expect(await registry().standingOf(key.id)).to.deep.equal(before);
      await itc.connect(maker()).approve(addresses.DeviceRegistry, BOND);
      await restore();
      await refused(key.id, () => restore(), "DeviceRegistryNoFault", key.id);
    });
  });

  describe("spendPool", () => {
    it("is for the treasurer alone", async () => {
      await prove(ring().p256[0]);
      for (const who of [stranger(), maker(), owner()]) {
        const attempt = () => registry(who).spendPool(who.address, 1n);
        await refused(ring().p256[0].id, attempt, "AccessManagedUnauthorized", who.address);
      }
      await world().authority.grantRole(2n, other().address, 0);
      await registry(other()).spendPool(other().address, 1n);
      expect(await world().itc.balanceOf(other().address)).to.equal(1n);
    });

    it("pays from the pool to the unit, never from bonds", async () => {
      const spend = (amount: bigint) => world().registry.spendPool(other().address, amount);
      const key = await bonded("three", BOND + 3n);
      await refused(key.id, () => spend(1n), "LotBookPoolTooSmall", 1n, 0n);
      await prove(key);
      const pool = BOND / 2n + 2n;
      expect(await registry().pool()).to.equal(pool);
      for (const amount of [pool + 1n, 2n ** 128n, 2n ** 256n - 1n]) {
        await refused(key.id, () => spend(amount), "LotBookPoolTooSmall", amount, pool);
      }
      const before = await held();
      const { events } = await eventsOf(spend(pool - 1n));
      expect(events).to.deep.equal([["PoolSpent", other().address, pool - 1n]]);
      expect([await registry().pool(), await held()]).to.deep.equal([1n, before - pool + 1n]);
      expect(await world().itc.balanceOf(other().address)).to.equal(pool - 1n);
      await refused(key.id, () => spend(2n), "LotBookPoolTooSmall", 2n, 1n);
      await spend(1n);
      await spend(0n);
      expect(await registry().pool()).to.equal(0n);
    });
  });
});
