import { expect } from "chai";
import { id, type Signer, ZeroAddress } from "ethers";
import { CLAIM_INTO_TYPES, CLAIM_TO_TYPES, payoutPoolDomain } from "../../toolkit/payouts/payout-directions.js";
import type { PayoutTree } from "../../toolkit/payouts/payout-tree.js";
import { claim, earn, openPool, type PoolStage, publish } from "./pool-stage.js";

const LATER = 4_000_000_000n;

describe("Payouts sent elsewhere", () => {
  let stage: PoolStage;
  let tree: PayoutTree;
  let account: Signer & { address: string };
  let receiver: string;

  beforeEach(async () => {
    stage = await openPool();
    tree = await publish(stage, earn(stage, 3n, 4n, 5n));
    const [first, second] = stage.accounts;
    if (!first || !second) throw new Error("The chain has too few signers.");
    account = first;
    receiver = stage.manager.address;
  });

  const signTo = async (changes: object = {}, by: Signer = account, pool = stage.address) => {
    const nonce = await stage.pool.nonces(account.address);
    const said = { account: account.address, to: receiver, nonce, deadline: LATER, ...changes };
    return by.signTypedData(payoutPoolDomain(stage.chainId, pool), CLAIM_TO_TYPES, said);
  };
  const signInto = async (to: string, data: string, changes: object = {}) => {
    const nonce = await stage.pool.nonces(account.address);
    const said = { account: account.address, to, data, nonce, deadline: LATER, ...changes };
    return account.signTypedData(payoutPoolDomain(stage.chainId, stage.address), CLAIM_INTO_TYPES, said);
  };
  const claimTo = (signature: string, to = receiver, deadline = LATER, from = tree, of = account.address) => {
    const { leaf, path, siblings } = from.claimOf(of);
    return stage.pool.claimTo(leaf, path, siblings, to, deadline, signature);
  };
  const claimInto = (to: string, data: string, signature: string, by: Signer = stage.stranger) => {
    const { leaf, path, siblings } = tree.claimOf(account.address);
    return stage.pool.connect(by).claimInto(leaf, path, siblings, to, data, LATER, signature);
  };
  const shop = async () => {
    const deployed = await stage.ethers.deployContract("BusyShop");
    return { contract: deployed, address: await deployed.getAddress() };
  };

  describe("claimTo", () => {
    it("sends what is due where the account says, by itself and by its signature", async () => {
      await expect(claimTo(await signTo()))
        .to.emit(stage.pool, "EarningsDirected")
        .withArgs(account.address, receiver, 3n)
        .and.to.emit(stage.itc, "Transfer")
        .withArgs(stage.address, receiver, 3n);
      expect([await stage.pool.nonces(account.address), await stage.itc.balanceOf(account.address)]).to.deep.equal([
        1n,
        0n,
      ]);
      const later = await publish(stage, earn(stage, 9n, 4n, 5n), tree);
      const { leaf, path, siblings } = later.claimOf(account.address);
      await expect(stage.pool.connect(account).claimTo(leaf, path, siblings, receiver, 0n, "0x"))
        .to.emit(stage.itc, "Transfer")
        .withArgs(stage.address, receiver, 6n);
      expect(await stage.pool.nonces(account.address)).to.equal(1n);
    });

    it("takes the word of an ERC-1271 account, and of none that doesn't give it", async () => {
      const wallet = await stage.ethers.deployContract("MoodyWallet", [account.address]);
      const address = await wallet.getAddress();
      const earned = new Map([...tree.earned, [address, 8n]]);
      const later = await publish(stage, earned, tree);
      const signature = await signTo({ account: address, nonce: 0n });
      for (const mood of [1n, 2n, 3n, 5n]) {
        await wallet.getFunction("setMood")(mood);
        await expect(claimTo(signature, receiver, LATER, later, address))
          .to.be.revertedWithCustomError(stage.pool, "PayoutPoolInvalidSignature")
          .withArgs(address);
      }
      await wallet.getFunction("setMood")(0n);
      await expect(claimTo(signature, receiver, LATER, later, address))
        .to.emit(stage.pool, "EarningsDirected")
        .withArgs(address, receiver, 8n);
    });

    it("refuses a signature for another receiver, nonce, deadline, pool or call, and one that was used", async () => {
      const [, other] = stage.accounts;
      const wrong = [
        await signTo({ to: account.address }),
        await signTo({ nonce: 1n }),
        await signTo({ deadline: LATER - 1n }),
        await signTo({ account: receiver }),
        await signTo({}, other ?? stage.stranger),
        await signTo({}, account, receiver),
        await signInto(receiver, "0x"),
        "0x",
      ];
      for (const signature of wrong) {
        await expect(claimTo(signature)).to.be.revertedWithCustomError(stage.pool, "PayoutPoolInvalidSignature");
      }
      const right = await signTo();
      await claimTo(right);
      const later = await publish(stage, earn(stage, 9n, 4n, 5n), tree);
      await expect(claimTo(right, receiver, LATER, later)).to.be.revertedWithCustomError(
        stage.pool,
        "PayoutPoolInvalidSignature",
      );
      const digest = await stage.pool.claimToDigest(account.address, receiver, 1n, LATER);
      expect(digest).not.to.equal(await stage.pool.claimToDigest(account.address, receiver, 0n, LATER));
    });

    it("refuses the pool itself, nobody, a late hour, and what isn't due", async () => {
      await expect(claimTo(await signTo({ to: stage.address }), stage.address))
        .to.be.revertedWithCustomError(stage.pool, "PayoutPoolBadReceiver")
        .withArgs(stage.address);
      await expect(claimTo(await signTo({ to: ZeroAddress }), ZeroAddress)).to.be.revertedWithCustomError(
        stage.itc,
        "ERC20InvalidReceiver",
      );
      const now = BigInt(await stage.networkHelpers.time.latest());
      await expect(claimTo(await signTo({ deadline: now }), receiver, now))
        .to.be.revertedWithCustomError(stage.pool, "PayoutPoolExpired")
        .withArgs(now);
      await claim(stage, tree, account.address);
      await expect(claimTo(await signTo())).to.be.revertedWithCustomError(stage.pool, "PayoutPoolNothingToClaim");
    });
  });

  describe("claimInto", () => {
    it("pays a contract and tells it who paid, how much, and what for", async () => {
      const { contract, address } = await shop();
      await expect(claimInto(address, "0xabcd", await signInto(address, "0xabcd")))
        .to.emit(contract, "Paid")
        .withArgs(stage.stranger.address, account.address, 3n, "0xabcd");
      expect(await stage.itc.balanceOf(address)).to.equal(3n);
      const later = await publish(stage, earn(stage, 9n, 4n, 5n), tree);
      const { leaf, path, siblings } = later.claimOf(account.address);
      await expect(stage.pool.connect(account).claimInto(leaf, path, siblings, address, "0x", 0n, "0x"))
        .to.emit(contract, "Paid")
        .withArgs(account.address, account.address, 6n, "0x");
    });

    it("binds receiver and data to the signature", async () => {
      const [one, two] = [await shop(), await shop()];
      const signature = await signInto(one.address, "0xabcd");
      await expect(claimInto(two.address, "0xabcd", signature)).to.be.revertedWithCustomError(
        stage.pool,
        "PayoutPoolInvalidSignature",
      );
      await expect(claimInto(one.address, "0xabce", signature)).to.be.revertedWithCustomError(
        stage.pool,
        "PayoutPoolInvalidSignature",
      );
      await claimInto(one.address, "0xabcd", signature);
    });

    it("refuses a receiver without code, one that answers otherwise, and passes its refusal on", async () => {
      await expect(claimInto(receiver, "0x", await signInto(receiver, "0x")))
        .to.be.revertedWithCustomError(stage.pool, "PayoutPoolBadReceiver")
        .withArgs(receiver);
      const { contract, address } = await shop();
      await contract.getFunction("setAnswer")("0x12345678");
      await expect(claimInto(address, "0x", await signInto(address, "0x")))
        .to.be.revertedWithCustomError(stage.pool, "PayoutPoolBadReceiver")
        .withArgs(address);
      await contract.getFunction("setAnswer")("0x00000000");
      await expect(claimInto(address, "0x", await signInto(address, "0x"))).to.be.revertedWithCustomError(
        contract,
        "BusyShopClosed",
      );
      expect(await stage.pool.claimedOf(account.address)).to.equal(0n);
    });

    it("a receiver that calls back gets nothing twice", async () => {
      const { contract, address } = await shop();
      const signature = await signInto(address, "0x01");
      const { leaf, path, siblings } = tree.claimOf(account.address);
      const again = [
        ["claimInto", [leaf, path, siblings, address, "0x01", LATER, signature], "PayoutPoolInvalidSignature"],
        ["claim", [leaf.account, leaf.earned, leaf.before, path, siblings], "PayoutPoolNothingToClaim"],
      ] as const;
      const snapshot = await stage.networkHelpers.takeSnapshot();
      for (const [name, args, error] of again) {
        const call = stage.pool.interface.encodeFunctionData(name as "claim", args as never);
        await contract.getFunction("setCall")(stage.address, call);
        await claimInto(address, "0x01", signature);
        expect(await contract.getFunction("succeeded")()).to.equal(false);
        expect((await contract.getFunction("outcome")()).slice(0, 10)).to.equal(
          stage.pool.interface.getError(error)?.selector,
        );
        expect(await stage.itc.balanceOf(address)).to.equal(3n);
        await snapshot.restore();
      }
      expect(id("PayoutPoolNothingToClaim(address,uint256)").slice(0, 10)).to.equal(
        stage.pool.interface.getError("PayoutPoolNothingToClaim")?.selector,
      );
    });
  });
});
