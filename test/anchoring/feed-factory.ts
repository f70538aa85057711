import { expect } from "chai";
import { ZeroAddress } from "ethers";
import { type DeviceFeed, DeviceFeed__factory } from "../../toolkit/contracts.js";
import { keyOf } from "../identity/fleet.js";
import { feeders, MAX_AGE } from "./feeders.js";

const device = keyOf("made of");
const secure = keyOf("made of securely", "p256");
const unborn = keyOf("made before its time");

describe("The factory of feeds", () => {
  const chain = feeders([device, secure], [unborn]);
  let feed: DeviceFeed;

  beforeEach(async () => {
    feed = await chain().create([device, secure, unborn]);
  });

  it("makes feeds that anyone can tell, and that say what they are", async () => {
    const { feeds, addresses } = chain().world;
    const config = chain().config([device, secure], { quorum: 2 });
    await expect(feeds.connect(chain().account(5)).create(config)).to.emit(feeds, "FeedCreated");
    expect(await feeds.isFeed(feed)).to.equal(true);
    expect(await feeds.isFeed(await feeds.implementation())).to.equal(false);
    const said = await feed.config();
    expect(said.sources).to.deep.equal([device.id, secure.id, unborn.id]);
    expect([said.maxAge, said.gateway]).to.deep.equal([BigInt(MAX_AGE), chain().account(0).address]);
    expect([await feed.registry(), await feed.attestations()]).to.deep.equal([
      addresses.DeviceRegistry,
      addresses.Attestations,
    ]);
  });

  it("puts a feed where its configuration says, whoever makes it, and makes none twice", async () => {
    const { feeds } = chain().world;
    const config = chain().config([device], { description: "Hold 4" });
    const address = await feeds.feedOf(config);
    expect(await feeds.isFeed(address)).to.equal(false);
    const maker = chain().account(5);
    await expect(feeds.connect(maker).create(config))
      .to.emit(feeds, "FeedCreated")
      .withArgs(address, maker.address, config.schema, "Hold 4");
    await chain().push(DeviceFeed__factory.connect(address, maker), device, {
      sequence: 1n,
      time: await chain().after(),
      value: 412n,
    });
    expect(await feeds.create.staticCall(config)).to.equal(address);
    await expect(feeds.create(config)).not.to.emit(feeds, "FeedCreated");
    expect((await DeviceFeed__factory.connect(address, maker).latestOf(device.id)).value).to.equal(412n);
    for (const changes of [{ maxAge: MAX_AGE + 1 }, { gateway: ZeroAddress }, { sources: [device.id, secure.id] }])
      expect(await feeds.feedOf({ ...config, ...changes })).not.to.equal(address);
  });

  it("knows no feed but its own", async () => {
    const { feeds, addresses, ethers, operator } = chain().world;
    // The same clone with the same configuration, made by somebody else.
    const code = await ethers.provider.getCode(feed);
    const initCode = `0x61${((code.length - 2) / 2).toString(16).padStart(4, "0")}80600a3d393df3${code.slice(2)}`;
    const forged = (await (await operator.sendTransaction({ data: initCode })).wait())?.contractAddress ?? "";
    expect(await ethers.provider.getCode(forged)).to.equal(code);
    const strangers = [
      forged,
      operator.address,
      ZeroAddress,
      addresses.ITC,
      addresses.DeviceRegistry,
      addresses.FeedFactory,
    ];
    for (const address of strangers) expect(await feeds.isFeed(address)).to.equal(false);
    expect(await feeds.isFeed(feed)).to.equal(true);
  });

  it("refuses a feed that could never work", async () => {
    const { feeds } = chain().world;
    const many = Array.from({ length: 17 }, (_, k) => keyOf(`one of many ${k}`));
    const cases: [string, unknown[], Parameters<typeof feeds.create>[0]][] = [
      ["FeedFactoryInvalidSourceCount", [0], chain().config([])],
      ["FeedFactoryInvalidSourceCount", [17], chain().config(many)],
      ["FeedFactoryRepeatedSource", [device.id], chain().config([device, secure, device])],
      ["FeedFactoryInvalidQuorum", [0, 1], chain().config([device], { quorum: 0 })],
      ["FeedFactoryInvalidQuorum", [3, 2], chain().config([device, secure], { quorum: 3 })],
      ["FeedFactoryInvalidRange", [2, 1], chain().config([device], { minimum: 2n, maximum: 1n })],
      ["FeedFactoryInvalidMaxAge", [0], chain().config([device], { maxAge: 0 })],
      ["FeedFactoryInvalidRing", [0], chain().config([device], { ring: 0 })],
    ];
    for (const [error, args, config] of cases) {
      await expect(feeds.create(config))
        .to.be.revertedWithCustomError(feeds, error)
        .withArgs(...args);
    }
  });

  it("leaves the original without configuration, so that it takes nothing", async () => {
    const { feeds, ethers, operator } = chain().world;
    const original = DeviceFeed__factory.connect(await feeds.implementation(), operator);
    await expect(
      original.push(...chain().signed(device, { sequence: 1n, time: await chain().after(), value: 412n })),
    ).to.revert(ethers);
    await expect(original.config()).to.revert(ethers);
  });
});
