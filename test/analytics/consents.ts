import { expect } from "chai";
import { id } from "ethers";
import { type Deployed, deployed } from "../support.js";

const PURPOSE = id("terms that a person can read");

describe("ConsentRegistry", () => {
  let world: Deployed;
  let restore: () => Promise<void>;
  const owner = () => world.accounts[0] ?? world.operator;
  const mine = () => world.consents.connect(owner());
  const now = async () => BigInt(await world.networkHelpers.time.latest());

  before(async () => {
    world = await deployed();
  });

  beforeEach(async () => {
    const snapshot = await world.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  it("covers the seconds from the grant until the expiry", async () => {
    const expiry = (await now()) + 100n;
    await expect(mine().grant(PURPOSE, expiry))
      .to.emit(world.consents, "ConsentGranted")
      .withArgs(owner().address, PURPOSE, expiry);
    const granted = await now();
    const at = (time: bigint) => world.consents.isGranted(owner().address, PURPOSE, time);
    expect([await at(granted - 1n), await at(granted), await at(expiry - 1n), await at(expiry)]).to.deep.equal([
      false,
      true,
      true,
      false,
    ]);
    expect(await world.consents.isGranted(owner().address, id("other"), granted)).to.equal(false);
    expect(await world.consents.isGranted(world.operator.address, PURPOSE, granted)).to.equal(false);
    expect(await world.consents.consentOf(owner().address, PURPOSE)).to.deep.equal([granted, expiry, 0n]);
  });

  it("ends at once when it is revoked, and covers what was before", async () => {
    await mine().grant(PURPOSE, (await now()) + 1000n);
    const granted = await now();
    await world.networkHelpers.time.increase(10);
    await expect(mine().revoke(PURPOSE)).to.emit(world.consents, "ConsentRevoked").withArgs(owner().address, PURPOSE);
    const revoked = await now();
    const at = (time: bigint) => world.consents.isGranted(owner().address, PURPOSE, time);
    expect([await at(granted), await at(revoked - 1n), await at(revoked)]).to.deep.equal([true, true, false]);
    await mine().grant(PURPOSE, revoked + 1000n);
    expect([await at(granted), await at(revoked), await at(await now())]).to.deep.equal([true, false, true]);
  });

  it("keeps what was granted in a second, though the owner grants anew with another expiry", async () => {
    const end = (await now()) + 1000n;
    await mine().grant(PURPOSE, end);
    const granted = await now();
    await mine().grant(PURPOSE, end - 900n);
    const shortened = await now();
    await mine().grant(PURPOSE, 2n ** 64n - 1n);
    const at = (time: bigint) => world.consents.isGranted(owner().address, PURPOSE, time);
    const seconds = [granted - 1n, granted, shortened, end, 2n ** 48n, 2n ** 64n - 2n, 2n ** 64n - 1n];
    expect(await Promise.all(seconds.map(at))).to.deep.equal([false, true, true, true, true, true, false]);
  });

  it("refuses an expiry that is past, and revoking what isn't granted", async () => {
    const past = await now();
    await expect(mine().grant(PURPOSE, past))
      .to.be.revertedWithCustomError(world.consents, "ConsentRegistryExpiryPast")
      .withArgs(past);
    const refused = () =>
      expect(mine().revoke(PURPOSE))
        .to.be.revertedWithCustomError(world.consents, "ConsentRegistryNotGranted")
        .withArgs(owner().address, PURPOSE);
    await refused();
    await mine().grant(PURPOSE, past + 1000n);
    await mine().revoke(PURPOSE);
    await refused();
  });
});
