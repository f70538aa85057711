import { isSoundQuery } from "../analytics/partials.js";
import { Operation, type Query } from "../analytics/query.js";
import { schemaIdOf } from "../anchoring/readings.js";
import { listed, type ReferenceProblem } from "./scenario-names.js";
import type { Scenario, Source, StepOf } from "./scenario-schema.js";
import { fixedPoint } from "./sources.js";
import { inUnits } from "./units.js";

/** What proofs of partials can hold: values of 40 bits. */
export const WIDEST = 2n ** 39n;

const OPERATIONS = {
  count: Operation.Count,
  sum: Operation.Sum,
  mean: Operation.Mean,
  "min-max": Operation.MinMax,
  histogram: Operation.Histogram,
  distinct: Operation.Distinct,
  membership: Operation.Membership,
  regression: Operation.Regression,
} as const;

const PLAIN = "neither size nor hashes, and lower below upper";
/** What each operation wants, as {@link isSoundQuery} has it. */
const WANTS: Readonly<Record<keyof typeof OPERATIONS, string>> = {
  count: PLAIN,
  sum: PLAIN,
  mean: PLAIN,
  "min-max": PLAIN,
  histogram: "a size of 2 to 64 without hashes, and lower below upper, with a value for each bin",
  distinct: "a size of 10 to 14 without hashes",
  membership: "a size of 8 to 16 and hashes of 1 to 16",
  regression: `${PLAIN}; squares of bounds and window are added up, so narrow them or the cap`,
};
const WITHOUT_NOISE: readonly string[] = ["min-max", "distinct", "membership"];

/** The query of a request, at the scale of its source. @param now Seconds at which it is asked. */
export function queryOf(step: StepOf<"request">, source: Source, now: bigint): Query {
  const operation = OPERATIONS[step.operation];
  const isSketch = operation === Operation.Distinct || operation === Operation.Membership;
  const bound = (text: string | undefined, otherwise: bigint) =>
    isSketch ? 0n : text === undefined ? otherwise : inUnits(text, source.scale);
  return {
    schema: schemaIdOf(source),
    operation,
    size: step.size,
    hashes: step.hashes,
    lower: bound(step.lower, -WIDEST),
    upper: bound(step.upper, WIDEST - 1n),
    from: step.from,
    to: step.to,
    // Data of the past are all there; proposals begin in the next second.
    anchoredBy: step.to > now ? step.to : now,
    cap: BigInt(step.cap),
  };
}

/** Problems with what a request asks, which the chain would refuse with less to say. */
export function queryProblems(
  { sources }: Scenario,
  step: StepOf<"request">,
  path: readonly PropertyKey[],
): ReferenceProblem[] {
  const source = Object.values(sources).find(({ quantity }) => quantity === step.quantity);
  if (!source) {
    const quantities = new Set(Object.values(sources).map(({ quantity }) => quantity));
    const message = `no source measures ${step.quantity}, expected ${listed(quantities)}`;
    return [{ path: [...path, "quantity"], message }];
  }
  const bounds = (["lower", "upper"] as const).flatMap((key) => boundProblems(source, step[key], [...path, key]));
  if (bounds.length > 0 || step.from >= step.to) return bounds;
  const problems: ReferenceProblem[] = [];
  if (!isSoundQuery(queryOf(step, source, 0n))) {
    const message = `a ${step.operation} like this can't be asked: it wants ${WANTS[step.operation]}`;
    problems.push({ path: [...path, "operation"], message });
  }
  if (WITHOUT_NOISE.includes(step.operation) && Number(step.epsilon ?? 0) > 0) {
    const message = `a ${step.operation} takes no noise, expected no epsilon, or a histogram`;
    problems.push({ path: [...path, "epsilon"], message });
  }
  return problems;
}

function boundProblems(
  { scale, quantity }: Source,
  text: string | undefined,
  path: readonly PropertyKey[],
): ReferenceProblem[] {
  const value = text === undefined ? 0n : fixedPoint(text, scale);
  if (typeof value === "bigint" && value === BigInt.asIntN(64, value)) return [];
  const message = `${text}, expected a number of at most ${scale} decimals, as ${quantity} has, that fits 64 bits`;
  return [{ path, message }];
}
