import { expect } from "chai";
import { ZeroAddress, ZeroHash } from "ethers";
import { installationIdOf, prefixHashOf, serialHashOf } from "../../toolkit/identity/epc.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { type Deployed, deployed } from "../support.js";
import { activationOf, enrolLot, keyOf, makeIssuer, send } from "./fleet.js";
import { commission, epcOf, idOf, RANK, STATE } from "./parts.js";

const UNKNOWN = secretOf(1, "no part");
const SITE = epcOf("7654321", "roof");
// Prefixes of the makers: designs, silicon, and whole devices.
const [ARC, SIL, DEV] = ["1111111", "2222222", "3333333"];

describe("Provenance", () => {
  let world: Deployed;
  let restore: () => Promise<void>;
  const signer = (k: number) => world.accounts[k] ?? world.operator;
  const architect = () => signer(0);
  const silicon = () => signer(1);
  const maker = () => signer(2);
  const holder = () => signer(3);
  const stranger = () => signer(4);
  const as = (who: ReturnType<typeof signer>) => world.provenance.connect(who);
  const of = (id: string) => world.provenance.partOf(id);
  const [core, radio, chip, module, device, spare] = [
    idOf(ARC, "core"),
    idOf(ARC, "radio"),
    idOf(SIL, "chip"),
    idOf(DEV, "module"),
    idOf(DEV, "device"),
    idOf(DEV, "spare"),
  ];
  const first = keyOf("part-1");
  const second = keyOf("part-2");
  const foreign = keyOf("part-3");

  /** Expects a refusal, and that it changed nothing about the parts. */
  async function refuses(call: () => Promise<unknown>, error: string, ...args: unknown[]): Promise<void> {
    const look = async () => JSON.stringify(await Promise.all([core, chip, module, device, spare].map(of)), String);
    const before = await look();
    const expectation = expect(call()).to.be.revertedWithCustomError(world.provenance, error);
    await (args.length > 0 ? expectation.withArgs(...args) : expectation);
    expect(await look()).to.equal(before);
  }

  before(async () => {
    world = await deployed();
    const prefixes = [ARC, SIL, DEV];
    for (const [k, who] of [architect(), silicon(), maker()].entries()) {
      await makeIssuer(world, who);
      await as(who).claimPrefix(prefixHashOf(prefixes[k] ?? ""));
    }
    for (const name of ["core", "radio"]) await commission(world, architect(), ARC, name, RANK.ipBlock);
    await as(architect()).setLicence(core, silicon().address, true);
    await commission(world, silicon(), SIL, "chip", RANK.chip, [core]);
    await commission(world, maker(), DEV, "module", RANK.module);
    await commission(world, maker(), DEV, "spare", RANK.module);
    await commission(world, maker(), DEV, "device", RANK.device);
    await commission(world, maker(), DEV, "device-2", RANK.device);
    const lot = await enrolLot(world, maker(), [first, second]);
    for (const key of [first, second]) await send(world, activationOf(world, lot, key, stranger().address));
    const other = await enrolLot(world, silicon(), [foreign]);
    await send(world, activationOf(world, other, foreign, stranger().address));
  });

  beforeEach(async () => {
    const snapshot = await world.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  /** The chip goes to the maker, who builds a device of it. */
  async function build(): Promise<void> {
    await as(silicon()).handOver(chip, maker().address);
    await as(maker()).accept(chip, 1);
    await as(maker()).assemble(module, chip);
    await as(maker()).assemble(device, module);
  }

  describe("claimPrefix", () => {
    it("refuses whoever is no issuer", async () => {
      await refuses(() => as(stranger()).claimPrefix(UNKNOWN), "ProvenanceNotIssuer", stranger().address);
      await world.registry.revokeIssuer(maker().address);
      await refuses(() => as(maker()).claimPrefix(UNKNOWN), "ProvenanceNotIssuer", maker().address);
      expect(await world.provenance.makerOfPrefix(UNKNOWN)).to.equal(ZeroAddress);
    });

    it("refuses a prefix that an issuer holds, its own too", async () => {
      const prefix = prefixHashOf(DEV);
      for (const who of [silicon(), maker()])
        await refuses(() => as(who).claimPrefix(prefix), "ProvenancePrefixTaken", prefix, maker().address);
    });

    it("gives a revoked issuer's prefix to another, whose parts are its own", async () => {
      await world.registry.revokeIssuer(maker().address);
      const prefix = prefixHashOf(DEV);
      await expect(as(silicon()).claimPrefix(prefix))
        .to.emit(world.provenance, "PrefixClaimed")
        .withArgs(prefix, silicon().address);
      const late = await commission(world, silicon(), DEV, "late", RANK.module);
      expect([(await of(late)).maker, (await of(module)).maker]).to.deep.equal([silicon().address, maker().address]);
      // What was made before stays where it is, and its serial stays taken.
      await commission(world, silicon(), DEV, "module", RANK.module);
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
      await world.registry.revokeIssuer(maker().address);
      await refuses(() => make(RANK.chip), "ProvenanceNotIssuer", maker().address);
    });

    it("refuses the ranks None and Installation, and numbers that are no rank", async () => {
      for (const rank of [RANK.none, RANK.installation]) await refuses(() => make(rank), "ProvenanceWrongRank", rank);
      await expect(make(6)).to.be.revertedWithoutReason(world.ethers);
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
      const mine = (name: string) => commission(world, silicon(), SIL, name, RANK.chip, [core]);
      await as(architect()).setLicence(core, silicon().address, false);
      await refuses(() => mine("late"), "ProvenanceUnlicensed", core, silicon().address);
      await as(architect()).setLicence(core, silicon().address, true);
      await mine("in-time");
      await as(architect()).decommission(core);
      await refuses(() => mine("too-late"), "ProvenanceUnlicensed", core, silicon().address);
      expect(await world.provenance.isLicensed(core, architect().address)).to.equal(false);
    });

    it("creates a part in its maker's custody", async () => {
      const id = idOf(DEV, "new");
      expect(await as(maker()).commission.staticCall(prefix, serial, RANK.device, [])).to.deep.equal([id, true]);
      await expect(make(RANK.device))
        .to.emit(world.provenance, "PartCommissioned")
        .withArgs(id, maker().address, RANK.device, prefix, serial);
      const me = maker().address;
      const expected = [BigInt(RANK.device), STATE.active, me, me, ZeroHash, id, 0n, 0n, false];
      expect(await of(id)).to.deep.equal(expected);
      expect(await world.provenance.partIdOf(prefix, serial)).to.equal(id);
    });

    it("creates a chip with its designs", async () => {
      await as(architect()).setLicence(radio, silicon().address, true);
      const designs = [core, radio].sort();
      const call = as(silicon()).commission(prefixHashOf(SIL), serial, RANK.chip, designs);
      const id = await world.provenance.partIdOf(prefixHashOf(SIL), serial);
      for (const design of designs) await expect(call).to.emit(world.provenance, "DesignIncluded").withArgs(id, design);
      const { isMadeWith } = world.provenance;
      expect(await isMadeWith(id, designs)).to.equal(true);
      for (const wrong of [[core], [radio, core].sort().reverse(), [], [...designs, core]])
        expect(await isMadeWith(id, wrong)).to.equal(false);
      const plain = await commission(world, silicon(), SIL, "plain", RANK.chip);
      expect([
        await isMadeWith(plain, []),
        await isMadeWith(plain, [core]),
        await isMadeWith(module, []),
      ]).to.deep.equal([true, false, false]);
      // The holder of a design needs no licence.
      const own = await commission(world, architect(), ARC, "own", RANK.chip, [core]);
      expect(await isMadeWith(own, [core])).to.equal(true);
    });

    it("refuses a wrong claim, changes nothing and shows it: a second one, a foreign prefix, before the true one", async () => {
      const { provenance } = world;
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
          .to.emit(world.provenance, "PartCommissioned")
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
        expect(await world.provenance.installationIdOf(who.address, site)).to.equal(id);
      }
    });

    it("can't be made to meet a good's id", async () => {
      // A prefix that looks like the account, as an attacker would choose it.
      const prefix = `0x${holder().address.slice(2).toLowerCase().padStart(64, "0")}`;
      const good = await world.provenance.partIdOf(prefix, site);
      expect(good).not.to.equal(await world.provenance.installationIdOf(holder().address, site));
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
      expect(await world.provenance.isLicensed(core, maker().address)).to.equal(false);
    });

    it("goes with the design's custody", async () => {
      await as(architect()).handOver(core, holder().address);
      await as(holder()).accept(core, 1);
      await expect(set(core, holder())).to.emit(world.provenance, "LicenceSet").withArgs(core, maker().address, true);
      const licensed = (who: string) => world.provenance.isLicensed(core, who);
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
      await world.registry.revokeIssuer(maker().address);
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
      await expect(bind(device)).to.emit(world.provenance, "DeviceBound").withArgs(device, first.id);
      expect([(await of(device)).bound, await world.provenance.partOfDevice(first.id)]).to.deep.equal([true, device]);
      expect(await as(maker()).bindDevice.staticCall(device, first.id)).to.equal(true);
      const receipt = await (await bind(device)).wait();
      expect(receipt?.logs.length).to.equal(0);
    });

    it("refuses a second binding of either, and shows it on both", async () => {
      const other = idOf(DEV, "device-2");
      await bind(device);
      await expect(bind(other)).to.emit(world.provenance, "BindingRefused").withArgs(other, first.id, device);
      await expect(bind(device, second))
        .to.emit(world.provenance, "BindingRefused")
        .withArgs(device, second.id, ZeroHash);
      expect(await as(maker()).bindDevice.staticCall(other, first.id)).to.equal(false);
      const [one, two] = [await of(device), await of(other)];
      expect([one.claims, one.bound, two.claims, two.bound]).to.deep.equal([2n, true, 1n, false]);
      expect(await world.provenance.partOfDevice(first.id)).to.equal(device);
      expect(await world.provenance.partOfDevice(second.id)).to.equal(ZeroHash);
    });
  });

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
      const late = await commission(world, maker(), DEV, "late", RANK.chip);
      // In a part at any depth of what has ended.
      await refuses(() => put(module, late), "ProvenanceNotActive", device, STATE.decommissioned);
    });

    it("refuses a rank that isn't below: itself, equal, higher, a design", async () => {
      const below = (parent: string, child: string, ranks: [number, number], who = maker()) =>
        refuses(() => put(parent, child, who), "ProvenanceRankOrder", ...ranks);
      await below(module, module, [RANK.module, RANK.module]);
      await below(module, spare, [RANK.module, RANK.module]);
      await below(module, device, [RANK.module, RANK.device]);
      const own = await commission(world, architect(), ARC, "own", RANK.chip);
      await below(own, core, [RANK.chip, RANK.ipBlock], architect());
      await below(core, own, [RANK.ipBlock, RANK.chip], architect());
      const sites = [1, 2].map((k) => epcOf("7654321", `site-${k}`));
      for (const site of sites) await as(maker()).commissionInstallation(serialHashOf(site));
      const [one = "", two = ""] = sites.map((site) => installationIdOf(maker().address, site));
      await below(one, two, [RANK.installation, RANK.installation]);
    });

    it("refuses the 4,097th", async () => {
      // The count is in the first slot of the part, 27 bytes from its right end; mapping `_parts` is the contract's first.
      const { provider, addresses } = world;
      const slot = world.ethers.solidityPackedKeccak256(["bytes32", "uint256"], [device, 0]);
      const word = BigInt(await world.ethers.provider.getStorage(addresses.Provenance, slot));
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
      await expect(put(module, chip)).to.emit(world.provenance, "PartAssembled").withArgs(module, chip);
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
        .to.emit(world.provenance, "PartDisassembled")
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
      const theirs = await commission(world, silicon(), SIL, "theirs", RANK.module);
      await refuses(() => swap(device, module, theirs), "ProvenanceNotCustodian", theirs, maker().address);
      await as(maker()).handOver(spare, holder().address);
      await refuses(() => swap(device, module, spare), "ProvenanceNotActive", spare, STATE.inTransit);
    });

    it("swaps two parts, in a full parent too", async () => {
      await build();
      await expect(swap(device, module, spare))
        .to.emit(world.provenance, "PartReplaced")
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
        .to.emit(world.provenance, "HandedOver")
        .withArgs(device, maker().address, holder().address, 1);
      const { custodian, state } = await of(device);
      expect([custodian, state]).to.deep.equal([maker().address, STATE.inTransit]);
      expect(await world.provenance.handOverOf(device)).to.deep.equal([holder().address, 1n]);
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
        .to.emit(world.provenance, "HandOverAccepted")
        .withArgs(device, maker().address, holder().address, 1);
      for (const id of [device, module, chip]) {
        const { custodian, state } = await of(id);
        expect([custodian, state]).to.deep.equal([holder().address, STATE.active]);
      }
      expect(await world.provenance.handOverOf(device)).to.deep.equal([ZeroAddress, 1n]);
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
          .to.emit(world.provenance, "HandOverCancelled")
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
      await expect(end(device)).to.emit(world.provenance, "PartDecommissioned").withArgs(device);
      for (const id of [device, module, chip]) expect((await of(id)).state).to.equal(STATE.decommissioned);
      await commission(world, maker(), DEV, "device", RANK.device);
      const { state, claims } = await of(device);
      expect([state, claims]).to.deep.equal([STATE.decommissioned, 1n]);
    });
  });
});
