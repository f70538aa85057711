import { expect } from "chai";
import type { ResultTree } from "../../toolkit/analytics/result-tree.js";
import { anchored, idOf, ownerOf, provedLeaf, raise, readingsOf, treeOf, withheldLeaf } from "./market.js";
import { Mirror } from "./mirror.js";
import { brief, proposeData, towerOf, type WatchStage, withLeaves } from "./watched.js";

describe("A watchtower with published readings", () => {
  let stage: WatchStage;
  let mirror: Mirror;

  beforeEach(async () => {
    stage = await withLeaves();
    mirror = await Mirror.open(stage.market);
  });

  afterEach(() => mirror.remove());

  const publish = () => mirror.publish("gateway.ndjson", mirror.batch(stage.batch));
  const propose = (tree: ResultTree) => proposeData(stage, tree, tree);
  const left = () => treeOf(stage.request, stage.leaves.slice(1));
  const sent = (said: readonly string[]) => said.filter((line) => line.startsWith("sent"));
  /** Looks once, with these readings alone. */
  async function look(): Promise<string[]> {
    const reader = mirror.reader();
    try {
      return brief(await towerOf(stage, { readings: reader.of }).round());
    } finally {
      reader.close();
    }
  }

  it("challenges nothing in an honest result, also where a device is withheld", async () => {
    const { market, request, leaves } = stage;
    await publish();
    const held = withheldLeaf(request, ownerOf(market, 0), market.keys[0] ?? raise());
    await propose(treeOf(request, [held, ...leaves.slice(1)]));
    expect((await look()).join()).to.match(/^clean [^,]*$/);
  });

  it("challenges a device that was left out, by a reading of the gateway's log", async () => {
    await publish();
    await propose(left());
    expect(sent(await look())).to.deep.equal(["sent challengeOmission"]);
    expect((await stage.market.analytics.proposalOf(stage.request)).root).to.equal(`0x${"00".repeat(32)}`);
  });

  it("finds the omission once the reading is published", async () => {
    await propose(left());
    const reader = mirror.reader();
    const tower = towerOf(stage, { readings: reader.of });
    expect((await tower.round()).map(({ what }) => what)).to.deep.equal(["clean"]);
    await publish();
    expect(sent(brief(await tower.round()))).to.deep.equal(["sent challengeOmission"]);
    reader.close();
  });

  it("finds the omission once readings can be read again that were taken in before", async () => {
    await publish();
    const { request, market } = stage;
    const before = mirror.reader();
    await before.of(idOf(market, request), request);
    before.close();
    await propose(left());
    const reader = mirror.reader();
    let isAway = true;
    const tower = towerOf(stage, {
      readings: (...asked) => (isAway ? Promise.reject(new Error("away")) : reader.of(...asked)),
    });
    expect((await tower.round()).map(({ what }) => what)).to.deep.equal(["trouble", "clean"]);
    isAway = false;
    expect(sent(brief(await tower.round()))).to.deep.equal(["sent challengeOmission"]);
    reader.close();
  });

  it("asks nothing about what readings have borne out while they can't be read", async () => {
    const { request, leaves } = stage;
    await publish();
    await propose(treeOf(request, leaves));
    const reader = mirror.reader();
    let isAway = false;
    const tower = towerOf(stage, {
      questions: "all",
      readings: (...asked) => (isAway ? Promise.reject(new Error("away")) : reader.of(...asked)),
    });
    expect((await tower.round()).map(({ what }) => what)).to.deep.equal(["clean"]);
    isAway = true;
    expect((await tower.round()).map(({ what }) => what)).to.deep.equal(["trouble"]);
    reader.close();
  });

  it("questions a partial that isn't what the same readings come to", async () => {
    const { request, leaves } = stage;
    await publish();
    const [first = raise(), ...rest] = leaves;
    await propose(treeOf(request, [{ ...first, partial: first.partial.with(31, 99) }, ...rest]));
    expect(sent(await look())).to.deep.equal([`sent question ${first.device.toLowerCase()}`]);
  });

  it("questions nothing about a device that contradicts itself", async () => {
    const { market, request, leaves } = stage;
    const key = market.keys[0] ?? raise();
    const other = readingsOf(market, request, key, [-50n, 1n, 7n]);
    const again = await anchored(market, other);
    await mirror.publish("gateway.ndjson", mirror.batch(stage.batch), mirror.batch({ ...again, index: 1n }));
    await propose(treeOf(request, [provedLeaf(request, ownerOf(market, 0), other), ...leaves.slice(1)]));
    expect((await look()).join()).to.match(/^clean [^,]*$/);
  });

  it("sends nothing against what the court wouldn't count", async () => {
    const { market } = stage;
    await publish();
    await propose(left());
    // Whose owner sold it can't be shown to be left out: nobody noted who had it.
    const device = market.keys[0]?.id ?? raise();
    await market.registry.connect(market.owners[0]).transferFrom(ownerOf(market, 0), market.company.address, device);
    expect(sent(await look())).to.deep.equal([]);
  });

  it("says that it can't read them, and finds what is wrong without", async () => {
    const { request, leaves } = stage;
    const [first = raise(), ...rest] = leaves;
    await propose(treeOf(request, [{ ...first, weight: 9n }, ...rest]));
    const away = mirror.reader({ folder: mirror.path("away") });
    const said = brief(await towerOf(stage, { readings: away.of }).round());
    expect(said[0]).to.match(/^trouble ITC_READINGS_FOLDER/);
    expect(sent(said)).to.deep.equal(["sent challengeLeaf"]);
    away.close();
  });
});
