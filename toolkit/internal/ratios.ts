/** An exact fraction; the denominator is above 0. */
export interface Ratio {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** The greatest whole number whose square isn't above `n`. Errors: RangeError below 0. */
export function rootOf(n: bigint): bigint {
  if (n < 0n) throw new RangeError("A number below 0 has no root.");
  if (n < 2n) return n;
  // Newton's method from above falls until it is there.
  let root = 1n << BigInt((bitsOf(n) + 1) >> 1);
  for (;;) {
    const next = (root + n / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** How many binary digits a number above 0 has; 0 has none. */
export function bitsOf(n: bigint): number {
  const hex = n.toString(16);
  return n === 0n ? 0 : hex.length * 4 - Math.clz32(Number.parseInt(hex.charAt(0), 16)) + 28;
}

/** The number that is nearest to a fraction. */
export function nearest({ numerator, denominator }: Ratio): number {
  if (numerator === 0n) return 0;
  const size = numerator < 0n ? -numerator : numerator;
  const shift = 66 - bitsOf(size) + bitsOf(denominator);
  const [top, bottom] = shift >= 0 ? [size << BigInt(shift), denominator] : [size, denominator << BigInt(-shift)];
  // The last bit says whether something was cut off, so that the one rounding there is, to 53 bits, is right.
  const quotient = (top / bottom) | (top % bottom === 0n ? 0n : 1n);
  return Math.sign(Number(numerator)) * Number(quotient) * 2 ** -shift;
}
