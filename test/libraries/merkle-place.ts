import { expect } from "chai";
import { network } from "hardhat";
import { fromHex } from "../../toolkit/internal/bytes.js";
import { leafHash, MerkleTree } from "../../toolkit/internal/merkle.js";
import { secretOf } from "../../toolkit/testing/fixture.js";

const leaves = Array.from({ length: 70 }, (_, k) => leafHash(fromHex(secretOf(k, "place"))));

describe("Merkle.placeOf", () => {
  const placeOf = async (index: bigint, size: bigint): Promise<readonly [bigint, bigint]> => {
    const [path, siblings] = await (await reference).getFunction("placeOf")(index, size);
    return [path, siblings];
  };
  let reference: ReturnType<typeof deploy>;

  before(() => {
    reference = deploy();
  });

  it("is the path of each leaf of each tree of up to 70 leaves, and of some leaves of a huge one", async () => {
    for (const size of [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 70]) {
      const tree = new MerkleTree(leaves.slice(0, size));
      for (let index = 0; index < size; index++) {
        const { path, siblings } = tree.prove(index);
        expect(await placeOf(BigInt(index), BigInt(size)), `${index} of ${size}`).to.deep.equal([
          path,
          BigInt(siblings.length),
        ]);
      }
    }
    const most = 2n ** 64n - 1n;
    expect(await placeOf(0n, most)).to.deep.equal([0n, 64n]);
    expect(await placeOf(2n ** 63n - 1n, 2n ** 63n)).to.deep.equal([2n ** 63n - 1n, 63n]);
  });

  it("a lone right-most leaf has fewer siblings", async () => {
    expect(await placeOf(2n ** 32n, 2n ** 32n + 1n)).to.deep.equal([1n, 1n]);
    expect(await placeOf(6n, 7n)).to.deep.equal([3n, 2n]);
  });
});

async function deploy() {
  const { ethers } = await network.create();
  return ethers.deployContract("MerkleReference");
}
