import { expect } from "chai";
import { cellOfGeohash, geohashOfCell, RegionError } from "../../toolkit/analytics/regions.js";
import { consentingOwner, device, gasOf, keys, sibling, unborn } from "./consenting.js";

const LIMIT = { gasLimit: 500_000 };
const EARTH = 2n ** 63n;
const BERLIN = cellOfGeohash("u33d");
const PARIS = cellOfGeohash("u09t");

/** Whether a cell lies in a region, by their binary digits. */
function isInside(cell: bigint, region: bigint): boolean {
  const prefix = (of: bigint) => of.toString(2).padStart(64, "0").replace(/10*$/, "");
  return cell !== 0n && prefix(cell).startsWith(prefix(region));
}

describe("Regions", () => {
  const { world, now, later, transfer, inOneSecond } = consentingOwner();
  const regions = () => world().regions;
  const mine = () => regions().connect(world().owner);

  describe("place, cellAt, isWithin", () => {
    it("the owner of all devices places them, nobody else", async () => {
      const { owner, buyer } = world();
      await expect(mine().place([device, sibling.id], BERLIN))
        .to.emit(regions(), "DevicesPlaced")
        .withArgs(owner.address, BERLIN, [device, sibling.id]);
      for (const of of [device, sibling.id]) expect(await regions().cellAt(of, await now())).to.equal(BERLIN);
      await transfer();
      for (const [who, of] of [
        [owner, device],
        [buyer, sibling.id],
      ] as const) {
        await expect(regions().connect(who).place([of], PARIS))
          .to.be.revertedWithCustomError(regions(), "DeviceRegionsNotOwner")
          .withArgs(of, who.address);
      }
      await expect(mine().place([sibling.id, unborn.id], PARIS)).to.be.revertedWithCustomError(
        world().registry,
        "ERC721NonexistentToken",
      );
      await expect(mine().place([], PARIS)).to.be.revertedWithCustomError(regions(), "DeviceRegionsNoDevices");
      expect(await regions().registry()).to.equal(world().addresses.DeviceRegistry);
    });

    it("the last word of a second is that second's, and stays", async () => {
      const first = await inOneSecond(
        () => mine().place([device], BERLIN, LIMIT),
        () => mine().place([device], PARIS, LIMIT),
      );
      const then = await later();
      await mine().place([device], BERLIN);
      const second = await now();
      await later();
      await mine().place([device], 0);
      const seconds = [first - 1n, first, then, second, await now()];
      const cells = await Promise.all(seconds.map((time) => regions().cellAt(device, time)));
      expect(cells).to.deep.equal([0n, PARIS, PARIS, BERLIN, 0n]);
      expect(await regions().isWithin(device, PARIS, then)).to.equal(true);
      expect(await regions().isWithin(device, PARIS, second)).to.equal(false);
    });

    it("a word stays with the device when it is sold, until its next owner says another", async () => {
      await mine().place([device], BERLIN);
      await transfer();
      const sold = await now();
      expect(await regions().cellAt(device, sold)).to.equal(BERLIN);
      await regions().connect(world().buyer).place([device], PARIS);
      expect(await regions().cellAt(device, sold)).to.equal(BERLIN);
      expect(await regions().cellAt(device, await now())).to.equal(PARIS);
    });

    it("a device is within each cell that begins as its own, and in no other", async () => {
      const cells = [EARTH, 1n, 3n, 2n ** 64n - 1n, 2n ** 62n, 3n * 2n ** 62n, BERLIN, cellOfGeohash("u33db2mq3")];
      const around = cells.flatMap((cell) => {
        const end = cell & -cell;
        return [
          cell,
          cell + 2n * end,
          cell - 2n * end,
          cell - end,
          cell + end,
          cell - 1n,
          cell + 1n,
          cell ^ (end << 1n),
        ];
      });
      const all = [...new Set(around)].filter((cell) => cell > 0n && cell < 2n ** 64n);
      let within = 0;
      for (const cell of cells) {
        await mine().place([device], cell);
        const time = await now();
        const answers = await Promise.all(all.map((region) => regions().isWithin(device, region, time)));
        expect(answers).to.deep.equal(all.map((region) => isInside(cell, region)));
        within += answers.filter(Boolean).length;
      }
      expect(within).to.be.greaterThan(cells.length * 2);
    });

    it("all are in region 0, and only those that are placed in any other", async () => {
      for (const [region, is] of [
        [0n, true],
        [EARTH, false],
        [1n, false],
      ] as const) {
        for (const of of [device, unborn.id]) {
          expect(await regions().isWithin(of, region, await now())).to.equal(is);
        }
      }
      const ten = keys.slice(0, 10).map(({ id }) => id);
      expect(await gasOf(mine().place(ten, BERLIN))).to.be.lessThan(21_000n + 10n * (22_100n + 5000n) + 10_000n);
      expect(await regions().isWithin(device, EARTH, await now())).to.equal(true);
    });
  });

  describe("cellOfGeohash, geohashOfCell", () => {
    it("they are each other's inverse, for all lengths", () => {
      const longest = "0123bcmuvxyz";
      for (let length = 1; length <= longest.length; length++) {
        const geohash = longest.slice(-length);
        const cell = cellOfGeohash(geohash);
        expect(geohashOfCell(cell)).to.equal(geohash);
        expect(cell & -cell).to.equal(2n ** BigInt(63 - 5 * length));
      }
      // "ezs42" is 01101 11111 11000 00100 00010.
      expect(cellOfGeohash("ezs42")).to.equal(BigInt(`0b${"0110111111110000010000010".padEnd(25)}1${"0".repeat(38)}`));
      expect(cellOfGeohash("z")).to.equal(0b111111n << 58n);
    });

    it("a cell is within another if its geohash begins with the other's", async () => {
      const geohashes = ["u", "u3", "u33d", "u33db2mq3kd0", "u33e", "u09t", "s", "0"];
      for (const geohash of geohashes) {
        await mine().place([device], cellOfGeohash(geohash));
        const time = await now();
        for (const region of geohashes) {
          const within = await regions().isWithin(device, cellOfGeohash(region), time);
          expect(within, `${geohash} in ${region}`).to.equal(geohash.startsWith(region));
        }
      }
    });

    it("they refuse what isn't a geohash, or a cell of one", () => {
      const refusals: [() => unknown, string, string][] = [
        [() => cellOfGeohash(""), "ITC_REGIONS_LENGTH", "region 0"],
        [() => cellOfGeohash("u33db2mq3kd00"), "ITC_REGIONS_LENGTH", "has 13"],
        [() => cellOfGeohash("u33a"), "ITC_REGIONS_CHARACTER", '"a" in "u33a"'],
        [() => cellOfGeohash("U33d"), "ITC_REGIONS_CHARACTER", '"U"'],
        [() => geohashOfCell(0n), "ITC_REGIONS_CELL", "0 is not a cell"],
        [() => geohashOfCell(-1n), "ITC_REGIONS_CELL", "-1"],
        [() => geohashOfCell(2n ** 64n), "ITC_REGIONS_CELL", "2^64 - 1"],
        [() => geohashOfCell(EARTH), "ITC_REGIONS_LEVEL", "0 position bits"],
        [() => geohashOfCell(1n), "ITC_REGIONS_LEVEL", "63 position bits"],
        [() => geohashOfCell(BERLIN >> 1n), "ITC_REGIONS_LEVEL", "21 position bits"],
      ];
      for (const [call, code, text] of refusals) {
        expect(call).to.throw(RegionError, text).with.property("code", code);
      }
    });
  });
});
