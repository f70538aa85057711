import { AbiCoder, Contract, id, keccak256 } from "ethers";
import { addHash } from "../toolkit/analytics/hyperloglog.js";
import { Operation, type Query } from "../toolkit/analytics/query.js";
import { ANY_DEVICE, type AnalysisRequest, Settlement, Weighting } from "../toolkit/analytics/requests.js";
import { compareLeaves, encodeRanges, Origin, type ResultLeaf, ResultTree } from "../toolkit/analytics/result-tree.js";
import { Analytics__factory, ITC__factory } from "../toolkit/contracts.js";
import { deviceKey } from "../toolkit/identity/keys.js";
import { fromHex, intBytes, toHex, uintBytes } from "../toolkit/internal/bytes.js";
import type { Account } from "../toolkit/testing/chain.js";
import { secretOf } from "../toolkit/testing/fixture.js";
import { type Bench, type Measured, mock } from "./rig.js";

const ITC_UNIT = 10n ** 18n;
const NEVER = 4_000_000_000n;
const DAY = 86_400n;

/** Opens a request, and proposes a result of 1,000 devices. */
export async function measureAnalytics(bench: Bench): Promise<Measured[]> {
  const { addresses, chain } = bench;
  const { abi } = Analytics__factory;
  const { company, aggregator } = await marketOf(bench);
  const now = await chain.now();
  const requests = ["first", "second"].map((salt) => requestOf(company, salt, now));
  const gas: number[] = [];
  // The first request ever also pays for the escrow's first balance.
  for (const request of requests) gas.push(await bench.send(company, addresses.Analytics, abi, "request", [request]));
  await chain.wait(3n);
  const proposals: number[] = [];
  for (const request of requests) {
    const { root, aggregate } = new ResultTree(request.query, leaves(1_000));
    const args = [request, root, toHex(aggregate), id("content")];
    proposals.push(await bench.send(aggregator, addresses.Analytics, abi, "propose", args));
  }
  return [
    { id: "analytics.request", gas: gas[1] ?? 0 },
    { id: "analytics.propose", gas: proposals[1] ?? 0 },
    { id: "analytics.mergeHll1024", gas: await mergeOf(bench, 1_024) },
  ];
}

/** A company and an aggregator with ITC. */
export async function marketOf(bench: Bench): Promise<{ company: Account; aggregator: Account }> {
  const { operator, addresses } = bench;
  const [company, aggregator] = [await bench.account("company"), await bench.account("aggregator")];
  for (const account of [company, aggregator]) {
    await bench.send(operator, addresses.ITC, ITC__factory.abi, "transfer", [account.address, 1_000_000n * ITC_UNIT]);
    await bench.send(account, addresses.ITC, ITC__factory.abi, "approve", [addresses.Analytics, 2n ** 256n - 1n]);
  }
  return { company, aggregator };
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

/** A request for the mean of the last day's readings. */
export function requestOf(company: Account, salt: string, now: bigint, bond = 100n): AnalysisRequest {
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
    bond: bond * ITC_UNIT,
    deadline: NEVER,
    challengeWindow: DAY,
    weighting: Weighting.Readings,
    settlement: Settlement.Rolled,
  };
  return { requester: company.address, salt: id(salt), purpose: id("purpose"), query, filter: ANY_DEVICE, terms };
}

/** Leaves of devices that differ in everything. */
export function leaves(count: number): ResultLeaf[] {
  const all = Array.from({ length: count }, (_, k): ResultLeaf => {
    const owner = `0x${keccak256(AbiCoder.defaultAbiCoder().encode(["uint256"], [k])).slice(26)}`;
    const device = deviceKey("secp256k1", fromHex(secretOf(1, `leaf-${k}`))).id;
    const partial = new Uint8Array([...intBytes(BigInt(k - 500), 32), ...uintBytes(24, 32)]);
    const evidence = [encodeRanges([[BigInt(k), BigInt(k + 23)]]), new Uint8Array()] as const;
    return { owner, device, origin: Origin.Proved, count: 24n, weight: 24n, spent: 0n, evidence, partial };
  });
  return all.sort(compareLeaves);
}
