import { intBytes, keccak256 } from "../internal/bytes.js";
import { bitsOf } from "../internal/ratios.js";

/** The natural logarithm of 2, with 64 bits behind the point. */
const LN2 = 0xb17217f7d1cf79abn;
const INFINITE = 2n ** 256n - 1n;

/**
 * Lets a Bloom filter see a value, in place; as `BloomFilter.add` in Solidity: the value sets the bits (a + i b) mod the filter's bits, a and
 * b being the upper and the lower 128 bits of keccak256(abi.encode(value)), b made odd. Bit 0 is the first bit of the first byte.
 *
 * Errors: RangeError unless the filter has a power of two from 256 to 65,536 bits.
 */
export function addMember(filter: Uint8Array, hashes: number, value: bigint): void {
  for (const place of placesOf(filter, hashes, value)) filter[place >> 3] = (filter[place >> 3] ?? 0) | bit(place);
}

/** Whether a Bloom filter may have seen a value; `false` is certain. Errors: RangeError as in {@link addMember}. */
export function hasMember(filter: Uint8Array, hashes: number, value: bigint): boolean {
  return placesOf(filter, hashes, value).every((place) => ((filter[place >> 3] ?? 0) & bit(place)) !== 0);
}

/** The bits that are set in either filter. Errors: RangeError for filters of different lengths. */
export function mergeMembers(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length !== b.length) throw new RangeError(`Filters of ${a.length} and ${b.length} bytes can't be merged.`);
  return a.map((byte, k) => byte | (b[k] ?? 0));
}

/** How many bits of a filter are set. */
export function fillOf(filter: Uint8Array): number {
  let set = 0;
  for (const byte of filter) for (let rest = byte; rest !== 0; rest &= rest - 1) set++;
  return set;
}

/**
 * How many distinct values a Bloom filter has seen, to the nearest whole number: -(bits / hashes) ln(1 - fill / bits), after Swamidass and
 * Baldi 2007; bit for bit `BloomFilter.estimate` in Solidity. The maximum of uint256 stands for infinity: all bits are set.
 *
 * Errors: RangeError as in {@link addMember}, and for no hashes.
 */
export function estimateMembers(filter: Uint8Array, hashes: number): bigint {
  if (hashes === 0) throw new RangeError("A filter that sets no bits says nothing.");
  const bits = sizeOf(filter);
  const clear = bits - fillOf(filter);
  if (clear === 0) return INFINITE;
  const product = BigInt(bits) * (log2(BigInt(bits)) - log2(BigInt(clear))) * LN2;
  const divisor = BigInt(hashes) << 128n;
  return (product + divisor / 2n) / divisor;
}

function sizeOf({ length }: Uint8Array): number {
  if (length < 32 || length > 8192 || (length & (length - 1)) !== 0)
    throw new RangeError(`${length} bytes are no power of two from 32 to 8,192.`);
  return length * 8;
}

function placesOf(filter: Uint8Array, hashes: number, value: bigint): number[] {
  const mask = sizeOf(filter) - 1;
  const hash = keccak256(intBytes(value, 32));
  const view = new DataView(hash.buffer, hash.byteOffset);
  // Only the low bits of a + i b count, so 32 of each are enough.
  const [place, step] = [view.getUint32(12), view.getUint32(28) | 1];
  return Array.from({ length: hashes }, (_, k) => (place + Math.imul(k, step)) & mask);
}

function bit(place: number): number {
  return 0x80 >> (place & 7);
}

/** The logarithm to base 2 with 64 bits behind the point, rounded down: each squaring of a number from 1 to 2 gives the next bit. */
function log2(x: bigint): bigint {
  const whole = bitsOf(x) - 1;
  let result = BigInt(whole);
  let rest = x << BigInt(127 - whole);
  for (let k = 0; k < 64; k++) {
    rest = (rest * rest) >> 127n;
    const next = rest >> 128n;
    rest >>= next;
    result = (result << 1n) | next;
  }
  return result;
}
