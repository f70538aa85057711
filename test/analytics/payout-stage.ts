import { type BaseContract, id } from "ethers";
import { network } from "hardhat";
import type { RollableResult } from "../../toolkit/analytics/rolls.js";
import { weightsOf } from "../../toolkit/analytics/shares.js";
import {
  ITC__factory,
  OwnerShares__factory,
  PayoutLists__factory,
  PayoutPool__factory,
  PayoutRoller__factory,
  ResultClaims__factory,
  ResultTree__factory,
} from "../../typechain-types/index.js";
import { PlainResultTree, type Share } from "./result-trees.js";

export const ITC = 10n ** 18n;
export const DAY = 86_400n;
export const PERIOD = 365n * DAY;
export const WINDOW = 3n * DAY;
export const ANSWER_TIME = 86_400n;
export const BOND = 101n;
export const DEPOSIT = 7n;

/** A final result whose reward lies in a sink. */
export interface Finished extends RollableResult {
  readonly tree: PlainResultTree;
}

/** ITC, the three sinks, and two contracts with results as tests want them. Bonds are small odd numbers, so that each unit shows. */
export async function openStage() {
  const { ethers, networkHelpers, provider } = await network.create();
  const signers = await ethers.getSigners();
  const pick = (k: number) => signers[k] ?? signers[0] ?? raise("The chain has no signer.");
  const [operator, company, proposer, challenger, stranger] = [pick(0), pick(1), pick(2), pick(3), pick(4)];
  const owners = [5, 6, 7, 8, 9].map(pick);
  const at = async (deployed: Promise<BaseContract>): Promise<string> => (await deployed).getAddress();
  const itc = ITC__factory.connect(await at(ethers.deployContract("ITC", [operator.address])), operator);
  const token = await itc.getAddress();
  const claims = ResultClaims__factory.connect(
    await at(ethers.deployContract("ResultClaims", [token, PERIOD])),
    stranger,
  );
  const lists = PayoutLists__factory.connect(
    await at(ethers.deployContract("PayoutLists", [token, PERIOD, WINDOW, BOND])),
    stranger,
  );
  const factory = await at(ethers.deployContract("PayoutPoolFactory", [token]));
  const rules = { claimPeriod: PERIOD, window: WINDOW, answerTime: ANSWER_TIME, bond: BOND, deposit: DEPOSIT };
  const roller = PayoutRoller__factory.connect(
    await at(ethers.deployContract("PayoutRoller", [token, factory, rules])),
    stranger,
  );
  const sinks = {
    claims: await claims.getAddress(),
    lists: await lists.getAddress(),
    roller: await roller.getAddress(),
  };
  const results = await ethers.deployContract("PlainResults");
  const others = await ethers.deployContract("PlainResults");
  for (const source of [results, others]) await itc.transfer(await source.getAddress(), 1_000_000n * ITC);
  for (const who of [proposer, challenger]) {
    await itc.transfer(who.address, 1_000_000n);
    for (const sink of [sinks.lists, sinks.roller]) await itc.connect(who).approve(sink, 2n ** 256n - 1n);
  }
  const libraries = {
    nodes: { interface: OwnerShares__factory.createInterface() },
    places: { interface: ResultTree__factory.createInterface() },
  };
  const people = { operator, company, proposer, challenger, stranger, owners };
  const money = { itc, token, claims, lists, roller, sinks };
  const analytics = await results.getAddress();
  return { ...people, ...money, results, others, analytics, libraries, ethers, networkHelpers, provider };
}

export type Stage = Awaited<ReturnType<typeof openStage>>;

/** Makes a result final and hands its reward to a sink. */
export async function finish(
  stage: Stage,
  sink: keyof Stage["sinks"],
  shares: readonly Share[],
  changes: { reward?: bigint; name?: string; source?: BaseContract; isFinal?: boolean; weight?: bigint } = {},
): Promise<Finished> {
  const { reward = 1_000n, name = "result", source = stage.results, isFinal = true } = changes;
  const tree = new PlainResultTree(shares);
  const result = { id: id(name), root: tree.root, weights: weightsOf(shares), reward, tree };
  await source.getFunction("setResult")(result.id, isFinal, tree.root, changes.weight ?? tree.weight);
  await source.getFunction("hand")(stage.token, stage.sinks[sink], result.id, stage.company.address, reward, reward);
  return result;
}

/** The pool of a contract with results, which must be open. */
export async function poolOf(stage: Stage, analytics = stage.analytics) {
  const { pool } = await stage.roller.ledgerOf(analytics);
  return PayoutPool__factory.connect(pool, stage.stranger);
}

/** Lets time go by. */
export async function wait(stage: Stage, seconds: bigint): Promise<void> {
  await stage.networkHelpers.time.increase(seconds);
}

function raise(message: string): never {
  throw new Error(message);
}
