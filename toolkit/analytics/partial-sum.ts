import { addMember } from "./bloom.js";
import { addDistinct } from "./hyperloglog.js";
import { addToPartial, neutralPartial, packed, partialWords } from "./partials.js";
import { Operation, type Query } from "./query.js";

/**
 * A partial that many readings are added to: what `addToPartial` comes to, one after the other, without packing the words each time. Readings are
 * those of the query's schema and window.
 *
 * @example
 * const sum = new PartialSum(query);
 * for (const { value, time } of readings) sum.add(value, time);
 * const partial = sum.bytes();
 */
export class PartialSum {
  private readonly sketch: Uint8Array | undefined;
  private readonly words: bigint[];
  private readonly step: (words: bigint[], value: bigint, time: bigint) => void;

  constructor(private readonly query: Query) {
    const isSketch = query.operation === Operation.Distinct || query.operation === Operation.Membership;
    this.sketch = isSketch ? neutralPartial(query) : undefined;
    this.words = isSketch ? [] : partialWords(neutralPartial(query));
    this.step = stepOf(query);
  }

  /** Errors: those of `addToPartial`. */
  add(value: bigint, time: bigint): void {
    const { query, sketch } = this;
    if (sketch && query.operation === Operation.Distinct) addDistinct(sketch, value);
    else if (sketch) addMember(sketch, query.hashes, value);
    else this.step(this.words, value < query.lower ? query.lower : value > query.upper ? query.upper : value, time);
  }

  /** The partial's bytes. */
  bytes(): Uint8Array {
    return this.sketch ? this.sketch.slice() : packed(this.words);
  }
}

/** Counts, sums and means are worth a step of their own; the others take the plain way. */
function stepOf(query: Query): (words: bigint[], value: bigint, time: bigint) => void {
  switch (query.operation) {
    case Operation.Count:
      return (words) => {
        words[0] = (words[0] ?? 0n) + 1n;
      };
    case Operation.Sum:
    case Operation.Mean:
      return (words, value) => {
        words[0] = (words[0] ?? 0n) + value;
        if (words.length === 2) words[1] = (words[1] ?? 0n) + 1n;
      };
    case Operation.MinMax:
      return (words, value) => {
        if (value < (words[0] ?? value)) words[0] = value;
        if (value > (words[1] ?? value)) words[1] = value;
      };
    default:
      return (words, value, time) => {
        const partial = packed(words);
        addToPartial(query, partial, value, time);
        for (const [k, word] of partialWords(partial).entries()) words[k] = word;
      };
  }
}
