import { expect } from "chai";
import { noisyPartial } from "../../toolkit/analytics/noise.js";
import { neutralPartial } from "../../toolkit/analytics/partials.js";
import { Operation } from "../../toolkit/analytics/query.js";
import { nodeDigest } from "../../toolkit/analytics/result-tree.js";
import { keccak256, toHex } from "../../toolkit/internal/bytes.js";
import { lyingTree } from "../../toolkit/testing/lies.js";
import { Shelf } from "../../toolkit/testing/shelf.js";
import {
  ANSWER,
  asked,
  attestedLeaf,
  HOUR,
  ITC,
  opened,
  openMarket,
  ownerOf,
  passWindow,
  raise,
  treeOf,
  withheldLeaf,
} from "./market.js";
import {
  answererOf,
  brief,
  changesOf,
  proposeData,
  silentTower,
  towerOf,
  type WatchStage,
  withLeaves,
} from "./watched.js";

const pass = ({ market }: WatchStage, seconds: bigint) => market.networkHelpers.time.increase(seconds);
const stands = async ({ market, request }: Pick<WatchStage, "market" | "request">) =>
  (await market.analytics.proposalOf(request)).root !== `0x${"00".repeat(32)}`;

/** All readings that a stage's devices have opened. */
function readingsIn({ market, batch, kept }: WatchStage) {
  const all = kept.flat().map((_, k) => opened(market, batch, k));
  return async (_: string, device: string) => all.filter(({ fields }) => fields.device === device);
}

describe("A watchtower and honest results", () => {
  it("challenges nothing, whatever the operation", async () => {
    for (const query of [
      {},
      { operation: Operation.Distinct, size: 10, lower: 0n, upper: 0n },
      { operation: Operation.Membership, size: 9, hashes: 3, lower: 0n, upper: 0n },
      { operation: Operation.Histogram, size: 5 },
      { operation: Operation.MinMax },
    ]) {
      const stage = await withLeaves({ query });
      await proposeData(stage, stage.tree, stage.tree);
      expect(brief(await towerOf(stage).round())).to.deep.equal([`clean ${toHexOf(stage)} is right.`]);
    }
  });

  it("challenges nothing with noise, and with withheld leaves", async () => {
    const market = await openMarket();
    const epsilon = 1_000_000n;
    const request = await asked(market, { terms: { epsilon } });
    const leaves = await Promise.all(
      market.keys.slice(0, 5).map((key, k) => {
        const partial = noisyPartial(request.query, epsilon, neutralPartial(request.query));
        return attestedLeaf(market, request, ownerOf(market, k), key, { partial, count: 3n });
      }),
    );
    const tree = treeOf(request, [...leaves, withheldLeaf(request, ownerOf(market, 5), market.keys[5] ?? raise())]);
    const shelf = new Shelf();
    await proposeData({ market, request, shelf }, tree, tree);
    const said = brief(await towerOf({ market, shelf }, { questions: "all" }).round());
    expect(said).to.deep.equal([`clean ${(await market.analytics.proposalOf(request)).root} is right.`]);
  });

  it("is answered by an honest proposer, whatever it asks: all partials, or some, and each once", async () => {
    for (const [questions, number] of [
      ["all", 6],
      ["sampled", 3],
    ] as const) {
      const stage = await withLeaves();
      await proposeData(stage, stage.tree, stage.tree);
      const tower = towerOf(stage, { questions });
      const said = brief(await tower.round()).filter((line) => line.startsWith("sent question"));
      expect(said).to.have.length(number);
      const answers = await answererOf(stage, stage.tree, { readingsOf: readingsIn(stage) }).round();
      expect(answers.map(({ what }) => what)).to.deep.equal(Array(number).fill("sent"));
      // Another one with the same key goes on where this one stopped.
      expect(
        brief(await towerOf(stage, { questions }).round()).filter((line) => line.startsWith("sent")),
      ).to.deep.equal([]);
      await passWindow(stage.market, HOUR + 2n * ANSWER);
      await stage.market.analytics.finalise(stage.request);
    }
  });

  it("is answered where it can't get the data, leaf by leaf, and then finds them right", async () => {
    const stage = await withLeaves();
    await proposeData(stage, stage.tree, stage.tree);
    stage.shelf.kept.clear();
    const tower = towerOf(stage);
    const answerer = answererOf(stage, stage.tree);
    expect(brief(await tower.round())).to.deep.equal(["unseen There are no data.", "sent demand 0"]);
    expect(brief(await tower.round())).to.deep.equal([]);
    expect(brief(await answerer.round())).to.deep.equal(["sent show 0"]);
    const rest = [1, 2, 3, 4, 5].map((k) => `sent demand ${k}`);
    expect(brief(await tower.round())).to.deep.equal(rest);
    expect(brief(await answerer.round())).to.have.length(5);
    expect(brief(await tower.round())).to.deep.equal([`clean ${toHexOf(stage)} is right.`]);
    expect(await stands(stage)).to.equal(true);
  });
});

describe("A watchtower and data that it can't get", () => {
  it("waits for them, demands a leaf, and settles what isn't answered", async () => {
    const stage = await withLeaves();
    const { market, request } = stage;
    await proposeData(stage, stage.tree, stage.tree);
    stage.shelf.kept.clear();
    const tower = towerOf(stage, { patience: 600n });
    expect(brief(await tower.round())).to.deep.equal(["unseen There are no data."]);
    await pass(stage, 600n);
    const gained = await changesOf(market, [market.watcher.address], async () => {
      expect(brief(await tower.round())).to.deep.equal(["sent demand 0"]);
      await pass(stage, ANSWER + 1n);
      expect(brief(await tower.round())).to.deep.equal(["sent settle"]);
    });
    expect(gained).to.deep.equal([request.terms.bond / 2n]);
  });

  it("takes back a deposit that nobody needs any longer", async () => {
    const stage = await withLeaves();
    const { market } = stage;
    const [first = raise(), ...rest] = stage.leaves;
    const wrong = treeOf(stage.request, [{ ...first, weight: 9n }, ...rest]);
    await proposeData(stage, wrong, wrong);
    const data = new Map(stage.shelf.kept);
    stage.shelf.kept.clear();
    const tower = towerOf(stage);
    expect(brief(await tower.round())).to.include("sent demand 0");
    const shelf = new Shelf();
    for (const [content, bytes] of data) shelf.kept.set(content, bytes);
    expect(brief(await towerOf({ market, shelf }, { signer: market.company }).round())).to.include(
      "sent challengeLeaf",
    );
    const gained = await changesOf(market, [market.watcher.address], async () => {
      expect(brief(await tower.round())).to.deep.equal(["sent settle"]);
    });
    expect(gained).to.deep.equal([10n * ITC]);
  });

  it("stays within its budget, across restarts", async () => {
    const stage = await withLeaves();
    await proposeData(stage, stage.tree, stage.tree);
    const changes = { questions: "all", most: 25n * ITC } as const;
    const lines = brief(await towerOf(stage, changes).round());
    expect(lines.filter((line) => line.startsWith("sent question"))).to.have.length(2);
    expect(lines.filter((line) => line.startsWith("limit"))).to.have.length(1);
    const again = brief(await towerOf(stage, changes).round());
    expect(again.filter((line) => line.startsWith("sent"))).to.deep.equal([]);
  });

  it("challenges a root that isn't what the published leaves come to, at once", async () => {
    for (const lie of [{ weight: 100n }, { count: 1n }, { aggregate: `0x${"11".repeat(32)}` }]) {
      const stage = await withLeaves();
      const { root, node } = lyingTree(stage.tree, stage.tree.height, 0, lie);
      const aggregate = stage.tree.aggregate;
      if (lie.aggregate) {
        // A root names the bytes that come with it.
        const other = aggregate.with(31, (aggregate[31] ?? 0) ^ 1);
        const changed = { ...node, summary: { ...node.summary, aggregate: toHex(keccak256(other)) } };
        await proposeData(stage, { root: changed, aggregate: other }, stage.tree);
      } else await proposeData(stage, { root, aggregate }, stage.tree);
      const said = brief(await towerOf(stage, { most: 0n }).round());
      expect(said.filter((line) => line.startsWith("sent"))).to.deep.equal(["sent challengeNode"]);
      expect(await stands(stage)).to.equal(false);
    }
  });

  it("finds a lying node by halving, which no answer can show", async () => {
    const stage = await withLeaves();
    const { market, request, tree } = stage;
    const lie = lyingTree(tree, 1, 1, { weight: 100n });
    await proposeData(stage, { root: lie.root, aggregate: lie.aggregate }, tree);
    const tower = towerOf(stage);
    const liar = answererOf(stage, lie.answers);
    const told = brief(await tower.round());
    expect(told[0]).to.match(/^unseen .*root/);
    expect(told.filter((line) => line.startsWith("sent demand")).length).to.be.greaterThan(0);
    await liar.round();
    for (let round = 0; round < 3 && (await stands(stage)); round++) {
      await tower.round();
      await liar.round();
      await pass(stage, ANSWER + 1n);
      await tower.round();
    }
    expect(await stands(stage)).to.equal(false);
    expect(await market.itc.balanceOf(market.analytics)).to.equal(
      request.terms.reward + request.terms.fee + request.terms.bond - request.terms.bond / 2n,
    );
  });

  it("finds a leaf that isn't the published one, and challenges what was shown", async () => {
    for (const k of [0, 3, 5]) {
      const stage = await withLeaves();
      const { request, tree } = stage;
      const secret = treeOf(
        request,
        tree.leaves.map((leaf, index) => (index === k ? { ...leaf, weight: 9n } : leaf)),
      );
      await proposeData(stage, secret, tree);
      const answerer = answererOf(stage, secret);
      let said: string[] = [];
      for (let round = 0; round < 4 && !said.includes("sent challengeLeaf"); round++) {
        // A new one each time: all that it knows is on the chain.
        said = brief(await towerOf(stage).round());
        await answerer.round();
      }
      expect(said).to.include("sent challengeLeaf");
      expect(await stands(stage)).to.equal(false);
    }
  });

  it("takes data under a wrong name, or cut off, for missing", async () => {
    for (const spoil of [(data: Uint8Array) => data.slice(0, -40), (data: Uint8Array) => data.with(60, 0x20)]) {
      const stage = await withLeaves();
      await proposeData(stage, stage.tree, stage.tree);
      for (const [content, data] of stage.shelf.kept) stage.shelf.kept.set(content, spoil(data));
      expect(brief(await towerOf(stage).round())[1]).to.match(/^sent demand/);
      await answererOf(stage, stage.tree).round();
      expect(await stands(stage)).to.equal(true);
    }
  });

  it("doesn't ask twice, nor fail, where two watch at once", async () => {
    const stage = await withLeaves();
    const { market, shelf } = stage;
    const [first = raise(), ...rest] = stage.leaves;
    const wrong = treeOf(stage.request, [{ ...first, weight: 9n }, ...rest]);
    await proposeData(stage, wrong, wrong);
    const towers = [towerOf(stage), towerOf({ market, shelf }, { signer: market.company })];
    const said = (await Promise.all(towers.map(async (tower) => brief(await tower.round())))).flat();
    expect(said.filter((line) => line === "sent challengeLeaf")).to.have.length(1);
    expect(said.filter((line) => /^(sent|refused) challengeLeaf/.test(line)).length).to.be.lessThanOrEqual(2);
    expect((await Promise.all(towers.map((tower) => tower.round()))).flat()).to.deep.equal([]);
  });

  it("sends nothing without a key, and says what it would", async () => {
    const stage = await withLeaves();
    const { market } = stage;
    const [first = raise(), ...rest] = stage.leaves;
    const wrong = treeOf(stage.request, [{ ...first, weight: 9n }, ...rest]);
    await proposeData(stage, wrong, wrong);
    const block = await market.ethers.provider.getBlockNumber();
    expect(brief(await silentTower(stage).round())).to.deep.equal(["fault leaf", "reported challengeLeaf"]);
    stage.shelf.kept.clear();
    expect(brief(await silentTower(stage).round())).to.deep.equal(["unseen There are no data.", "reported demand 0"]);
    expect(await market.ethers.provider.getBlockNumber()).to.equal(block);
  });

  it("doesn't demand what nobody can answer in time", async () => {
    const stage = await withLeaves();
    await proposeData(stage, stage.tree, stage.tree);
    stage.shelf.kept.clear();
    await passWindow(stage.market);
    expect(brief(await towerOf(stage).round()).filter((line) => line.startsWith("sent"))).to.deep.equal([]);
  });
});

function toHexOf({ tree }: WatchStage): string {
  return toHex(nodeDigest(tree.root));
}
