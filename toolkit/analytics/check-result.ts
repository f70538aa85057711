import { getAddress } from "ethers";
import { sameBytes } from "../internal/bytes.js";
import { AnalyticsError } from "./analytics-error.js";
import {
  type Due,
  isLeafByRule,
  ruleOnDouble,
  ruleOnIgnored,
  ruleOnIgnoredDevice,
  ruleOnLeaf,
  ruleOnMember,
  ruleOnNode,
  ruleOnOmission,
  ruleOnSignature,
  ruleOnSpent,
  type ShownNode,
} from "./court-model.js";
import type { CourtViews } from "./court-views.js";
import { isWellFormedPartial, partialLength } from "./partials.js";
import { requestIdOf } from "./requests.js";
import { ResultData } from "./result-data.js";
import type { CheckSources, EarlierResult, Placed, ProposalFacts, ResultCheck, ResultFault } from "./result-faults.js";
import {
  compareLeaves,
  forkOf,
  isRootOf,
  nodeDigest,
  Origin,
  type Place,
  type ResultLeaf,
  type ResultNode,
  ResultTree,
} from "./result-tree.js";

/**
 * Checks a proposed result by its data and what the chain says, by the rules of the courts. Each fault is one that its challenge would be upheld for,
 * on what the check was given; those by question are for the proposer to answer. Holds the whole tree in memory.
 *
 * @param most Faults after which the check ends: one is enough to take a proposal down.
 * @example
 * const { faults } = await checkResult(createReadStream(path), proposal, { digests, views, members });
 */
export async function checkResult(
  data: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  proposal: ProposalFacts,
  sources: CheckSources,
  most = 100,
): Promise<ResultCheck> {
  const faults: ResultFault[] = [];
  const read = await readLeaves(data, proposal);
  if (read.content !== undefined && read.content !== proposal.content.toLowerCase()) {
    faults.push({ kind: "content-mismatch", content: read.content });
  }
  const tree = read.why === undefined ? treeOf(proposal, read.leaves) : undefined;
  if (!tree || !isRootOf(tree.root, proposal.root)) {
    const why = read.why ?? "The leaves don't make the proposal's root.";
    faults.push({ kind: "root-mismatch", index: suspectOf(proposal, read), why });
    return { faults };
  }
  for await (const fault of faultsOf(proposal, tree, sources)) {
    faults.push(fault);
    if (faults.length >= most) break;
  }
  return { faults, tree };
}

/**
 * Which leaf to demand next where a root isn't the data's: the first one under a sibling, on the way that was shown (`IQuestionDesk.show`), that isn't the
 * data's. All that is on a way that can be shown merges, so what is false lies under such a sibling. Undefined where the way is the data's.
 *
 * @param tree Of the data.
 * @param index Of the leaf that was shown.
 * @param path As `show` was given it, with the siblings.
 */
export function nextDemand(
  tree: ResultTree,
  index: number,
  path: bigint,
  siblings: readonly ResultNode[],
): number | undefined {
  const own = tree.siblings(index).siblings;
  let [start, end] = [index, index + 1];
  for (const [level, sibling] of siblings.entries()) {
    const leaves = Number(sibling.summary.leaves);
    const isLeft = (path >> BigInt(level)) & 1n;
    const mine = own[level];
    if (!mine || !sameBytes(nodeDigest(mine), nodeDigest(sibling))) return isLeft ? Math.max(0, start - leaves) : end;
    if (isLeft) start -= leaves;
    else end += leaves;
  }
  return undefined;
}

interface Leaves {
  readonly leaves: ResultLeaf[];
  readonly content?: string;
  /** Why the data can't be read to their end. */
  readonly why?: string;
}

async function readLeaves(
  data: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  proposal: ProposalFacts,
): Promise<Leaves> {
  const leaves: ResultLeaf[] = [];
  try {
    const result = await ResultData.open(data, proposal, { strict: false });
    for await (const leaf of result) leaves.push(leaf);
    return { leaves, content: result.content };
  } catch (error) {
    if (error instanceof AnalyticsError) return { leaves, why: error.message };
    throw error;
  }
}

/** Undefined where partials don't merge, so that no court would take any root over them. */
function treeOf({ request }: ProposalFacts, leaves: readonly ResultLeaf[]): ResultTree | undefined {
  try {
    return new ResultTree(request.query, leaves, false);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The first leaf that no honest proposer could show, or the one after the last that can be read; 0 if all look well. */
function suspectOf({ request }: ProposalFacts, { leaves, why }: Leaves): number {
  const index = leaves.findIndex((leaf, k) => {
    const before = leaves[k - 1];
    const isBehind = !before || compareLeaves(before, leaf) < 0;
    return !isBehind || !isLeafByRule(request, leaf) || leaf.partial.length !== partialLength(request.query);
  });
  if (index >= 0) return index;
  return why === undefined ? 0 : leaves.length;
}

async function* faultsOf(
  proposal: ProposalFacts,
  tree: ResultTree,
  sources: CheckSources,
): AsyncGenerator<ResultFault> {
  yield* faultsInTree(proposal, tree);
  yield* doubles(tree);
  for (const earlier of sources.earlier ?? []) yield* spends(proposal, tree, earlier);
  yield* doubts(tree, sources);
  if (!sources.views) return;
  yield* faultsOfLeaves(proposal, tree, sources, sources.views);
  // In a tree out of order nothing can be shown to be missing; that it is out of order has been found.
  if (isInOrder(tree)) yield* omissions(proposal, tree, sources, sources.views);
  yield* ignored(proposal, tree, sources, sources.views);
}

function* faultsInTree({ request }: ProposalFacts, tree: ResultTree): Generator<ResultFault> {
  for (const [index, leaf] of tree.leaves.entries()) {
    // Its node is made of the leaf itself; so only the leaf can be wrong.
    if (!isLeafByRule(request, leaf) || !isWellFormedPartial(request.query, leaf.partial)) {
      const { node } = tree.node(index);
      const ruling = ruleOnLeaf(request, node, leaf);
      if (ruling !== "refused") yield { kind: "leaf", ruling, node, ...placed(tree, index) };
    }
    const before = tree.leaves[index - 1];
    if (!before || compareLeaves(before, leaf) < 0) continue;
    const { place, shown } = nodeBetween(tree, index);
    const order = ruleOnNode(request.query, shown);
    if (order !== "refused") yield { kind: "node", ruling: order, place, ...shown };
  }
}

/** The lowest node above a leaf and the one before it, as `challengeNode` takes it. */
function nodeBetween(tree: ResultTree, index: number): { place: Place; shown: ShownNode } {
  let [left, right, height] = [index - 1, index, 0];
  while (left >>> 1 !== right >>> 1) [left, right, height] = [left >>> 1, right >>> 1, height + 1];
  const [a, b] = [tree.node(left, height), tree.node(right, height)];
  const { node } = tree.node(left >>> 1, height + 1);
  const shown = { node, left: a.node, right: b.node, leftAggregate: a.partial, rightAggregate: b.partial };
  return { place: tree.place(left >>> 1, height + 1), shown };
}

function isInOrder({ leaves }: ResultTree): boolean {
  return leaves.every((leaf, k) => k === 0 || compareLeaves(leaves[k - 1] ?? leaf, leaf) < 0);
}

function* doubles(tree: ResultTree): Generator<ResultFault> {
  const first = new Map<string, number>();
  for (const [index, leaf] of tree.leaves.entries()) {
    if (leaf.origin === Origin.Withheld) continue;
    const device = leaf.device.toLowerCase();
    const other = first.get(device);
    if (other === undefined) {
      first.set(device, index);
      continue;
    }
    const before = placed(tree, other);
    const ruling = ruleOnDouble(before.leaf, leaf);
    const fork = forkOf(before.place, tree.place(index));
    if (ruling !== "refused") yield { kind: "double", ruling, leaves: [before.leaf, leaf], fork };
  }
}

function* spends(
  { request, ...domain }: ProposalFacts,
  tree: ResultTree,
  earlier: EarlierResult,
): Generator<ResultFault> {
  const idOf = (asked: typeof request) => requestIdOf(asked, domain.chainId, domain.analytics);
  if (idOf(earlier.request) === idOf(request)) return;
  const before = new Map(earlier.tree.leaves.map(({ device }, index) => [device.toLowerCase(), index]));
  for (const [index, leaf] of tree.leaves.entries()) {
    const place = before.get(leaf.device.toLowerCase());
    if (place === undefined) continue;
    const otherLeaf = placed(earlier.tree, place);
    const ruling = ruleOnSpent(request, leaf, earlier, otherLeaf.leaf);
    const { tree: _, ...other } = earlier;
    if (ruling !== "refused") yield { kind: "spent", ruling, other, otherLeaf, ...placed(tree, index) };
  }
}

/** Proved partials that nobody can show, or that aren't what the checker has aggregated. */
function* doubts(tree: ResultTree, { partialOf }: CheckSources): Generator<ResultFault> {
  for (const [index, leaf] of tree.leaves.entries()) {
    if (leaf.origin !== Origin.Proved) continue;
    const why = doubtOf(leaf, partialOf);
    if (why !== undefined) yield { kind: "question", why, ...placed(tree, index) };
  }
}

function doubtOf(
  { device, count, evidence, partial }: ResultLeaf,
  partialOf: CheckSources["partialOf"],
): string | undefined {
  const [ranges, rest] = evidence;
  if (rest.length > 0 || countedIn(ranges) !== count) return "Its evidence aren't the ranges of as many readings.";
  const own = partialOf?.(device);
  // The proposer may have been given other readings, or fewer; of the same ones the partial is the same.
  if (!own || !sameBytes(own.ranges, ranges) || sameBytes(own.partial, partial)) return undefined;
  return "The same readings come to another partial.";
}

/** How many readings ranges speak of; undefined for bytes that `Openings` in Solidity never writes. */
function countedIn(ranges: Uint8Array): bigint | undefined {
  if (ranges.length % 16 !== 0) return undefined;
  const view = new DataView(ranges.buffer, ranges.byteOffset, ranges.byteLength);
  let [count, before] = [0n, -2n];
  for (let at = 0; at < ranges.length; at += 16) {
    const [first, last] = [view.getBigUint64(at), view.getBigUint64(at + 8)];
    if (first > last || first <= before + 1n) return undefined;
    count += last - first + 1n;
    before = last;
  }
  return count;
}

/** Leaves that are looked up together. */
const PAGE = 1024;

async function* faultsOfLeaves(
  proposal: ProposalFacts,
  tree: ResultTree,
  { digests }: CheckSources,
  views: CourtViews,
): AsyncGenerator<ResultFault> {
  const id = requestIdOf(proposal.request, proposal.chainId, proposal.analytics);
  for (let start = 0; start < tree.leaves.length; start += PAGE) {
    const page = tree.leaves.slice(start, start + PAGE);
    const seen = await views.see(page);
    for (const [k, leaf] of page.entries()) {
      const [index, view] = [start + k, seen[k]];
      if (!view) continue;
      const member = ruleOnMember(leaf, view);
      if (member !== "refused") yield { kind: "member", ruling: member, ...placed(tree, index) };
      const { device, origin, evidence } = leaf;
      if (origin !== Origin.Attested) continue;
      if (await views.isSigned(device, digests.partial(id, leaf), ...evidence)) continue;
      const isSteady = await views.isSteady(device, proposal.proposedAt, proposal.proposedBlock);
      const ruling = ruleOnSignature(leaf, false, isSteady);
      if (ruling !== "refused") yield { kind: "signature", ruling, ...placed(tree, index) };
    }
  }
}

async function* omissions(
  { request }: ProposalFacts,
  tree: ResultTree,
  { members = [], readingOf, contributions }: CheckSources,
  views: CourtViews,
): AsyncGenerator<ResultFault> {
  const missing = members.filter(({ owner, device }) => tree.indexOf(owner, device) === undefined);
  const [attested, proved] = [
    await duesOf(views, missing, Origin.Attested),
    await duesOf(views, missing, Origin.Proved),
  ];
  for (const [k, { owner, device }] of missing.entries()) {
    const anchored = await readingOf?.(device);
    const omission = ruleOnOmission(owner, attested[k], anchored !== undefined);
    if (anchored && omission !== "refused") {
      yield { kind: "omission", ruling: omission, owner, gap: tree.gap(owner, device), ...anchored };
    }
    const ruling = ruleOnIgnoredDevice(request, owner, contributions?.get(device) ?? 0n, proved[k]);
    if (ruling !== "refused") yield { kind: "ignored-device", ruling, owner, device, gap: tree.gap(owner, device) };
  }
}

async function* ignored(
  { request }: ProposalFacts,
  tree: ResultTree,
  { contributions }: CheckSources,
  views: CourtViews,
): AsyncGenerator<ResultFault> {
  for (const [index, leaf] of contributions ? tree.leaves.entries() : []) {
    const contributed = contributions?.get(leaf.device) ?? contributions?.get(getAddress(leaf.device)) ?? 0n;
    if (leaf.count >= contributed) continue;
    const [due] = await duesOf(views, [leaf], Origin.Proved);
    const ruling = ruleOnIgnored(request, leaf, contributed, due);
    if (ruling !== "refused") yield { kind: "ignored", ruling, ...placed(tree, index) };
  }
}

function duesOf(
  views: CourtViews,
  of: readonly Pick<ResultLeaf, "owner" | "device">[],
  origin: Origin,
): Promise<Due[]> {
  return views.see(of.map(({ owner, device }) => ({ owner, device, origin, spent: 0n })));
}

function placed(tree: ResultTree, index: number): Placed {
  const leaf = tree.leaves[index];
  if (!leaf) throw new RangeError(`There is no leaf ${index}.`);
  return { leaf, place: tree.place(index) };
}
