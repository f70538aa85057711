import { expect } from "chai";
import { id, keccak256, ZeroAddress } from "ethers";
import { Operation } from "../../toolkit/analytics/query.js";
import {
  forkOf,
  type LeafWords,
  leafWords,
  type ResultLeaf,
  type ResultTree,
} from "../../toolkit/analytics/result-tree.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { lyingTree } from "../../toolkit/testing/lies.js";
import {
  anchored,
  asked,
  bringToLife,
  consent,
  HOUR,
  type Market,
  opened,
  openMarket,
  ownerOf,
  passWindow,
  pastAnchoring,
  propose,
  provedLeaf,
  raise,
  readingsOf,
  treeOf,
  withheldLeaf,
} from "./market.js";

/** A market with a request and an honest tree of six devices, ready to be proposed. */
async function withLeaves(changes = {}) {
  const market = await openMarket();
  const request = await asked(market, changes);
  const kept = market.keys
    .slice(0, 6)
    .map((key, k) => readingsOf(market, request, key, [BigInt(10 * k - 20), BigInt(k), 7n]));
  const batch = await anchored(market, kept.flat());
  const leaves = kept.map((readings, k) => provedLeaf(request, ownerOf(market, k), readings));
  return { market, request, kept, batch, leaves, tree: treeOf(request, leaves) };
}

type Stage = Awaited<ReturnType<typeof withLeaves>>;

/** Proposes a lying tree. */
async function proposeLie({ market, request }: Stage, lie: ReturnType<typeof lyingTree>) {
  await pastAnchoring(market, request);
  await market.analytics.connect(market.proposer).propose(request, lie.root, toHex(lie.aggregate), id("data"));
}

async function upheld(market: Market, call: Promise<unknown>, fault: number, slashed = true) {
  await expect(call)
    .to.emit(market.court, "ChallengeUpheld")
    .withArgs(
      market.addresses.Analytics,
      (value: unknown) => typeof value === "string",
      market.watcher.address,
      fault,
      slashed,
    );
}

const court = (market: Market) => market.court.connect(market.watcher);
const at = (market: Market) => market.addresses.Analytics;

describe("ResultCourt", () => {
  describe("challengeNode", () => {
    it("upholds a node that says another count, weight, number or end than its children", async () => {
      for (const lie of [
        { count: 19n },
        { weight: 5n },
        { leaves: 7n },
        { members: 5n },
        { lastDevice: ZeroAddress },
      ]) {
        const stage = await withLeaves();
        const { market, request, tree } = stage;
        const wrong = lyingTree(tree, 3, 0, lie);
        await proposeLie(stage, wrong);
        const [left, right] = [tree.node(0, 2), tree.node(1, 2)];
        const args = [left.node, right.node, toHex(left.partial), toHex(right.partial)] as const;
        await upheld(market, court(market).challengeNode(at(market), request, wrong.place, wrong.node, ...args), 0);
      }
    });

    it("upholds it at every height", async () => {
      const stage = await withLeaves();
      const { market, request, tree } = stage;
      for (const [height, index] of [
        [1, 0],
        [1, 2],
        [2, 0],
        [3, 0],
      ] as const) {
        const wrong = lyingTree(tree, height, index, { weight: 100n });
        await proposeLie(stage, wrong);
        const [left, right] = [tree.node(2 * index, height - 1), tree.node(2 * index + 1, height - 1)];
        const args = [left.node, right.node, toHex(left.partial), toHex(right.partial)] as const;
        await upheld(market, court(market).challengeNode(at(market), request, wrong.place, wrong.node, ...args), 0);
      }
    });

    it("upholds an aggregate that the children don't merge to", async () => {
      const stage = await withLeaves();
      const { market, request, tree } = stage;
      const partial = new Uint8Array(64).fill(1, 31, 32);
      const wrong = { ...lyingTree(tree, 3, 0, { aggregate: keccak256(partial) }), aggregate: partial };
      await proposeLie(stage, wrong);
      const [left, right] = [tree.node(0, 2), tree.node(1, 2)];
      const args = [left.node, right.node, toHex(left.partial), toHex(right.partial)] as const;
      await upheld(market, court(market).challengeNode(at(market), request, wrong.place, wrong.node, ...args), 0);
    });

    it("leaves honest nodes alone, and asks for the right children and bytes", async () => {
      const { market, request, tree } = await withLeaves();
      await propose(market, request, tree);
      for (const [height, index] of [
        [1, 0],
        [1, 1],
        [1, 2],
        [2, 0],
        [3, 0],
      ] as const) {
        const { node } = tree.node(index, height);
        const [left, right] = [tree.node(2 * index, height - 1), tree.node(2 * index + 1, height - 1)];
        const place = tree.place(index, height);
        const challenge = (a: typeof left, b: typeof right, bytes = toHex(a.partial)) =>
          court(market).challengeNode(at(market), request, place, node, a.node, b.node, bytes, toHex(b.partial));
        await expect(challenge(left, right)).to.be.revertedWithCustomError(market.court, "CourtNothingWrong");
        await expect(challenge(right, left)).to.be.revertedWithCustomError(market.court, "CourtNotInResult");
        await expect(challenge(left, right, "0x00")).to.be.revertedWithCustomError(market.court, "CourtWrongEvidence");
      }
    });
  });

  describe("challengeLeaf", () => {
    const wrongs: [string, (leaf: ResultLeaf) => ResultLeaf][] = [
      ["a weight beyond the rule", (leaf) => ({ ...leaf, weight: leaf.weight + 1n })],
      ["a count of nothing", (leaf) => ({ ...leaf, count: 0n, weight: 0n })],
      ["a count above the cap", (leaf) => ({ ...leaf, count: 101n, weight: 101n })],
      ["a proved leaf that spends", (leaf) => ({ ...leaf, spent: 1n })],
      ["a withheld leaf that counts", (leaf) => ({ ...leaf, origin: 0 })],
      ["a partial of words beyond int128", (leaf) => ({ ...leaf, partial: new Uint8Array(128).fill(0x7f, 0, 32) })],
    ];
    for (const [what, change] of wrongs) {
      it(`upholds ${what}`, async () => {
        // Wide aggregates: of a narrow one the root alone would be refused.
        const { market, request, leaves } = await withLeaves({ query: { operation: Operation.Histogram, size: 4 } });
        const bad = leaves.map((leaf, k) => (k === 2 ? change(leaf) : leaf));
        const tree = treeOf(request, bad);
        await propose(market, request, tree);
        const wrong = bad[2] as ResultLeaf;
        const index = tree.indexOf(wrong.owner, wrong.device) ?? -1;
        const call = court(market).challengeLeaf(
          at(market),
          request,
          tree.place(index),
          tree.node(index).node,
          leafWords(wrong),
          toHex(wrong.partial),
        );
        await upheld(market, call, 1);
      });
    }

    it("upholds a node that says something else of its leaf", async () => {
      const stage = await withLeaves();
      const { market, request, tree } = stage;
      const wrong = lyingTree(tree, 0, 3, { weight: 4n });
      await proposeLie(stage, wrong);
      const leaf = leafWords(tree.leaves[3] as ResultLeaf);
      await upheld(market, court(market).challengeLeaf(at(market), request, wrong.place, wrong.node, leaf, "0x"), 1);
    });

    it("leaves honest leaves alone", async () => {
      const { market, request, leaves } = await withLeaves();
      const kept = [...leaves.slice(0, 5), withheldLeaf(request, ownerOf(market, 5), market.keys[5] ?? raise())];
      const tree = treeOf(request, kept);
      await propose(market, request, tree);
      for (const [k, leaf] of tree.leaves.entries()) {
        const call = court(market).challengeLeaf(
          at(market),
          request,
          tree.place(k),
          tree.node(k).node,
          leafWords(leaf),
          toHex(leaf.partial),
        );
        await expect(call).to.be.revertedWithCustomError(market.court, "CourtNothingWrong");
      }
    });
  });

  describe("challengeMember", () => {
    const challenge = (market: Market, request: Stage["request"], tree: ResultTree, leaf: ResultLeaf) =>
      court(market).challengeMember(
        at(market),
        request,
        leafWords(leaf),
        tree.place(tree.indexOf(leaf.owner, leaf.device) ?? -1),
      );

    it("upholds a device that wasn't active, another's device, and an owner who had not agreed", async () => {
      const { market, request, leaves } = await withLeaves();
      const [unborn, late] = [market.keys[6] ?? raise(), market.keys[7] ?? raise()];
      await bringToLife(market.world, market.lot, late, ownerOf(market, 0));
      const foreign = leaves[1] ?? raise();
      const bad: ResultLeaf[] = [
        provedLeaf(request, ownerOf(market, 0), readingsOf(market, request, unborn, [1n])),
        provedLeaf(request, ownerOf(market, 0), readingsOf(market, request, late, [1n])),
        { ...foreign, owner: ownerOf(market, 0) },
        { ...foreign, owner: market.company.address },
      ];
      for (const leaf of bad) {
        const others = leaves.filter(({ device }) => device !== leaf.device);
        const tree = treeOf(request, [...others, leaf]);
        await propose(market, request, tree);
        await upheld(market, challenge(market, request, tree, leaf), 2);
      }
    });

    it("leaves alone whoever was eligible at the snapshot: revoked, sold, suspended since", async () => {
      const { market, request, tree } = await withLeaves();
      const [first, second, third] = market.owners;
      await market.consents.connect(first).revoke(request.purpose);
      const sold = market.keys[1] ?? raise();
      await market.registry.connect(second).transferFrom(second?.address ?? "", market.company.address, sold.id);
      await market.registry.connect(third).suspend(market.keys[2]?.id ?? "");
      await propose(market, request, tree);
      for (const leaf of tree.leaves) {
        await expect(challenge(market, request, tree, leaf)).to.be.revertedWithCustomError(
          market.court,
          "CourtNothingWrong",
        );
      }
    });

    it("upholds exact partials of an owner whose budget is limited", async () => {
      const market = await openMarket();
      await consent(market.world, market.owners[0] ?? raise(), { budget: 1_000_000n });
      const request = await asked(market);
      const leaves = market.keys
        .slice(0, 6)
        .map((key, k) => provedLeaf(request, ownerOf(market, k), readingsOf(market, request, key, [1n])));
      const tree = treeOf(request, leaves);
      await propose(market, request, tree);
      await upheld(market, challenge(market, request, tree, leaves[0] ?? raise()), 2);
    });

    it("upholds a withheld leaf of a device that was no member, and leaves members' alone", async () => {
      const { market, request, leaves } = await withLeaves();
      await market.registry.connect(market.owners[1] ?? raise()).suspend(market.keys[1]?.id ?? "");
      const held = (k: number, owner = ownerOf(market, k)) => withheldLeaf(request, owner, market.keys[k] ?? raise());
      const honest = [held(0), held(1)];
      const made = { ...held(0), device: `0x${"11".repeat(20)}` as ResultLeaf["device"] };
      for (const ghost of [
        held(6, ownerOf(market, 0)),
        held(0, market.company.address),
        held(0, ownerOf(market, 1)),
        made,
      ]) {
        const tree = treeOf(request, [...honest, ...leaves.slice(2), ghost]);
        await propose(market, request, tree);
        for (const leaf of honest) {
          await expect(challenge(market, request, tree, leaf)).to.be.revertedWithCustomError(
            market.court,
            "CourtNothingWrong",
          );
        }
        await upheld(market, challenge(market, request, tree, ghost), 2);
      }
    });

    it("takes a doubtful member's proposal down without its bond", async () => {
      const market = await openMarket();
      const request = await asked(market, { filter: { assurance: 3 } });
      const leaves = market.keys
        .slice(0, 6)
        .map((key, k) => provedLeaf(request, ownerOf(market, k), readingsOf(market, request, key, [1n])));
      const tree = treeOf(request, leaves);
      await propose(market, request, tree);
      const before = await market.itc.balanceOf(market.proposer.address);
      await upheld(market, challenge(market, request, tree, leaves[0] ?? raise()), 2, false);
      expect(await market.itc.balanceOf(market.proposer.address)).to.equal(before + request.terms.bond);
    });
  });

  it("challengeDouble upholds a device under two owners, and nothing else", async () => {
    const { market, request, leaves } = await withLeaves();
    const leaf = leaves[0] ?? raise();
    const twin = { ...leaf, owner: ownerOf(market, 1) };
    const tree = treeOf(request, [...leaves, twin]);
    await propose(market, request, tree);
    const [index, other] = [leaf, twin].map((of) => tree.indexOf(of.owner, of.device) ?? -1) as [number, number];
    const challenge = (k: number, j: number) => {
      const [left, right] = [Math.min(k, j), Math.max(k, j)];
      const pair = [tree.leaves[left] ?? raise(), tree.leaves[right] ?? raise()].map(leafWords) as [
        LeafWords,
        LeafWords,
      ];
      const fork = forkOf(tree.place(left), tree.place(right));
      return court(market).challengeDouble(at(market), request, pair, fork);
    };
    for (let k = 0; k < tree.leaves.length; k++) {
      if (k === index || k === other) continue;
      await expect(challenge(index, k)).to.be.revertedWithCustomError(market.court, "CourtNothingWrong");
    }
    await upheld(market, challenge(index, other), 3);
  });

  describe("challengeOmission", () => {
    it("upholds a consenting device with a reading that was left out, wherever it belongs", async () => {
      for (const k of [0, 1, 2, 3, 4, 5]) {
        const { market, request, leaves, batch } = await withLeaves();
        const tree = treeOf(
          request,
          leaves.filter((_, index) => index !== k),
        );
        await propose(market, request, tree);
        const reading = opened(market, batch, 3 * k);
        const call = court(market).challengeOmission(
          at(market),
          request,
          ownerOf(market, k),
          tree.gap(ownerOf(market, k), reading.fields.device),
          reading.fields,
          reading.place,
          reading.signer,
          reading.signature,
        );
        await upheld(market, call, 6);
      }
    });

    it("leaves alone a result that has the device, if only as withheld, and readings that don't count", async () => {
      const { market, request, leaves, batch } = await withLeaves();
      const held = withheldLeaf(request, ownerOf(market, 0), market.keys[0] ?? raise());
      const tree = treeOf(request, [held, ...leaves.slice(2)]);
      await propose(market, request, tree);
      const challenge = (k: number, changes = {}, placed = {}, owner = ownerOf(market, k)) => {
        const reading = opened(market, batch, 3 * k);
        const device = reading.fields.device;
        const gap = k === 0 ? { left: tree.root, right: tree.root, path: 0n, steps: [] } : tree.gap(owner, device);
        return court(market).challengeOmission(
          at(market),
          request,
          owner,
          gap,
          { ...reading.fields, ...changes },
          { ...reading.place, ...placed },
          reading.signer,
          reading.signature,
        );
      };
      await expect(challenge(0)).to.be.revertedWithCustomError(market.court, "CourtNoGap");
      for (const call of [
        challenge(1, { schema: id("other") }),
        challenge(1, { time: request.query.to }),
        challenge(1, { sequence: 9n }),
        challenge(1, {}, { entryTime: request.query.anchoredBy + 1n }),
        challenge(1, {}, { index: 1n }),
        challenge(1, {}, {}, market.company.address),
      ]) {
        await expect(call).to.be.revertedWithCustomError(market.court, "CourtNothingWrong");
      }
      await upheld(market, challenge(1), 6);
    });
  });

  it("refuses whatever comes too late, or speaks of another result", async () => {
    const { market, request, tree, leaves } = await withLeaves();
    const leaf = leaves[0] ?? raise();
    const call = (words = leafWords(leaf), place = tree.place(tree.indexOf(leaf.owner, leaf.device) ?? -1)) =>
      court(market).challengeMember(at(market), request, words, place);
    await expect(call()).to.be.revertedWithCustomError(market.court, "CourtWindowOver");
    await propose(market, request, tree);
    const { path, steps } = tree.place(0);
    await expect(call(leafWords(leaf), { path, steps: steps.slice(1) }))
      .to.be.revertedWithCustomError(market.court, "ResultTreeBadPlace")
      .withArgs(path, steps.length - 1);
    await expect(call(leafWords(leaf), { path: 2n ** 64n, steps })).to.be.revertedWithCustomError(
      market.court,
      "ResultTreeBadPlace",
    );
    await expect(call({ ...leafWords(leaf), weight: 4n })).to.be.revertedWithCustomError(
      market.court,
      "CourtNotInResult",
    );
    await passWindow(market, HOUR + 1n);
    await expect(call()).to.be.revertedWithCustomError(market.court, "CourtWindowOver");
  });
});
