import { expect } from "chai";
import { Wallet } from "ethers";
import { leafWords, type ResultTree } from "../../toolkit/analytics/result-tree.js";
import { Batch } from "../../toolkit/anchoring/batches.js";
import { type DeviceId, type DeviceKey, signerOf } from "../../toolkit/identity/keys.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import {
  ANSWER,
  type Anchored,
  anchored,
  asked,
  type Changes,
  FAR,
  type Kept,
  type Market,
  opened,
  openMarket,
  ownerOf,
  propose,
  provedLeaf,
  raise,
  readingsOf,
  treeOf,
} from "./market.js";

export type Asked = Awaited<ReturnType<typeof asked>>;
export type Opened = ReturnType<typeof opened>;

/** A market with a proposal of six devices of three readings each, in the gateway's log. */
export async function withProposal(changes: Changes = {}) {
  const stage = await withReadings(changes);
  await propose(stage.market, stage.request, stage.tree);
  return stage;
}

/** As {@link withProposal}, before anything is proposed. */
export async function withReadings(changes: Changes = {}) {
  const market = await openMarket();
  const request = await asked(market, changes);
  const kept = market.keys
    .slice(0, 6)
    .map((key, k) => readingsOf(market, request, key, [BigInt(10 * k - 20), BigInt(k), 7n]));
  const batch = await anchored(market, kept.flat());
  const leaves = kept.map((readings, k) => provedLeaf(request, ownerOf(market, k), readings));
  return { market, request, kept, batch, leaves, tree: treeOf(request, leaves) };
}

export type QuestionStage = Awaited<ReturnType<typeof withReadings>>;

/** Asks to see a leaf. */
export function demand({ market, request, tree }: Pick<QuestionStage, "market" | "request" | "tree">, index: number) {
  return market.desk.connect(market.watcher).demand(market.addresses.Analytics, request, tree.root, index);
}

/** What `show` takes after the request; parts can be replaced by wrong ones. */
export function showing(tree: ResultTree, index: number) {
  const leaf = tree.leaves[index] ?? raise();
  const { path, siblings, aggregates } = tree.siblings(index);
  const [first, second] = leaf.evidence.map(toHex);
  return {
    index,
    leaf: leafWords(leaf),
    aggregate: toHex(leaf.partial),
    first: first ?? "0x",
    second: second ?? "0x",
    path,
    siblings,
    aggregates,
  };
}

export function show(market: Market, request: Asked, shown: ReturnType<typeof showing>) {
  const { index, leaf, aggregate, first, second, path, siblings, aggregates } = shown;
  const { Analytics } = market.addresses;
  return market.desk.show(Analytics, request, index, leaf, aggregate, first, second, path, siblings, aggregates);
}

/** The k-th device's place in the tree. */
export function placed({ tree, leaves }: Pick<QuestionStage, "tree" | "leaves">, k: number) {
  const leaf = leaves[k] ?? raise();
  const index = tree.indexOf(leaf.owner, leaf.device) ?? raise();
  return { index, leaf, words: leafWords(leaf), place: tree.place(index), subject: tree.node(index).node.below };
}

/** Questions the k-th device's partial. */
export function question(stage: QuestionStage, k: number) {
  const { market, request } = stage;
  const { words, place } = placed(stage, k);
  return market.desk.connect(market.watcher).question(market.addresses.Analytics, request, words, place);
}

/** Answers for the k-th device. */
export function answer(stage: QuestionStage, k: number, readings: readonly Opened[]) {
  const { market, request } = stage;
  return market.desk.answerWithReadings(market.addresses.Analytics, request, placed(stage, k).words, [...readings]);
}

/** The k-th device's readings, laid open. */
export function openedOf({ market, batch }: Pick<QuestionStage, "market" | "batch">, k: number): Opened[] {
  return [0, 1, 2].map((n) => opened(market, batch, 3 * k + n));
}

/** Ends a question. */
export async function settle({ market, request }: QuestionStage, subject: string, stamp?: string) {
  const current = stamp ?? (await market.analytics.proposalOf(request)).stamp;
  return market.desk.settle(market.addresses.Analytics, request, current, subject);
}

/** The subject of a demanded leaf. */
export function subjectOf(index: number): string {
  return `0x${index.toString(16).padStart(64, "0")}`;
}

/** Lets the time for an answer pass. */
export async function passAnswer(market: Market): Promise<void> {
  await market.networkHelpers.time.increase(ANSWER + 1n);
}

/** Readings in one batch of the device's own log. */
export async function anchoredByDevice(market: Market, k: number, kept: readonly Kept[]): Promise<Anchored> {
  const { ethers, operator, anchor, networkHelpers } = market;
  const batch = new Batch(
    kept.map(({ reading }) => reading),
    market.digests,
  );
  const account = new Wallet(secretOf(1, `market-${k}`), ethers.provider);
  await operator.sendTransaction({ to: account.address, value: 10n ** 18n });
  await anchor.connect(account).append(account.address, 0, batch.entry);
  const entryTime = BigInt(await networkHelpers.time.latest());
  return { batch, publisher: account.address, index: 0n, entryTime, entries: 1, kept };
}

/** A reading without the signature, which one in the device's own log doesn't need. */
export function unsigned(reading: Opened): Opened {
  return { ...reading, signer: "0x", signature: "0x" };
}

/** Replaces a device's key. */
export function rotate(market: Market, from: DeviceKey, to: DeviceKey, device: DeviceId = from.id, nonce = 0n) {
  const [old, signer] = [signerOf(from, market.addresses), signerOf(to, market.addresses)];
  const digest = market.digests.keyChange({ device, signer, nonce, deadline: FAR });
  return market.registry.rotateKey(device, toHex(old), toHex(signer), FAR, from.sign(digest), to.sign(digest));
}

/** The k-th device. */
export function deviceOf(market: Market, k: number): DeviceId {
  return market.keys[k]?.id ?? raise();
}

/** The k-th device's owner, who can send. */
export function ownerSigner(market: Market, k: number) {
  return market.owners[k % 3] ?? raise();
}

/** Expects of a call who gains what. */
export async function gains({ market }: { market: Market }, call: Promise<unknown>, amounts: [bigint, bigint, bigint]) {
  const { proposer, watcher, company } = market;
  await expect(call).to.changeTokenBalances(market.ethers, market.itc, [proposer, watcher, company], amounts);
}
