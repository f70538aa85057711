import { getAddress } from "ethers";
import { z } from "zod";
import type { Batch } from "../anchoring/batches.js";
import type { Measurement, SignedReading } from "../anchoring/readings.js";
import type { Digests } from "../identity/digests.js";
import { type DeviceId, KEY_KINDS, type KeyKind, type PublicKey } from "../identity/keys.js";
import { fromHex, toHex } from "../internal/bytes.js";
import { address, bytes, unsigned, word } from "../internal/words.js";
import type { AnchoredBatch, BatchReading } from "./batch-check.js";

/** Names the format of published readings, and its version. */
export const READINGS_FORMAT = "iotchain:readings:1";

/** Longest line, in bytes: a batch of a gateway by default has 4,096 readings of some 500 bytes. A reader holds one. */
export const LONGEST_BATCH = 2 ** 24;

/** Whose readings a file has. */
export interface ReadingsDomain {
  readonly chainId: bigint;
  /** Address of `DeviceRegistry`. */
  readonly registry: string;
  /** Address of `DataAnchor`. */
  readonly anchor: string;
}

/** An entry of a log as whoever has its readings publishes it: open, or as digests. */
export interface PublishedBatch extends AnchoredBatch {
  /** Keys of devices that have signed readings of it. Who reads asks the chain whether they are the devices'. */
  readonly keys: readonly PublicKey[];
}

const MAX_SIGNATURE = 8_192;
const uint64 = unsigned(64n);
const word32 = word.transform(fromHex);
const device = address.transform(deviceOf);
const limited = (most: number) => bytes.refine(({ length }) => length <= 2 + 2 * most, `${most} bytes at most`);
const int256 = z
  .string()
  .regex(/^(0|-?[1-9][0-9]{0,76})$/, "a decimal")
  .transform(BigInt)
  .refine((value) => BigInt.asIntN(256, value) === value, "an int256");

/** The first line. */
export const ReadingsHeaderLine = z
  .strictObject({
    format: z.literal(READINGS_FORMAT),
    chain: unsigned(128n),
    registry: address.transform(getAddress),
    anchor: address.transform(getAddress),
  })
  .transform(({ chain, registry, anchor }): ReadingsDomain => ({ chainId: chain, registry, anchor }));

const Key = z
  .tuple([device, z.enum(Object.keys(KEY_KINDS) as [KeyKind, ...KeyKind[]]), limited(1_024).transform(fromHex)])
  .transform(([id, kind, material]): PublicKey => ({ id, kind, material }));
const Opened = z.tuple([device, uint64, uint64, word32, int256, word32, limited(MAX_SIGNATURE).transform(fromHex)]);

/** Any other line: an entry with its readings, each a digest, or device, sequence, time, content, value, salt, signature. */
export const BatchLine = z
  .strictObject({
    publisher: address.transform(getAddress),
    index: unsigned(53n),
    time: uint64,
    schema: word32,
    batch: z.optional(z.strictObject({ root: word32, first: uint64, last: uint64, values: word32 })),
    keys: z.array(Key),
    readings: z.array(z.union([Opened, word32])).min(1),
  })
  .transform(({ publisher, index, time, schema, batch, keys, readings }): PublishedBatch => {
    const count = BigInt(readings.length);
    return {
      ...{ publisher, index, entryTime: time, keys },
      ...(batch && { header: { ...batch, count, schema } }),
      readings: readings.map((item): BatchReading => {
        if (item instanceof Uint8Array) return { digest: item };
        const [id, sequence, second, content, value, salt, signature] = item;
        const reading = { device: id, sequence, time: second, schema, content };
        return { reading, measurement: { value, salt }, signature };
      }),
    };
  });

const MOST_NAMES = 10_000;
const names = new Map<string, DeviceId>();

/** Checksums are hashes, and a batch names few devices again and again. */
function deviceOf(text: string): DeviceId {
  const known = names.get(text);
  if (known) return known;
  if (names.size >= MOST_NAMES) names.clear();
  const name = getAddress(text) as DeviceId;
  names.set(text, name);
  return name;
}

/** The first line of a file, without its end. */
export function readingsHeaderLine({ chainId, registry, anchor }: ReadingsDomain): string {
  return JSON.stringify({
    format: READINGS_FORMAT,
    chain: String(chainId),
    registry: registry.toLowerCase(),
    anchor: anchor.toLowerCase(),
  });
}

/**
 * The line of an entry, without its end. Errors: RangeError for an entry of one reading's digest whose reading isn't open, and for more than
 * {@link LONGEST_BATCH} bytes.
 */
export function batchLine({ publisher, index, entryTime, header, keys, readings }: PublishedBatch): string {
  const [first] = readings;
  const schema = header?.schema ?? (first && "reading" in first ? first.reading.schema : undefined);
  if (!schema) throw new RangeError("An entry that is a reading's digest is published with its reading.");
  const line = JSON.stringify({
    publisher: publisher.toLowerCase(),
    index: String(index),
    time: String(entryTime),
    schema: toHex(schema),
    ...(header && {
      batch: {
        root: toHex(header.root),
        first: String(header.first),
        last: String(header.last),
        values: toHex(header.values),
      },
    }),
    keys: keys.map(({ id, kind, material }) => [id.toLowerCase(), kind, toHex(material)]),
    readings: readings.map(readingWords),
  });
  if (line.length > LONGEST_BATCH) throw new RangeError(`A batch's line has ${LONGEST_BATCH} bytes at most.`);
  return line;
}

function readingWords(item: BatchReading): string | string[] {
  if ("digest" in item) return toHex(item.digest);
  const { reading, measurement, signature = new Uint8Array() } = item;
  const numbers = [String(reading.sequence), String(reading.time)];
  const opened = [toHex(reading.content), String(measurement.value), toHex(measurement.salt)];
  return [reading.device.toLowerCase(), ...numbers, ...opened, toHex(signature)];
}

/**
 * A gateway's batch as it is published, with the readings open of which somebody knows what was measured.
 *
 * @param anchored Of `Gateway.anchoredBatches`, with the gateway's address.
 * @param openedOf What the owners have told.
 * @param keyOf The key under which a device's readings were taken in; left out, who reads must know keys otherwise.
 * @example
 * const line = batchLine(publishedBatch({ publisher, ...anchored }, digests, openedOf, keyOf));
 */
export function publishedBatch(
  anchored: {
    readonly publisher: string;
    readonly index: bigint;
    readonly time: bigint;
    readonly batch: Pick<Batch, "header" | "readings">;
  },
  digests: Digests,
  openedOf: (reading: SignedReading) => Measurement | undefined,
  keyOf: (device: DeviceId) => PublicKey | undefined = () => undefined,
): PublishedBatch {
  const { publisher, index, time, batch } = anchored;
  const keys = new Map<DeviceId, PublicKey>();
  const readings = batch.readings.map(({ signature, ...reading }): BatchReading => {
    const measurement = openedOf({ ...reading, signature });
    if (!measurement) return { digest: digests.reading(reading) };
    const key = keyOf(reading.device);
    if (key) keys.set(reading.device, key);
    return { reading, measurement, signature };
  });
  return { publisher, index, entryTime: time, header: batch.header, keys: [...keys.values()], readings };
}
