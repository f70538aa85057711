import type { RebuiltLog } from "../anchoring/log-reader.js";
import { onChain } from "../anchoring/on-chain.js";
import type { RegistryDomain } from "../identity/digests.js";
import { signerOf, type Verifiers } from "../identity/keys.js";
import { concat, fromHex, sameBytes, toHex } from "../internal/bytes.js";
import { MerkleTree } from "../internal/merkle.js";
import type { OpenReading } from "./answer.js";
import { BatchCheck, type BatchWitness } from "./batch-check.js";
import type { Query } from "./query.js";
import { ReadingHasher } from "./reading-hasher.js";
import type { PublishedBatch } from "./readings-format.js";
import type { AnchoredReading, CheckSources } from "./result-faults.js";
import type { KnownReadings } from "./watch.js";

/** What readings are opened by. */
export interface OpeningSources {
  readonly registry: RegistryDomain;
  /** The publisher's log as it is now. */
  readonly log: RebuiltLog;
  readonly keyOf: BatchWitness["keyOf"];
  readonly verifiers: Verifiers;
}

/** The readings of a device in a batch that a court would count, as contracts take them. */
export async function openedIn(
  batch: PublishedBatch,
  device: string,
  query: Query,
  { registry, log, keyOf, verifiers }: OpeningSources,
): Promise<OpenReading[]> {
  const index = Number(batch.index);
  const entry = log.entries[index];
  const isAnchored: BatchWitness["isAnchored"] = (_, __, own, time) =>
    entry !== undefined && entry.time === time && sameBytes(entry.entry, own);
  const { accepted } = await new BatchCheck(query, registry, { isAnchored, keyOf }).check(batch);
  const counting = new Set(accepted.map(({ reading }) => reading));
  if (counting.size === 0) return [];
  const { header, publisher, entryTime: time } = batch;
  const tree = header && treeOf(batch, registry);
  const isOwn = publisher.toLowerCase() === device.toLowerCase();
  const found: OpenReading[] = [];
  for (const [k, item] of batch.readings.entries()) {
    if (!("reading" in item) || !counting.has(item.reading)) continue;
    const { reading, measurement, signature } = item;
    if (reading.device.toLowerCase() !== device.toLowerCase()) continue;
    const place = { publisher, index: batch.index, time, siblings: log.range.prove(index) };
    const [fields, where] = onChain({
      reading,
      entry: place,
      ...(header && tree && { batch: { ...header, proof: tree.prove(k) } }),
    });
    const key = isOwn ? undefined : await keyOf(reading.device);
    found.push({
      fields,
      place: where,
      value: measurement.value,
      salt: toHex(measurement.salt),
      signer: key ? toHex(signerOf(key, verifiers)) : "0x",
      signature: key && signature ? toHex(signature) : "0x",
    });
  }
  return found;
}

/** What a check takes of readings that a watcher knows. */
export function checkable({ partialOf, readingOf }: KnownReadings): Pick<CheckSources, "partialOf" | "readingOf"> {
  return {
    ...(partialOf && {
      partialOf: (device: string) => {
        const own = partialOf(device);
        // Of a device that contradicts itself nothing follows: the proposer may know the other reading.
        return own?.equivocation ? undefined : own;
      },
    }),
    ...(readingOf && {
      readingOf: async (device: string) => {
        const own = await readingOf(device);
        return own && anchoredReading(own);
      },
    }),
  };
}

/** An open reading as `challengeOmission` takes it. */
function anchoredReading({ fields, place, signer, signature }: OpenReading): AnchoredReading {
  return { reading: fields, readingPlace: place, signer: fromHex(signer), signature: fromHex(signature) };
}

function treeOf({ readings }: PublishedBatch, registry: RegistryDomain): MerkleTree {
  const hasher = new ReadingHasher(registry);
  const digests = readings.map((item) => {
    if ("digest" in item) return item.digest;
    const { device, sequence, time, schema, content } = item.reading;
    return hasher.reading(device, sequence, time, schema, content);
  });
  return MerkleTree.over(concat(...digests));
}
