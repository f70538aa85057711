import {
  nodeDigest,
  type Place,
  type ResultNode,
  type ResultTree,
  type Summary,
  summaryHash,
} from "../../toolkit/analytics/result-tree.js";
import { toHex } from "../../toolkit/internal/bytes.js";
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
