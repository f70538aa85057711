import { expect } from "chai";
import { AbiCoder, dataSlice, Interface, keccak256, type Signer } from "ethers";
import { type DeviceKey, signerOf } from "../../toolkit/identity/keys.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { type Deployed, deployed } from "../support.js";
import { activationOf, BOND, type EnrolledLot, enrolLot, FAR, keyOf, makeIssuer, send } from "./fleet.js";

const first = keyOf("audit-first");
const second = keyOf("audit-second");
const other = keyOf("audit-other");
const third = keyOf("audit-third", "p256");
const SEQUENCE = 7n;
const SCHEMA = `0x${"11".repeat(32)}`;
const CONTENTS: [string, string] = [`0x${"22".repeat(32)}`, `0x${"33".repeat(32)}`];

describe("DeviceRegistry under attack", () => {
  let world: Deployed;
  let lot: EnrolledLot;
  let restore: () => Promise<void>;
  const maker = () => world.accounts[0] ?? world.operator;
  const owner = () => world.accounts[1] ?? world.operator;
  const buyer = () => world.accounts[2] ?? world.operator;
  const signer = (key: DeviceKey) => toHex(signerOf(key, world.addresses));
  const registry = (by: Signer) => world.registry.connect(by);

  async function signed(key: DeviceKey, next: DeviceKey): Promise<string> {
    return toHex(key.sign(fromHex(await world.registry.keyChangeDigest(first.id, signer(next), FAR))));
  }

  async function rotate(from: DeviceKey, to: DeviceKey) {
    const [old, proof] = [await signed(from, to), await signed(to, to)];
    return world.registry.rotateKey(first.id, signer(from), signer(to), FAR, old, proof);
  }

  /** Asks for a key and returns when it can be completed. */
  async function requestRecovery(by: Signer, next: DeviceKey): Promise<bigint> {
    await registry(by).requestRecovery(first.id, signer(next), FAR, await signed(next, next));
    return BigInt(await world.networkHelpers.time.latest()) + (await world.registry.recoveryDelay());
  }

  async function recover(by: Signer, present: DeviceKey, next: DeviceKey) {
    const readyAt = await requestRecovery(by, next);
    await world.networkHelpers.time.increaseTo(readyAt);
    return world.registry.completeRecovery(first.id, signer(present), signer(next), readyAt);
  }

  async function contradict(key: DeviceKey) {
    const digests = await Promise.all(
      CONTENTS.map((content) => world.registry.readingDigest(first.id, SEQUENCE, 1n, SCHEMA, content)),
    );
    const [one = "", two = ""] = digests.map((digest) => toHex(key.sign(fromHex(digest))));
    return registry(buyer()).proveEquivocation(first.id, signer(key), SEQUENCE, [1n, 1n], [SCHEMA, SCHEMA], CONTENTS, [
      one,
      two,
    ]);
  }

  before(async () => {
    world = await deployed();
    await makeIssuer(world, maker());
    lot = await enrolLot(world, maker(), [first, other]);
    await send(world, activationOf(world, lot, first, owner().address));
  });

  beforeEach(async () => {
    const snapshot = await world.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  it("never takes back a key that its owner or issuer has revoked", async () => {
    const refused = (call: Promise<unknown>) =>
      expect(call).to.be.revertedWithCustomError(world.registry, "DeviceKeysVoidKey").withArgs(first.id, signer(first));
    await registry(owner()).revokeKey(first.id, signer(first));
    await refused(requestRecovery(owner(), first));
    await recover(owner(), first, second);
    await refused(requestRecovery(owner(), first));
    await refused(rotate(second, first));
    await rotate(second, third);
    await rotate(third, second);
    await registry(maker()).revokeKey(first.id, signer(second));
    for (const gone of [first, second]) {
      await expect(requestRecovery(owner(), gone)).to.be.revertedWithCustomError(world.registry, "DeviceKeysVoidKey");
    }
    await recover(owner(), second, third);
  });

  it("counts no pair of readings twice, though the bond is put down anew and the owner wants the key back", async () => {
    await contradict(first);
    await expect(recover(owner(), first, first)).to.be.revertedWithCustomError(world.registry, "DeviceKeysVoidKey");
    await recover(owner(), first, second);
    await registry(maker()).restoreBond(first.id);
    await expect(rotate(second, first)).to.be.revertedWithCustomError(world.registry, "DeviceKeysVoidKey");
    await expect(contradict(first)).to.be.revertedWithCustomError(world.registry, "DeviceKeysNotTheKey");
    expect(await world.itc.balanceOf(buyer().address)).to.equal(BOND / 2n);
  });

  it("voids a recovery by a transfer, though the device comes back to who asked", async () => {
    const readyAt = await requestRecovery(owner(), second);
    await registry(owner()).transferFrom(owner().address, buyer().address, first.id);
    await registry(buyer()).transferFrom(buyer().address, owner().address, first.id);
    await world.networkHelpers.time.increaseTo(readyAt);
    await expect(world.registry.completeRecovery(first.id, signer(first), signer(second), readyAt))
      .to.be.revertedWithCustomError(world.registry, "DeviceKeysNoRecovery")
      .withArgs(first.id);
  });

  it("gives a key no assurance that the issuer has said nothing of", async () => {
    expect((await world.registry.deviceOf(first.id)).assurance).to.equal(2n);
    await expect(rotate(first, second)).to.emit(world.registry, "AssuranceStated").withArgs(lot.id, first.id, 0);
    expect((await world.registry.deviceOf(first.id)).assurance).to.equal(0n);
    await expect(rotate(second, third)).not.to.emit(world.registry, "AssuranceStated");
    await registry(maker()).stateAssurance(first.id, 2);
    expect((await world.registry.deviceOf(first.id)).assurance).to.equal(2n);
  });

  it("shows no delegates of a device whose life has ended", async () => {
    await registry(owner()).addDelegate(first.id, `0x${"61".repeat(32)}`, maker().address, 1000n);
    await registry(owner()).retire(first.id);
    await registry(owner()).transferFrom(owner().address, buyer().address, first.id);
    expect((await world.registry.delegatesOf(first.id))[0]).to.deep.equal([]);
  });

  it("lets a device be recovered, rotated and slashed, though its key was replaced as often as can be counted", async () => {
    await rotate(first, second);
    const { provider } = world.ethers;
    const coder = AbiCoder.defaultAbiCoder();
    const slots = Array.from({ length: 32 }, (_, k) =>
      keccak256(coder.encode(["address", "uint256"], [first.id, BigInt(k)])),
    );
    const words = await Promise.all(slots.map((slot) => provider.getStorage(world.addresses.DeviceRegistry, slot)));
    // The one slot of the device ends, from the top, with the count of key events: two after one rotation.
    const place = words.findIndex((word) => word.startsWith("0x0002") && word.endsWith("0001"));
    const slot = slots[place] ?? "";
    const word = `0xfffe${(words[place] ?? "").slice(6)}`;
    await world.networkHelpers.setStorageAt(world.addresses.DeviceRegistry, slot, word);
    await rotate(second, third);
    await rotate(third, second);
    await contradict(second);
    await recover(owner(), second, third);
    expect((await world.registry.keyOf(first.id)).signer).to.equal(dataSlice(keccak256(signer(third)), 0, 30));
  });

  it("answers a batch from a tree of 2^256 - 1 leaves by name", async () => {
    const { owner: to, signature, proof } = activationOf(world, lot, other, owner().address);
    const library = new Interface(["error MerkleBadMultiproof(uint256 leaves, uint256 siblings)"]);
    const leaves = 2n ** 256n - 1n;
    await expect(world.registry.activateBatch(lot.id, FAR, [signer(other)], [to], [signature], [0n], leaves, proof))
      .to.be.revertedWithCustomError({ interface: library }, "MerkleBadMultiproof")
      .withArgs(leaves, 1n);
  });
});
