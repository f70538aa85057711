import { listed, missing, type ReferenceProblem, wrongActor } from "./scenario-names.js";
import type { Scenario, Step } from "./scenario-schema.js";

/** What earlier steps have made. */
export interface CarbonNames {
  readonly projects: Set<string>;
  readonly periods: Set<string>;
  /** Requests of all kinds. */
  readonly requested: ReadonlySet<string>;
}

/** Projects are made before periods of theirs, and both before they are named. */
export function carbonReferences(
  scenario: Scenario,
  step: Step,
  path: readonly PropertyKey[],
  { projects, periods, requested }: CarbonNames,
): ReferenceProblem[] {
  const actors = (names: Readonly<Record<string, string>>): ReferenceProblem[] =>
    Object.entries(names).flatMap(([key, name]) => missing(name, scenario.actors, "actor", [...path, key]));
  const period = (name: string): ReferenceProblem[] => {
    if (periods.has(name) || !requested.has(name)) return [];
    const message = `request ${name} asks for no period of a project, expected ${listed(periods)}`;
    return [{ path: [...path, "request"], message }];
  };
  switch (step.do) {
    case "project": {
      const again = projects.has(step.project);
      projects.add(step.project);
      const message = `project ${step.project} is made twice, expected a new name`;
      return [
        ...(again ? [{ path: [...path, "project"], message }] : []),
        ...wrongActor(scenario, step.owner, ["owner", "company"], [...path, "owner"]),
        ...wrongActor(scenario, step.verifier, ["verifier"], [...path, "verifier"]),
      ];
    }
    case "ask-period": {
      periods.add(step.request);
      if (projects.has(step.project)) return [];
      const message = `no project ${step.project} yet, expected ${listed(projects)}`;
      return [{ path: [...path, "project"], message }];
    }
    case "attest":
      return [...period(step.request), ...actors({ signer: step.signer })];
    case "issue":
      return period(step.request);
    case "sell-credits":
      return [...period(step.request), ...actors({ from: step.from, to: step.to })];
    case "retire-credits":
      return [...period(step.request), ...actors({ holder: step.holder })];
    default:
      return [];
  }
}
