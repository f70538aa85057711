import { expect } from "chai";
import { AbiCoder, keccak256, ZeroAddress, ZeroHash } from "ethers";
import { nodesOfRange, ownerRange } from "../../toolkit/analytics/owner-nodes.js";
import { sharesByWeight } from "../../toolkit/analytics/shares.js";
import { MAX_LIST, payoutList, readPayoutList } from "../../toolkit/payouts/payout-list.js";
import { Dice } from "../invariant/dice.js";
import { BOND, type Finished, finish, ITC, openStage, PERIOD, type Stage, WINDOW, wait } from "./payout-stage.js";
import { inOrder, type Share } from "./result-trees.js";

describe("Rewards pushed to small groups", () => {
  let stage: Stage;

  beforeEach(async () => {
    stage = await openStage();
  });

  const held = () => stage.itc.balanceOf(stage.sinks.lists);
  const ownerOf = (k: number) => stage.owners[k]?.address ?? "";
  /** Three owners of one, two and four devices. */
  const sevenShares = (): Share[] =>
    [0, 1, 1, 2, 2, 2, 2].map((owner, k) => ({ owner: ownerOf(owner), device: inOrder(k), weight: BigInt(k + 1) }));
  const final = (changes: Parameters<typeof finish>[3] = {}) => finish(stage, "lists", sevenShares(), changes);
  const truth = ({ weights }: Finished, reward = 1_000n) => payoutList(sharesByWeight(weights, reward));
  const propose = (result: Finished, words: readonly string[], by = stage.proposer) =>
    stage.lists.connect(by).rollList(stage.analytics, result.id, [...words]);
  const ownedBy = ({ tree }: Finished, owner: string) => {
    const { first, end } = ownerRange(tree.leaves, owner);
    return nodesOfRange(tree, first, end);
  };
  const challenge = (result: Finished, words: readonly string[], owner: string, owned = ownedBy(result, owner)) =>
    stage.lists.connect(stage.challenger).challengeList(stage.analytics, result.id, [...words], owner, owned);
  const push = (result: Finished, words: readonly string[]) => stage.lists.push(stage.analytics, result.id, [...words]);
  const word = (account: string, amount: bigint) =>
    `0x${account.slice(2).toLowerCase()}${amount.toString(16).padStart(24, "0")}`;
  const underpaying = (result: Finished, owner: string) => {
    const shares = sharesByWeight(result.weights, 1_000n);
    return payoutList(new Map([...shares].map(([one, share]) => [one, one === owner ? share - 1n : share])));
  };

  describe("rollList", () => {
    it("takes a list, its bond, and says until when it can be challenged", async () => {
      const result = await final();
      const words = truth(result);
      const hash = stage.ethers.keccak256(stage.ethers.concat(words));
      const time = BigInt(await stage.networkHelpers.time.latest()) + 10n;
      await stage.networkHelpers.time.setNextBlockTimestamp(time);
      await expect(propose(result, words))
        .to.emit(stage.lists, "ListProposed")
        .withArgs(stage.analytics, result.id, stage.proposer.address, hash, 3n, 998n, time + WINDOW);
      expect([...(await stage.lists.listOf(stage.analytics, result.id))]).to.deep.equal([
        stage.proposer.address,
        time + WINDOW,
        hash,
      ]);
      expect([await held(), await stage.lists.owed(), await stage.lists.bond()]).to.deep.equal([
        1_000n + BOND,
        1_000n + BOND,
        BOND,
      ]);
      expect(readPayoutList(words)).to.deep.equal(sharesByWeight(result.weights, 1_000n));
    });

    it("refuses disorder, doubles, nobody, too many and none", async () => {
      const result = await final();
      const [first = "", second = "", third = ""] = truth(result);
      for (const [words, index] of [
        [[second, first, third], 1n],
        [[first, third, second], 2n],
        [[first, second, second], 2n],
        [[first, word(first.slice(0, 42), 999n)], 1n],
        [[word(ZeroAddress, 1n), first], 0n],
      ] as const) {
        await expect(propose(result, words))
          .to.be.revertedWithCustomError(stage.lists, "PayoutListsOutOfOrder")
          .withArgs(index);
      }
      const long = Array.from({ length: MAX_LIST + 1 }, (_, k) => word(inOrder(k), 1n));
      for (const words of [[], long]) {
        await expect(propose(result, words))
          .to.be.revertedWithCustomError(stage.lists, "PayoutListsBadLength")
          .withArgs(words.length);
      }
      expect(() => payoutList(new Map(long.map((_, k) => [inOrder(k), 1n])))).to.throw(RangeError);
    });

    it("refuses more than the reward, a result that isn't final, a reward that isn't here, a missing bond", async () => {
      const result = await final();
      const [first = "", ...rest] = truth(result);
      const greedy = [word(first.slice(0, 42), BigInt(`0x${first.slice(42)}`) + 3n), ...rest];
      await expect(propose(result, greedy))
        .to.be.revertedWithCustomError(stage.lists, "PayoutListsTooMuch")
        .withArgs(1_001n, 1_000n);
      await expect(propose(result, truth(result), stage.stranger)).to.be.revertedWithCustomError(
        stage.itc,
        "ERC20InsufficientAllowance",
      );
      const open = await final({ isFinal: false, name: "open" });
      const weightless = await final({ weight: 0n, name: "weightless" });
      for (const one of [open, weightless]) {
        await expect(propose(one, truth(one)))
          .to.be.revertedWithCustomError(stage.lists, "PayoutListsNotFinal")
          .withArgs(one.id);
      }
      const elsewhere = await finish(stage, "claims", sevenShares(), { name: "elsewhere" });
      await expect(propose(elsewhere, truth(elsewhere)))
        .to.be.revertedWithCustomError(stage.lists, "PayoutListsNoReward")
        .withArgs(elsewhere.id);
    });

    it("refuses a second list while there is one, and after it was pushed", async () => {
      const result = await final();
      const words = truth(result);
      await propose(result, words);
      await expect(propose(result, words))
        .to.be.revertedWithCustomError(stage.lists, "PayoutListsBusy")
        .withArgs(result.id);
      await wait(stage, WINDOW + 1n);
      await push(result, words);
      await expect(propose(result, words))
        .to.be.revertedWithCustomError(stage.lists, "PayoutListsNoReward")
        .withArgs(result.id);
      await expect(push(result, words)).to.be.revertedWithCustomError(stage.lists, "PayoutListsIdle");
      await expect(stage.lists.sweep(stage.analytics, result.id)).to.be.revertedWithCustomError(
        stage.lists,
        "RewardSinkNothingLeft",
      );
    });
  });

  describe("challengeList", () => {
    it("takes down a list that pays an owner too little, or not at all, and the reward is larger by half the bond", async () => {
      const result = await final();
      const without = (reward: bigint, owner: string) =>
        truth(result, reward).filter((one) => !one.startsWith(owner.toLowerCase()));
      let reward = 1_000n;
      for (const k of [0, 1, 2]) {
        const shares = sharesByWeight(result.weights, reward);
        shares.set(ownerOf(k), (shares.get(ownerOf(k)) ?? 0n) - 1n);
        for (const words of [payoutList(shares), without(reward, ownerOf(k))]) {
          await propose(result, words);
          await expect(challenge(result, words, ownerOf(k)))
            .to.emit(stage.lists, "ListRejected")
            .withArgs(stage.analytics, result.id, stage.challenger.address)
            .and.to.emit(stage.itc, "Transfer")
            .withArgs(stage.sinks.lists, stage.challenger.address, BOND / 2n);
          reward += BOND - BOND / 2n;
          expect([(await stage.lists.rewardOf(stage.analytics, result.id)).left, await held()]).to.deep.equal([
            reward,
            reward,
          ]);
        }
      }
      const right = truth(result, reward);
      await propose(result, right);
      await wait(stage, WINDOW + 1n);
      await push(result, right);
      expect([await held(), await stage.lists.owed()]).to.deep.equal([0n, 0n]);
    });

    it("refuses a challenge to a true list, with all nodes of the owner", async () => {
      const result = await final();
      const words = truth(result);
      await propose(result, words);
      for (const [owner, share] of sharesByWeight(result.weights, 1_000n)) {
        await expect(challenge(result, words, owner))
          .to.be.revertedWithCustomError(stage.lists, "PayoutListsPaidEnough")
          .withArgs(owner, share, share);
      }
      await expect(challenge(result, words, stage.stranger.address))
        .to.be.revertedWithCustomError(stage.lists, "PayoutListsPaidEnough")
        .withArgs(stage.stranger.address, 0n, 0n);
    });

    it("refuses another list, foreign nodes, nodes twice or backwards, and nodes without places", async () => {
      const result = await final();
      const owner = ownerOf(2);
      const words = underpaying(result, owner);
      await expect(challenge(result, words, owner))
        .to.be.revertedWithCustomError(stage.lists, "PayoutListsIdle")
        .withArgs(result.id);
      await propose(result, words);
      await expect(challenge(result, truth(result), owner))
        .to.be.revertedWithCustomError(stage.lists, "PayoutListsWrongList")
        .withArgs(result.id);
      const { first, end } = ownerRange(result.tree.leaves, owner);
      const each = Array.from({ length: end - first }, (_, k) => first + k);
      const owned = (ks: readonly number[]) => ({
        nodes: ks.map((k) => result.tree.node(0, k)),
        places: ks.map((k) => result.tree.place(0, k)),
      });
      const heavy = owned(each);
      const [node, ...others] = heavy.nodes;
      if (!node) throw new Error("The owner has no node.");
      const lies = [
        [owned([...each].reverse()), 1n],
        [owned([first, first]), 1n],
        [{ ...heavy, nodes: [{ ...node, summary: { ...node.summary, weight: 99n } }, ...others] }, 0n],
        [{ ...heavy, places: [...heavy.places].reverse() }, 0n],
        [{ nodes: [result.tree.node(3, 0)], places: [result.tree.place(3, 0)] }, 0n],
        [ownedBy(result, ownerOf(1)), 0n],
      ] as const;
      for (const [lie, index] of lies) {
        await expect(challenge(result, words, owner, { nodes: [...lie.nodes], places: [...lie.places] }))
          .to.be.revertedWithCustomError(stage.libraries.nodes, "OwnerSharesBadNode")
          .withArgs(owner, index);
      }
      await expect(challenge(result, words, owner, { ...heavy, places: heavy.places.slice(1) }))
        .to.be.revertedWithCustomError(stage.libraries.nodes, "OwnerSharesBadNodes")
        .withArgs(4n, 3n);
      await challenge(result, words, owner, heavy);
    });

    it("is open to the last second of the window", async () => {
      const result = await final();
      const words = underpaying(result, ownerOf(2));
      await propose(result, words);
      const { challengeEnd } = await stage.lists.listOf(stage.analytics, result.id);
      const snapshot = await stage.networkHelpers.takeSnapshot();
      await stage.networkHelpers.time.setNextBlockTimestamp(challengeEnd);
      await challenge(result, words, ownerOf(2));
      await snapshot.restore();
      await stage.networkHelpers.time.setNextBlockTimestamp(challengeEnd + 1n);
      await expect(challenge(result, words, ownerOf(2)))
        .to.be.revertedWithCustomError(stage.lists, "PayoutListsWindowOver")
        .withArgs(challengeEnd);
    });
  });

  describe("push", () => {
    it("pays all, returns the carry to the requester and the bond to the proposer", async () => {
      const result = await final();
      const words = truth(result);
      await propose(result, words);
      await wait(stage, WINDOW + 1n);
      const before = await stage.itc.balanceOf(stage.proposer.address);
      await expect(push(result, words))
        .to.emit(stage.lists, "ListPushed")
        .withArgs(stage.analytics, result.id, 3n, 998n);
      for (const [owner, share] of readPayoutList(words)) expect(await stage.itc.balanceOf(owner)).to.equal(share);
      expect(await stage.itc.balanceOf(stage.company.address)).to.equal(2n);
      expect((await stage.itc.balanceOf(stage.proposer.address)) - before).to.equal(BOND);
      expect([await held(), await stage.lists.owed()]).to.deep.equal([0n, 0n]);
    });

    it("waits for the end of the window, and pays the list that was proposed alone", async () => {
      const result = await final();
      const words = truth(result);
      await expect(push(result, words)).to.be.revertedWithCustomError(stage.lists, "PayoutListsIdle");
      await propose(result, words);
      const { challengeEnd } = await stage.lists.listOf(stage.analytics, result.id);
      await stage.networkHelpers.time.setNextBlockTimestamp(challengeEnd);
      await expect(push(result, words))
        .to.be.revertedWithCustomError(stage.lists, "PayoutListsWindowOpen")
        .withArgs(challengeEnd);
      for (const wrong of [words.slice(1), [...words].reverse(), []]) {
        await expect(push(result, wrong)).to.be.revertedWithCustomError(stage.lists, "PayoutListsWrongList");
      }
    });

    it("takes 500 new holders in one transaction", async () => {
      const shares = Array.from({ length: MAX_LIST }, (_, k) => ({
        owner: inOrder(k),
        device: inOrder(k),
        weight: 1n,
      }));
      const result = await finish(stage, "lists", shares, { reward: 999n });
      const words = truth(result, 999n);
      expect(words.length).to.equal(MAX_LIST);
      await propose(result, words);
      await wait(stage, WINDOW + 1n);
      const receipt = await (await stage.lists.push(stage.analytics, result.id, words, { gasLimit: 2n ** 24n })).wait();
      expect(receipt?.status).to.equal(1);
      expect(await stage.itc.balanceOf(inOrder(499))).to.equal(1n);
      expect(await stage.itc.balanceOf(stage.company.address)).to.equal(499n);
    });

    it("pays as a plain loop of transfers does", async () => {
      const shares = Array.from({ length: 60 }, (_, k) => ({
        owner: k % 3 === 0 ? ownerOf(k % 5) : inOrder(k),
        device: inOrder(k),
        weight: 1n << BigInt(k),
      }));
      const result = await finish(stage, "lists", shares, { reward: 900_000n * ITC });
      const words = truth(result, 900_000n * ITC);
      const paid = readPayoutList(words);
      await propose(result, words);
      await wait(stage, WINDOW + 1n);
      const loop = await stage.ethers.deployContract("PlainLoop");
      await stage.itc.transfer(await loop.getAddress(), 900_000n * ITC);
      const balances = () => Promise.all([...paid.keys()].map((owner) => stage.itc.balanceOf(owner)));
      const snapshot = await stage.networkHelpers.takeSnapshot();
      await loop.getFunction("pay")(stage.token, [...paid.keys()], [...paid.values()]);
      const looped = await balances();
      await snapshot.restore();
      await push(result, words);
      expect(await balances()).to.deep.equal(looped);
      expect(Math.max(...words.map((one) => Number(`0x${one.slice(42)}`)))).to.be.greaterThan(2 ** 64);
    });

    it("passes on what the token says if it can't pay", async () => {
      const broken = await stage.ethers.deployContract("PayoutLists", [stage.token, PERIOD, WINDOW, 0n]);
      const address = await broken.getAddress();
      const result = await final({ source: stage.others });
      const analytics = await stage.others.getAddress();
      await stage.others.getFunction("hand")(stage.token, address, result.id, stage.company.address, 1_000n, 1_000n);
      await broken.getFunction("rollList")(analytics, result.id, truth(result));
      await wait(stage, WINDOW + 1n);
      await stage.networkHelpers.setStorageAt(stage.token, balanceSlot(address), 40n);
      await expect(broken.getFunction("push")(analytics, result.id, truth(result))).to.be.revertedWithCustomError(
        stage.itc,
        "ERC20InsufficientBalance",
      );
    });

    it("receivers that are contracts can't block it", async () => {
      const closed = await stage.ethers.deployContract("BusyShop");
      await closed.getFunction("setAnswer")("0x00000000");
      const receivers = [await closed.getAddress(), stage.token, stage.sinks.lists];
      const shares = receivers.map((owner, k) => ({ owner, device: inOrder(k), weight: 1n }));
      const result = await finish(stage, "lists", shares, { reward: 300n });
      const words = truth(result, 300n);
      await propose(result, words);
      await wait(stage, WINDOW + 1n);
      await push(result, words);
      for (const owner of receivers) expect(await stage.itc.balanceOf(owner)).to.equal(100n);
      expect(await stage.lists.owed()).to.equal(0n);
    });
  });

  describe("sweep", () => {
    it("returns a reward without a list, and none that has one", async () => {
      const [one, two] = [await final(), await final({ name: "two" })];
      await propose(one, truth(one));
      await wait(stage, PERIOD + 1n);
      await expect(stage.lists.sweep(stage.analytics, one.id))
        .to.be.revertedWithCustomError(stage.lists, "RewardSinkBusy")
        .withArgs(stage.analytics, one.id);
      await stage.lists.sweep(stage.analytics, two.id);
      expect(await stage.itc.balanceOf(stage.company.address)).to.equal(1_000n);
      await expect(propose(two, truth(two))).to.be.revertedWithCustomError(stage.lists, "PayoutListsNoReward");
      await push(one, truth(one));
      expect(await held()).to.equal(0n);
      expect(await stage.lists.rewardOf(stage.analytics, ZeroHash)).to.deep.equal([ZeroAddress, 0n, 0n, 0n]);
    });
  });

  describe("any history", () => {
    it("holds the rewards and bonds of what is undecided", async () => {
      const dice = new Dice(5);
      const made: { result: Finished; reward: bigint; words?: string[]; lied?: string; done?: boolean }[] = [];
      const seen = { pushed: 0, fell: 0 };
      for (let step = 0; step < 150; step++) {
        const one = made[dice.below(Math.max(made.length, 1))];
        const verb = dice.below(5);
        if (verb === 0 || !one) {
          const reward = BigInt(100 + dice.below(900));
          made.push({ result: await final({ reward, name: `step ${step}` }), reward });
        } else if (verb === 1 && !one.words && !one.done) {
          const shares = sharesByWeight(one.result.weights, one.reward);
          const lied = dice.chance(50) ? ownerOf(dice.below(3)) : undefined;
          if (lied) shares.set(lied, (shares.get(lied) ?? 0n) / 2n);
          Object.assign(one, { words: payoutList(shares), lied });
          await propose(one.result, one.words ?? []);
        } else if (verb > 1 && one.words && !one.done) {
          const { challengeEnd } = await stage.lists.listOf(stage.analytics, one.result.id);
          const isOpen = BigInt(await stage.networkHelpers.time.latest()) < challengeEnd;
          const attempt = challenge(one.result, one.words, one.lied ?? ownerOf(dice.below(3)));
          if (one.lied && isOpen) {
            await attempt;
            one.reward += BOND - BOND / 2n;
            delete one.words;
            seen.fell += 1;
            continue;
          }
          const error = isOpen ? "PayoutListsPaidEnough" : "PayoutListsWindowOver";
          await expect(attempt).to.be.revertedWithCustomError(stage.lists, error);
          if (isOpen) await wait(stage, WINDOW + 1n);
          await push(one.result, one.words);
          one.done = true;
          seen.pushed += 1;
        }
        const owed = made.reduce(
          (sum, { done, reward, words }) => sum + (done ? 0n : reward + (words ? BOND : 0n)),
          0n,
        );
        expect([await held(), await stage.lists.owed()], `step ${step}`).to.deep.equal([owed, owed]);
      }
      expect(Math.min(seen.pushed, seen.fell)).to.be.greaterThan(4);
    });
  });
});

/** Where ITC keeps the balance of an account: OpenZeppelin's first mapping, in slot 0. */
function balanceSlot(account: string): string {
  return keccak256(AbiCoder.defaultAbiCoder().encode(["address", "uint256"], [account, 0n]));
}
