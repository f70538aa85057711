import { generateKeyPairSync, sign } from "node:crypto";
import { expect } from "chai";
import { AbiCoder, getAddress, hexlify } from "ethers";
import { deviceIdOf, KEY_KINDS } from "../../toolkit/identity/keys.js";
import { concat, fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { deployed } from "../support.js";
import { FAR, makeIssuer } from "./fleet.js";
import {
  activateKey,
  curveKey,
  enrolRing,
  FOREVER,
  keyEvent,
  keyedFleet,
  makeRing,
  RING_NAMES,
  type RingKey,
  spoiled,
  WOTS_KIND,
  WOTS_MULTICODEC,
  walletKey,
} from "./keyring.js";

describe("DeviceRegistry's kinds of key", () => {
  const fleet = keyedFleet();
  const { world, registry, ring, lot, maker, owner, stranger, refused, eventsOf, counts } = fleet;
  const digest = fromHex(secretOf(1, "a digest"));

  /** A device with this key, endorsed by a lot of its own; `kind` is what the lot says it is. */
  async function endorsed(key: RingKey, kind = key.kind) {
    return enrolRing(world(), maker(), [{ ...key, kind }, curveKey(world(), `beside ${key.id} ${kind}`, "secp256k1")]);
  }

  /** A key like another, whose signer has other bytes. */
  const withSigner = (key: RingKey, signer: Uint8Array): RingKey => ({
    ...key,
    signer,
    id: signer.length === 20 ? key.id : deviceIdOf(signer.subarray(20)),
  });

  describe("activation", () => {
    for (const hardfork of ["osaka", "prague"] as const) {
      it(`takes a device of each kind by its very signature alone, shows its key in the DID document and believes it (${hardfork})`, async () => {
        const chain = await deployed(hardfork);
        const [issuer, someone] = [chain.accounts[0] ?? chain.operator, chain.accounts[1] ?? chain.operator];
        await makeIssuer(chain, issuer);
        const keys = Object.values(await makeRing(chain)).map(([first]) => first);
        const chainLot = await enrolRing(chain, issuer, keys);
        for (const key of keys) {
          for (const bad of spoiled(key, key.sign(digest))) {
            await expect(activateKey(chain, chainLot, key, someone.address, bad))
              .to.be.revertedWithCustomError(chain.registry, "DeviceRegistryInvalidSignature")
              .withArgs(key.id);
          }
          expect(await chain.registry.isSignedByDevice(key.id, digest, key.signer, key.sign(digest))).to.equal(false);
          const receipt = await (await activateKey(chain, chainLot, key, someone.address)).wait();
          const events = receipt?.logs.map((log) => {
            const parsed = chain.registry.interface.parseLog(log);
            return [parsed?.name, ...(parsed?.args.toArray() ?? [])];
          });
          expect(events).to.deep.equal([
            ["DIDOwnerChanged", key.id, someone.address, 0n],
            keyEvent(key.id, key, FOREVER, receipt?.blockNumber ?? 0),
            ["DeviceActivated", chainLot.id, key.id, someone.address],
            ["Transfer", `0x${"00".repeat(20)}`, someone.address, BigInt(key.id)],
          ]);
          const { state, kind, assurance } = await chain.registry.deviceOf(key.id);
          expect([state, kind, assurance]).to.deep.equal([1n, BigInt(key.kind), 2n]);
          expect(await chain.registry.keyOf(key.id)).to.deep.equal([`0x${"00".repeat(30)}`, 1n]);
          expect(await chain.registry.isSignedByDevice(key.id, digest, key.signer, key.sign(digest))).to.equal(true);
          for (const bad of spoiled(key, key.sign(digest))) {
            expect(await chain.registry.isSignedByDevice(key.id, digest, key.signer, bad)).to.equal(false);
          }
        }
      });
    }

    it("refuses a key of one kind in a leaf of another", async () => {
      for (const name of RING_NAMES) {
        const key = ring()[name][1];
        for (const kind of [0, 1, 2, 3, 4, 5, 255].filter((one) => one !== key.kind)) {
          const listed = await endorsed(key, kind);
          const attempt = () => activateKey(world(), listed, key, owner().address);
          await refused(key.id, attempt, "DeviceRegistryInvalidProof", key.id, listed.id);
        }
      }
    });

    it("refuses a contract that doesn't answer well, and a contract that isn't there", async () => {
      const key = ring().erc1271[1];
      const listed = await endorsed(key);
      const wallet = await world().ethers.getContractAt("MoodyWallet", key.shown);
      for (const mood of [1, 2, 3, 4, 5]) {
        await wallet.getFunction("setMood")(mood);
        const attempt = () => activateKey(world(), listed, key, owner().address);
        await refused(key.id, attempt, "DeviceRegistryInvalidSignature", key.id);
      }
      const plain = curveKey(world(), "no contract", "secp256k1");
      const signer = concat(fromHex(world().addresses.Erc1271Verifier), fromHex(plain.id));
      const absent = withSigner({ ...plain, kind: KEY_KINDS.erc1271 }, signer);
      const elsewhere = await endorsed(absent);
      const attempt = () => activateKey(world(), elsewhere, absent, owner().address);
      await refused(absent.id, attempt, "DeviceRegistryInvalidSignature", absent.id);
    });
  });

  describe("a signer that is malformed", () => {
    /** Its kind is unknown wherever a signer is taken. */
    async function unknown(signer: Uint8Array): Promise<void> {
      const device = ring().secp256k1[0];
      const hex = toHex(signer);
      const bad = withSigner(device, signer);
      const activation = () => registry().activate(lot().id, hex, owner().address, "0x", FAR, 0n, []);
      await refused(device.id, activation, "DeviceKeysUnknownKind", hex);
      const rotation = () => registry().rotateKey(device.id, device.signer, hex, FAR, "0x", "0x");
      await refused(device.id, rotation, "DeviceKeysUnknownKind", hex);
      const recovery = () => registry(owner()).requestRecovery(device.id, hex, FAR, "0x");
      await refused(device.id, recovery, "DeviceKeysUnknownKind", hex);
      const revocation = () => registry(owner()).revokeKey(device.id, hex);
      await refused(device.id, revocation, "DeviceKeysNotTheKey", device.id, hex);
      expect(await counts(device.id, bad)).to.equal(false);
    }

    it("has an unknown kind when nothing says what judges it", async () => {
      const { addresses } = world();
      for (const length of [0, 1, 19, 21, 63, 64, 65, 84, 436, 10_000]) {
        await unknown(new Uint8Array(length).fill(0x22));
        if (length !== 0) await unknown(new Uint8Array(length));
      }
      const p256 = ring().p256[1].signer;
      for (const verifier of [addresses.ITC, addresses.DeviceRegistry, owner().address]) {
        await unknown(concat(fromHex(verifier), p256.subarray(20)));
      }
      for (const length of [21, 52, 83]) await unknown(p256.subarray(0, length));
      for (const extra of [1, 64, 10_000]) await unknown(concat(p256, new Uint8Array(extra)));
    });

    it("is refused by its verifier when its length isn't a key's", async () => {
      for (const name of ["rsa2048", "erc1271", "wots"] as const) {
        const key = ring()[name][1];
        const lengths = [21, 39, 41, 63, 83, 85, 435, 437, 10_000].filter((length) => length !== key.signer.length);
        for (const length of lengths) {
          const signer = new Uint8Array(length);
          signer.set(key.signer.subarray(0, length));
          await badKey(withSigner(key, signer));
        }
      }
    });

    it("is refused when it is no point of the curve", async () => {
      const key = ring().p256[1];
      const { signer } = key;
      const order = fromHex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
      const offCurve = Uint8Array.from(signer, (byte, place) => (place === 83 ? byte ^ 1 : byte));
      const swapped = concat(signer.subarray(0, 20), signer.subarray(52), signer.subarray(20, 52));
      const zero = concat(signer.subarray(0, 20), new Uint8Array(64));
      const beyond = concat(signer.subarray(0, 20), order, signer.subarray(52));
      const allOnes = concat(signer.subarray(0, 20), new Uint8Array(64).fill(0xff));
      for (const bad of [offCurve, swapped, zero, beyond, allOnes]) await badKey(withSigner(key, bad));
    });

    it("is refused when it is no RSA-2048 key with e = 65537 in the one spelling", async () => {
      const key = ring().rsa2048[1];
      const head = key.signer.subarray(0, 20);
      const encoded = (e: Uint8Array, n: Uint8Array) =>
        concat(head, fromHex(AbiCoder.defaultAbiCoder().encode(["bytes", "bytes"], [e, n])));
      const others = [
        [2048, 3],
        [2048, 257],
        [1024, 65_537],
        [3072, 65_537],
      ] as const;
      for (const [modulusLength, publicExponent] of others) {
        const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength, publicExponent });
        const { e = "", n = "" } = publicKey.export({ format: "jwk" });
        const signer = encoded(Buffer.from(e, "base64url"), Buffer.from(n, "base64url"));
        const signs = (message: Uint8Array) => new Uint8Array(sign("sha256", message, privateKey));
        await badKey({ ...withSigner(key, signer), sign: signs });
      }
      const n = key.signer.subarray(180, 436);
      const spelled = [
        encoded(fromHex("00010001"), n),
        encoded(fromHex("010001"), concat(new Uint8Array(1), n)),
        concat(key.signer, new Uint8Array(1)),
        concat(key.signer, new Uint8Array(32)),
        // The bytes behind e, which the encoding leaves at zero.
        Uint8Array.from(key.signer, (byte, place) => (place === 120 ? 1 : byte)),
      ];
      for (const signer of spelled) await badKey(withSigner(key, signer));
    });

    /** A key of a known kind that its verifier doesn't take: no device, and no device's next key. */
    async function badKey(bad: RingKey): Promise<void> {
      const listed = await endorsed(bad);
      const activation = () => activateKey(world(), listed, bad, owner().address);
      await refused(bad.id, activation, "DeviceRegistryInvalidSignature", bad.id);
      const device = ring().secp256k1[0];
      const rotation = () => fleet.rotate(device.id, device, bad);
      await refused(device.id, rotation, "DeviceKeysInvalidSignature", device.id, hexlify(bad.signer));
      const said = bad.sign(await fleet.keyChange(device.id, bad));
      const recovery = () => registry(owner()).requestRecovery(device.id, bad.signer, FAR, said);
      await refused(device.id, recovery, "DeviceKeysInvalidSignature", device.id, hexlify(bad.signer));
    }
  });

  describe("a verifier of one kind", () => {
    it("can't judge keys of another", async () => {
      for (const name of RING_NAMES.filter((one) => one !== "secp256k1")) {
        const key = ring()[name][0];
        for (const other of RING_NAMES.filter((one) => one !== "secp256k1" && one !== name)) {
          const signer = concat(ring()[other][0].signer.subarray(0, 20), key.signer.subarray(20));
          expect(await counts(key.id, { ...key, signer })).to.equal(false);
          await refused(
            key.id,
            () => registry(owner()).revokeKey(key.id, signer),
            "DeviceKeysNotTheKey",
            key.id,
            toHex(signer),
          );
        }
        // The device's address as an account: nobody has its key, and the kind says that it is none.
        const account = { ...ring().secp256k1[0], signer: fromHex(key.id) };
        expect(await counts(key.id, account)).to.equal(false);
      }
      // A wallet isn't the account at its address.
      const wallet = ring().erc1271[0];
      expect(await counts(wallet.id, { ...wallet, signer: fromHex(wallet.shown) })).to.equal(false);
    });

    it("isn't passed over for 64 bytes that would be a P-256 key", async () => {
      const p256 = curveKey(world(), "a point", "p256");
      const other = await endorsed(p256);
      for (const [verifier, kind] of [
        [ring().wots[0].signer.subarray(0, 20), WOTS_KIND],
        [fromHex(world().addresses.RsaVerifier), KEY_KINDS.rsa2048],
        [fromHex(world().addresses.Erc1271Verifier), KEY_KINDS.erc1271],
      ] as const) {
        const disguised = { ...p256, kind, signer: concat(verifier, p256.signer.subarray(20)) };
        const listed = await endorsed(disguised);
        const attempt = () => activateKey(world(), listed, disguised, owner().address);
        await refused(p256.id, attempt, "DeviceRegistryInvalidSignature", p256.id);
        // Nor where the leaf says P-256 and the signer doesn't.
        const second = () => activateKey(world(), other, disguised, owner().address);
        await refused(p256.id, second, "DeviceRegistryInvalidProof", p256.id, other.id);
      }
    });

    it("isn't an account of its own", async () => {
      const key = { ...ring().p256[0], signer: fromHex(world().addresses.P256Verifier) };
      expect(await counts(key.id, key)).to.equal(false);
      const device = ring().secp256k1[0];
      const attempt = () => fleet.rotate(device.id, device, key);
      await refused(device.id, attempt, "DeviceKeysInvalidSignature", device.id, toHex(key.signer));
    });
  });

  describe("isSignedByDevice", () => {
    const check = (key: RingKey, signature: Uint8Array, device = key.id, over = digest) =>
      registry().isSignedByDevice(device, over, key.signer, signature);

    it("is false for each kind's signature in another spelling, cut or spoiled", async () => {
      for (const name of RING_NAMES) {
        const key = ring()[name][0];
        const signature = key.sign(digest);
        expect(await check(key, signature)).to.equal(true);
        for (const bad of spoiled(key, signature)) expect(await check(key, bad)).to.equal(false);
      }
    });

    it("is false for another digest, another device's key and an unknown device", async () => {
      for (const name of RING_NAMES) {
        const [key, spare] = ring()[name];
        expect(await check(key, key.sign(digest), key.id, fromHex(secretOf(1, "else")))).to.equal(false);
        expect(await check(spare, spare.sign(digest), key.id)).to.equal(false);
        expect(await check(spare, spare.sign(digest))).to.equal(false);
        for (const other of RING_NAMES.filter((one) => one !== name)) {
          expect(await check(key, key.sign(digest), ring()[other][0].id)).to.equal(false);
        }
      }
    });

    it("is false while a contract doesn't answer well, and true again", async () => {
      const [key] = ring().erc1271;
      const wallet = await world().ethers.getContractAt("MoodyWallet", key.shown);
      for (const mood of [1, 2, 3, 4, 5]) {
        await wallet.getFunction("setMood")(mood);
        expect(await check(key, key.sign(digest))).to.equal(false);
      }
      await wallet.getFunction("setMood")(0);
      expect(await check(key, key.sign(digest))).to.equal(true);
    });
  });

  describe("addKeyKind", () => {
    const device = () => ring().secp256k1[0].id;

    it("is for the registrar alone", async () => {
      const { address } = stranger();
      const verifier = await (await world().ethers.deployContract("WotsVerifier")).getAddress();
      for (const who of [stranger(), maker(), owner()]) {
        const attempt = () => registry(who).addKeyKind(verifier, "0x01");
        await refused(device(), attempt, "AccessManagedUnauthorized", who.address);
      }
      await world().authority.grantRole(1n, address, 0);
      await registry().addKeyKind(verifier, "0x01");
      expect(await registry().keyKindOf(5)).to.deep.equal([verifier, "0x01"]);
    });

    it("refuses a verifier that is known, born or added", async () => {
      const { P256Verifier, RsaVerifier, Erc1271Verifier } = world().addresses;
      const wots = toHex(ring().wots[0].signer.subarray(0, 20));
      for (const [place, verifier] of [P256Verifier, RsaVerifier, Erc1271Verifier, wots].entries()) {
        const attempt = () => world().registry.addKeyKind(verifier, "0x01");
        await refused(device(), attempt, "DeviceKeysKindKnown", getAddress(verifier), place + 1);
      }
    });

    it("refuses a verifier without code, no multicodec and one of more than 8 bytes", async () => {
      const verifier = await (await world().ethers.deployContract("WotsVerifier")).getAddress();
      const zero = `0x${"00".repeat(20)}`;
      for (const [who, multicodec] of [
        [owner().address, "0x01"],
        [zero, "0x01"],
        [verifier, "0x"],
        [verifier, `0x${"01".repeat(9)}`],
        [verifier, `0x${"01".repeat(1_000)}`],
      ] as const) {
        const attempt = () => world().registry.addKeyKind(who, multicodec);
        await refused(device(), attempt, "DeviceKeysInvalidKind", who, multicodec);
      }
      expect(await registry().keyKindOf(5)).to.deep.equal([zero, "0x"]);
    });

    it("numbers kinds one after another and says what they are", async () => {
      const { P256Verifier, RsaVerifier, Erc1271Verifier } = world().addresses;
      const kinds = await Promise.all([0, 1, 2, 3].map((kind) => registry().keyKindOf(kind)));
      expect(kinds.map(({ verifier, multicodec }) => [verifier, multicodec])).to.deep.equal([
        [`0x${"00".repeat(20)}`, "0x"],
        [P256Verifier, "0x8024"],
        [RsaVerifier, "0x8524"],
        [Erc1271Verifier, "0x"],
      ]);
      expect((await registry().keyKindOf(WOTS_KIND)).multicodec).to.equal(WOTS_MULTICODEC);
      for (const [place, multicodec] of ["0x01", `0x${"ff".repeat(8)}`].entries()) {
        const verifier = await (await world().ethers.deployContract("WotsVerifier")).getAddress();
        const { events } = await eventsOf(world().registry.addKeyKind(verifier, multicodec));
        expect(events).to.deep.equal([["KeyKindAdded", BigInt(5 + place), verifier, multicodec]]);
        expect(await registry().keyKindOf(5 + place)).to.deep.equal([verifier, multicodec]);
      }
      // Kinds that are there stay what they are.
      for (const name of RING_NAMES) expect(await counts(ring()[name][0].id, ring()[name][0])).to.equal(true);
      const late = await walletKey(world(), "late");
      await activateKey(world(), await endorsed(late), late, owner().address);
      expect(await counts(late.id, late)).to.equal(true);
    });
  });
});
