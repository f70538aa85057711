import { expect } from "chai";
import { Interface, ZeroAddress } from "ethers";
import { FeedError, pushArguments } from "../../toolkit/anchoring/feeds.js";
import { contentOf, signReading } from "../../toolkit/anchoring/readings.js";
import { type DeviceFeed, DeviceFeed__factory } from "../../toolkit/contracts.js";
import { TRUST_TIERS } from "../../toolkit/identity/attestation.js";
import { signerOf } from "../../toolkit/identity/keys.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { highS, keyOf } from "../identity/fleet.js";
import { feeders, MAX_AGE, MAX_AHEAD, RAIN } from "./feeders.js";

const device = keyOf("fed");
const secure = keyOf("fed securely", "p256");
const other = keyOf("fed no feed");
const unborn = keyOf("fed before its time");
const next = keyOf("fed next");
/** `keyOf` makes its key of this. */
const SECRET = secretOf(1, "fed");
/** What `Obstacle` numbers so. */
const [TOO_LOW, NOT_ATTESTED, EXPIRED] = [6n, 7n, 9n];

describe("Values for a feed", () => {
  const chain = feeders([device, secure, other], [unborn]);
  let feed: DeviceFeed;

  beforeEach(async () => {
    feed = await chain().create([device, secure, unborn]);
  });

  /** A right value in the next block. */
  async function fresh(changes: { sequence?: bigint; time?: bigint; value?: bigint } = {}) {
    return { sequence: 1n, time: await chain().after(), value: 412n, ...changes };
  }

  describe("push", () => {
    it("takes a value of a device with a key of either curve, sent by anyone", async () => {
      for (const key of [device, secure]) {
        const value = await fresh();
        await expect(chain().push(feed, key, value))
          .to.emit(feed, "ValueTaken")
          .withArgs(key.id, value.sequence, value.time, value.value, true);
        expect(await feed.latestOf(key.id)).to.deep.equal([1n, value.time, 412n]);
      }
    });

    it("takes any number for a device's first value, 0 too", async () => {
      await chain().push(feed, device, await fresh({ sequence: 0n }));
      await chain().push(feed, secure, await fresh({ sequence: 2n ** 64n - 1n }));
      expect((await feed.latestOf(secure.id)).sequence).to.equal(2n ** 64n - 1n);
    });

    it("takes one reading in several feeds", async () => {
      const twin = await chain().create([device]);
      const value = await fresh();
      for (const one of [feed, twin]) {
        await chain().push(one, device, value);
        expect((await one.latestRoundData()).answer).to.equal(412n);
      }
    });

    it("refuses a device that is no source", async () => {
      await expect(chain().push(feed, other, await fresh()))
        .to.be.revertedWithCustomError(feed, "DeviceFeedNotSource")
        .withArgs(other.id);
    });

    it("refuses a sequence number that isn't greater than the latest, and changes nothing", async () => {
      await chain().push(feed, device, await fresh({ sequence: 7n }));
      const before = await feed.latestOf(device.id);
      for (const sequence of [7n, 6n, 0n]) {
        await expect(chain().push(feed, device, await fresh({ sequence, value: 1n })))
          .to.be.revertedWithCustomError(feed, "DeviceFeedOldSequence")
          .withArgs(device.id, sequence, 7n);
      }
      expect(await feed.latestOf(device.id)).to.deep.equal(before);
      expect(await feed.latestRound()).to.equal(1n);
    });

    it("refuses a time that isn't after the device's latest", async () => {
      const time = await chain().pushNow(feed, device, 1n, 1n);
      for (const early of [time, time - 1n, 0n]) {
        await expect(chain().push(feed, device, await fresh({ sequence: 2n, time: early })))
          .to.be.revertedWithCustomError(feed, "DeviceFeedTimeNotAfter")
          .withArgs(device.id, early, time);
      }
      await expect(chain().push(feed, secure, await fresh({ time: 0n })))
        .to.be.revertedWithCustomError(feed, "DeviceFeedTimeNotAfter")
        .withArgs(secure.id, 0n, 0n);
    });

    it("refuses a value older than maxAge, to the second", async () => {
      const now = await chain().after();
      const stale = now - BigInt(MAX_AGE) - 1n;
      await expect(chain().push(feed, device, { sequence: 1n, time: stale, value: 1n }))
        .to.be.revertedWithCustomError(feed, "DeviceFeedStale")
        .withArgs(device.id, stale, MAX_AGE);
      await chain().push(feed, device, { sequence: 1n, time: stale + 1n, value: 1n });
      expect(await chain().now()).to.equal(now);
    });

    it("refuses a value of the future beyond maxAhead, to the second", async () => {
      const now = await chain().after();
      const ahead = now + BigInt(MAX_AHEAD);
      for (const time of [ahead + 1n, 2n ** 64n - 1n]) {
        await expect(chain().push(feed, device, { sequence: 1n, time, value: 1n }))
          .to.be.revertedWithCustomError(feed, "DeviceFeedFuture")
          .withArgs(device.id, time, MAX_AHEAD);
      }
      await chain().push(feed, device, { sequence: 1n, time: ahead, value: 1n });
      expect(await chain().now()).to.equal(now);
    });

    it("refuses a value out of range, up to the ends of int256", async () => {
      const narrow = await chain().create([device], { minimum: -500n, maximum: 1000n });
      for (const value of [-501n, 1001n, 2n ** 128n, -(2n ** 255n), 2n ** 255n - 1n]) {
        await expect(chain().push(narrow, device, await fresh({ value })))
          .to.be.revertedWithCustomError(narrow, "DeviceFeedOutOfRange")
          .withArgs(value, -500n, 1000n);
      }
      await chain().push(narrow, device, await fresh({ sequence: 1n, value: -500n }));
      await chain().push(narrow, device, await fresh({ sequence: 2n, value: 1000n }));
      // One beyond 128 bits on either side, where the range is as wide as it can be.
      for (const value of [2n ** 127n, -(2n ** 127n) - 1n]) {
        await expect(chain().push(feed, device, await fresh({ value }))).to.be.revertedWithCustomError(
          feed,
          "DeviceFeedOutOfRange",
        );
      }
    });

    it("refuses a signature over another device, number, time, value, salt or schema", async () => {
      const now = await chain().after(50n);
      const right = { sequence: 3n, time: now, value: 412n };
      const args = chain().signed(device, right);
      const wrong: [number, unknown][] = [
        [0, secure.id],
        [1, 4n],
        [2, now - 1n],
        [3, 413n],
        [4, secretOf(1, "another salt")],
        [5, chain().publishers.signer(other)],
        [6, highS(args[6] as string, "secp256k1")],
        [6, "0x"],
      ];
      for (const [place, part] of wrong) {
        const changed = args.map((arg, k) => (k === place ? part : arg)) as typeof args;
        await expect(feed.push(...changed))
          .to.be.revertedWithCustomError(feed, "DeviceFeedInvalidSignature")
          .withArgs(changed[0]);
      }
      const rain = chain().signed(device, { ...right, schema: RAIN });
      await expect(feed.push(...rain)).to.be.revertedWithCustomError(feed, "DeviceFeedInvalidSignature");
      await feed.push(...args);
    });

    it("refuses a device that isn't active, one that never was, and the key before the present one", async () => {
      await chain().world.registry.suspend(secure.id);
      await chain().publishers.rotate(device.id, device, next);
      for (const key of [secure, unborn, device]) {
        await expect(chain().push(feed, key, await fresh()))
          .to.be.revertedWithCustomError(feed, "DeviceFeedInvalidSignature")
          .withArgs(key.id);
      }
      await chain().push(feed, next, { ...(await fresh()), device: device.id });
    });
  });

  describe("pushAs", () => {
    it("takes a value of any active source from the gateway", async () => {
      const value = await fresh();
      await expect(chain().pushAs(feed, chain().account(0), secure, value))
        .to.emit(feed, "ValueTaken")
        .withArgs(secure.id, 1n, value.time, 412n, false);
      expect((await feed.latestRoundData()).answer).to.equal(412n);
    });

    it("takes a value from the device's own account, for itself alone", async () => {
      const account = await chain().accountOf(SECRET);
      await chain().pushAs(feed, account, device, await fresh());
      await expect(chain().pushAs(feed, account, secure, await fresh()))
        .to.be.revertedWithCustomError(feed, "DeviceFeedNotReporter")
        .withArgs(secure.id, account.address);
    });

    it("refuses everyone else, the owner and the deployer too", async () => {
      for (const sender of [chain().world.operator, chain().publishers.maker, chain().account(5)]) {
        await expect(chain().pushAs(feed, sender, device, await fresh()))
          .to.be.revertedWithCustomError(feed, "DeviceFeedNotReporter")
          .withArgs(device.id, sender.address);
      }
      const ungated = await chain().create([device], { gateway: ZeroAddress });
      await expect(chain().pushAs(ungated, chain().account(0), device, await fresh())).to.be.revertedWithCustomError(
        ungated,
        "DeviceFeedNotReporter",
      );
    });

    it("refuses the account of a device whose key was replaced", async () => {
      const account = await chain().accountOf(SECRET);
      await chain().publishers.rotate(device.id, device, next);
      await expect(chain().pushAs(feed, account, device, await fresh()))
        .to.be.revertedWithCustomError(feed, "DeviceFeedNotReporter")
        .withArgs(device.id, account.address);
    });

    it("refuses a device that isn't active, from whomever", async () => {
      const account = await chain().accountOf(SECRET);
      const [gateway, early] = [chain().account(0), await chain().accountOf(secretOf(1, "fed before its time"))];
      await chain().world.registry.suspend(device.id);
      for (const [sender, key] of [
        [gateway, device] as const,
        [account, device] as const,
        [gateway, unborn] as const,
      ]) {
        await expect(chain().pushAs(feed, sender, key, await fresh()))
          .to.be.revertedWithCustomError(feed, "DeviceFeedNotActive")
          .withArgs(key.id);
      }
      await expect(chain().pushAs(feed, early, unborn, await fresh())).to.revert(chain().world.ethers);
    });

    it("keeps to the rules that hold for push", async () => {
      const gateway = chain().account(0);
      const narrow = await chain().create([device], { minimum: 0n, maximum: 9n, level: 3 });
      const now = await chain().after();
      const cases: [string, { sequence?: bigint; time?: bigint; value?: bigint }][] = [
        ["DeviceFeedStale", { time: now - 10_000n }],
        ["DeviceFeedFuture", { time: now + 10_000n }],
        ["DeviceFeedOutOfRange", { value: 10n }],
        ["DeviceFeedTimeNotAfter", { time: 0n }],
        ["DeviceFeedNotReliedUpon", {}],
      ];
      for (const [error, changes] of cases) {
        const value = { sequence: 1n, time: now, value: 5n, ...changes };
        await expect(chain().pushAs(narrow, gateway, device, value)).to.be.revertedWithCustomError(narrow, error);
      }
      await expect(chain().pushAs(feed, gateway, other, await fresh())).to.be.revertedWithCustomError(
        feed,
        "DeviceFeedNotSource",
      );
      await chain().pushAs(feed, gateway, device, await fresh());
      await expect(chain().pushAs(feed, gateway, device, await fresh())).to.be.revertedWithCustomError(
        feed,
        "DeviceFeedOldSequence",
      );
    });
  });

  describe("a feed that asks for more", () => {
    it("refuses a device below its level of assurance, and says so", async () => {
      const strict = await chain().create([device], { level: 3 });
      await expect(chain().push(strict, device, await fresh()))
        .to.be.revertedWithCustomError(strict, "DeviceFeedNotReliedUpon")
        .withArgs(device.id, TOO_LOW);
      const lenient = await chain().create([device], { level: 2 });
      await chain().push(lenient, device, await fresh());
    });

    it("takes values while the verifier's attestation is fresh, and no others", async () => {
      const verifier = chain().account(1);
      const { world } = chain();
      const strict = await chain().create([device], { verifier: verifier.address });
      const refuses = async (sequence: bigint, obstacle: bigint) =>
        expect(chain().push(strict, device, await fresh({ sequence })))
          .to.be.revertedWithCustomError(strict, "DeviceFeedNotReliedUpon")
          .withArgs(device.id, obstacle);
      await refuses(1n, NOT_ATTESTED);
      const attestations = world.attestations.connect(verifier);
      await attestations.addReference(secretOf(1, "firmware"), "1.0");
      const expiry = (await chain().now()) + 100n;
      await attestations.attest(device.id, 1, TRUST_TIERS.affirming, expiry, secretOf(1, "token"));
      await chain().push(strict, device, await fresh());
      await chain().after(100n);
      await world.networkHelpers.mine();
      await refuses(2n, EXPIRED);
    });
  });

  describe("what consumers read", () => {
    it("has the selectors of Chainlink's AggregatorV3Interface", () => {
      const selectors = {
        latestRoundData: "0xfeaf968c",
        getRoundData: "0x9a6fc8f5",
        decimals: "0x313ce567",
        description: "0x7284e416",
        version: "0x54fd4d50",
      };
      for (const [name, selector] of Object.entries(selectors)) {
        expect(new Interface(DeviceFeed__factory.abi).getFunction(name)?.selector).to.equal(selector);
      }
    });

    it("says decimals, description and version", async () => {
      expect([await feed.decimals(), await feed.description(), await feed.version()]).to.deep.equal([
        2n,
        "Hold 3, °C",
        1n,
      ]);
    });
  });

  describe("pushArguments", () => {
    it("refuses a value or salt that the reading doesn't open to", () => {
      const salt = fromHex(secretOf(1, "salt"));
      const content = contentOf({ value: 1n, salt });
      const { digests, addresses } = chain().world;
      const reading = signReading(device, digests, { sequence: 1n, time: 5n, schema: fromHex(RAIN), content });
      const signer = signerOf(device, addresses);
      for (const wrong of [
        { value: 2n, salt },
        { value: 1n, salt: fromHex(secretOf(1, "pepper")) },
      ]) {
        expect(() => pushArguments(reading, wrong, signer))
          .to.throw(FeedError)
          .with.property("code", "ITC_FEED_CONTENT");
      }
      expect(pushArguments(reading, { value: 1n, salt }, signer)[4]).to.equal(toHex(salt));
    });
  });
});
