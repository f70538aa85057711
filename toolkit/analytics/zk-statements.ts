import { AbiCoder, keccak256 } from "ethers";
import { type CommittedValues, commitValues, isCommittable, VALUE_OFFSET, ZkError } from "../anchoring/zk-values.js";
import { toHex } from "../internal/bytes.js";

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
const MAX_BINS = 64;
const BINS_PER_WORD = 16;
/** Order of the field that circuits compute in. */
const ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;

/** Public inputs of a circuit, by the names that it gives them. */
export type Statement = Readonly<Record<string, bigint>>;

/** The sum, and what is proved of it. Errors: ITC_ZK_VALUES, ITC_ZK_BOUNDS. */
export function sumStatement(committed: CommittedValues, query: ProvableQuery): { sum: bigint; statement: Statement } {
  check(committed, query);
  const { device, firstSequence, values } = committed;
  const sum = values.reduce((total, value) => total + value, 0n);
  const count = BigInt(values.length);
  const context = hashOf(["bytes32", "address", "uint64"], [query.request, device, firstSequence]) >> 140n;
  const claim = ((sum + VALUE_OFFSET * count) << 205n) | (boundsOf(query) << 125n) | (count << 116n) | context;
  return { sum, statement: { claim, commitment: commitmentOf(committed) } };
}

/**
 * The values in each of `size` bins, the same as the verifier takes them, and what is proved of them. Bins have one width, the least with which
 * they cover [lower, upper].
 *
 * Errors: ITC_ZK_VALUES, ITC_ZK_BOUNDS.
 */
export function histogramStatement(
  committed: CommittedValues,
  query: ProvableQuery & { readonly size: number },
): { bins: bigint[]; counts: bigint[]; statement: Statement } {
  const { request, lower, upper, size } = query;
  check(committed, query);
  if (!Number.isInteger(size) || size < 2 || size > MAX_BINS) {
    throw new ZkError("ITC_ZK_BOUNDS", `A histogram of ${size} bins can't be proved.`, `Ask for 2 to ${MAX_BINS}.`);
  }
  const { device, firstSequence, values } = committed;
  const width = (upper - lower + BigInt(size)) / BigInt(size);
  const bins = Array.from({ length: size }, () => 0n);
  for (const value of values) {
    const bin = Number((value - lower) / width);
    bins[bin] = (bins[bin] ?? 0n) + 1n;
  }
  const counts = packedBins(bins);
  const commitment = commitmentOf(committed);
  const challenge =
    hashOf(
      ["bytes32", "tuple(uint256, address, uint64, uint64)", "int64", "int64", "uint256", "uint256[]"],
      [request, [commitment, device, firstSequence, values.length], lower, upper, width, counts],
    ) >> 132n;
  const claim = (BigInt(values.length) << 244n) | (boundsOf(query) << 164n) | (width << 124n) | challenge;
  const combined = counts.reduceRight((total, word) => (total * challenge + word) % ORDER, 0n);
  return { bins, counts, statement: { claim, counts: combined, commitment } };
}

/** Bins as `IPartialVerifier.verifyHistogram` takes them: 16 a word, 16 bits each, the first in the lowest bits. */
function packedBins(bins: readonly bigint[]): bigint[] {
  return Array.from({ length: Math.ceil(bins.length / BINS_PER_WORD) }, (_, k) =>
    bins
      .slice(k * BINS_PER_WORD, (k + 1) * BINS_PER_WORD)
      .reduce((word, count, place) => word | (count << BigInt(16 * place)), 0n),
  );
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

function commitmentOf(committed: CommittedValues): bigint {
  return BigInt(toHex(commitValues(committed)));
}

function boundsOf({ lower, upper }: ProvableQuery): bigint {
  return ((lower + VALUE_OFFSET) << 40n) | (upper + VALUE_OFFSET);
}

function hashOf(types: readonly string[], values: readonly unknown[]): bigint {
  return BigInt(keccak256(AbiCoder.defaultAbiCoder().encode(types, values)));
}
