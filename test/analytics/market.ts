import { id } from "ethers";
import { AggregateTree, type Contribution, inOrder } from "../../toolkit/analytics/aggregate-tree.js";
import type { AnalysisRequest } from "../../toolkit/analytics/requests.js";
import { requestIdOf } from "../../toolkit/analytics/requests.js";
import type { DeviceKey } from "../../toolkit/identity/keys.js";
import { activationOf, type EnrolledLot, enrolLot, keyOf, makeIssuer, send } from "../identity/fleet.js";
import { type Deployed, deployed } from "../support.js";

export const ITC = 10n ** 18n;
export const HOUR = 3600n;
export const PURPOSE = id("Mean of anything");
/** A consent to everything. */
export const ANY_TERMS = { expiry: 4_000_000_000n, cohort: 0n, price: 0n, budget: 2n ** 64n - 1n };

/** A market of three owners with two devices each, all active and consented, a company and a proposer. */
export async function openMarket() {
  const world = await deployed();
  const pick = (k: number) => world.accounts[k] ?? world.operator;
  const maker = pick(0);
  const company = pick(1);
  const proposer = pick(2);
  const stranger = pick(3);
  const owners = [pick(4), pick(5), pick(6)];
  await makeIssuer(world, maker);
  const keys = Array.from({ length: 8 }, (_, k) => keyOf(`market-${k}`));
  const lot = await enrolLot(world, maker, keys);
  for (const [k, key] of keys.slice(0, 6).entries()) await bringToLife(world, lot, key, owners[k % 3]?.address ?? "");
  for (const owner of owners) await world.consents.connect(owner).grant(PURPOSE, ANY_TERMS);
  for (const who of [company, proposer]) {
    await world.itc.transfer(who.address, 10_000n * ITC);
    await world.itc.connect(who).approve(world.addresses.Analytics, 2n ** 256n - 1n);
    await world.itc.connect(who).approve(world.addresses.PayoutRoller, 2n ** 256n - 1n);
  }
  return { ...world, world, maker, company, proposer, stranger, owners, keys, lot };
}

export type Market = Awaited<ReturnType<typeof openMarket>>;

export async function bringToLife(world: Deployed, lot: EnrolledLot, key: DeviceKey, owner: string): Promise<void> {
  await send(world, activationOf(world, lot, key, owner));
}

/** A fair request; parts of it can be replaced. */
export async function requestOf(market: Market, changes: Partial<AnalysisRequest> = {}): Promise<AnalysisRequest> {
  return {
    requester: market.company.address,
    salt: id("salt"),
    purpose: PURPOSE,
    schema: id("schema"),
    operation: 0,
    from: 1n,
    to: 2n,
    cohort: 2n,
    deadline: BigInt(await market.networkHelpers.time.latest()) + 1000n * HOUR,
    challengeWindow: HOUR,
    reward: 1000n * ITC,
    bond: 100n * ITC + 1n,
    ...changes,
  };
}

export function idOf(market: Market, request: AnalysisRequest): string {
  return requestIdOf(request, market.chainId, market.addresses.Analytics);
}

/** What the six active devices honestly contribute. */
export function contributionsOf(market: Market): Contribution[] {
  const { keys, owners } = market;
  return keys.slice(0, 6).map((key, k) => {
    return { owner: owners[k % 3]?.address ?? "", device: key.id, sum: BigInt(100 * k - 150), count: BigInt(k + 1) };
  });
}

export function treeOf(contributions: readonly Contribution[]): AggregateTree {
  return new AggregateTree(inOrder(contributions));
}

/** Opens a request and proposes a tree, right or wrong. */
export async function proposed(market: Market, tree: AggregateTree, changes: Partial<AnalysisRequest> = {}) {
  const request = await requestOf(market, changes);
  await market.analytics.connect(market.company).request(request);
  await propose(market, request, tree);
  return request;
}

export function propose(market: Market, request: AnalysisRequest, tree: AggregateTree, by = market.proposer) {
  const [left, right] = tree.children;
  return market.analytics.connect(by).propose(request, tree.root.aggregate, left, right, id("data"));
}

/** Moves the clock past a proposal's window. */
export async function passWindow(market: Market, seconds = HOUR): Promise<void> {
  await market.networkHelpers.time.increase(seconds + 1n);
}
