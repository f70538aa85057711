import type { BatchHeader } from "../anchoring/batches.js";
import { fromHex, toHex } from "../internal/bytes.js";
import type { ProvedBatch } from "./answer-parts.js";
import { Operation, type Query } from "./query.js";
import { type Circuit, circuitFor, type ProvingKey, proveHistogram, proveSum } from "./zk-prove.js";
import type { CommittedValues } from "./zk-values.js";

/** A batch in a device's own log whose header commits to the values. */
export interface CommittedBatch {
  readonly committed: CommittedValues;
  readonly header: BatchHeader;
  readonly index: bigint;
  /** When the entry came, Unix seconds. */
  readonly entryTime: bigint;
  /** From the entry up to its peak in the log as it is now: `MountainRange.prove`. */
  readonly logSiblings: readonly Uint8Array[];
}

/**
 * Proves what a batch comes to, for `QuestionDesk.layProof`. Undefined for a query whose partials no proof shows: only counts, sums, means, and histograms of
 * at most 16 bins.
 *
 * @param id The request's.
 * @param keyOf The proving key of a circuit.
 * Errors: as `proveSum`.
 * @example
 * const answerer = new Answerer({ …, proofsOf: async (id, device) => [await proveBatch(batchOf(device), id, query, keyOf)] });
 */
export async function proveBatch(
  { committed, header, index, entryTime, logSiblings }: CommittedBatch,
  id: string,
  query: Query,
  keyOf: (circuit: Circuit) => Promise<ProvingKey>,
): Promise<ProvedBatch | undefined> {
  const { operation, size, lower, upper } = query;
  const isHistogram = operation === Operation.Histogram;
  if (isHistogram ? size > 16 : operation > Operation.Mean) return undefined;
  const key = await keyOf(circuitFor(isHistogram ? "histogram" : "sum", committed.values.length));
  const bounds = { request: fromHex(id), lower, upper };
  const { words, proof } = isHistogram
    ? await proveHistogram(committed, { ...bounds, size }, key).then(({ bins, proof }) => ({ words: bins, proof }))
    : await proveSum(committed, bounds, key).then(({ sum, proof }) => ({ words: [BigInt.asUintN(256, sum)], proof }));
  const { root, count, first, last, values } = header;
  return {
    ...{ index, entryTime, count, first, last, words },
    root: toHex(root),
    values: toHex(values),
    logSiblings: logSiblings.map(toHex),
    firstSequence: committed.firstSequence,
    proof: toHex(proof),
  };
}
