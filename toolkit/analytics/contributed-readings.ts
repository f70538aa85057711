import { getAddress, isError, type Provider, toBeHex } from "ethers";
import type { Addresses } from "../addresses.js";
import { type RebuiltLog, readLog } from "../anchoring/log-reader.js";
import { DataAnchor__factory, type OpenReadingStructOutput, QuestionDesk__factory } from "../contracts.js";
import type { DeviceId } from "../identity/keys.js";
import { fromHex, toHex } from "../internal/bytes.js";
import { paged } from "../internal/pages.js";
import type { OpenReading } from "./answer.js";
import { type DevicePartial, encodePiece, foldPieces } from "./pieces.js";
import type { Query } from "./query.js";
import { ReadingHasher } from "./reading-hasher.js";
import type { AnalysisRequest } from "./requests.js";
import type { KnownReadings } from "./watch.js";
import type { WatchBook } from "./watch-book.js";

/** The contracts by which contributed readings are found and checked. */
export type ContributionAddresses = Pick<Addresses, "DeviceRegistry" | "DataAnchor" | "Analytics" | "QuestionDesk">;

const desk = QuestionDesk__factory.createInterface();
/** In hex digits. */
const WORD = 64;
const SELECTOR = 8;

/**
 * Readings of a device that were laid open on chain by `contributeReadings` and still hold, from the calldata of the transaction that contributed them last:
 * also where another contract has passed the call on, if its words are in the transaction. Each is checked as the desk did, against the logs as they are now.
 */
export class ContributedReadings {
  constructor(
    private readonly provider: Provider,
    private readonly addresses: ContributionAddresses,
    private readonly fromBlock = 0,
  ) {}

  /**
   * As the desk would take them today, by ascending sequence number; empty where none hold, or they are in no calldata.
   *
   * @param id The request's.
   * Errors: the provider's; ITC_LOG_MISMATCH.
   */
  async of(id: string, request: AnalysisRequest, anySpelling: string): Promise<OpenReading[]> {
    const device = getAddress(anySpelling);
    const { Analytics, QuestionDesk } = this.addresses;
    const contract = QuestionDesk__factory.connect(QuestionDesk, this.provider);
    const count = await contract.contributionOf(Analytics, id, device);
    if (count === 0n) return [];
    let hash: string | undefined;
    const filter = contract.filters.ReadingsContributed(Analytics, id, device);
    await paged(this.fromBlock, await this.provider.getBlockNumber(), async (from, to) => {
      hash = (await contract.queryFilter(filter, from, to)).at(-1)?.transactionHash ?? hash;
    });
    const transaction = hash === undefined ? null : await this.provider.getTransaction(hash);
    for (const readings of callsIn(transaction?.data ?? "0x", Analytics, request, device, count)) {
      const checked = await this.checked(readings, request.query);
      if (checked) return checked;
    }
    return [];
  }

  /** What a watcher knows itself, and of other devices what was contributed. */
  async beside(
    own: KnownReadings,
    id: string,
    request: AnalysisRequest,
    devices: Iterable<DeviceId>,
    onTrouble: (error: unknown) => void,
  ): Promise<KnownReadings> {
    const found = new Map<string, DevicePartial>();
    for (const device of devices) {
      if (own.partialOf?.(device)) continue;
      const open = await this.of(id, request, device).catch(onTrouble);
      if (!open || open.length === 0) continue;
      found.set(device, foldPieces(request.query, device, [pieceOf(open, await this.hasher())]));
    }
    return { ...own, partialOf: (device) => own.partialOf?.(device) ?? found.get(getAddress(device)) };
  }

  private async hasher(): Promise<ReadingHasher> {
    const { chainId } = await this.provider.getNetwork();
    return new ReadingHasher({ chainId, registry: this.addresses.DeviceRegistry });
  }

  /** The same with their places in the logs as they are now; undefined where the desk can't have taken one of them. */
  private async checked(readings: readonly OpenReading[], query: Query): Promise<OpenReading[] | undefined> {
    const hasher = await this.hasher();
    const isInOrder = readings.every(({ fields, place, value, salt }, k) => {
      const before = readings[k - 1]?.fields.sequence;
      if (before !== undefined && before >= fields.sequence) return false;
      if (fields.schema !== toHex(query.schema) || fields.time < query.from || fields.time >= query.to) return false;
      return place.entryTime <= query.anchoredBy && toHex(hasher.content(value, fromHex(salt))) === fields.content;
    });
    if (!isInOrder) return undefined;
    const logs = new Map<string, RebuiltLog>();
    const found: OpenReading[] = [];
    for (const one of readings) {
      const { publisher, index } = one.place;
      const { provider, addresses, fromBlock } = this;
      const log = logs.get(publisher) ?? (await readLog(provider, addresses.DataAnchor, publisher, { fromBlock }));
      logs.set(publisher, log);
      if (index >= BigInt(log.entries.length)) return undefined;
      const place = { ...one.place, logSiblings: log.range.prove(Number(index)).map(toHex) };
      if (!(await this.isAnchored({ ...one, place }))) return undefined;
      found.push({ ...one, place });
    }
    return found;
  }

  private async isAnchored({ fields, place, signer, signature }: OpenReading): Promise<boolean> {
    const anchor = DataAnchor__factory.connect(this.addresses.DataAnchor, this.provider);
    const isOwn = place.publisher === fields.device;
    const held = isOwn
      ? anchor.verifyReading(fields, place)
      : anchor.verifySignedReading(fields, place, signer, signature);
    return held.catch((error: unknown) => {
      // Words that the contract can't even read.
      if (isError(error, "CALL_EXCEPTION")) return false;
      throw error;
    });
  }
}

/** Contributions to a request that hold, by device: of one that has changed since they don't. Errors: the provider's. */
export async function contributionsTo(
  id: string,
  book: WatchBook,
  provider: Provider,
  { Analytics, QuestionDesk }: ContributionAddresses,
): Promise<Map<DeviceId, bigint>> {
  const contract = QuestionDesk__factory.connect(QuestionDesk, provider);
  const found = new Map<DeviceId, bigint>();
  for (const device of book.contributedTo(id)) {
    const count = await contract.contributionOf(Analytics, id, device);
    if (count > 0n) found.set(device, count);
  }
  return found;
}

/** A piece of open readings, see `foldPieces`. */
export function pieceOf(open: readonly OpenReading[], hasher: ReadingHasher): Uint8Array {
  const accepted = open.map(({ fields, value }) => {
    const { sequence, time } = fields;
    const [device, schema, content] = [fields.device as DeviceId, fromHex(fields.schema), fromHex(fields.content)];
    const digest = hasher.reading(device, sequence, time, schema, content);
    return { reading: { device, sequence, time, schema, content }, value, digest };
  });
  return encodePiece(accepted);
}

/** What calls in these bytes would contribute, if it is so many readings of this device. */
function* callsIn(
  data: string,
  analytics: string,
  request: AnalysisRequest,
  device: string,
  count: bigint,
): Generator<OpenReading[]> {
  // All but where readings begin, and how many there are.
  const head = desk.encodeFunctionData("contributeReadings", [analytics, request, device, []]).slice(2, -2 * WORD);
  for (let at = data.indexOf(head); at >= 0; at = data.indexOf(head, at + 1)) {
    const where = at + head.length;
    const length = at + SELECTOR + 2 * Number(`0x${data.slice(where, where + WORD) || "0"}`);
    // Looked at before all is decoded, which may be a flood of words.
    if (at % 2 !== 0 || data.slice(length, length + WORD) !== toBeHex(count, 32).slice(2)) continue;
    const readings = decoded(`0x${data.slice(at)}`);
    if (readings?.every(({ fields }) => fields.device === device)) yield readings;
  }
}

function decoded(data: string): OpenReading[] | undefined {
  try {
    const readings: OpenReadingStructOutput[] = desk.decodeFunctionData("contributeReadings", data)[3];
    return readings.map(({ fields, place, value, salt, signer, signature }) => {
      const { device, sequence, time, schema, content } = fields;
      // By position: `values` of what ethers decodes is the method of an array.
      const [publisher, index, entryTime, count, first, last, path, values, batchSiblings, logSiblings] = place;
      return {
        fields: { device, sequence, time, schema, content },
        place: {
          ...{ publisher, index, entryTime, count, first, last, values, path },
          batchSiblings: [...batchSiblings],
          logSiblings: [...logSiblings],
        },
        ...{ value, salt, signer, signature },
      };
    });
  } catch {
    // Bytes that look like a call, and are something else.
    return undefined;
  }
}
