import { expect } from "chai";
import { ZeroAddress } from "ethers";
import { consentingOwner, device, gasOf, keys, sibling, unborn } from "./consenting.js";

const UNKNOWN = [false, ZeroAddress];
const LIMIT = { gasLimit: 500_000 };

describe("Holdings", () => {
  const { world, now, later, transfer, inOneSecond } = consentingOwner();
  const holdings = () => world().holdings;
  const owner = () => world().owner;
  const buyer = () => world().buyer;
  const note = (...devices: string[]) => holdings().connect(world().stranger).note(devices, LIMIT);
  const holderAt = async (time: bigint, of: string = device) => [...(await holdings().holderAt(of, time))];
  const activatedAt = async () => (await world().registry.deviceOf(device)).activatedAt;

  describe("holderAt, tenureAt", () => {
    it("they know the present owner since its tenure began", async () => {
      const since = await activatedAt();
      for (const time of [since, await now(), 2n ** 64n - 1n]) {
        expect(await holderAt(time)).to.deep.equal([true, owner().address]);
        expect([...(await holdings().tenureAt(device, time))]).to.deep.equal([true, owner().address, since]);
      }
      expect(await holderAt(since - 1n)).to.deep.equal(UNKNOWN);
      expect(await holderAt(0n)).to.deep.equal(UNKNOWN);
    });

    it("they know nothing of a former owner that nobody noted, nor of a device that never was active", async () => {
      const before = await later();
      await transfer();
      const sold = await now();
      expect(await holderAt(before)).to.deep.equal(UNKNOWN);
      expect(await holderAt(sold)).to.deep.equal([true, buyer().address]);
      expect(await holderAt(sold, unborn.id)).to.deep.equal(UNKNOWN);
      expect([...(await holdings().tenureAt(unborn.id, sold))]).to.deep.equal([...UNKNOWN, 0n]);
    });

    it("a retired device still has an owner", async () => {
      await world().registry.connect(owner()).retire(device);
      await later();
      expect(await holderAt(await now())).to.deep.equal([true, owner().address]);
      await note(device);
      await transfer();
      expect(await holderAt(await activatedAt())).to.deep.equal([true, owner().address]);
    });
  });

  describe("note", () => {
    it("it keeps a tenure until the second before the note, for good", async () => {
      const since = await activatedAt();
      await later();
      await expect(note(device))
        .to.emit(holdings(), "HoldingNoted")
        .withArgs(device, owner().address, since, (await now()) + 1n);
      const noted = await now();
      await later();
      await transfer();
      const sold = await now();
      await later();
      await note(device);
      await later();
      await transfer(buyer(), world().stranger);
      await later();
      await transfer(world().stranger, owner());
      const last = await now();
      const answers = await Promise.all(
        [since - 1n, since, noted - 1n, noted, sold - 1n, sold].map((t) => holderAt(t)),
      );
      const known = [true, owner().address];
      expect(answers).to.deep.equal([UNKNOWN, known, known, UNKNOWN, UNKNOWN, [true, buyer().address]]);
      expect([...(await holdings().tenureAt(device, noted - 1n))]).to.deep.equal([...known, since]);
      expect(await holderAt(last - 1n)).to.deep.equal(UNKNOWN);
      expect(await holderAt(last)).to.deep.equal(known);
    });

    it("it extends the record of the same tenure, and begins another one after a transfer to oneself", async () => {
      const since = await activatedAt();
      await note(device);
      const first = await now();
      await later();
      await note(device);
      const second = await now();
      await later();
      await transfer(owner(), owner());
      const again = await now();
      expect(await holderAt(first)).to.deep.equal([true, owner().address]);
      expect(await holderAt(again - 1n)).to.deep.equal(UNKNOWN);
      await later();
      await note(device);
      await later();
      await transfer();
      const tenures = await Promise.all(
        [since, second - 1n, second, again - 1n, again, again + 5n].map((time) => holdings().tenureAt(device, time)),
      );
      const [none, one, two] = [
        [...UNKNOWN, 0n],
        [true, owner().address, since],
        [true, owner().address, again],
      ];
      expect(tenures.map((tenure) => [...tenure])).to.deep.equal([one, one, none, none, two, two]);
    });

    it("it notes nothing of a tenure that began in this second, and leaves this second open", async () => {
      await later();
      // Noted and sold in one second: it is the buyer's. Noted between two sales of one second: it is the last one's.
      const second = await inOneSecond(
        () => note(device),
        () => transfer(),
        () => note(device),
        () => transfer(buyer(), world().stranger),
      );
      await later();
      await note(device);
      await transfer(world().stranger, buyer());
      expect(await holderAt(second - 1n)).to.deep.equal([true, owner().address]);
      expect(await holderAt(second)).to.deep.equal([true, world().stranger.address]);
      const silent = await inOneSecond(
        () => transfer(buyer(), owner()),
        () => note(device),
      );
      const events = await holdings().queryFilter(holdings().filters.HoldingNoted, "latest");
      expect(events).to.have.length(0);
      await transfer();
      expect(await holderAt(silent)).to.deep.equal(UNKNOWN);
    });

    it("it refuses a device that never was active", async () => {
      await expect(note(device, unborn.id))
        .to.be.revertedWithCustomError(holdings(), "HoldingsDeviceUnknown")
        .withArgs(unborn.id);
    });

    it("it costs one write a device", async () => {
      const ids = keys.slice(0, 10).map(({ id }) => id);
      const [one, ten] = [await gasOf(note(sibling.id)), await gasOf(note(...ids))];
      const again = await gasOf(note(sibling.id));
      expect(one).to.be.lessThan(21_000n + 22_100n + 16_000n);
      expect(ten).to.be.lessThan(21_000n + 10n * (22_100n + 11_000n));
      expect(again).to.be.lessThan(21_000n + 5000n + 16_000n);
    });
  });

  describe("addresses", () => {
    it("it names its registry", async () => {
      expect(await holdings().registry()).to.equal(world().addresses.DeviceRegistry);
    });
  });
});
