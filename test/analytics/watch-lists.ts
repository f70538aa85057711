import { expect } from "chai";
import { concat } from "ethers";
import { Settlement } from "../../toolkit/analytics/requests.js";
import { ownerWeights } from "../../toolkit/analytics/roll-faults.js";
import { sharesByWeight } from "../../toolkit/analytics/shares.js";
import { payoutList } from "../../toolkit/payouts/payout-list.js";
import { idOf, passWindow } from "./market.js";
import {
  brief,
  changesOf,
  laggingNode,
  proposeData,
  silentTower,
  towerOf,
  type WatchStage,
  withLeaves,
} from "./watched.js";

/** Calls the address in its calldata's first 20 bytes with the rest of it. */
const FORWARDER = "0x601d8060095f395ff360143603806014" + "5f375f5f825f5f5f3560601c5af1601b575f5ffd5b00";

/** A final result whose reward lies at the lists. */
async function finished(): Promise<WatchStage> {
  const stage = await withLeaves({ terms: { settlement: Settlement.Pushed } });
  const { market } = stage;
  await market.itc.connect(market.proposer).approve(market.addresses.PayoutLists, 2n ** 256n - 1n);
  await proposeData(stage, stage.tree, stage.tree);
  await passWindow(market);
  await market.analytics.finalise(stage.request);
  return stage;
}

async function due({ market, request, tree }: WatchStage): Promise<Map<string, bigint>> {
  const { reward } = await market.lists.rewardOf(market.addresses.Analytics, idOf(market, request));
  return sharesByWeight(ownerWeights(tree), reward);
}

/** What is due, with an amount moved from one account to another. */
async function shifted(stage: WatchStage, from: number, to: number, amount: bigint): Promise<Map<string, bigint>> {
  const shares = await due(stage);
  const accounts = [...shares.keys()];
  const move = (k: number, by: bigint) => shares.set(accounts[k] ?? "", (shares.get(accounts[k] ?? "") ?? 0n) + by);
  move(from, -amount);
  move(to, amount);
  return shares;
}

const roll = ({ market, request }: WatchStage, shares: ReadonlyMap<string, bigint>) =>
  market.lists.connect(market.proposer).rollList(market.addresses.Analytics, idOf(market, request), payoutList(shares));

const stands = async ({ market, request }: WatchStage) =>
  (await market.lists.listOf(market.addresses.Analytics, idOf(market, request))).challengeEnd !== 0n;

const sent = (said: readonly string[]) => said.filter((line) => line.startsWith("sent"));

describe("A watchtower over lists of payouts", () => {
  it("leaves a list by the rule alone", async () => {
    const stage = await finished();
    await roll(stage, await due(stage));
    const tower = towerOf(stage);
    expect((await tower.round()).map(({ what, detail }) => `${what} ${detail.slice(0, 8)}`)).to.deep.equal([
      "clean The list",
    ]);
    expect(await tower.round()).to.deep.equal([]);
    expect(await stands(stage)).to.equal(true);
  });

  it("challenges a list that pays somebody too little, or not at all, and earns half the bond", async () => {
    for (const [from, to] of [
      [0, 1],
      [1, 2],
      [2, 0],
    ] as const) {
      for (const isAll of [false, true]) {
        const stage = await finished();
        const { market } = stage;
        const amount = isAll ? ([...(await due(stage)).values()][from] ?? 0n) : 1n;
        await roll(stage, await shifted(stage, from, to, amount));
        const gained = await changesOf(market, [market.watcher.address], async () => {
          expect(sent(brief(await towerOf(stage).round()))).to.deep.equal(["sent challengeList"]);
        });
        expect(gained).to.deep.equal([(await market.lists.bond()) / 2n]);
        expect(await stands(stage)).to.equal(false);
      }
    }
  });

  it("reads a list that another contract has passed on", async () => {
    const stage = await finished();
    const { market, request } = stage;
    const { proposer, itc, lists, addresses } = market;
    const creation = await (await proposer.sendTransaction({ data: FORWARDER })).wait();
    const forwarder = creation?.contractAddress ?? "";
    await itc.transfer(forwarder, await lists.bond());
    const forward = (to: string, data: string) => proposer.sendTransaction({ to: forwarder, data: concat([to, data]) });
    await forward(addresses.ITC, itc.interface.encodeFunctionData("approve", [addresses.PayoutLists, 2n ** 255n]));
    const words = payoutList(await shifted(stage, 0, 1, 1n));
    const args: [string, string, string[]] = [addresses.Analytics, idOf(market, request), words];
    await forward(addresses.PayoutLists, lists.interface.encodeFunctionData("rollList", args));
    expect((await lists.listOf(addresses.Analytics, idOf(market, request))).proposer).to.equal(forwarder);
    expect(sent(brief(await towerOf(stage).round()))).to.deep.equal(["sent challengeList"]);
  });

  it("judges the next list by the reward with the lost bond", async () => {
    const stage = await finished();
    const before = await due(stage);
    const tower = towerOf(stage);
    await roll(stage, await shifted(stage, 0, 1, 1n));
    expect(sent(brief(await tower.round()))).to.deep.equal(["sent challengeList"]);
    await roll(stage, before);
    expect(sent(brief(await tower.round()))).to.deep.equal(["sent challengeList"]);
    await roll(stage, await due(stage));
    expect((await tower.round()).map(({ what }) => what)).to.deep.equal(["clean"]);
  });

  it("tries again where a node that lags refuses its challenge", async () => {
    const stage = await finished();
    const { node, provider } = await laggingNode(stage.market);
    await roll(stage, await shifted(stage, 0, 1, 1n));
    const tower = towerOf(stage, { provider });
    expect((await tower.round()).map(({ what }) => what)).to.deep.equal(["fault", "refused"]);
    node.isLate = false;
    expect(sent(brief(await tower.round()))).to.deep.equal(["sent challengeList"]);
  });

  it("says what it can't see, and looks again", async () => {
    const stage = await finished();
    const { market, shelf } = stage;
    await roll(stage, await shifted(stage, 0, 1, 1n));
    const kept = new Map(shelf.kept);
    shelf.kept.clear();
    const tower = towerOf({ market, shelf });
    expect((await tower.round()).map(({ what }) => what)).to.deep.equal(["unseen"]);
    for (const [content, data] of kept) shelf.kept.set(content, data);
    expect(sent(brief(await tower.round()))).to.deep.equal(["sent challengeList"]);
  });

  it("sends nothing without a key, after the window, or for a list that is gone", async () => {
    const stage = await finished();
    const { market, request } = stage;
    const lie = await shifted(stage, 0, 1, 1n);
    await roll(stage, lie);
    expect(brief(await silentTower(stage).round())).to.deep.equal(["fault list", "reported challengeList"]);
    const { challengeEnd } = await market.lists.listOf(market.addresses.Analytics, idOf(market, request));
    await market.networkHelpers.time.increaseTo(challengeEnd + 1n);
    expect(await towerOf(stage).round()).to.deep.equal([]);
    await market.lists.push(market.addresses.Analytics, idOf(market, request), payoutList(lie));
    expect(await towerOf(stage).round()).to.deep.equal([]);
  });
});
