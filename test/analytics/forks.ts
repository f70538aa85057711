import { expect } from "chai";
import { getAddress } from "ethers";
import { type Fork, forkOf, type Gap, leafWords, type ResultTree } from "../../toolkit/analytics/result-tree.js";
import { asked, type Market, openMarket, propose, provedLeaf, raise, readingsOf, treeOf } from "./market.js";

type Asked = Awaited<ReturnType<typeof asked>>;

interface Stage {
  readonly market: Market;
  readonly request: Asked;
}

/** A proposed tree of so many leaves of devices that nobody knows; leaf k has owner and device 2 (k + 1). */
async function treeOfSize({ market, request }: Stage, size: number): Promise<ResultTree> {
  const base = provedLeaf(request, keyAt(0), readingsOf(market, request, market.keys[0] ?? raise(), [1n]));
  const leaves = Array.from({ length: size }, (_, k) => {
    const at = keyAt(2 * (k + 1));
    return { ...base, owner: at, device: at as typeof base.device };
  });
  const tree = treeOf(request, leaves);
  await propose(market, request, tree);
  return tree;
}

function keyAt(k: number): string {
  return getAddress(`0x${k.toString(16).padStart(40, "0")}`);
}

async function inTrees(sizes: readonly number[], check: (stage: Stage, tree: ResultTree) => Promise<void>) {
  const market = await openMarket();
  const stage = { market, request: await asked(market) };
  for (const size of sizes) {
    const snapshot = await market.networkHelpers.takeSnapshot();
    await check(stage, await treeOfSize(stage, size));
    await snapshot.restore();
  }
}

const fork = (tree: ResultTree, left: number, right: number): Fork => forkOf(tree.place(left), tree.place(right));

function double({ market, request }: Stage, tree: ResultTree, left: number, right: number, by: Fork) {
  const [a, b] = [tree.leaves[left] ?? raise(), tree.leaves[right] ?? raise()];
  return market.court.challengeDouble(market.addresses.Analytics, request, [leafWords(a), leafWords(b)], by);
}

/** Nothing was contributed for these devices: a gap that holds leads to CourtNothingWrong. */
function missing({ market, request }: Stage, k: number, gap: Gap) {
  const at = keyAt(k);
  return market.court.challengeIgnoredDevice(market.addresses.Analytics, request, at, at, gap);
}

describe("Forks and gaps", () => {
  describe("forks", () => {
    it("any two leaves of a tree of 2 to 7 have one that leads to the root", async () => {
      await inTrees([2, 3, 4, 5, 6, 7], async (stage, tree) => {
        for (let right = 1; right < tree.leaves.length; right++) {
          for (let left = 0; left < right; left++) {
            await expect(
              double(stage, tree, left, right, fork(tree, left, right)),
              `${left}, ${right}`,
            ).to.be.revertedWithCustomError(stage.market.court, "CourtNothingWrong");
          }
        }
      });
    });

    it("ways of a wrong length, order or tree lead nowhere", async () => {
      await inTrees([7], async (stage, tree) => {
        const { court } = stage.market;
        const right = fork(tree, 1, 5);
        const [length, no] = [right.steps.length, `0x${"00".repeat(32)}`];
        const wrongs: [Partial<Fork>, string][] = [
          [{ turn: right.meet + 1 }, "ResultTreeBadFork"],
          [{ meet: length }, "ResultTreeBadFork"],
          [{ turn: 0, meet: 0, steps: [] }, "ResultTreeBadFork"],
          [{ turn: right.turn - 1 }, "ResultTreeBadPlace"],
          [{ meet: right.meet - 1 }, "ResultTreeBadPlace"],
          [{ steps: right.steps.slice(0, -1), meet: length - 2 }, "ResultTreeBadPlace"],
          [{ steps: [...right.steps, no] }, "ResultTreeBadPlace"],
          [{ leftPath: right.leftPath + 2n ** 64n }, "ResultTreeBadPlace"],
          [{ rightPath: right.rightPath + 2n ** 64n }, "ResultTreeBadPlace"],
          [{ path: 1n }, "ResultTreeBadPlace"],
          [{ turn: 0 }, "ResultTreeBadPlace"],
          [{ steps: [...right.steps, no, no] }, "CourtNotInResult"],
          [{ steps: right.steps.with(right.meet, no) }, "CourtNotInResult"],
          [fork(tree, 1, 4), "CourtNotInResult"],
          [fork(tree, 0, 5), "CourtNotInResult"],
          [fork(treeOf(stage.request, tree.leaves.slice(0, 6)), 1, 5), "CourtNotInResult"],
        ];
        for (const [change, error] of wrongs) {
          await expect(double(stage, tree, 1, 5, { ...right, ...change })).to.be.revertedWithCustomError(court, error);
        }
        await expect(double(stage, tree, 5, 1, right)).to.be.revertedWithCustomError(court, "CourtNotInResult");
        await expect(double(stage, tree, 1, 5, right)).to.be.revertedWithCustomError(court, "CourtNothingWrong");
      });
    });

    it("no leaf makes a fork with itself", async () => {
      await inTrees([2, 7], async (stage, tree) => {
        const last = tree.leaves.length - 1;
        for (const [a, b] of [
          [0, 0],
          [last, last],
          [last, 0],
        ] as const) {
          expect(() => fork(tree, a, b)).to.throw(RangeError);
        }
        const right = fork(tree, 0, last);
        const twice = [
          right,
          { ...right, rightPath: right.leftPath, meet: 2 * right.turn, steps: stretched(tree, right) },
        ];
        for (const by of twice) {
          const call = double(stage, tree, 0, 0, by);
          await expect(call).to.be.revertedWithCustomError(stage.market.court, "CourtNotInResult");
        }
      });
    });

    /** The left way in the place of the right one too. */
    function stretched(tree: ResultTree, { turn, steps }: Fork): string[] {
      const own = steps.slice(0, turn);
      return [...own, ...own, tree.place(0).steps[turn] ?? raise()];
    }
  });

  describe("gaps", () => {
    it("every place without a leaf has one, in trees of 2 to 7", async () => {
      await inTrees([2, 3, 4, 5, 6, 7], async (stage, tree) => {
        for (let k = 1; k <= 2 * tree.leaves.length + 1; k += 2) {
          const gap = tree.gap(keyAt(k), keyAt(k));
          await expect(missing(stage, k, gap), `${k}`).to.be.revertedWithCustomError(
            stage.market.court,
            "CourtNothingWrong",
          );
        }
      });
    });

    it("no leaf of the tree stands in one", async () => {
      await inTrees([2, 7], async (stage, tree) => {
        const gaps = Array.from({ length: tree.leaves.length + 1 }, (_, k) =>
          tree.gap(keyAt(2 * k + 1), keyAt(2 * k + 1)),
        );
        for (let k = 2; k <= 2 * tree.leaves.length; k += 2) {
          for (const gap of gaps) {
            await expect(missing(stage, k, gap)).to.be.revertedWithCustomError(stage.market.court, "CourtNoGap");
          }
        }
      });
    });

    it("nodes that aren't neighbours, a false root and ways of a wrong length show none", async () => {
      await inTrees([7], async (stage, tree) => {
        // Between the second leaf and the third, which have different parents.
        const right = tree.gap(keyAt(5), keyAt(5));
        const [left, other, third] = [1, 2, 3].map((k) => tree.node(k).node) as [Gap["left"], Gap["left"], Gap["left"]];
        const no = `0x${"00".repeat(32)}`;
        const wrongs: [Partial<Gap>, string][] = [
          [{ left, right: other }, "CourtNotInResult"],
          [tree.gap(keyAt(7), keyAt(7)), "CourtNoGap"],
          [{ left, right: third }, "CourtNotInResult"],
          [{ left: right.right, right: right.left }, "CourtNotInResult"],
          [{ left, path: 0n, steps: [] }, "CourtNotInResult"],
          [{ left: tree.root, right: tree.root, path: 0n, steps: [] }, "CourtNoGap"],
          [{ steps: right.steps.slice(1) }, "ResultTreeBadPlace"],
          [{ steps: [...right.steps, no] }, "ResultTreeBadPlace"],
          [{ path: 2n ** 64n }, "ResultTreeBadPlace"],
          [{ steps: right.steps.with(0, no) }, "CourtNotInResult"],
          [{ steps: right.steps.slice(0, -2), path: 0n }, "CourtNotInResult"],
          [{ path: right.path ^ 1n }, "CourtNotInResult"],
        ];
        for (const [k, [change, error]] of wrongs.entries()) {
          await expect(missing(stage, 5, { ...right, ...change }), `${k}`).to.be.revertedWithCustomError(
            stage.market.court,
            error,
          );
        }
      });
    });
  });
});
