/** Where a device can stand, as the columns of the table: while suspended, the holds that are on it. */
export const STANDINGS = ["None", "Active", "O", "I", "OI", "FK", "K", "Retired", "Revoked"] as const;
export type Standing = (typeof STANDINGS)[number];

export const CALLERS = ["owner", "issuer", "device", "approved", "registrar", "stranger"] as const;
export type Caller = (typeof CALLERS)[number];

/** The bits of `standingOf(device).holds`, see `Holds`. */
export const HOLDS: Readonly<Record<string, bigint>> = { O: 1n, I: 2n, F: 4n, K: 8n };

/** What a refusal is called in the table, and which error it is. */
export const REFUSALS = {
  state: "DeviceRegistryWrongState",
  denied: "DeviceRegistryNotAllowed",
  maker: "LotBookNotIssuer",
  again: "DeviceRegistryDeviceRevoked",
  early: "DeviceRegistryBondNotFree",
  "no fault": "DeviceRegistryNoFault",
  "not key": "DeviceKeysNotTheKey",
  "no token": "ERC721NonexistentToken",
  unapproved: "ERC721InsufficientApproval",
} as const;
export type Refusal = keyof typeof REFUSALS;

/**
 * Each line: the action, who sends it, and what comes of it in each standing. A standing is where the device is afterwards, `same` is where it was,
 * everything else is a refusal. `others` are the callers that no other line of the action names.
 */
const LINES = `
suspend         | owner           | state    | O          | state      | OI         | state      | OFK        | OK         | state      | state
suspend         | issuer          | state    | I          | OI         | state      | state      | IFK        | IK         | state      | state
suspend         | others          | state    | denied     | denied     | denied     | denied     | denied     | denied     | state      | state
resume          | owner           | state    | state      | Active     | state      | I          | state      | state      | state      | state
resume          | issuer          | state    | state      | state      | Active     | O          | state      | state      | state      | state
resume          | others          | state    | denied     | denied     | denied     | denied     | denied     | denied     | state      | state
retire          | owner           | state    | Retired    | Retired    | Retired    | Retired    | Retired    | Retired    | state      | state
retire          | others          | state    | denied     | denied     | denied     | denied     | denied     | denied     | state      | state
revokeDevice    | issuer          | same     | Revoked    | Revoked    | Revoked    | Revoked    | Revoked    | Revoked    | state      | again
revokeDevice    | others          | maker    | maker      | maker      | maker      | maker      | maker      | maker      | maker      | maker
releaseBond     | all, too early  | state    | state      | state      | state      | state      | state      | state      | early      | early
releaseBond     | all, after that | state    | state      | state      | state      | state      | state      | state      | same       | same
restoreBond     | issuer          | denied   | state      | no fault   | no fault   | no fault   | K          | no fault   | state      | state
restoreBond     | others          | denied   | denied     | denied     | denied     | denied     | denied     | denied     | denied     | denied
stateAssurance  | issuer          | denied   | same       | same       | same       | same       | same       | same       | state      | state
stateAssurance  | others          | denied   | denied     | denied     | denied     | denied     | denied     | denied     | denied     | denied
revokeKey       | owner, issuer   | state    | K          | OK         | IK         | OIK        | not key    | not key    | state      | state
revokeKey       | others          | state    | denied     | denied     | denied     | denied     | denied     | denied     | state      | state
requestRecovery | owner           | state    | same       | same       | same       | same       | same       | same       | state      | state
requestRecovery | others          | state    | denied     | denied     | denied     | denied     | denied     | denied     | state      | state
transferFrom    | owner, approved | no token | same       | same       | same       | same       | same       | same       | same       | same
transferFrom    | others          | no token | unapproved | unapproved | unapproved | unapproved | unapproved | unapproved | unapproved | unapproved
setUser         | owner, approved | no token | same       | same       | same       | same       | same       | same       | same       | same
setUser         | others          | no token | unapproved | unapproved | unapproved | unapproved | unapproved | unapproved | unapproved | unapproved
addDelegate     | owner           | denied   | same       | same       | same       | same       | same       | same       | state      | state
addDelegate     | others          | denied   | denied     | denied     | denied     | denied     | denied     | denied     | denied     | denied
setAttribute    | owner           | denied   | same       | same       | same       | same       | same       | same       | state      | state
setAttribute    | others          | denied   | denied     | denied     | denied     | denied     | denied     | denied     | denied     | denied
`;

export type ActionName =
  | "suspend"
  | "resume"
  | "retire"
  | "revokeDevice"
  | "releaseBond"
  | "restoreBond"
  | "stateAssurance"
  | "revokeKey"
  | "requestRecovery"
  | "transferFrom"
  | "setUser"
  | "addDelegate"
  | "setAttribute";

/** One attempt: who tries what where, and what comes of it. */
export interface Cell {
  readonly action: ActionName;
  readonly caller: Caller;
  readonly standing: Standing;
  /** Whether the bond's delay is over. */
  readonly late: boolean;
  readonly outcome: string;
}

const lines = LINES.trim()
  .split("\n")
  .map((line) => {
    const [action = "", who = "", ...outcomes] = line.split("|").map((word) => word.trim());
    return { action: action as ActionName, who, outcomes };
  });

/** All cells of the table, with `others` and `all` spelt out. */
export const CELLS: readonly Cell[] = lines.flatMap(({ action, who, outcomes }) =>
  callersOf(action, who).flatMap((caller) =>
    STANDINGS.map((standing, k): Cell => {
      return { action, caller, standing, late: who.endsWith("after that"), outcome: outcomes[k] ?? "" };
    }),
  ),
);

function callersOf(action: ActionName, who: string): readonly Caller[] {
  if (who.startsWith("all")) return CALLERS;
  const named = (text: string) => CALLERS.filter((caller) => text.split(", ").includes(caller));
  if (who !== "others") return named(who);
  const taken = lines.filter((line) => line.action === action).flatMap((line) => named(line.who));
  return CALLERS.filter((caller) => !taken.includes(caller));
}

/** The table as docs/identity.md shows it. */
export function lifecycleMarkdown(): string {
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const refusals = Object.entries(REFUSALS).map(([word, error]) => `- *${word}*: \`${error}\``);
  const shown = (outcome: string) => (outcome in REFUSALS ? `*${outcome}*` : outcome);
  return [
    row(["action", "by", ...STANDINGS]),
    row(["action", "by", ...STANDINGS].map(() => "---")),
    ...lines.map(({ action, who, outcomes }) => row([`\`${action}\``, who, ...outcomes.map(shown)])),
    "",
    "Columns: where the device is; while it is suspended, the holds on it: O its owner's, I its issuer's, F for a fault, K for want of a",
    "key. Cells: where it is afterwards. What is in italics is a refusal, which changes nothing:",
    "",
    ...refusals,
    "",
    "Callers are the device's owner, its issuer, the device's own account, an account that the owner has approved, the registrar (an",
    "administrator with all roles) and a stranger; *others* are those that no other line of the action names.",
  ].join("\n");
}
