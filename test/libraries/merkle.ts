import { expect } from "chai";
import { Interface } from "ethers";
import { network } from "hardhat";
import { entryLeaf } from "../../toolkit/anchoring/mountain-range.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { climb, leafHash, MerkleTree, nodeHash, verify } from "../../toolkit/internal/merkle.js";
import { secretOf } from "../../toolkit/testing/fixture.js";

const leavesOf = (size: number) =>
  Array.from({ length: size }, (_, k) => leafHash(fromHex(secretOf(size, `leaf-${k}`))));

/** RFC 9162 §2.1.1, word by word. */
function rootByDefinition(leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves;
  if (only && leaves.length === 1) return only;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return nodeHash(rootByDefinition(leaves.slice(0, split)), rootByDefinition(leaves.slice(split)));
}

describe("Merkle trees", () => {
  it("have the root of RFC 9162 and prove every leaf at its place alone, for sizes 1 to 70", () => {
    for (let size = 1; size <= 70; size++) {
      const leaves = leavesOf(size);
      const tree = new MerkleTree(leaves);
      expect(toHex(tree.root)).to.equal(toHex(rootByDefinition(leaves)));
      for (const [k, leaf] of leaves.entries()) {
        const proof = tree.prove(k);
        expect(verify(tree.root, leaf, proof)).to.equal(true);
        const other = leaves[(k + 1) % size];
        if (other && size > 1) expect(verify(tree.root, other, proof)).to.equal(false);
        expect(
          verify(tree.root, leaf, { ...proof, path: proof.path | (1n << BigInt(proof.siblings.length)) }),
        ).to.equal(false);
        if (proof.siblings.length > 0)
          expect(verify(tree.root, leaf, { ...proof, path: proof.path ^ 1n })).to.equal(false);
      }
    }
  });

  it("refuse what is no leaf", () => {
    expect(() => new MerkleTree([])).to.throw(RangeError);
    expect(() => new MerkleTree(new Uint8Array(33))).to.throw(RangeError);
    for (const place of [-1, 3, 0.5, Number.NaN])
      expect(() => new MerkleTree(leavesOf(3)).prove(place)).to.throw(RangeError);
  });

  describe("on chain", () => {
    it("are what plain Solidity and the toolkit make of random words, and touch no memory of others", async () => {
      const { ethers } = await network.create();
      const reference = await ethers.deployContract("MerkleReference");
      const call = (name: string, ...args: unknown[]) => reference.getFunction(name)(...args);
      for (let k = 0; k < 150; k++) {
        const word = (label: string) => secretOf(k, label);
        const length = k < 100 ? k % 25 : 200 + k - 100;
        const siblings = Array.from({ length }, (_, j) => word(`sibling-${j}`));
        const path = BigInt(word("path")) & ((1n << BigInt(length)) - 1n);
        const [fast, plain, intact] = await call("climb", word("leaf"), path, siblings);
        const own = toHex(climb(fromHex(word("leaf")), { path, siblings: siblings.map(fromHex) }));
        expect([fast, plain, intact]).to.deep.equal([own, own, true]);
        const [left, right] = [word("left"), word("right")];
        const node = toHex(nodeHash(fromHex(left), fromHex(right)));
        expect([...(await call("node", left, right))]).to.deep.equal([node, node]);
        const time = BigInt(word("time")) & (2n ** 64n - 1n);
        const entry = toHex(entryLeaf(fromHex(left), time));
        expect([...(await call("entryLeaf", left, time))]).to.deep.equal([entry, entry]);
      }
    });

    it("refuse a path or a proof that is longer than a tree is high", async () => {
      const { ethers } = await network.create();
      const reference = await ethers.deployContract("MerkleReference");
      const library = { interface: new Interface(["error MerklePathTooLong(uint256 path, uint256 siblings)"]) };
      const word = secretOf(1, "w");
      for (const [path, length] of [
        [1n, 0],
        [8n, 3],
        [2n ** 255n, 250],
        [0n, 251],
        [0n, 256],
      ] as const) {
        const siblings = Array.from({ length }, () => word);
        await expect(reference.getFunction("climb")(word, path, siblings)).to.be.revertedWithCustomError(
          library,
          "MerklePathTooLong",
        );
      }
    });
  });
});
