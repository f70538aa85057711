import type { DeviceId } from "../identity/keys.js";
import { fromHex, intBytes, keccak256, toHex, uintBytes } from "../internal/bytes.js";
import { leafHash } from "../internal/merkle.js";

/** Sum of the fixed-point values, number of readings, number of devices. */
export interface Aggregate {
  readonly sum: bigint;
  readonly count: bigint;
  readonly members: bigint;
}

/** A node as its parent commits to it, in the form that the contract takes. */
export interface AggregateNode {
  /** 32 bytes as hex. */
  readonly hash: string;
  readonly aggregate: Aggregate;
}

/** What one device contributes, and to whose credit. */
export interface Contribution {
  readonly owner: string;
  readonly device: DeviceId;
  readonly sum: bigint;
  readonly count: bigint;
}

/** Where a node stands: bit k of `path` is 1 where the k-th sibling, from below, is on the left. */
export interface AggregateProof {
  readonly path: bigint;
  readonly siblings: AggregateNode[];
}

const NODE = Uint8Array.of(0x01);

/** The node of a contribution. */
export function leafNode({ owner, device, sum, count }: Contribution): AggregateNode {
  const hash = leafHash(fromHex(owner), fromHex(device), intBytes(sum, 16), uintBytes(count, 8));
  return { hash: toHex(hash), aggregate: { sum, count, members: 1n } };
}

/** The node above two. */
export function mergeNodes(left: AggregateNode, right: AggregateNode): AggregateNode {
  const hash = keccak256(NODE, ...nodeBytes(left), ...nodeBytes(right));
  return { hash: toHex(hash), aggregate: mergeAggregates(left.aggregate, right.aggregate) };
}

/** Adds two aggregates. */
export function mergeAggregates(a: Aggregate, b: Aggregate): Aggregate {
  return { sum: a.sum + b.sum, count: a.count + b.count, members: a.members + b.members };
}

/** Contributions in the order that the payout rule needs: by owner, then by device. */
export function inOrder(contributions: readonly Contribution[]): Contribution[] {
  const key = ({ owner, device }: Contribution): string => (owner + device).toLowerCase();
  return [...contributions].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** The tree that a proposer of a result builds, of the shape of RFC 9162: a lone right-most node moves up. */
export class AggregateTree {
  private readonly levels: AggregateNode[][];

  /** @param leaves In order, see {@link inOrder}; at least two. */
  constructor(readonly leaves: readonly Contribution[]) {
    if (leaves.length < 2) throw new RangeError("A result needs two devices at least.");
    this.levels = [leaves.map(leafNode)];
    for (let level = this.levels[0] ?? []; level.length > 1; ) {
      level = levelAbove(level);
      this.levels.push(level);
    }
  }

  get root(): AggregateNode {
    return this.at(this.levels.length - 1, 0);
  }

  /** The root's two children, with which a result is proposed. */
  get children(): readonly [AggregateNode, AggregateNode] {
    const height = this.levels.length - 2;
    return [this.at(height, 0), this.at(height, 1)];
  }

  /** The proof of a node; leaves are at height 0. */
  prove(place: number, height = 0): AggregateProof {
    this.at(height, place);
    const siblings: AggregateNode[] = [];
    let path = 0n;
    for (let level = height, at = place; level < this.levels.length - 1; level++, at >>>= 1) {
      const sibling = this.levels[level]?.[at ^ 1];
      if (!sibling) continue;
      if (at & 1) path |= 1n << BigInt(siblings.length);
      siblings.push(sibling);
    }
    return { path, siblings };
  }

  private at(height: number, place: number): AggregateNode {
    const node = this.levels[height]?.[place];
    if (!node) throw new RangeError(`There is no node ${place} at height ${height}.`);
    return node;
  }
}

function levelAbove(level: readonly AggregateNode[]): AggregateNode[] {
  const above: AggregateNode[] = [];
  for (let k = 0; k < level.length; k += 2) {
    const left = level[k];
    const right = level[k + 1];
    if (left) above.push(right ? mergeNodes(left, right) : left);
  }
  return above;
}

function nodeBytes({ hash, aggregate }: AggregateNode): Uint8Array[] {
  return [fromHex(hash), intBytes(aggregate.sum, 16), uintBytes(aggregate.count, 8), uintBytes(aggregate.members, 8)];
}
