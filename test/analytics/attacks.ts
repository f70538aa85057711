import { expect } from "chai";
import { encodeBytes32String, hexlify, id, randomBytes, ZeroHash } from "ethers";
import { neutralPartial } from "../../toolkit/analytics/partials.js";
import { leafWords, type Place, type ResultLeaf } from "../../toolkit/analytics/result-tree.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { type Built, builtLeaf, builtOver, chainOf } from "./lies.js";
import {
  anchored,
  asked,
  attestedLeaf,
  ITC,
  type Market,
  opened,
  openMarket,
  ownerOf,
  pastAnchoring,
  propose,
  provedLeaf,
  raise,
  readingsOf,
  treeOf,
} from "./market.js";

const at = (market: Market) => market.addresses.Analytics;
const court = (market: Market) => market.court.connect(market.watcher);
type Asked = Awaited<ReturnType<typeof asked>>;

async function proposeBuilt(market: Market, request: Asked, { node, partial }: Built) {
  await pastAnchoring(market, request);
  return market.analytics.connect(market.proposer).propose(request, node, toHex(partial), id("data"));
}

function challengeNode(market: Market, request: Asked, place: Place, { node }: Built, left: Built, right: Built) {
  const bytes = [toHex(left.partial), toHex(right.partial)] as const;
  return court(market).challengeNode(at(market), request, place, node, left.node, right.node, ...bytes);
}

/** Leaves of devices that nobody knows, in order. */
function inventedLeaves(request: Asked, count: number, base: ResultLeaf): ResultLeaf[] {
  return Array.from({ length: count }, (_, k) => ({
    ...base,
    device: `0x${(k + 1).toString(16).padStart(40, "0")}` as ResultLeaf["device"],
    origin: k < 2 ? base.origin : 0,
    ...(k < 2 ? {} : { count: 0n, weight: 0n, evidence: [new Uint8Array(), new Uint8Array()] as const }),
    partial: k < 2 ? base.partial : neutralPartial(request.query),
  }));
}

describe("Attacks on results", () => {
  it("a tree that is deeper than the courts climb falls by its shape", async () => {
    const market = await openMarket();
    const request = await asked(market);
    const base = provedLeaf(
      request,
      market.proposer.address,
      readingsOf(market, request, market.keys[0] ?? raise(), [900n]),
    );
    const chain = chainOf(request.query, inventedLeaves(request, 70, base));
    const top = chain.at(-1) ?? raise();
    await proposeBuilt(market, request, top.node);
    const call = challengeNode(market, request, { path: 0n, steps: [] }, top.node, top.left, top.right);
    await expect(call).to.emit(market.court, "ChallengeUpheld");
  });

  it("a node that hides its leaves by saying that there are none falls", async () => {
    const market = await openMarket();
    const request = await asked(market);
    const honest = market.keys
      .slice(0, 2)
      .map((key, k) => provedLeaf(request, ownerOf(market, k), readingsOf(market, request, key, [1n])));
    const tree = treeOf(request, honest);
    const shown: Built = { node: tree.root, partial: tree.aggregate };
    const ghost = builtLeaf(request.query, { ...(honest[0] ?? raise()), owner: `0x${"00".repeat(19)}01` });
    const summary = { ...ghost.node.summary, leaves: 0n, members: 0n, count: 1000n, weight: 1000n };
    const hidden: Built = { node: { summary, below: hexlify(randomBytes(32)) }, partial: ghost.partial };
    const root = builtOver(request.query, hidden, shown);
    await proposeBuilt(market, request, root);
    const call = challengeNode(market, request, { path: 0n, steps: [] }, root, hidden, shown);
    await expect(call).to.emit(market.court, "ChallengeUpheld");
  });

  it("a root that counts more members than leaves can't be proposed", async () => {
    const market = await openMarket();
    const request = await asked(market);
    const leaf = provedLeaf(request, ownerOf(market, 0), readingsOf(market, request, market.keys[0] ?? raise(), [1n]));
    const { node, partial } = builtLeaf(request.query, leaf);
    for (const leaves of [0n, 1n]) {
      const root = { node: { ...node, summary: { ...node.summary, leaves, members: 2n } }, partial };
      await expect(proposeBuilt(market, request, root)).to.be.revertedWithCustomError(
        market.analytics,
        "AnalyticsCohortTooSmall",
      );
    }
  });

  describe("with contributions that turn against an honest proposer", () => {
    async function contributed(changes = {}) {
      const market = await openMarket();
      const request = await asked(market, changes);
      const key = market.keys[0] ?? raise();
      const batch = await anchored(market, readingsOf(market, request, key, [1n, 2n]));
      const readings = [opened(market, batch, 0), opened(market, batch, 1)];
      await market.desk.contributeReadings(at(market), request, key.id, readings);
      const others = market.keys
        .slice(1, 6)
        .map((other, k) => provedLeaf(request, ownerOf(market, k + 1), readingsOf(market, request, other, [3n])));
      const tree = treeOf(request, others);
      const ignored = () =>
        court(market).challengeIgnoredDevice(
          at(market),
          request,
          ownerOf(market, 0),
          key.id,
          tree.gap(ownerOf(market, 0), key.id),
        );
      return { market, request, key, tree, ignored };
    }

    it("a device that changed since can't be answered for, and need not be in", async () => {
      const { market, request, key, tree, ignored } = await contributed();
      const owner = market.owners[0] ?? raise();
      await market.registry.connect(owner).setAttribute(key.id, encodeBytes32String("note"), "0x01", 1000n);
      await propose(market, request, tree);
      await expect(ignored()).to.be.revertedWithCustomError(market.court, "CourtNothingWrong");
    });

    it("a device that was suspended meanwhile need not be in", async () => {
      const { market, request, key, tree, ignored } = await contributed();
      const owner = market.owners[0] ?? raise();
      await market.registry.connect(owner).suspend(key.id);
      await propose(market, request, tree);
      await market.registry.connect(owner).resume(key.id);
      await expect(ignored()).to.be.revertedWithCustomError(market.court, "CourtNothingWrong");
    });

    it("a device that an assurance or attestation makes eligible afterwards costs no bond", async () => {
      const { market, request, tree, ignored } = await contributed({ filter: { assurance: 1 } });
      await propose(market, request, tree);
      const before = await market.itc.balanceOf(market.proposer.address);
      await ignored();
      expect(await market.itc.balanceOf(market.proposer.address)).to.equal(before + request.terms.bond);
    });
  });

  it("a device that was suspended before the proposal is no excuse for an invented partial", async () => {
    const market = await openMarket();
    const request = await asked(market);
    const leaves = market.keys
      .slice(0, 6)
      .map((key, k) => provedLeaf(request, ownerOf(market, k), readingsOf(market, request, key, [1n])));
    const leaf = leaves[0] ?? raise();
    await market.registry.connect(market.owners[0]).suspend(leaf.device);
    const tree = treeOf(request, leaves);
    await propose(market, request, tree);
    const index = tree.indexOf(leaf.owner, leaf.device) ?? raise();
    await market.desk.connect(market.watcher).question(at(market), request, leafWords(leaf), tree.place(index));
    const { stamp } = await market.analytics.proposalOf(request);
    await market.networkHelpers.time.increase(1801);
    const settled = market.desk.settle(at(market), request, stamp, tree.node(index).node.below);
    await expect(settled).to.changeTokenBalance(market.ethers, market.itc, market.watcher, 60n * ITC);
  });

  it("a result of the attacker's own that says a budget is spent proves nothing", async () => {
    const noisy = { terms: { epsilon: 1_000_000n } };
    const market = await openMarket();
    const other = await asked(market, noisy);
    const partial = neutralPartial(other.query);
    const leavesFor = (request: Asked) =>
      Promise.all(
        market.keys
          .slice(0, 6)
          .map((key, k) => attestedLeaf(market, request, ownerOf(market, k), key, { partial, count: 3n })),
      );
    const lies = (await leavesFor(other)).map((leaf) => ({
      ...leaf,
      evidence: [leaf.evidence[0], new Uint8Array(65)] as const,
    }));
    const lie = treeOf(other, lies);
    await propose(market, other, lie);
    const request = await asked(market, { ...noisy, salt: ZeroHash });
    const tree = treeOf(request, await leavesFor(request));
    await propose(market, request, tree);
    const [leaf, otherLeaf] = [tree.leaves[0] ?? raise(), lie.leaves[0] ?? raise()];
    const call = court(market).challengeSpent(
      at(market),
      request,
      leafWords(leaf),
      tree.place(0),
      other,
      leafWords(otherLeaf),
      lie.place(0),
    );
    await expect(call).to.be.revertedWithCustomError(market.court, "CourtNothingWrong");
  });
});
