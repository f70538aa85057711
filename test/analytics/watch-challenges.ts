import { expect } from "chai";
import { id } from "ethers";
import { neutralPartial } from "../../toolkit/analytics/partials.js";
import type { ResultLeaf, ResultTree } from "../../toolkit/analytics/result-tree.js";
import { falseResult } from "../../toolkit/testing/lies.js";
import { Shelf } from "../../toolkit/testing/shelf.js";
import {
  asked,
  attestedLeaf,
  HOUR,
  opened,
  openMarket,
  ownerOf,
  passWindow,
  provedLeaf,
  raise,
  readingsOf,
  treeOf,
  withheldLeaf,
} from "./market.js";
import { brief, changesOf, laggingNode, proposeData, towerOf, type WatchStage, withLeaves } from "./watched.js";

const NOISY = { terms: { epsilon: 1_000_000n } };

/** Proposes a tree that is a lie from end to end, and lets a watchtower at it: the bond must be split, whoever asked. */
async function takenDown(
  stage: WatchStage,
  tree: ResultTree,
  call: string,
  options: Parameters<typeof towerOf>[1] = {},
) {
  const { market, request } = stage;
  await proposeData(stage, tree, tree);
  const tower = towerOf(stage, options);
  const { bond } = request.terms;
  const people = [market.watcher.address, market.company.address, market.proposer.address];
  let said: string[] = [];
  const change = await changesOf(market, people, async () => {
    said = brief(await tower.round());
  });
  expect(said).to.include(`sent ${call}`);
  expect(said.filter((line) => line.startsWith("sent"))).to.have.length(1);
  expect(change).to.deep.equal([bond / 2n, 0n, 0n]);
  expect((await market.analytics.proposalOf(request)).root).to.equal(`0x${"00".repeat(32)}`);
  expect(brief(await tower.round())).to.deep.equal([]);
}

/** A market with six partials that devices have signed. */
async function withAttested() {
  const market = await openMarket();
  const request = await asked(market, NOISY);
  const partial = neutralPartial(request.query);
  partial[31] = 9;
  partial[63] = 3;
  const keys = market.keys.slice(0, 6);
  const leaves = await Promise.all(
    keys.map((key, k) => attestedLeaf(market, request, ownerOf(market, k), key, { partial, count: 3n })),
  );
  const stage = { ...(await withLeavesOf(market, request)), leaves };
  return { ...stage, tree: treeOf(request, leaves) };
}

async function withLeavesOf(market: WatchStage["market"], request: WatchStage["request"]): Promise<WatchStage> {
  return { market, request, kept: [], batch: raised(), leaves: [], tree: raised(), shelf: new Shelf() };
}

/** Proposes a result of a later request that spends the same budgets. Returns its data. */
async function spentAgain({ market }: WatchStage): Promise<Shelf> {
  const later = await asked(market, { ...NOISY, salt: id("later") });
  const partial = neutralPartial(later.query);
  const keys = market.keys.slice(0, 6);
  const again = await Promise.all(
    keys.map((key, k) => attestedLeaf(market, later, ownerOf(market, k), key, { partial, count: 3n, spent: 999_999n })),
  );
  const tree = treeOf(later, again);
  const shelf = new Shelf();
  await proposeData({ market, request: later, shelf }, tree, tree);
  return shelf;
}

/** What these stages don't have. */
function raised<Missing>(): Missing {
  return undefined as Missing;
}

const partsOf = ({ market, request }: WatchStage) => ({ request, accomplice: market.proposer.address });

describe("A watchtower against a false result", () => {
  it("challenges leaves out of order by the node above them", async () => {
    const stage = await withLeaves();
    await takenDown(stage, falseResult("unsorted", stage.tree, partsOf(stage)), "challengeNode");
  });

  it("challenges leaves that break the rules by themselves", async () => {
    for (const lie of [{ weight: 9n }, { count: 101n, weight: 101n }, { spent: 1n }]) {
      const stage = await withLeaves();
      const [first = raise(), ...rest] = stage.leaves;
      await takenDown(stage, treeOf(stage.request, [{ ...first, ...lie }, ...rest]), "challengeLeaf");
    }
    const stage = await withLeaves();
    const held = {
      ...withheldLeaf(stage.request, ownerOf(stage.market, 0), stage.market.keys[0] ?? raise()),
      weight: 1n,
    };
    await takenDown(stage, treeOf(stage.request, [held, ...stage.leaves.slice(1)]), "challengeLeaf");
  });

  it("challenges a member that isn't eligible", async () => {
    const stage = await withLeaves();
    const unborn = stage.market.keys[6] ?? raise();
    const leaf = provedLeaf(
      stage.request,
      ownerOf(stage.market, 0),
      readingsOf(stage.market, stage.request, unborn, [1n]),
    );
    await takenDown(stage, treeOf(stage.request, [...stage.leaves, leaf]), "challengeMember");
  });

  it("challenges a device under two owners", async () => {
    const stage = await withLeaves();
    await takenDown(stage, falseResult("doubled", stage.tree, partsOf(stage)), "challengeDouble");
  });

  it("challenges a signature that isn't the device's", async () => {
    const stage = await withAttested();
    const [first = raise(), second = raise(), ...rest] = stage.leaves;
    const forged = { ...first, evidence: second.evidence };
    await takenDown(stage, treeOf(stage.request, [forged, second, ...rest]), "challengeSignature");
  });

  it("challenges a budget that was spent in an earlier result, once that is to be had", async () => {
    const stage = await withAttested();
    const { market } = stage;
    await proposeData(stage, stage.tree, stage.tree);
    await passWindow(market);
    await market.analytics.finalise(stage.request);
    const shelf = await spentAgain(stage);
    const tower = towerOf({ market, shelf });
    expect(brief(await tower.round()).join())
      .to.match(/unseen.*budget/)
      .and.not.match(/sent challenge/);
    for (const [content, data] of stage.shelf.kept) shelf.kept.set(content, data);
    expect(brief(await tower.round())).to.include("sent challengeSpent");
  });

  it("challenges a budget that was spent in an earlier result, once that is final", async () => {
    const stage = await withAttested();
    const { market } = stage;
    await proposeData(stage, stage.tree, stage.tree);
    await passWindow(market);
    const shelf = await spentAgain(stage);
    for (const [content, data] of stage.shelf.kept) shelf.kept.set(content, data);
    const tower = towerOf({ market, shelf });
    expect(brief(await tower.round()).join()).not.to.match(/sent/);
    await market.analytics.finalise(stage.request);
    expect(brief(await tower.round())).to.include("sent challengeSpent");
  });

  it("tries again where a node that lags refuses its challenge", async () => {
    const stage = await withLeaves();
    const [first = raise(), ...rest] = stage.leaves;
    const tree = treeOf(stage.request, [{ ...first, weight: 9n }, ...rest]);
    const { node, provider } = await laggingNode(stage.market);
    await proposeData(stage, tree, tree);
    const tower = towerOf(stage, { provider });
    expect(new Set((await tower.round()).map(({ what }) => what))).to.deep.equal(new Set(["fault", "refused"]));
    node.isLate = false;
    expect(brief(await tower.round())).to.deep.equal(["sent challengeLeaf"]);
  });

  it("challenges a device that was left out, by one of its readings", async () => {
    const stage = await withLeaves();
    const { market, batch, request, leaves } = stage;
    const reading = opened(market, batch, 6);
    const left = leaves.filter(({ device }) => device !== reading.fields.device);
    const readingOf = async (device: string) => (device === reading.fields.device ? reading : undefined);
    const readings = async () => ({ readingOf });
    await takenDown(stage, treeOf(request, left), "challengeOmission", { readings });
  });

  it("challenges readings that were contributed on chain, and passed over", async () => {
    for (const isThere of [true, false]) {
      const stage = await withLeaves();
      const { market, batch, request, leaves } = stage;
      const readings = [0, 1, 2].map((k) => opened(market, batch, k));
      const device = market.keys[0]?.id ?? raise();
      await market.desk.contributeReadings(market.addresses.Analytics, request, device, readings);
      const rest = leaves.slice(1);
      const held = withheldLeaf(request, ownerOf(market, 0), market.keys[0] ?? raise());
      const tree = treeOf(request, isThere ? [held, ...rest] : rest);
      await takenDown(stage, tree, isThere ? "challengeIgnored" : "challengeIgnoredDevice");
    }
  });

  it("questions a partial that isn't what its readings come to, and settles it", async () => {
    const stage = await withLeaves();
    const { market, request, leaves } = stage;
    const [first = raise(), ...rest] = leaves;
    const wrong: ResultLeaf = { ...first, partial: first.partial.with(31, 99) };
    const tree = treeOf(request, [wrong, ...rest]);
    await proposeData(stage, tree, tree);
    const own = { device: first.device, count: 3n, partial: first.partial, ranges: first.evidence[0] };
    const partialOf = (device: string) => (device === first.device.toLowerCase() ? own : undefined);
    const tower = towerOf(stage, { readings: async () => ({ partialOf }) });
    const { bond } = request.terms;
    const gained = await changesOf(market, [market.watcher.address], async () => {
      expect(brief(await tower.round())).to.include(`sent question ${wrong.device.toLowerCase()}`);
      await market.networkHelpers.time.increase(HOUR / 2n);
      expect(brief(await tower.round())).to.deep.equal([]);
      await market.networkHelpers.time.increase(2n);
      expect(brief(await tower.round())).to.deep.equal(["sent settle"]);
    });
    expect(gained).to.deep.equal([bond / 2n]);
  });

  it("questions evidence that no readings can bear out", async () => {
    const stage = await withLeaves();
    const [first = raise(), ...rest] = stage.leaves;
    const wrong = { ...first, evidence: [first.evidence[0].slice(0, 15), new Uint8Array()] as const };
    const tree = treeOf(stage.request, [wrong, ...rest]);
    await proposeData(stage, tree, tree);
    expect(brief(await towerOf(stage).round())).to.include(`sent question ${wrong.device.toLowerCase()}`);
  });

  it("challenges a doubtful member who was doubtful when the proposal came, and the bond goes back", async () => {
    const stage = await withLeaves({ filter: { assurance: 3 } });
    const { market, request, tree } = stage;
    await proposeData(stage, tree, tree);
    const back = await changesOf(market, [market.proposer.address], async () => {
      expect(brief(await towerOf(stage).round())).to.include("sent challengeMember");
    });
    expect(back).to.deep.equal([request.terms.bond]);
  });

  it("leaves a signature alone that counts for nothing only since the proposal", async () => {
    const stage = await withAttested();
    const { market, request, leaves, tree } = stage;
    await proposeData(stage, tree, tree);
    const device = leaves[0]?.device ?? raise();
    // The signatures of a suspended device count for nothing.
    await market.registry.connect(market.owners[0]).suspend(device);
    const said = brief(await towerOf(stage).round());
    expect(said.filter((line) => line.startsWith("sent"))).to.deep.equal([]);
    expect(said.join()).to.match(/doubtful signature/);
    expect((await market.analytics.proposalOf(request)).root).not.to.equal(`0x${"00".repeat(32)}`);
  });
});
