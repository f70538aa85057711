import type { Provider, TransactionResponse } from "ethers";
import { QuestionDesk__factory } from "../contracts.js";
import type { DeviceId } from "../identity/keys.js";
import { fromHex, keccak256, sameBytes, toHex } from "../internal/bytes.js";
import { nodeHash } from "../internal/merkle.js";
import { nextDemand } from "./check-result.js";
import { mergeSummaries, ruleOnNode } from "./court-model.js";
import { mergePartials } from "./partials.js";
import type { Query } from "./query.js";
import type { ResultFault } from "./result-faults.js";
import {
  isRootOf,
  leafNode,
  nodeDigest,
  Origin,
  type Place,
  type ResultLeaf,
  type ResultNode,
  ResultTree,
  summaryHash,
} from "./result-tree.js";
import { nodeOf } from "./watch-book.js";

const desk = QuestionDesk__factory.createInterface();
const SHOW = desk.getFunction("show").selector.slice(2);

/** A leaf that a proposer has shown, with everything on its way up. */
export interface ShownLeaf {
  readonly index: number;
  readonly leaf: ResultLeaf;
  readonly place: Place;
  /** See `IQuestionDesk.show`. */
  readonly path: bigint;
  readonly siblings: readonly ResultNode[];
}

/**
 * What an answer to a demand has shown, from its transaction: also where another contract has passed the call on, if its words are in the
 * transaction. Undefined where they aren't, or don't lead to the root.
 *
 * @param hash Of the transaction in which the question was settled.
 */
export async function shownIn(
  provider: Provider,
  hash: string,
  index: number,
  query: Query,
  root: string,
): Promise<ShownLeaf | undefined> {
  const transaction = await provider.getTransaction(hash);
  for (const words of transaction ? callsIn(transaction) : []) {
    const shown = decoded(words, query, root);
    if (shown?.index === index) return shown;
  }
  return undefined;
}

function* callsIn({ data }: TransactionResponse): Generator<string> {
  for (let at = data.indexOf(SHOW); at >= 0; at = data.indexOf(SHOW, at + 1)) {
    if (at % 2 === 0) yield `0x${data.slice(at)}`;
  }
}

function decoded(data: string, query: Query, root: string): ShownLeaf | undefined {
  try {
    const [, , index, words, aggregate, first, second, path, nodes, aggregates] = desk.decodeFunctionData("show", data);
    const leaf: ResultLeaf = {
      owner: words.owner,
      device: words.device as DeviceId,
      origin: Number(words.origin) as Origin,
      count: words.count,
      weight: words.weight,
      spent: words.spent,
      evidence: Number(words.origin) === Origin.Withheld ? NOTHING : [fromHex(first), fromHex(second)],
      partial: fromHex(aggregate),
    };
    const siblings = [...nodes].map(nodeOf);
    const place = placeOf(query, leaf, path, siblings, [...aggregates].map(fromHex), root);
    return place && { index: Number(index), leaf, place, path, siblings };
  } catch {
    // Bytes that look like the function's selector, and are something else.
    return undefined;
  }
}

const NOTHING = [new Uint8Array(), new Uint8Array()] as const;

/** Merges the way up as the desk does; undefined where it doesn't lead to the root. */
function placeOf(
  query: Query,
  leaf: ResultLeaf,
  path: bigint,
  siblings: readonly ResultNode[],
  aggregates: readonly Uint8Array[],
  root: string,
): Place | undefined {
  let [node, partial] = [leafNode(leaf), leaf.partial];
  const steps: string[] = [];
  for (const [k, sibling] of siblings.entries()) {
    const other = aggregates[k] ?? new Uint8Array();
    if (toHex(keccak256(other)) !== sibling.summary.aggregate) return undefined;
    const isRight = (path >> BigInt(k)) & 1n;
    const [left, right] = isRight ? [sibling, node] : [node, sibling];
    const merged = isRight ? mergePartials(query, other, partial) : mergePartials(query, partial, other);
    const summary = merged && mergeSummaries(left.summary, right.summary, toHex(keccak256(merged)));
    if (!merged || !summary) return undefined;
    node = { summary, below: toHex(nodeHash(nodeDigest(left), nodeDigest(right))) };
    partial = merged;
    steps.push(toHex(summaryHash(summary)), toHex(nodeDigest(sibling)));
  }
  return isRootOf(node, root) ? { path, steps } : undefined;
}

/** What is known of a proposal whose data don't make its root. */
export interface Known {
  readonly query: Query;
  /** The proposal's root, as its event has it. */
  readonly root: ResultNode;
  /** The published leaves, right or wrong, if there are any. */
  readonly published: readonly ResultLeaf[];
  readonly shown: readonly ShownLeaf[];
  /** Where to begin. */
  readonly suspect: number;
  /** Indices that were demanded already. */
  readonly demanded: ReadonlySet<number>;
  /** How often one can ask and wait for the answer before questions aren't taken any longer. */
  readonly rounds: number;
}

/** What is known of a proposal: all of it, or a lie at its top, or which leaves to demand next, the most telling first. */
export type Pieced = { readonly tree: ResultTree; readonly fault?: ResultFault } | { readonly next: number[] };

/** Makes the proposal's tree of what was published and shown. */
export function pieceTogether(known: Known): Pieced {
  const { query, root, published, shown, suspect, demanded, rounds } = known;
  const size = Number(root.summary.leaves);
  const leaves = published.slice(0, size);
  const said = new Map(shown.map(({ index, leaf }) => [index, leaf]));
  for (const [index, leaf] of said) if (index < leaves.length) leaves[index] = leaf;
  for (let leaf = said.get(leaves.length); leaf; leaf = said.get(leaves.length)) leaves.push(leaf);
  const tree = treeOf(query, leaves);
  if (tree && leaves.length === size && sameBytes(nodeDigest(tree.root), nodeDigest(root))) return { tree };
  const fault = tree && lieAtRoot(tree, root);
  if (tree && fault) return { tree, fault };
  const next =
    leaves.length < size ? missingFrom(leaves.length, size, said) : spread(narrowest(tree, shown, size), rounds);
  const wanted = shown.length === 0 ? [suspect, ...next] : next;
  return { next: [...new Set(wanted)].filter((k) => k < size && !demanded.has(k)) };
}

/** A root that stands over a tree's own children, and says something else than they come to: one transaction shows that. */
function lieAtRoot(tree: ResultTree, node: ResultNode): ResultFault | undefined {
  if (tree.height === 0 || tree.root.below !== node.below) return undefined;
  const [left, right] = [tree.node(0, tree.height - 1), tree.node(1, tree.height - 1)];
  const shown = { left: left.node, right: right.node, leftAggregate: left.partial, rightAggregate: right.partial };
  const ruling = ruleOnNode(tree.query, { node, ...shown });
  return ruling === "refused" ? undefined : { kind: "node", ruling, place: { path: 0n, steps: [] }, node, ...shown };
}

interface Span {
  readonly first: number;
  readonly count: number;
}

/** Indices that cut a span into as many parts as must be, so that so many rounds come down to a leaf. */
function spread({ first, count }: Span, rounds: number): number[] {
  const parts = Math.ceil(count ** (1 / Math.max(1, rounds)));
  return Array.from({ length: parts }, (_, k) => first + Math.floor((k * count) / parts));
}

/** The smallest span of leaves in which something must differ from the published ones. */
function narrowest(tree: ResultTree | undefined, shown: readonly ShownLeaf[], size: number): Span {
  const spans = tree ? shown.map((leaf) => differsBelow(tree, leaf)).filter((span) => span !== undefined) : [];
  return spans.reduce((a, b) => (b.count < a.count ? b : a), { first: 0, count: size });
}

/** The leaves below the lowest sibling on a shown way that a tree doesn't have; see `nextDemand`. */
function differsBelow(tree: ResultTree, { index, path, siblings }: ShownLeaf): Span | undefined {
  const first = nextDemand(tree, index, path, siblings);
  if (first === undefined) return undefined;
  let [start, end] = [index, index + 1];
  for (const [level, { summary }] of siblings.entries()) {
    const isLeft = (path >> BigInt(level)) & 1n;
    const count = Number(summary.leaves);
    if (isLeft ? first === start - count : first === end) return { first, count };
    if (isLeft) start -= count;
    else end += count;
  }
  return undefined;
}

/** More than this many no watcher asks for. */
const MOST_MISSING = 4_096;

function missingFrom(first: number, size: number, shown: ReadonlyMap<number, ResultLeaf>): number[] {
  const missing: number[] = [];
  for (let k = first; k < size && missing.length < MOST_MISSING; k++) if (!shown.has(k)) missing.push(k);
  return missing;
}

function treeOf(query: Query, leaves: readonly ResultLeaf[]): ResultTree | undefined {
  try {
    return leaves.length === 0 ? undefined : new ResultTree(query, leaves, false);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
