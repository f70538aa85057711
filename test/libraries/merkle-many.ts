import { expect } from "chai";
import { type BaseContract, Interface } from "ethers";
import { network } from "hardhat";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { leafHash, MerkleTree, nodeHash } from "../../toolkit/internal/merkle.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { dice } from "../identity/lives.js";

const library = { interface: new Interface(["error MerkleBadMultiproof(uint256 leaves, uint256 siblings)"]) };
const leaves = Array.from({ length: 40 }, (_, k) => leafHash(fromHex(secretOf(k, "leaf"))));

interface Proof {
  readonly hashes: readonly string[];
  readonly places: readonly number[];
  readonly leaves: bigint;
  readonly siblings: readonly string[];
}

/** A right proof of some leaves of the tree of the first `size`. */
function proofOf(size: number, places: readonly number[]): Proof & { readonly root: string } {
  const tree = new MerkleTree(leaves.slice(0, size));
  const siblings = tree.proveMany(places).map(toHex);
  const hashes = places.map((place) => toHex(leaves[place] ?? new Uint8Array()));
  return { hashes, places, leaves: BigInt(size), siblings, root: toHex(tree.root) };
}

/** Plain: a map of what is known at each level, and the next sibling where a neighbour isn't. */
function plainRoot({ hashes, places, leaves: count, siblings }: Proof): string {
  let known = new Map(places.map((place, k) => [place, fromHex(hashes[k] ?? "")]));
  const rest = siblings.map(fromHex);
  for (let width = Number(count); width > 1; width = Math.ceil(width / 2)) {
    const above = new Map<number, Uint8Array>();
    for (const [place, hash] of [...known].sort(([a], [b]) => a - b)) {
      if (above.has(place >> 1)) continue;
      const neighbour = place ^ 1;
      const other = known.get(neighbour) ?? (neighbour < width ? rest.shift() : undefined);
      const pair = place < neighbour ? [hash, other] : [other, hash];
      above.set(place >> 1, other ? nodeHash(pair[0] ?? hash, pair[1] ?? hash) : hash);
    }
    known = above;
  }
  return toHex(known.get(0) ?? new Uint8Array());
}

describe("Merkle.climbMany", () => {
  let reference: BaseContract;

  before(async () => {
    const { ethers } = await network.create();
    reference = await ethers.deployContract("MerkleReference");
  });

  const climb = (proof: Proof) =>
    reference.getFunction("climbMany")(proof.hashes, proof.places, proof.leaves, proof.siblings);
  const refused = (proof: Proof) =>
    expect(climb(proof))
      .to.be.revertedWithCustomError(library, "MerkleBadMultiproof")
      .withArgs(proof.leaves, proof.siblings.length);

  async function holds(size: number, places: readonly number[]): Promise<void> {
    const { root, ...proof } = proofOf(size, places);
    expect(plainRoot(proof), `${places} of ${size}`).to.equal(root);
    expect([...(await climb(proof))], `${places} of ${size}`).to.deep.equal([root, true]);
  }

  it("is what trees and plain TypeScript make of all parts of small trees", async () => {
    for (let size = 1; size <= 8; size++) {
      for (let part = 1; part < 2 ** size; part++) {
        await holds(
          size,
          Array.from({ length: size }, (_, place) => place).filter((place) => (part >> place) & 1),
        );
      }
    }
  });

  it("is what they make of random parts of larger ones, and touches no memory of others", async () => {
    const roll = dice(9);
    for (let size = 9; size <= 40; size++) {
      for (const rarity of [1, 2, 3, 6, 20]) {
        const part = Array.from({ length: size }, (_, place) => place).filter(() => roll(rarity) === 0);
        await holds(size, part.length === 0 ? [roll(size)] : part);
      }
    }
  });

  it("leads elsewhere from a changed leaf, node or place, or refuses", async () => {
    const other = secretOf(1, "other");
    for (const [size, places] of [
      [13, [1, 4, 5, 12]],
      [8, [0, 7]],
      [5, [4]],
    ] as const) {
      const { root, ...proof } = proofOf(size, places);
      const at = (list: readonly string[], k: number) => list.map((one, j) => (j === k ? other : one));
      const changed = [
        ...proof.hashes.map((_, k) => ({ ...proof, hashes: at(proof.hashes, k) })),
        ...proof.siblings.map((_, k) => ({ ...proof, siblings: at(proof.siblings, k) })),
        ...places.map((_, k) => ({ ...proof, places: places.map((place, j) => (j === k ? place ^ 1 : place)) })),
      ];
      for (const one of changed) {
        const answer: [string, boolean] | string = await climb(one).catch((error: Error) => error.message);
        if (typeof answer === "string") expect(answer).to.include("MerkleBadMultiproof");
        else expect(answer[0]).not.to.equal(root);
      }
    }
  });

  it("refuses malformed proofs with what they were", async () => {
    const { root: _, ...right } = proofOf(13, [1, 4, 5, 12]);
    for (const places of [[4, 1, 5, 12], [1, 4, 4, 12], [1, 4, 5, 13], [1, 4, 5], [1, 4, 5, 11, 12], []]) {
      await refused({ ...right, places });
    }
    await refused({ ...right, hashes: right.hashes.slice(1) });
    await refused({ ...right, hashes: [], places: [] });
    await refused({ ...right, siblings: right.siblings.slice(1) });
    await refused({ ...right, siblings: [] });
    await refused({ ...right, siblings: [...right.siblings, right.hashes[0] ?? ""] });
    for (const count of [0n, 12n, 33n, 2n ** 255n, 2n ** 256n - 1n]) await refused({ ...right, leaves: count });
  });
});
