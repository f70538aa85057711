import { expect } from "chai";
import { ZeroAddress, ZeroHash } from "ethers";
import { installationIdOf, prefixHashOf, serialHashOf } from "../../toolkit/identity/epc.js";
import { keyOf } from "./fleet.js";
import {
  ARC,
  commission,
  core,
  DEV,
  device,
  epcOf,
  first,
  foreign,
  idOf,
  module,
  RANK,
  radio,
  SIL,
  SITE,
  STATE,
  second,
  UNKNOWN,
  Workshop,
} from "./parts.js";

describe("Provenance's makers and parts", () => {
  const shop = new Workshop();
  const { architect, silicon, maker, holder, stranger, as, of, refuses, signer } = shop;

  describe("claimPrefix", () => {
    it("refuses whoever is no issuer", async () => {
      await refuses(() => as(stranger()).claimPrefix(UNKNOWN), "ProvenanceNotIssuer", stranger().address);
      await shop.world.registry.revokeIssuer(maker().address);
      await refuses(() => as(maker()).claimPrefix(UNKNOWN), "ProvenanceNotIssuer", maker().address);
      expect(await shop.world.provenance.makerOfPrefix(UNKNOWN)).to.equal(ZeroAddress);
    });

    it("refuses a prefix that an issuer holds, its own too", async () => {
      const prefix = prefixHashOf(DEV);
      for (const who of [silicon(), maker()])
        await refuses(() => as(who).claimPrefix(prefix), "ProvenancePrefixTaken", prefix, maker().address);
    });

    it("gives a revoked issuer's prefix to another, whose parts are its own", async () => {
      await shop.world.registry.revokeIssuer(maker().address);
      const prefix = prefixHashOf(DEV);
      await expect(as(silicon()).claimPrefix(prefix))
        .to.emit(shop.world.provenance, "PrefixClaimed")
        .withArgs(prefix, silicon().address);
      const late = await commission(shop.world, silicon(), DEV, "late", RANK.module);
      expect([(await of(late)).maker, (await of(module)).maker]).to.deep.equal([silicon().address, maker().address]);
      // What was made before stays where it is, and its serial stays taken.
      await commission(shop.world, silicon(), DEV, "module", RANK.module);
      expect((await of(module)).claims).to.equal(1n);
      expect((await of(module)).custodian).to.equal(maker().address);
    });
  });

  describe("commission", () => {
    const serial = serialHashOf(epcOf(DEV, "new"));
    const prefix = prefixHashOf(DEV);
    const make = (rank: number, designs: string[] = [], who = maker(), of = prefix) =>
      as(who).commission(of, serial, rank, designs);

    it("refuses whoever is no issuer", async () => {
      await refuses(() => make(RANK.chip, [], stranger()), "ProvenanceNotIssuer", stranger().address);
      await shop.world.registry.revokeIssuer(maker().address);
      await refuses(() => make(RANK.chip), "ProvenanceNotIssuer", maker().address);
    });

    it("refuses the ranks None and Installation, and numbers that are no rank", async () => {
      for (const rank of [RANK.none, RANK.installation]) await refuses(() => make(rank), "ProvenanceWrongRank", rank);
      await expect(make(6)).to.be.revertedWithoutReason(shop.world.ethers);
      expect((await of(idOf(DEV, "new"))).rank).to.equal(0n);
    });

    it("refuses a prefix that nobody has claimed", () =>
      refuses(() => make(RANK.chip, [], maker(), UNKNOWN), "ProvenancePrefixUnknown", UNKNOWN));

    it("refuses designs in anything but a chip, and more than 16", async () => {
      for (const rank of [RANK.ipBlock, RANK.module, RANK.device])
        await refuses(() => make(rank, [core]), "ProvenanceDesignCount", rank, 1);
      await refuses(() => make(RANK.chip, Array(17).fill(core)), "ProvenanceDesignCount", RANK.chip, 17);
    });

    it("refuses designs out of order, and one twice", async () => {
      await as(architect()).setLicence(radio, maker().address, true);
      await as(architect()).setLicence(core, maker().address, true);
      const [low = "", high = ""] = [core, radio].sort();
      await refuses(() => make(RANK.chip, [high, low]), "ProvenanceDesignOrder", low);
      await refuses(() => make(RANK.chip, [low, low]), "ProvenanceDesignOrder", low);
      await refuses(() => make(RANK.chip, [ZeroHash]), "ProvenanceDesignOrder", ZeroHash);
    });

    it("refuses a design without a licence: unknown, no design, another's, no longer licensed, decommissioned", async () => {
      for (const design of [UNKNOWN, module, core])
        await refuses(() => make(RANK.chip, [design]), "ProvenanceUnlicensed", design, maker().address);
      const mine = (name: string) => commission(shop.world, silicon(), SIL, name, RANK.chip, [core]);
      await as(architect()).setLicence(core, silicon().address, false);
      await refuses(() => mine("late"), "ProvenanceUnlicensed", core, silicon().address);
      await as(architect()).setLicence(core, silicon().address, true);
      await mine("in-time");
      await as(architect()).decommission(core);
      await refuses(() => mine("too-late"), "ProvenanceUnlicensed", core, silicon().address);
      expect(await shop.world.provenance.isLicensed(core, architect().address)).to.equal(false);
    });

    it("creates a part in its maker's custody", async () => {
      const id = idOf(DEV, "new");
      expect(await as(maker()).commission.staticCall(prefix, serial, RANK.device, [])).to.deep.equal([id, true]);
      await expect(make(RANK.device))
        .to.emit(shop.world.provenance, "PartCommissioned")
        .withArgs(id, maker().address, RANK.device, prefix, serial);
      const me = maker().address;
      const expected = [BigInt(RANK.device), STATE.active, me, me, ZeroHash, id, 0n, 0n, false];
      expect(await of(id)).to.deep.equal(expected);
      expect(await shop.world.provenance.partIdOf(prefix, serial)).to.equal(id);
    });

    it("creates a chip with its designs", async () => {
      await as(architect()).setLicence(radio, silicon().address, true);
      const designs = [core, radio].sort();
      const call = as(silicon()).commission(prefixHashOf(SIL), serial, RANK.chip, designs);
      const id = await shop.world.provenance.partIdOf(prefixHashOf(SIL), serial);
      for (const design of designs)
        await expect(call).to.emit(shop.world.provenance, "DesignIncluded").withArgs(id, design);
      const { isMadeWith } = shop.world.provenance;
      expect(await isMadeWith(id, designs)).to.equal(true);
      for (const wrong of [[core], [radio, core].sort().reverse(), [], [...designs, core]])
        expect(await isMadeWith(id, wrong)).to.equal(false);
      const plain = await commission(shop.world, silicon(), SIL, "plain", RANK.chip);
      expect([
        await isMadeWith(plain, []),
        await isMadeWith(plain, [core]),
        await isMadeWith(module, []),
      ]).to.deep.equal([true, false, false]);
      // The holder of a design needs no licence.
      const own = await commission(shop.world, architect(), ARC, "own", RANK.chip, [core]);
      expect(await isMadeWith(own, [core])).to.equal(true);
    });

    it("refuses a wrong claim, changes nothing and shows it: a second one, a foreign prefix, before the true one", async () => {
      const { provenance } = shop.world;
      const before = [...(await of(module))];
      const claim = (who: ReturnType<typeof signer>, name: string, rank: number) =>
        as(who).commission(prefix, serialHashOf(epcOf(DEV, name)), rank, []);
      const shown = (call: Promise<unknown>, id: string, who: string, count: number) =>
        expect(call).to.emit(provenance, "CounterfeitClaimed").withArgs(id, who, count);
      await shown(claim(silicon(), "module", RANK.module), module, silicon().address, 1);
      await shown(claim(maker(), "module", RANK.device), module, maker().address, 2);
      expect([...(await of(module))]).to.deep.equal(before.with(7, 2n));

      const id = idOf(DEV, "new");
      await shown(claim(silicon(), "new", RANK.module), id, silicon().address, 1);
      expect([...(await of(id))]).to.deep.equal([0n, 0n, ZeroAddress, ZeroAddress, ZeroHash, ZeroHash, 0n, 1n, false]);
      expect(await as(silicon()).commission.staticCall(prefix, serial, RANK.module, [])).to.deep.equal([id, false]);
      await expect(make(RANK.module)).to.emit(provenance, "PartCommissioned");
      const { maker: by, claims } = await of(id);
      expect([by, claims]).to.deep.equal([maker().address, 1n]);
      // Not even a chip whose designs would be refused slips by unseen.
      await expect(as(silicon()).commission(prefix, serial, RANK.chip, [UNKNOWN])).to.emit(
        provenance,
        "CounterfeitClaimed",
      );
    });
  });

  describe("commissionInstallation", () => {
    const site = serialHashOf(SITE);

    it("refuses the same site twice", async () => {
      await as(holder()).commissionInstallation(site);
      const id = installationIdOf(holder().address, SITE);
      await refuses(() => as(holder()).commissionInstallation(site), "ProvenancePartKnown", id);
      await as(holder()).decommission(id);
      await refuses(() => as(holder()).commissionInstallation(site), "ProvenancePartKnown", id);
    });

    it("is for anyone, under its own account", async () => {
      for (const who of [holder(), stranger()]) {
        const id = installationIdOf(who.address, SITE);
        await expect(as(who).commissionInstallation(site))
          .to.emit(shop.world.provenance, "PartCommissioned")
          .withArgs(id, who.address, RANK.installation, ZeroHash, site);
        const expected = [
          BigInt(RANK.installation),
          STATE.active,
          ZeroAddress,
          who.address,
          ZeroHash,
          id,
          0n,
          0n,
          false,
        ];
        expect(await of(id)).to.deep.equal(expected);
        expect(await shop.world.provenance.installationIdOf(who.address, site)).to.equal(id);
      }
    });

    it("can't be made to meet a good's id", async () => {
      // A prefix that looks like the account, as an attacker would choose it.
      const prefix = `0x${holder().address.slice(2).toLowerCase().padStart(64, "0")}`;
      const good = await shop.world.provenance.partIdOf(prefix, site);
      expect(good).not.to.equal(await shop.world.provenance.installationIdOf(holder().address, site));
    });
  });

  describe("setLicence", () => {
    const set = (design: string, who = architect()) => as(who).setLicence(design, maker().address, true);

    it("refuses a part that is unknown, no design, another's, on its way", async () => {
      await refuses(() => set(UNKNOWN), "ProvenancePartUnknown", UNKNOWN);
      await refuses(() => set(module, maker()), "ProvenanceWrongRank", RANK.module);
      await refuses(() => set(core, silicon()), "ProvenanceNotCustodian", core, silicon().address);
      await as(architect()).handOver(core, holder().address);
      await refuses(() => set(core), "ProvenanceNotActive", core, STATE.inTransit);
      await refuses(() => set(core, holder()), "ProvenanceNotCustodian", core, holder().address);
      expect(await shop.world.provenance.isLicensed(core, maker().address)).to.equal(false);
    });

    it("goes with the design's custody", async () => {
      await as(architect()).handOver(core, holder().address);
      await as(holder()).accept(core, 1);
      await expect(set(core, holder()))
        .to.emit(shop.world.provenance, "LicenceSet")
        .withArgs(core, maker().address, true);
      const licensed = (who: string) => shop.world.provenance.isLicensed(core, who);
      const all = [maker(), silicon(), holder(), architect()].map(({ address }) => licensed(address));
      expect(await Promise.all(all)).to.deep.equal([true, true, true, false]);
      await refuses(() => set(core), "ProvenanceNotCustodian", core, architect().address);
    });
  });

  describe("bindDevice", () => {
    const bind = (part: string, key = first, who = maker()) => as(who).bindDevice(part, key.id);

    it("refuses an unknown part, one that is no device, whoever isn't its maker or no issuer any more", async () => {
      await refuses(() => bind(UNKNOWN), "ProvenancePartUnknown", UNKNOWN);
      await refuses(() => bind(module), "ProvenanceWrongRank", RANK.module);
      await refuses(() => bind(device, foreign, silicon()), "ProvenanceNotMaker", device, silicon().address);
      await refuses(() => bind(device, first, stranger()), "ProvenanceNotIssuer", stranger().address);
      await shop.world.registry.revokeIssuer(maker().address);
      await refuses(() => bind(device), "ProvenanceNotIssuer", maker().address);
    });

    it("refuses a device that isn't live, and one of another issuer's lot", async () => {
      for (const key of [keyOf("never"), foreign])
        await refuses(() => bind(device, key), "ProvenanceForeignDevice", key.id, maker().address);
      await refuses(() => as(maker()).bindDevice(device, ZeroAddress), "ProvenanceForeignDevice");
    });

    it("refuses a part that ended, by itself or with the whole", async () => {
      const site = installationIdOf(maker().address, SITE);
      await as(maker()).commissionInstallation(serialHashOf(SITE));
      await as(maker()).assemble(site, device);
      await as(maker()).decommission(site);
      await refuses(() => bind(device), "ProvenanceNotActive", site, STATE.decommissioned);
      const other = idOf(DEV, "device-2");
      await as(maker()).decommission(other);
      await refuses(() => bind(other), "ProvenanceNotActive", other, STATE.decommissioned);
    });

    it("binds one device to one part, and once more changes nothing", async () => {
      // The device is somebody's already: binding follows the making, not the custody.
      await as(maker()).handOver(device, holder().address);
      await as(holder()).accept(device, 1);
      await expect(bind(device)).to.emit(shop.world.provenance, "DeviceBound").withArgs(device, first.id);
      expect([(await of(device)).bound, await shop.world.provenance.partOfDevice(first.id)]).to.deep.equal([
        true,
        device,
      ]);
      expect(await as(maker()).bindDevice.staticCall(device, first.id)).to.equal(true);
      const receipt = await (await bind(device)).wait();
      expect(receipt?.logs.length).to.equal(0);
    });

    it("refuses a second binding of either, and shows it on both", async () => {
      const other = idOf(DEV, "device-2");
      await bind(device);
      await expect(bind(other)).to.emit(shop.world.provenance, "BindingRefused").withArgs(other, first.id, device);
      await expect(bind(device, second))
        .to.emit(shop.world.provenance, "BindingRefused")
        .withArgs(device, second.id, ZeroHash);
      expect(await as(maker()).bindDevice.staticCall(other, first.id)).to.equal(false);
      const [one, two] = [await of(device), await of(other)];
      expect([one.claims, one.bound, two.claims, two.bound]).to.deep.equal([2n, true, 1n, false]);
      expect(await shop.world.provenance.partOfDevice(first.id)).to.equal(device);
      expect(await shop.world.provenance.partOfDevice(second.id)).to.equal(ZeroHash);
    });
  });
});
