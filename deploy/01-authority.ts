import { Authority__factory } from "../toolkit/contracts.js";
import type { Deployment } from "./deployment.js";

/** Who may administer: the operator at first; hand the admin role to a timelock or multisig on a public network. */
export async function deployAuthority(deployment: Deployment): Promise<void> {
  await deployment.deploy("Authority", Authority__factory, deployment.target.operator);
}
