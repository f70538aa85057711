import { expect } from "chai";
import { type ContractTransactionResponse, ZeroAddress, ZeroHash } from "ethers";
import { Attestations__factory } from "../../toolkit/contracts.js";
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
import { type Deployed, deployed } from "../support.js";
import { activationOf, type EnrolledLot, enrolLot, keyOf, makeIssuer, send } from "./fleet.js";

const GOOD = secretOf(1, "firmware 1.4.2");
const OTHER = secretOf(1, "firmware 1.4.3");
const DIGEST = secretOf(1, "token");
const DAY = 86_400n;
const { none, affirming, warning, contraindicated } = TRUST_TIERS;

const keys = Array.from({ length: 4 }, (_, k) => keyOf(`attested-${k}`));
const [key = keyOf("attested-0"), sibling = keyOf("attested-1"), asleep = keyOf("attested-2")] = keys;
const foreign = keyOf("attested-foreign");

/** A fleet of so many, with the device at a place. */
function fleetOf(size: number, device: DeviceId = key.id, place = 0): FleetTree {
  const others = Array.from({ length: size - 1 }, (_, k) => `0x${(k + 1).toString(16).padStart(40, "0")}` as DeviceId);
  return new FleetTree([...others.slice(0, place), device, ...others.slice(place)]);
}

describe("Attestations", () => {
  let world: Deployed;
  let lot: EnrolledLot;
  let restore: () => Promise<void>;
  const signer = (k: number) => world.accounts[k] ?? world.operator;
  const maker = () => signer(0);
  const rival = () => signer(1);
  const owner = () => signer(2);
  const verifier = () => signer(3);
  const stranger = () => signer(4);
  const as = (who = verifier()) => world.attestations.connect(who);
  const now = async () => BigInt(await world.networkHelpers.time.latest());
  const soon = async () => (await now()) + DAY;

  before(async () => {
    world = await deployed();
    await makeIssuer(world, maker());
    await makeIssuer(world, rival());
    lot = await enrolLot(world, maker(), keys);
    const foreignLot = await enrolLot(world, rival(), [foreign]);
    for (const device of [key, sibling]) await send(world, activationOf(world, lot, device, owner().address));
    await send(world, activationOf(world, foreignLot, foreign, owner().address));
    await as().addReference(GOOD, "1.4.2");
  });

  beforeEach(async () => {
    const snapshot = await world.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  /** What the view answers on a device; asked of the verifier unless another is named. */
  async function answer(query: Partial<RelianceQuery> = {}): Promise<Obstacle> {
    const { relied, obstacle } = await relianceOn(world.attestations, {
      device: key.id,
      verifier: verifier().address,
      ...query,
    });
    expect(relied).to.equal(obstacle === "none");
    return obstacle;
  }

  const shown = (fleet: FleetTree, device: DeviceId = key.id) => ({
    device,
    fleet: { root: fleet.root, proof: fleet.prove(device) },
  });

  /** Mines transactions together, in this order, so that they have one time. */
  async function inOneBlock(...calls: (() => Promise<ContractTransactionResponse>)[]): Promise<void> {
    await world.provider.request({ method: "evm_setAutomine", params: [false] });
    const sent: ContractTransactionResponse[] = [];
    for (const call of calls) sent.push(await call());
    await world.networkHelpers.mine();
    await world.provider.request({ method: "evm_setAutomine", params: [true] });
    const blocks = await Promise.all(sent.map(async (transaction) => (await transaction.wait())?.blockNumber));
    expect(new Set(blocks).size).to.equal(1);
  }

  describe("addReference", () => {
    it("numbers a verifier's measurements from 1, apart from another's", async () => {
      const { attestations } = world;
      await expect(as().addReference(OTHER, "1.4.3"))
        .to.emit(attestations, "ReferenceAdded")
        .withArgs(verifier().address, 2, OTHER, "1.4.3");
      await expect(as(stranger()).addReference(OTHER, ""))
        .to.emit(attestations, "ReferenceAdded")
        .withArgs(stranger().address, 1, OTHER, "");
      expect(await attestations.referenceCountOf(verifier().address)).to.equal(2n);
      expect(await attestations.measurementOf(verifier().address, 1)).to.equal(GOOD);
      expect(await attestations.measurementOf(verifier().address, 2)).to.equal(OTHER);
      expect(await attestations.measurementOf(stranger().address, 2)).to.equal(ZeroHash);
    });

    it("refuses no measurement and one that the sender has recalled", async () => {
      const { attestations } = world;
      await expect(as().addReference(ZeroHash, "nothing"))
        .to.be.revertedWithCustomError(attestations, "AttestationsInvalidMeasurement")
        .withArgs(ZeroHash);
      await as().recall(OTHER);
      await expect(as().addReference(OTHER, "bad"))
        .to.be.revertedWithCustomError(attestations, "AttestationsMeasurementRecalled")
        .withArgs(verifier().address, OTHER);
      expect(await attestations.referenceCountOf(verifier().address)).to.equal(1n);
    });

    it("takes a measurement twice, and a recall ends both", async () => {
      await as().addReference(GOOD, "1.4.2 again");
      await as().attest(key.id, 1, affirming, await soon(), DIGEST);
      await as().attest(sibling.id, 2, affirming, await soon(), DIGEST);
      await as().recall(GOOD);
      expect([await answer(), await answer({ device: sibling.id })]).to.deep.equal([
        "recalledByVerifier",
        "recalledByVerifier",
      ]);
    });
  });

  describe("recall", () => {
    it("is anyone's own word, once, and may come first", async () => {
      const { attestations } = world;
      await expect(as(stranger()).recall(OTHER))
        .to.emit(attestations, "MeasurementRecalled")
        .withArgs(stranger().address, OTHER);
      expect(await attestations.recalledAt(stranger().address, OTHER)).to.equal(await now());
      expect(await attestations.recalledAt(verifier().address, OTHER)).to.equal(0n);
      await expect(as(stranger()).recall(OTHER))
        .to.be.revertedWithCustomError(attestations, "AttestationsMeasurementRecalled")
        .withArgs(stranger().address, OTHER);
      await as().addReference(OTHER, "good to me");
    });

    it("refuses no measurement", async () => {
      await expect(as().recall(ZeroHash))
        .to.be.revertedWithCustomError(world.attestations, "AttestationsInvalidMeasurement")
        .withArgs(ZeroHash);
    });
  });

  const fleet = fleetOf(5, key.id, 2);
  const forms = {
    attest: {
      send: (ref: number, tier: number, expiry: bigint) => as().attest(key.id, ref, tier, expiry, DIGEST),
      read: () => world.attestations.resultOf(verifier().address, key.id),
      event: "DeviceAttested",
      subject: key.id,
    },
    attestFleet: {
      send: (ref: number, tier: number, expiry: bigint) => as().attestFleet(fleet.root, ref, tier, expiry, DIGEST),
      read: () => world.attestations.fleetResultOf(verifier().address, fleet.root),
      event: "FleetAttested",
      subject: fleet.root,
    },
  };

  for (const [name, { send: post, read, event, subject }] of Object.entries(forms)) {
    describe(name, () => {
      it("keeps the result and tells the rest in an event", async () => {
        const expiry = await soon();
        await expect(post(1, warning, expiry))
          .to.emit(world.attestations, event)
          .withArgs(verifier().address, subject, 1, warning, expiry, DIGEST);
        expect(await read()).to.deep.equal([1n, BigInt(warning), await now(), expiry]);
      });

      it("refuses a tier that AR4SI doesn't know", async () => {
        for (const tier of [1, 3, 31, 33, 95, 97, 255]) {
          await expect(post(1, tier, await soon()))
            .to.be.revertedWithCustomError(world.attestations, "AttestationsInvalidTier")
            .withArgs(tier);
        }
      });

      it("refuses an expiry in the past, now, or beyond a year", async () => {
        const { attestations, networkHelpers } = world;
        const year = await attestations.maxValidity();
        const at = (await now()) + 100n;
        const sendAt = async (expiry: bigint) => {
          await networkHelpers.time.setNextBlockTimestamp(at);
          return post(1, affirming, expiry);
        };
        for (const past of [0n, 1n, at - 1n, at]) {
          await expect(sendAt(past))
            .to.be.revertedWithCustomError(attestations, "AttestationsExpiryPast")
            .withArgs(past);
          await restore();
          await takeAgain();
        }
        for (const far of [at + year + 1n, 2n ** 64n - 1n]) {
          await expect(sendAt(far))
            .to.be.revertedWithCustomError(attestations, "AttestationsExpiryTooFar")
            .withArgs(far, at + year);
          await restore();
          await takeAgain();
        }
        expect(await read()).to.deep.equal([0n, 0n, 0n, 0n]);
        await sendAt(at + year);
        expect(await read()).to.deep.equal([1n, BigInt(affirming), at, at + year]);
      });

      it("refuses to vouch for firmware without a reference, an unknown one, a stranger's, a recalled one", async () => {
        const { attestations } = world;
        await as(stranger()).addReference(OTHER, "");
        await as(stranger()).addReference(OTHER, "");
        for (const tier of [affirming, warning]) {
          for (const ref of [0, 2, 2 ** 32 - 1]) {
            await expect(post(ref, tier, await soon()))
              .to.be.revertedWithCustomError(attestations, "AttestationsReferenceUnknown")
              .withArgs(verifier().address, ref);
          }
        }
        await as().recall(GOOD);
        for (const tier of [affirming, warning, contraindicated, none]) {
          await expect(post(1, tier, await soon()))
            .to.be.revertedWithCustomError(attestations, "AttestationsMeasurementRecalled")
            .withArgs(verifier().address, GOOD);
        }
        expect(await read()).to.deep.equal([0n, 0n, 0n, 0n]);
      });

      it("takes no reference for what matches none", async () => {
        for (const tier of [none, contraindicated]) {
          await expect(post(2, tier, await soon())).to.be.revertedWithCustomError(
            world.attestations,
            "AttestationsReferenceUnknown",
          );
          const expiry = await soon();
          await post(0, tier, expiry);
          expect(await read()).to.deep.equal([0n, BigInt(tier), await now(), expiry]);
        }
      });

      it("replaces the last result when sent again", async () => {
        const expiry = await soon();
        await post(1, affirming, expiry + DAY);
        await post(1, affirming, expiry);
        await post(1, affirming, expiry);
        expect(await read()).to.deep.equal([1n, BigInt(affirming), await now(), expiry]);
        await post(0, contraindicated, expiry);
        expect(await answer(name === "attest" ? {} : shown(fleet))).to.equal("contraindicated");
      });
    });
  }

  async function takeAgain(): Promise<void> {
    const snapshot = await world.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  }

  describe("attestFleet", () => {
    it("refuses an empty root", async () => {
      await expect(as().attestFleet(ZeroHash, 1, affirming, await soon(), DIGEST))
        .to.be.revertedWithCustomError(world.attestations, "AttestationsInvalidRoot")
        .withArgs(ZeroHash);
    });
  });

  describe("relianceOn, asked without a verifier", () => {
    const ask = (query: Partial<RelianceQuery> = {}) => answer({ verifier: ZeroAddress, ...query });

    // Suspended and retired join here when the registry has them.
    const states: readonly [string, Obstacle, DeviceId, () => Promise<unknown>][] = [
      ["active", "none", key.id, async () => undefined],
      ["never activated", "deviceUnknown", asleep.id, async () => undefined],
      ["in no lot", "deviceUnknown", ZeroAddress as DeviceId, async () => undefined],
      ["revoked", "deviceRevoked", key.id, () => world.registry.connect(maker()).revokeDevice(lot.id, key.id)],
    ];
    for (const [state, obstacle, device, reach] of states) {
      it(`names each state that isn't active: ${state} is ${obstacle}`, async () => {
        await reach();
        expect(await ask({ device })).to.equal(obstacle);
      });
    }

    it("names an issuer that was revoked", async () => {
      await world.registry.revokeIssuer(maker().address);
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
      await world.networkHelpers.time.increaseTo(expiry - 1n);
      expect([await answer(), await answer(shown(fleet))]).to.deep.equal(["none", "none"]);
      await world.networkHelpers.time.increaseTo(expiry);
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
      const { words } = await relianceOn(world.attestations, { device: key.id, verifier: verifier().address });
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
      await world.networkHelpers.time.increaseTo(expiry);
      expect(await answer()).to.equal("expired");
    });

    it("names the first of several obstacles, in the order of the list", async () => {
      const { registry } = world;
      const expiry = await soon();
      await as().attestFleet(fleet.root, 1, contraindicated, expiry, DIGEST);
      const wrong = { device: key.id, fleet: { root: fleet.root, proof: { path: 0n, siblings: [] } } };
      // Each step puts an obstacle before those that are there.
      const steps: [Obstacle, () => Promise<unknown>, Partial<RelianceQuery>][] = [
        ["contraindicated", async () => undefined, shown(fleet)],
        ["recalledByIssuer", () => as(maker()).recall(GOOD), shown(fleet)],
        ["recalledByVerifier", () => as().recall(GOOD), shown(fleet)],
        ["expired", () => world.networkHelpers.time.increaseTo(expiry), shown(fleet)],
        ["proofInvalid", async () => undefined, wrong],
        ["notAttested", async () => undefined, { ...wrong, verifier: stranger().address }],
        ["assuranceTooLow", async () => undefined, { ...wrong, level: 3 }],
        ["issuerRevoked", () => registry.revokeIssuer(maker().address), { ...wrong, level: 3 }],
        ["deviceRevoked", () => registry.connect(maker()).revokeDevice(lot.id, key.id), { ...wrong, level: 3 }],
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
      await world.networkHelpers.time.increaseTo(expiry);
      expect(await answer(shown(fleet))).to.equal("expired");
    });

    it("is no older root that the verifier has withdrawn", async () => {
      const smaller = fleetOf(4, sibling.id);
      await all(affirming, await soon());
      await as().attestFleet(smaller.root, 1, affirming, await soon(), DIGEST);
      expect(await answer(shown(fleet))).to.equal("none");
      await all(none, await soon());
      expect(await answer(shown(fleet))).to.equal("notAttested");
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
      const call = { ...activationOf(world, lot, asleep, owner().address), lot: fleet.root };
      await expect(send(world, call)).to.be.revertedWithCustomError(world.registry, "DeviceRegistryLotUnknown");
      await world.itc.connect(maker()).approve(world.addresses.DeviceRegistry, 2n ** 256n - 1n);
      const disguised = new FleetTree([asleep.id, key.id]);
      await world.registry.connect(maker()).enrolLot(disguised.root, 2, 2, 10n ** 18n);
      const { path, siblings } = disguised.prove(asleep.id);
      const id = await world.registry.lotIdOf(maker().address, disguised.root);
      await expect(send(world, { ...call, lot: id, path, proof: siblings.map(toHex) })).to.be.revertedWithCustomError(
        world.registry,
        "DeviceRegistryInvalidProof",
      );
    });
  });

  describe("digests and settings", () => {
    it("hashes leaves as the toolkit does, and names its registry and the longest validity", async () => {
      const { attestations, addresses } = world;
      expect(await attestations.fleetLeafOf(key.id)).to.equal(toHex(fleetLeaf(key.id)));
      expect(await attestations.registry()).to.equal(addresses.DeviceRegistry);
      expect(await attestations.maxValidity()).to.equal(366n * DAY);
    });
  });

  describe("device ABI", () => {
    it("is such that what devices call takes only what a C generator can say", () => {
      const { abi } = Attestations__factory;
      for (const called of ["attest", "attestFleet", "relianceOn", "resultOf", "fleetResultOf"]) {
        const [entry, ...twins] = abi.filter((item) => item.type === "function" && item.name === called);
        expect([entry === undefined, twins.length]).to.deep.equal([false, 0]);
        for (const { type, name } of entry && "inputs" in entry ? entry.inputs : []) {
          expect(type).to.match(/^(bool|address|uint(8|16|32|64|128|256)|bytes32)(\[\])?$/);
          expect(name).to.match(/^[a-z]\w+$/);
        }
      }
    });
  });
});
