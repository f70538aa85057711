import { expect } from "chai";
import { ZeroAddress } from "ethers";
import type { DeviceFeed } from "../../toolkit/contracts.js";
import { feeders } from "../anchoring/feeders.js";
import { keyOf } from "../identity/fleet.js";

const sensor = keyOf("cold");
const AMOUNT = 500n * 10n ** 18n;
const PREMIUM = 20n * 10n ** 18n;
const [LOW, HIGH] = [200n, 800n];
const PERIOD = 1000n;
const GRACE = 300n;

describe("Cover of a band", () => {
  const chain = feeders([sensor, keyOf("cold too")]);
  let feed: DeviceFeed;
  let start: bigint;
  const covers = () => chain().world.covers;
  const insurer = () => chain().account(1);
  const insured = () => chain().account(2);
  const anyone = () => covers().connect(chain().account(6));
  const terms = (changes: object = {}) => ({
    insured: insured().address,
    feed: feed.target,
    low: LOW,
    high: HIGH,
    start,
    end: start + PERIOD,
    grace: GRACE,
    amount: AMOUNT,
    premium: PREMIUM,
    ...changes,
  });
  const balance = (of: string) => chain().world.itc.balanceOf(of);
  const held = async () => balance(await covers().getAddress());
  /** Makes a round of one value that is measured now. */
  const measure = async (value: bigint): Promise<bigint> => {
    const { sequence } = await feed.latestOf(sensor.id);
    await chain().pushNow(feed, sensor, sequence + 1n, value);
    return feed.latestRound();
  };
  const open = (changes: object = {}) => covers().connect(insurer()).open(terms(changes));
  /** Opens a cover and has the insured put it in force. */
  const cover = async (changes: object = {}) => {
    const id = await covers().connect(insurer()).open.staticCall(terms(changes));
    await open(changes);
    await covers().connect(insured()).accept(id);
    return id;
  };
  const outlast = async (seconds: bigint) => {
    await chain().after(start + PERIOD + seconds - (await chain().now()));
  };

  beforeEach(async () => {
    const { itc, addresses } = chain().world;
    feed = await chain().create([sensor], { ring: 4 });
    await itc.transfer(insurer().address, 2n * AMOUNT);
    await itc.connect(insurer()).approve(addresses.BandCover, 2n * AMOUNT);
    await itc.transfer(insured().address, 2n * PREMIUM);
    await itc.connect(insured()).approve(addresses.BandCover, 2n * PREMIUM);
    start = (await chain().now()) + 10n;
  });

  describe("open", () => {
    it("takes the amount from the sender, and keeps the terms", async () => {
      await expect(open())
        .to.emit(covers(), "CoverOpened")
        .withArgs(1n, insurer().address, insured().address, feed.target, AMOUNT, PREMIUM);
      await open({ low: -5n });
      expect(await held()).to.equal(2n * AMOUNT);
      const [by, inForce, kept] = await covers().coverOf(2);
      expect([by, inForce, ...kept]).to.deep.equal([insurer().address, false, ...Object.values(terms({ low: -5n }))]);
    });

    it("refuses terms that make no cover", async () => {
      const cases: [string, unknown[], object][] = [
        ["BandCoverInvalidInsured", [ZeroAddress], { insured: ZeroAddress }],
        ["BandCoverInvalidInsured", [covers().target], { insured: covers().target }],
        ["BandCoverInvalidFeed", [insured().address], { feed: insured().address }],
        ["BandCoverInvalidBand", [3, 2], { low: 3, high: 2 }],
        ["BandCoverInvalidPeriod", [start, start - 1n], { end: start - 1n }],
        ["BandCoverInvalidPeriod", [0, start], { start: 0, end: start }],
        ["BandCoverInvalidAmount", [0], { amount: 0 }],
      ];
      for (const [error, args, changes] of cases) {
        await expect(open(changes))
          .to.be.revertedWithCustomError(covers(), error)
          .withArgs(...args);
      }
    });

    it("refuses a period that has begun, and takes one that begins now", async () => {
      const now = await chain().after();
      await expect(open({ start: now - 1n }))
        .to.be.revertedWithCustomError(covers(), "BandCoverInvalidPeriod")
        .withArgs(now - 1n, start + PERIOD);
      const next = await chain().after();
      await open({ start: next });
      expect(await chain().now()).to.equal(next);
    });

    it("refuses an amount that the sender hasn't approved or doesn't have", async () => {
      await expect(open({ amount: 2n * AMOUNT + 1n })).to.be.revertedWithCustomError(
        chain().world.itc,
        "ERC20InsufficientAllowance",
      );
      expect((await covers().coverOf(1)).insurer).to.equal(ZeroAddress);
    });
  });

  describe("accept", () => {
    it("pays the premium to the insurer, and puts the cover in force, whoever sends it", async () => {
      const { itc, addresses } = chain().world;
      await open();
      const payer = chain().account(6);
      await itc.transfer(payer.address, PREMIUM);
      await itc.connect(payer).approve(addresses.BandCover, PREMIUM);
      await expect(anyone().accept(1)).to.emit(covers(), "CoverAccepted").withArgs(1, payer.address, PREMIUM);
      expect([await balance(insurer().address), await held()]).to.deep.equal([AMOUNT + PREMIUM, AMOUNT]);
      expect((await covers().coverOf(1)).inForce).to.equal(true);
    });

    it("asks nothing for a premium of 0", async () => {
      await open({ premium: 0 });
      await anyone().accept(1);
    });

    it("refuses a cover that is in force, and one that there isn't", async () => {
      await cover();
      await expect(covers().connect(insured()).accept(1))
        .to.be.revertedWithCustomError(covers(), "BandCoverAccepted")
        .withArgs(1);
      await expect(anyone().accept(2)).to.be.revertedWithCustomError(covers(), "BandCoverNotOpen").withArgs(2);
    });

    it("refuses after the start, and takes its second", async () => {
      await open();
      await open();
      await chain().after(start - (await chain().now()));
      await covers().connect(insured()).accept(1);
      expect(await chain().now()).to.equal(start);
      await expect(covers().connect(insured()).accept(2))
        .to.be.revertedWithCustomError(covers(), "BandCoverTooLate")
        .withArgs(2, start);
    });

    it("refuses without the premium, and leaves the cover as it was", async () => {
      await open();
      await expect(anyone().accept(1)).to.be.revertedWithCustomError(chain().world.itc, "ERC20InsufficientAllowance");
      expect((await covers().coverOf(1)).inForce).to.equal(false);
    });
  });

  describe("settle", () => {
    beforeEach(async () => {
      await cover();
      await chain().after(10n);
      await chain().world.networkHelpers.mine();
    });

    it("pays the insured once when an answer is below or above the band, sent by anyone", async () => {
      for (const [id, value] of [
        [1n, LOW - 1n],
        [2n, HIGH + 1n],
      ] as const) {
        if (id === 2n) {
          start = (await chain().now()) + 10n;
          await cover();
          await chain().world.networkHelpers.time.increaseTo(start);
        }
        const round = await measure(value);
        const before = await balance(insured().address);
        await expect(anyone().settle(id, round)).to.emit(covers(), "CoverPaid");
        expect((await balance(insured().address)) - before).to.equal(AMOUNT);
        await expect(anyone().settle(id, round))
          .to.be.revertedWithCustomError(covers(), "BandCoverNotOpen")
          .withArgs(id);
      }
      expect(await held()).to.equal(0n);
    });

    it("pays by an earlier round that is still kept", async () => {
      const round = await measure(HIGH + 1n);
      await measure(HIGH);
      await anyone().settle(1, round);
    });

    it("refuses an answer within the band, its ends included", async () => {
      for (const value of [LOW, HIGH, 500n]) {
        const round = await measure(value);
        await expect(anyone().settle(1, round))
          .to.be.revertedWithCustomError(covers(), "BandCoverWithinBand")
          .withArgs(value, LOW, HIGH);
      }
    });

    it("refuses an answer from before or after the period, and takes its last second", async () => {
      const early = await chain().after();
      await chain().push(feed, sensor, { sequence: 1n, time: start - 1n, value: HIGH + 1n });
      expect(early).to.be.greaterThan(start);
      await expect(anyone().settle(1, 1))
        .to.be.revertedWithCustomError(covers(), "BandCoverOutsidePeriod")
        .withArgs(start - 1n, early, start, start + PERIOD);
      await outlast(0n);
      await chain().push(feed, sensor, { sequence: 2n, time: start + PERIOD, value: HIGH + 1n });
      const late = await measure(HIGH + 1n);
      await expect(anyone().settle(1, late)).to.be.revertedWithCustomError(covers(), "BandCoverOutsidePeriod");
      await anyone().settle(1, 2);
    });

    it("pays for the first second of the period", async () => {
      await chain().push(feed, sensor, { sequence: 1n, time: start, value: HIGH + 1n });
      await expect(anyone().settle(1, 1))
        .to.emit(covers(), "CoverPaid")
        .withArgs(1, 1, HIGH + 1n, start);
    });

    it("refuses a value from after the period beside one of before its end", async () => {
      const [first, second] = [sensor, keyOf("cold too")] as const;
      const pair = await chain().create([first, second], { quorum: 1 });
      start = (await chain().now()) + 10n;
      const id = await cover({ feed: pair.target });
      await outlast(-2n);
      await chain().push(pair, first, { sequence: 1n, time: start + PERIOD - 2n, value: HIGH });
      await outlast(5n);
      await chain().push(pair, second, { sequence: 1n, time: start + PERIOD + 5n, value: HIGH + 2n });
      const [round, answer, startedAt, updatedAt] = await pair.latestRoundData();
      expect([answer, updatedAt]).to.deep.equal([HIGH + 1n, start + PERIOD - 2n]);
      await expect(anyone().settle(id, round))
        .to.be.revertedWithCustomError(covers(), "BandCoverOutsidePeriod")
        .withArgs(updatedAt, startedAt, start, start + PERIOD);
    });

    it("refuses a cover whose premium wasn't paid", async () => {
      start = (await chain().now()) + 1n;
      await open();
      const round = await measure(HIGH + 1n);
      await expect(anyone().settle(2, round))
        .to.be.revertedWithCustomError(covers(), "BandCoverNotAccepted")
        .withArgs(2);
    });

    it("refuses a round that the feed doesn't keep, or never had", async () => {
      const round = await measure(HIGH + 1n);
      for (let k = 0; k < 4; k++) await measure(HIGH);
      for (const absent of [round, round + 50n]) {
        await expect(anyone().settle(1, absent))
          .to.be.revertedWithCustomError(feed, "DeviceFeedNoRound")
          .withArgs(absent);
      }
    });

    it("refuses a cover that there isn't", async () => {
      const round = await measure(HIGH + 1n);
      for (const id of [0, 7]) {
        await expect(anyone().settle(id, round)).to.be.revertedWithCustomError(covers(), "BandCoverNotOpen");
      }
    });
  });

  describe("giveBack", () => {
    beforeEach(async () => {
      await cover();
    });

    it("returns the amount to the insurer after period and grace, whoever asks", async () => {
      await outlast(GRACE + 1n);
      const before = await balance(insurer().address);
      await expect(anyone().giveBack(1)).to.emit(covers(), "CoverReturned").withArgs(1);
      expect((await balance(insurer().address)) - before).to.equal(AMOUNT);
      expect(await held()).to.equal(0n);
      await expect(anyone().giveBack(1)).to.be.revertedWithCustomError(covers(), "BandCoverNotOpen").withArgs(1);
    });

    it("refuses until the grace is over, the insurer too", async () => {
      await outlast(GRACE);
      await expect(covers().connect(insurer()).giveBack(1))
        .to.be.revertedWithCustomError(covers(), "BandCoverNotOver")
        .withArgs(1, start + PERIOD + GRACE);
    });

    it("needs nothing of the feed", async () => {
      const { addresses } = chain().world;
      await cover({ feed: addresses.ITC });
      await expect(anyone().settle(2, 1)).to.revert(chain().world.ethers);
      await outlast(GRACE + 1n);
      await anyone().giveBack(2);
    });

    it("returns a cover without a premium as soon as it starts, and not before", async () => {
      await open();
      await chain().after(start - (await chain().now()));
      await expect(anyone().giveBack(2)).to.be.revertedWithCustomError(covers(), "BandCoverNotOver").withArgs(2, start);
      await chain().after(start + 1n - (await chain().now()));
      await anyone().giveBack(2);
      expect(await held()).to.equal(AMOUNT);
    });

    it("refuses a cover that was paid, and leaves the others their money", async () => {
      await cover();
      await chain().after(20n);
      await chain().world.networkHelpers.mine();
      await anyone().settle(1, await measure(LOW - 1n));
      await outlast(GRACE + 1n);
      await expect(anyone().giveBack(1)).to.be.revertedWithCustomError(covers(), "BandCoverNotOpen");
      await anyone().giveBack(2);
      expect(await held()).to.equal(0n);
    });
  });
});
