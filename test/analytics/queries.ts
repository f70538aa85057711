import { PartialError } from "../../toolkit/analytics/partials.js";
import { Operation, type Query } from "../../toolkit/analytics/query.js";
import { schemaIdOf } from "../../toolkit/anchoring/readings.js";
import type { Dice } from "../invariant/dice.js";

export const OPERATIONS = Object.entries(Operation);
export const ADDITIVE = OPERATIONS.filter(([name]) => !["MinMax", "Distinct", "Membership"].includes(name));

const schema = schemaIdOf({ quantity: "temperature", unit: "Cel", scale: 1 });

/** A sound query for an operation, with changes. */
export function queryOf(operation: Operation, changes: Partial<Query> = {}): Query {
  const sketch = operation === Operation.Distinct || operation === Operation.Membership;
  return {
    schema,
    operation,
    size: { [Operation.Histogram]: 5, [Operation.Distinct]: 10, [Operation.Membership]: 9 }[operation as number] ?? 0,
    hashes: operation === Operation.Membership ? 3 : 0,
    lower: sketch ? 0n : -40n,
    upper: sketch ? 0n : 60n,
    from: 1000n,
    to: 5000n,
    anchoredBy: 6000n,
    cap: 100n,
    ...changes,
  };
}

/** A whole number from `least` to `most`; the ends more often than others. */
export function between(roll: Dice, least: bigint, most: bigint): bigint {
  const end = roll.below(8);
  if (end === 0) return least;
  if (end === 1) return most;
  const drawn = roll.bytes().reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return least + (drawn % (most - least + 1n));
}

/** A sound query for an operation, of any bounds, size and window. */
export function anyQuery(roll: Dice, operation: Operation): Query {
  const query = queryOf(operation);
  const changes: { -readonly [K in keyof Query]?: Query[K] } = { cap: between(roll, 1n, 1000n) };
  changes.from = between(roll, 0n, 2n ** 40n);
  changes.to = changes.from + between(roll, 1n, 2n ** 30n);
  changes.anchoredBy = changes.to + between(roll, 0n, 1000n) - 1n;
  if (operation === Operation.Distinct) return { ...query, ...changes, size: 10 + roll.below(3) };
  if (operation === Operation.Membership)
    return { ...query, ...changes, size: 8 + roll.below(5), hashes: 1 + roll.below(16) };
  const bits = operation === Operation.Regression ? 2n ** 42n : 2n ** 63n;
  changes.lower = between(roll, -bits, bits - 1n);
  changes.upper = between(roll, changes.lower, bits - 1n);
  if (operation !== Operation.Histogram) return { ...query, ...changes };
  const [least, most] = [-(2n ** 63n), 2n ** 63n - 1n];
  if (changes.upper - changes.lower < 64n) return { ...query, ...changes, lower: least, upper: most, size: 64 };
  return { ...query, ...changes, size: 2 + roll.below(63) };
}

/** A reading for a query: most values near its bounds, some far out. */
export function anyReading(roll: Dice, query: Query): readonly [value: bigint, time: bigint] {
  const far = roll.below(10) === 0;
  const [least, most] = far ? [-(2n ** 255n), 2n ** 255n - 1n] : [query.lower - 2n, query.upper + 2n];
  return [between(roll, least, most), between(roll, query.from, query.to - 1n)];
}

/** The code of the failure; "none" if there is none. */
export function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof PartialError) return error.code;
    throw error;
  }
  return "none";
}
