import { mergePartials } from "../../toolkit/analytics/partials.js";
import type { Query } from "../../toolkit/analytics/query.js";
import {
  nodeDigest,
  type ResultLeaf,
  type ResultNode,
  ResultTree,
  type Summary,
} from "../../toolkit/analytics/result-tree.js";
import { keccak256, toHex } from "../../toolkit/internal/bytes.js";
import { nodeHash } from "../../toolkit/internal/merkle.js";

/** A node with the bytes of its aggregate, in a tree of any shape. */
export interface Built {
  readonly node: ResultNode;
  readonly partial: Uint8Array;
}

/** The node of a leaf. */
export function builtLeaf(query: Query, leaf: ResultLeaf): Built {
  const tree = new ResultTree(query, [leaf]);
  return { node: tree.root, partial: tree.aggregate };
}

/** The node above any two: numbers are added, whatever they are. */
export function builtOver(query: Query, left: Built, right: Built): Built {
  const partial = mergePartials(query, left.partial, right.partial) ?? left.partial;
  const [a, b] = [left.node.summary, right.node.summary];
  const summary: Summary = {
    firstOwner: a.firstOwner,
    firstDevice: a.firstDevice,
    lastOwner: b.lastOwner,
    lastDevice: b.lastDevice,
    leaves: a.leaves + b.leaves,
    members: a.members + b.members,
    count: a.count + b.count,
    weight: a.weight + b.weight,
    aggregate: toHex(keccak256(partial)),
  };
  return { node: { summary, below: toHex(nodeHash(nodeDigest(left.node), nodeDigest(right.node))) }, partial };
}

/** The nodes of a tree that is a chain: each has all earlier leaves on its left, and one leaf on its right. From below. */
export function chainOf(query: Query, leaves: readonly ResultLeaf[]): { node: Built; left: Built; right: Built }[] {
  const [first, ...rest] = leaves.map((leaf) => builtLeaf(query, leaf));
  let left = first;
  return rest.map((right) => {
    if (!left) throw new RangeError("A chain needs leaves.");
    const step = { node: builtOver(query, left, right), left, right };
    left = step.node;
    return step;
  });
}
