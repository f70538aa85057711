import { QuestionDesk__factory } from "../contracts.js";
import type { OpenReading } from "./answer.js";
import type { AnalysisRequest } from "./requests.js";
import { leafWords, type ResultLeaf } from "./result-tree.js";
import { calldataOf, type PlannedCall } from "./sender.js";
import type { Opening } from "./watch-book.js";
import type { ProvedBatch } from "./zk-answer.js";

const desk = QuestionDesk__factory.createInterface();

/** Where an answer begins. */
export const NO_OPENING: Opening = { count: 0n, start: 0n, last: 0n, aggregate: "0x", ranges: "0x" };

/** What an answer to a question about a partial is made of. */
export interface AnswerMaterial {
  readonly analytics: string;
  readonly desk: string;
  readonly request: AnalysisRequest;
  readonly leaf: ResultLeaf;
  /** Of the device; those that the leaf doesn't count are passed over. */
  readonly readings: readonly OpenReading[];
  /** Go before readings. */
  readonly proofs: readonly ProvedBatch[];
  /** Most readings, and bytes of calldata, of a transaction. */
  readonly mostReadings: number;
  readonly mostCalldata: number;
}

type Step = { readonly proof: ProvedBatch } | { readonly readings: readonly OpenReading[] };

/**
 * The call that comes next in an answer: all readings at once where they fit, else a part. Undefined where readings and proofs don't make up all that the
 * leaf counts: parts would be paid for nothing.
 *
 * @param before What was laid open so far.
 */
export function nextPart(before: Opening, material: AnswerMaterial): PlannedCall | undefined {
  const steps = stepsOf(material);
  const step = steps?.map((one) => after(before, one)).find((one) => one !== undefined);
  if (!step) return undefined;
  const { analytics, desk: to, request, leaf, mostReadings, mostCalldata } = material;
  const words = leafWords(leaf);
  const { count, start, last, aggregate, ranges } = before;
  const opening = { count, start, last, aggregate, ranges };
  if ("proof" in step) {
    const data = desk.encodeFunctionData("layProof", [analytics, request, words, opening, step.proof]);
    return { name: `layProof ${leaf.device}`, to, data };
  }
  const part = (size: number): PlannedCall => {
    const readings = step.readings.slice(0, size);
    if (count === 0n && BigInt(size) === leaf.count) {
      const data = desk.encodeFunctionData("answerWithReadings", [analytics, request, words, readings]);
      return { name: `answerWithReadings ${leaf.device}`, to, data };
    }
    const data = desk.encodeFunctionData("layReadings", [analytics, request, words, opening, readings]);
    return { name: `layReadings ${leaf.device}`, to, data };
  };
  let size = Math.min(step.readings.length, mostReadings);
  let call = part(size);
  while (size > 1 && calldataOf(call) > mostCalldata) {
    size = Math.max(1, Math.floor((size * mostCalldata) / calldataOf(call)) - 1);
    call = part(size);
  }
  return call;
}

/** What is left of a step. */
function after({ count, last }: Opening, step: Step): Step | undefined {
  if (count === 0n) return step;
  if ("proof" in step) return step.proof.firstSequence > last ? step : undefined;
  const readings = step.readings.filter(({ fields }) => fields.sequence > last);
  return readings.length > 0 ? { readings } : undefined;
}

/** Proofs and runs of readings that make up all that a leaf counts, in order. */
function stepsOf({ leaf, readings, proofs }: AnswerMaterial): Step[] | undefined {
  const bySequence = new Map(readings.map((reading) => [reading.fields.sequence, reading]));
  const byFirst = new Map(proofs.map((proof) => [proof.firstSequence, proof]));
  const steps: Step[] = [];
  let run: OpenReading[] = [];
  for (const [first, last] of rangesIn(leaf.evidence[0])) {
    for (let sequence = first; sequence <= last; ) {
      const proof = byFirst.get(sequence);
      if (proof && sequence + proof.count - 1n <= last) {
        if (run.length > 0) steps.push({ readings: run });
        steps.push({ proof });
        [run, sequence] = [[], sequence + proof.count];
        continue;
      }
      const reading = bySequence.get(sequence++);
      if (!reading) return undefined;
      run.push(reading);
    }
  }
  return run.length > 0 ? [...steps, { readings: run }] : steps;
}

function rangesIn(evidence: Uint8Array): [first: bigint, last: bigint][] {
  const view = new DataView(evidence.buffer, evidence.byteOffset, evidence.byteLength);
  return Array.from({ length: evidence.length / 16 }, (_, k) => [
    view.getBigUint64(16 * k),
    view.getBigUint64(16 * k + 8),
  ]);
}
