import { AbiCoder, Contract, id, keccak256 } from "ethers";
import { addHash } from "../toolkit/analytics/hyperloglog.js";
import { Operation, type Query } from "../toolkit/analytics/query.js";
import { ANY_DEVICE, type AnalysisRequest, Settlement, Weighting } from "../toolkit/analytics/requests.js";
import {
  compareLeaves,
  encodeRanges,
  nodeDigest,
  Origin,
  type ResultLeaf,
  type ResultNode,
  ResultTree,
  summaryHash,
} from "../toolkit/analytics/result-tree.js";
import { Analytics__factory, ITC__factory, ResultCourt__factory } from "../toolkit/contracts.js";
import { deviceKey } from "../toolkit/identity/keys.js";
import { fromHex, keccak256 as hashOf, intBytes, toHex, uintBytes } from "../toolkit/internal/bytes.js";
import { nodeHash } from "../toolkit/internal/merkle.js";
import type { Account } from "../toolkit/testing/chain.js";
import { secretOf } from "../toolkit/testing/fixture.js";
import { type Bench, type Measured, mock } from "./rig.js";

const ITC_UNIT = 10n ** 18n;
const NEVER = 4_000_000_000n;
const DAY = 86_400n;
/** Levels of a tree of 1,000,000 leaves. */
const LEVELS = 20;

/** Opens a request, proposes a result of 1,000 devices, and decides a challenge in a tree of 1,000,000. */
export async function measureAnalytics(bench: Bench): Promise<Measured[]> {
  const { operator, addresses, chain } = bench;
  const { abi } = Analytics__factory;
  const [company, aggregator] = [await bench.account("company"), await bench.account("aggregator")];
  for (const account of [company, aggregator]) {
    await bench.send(operator, addresses.ITC, ITC__factory.abi, "transfer", [account.address, 10_000n * ITC_UNIT]);
    await bench.send(account, addresses.ITC, ITC__factory.abi, "approve", [addresses.Analytics, 2n ** 256n - 1n]);
  }
  const now = await chain.now();
  const requests = ["first", "second", "third"].map((salt) => requestOf(company, salt, now));
  const gas: number[] = [];
  // The first request ever also pays for the escrow's first balance.
  for (const request of requests) gas.push(await bench.send(company, addresses.Analytics, abi, "request", [request]));
  await chain.wait(3n);
  const [first, second, third] = requests;
  if (!first || !second || !third) throw new Error("There are three requests.");
  const tree = new ResultTree(first.query, leaves(1_000));
  const propose = (request: AnalysisRequest, root: ResultNode, aggregate: Uint8Array) =>
    bench.send(aggregator, addresses.Analytics, abi, "propose", [request, root, toHex(aggregate), id("content")]);
  await propose(first, tree.root, tree.aggregate);
  const proposed = await propose(second, tree.root, tree.aggregate);
  const lie = deepLie(second.query);
  await propose(third, lie.root, lie.aggregate);
  const decided = await bench.send(operator, addresses.ResultCourt, ResultCourt__factory.abi, "challengeNode", [
    addresses.Analytics,
    third,
    lie.place,
    lie.node,
    ...lie.children,
    ...lie.partials,
  ]);
  return [
    { id: "analytics.request", gas: gas[1] ?? 0 },
    { id: "analytics.propose", gas: proposed },
    { id: "analytics.decideChallenge.1M", gas: decided },
    { id: "analytics.mergeHll1024", gas: await mergeOf(bench, 1_024) },
  ];
}

/** Merges two sketches of random values; the contract counts its own gas. */
async function mergeOf(bench: Bench, registers: number): Promise<number> {
  const { abi, bytecode } = await mock("SketchReference");
  const probe = new Contract(await bench.deploy(abi, bytecode, []), abi, bench.chain.reader);
  const [a, b] = ["a", "b"].map((label) => {
    const sketch = new Uint8Array(registers);
    for (let k = 0; k < 10 * registers; k++) {
      const drawn = fromHex(secretOf(1, `${label}${k}`));
      const view = new DataView(drawn.buffer, drawn.byteOffset);
      addHash(sketch, view.getUint32(0), view.getUint32(4));
    }
    return toHex(sketch);
  });
  const answer = await probe.getFunction("mergeDistinct").staticCall(a, b);
  return Number(answer[2]);
}

function requestOf(company: Account, salt: string, now: bigint): AnalysisRequest {
  const query: Query = {
    schema: fromHex(id("schema")),
    operation: Operation.Mean,
    size: 0,
    hashes: 0,
    lower: -(2n ** 39n),
    upper: 2n ** 39n - 1n,
    from: now - DAY,
    to: now,
    anchoredBy: now,
    cap: 1_000n,
  };
  const terms = {
    cohort: 100n,
    epsilon: 0n,
    price: 10n ** 12n,
    reward: 1_000n * ITC_UNIT,
    fee: 10n * ITC_UNIT,
    bond: 100n * ITC_UNIT,
    deadline: NEVER,
    challengeWindow: DAY,
    weighting: Weighting.Readings,
    settlement: Settlement.Rolled,
  };
  return { requester: company.address, salt: id(salt), purpose: id("purpose"), query, filter: ANY_DEVICE, terms };
}

/** Leaves of devices that differ in everything. */
function leaves(count: number): ResultLeaf[] {
  const all = Array.from({ length: count }, (_, k): ResultLeaf => {
    const owner = `0x${keccak256(AbiCoder.defaultAbiCoder().encode(["uint256"], [k])).slice(26)}`;
    const device = deviceKey("secp256k1", fromHex(secretOf(1, `leaf-${k}`))).id;
    const partial = new Uint8Array([...intBytes(BigInt(k - 500), 32), ...uintBytes(24, 32)]);
    const evidence = [encodeRanges([[BigInt(k), BigInt(k + 23)]]), new Uint8Array()] as const;
    return { owner, device, origin: Origin.Proved, count: 24n, weight: 24n, spent: 0n, evidence, partial };
  });
  return all.sort(compareLeaves);
}

/** The way from a lying node above two leaves to the root of a tree of 1,000,000: what the court sees of it, without the rest of the tree. */
function deepLie(query: Query) {
  const tree = new ResultTree(query, leaves(2));
  const [left, right] = [tree.node(0), tree.node(1)];
  const honest = tree.root;
  let current: ResultNode = { ...honest, summary: { ...honest.summary, weight: 1_000n } };
  const node = current;
  const steps: string[] = [];
  for (let level = 1; level < LEVELS; level++) {
    const sibling = hashOf(uintBytes(level, 32));
    const summary = { ...current.summary, leaves: 2n ** BigInt(level + 1), members: 2n ** BigInt(level + 1) };
    const below = toHex(nodeHash(nodeDigest(current), sibling));
    current = { summary, below };
    steps.push(toHex(summaryHash(summary)), toHex(sibling));
  }
  return {
    root: current,
    aggregate: tree.aggregate,
    node,
    place: { path: 0n, steps },
    children: [left.node, right.node],
    partials: [toHex(left.partial), toHex(right.partial)],
  };
}
