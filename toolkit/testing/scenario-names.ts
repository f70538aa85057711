import type { ActorKind, Scenario } from "./scenario-schema.js";

/** A name that leads nowhere, or to the wrong kind of thing. */
export interface ReferenceProblem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** Problems with an actor that has to be of one of these kinds. */
export function wrongActor(
  { actors }: Scenario,
  name: string,
  kinds: readonly ActorKind[],
  path: readonly PropertyKey[],
): ReferenceProblem[] {
  const actor = Object.hasOwn(actors, name) ? actors[name] : undefined;
  if (!actor) return missing(name, actors, "actor", path);
  if (kinds.includes(actor.kind)) return [];
  return [{ path, message: `actor ${name} is of kind ${actor.kind}, expected ${kinds.join(" or ")}` }];
}

/** Problems with a name that has to be a key of what is known. */
export function missing(name: string, known: object, what: string, path: readonly PropertyKey[]): ReferenceProblem[] {
  return Object.hasOwn(known, name)
    ? []
    : [{ path, message: `no ${what} ${name}, expected ${listed(Object.keys(known))}` }];
}

/** What was expected, for messages. */
export function listed(names: Iterable<string>): string {
  const list = [...names];
  return list.length === 0 ? "one, but there are none" : `one of ${list.join(", ")}`;
}
