import { id } from "ethers";
import type { AnalysisRequest } from "../toolkit/analytics/requests.js";
import {
  compareLeaves,
  forkOf,
  leafNode,
  leafWords,
  nodeDigest,
  type ResultLeaf,
  type ResultNode,
  ResultTree,
  summaryHash,
} from "../toolkit/analytics/result-tree.js";
import { Batch } from "../toolkit/anchoring/batches.js";
import type { Evidence } from "../toolkit/anchoring/evidence.js";
import { onChain } from "../toolkit/anchoring/on-chain.js";
import { type SignedReading, signReading } from "../toolkit/anchoring/readings.js";
import { Analytics__factory, ConsentRegistry__factory, ResultCourt__factory } from "../toolkit/contracts.js";
import { Digests } from "../toolkit/identity/digests.js";
import { type DeviceKey, deviceKey, signerOf } from "../toolkit/identity/keys.js";
import { fromHex, keccak256, toHex, uintBytes } from "../toolkit/internal/bytes.js";
import { nodeHash } from "../toolkit/internal/merkle.js";
import type { Account } from "../toolkit/testing/chain.js";
import { secretOf } from "../toolkit/testing/fixture.js";
import { leaves, marketOf, requestOf } from "./gas-analytics.js";
import { activateAll, type Planted, plantLog } from "./gas-anchoring.js";
import type { Bench, Measured } from "./rig.js";

const NEVER = 4_000_000_000n;
const UNLIMITED = 2n ** 64n - 1n;
const MILLION = 1_000_000n;
/** ITC: a million leaves ask for a thousand times the least bond. */
const BOND = 100_000n;
/** Levels of a tree of 1,000,000 leaves. */
const LEVELS = 20;
/** Entries of a log of a year, hour by hour, and one more day; the reading is of the last hours of the year. */
const HOURS = 8_784;
const HOUR_OF_READING = 8_750;
const { abi } = ResultCourt__factory;

/** What a challenge is measured in. */
interface Stage {
  readonly bench: Bench;
  readonly company: Account;
  readonly aggregator: Account;
}

/** A root that is proposed, with the call that takes it down. */
interface Lie {
  readonly root: ResultNode;
  readonly aggregate: Uint8Array;
  readonly method: "challengeNode" | "challengeDouble" | "challengeOmission";
  readonly args: readonly unknown[];
}

/**
 * Decides a wrong node, a double and an omission, each in a tree of 1,000,000 and each as far from the root as can be: of the tree, the ways
 * that the court sees are computed, and nothing else. The readings of the omitted devices are anchored, and signed, for real.
 */
export async function measureChallenges(bench: Bench): Promise<Measured[]> {
  const stage = { bench, ...(await marketOf(bench)) };
  const { own, shared } = await anchoredReadings(bench);
  const node = await decide(stage, "node", wrongNode);
  const double = await decide(stage, "double", doubled);
  const omission = await decide(stage, "omission", (request) => omitted(stage.bench, request, own));
  const signed = await decide(stage, "signed omission", (request) => omitted(stage.bench, request, shared));
  console.error(`omission shown by a signed reading: batch of 4,096, gateway's log of 1,000,000: ${signed}`);
  return [
    { id: "analytics.decideChallenge.1M", gas: node },
    { id: "analytics.decideDouble.1M", gas: double },
    { id: "analytics.decideOmission.1M", gas: omission },
  ];
}

async function decide(stage: Stage, salt: string, lieOf: (request: AnalysisRequest) => Lie): Promise<number> {
  const { bench, company, aggregator } = stage;
  const { addresses, chain, operator } = bench;
  const request = requestOf(company, salt, await chain.now(), BOND);
  await bench.send(company, addresses.Analytics, Analytics__factory.abi, "request", [request]);
  await chain.wait(3n);
  const { root, aggregate, method, args } = lieOf(request);
  const proposal = [request, root, toHex(aggregate), id("content")];
  await bench.send(aggregator, addresses.Analytics, Analytics__factory.abi, "propose", proposal);
  return bench.send(operator, addresses.ResultCourt, abi, method, [addresses.Analytics, request, ...args]);
}

/** A node above two leaves that says another weight than theirs. */
function wrongNode({ query }: AnalysisRequest): Lie {
  const tree = new ResultTree(query, leaves(2));
  const [left, right] = [tree.node(0), tree.node(1)];
  const node = { ...tree.root, summary: { ...tree.root.summary, weight: 1_000n } };
  const { top, steps } = wayUp(node, LEVELS - 1);
  const args = [{ path: 0n, steps }, node, left.node, right.node, toHex(left.partial), toHex(right.partial)];
  return { root: top, aggregate: tree.aggregate, method: "challengeNode", args };
}

/** One device under two owners, who stand in different halves of the tree: their ways to the root share nothing. */
function doubled({ query }: AnalysisRequest): Lie {
  const [leaf, other] = leaves(2) as [ResultLeaf, ResultLeaf];
  const twin = { ...other, device: leaf.device };
  const [left, right] = [wayUp(leafNode(leaf), LEVELS - 1), wayUp(leafNode(twin), LEVELS - 1)];
  const root = above(left.top, nodeDigest(left.top), nodeDigest(right.top));
  const said = toHex(summaryHash(root.summary));
  const [a, b] = [toHex(nodeDigest(left.top)), toHex(nodeDigest(right.top))];
  const fork = forkOf(
    { path: 0n, steps: [...left.steps, said, b] },
    { path: 1n << BigInt(LEVELS - 1), steps: [...right.steps, said, a] },
  );
  const aggregate = new ResultTree(query, [leaf]).aggregate;
  return { root, aggregate, method: "challengeDouble", args: [[leafWords(leaf), leafWords(twin)], fork] };
}

/** Two leaves side by side, between which the reading's device is missing. */
function omitted({ operator }: Bench, { query }: AnalysisRequest, reading: Shown): Lie {
  const owner = operator.address;
  const [first, second] = leaves(2) as [ResultLeaf, ResultLeaf];
  const pair = [
    { ...first, owner, device: toHex(shifted(reading.key.id, -1n)) as DeviceKey["id"] },
    { ...second, owner, device: toHex(shifted(reading.key.id, 1n)) as DeviceKey["id"] },
  ].sort(compareLeaves);
  const tree = new ResultTree(query, pair);
  const { top, steps } = wayUp(tree.root, LEVELS - 1);
  const [left, right] = [tree.node(0).node, tree.node(1).node];
  const gap = { left, right, path: 0n, steps: [toHex(summaryHash(tree.root.summary)), ...steps] };
  const args = [owner, gap, ...reading.args];
  return { root: top, aggregate: tree.aggregate, method: "challengeOmission", args };
}

function shifted(address: string, by: bigint): Uint8Array {
  return uintBytes(BigInt(address) + by, 20);
}

/** The way from a node up so many levels, with siblings of which nothing is known but their digests. */
function wayUp(node: ResultNode, levels: number): { top: ResultNode; steps: string[] } {
  let top = node;
  const steps: string[] = [];
  for (let level = 0; level < levels; level++) {
    const sibling = keccak256(uintBytes(BigInt(level), 32));
    top = above(top, nodeDigest(top), sibling);
    steps.push(toHex(summaryHash(top.summary)), toHex(sibling));
  }
  return { top, steps };
}

function above({ summary }: ResultNode, left: Uint8Array, right: Uint8Array): ResultNode {
  return { summary: { ...summary, leaves: MILLION, members: MILLION }, below: toHex(nodeHash(left, right)) };
}

/** A device's reading as `challengeOmission` takes it: the reading, its place, the signer and the signature. */
interface Shown {
  readonly key: DeviceKey;
  readonly args: readonly unknown[];
}

/** A reading in its device's own log of a year, hour by hour; and another device's in a batch of a busy gateway. Their owner has agreed. */
async function anchoredReadings(bench: Bench): Promise<{ own: Shown; shared: Shown }> {
  const { addresses, chain, operator } = bench;
  const digests = new Digests({ chainId: chain.id, registry: addresses.DeviceRegistry });
  const [alone, many] = ["alone", "by a gateway"].map((label) => deviceKey("secp256k1", fromHex(secretOf(1, label))));
  if (!alone || !many) throw new Error("There are two devices.");
  await activateAll(bench, [alone, many], "omitted devices");
  const terms = { expiry: NEVER, cohort: 0n, price: 0n, budget: UNLIMITED };
  await bench.send(operator, addresses.ConsentRegistry, ConsentRegistry__factory.abi, "grant", [id("purpose"), terms]);
  const time = (await chain.now()) - 100n;
  const schema = fromHex(id("schema"));
  const readingOf = (key: DeviceKey, sequence: bigint) =>
    signReading(key, digests, { sequence, time, schema, content: keccak256(uintBytes(sequence, 32)) });

  const single = readingOf(alone, BigInt(HOUR_OF_READING));
  const year = { publisher: alone.id, size: HOURS, place: HOUR_OF_READING, entry: digests.reading(single), time };
  const own = placed(single, year, await plantLog(bench, year));
  const batch = new Batch(
    Array.from({ length: 4_096 }, (_, k) => readingOf(many, BigInt(k))),
    digests,
  );
  const publisher = `0x${"cd".repeat(20)}`;
  const log = { publisher, size: Number(MILLION), place: 12_345, entry: batch.entry, time };
  const signed = batch.readings[999];
  if (!signed) throw new Error("The batch has 4,096 readings.");
  const shared = placed(signed, log, await plantLog(bench, log), { ...batch.header, proof: batch.prove(999) });
  return {
    own: { key: alone, args: [...own, "0x", "0x"] },
    shared: { key: many, args: [...shared, toHex(signerOf(many, addresses)), toHex(signed.signature)] },
  };
}

function placed(
  reading: SignedReading,
  { publisher, place, time }: Planted,
  siblings: Uint8Array[],
  batch?: Evidence["batch"],
) {
  const evidence = { reading, entry: { publisher, index: BigInt(place), time, siblings }, ...(batch && { batch }) };
  return onChain(evidence);
}
