import { deployAuthority } from "./01-authority.js";
import { deployToken } from "./02-token.js";
import { deployIdentity } from "./03-identity.js";
import { deployAnchoring } from "./04-anchoring.js";
import { deployAnalytics } from "./05-analytics.js";
import { grantRoles } from "./06-roles.js";
import { type Addresses, Deployment, type DeployTarget } from "./deployment.js";
import { type Parameters, parametersOf } from "./parameters.js";

const STEPS = [deployAuthority, deployToken, deployIdentity, deployAnchoring, deployAnalytics, grantRoles];

/** How to deploy. */
export interface DeployOptions {
  /** Instead of the chain's row of parameters.json. */
  readonly parameters?: Parameters;
  /** Where to write addresses and ABIs, by chain id; nowhere if left out. */
  readonly folder?: string;
  readonly log?: (line: string) => void;
}

/**
 * Runs all steps. What is on the chain already is found, not repeated: run it again after an interruption at any point.
 */
export async function deployAll(target: DeployTarget, options: DeployOptions = {}): Promise<Addresses> {
  const parameters = options.parameters ?? parametersOf(target.chainId);
  const deployment = new Deployment(target, parameters, options.log ?? (() => {}));
  await deployment.ensureFactory();
  for (const step of STEPS) await step(deployment);
  if (options.folder !== undefined) await deployment.save(options.folder);
  return deployment.addresses as Addresses;
}

export type { Addresses, DeployTarget } from "./deployment.js";
