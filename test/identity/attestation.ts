import { expect } from "chai";
import { ZeroHash } from "ethers";
import { Attestations__factory } from "../../toolkit/contracts.js";
import { fleetLeaf, TRUST_TIERS } from "../../toolkit/identity/attestation.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { attestedFleet, DAY, DIGEST, fleetOf, GOOD, key, OTHER, shown, sibling } from "./attested.js";

const { none, affirming, warning, contraindicated } = TRUST_TIERS;

describe("Attestations", () => {
  const { world, verifier, stranger, as, now, soon, answer } = attestedFleet();

  describe("addReference", () => {
    it("numbers a verifier's measurements from 1, apart from another's", async () => {
      const { attestations } = world();
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
      const { attestations } = world();
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
      const { attestations } = world();
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
        .to.be.revertedWithCustomError(world().attestations, "AttestationsInvalidMeasurement")
        .withArgs(ZeroHash);
    });
  });

  const fleet = fleetOf(5, key.id, 2);
  const forms = {
    attest: {
      send: (ref: number, tier: number, expiry: bigint) => as().attest(key.id, ref, tier, expiry, DIGEST),
      read: () => world().attestations.resultOf(verifier().address, key.id),
      event: "DeviceAttested",
      subject: key.id,
    },
    attestFleet: {
      send: (ref: number, tier: number, expiry: bigint) => as().attestFleet(fleet.root, ref, tier, expiry, DIGEST),
      read: () => world().attestations.fleetResultOf(verifier().address, fleet.root),
      event: "FleetAttested",
      subject: fleet.root,
    },
  };

  for (const [name, { send: post, read, event, subject }] of Object.entries(forms)) {
    describe(name, () => {
      it("keeps the result and tells the rest in an event", async () => {
        const expiry = await soon();
        await expect(post(1, warning, expiry))
          .to.emit(world().attestations, event)
          .withArgs(verifier().address, subject, 1, warning, expiry, DIGEST);
        expect(await read()).to.deep.equal([1n, BigInt(warning), await now(), expiry]);
      });

      it("refuses a tier that AR4SI doesn't know", async () => {
        for (const tier of [1, 3, 31, 33, 95, 97, 255]) {
          await expect(post(1, tier, await soon()))
            .to.be.revertedWithCustomError(world().attestations, "AttestationsInvalidTier")
            .withArgs(tier);
        }
      });

      it("refuses an expiry in the past, now, or beyond a year", async () => {
        const { attestations, networkHelpers } = world();
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
        }
        for (const far of [at + year + 1n, 2n ** 64n - 1n]) {
          await expect(sendAt(far))
            .to.be.revertedWithCustomError(attestations, "AttestationsExpiryTooFar")
            .withArgs(far, at + year);
        }
        expect(await read()).to.deep.equal([0n, 0n, 0n, 0n]);
        await sendAt(at + year);
        expect(await read()).to.deep.equal([1n, BigInt(affirming), at, at + year]);
      });

      it("refuses to vouch for firmware without a reference, an unknown one, a stranger's, a recalled one", async () => {
        const { attestations } = world();
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
            world().attestations,
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

  describe("attestFleet", () => {
    it("refuses an empty root", async () => {
      await expect(as().attestFleet(ZeroHash, 1, affirming, await soon(), DIGEST))
        .to.be.revertedWithCustomError(world().attestations, "AttestationsInvalidRoot")
        .withArgs(ZeroHash);
    });
  });

  describe("digests and settings", () => {
    it("hashes leaves as the toolkit does, and names its registry and the longest validity", async () => {
      const { attestations, addresses } = world();
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
