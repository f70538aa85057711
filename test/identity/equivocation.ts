import { expect } from "chai";
import { ZeroHash } from "ethers";
import * as secp256k1 from "tiny-secp256k1";
import { Digests } from "../../toolkit/identity/digests.js";
import { concat, fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { cold, contradictions, type Words, warm } from "./contradictions.js";
import { BOND, FAR } from "./fleet.js";
import { keyEvent, keyedFleet, RING_NAMES, type RingKey, spoiled } from "./keyring.js";

const MAX = 2n ** 64n - 1n;

for (const hardfork of ["osaka", "prague"] as const) {
  describe(`DeviceRegistry's proofs of contradiction (${hardfork})`, () => {
    const fleet = keyedFleet(hardfork);
    const { world, registry, ring, lot, maker, owner, stranger } = fleet;
    const { refused, eventsOf, counts, rotate } = fleet;
    const { prove, signed, readingOf, bonded, recover, bondOf, held } = contradictions(fleet);

    describe("proveEquivocation, when two readings of one sequence contradict each other", () => {
      it("takes the bond and voids the key, for content or schema, of each kind of key", async () => {
        const pairs = [
          [warm, cold],
          [warm, { ...warm, schema: secretOf(1, "kelvin") }],
          [warm, { ...cold, schema: secretOf(1, "kelvin") }],
        ] as const;
        for (const name of RING_NAMES) {
          for (const pair of pairs) {
            const snapshot = await world().networkHelpers.takeSnapshot();
            const [key] = ring()[name];
            const previous = Number(await registry().changed(key.id));
            const before = await held();
            const { events, block, time } = await eventsOf(prove(key, pair));
            const [one, two] = pair.map((words) => toHex(world().digests.reading(readingOf(key.id, words))));
            expect(events).to.deep.equal([
              keyEvent(key.id, key, time - 1n, previous),
              ["DeviceSuspended", lot().id, key.id, 12n],
              ["EquivocationProved", stranger().address, key.id, 7n, one, two, BOND / 2n, BOND],
            ]);
            expect(await registry().changed(key.id)).to.equal(block);
            expect(await registry().standingOf(key.id)).to.deep.equal([12n, 0n]);
            expect((await registry().deviceOf(key.id)).state).to.equal(2n);
            expect((await registry().keyOf(key.id)).number).to.equal(0n);
            expect(await counts(key.id, key)).to.equal(false);
            expect(await world().itc.balanceOf(stranger().address)).to.equal(BOND / 2n);
            expect([await registry().pool(), await held()]).to.deep.equal([BOND / 2n, before - BOND / 2n]);
            await snapshot.restore();
          }
        }
      });

      it("takes any order, and the ends of each number's range", async () => {
        const ends = { sequence: MAX, time: MAX, schema: `0x${"ff".repeat(32)}`, content: ZeroHash };
        const starts = { sequence: 0n, time: 0n, schema: ZeroHash, content: ZeroHash };
        for (const pair of [
          [cold, warm],
          [ends, { ...ends, time: 0n, content: `0x${"ff".repeat(32)}` }],
          [starts, { ...starts, schema: `0x${"00".repeat(31)}01` }],
        ] as const) {
          const snapshot = await world().networkHelpers.takeSnapshot();
          await prove(ring().p256[0], pair);
          expect(await bondOf(ring().p256[0])).to.equal(0n);
          await snapshot.restore();
        }
      });

      it("splits the bond to the unit: odd amounts, one unit, none", async () => {
        await world().registry.setMinimumBond(0);
        let [reward, pool] = [0n, 0n];
        for (const bond of [0n, 1n, 2n, 3n, 10n ** 18n + 1n, 400_000n * BOND]) {
          const key = await bonded(`bond ${bond}`, bond, bond % 2n === 0n ? "secp256k1" : "p256");
          expect(await bondOf(key)).to.equal(bond);
          const before = await held();
          const { events } = await eventsOf(prove(key));
          expect(events.at(-1)?.slice(-2)).to.deep.equal([bond / 2n, bond]);
          reward += bond / 2n;
          pool += bond - bond / 2n;
          expect(await world().itc.balanceOf(stranger().address)).to.equal(reward);
          expect([await registry().pool(), await held()]).to.deep.equal([pool, before - bond / 2n]);
          await refused(key.id, () => prove(key), "DeviceKeysNothingAtStake", key.id);
        }
      });

      it("takes the bond of a suspended device, whatever holds it", async () => {
        const [[byOwner], [byMaker], [byBoth]] = [ring().secp256k1, ring().p256, ring().wots];
        for (const [key, holders] of [
          [byOwner, [owner()]],
          [byMaker, [maker()]],
          [byBoth, [owner(), maker()]],
        ] as const) {
          for (const who of holders) await registry(who).suspend(key.id);
          const { holds } = await registry().standingOf(key.id);
          const { stateSince } = await registry().deviceOf(key.id);
          await prove(key);
          expect(await registry().standingOf(key.id)).to.deep.equal([holds + 12n, 0n]);
          expect((await registry().deviceOf(key.id)).stateSince).to.equal(stateSince);
        }
      });

      it("takes the bond of a retired device until it is returned", async () => {
        const [key] = ring().p256;
        await registry(owner()).retire(key.id);
        const changed = await registry().changed(key.id);
        const { events } = await eventsOf(prove(key));
        expect(events.map(([name]) => name)).to.deep.equal(["EquivocationProved"]);
        expect((await registry().deviceOf(key.id)).state).to.equal(3n);
        expect(await registry().standingOf(key.id)).to.deep.equal([0n, 0n]);
        expect(await registry().changed(key.id)).to.equal(changed);
        expect([await world().itc.balanceOf(stranger().address), await registry().pool()]).to.deep.equal([
          BOND / 2n,
          BOND / 2n,
        ]);
        await world().networkHelpers.time.increase(await registry().bondDelay());
        await refused(key.id, () => registry().releaseBond(key.id), "DeviceRegistryBondSettled", key.id);
        await refused(key.id, () => prove(key), "DeviceKeysNothingAtStake", key.id);
        const restore = () => registry(maker()).restoreBond(key.id);
        await refused(key.id, restore, "DeviceRegistryWrongState", key.id, 3);
      });

      it("takes one bond of a lot and leaves the others", async () => {
        const before = await held();
        for (const [place, name] of RING_NAMES.entries()) {
          await prove(ring()[name][0]);
          expect(await held()).to.equal(before - BigInt(place + 1) * (BOND / 2n));
          for (const later of RING_NAMES.slice(place + 1)) expect(await bondOf(ring()[later][0])).to.equal(BOND);
        }
        expect(await held()).to.equal(await registry().pool());
      });
    });

    describe("proveEquivocation, when nothing is contradicted", () => {
      const keys = () => [ring().secp256k1[0], ring().p256[0]];

      it("refuses readings that differ in time alone", async () => {
        for (const key of keys()) {
          const attempt = () => prove(key, [warm, { ...warm, time: warm.time + 1n }]);
          await refused(key.id, attempt, "DeviceKeysNotContradictory", key.id, 7);
        }
      });

      it("refuses one reading twice, and one signed twice", async () => {
        for (const key of keys()) {
          await refused(key.id, () => prove(key, [warm, warm]), "DeviceKeysNotContradictory", key.id, 7);
        }
        // The same words under another nonce: a second signature, and no second word.
        const digest = world().digests.reading(readingOf(ring().secp256k1[0].id, warm));
        const { signature, recoveryId } = secp256k1.signRecoverable(
          digest,
          fromHex(secretOf(1, "ring-0")),
          new Uint8Array(32).fill(9),
        );
        const again = concat(signature, Uint8Array.of(27 + recoveryId));
        const key = ring().secp256k1[0];
        expect(toHex(again)).to.not.equal(toHex(signed(key, warm)));
        expect(await registry().isSignedByDevice(key.id, digest, key.signer, again)).to.equal(true);
        const attempt = () => prove(key, [warm, warm], [signed(key, warm), again]);
        await refused(key.id, attempt, "DeviceKeysNotContradictory", key.id, 7);
      });

      it("refuses readings of two sequence numbers", async () => {
        const next = { ...cold, sequence: 8n };
        for (const key of keys()) {
          for (const pair of [
            [warm, next],
            [next, warm],
          ] as const) {
            const attempt = () => prove(key, pair);
            await refused(key.id, attempt, "DeviceKeysInvalidSignature", key.id, toHex(key.signer));
          }
        }
      });
    });

    describe("proveEquivocation, when a signature is wrong", () => {
      /** Refused in the place of either reading. */
      async function bad(key: RingKey, signature: (words: Words) => Uint8Array): Promise<void> {
        for (const signatures of [
          [signature(warm), signed(key, cold)],
          [signed(key, warm), signature(cold)],
        ]) {
          const attempt = () => prove(key, [warm, cold], signatures);
          await refused(key.id, attempt, "DeviceKeysInvalidSignature", key.id, toHex(key.signer));
        }
      }

      it("refuses either one: missing, cut, spoiled, of another key, swapped", async () => {
        for (const name of RING_NAMES) {
          const [key, spare] = ring()[name];
          const many = spoiled(key, signed(key, warm)).length;
          for (let place = 0; place < many; place++) {
            await bad(key, (words) => spoiled(key, signed(key, words))[place] ?? new Uint8Array(0));
          }
          await bad(key, (words) => signed(spare, words, key.id));
          await bad(key, (words) => signed(key, words === warm ? cold : warm));
        }
      });

      it("refuses another device's readings", async () => {
        for (const name of ["secp256k1", "p256"] as const) {
          const [key] = ring()[name];
          const [victim] = ring()[name === "p256" ? "secp256k1" : "p256"];
          await bad(key, (words) => signed(key, words, victim.id));
          // Framing somebody with a key of one's own.
          const attempt = () => prove(key, [warm, cold], undefined, victim.id);
          await refused(victim.id, attempt, "DeviceKeysNotTheKey", victim.id, toHex(key.signer));
          const own = [signed(key, warm, victim.id), signed(key, cold, victim.id)];
          const second = () => prove(key, [warm, cold], own, victim.id);
          await refused(victim.id, second, "DeviceKeysNotTheKey", victim.id, toHex(key.signer));
          const third = () => prove(victim, [warm, cold], own);
          await refused(victim.id, third, "DeviceKeysInvalidSignature", victim.id, toHex(victim.signer));
        }
      });

      it("refuses readings for another chain or contract", async () => {
        const { chainId, addresses } = world();
        const registryHere = addresses.DeviceRegistry;
        for (const [key] of [ring().secp256k1, ring().p256]) {
          for (const domain of [
            { chainId: chainId + 1n, registry: registryHere },
            { chainId, registry: addresses.ITC },
          ]) {
            await bad(key, (words) => key.sign(new Digests(domain).reading(readingOf(key.id, words))));
          }
        }
      });

      it("refuses other messages passed off as readings", async () => {
        const { digests } = world();
        for (const [key, spare] of [ring().secp256k1, ring().p256]) {
          const { id: device } = key;
          await bad(key, () => key.sign(digests.keyChange({ device, signer: spare.signer, nonce: 0n, deadline: FAR })));
          await bad(key, () =>
            key.sign(digests.activation({ device, lot: lot().id, owner: owner().address, deadline: FAR })),
          );
          await bad(key, (words) => key.sign(digests.recoveryVeto(device, fromHex(words.content))));
          await bad(key, (words) => key.sign(fromHex(words.content)));
        }
      });
    });

    describe("proveEquivocation, when the key is not the device's any more", () => {
      it("refuses readings of a key that was replaced, both or one of two", async () => {
        for (const name of ["secp256k1", "p256"] as const) {
          const [key, next] = ring()[name];
          const device = key.id;
          await rotate(device, key, next);
          await refused(device, () => prove(key), "DeviceKeysNotTheKey", device, toHex(key.signer));
          for (const signatures of [
            [signed(key, warm), signed(next, cold, device)],
            [signed(next, warm, device), signed(key, cold)],
          ]) {
            const attempt = () => prove(next, [warm, cold], signatures, device);
            await refused(device, attempt, "DeviceKeysInvalidSignature", device, toHex(next.signer));
            const old = () => prove(key, [warm, cold], signatures);
            await refused(device, old, "DeviceKeysNotTheKey", device, toHex(key.signer));
          }
          await prove(next, [warm, cold], [signed(next, warm, device), signed(next, cold, device)], device);
          expect(await bondOf(key)).to.equal(0n);
        }
      });

      it("refuses a device whose key was revoked, retired after that as well", async () => {
        for (const [key] of [ring().secp256k1, ring().p256]) {
          await registry(owner()).revokeKey(key.id, key.signer);
          await refused(key.id, () => prove(key), "DeviceKeysNotTheKey", key.id, toHex(key.signer));
          await registry(owner()).retire(key.id);
          await refused(key.id, () => prove(key), "DeviceKeysNotTheKey", key.id, toHex(key.signer));
        }
      });
    });

    describe("proveEquivocation, when the device doesn't answer for it", () => {
      it("refuses one that is unknown or revoked", async () => {
        const [revoked, unborn] = ring().secp256k1;
        await registry(maker()).revokeDevice(lot().id, revoked.id);
        await refused(revoked.id, () => prove(revoked), "DeviceRegistryWrongState", revoked.id, 4);
        await refused(unborn.id, () => prove(unborn), "DeviceRegistryWrongState", unborn.id, 0);
      });

      it("refuses one whose bond was returned", async () => {
        const [key] = ring().secp256k1;
        await registry(owner()).retire(key.id);
        await world().networkHelpers.time.increase(await registry().bondDelay());
        await registry().releaseBond(key.id);
        await refused(key.id, () => prove(key), "DeviceKeysNothingAtStake", key.id);
      });

      it("refuses a second proof", async () => {
        const [key] = ring().p256;
        await prove(key);
        for (const pair of [
          [warm, cold],
          [warm, { ...cold, content: ZeroHash }],
        ] as const) {
          await refused(key.id, () => prove(key, pair), "DeviceKeysNothingAtStake", key.id);
        }
        await recover(key, ring().secp256k1[1]);
        const next = ring().secp256k1[1];
        const said = [signed(next, warm, key.id), signed(next, cold, key.id)];
        const attempt = () => prove(next, [warm, cold], said, key.id);
        await refused(key.id, attempt, "DeviceKeysNothingAtStake", key.id);
      });
    });
  });
}
