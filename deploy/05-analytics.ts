import {
  Analytics__factory,
  ConsentRegistry__factory,
  PayoutPool__factory,
  PayoutRollerV1__factory,
} from "../toolkit/contracts.js";
import type { Deployment } from "./deployment.js";

/** Consents, analyses, and the roller and pool that Analytics creates for itself. */
export async function deployAnalytics(deployment: Deployment): Promise<void> {
  const consents = await deployment.deploy("ConsentRegistry", ConsentRegistry__factory);
  await deployment.deploy(
    "Analytics",
    Analytics__factory,
    deployment.address("Authority"),
    deployment.address("ITC"),
    deployment.address("DeviceRegistry"),
    consents,
    deployment.parameters.minimumChallengeWindow,
    deployment.parameters.minimumProposerBond,
  );
  const [roller] = await deployment.read("Analytics", "roller");
  deployment.record("PayoutRoller", String(roller), PayoutRollerV1__factory.abi);
  const [pool] = await deployment.read("PayoutRoller", "pool");
  deployment.record("PayoutPool", String(pool), PayoutPool__factory.abi);
}
