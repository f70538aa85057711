import { id } from "ethers";
import { Aggregator, type MarkedBatch, type Refused } from "../../toolkit/analytics/aggregator.js";
import type { BatchWitness, OpenedReading } from "../../toolkit/analytics/batch-check.js";
import type { Query } from "../../toolkit/analytics/query.js";
import { Batch, type BatchHeader, entryOf } from "../../toolkit/anchoring/batches.js";
import { contentOf, signReading } from "../../toolkit/anchoring/readings.js";
import { Digests } from "../../toolkit/identity/digests.js";
import type { DeviceKey } from "../../toolkit/identity/keys.js";
import { keccak256, toHex, uintBytes } from "../../toolkit/internal/bytes.js";
import { keyOf } from "../identity/fleet.js";

export const REGISTRY = { chainId: 31337n, registry: "0x00000000000000000000000000000000000000A1" };
export const GATEWAY = "0x00000000000000000000000000000000000000b2";
export const REQUEST = id("request");
export const keys = Array.from({ length: 5 }, (_, k) => keyOf(`aggregated-${k}`));
export const digests = new Digests(REGISTRY);

/** A reading as its device signs it, opened. */
export function openedOf(
  query: Query,
  key: DeviceKey,
  sequence: bigint,
  value: bigint,
  changes: { time?: bigint; schema?: Uint8Array; content?: Uint8Array } = {},
): OpenedReading {
  const salt = keccak256(key.material, uintBytes(sequence, 8));
  const { signature, ...reading } = signReading(key, digests, {
    sequence,
    time: query.from + sequence,
    schema: query.schema,
    content: contentOf({ value, salt }),
    ...changes,
  });
  return { reading, measurement: { value, salt }, signature };
}

/** Logs that take whatever is appended, and know what they have. */
export class Logs {
  private readonly entries = new Map<string, string>();
  private readonly sizes = new Map<string, bigint>();

  constructor(
    readonly query: Query,
    readonly present: readonly DeviceKey[] = keys,
  ) {}

  readonly witness: BatchWitness = {
    isAnchored: async (publisher, index, entry, time) =>
      this.entries.get(`${publisher} ${index}`) === `${toHex(entry)} ${time}`,
    keyOf: (device) => this.present.find((key) => key.id === device),
  };

  /** Appends readings as one batch, or one reading as its own entry. */
  append(
    publisher: string,
    opened: readonly OpenedReading[],
    isBatch = true,
    entryTime = this.query.to,
    lie: Partial<BatchHeader> = {},
  ): MarkedBatch {
    const signed = opened.map(({ reading, signature }) => ({ ...reading, signature: signature ?? new Uint8Array() }));
    const index = this.sizes.get(publisher) ?? 0n;
    this.sizes.set(publisher, index + 1n);
    const whole = isBatch ? { ...new Batch(signed, digests).header, ...lie } : undefined;
    const entry = whole ? entryOf(whole) : digests.reading(signed[0] ?? never());
    this.entries.set(`${publisher} ${index}`, `${toHex(entry)} ${entryTime}`);
    const header = whole ? { header: whole } : {};
    return { publisher, index, entryTime, ...header, readings: opened, mark: `${publisher} ${index}` };
  }
}

/** An aggregator of these logs, and what it refused. */
export async function open(logs: Logs, file = ":memory:", request = REQUEST) {
  const refused: Refused[] = [];
  const { query, witness } = logs;
  const onRefused = (one: Refused) => void refused.push(one);
  const aggregator = await Aggregator.open({ file, request, query, registry: REGISTRY, witness, onRefused });
  return { aggregator, refused };
}

/** What all devices come to, to be compared. */
export function summaryOf(aggregator: Aggregator): string[] {
  return [...aggregator.partials()].map(
    ({ device, count, partial, ranges, equivocation }) =>
      `${device} ${count} ${toHex(partial)} ${toHex(ranges)} ${equivocation?.sequence ?? "-"}`,
  );
}

export function never(): never {
  throw new Error("The test is wrong.");
}
