import { intBytes, keccak256 } from "../internal/bytes.js";
import { rootOf } from "../internal/ratios.js";

const POINT = 128n;
const ONE = 1n << POINT;
/** 1 / (2 ln 2) in fixed point. */
const ALPHA = 0xb8aa3b295c17f0bbbe87fed0691d3e88n;
const INFINITE = 2n ** 256n - 1n;

/**
 * log2 of how many registers there are.
 * Errors: RangeError unless their number is a power of two from 32 to 65,536.
 */
function precisionOf(registers: Uint8Array): number {
  const { length } = registers;
  if (length < 32 || length > 65536 || (length & (length - 1)) !== 0)
    throw new RangeError(`${length} registers are no power of two from 32 to 65,536.`);
  return 31 - Math.clz32(length);
}

/** The highest rank that a register can hold; as `HyperLogLog.maxRank` in Solidity. Errors: RangeError for a wrong number of registers. */
export function maxRank(registers: Uint8Array): number {
  return 65 - precisionOf(registers);
}

/**
 * Lets HyperLogLog registers see a value, in place; as `HyperLogLog.add` in Solidity: of the first 64 bits of
 * keccak256(abi.encode(value)), the first p say which register, the zeros that lead the rest, plus 1, are the rank.
 *
 * Errors: RangeError for a wrong number of registers.
 */
export function addDistinct(registers: Uint8Array, value: bigint): void {
  const hash = keccak256(intBytes(value, 32));
  const view = new DataView(hash.buffer, hash.byteOffset);
  addHash(registers, view.getUint32(0), view.getUint32(4));
}

/** The same for a value whose hash begins with these two words of 32 bits. */
export function addHash(registers: Uint8Array, first: number, second: number): void {
  const precision = precisionOf(registers);
  const place = first >>> (32 - precision);
  const head = (first << precision) >>> 0;
  const zeros = head === 0 ? 32 - precision + Math.clz32(second) : Math.clz32(head);
  registers[place] = Math.max(registers[place] ?? 0, zeros + 1);
}

/** The greater of each two registers. Errors: RangeError for different numbers of them. */
export function mergeDistinct(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length !== b.length) throw new RangeError(`${a.length} and ${b.length} registers can't be merged.`);
  return a.map((register, k) => Math.max(register, b[k] ?? 0));
}

/** Whether no register holds a rank that there isn't. Errors: RangeError for a wrong number of registers. */
export function hasRightRanks(registers: Uint8Array): boolean {
  const highest = maxRank(registers);
  return registers.every((register) => register <= highest);
}

/**
 * How many distinct values HyperLogLog registers have seen, to the nearest whole number; bit for bit `HyperLogLog.estimate` in Solidity.
 * The improved estimator of Ertl 2017 (https://arxiv.org/abs/1702.01284, algorithm 6), with 128 bits behind the point. The maximum of
 * uint256 stands for infinity, which is what full registers say.
 *
 * Errors: RangeError for a wrong number of registers.
 */
export function estimateDistinct(registers: Uint8Array): bigint {
  const top = maxRank(registers);
  const size = BigInt(registers.length);
  const counts = new Array<number>(256).fill(0);
  for (const register of registers) counts[register] = (counts[register] ?? 0) + 1;
  const empty = BigInt(counts[0] ?? 0);
  const full = BigInt(counts[top] ?? 0);
  if (empty === size) return 0n;
  let sum = size * sigma((empty * ONE) / size) + ((size * tau(((size - full) * ONE) / size)) >> BigInt(top - 1));
  for (const [rank, count] of counts.entries())
    if (rank !== 0 && rank !== top) sum += BigInt(count) * (ONE >> BigInt(rank));
  return sum === 0n ? INFINITE : (ALPHA * size * size + sum / 2n) / sum;
}

/** x + Σ x^(2^k) 2^(k-1) over k > 0, for x < 1: what empty registers say. */
function sigma(x: bigint): bigint {
  let sum = x;
  let power = x;
  for (let k = 0n; power !== 0n; k++) {
    power = (power * power) >> POINT;
    sum += power << k;
  }
  return sum;
}

/** (1 - x - Σ (1 - x^(2^-k))² 2^-k over k > 0) / 3: what full registers say. */
function tau(x: bigint): bigint {
  if (x === 0n || x === ONE) return 0n;
  let sum = ONE - x;
  let root = x;
  let term = ONE;
  for (let k = 1n; term !== 0n; k++) {
    root = rootOf(root << POINT);
    term = ((ONE - root) * (ONE - root)) >> (POINT + k);
    sum -= term;
  }
  return sum / 3n;
}
