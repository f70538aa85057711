import { DeviceRegistry__factory } from "../toolkit/contracts.js";
import type { Addresses, Deployment } from "./deployment.js";

/** The roles. A number, once used on a public network, never changes its meaning. */
const REGISTRAR = 1n;
const TREASURER = 2n;

/** Which role may call what. Everything restricted that is not here only the admin may call. */
const GRANTS: readonly { role: bigint; label: string; on: keyof Addresses; selectors: readonly string[] }[] = [
  {
    role: REGISTRAR,
    label: "registrar",
    on: "DeviceRegistry",
    selectors: ["registerIssuer", "revokeIssuer", "addKeyKind"].map((name) =>
      selectorOf(DeviceRegistry__factory, name),
    ),
  },
  {
    role: TREASURER,
    label: "treasurer",
    on: "DeviceRegistry",
    selectors: ["setMinimumBond", "spendPool"].map((name) => selectorOf(DeviceRegistry__factory, name)),
  },
];

/** Gives the operator each role and each role its functions, where that isn't so yet. */
export async function grantRoles(deployment: Deployment): Promise<void> {
  const { operator } = deployment.target;
  for (const { role, label, on, selectors } of GRANTS) {
    const target = deployment.address(on);
    for (const selector of selectors) {
      const [held] = await deployment.read("Authority", "getTargetFunctionRole", target, selector);
      if (held !== role) await deployment.write("Authority", "setTargetFunctionRole", target, [selector], role);
    }
    const [member] = await deployment.read("Authority", "hasRole", role, operator);
    if (member !== true) {
      await deployment.write("Authority", "grantRole", role, operator, 0);
      deployment.log(`made ${operator} ${label}`);
    }
  }
}

function selectorOf(
  binding: { createInterface(): { getFunction(name: string): { selector: string } | null } },
  name: string,
): string {
  const found = binding.createInterface().getFunction(name);
  if (!found) throw new Error(`No function ${name}.`);
  return found.selector;
}
