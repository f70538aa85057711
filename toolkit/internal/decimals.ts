/** An exact decimal number: coefficient × 10^-scale. In its one normal form the scale is the smallest that there is, and never below 0. */
export interface Decimal {
  readonly coefficient: bigint;
  readonly scale: number;
}

/** What is taken for a decimal: a number stands for the shortest decimal that reads as it, which is what JSON would have written. */
export type DecimalInput = Decimal | bigint | number;

/** Most digits behind the point. */
export const MAX_SCALE = 18;

const SPELLING = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/;

/** The normal form. Errors: RangeError for what isn't finite, or has more than {@link MAX_SCALE} digits behind the point. */
export function decimalOf(input: DecimalInput): Decimal {
  if (typeof input === "bigint") return { coefficient: input, scale: 0 };
  return normal(typeof input === "number" ? spelled(input) : input);
}

/** The sum, exactly. */
export function plus(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale);
  return normal({ coefficient: scaled(a, scale) + scaled(b, scale), scale });
}

/** Plain digits, such as `-0.05`. */
export function decimalText({ coefficient, scale }: Decimal): string {
  const digits = (coefficient < 0n ? -coefficient : coefficient).toString().padStart(scale + 1, "0");
  const point = digits.length - scale;
  const sign = coefficient < 0n ? "-" : "";
  return `${sign}${digits.slice(0, point)}${scale > 0 ? `.${digits.slice(point)}` : ""}`;
}

function spelled(value: number): Decimal {
  const [, sign, whole = "", fraction = "", exponent = "0"] = SPELLING.exec(String(value)) ?? [];
  if (whole === "") throw new RangeError(`${value} is no decimal number.`);
  const shift = Number(exponent) - fraction.length;
  const digits = BigInt(`${sign}${whole}${fraction}`);
  return shift < 0 ? { coefficient: digits, scale: -shift } : { coefficient: digits * 10n ** BigInt(shift), scale: 0 };
}

function normal({ coefficient, scale }: Decimal): Decimal {
  let [digits, places] = [coefficient, coefficient === 0n ? 0 : scale];
  for (; places > 0 && digits % 10n === 0n; places--) digits /= 10n;
  if (!Number.isInteger(places) || places < 0 || places > MAX_SCALE) {
    throw new RangeError(`${coefficient} by 10^${-scale} doesn't have 0 to ${MAX_SCALE} digits behind the point.`);
  }
  return { coefficient: digits, scale: places };
}

function scaled({ coefficient, scale }: Decimal, to: number): bigint {
  return coefficient * 10n ** BigInt(to - scale);
}
