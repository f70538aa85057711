import { mergePartials } from "../../toolkit/analytics/partials.js";
import type { Query } from "../../toolkit/analytics/query.js";
import {
  nodeDigest,
  type Place,
  type ResultLeaf,
  type ResultNode,
  ResultTree,
  type Summary,
  summaryHash,
} from "../../toolkit/analytics/result-tree.js";
import { keccak256, toHex } from "../../toolkit/internal/bytes.js";
import { nodeHash } from "../../toolkit/internal/merkle.js";

/** A tree with one lying node: what it says is replaced, and everything above it is computed from the lie. */
export interface LyingTree {
  readonly root: ResultNode;
  readonly aggregate: Uint8Array;
  /** The lying node. */
  readonly node: ResultNode;
  readonly place: Place;
}

/**
 * Builds a tree in which the node at `height` and `index` says something else of its children than they come to.
 *
 * @param lie What it says instead; numbers are passed on to the nodes above.
 */
export function lyingTree(tree: ResultTree, height: number, index: number, lie: Partial<Summary>): LyingTree {
  const honest = tree.node(index, height);
  const node = { summary: { ...honest.node.summary, ...lie }, below: honest.node.below };
  const place = tree.place(index, height);
  const steps: string[] = [];
  let current = node;
  let [at, level] = [index, height];
  const difference = (key: "leaves" | "members" | "count" | "weight") => node.summary[key] - honest.node.summary[key];
  while (level < tree.height) {
    const [parentIndex, siblingIndex] = [at >>> 1, at ^ 1];
    const sibling = nodeAt(tree, siblingIndex, level);
    if (sibling) {
      const digests = [nodeDigest(current), nodeDigest(sibling)] as const;
      const below = at % 2 === 0 ? nodeHash(digests[0], digests[1]) : nodeHash(digests[1], digests[0]);
      const parent = tree.node(parentIndex, level + 1).node.summary;
      const summary = {
        ...parent,
        leaves: parent.leaves + difference("leaves"),
        members: parent.members + difference("members"),
        count: parent.count + difference("count"),
        weight: parent.weight + difference("weight"),
      };
      current = { summary, below: toHex(below) };
      steps.push(toHex(summaryHash(summary)), toHex(nodeDigest(sibling)));
    }
    [at, level] = [parentIndex, level + 1];
  }
  return { root: current, aggregate: tree.aggregate, node, place: { path: place.path, steps } };
}

/** What a node at a place says; undefined beyond the level's end. */
function nodeAt(tree: ResultTree, index: number, height: number): ResultNode | undefined {
  try {
    return tree.node(index, height).node;
  } catch {
    return undefined;
  }
}

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
