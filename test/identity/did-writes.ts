import { expect } from "chai";
import { AbiCoder, encodeBytes32String, Interface, keccak256, toUtf8Bytes, ZeroAddress } from "ethers";
import { type DeviceKey, signerOf } from "../../toolkit/identity/keys.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { type Deployed, deployed } from "../support.js";
import { batchOf, sendBatch } from "./batches.js";
import { changesOf, logsOf, walk } from "./did-chain.js";
import { activationOf, type EnrolledLot, enrolLot, FAR, keyOf, makeIssuer, send } from "./fleet.js";
import { contradict, pictureOf } from "./lives.js";

const first = keyOf("did-0");
const second = keyOf("did-1", "p256");
const never = keyOf("did-2");
const fleet = [first, second, never, ...Array.from({ length: 4 }, (_, k) => keyOf(`did-${k + 3}`))];
const VERIFIER = encodeBytes32String("veriKey");
const KEY = encodeBytes32String("sigAuth");
const SERVICE = encodeBytes32String("did/svc/Hub");
const MOST = 2n ** 40n - 1n;
/** Names with one byte that isn't ASCII, at their beginning, middle and end. */
const FOREIGN = [0, 16, 31].map((at) => `0x${"61".repeat(at)}${"80"}${"61".repeat(31 - at)}`);

describe("DeviceRegistry's ERC-1056 writes", () => {
  let world: Deployed;
  let lot: EnrolledLot;
  let restore: () => Promise<void>;
  const account = (k: number) => world.accounts[k] ?? world.operator;
  const owner = () => account(0);
  const other = () => account(1);
  const maker = () => account(2);
  const mine = () => world.registry.connect(owner());
  const now = async () => BigInt(await world.networkHelpers.time.latest());
  const block = async () => BigInt(await world.ethers.provider.getBlockNumber());
  /** Delegates that nobody else is. */
  const someone = (k: number) => `0x${(k + 1).toString(16).padStart(40, "d")}`;
  const refused = (call: Promise<unknown>, error: string, ...args: unknown[]) =>
    expect(call)
      .to.be.revertedWithCustomError(world.registry, error)
      .withArgs(...args);
  const listed = async (device = first.id) => {
    const [types, accounts, validTo, numbers] = await world.registry.delegatesOf(device);
    return accounts.map((delegate, k) => [types[k], delegate.toLowerCase(), validTo[k], numbers[k]]);
  };

  before(async () => {
    world = await deployed();
    await makeIssuer(world, maker());
    lot = await enrolLot(world, maker(), fleet);
    for (const key of [first, second]) await send(world, activationOf(world, lot, key, owner().address));
  });

  beforeEach(async () => {
    const snapshot = await world.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  /** All four writes, as an account would send them. */
  const writes = (device: string, by = owner()) => {
    const registry = world.registry.connect(by);
    return [
      () => registry.addDelegate(device, VERIFIER, someone(0), 60),
      () => registry.revokeDelegate(device, VERIFIER, someone(0)),
      () => registry.setAttribute(device, SERVICE, "0x01", 60),
      () => registry.revokeAttribute(device, SERVICE, "0x01"),
    ];
  };

  describe("who may write", () => {
    it("the owner of a device that lives, and nobody else", async () => {
      await mine().setApprovalForAll(other().address, true);
      const before = await pictureOf(world, first.id);
      for (const by of [other(), maker(), world.operator]) {
        for (const write of writes(first.id, by)) {
          await refused(write(), "DeviceRegistryNotAllowed", first.id, by.address);
        }
      }
      expect(await pictureOf(world, first.id)).to.deep.equal(before);
      // Suspended devices keep their documents.
      await world.registry.connect(maker()).suspend(first.id);
      for (const write of writes(first.id)) await write();
    });

    it("nobody for a device that has ended, or that never was", async () => {
      await mine().retire(first.id);
      await world.registry.connect(maker()).revokeDevice(lot.id, second.id);
      for (const [device, state] of [
        [first.id, 3],
        [second.id, 4],
      ] as const) {
        for (const write of writes(device)) await refused(write(), "DeviceRegistryWrongState", device, state);
      }
      for (const device of [never.id, owner().address, ZeroAddress]) {
        for (const write of writes(device)) {
          await refused(write(), "DeviceRegistryNotAllowed", device, owner().address);
        }
      }
    });
  });

  describe("addDelegate and revokeDelegate", () => {
    const add = (k: number, validity: bigint | number = 1_000, type = VERIFIER) =>
      mine().addDelegate(first.id, type, someone(k), validity);
    const withdraw = (k: number, type = VERIFIER) => mine().revokeDelegate(first.id, type, someone(k));

    it("refuse the type of the device's own key, and what is not ASCII", async () => {
      for (const type of [KEY, ...FOREIGN]) {
        await refused(add(0, 1, type), "DeviceRegistryReservedName", type);
        await refused(
          withdraw(0, type),
          "DeviceRegistryDelegateUnknown",
          first.id,
          type,
          world.ethers.getAddress(someone(0)),
        );
      }
      await refused(
        mine().revokeDelegate(first.id, KEY, first.id),
        "DeviceRegistryDelegateUnknown",
        first.id,
        KEY,
        first.id,
      );
      expect(await world.registry.validDelegate(first.id, KEY, first.id)).to.equal(true);
      for (const type of [`0x${"7f".repeat(32)}`, `0x${"00".repeat(32)}`]) await add(0, 1, type);
    });

    it("refuse a validity beyond 40 bits", async () => {
      for (const validity of [MOST + 1n, 2n ** 64n, 2n ** 256n - 1n]) {
        await refused(add(0, validity), "DeviceRegistryValidityTooLong", validity);
      }
      await add(0, MOST);
      expect(await listed()).to.deep.equal([[VERIFIER, someone(0), (await now()) + MOST, 2n]]);
    });

    it("keep eight, and refuse the ninth until one has expired", async () => {
      for (let k = 0; k < 8; k++) await add(k, k === 5 ? 100 : 10_000);
      const expiry = (await listed())[5]?.[2];
      await refused(add(8), "DeviceRegistryTooManyDelegates", first.id);
      // One that is there already needs no room.
      await add(3, 20_000);
      await world.networkHelpers.time.setNextBlockTimestamp(BigInt(expiry ?? 0));
      await refused(add(8), "DeviceRegistryTooManyDelegates", first.id);
      await world.networkHelpers.time.increaseTo(BigInt(expiry ?? 0) + 1n);
      await add(8);
      const accounts = (await listed()).map(([, delegate]) => delegate);
      expect(accounts).to.deep.equal([0, 1, 2, 3, 4, 8, 6, 7].map(someone));
      await refused(add(9), "DeviceRegistryTooManyDelegates", first.id);
      await withdraw(0);
      await add(9);
    });

    it("hold to the second", async () => {
      await add(0, 100);
      await add(1, 0);
      const validTo = (await now()) + 99n;
      const holds = (k: number) => world.registry.validDelegate(first.id, VERIFIER, someone(k));
      expect(await holds(1)).to.equal(true);
      await world.networkHelpers.time.increaseTo(validTo);
      expect([await holds(0), await holds(1)]).to.deep.equal([true, false]);
      await world.networkHelpers.time.increaseTo(validTo + 1n);
      expect(await holds(0)).to.equal(false);
      // For its own type alone.
      await add(0);
      expect(await world.registry.validDelegate(first.id, SERVICE, someone(0))).to.equal(false);
      expect(await world.registry.validDelegate(second.id, VERIFIER, someone(0))).to.equal(false);
    });

    it("give a delegate that is named again its place, and another number and time", async () => {
      for (const k of [0, 1, 2]) await add(k);
      await add(1, 5_000);
      const renewed = await now();
      expect((await listed())[1]).to.deep.equal([VERIFIER, someone(1), renewed + 5_000n, 5n]);
      await add(1, 5_000, SERVICE);
      expect((await listed()).length).to.equal(4);
    });

    it("close the gap with the last, and know nobody that was withdrawn", async () => {
      for (const k of [0, 1, 2, 3]) await add(k);
      const before = await world.registry.changed(first.id);
      const call = withdraw(1);
      await call;
      const past = (await now()) - 1n;
      await expect(call)
        .to.emit(world.registry, "DIDDelegateChanged")
        .withArgs(first.id, VERIFIER, world.ethers.getAddress(someone(1)), past, before);
      expect((await listed()).map(([, delegate]) => delegate)).to.deep.equal([0, 3, 2].map(someone));
      expect(await world.registry.validDelegate(first.id, VERIFIER, someone(1))).to.equal(false);
      const unknown = world.ethers.getAddress(someone(1));
      await refused(withdraw(1), "DeviceRegistryDelegateUnknown", first.id, VERIFIER, unknown);
      for (const k of [2, 0, 3]) await withdraw(k);
      expect(await listed()).to.deep.equal([]);
      // One that has expired can be withdrawn as well.
      await add(4, 0);
      await world.networkHelpers.time.increase(10);
      await withdraw(4);
    });

    it("number delegates as a resolver does, beside the events about keys", async () => {
      const number = async (k: number) => (await listed()).find(([, delegate]) => delegate === someone(k))?.[3];
      // The event of activation was the first.
      await add(0);
      expect(await number(0)).to.equal(2n);
      await rotate(first, keyOf("did-next"), 0n);
      expect((await world.registry.keyOf(first.id)).number).to.equal(4n);
      await add(1);
      await withdraw(0);
      await add(2);
      expect([await number(1), await number(2)]).to.deep.equal([5n, 7n]);
    });
  });

  const hex = (key: DeviceKey) => toHex(signerOf(key, world.addresses));

  async function rotate(device: DeviceKey, next: DeviceKey, nonce: bigint) {
    const said = { device: device.id, signer: signerOf(next, world.addresses), nonce, deadline: FAR };
    const digest = world.digests.keyChange(said);
    const [old, fresh] = [device.sign(digest), next.sign(digest)].map(toHex);
    return world.registry.rotateKey(device.id, hex(device), hex(next), FAR, old ?? "", fresh ?? "");
  }

  async function recover(device: DeviceKey, next: DeviceKey, present: string) {
    const digest = await world.registry.keyChangeDigest(device.id, hex(next), FAR);
    await mine().requestRecovery(device.id, hex(next), FAR, toHex(next.sign(fromHex(digest))));
    const readyAt = (await now()) + (await world.registry.recoveryDelay());
    await world.networkHelpers.time.increaseTo(readyAt);
    return world.registry.completeRecovery(device.id, present, hex(next), readyAt);
  }

  describe("setAttribute and revokeAttribute", () => {
    it("refuse the names of keys, and what is not ASCII", async () => {
      const names = ["did/pub/", "did/pub/Multikey/sigAuth", "did/pub/Ed25519/veriKey/base58"].map(encodeBytes32String);
      for (const name of [...names, ...FOREIGN]) {
        await refused(mine().setAttribute(first.id, name, "0x01", 1), "DeviceRegistryReservedName", name);
        await refused(mine().revokeAttribute(first.id, name, "0x01"), "DeviceRegistryReservedName", name);
      }
      expect(await world.registry.attributesOf(first.id)).to.equal(0n);
      for (const name of ["did/pub", "did/pubs/", "Did/pub/", "did/svc/did/pub/"].map(encodeBytes32String)) {
        await mine().setAttribute(first.id, name, "0x01", 1);
      }
    });

    it("refuse a validity beyond 40 bits", async () => {
      for (const validity of [MOST + 1n, 2n ** 256n - 1n]) {
        const call = mine().setAttribute(first.id, SERVICE, "0x01", validity);
        await refused(call, "DeviceRegistryValidityTooLong", validity);
      }
      const born = await world.registry.changed(first.id);
      const call = mine().setAttribute(first.id, SERVICE, "0x01", MOST);
      await call;
      const validTo = (await now()) + MOST;
      await expect(call)
        .to.emit(world.registry, "DIDAttributeChanged")
        .withArgs(first.id, SERVICE, "0x01", validTo, born);
    });

    it("add to a digest that anyone can compute", async () => {
      let digest = 0n;
      const roll = async (value: string, validTo: bigint) => {
        const words = [digest, SERVICE, keccak256(value), validTo];
        const coded = AbiCoder.defaultAbiCoder().encode(["uint216", "bytes32", "bytes32", "uint256"], words);
        digest = BigInt(keccak256(coded)) % 2n ** 216n;
        expect(await world.registry.attributesOf(first.id)).to.equal(digest);
      };
      for (const [k, value] of ["0x", "0x01", toHex(toUtf8Bytes("https://hub.example"))].entries()) {
        await mine().setAttribute(first.id, SERVICE, value, k);
        await roll(value, (await now()) + BigInt(k));
        await mine().revokeAttribute(first.id, SERVICE, value);
        await roll(value, (await now()) - 1n);
      }
      expect(await world.registry.attributesOf(second.id)).to.equal(0n);
    });

    it("take any length of value, and outlive a transfer", async () => {
      const value = `0x${"5a".repeat(3_000)}`;
      await mine().setAttribute(first.id, SERVICE, value, 1);
      const digest = await world.registry.attributesOf(first.id);
      await mine().transferFrom(owner().address, other().address, first.id);
      expect(await world.registry.attributesOf(first.id)).to.equal(digest);
      const changed = await world.registry.changed(first.id);
      await expect(world.registry.connect(other()).revokeAttribute(first.id, SERVICE, value))
        .to.emit(world.registry, "DIDAttributeChanged")
        .withArgs(first.id, SERVICE, value, (validTo: bigint) => validTo > 0n, changed);
    });
  });

  describe("changed and previousChange", () => {
    /** Following the chain finds what is there, from the first block to the last, and each change names the one before. */
    async function complete(device: string, least: number): Promise<void> {
      const all = await changesOf(world, device, 0n, await block());
      expect(await walk(world, device)).to.deep.equal(all);
      expect(all.map(({ previous }) => previous)).to.deep.equal(all.map((_, k) => all[k - 1]?.block ?? 0n));
      expect(all.length).to.be.at.least(least);
      expect(await world.registry.changed(device)).to.equal(all.at(-1)?.block);
    }

    /** Each path that writes `changed`, for a device that is active and the owner's. */
    const paths = (key: DeviceKey): Record<string, () => Promise<unknown>> => {
      const next = keyOf(`next of ${key.id}`);
      const third = keyOf(`third of ${key.id}`, "p256");
      return {
        addDelegate: () => mine().addDelegate(key.id, VERIFIER, someone(0), 1_000),
        setAttribute: () => mine().setAttribute(key.id, SERVICE, "0x01", 1_000),
        revokeDelegate: () => mine().revokeDelegate(key.id, VERIFIER, someone(0)),
        revokeAttribute: () => mine().revokeAttribute(key.id, SERVICE, "0x01"),
        rotateKey: () => rotate(key, next, 0n),
        "a recovery over a key": () => recover(key, third, hex(next)),
        revokeKey: () => world.registry.connect(maker()).revokeKey(key.id, hex(third)),
        "a recovery over none": () => recover(key, keyOf(`last of ${key.id}`), "0x"),
        "delegates to be ended": async () => {
          for (const k of [0, 1, 2]) await mine().addDelegate(key.id, VERIFIER, someone(k), 1_000);
        },
        changeOwner: () => mine().changeOwner(key.id, owner().address),
        transferFrom: () => mine().transferFrom(owner().address, owner().address, key.id),
        "an attribute after it": () => mine().setAttribute(key.id, SERVICE, "0x02", 1_000),
      };
    };

    it("find every ERC-1056 event of a device, whatever wrote it", async () => {
      for (const key of [first, second]) {
        let last = (await changesOf(world, key.id, 0n, await block())).length;
        await complete(key.id, 2);
        for (const [what, act] of Object.entries(paths(key))) {
          await act();
          const length = (await walk(world, key.id)).length;
          expect(length, what).to.be.greaterThan(last);
          last = length;
          await complete(key.id, length);
        }
      }
      await mine().retire(first.id);
      await world.registry.connect(maker()).revokeDevice(lot.id, second.id);
      const [batched, faulty] = fleet.slice(3, 5);
      if (!batched || !faulty) throw new Error("The fleet is too small.");
      await sendBatch(world, batchOf(world, lot, [batched, faulty], owner().address));
      await complete(batched.id, 2);
      await contradict(world, faulty, other());
      await complete(faulty.id, 3);
      for (const key of [first, second]) {
        await complete(key.id, 20);
        const [latest] = (await walk(world, key.id)).slice(-1);
        expect([latest?.name, latest?.args.owner]).to.deep.equal(["DIDOwnerChanged", ZeroAddress]);
      }
    });

    it("find every event of one block", async () => {
      await mine().setAttribute(first.id, SERVICE, "0x00", 1_000);
      const gas = { gasLimit: 400_000 };
      const registry = mine();
      await world.provider.request({ method: "evm_setAutomine", params: [false] });
      for (const round of [0, 1]) {
        await registry.addDelegate(first.id, VERIFIER, someone(round), 1_000, gas);
        await registry.setAttribute(first.id, SERVICE, "0x01", 1_000, gas);
        await registry.addDelegate(first.id, VERIFIER, someone(round + 2), 1_000, gas);
        await registry.revokeAttribute(first.id, SERVICE, "0x01", gas);
        await registry.revokeDelegate(first.id, VERIFIER, someone(round), gas);
        await registry.transferFrom(owner().address, owner().address, first.id, gas);
        await world.networkHelpers.mine();
      }
      await registry.retire(first.id, gas);
      await world.networkHelpers.mine();
      await world.provider.request({ method: "evm_setAutomine", params: [true] });
      // Seven a round: a delegate falls with the transfer.
      await complete(first.id, 2 + 1 + 7 + 7 + 1);
      const blocks = new Set((await walk(world, first.id)).map((change) => change.block));
      expect(blocks.size).to.equal(5);
    });

    it("meet no other event in topic 1 but ERC-4907's UpdateUser", async () => {
      for (const act of Object.values(paths(first))) await act();
      await mine().setUser(first.id, other().address, FAR);
      await mine().suspend(first.id);
      await mine().approve(other().address, first.id);
      await mine().transferFrom(owner().address, owner().address, first.id);
      await mine().resume(first.id);
      await world.registry.connect(maker()).stateAssurance(first.id, 1);
      await contradict(world, keyOf(`last of ${first.id}`), other()).catch(() => undefined);
      await mine().retire(first.id);
      const names = (await logsOf(world, first.id, 0n, await block())).map(
        (log) => world.registry.interface.parseLog(log)?.name ?? "",
      );
      const foreign = names.filter((name) => !name.startsWith("DID"));
      // A resolver passes over it, as over all that its ABI doesn't have; the standard puts the token there.
      expect(foreign).to.deep.equal(["UpdateUser", "UpdateUser"]);
      await complete(first.id, 20);
    });
  });

  it("the signed changes of ERC-1056 aren't there, and the nonce is 0", async () => {
    for (const identity of [first.id, owner().address]) expect(await world.registry.nonce(identity)).to.equal(0n);
    const reference = new Interface([
      "function changeOwnerSigned(address,uint8,bytes32,bytes32,address)",
      "function addDelegateSigned(address,uint8,bytes32,bytes32,bytes32,address,uint256)",
      "function setAttributeSigned(address,uint8,bytes32,bytes32,bytes32,bytes,uint256)",
    ]);
    reference.forEachFunction(({ name }) => expect(world.registry.interface.hasFunction(name)).to.equal(false));
  });
});
