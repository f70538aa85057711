import {
  Analytics__factory,
  CarbonLedger__factory,
  ConsentRegistry__factory,
  DeviceRegions__factory,
  Eligibility__factory,
  Holdings__factory,
  QuestionDesk__factory,
  ResultCourt__factory,
} from "../toolkit/contracts.js";
import type { Deployment } from "./deployment.js";

/** Who may be in a result, the courts that judge results, the requests, and the example of a contract that acts on a result. */
export async function deployAnalytics(deployment: Deployment): Promise<void> {
  const { parameters } = deployment;
  const [token, registry, anchor] = (["ITC", "DeviceRegistry", "DataAnchor"] as const).map((name) =>
    deployment.address(name),
  );
  const holdings = await deployment.deploy("Holdings", Holdings__factory, registry);
  const consents = await deployment.deploy("ConsentRegistry", ConsentRegistry__factory, holdings);
  const regions = await deployment.deploy("DeviceRegions", DeviceRegions__factory, registry);
  const attestations = deployment.address("Attestations");
  const eligibility = await deployment.deploy(
    "Eligibility",
    Eligibility__factory,
    registry,
    consents,
    regions,
    attestations,
  );
  const shared = [anchor, eligibility, holdings];
  const desk = await deployment.deploy(
    "QuestionDesk",
    QuestionDesk__factory,
    token,
    ...shared,
    parameters.questionDeposit,
  );
  const court = await deployment.deploy("ResultCourt", ResultCourt__factory, ...shared, desk);
  const zero = "0x0000000000000000000000000000000000000000";
  await deployment.deploy(
    "Analytics",
    Analytics__factory,
    token,
    [court, desk, zero, zero, zero],
    parameters.minimumChallengeWindow,
    parameters.answerTime,
    parameters.minimumProposerBond,
  );
  await deployment.deploy("CarbonLedger", CarbonLedger__factory);
}
