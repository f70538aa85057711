import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** A rule of the house that a file breaks. `line` counts from 1. */
export interface Violation {
  readonly file: string;
  readonly line: number;
  /** What is wrong, and why it matters. */
  readonly what: string;
}

type Arrows = Readonly<Record<string, readonly string[]>>;

// Who may import whom. A room may always import itself. Rooms that stand here are the rooms that there are.
const CONTRACT_ROOMS: Arrows = {
  libraries: [],
  access: [],
  token: ["libraries"],
  identity: ["access", "token", "libraries"],
  anchoring: ["identity", "libraries"],
  billing: ["identity", "token", "libraries"],
  analytics: ["anchoring", "identity", "payouts", "token", "libraries"],
  payouts: ["token", "libraries"],
  examples: ["analytics", "anchoring", "identity", "token", "libraries"],
  mocks: ["access", "token", "identity", "anchoring", "billing", "analytics", "payouts", "libraries"],
};

const SHARED = ["internal", "errors", "contracts", "addresses"];
const DOMAIN = ["identity", "anchoring", "billing", "analytics", "payouts"];

const TOOLKIT_ROOMS: Arrows = {
  internal: ["errors"],
  identity: SHARED,
  anchoring: [...SHARED, "identity", "reverts"],
  billing: [...SHARED, "identity"],
  analytics: [...SHARED, "anchoring", "identity", "payouts", "reverts"],
  payouts: SHARED,
  testing: [...SHARED, ...DOMAIN, "reverts", "index", "deploy"],
  cli: [...SHARED, ...DOMAIN, "reverts", "index", "testing", "deploy"],
};

// The files that stand beside toolkit's rooms.
const TOOLKIT_FILES: Arrows = {
  index: [...SHARED, ...DOMAIN, "reverts", "device-abi"],
  errors: [],
  contracts: ["errors", "internal", "typechain-types"],
  addresses: ["errors", "internal"],
  reverts: ["contracts", "errors"],
  "device-abi": ["contracts"],
};

const DEPLOY = ["contracts", "addresses", "errors", "internal"];

// Contracts with external functions of their own that need no interface beside them, and why.
const WITHOUT_INTERFACE: Readonly<Record<string, string>> = {
  "contracts/token/ITC.sol": "its interface is ERC-20, EIP-2612 and EIP-3009",
  "contracts/access/Authority.sol": "its interface is OpenZeppelin's IAccessManager",
  "contracts/identity/P256Verifier.sol": "its interface is ERC-7913",
  "contracts/identity/Erc1271Verifier.sol": "its interface is ERC-7913",
  "contracts/identity/RsaVerifier.sol": "its interface is ERC-7913",
  "contracts/analytics/Groth16Verifier.sol": "its interface is IPartialVerifier",
};

const MAX_CONTRACT_LINES = 350;
const MAX_TYPESCRIPT_LINES = 400;

/** Breaches of the house's rules under `root`, by file and line. */
export function checkLayout(root: string): Violation[] {
  const contracts = filesOf(root, "contracts", ".sol");
  const typescript = ["toolkit", "deploy", "scripts", "test", "bench"].flatMap((folder) =>
    filesOf(root, folder, ".ts"),
  );
  const compiler = compilerOf(root);
  const violations = [...contracts, ...typescript].flatMap((file) => {
    const source = readFileSync(path.join(root, file), "utf8");
    const lines = source.split("\n");
    return [
      ...placeOf(file),
      ...lengthOf(file, lines),
      ...importsOf(file, source),
      ...(file.endsWith(".sol")
        ? [...pragmaOf(file, lines, compiler), ...interfaceOf(file, lines, contracts), ...errorsOf(file, lines)]
        : []),
    ];
  });
  return violations.sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line);
}

/** Paths below `folder`, relative to `root`, with forward slashes on every system. */
function filesOf(root: string, folder: string, extension: string): string[] {
  const absolute = path.join(root, folder);
  try {
    return readdirSync(absolute, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(extension))
      .map((name) => `${folder}/${name.replaceAll(path.sep, "/")}`)
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** Files stand in a known room, not in a folder of it. */
function placeOf(file: string): Violation[] {
  const [top = "", room = "", ...rest] = file.split("/");
  if (top === "scripts" || top === "bench") return [];
  if (rest.length > 1) {
    return [{ file, line: 1, what: `lies ${rest.length + 1} folders deep, but two are enough: ${top}/<room>/` }];
  }
  if (top !== "contracts" && top !== "toolkit") return [];
  const rooms = top === "contracts" ? CONTRACT_ROOMS : TOOLKIT_ROOMS;
  const files = top === "contracts" ? {} : TOOLKIT_FILES;
  const isKnown = rest.length === 1 ? room in rooms : room.replace(/\.ts$/, "") in files;
  if (isKnown) return [];
  const known = [...Object.keys(rooms), ...Object.keys(files).map((name) => `${name}.ts`)].join(", ");
  return [{ file, line: 1, what: `is in no known room of ${top}/ (${known})` }];
}

function lengthOf(file: string, lines: readonly string[]): Violation[] {
  const length = lines.length - 1;
  const limit = file.endsWith(".sol") ? MAX_CONTRACT_LINES : MAX_TYPESCRIPT_LINES;
  if (length <= limit) return [];
  return [{ file, line: limit + 1, what: `has ${length} lines, ${limit} is the limit: a concept is missing` }];
}

interface Import {
  readonly line: number;
  /** The path as it is written. */
  readonly from: string;
}

// Both languages: `import … from "x"`, `export … from "x"`, `import "x"`, `import("x")`.
const IMPORT =
  /^[ \t]*(?:import|export)\b(?:(?:(?!^[ \t]*(?:import|export)\b)[^;"'`])*?\bfrom)?\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']/gm;

function importsIn(source: string): Import[] {
  return [...source.matchAll(IMPORT)].map((match) => {
    const start = match.index + match[0].length - match[0].trimStart().length;
    return { line: source.slice(0, start).split("\n").length, from: match[1] ?? match[2] ?? "" };
  });
}

function importsOf(file: string, source: string): Violation[] {
  const arrow = file.endsWith(".sol") ? contractArrow : typescriptArrow;
  return importsIn(source).flatMap(({ line, from }) => {
    const what = arrow(file, from);
    return what ? [{ file, line, what }] : [];
  });
}

function contractArrow(file: string, from: string): string | undefined {
  const room = roomOf(file);
  if (!from.startsWith(".")) {
    return from.startsWith("@openzeppelin/contracts/") || room === "mocks"
      ? undefined
      : `imports ${from}, but contracts depend on OpenZeppelin only`;
  }
  const target = roomOf(path.posix.join(path.posix.dirname(file), from));
  if (target === room || CONTRACT_ROOMS[room]?.includes(target)) return undefined;
  return against(room, target, CONTRACT_ROOMS[room]);
}

function typescriptArrow(file: string, from: string): string | undefined {
  if (!from.startsWith(".")) return undefined;
  const resolved = path.posix.join(path.posix.dirname(file), from);
  const source = roomOf(file);
  const target = roomOf(resolved);
  const allowed = allowedFrom(file);
  if (target === "typechain-types" && ["scripts", "bench"].includes(source)) {
    return "imports typechain-types, but toolkit/contracts.ts is the one door to the bindings";
  }
  if (target === source || allowed === undefined || allowed.includes(target)) return undefined;
  return against(source, target, allowed);
}

/** The rooms that a TypeScript file may import; undefined where the house sets no rule (tests, chores). */
function allowedFrom(file: string): readonly string[] | undefined {
  if (file.startsWith("deploy/")) return DEPLOY;
  if (!file.startsWith("toolkit/")) return undefined;
  const room = roomOf(file);
  return TOOLKIT_ROOMS[room] ?? TOOLKIT_FILES[room] ?? [];
}

/** contracts/token/ITC.sol → token, toolkit/errors.ts → errors, deploy/steps.ts → deploy, anything else by its first folder. */
function roomOf(file: string): string {
  const [top = "", next = ""] = file.split("/");
  return top === "contracts" || top === "toolkit" ? next.replace(/\.[jt]s$/, "") : top;
}

function against(room: string, target: string, allowed: readonly string[] = []): string {
  const may = allowed.length > 0 ? `only ${allowed.join(", ")}` : "nothing of the house";
  return `imports ${target}, against the arrows: ${room} may import ${may}`;
}

/** The one compiler of the house; undefined where there is no configuration. */
function compilerOf(root: string): string | undefined {
  try {
    return /version:\s*"([\d.]+)"/.exec(readFileSync(path.join(root, "hardhat.config.ts"), "utf8"))?.[1];
  } catch {
    return undefined;
  }
}

/** Contracts pin the compiler; interfaces and types float, for others compile them. */
function pragmaOf(file: string, lines: readonly string[], compiler: string | undefined): Violation[] {
  const index = lines.findIndex((line) => line.startsWith("pragma solidity "));
  const pragma = lines[index]?.slice("pragma solidity ".length, -1) ?? "nothing";
  const isShared = lines.some((line) => line.startsWith("interface ")) || file.endsWith("Types.sol");
  if (isShared) {
    if (pragma.startsWith("^")) return [];
    return [{ file, line: index + 1, what: `pins the compiler to ${pragma}, but others compile interfaces and types` }];
  }
  if (compiler === undefined || pragma === compiler) return [];
  return [
    { file, line: index + 1, what: `says ${pragma}, but contracts are compiled by ${compiler} and nothing else` },
  ];
}

/** A contract that others call has its interface beside it. */
function interfaceOf(file: string, lines: readonly string[], contracts: readonly string[]): Violation[] {
  const index = lines.findIndex((line) => /^contract \w+/.test(line));
  if (index < 0 || roomOf(file) === "mocks" || file in WITHOUT_INTERFACE) return [];
  if (!lines.some((line) => /^\s*(function\b.*|\)\s*)?\b(external|public)\b/.test(line))) return [];
  const name = path.posix.basename(file);
  const beside = `${path.posix.dirname(file)}/I${name}`;
  if (contracts.includes(beside)) return [];
  return [{ file, line: index + 1, what: `has external functions but no I${name} beside it to document them` }];
}

/** An error names the contract that raises it: whoever sees one in a trace knows where to look. */
function errorsOf(file: string, lines: readonly string[]): Violation[] {
  const owner = path.posix.basename(file, ".sol");
  const prefix = lines.some((line) => line.startsWith("interface I")) ? owner.slice(1) : owner;
  return lines.flatMap((line, index) => {
    const name = /^\s*error (\w+)\(/.exec(line)?.[1];
    if (name === undefined || name.startsWith(prefix)) return [];
    return [{ file, line: index + 1, what: `declares ${name}, but its errors start with ${prefix}` }];
  });
}

export function describeViolation({ file, line, what }: Violation): string {
  return `${file}:${line}: ${what}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const violations = checkLayout(process.cwd());
  for (const violation of violations) console.error(describeViolation(violation));
  process.exitCode = violations.length > 0 ? 1 : 0;
}
