import type { Reading } from "../identity/digests.js";
import { toHex } from "../internal/bytes.js";
import { NO_VALUES } from "./batches.js";
import type { Evidence } from "./evidence.js";

/** What stands in the place of a batch for a reading that is an entry of its own. */
const ALONE = { count: 0n, first: 0n, last: 0n, values: NO_VALUES, proof: { path: 0n, siblings: [] } };

/** What `DataAnchor.verifyReading` takes of a reading: the struct `ReadingFields`. */
export interface ReadingFields {
  readonly device: string;
  readonly sequence: bigint;
  readonly time: bigint;
  readonly schema: string;
  readonly content: string;
}

/** Where the reading is: the struct `ReadingPlace`. Lists are mutable, as the bindings take them. */
export interface ReadingPlace {
  readonly publisher: string;
  readonly index: bigint;
  readonly entryTime: bigint;
  readonly count: bigint;
  readonly first: bigint;
  readonly last: bigint;
  readonly values: string;
  readonly path: bigint;
  readonly batchSiblings: string[];
  readonly logSiblings: string[];
}

/**
 * Evidence as a contract takes it, in one call of `DataAnchor.verifyReading` or `verifySignedReading`.
 *
 * @param logSiblings Those of the log as it is now, where it has grown since the evidence was made: `readLog` and `MountainRange.prove`.
 * @example
 * const [reading, place] = onChain(readEvidence(json));
 * await anchor.verifySignedReading(reading, place, signerOf(key, addresses), signature);
 */
export function onChain(
  { reading, batch, entry }: { readonly reading: Reading } & Pick<Evidence, "batch" | "entry">,
  logSiblings: readonly Uint8Array[] = entry.siblings,
): [ReadingFields, ReadingPlace] {
  const { device, sequence, time, schema, content } = reading;
  const { count, first, last, values, proof } = batch ?? ALONE;
  return [
    { device, sequence, time, schema: toHex(schema), content: toHex(content) },
    {
      publisher: entry.publisher,
      index: entry.index,
      entryTime: entry.time,
      ...{ count, first, last, values: toHex(values), path: proof.path },
      batchSiblings: proof.siblings.map(toHex),
      logSiblings: logSiblings.map(toHex),
    },
  ];
}
