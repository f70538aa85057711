import { AbiCoder, concat, getAddress, keccak256, ZeroHash } from "ethers";
import type { NodeSource } from "../../toolkit/analytics/owner-nodes.js";

/** What a result says of one device, in as few words as tests of payouts need. */
export interface Share {
  readonly owner: string;
  readonly device: string;
  readonly weight: bigint;
}

/** A leaf as the contracts take it. */
export interface ResultLeaf extends Share {
  readonly origin: bigint;
  readonly count: bigint;
  readonly spent: bigint;
  readonly evidence: string;
  readonly aggregate: string;
}

interface Summary {
  readonly firstOwner: string;
  readonly firstDevice: string;
  readonly lastOwner: string;
  readonly lastDevice: string;
  readonly leaves: bigint;
  readonly members: bigint;
  readonly count: bigint;
  readonly weight: bigint;
  readonly aggregate: string;
}

export interface ResultNode {
  readonly summary: Summary;
  readonly below: string;
}

export interface ResultPlace {
  readonly path: bigint;
  readonly steps: string[];
}

const LEAF =
  "(address owner,address device,uint8 origin,uint64 count,uint128 weight,uint64 spent,bytes32 evidence,bytes32 aggregate)";
const SUMMARY =
  "(address firstOwner,address firstDevice,address lastOwner,address lastDevice,uint64 leaves,uint64 members,uint64 count,uint128 weight,bytes32 aggregate)";

const encode = (type: string, value: unknown): string => AbiCoder.defaultAbiCoder().encode([type], [value]);
const hashes = new WeakMap<Summary, string>();
/** Each summary is hashed once: ways to the root go by the same ones again and again. */
function hashOf(summary: Summary): string {
  const hash = hashes.get(summary) ?? keccak256(encode(SUMMARY, summary));
  hashes.set(summary, hash);
  return hash;
}
const digestOf = ({ summary, below }: ResultNode): string => keccak256(concat(["0x02", hashOf(summary), below]));

/** A result's tree by the rules of `ResultTree`, whose aggregates say nothing: payouts don't look at them. */
export class PlainResultTree implements NodeSource<ResultNode, ResultPlace> {
  readonly leaves: readonly ResultLeaf[];
  private readonly levels: ResultNode[][];

  constructor(shares: readonly Share[]) {
    this.leaves = shares
      .map((share) => ({
        ...share,
        origin: 1n,
        count: share.weight,
        spent: 0n,
        evidence: ZeroHash,
        aggregate: ZeroHash,
      }))
      .sort((a, b) => ((a.owner + a.device).toLowerCase() < (b.owner + b.device).toLowerCase() ? -1 : 1));
    this.levels = [this.leaves.map(nodeOf)];
    for (let level = this.levels[0] ?? []; level.length > 1; this.levels.push(level)) level = levelAbove(level);
  }

  get size(): number {
    return this.leaves.length;
  }

  get root(): string {
    return digestOf(this.node(this.levels.length - 1, 0));
  }

  get weight(): bigint {
    return this.leaves.reduce((sum, { weight }) => sum + weight, 0n);
  }

  node(height: number, place: number): ResultNode {
    const node = this.levels[height]?.[place];
    if (!node) throw new RangeError(`There is no node ${place} at height ${height}.`);
    return node;
  }

  place(height: number, place: number): ResultPlace {
    const steps: string[] = [];
    let path = 0n;
    for (let level = height, at = place; level < this.levels.length - 1; level++, at >>>= 1) {
      const sibling = this.levels[level]?.[at ^ 1];
      if (!sibling) continue;
      if (at & 1) path |= 1n << BigInt(steps.length / 2);
      steps.push(hashOf(this.node(level + 1, at >>> 1).summary), digestOf(sibling));
    }
    return { path, steps };
  }
}

/** The number that `ResultClaims` marks a place by. */
export function positionOf({ path, steps }: ResultPlace): bigint {
  return (1n << BigInt(steps.length / 2)) | path;
}

/** An address that stands at `k` in the order of addresses. */
export function inOrder(k: number): string {
  return getAddress(`0x${(BigInt(k) + 1n).toString(16).padStart(8, "0")}${"5".repeat(32)}`);
}

function nodeOf(leaf: ResultLeaf): ResultNode {
  const { owner, device, count, weight, aggregate } = leaf;
  const ends = { firstOwner: owner, firstDevice: device, lastOwner: owner, lastDevice: device };
  const summary = { ...ends, leaves: 1n, members: 1n, count, weight, aggregate };
  return { summary, below: keccak256(concat(["0x00", encode(LEAF, leaf)])) };
}

function levelAbove(level: readonly ResultNode[]): ResultNode[] {
  const above: ResultNode[] = [];
  for (let k = 0; k < level.length; k += 2) {
    const [left, right] = [level[k], level[k + 1]];
    if (left) above.push(right ? merge(left, right) : left);
  }
  return above;
}

function merge(left: ResultNode, right: ResultNode): ResultNode {
  const [a, b] = [left.summary, right.summary];
  const summary = {
    firstOwner: a.firstOwner,
    firstDevice: a.firstDevice,
    lastOwner: b.lastOwner,
    lastDevice: b.lastDevice,
    leaves: a.leaves + b.leaves,
    members: a.members + b.members,
    count: a.count + b.count,
    weight: a.weight + b.weight,
    aggregate: keccak256(concat([a.aggregate, b.aggregate])),
  };
  return { summary, below: keccak256(concat(["0x01", digestOf(left), digestOf(right)])) };
}
