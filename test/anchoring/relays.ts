import { expect } from "chai";
import { EntryDigests } from "../../toolkit/anchoring/entries.js";
import { readLog } from "../../toolkit/anchoring/log-reader.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { highS, keyOf } from "../identity/fleet.js";
import { entryOf, Publishers } from "./publishers.js";

const device = keyOf("relayed");
const secure = keyOf("relayed securely", "p256");
const unborn = keyOf("never active");
const next = keyOf("next key");
const secureNext = keyOf("next key", "p256");
/** `keyOf` makes its keys of these. */
const SECRET = secretOf(1, "relayed");

describe("Entries in a device's word", () => {
  let publishers: Publishers;
  let restore: () => Promise<void>;
  const anchor = () => publishers.world.anchor;

  before(async () => {
    publishers = await Publishers.of([device, secure], [unborn]);
  });

  beforeEach(async () => {
    const snapshot = await publishers.world.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  describe("appendFor", () => {
    it("adds an entry of a device with a key of either curve, sent by anyone", async () => {
      for (const key of [device, secure]) {
        for (const [index, sender] of publishers.world.accounts.slice(2, 5).entries()) {
          const signature = publishers.signed(key, BigInt(index), entryOf(index));
          const call = anchor()
            .connect(sender)
            .appendFor(key.id, index, entryOf(index), publishers.signer(key), signature);
          await expect(call).to.emit(anchor(), "EntryAppended");
        }
        const { entries } = await readLog(
          publishers.world.ethers.provider,
          publishers.world.addresses.DataAnchor,
          key.id,
        );
        expect(entries.map(({ entry }) => toHex(entry))).to.deep.equal([0, 1, 2].map((k) => toHex(entryOf(k))));
      }
    });

    it("takes the digest that the contract and the toolkit compute alike", async () => {
      for (const index of [0n, 7n, 2n ** 64n - 1n]) {
        const own = publishers.digests.entry({ device: device.id, index, entry: entryOf(1) });
        expect(await anchor().entryDigest(device.id, index, entryOf(1))).to.equal(toHex(own));
      }
      expect(await anchor().registry()).to.equal(publishers.world.addresses.DeviceRegistry);
    });

    it("refuses a repeated, skipped or earlier position, and changes nothing", async () => {
      await publishers.relay(secure, 0n, entryOf(0));
      await publishers.relay(secure, 1n, entryOf(1));
      const root = await anchor().rootOf(secure.id);
      for (const index of [0n, 1n, 3n, 2n ** 64n - 1n]) {
        await expect(publishers.relay(secure, index, entryOf(1)))
          .to.be.revertedWithCustomError(anchor(), "DataAnchorWrongIndex")
          .withArgs(secure.id, index, 2n);
      }
      expect(await anchor().rootOf(secure.id)).to.equal(root);
    });

    it("refuses a signature of another key, device, position, entry, contract or chain", async () => {
      const { chainId, addresses } = publishers.world;
      const said = { device: device.id, index: 0n, entry: entryOf(0) };
      const elsewhere = [
        new EntryDigests({ chainId: chainId + 1n, anchor: addresses.DataAnchor }),
        new EntryDigests({ chainId, anchor: addresses.DeviceRegistry }),
      ].map((digests) => toHex(device.sign(digests.entry(said))));
      const wrong = [
        publishers.signed(next, 0n, entryOf(0), device.id),
        publishers.signed(device, 0n, entryOf(0), secure.id),
        publishers.signed(device, 1n, entryOf(0)),
        publishers.signed(device, 0n, entryOf(1)),
        ...elsewhere,
        "0x",
        `0x${"00".repeat(65)}`,
      ];
      for (const signature of wrong) {
        await expect(anchor().appendFor(device.id, 0, entryOf(0), publishers.signer(device), signature))
          .to.be.revertedWithCustomError(anchor(), "DataAnchorInvalidSignature")
          .withArgs(device.id);
      }
      const right = publishers.signed(device, 0n, entryOf(0));
      for (const signer of [publishers.signer(next), publishers.signer(secure), "0x", "0x12"]) {
        await expect(anchor().appendFor(device.id, 0, entryOf(0), signer, right)).to.be.revertedWithCustomError(
          anchor(),
          "DataAnchorInvalidSignature",
        );
      }
      await anchor().appendFor(device.id, 0, entryOf(0), publishers.signer(device), right);
    });

    it("refuses a high-s signature", async () => {
      for (const key of [device, secure]) {
        const signature = highS(publishers.signed(key, 0n, entryOf(0)), key.kind);
        await expect(
          anchor().appendFor(key.id, 0, entryOf(0), publishers.signer(key), signature),
        ).to.be.revertedWithCustomError(anchor(), "DataAnchorInvalidSignature");
      }
    });

    it("refuses a device that isn't active, and one that never was", async () => {
      const refused = () =>
        expect(publishers.relay(device, 0n, entryOf(0))).to.be.revertedWithCustomError(
          anchor(),
          "DataAnchorInvalidSignature",
        );
      await publishers.world.registry.suspend(device.id);
      await refused();
      await publishers.world.registry.resume(device.id);
      await publishers.relay(device, 0n, entryOf(0));
      await publishers.world.registry.connect(publishers.maker).revokeDevice(publishers.lot.id, device.id);
      await expect(publishers.relay(device, 1n, entryOf(1))).to.be.revertedWithCustomError(
        anchor(),
        "DataAnchorInvalidSignature",
      );
      await expect(publishers.relay(unborn, 0n, entryOf(0))).to.be.revertedWithCustomError(
        anchor(),
        "DataAnchorInvalidSignature",
      );
    });
  });

  describe("appendMany", () => {
    type Item = { key: typeof device; index: bigint; k: number; signature?: string };
    const many = (items: readonly Item[]) =>
      anchor().appendMany(
        items.map(({ key }) => key.id),
        items.map(({ index }) => index),
        items.map(({ k }) => entryOf(k)),
        items.map(({ key }) => publishers.signer(key)),
        items.map(({ key, index, k, signature }) => signature ?? publishers.signed(key, index, entryOf(k))),
      );

    it("adds many devices' entries, several of one device in order", async () => {
      await many([
        { key: device, index: 0n, k: 0 },
        { key: secure, index: 0n, k: 1 },
        { key: device, index: 1n, k: 2 },
        { key: device, index: 2n, k: 3 },
      ]);
      expect([await publishers.sizeOf(device.id), await publishers.sizeOf(secure.id)]).to.deep.equal([3n, 1n]);
    });

    it("passes over what can't be added, and says so", async () => {
      const call = many([
        { key: device, index: 1n, k: 0 },
        { key: unborn, index: 0n, k: 1 },
        { key: secure, index: 0n, k: 2, signature: publishers.signed(device, 0n, entryOf(2), secure.id) },
        { key: device, index: 0n, k: 3 },
        { key: device, index: 0n, k: 4 },
      ]);
      const passed = [
        [device.id, 1n, toHex(entryOf(0))],
        [unborn.id, 0n, toHex(entryOf(1))],
        [secure.id, 0n, toHex(entryOf(2))],
        [device.id, 0n, toHex(entryOf(4))],
      ];
      for (const args of passed)
        await expect(call)
          .to.emit(anchor(), "EntryPassedOver")
          .withArgs(...args);
      const found = await anchor().queryFilter(anchor().filters.EntryPassedOver());
      expect(found.map(({ args }) => [...args])).to.deep.equal(passed);
      expect([await publishers.sizeOf(device.id), await publishers.sizeOf(secure.id)]).to.deep.equal([1n, 0n]);
    });

    it("can't be spoilt by sending one of its entries first", async () => {
      await publishers.relay(device, 0n, entryOf(0));
      await many([
        { key: device, index: 0n, k: 0 },
        { key: secure, index: 0n, k: 1 },
        { key: device, index: 1n, k: 2 },
      ]);
      expect([await publishers.sizeOf(device.id), await publishers.sizeOf(secure.id)]).to.deep.equal([2n, 1n]);
    });

    it("refuses lists of different lengths", async () => {
      const lists = [[device.id], [0n], [entryOf(0)], ["0x"], ["0x"]] as const;
      for (let short = 0; short < lists.length; short++) {
        const args = lists.map((list, k) => (k === short ? [] : [...list])) as unknown as Parameters<
          typeof many
        >[number][];
        await expect(
          anchor().getFunction("appendMany")(...(args as unknown as [never, never, never, never, never])),
        ).to.be.revertedWithCustomError(anchor(), "DataAnchorLengthMismatch");
      }
      await many([]);
    });
  });

  describe("when a device's key is replaced", () => {
    it("its log goes on under the next key", async () => {
      await publishers.append(device, SECRET, 0n, entryOf(0));
      await publishers.relay(device, 1n, entryOf(1));
      await publishers.rotate(device.id, device, secureNext);
      await publishers.relay(secureNext, 2n, entryOf(2), device.id);
      await publishers.rotate(device.id, secureNext, next, 2n);
      await publishers.relay(next, 3n, entryOf(3), device.id);
      const { entries } = await readLog(
        publishers.world.ethers.provider,
        publishers.world.addresses.DataAnchor,
        device.id,
      );
      expect(entries.map(({ entry }) => toHex(entry))).to.deep.equal([0, 1, 2, 3].map((k) => toHex(entryOf(k))));
    });

    it("the old key's signatures add nothing", async () => {
      const early = publishers.signed(device, 0n, entryOf(0));
      await publishers.rotate(device.id, device, next);
      for (const signer of [publishers.signer(device), publishers.signer(next)]) {
        await expect(anchor().appendFor(device.id, 0, entryOf(0), signer, early)).to.be.revertedWithCustomError(
          anchor(),
          "DataAnchorInvalidSignature",
        );
      }
    });

    it("its account is out from the first entry under the next key on", async () => {
      await publishers.append(device, SECRET, 0n, entryOf(0));
      await publishers.rotate(device.id, device, next);
      await expect(publishers.relay(next, 1n, entryOf(1), device.id))
        .to.emit(anchor(), "AccountChecked")
        .withArgs(device.id, true);
      expect(await anchor().isBarred(device.id)).to.equal(true);
      await expect(publishers.append(device, SECRET, 2n, entryOf(2)))
        .to.be.revertedWithCustomError(anchor(), "DataAnchorAccountBarred")
        .withArgs(device.id);
      await publishers.relay(next, 2n, entryOf(2), device.id);
    });

    it("its account is out from checkAccount on, which anyone may call", async () => {
      await publishers.append(device, SECRET, 0n, entryOf(0));
      await publishers.rotate(device.id, device, next);
      const anyone = publishers.world.accounts[9] ?? publishers.maker;
      await expect(anchor().connect(anyone).checkAccount(device.id))
        .to.emit(anchor(), "AccountChecked")
        .withArgs(device.id, true);
      await expect(anchor().connect(anyone).checkAccount(device.id)).not.to.emit(anchor(), "AccountChecked");
      await expect(publishers.append(device, SECRET, 1n, entryOf(1))).to.be.revertedWithCustomError(
        anchor(),
        "DataAnchorAccountBarred",
      );
    });

    it("its account may append again when its key comes back", async () => {
      for (const way of ["checkAccount", "appendFor"]) {
        const snapshot = await publishers.world.networkHelpers.takeSnapshot();
        await publishers.rotate(device.id, device, next);
        await anchor().checkAccount(device.id);
        await publishers.rotate(device.id, next, device, 2n);
        const call =
          way === "checkAccount" ? anchor().checkAccount(device.id) : publishers.relay(device, 0n, entryOf(0));
        await expect(call).to.emit(anchor(), "AccountChecked").withArgs(device.id, false);
        await publishers.append(device, SECRET, await publishers.sizeOf(device.id), entryOf(1));
        await snapshot.restore();
      }
    });
  });

  describe("checkAccount", () => {
    it("bars the account of a device that has ended", async () => {
      await publishers.world.registry.retire(device.id);
      expect(await anchor().checkAccount.staticCall(device.id)).to.equal(true);
      await anchor().checkAccount(device.id);
      await expect(publishers.append(device, SECRET, 0n, entryOf(0))).to.be.revertedWithCustomError(
        anchor(),
        "DataAnchorAccountBarred",
      );
    });

    it("bars neither a suspended device, nor an account that is no device", async () => {
      await publishers.world.registry.suspend(device.id);
      for (const account of [device.id, unborn.id, publishers.maker.address]) {
        await expect(anchor().checkAccount(account)).not.to.emit(anchor(), "AccountChecked");
        expect(await anchor().isBarred(account)).to.equal(false);
      }
    });

    it("keeps size and time of the log", async () => {
      await publishers.append(device, SECRET, 0n, entryOf(0));
      const [head, root] = [await anchor().headOf(device.id), await anchor().rootOf(device.id)];
      await publishers.rotate(device.id, device, next);
      await anchor().checkAccount(device.id);
      expect(await anchor().headOf(device.id)).to.deep.equal(head);
      expect(await anchor().rootOf(device.id)).to.equal(root);
    });
  });
});
