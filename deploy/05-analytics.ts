import { ZeroAddress } from "ethers";
import { z } from "zod";
import {
  Analytics__factory,
  CarbonLedger__factory,
  ConsentRegistry__factory,
  DeviceRegions__factory,
  Eligibility__factory,
  Holdings__factory,
  PayoutLists__factory,
  PayoutPool__factory,
  PayoutPoolFactory__factory,
  PayoutRoller__factory,
  QuestionDesk__factory,
  ResultClaims__factory,
  ResultCourt__factory,
} from "../toolkit/contracts.js";
import type { Deployment } from "./deployment.js";
import { deployPartialVerifier } from "./zk.js";

/** A ledger of the roller begins with its pool. */
const Ledger = z.tuple([z.string()]).rest(z.unknown());

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
  const shared = [anchor, eligibility];
  const verifier = await partialVerifier(deployment);
  const desk = await deployment.deploy(
    "QuestionDesk",
    QuestionDesk__factory,
    token,
    ...shared,
    verifier,
    parameters.questionDeposit,
  );
  const court = await deployment.deploy("ResultCourt", ResultCourt__factory, ...shared, desk);
  const sinks = await deploySinks(deployment);
  const analytics = await deployment.deploy(
    "Analytics",
    Analytics__factory,
    token,
    [court, desk, ...sinks],
    parameters.minimumChallengeWindow,
    parameters.answerTime,
    parameters.minimumProposerBond,
  );
  await openPool(deployment, analytics);
  await deployment.deploy("CarbonLedger", CarbonLedger__factory);
}

/** What checks proofs of partials; none on a chain whose parameters do without. */
async function partialVerifier(deployment: Deployment): Promise<string> {
  if (!deployment.parameters.zeroKnowledge) return ZeroAddress;
  await deployPartialVerifier(deployment);
  return deployment.address("Groth16Verifier");
}

/** Where rewards go: claimed directly, rolled into a pool, or pushed. */
async function deploySinks(deployment: Deployment): Promise<string[]> {
  const { claimPeriod, minimumChallengeWindow, answerTime, minimumProposerBond, questionDeposit } =
    deployment.parameters;
  const token = deployment.address("ITC");
  const factory = await deployment.deploy("PayoutPoolFactory", PayoutPoolFactory__factory, token);
  const rules = [claimPeriod, minimumChallengeWindow, answerTime, minimumProposerBond, questionDeposit];
  return [
    await deployment.deploy("ResultClaims", ResultClaims__factory, token, claimPeriod),
    await deployment.deploy("PayoutRoller", PayoutRoller__factory, token, factory, rules),
    await deployment.deploy(
      "PayoutLists",
      PayoutLists__factory,
      token,
      claimPeriod,
      minimumChallengeWindow,
      minimumProposerBond,
    ),
  ];
}

/** The roller makes a pool for each contract with results; ours is there from the start. */
async function openPool(deployment: Deployment, analytics: string): Promise<void> {
  const poolOf = async (): Promise<string> => {
    const [ledger] = await deployment.read("PayoutRoller", "ledgerOf", analytics);
    return Ledger.parse(ledger)[0];
  };
  if ((await poolOf()) === ZeroAddress) await deployment.write("PayoutRoller", "openPool", analytics);
  deployment.record("PayoutPool", await poolOf(), PayoutPool__factory.abi);
}
