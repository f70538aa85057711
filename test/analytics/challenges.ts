import { expect } from "chai";
import { id } from "ethers";
import {
  type AggregateNode,
  AggregateTree,
  type Contribution,
  inOrder,
  leafNode,
  mergeNodes,
} from "../../toolkit/analytics/aggregate-tree.js";
import type { AnalysisRequest } from "../../toolkit/analytics/requests.js";
import { AggregateTree__factory } from "../../typechain-types/index.js";
import { activationOf, send } from "../identity/fleet.js";
import {
  bringToLife,
  contributionsOf,
  HOUR,
  ITC,
  idOf,
  type Market,
  openMarket,
  PURPOSE,
  passWindow,
  proposed,
  requestOf,
  treeOf,
} from "./market.js";

/** A tree in which one node, at a height and place, is said to be what it isn't. */
class LyingTree {
  readonly levels: AggregateNode[][];

  constructor(
    leaves: readonly AggregateNode[],
    height: number,
    place: number,
    lie: (node: AggregateNode) => AggregateNode,
  ) {
    this.levels = [[...leaves]];
    for (let level = 0; (this.levels[level]?.length ?? 0) > 1; level++) {
      const below = this.levels[level] ?? [];
      const liar = below[place];
      if (level === height && liar) below[place] = lie(liar);
      const above: AggregateNode[] = [];
      for (let k = 0; k < below.length; k += 2) {
        const [left, right] = [below[k], below[k + 1]];
        if (left) above.push(right ? mergeNodes(left, right) : left);
      }
      this.levels.push(above);
    }
  }

  node(height: number, place: number): AggregateNode {
    const found = this.levels[height]?.[place];
    if (!found) throw new Error(`No node ${place} at height ${height}.`);
    return found;
  }

  get root(): AggregateNode {
    return this.node(this.levels.length - 1, 0);
  }

  get children(): [AggregateNode, AggregateNode] {
    return [this.node(this.levels.length - 2, 0), this.node(this.levels.length - 2, 1)];
  }

  prove(height: number, place: number): { path: bigint; siblings: AggregateNode[] } {
    const siblings: AggregateNode[] = [];
    let path = 0n;
    for (let level = height, spot = place; level < this.levels.length - 1; level++, spot >>= 1) {
      const sibling = this.levels[level]?.[spot ^ 1];
      if (!sibling) continue;
      if (spot & 1) path |= 1n << BigInt(siblings.length);
      siblings.push(sibling);
    }
    return { path, siblings };
  }
}

describe("Challenges", () => {
  let market: Market;
  let restore: () => Promise<void>;

  before(async () => {
    market = await openMarket();
  });

  beforeEach(async () => {
    const snapshot = await market.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  const watcher = () => market.analytics.connect(market.stranger);

  async function lyingProposal(tree: LyingTree): Promise<AnalysisRequest> {
    const request = await requestOf(market);
    await market.analytics.connect(market.company).request(request);
    await market.analytics.connect(market.proposer).propose(request, tree.root.aggregate, ...tree.children, id("data"));
    return request;
  }

  /** Eight leaves, so that every height has siblings. */
  const eight = (): Contribution[] => {
    const six = contributionsOf(market);
    return inOrder([
      ...six,
      ...six.slice(0, 2).map((one, k) => ({ ...one, device: market.keys[6 + k]?.id ?? one.device })),
    ]);
  };

  const upheld = async (call: Promise<unknown>, request: AnalysisRequest) => {
    await expect(call)
      .to.emit(market.analytics, "ResultRejected")
      .withArgs(idOf(market, request), market.stranger.address);
    expect((await market.analytics.statusOf(idOf(market, request))).status).to.equal(1n);
  };

  describe("when a node lies", () => {
    it("challengeMerge upholds a wrong sum, count or number of members at every height", async () => {
      for (const height of [1, 2]) {
        for (const part of ["sum", "count", "members"] as const) {
          const snapshot = await market.networkHelpers.takeSnapshot();
          const lie = (node: AggregateNode) => ({
            ...node,
            aggregate: { ...node.aggregate, [part]: node.aggregate[part] + 1n },
          });
          const tree = new LyingTree(eight().map(leafNode), height, 1, lie);
          const request = await lyingProposal(tree);
          const { path, siblings } = tree.prove(height, 1);
          const [left, right] = [tree.node(height - 1, 2), tree.node(height - 1, 3)];
          const call = watcher().challengeMerge(request, tree.node(height, 1), path, siblings, left, right);
          await upheld(call, request);
          await snapshot.restore();
        }
      }
    });

    it("challengeMerge upholds children that overflow", async () => {
      const big = eight().map((one) => ({ ...one, sum: 2n ** 126n }));
      const wrapped = { sum: -(2n ** 127n), count: 3n, members: 2n };
      const tree = new LyingTree(
        big.map((one, k) => leafNode(k === 2 || k === 3 ? one : { ...one, sum: 0n })),
        1,
        1,
        (node) => ({ ...node, aggregate: wrapped }),
      );
      const request = await lyingProposal(tree);
      const { path, siblings } = tree.prove(1, 1);
      const call = watcher().challengeMerge(request, tree.node(1, 1), path, siblings, tree.node(0, 2), tree.node(0, 3));
      await upheld(call, request);
    });

    it("challengeLeaf upholds a leaf whose parent says something else of it", async () => {
      for (const part of ["sum", "count", "members"] as const) {
        const snapshot = await market.networkHelpers.takeSnapshot();
        const leaves = eight();
        const lie = (node: AggregateNode) => ({
          ...node,
          aggregate: { ...node.aggregate, [part]: node.aggregate[part] + 5n },
        });
        const tree = new LyingTree(leaves.map(leafNode), 0, 3, lie);
        const request = await lyingProposal(tree);
        const { path, siblings } = tree.prove(0, 3);
        const leaf = leaves[3] ?? eight()[0];
        if (!leaf) throw new Error("No leaf.");
        await upheld(watcher().challengeLeaf(request, tree.node(0, 3), path, siblings, leaf), request);
        await snapshot.restore();
      }
    });
  });

  describe("when a member may not be counted", () => {
    /** Proposes the honest tree with one contribution more or other, and challenges that one. */
    async function challenged(changed: Contribution, request?: AnalysisRequest) {
      const others = contributionsOf(market).filter(({ device }) => device !== changed.device);
      const tree = treeOf([...others, changed]);
      const asked = request ?? (await requestOf(market));
      if (!request) await market.analytics.connect(market.company).request(asked);
      const [left, right] = tree.children;
      await market.analytics.connect(market.proposer).propose(asked, tree.root.aggregate, left, right, id("data"));
      const place = tree.leaves.findIndex(({ device }) => device === changed.device);
      const { path, siblings } = tree.prove(place);
      return { asked, call: watcher().challengeMember(asked, changed, path, siblings) };
    }

    const member = (k: number, owner = market.owners[k % 3]?.address ?? ""): Contribution => {
      const device = market.keys[k]?.id ?? market.keys[0]?.id;
      if (!device) throw new Error("No device.");
      return { owner, device, sum: 1n, count: 1n };
    };

    it("challengeMember upholds a device that never was active, came later, or was revoked before", async () => {
      const never = await challenged(member(6));
      await upheld(never.call, never.asked);
      const later = await requestOf(market, { salt: id("later") });
      await market.analytics.connect(market.company).request(later);
      const key = market.keys[7];
      if (!key) throw new Error("No key.");
      await bringToLife(market.world, market.lot, key, market.owners[1]?.address ?? "");
      const late = await challenged(member(7), later);
      await upheld(late.call, late.asked);
      await market.registry.connect(market.maker).revokeDevice(market.lot.id, member(0).device);
      const revoked = await requestOf(market, { salt: id("revoked") });
      await market.analytics.connect(market.company).request(revoked);
      const before = await challenged(member(0), revoked);
      await upheld(before.call, before.asked);
    });

    it("challengeMember upholds another's device and an owner who hadn't agreed", async () => {
      const foreign = await challenged(member(0, market.owners[1]?.address));
      await upheld(foreign.call, foreign.asked);
      const [owner] = market.owners;
      if (!owner) throw new Error("No owner.");
      await market.consents.connect(owner).revoke(PURPOSE);
      const request = await requestOf(market, { salt: id("no consent") });
      await market.analytics.connect(market.company).request(request);
      const without = await challenged(member(0), request);
      await upheld(without.call, without.asked);
    });

    it("challengeMember leaves alone whoever was eligible when the request was made", async () => {
      const request = await requestOf(market);
      await market.analytics.connect(market.company).request(request);
      const [owner] = market.owners;
      if (!owner) throw new Error("No owner.");
      // Afterwards the device is sold, the consent withdrawn, and the issuer revokes: what was contributed stays.
      await market.registry.connect(owner).transferFrom(owner.address, market.stranger.address, member(0).device);
      await market.consents.connect(owner).revoke(PURPOSE);
      await market.registry.connect(market.maker).revokeDevice(market.lot.id, member(0).device);
      const { asked, call } = await challenged(member(0), request);
      await expect(call)
        .to.be.revertedWithCustomError(market.analytics, "AnalyticsMemberIsEligible")
        .withArgs(idOf(market, asked), member(0).device);
    });
  });

  describe("when a device counts twice", () => {
    it("challengeDouble upholds it, and refuses one place shown twice", async () => {
      const [first, ...others] = contributionsOf(market);
      if (!first) throw new Error("No contribution.");
      const tree = treeOf([first, { ...first, sum: 7n }, ...others]);
      const request = await proposed(market, tree);
      const places = tree.leaves.flatMap(({ device }, k) => (device === first.device ? [k] : []));
      const [one = 0, two = 0] = places;
      const [a, b] = [tree.prove(one), tree.prove(two)];
      const leaf = (k: number) => tree.leaves[k] ?? first;
      const call = (p: typeof a, q: typeof a, k: number, j: number) =>
        watcher().challengeDouble(request, [leaf(k), leaf(j)], [p.path, q.path], p.siblings, q.siblings);
      await expect(call(a, a, one, one)).to.be.revertedWithCustomError(market.analytics, "AnalyticsSamePlace");
      const other = tree.leaves.findIndex(({ device }) => device !== first.device);
      await expect(call(a, tree.prove(other), one, other)).to.be.revertedWithCustomError(
        market.analytics,
        "AnalyticsSamePlace",
      );
      await upheld(call(a, b, one, two), request);
    });
  });

  describe("when the result is right", () => {
    it("no challenge succeeds, at any node", async () => {
      const tree = treeOf(eightActive());
      const request = await proposed(market, tree);
      for (const [k, leaf] of tree.leaves.entries()) {
        const { path, siblings } = tree.prove(k);
        const { analytics } = market;
        await expect(
          watcher().challengeLeaf(request, leafNode(leaf), path, siblings, leaf),
        ).to.be.revertedWithCustomError(analytics, "AnalyticsNodeIsRight");
        await expect(watcher().challengeMember(request, leaf, path, siblings)).to.be.revertedWithCustomError(
          analytics,
          "AnalyticsMemberIsEligible",
        );
      }
      const lying = new LyingTree(tree.leaves.map(leafNode), 99, 0, (node) => node);
      for (const [height, level] of lying.levels.slice(1).entries()) {
        for (const [place, node] of level.entries()) {
          const [left, right] = [lying.levels[height]?.[2 * place], lying.levels[height]?.[2 * place + 1]];
          if (!left || !right) continue;
          const { path, siblings } = lying.prove(height + 1, place);
          await expect(
            watcher().challengeMerge(request, node, path, siblings, left, right),
          ).to.be.revertedWithCustomError(market.analytics, "AnalyticsNodeIsRight");
        }
      }
    });

    const eightActive = () => contributionsOf(market);
  });

  describe("when the proof is foreign", () => {
    it("is refused: other node, other path, too long a path, other request, after the window", async () => {
      const tree = treeOf(contributionsOf(market));
      const request = await proposed(market, tree);
      const { path, siblings } = tree.prove(0);
      const [leaf, second] = tree.leaves;
      if (!leaf || !second) throw new Error("No leaf.");
      const { analytics } = market;
      const notThere = (call: Promise<unknown>) =>
        expect(call).to.be.revertedWithCustomError(analytics, "AnalyticsNotInResult");
      await notThere(watcher().challengeMember(request, { ...leaf, count: 9n }, path, siblings));
      await notThere(watcher().challengeMember(request, leaf, path ^ 1n, siblings));
      await notThere(watcher().challengeMember(request, leaf, path, siblings.slice(1)));
      await notThere(watcher().challengeLeaf(request, leafNode(leaf), path, siblings, second));
      const [left, right] = tree.children;
      await notThere(watcher().challengeMerge(request, tree.root, 0n, [], right, left));
      const library = { interface: AggregateTree__factory.createInterface() };
      await expect(
        watcher().challengeMember(request, leaf, path | (1n << BigInt(siblings.length)), siblings),
      ).to.be.revertedWithCustomError(library, "AggregateTreePathTooLong");
      const other = await requestOf(market, { salt: id("another") });
      await expect(watcher().challengeMember(other, leaf, path, siblings)).to.be.revertedWithCustomError(
        analytics,
        "AnalyticsWrongStatus",
      );
      await passWindow(market);
      await expect(watcher().challengeMember(request, leaf, path, siblings)).to.be.revertedWithCustomError(
        analytics,
        "AnalyticsChallengeOver",
      );
    });
  });

  describe("when a challenge succeeds", () => {
    it("the bond is split to the unit, the request is open again, and one who challenges itself loses half", async () => {
      const lie = (node: AggregateNode) => ({
        ...node,
        aggregate: { ...node.aggregate, count: node.aggregate.count + 1n },
      });
      const tree = new LyingTree(eight().map(leafNode), 1, 0, lie);
      const request = await lyingProposal(tree);
      const { path, siblings } = tree.prove(1, 0);
      const args = [request, tree.node(1, 0), path, siblings, tree.node(0, 0), tree.node(0, 1)] as const;
      await market.analytics.connect(market.proposer).challengeMerge(...args);
      expect(request.bond % 2n).to.equal(1n);
      expect(await market.itc.balanceOf(market.proposer.address)).to.equal(
        10_000n * ITC - request.bond + request.bond / 2n,
      );
      expect(await market.itc.balanceOf(market.company.address)).to.equal(
        10_000n * ITC - request.reward + (request.bond - request.bond / 2n),
      );
      expect(await market.itc.balanceOf(market.addresses.Analytics)).to.equal(request.reward);
      await expect(watcher().challengeMerge(...args)).to.be.revertedWithCustomError(
        market.analytics,
        "AnalyticsWrongStatus",
      );
      const honest = new AggregateTree(inOrder(contributionsOf(market)));
      const [left, right] = honest.children;
      await market.analytics.connect(market.proposer).propose(request, honest.root.aggregate, left, right, id("data"));
      await passWindow(market, HOUR);
      await market.analytics.finalise(request);
      expect((await market.analytics.resultOf(idOf(market, request))).root).to.equal(honest.root.hash);
    });
  });

  it("a device that is activated in the market is the market's", async () => {
    // Guards the fixture: a seventh device can still be activated, so "never was active" means what it says.
    const key = market.keys[6];
    if (!key) throw new Error("No key.");
    await send(market.world, activationOf(market.world, market.lot, key, market.stranger.address));
    expect(await market.registry.isActive(key.id)).to.equal(true);
  });
});
