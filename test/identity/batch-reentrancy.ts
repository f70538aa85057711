import { expect } from "chai";
import type { BaseContract } from "ethers";
import type { DeviceKey } from "../../toolkit/identity/keys.js";
import { LotTree } from "../../toolkit/identity/lots.js";
import { type Deployed, deployed } from "../support.js";
import { argsOf, batchOf, owedBy, sendBatch } from "./batches.js";
import { activationOf, BOND, type EnrolledLot, keyOf } from "./fleet.js";

const keys = Array.from({ length: 5 }, (_, k) => keyOf(`busy-${k}`));
const [first = keyOf("busy-0"), second = keyOf("busy-1"), third = keyOf("busy-2"), fourth = keyOf("busy-3")] = keys;
const batch = [first, second, third];

describe("DeviceRegistry.activateBatch, when an owner calls back in the middle", () => {
  let world: Deployed;
  /** Maker of the lot, and owner of devices: the worst that a caller can be. */
  let busy: BaseContract;
  let address: string;
  let lot: EnrolledLot;
  const owner = () => (world.accounts[1] ?? world.operator).address;

  const enrol = async (size: number): Promise<EnrolledLot> => {
    const tree = new LotTree(keys);
    await execute(world.addresses.DeviceRegistry, encode("enrolLot", [tree.root, size, 2, BOND]));
    return { id: tree.idFor(address), tree };
  };
  const encode = (name: string, args: readonly unknown[]) =>
    world.registry.interface.encodeFunctionData(name as "activate", args as never);
  const execute = (target: string, data: string) => busy.getFunction("execute")(target, data);
  const plan = (name: string, ...args: unknown[]) =>
    busy.getFunction("plan")(world.addresses.DeviceRegistry, encode(name, args));
  /** Who is asked while it receives: `of` names the busy owner, the others somebody quiet. */
  const call = (...of: readonly DeviceKey[]) =>
    batchOf(world, lot, batch, (key) => (of.some(({ id }) => id === key.id) ? address : owner()));
  const single = (key: DeviceKey, to: string) => {
    const { lot: id, signer, owner: named, signature, deadline, path, proof } = activationOf(world, lot, key, to);
    return [id, signer, named, signature, deadline, path, proof] as const;
  };

  beforeEach(async () => {
    world = await deployed();
    busy = await world.ethers.deployContract("BusyOwner");
    address = await busy.getAddress();
    await world.registry.registerIssuer(address, "Busy");
    await world.itc.transfer(address, 100n * BOND);
    const { interface: itc } = world.itc;
    const all = itc.encodeFunctionData("approve", [world.addresses.DeviceRegistry, 2n ** 256n - 1n]);
    await execute(world.addresses.ITC, all);
    lot = await enrol(keys.length);
  });

  /** States by device; what is held is what is owed, and none is active without its bond. */
  async function settle(states: readonly bigint[], activated: bigint): Promise<void> {
    const found = await Promise.all(keys.map(async ({ id }) => (await world.registry.deviceOf(id)).state));
    expect(found).to.deep.equal(states);
    const devices = keys.map(({ id }) => id);
    expect((await world.registry.lotOf(lot.id)).activated).to.equal(activated);
    expect(await world.itc.balanceOf(world.addresses.DeviceRegistry)).to.equal(await owedBy(world, [lot.id], devices));
    for (const [k, id] of devices.entries()) {
      const bond = states[k] === 0n ? 0n : BOND;
      expect((await world.registry.standingOf(id)).bond).to.equal(bond);
    }
  }

  const outcomes = async () => [...(await busy.getFunction("outcomes")()).successes];

  it("loses nothing to an issuer that revokes the lot", async () => {
    await plan("revokeLot", lot.id);
    // Devices are still to come: the batch stops, and with it what the owner did.
    for (const asked of [first, second]) {
      await expect(sendBatch(world, call(asked)))
        .to.be.revertedWithCustomError(world.registry, "LotBookLotRevoked")
        .withArgs(lot.id);
      await settle([0n, 0n, 0n, 0n, 0n], 0n);
      expect((await world.registry.lotOf(lot.id)).revoked).to.equal(false);
    }
    // None is to come: the bonds of those never activated return, and no more.
    const before = await world.itc.balanceOf(address);
    await sendBatch(world, call(third));
    expect(await outcomes()).to.deep.equal([true]);
    await settle([1n, 1n, 1n, 0n, 0n], 3n);
    expect(await world.itc.balanceOf(address)).to.equal(before + 2n * BOND);
    expect((await world.registry.lotOf(lot.id)).revoked).to.equal(true);
  });

  it("lets it activate the next device itself", async () => {
    await plan("activate", ...single(second, address));
    await sendBatch(world, call(first));
    expect(await outcomes()).to.deep.equal([true]);
    await settle([1n, 1n, 1n, 0n, 0n], 3n);
    const owners = await Promise.all(batch.map(({ id }) => world.registry.ownerOf(id)));
    expect(owners).to.deep.equal([address, address, owner()]);
  });

  it("doesn't go beyond the lot's size for one that it activates itself", async () => {
    const tree = new LotTree([...keys].reverse());
    await execute(world.addresses.DeviceRegistry, encode("enrolLot", [tree.root, 3, 2, BOND]));
    lot = { id: tree.idFor(address), tree };
    await plan("activate", ...single(fourth, owner()));
    // In the order of places, third comes first here.
    await expect(sendBatch(world, call(third)))
      .to.be.revertedWithCustomError(world.registry, "DeviceRegistryLotFull")
      .withArgs(lot.id, 3);
    expect((await world.registry.lotOf(lot.id)).activated).to.equal(0n);
    expect(await world.registry.isActive(fourth.id)).to.equal(false);
  });

  it("lets it retire or transfer what it got, and the issuer revoke it", async () => {
    await plan("retire", first.id);
    await plan("transferFrom", address, owner(), second.id);
    await plan("revokeDevice", lot.id, third.id);
    await sendBatch(world, call(...batch));
    expect(await outcomes()).to.deep.equal([true, true, true]);
    await settle([3n, 1n, 4n, 0n, 0n], 3n);
    expect(await world.registry.ownerOf(second.id)).to.equal(owner());
    expect(await world.registry.identityOwner(second.id)).to.equal(owner());
    // Their bonds are there, and return when it is time.
    await world.networkHelpers.time.increase(await world.registry.bondDelay());
    for (const { id } of [first, third]) await world.registry.releaseBond(id);
    expect(await world.itc.balanceOf(world.addresses.DeviceRegistry)).to.equal(3n * BOND);
  });

  it("stops at a device that the issuer revokes meanwhile", async () => {
    await plan("revokeDevice", lot.id, third.id);
    await expect(sendBatch(world, call(first)))
      .to.be.revertedWithCustomError(world.registry, "DeviceRegistryDeviceRevoked")
      .withArgs(third.id, lot.id);
    await settle([0n, 0n, 0n, 0n, 0n], 0n);
  });

  it("lets it send the whole batch again", async () => {
    const again = call(...batch);
    await plan("activateBatch", ...argsOf(again));
    await plan("activateBatch", ...argsOf(again));
    await plan("activate", ...single(first, address));
    await sendBatch(world, again);
    const [successes, answers] = await busy.getFunction("outcomes")();
    // Innermost first: the first device is known by then, the batches within find less and less to do.
    expect([...successes]).to.deep.equal([false, true, true]);
    expect(world.registry.interface.parseError(answers[0])?.name).to.equal("DeviceRegistryDeviceKnown");
    await settle([1n, 1n, 1n, 0n, 0n], 3n);
    expect(await world.registry.balanceOf(address)).to.equal(3n);
  });
});
