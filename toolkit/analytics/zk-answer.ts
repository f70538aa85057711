import type { ProvableBatch } from "../anchoring/gateway-committing.js";
import { boundValues, commitValues, ZkError } from "../anchoring/zk-values.js";
import { fromHex, sameBytes, toHex } from "../internal/bytes.js";
import { Operation, type Query } from "./query.js";
import { type Circuit, circuitFor, type ProvingKey, proveHistogram, proveSum } from "./zk-prove.js";

/** A batch of a device's own log with the proof of its partial; see `ProvedBatch` in Solidity. Bytes are hex. */
export interface ProvedBatch {
  readonly index: bigint;
  readonly entryTime: bigint;
  readonly root: string;
  readonly count: bigint;
  readonly first: bigint;
  readonly last: bigint;
  readonly values: string;
  readonly logSiblings: string[];
  readonly firstSequence: bigint;
  readonly words: bigint[];
  readonly proof: string;
}

/** Which request a batch is proved for. */
export interface ProvedRequest {
  /** The request's id. */
  readonly id: string;
  readonly query: Query;
}

/**
 * Proves what a batch adds to a request's partial, for `QuestionDesk.layProof`. It reveals the batch's sum and count, or its histogram, and no reading.
 *
 * @param batch Of `Committing.provable`: all of it within the request's window and bounds.
 * @param logSiblings Of the entry in the device's log as it is now: `(await readLog(provider, anchor, device)).range.prove(index)`.
 * @param keyOf The proving key of a circuit.
 * Errors: ITC_ZK_COMMITMENT for values that the header doesn't commit to; ITC_ZK_OPERATION for a request that is no count, sum, mean or histogram; those of `proveSum`.
 */
export async function proveBatch(
  { index, time, header, committed }: ProvableBatch,
  { id, query }: ProvedRequest,
  logSiblings: readonly Uint8Array[],
  keyOf: (circuit: Circuit) => ProvingKey | Promise<ProvingKey>,
): Promise<ProvedBatch> {
  if (!sameBytes(boundValues(committed), header.values)) {
    const what = `The values of entry ${index} aren't those that its header commits to.`;
    throw new ZkError("ITC_ZK_COMMITMENT", what, "Take header and values of one batch, unchanged.");
  }
  const { words, proof } = await partialOf();
  const { root, count, first, last } = header;
  return {
    index,
    entryTime: time,
    root: toHex(root),
    count,
    first,
    last,
    values: toHex(commitValues(committed)),
    logSiblings: logSiblings.map(toHex),
    firstSequence: committed.firstSequence,
    words,
    proof: toHex(proof),
  };

  async function partialOf(): Promise<{ words: bigint[]; proof: Uint8Array }> {
    const { operation, size, lower, upper } = query;
    const about = { request: fromHex(id), lower, upper };
    const many = committed.values.length;
    if (operation === Operation.Histogram) {
      const { counts, proof } = await proveHistogram(
        committed,
        { ...about, size },
        await keyOf(circuitFor("histogram", many)),
      );
      return { words: counts, proof };
    }
    if (operation > Operation.Mean) {
      throw new ZkError("ITC_ZK_OPERATION", `Operation ${operation} has no circuit.`, "Open the readings instead.");
    }
    const { sum, proof } = await proveSum(committed, about, await keyOf(circuitFor("sum", many)));
    return { words: [BigInt.asUintN(256, sum)], proof };
  }
}
