import { type Decimal, decimalText, plus } from "../internal/decimals.js";
import { SenmlError, type SenmlRecord } from "./senml.js";

/** A record that stands for itself (RFC 8428 §4.6). */
export interface ResolvedRecord {
  readonly name: string;
  readonly unit?: string;
  /** Left out where there is a sum only. */
  readonly value?: Decimal | string | boolean | Uint8Array;
  readonly sum?: Decimal;
  /** Unix seconds. */
  readonly time: Decimal;
  /** Seconds after which the sensor reports again at the latest. */
  readonly updateTime?: Decimal;
}

interface Base {
  readonly name: string;
  readonly time: Decimal;
  readonly unit: string | undefined;
  readonly value: Decimal;
  readonly sum: Decimal | undefined;
}

const ZERO: Decimal = { coefficient: 0n, scale: 0 };
const NAME = /^[A-Za-z0-9][A-Za-z0-9\-:./_]*$/;

/** Times below are seconds from now (RFC 8428 §4.5.3). */
const RELATIVE = 2n ** 28n;

/**
 * What a pack says, without base fields: each record with its whole name, value and time, in the order of time (RFC 8428 §4.6).
 *
 * @param now The time of the signed reading, in Unix seconds: "now" of the records that tell their time from now.
 * @returns The records. Errors: ITC_SENML_NAME for a name that is empty or has other characters than RFC 8428 §4.5.1 allows,
 *   ITC_SENML_VERSION when two records name different versions.
 */
export function resolvePack(records: readonly SenmlRecord[], now: bigint): ResolvedRecord[] {
  let base: Base = { name: "", time: ZERO, unit: undefined, value: ZERO, sum: undefined };
  const versions = new Set(records.flatMap(({ bver }) => bver ?? []));
  if (versions.size > 1) {
    const what = `The pack names the versions ${[...versions].join(" and ")}.`;
    throw new SenmlError("ITC_SENML_VERSION", what, "Name one, in the first record.");
  }
  const resolved = records.map((record) => {
    base = baseAfter(base, record);
    return resolve(base, record, now);
  });
  return resolved.sort((a, b) => compare(a.time, b.time));
}

function baseAfter(base: Base, { bn, bt, bu, bv, bs }: SenmlRecord): Base {
  return {
    name: bn ?? base.name,
    time: bt ?? base.time,
    unit: bu ?? base.unit,
    value: bv ?? base.value,
    sum: bs ?? base.sum,
  };
}

function resolve(base: Base, record: SenmlRecord, now: bigint): ResolvedRecord {
  const name = base.name + (record.n ?? "");
  if (!NAME.test(name)) {
    const next = "Begin with a letter or digit, and use letters, digits and -:./_ only.";
    throw new SenmlError("ITC_SENML_NAME", `The record's name "${name}" isn't one.`, next);
  }
  const unit = record.u ?? base.unit;
  const value = record.v ? plus(base.value, record.v) : (record.vs ?? record.vb ?? record.vd);
  const sum = record.s || base.sum ? plus(base.sum ?? ZERO, record.s ?? ZERO) : undefined;
  const time = plus(base.time, record.t ?? ZERO);
  const isRelative = time.coefficient < RELATIVE * 10n ** BigInt(time.scale);
  return {
    name,
    ...(unit !== undefined && { unit }),
    ...(value !== undefined && { value }),
    ...(sum !== undefined && { sum }),
    time: isRelative ? plus({ coefficient: now, scale: 0 }, time) : time,
    ...(record.ut && { updateTime: record.ut }),
  };
}

function compare(a: Decimal, b: Decimal): number {
  const difference = plus(a, { ...b, coefficient: -b.coefficient }).coefficient;
  return difference < 0n ? -1 : Number(difference > 0n);
}

/** One line for people, such as `urn:dev:mac:0024befffe804ff1:temp = 21.5 Cel`. */
export function describeRecord({ name, unit, value, sum }: ResolvedRecord): string {
  const isDecimal = typeof value === "object" && "coefficient" in value;
  const shown = isDecimal ? decimalText(value) : value instanceof Uint8Array ? `${value.length} bytes` : (value ?? "");
  const total = sum ? ` (sum ${decimalText(sum)})` : "";
  return `${name} = ${shown}${unit === undefined ? "" : ` ${unit}`}${total}`;
}
