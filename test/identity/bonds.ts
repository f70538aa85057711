import { expect } from "chai";
import type { DeviceKey } from "../../toolkit/identity/keys.js";
import { type LotId, LotTree } from "../../toolkit/identity/lots.js";
import { type Deployed, deployed } from "../support.js";
import { activationOf, BOND, type EnrolledLot, enrolLot, keyOf, makeIssuer, send } from "./fleet.js";
import { contradict, pictureOf } from "./lives.js";

const keys = Array.from({ length: 4 }, (_, k) => keyOf(`bonded-${k}`));
const [first = keyOf("bonded-0"), second = keyOf("bonded-1"), third = keyOf("bonded-2")] = keys;

describe("DeviceRegistry's bonds", () => {
  let world: Deployed;
  let lot: EnrolledLot;
  let restore: () => Promise<void>;
  const signer = (k: number) => world.accounts[k] ?? world.operator;
  const maker = () => signer(0);
  const rival = () => signer(1);
  const owner = () => signer(2);
  const stranger = () => signer(3);

  before(async () => {
    world = await deployed();
    await makeIssuer(world, maker());
    await makeIssuer(world, rival());
    lot = await enrolLot(world, maker(), keys);
  });

  beforeEach(async () => {
    const snapshot = await world.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  const held = () => world.itc.balanceOf(world.addresses.DeviceRegistry);
  const now = async () => BigInt(await world.networkHelpers.time.latest());
  const bondOf = async (key: DeviceKey) => (await world.registry.standingOf(key.id)).bond;
  const activate = (key: DeviceKey, of = lot) => send(world, activationOf(world, of, key, owner().address));
  const releaseAt = async (time: bigint, key = first) => {
    await world.networkHelpers.time.setNextBlockTimestamp(time);
    return world.registry.connect(stranger()).releaseBond(key.id);
  };
  const wait = async () => world.networkHelpers.time.increase(await world.registry.bondDelay());
  const settled = (key = first) =>
    expect(world.registry.releaseBond(key.id))
      .to.be.revertedWithCustomError(world.registry, "DeviceRegistryBondSettled")
      .withArgs(key.id);

  /** A lot of some bond, and its first device active. */
  async function lotOf(bond: bigint, listed: readonly DeviceKey[], issuer = maker()): Promise<EnrolledLot> {
    const tree = new LotTree(listed);
    await world.registry.setMinimumBond(0);
    await world.registry.connect(issuer).enrolLot(tree.root, tree.size, 2, bond);
    const made = { id: tree.idFor(issuer.address), tree };
    if (listed[0]) await activate(listed[0], made);
    return made;
  }

  describe("from enrolment to the end", () => {
    it("are there for each device of a lot, and of each that was activated when the lot is revoked", async () => {
      expect([await held(), await bondOf(first)]).to.deep.equal([4n * BOND, 0n]);
      await activate(first);
      await activate(second);
      expect([await held(), await bondOf(first)]).to.deep.equal([4n * BOND, BOND]);
      const before = await world.itc.balanceOf(maker().address);
      await world.registry.connect(maker()).revokeLot(lot.id);
      expect(await world.itc.balanceOf(maker().address)).to.equal(before + 2n * BOND);
      expect([await held(), await bondOf(first), await bondOf(second)]).to.deep.equal([2n * BOND, BOND, BOND]);
    });

    it("return to the issuer from the second on at which they are free, whoever asks, once (retired)", async () => {
      await activate(first);
      const retiring = world.registry.connect(owner()).retire(first.id);
      await retiring;
      const freeAt = (await now()) + (await world.registry.bondDelay());
      await expect(retiring).to.emit(world.registry, "DeviceRetired").withArgs(lot.id, first.id, freeAt);
      const before = await pictureOf(world, first.id);
      await expect(releaseAt(freeAt - 1n))
        .to.be.revertedWithCustomError(world.registry, "DeviceRegistryBondNotFree")
        .withArgs(first.id, freeAt);
      expect(await pictureOf(world, first.id)).to.deep.equal(before);
      const release = releaseAt(freeAt);
      await expect(release).to.emit(world.registry, "BondMoved").withArgs(maker().address, first.id, BOND, true);
      await expect(release).to.changeTokenBalances(
        world.ethers,
        world.itc,
        [world.addresses.DeviceRegistry, maker().address, owner().address, stranger().address],
        [-BOND, BOND, 0n, 0n],
      );
      expect(await bondOf(first)).to.equal(0n);
      await settled();
      expect(await held()).to.equal(3n * BOND);
    });

    it("return likewise when the device was revoked, or its issuer", async () => {
      await activate(first);
      await world.registry.connect(maker()).revokeDevice(lot.id, first.id);
      const freeAt = (await now()) + (await world.registry.bondDelay());
      await world.registry.revokeIssuer(maker().address);
      await expect(releaseAt(freeAt - 1n))
        .to.be.revertedWithCustomError(world.registry, "DeviceRegistryBondNotFree")
        .withArgs(first.id, freeAt);
      await expect(releaseAt(freeAt)).to.changeTokenBalances(
        world.ethers,
        world.itc,
        [world.addresses.DeviceRegistry, maker().address],
        [-BOND, BOND],
      );
      await settled();
      // Nor is the money of devices never activated lost with a maker that may not enrol any more.
      await world.registry.connect(maker()).revokeLot(lot.id);
      expect(await held()).to.equal(0n);
    });

    it("return for devices of a revoked lot, and to the maker of their own lot alone", async () => {
      const theirs = await lotOf(5n, [third, first], rival());
      await activate(first);
      await world.registry.connect(maker()).revokeLot(lot.id);
      await world.registry.connect(rival()).revokeLot(theirs.id);
      for (const key of [first, third]) await world.registry.connect(owner()).retire(key.id);
      await wait();
      const parties = [maker().address, rival().address];
      await expect(world.registry.releaseBond(first.id)).to.changeTokenBalances(world.ethers, world.itc, parties, [
        BOND,
        0n,
      ]);
      await expect(world.registry.releaseBond(third.id)).to.changeTokenBalances(world.ethers, world.itc, parties, [
        0n,
        5n,
      ]);
      expect(await held()).to.equal(0n);
    });

    it("can be 0, 1, odd, and all ITC that there is", async () => {
      await world.registry.connect(maker()).revokeLot(lot.id);
      for (const account of [world.operator, rival()]) {
        await world.itc.connect(account).transfer(maker().address, await world.itc.balanceOf(account.address));
      }
      const all = await world.itc.TOTAL_SUPPLY();
      for (const [k, bond] of [0n, 1n, 7n, all].entries()) {
        const key = keyOf(`sized-${k}`);
        const made = await lotOf(bond, bond === all ? [key] : [key, keyOf(`never-${k}`)]);
        expect(await bondOf(key)).to.equal(bond);
        await world.registry.connect(owner()).retire(key.id);
        const released = await held();
        await wait();
        await world.registry.releaseBond(key.id);
        expect(await held()).to.equal(released - bond);
        await settled(key);
        await world.registry.connect(maker()).revokeLot(made.id);
        expect(await held()).to.equal(0n);
        expect(await world.itc.balanceOf(maker().address)).to.equal(all);
      }
    });
  });

  describe("of a device that contradicted itself", () => {
    it("go half to the prover, the odd unit to the pool, and never back to the issuer", async () => {
      let pool = 0n;
      for (const bond of [7n, 1n, 0n, BOND]) {
        const key = keyOf(`faulty-${bond}`);
        await lotOf(bond, [key]);
        const proof = contradict(world, key, stranger());
        await expect(proof).to.changeTokenBalance(world.ethers, world.itc, stranger().address, bond / 2n);
        pool += bond - bond / 2n;
        expect([await world.registry.pool(), await bondOf(key)]).to.deep.equal([pool, 0n]);
        await world.registry.connect(owner()).retire(key.id);
        await wait();
        await settled(key);
      }
      expect(await held()).to.equal(4n * BOND + pool);
    });

    it("are lost after retirement as well, until they are free, and not after revocation", async () => {
      for (const key of [first, second, third]) await activate(key);
      for (const key of [first, second]) await world.registry.connect(owner()).retire(key.id);
      await world.registry.connect(maker()).revokeDevice(lot.id, third.id);
      await contradict(world, first, stranger());
      const { state, holds } = await pictureOf(world, first.id);
      expect([state, holds, await bondOf(first)]).to.deep.equal([3n, 0n, 0n]);
      await expect(contradict(world, third, stranger()))
        .to.be.revertedWithCustomError(world.registry, "DeviceRegistryWrongState")
        .withArgs(third.id, 4);
      await wait();
      await settled(first);
      // Free doesn't mean gone: until someone has released it, it answers for what was signed.
      await world.registry.releaseBond(second.id);
      await expect(contradict(world, second, stranger()))
        .to.be.revertedWithCustomError(world.registry, "DeviceKeysNothingAtStake")
        .withArgs(second.id);
    });

    it("are put down anew by the issuer alone, and can be lost again", async () => {
      await activate(first);
      const { registry } = world;
      await expect(registry.connect(maker()).restoreBond(first.id))
        .to.be.revertedWithCustomError(registry, "DeviceRegistryWrongState")
        .withArgs(first.id, 1);
      await contradict(world, first, stranger());
      for (const other of [owner(), rival(), stranger()]) {
        await expect(registry.connect(other).restoreBond(first.id))
          .to.be.revertedWithCustomError(registry, "DeviceRegistryNotAllowed")
          .withArgs(first.id, other.address);
      }
      const restoring = registry.connect(maker()).restoreBond(first.id);
      await expect(restoring).to.emit(registry, "BondMoved").withArgs(maker().address, first.id, BOND, false);
      await expect(restoring).to.emit(registry, "DeviceResumed").withArgs(lot.id, first.id, 4, 8);
      expect([await bondOf(first), await held()]).to.deep.equal([BOND, 4n * BOND + BOND / 2n]);
      await expect(registry.connect(maker()).restoreBond(first.id))
        .to.be.revertedWithCustomError(registry, "DeviceRegistryNoFault")
        .withArgs(first.id);
      // It has no key to contradict itself with until its owner recovers one; but its bond returns at its end.
      await registry.connect(owner()).retire(first.id);
      await wait();
      await registry.releaseBond(first.id);
      expect(await held()).to.equal(3n * BOND + BOND / 2n);
    });

    it("aren't restored without an allowance, and nothing changes", async () => {
      await activate(first);
      await contradict(world, first, stranger());
      await world.itc.connect(maker()).approve(world.addresses.DeviceRegistry, BOND - 1n);
      const before = await pictureOf(world, first.id);
      await expect(world.registry.connect(maker()).restoreBond(first.id))
        .to.be.revertedWithCustomError(world.itc, "ERC20InsufficientAllowance")
        .withArgs(world.addresses.DeviceRegistry, BOND - 1n, BOND);
      expect(await pictureOf(world, first.id)).to.deep.equal(before);
    });
  });

  describe("spendPool", () => {
    it("is for the treasurer alone", async () => {
      for (const other of [maker(), owner(), stranger()]) {
        await expect(world.registry.connect(other).spendPool(other.address, 0))
          .to.be.revertedWithCustomError(world.registry, "AccessManagedUnauthorized")
          .withArgs(other.address);
      }
    });

    it("takes what was lost, and never a bond in force", async () => {
      const { registry } = world;
      const tooMuch = (amount: bigint, pool: bigint) =>
        expect(registry.spendPool(stranger().address, amount))
          .to.be.revertedWithCustomError(registry, "LotBookPoolTooSmall")
          .withArgs(amount, pool);
      await tooMuch(1n, 0n);
      await lotOf(7n, [keyOf("odd")]);
      await contradict(world, keyOf("odd"), stranger());
      await tooMuch(5n, 4n);
      await tooMuch(2n ** 256n - 1n, 4n);
      await tooMuch(2n ** 128n, 4n);
      await expect(registry.spendPool(owner().address, 3n))
        .to.emit(registry, "PoolSpent")
        .withArgs(owner().address, 3n);
      await tooMuch(2n, 1n);
      await expect(registry.spendPool(owner().address, 1n)).to.changeTokenBalances(
        world.ethers,
        world.itc,
        [world.addresses.DeviceRegistry, owner().address],
        [-1n, 1n],
      );
      expect([await registry.pool(), await held()]).to.deep.equal([0n, 4n * BOND]);
    });
  });
});

describe("DeviceRegistry's assurance", () => {
  let world: Deployed;
  let lot: EnrolledLot;
  const issuer = () => world.accounts[0] ?? world.operator;
  const other = () => world.accounts[1] ?? world.operator;
  const assuranceOf = async (key: DeviceKey) => (await world.registry.deviceOf(key.id)).assurance;
  const activate = (key: DeviceKey) => send(world, activationOf(world, lot, key, other().address));
  const lower = (assurance: number, by = issuer(), id: LotId = lot.id) =>
    world.registry.connect(by).lowerAssurance(id, assurance);
  const state = (assurance: number, key = first) => world.registry.connect(issuer()).stateAssurance(key.id, assurance);

  beforeEach(async () => {
    world = await deployed();
    await makeIssuer(world, issuer());
    // Assurance 2.
    lot = await enrolLot(world, issuer(), keys);
    await activate(first);
    await activate(second);
  });

  describe("lowerAssurance", () => {
    it("is for the lot's issuer, and only down", async () => {
      const { registry } = world;
      const unknown = `0x${"01".repeat(32)}` as LotId;
      await expect(lower(1, issuer(), unknown))
        .to.be.revertedWithCustomError(registry, "LotBookLotUnknown")
        .withArgs(unknown);
      await expect(lower(1, other()))
        .to.be.revertedWithCustomError(registry, "LotBookNotIssuer")
        .withArgs(lot.id, other().address);
      for (const assurance of [2, 3, 255]) {
        await expect(lower(assurance))
          .to.be.revertedWithCustomError(registry, "LotBookAssuranceNotLower")
          .withArgs(lot.id, 2);
      }
      await expect(lower(0)).to.emit(registry, "LotAssuranceLowered").withArgs(lot.id, 0);
      await expect(lower(0)).to.be.revertedWithCustomError(registry, "LotBookAssuranceNotLower").withArgs(lot.id, 0);
      expect((await registry.lotOf(lot.id)).assurance).to.equal(0n);
    });

    it("counts for devices that are active, and for those to come", async () => {
      await lower(1);
      await activate(third);
      expect([await assuranceOf(first), await assuranceOf(third)]).to.deep.equal([1n, 1n]);
      await world.registry.connect(issuer()).revokeLot(lot.id);
      await lower(0);
      expect([await assuranceOf(first), await assuranceOf(third)]).to.deep.equal([0n, 0n]);
    });
  });

  describe("stateAssurance", () => {
    it("stays below what the lot has, before and after a recall", async () => {
      const tooHigh = (assurance: number, ceiling: number) =>
        expect(state(assurance))
          .to.be.revertedWithCustomError(world.registry, "DeviceRegistryAssuranceTooHigh")
          .withArgs(first.id, ceiling);
      await tooHigh(3, 2);
      await tooHigh(255, 2);
      expect(await assuranceOf(first)).to.equal(2n);
      await lower(1);
      await tooHigh(2, 1);
      await state(1);
      await lower(0);
      expect(await assuranceOf(first)).to.equal(0n);
    });

    it("can be raised again up to there", async () => {
      for (const assurance of [0, 2, 1]) {
        await expect(state(assurance)).to.emit(world.registry, "AssuranceStated").withArgs(lot.id, first.id, assurance);
        expect([await assuranceOf(first), await assuranceOf(second)]).to.deep.equal([BigInt(assurance), 2n]);
      }
    });
  });
});
