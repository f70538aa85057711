import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ZeroHash } from "ethers";
import { Aggregator, type MarkedBatch } from "../toolkit/analytics/aggregator.js";
import type { BatchWitness } from "../toolkit/analytics/batch-check.js";
import { buildResult } from "../toolkit/analytics/build-result.js";
import { checkResult } from "../toolkit/analytics/check-result.js";
import { type Member, UNLIMITED } from "../toolkit/analytics/membership.js";
import { PartialDigests } from "../toolkit/analytics/partial-digests.js";
import { Operation } from "../toolkit/analytics/query.js";
import { ReadingHasher } from "../toolkit/analytics/reading-hasher.js";
import { ANY_DEVICE, type AnalysisRequest, requestIdOf, Settlement, Weighting } from "../toolkit/analytics/requests.js";
import { nodeDigest } from "../toolkit/analytics/result-tree.js";
import { type BatchHeader, entryOf, NO_VALUES } from "../toolkit/anchoring/batches.js";
import { entryLeaf } from "../toolkit/anchoring/mountain-range.js";
import { type Measurement, schemaIdOf } from "../toolkit/anchoring/readings.js";
import { type DeviceId, type DeviceKey, deviceKey } from "../toolkit/identity/keys.js";
import { keccak256, sameBytes, toHex, uintBytes } from "../toolkit/internal/bytes.js";
import { MerkleTree } from "../toolkit/internal/merkle.js";

// A day of 100,000 devices, 24 readings each, from logs to a result that is checked by its published data; each run in a process of its own, so
// that memory is its alone. `own`: each device's day is a batch of its own log. `signed`: 1,000 devices' days in a gateway's log, each reading
// with a secp256k1 signature that is checked.
const FROM = 1_800_000_000n;
const HOURS = 24;
const chainId = 31337n;
const REGISTRY = "0x0000000000000000000000000000000000000001";
const ANALYTICS = "0x0000000000000000000000000000000000000002";
const GATEWAY = "0x0000000000000000000000000000000000000003";
const schema = schemaIdOf({ quantity: "temperature", unit: "Cel", scale: 2 });
const domain = { chainId, registry: REGISTRY };
const request: AnalysisRequest = {
  requester: "0x0000000000000000000000000000000000000004",
  salt: ZeroHash,
  purpose: ZeroHash,
  query: {
    schema,
    operation: Operation.Mean,
    size: 0,
    hashes: 0,
    lower: -5_000n,
    upper: 5_000n,
    from: FROM,
    to: FROM + 86_400n,
    anchoredBy: FROM + 90_000n,
    cap: 24n,
  },
  filter: ANY_DEVICE,
  terms: {
    cohort: 2n,
    epsilon: 0n,
    price: 0n,
    reward: 10n ** 18n,
    fee: 0n,
    bond: 0n,
    deadline: FROM + 200_000n,
    challengeWindow: 86_400n,
    weighting: Weighting.Readings,
    settlement: Settlement.Direct,
  },
};
const id = requestIdOf(request, chainId, ANALYTICS);

interface Opened extends Measurement {
  readonly content: Uint8Array;
}

/** Makes batches, and is the chain that has them: of each log the root alone. */
class Fleet {
  private readonly hasher = new ReadingHasher(domain);
  private readonly contents: Opened[] = [];
  private readonly roots: Uint8Array;
  private readonly places = new Map<string, number>();
  readonly devices: readonly DeviceId[];

  constructor(
    readonly size: number,
    readonly keys?: readonly DeviceKey[],
  ) {
    this.roots = new Uint8Array(32 * size);
    this.devices = Array.from({ length: size }, (_, k) => keys?.[k]?.id ?? (accountOf(k, 8) as DeviceId));
    if (!keys) for (const [k, device] of this.devices.entries()) this.places.set(device, k);
  }

  *batches(): Generator<MarkedBatch> {
    for (let k = 0; k < this.size; k++) yield this.batch(k);
  }

  readonly witness: BatchWitness = {
    isAnchored: (publisher, index, entry, time) =>
      sameBytes(entryLeaf(entry, time), this.rootOf(this.places.get(publisher) ?? Number(index))),
    keyOf: (device) => this.keys?.find((key) => key.id === device),
  };

  /** One of 6,000 numbers, so that making them takes no time from reading them. */
  private opened(k: number, hour: number): Opened {
    const which = (k * 31 + hour * 17) % 6_000;
    const known = this.contents[which];
    if (known) return known;
    const [value, salt] = [BigInt(which - 2_000), keccak256(uintBytes(which, 8))];
    return (this.contents[which] = { value, salt, content: this.hasher.content(value, salt) });
  }

  private rootOf(k: number): Uint8Array {
    return this.roots.subarray(32 * k, 32 * k + 32);
  }

  private batch(k: number): MarkedBatch {
    const device = this.devices[k] ?? (accountOf(k, 8) as DeviceId);
    const key = this.keys?.[k];
    const digests = new Uint8Array(HOURS * 32);
    const readings = Array.from({ length: HOURS }, (_, hour) => {
      const sequence = BigInt(hour);
      const time = FROM + sequence * 3_600n;
      const { content, ...measurement } = this.opened(k, hour);
      const digest = this.hasher.reading(device, sequence, time, schema, content);
      digests.set(digest, hour * 32);
      const signature = key ? { signature: key.sign(digest) } : {};
      return { reading: { device, sequence, time, schema, content }, measurement, ...signature };
    });
    const span = { first: FROM, last: FROM + BigInt(HOURS - 1) * 3_600n };
    const root = MerkleTree.over(digests).root;
    const header: BatchHeader = { root, count: BigInt(HOURS), ...span, schema, values: NO_VALUES };
    const [publisher, index] = key ? [GATEWAY, BigInt(k)] : [device, 0n];
    const entryTime = FROM + 86_500n;
    this.roots.set(entryLeaf(entryOf(header), entryTime), 32 * k);
    return { publisher, index, entryTime, header, readings, mark: String(k) };
  }
}

function accountOf(k: number, seed: number): string {
  return toHex(keccak256(uintBytes(k, seed)).subarray(12));
}

async function own(folder: string): Promise<{ perSecond: number }> {
  const fleet = new Fleet(100_000);
  const options = {
    file: join(folder, "pieces"),
    request: id,
    query: request.query,
    registry: domain,
    witness: fleet.witness,
  };
  const start = performance.now();
  const aggregator = await Aggregator.open(options);
  const { readings } = await aggregator.take(fleet.batches());
  lap("aggregated", start);
  const members = Array.from({ length: fleet.size }, (_, k): Member => {
    const owner = accountOf(Math.floor(k / 10), 16);
    const device = fleet.devices[k] ?? (accountOf(k, 8) as DeviceId);
    return { owner, device, isEligible: true, isKnown: true, budget: UNLIMITED };
  });
  const orderOf = ({ owner, device }: Member) => (owner + device).toLowerCase();
  members.sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1));
  const digests = new PartialDigests({ chainId, analytics: ANALYTICS });
  const partialOf = (device: string) => aggregator.partialOf(device);
  const built = await buildResult({
    chainId,
    analytics: ANALYTICS,
    request,
    digests,
    members,
    partialOf,
    mostProved: 24n,
  });
  lap("built", start);
  const path = join(folder, "result");
  const hash = createHash("sha256");
  const hashed = function* () {
    for (const piece of built.data()) {
      hash.update(piece);
      yield piece;
    }
  };
  await pipeline(Readable.from(hashed()), createWriteStream(path));
  lap("written", start);
  const root = toHex(nodeDigest(built.tree.root));
  const proposal = {
    chainId,
    analytics: ANALYTICS,
    request,
    root,
    content: toHex(hash.digest()),
    proposedAt: 1n,
    proposedBlock: 1n,
  };
  const { faults } = await checkResult(createReadStream(path), proposal, { digests });
  lap("checked", start);
  if (faults.length > 0 || readings !== fleet.size * HOURS || built.withheld.size > 0)
    throw new Error("The result is wrong.");
  aggregator.close();
  return { perSecond: Math.round((readings / (performance.now() - start)) * 1_000) };
}

async function signed(folder: string): Promise<{ perSecond: number }> {
  const keys = Array.from({ length: 1_000 }, (_, k) => deviceKey("secp256k1", keccak256(uintBytes(k + 1, 8))));
  const fleet = new Fleet(keys.length, keys);
  const batches = [...fleet.batches()];
  const byId = new Map(keys.map((key) => [key.id as string, key]));
  const witness = { ...fleet.witness, keyOf: (device: string) => byId.get(device) };
  const options = { file: join(folder, "pieces"), request: id, query: request.query, registry: domain, witness };
  const aggregator = await Aggregator.open(options);
  const start = performance.now();
  const { readings } = await aggregator.take(batches);
  if (readings !== keys.length * HOURS) throw new Error("The signatures are wrong.");
  aggregator.close();
  return { perSecond: Math.round((readings / (performance.now() - start)) * 1_000) };
}

function lap(what: string, start: number): void {
  const mebibytes = Math.round(process.resourceUsage().maxRSS / 1024);
  console.error(`${what}: ${((performance.now() - start) / 1_000).toFixed(1)} s, ${mebibytes} MiB`);
}

const jobs: Record<string, (folder: string) => Promise<{ perSecond: number }>> = { own, signed };
const job = jobs[process.argv[2] ?? ""];
if (!job) throw new Error("Name one of: own, signed.");
const folder = await mkdtemp(join(tmpdir(), "speed-analytics-"));
try {
  const start = performance.now();
  const { perSecond } = await job(folder);
  const milliseconds = performance.now() - start;
  console.log(JSON.stringify({ milliseconds, mebibytes: process.resourceUsage().maxRSS / 1024, perSecond }));
} finally {
  await rm(folder, { recursive: true });
}
