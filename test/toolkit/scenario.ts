import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { loadScenario, parseScenario, ScenarioError } from "../../toolkit/testing/scenario.js";
import { scenarioJsonSchema } from "../../toolkit/testing/scenario-schema.js";

const CITY = new URL("../../scenarios/city-sensors.yaml", import.meta.url).pathname;

const SMALL = `name: small
title: Small
description: As small as can be
seed: 1
clock: { start: 2016-01-01T00:00:00Z }
actors:
  boss: { kind: operator }
  maker: { kind: issuer, itc: "10" }
  people: { kind: owner, count: 2 }
  hub: { kind: gateway }
  firm: { kind: company, itc: "1.5" }
sources:
  wind: { file: w.csv, what: Wind, licence: none, quantity: wind, unit: m/s, scale: 2, columns: { value: v, time: t }, device: row }
fleets:
  masts: { source: wind, issuer: maker, key: p256, owner: people, gateway: hub, assurance: 1 }
steps:
  - { do: deploy }
  - { do: register, issuers: [maker] }
  - { do: enrol, fleets: [masts], bond: "1" }
  - { do: wait, for: 2h }
`;

/** Steps that ask in place of one that waits. */
const QUESTION = `  - do: consent
    owners: people
    purpose: p
    budget: "4"
    for: 1d
  - do: request
    request: bands
    company: firm
    operation: histogram
    size: 8
    lower: "-20"
    upper: "19.9"
    epsilon: "1"
    from: 2016-01-01T00:00:00Z
    to: 2016-01-02T00:00:00Z
    purpose: p
    quantity: wind
    cohort: 2
    reward: "1"
    bond: "1"
    deadline: 7d
    challenge: 3d
`;

/** The problems of the small scenario with one text replaced. */
function problemsOf(found: string, by: string): readonly string[] {
  expect(SMALL, `the small scenario has ${found}`).to.include(found);
  try {
    parseScenario(SMALL.replace(found, by), "s.yaml");
  } catch (error) {
    if (error instanceof ScenarioError) return error.problems;
    throw error;
  }
  throw new Error(`Nothing is wrong with ${by}.`);
}

describe("scenario files", () => {
  it("are read into amounts, seconds and defaults", () => {
    const scenario = parseScenario(SMALL, "s.yaml");
    expect(scenario.clock.start).to.equal(1_451_606_400n);
    expect(scenario.actors.firm).to.deep.equal({ kind: "company", count: 1, itc: 15n * 10n ** 17n });
    expect(scenario.steps.at(-1)).to.deep.equal({ do: "wait", for: 7200n });
    expect(scenario.sources.wind?.every).to.equal(1);
  });

  const mistakes: [what: string, found: string, by: string, problem: RegExp][] = [
    ["an unknown key", "seed: 1", "seed: 1\nspeed: 3", /^s\.yaml:5:1: unknown key "speed"/],
    [
      "an unknown key of a step",
      "{ do: wait, for: 2h }",
      "{ do: wait, for: 2h, until: 3 }",
      /^s\.yaml:20:26: unknown key "until" in steps\.3/,
    ],
    ["a wrong type", "seed: 1", "seed: one", /^s\.yaml:4:7: seed: expected a whole number/],
    ["a negative seed", "seed: 1", "seed: -1", /^s\.yaml:4:7: seed/],
    [
      "an amount that is a number",
      'itc: "10"',
      "itc: 10",
      /^s\.yaml:8:31: actors\.maker\.itc: expected an amount of ITC in quotes/,
    ],
    ["an amount of 19 decimals", '"1.5"', '"1.0000000000000000001"', /18 decimals/],
    ["a duration without unit", "for: 2h", "for: 2", /^s\.yaml:20:22: steps\.3\.for: expected a duration/],
    ["a day that isn't", "2016-01-01T", "2016-13-01T", /clock\.start/],
    [
      "an unknown verb",
      "do: wait, for: 2h",
      "do: dance",
      /^s\.yaml:20:11: steps\.3\.do: expected one of deploy, register.* decommission, trace/,
    ],
    ["a missing key", "title: Small\n", "", /^s\.yaml:1:1: title/],
    [
      "a missing actor",
      "owner: people",
      "owner: nobody",
      /^s\.yaml:15:59: no actor nobody, expected one of boss, maker, people, hub, firm/,
    ],
    [
      "an actor of the wrong kind",
      "issuers: [maker]",
      "issuers: [firm]",
      /^s\.yaml:18:30: actor firm is of kind company, expected issuer/,
    ],
    ["a missing source", "source: wind,", "source: rain,", /^s\.yaml:15:\d+: no source rain, expected one of wind/],
    ["a missing fleet", "fleets: [masts]", "fleets: [boats]", /^s\.yaml:19:27: no fleet boats/],
    [
      "a fleet used before it is enrolled",
      'do: enrol, fleets: [masts], bond: "1"',
      "do: activate, fleets: [masts]",
      /isn't enrolled yet/,
    ],
    [
      "a fleet whose devices become parts before it is enrolled",
      'do: enrol, fleets: [masts], bond: "1"',
      "do: bind, parts: chip, fleet: masts",
      /^s\.yaml:19:37: fleet masts isn't enrolled yet/,
    ],
    [
      "a request that nobody made",
      "{ do: wait, for: 2h }",
      "{ do: finalise, request: it, by: firm }",
      /^s\.yaml:20:30: request it isn't made by an earlier step/,
    ],
    ["two operators", "kind: company", "kind: operator", /2 actors of kind operator/],
    ["no deploy at first", "- { do: deploy }\n  ", "", /register comes first, expected deploy/],
    ["a source without a time", ", time: t", "", /expected either columns\.time or at/],
    ["a prototype's name", "owner: people", "owner: constructor", /no actor constructor/],
    ["a doubled key", "seed: 1", "seed: 1\nseed: 2", /^s\.yaml:5:1: Map keys must be unique/],
    ["broken YAML", "actors:", "actors: [", /^s\.yaml:\d+:\d+: /],
    [
      "an alias",
      'maker: { kind: issuer, itc: "10" }',
      'maker: &m { kind: issuer, itc: "10" }\n  other: *m',
      /alias, expected the value itself/,
    ],
  ];
  for (const [what, found, by, problem] of mistakes) {
    it(`names file, line and what was expected for ${what}`, () => {
      const [first] = problemsOf(found, by);
      expect(first).to.match(problem);
    });
  }

  const questions: [what: string, change: readonly [found: string, by: string], problem: RegExp][] = [
    ["a histogram without bins", ["size: 8", "size: 0"], /:9:16: a histogram .* wants a size of 2 to 64/],
    ["extremes with a size", ["histogram", "min-max"], /:9:16: a min-max .* wants neither size nor hashes/],
    ["a sketch of too few registers", ["histogram", "distinct"], /:9:16: a distinct .* wants a size of 10 to 14/],
    ["a filter that sets no bits", ["histogram", "membership"], /:9:16: a membership .* hashes of 1 to 16/],
    ["bounds that cross", ['lower: "-20"', 'lower: "20"'], /:9:16: a histogram .* lower below upper/],
    [
      "a line through squares too large",
      ['histogram\n    size: 8\n    lower: "-20"', 'regression\n    cap: 4294967295\n    lower: "-90000000000000000"'],
      /:9:16: a regr.* cap/,
    ],
    ["a bound with too many decimals", ['"-20"', '"-20.123"'], /:11:12: -20\.123, expected .* at most 2 decimals/],
    ["a bound beyond 64 bits", ['upper: "19.9"', 'upper: "99999999999999999"'], /:12:12: 9{17}, expected .* 64 bits/],
    ["extremes with noise", ["histogram\n    size: 8", "min-max"], /:12:14: a min-max takes no noise/],
    ["less noise than none", ['epsilon: "1"', 'epsilon: "-1"'], /:13:14: .*epsilon: expected a privacy loss/],
    ["noise too little to say", ['"1"\n    from', '"0.0000001"\n    from'], /:13:14: .*expected a privacy loss/],
    ["a budget that is unlimited by accident", ['budget: "4"', 'budget: "4294.967295"'], /:4:13: .*below 4294\.967295/],
    ["a budget below nothing", ['budget: "4"', 'budget: "-4"'], /:4:13: .*budget: expected a privacy loss/],
  ];
  for (const [what, [found, by], problem] of questions) {
    it(`names file, line and what was expected for ${what}`, () => {
      expect(QUESTION).to.include(found);
      const steps = SMALL.slice(0, SMALL.indexOf("  - { do: wait")).split("\n").length - 1;
      const [first = ""] = problemsOf("  - { do: wait, for: 2h }\n", QUESTION.replace(found, by));
      const relative = first.replace(/:(\d+):/, (_, line) => `:${Number(line) - steps}:`);
      expect(relative).to.match(problem);
    });
  }

  it("names all mistakes at once, twenty at most", () => {
    const problems = problemsOf("seed: 1\nclock: { start: 2016-01-01T00:00:00Z }", "seed: x\nclock: { start: now }");
    expect(problems.length).to.equal(2);
    const many = Array.from({ length: 30 }, (_, k) => `k${k}: 1`).join("\n");
    expect(problemsOf("seed: 1", `seed: 1\n${many}`).length).to.equal(20);
  });

  it("are refused when they are no text, too large, empty or not there", async () => {
    const folder = await mkdtemp(join(tmpdir(), "scenario-"));
    try {
      const refused = async (name: string, bytes: Uint8Array | string | undefined, problem: RegExp) => {
        const path = join(folder, name);
        if (bytes !== undefined) await writeFile(path, bytes);
        const error: unknown = await loadScenario(path).catch((cause: unknown) => cause);
        expect(error).to.be.instanceOf(ScenarioError);
        expect((error as ScenarioError).problems[0]).to.match(problem);
      };
      await refused("binary.yaml", Uint8Array.of(0xff, 0xfe, 0x00, 0x80), /expected UTF-8/);
      await refused("large.yaml", " ".repeat(1024 * 1024 + 1), /expected 1048576 at most/);
      await refused("empty.yaml", "", /the file/);
      await refused("list.yaml", "- 1\n- 2\n", /the file/);
      await refused("missing.yaml", undefined, /no such file/);
      await refused("proto.yaml", "__proto__: { polluted: true }\n", /:1:1: /);
      expect(Reflect.get({}, "polluted")).to.equal(undefined);
      await writeFile(join(folder, "windows.yaml"), `\uFEFF${SMALL.replaceAll("\n", "\r\n")}`);
      expect((await loadScenario(join(folder, "windows.yaml"))).name).to.equal("small");
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("have a JSON Schema in docs/ that is the present form", async () => {
    const path = new URL("../../docs/scenario.schema.json", import.meta.url);
    expect(JSON.parse(await readFile(path, "utf8"))).to.deep.equal(JSON.parse(JSON.stringify(scenarioJsonSchema())));
  });

  it("include the city's, which is right", async () => {
    const { fleets, steps } = await loadScenario(CITY);
    expect([Object.keys(fleets).length, steps.length]).to.deep.equal([9, 47]);
  });
});
