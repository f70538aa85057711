import { decode, encode, rfc8949EncodeOptions, Tagged } from "cborg";
import { z } from "zod";
import { IotchainError } from "../errors.js";
import { keccak256, sameBytes } from "../internal/bytes.js";
import { type Decimal, type DecimalInput, decimalOf, MAX_SCALE } from "../internal/decimals.js";
import type { PayloadContent } from "./contents.js";
import { unitKind } from "./senml-units.js";

/** A pack that isn't one, or not in its one encoding. */
export class SenmlError extends IotchainError {}

export { SENML_SCHEMA } from "./contents.js";

/** Largest pack, in bytes. A reading of a device has a few hundred. */
export const MAX_PACK_BYTES = 64 * 1024;

/**
 * A SenML record under the labels of RFC 8428 §4: base name, time, unit, value, sum and version; name, unit, one value (number, text,
 * boolean or bytes), sum, time, update time. Times are Unix seconds, or seconds from now below 2^28.
 */
export interface SenmlRecord<Numeric = Decimal> {
  readonly bn?: string;
  readonly bt?: Numeric;
  readonly bu?: string;
  readonly bv?: Numeric;
  readonly bs?: Numeric;
  /** 10 of RFC 8428; 26 says that secondary units may occur (RFC 9100). */
  readonly bver?: number;
  readonly n?: string;
  readonly u?: string;
  readonly v?: Numeric;
  readonly vs?: string;
  readonly vb?: boolean;
  readonly vd?: Uint8Array;
  readonly s?: Numeric;
  readonly t?: Numeric;
  readonly ut?: Numeric;
}

/** Table 4 of RFC 8428: labels are integers in CBOR. */
const LABELS = {
  bver: -1,
  bn: -2,
  bt: -3,
  bu: -4,
  bv: -5,
  bs: -6,
  n: 0,
  u: 1,
  v: 2,
  vs: 3,
  vb: 4,
  s: 5,
  t: 6,
  ut: 7,
  vd: 8,
};
type Label = keyof typeof LABELS;
const LABEL_OF = new Map<unknown, string>(Object.entries(LABELS).map(([label, code]) => [code, label]));

const DECIMAL_FRACTION = 4;
const MAX_TEXT = 1024;
const MAX_RECORDS = 4096;
const INT64 = 2n ** 63n;

const text = z.string().max(MAX_TEXT);
const isBytes = (value: unknown): value is Uint8Array => value instanceof Uint8Array;

const Numeric = z.custom<DecimalInput>().transform((input, context): Decimal => {
  try {
    const value = decimalOf(input);
    if (value.coefficient >= -INT64 && value.coefficient < INT64) return value;
  } catch {
    // Said below.
  }
  context.addIssue(`expected a number of at most ${MAX_SCALE} digits behind the point and 64 bits in all`);
  return z.NEVER;
});

const Record = z
  .strictObject({
    bver: z.union([z.literal(10), z.literal(26), z.literal(10n), z.literal(26n)]).transform(Number),
    bn: text,
    bt: Numeric,
    bu: text,
    bv: Numeric,
    bs: Numeric,
    n: text,
    u: text,
    v: Numeric,
    vs: z.string().max(MAX_PACK_BYTES),
    vb: z.boolean(),
    vd: z.custom<Uint8Array>(isBytes, "expected bytes"),
    s: Numeric,
    t: Numeric,
    ut: Numeric,
  } satisfies { [Field in Label]: z.ZodType })
  .partial()
  .refine((record) => {
    const values = (["v", "vs", "vb", "vd"] as const).filter((label) => record[label] !== undefined).length;
    return values === 1 || (values === 0 && record.s !== undefined);
  }, "expected one value, or a sum (RFC 8428 §4.2)");
const Pack = z.array(Record).min(1).max(MAX_RECORDS);

/**
 * A SenML pack as bytes, the same for the same records: CBOR of RFC 8428 §6 in the core deterministic encoding of RFC 8949 §4.2.1. Of the
 * three ways that RFC 8428 leaves for a number, an integer is written as one, and every other number as a decimal fraction (tag 4) whose
 * exponent is negative and whose mantissa doesn't end in 0: there are no floats, so that a device needs none.
 *
 * @returns The bytes. Errors: ITC_SENML_RECORD, ITC_SENML_UNIT for a unit that IANA doesn't list, ITC_SENML_TOO_LARGE.
 * @example
 * encodePack([{ bn: "urn:dev:mac:0024befffe804ff1:", bt: 1700000000, n: "temp", u: "Cel", v: 21.5 }]);
 */
export function encodePack(records: readonly SenmlRecord<DecimalInput>[]): Uint8Array {
  const pack = parsed(records);
  checkUnits(pack);
  const bytes = encode(
    pack.map((record) => {
      const entries = Object.entries(record) as [Label, unknown][];
      return new Map(
        entries.flatMap(([label, value]) => (value === undefined ? [] : [[LABELS[label], cborOf(value)]])),
      );
    }),
    rfc8949EncodeOptions,
  );
  requireSize(bytes);
  return bytes;
}

/**
 * Reads what {@link encodePack} wrote, and nothing else: bytes that aren't the one encoding of what they say are refused, as are floats,
 * and labels that must be understood (RFC 8428 §4.4) and aren't. Other unknown labels are passed over, units aren't judged: IANA adds some.
 *
 * @returns The records as they were written; see `resolvePack` for what they mean. Errors: ITC_SENML_TOO_LARGE, ITC_SENML_CBOR,
 *   ITC_SENML_NOT_CANONICAL, ITC_SENML_LABEL, ITC_SENML_RECORD; nothing else is thrown, whatever the bytes are.
 */
export function decodePack(bytes: Uint8Array): SenmlRecord[] {
  requireSize(bytes);
  const pack = decoded(bytes);
  if (!Array.isArray(pack)) throw malformed("The pack is no array of records.");
  return parsed(pack.map(named));
}

/** What a reading with a pack commits to. `salt` has 32 bytes that nobody can guess. */
export function payloadContent(bytes: Uint8Array, salt: Uint8Array): PayloadContent {
  return { kind: "payload", hash: keccak256(bytes), salt };
}

function decoded(bytes: Uint8Array): unknown {
  const again = (value: unknown): Uint8Array => encode(value, rfc8949EncodeOptions);
  let value: unknown;
  let canonical: Uint8Array;
  try {
    const tags = Tagged.preserve(DECIMAL_FRACTION);
    value = decode(bytes, {
      allowIndefinite: false,
      allowUndefined: false,
      allowInfinity: false,
      allowNaN: false,
      rejectDuplicateMapKeys: true,
      strict: true,
      useMaps: true,
      tags,
    });
    canonical = again(value);
  } catch (cause) {
    // Nested deeper than the stack is a RangeError, and as wrong.
    const next = "Write packs by RFC 8428 §6 and RFC 8949 §4.2.1.";
    throw new SenmlError("ITC_SENML_CBOR", "The bytes are not CBOR of definite length.", next, { cause });
  }
  if (sameBytes(canonical, bytes)) return value;
  const next = "Take the shortest heads, and order labels by their bytes (RFC 8949 §4.2.1).";
  throw new SenmlError(
    "ITC_SENML_NOT_CANONICAL",
    "The bytes aren't the deterministic encoding of what they say.",
    next,
  );
}

/** A record under the labels of RFC 8428, with numbers as decimals. */
function named(record: unknown): object {
  if (!(record instanceof Map)) throw malformed("A record is no map.");
  const fields: [string, unknown][] = [];
  for (const [code, value] of record) {
    const label = LABEL_OF.get(code);
    if (label !== undefined) fields.push([label, numberOf(value)]);
    else if (typeof code !== "string" || code.endsWith("_") || Object.hasOwn(LABELS, code)) {
      const what = `The pack has the label ${String(code)}, which must be understood, or written as its number.`;
      throw new SenmlError("ITC_SENML_LABEL", what, "Use the labels of RFC 8428.");
    }
  }
  return Object.fromEntries(fields);
}

function numberOf(value: unknown): unknown {
  if (typeof value === "number") {
    if (Number.isInteger(value)) return BigInt(value);
    throw malformed("A number is a float, expected a decimal fraction.");
  }
  if (!(value instanceof Tagged)) return value;
  const [exponent, mantissa] = Array.isArray(value.value) && value.value.length === 2 ? value.value : [];
  const isWhole = typeof mantissa === "bigint" || Number.isInteger(mantissa);
  if (!isWhole || !Number.isInteger(exponent) || exponent >= 0 || BigInt(mantissa) % 10n === 0n) {
    throw malformed("A decimal fraction isn't in its one form: a negative exponent, a mantissa that doesn't end in 0.");
  }
  return { coefficient: BigInt(mantissa), scale: -exponent };
}

function parsed(records: unknown): SenmlRecord[] {
  const result = Pack.safeParse(records);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw malformed(`The pack's ${issue?.path.join(".") || "list"} is wrong: ${issue?.message ?? "unknown"}.`);
}

/** Secondary units need the version that announces them (RFC 9100 §4). */
function checkUnits(pack: readonly SenmlRecord[]): void {
  const secondary = pack[0]?.bver === 26;
  for (const unit of pack.flatMap(({ bu, u }) => [bu ?? [], u ?? []].flat())) {
    const kind = unitKind(unit);
    if (kind === "primary" || (kind === "secondary" && secondary)) continue;
    const next = kind ? "Set bver to 26 in the first record (RFC 9100)." : "Take one of IANA's SenML units.";
    throw new SenmlError("ITC_SENML_UNIT", `The unit ${unit} can't be used in this pack.`, next);
  }
}

function cborOf(value: unknown): unknown {
  if (typeof value !== "object" || value === null || isBytes(value)) return value;
  const { coefficient, scale } = value as Decimal;
  return scale === 0 ? coefficient : new Tagged(DECIMAL_FRACTION, [-scale, coefficient]);
}

function requireSize({ length }: Uint8Array): void {
  if (length <= MAX_PACK_BYTES) return;
  const what = `The pack has ${length} bytes, ${MAX_PACK_BYTES} is the limit.`;
  throw new SenmlError("ITC_SENML_TOO_LARGE", what, "Split it, or send it as a file.");
}

function malformed(what: string): SenmlError {
  return new SenmlError("ITC_SENML_RECORD", what, "Write records by RFC 8428 §4 and §6.");
}
