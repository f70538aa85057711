import { expect } from "chai";
import { type BaseContract, Wallet } from "ethers";
import { Digests, type LotEndorsement } from "../../toolkit/identity/digests.js";
import { type LotId, LotTree, lotIdOf, lotLeaf } from "../../toolkit/identity/lots.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { type Deployed, deployed } from "../support.js";
import { activationOf, BOND, FAR, highS, keyOf, makeIssuer, send } from "./fleet.js";

const wallet = new Wallet(secretOf(1, "maker's wallet"));
const key = keyOf("endorsed");
const MOODS = { honest: 0, reverting: 1, short: 2, dirty: 3, silent: 5 } as const;

describe("DeviceRegistry.enrolLotFor", () => {
  let world: Deployed;
  /** An ERC-1271 contract that takes the wallet's signatures. */
  let company: BaseContract;
  let companyAddress: string;
  let restore: () => Promise<void>;

  before(async () => {
    world = await deployed();
    company = await world.ethers.deployContract("MoodyWallet", [wallet.address]);
    companyAddress = await company.getAddress();
    for (const address of [wallet.address, companyAddress]) {
      await world.networkHelpers.setBalance(address, BOND);
      await makeIssuer(world, await world.ethers.getImpersonatedSigner(address));
    }
  });

  beforeEach(async () => {
    const snapshot = await world.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  const words = (issuer = wallet.address): LotEndorsement => ({
    issuer,
    root: fromHex(secretOf(1, "root")),
    size: 1_000n,
    assurance: 2,
    bond: BOND,
    deadline: FAR,
  });
  const sign = (said: LotEndorsement, by = wallet, digests = world.digests) =>
    by.signingKey.sign(digests.lot(said)).serialized;
  const enrol = (said: LotEndorsement, signature = sign(said)) =>
    world.registry.enrolLotFor(said.issuer, said.root, said.size, said.assurance, said.bond, said.deadline, signature);
  const lotOf = (said: LotEndorsement): LotId => lotIdOf(said.issuer, said.root);

  /** Refused, the lot is unknown and nobody has paid. */
  async function refused(attempt: Promise<unknown>, said: LotEndorsement, error: string, ...args: unknown[]) {
    await expect(attempt)
      .to.be.revertedWithCustomError(world.registry, error)
      .withArgs(...args);
    expect((await world.registry.lotOf(lotOf(said))).size).to.equal(0n);
    expect(await world.itc.balanceOf(world.addresses.DeviceRegistry)).to.equal(0n);
  }

  const invalid = (said: LotEndorsement, signature: string) =>
    refused(enrol(said, signature), said, "LotBookInvalidSignature", said.issuer);

  it("takes an issuer's signature from anyone, and its bond (account, ERC-1271 contract)", async () => {
    for (const issuer of [wallet.address, companyAddress]) {
      const said = words(issuer);
      const call = enrol(said);
      await expect(call)
        .to.emit(world.registry, "LotEnrolled")
        .withArgs(lotOf(said), issuer, toHex(said.root), said.size, said.assurance, said.bond);
      await expect(call).to.changeTokenBalances(
        world.ethers,
        world.itc,
        [issuer, world.operator.address, world.addresses.DeviceRegistry],
        [-1_000n * BOND, 0n, 1_000n * BOND],
      );
      expect(await world.registry.lotOf(lotOf(said))).to.deep.equal([issuer, 1_000n, 0n, BOND, 2n, false]);
    }
  });

  it("endorses a lot of one, whose root is its leaf", async () => {
    const said = { ...words(), root: lotLeaf(key), size: 1n };
    await enrol(said);
    const lot = { id: lotOf(said), tree: new LotTree([key]) };
    const call = activationOf(world, lot, key, world.operator.address);
    expect([call.path, call.proof]).to.deep.equal([0n, []]);
    await send(world, call);
    expect(await world.registry.isActive(key.id)).to.equal(true);
    const { size, activated } = await world.registry.lotOf(lot.id);
    expect([size, activated]).to.deep.equal([1n, 1n]);
  });

  it("refuses a signature over another word", async () => {
    for (const issuer of [wallet.address, companyAddress]) {
      const said = words(issuer);
      const signature = sign(said);
      const changed: Partial<LotEndorsement>[] = [
        { root: fromHex(secretOf(2, "root")) },
        { size: 999n },
        { assurance: 3 },
        { bond: BOND + 1n },
        { deadline: FAR + 1n },
        { issuer: issuer === wallet.address ? companyAddress : wallet.address },
      ];
      for (const change of changed) await invalid({ ...said, ...change }, signature);
    }
  });

  it("refuses a signature for another chain or contract", async () => {
    const { chainId, addresses } = world;
    const registry = addresses.DeviceRegistry;
    for (const domain of [
      { chainId: chainId + 1n, registry },
      { chainId, registry: addresses.ITC },
    ]) {
      for (const said of [words(), words(companyAddress)]) {
        await invalid(said, sign(said, wallet, new Digests(domain)));
      }
    }
  });

  it("refuses a signature that is another's, malformed, high-s or a contract's no", async () => {
    const said = words();
    const right = sign(said);
    const stranger = new Wallet(secretOf(2, "stranger"));
    for (const issuer of [said, words(companyAddress)]) {
      const own = sign(issuer);
      for (const wrong of [sign(issuer, stranger), "0x", own.slice(0, -2), `${own}00`, highS(own, "secp256k1")]) {
        await invalid(issuer, wrong);
      }
    }
    expect(right).to.have.lengthOf(132);
    for (const mood of [MOODS.reverting, MOODS.short, MOODS.dirty, MOODS.silent]) {
      await company.getFunction("setMood")(mood);
      await invalid(words(companyAddress), sign(words(companyAddress)));
    }
    await company.getFunction("setMood")(MOODS.honest);
    await enrol(words(companyAddress));
  });

  it("refuses one after its last second", async () => {
    const deadline = BigInt(await world.networkHelpers.time.latest()) + 100n;
    const said = { ...words(), deadline };
    const snapshot = await world.networkHelpers.takeSnapshot();
    await world.networkHelpers.time.setNextBlockTimestamp(deadline + 1n);
    await refused(enrol(said), said, "LotBookExpired", deadline);
    await snapshot.restore();
    await world.networkHelpers.time.setNextBlockTimestamp(deadline);
    await enrol(said);
    expect((await world.registry.lotOf(lotOf(said))).size).to.equal(1_000n);
  });

  it("refuses a replay, also after the lot was revoked", async () => {
    const said = words();
    const replayed = () =>
      expect(enrol(said)).to.be.revertedWithCustomError(world.registry, "LotBookLotKnown").withArgs(lotOf(said));
    await enrol(said);
    await replayed();
    const issuer = await world.ethers.getImpersonatedSigner(wallet.address);
    await world.registry.connect(issuer).revokeLot(lotOf(said));
    await replayed();
    expect(await world.itc.balanceOf(world.addresses.DeviceRegistry)).to.equal(0n);
  });

  it("refuses an issuer that isn't registered, or no longer", async () => {
    const stranger = new Wallet(secretOf(2, "stranger"));
    const theirs = words(stranger.address);
    const unknown = (said: LotEndorsement, by: Wallet) =>
      refused(enrol(said, sign(said, by)), said, "LotBookIssuerNotRegistered", said.issuer);
    await unknown(theirs, stranger);
    await world.registry.revokeIssuer(wallet.address);
    await unknown(words(), wallet);
    // Nobody recovers to the account 0.
    await invalid(words(`0x${"00".repeat(20)}`), sign(words()));
  });

  it("refuses a lot that its issuer has no allowance for", async () => {
    const issuer = await world.ethers.getImpersonatedSigner(wallet.address);
    await world.itc.connect(issuer).approve(world.addresses.DeviceRegistry, 1_000n * BOND - 1n);
    const said = words();
    await expect(enrol(said))
      .to.be.revertedWithCustomError(world.itc, "ERC20InsufficientAllowance")
      .withArgs(world.addresses.DeviceRegistry, 1_000n * BOND - 1n, 1_000n * BOND);
    expect((await world.registry.lotOf(lotOf(said))).size).to.equal(0n);
  });
});
