import { createWriteStream } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Provider } from "ethers";
import { Analytics__factory, ITC__factory } from "../contracts.js";
import type { DeviceId } from "../identity/keys.js";
import { toHex } from "../internal/bytes.js";
import { AnalyticsError } from "./analytics-error.js";
import type { AnswerOptions } from "./answer.js";
import { type BuiltResult, buildResult } from "./build-result.js";
import { contributionsTo, pieceOf } from "./contributed-readings.js";
import type { DataSource } from "./data-sources.js";
import { membersAt } from "./membership.js";
import { PartialDigests } from "./partial-digests.js";
import { foldPieces } from "./pieces.js";
import type { PublicReadings } from "./public-readings.js";
import { ReadingHasher } from "./reading-hasher.js";
import type { AnalysisRequest } from "./requests.js";
import { contentOfData } from "./result-data.js";
import type { Outcome, PlannedCall, Sender } from "./sender.js";
import { treeIn } from "./tree-data.js";
import { type WatchAddresses, WatchBook } from "./watch-book.js";

/** What a result is aggregated from. */
export interface PublicSources {
  readonly provider: Provider;
  readonly addresses: WatchAddresses;
  readonly readings: PublicReadings;
  /** The block in which the contracts were deployed; 0 if left out. */
  readonly fromBlock?: number;
  /** See `ResultSources`; 100 if left out, what fits into one transaction of any device. */
  readonly mostProved?: bigint;
}

/** A result that nobody has proposed yet. */
export interface PublicResult extends BuiltResult {
  readonly request: AnalysisRequest;
  /** The SHA-256 of its data, as hex. */
  readonly content: string;
}

const MOST_PROVED = 100n;

/**
 * Builds the result of a request from what is published, what was contributed on chain and what the chain says; devices that only attest to partials are
 * withheld.
 *
 * @param id The request's.
 * Errors: ITC_AGGREGATE_REQUEST, ITC_AGGREGATE_EARLY; those of `PublicReadings.of` and `buildResult`; the provider's.
 * @example
 * const result = await aggregatePublic(id, { provider, addresses, readings });
 * await keepResult(result, "results");
 * await proposeResult(result, provider, addresses, new Sender(provider, signer));
 */
export async function aggregatePublic(id: string, sources: PublicSources): Promise<PublicResult> {
  const { provider, addresses, readings, fromBlock = 0, mostProved = MOST_PROVED } = sources;
  const book = new WatchBook(provider, addresses, undefined, fromBlock);
  await book.read();
  const request = book.request(id);
  if (!request) {
    const what = `There is no request ${id} at ${addresses.Analytics}.`;
    throw new AnalyticsError("ITC_AGGREGATE_REQUEST", what, "Pass an id of an event AnalysisRequested.");
  }
  const latest = await provider.getBlock("latest");
  const { anchoredBy } = request.query;
  if (!latest || BigInt(latest.timestamp) <= anchoredBy) {
    const what = `Data of request ${id} come in up to second ${anchoredBy}.`;
    throw new AnalyticsError("ITC_AGGREGATE_EARLY", what, "Aggregate it afterwards.");
  }
  const analytics = Analytics__factory.connect(addresses.Analytics, provider);
  const { requestedAt } = await analytics.statusOf(request);
  const members = await membersAt(provider, addresses, request, requestedAt, { fromBlock });
  const { partialOf, readingsOf } = await readings.of(id, request);
  const contributed = await contributionsTo(id, book, provider, addresses);
  const { chainId } = await provider.getNetwork();
  const domain = { chainId, analytics: addresses.Analytics };
  // Made of just the readings that an answer would lay open, each checked as things are now.
  const hasher = new ReadingHasher({ chainId, registry: addresses.DeviceRegistry });
  const pieces = new Map<string, Uint8Array>();
  for (const device of contributed.keys()) {
    const open = await readingsOf(device);
    if (open.length > 0) pieces.set(device, pieceOf(open, hasher));
  }
  const built = await buildResult({
    ...domain,
    request,
    digests: new PartialDigests(domain),
    members,
    partialOf: (device, most) => {
      const piece = pieces.get(device);
      return piece ? foldPieces(request.query, device, [piece], most) : partialOf(device, most);
    },
    contributionOf: (device) => contributed.get(device as DeviceId) ?? 0n,
    isSteady: (device) => pieces.has(device) || readings.isSteady(id, device),
    mostProved,
  });
  return { ...built, request, content: await contentOfData(built.data()) };
}

/** Writes the data of a result where `folderSource` finds them; the folder is made if it isn't there. Returns the path. */
export async function keepResult({ content, data }: PublicResult, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${content}.ndjson`);
  const draft = `${path}.tmp`;
  try {
    await pipeline(Readable.from(data()), createWriteStream(draft));
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  return path;
}

/** Proposes a result; where the bond isn't allowed to be taken yet, allows it first. Returns what became of each call, the last that of `propose`. */
export async function proposeResult(
  { request, tree, content }: PublicResult,
  provider: Provider,
  addresses: Pick<WatchAddresses, "Analytics" | "ITC">,
  sender: Sender,
): Promise<{ readonly call: PlannedCall; readonly outcome: Outcome }[]> {
  const me = await sender.address();
  const itc = ITC__factory.connect(addresses.ITC, provider);
  const { bond } = request.terms;
  const calls: PlannedCall[] = [];
  if (me !== undefined && (await itc.allowance(me, addresses.Analytics)) < bond) {
    const data = itc.interface.encodeFunctionData("approve", [addresses.Analytics, bond]);
    calls.push({ name: "approve", to: addresses.ITC, data });
  }
  const { interface: analytics } = Analytics__factory.connect(addresses.Analytics);
  const args: [AnalysisRequest, typeof tree.root, string, string] = [
    request,
    tree.root,
    toHex(tree.aggregate),
    content,
  ];
  calls.push({ name: "propose", to: addresses.Analytics, data: analytics.encodeFunctionData("propose", args) });
  const done: { call: PlannedCall; outcome: Outcome }[] = [];
  for (const call of calls) {
    // A bond is taken from somebody: without a sender there is nothing to simulate.
    const outcome = await sender.send(call, false);
    done.push({ call, outcome });
    if (outcome.kind === "refused") break;
  }
  return done;
}

/**
 * What an `Answerer` answers from: data of results, and published readings.
 *
 * @param domain The chain's id, and the address of `Analytics`.
 */
export function answersFrom(
  domain: { readonly chainId: bigint; readonly analytics: string },
  dataOf: DataSource,
  readings: PublicReadings,
): Required<Pick<AnswerOptions, "treeOf" | "readingsOf">> {
  return {
    treeOf: async (_, root, { request, content }) => {
      const data = await dataOf(content);
      return data && treeIn(data, { ...domain, request }, root);
    },
    readingsOf: async (id, device, request) => (await readings.of(id, request)).readingsOf(device),
  };
}
