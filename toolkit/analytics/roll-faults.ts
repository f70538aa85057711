import { getAddress } from "ethers";
import { PayoutRoller__factory } from "../contracts.js";
import { type Earnings, PayoutTree, type ShownEarnings } from "../payouts/payout-tree.js";
import { nodesOfRange, ownerRange } from "./owner-nodes.js";
import type { ResultTree } from "./result-tree.js";
import type { RolledResult } from "./rolls.js";
import { calldataOf, MOST_CALLDATA, type PlannedCall } from "./sender.js";

const roller = PayoutRoller__factory.createInterface();

/** What is known of a proposed roll. */
export interface RollFacts {
  readonly analytics: string;
  readonly roller: string;
  /** What the root says: how many leaves, and what they have earned together. */
  readonly leaves: number;
  readonly total: bigint;
  readonly results: readonly RolledResult[];
  /** The published tree, if there is one. */
  readonly former: PayoutTree | undefined;
  /** The trees of the results, in their order. */
  readonly trees: readonly ResultTree[];
  /** What each account is due; undefined where the data of the results aren't to be had. */
  readonly due: ReadonlyMap<string, bigint> | undefined;
  /** Weight of an account (in lower case) in a result of the roll, by its index, that the challenger has shown before; none if left out. */
  readonly weighed?: (account: string, index: number) => bigint;
  /** Most bytes of calldata of a transaction; 100,000 if left out. */
  readonly mostCalldata?: number | undefined;
}

/** A challenge, with the calls of `showWeight` that go before it where an owner's nodes don't fit into one transaction. */
export interface RollChallenge extends PlannedCall {
  readonly before: readonly PlannedCall[];
}

/** Leaves of a proposed tree, by index: all of them, or those that were shown. */
export type ShownRoll = ReadonlyMap<number, ShownEarnings>;

/** All leaves of a tree. */
export function allOf(tree: PayoutTree): ShownRoll {
  return new Map(tree.leaves.map((_, index) => [index, tree.show(index)]));
}

/** The challenges that leaves of a proposed tree are wrong enough for. */
export function* rollChallenges(facts: RollFacts, shown: ShownRoll): Generator<RollChallenge> {
  for (const call of [...edges(facts, shown), ...pairs(facts, shown)]) yield { ...call, before: [] };
  yield* underpaid(facts, shown);
}

function* edges({ analytics, roller: to, leaves, total }: RollFacts, shown: ShownRoll): Generator<PlannedCall> {
  const [first, last] = [shown.get(0), shown.get(leaves - 1)];
  const isWrong = [
    first && first.leaf.before !== 0n ? first : undefined,
    last && last.leaf.before + last.leaf.earned !== total ? last : undefined,
  ];
  for (const edge of isWrong) {
    if (!edge) continue;
    const data = roller.encodeFunctionData("challengeEdge", [analytics, edge]);
    yield { name: "challengeEdge", to, data };
  }
}

function* pairs({ analytics, roller: to }: RollFacts, shown: ShownRoll): Generator<PlannedCall> {
  for (const [index, left] of shown) {
    const right = shown.get(index + 1);
    if (!right || isPair(left.leaf, right.leaf)) continue;
    const data = roller.encodeFunctionData("challengePair", [analytics, left, right]);
    yield { name: "challengePair", to, data };
  }
}

function isPair(left: Earnings, right: Earnings): boolean {
  return left.account.toLowerCase() < right.account.toLowerCase() && left.before + left.earned === right.before;
}

function* underpaid(facts: RollFacts, shown: ShownRoll): Generator<RollChallenge> {
  const { analytics, roller: to, former, trees, results, mostCalldata = MOST_CALLDATA } = facts;
  const granted = new Map([...shown.values()].map((one) => [one.leaf.account.toLowerCase(), one]));
  const ordered = [...shown.values()].sort((a, b) => Number(a.index - b.index));
  for (const [account, due] of facts.due ?? []) {
    const own = granted.get(account.toLowerCase());
    if ((own?.leaf.earned ?? 0n) >= due) continue;
    const grants = own ? [own] : gapOf(account, ordered, facts.leaves);
    if (!grants) continue;
    const challenge = (owned: OwnerNodes[]): PlannedCall => {
      const leaves = former?.showLeaf(account) ?? [];
      const data = roller.encodeFunctionData("challengeUnderpaid", [
        analytics,
        account,
        grants,
        leaves,
        [...results],
        owned,
      ]);
      return { name: "challengeUnderpaid", to, data };
    };
    const owned = trees.map((tree, k) => unweighed(ownedIn(tree, account), facts.weighed?.(account.toLowerCase(), k)));
    const whole = challenge(owned);
    if (calldataOf(whole) <= mostCalldata) yield { ...whole, before: [] };
    else {
      const before = owned.flatMap((nodes, k) => weightCalls(facts, account, k, nodes));
      yield { ...challenge(owned.map(() => ({ nodes: [], places: [] }))), before };
    }
  }
}

type OwnerNodes = ReturnType<typeof ownedIn>;

/** The nodes that follow on a weight that was shown. Such of no weight show nothing, and would be taken for shown twice. */
function unweighed({ nodes, places }: OwnerNodes, shown = 0n): OwnerNodes {
  let left = shown;
  const rest = [...nodes.keys()].filter((k) => {
    const weight = nodes[k]?.summary.weight ?? 0n;
    if (left === 0n) return weight > 0n;
    left -= weight;
    return false;
  });
  return { nodes: nodes.filter((_, k) => rest.includes(k)), places: places.filter((_, k) => rest.includes(k)) };
}

/** Calls that note an account's weight in a result, as few as the limit of a transaction's calldata allows. */
function weightCalls(facts: RollFacts, account: string, index: number, owned: OwnerNodes): PlannedCall[] {
  const { analytics, roller: to, results, mostCalldata = MOST_CALLDATA } = facts;
  const { nodes, places } = owned;
  if (nodes.length === 0) return [];
  const data = roller.encodeFunctionData("showWeight", [analytics, account, [...results], BigInt(index), owned]);
  const call = { name: "showWeight", to, data };
  if (nodes.length === 1 || calldataOf(call) <= mostCalldata) return [call];
  const half = nodes.length >>> 1;
  const parts = [
    { nodes: nodes.slice(0, half), places: places.slice(0, half) },
    { nodes: nodes.slice(half), places: places.slice(half) },
  ];
  return parts.flatMap((part) => weightCalls(facts, account, index, part));
}

/** The leaves beside which an account would stand; undefined where they weren't shown. */
function gapOf(account: string, shown: readonly ShownEarnings[], leaves: number): ShownEarnings[] | undefined {
  const key = account.toLowerCase();
  const after = shown.find(({ leaf }) => leaf.account.toLowerCase() > key);
  const before = shown.findLast(({ leaf }) => leaf.account.toLowerCase() < key);
  if (after?.index === 0n) return [after];
  if (!after && before?.index === BigInt(leaves - 1)) return [before];
  return before && after && before.index + 1n === after.index ? [before, after] : undefined;
}

/** Nodes of a result's tree whose leaves are all an owner's. */
export function ownedIn(tree: ResultTree, owner: string) {
  const { first, end } = ownerRange(tree.leaves, owner);
  const source = {
    size: tree.leaves.length,
    node: (height: number, place: number) => tree.node(place, height).node,
    place: (height: number, place: number) => tree.place(place, height),
  };
  return nodesOfRange(source, first, end);
}

/**
 * The proposed tree, where the expected leaves with those that were shown make its root; else which leaves to demand next.
 *
 * @param expected The tree by the rule, if it is known.
 */
export function pieceRollTogether(
  root: string,
  leaves: number,
  expected: PayoutTree | undefined,
  shown: ShownRoll,
): { readonly tree: PayoutTree } | { readonly next: number[] } {
  if (expected?.size !== leaves) return { next: missingFrom(leaves, shown) };
  const tree = new PayoutTree(expected.leaves.map((leaf, index) => shown.get(index)?.leaf ?? leaf));
  if (tree.root === root) return { tree };
  const told = [...shown.values()].map((one) => differsBelow(tree, one));
  return { next: [0, ...told.filter((index) => index !== undefined)].filter((index) => !shown.has(index)) };
}

/** The first leaf below the lowest sibling on a shown way that a tree doesn't have. */
function differsBelow(tree: PayoutTree, { index, siblings }: ShownEarnings): number | undefined {
  const own = tree.show(Number(index)).siblings;
  let [at, k] = [Number(index), 0];
  for (let [width, height] = [tree.size, 0]; width > 1; width = Math.ceil(width / 2), height++, at >>>= 1) {
    const sibling = at ^ 1;
    if (sibling >= width) continue;
    if (own[k] !== siblings[k]) return sibling * 2 ** height;
    k++;
  }
  return undefined;
}

/** More than this many no watcher asks for. */
const MOST_MISSING = 4_096;

function missingFrom(leaves: number, shown: ShownRoll): number[] {
  const missing: number[] = [];
  for (let k = 0; k < leaves && missing.length < MOST_MISSING; k++) if (!shown.has(k)) missing.push(k);
  return missing;
}

/** Weights by owner, under checksummed addresses: data spell them in lower case. */
export function ownerWeights(tree: ResultTree): Map<string, bigint> {
  const weights = new Map<string, bigint>();
  for (const { owner, weight } of tree.leaves) {
    const account = getAddress(owner);
    weights.set(account, (weights.get(account) ?? 0n) + weight);
  }
  return weights;
}
