import { expect } from "chai";
import {
  type AggregateNode,
  AggregateTree,
  type Contribution,
  inOrder,
  leafNode,
  mergeNodes,
} from "../../toolkit/analytics/aggregate-tree.js";
import type { DeviceId } from "../../toolkit/identity/keys.js";
import { secretOf } from "../../toolkit/testing/fixture.js";

const random = (seed: number, label: string): bigint => BigInt(secretOf(seed, label));

function contributions(seed: number, size: number): Contribution[] {
  return Array.from({ length: size }, (_, k) => ({
    owner: `0x${(random(seed, `owner-${k}`) % 5n).toString(16).padStart(40, "0")}`,
    device: `0x${random(seed, `device-${k}`).toString(16).padStart(64, "0").slice(24)}` as DeviceId,
    sum: (random(seed, `sum-${k}`) % 2000n) - 1000n,
    count: random(seed, `count-${k}`) % 100n,
  }));
}

/** RFC 9162's split, with aggregates. */
function rootByDefinition(nodes: readonly AggregateNode[]): AggregateNode {
  const [only] = nodes;
  if (only && nodes.length === 1) return only;
  let split = 1;
  while (split * 2 < nodes.length) split *= 2;
  return mergeNodes(rootByDefinition(nodes.slice(0, split)), rootByDefinition(nodes.slice(split)));
}

function climb(node: AggregateNode, path: bigint, siblings: readonly AggregateNode[]): AggregateNode {
  return siblings.reduce(
    (below, sibling, k) => ((path >> BigInt(k)) & 1n ? mergeNodes(sibling, below) : mergeNodes(below, sibling)),
    node,
  );
}

describe("AggregateTree", () => {
  it("has the root of RFC 9162's definition and proves every leaf, for sizes 2 to 40", () => {
    for (let size = 2; size <= 40; size++) {
      const tree = new AggregateTree(inOrder(contributions(size, size)));
      expect(tree.root).to.deep.equal(rootByDefinition(tree.leaves.map(leafNode)));
      for (const [place, leaf] of tree.leaves.entries()) {
        const { path, siblings } = tree.prove(place);
        expect(climb(leafNode(leaf), path, siblings)).to.deep.equal(tree.root);
      }
    }
  });

  it("orders by owner, then by device", () => {
    const ordered = inOrder(contributions(1, 30)).map(({ owner, device }) => (owner + device).toLowerCase());
    expect(ordered).to.deep.equal([...ordered].sort());
  });

  it("lets leaves that verify under one root never count for more than it (sums are safe)", () => {
    for (let seed = 0; seed < 100; seed++) {
      // Any inner node may claim anything of itself; the root's claim is what stands on the chain.
      const leaves = contributions(seed, 8);
      const levels: AggregateNode[][] = [leaves.map(leafNode)];
      for (let height = 0; height < 3; height++) {
        const below = levels[height] ?? [];
        const above: AggregateNode[] = [];
        for (let k = 0; k < below.length; k += 2) {
          const [left, right] = [below[k], below[k + 1]];
          if (!left || !right) continue;
          const node = mergeNodes(left, right);
          const lies = height < 2 && random(seed, `lie-${height}-${k}`) % 3n === 0n;
          const count = lies ? random(seed, `claim-${height}-${k}`) % 400n : node.aggregate.count;
          above.push({ ...node, aggregate: { ...node.aggregate, count } });
        }
        levels.push(above);
      }
      const root = levels[3]?.[0];
      if (!root) throw new Error("No root.");
      let verified = 0n;
      for (const [place, leaf] of leaves.entries()) {
        const siblings = [0, 1, 2]
          .map((height) => levels[height]?.[(place >> height) ^ 1])
          .filter((node) => node !== undefined);
        const reached = climb(leafNode(leaf), BigInt(place), siblings);
        if (reached.hash === root.hash && reached.aggregate.count === root.aggregate.count) verified += leaf.count;
      }
      expect(verified <= root.aggregate.count).to.equal(true);
    }
  });

  it("needs two devices and a node that is there", () => {
    expect(() => new AggregateTree(contributions(1, 1))).to.throw(RangeError);
    expect(() => new AggregateTree(contributions(1, 4)).prove(4)).to.throw(RangeError);
  });
});
