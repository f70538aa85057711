import { type CommittedValues, commitValues, isCommittable, VALUE_OFFSET, ZkError } from "../anchoring/zk-values.js";
import { keccak256, toHex } from "../internal/bytes.js";

/** What of a request a proof is about. */
export interface ProvableQuery {
  /** The request's id, 32 bytes. */
  readonly request: Uint8Array;
  /** Least value that the request takes; a batch with a lower one can't be proved. */
  readonly lower: bigint;
  /** Greatest. */
  readonly upper: bigint;
}

/** Most bins of a histogram that is proved. */
const MAX_BINS = 16;

/** Public inputs of a circuit, by the names that it gives them. */
export type Statement = Readonly<Record<string, bigint>>;

/** The sum, and what is proved of it. Errors: ITC_ZK_VALUES, ITC_ZK_BOUNDS. */
export function sumStatement(committed: CommittedValues, query: ProvableQuery): { sum: bigint; statement: Statement } {
  check(committed, query);
  const sum = committed.values.reduce((total, value) => total + value, 0n);
  const offset = sum + VALUE_OFFSET * BigInt(committed.values.length);
  const claim = (offset << 200n) | (boundsOf(query) << 120n) | contextOf(query.request);
  return { sum, statement: { ...batchOf(committed), claim } };
}

/**
 * The values in each of `size` bins, and what is proved of them. Bins have one width, the least with which they cover [lower, upper].
 *
 * Errors: ITC_ZK_VALUES, ITC_ZK_BOUNDS.
 */
export function histogramStatement(
  committed: CommittedValues,
  query: ProvableQuery & { readonly size: number },
): { bins: bigint[]; statement: Statement } {
  const { request, lower, upper, size } = query;
  check(committed, query);
  if (!Number.isInteger(size) || size < 2 || size > MAX_BINS) {
    throw new ZkError("ITC_ZK_BOUNDS", `A histogram of ${size} bins can't be proved.`, `Ask for 2 to ${MAX_BINS}.`);
  }
  const width = (upper - lower + BigInt(size)) / BigInt(size);
  const bins = Array.from({ length: size }, () => 0n);
  for (const value of committed.values) {
    const bin = Number((value - lower) / width);
    bins[bin] = (bins[bin] ?? 0n) + 1n;
  }
  const claim = (boundsOf(query) << 160n) | (width << 120n) | contextOf(request);
  const counts = bins.reduce((packed, count, bin) => packed | (count << BigInt(9 * bin)), 0n);
  return { bins, statement: { ...batchOf(committed), claim, counts } };
}

function check({ values }: CommittedValues, { lower, upper }: ProvableQuery): void {
  const fits = lower <= upper && isCommittable([lower, upper]);
  if (fits && values.every((value) => value >= lower && value <= upper)) return;
  throw new ZkError(
    "ITC_ZK_BOUNDS",
    fits ? `A value isn't within [${lower}, ${upper}].` : `[${lower}, ${upper}] aren't bounds that a proof can have.`,
    "Only a batch can be proved whose values are all within the request's bounds, and these from -2^39 up to 2^39; open its readings instead.",
  );
}

function batchOf(committed: CommittedValues): Statement {
  const { device, firstSequence, values } = committed;
  const batch = (BigInt(device) << 80n) | (firstSequence << 16n) | BigInt(values.length);
  return { batch, commitment: BigInt(toHex(commitValues(committed))) };
}

function boundsOf({ lower, upper }: ProvableQuery): bigint {
  return ((lower + VALUE_OFFSET) << 40n) | (upper + VALUE_OFFSET);
}

function contextOf(request: Uint8Array): bigint {
  return BigInt(toHex(keccak256(request))) >> 136n;
}
