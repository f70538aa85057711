import { expect } from "chai";
import { ZeroAddress, ZeroHash } from "ethers";
import { installationIdOf, serialHashOf } from "../../toolkit/identity/epc.js";
import {
  ARC,
  chip,
  commission,
  core,
  DEV,
  device,
  epcOf,
  idOf,
  module,
  RANK,
  SIL,
  STATE,
  spare,
  UNKNOWN,
  Workshop,
} from "./parts.js";

describe("Provenance's trees and custody", () => {
  const shop = new Workshop();
  const { architect, silicon, maker, holder, stranger, as, of, refuses, build } = shop;

  describe("assemble", () => {
    const put = (parent: string, child: string, who = maker()) => as(who).assemble(parent, child);

    it("refuses parts that are unknown, another's, on their way, ended, inside already", async () => {
      await refuses(() => put(UNKNOWN, module), "ProvenancePartUnknown", UNKNOWN);
      await refuses(() => put(ZeroHash, module), "ProvenancePartUnknown", ZeroHash);
      await refuses(() => put(device, UNKNOWN), "ProvenancePartUnknown", UNKNOWN);
      await refuses(() => put(module, chip), "ProvenanceNotCustodian", chip, maker().address);
      await refuses(() => put(module, chip, silicon()), "ProvenanceNotCustodian", module, silicon().address);
      await as(maker()).handOver(device, holder().address);
      await refuses(() => put(device, module), "ProvenanceNotActive", device, STATE.inTransit);
      await as(maker()).cancel(device, 1);
      await as(maker()).handOver(module, holder().address);
      await refuses(() => put(device, module), "ProvenanceNotActive", module, STATE.inTransit);
      await as(maker()).cancel(module, 1);
      await put(device, module);
      await refuses(() => put(idOf(DEV, "device-2"), module), "ProvenanceInside", module, device);
      await refuses(() => put(device, module), "ProvenanceInside", module, device);
      await as(maker()).decommission(spare);
      await refuses(() => put(device, spare), "ProvenanceNotActive", spare, STATE.decommissioned);
      await as(maker()).decommission(device);
      const late = await commission(shop.world, maker(), DEV, "late", RANK.chip);
      // In a part at any depth of what has ended.
      await refuses(() => put(module, late), "ProvenanceNotActive", device, STATE.decommissioned);
    });

    it("refuses a rank that isn't below: itself, equal, higher, a design", async () => {
      const below = (parent: string, child: string, ranks: [number, number], who = maker()) =>
        refuses(() => put(parent, child, who), "ProvenanceRankOrder", ...ranks);
      await below(module, module, [RANK.module, RANK.module]);
      await below(module, spare, [RANK.module, RANK.module]);
      await below(module, device, [RANK.module, RANK.device]);
      const own = await commission(shop.world, architect(), ARC, "own", RANK.chip);
      await below(own, core, [RANK.chip, RANK.ipBlock], architect());
      await below(core, own, [RANK.ipBlock, RANK.chip], architect());
      const sites = [1, 2].map((k) => epcOf("7654321", `site-${k}`));
      for (const site of sites) await as(maker()).commissionInstallation(serialHashOf(site));
      const [one = "", two = ""] = sites.map((site) => installationIdOf(maker().address, site));
      await below(one, two, [RANK.installation, RANK.installation]);
    });

    it("refuses the 4,097th", async () => {
      // The count is in the first slot of the part, 27 bytes from its right end; mapping `_parts` is the contract's first.
      const { provider, addresses } = shop.world;
      const slot = shop.world.ethers.solidityPackedKeccak256(["bytes32", "uint256"], [device, 0]);
      const word = BigInt(await shop.world.ethers.provider.getStorage(addresses.Provenance, slot));
      const full = `0x${(word | (4095n << (27n * 8n))).toString(16).padStart(64, "0")}`;
      await provider.request({ method: "hardhat_setStorageAt", params: [addresses.Provenance, slot, full] });
      expect((await of(device)).children).to.equal(4095n);
      await put(device, module);
      expect((await of(device)).children).to.equal(4096n);
      await refuses(() => put(device, spare), "ProvenanceFull", device);
      await as(maker()).replace(device, module, spare);
      await as(maker()).disassemble(device, spare);
      await put(device, module);
    });

    it("puts a part in, and custody follows the whole", async () => {
      await as(silicon()).handOver(chip, maker().address);
      await as(maker()).accept(chip, 1);
      await expect(put(module, chip)).to.emit(shop.world.provenance, "PartAssembled").withArgs(module, chip);
      await put(device, module);
      const me = maker().address;
      const expected = [BigInt(RANK.chip), STATE.active, silicon().address, me, module, device, 0n, 0n, false];
      expect(await of(chip)).to.deep.equal(expected);
      expect([(await of(module)).children, (await of(device)).children]).to.deep.equal([1n, 1n]);
      await as(maker()).handOver(device, holder().address);
      expect((await of(chip)).state).to.equal(STATE.inTransit);
      await as(holder()).accept(device, 1);
      expect((await of(chip)).custodian).to.equal(holder().address);
      // The one who has the device may open it at any depth, the one who built it may not.
      await refuses(() => as(maker()).disassemble(module, chip), "ProvenanceNotCustodian", device, maker().address);
      await as(holder()).disassemble(module, chip);
    });
  });

  describe("disassemble", () => {
    const take = (parent: string, child: string, who = maker()) => as(who).disassemble(parent, child);

    it("refuses parts that are unknown, another's, on their way, not in there, in there deeper", async () => {
      await build();
      await refuses(() => take(UNKNOWN, module), "ProvenancePartUnknown", UNKNOWN);
      await refuses(() => take(ZeroHash, device), "ProvenancePartUnknown", ZeroHash);
      await refuses(() => take(device, UNKNOWN), "ProvenanceNotInside", UNKNOWN, device);
      await refuses(() => take(device, spare), "ProvenanceNotInside", spare, device);
      await refuses(() => take(device, chip), "ProvenanceNotInside", chip, device);
      await refuses(() => take(device, module, silicon()), "ProvenanceNotCustodian", device, silicon().address);
      await as(maker()).handOver(device, holder().address);
      await refuses(() => take(module, chip), "ProvenanceNotActive", device, STATE.inTransit);
      await as(maker()).cancel(device, 1);
      await as(maker()).decommission(device);
      await refuses(() => take(module, chip), "ProvenanceNotActive", device, STATE.decommissioned);
    });

    it("leaves the part with whoever holds the whole", async () => {
      await build();
      await as(maker()).handOver(device, holder().address);
      await as(holder()).accept(device, 1);
      await expect(take(device, module, holder()))
        .to.emit(shop.world.provenance, "PartDisassembled")
        .withArgs(device, module);
      const { custodian, parent, root, state } = await of(module);
      expect([custodian, parent, root, state]).to.deep.equal([holder().address, ZeroHash, module, STATE.active]);
      expect([(await of(device)).children, (await of(chip)).root]).to.deep.equal([0n, module]);
      await refuses(() => take(device, module, holder()), "ProvenanceNotInside", module, device);
    });
  });

  describe("replace", () => {
    const swap = (parent: string, removed: string, added: string, who = maker()) =>
      as(who).replace(parent, removed, added);

    it("refuses what disassemble and assemble refuse, and a part by itself", async () => {
      await build();
      await refuses(() => swap(UNKNOWN, module, spare), "ProvenancePartUnknown", UNKNOWN);
      await refuses(() => swap(device, module, UNKNOWN), "ProvenancePartUnknown", UNKNOWN);
      await refuses(() => swap(device, chip, spare), "ProvenanceNotInside", chip, device);
      await refuses(() => swap(device, UNKNOWN, spare), "ProvenanceNotInside", UNKNOWN, device);
      await refuses(() => swap(device, module, module), "ProvenanceInside", module, device);
      await refuses(() => swap(device, module, spare, holder()), "ProvenanceNotCustodian", device, holder().address);
      await refuses(() => swap(module, chip, spare), "ProvenanceRankOrder", RANK.module, RANK.module);
      const theirs = await commission(shop.world, silicon(), SIL, "theirs", RANK.module);
      await refuses(() => swap(device, module, theirs), "ProvenanceNotCustodian", theirs, maker().address);
      await as(maker()).handOver(spare, holder().address);
      await refuses(() => swap(device, module, spare), "ProvenanceNotActive", spare, STATE.inTransit);
    });

    it("swaps two parts, in a full parent too", async () => {
      await build();
      await expect(swap(device, module, spare))
        .to.emit(shop.world.provenance, "PartReplaced")
        .withArgs(device, module, spare);
      const [out, inside, whole] = [await of(module), await of(spare), await of(device)];
      expect([out.parent, inside.parent, whole.children]).to.deep.equal([ZeroHash, device, 1n]);
      // What was in the removed part stays in it. (The full parent: see assemble.)
      expect([out.children, (await of(chip)).root]).to.deep.equal([1n, module]);
    });
  });

  describe("handOver", () => {
    const give = (part: string, who = maker(), to = holder().address) => as(who).handOver(part, to);

    it("refuses a part that is unknown, inside, another's, on its way, ended", async () => {
      await build();
      await refuses(() => give(UNKNOWN), "ProvenancePartUnknown", UNKNOWN);
      await refuses(() => give(module), "ProvenanceInside", module, device);
      await refuses(() => give(device, silicon()), "ProvenanceNotCustodian", device, silicon().address);
      await give(device);
      await refuses(() => give(device), "ProvenanceNotActive", device, STATE.inTransit);
      await as(maker()).decommission(spare);
      await refuses(() => give(spare), "ProvenanceNotActive", spare, STATE.decommissioned);
    });

    it("refuses to go to nobody and to oneself", async () => {
      for (const to of [ZeroAddress, maker().address])
        await refuses(() => give(device, maker(), to), "ProvenanceInvalidReceiver", to);
    });

    it("changes nobody's custody", async () => {
      await expect(give(device))
        .to.emit(shop.world.provenance, "HandedOver")
        .withArgs(device, maker().address, holder().address, 1);
      const { custodian, state } = await of(device);
      expect([custodian, state]).to.deep.equal([maker().address, STATE.inTransit]);
      expect(await shop.world.provenance.handOverOf(device)).to.deep.equal([holder().address, 1n]);
      await refuses(() => as(holder()).decommission(device), "ProvenanceNotCustodian", device, holder().address);
    });
  });

  describe("accept", () => {
    const take = (part: string, number: number, who = holder()) => as(who).accept(part, number);

    it("refuses a part that is unknown, not on its way, on its way to another", async () => {
      await refuses(() => take(UNKNOWN, 0), "ProvenancePartUnknown", UNKNOWN);
      await refuses(() => take(device, 0), "ProvenanceNotReceiver", device, holder().address);
      await as(maker()).handOver(device, holder().address);
      for (const who of [stranger(), maker()])
        await refuses(() => take(device, 1, who), "ProvenanceNotReceiver", device, who.address);
      await take(device, 1);
      await refuses(() => take(device, 1), "ProvenanceNotReceiver", device, holder().address);
    });

    it("refuses another hand-over than the latest, as after a part was changed", async () => {
      await as(maker()).assemble(device, module);
      await as(maker()).handOver(device, holder().address);
      await as(maker()).cancel(device, 1);
      await as(maker()).replace(device, module, spare);
      await as(maker()).handOver(device, holder().address);
      for (const number of [0, 1, 3])
        await refuses(() => take(device, number), "ProvenanceWrongHandOver", device, number, 2);
      await take(device, 2);
    });

    it("moves custody of the whole", async () => {
      await build();
      await as(maker()).handOver(device, holder().address);
      await expect(take(device, 1))
        .to.emit(shop.world.provenance, "HandOverAccepted")
        .withArgs(device, maker().address, holder().address, 1);
      for (const id of [device, module, chip]) {
        const { custodian, state } = await of(id);
        expect([custodian, state]).to.deep.equal([holder().address, STATE.active]);
      }
      expect(await shop.world.provenance.handOverOf(device)).to.deep.equal([ZeroAddress, 1n]);
      await refuses(() => as(maker()).handOver(device, stranger().address), "ProvenanceNotCustodian");
    });
  });

  describe("cancel", () => {
    const stop = (part: string, number: number, who = maker()) => as(who).cancel(part, number);

    it("refuses whoever is no party, another number, what isn't on its way", async () => {
      await refuses(() => stop(UNKNOWN, 0), "ProvenancePartUnknown", UNKNOWN);
      await refuses(() => stop(device, 0), "ProvenanceNotReceiver", device, maker().address);
      await as(maker()).handOver(device, holder().address);
      await refuses(() => stop(device, 1, stranger()), "ProvenanceNotReceiver", device, stranger().address);
      await refuses(() => stop(device, 2), "ProvenanceWrongHandOver", device, 2, 1);
      await stop(device, 1);
      await refuses(() => stop(device, 1), "ProvenanceNotReceiver", device, maker().address);
      await as(maker()).decommission(spare);
      // A part that ended doesn't come back this way.
      await refuses(() => stop(spare, 0), "ProvenanceNotReceiver", spare, maker().address);
    });

    it("is for both sides", async () => {
      for (const [k, who] of [maker(), holder()].entries()) {
        await as(maker()).handOver(device, holder().address);
        await expect(stop(device, k + 1, who))
          .to.emit(shop.world.provenance, "HandOverCancelled")
          .withArgs(device, who.address, k + 1);
        const { custodian, state } = await of(device);
        expect([custodian, state]).to.deep.equal([maker().address, STATE.active]);
        await refuses(() => as(holder()).accept(device, k + 1), "ProvenanceNotReceiver", device, holder().address);
      }
    });
  });

  describe("decommission", () => {
    const end = (part: string, who = maker()) => as(who).decommission(part);

    it("refuses a part that is unknown, inside, another's, on its way, ended", async () => {
      await build();
      await refuses(() => end(UNKNOWN), "ProvenancePartUnknown", UNKNOWN);
      await refuses(() => end(module), "ProvenanceInside", module, device);
      await refuses(() => end(device, silicon()), "ProvenanceNotCustodian", device, silicon().address);
      await as(maker()).handOver(device, holder().address);
      await refuses(() => end(device), "ProvenanceNotActive", device, STATE.inTransit);
      await as(maker()).cancel(device, 1);
      await end(device);
      await refuses(() => end(device), "ProvenanceNotActive", device, STATE.decommissioned);
    });

    it("ends the whole, whose serials stay taken", async () => {
      await build();
      await expect(end(device)).to.emit(shop.world.provenance, "PartDecommissioned").withArgs(device);
      for (const id of [device, module, chip]) expect((await of(id)).state).to.equal(STATE.decommissioned);
      await commission(shop.world, maker(), DEV, "device", RANK.device);
      const { state, claims } = await of(device);
      expect([state, claims]).to.deep.equal([STATE.decommissioned, 1n]);
    });
  });
});
