import { expect } from "chai";
import type { WithheldFor } from "../../toolkit/analytics/build-result.js";
import { addToPartial, neutralPartial, packed } from "../../toolkit/analytics/partials.js";
import { Operation, type Query } from "../../toolkit/analytics/query.js";
import { ANY_DEVICE, type RequestTerms } from "../../toolkit/analytics/requests.js";
import { Origin, type ResultLeaf, ResultTree } from "../../toolkit/analytics/result-tree.js";
import type { DeviceId } from "../../toolkit/identity/keys.js";
import type { ReportOutcome } from "../../toolkit/testing/report.js";
import { outcomeOf } from "../../toolkit/testing/report-figures.js";
import type { RequestState } from "../../toolkit/testing/world.js";
import { queryOf } from "../analytics/queries.js";

const OWNER = `0x${"1".repeat(40)}`;
const WORD = `0x${"5a".repeat(32)}`;
const DAY = 86_400;

type Partial1 = Pick<ResultLeaf, "origin" | "partial"> & { readonly count?: bigint };

const terms: RequestTerms = {
  ...{ cohort: 2n, epsilon: 0n, price: 0n, reward: 1_000n, fee: 0n, bond: 1n },
  ...{ deadline: 9_000n, challengeWindow: 60n, weighting: 0, settlement: 0 },
};

/** A proposed request in tenths of a degree whose leaves have these partials. */
function stateOf(query: Query, partials: readonly Partial1[], epsilon = 0n): RequestState {
  const leaves = partials.map(({ origin, partial, count = 1n }, k): ResultLeaf => {
    const device = `0x${(k + 1).toString(16).padStart(40, "0")}` as DeviceId;
    const weight = origin === Origin.Withheld ? 0n : count;
    return { owner: OWNER, device, origin, count: weight, weight, spent: 0n, evidence: [NONE, NONE], partial };
  });
  return {
    ...{ name: "asked", company: "company", id: WORD, requestedAt: 7_000n, purpose: "to know", status: "final" },
    request: { requester: OWNER, salt: WORD, purpose: WORD, query, filter: ANY_DEVICE, terms: { ...terms, epsilon } },
    source: {
      ...{ file: "none.csv", what: "heat", licence: "none", quantity: "temperature", unit: "Cel", scale: 1 },
      ...{ columns: { value: "value" }, device: "row", every: 1 },
    },
    tree: new ResultTree(query, leaves),
    shares: new Map(),
  };
}

const NONE = new Uint8Array();

/** The outcome for one proved leaf, or an attested one where there is noise. */
function told(query: Query, partial: Uint8Array, epsilon = 0n): ReportOutcome {
  const outcome = outcomeOf(stateOf(query, [{ origin: epsilon ? Origin.Attested : Origin.Proved, partial }], epsilon));
  if (!outcome) throw new Error("There is a tree.");
  return outcome;
}

/** The partial of values, one each second from the window's start. */
function partialOf(query: Query, values: readonly bigint[], pause = 1n): Uint8Array {
  const partial = neutralPartial(query);
  values.forEach((value, k) => {
    addToPartial(query, partial, value, query.from + BigInt(k) * pause);
  });
  return partial;
}

/** Σ k² p(k) / Σ p(k) of noise with p falling by e for each `scale`. */
function variance(scale: number): number {
  let [squares, all] = [0, 1];
  for (let k = 1; k < 60 * scale + 60; k++) {
    squares += k * k * 2 * Math.exp(-k / scale);
    all += 2 * Math.exp(-k / scale);
  }
  return squares / all;
}

const isNear = (text: string | undefined, expected: number): boolean => Math.abs(Number(text) / expected - 1) < 1e-6;

describe("the figures of a result", () => {
  it("are exact decimals where there is no noise, of any size", () => {
    const figures = (operation: Operation, words: readonly bigint[]) => told(queryOf(operation), packed(words)).figures;
    expect(figures(Operation.Count, [7n])).to.deep.equal([
      { what: "count", value: "7", unit: "readings", deviation: "0" },
    ]);
    expect(figures(Operation.Sum, [-25n])).to.deep.equal([{ what: "sum", value: "-2.5", unit: "Cel", deviation: "0" }]);
    expect(figures(Operation.Sum, [2n ** 254n])[0]?.value).to.equal(
      `${String(2n ** 254n).slice(0, -1)}.${String(2n ** 254n).slice(-1)}`,
    );
    expect(figures(Operation.Mean, [20n, 3n])[0]?.value).to.equal("0.6666667");
    expect(figures(Operation.Mean, [-20n, 3n])[0]?.value).to.equal("-0.6666667");
    expect(figures(Operation.Mean, [2n ** 200n, 1n])[0]?.value).to.match(/^\d{60}\.6$/);
    expect(told(queryOf(Operation.Mean), packed([20n, 3n])).chance).to.equal("none");
  });

  it("have the noise of the attested devices alone, by an independent sum over probabilities", () => {
    const query = queryOf(Operation.Mean, { cap: 2n });
    const [proved, attested] = [Origin.Proved, Origin.Attested];
    const partial = packed([30n, 2n]);
    const leaves = [proved, attested, attested, attested].map((origin) => ({ origin, partial }));
    const [mean] = outcomeOf(stateOf(query, leaves, 4_000_000n))?.figures ?? [];
    // Each word has epsilon 2. Sum 120 of 8 readings; the larger bound is 60.
    const [ofSum, ofCount] = [variance((2 * 60) / 2), variance(2 / 2)];
    expect(isNear(mean?.deviation, Math.sqrt(3 * (ofSum + 15 ** 2 * ofCount)) / 8 / 10)).to.equal(true);
    const one = queryOf(Operation.Count, { cap: 1n });
    expect(isNear(told(one, packed([5n]), 500_000n).figures[0]?.deviation, Math.sqrt(variance(2)))).to.equal(true);
    const exact = outcomeOf(stateOf(one, [{ origin: proved, partial: packed([5n]) }], 500_000n));
    expect([exact?.chance, exact?.figures[0]?.deviation]).to.deep.equal(["none", "0"]);
  });

  it("have error bars for each bin, and keep counts below 0", () => {
    const { figures, chance, notes } = told(
      queryOf(Operation.Histogram, { cap: 1n }),
      packed([4n, 0n, -3n, 9n, 1n]),
      1_000_000n,
    );
    expect(chance).to.equal("noise");
    expect(figures.map(({ value }) => value)).to.deep.equal(["4", "0", "-3", "9", "1"]);
    expect(figures.every(({ deviation }) => isNear(deviation, Math.sqrt(variance(1))))).to.equal(true);
    expect(figures[0]).to.include({ from: "-4", to: "-2", unit: "readings" });
    expect(figures.at(-1)).to.include({ to: "6" });
    expect(notes.join(" ")).to.contain("beyond the bounds");
  });

  it("are a line's slope a day and its heights, and what a sample of such readings would say", () => {
    const query = queryOf(Operation.Regression, { from: 0n, to: 345_600n, anchoredBy: 345_600n });
    const values = [10n, 14n, 13n, 19n];
    const { figures, notes } = told(query, partialOf(query, values, 86_400n));
    const find = (what: string) => figures.filter((figure) => figure.what === what);
    // By hand: days 0 to 3, values 1.0, 1.4, 1.3, 1.9: slope 0.26, intercept 1.01, squares left 0.082 of 0.42, spread of days 5.
    expect(isNear(find("slope")[0]?.value, 0.26)).to.equal(true);
    expect(find("height").map(({ value, at }) => [Number(value), at])).to.deep.equal([
      [1.01, 0],
      [1.53, 2 * DAY],
      [2.05, 4 * DAY],
    ]);
    expect(isNear(find("scatter")[0]?.value, Math.sqrt(0.082 / 2 / 5))).to.equal(true);
    expect(isNear(find("r2")[0]?.value, 1 - 0.082 / 0.42)).to.equal(true);
    expect(notes.join(" ")).to.contain("standard error of 0.0906 Cel a day");
    const two = told(query, partialOf(query, [10n, 14n], 86_400n)).figures.map(({ what }) => what);
    expect(two).not.to.include("scatter");
  });

  it("are extremes, which say when they are bounds", () => {
    const query = queryOf(Operation.MinMax);
    const within = told(query, partialOf(query, [-39n, 59n]));
    expect(within.figures.map(({ value }) => value)).to.deep.equal(["-3.9", "5.9"]);
    expect(within.notes.join(" ")).not.to.contain("bound");
    const notes = told(query, partialOf(query, [-900n, 900n])).notes.join(" ");
    expect(notes).to.contain("the true one may be lower").and.contain("the true one may be higher");
  });

  it("are what sketches tell, with the scatter that other values of the same number show", () => {
    const query = queryOf(Operation.Membership, { size: 10, hashes: 4 });
    const runs = Array.from({ length: 400 }, (_, run) => {
      const values = Array.from({ length: 200 }, (__, k) => BigInt(run * 1_000 + k));
      return told(query, partialOf(query, values)).figures;
    });
    const estimates = runs.map(([distinct]) => Number(distinct?.value));
    const mean = estimates.reduce((a, b) => a + b, 0) / estimates.length;
    const spread = Math.sqrt(estimates.reduce((sum, one) => sum + (one - mean) ** 2, 0) / estimates.length);
    // The places of a value's bits aren't quite independent, and estimates are whole numbers.
    expect(Math.abs(Number(runs[0]?.[0]?.deviation) / spread - 1) < 0.15, `${spread}`).to.equal(true);
    const [, passing, filled] = runs[0] ?? [];
    expect(isNear(passing?.value, 100 * (Number(filled?.value) / 100) ** 4)).to.equal(true);

    const distinct = queryOf(Operation.Distinct);
    const { figures, chance } = told(distinct, partialOf(distinct, [1n, 2n, 3n, 2n]));
    expect([chance, figures[0]?.value]).to.deep.equal(["sketch", "3"]);
    expect(isNear(figures[0]?.deviation, (3 * 1.04) / 32)).to.equal(true);
  });

  it("have no value where there is none to tell, and never one that is no number", () => {
    const full = (query: Query, byte: number) => neutralPartial(query).fill(byte);
    const [mean, line, least] = [Operation.Mean, Operation.Regression, Operation.MinMax].map((each) => queryOf(each));
    const [distinct, seen] = [queryOf(Operation.Distinct), queryOf(Operation.Membership)];
    if (!mean || !line || !least) throw new Error("There are three.");
    const outcomes = [
      told(mean, packed([5n, -2n]), 1_000n),
      told(line, neutralPartial(line)),
      told(least, neutralPartial(least)),
      told(distinct, full(distinct, 55)),
      told(seen, full(seen, 255)),
    ];
    for (const { figures, notes } of outcomes) {
      expect(figures[0]?.value).to.equal(undefined);
      expect(notes.join(" ")).to.contain("no figure");
    }
    for (const query of [distinct, seen]) expect(told(query, neutralPartial(query)).figures[0]?.value).to.equal("0");
    const vast = packed([2n ** 60n, 2n ** 90n, 2n ** 100n, 2n ** 126n, 2n ** 120n, 2n ** 127n]);
    for (const outcome of [...outcomes, told(line, vast, 1n)]) {
      for (const { value = "0", deviation } of outcome.figures) {
        expect(`${value} ${deviation}`).to.match(/^-?\d+(\.\d+)? \d+(\.\d+)?$/);
      }
    }
    expect(
      outcomeOf({ ...stateOf(mean, [{ origin: Origin.Proved, partial: packed([1n, 1n]) }]), tree: undefined }),
    ).to.equal(undefined);
  });

  it("come with notes on bounds, caps, withheld devices and rough bars", () => {
    const query = queryOf(Operation.Mean, { cap: 3n });
    const counted = { origin: Origin.Attested, partial: packed([30n, 3n]), count: 3n };
    const missing = { origin: Origin.Withheld, partial: neutralPartial(query) };
    const state = stateOf(query, [counted, missing, missing], 1_000_000n);
    const notes = outcomeOf(state)?.notes.join(" ");
    for (const words of [
      "1 attested device has added noise of its own (ε 1)",
      "below -4 Cel or above 6 Cel",
      "the first 3 count",
      "2 of 3 devices are withheld. If",
      "only rough",
    ]) {
      expect(notes).to.contain(words);
    }
    const why = (...reasons: WithheldFor[]) =>
      outcomeOf({ ...state, withheld: new Map(reasons.map((reason, k) => [`${k}`, reason])) })?.notes.join(" ");
    expect(why("budget", "no-partial")).to.contain("1 of them with nothing to count. If");
    expect(why("no-partial", "no-partial")).to.contain("nothing of theirs to count").and.not.contain("leans");
    const unbound = queryOf(Operation.Sum, { lower: -(2n ** 39n), upper: 2n ** 39n - 1n });
    expect(told(unbound, packed([4n])).notes).to.deep.equal([
      "Exact for the readings that count: chance had no part in it.",
    ]);
  });
});
