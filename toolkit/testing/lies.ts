import { type AnalysisRequest, weightOf } from "../analytics/requests.js";
import {
  compareLeaves,
  nodeDigest,
  Origin,
  type Place,
  type ResultLeaf,
  type ResultNode,
  ResultTree,
  type Summary,
  summaryHash,
} from "../analytics/result-tree.js";
import { IotchainError } from "../errors.js";
import { sameBytes, toHex } from "../internal/bytes.js";
import { nodeHash } from "../internal/merkle.js";

/** The ways in which a proposer can cheat. */
export const LIES = [
  /** The root says more than its children come to. */
  "wrong-root",
  /** A node below it does. */
  "wrong-merge",
  /** Two leaves stand in the wrong order. */
  "unsorted",
  /** A device stands under a second owner, the proposer. */
  "doubled",
  /** A device is in that doesn't belong there, with figures that are made up. */
  "ineligible",
  /** A device is left out. */
  "omission",
  /** A device's word is another one than it has signed. */
  "unsigned",
  /** A device weighs ten times what it should. */
  "weight",
  /** A partial isn't what its readings come to. */
  "partial",
  /** The result is right, but nobody gets its data. */
  "withheld-data",
] as const;
export type Lie = (typeof LIES)[number];

/** A lie that a result can't be told with. */
export class LieError extends IotchainError {}

/** A device that doesn't belong into a result. */
export type Outsider = Pick<ResultLeaf, "owner" | "device">;

/** What a liar has at hand. */
export interface LieParts {
  readonly request: Pick<AnalysisRequest, "terms">;
  /** Address of an account that is in league with the proposer. */
  readonly accomplice: string;
  readonly outsider?: Outsider | undefined;
}

/**
 * A result with one lie, made of an honest one.
 *
 * Errors: ITC_LIE_IMPOSSIBLE where the result hasn't what the lie is about.
 */
export function falseResult(lie: Lie, honest: ResultTree, { request, accomplice, outsider }: LieParts): ResultTree {
  const { query } = honest;
  const rest = [...honest.leaves];
  const sorted = (leaves: ResultLeaf[]) => new ResultTree(query, leaves.sort(compareLeaves));
  const counted = rest.findIndex(({ origin }) => origin !== Origin.Withheld);
  const leaf = rest[counted];
  if (!leaf) throw impossible(lie, "a device that counts");
  switch (lie) {
    case "wrong-root":
    case "wrong-merge": {
      const height = lie === "wrong-root" ? honest.height : 1;
      if (rest.length < (lie === "wrong-root" ? 2 : 3)) throw impossible(lie, "two leaves, or three");
      const { count, weight } = honest.node(0, height).node.summary;
      return lyingTree(honest, height, 0, { count: count + 1000n, weight: weight + 1000n }).answers;
    }
    case "unsorted": {
      const [first, second, ...others] = rest;
      if (!first || !second) throw impossible(lie, "two leaves");
      return new ResultTree(query, [second, first, ...others], false);
    }
    case "doubled":
      return sorted([...rest, { ...leaf, owner: accomplice }]);
    case "ineligible":
      if (!outsider) throw impossible(lie, "an active device that doesn't belong into it");
      return sorted([...rest, { ...leaf, ...outsider }]);
    case "omission":
      if (rest.length === 1) throw impossible(lie, "two leaves");
      return new ResultTree(query, rest.toSpliced(counted, 1));
    case "unsigned":
      return withForeignPartial(lie, honest, Origin.Attested);
    case "weight": {
      const weight = 10n * weightOf(request.terms, leaf.count);
      return new ResultTree(query, rest.with(counted, { ...leaf, weight }));
    }
    case "partial":
      return withForeignPartial(lie, honest, Origin.Proved);
    case "withheld-data":
      return honest;
  }
}

/** Gives a device the partial of another one, and leaves what it has signed or measured as it is. */
function withForeignPartial(lie: Lie, { query, leaves }: ResultTree, origin: Origin): ResultTree {
  const own = leaves.findIndex((leaf) => leaf.origin === origin);
  const leaf = leaves[own];
  const other = leaves.find((one) => one.origin === origin && leaf && !sameBytes(one.partial, leaf.partial));
  if (leaf && other) return new ResultTree(query, leaves.with(own, { ...leaf, partial: other.partial }));
  throw impossible(lie, `two ${origin === Origin.Proved ? "proved" : "attested"} partials that differ`);
}

function impossible(lie: Lie, what: string): LieError {
  return new LieError(
    "ITC_LIE_IMPOSSIBLE",
    `The lie ${lie} wants a result with ${what}; this one has none.`,
    "Tell it about another request: attested partials come with an epsilon, proved ones without.",
  );
}

/** A tree with one lying node: what it says is replaced, and everything above it is computed from the lie. */
export interface LyingTree {
  readonly root: ResultNode;
  readonly aggregate: Uint8Array;
  /** The lying node. */
  readonly node: ResultNode;
  readonly place: Place;
  /** The same as a tree that leaves can be shown from: those whose way up merges, with the lie beside it. */
  readonly answers: ResultTree;
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
  const changed = new Map([[keyOf(height, index), node]]);
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
    changed.set(keyOf(level, at), current);
  }
  const answers = new ChangedTree(tree, changed);
  return { root: current, aggregate: tree.aggregate, node, place: { path: place.path, steps }, answers };
}

/** A tree with some nodes replaced. */
class ChangedTree extends ResultTree {
  constructor(
    tree: ResultTree,
    private readonly changed: ReadonlyMap<string, ResultNode>,
  ) {
    super(tree.query, tree.leaves, false);
  }

  override get root(): ResultNode {
    return this.node(0, this.height).node;
  }

  override node(index: number, height = 0): ReturnType<ResultTree["node"]> {
    const own = super.node(index, height);
    return { ...own, node: this.changed.get(keyOf(height, index)) ?? own.node };
  }
}

const keyOf = (height: number, index: number): string => `${height} ${index}`;

/** What a node at a place says; undefined beyond the level's end. */
function nodeAt(tree: ResultTree, index: number, height: number): ResultNode | undefined {
  try {
    return tree.node(index, height).node;
  } catch {
    return undefined;
  }
}
