import type { Provider } from "ethers";
import { Answerer, type AnswerOptions } from "../../toolkit/analytics/answer.js";
import type { AnalysisRequest } from "../../toolkit/analytics/requests.js";
import { writeResultData } from "../../toolkit/analytics/result-data.js";
import type { ResultNode, ResultTree } from "../../toolkit/analytics/result-tree.js";
import { type WatchOptions, Watchtower } from "../../toolkit/analytics/watch.js";
import type { WatchNote } from "../../toolkit/analytics/watch-notes.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { Shelf } from "../../toolkit/testing/shelf.js";
import {
  anchored,
  asked,
  type Changes,
  ITC,
  type Market,
  openMarket,
  ownerOf,
  pastAnchoring,
  provedLeaf,
  readingsOf,
  treeOf,
} from "./market.js";

/** A market with a request and an honest tree of six devices, ready to be proposed. */
export async function withLeaves(changes: Changes = {}) {
  const market = await openMarket();
  const request = await asked(market, changes);
  const kept = market.keys
    .slice(0, 6)
    .map((key, k) => readingsOf(market, request, key, [BigInt(10 * k - 20), BigInt(k), 7n]));
  const batch = await anchored(market, kept.flat());
  const leaves = kept.map((readings, k) => provedLeaf(request, ownerOf(market, k), readings));
  return { market, request, kept, batch, leaves, tree: treeOf(request, leaves), shelf: new Shelf() };
}

export type WatchStage = Awaited<ReturnType<typeof withLeaves>>;

/** The data of a tree. */
export function dataOf(market: Market, request: AnalysisRequest, tree: ResultTree): Generator<Uint8Array> {
  const header = {
    chainId: market.chainId,
    analytics: market.addresses.Analytics,
    request,
    leaves: tree.leaves.length,
  };
  return writeResultData(header, tree.leaves);
}

/** Proposes a root, with the data of a tree on the shelf, which may be another's. */
export async function proposeData(
  { market, request, shelf }: Pick<WatchStage, "market" | "request" | "shelf">,
  root: { readonly root: ResultNode; readonly aggregate: Uint8Array },
  published: ResultTree,
  by = market.proposer,
): Promise<void> {
  const content = await shelf.put(dataOf(market, request, published));
  await pastAnchoring(market, request);
  await market.analytics.connect(by).propose(request, root.root, toHex(root.aggregate), content);
}

/** A watchtower with 200 ITC for deposits, which doesn't wait for data. */
export function towerOf({ market, shelf }: Pick<WatchStage, "market" | "shelf">, changes: Partial<WatchOptions> = {}) {
  return new Watchtower({
    provider: market.ethers.provider,
    signer: market.watcher,
    addresses: market.addresses,
    dataOf: shelf.source,
    most: 200n * ITC,
    patience: 0n,
    ...changes,
  });
}

/** The same that only reports. */
export function silentTower({ market, shelf }: WatchStage) {
  const { provider } = market.ethers;
  return new Watchtower({
    provider,
    addresses: market.addresses,
    dataOf: shelf.source,
    most: 200n * ITC,
    patience: 0n,
  });
}

/** A node that, when it is asked to try what a sender would send, is now and then as far as the chain is now. */
export async function laggingNode({ ethers }: Market) {
  const { provider } = ethers;
  const node = { isLate: true };
  const blockTag = await provider.getBlockNumber();
  const call: typeof provider.call = (tried) =>
    provider.call(node.isLate && tried.from ? { ...tried, blockTag } : tried);
  const get = (_: object, key: string | symbol): unknown => {
    const own: unknown = key === "call" ? call : Reflect.get(provider, key);
    return typeof own === "function" ? own.bind(provider) : own;
  };
  return { node, provider: new Proxy<Provider>(provider, { get }) };
}

/** Who answers for the proposer. */
export function answererOf(
  { market }: Pick<WatchStage, "market">,
  tree: ResultTree,
  changes: Partial<AnswerOptions> = {},
) {
  return new Answerer({
    provider: market.ethers.provider,
    signer: market.proposer,
    addresses: market.addresses,
    treeOf: async () => tree,
    ...changes,
  });
}

/** What notes say in short. */
export function brief(notes: readonly WatchNote[]): string[] {
  return notes.map(({ what, call, detail }) => `${what} ${call ?? detail}`);
}

/** ITC of accounts before and after something. */
export async function changesOf(market: Market, accounts: readonly string[], work: () => Promise<unknown>) {
  const balances = () => Promise.all(accounts.map((account) => market.itc.balanceOf(account)));
  const before = await balances();
  await work();
  const after = await balances();
  return after.map((value, k) => value - (before[k] ?? 0n));
}
