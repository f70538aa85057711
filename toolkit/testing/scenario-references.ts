import { carbonReferences } from "./scenario-carbon.js";
import { listed, missing, type ReferenceProblem, wrongActor } from "./scenario-names.js";
import { queryProblems } from "./scenario-queries.js";
import type { ActorKind, Fleet, Scenario, Step } from "./scenario-schema.js";

/** Checks what a schema can't: that each name means something, of the right kind, made by an earlier step. */
export function referenceProblems(scenario: Scenario): ReferenceProblem[] {
  return [
    ...actorProblems(scenario),
    ...sourceProblems(scenario),
    ...fleetProblems(scenario),
    ...stepProblems(scenario),
  ];
}

function actorProblems({ actors }: Scenario): ReferenceProblem[] {
  const operators = Object.entries(actors).filter(([, { kind }]) => kind === "operator");
  if (operators.length !== 1) {
    return [{ path: ["actors"], message: `${operators.length} actors of kind operator, expected exactly one` }];
  }
  return Object.entries(actors).flatMap(([name, { kind, count }]) =>
    count > 1 && kind !== "owner"
      ? [
          {
            path: ["actors", name, "count"],
            message: `${count} accounts for a ${kind}, expected 1: only owners come in groups`,
          },
        ]
      : [],
  );
}

function sourceProblems({ sources }: Scenario): ReferenceProblem[] {
  const meanings = new Map<string, string>();
  return Object.entries(sources).flatMap(([name, { columns, at, quantity, unit, scale }]) => {
    const problems: ReferenceProblem[] = [];
    const path = ["sources", name];
    if ((columns.time === undefined) === (at === undefined)) {
      problems.push({
        path,
        message: `${name}: expected either columns.time or at, so that each reading has one time`,
      });
    }
    if ((columns.longitude === undefined) !== (columns.latitude === undefined)) {
      problems.push({ path: [...path, "columns"], message: `${name}: expected longitude and latitude, or neither` });
    }
    const meaning = `${unit} of ${scale} decimals`;
    const first = meanings.get(quantity) ?? meaning;
    meanings.set(quantity, first);
    if (first !== meaning) {
      problems.push({
        path,
        message: `${name}: ${quantity} is ${meaning} here and ${first} elsewhere, expected one meaning`,
      });
    }
    return problems;
  });
}

function fleetProblems(scenario: Scenario): ReferenceProblem[] {
  return Object.entries(scenario.fleets).flatMap(([name, fleet]) => {
    const path = ["fleets", name];
    return [
      ...fleetSource(scenario, fleet, path),
      ...wrongActor(scenario, fleet.issuer, ["issuer"], [...path, "issuer"]),
      ...wrongActor(scenario, fleet.owner, ["owner"], [...path, "owner"]),
      ...wrongActor(scenario, fleet.gateway, ["gateway"], [...path, "gateway"]),
    ];
  });
}

/** What a fleet measures; cameras have no source, and say how many they are. */
function fleetSource(
  { sources }: Scenario,
  { source, count, from }: Fleet,
  path: readonly PropertyKey[],
): ReferenceProblem[] {
  if (source !== undefined) return missing(source, sources, "source", [...path, "source"]);
  if (count !== undefined && from === undefined) return [];
  return [{ path, message: "a fleet without a source, expected its count and no from" }];
}

/** Follows the steps in order and remembers what they have made. */
function stepProblems(scenario: Scenario): ReferenceProblem[] {
  const problems: ReferenceProblem[] = [];
  const requested = new Set<string>();
  const enrolled = new Set<string>();
  const made = new Map<string, number>();
  const [feeds, covers] = [new Set<string>(), new Set<string>()];
  const [projects, periods] = [new Set<string>(), new Set<string>()];
  scenario.steps.forEach((step, k) => {
    const path = ["steps", k];
    if (k === 0 && step.do !== "deploy") problems.push({ path, message: `${step.do} comes first, expected deploy` });
    if (k > 0 && step.do === "deploy") problems.push({ path, message: "deploy comes again, expected it once, first" });
    problems.push(...actorReferences(scenario, step, path), ...fleetReferences(scenario, step, path, enrolled));
    problems.push(...partReferences(step, path, made), ...feedReferences(scenario, step, path, feeds, covers));
    problems.push(...carbonReferences(scenario, step, path, { projects, periods, requested }));
    if (step.do === "request" || step.do === "ask-period") {
      if (requested.has(step.request)) {
        problems.push({
          path: [...path, "request"],
          message: `request ${step.request} is made twice, expected a new name`,
        });
      }
      requested.add(step.request);
      problems.push(...requestProblems(scenario, step, path, enrolled));
    } else if ("request" in step || step.do === "roll") {
      const used = step.do === "roll" ? step.requests : step.request === undefined ? [] : [step.request];
      const key = step.do === "roll" ? "requests" : "request";
      for (const name of used.filter((one) => !requested.has(one))) {
        const message = `request ${name} isn't made by an earlier step, expected ${listed(requested)}`;
        problems.push({ path: [...path, key], message });
      }
    }
  });
  return problems;
}

function requestProblems(
  scenario: Scenario,
  step: Extract<Step, { do: "request" | "ask-period" }>,
  path: readonly PropertyKey[],
  enrolled: ReadonlySet<string>,
): ReferenceProblem[] {
  const problems: ReferenceProblem[] = [];
  if (step.do === "request" && step.lot !== undefined)
    problems.push(...fleetProblem(scenario, step.lot, [...path, "lot"], enrolled));
  if (step.do === "request") problems.push(...queryProblems(scenario, step, path));
  if (step.to <= step.from)
    problems.push({ path: [...path, "to"], message: "the window is empty, expected an instant after from" });
  return problems;
}

function actorReferences(scenario: Scenario, step: Step, path: readonly PropertyKey[]): ReferenceProblem[] {
  const problems: ReferenceProblem[] = [];
  const check = (key: string, name: string, kinds: readonly ActorKind[]): void => {
    problems.push(...wrongActor(scenario, name, kinds, [...path, key]));
  };
  if (step.do === "register") for (const issuer of step.issuers) check("issuers", issuer, ["issuer"]);
  if (step.do === "consent" || step.do === "withdraw" || step.do === "claim") check("owners", step.owners, ["owner"]);
  if (step.do === "withdraw") problems.push(...tooMany(scenario, step, path));
  if (step.do === "request" || step.do === "ask-period") check("company", step.company, ["company"]);
  problems.push(...makerReferences(scenario, step, path));
  if (step.do === "grant-key" || step.do === "revoke-key") {
    const [key, name] = step.do === "grant-key" ? ["to", step.to] : ["of", step.of];
    problems.push(...missing(name, scenario.actors, "actor", [...path, key]));
  }
  if (step.do === "watch" || step.do === "question") check("by", step.by, ["watcher"]);
  else if (step.do === "unseal") problems.push(...missing(step.by, scenario.actors, "actor", [...path, "by"]));
  else if (step.do === "verify" || step.do === "trace" || step.do === "inspect") check("by", step.by, ["verifier"]);
  else if (step.do === "replace" || step.do === "commission" || step.do === "counterfeit") return problems;
  else if ("by" in step && step.by !== undefined)
    check("by", step.by, ["aggregator", "company", "gateway", "operator"]);
  return problems;
}

function tooMany(
  { actors }: Scenario,
  { owners, count = 1 }: Extract<Step, { do: "withdraw" }>,
  path: readonly PropertyKey[],
): ReferenceProblem[] {
  const there = Object.hasOwn(actors, owners) ? (actors[owners]?.count ?? count) : count;
  if (count <= there) return [];
  return [{ path: [...path, "count"], message: `${count} of ${there} ${owners}, expected as many at most` }];
}

function fleetReferences(
  scenario: Scenario,
  step: Step,
  path: readonly PropertyKey[],
  enrolled: Set<string>,
): ReferenceProblem[] {
  if ("fleet" in step) return fleetProblem(scenario, step.fleet, [...path, "fleet"], enrolled);
  if (!("fleets" in step)) return [];
  return step.fleets.flatMap((name, k) => {
    const here = [...path, "fleets", k];
    if (step.do !== "enrol") return fleetProblem(scenario, name, here, enrolled);
    if (enrolled.has(name)) return [{ path: here, message: `fleet ${name} is enrolled twice, expected once` }];
    const unknown = missing(name, scenario.fleets, "fleet", here);
    if (unknown.length === 0) enrolled.add(name);
    return unknown;
  });
}

function fleetProblem(
  { fleets }: Scenario,
  name: string,
  path: readonly PropertyKey[],
  enrolled: ReadonlySet<string>,
): ReferenceProblem[] {
  if (enrolled.has(name)) return [];
  const unknown = missing(name, fleets, "fleet", path);
  if (unknown.length > 0) return unknown;
  return [{ path, message: `fleet ${name} isn't enrolled yet, expected an enrol step before` }];
}

/** Who makes and receives parts: makers of goods are issuers. */
function makerReferences(scenario: Scenario, step: Step, path: readonly PropertyKey[]): ReferenceProblem[] {
  const issuer = (key: string, name: string) => wrongActor(scenario, name, ["issuer"], [...path, key]);
  switch (step.do) {
    case "commission":
      if (step.rank !== "installation") return issuer("by", step.by);
      return missing(step.by, scenario.actors, "actor", [...path, "by"]);
    case "counterfeit":
      return issuer("by", step.by);
    case "license":
      return step.to.flatMap((name) => issuer("to", name));
    case "hand-over":
      return missing(step.to, scenario.actors, "actor", [...path, "to"]);
    default:
      return [];
  }
}

/** Feeds are made before covers on them, and both before they are named. */
function feedReferences(
  scenario: Scenario,
  step: Step,
  path: readonly PropertyKey[],
  feeds: Set<string>,
  covers: Set<string>,
): ReferenceProblem[] {
  const made = (what: string, key: string, name: string, known: Set<string>): ReferenceProblem[] => {
    if (known.has(name))
      return [{ path: [...path, key], message: `${what} ${name} is made twice, expected a new name` }];
    known.add(name);
    return [];
  };
  const unknown = (what: string, key: string, name: string, known: Set<string>): ReferenceProblem[] =>
    known.has(name) ? [] : [{ path: [...path, key], message: `no ${what} ${name} yet, expected ${listed(known)}` }];
  const actor = (key: "insurer" | "insured" | "watcher", name: string, ...kinds: ActorKind[]): ReferenceProblem[] =>
    wrongActor(scenario, name, kinds, [...path, key]);
  switch (step.do) {
    case "feed":
      return made("feed", "feed", step.feed, feeds);
    case "stream":
      return unknown("feed", "feed", step.feed, feeds);
    case "cover":
      return [
        ...unknown("feed", "feed", step.feed, feeds),
        ...made("cover", "cover", step.cover, covers),
        ...actor("insurer", step.insurer, "company"),
        ...actor("insured", step.insured, "owner", "company"),
        ...actor("watcher", step.watcher, "verifier", "gateway", "operator"),
      ];
    case "give-back":
      return unknown("cover", "cover", step.cover, covers);
    default:
      return [];
  }
}

/** Parts are commissioned before they are named, under a name of their own. */
function partReferences(step: Step, path: readonly PropertyKey[], made: Map<string, number>): ReferenceProblem[] {
  const unknown = (key: string, name: string): ReferenceProblem[] => {
    const [, group = "", number = ""] = /^(.+)-(\d+)$/.exec(name) ?? [];
    const known = made.has(name) || (Number(number) >= 1 && Number(number) <= (made.get(group) ?? 0));
    return known ? [] : [{ path: [...path, key], message: `no part ${name} yet, expected ${listed(made.keys())}` }];
  };
  switch (step.do) {
    case "commission": {
      const designs = (step.designs ?? []).flatMap((name) => unknown("designs", name));
      if (made.has(step.parts)) {
        const message = `parts ${step.parts} are commissioned twice, expected a new name`;
        return [...designs, { path: [...path, "parts"], message }];
      }
      made.set(step.parts, step.count);
      const isOne = step.count === 1 || step.epc.includes("{n}");
      const message = "one EPC for many parts, expected {n} in it";
      return isOne ? designs : [...designs, { path: [...path, "epc"], message }];
    }
    case "license":
      return step.designs.flatMap((name) => unknown("designs", name));
    case "bind":
    case "hand-over":
    case "counterfeit":
    case "decommission":
      return unknown("parts", step.parts);
    case "assemble":
      return [...unknown("parts", step.parts), ...unknown("into", step.into)];
    case "replace":
      return [...unknown("part", step.part), ...unknown("by", step.by)];
    case "trace":
      return unknown("part", step.part);
    default:
      return [];
  }
}
