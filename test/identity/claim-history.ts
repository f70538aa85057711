import { expect } from "chai";
import { type ClaimCode, ClaimTree } from "../../toolkit/identity/claims.js";
import type { DeviceKey } from "../../toolkit/identity/keys.js";
import { decodeRevert, revertDataOf } from "../../toolkit/reverts.js";
import { argsOf, boxes, codeOf, type Desk, entryOf, openDesk } from "./boxes.js";

const STEPS = 500;

/** Numbers below `bound` that are the same in each run (a linear congruential generator). */
function dice(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

interface Action {
  readonly what: string;
  /** What the model says: the name of the error, or undefined and the model has changed. */
  expected(time: bigint): string | undefined;
  send(overrides?: object): Promise<{ hash: string }>;
}

describe("ClaimDesk's random history", () => {
  let desk: Desk;

  before(async () => {
    desk = await openDesk();
  });

  /** Who owns what since when, and what was offered until when, in plain TypeScript. */
  class Model {
    readonly owners = new Map<DeviceKey, { owner: string; since: bigint }>();
    readonly offers = new Map<string, { offeredAt: bigint; expiry: bigint }>();
    readonly trusting = new Set<string>();
    readonly used = new Set<string>();

    offer(owner: string, root: string, expiry: bigint, time: bigint): string | undefined {
      if (expiry <= time) return "ClaimDeskOfferExpired";
      const known = this.offers.get(owner + root);
      this.offers.set(owner + root, { offeredAt: known?.offeredAt ?? time, expiry });
      return undefined;
    }

    withdraw(owner: string, root: string): string | undefined {
      const known = this.offers.get(owner + root);
      if (!known || known.expiry === 0n) return "ClaimDeskNotOffered";
      known.expiry = 0n;
      return undefined;
    }

    transfer(key: DeviceKey, from: string, to: string, time: bigint): string | undefined {
      const held = this.owners.get(key);
      if (held?.owner !== from) return "ERC721InsufficientApproval";
      this.owners.set(key, { owner: to, since: time });
      return undefined;
    }

    claim(
      call: { key: DeviceKey; from: string; to: string; root: string; deadline: bigint; right: boolean },
      time: bigint,
    ): string | undefined {
      const offer = this.offers.get(call.from + call.root);
      const held = this.owners.get(call.key);
      if (!held) throw new Error("The model has lost a device.");
      if (time > call.deadline) return "ClaimDeskExpired";
      if (!offer || offer.expiry === 0n) return "ClaimDeskNotOffered";
      if (time > offer.expiry) return "ClaimDeskOfferExpired";
      if (time <= offer.offeredAt) return "ClaimDeskTooSoon";
      if (held.since > offer.offeredAt) return "ClaimDeskOfferedLater";
      if (!call.right) return "ClaimDeskWrongCode";
      if (!this.trusting.has(held.owner)) return "ERC721InsufficientApproval";
      if (held.owner !== call.from) return "ERC721IncorrectOwner";
      // What it is all for, whatever the rules above say.
      const use = [call.from, call.root, call.key.id].join();
      if (this.used.has(use)) throw new Error(`The code of ${use} works twice.`);
      this.used.add(use);
      this.owners.set(call.key, { owner: call.to, since: time });
      return undefined;
    }
  }

  it("does what the model says, and no code works twice", async function () {
    this.timeout(300_000);
    const { world, parties, claimOf } = desk;
    const { claims, registry, ethers, networkHelpers, provider, addresses } = world;
    const random = dice(20_261);
    const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T;
    const model = new Model();
    const people = Object.values(parties);
    for (const key of boxes) {
      const { ownedSince } = await registry.deviceOf(key.id);
      model.owners.set(key, { owner: parties.maker.address, since: ownedSince });
    }
    for (const one of people) {
      await registry.connect(one).setApprovalForAll(addresses.ClaimDesk, true);
      model.trusting.add(one.address);
    }
    // Boxes are packed anew now and then: other codes, under another root.
    const packed: { keys: DeviceKey[]; codeFor: (key: DeviceKey) => ClaimCode; tree: ClaimTree }[] = [];
    function pack(): (typeof packed)[number] {
      const print = packed.length;
      const keys = print === 0 ? boxes : boxes.slice(random(3));
      const codeFor = (key: DeviceKey) => codeOf(`${key.id} ${print}`);
      packed.push({ keys, codeFor, tree: new ClaimTree(keys.map((key) => entryOf(key, codeFor(key)))) });
      return packed[print] as (typeof packed)[number];
    }
    pack();

    function action(time: bigint): Action {
      const who = pick(people);
      const key = pick(boxes);
      // Mostly what its owner has offered.
      const owner = model.owners.get(key)?.owner ?? "";
      const packs = packed.filter(({ keys }) => keys.includes(key));
      const offered = packs.filter(({ tree: { root } }) => model.offers.has(owner + root)).slice(-2);
      const { codeFor, tree } = pick(random(4) === 0 || offered.length === 0 ? packs : offered);
      const holder = people.find(({ address }) => address === owner) ?? who;
      const kind = random(12);
      if (kind < 3) {
        const { root } = kind < 2 ? pack().tree : tree;
        const by = random(4) === 0 ? who : holder;
        const expiry = time + BigInt(random(6) === 0 ? -random(3) : random(600));
        return {
          what: "offer",
          expected: (at) => model.offer(by.address, root, expiry, at),
          send: (overrides = {}) => claims.connect(by).offer(root, expiry, overrides),
        };
      }
      if (kind === 3 && random(2) === 0) {
        return {
          what: "withdraw",
          expected: () => model.withdraw(who.address, tree.root),
          send: (overrides = {}) => claims.connect(who).withdrawOffer(tree.root, overrides),
        };
      }
      if (kind === 3) {
        const trusts = random(8) !== 0;
        return {
          what: "approve",
          expected: () => void (trusts ? model.trusting.add(who.address) : model.trusting.delete(who.address)),
          send: (overrides = {}) => registry.connect(who).setApprovalForAll(addresses.ClaimDesk, trusts, overrides),
        };
      }
      if (kind === 4) {
        const to = pick(people).address;
        const from = random(5) === 0 ? who : holder;
        return {
          what: "transfer",
          expected: (at) => model.transfer(key, from.address, to, at),
          send: (overrides = {}) => registry.connect(from).transferFrom(from.address, to, key.id, overrides),
        };
      }
      const from = random(8) === 0 ? who.address : holder.address;
      const right = random(6) !== 0;
      const deadline = time + BigInt(random(8) === 0 ? -1 : random(50));
      const said = { device: key.id, from, to: pick(people).address, root: tree.root, deadline };
      const call = claimOf(said, right ? codeFor(key) : codeOf("wrong"), tree);
      return {
        what: "claim",
        expected: (at) => model.claim({ ...said, key, right }, at),
        send: (overrides = {}) => claims.connect(who).claim(...argsOf(call), overrides),
      };
    }

    /** Sends actions in one block, so in one second, and says which were carried out. */
    async function inOneBlock(actions: readonly Action[]): Promise<boolean[]> {
      await provider.request({ method: "evm_setAutomine", params: [false] });
      const hashes: string[] = [];
      for (const [k, one] of actions.entries()) {
        const tip = BigInt(actions.length - k) * 10n ** 9n;
        hashes.push((await one.send({ gasLimit: 500_000, maxPriorityFeePerGas: tip, maxFeePerGas: 10n ** 11n })).hash);
      }
      await provider.request({ method: "evm_mine", params: [] });
      await provider.request({ method: "evm_setAutomine", params: [true] });
      const receipts = await Promise.all(hashes.map((hash) => ethers.provider.getTransactionReceipt(hash)));
      return receipts.map((receipt) => receipt?.status === 1);
    }

    const seen = new Map<string, number>();
    for (let step = 0; step < STEPS; ) {
      const time = BigInt(await networkHelpers.time.latest()) + BigInt(pick([1, 1, 1, 1, 1, 3, 60]));
      await networkHelpers.time.setNextBlockTimestamp(time);
      const together = random(3) === 0 ? 2 + random(2) : 1;
      const actions: Action[] = [];
      const expected: (string | undefined)[] = [];
      for (let k = 0; k < together; k++) {
        const next = action(time);
        actions.push(next);
        expected.push(next.expected(time));
        const outcome = `${next.what}: ${expected.at(-1) ?? "done"}`;
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
      }
      if (together > 1) {
        const done = await inOneBlock(actions);
        expect(done, `step ${step}: ${actions.map(({ what }) => what).join()}`).to.deep.equal(
          expected.map((error) => error === undefined),
        );
      } else {
        const error = await (actions[0] as Action).send().then(
          () => undefined,
          (failure: unknown) => decodeRevert(revertDataOf(failure) ?? "")?.name ?? String(failure),
        );
        expect(error, `step ${step}: ${actions[0]?.what}`).to.equal(expected[0]);
      }
      for (const [key, { owner, since }] of model.owners) {
        const found = [await registry.ownerOf(key.id), (await registry.deviceOf(key.id)).ownedSince];
        expect(found, `step ${step}`).to.deep.equal([owner, since]);
      }
      step += together;
    }
    for (const [place, { offeredAt, expiry }] of model.offers) {
      expect(await claims.offerOf(place.slice(0, 42), place.slice(42))).to.deep.equal([offeredAt, expiry]);
    }
    // A history in which little happens shows little.
    const claimed = [...seen].filter(([outcome]) => outcome.startsWith("claim: "));
    expect(claimed.map(([outcome]) => outcome.slice(7))).to.include.members([
      "done",
      "ClaimDeskExpired",
      "ClaimDeskNotOffered",
      "ClaimDeskOfferExpired",
      "ClaimDeskTooSoon",
      "ClaimDeskOfferedLater",
      "ClaimDeskWrongCode",
      "ERC721InsufficientApproval",
    ]);
    expect(seen.get("claim: done")).to.be.greaterThan(20);
  });
});
