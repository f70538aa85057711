import { fromHex, keccak256, sameBytes, toHex } from "../internal/bytes.js";
import { nodeHash } from "../internal/merkle.js";
import { isWellFormedPartial, mergePartials, neutralPartial } from "./partials.js";
import type { Query } from "./query.js";
import { type AnalysisRequest, type DeviceFilter, weightOf } from "./requests.js";
import {
  compareLeaves,
  leafBelow,
  leafNode,
  nodeDigest,
  Origin,
  type Place,
  type ResultLeaf,
  type ResultNode,
  type Summary,
  summaryHash,
} from "./result-tree.js";

// What the courts decide, function by function, on what they are shown and what other contracts say. `ResultCourt.sol` and `LeafRules.sol` are
// the law; a test compares the two.

/** Whether a device may be in a result; see `Verdict` in Solidity. */
export const Verdict = { Eligible: 0, Ineligible: 1, Doubtful: 2 } as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

/** How a challenge ends: the proposal stays, falls and loses its bond, or falls without. */
export type Ruling = "refused" | "slashed" | "dismissed";

const rule = (upheld: boolean, slashed = true): Ruling => (upheld ? (slashed ? "slashed" : "dismissed") : "refused");
const UINT64 = 2n ** 64n;
const UINT128 = 2n ** 128n;
const NODE = Uint8Array.of(0x02);

/** The root's digest that a place leads to; undefined for a place that no tree has. As `ResultTree.climb` in Solidity. */
export function climbResult(digest: Uint8Array, { path, steps }: Place): Uint8Array | undefined {
  const levels = steps.length / 2;
  if (!Number.isInteger(levels) || levels > 64 || path >> BigInt(levels) !== 0n) return undefined;
  let reached = digest;
  for (let level = 0; level < levels; level++) {
    const [said = "", sibling = ""] = steps.slice(2 * level, 2 * level + 2);
    const isRight = (path >> BigInt(level)) & 1n;
    const below = isRight ? nodeHash(fromHex(sibling), reached) : nodeHash(reached, fromHex(sibling));
    reached = keccak256(NODE, fromHex(said), below);
  }
  return reached;
}

/** Whether a node stands in a tree at a place. */
function _isIn(root: string, node: ResultNode, place: Place): boolean {
  const reached = climbResult(nodeDigest(node), place);
  return reached !== undefined && toHex(reached) === root.toLowerCase();
}

/** Whether a leaf's numbers follow the request's rules; as `LeafRules.isByRule` in Solidity. */
export function isLeafByRule(request: AnalysisRequest, leaf: ResultLeaf): boolean {
  const { origin, count, weight, spent, partial } = leaf;
  if (origin === Origin.Withheld) {
    return count === 0n && weight === 0n && spent === 0n && sameBytes(partial, neutralPartial(request.query));
  }
  const isNoisy = origin === Origin.Attested && request.terms.epsilon !== 0n;
  return (
    count !== 0n && count <= request.query.cap && weight === weightOf(request.terms, count) && (isNoisy || spent === 0n)
  );
}

/** What `LeafRules.spendsTwice` looks at. */
export type Spend = Pick<ResultLeaf, "device" | "origin" | "spent">;

/** Whether a device's noisy partials in two results spend the same part of its budget; as `LeafRules.spendsTwice` in Solidity. */
export function spendsTwice(asked: AnalysisRequest, leaf: Spend, other: AnalysisRequest, otherLeaf: Spend): boolean {
  return (
    leaf.device.toLowerCase() === otherLeaf.device.toLowerCase() &&
    asked.purpose.toLowerCase() === other.purpose.toLowerCase() &&
    leaf.origin === Origin.Attested &&
    otherLeaf.origin === Origin.Attested &&
    leaf.spent < otherLeaf.spent + other.terms.epsilon &&
    otherLeaf.spent < leaf.spent + asked.terms.epsilon
  );
}

/** What two summaries merge to; undefined where `ResultTree.merge` in Solidity doesn't fit. */
export function mergeSummaries(a: Summary, b: Summary, aggregate: string): Summary | undefined {
  // The shape of RFC 9162: on the left a perfect tree, on the right one that isn't larger.
  const isShaped = b.leaves > 0n && b.leaves <= a.leaves && (a.leaves & (a.leaves - 1n)) === 0n;
  const last = { owner: a.lastOwner, device: a.lastDevice };
  if (!isShaped || compareLeaves(last, { owner: b.firstOwner, device: b.firstDevice }) >= 0) return undefined;
  const merged = {
    firstOwner: a.firstOwner,
    firstDevice: a.firstDevice,
    lastOwner: b.lastOwner,
    lastDevice: b.lastDevice,
    leaves: a.leaves + b.leaves,
    members: a.members + b.members,
    count: a.count + b.count,
    weight: a.weight + b.weight,
    aggregate,
  };
  const fits = [merged.leaves, merged.members, merged.count].every((n) => n < UINT64) && merged.weight < UINT128;
  return fits ? merged : undefined;
}

/** What `challengeNode` is shown, but for where. */
export interface ShownNode {
  readonly node: ResultNode;
  readonly left: ResultNode;
  readonly right: ResultNode;
  readonly leftAggregate: Uint8Array;
  readonly rightAggregate: Uint8Array;
}

/** `challengeNode`, for a node that is in the tree. */
export function ruleOnNode(query: Query, { node, left, right, leftAggregate, rightAggregate }: ShownNode): Ruling {
  const isShown =
    toHex(nodeHash(nodeDigest(left), nodeDigest(right))) === node.below &&
    toHex(keccak256(leftAggregate)) === left.summary.aggregate &&
    toHex(keccak256(rightAggregate)) === right.summary.aggregate;
  if (!isShown) return "refused";
  const partial = mergePartials(query, leftAggregate, rightAggregate);
  const merged = partial && mergeSummaries(left.summary, right.summary, toHex(keccak256(partial)));
  return rule(!merged || !sameBytes(summaryHash(merged), summaryHash(node.summary)));
}

/** `challengeLeaf`, for a node that is in the tree. */
export function ruleOnLeaf(request: AnalysisRequest, node: ResultNode, leaf: ResultLeaf): Ruling {
  if (node.below !== toHex(leafBelow(leaf))) return "refused";
  const isGood =
    sameBytes(summaryHash(node.summary), summaryHash(leafNode(leaf).summary)) &&
    isLeafByRule(request, leaf) &&
    isWellFormedPartial(request.query, leaf.partial);
  return rule(!isGood);
}

/** What `challengeMember` asks of other contracts. */
export interface Membership {
  readonly verdict: Verdict;
  readonly mayUse: boolean;
  /** Whether the device may be listed at all, if only as withheld. */
  readonly wasMember: boolean;
}

/** `challengeMember`, for a leaf in the tree. */
export function ruleOnMember(
  { origin }: Pick<ResultLeaf, "origin">,
  { verdict, mayUse, wasMember }: Membership,
): Ruling {
  if (origin === Origin.Withheld) return rule(!wasMember);
  return rule(verdict !== Verdict.Eligible || !mayUse, verdict === Verdict.Ineligible || !mayUse);
}

/** `challengeDouble`, for two leaves in the tree. */
export function ruleOnDouble(a: ResultLeaf, b: ResultLeaf): Ruling {
  return rule(
    a.device.toLowerCase() === b.device.toLowerCase() &&
      a.owner.toLowerCase() !== b.owner.toLowerCase() &&
      a.origin !== Origin.Withheld &&
      b.origin !== Origin.Withheld,
  );
}

/** Another result, as `challengeSpent` asks for it. */
export interface OtherResult {
  readonly request: AnalysisRequest;
  readonly isFinal: boolean;
  readonly proposedAt: bigint;
}

/** `challengeSpent`, for leaves in the trees of two results with different ids. */
export function ruleOnSpent(asked: AnalysisRequest, leaf: Spend, other: OtherResult, otherLeaf: Spend): Ruling {
  const { isFinal, proposedAt, request } = other;
  const isEarlier = isFinal && proposedAt + request.terms.challengeWindow <= asked.query.anchoredBy;
  return rule(isEarlier && spendsTwice(asked, leaf, request, otherLeaf));
}

/** `challengeSignature`, for a leaf in the tree and its evidence. */
export function ruleOnSignature(leaf: Pick<ResultLeaf, "origin">, isSigned: boolean, isSteady: boolean): Ruling {
  return rule(leaf.origin === Origin.Attested && !isSigned, isSteady);
}

/** What a court knows of a device that may be missing; `Court._isDue`. `mayUse` is for the kind of partial that the challenge is about. */
export interface Due {
  readonly holder: string | undefined;
  readonly verdict: Verdict;
  readonly mayUse: boolean;
}

export function isDue(owner: string, due: Due | undefined): boolean {
  return due?.holder?.toLowerCase() === owner.toLowerCase() && due.verdict === Verdict.Eligible && due.mayUse;
}

/** `challengeOmission`, where there is a gap. `counts`: whether the court would count the reading that is shown. */
export function ruleOnOmission(owner: string, due: Due | undefined, counts: boolean): Ruling {
  return rule(counts && isDue(owner, due));
}

/** `challengeIgnored`, for a leaf in the tree. */
export function ruleOnIgnored(
  { filter }: Pick<AnalysisRequest, "filter">,
  leaf: Pick<ResultLeaf, "owner" | "count">,
  contributed: bigint,
  due: Due | undefined,
): Ruling {
  return rule(leaf.count < contributed && isDue(leaf.owner, due), isCertain(filter));
}

/** `challengeIgnoredDevice`, where there is a gap. */
export function ruleOnIgnoredDevice(
  { filter }: Pick<AnalysisRequest, "filter">,
  owner: string,
  contributed: bigint,
  due: Due | undefined,
): Ruling {
  return rule(contributed !== 0n && isDue(owner, due), isCertain(filter));
}

/** Whether nobody can have become eligible only since the proposal. */
function isCertain({ assurance, verifier }: DeviceFilter): boolean {
  return assurance === 0 && BigInt(verifier) === 0n;
}
