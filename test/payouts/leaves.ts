import { expect } from "chai";
import { getAddress } from "ethers";
import { network } from "hardhat";
import { toHex } from "../../toolkit/internal/bytes.js";
import { payoutLeaf } from "../../toolkit/payouts/payout-tree.js";
import { secretOf } from "../../toolkit/testing/fixture.js";

describe("Payout leaves", () => {
  it("are what plain Solidity and the toolkit make of any words", async () => {
    const { ethers } = await network.create();
    const reference = await ethers.deployContract("MerkleReference");
    const most = 2n ** 128n - 1n;
    for (let k = 0; k < 60; k++) {
      const draw = (label: string) => BigInt(secretOf(k, label)) >> BigInt(128 + (k % 3) * 40);
      const account = getAddress(secretOf(k, "account").slice(0, 42));
      const [earned, before] = k < 2 ? [most, 0n] : k < 4 ? [0n, most] : [draw("earned"), draw("before")];
      const [fast, plain] = await reference.getFunction("payoutLeaf")(account, earned, before);
      expect([fast, toHex(payoutLeaf({ account, earned, before }))]).to.deep.equal([plain, plain]);
    }
  });
});
