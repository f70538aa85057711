import { expect } from "chai";
import { id, Signature, ZeroAddress } from "ethers";
import { type Deployed, deployed } from "../support.js";

const SUPPLY = 10n ** 26n;
const FAR = 4_000_000_000n;

describe("ITC", () => {
  let world: Deployed;
  let restore: () => Promise<void>;
  const alice = () => world.accounts[0] ?? world.operator;
  const bob = () => world.accounts[1] ?? world.operator;
  const carol = () => world.accounts[2] ?? world.operator;
  const domain = (chainId = world.chainId, verifyingContract = world.addresses.ITC) => {
    return { name: "IoT Chain", version: "1", chainId, verifyingContract };
  };

  before(async () => {
    world = await deployed();
    await world.itc.transfer(alice().address, 1000n);
  });

  beforeEach(async () => {
    const snapshot = await world.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  describe("behaves like an ERC-20", () => {
    it("has a fixed supply of 100,000,000 with 18 decimals, all with the operator at first", async () => {
      const { itc, operator } = world;
      expect([await itc.name(), await itc.symbol(), await itc.decimals()]).to.deep.equal(["IoT Chain", "ITC", 18n]);
      expect([await itc.totalSupply(), await itc.TOTAL_SUPPLY()]).to.deep.equal([SUPPLY, SUPPLY]);
      expect((await itc.balanceOf(operator.address)) + (await itc.balanceOf(alice().address))).to.equal(SUPPLY);
      const names = itc.interface.fragments.map((fragment) => ("name" in fragment ? fragment.name : ""));
      expect(names.filter((name) => /mint|burn|pause|owner|upgrade/i.test(String(name)))).to.deep.equal([]);
    });

    it("transfers what there is, to somebody", async () => {
      const mine = world.itc.connect(alice());
      await expect(mine.transfer(bob().address, 400n))
        .to.emit(mine, "Transfer")
        .withArgs(alice().address, bob().address, 400n);
      await expect(mine.transfer(bob().address, 601n))
        .to.be.revertedWithCustomError(mine, "ERC20InsufficientBalance")
        .withArgs(alice().address, 600n, 601n);
      await expect(mine.transfer(ZeroAddress, 1n)).to.be.revertedWithCustomError(mine, "ERC20InvalidReceiver");
      expect(await mine.balanceOf(bob().address)).to.equal(400n);
    });

    it("lets a spender spend what was allowed", async () => {
      const { itc } = world;
      await itc.connect(alice()).approve(bob().address, 300n);
      const spender = itc.connect(bob());
      await spender.transferFrom(alice().address, carol().address, 200n);
      expect(await itc.allowance(alice().address, bob().address)).to.equal(100n);
      await expect(spender.transferFrom(alice().address, carol().address, 101n))
        .to.be.revertedWithCustomError(itc, "ERC20InsufficientAllowance")
        .withArgs(bob().address, 100n, 101n);
      await itc.connect(alice()).approve(bob().address, 2n ** 256n - 1n);
      await spender.transferFrom(alice().address, carol().address, 1n);
      expect(await itc.allowance(alice().address, bob().address)).to.equal(2n ** 256n - 1n);
    });
  });

  describe("permit (EIP-2612)", () => {
    const types = {
      Permit: ["address owner", "address spender", "uint256 value", "uint256 nonce", "uint256 deadline"].map(field),
    };
    const permit = async (changes: object = {}, where = domain(), by = alice()) => {
      const said = { owner: alice().address, spender: bob().address, value: 50n, nonce: 0n, deadline: FAR, ...changes };
      const { v, r, s } = Signature.from(await by.signTypedData(where, types, said));
      return () => world.itc.connect(carol()).permit(said.owner, said.spender, said.value, said.deadline, v, r, s);
    };

    it("sets the allowance by signature, once", async () => {
      const send = await permit();
      await send();
      expect(await world.itc.allowance(alice().address, bob().address)).to.equal(50n);
      await expect(send()).to.be.revertedWithCustomError(world.itc, "ERC2612InvalidSigner");
    });

    it("refuses another's signature, another chain, contract, nonce, and a late one", async () => {
      const wrong = [
        await permit({}, domain(), bob()),
        await permit({}, domain(1n)),
        await permit({}, domain(world.chainId, world.addresses.DeviceRegistry)),
        await permit({ nonce: 1n }),
      ];
      for (const send of wrong) await expect(send()).to.be.revertedWithCustomError(world.itc, "ERC2612InvalidSigner");
      await expect((await permit({ deadline: 1n }))()).to.be.revertedWithCustomError(
        world.itc,
        "ERC2612ExpiredSignature",
      );
    });
  });

  describe("authorisations (EIP-3009)", () => {
    const words = [
      "address from",
      "address to",
      "uint256 value",
      "uint256 validAfter",
      "uint256 validBefore",
      "bytes32 nonce",
    ].map(field);
    const said = (changes: object = {}) => {
      return {
        from: alice().address,
        to: bob().address,
        value: 70n,
        validAfter: 0n,
        validBefore: FAR,
        nonce: id("random"),
        ...changes,
      };
    };
    const call = async (
      kind: "TransferWithAuthorization" | "ReceiveWithAuthorization",
      { changes = {}, where = domain(), signer = alice(), sender = carol() } = {},
    ) => {
      const message = said(changes);
      const { v, r, s } = Signature.from(await signer.signTypedData(where, { [kind]: words }, message));
      const method = kind === "TransferWithAuthorization" ? "transferWithAuthorization" : "receiveWithAuthorization";
      const form = `${method}(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)`;
      const { from, to, value, validAfter, validBefore, nonce } = message;
      return () =>
        world.itc.connect(sender).getFunction(form)(from, to, value, validAfter, validBefore, nonce, v, r, s);
    };

    it("move ITC by signature, with nonces in any order, each once", async () => {
      for (const nonce of [id("9"), id("1")]) {
        const send = await call("TransferWithAuthorization", { changes: { nonce } });
        await send();
        expect(await world.itc.authorizationState(alice().address, nonce)).to.equal(true);
        await expect(send()).to.be.revertedWithCustomError(world.itc, "ERC3009UsedAuthorization");
      }
      expect(await world.itc.balanceOf(bob().address)).to.equal(140n);
    });

    it("are refused too early, too late, by another's signature, on another chain, changed", async () => {
      const kind = "TransferWithAuthorization";
      for (const changes of [{ validAfter: FAR }, { validBefore: 1n }]) {
        await expect((await call(kind, { changes }))()).to.be.revertedWithCustomError(
          world.itc,
          "ERC3009InvalidAuthorizationTime",
        );
      }
      const wrong = [
        { signer: bob() },
        { where: domain(1n) },
        { where: domain(world.chainId, world.addresses.DataAnchor) },
      ];
      for (const options of wrong) {
        await expect((await call(kind, options))()).to.be.revertedWithCustomError(world.itc, "ERC3009InvalidSignature");
      }
    });

    it("to be received are for the receiver to send alone, so that nobody runs ahead of it", async () => {
      const kind = "ReceiveWithAuthorization";
      await expect((await call(kind))()).to.be.revertedWithCustomError(world.itc, "ERC20InvalidReceiver");
      await (await call(kind, { sender: bob() }))();
      expect(await world.itc.balanceOf(bob().address)).to.equal(70n);
    });

    it("can be cancelled", async () => {
      const types = { CancelAuthorization: ["address authorizer", "bytes32 nonce"].map(field) };
      const message = { authorizer: alice().address, nonce: id("random") };
      const { v, r, s } = Signature.from(await alice().signTypedData(domain(), types, message));
      await world.itc.getFunction("cancelAuthorization(address,bytes32,uint8,bytes32,bytes32)")(
        message.authorizer,
        message.nonce,
        v,
        r,
        s,
      );
      const send = await call("TransferWithAuthorization");
      await expect(send()).to.be.revertedWithCustomError(world.itc, "ERC3009UsedAuthorization");
    });
  });
});

function field(text: string): { type: string; name: string } {
  const [type = "", name = ""] = text.split(" ");
  return { type, name };
}
