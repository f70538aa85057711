import { expect } from "chai";
import { ZeroAddress } from "ethers";
import {
  FleetTree,
  fleetLeaf,
  type Obstacle,
  type RelianceQuery,
  relianceOn,
  TRUST_TIERS,
} from "../../toolkit/identity/attestation.js";
import type { DeviceId } from "../../toolkit/identity/keys.js";
import { LotTree, lotLeaf } from "../../toolkit/identity/lots.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { leafHash, MerkleTree, nodeHash } from "../../toolkit/internal/merkle.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import {
  asleep,
  attestedFleet,
  DAY,
  DIGEST,
  fleetOf,
  foreign,
  GOOD,
  key,
  keys,
  OTHER,
  shown,
  sibling,
} from "./attested.js";
import { activationOf, send } from "./fleet.js";

const { none, affirming, warning, contraindicated } = TRUST_TIERS;

describe("Reliance on devices", () => {
  const { world, lot, maker, owner, verifier, stranger, as, soon, answer, inOneBlock } = attestedFleet();
  const fleet = fleetOf(5, key.id, 2);

  describe("relianceOn, asked without a verifier", () => {
    const ask = (query: Partial<RelianceQuery> = {}) => answer({ verifier: ZeroAddress, ...query });

    // Suspended and retired join here when the registry has them.
    const states: readonly [string, Obstacle, DeviceId, () => Promise<unknown>][] = [
      ["active", "none", key.id, async () => undefined],
      ["never activated", "deviceUnknown", asleep.id, async () => undefined],
      ["in no lot", "deviceUnknown", ZeroAddress as DeviceId, async () => undefined],
      ["revoked", "deviceRevoked", key.id, () => world().registry.connect(maker()).revokeDevice(lot().id, key.id)],
    ];
    for (const [state, obstacle, device, reach] of states) {
      it(`names each state that isn't active: ${state} is ${obstacle}`, async () => {
        await reach();
        expect(await ask({ device })).to.equal(obstacle);
      });
    }

    it("names an issuer that was revoked", async () => {
      await world().registry.revokeIssuer(maker().address);
      expect([await ask(), await ask({ device: foreign.id })]).to.deep.equal(["issuerRevoked", "none"]);
    });

    it("names an assurance below the level, and takes the level itself", async () => {
      expect([await ask({ level: 0 }), await ask({ level: 2 })]).to.deep.equal(["none", "none"]);
      expect([await ask({ level: 3 }), await ask({ level: 255 })]).to.deep.equal([
        "assuranceTooLow",
        "assuranceTooLow",
      ]);
    });

    it("looks at no attestation", async () => {
      await as().attest(key.id, 0, contraindicated, await soon(), DIGEST);
      expect(await ask(shown(fleet))).to.equal("none");
    });
  });

  describe("relianceOn, asked with a verifier", () => {
    it("relies on what was affirmed, alone and by fleets of 1 to 100", async () => {
      await as().attest(sibling.id, 1, affirming, await soon(), DIGEST);
      expect(await answer({ device: sibling.id, level: 2 })).to.equal("none");
      for (const size of [1, 2, 3, 7, 64, 100]) {
        const mine = fleetOf(size, key.id, size - 1);
        await as().attestFleet(mine.root, 1, affirming, await soon(), DIGEST);
        expect(await answer(shown(mine))).to.equal("none");
        expect(await answer()).to.equal("notAttested");
        expect(mine.size).to.equal(size);
      }
    });

    it("names a device that nobody attested, and a verifier without results", async () => {
      expect(await answer()).to.equal("notAttested");
      expect(await answer(shown(fleet))).to.equal("notAttested");
      await as().attest(key.id, 1, affirming, await soon(), DIGEST);
      expect(await answer({ device: sibling.id })).to.equal("notAttested");
    });

    it("believes no other verifier, nor one's root for another's", async () => {
      await as(stranger()).addReference(GOOD, "");
      await as(stranger()).attest(key.id, 1, affirming, await soon(), DIGEST);
      await as(stranger()).attestFleet(fleet.root, 1, affirming, await soon(), DIGEST);
      expect([await answer(), await answer(shown(fleet))]).to.deep.equal(["notAttested", "notAttested"]);
      const asked = { verifier: stranger().address };
      expect([await answer(asked), await answer({ ...asked, ...shown(fleet) })]).to.deep.equal(["none", "none"]);
      // Nor does a stranger's recall or bad word count.
      await as().attest(key.id, 1, affirming, await soon(), DIGEST);
      await as(stranger()).attest(key.id, 0, contraindicated, await soon(), DIGEST);
      await as(stranger()).recall(GOOD);
      expect([await answer(), await answer(asked)]).to.deep.equal(["none", "contraindicated"]);
    });

    it("names a result that makes no assertion", async () => {
      await as().attest(key.id, 1, affirming, await soon(), DIGEST);
      await as().attest(key.id, 1, none, await soon(), DIGEST);
      expect(await answer()).to.equal("notAttested");
    });

    it("names an expired result, at that very second", async () => {
      const expiry = await soon();
      await as().attest(key.id, 1, affirming, expiry, DIGEST);
      await as().attestFleet(fleet.root, 1, affirming, expiry, DIGEST);
      await world().networkHelpers.time.increaseTo(expiry - 1n);
      expect([await answer(), await answer(shown(fleet))]).to.deep.equal(["none", "none"]);
      await world().networkHelpers.time.increaseTo(expiry);
      expect([await answer(), await answer(shown(fleet))]).to.deep.equal(["expired", "expired"]);
    });

    it("names firmware recalled by the verifier, for all devices at once", async () => {
      await as().addReference(OTHER, "1.4.3");
      await as().attest(sibling.id, 1, affirming, await soon(), DIGEST);
      await as().attest(foreign.id, 2, affirming, await soon(), DIGEST);
      await as().attestFleet(fleet.root, 1, affirming, await soon(), DIGEST);
      await as().recall(GOOD);
      expect(await answer({ device: sibling.id })).to.equal("recalledByVerifier");
      expect(await answer(shown(fleet))).to.equal("recalledByVerifier");
      expect(await answer({ device: foreign.id })).to.equal("none");
    });

    it("names firmware recalled by the maker, for its own devices alone", async () => {
      for (const device of [key.id, foreign.id]) await as().attest(device, 1, affirming, await soon(), DIGEST);
      await as(maker()).recall(GOOD);
      expect([await answer(), await answer({ device: foreign.id })]).to.deep.equal(["recalledByIssuer", "none"]);
      const { words } = await relianceOn(world().attestations, { device: key.id, verifier: verifier().address });
      expect(words).to.equal("no: firmware recalled by its maker");
    });

    it("names a contraindicated device", async () => {
      await as().attest(key.id, 1, contraindicated, await soon(), DIGEST);
      await as().attest(sibling.id, 0, contraindicated, await soon(), DIGEST);
      expect([await answer(), await answer({ device: sibling.id })]).to.deep.equal([
        "contraindicated",
        "contraindicated",
      ]);
    });

    it("names a warning last, so that one may live with it", async () => {
      const expiry = await soon();
      await as().attest(key.id, 1, warning, expiry, DIGEST);
      expect([await answer(), await answer({ level: 3 })]).to.deep.equal(["warning", "assuranceTooLow"]);
      await as(maker()).recall(GOOD);
      expect(await answer()).to.equal("recalledByIssuer");
      await world().networkHelpers.time.increaseTo(expiry);
      expect(await answer()).to.equal("expired");
    });

    it("names the first of several obstacles, in the order of the list", async () => {
      const { registry } = world();
      const expiry = await soon();
      await as().attestFleet(fleet.root, 1, contraindicated, expiry, DIGEST);
      const wrong = { device: key.id, fleet: { root: fleet.root, proof: { path: 0n, siblings: [] } } };
      // Each step puts an obstacle before those that are there.
      const steps: [Obstacle, () => Promise<unknown>, Partial<RelianceQuery>][] = [
        ["contraindicated", async () => undefined, shown(fleet)],
        ["recalledByIssuer", () => as(maker()).recall(GOOD), shown(fleet)],
        ["recalledByVerifier", () => as().recall(GOOD), shown(fleet)],
        ["expired", () => world().networkHelpers.time.increaseTo(expiry), shown(fleet)],
        ["proofInvalid", async () => undefined, wrong],
        ["notAttested", async () => undefined, { ...wrong, verifier: stranger().address }],
        ["assuranceTooLow", async () => undefined, { ...wrong, level: 3 }],
        ["issuerRevoked", () => registry.revokeIssuer(maker().address), { ...wrong, level: 3 }],
        ["deviceRevoked", () => registry.connect(maker()).revokeDevice(lot().id, key.id), { ...wrong, level: 3 }],
      ];
      for (const [obstacle, add, query] of steps) {
        await add();
        expect(await answer(query)).to.equal(obstacle);
      }
    });
  });

  describe("which result counts", () => {
    const one = (tier: number, expiry: bigint) => as().attest(key.id, 1, tier, expiry, DIGEST);
    const all = (tier: number, expiry: bigint) => as().attestFleet(fleet.root, 1, tier, expiry, DIGEST);

    it("is the newer of the device's and the fleet's", async () => {
      await all(affirming, await soon());
      await one(contraindicated, await soon());
      expect(await answer(shown(fleet))).to.equal("contraindicated");
      await all(affirming, await soon());
      expect([await answer(shown(fleet)), await answer()]).to.deep.equal(["none", "contraindicated"]);
      await one(warning, await soon());
      expect(await answer(shown(fleet))).to.equal("warning");
    });

    it("is the device's if both are of one second, in either order", async () => {
      const expiry = await soon();
      const limit = { gasLimit: 200_000 };
      const condemn = () => as().attest(key.id, 0, contraindicated, expiry, DIGEST, limit);
      const affirm = () => as().attestFleet(fleet.root, 1, affirming, expiry, DIGEST, limit);
      for (const order of [
        [condemn, affirm],
        [affirm, condemn],
      ]) {
        await inOneBlock(...order);
        expect(await answer(shown(fleet))).to.equal("contraindicated");
      }
    });

    it("is the newer even if it has expired", async () => {
      const expiry = await soon();
      await all(affirming, expiry + 9n * DAY);
      await one(contraindicated, expiry);
      await world().networkHelpers.time.increaseTo(expiry);
      expect(await answer(shown(fleet))).to.equal("expired");
    });

    it("is no older root that the verifier has withdrawn", async () => {
      const smaller = fleetOf(4, sibling.id);
      await all(affirming, await soon());
      await as().attestFleet(smaller.root, 1, affirming, await soon(), DIGEST);
      expect(await answer(shown(fleet))).to.equal("none");
      await all(none, await soon());
      expect(await answer(shown(fleet))).to.equal("notAttested");
      const unproved = { root: fleet.root, proof: { path: 0n, siblings: [] } };
      expect(await answer({ fleet: unproved })).to.equal("notAttested");
      expect(await answer(shown(smaller, sibling.id))).to.equal("none");
    });
  });

  describe("proofs", () => {
    const show = (root: string, path: bigint, siblings: readonly Uint8Array[], device = key.id) =>
      answer({ device, fleet: { root, proof: { path, siblings } } });
    const post = async (root: string) => as().attestFleet(root, 1, affirming, await soon(), DIGEST);

    it("takes no proof of length 0 but for a fleet of one", async () => {
      const alone = fleetOf(1);
      await post(alone.root);
      await post(fleet.root);
      expect(alone.prove(key.id).siblings.length).to.equal(0);
      expect(await show(alone.root, 0n, [])).to.equal("none");
      expect(await show(fleet.root, 0n, [])).to.equal("proofInvalid");
      expect(await show(alone.root, 1n, [])).to.equal("proofInvalid");
    });

    it("answers proofs of length 64, 65, 250, 251 and 256, and never reverts", async () => {
      for (const [length, obstacle] of [
        [64, "none"],
        [65, "proofInvalid"],
        [250, "proofInvalid"],
        [251, "proofInvalid"],
        [256, "proofInvalid"],
      ] as const) {
        const siblings = Array.from({ length }, (_, k) => fromHex(secretOf(length, `sibling ${k}`)));
        const root = siblings.reduce((hash, next) => nodeHash(next, hash), fleetLeaf(key.id));
        await post(toHex(root));
        expect(await show(toHex(root), 2n ** BigInt(length) - 1n, siblings)).to.equal(obstacle);
      }
    });

    it("refuses a second spelling of a path", async () => {
      await post(fleet.root);
      const { path, siblings } = fleet.prove(key.id);
      expect(await show(fleet.root, path, siblings)).to.equal("none");
      for (const bit of [BigInt(siblings.length), 5n + BigInt(siblings.length), 255n]) {
        expect(await show(fleet.root, path | (1n << bit), siblings)).to.equal("proofInvalid");
      }
    });

    it("refuses another device's proof, and a root of which nobody made a result", async () => {
      await post(fleet.root);
      const { path, siblings } = fleet.prove(key.id);
      expect(await show(fleet.root, path, siblings, sibling.id)).to.equal("proofInvalid");
      expect(await show(fleetOf(6).root, path, siblings)).to.equal("notAttested");
      expect(await show(fleet.root, path ^ 1n, siblings)).to.equal("proofInvalid");
    });

    it("takes no leaf of another kind, nor an inner node", async () => {
      const lots = new LotTree(keys);
      const lotProof = lots.prove(key.id);
      await post(lots.root);
      expect(await show(lots.root, lotProof.path, lotProof.siblings)).to.equal("proofInvalid");
      const bare = new MerkleTree([leafHash(fromHex(key.id)), lotLeaf(sibling)]);
      await post(toHex(bare.root));
      expect(await show(toHex(bare.root), 0n, bare.prove(0).siblings)).to.equal("proofInvalid");
      // Nor is the fleet's leaf one of a lot.
      const call = { ...activationOf(world(), lot(), asleep, owner().address), lot: fleet.root };
      await expect(send(world(), call)).to.be.revertedWithCustomError(world().registry, "LotBookLotUnknown");
      const disguised = new FleetTree([asleep.id, key.id]);
      await world()
        .registry.connect(maker())
        .enrolLot(disguised.root, 2, 2, 10n ** 18n);
      const { path, siblings } = disguised.prove(asleep.id);
      const id = await world().registry.lotIdOf(maker().address, disguised.root);
      await expect(send(world(), { ...call, lot: id, path, proof: siblings.map(toHex) })).to.be.revertedWithCustomError(
        world().registry,
        "DeviceRegistryInvalidProof",
      );
    });
  });
});
