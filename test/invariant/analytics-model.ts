import type { AnalysisRequest } from "../../toolkit/analytics/requests.js";
import {
  compareLeaves,
  leafWords,
  nodeDigest,
  type Place,
  type ResultLeaf,
  summaryHash,
} from "../../toolkit/analytics/result-tree.js";
import type { CurveKey } from "../../toolkit/identity/keys.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { type Built, builtLeaf, builtOver } from "../analytics/lies.js";
import type { Anchored, Kept } from "../analytics/market.js";

/** A device as it should be. */
export interface ModelDevice {
  readonly first: CurveKey;
  key: CurveKey;
  nonce: bigint;
  isActive: boolean;
  stateSince: bigint;
  changedBlock: bigint;
  /** Who had it from when on, by the number of the owner. */
  readonly owners: { readonly time: bigint; readonly owner: number }[];
}

/** Whether an owner agreed, from when on. */
export type Consents = { readonly time: bigint; readonly granted: boolean }[];

/** What is wrong with a proposal, and where. */
export type Lie = "none" | "node" | "weight" | "invented" | "foreign" | "double" | "omission" | "forged" | "ignored";

/** A question, in the desk's custody until it is settled. */
export interface ModelQuestion {
  readonly stamp: string;
  readonly subject: string;
  readonly due: bigint;
  /** The leaf's position, and the device where it is about a partial. */
  readonly index: number;
  readonly device: number | undefined;
}

/** A proposal as it should be. */
export interface ModelProposal {
  readonly tree: LooseTree;
  readonly lie: Lie;
  /** The position that the lie is about, and its height. */
  readonly at: number;
  readonly height: number;
  readonly time: bigint;
  readonly block: bigint;
  readonly stamp: string;
  isQuestioned: boolean;
  questions: ModelQuestion[];
}

/** A request as it should be. */
export interface ModelRequest {
  readonly request: AnalysisRequest;
  readonly snapshot: bigint;
  readonly kept: readonly (readonly Kept[])[];
  readonly batch: Anchored;
  readonly contributed: Map<number, { readonly count: bigint; readonly time: bigint; readonly block: bigint }>;
  status: "open" | "proposed" | "final" | "cancelled";
  lastSecond: bigint;
  /** Bonds that were lost; the requester has half of each when the request ends. */
  slashed: bigint;
  proposal?: ModelProposal;
}

/** The last entry of a history up to a time. */
export function latestAt<T extends { readonly time: bigint }>(history: readonly T[], time: bigint): T | undefined {
  return history.findLast((entry) => entry.time <= time);
}

/** A tree in which one node may say anything. */
export class LooseTree {
  private readonly levels: Built[][];

  constructor(
    request: AnalysisRequest,
    readonly leaves: readonly ResultLeaf[],
    lie?: { readonly height: number; readonly index: number },
  ) {
    const { query } = request;
    let level = leaves.map((leaf) => builtLeaf(query, leaf));
    this.levels = [level];
    for (let height = 1; level.length > 1; height++) {
      const above: Built[] = [];
      for (let k = 0; k < level.length; k += 2) {
        const [left, right] = [level[k], level[k + 1]];
        if (!left) continue;
        const built = right ? builtOver(query, left, right) : left;
        above.push(height === lie?.height && k / 2 === lie.index ? lying(built) : built);
      }
      level = above;
      this.levels.push(level);
    }
  }

  get height(): number {
    return this.levels.length - 1;
  }

  get root(): Built {
    return this.node(0, this.height);
  }

  widthAt(height: number): number {
    return this.levels[height]?.length ?? 0;
  }

  node(index: number, height = 0): Built {
    const node = this.levels[height]?.[index];
    if (!node) throw new RangeError("There is no such node.");
    return node;
  }

  /** The two children; none of a lone node that moved up. */
  childrenOf(index: number, height: number): [Built, Built] | undefined {
    const right = this.levels[height - 1]?.[2 * index + 1];
    return right ? [this.node(2 * index, height - 1), right] : undefined;
  }

  place(index: number, height = 0): Place {
    const steps: string[] = [];
    let path = 0n;
    for (const { sibling, parent, isRight } of this.wayUp(index, height)) {
      if (isRight) path |= 1n << BigInt(steps.length / 2);
      steps.push(toHex(summaryHash(parent.node.summary)), toHex(nodeDigest(sibling.node)));
    }
    return { path, steps };
  }

  /** As `IQuestionDesk.show` takes it. */
  showing(index: number) {
    const way = [...this.wayUp(index, 0)];
    const path = way.reduce((bits, { isRight }, k) => (isRight ? bits | (1n << BigInt(k)) : bits), 0n);
    const leaf = this.leaves[index];
    if (!leaf) throw new RangeError("There is no such leaf.");
    const [first = "0x", second = "0x"] = leaf.evidence.map(toHex);
    const siblings = way.map(({ sibling }) => sibling.node);
    const aggregates = way.map(({ sibling }) => toHex(sibling.partial));
    return { index, leaf: leafWords(leaf), aggregate: toHex(leaf.partial), first, second, path, siblings, aggregates };
  }

  indexOf(owner: string, device: string): number {
    return this.leaves.findIndex((leaf) => compareLeaves(leaf, { owner, device }) === 0);
  }

  private *wayUp(index: number, height: number) {
    for (let [at, level] = [index, height]; level < this.height; [at, level] = [at >>> 1, level + 1]) {
      const sibling = this.levels[level]?.[at ^ 1];
      if (sibling) yield { sibling, parent: this.node(at >>> 1, level + 1), isRight: at % 2 === 1 };
    }
  }
}

function lying({ node, partial }: Built): Built {
  return { node: { ...node, summary: { ...node.summary, weight: node.summary.weight + 1n } }, partial };
}
