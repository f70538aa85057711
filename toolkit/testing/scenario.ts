import { readFile, stat } from "node:fs/promises";
import { isAlias, isMap, isNode, isPair, isScalar, LineCounter, type Node, parseDocument, visit } from "yaml";
import type { z } from "zod";
import { IotchainError } from "../errors.js";
import { referenceProblems } from "./scenario-references.js";
import { type Scenario, ScenarioSchema } from "./scenario-schema.js";

/** Largest scenario file, in bytes. */
export const MAX_SCENARIO_BYTES = 1024 * 1024;
const MAX_PROBLEMS = 20;

/** A scenario file with mistakes; `problems` has a line `file:line:column: what was found, what was expected` for each. */
export class ScenarioError extends IotchainError {
  readonly problems: readonly string[];

  constructor(problems: readonly string[], options?: ErrorOptions) {
    const shown = problems.slice(0, MAX_PROBLEMS);
    const more = problems.length > shown.length ? `\n… and ${problems.length - shown.length} more` : "";
    super(
      "ITC_SCENARIO_INVALID",
      `The scenario can't be used:\n${shown.join("\n")}${more}\n`,
      "Mend the file; docs/scenarios.md has its form.",
      options,
    );
    this.problems = shown;
  }
}

/** Reads a scenario file. Errors: ScenarioError, whatever is wrong with it. */
export async function loadScenario(path: string): Promise<Scenario> {
  const size = await stat(path).then(
    (found) => found.size,
    (cause: unknown) => {
      throw new ScenarioError([`${path}:1:1: no such file, expected a scenario`], { cause });
    },
  );
  if (size > MAX_SCENARIO_BYTES) {
    throw new ScenarioError([`${path}:1:1: ${size} bytes, expected ${MAX_SCENARIO_BYTES} at most`]);
  }
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new ScenarioError([`${path}:1:1: not readable, expected a scenario file`], { cause });
  });
  try {
    return parseScenario(new TextDecoder("utf-8", { fatal: true }).decode(bytes), path);
  } catch (cause) {
    if (cause instanceof ScenarioError) throw cause;
    throw new ScenarioError([`${path}:1:1: bytes that are no text, expected UTF-8`], { cause });
  }
}

/** Reads a scenario. @param file What problems call it. Errors: ScenarioError. */
export function parseScenario(text: string, file: string): Scenario {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, merge: false });
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  };
  if (document.errors.length > 0) {
    throw new ScenarioError(
      document.errors.map(({ pos, message }) => `${place(pos[0])}: ${message.split("\n")[0] ?? ""}`),
    );
  }
  const aliases: string[] = [];
  // An alias saves a few words and can blow a small file up to gigabytes.
  visit(document, {
    Alias: (_key, node) => {
      aliases.push(`${place(node.range?.[0] ?? 0)}: an alias, expected the value itself`);
    },
  });
  if (aliases.length > 0) throw new ScenarioError(aliases);
  const contents = document.contents;
  const at = (path: readonly PropertyKey[], onKey = false): string => place(offsetOf(contents, path, onKey));
  const parsed = ScenarioSchema.safeParse(document.toJS());
  if (!parsed.success) throw new ScenarioError(parsed.error.issues.flatMap((issue) => describe(issue, at)));
  const problems = referenceProblems(parsed.data);
  if (problems.length > 0) throw new ScenarioError(problems.map(({ path, message }) => `${at(path)}: ${message}`));
  return parsed.data;
}

function describe(issue: z.core.$ZodIssue, at: (path: readonly PropertyKey[], onKey?: boolean) => string): string[] {
  const path = issue.path.map(String).join(".") || "the file";
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map(
      (key) => `${at([...issue.path, key], true)}: unknown key "${key}" in ${path}, expected one that the form has`,
    );
  }
  if (issue.code === "invalid_key") {
    const [first] = issue.issues;
    return [`${at(issue.path, true)}: ${path}: ${first?.message ?? "unusable name"}`];
  }
  return [`${at(issue.path)}: ${path}: ${issue.message}`];
}

/** Where in the text a path leads: to its value, to its key, or as near as the file goes. */
function offsetOf(root: unknown, path: readonly PropertyKey[], onKey: boolean): number {
  let node: unknown = root;
  let offset = isNode(root) ? (root.range?.[0] ?? 0) : 0;
  for (const [depth, part] of path.entries()) {
    const next = childOf(node, part);
    if (!next) return offset;
    const last = depth === path.length - 1;
    offset = (onKey && last ? next.key : next.value)?.range?.[0] ?? offset;
    node = next.value;
  }
  return offset;
}

function childOf(node: unknown, part: PropertyKey): { key: Node | undefined; value: Node | undefined } | undefined {
  if (isAlias(node) || !isNode(node) || !("items" in node)) return undefined;
  if (!isMap(node)) {
    const item = node.items[Number(part)];
    return isNode(item) ? { key: item, value: item } : undefined;
  }
  const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
  if (!isPair(pair)) return undefined;
  const key = isNode(pair.key) ? pair.key : undefined;
  return { key, value: isNode(pair.value) ? pair.value : key };
}
