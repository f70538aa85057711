import { id, ZeroHash } from "ethers";
import { addToPartial, neutralPartial } from "../../toolkit/analytics/partials.js";
import { Operation, type Query } from "../../toolkit/analytics/query.js";
import {
  ANY_DEVICE,
  type AnalysisRequest,
  type DeviceFilter,
  type RequestTerms,
  requestIdOf,
  Settlement,
  Weighting,
} from "../../toolkit/analytics/requests.js";
import {
  compareLeaves,
  encodeRanges,
  Origin,
  type ResultLeaf,
  ResultTree,
  rangesOf,
} from "../../toolkit/analytics/result-tree.js";
import { Batch } from "../../toolkit/anchoring/batches.js";
import { contentOf, type SignedReading, signReading } from "../../toolkit/anchoring/readings.js";
import { type DeviceKey, signerOf } from "../../toolkit/identity/keys.js";
import { fromHex, keccak256, toHex, uintBytes } from "../../toolkit/internal/bytes.js";
import { activationOf, type EnrolledLot, enrolLot, keyOf, makeIssuer, send } from "../identity/fleet.js";
import { type Deployed, deployed } from "../support.js";

export const ITC = 10n ** 18n;
export const HOUR = 3600n;
export const ANSWER = 1800n;
export const PURPOSE = id("Anything");
export const SCHEMA = fromHex(id("schema"));
export const FAR = 4_000_000_000n;
export const UNLIMITED = 2n ** 64n - 1n;

/** A reading with what its content opens to, and where it is anchored. */
export interface Kept {
  readonly key: DeviceKey;
  readonly reading: SignedReading;
  readonly value: bigint;
  readonly salt: Uint8Array;
}

/** What changes a request. */
export interface Changes {
  readonly salt?: string;
  readonly purpose?: string;
  readonly query?: Partial<Query>;
  readonly filter?: Partial<DeviceFilter>;
  readonly terms?: Partial<RequestTerms>;
}

/** A market of three owners with two devices each, all active and consented, a company, a proposer, and somebody who watches. */
export async function openMarket() {
  const world = await deployed();
  const pick = (k: number) => world.accounts[k] ?? world.operator;
  const [maker, company, proposer, watcher, gateway] = [pick(0), pick(1), pick(2), pick(3), pick(7)];
  const owners = [pick(4), pick(5), pick(6)];
  await makeIssuer(world, maker);
  const keys = Array.from({ length: 8 }, (_, k) => keyOf(`market-${k}`));
  const lot = await enrolLot(world, maker, keys);
  for (const [k, key] of keys.slice(0, 6).entries()) await bringToLife(world, lot, key, owners[k % 3]?.address ?? "");
  for (const owner of owners) await consent(world, owner);
  for (const who of [company, proposer, watcher]) {
    await world.itc.transfer(who.address, 10_000n * ITC);
    for (const spender of [world.addresses.Analytics, world.addresses.QuestionDesk]) {
      await world.itc.connect(who).approve(spender, 2n ** 256n - 1n);
    }
  }
  return { ...world, world, maker, company, proposer, watcher, gateway, owners, keys, lot };
}

export type Market = Awaited<ReturnType<typeof openMarket>>;

/** Allows a purpose without limits. */
export function consent(world: Deployed, owner: Deployed["operator"], terms = {}, purpose = PURPOSE) {
  return world.consents
    .connect(owner)
    .grant(purpose, { expiry: FAR, cohort: 0n, price: 0n, budget: UNLIMITED, ...terms });
}

export async function bringToLife(world: Deployed, lot: EnrolledLot, key: DeviceKey, owner: string): Promise<void> {
  await send(world, activationOf(world, lot, key, owner));
}

/** A fair request for the readings of the next hour; parts of it can be replaced. */
export async function requestOf(market: Market, changes: Changes = {}): Promise<AnalysisRequest> {
  const now = BigInt(await market.networkHelpers.time.latest());
  const query: Query = {
    schema: SCHEMA,
    operation: Operation.Mean,
    size: 0,
    hashes: 0,
    lower: -1000n,
    upper: 1000n,
    from: now,
    to: now + HOUR,
    anchoredBy: now + 2n * HOUR,
    cap: 100n,
    ...changes.query,
  };
  const terms: RequestTerms = {
    cohort: 2n,
    epsilon: 0n,
    price: 0n,
    reward: 1000n * ITC,
    fee: 5n * ITC,
    bond: 100n * ITC + 1n,
    deadline: now + 1000n * HOUR,
    challengeWindow: HOUR,
    weighting: Weighting.Readings,
    settlement: Settlement.Direct,
    ...changes.terms,
  };
  return {
    requester: market.company.address,
    salt: changes.salt ?? id("salt"),
    purpose: changes.purpose ?? PURPOSE,
    query,
    filter: { ...ANY_DEVICE, ...changes.filter },
    terms,
  };
}

export function idOf(market: Market, request: AnalysisRequest): string {
  return requestIdOf(request, market.chainId, market.addresses.Analytics);
}

/** Opens a request. */
export async function asked(market: Market, changes: Changes = {}): Promise<AnalysisRequest> {
  const request = await requestOf(market, changes);
  await market.analytics.connect(market.company).request(request);
  return request;
}

/** Readings of a device in the window, signed. */
export function readingsOf(
  market: Market,
  request: AnalysisRequest,
  key: DeviceKey,
  values: readonly bigint[],
  first = 1n,
): Kept[] {
  return values.map((value, k) => {
    const sequence = first + BigInt(k);
    const salt = keccak256(fromHex(key.id), uintBytes(sequence, 8));
    const time = request.query.from + sequence;
    const content = contentOf({ value, salt });
    const reading = signReading(key, market.digests, { sequence, time, schema: request.query.schema, content });
    return { key, reading, value, salt };
  });
}

/** Readings in one batch of the gateway's log, with all that opening them takes. */
export async function anchored(market: Market, kept: readonly Kept[]) {
  const batch = new Batch(
    kept.map(({ reading }) => reading),
    market.digests,
  );
  const publisher = market.gateway.address;
  const { size } = await market.anchor.headOf(publisher);
  await market.anchor.connect(market.gateway).append(publisher, size, batch.entry);
  const entryTime = BigInt(await market.networkHelpers.time.latest());
  const log = await market.anchor.queryFilter(market.anchor.filters.EntryAppended(publisher));
  return { batch, publisher, index: size, entryTime, entries: log.length, kept };
}

export type Anchored = Awaited<ReturnType<typeof anchored>>;

/** A reading of a batch as `OpenReading`; the log holds this entry alone. */
export function opened(market: Market, { batch, publisher, index, entryTime, kept }: Anchored, k: number) {
  const { reading, key, value, salt } = kept[k] ?? raise();
  const { header } = batch;
  const { path, siblings } = batch.prove(k);
  return {
    fields: {
      device: reading.device,
      sequence: reading.sequence,
      time: reading.time,
      schema: toHex(reading.schema),
      content: toHex(reading.content),
    },
    place: {
      publisher,
      index,
      entryTime,
      count: header.count,
      first: header.first,
      last: header.last,
      values: header.values ? toHex(header.values) : ZeroHash,
      path,
      batchSiblings: siblings.map(toHex),
      logSiblings: [] as string[],
    },
    value,
    salt: toHex(salt),
    signer: toHex(signerOf(key, market.addresses)),
    signature: toHex(reading.signature),
  };
}

/** The leaf that a device's readings come to. */
export function provedLeaf(request: AnalysisRequest, owner: string, kept: readonly Kept[]): ResultLeaf {
  const partial = neutralPartial(request.query);
  for (const { reading, value } of kept) addToPartial(request.query, partial, value, reading.time);
  const sequences = kept.map(({ reading }) => reading.sequence);
  const count = BigInt(kept.length);
  return {
    owner,
    device: kept[0]?.key.id ?? raise(),
    origin: Origin.Proved,
    count,
    weight: request.terms.weighting === Weighting.Readings ? count : 1n,
    spent: 0n,
    evidence: [encodeRanges(rangesOf(sequences)), new Uint8Array()],
    partial,
  };
}

/** A leaf that counts for nothing. */
export function withheldLeaf(request: AnalysisRequest, owner: string, key: DeviceKey): ResultLeaf {
  const nothing = new Uint8Array();
  return {
    owner,
    device: key.id,
    origin: Origin.Withheld,
    count: 0n,
    weight: 0n,
    spent: 0n,
    evidence: [nothing, nothing],
    partial: neutralPartial(request.query),
  };
}

/** A leaf whose partial the device has signed. */
export async function attestedLeaf(
  market: Market,
  request: AnalysisRequest,
  owner: string,
  key: DeviceKey,
  { partial, count, spent = 0n }: { partial: Uint8Array; count: bigint; spent?: bigint },
): Promise<ResultLeaf> {
  const said = { device: key.id, owner, count, spent, aggregate: toHex(keccak256(partial)) };
  const words = { ...said, origin: Origin.Attested, weight: count, evidence: ZeroHash };
  const digest = await market.analytics.partialDigest(idOf(market, request), words);
  const signature = key.sign(fromHex(digest));
  const weight = request.terms.weighting === Weighting.Readings ? count : 1n;
  const evidence = [signerOf(key, market.addresses), signature] as const;
  return { owner, device: key.id, origin: Origin.Attested, count, weight, spent, evidence, partial };
}

/** A tree of leaves in their order. */
export function treeOf(request: AnalysisRequest, leaves: readonly ResultLeaf[]): ResultTree {
  return new ResultTree(request.query, [...leaves].sort(compareLeaves));
}

/** Proposes a tree, past the time for data. */
export async function propose(market: Market, request: AnalysisRequest, tree: ResultTree, by = market.proposer) {
  await pastAnchoring(market, request);
  return market.analytics.connect(by).propose(request, tree.root, toHex(tree.aggregate), id("data"));
}

/** Moves the clock to where proposals are taken. */
export async function pastAnchoring(market: Market, request: AnalysisRequest): Promise<void> {
  const now = BigInt(await market.networkHelpers.time.latest());
  if (now <= request.query.anchoredBy) await market.networkHelpers.time.increaseTo(request.query.anchoredBy + 1n);
}

/** Moves the clock past a proposal's window. */
export async function passWindow(market: Market, seconds = HOUR): Promise<void> {
  await market.networkHelpers.time.increase(seconds + 1n);
}

/** The owner of the k-th device. */
export function ownerOf(market: Market, k: number): string {
  return market.owners[k % 3]?.address ?? raise();
}

export function raise(): never {
  throw new Error("The test is wrong.");
}
