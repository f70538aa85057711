import { expect } from "chai";
import { id } from "ethers";
import { neutralPartial } from "../../toolkit/analytics/partials.js";
import { leafWords, type ResultLeaf, type ResultTree } from "../../toolkit/analytics/result-tree.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { asked, attestedLeaf, HOUR, type Market, openMarket, ownerOf, propose, raise, treeOf } from "./market.js";

type Asked = Awaited<ReturnType<typeof asked>>;

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

describe("ResultCourt, of what devices signed", () => {
  const noisy = { terms: { epsilon: 1_000_000n } };

  async function withAttested(changes = noisy) {
    const market = await openMarket();
    const request = await asked(market, changes);
    const partial = neutralPartial(request.query);
    partial[31] = 9;
    partial[63] = 3;
    const leaves = await Promise.all(
      market.keys
        .slice(0, 6)
        .map((key, k) => attestedLeaf(market, request, ownerOf(market, k), key, { partial, count: 3n })),
    );
    return { market, request, leaves };
  }

  const challenge = (market: Market, request: Asked, tree: ResultTree, leaf: ResultLeaf) =>
    court(market).challengeSignature(
      at(market),
      request,
      leafWords(leaf),
      tree.place(tree.indexOf(leaf.owner, leaf.device) ?? -1),
      toHex(leaf.evidence[0]),
      toHex(leaf.evidence[1]),
    );

  it("upholds a partial that its device hasn't signed", async () => {
    const { market, request, leaves } = await withAttested();
    const [first, second] = [leaves[0] ?? raise(), leaves[1] ?? raise()];
    for (const wrong of [
      { ...first, evidence: second.evidence },
      { ...first, count: 4n, weight: 4n },
      { ...first, spent: 1n },
      { ...first, evidence: [new Uint8Array(), new Uint8Array()] as const },
    ]) {
      const tree = treeOf(request, [wrong, ...leaves.slice(1)]);
      await propose(market, request, tree);
      await upheld(market, challenge(market, request, tree, wrong), 5);
    }
  });

  it("leaves signed partials alone, and asks for the leaf's own evidence", async () => {
    const { market, request, leaves } = await withAttested();
    const tree = treeOf(request, leaves);
    await propose(market, request, tree);
    for (const leaf of leaves) {
      const call = challenge(market, request, tree, leaf);
      await expect(call).to.be.revertedWithCustomError(market.court, "CourtNothingWrong");
    }
    const leaf = leaves[0] ?? raise();
    const place = tree.place(tree.indexOf(leaf.owner, leaf.device) ?? -1);
    const call = court(market).challengeSignature(at(market), request, leafWords(leaf), place, "0x", "0x");
    await expect(call).to.be.revertedWithCustomError(market.court, "CourtWrongEvidence");
  });

  it("returns the bond where the device has changed since", async () => {
    const { market, request, leaves } = await withAttested();
    const wrong = { ...(leaves[0] ?? raise()), count: 4n, weight: 4n };
    const tree = treeOf(request, [wrong, ...leaves.slice(1)]);
    await propose(market, request, tree);
    await market.registry.connect(market.owners[0]).suspend(wrong.device);
    await upheld(market, challenge(market, request, tree, wrong), 5, false);
  });

  it("challengeSpent upholds a part of the budget that was spent before, in results that were final in time", async () => {
    const { market, request, leaves } = await withAttested();
    const tree = treeOf(request, leaves);
    await propose(market, request, tree);
    const { proposedAt } = await market.analytics.proposalOf(request);
    const partial = neutralPartial(request.query);
    const spends = async (later: Asked) =>
      Promise.all(
        market.keys.slice(0, 6).map((key, k) =>
          attestedLeaf(market, later, ownerOf(market, k), key, {
            partial,
            count: 3n,
            spent: k === 0 ? 999_999n : 1_000_000n,
          }),
        ),
      );
    const challenge = (later: Asked, other: ResultTree, leaf: ResultLeaf, earlier: ResultLeaf) =>
      court(market).challengeSpent(
        at(market),
        later,
        leafWords(leaf),
        other.place(other.indexOf(leaf.owner, leaf.device) ?? -1),
        request,
        leafWords(earlier),
        tree.place(tree.indexOf(earlier.owner, earlier.device) ?? -1),
      );
    const [tooLate, inTime] = [proposedAt + HOUR - 1n, proposedAt + HOUR];
    const laters = await Promise.all(
      [tooLate, inTime].map((anchoredBy) => {
        const query = { from: proposedAt, to: proposedAt + 1n, anchoredBy };
        return asked(market, { ...noisy, salt: id(`${anchoredBy}`), query });
      }),
    );
    for (const later of laters) {
      const again = await spends(later);
      const other = treeOf(later, again);
      await propose(market, later, other);
      const [mine, before] = [again[0] ?? raise(), leaves[0] ?? raise()];
      if (later === laters[0]) {
        const early = challenge(later, other, mine, before);
        await expect(early).to.be.revertedWithCustomError(market.court, "CourtNothingWrong");
        await market.analytics.finalise(request);
        const late = challenge(later, other, mine, before);
        await expect(late).to.be.revertedWithCustomError(market.court, "CourtNothingWrong");
      } else {
        for (const k of [1, 2, 3]) {
          const call = challenge(later, other, again[k] ?? raise(), leaves[k] ?? raise());
          await expect(call).to.be.revertedWithCustomError(market.court, "CourtNothingWrong");
        }
        const foreign = challenge(later, other, mine, { ...before, spent: 1n });
        await expect(foreign).to.be.revertedWithCustomError(market.court, "CourtNotInResult");
        await upheld(market, challenge(later, other, mine, before), 4);
      }
    }
  });
});
