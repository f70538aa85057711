import { expect } from "chai";
import { id } from "ethers";
import type { Contribution } from "../../toolkit/analytics/aggregate-tree.js";
import type { AnalysisRequest } from "../../toolkit/analytics/requests.js";
import { sharesOf } from "../../toolkit/analytics/shares.js";
import type { DeviceId } from "../../toolkit/identity/keys.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { addEarnings, PayoutTree } from "../../toolkit/payouts/payout-tree.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import {
  contributionsOf,
  ITC,
  idOf,
  type Market,
  openMarket,
  passWindow,
  propose,
  proposed,
  requestOf,
  treeOf,
} from "./market.js";

const ROOT = `0x${"5a".repeat(32)}`;

describe("Payouts of results", () => {
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

  const held = (name: "Analytics" | "PayoutRoller" | "PayoutPool") => market.itc.balanceOf(market.addresses[name]);
  const open = async (changes: Partial<AnalysisRequest> = {}) => {
    const request = await requestOf(market, changes);
    await market.analytics.connect(market.company).request(request);
    return request;
  };
  /** A final result of the six honest devices. */
  const final = async (changes: Partial<AnalysisRequest> = {}) => {
    const tree = treeOf(contributionsOf(market));
    const request = await proposed(market, tree, changes);
    await passWindow(market);
    await market.analytics.finalise(request);
    return { request, shares: sharesOf(tree.leaves, request.reward) };
  };

  /** Rolls and publishes final results on top of what was earned before. */
  const published = async (
    finals: { request: AnalysisRequest; shares: Map<string, bigint> }[],
    before = new Map<string, bigint>(),
  ) => {
    const earned = finals.reduce((sum, { shares }) => addEarnings(sum, shares), before);
    const tree = new PayoutTree(earned);
    await market.roller.connect(market.proposer).roll(
      finals.map(({ request }) => request),
      tree.root,
      ROOT,
    );
    await passWindow(market);
    await market.roller.publish();
    return { tree, earned };
  };

  const claim = (tree: PayoutTree, account: string, amount = tree.earned.get(account) ?? 0n, proofOf = account) => {
    const { path, siblings } = tree.prove(proofOf);
    return market.pool.connect(market.stranger).claim(account, amount, path, siblings.map(toHex));
  };

  describe("roll, publish", () => {
    it("refuses nothing, what isn't final, what is rolled, and a second one", async () => {
      const { roller, proposer } = market;
      const mine = roller.connect(proposer);
      await expect(mine.roll([], ROOT, ROOT)).to.be.revertedWithCustomError(roller, "PayoutRollerNothingToRoll");
      const pending = await proposed(market, treeOf(contributionsOf(market)), { salt: id("pending") });
      await expect(mine.roll([pending], ROOT, ROOT))
        .to.be.revertedWithCustomError(roller, "PayoutRollerNotFinal")
        .withArgs(idOf(market, pending));
      const { request } = await final();
      await expect(mine.roll([request, request], ROOT, ROOT))
        .to.be.revertedWithCustomError(roller, "PayoutRollerRolled")
        .withArgs(idOf(market, request));
      await expect(roller.connect(market.stranger).roll([request], ROOT, ROOT)).to.be.revertedWithCustomError(
        market.itc,
        "ERC20InsufficientAllowance",
      );
      await mine.roll([request], ROOT, ROOT);
      expect(await roller.isRolled(idOf(market, request))).to.equal(true);
      await expect(mine.roll([request], ROOT, ROOT))
        .to.be.revertedWithCustomError(roller, "PayoutRollerBusy")
        .withArgs(1n);
      await passWindow(market);
      await roller.publish();
      await expect(mine.roll([request], ROOT, ROOT)).to.be.revertedWithCustomError(roller, "PayoutRollerRolled");
    });

    it("is published after the window; the guardian can turn it down before", async () => {
      const { roller, pool, proposer } = market;
      await expect(roller.publish()).to.be.revertedWithCustomError(roller, "PayoutRollerIdle");
      await expect(roller.reject()).to.be.revertedWithCustomError(roller, "PayoutRollerIdle");
      const { request } = await final();
      await roller.connect(proposer).roll([request], ROOT, ROOT);
      await expect(roller.publish()).to.be.revertedWithCustomError(roller, "PayoutRollerWindowOpen");
      await expect(roller.reject()).to.emit(roller, "RootRejected").withArgs(1n);
      expect(await roller.pending()).to.deep.equal([0n, `0x${"0".repeat(40)}`, `0x${"0".repeat(64)}`, 0n, 0n]);
      expect(await held("PayoutRoller")).to.equal(request.reward);
      await roller.connect(proposer).roll([request], ROOT, ROOT);
      const { challengeEnd, number } = await roller.pending();
      await market.networkHelpers.time.increaseTo(challengeEnd + 1n);
      await expect(roller.reject())
        .to.be.revertedWithCustomError(roller, "PayoutRollerWindowOver")
        .withArgs(challengeEnd);
      await expect(roller.publish()).to.emit(roller, "RootPublished").withArgs(number, ROOT, request.reward);
      expect(await pool.currentEpoch()).to.deep.equal([1n, ROOT]);
      expect([await held("PayoutRoller"), await held("PayoutPool")]).to.deep.equal([0n, request.reward]);
    });

    it("a stranger can't publish to the pool", async () => {
      await expect(market.pool.publish(ROOT, 0))
        .to.be.revertedWithCustomError(market.pool, "PayoutPoolNotManager")
        .withArgs(market.operator.address);
      expect(await market.pool.manager()).to.equal(market.addresses.PayoutRoller);
    });
  });

  describe("claim", () => {
    it("pays what was earned, once, to the account alone, whoever sends it", async () => {
      const done = await final();
      const { tree, earned } = await published([done]);
      for (const [account, amount] of earned) {
        await expect(claim(tree, account))
          .to.emit(market.itc, "Transfer")
          .withArgs(market.addresses.PayoutPool, account, amount);
        await expect(claim(tree, account))
          .to.be.revertedWithCustomError(market.pool, "PayoutPoolNothingToClaim")
          .withArgs(account, amount);
        expect(await market.itc.balanceOf(account)).to.equal(amount);
      }
      expect(await held("PayoutPool")).to.equal(0n);
      expect(earned.size).to.equal(3);
    });

    it("refuses a changed amount, a foreign account, a wrong proof, and any claim before the first epoch", async () => {
      const [owner, other] = market.owners.map(({ address }) => address);
      if (!owner || !other) throw new Error("The market has too few owners.");
      const none = market.pool.claim(market.stranger.address, ITC, 0, []);
      await expect(none)
        .to.be.revertedWithCustomError(market.pool, "PayoutPoolInvalidProof")
        .withArgs(market.stranger.address, ITC);
      const { tree, earned } = await published([await final()]);
      const amount = earned.get(owner) ?? 0n;
      const attempts = [
        () => claim(tree, owner, amount + 1n),
        () => claim(tree, owner, amount - 1n),
        () => claim(tree, owner, amount, other),
        () => claim(tree, market.stranger.address, amount, owner),
        () => market.pool.claim(owner, amount, 0, []),
      ];
      for (const attempt of attempts) {
        await expect(attempt()).to.be.revertedWithCustomError(market.pool, "PayoutPoolInvalidProof");
      }
      expect(await market.pool.claimedOf(owner)).to.equal(0n);
    });

    it("pays the difference in a later epoch, and refuses the old root's proof", async () => {
      const [account = ""] = market.owners.map(({ address }) => address);
      const first = await final();
      const one = await published([first]);
      await claim(one.tree, account);
      const [second, third] = [await final({ salt: id("b") }), await final({ salt: id("c"), reward: 7n })];
      const two = await published([second, third], one.earned);
      await expect(claim(one.tree, account)).to.be.revertedWithCustomError(market.pool, "PayoutPoolInvalidProof");
      const due = (two.earned.get(account) ?? 0n) - (one.earned.get(account) ?? 0n);
      await expect(claim(two.tree, account))
        .to.emit(market.itc, "Transfer")
        .withArgs(market.addresses.PayoutPool, account, due);
      for (const { address } of market.owners.slice(1)) await claim(two.tree, address);
      expect(await held("PayoutPool")).to.equal(0n);
    });
  });

  describe("shares", () => {
    it("add up to the reward, to the unit, for any weights", () => {
      for (let round = 0; round < 200; round++) {
        const random = (label: string) => BigInt(secretOf(round, label));
        const leaves = Array.from({ length: 1 + Number(random("size") % 40n) }, (_, k): Contribution => {
          const owner = `0x${(random(`owner-${k}`) % 9n).toString(16).padStart(40, "0")}`;
          return { owner, device: `0x${k}` as DeviceId, sum: 0n, count: random(`count-${k}`) % 1000n };
        });
        const total = leaves.reduce((sum, { count }) => sum + count, 0n);
        if (total === 0n) continue;
        leaves.sort((a, b) => (a.owner < b.owner ? -1 : 1));
        const reward = random("reward") % 10n ** BigInt(1 + (round % 26));
        const shares = sharesOf(leaves, reward);
        expect([...shares.values()].reduce((a, b) => a + b, 0n)).to.equal(reward);
        for (const [owner, share] of shares) {
          const weight = leaves.reduce((sum, leaf) => (leaf.owner === owner ? sum + leaf.count : sum), 0n);
          const off = share * total - reward * weight;
          expect(off < total && off > -total, "within a unit of the exact part").to.equal(true);
        }
      }
      const thousand = Array.from({ length: 1000 }, (_, k): Contribution => {
        return { owner: `0x${k.toString(16).padStart(40, "0")}`, device: `0x${k}` as DeviceId, sum: 0n, count: 1n };
      });
      expect([...sharesOf(thousand, 1n).values()].reduce((a, b) => a + b, 0n)).to.equal(1n);
    });
  });

  describe("any history", () => {
    it("escrow, roller and pool hold what is owed", async () => {
      const tree = treeOf(contributionsOf(market));
      const requests: { request: AnalysisRequest; status: string }[] = [];
      let earned = new Map<string, bigint>();
      let rolled: { requests: typeof requests; earned: Map<string, bigint> } | undefined;
      let claimed = 0n;
      for (let step = 0; step < 150; step++) {
        const chance = BigInt(secretOf(9, `step-${step}`));
        const target = requests[Number((chance >> 8n) % BigInt(Math.max(requests.length, 1)))];
        const verb = Number(chance % 9n);
        if (verb === 0 && requests.length < 9) {
          requests.push({
            request: await open({ salt: id(`r${step}`), reward: (chance % 500n) + 1n }),
            status: "open",
          });
        } else if (verb === 1 && target) {
          const attempt = propose(market, target.request, tree);
          if (target.status !== "open")
            await expect(attempt).to.be.revertedWithCustomError(market.analytics, "AnalyticsWrongStatus");
          else target.status = (await attempt) && "proposed";
        } else if (verb === 2 && target?.status === "proposed") {
          await passWindow(market);
          await market.analytics.finalise(target.request);
          target.status = "final";
        } else if (verb === 3 && target?.status === "proposed") {
          await market.analytics.reject(target.request).then(
            () => {
              target.status = "open";
            },
            () => undefined,
          );
        } else if (verb === 4 && target?.status === "open") {
          await market.analytics.connect(market.company).cancel(target.request);
          target.status = "cancelled";
        } else if (verb === 5 && !rolled) {
          const finals = requests.filter(({ status }) => status === "final");
          if (finals.length === 0) continue;
          const sum = finals.reduce(
            (all, { request }) => addEarnings(all, sharesOf(tree.leaves, request.reward)),
            earned,
          );
          await market.roller.connect(market.proposer).roll(
            finals.map(({ request }) => request),
            new PayoutTree(sum).root,
            ROOT,
          );
          rolled = { requests: finals, earned: sum };
        } else if (verb === 6 && rolled) {
          await passWindow(market);
          await market.roller.publish();
          for (const one of rolled.requests) one.status = "paid";
          earned = rolled.earned;
          rolled = undefined;
        } else if (verb === 7 && rolled) {
          const rejected = await market.roller.reject().then(
            () => true,
            () => false,
          );
          if (rejected) rolled = undefined;
        } else if (verb === 8 && earned.size > 0) {
          const { address } = market.owners[Number(chance % 3n)] ?? market.stranger;
          const due = (earned.get(address) ?? 0n) - (await market.pool.claimedOf(address));
          if (due > 0n) await claim(new PayoutTree(earned), address);
          claimed += due;
        }
        const owing = (statuses: string[], part: (request: AnalysisRequest) => bigint) =>
          requests
            .filter(({ status }) => statuses.includes(status))
            .reduce((sum, { request }) => sum + part(request), 0n);
        const inAnalytics =
          owing(["open", "proposed"], ({ reward }) => reward) + owing(["proposed"], ({ bond }) => bond);
        expect(await held("Analytics"), `step ${step}`).to.equal(inAnalytics);
        expect(await held("PayoutRoller")).to.equal(
          owing(["final"], ({ reward }) => reward) + (rolled ? 100n * ITC : 0n),
        );
        expect(await held("PayoutPool")).to.equal(owing(["paid"], ({ reward }) => reward) - claimed);
      }
      expect(new Set(requests.map(({ status }) => status)).has("paid"), "the history went all the way").to.equal(true);
    });
  });
});
