import { expect } from "chai";
import { id, toBeHex } from "ethers";
import { checkResult, nextDemand } from "../../toolkit/analytics/check-result.js";
import { climbResult, ruleOnNode } from "../../toolkit/analytics/court-model.js";
import { UNLIMITED } from "../../toolkit/analytics/membership.js";
import { PartialDigests } from "../../toolkit/analytics/partial-digests.js";
import { neutralPartial } from "../../toolkit/analytics/partials.js";
import {
  compareLeaves,
  leafWords,
  nodeDigest,
  Origin,
  type ResultLeaf,
  ResultTree,
} from "../../toolkit/analytics/result-tree.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { lyingTree } from "../../toolkit/testing/lies.js";
import { enrolLot, keyOf } from "../identity/fleet.js";
import { batchOf, claimed, honest, proposed, sourcesOf, upholds } from "./checking.js";
import {
  anchored,
  asked,
  attestedLeaf,
  bringToLife,
  type Changes,
  FAR,
  idOf,
  opened,
  openMarket,
  ownerOf,
  passWindow,
  provedLeaf,
  raise,
  readingsOf,
  withheldLeaf,
} from "./market.js";

/** A market with a request, and readings of six devices in a batch of the gateway's. */
async function withReadings(changes: Changes = {}) {
  const market = await openMarket();
  const request = await asked(market, changes);
  const kept = market.keys.slice(0, 6).map((key, k) => readingsOf(market, request, key, [BigInt(10 * k - 20), 7n]));
  const batch = await anchored(market, kept.flat());
  const leaves = kept.map((readings, k) => provedLeaf(request, ownerOf(market, k), readings)).sort(compareLeaves);
  const index = (k: number) => leaves.findIndex(({ device }) => device === market.keys[k]?.id);
  return { market, request, kept, batch, leaves, index };
}

describe("Checking a result", () => {
  it("finds nothing against a result that is built honestly, with devices proved, attested and withheld", async () => {
    const { market, request, batch } = await withReadings();
    const key = market.keys[5] ?? raise();
    const partial = neutralPartial(request.query);
    const leaf = await attestedLeaf(market, request, ownerOf(market, 5), key, { partial, count: 2n });
    const [signer, signature] = leaf.evidence;
    const source = batchOf(batch);
    const readings = source.readings.map((item, k) =>
      k >= 8 && "reading" in item ? { digest: market.digests.reading(item.reading) } : item,
    );
    const { built, aggregator, members, ...sources } = await honest(market, request, [{ ...source, readings }], {
      attestedOf: (device) => (device === key.id ? { ...leaf, signer, signature } : undefined),
    });
    const origins = built.tree.leaves.map(({ origin }) => origin);
    expect(
      [Origin.Proved, Origin.Attested, Origin.Withheld].map((one) => origins.filter((o) => o === one).length),
    ).to.deep.equal([4, 1, 1]);
    expect(built.obstacle).to.equal(undefined);
    const proposal = await proposed(market, request, built);
    const all = market.keys.slice(0, 6);
    const { faults, tree } = await checkResult(built.data(), proposal, {
      ...sources,
      members,
      contributions: new Map(),
      partialOf: (device) => aggregator.partialOf(device),
      readingOf: (device) => {
        const place = all.findIndex((one) => one.id === device);
        return readingOf(market, batch, 2 * place);
      },
    });
    expect(faults).to.deep.equal([]);
    expect(tree?.root).to.deep.equal(built.tree.root);
  });

  it("says of members who was live and had consented at the snapshot, whatever happened since", async () => {
    const market = await openMarket();
    const [suspended, late, sold, noted] = [0, 6, 1, 4].map((k) => market.keys[k] ?? raise());
    if (!suspended || !late || !sold || !noted) throw new Error("No keys.");
    const owner = market.owners[1] ?? raise();
    await market.registry.connect(market.owners[0]).suspend(suspended.id);
    await market.consents.connect(market.owners[2]).revoke(id("Anything"));
    await market.networkHelpers.time.increase(10);
    await market.consents.connect(market.company).grant(id("Anything"), {
      ...{ expiry: FAR, cohort: 0n, price: 1n, budget: 1n },
    });
    const request = await asked(market);
    await market.networkHelpers.time.increase(10);
    await market.holdings.note([noted.id]);
    for (const { id: device } of [sold, noted]) {
      await market.registry.connect(owner).transferFrom(owner.address, market.company.address, device);
    }
    await bringToLife(market.world, market.lot, late, market.owners[0]?.address ?? "");
    await market.consents.connect(market.owners[2]).grant(id("Anything"), {
      ...{ expiry: FAR, cohort: 0n, price: 0n, budget: 1n },
    });
    const { members } = await sourcesOf(market, request);
    const facts = members.map(({ device, ...rest }) => ({ device, ...rest, budget: rest.budget > 1n }));
    const member = (k: number, isEligible: boolean, isKnown: boolean) => {
      const own = { owner: ownerOf(market, k), device: market.keys[k]?.id ?? "" };
      return { ...own, isEligible, isKnown, budget: true };
    };
    expect(facts).to.deep.equal(
      [member(0, false, true), member(3, true, true), member(1, true, false), member(4, true, true)].sort(
        compareLeaves,
      ),
    );
  });

  it("says of members the same however many owners have agreed", async () => {
    const market = await openMarket();
    const move = async (k: number, to: string) => {
      const [from, device] = [market.owners[k % 3] ?? raise(), market.keys[k]?.id ?? raise()];
      await market.registry.connect(from).transferFrom(from.address, to, device);
      return device;
    };
    const sold = await move(1, market.watcher.address);
    const given = await move(3, market.owners[2]?.address ?? "");
    const few = (await sourcesOf(market, await asked(market))).members;
    for (let k = 0n; k < 70n; k++) {
      const address = toBeHex(0x1000n + k, 20);
      await market.networkHelpers.setBalance(address, 10n ** 18n);
      await market.networkHelpers.impersonateAccount(address);
      const owner = await market.ethers.getSigner(address);
      const terms = { expiry: FAR, cohort: 0n, price: 0n, budget: UNLIMITED };
      await market.consents.connect(owner).grant(id("Anything"), terms);
    }
    const many = (await sourcesOf(market, await asked(market, { salt: id("of many") }))).members;
    expect(many).to.deep.equal(few);
    expect(few.map(({ device }) => device))
      .to.include(given)
      .and.not.include(sold);
  });

  it("says of members only those of the lot that is asked for", async () => {
    const market = await openMarket();
    const key = keyOf("of another lot");
    const lot = await enrolLot(market.world, market.maker, [key]);
    await bringToLife(market.world, lot, key, ownerOf(market, 0));
    const request = await asked(market, { filter: { lot: lot.id } });
    const { members } = await sourcesOf(market, request);
    expect(members.map(({ device }) => device)).to.deep.equal([key.id]);
  });

  it("hashes partials as the contract does", async () => {
    const { market, request, leaves } = await withReadings();
    const digests = new PartialDigests({ chainId: market.chainId, analytics: market.addresses.Analytics });
    for (const [k, leaf] of leaves.entries()) {
      const spent = { ...leaf, spent: BigInt(k) };
      const digest = await market.analytics.partialDigest(idOf(market, request), leafWords(spent));
      expect(toHex(digests.partial(idOf(market, request), spent))).to.equal(digest);
    }
  });

  describe("finds what the court upholds", () => {
    it("a leaf that breaks the rules", async () => {
      const { market, request, leaves, index } = await withReadings();
      const spare = leaves[index(3)] ?? raise();
      for (const wrong of [{ weight: 3n }, { count: 101n, weight: 101n }, { spent: 1n }, { origin: Origin.Withheld }]) {
        const snapshot = await market.networkHelpers.takeSnapshot();
        await upholds(market, request, leaves.with(index(3), { ...spare, ...wrong }), "leaf");
        await snapshot.restore();
      }
    });

    it("leaves out of order", async () => {
      const { market, request, leaves } = await withReadings();
      for (const k of [0, 1, 3]) {
        const snapshot = await market.networkHelpers.takeSnapshot();
        const [a, b] = [leaves[k] ?? raise(), leaves[k + 1] ?? raise()];
        await upholds(market, request, leaves.with(k, b).with(k + 1, a), "node");
        await snapshot.restore();
      }
    });

    it("a member that had not agreed, and a device that counts twice", async () => {
      const { market, request, leaves } = await withReadings();
      const foreign = { ...(leaves[2] ?? raise()), owner: market.company.address };
      const faults = await upholds(market, request, [...leaves, foreign].sort(compareLeaves), "double");
      expect(faults.map(({ kind }) => kind).sort()).to.deep.equal(["double", "member"]);
    });

    it("a withheld leaf of a device that was no member", async () => {
      const { market, request, leaves } = await withReadings();
      const ghost = withheldLeaf(request, ownerOf(market, 0), market.keys[6] ?? raise());
      const faults = await upholds(market, request, [...leaves, ghost].sort(compareLeaves), "member");
      expect(faults).to.have.length(1);
    });

    const noisy = { terms: { epsilon: 1_000_000n } };
    const signed = ({ market, request }: Awaited<ReturnType<typeof withReadings>>, spent = 0n) =>
      Promise.all(
        market.keys.slice(0, 6).map((key, k) => {
          const said = { partial: neutralPartial(request.query), count: 2n, spent };
          return attestedLeaf(market, request, ownerOf(market, k), key, said);
        }),
      ).then((leaves) => leaves.sort(compareLeaves));

    it("a budget that is spent twice", async () => {
      const stage = await withReadings(noisy);
      const { market } = stage;
      const before = claimed(market, stage.request, await signed(stage));
      await proposed(market, stage.request, before);
      await passWindow(market);
      await market.analytics.finalise(stage.request);
      const { proposedAt } = await market.analytics.statusOf(stage.request);
      const request = await asked(market, { ...noisy, salt: id("later") });
      const again = await signed({ ...stage, request }, 999_999n);
      const earlier = [{ request: stage.request, isFinal: true, proposedAt, tree: before.tree }];
      const faults = await upholds(market, request, again, "spent", { earlier });
      expect(faults).to.have.length(6);
    });

    it("a partial that isn't signed, with or without the bond", async () => {
      const stage = await withReadings(noisy);
      const { market, request } = stage;
      const leaves = await signed(stage);
      const lie = leaves.with(0, { ...(leaves[0] ?? raise()), count: 3n, weight: 3n });
      const snapshot = await market.networkHelpers.takeSnapshot();
      const [slashed] = await upholds(market, request, lie, "signature");
      expect(slashed).to.include({ ruling: "slashed" });
      await snapshot.restore();
      const { device, owner } = leaves[0] ?? raise();
      const signer = market.owners.find(({ address }) => address === owner) ?? raise();
      const change = () => market.registry.connect(signer).suspend(device);
      const [dismissed] = await upholds(market, request, lie, "signature", {}, change);
      expect(dismissed).to.include({ kind: "signature", ruling: "dismissed" });
    });

    it("a device that was left out", async () => {
      for (const k of [0, 2, 4]) {
        const { market, request, leaves, index, batch } = await withReadings();
        const readingOf_ = (device: string) =>
          readingOf(market, batch, 2 * market.keys.findIndex((key) => key.id === device));
        const faults = await upholds(market, request, leaves.toSpliced(index(k), 1), "omission", {
          readingOf: readingOf_,
        });
        expect(faults).to.have.length(1);
      }
    });

    it("contributed readings that were passed over, with the device or without", async () => {
      const { market, request, leaves, index, batch } = await withReadings();
      const device = market.keys[2]?.id ?? raise();
      const readings = [4, 5].map((k) => opened(market, batch, k));
      await market.desk.contributeReadings(market.addresses.Analytics, request, device, readings);
      const contributions = new Map([[device as string, 2n]]);
      const nothing = { origin: Origin.Withheld, count: 0n, weight: 0n, partial: neutralPartial(request.query) };
      const held: ResultLeaf = { ...(leaves[index(2)] ?? raise()), ...nothing };
      const snapshot = await market.networkHelpers.takeSnapshot();
      await upholds(market, request, leaves.with(index(2), held), "ignored", { contributions });
      await snapshot.restore();
      await upholds(market, request, leaves.toSpliced(index(2), 1), "ignored-device", { contributions });
    });

    it("a proved partial that is another's, by a question", async () => {
      const { market, request, leaves, index, batch } = await withReadings();
      const { aggregator } = await honest(market, request, [batchOf(batch)]);
      const leaf = leaves[index(1)] ?? raise();
      const partialOf = (device: string) => aggregator.partialOf(device);
      for (const lie of [
        { ...leaf, partial: leaves[index(2)]?.partial ?? raise() },
        { ...leaf, evidence: [leaf.evidence[0], Uint8Array.of(1)] as const },
        { ...leaf, evidence: [leaf.evidence[0].subarray(1), leaf.evidence[1]] as const },
        { ...leaf, count: 1n, weight: 1n },
      ]) {
        const snapshot = await market.networkHelpers.takeSnapshot();
        const [fault] = await upholds(market, request, leaves.with(index(1), lie), "question", { partialOf });
        if (fault?.kind !== "question") return raise();
        const { desk, watcher, addresses } = market;
        const asking = desk.connect(watcher).question(addresses.Analytics, request, leafWords(fault.leaf), fault.place);
        await expect(asking).to.emit(desk, "PartialQuestioned");
        await snapshot.restore();
      }
    });
  });

  it("finds data that aren't those of the proposal", async () => {
    const { market, request, leaves } = await withReadings();
    const good = claimed(market, request, leaves);
    const proposal = await proposed(market, request, good);
    const digests = new PartialDigests({ chainId: market.chainId, analytics: market.addresses.Analytics });
    const kinds = async (data: Iterable<Uint8Array>) =>
      (await checkResult(data, proposal, { digests })).faults.map((fault) => [
        fault.kind,
        fault.kind === "root-mismatch" ? fault.index : -1,
      ]);
    const other = claimed(market, request, leaves.slice(1));
    expect(await kinds(good.data())).to.deep.equal([]);
    expect(await kinds(other.data())).to.deep.equal([
      ["content-mismatch", -1],
      ["root-mismatch", 0],
    ]);
    const text = Buffer.concat([...good.data()]).toString();
    expect(await kinds([Buffer.from(text.slice(0, -100))])).to.deep.equal([["root-mismatch", 5]]);
    expect(await kinds([])).to.deep.equal([["root-mismatch", 0]]);
    const short = claimed(market, request, [leaves[0] ?? raise()]).data();
    expect(await kinds(short)).to.deep.include(["root-mismatch", 0]);
  });

  it("finds where a root departs from its data, demand by demand", async () => {
    const { market, request, leaves } = await withReadings();
    const digests = new PartialDigests({ chainId: market.chainId, analytics: market.addresses.Analytics });
    for (let k = 0; k < leaves.length; k++) {
      const good = claimed(market, request, leaves);
      const leaf = leaves[k] ?? raise();
      const hidden = new ResultTree(request.query, leaves.with(k, { ...leaf, partial: neutralPartial(request.query) }));
      const root = toHex(nodeDigest(hidden.root));
      const domain = { chainId: market.chainId, analytics: market.addresses.Analytics, request };
      const { faults } = await checkResult(
        good.data(),
        { ...domain, root, content: "0x", proposedAt: 1n, proposedBlock: 1n },
        { digests },
      );
      expect(faults.map(({ kind }) => kind)).to.deep.equal(["content-mismatch", "root-mismatch"]);
      let [index, demands]: [number, number] = [0, 1];
      for (;;) {
        const { path, siblings } = hidden.siblings(index);
        const next = nextDemand(good.tree, index, path, siblings);
        if (next === undefined) break;
        [index, demands] = [next, demands + 1];
        expect(demands).to.be.at.most(hidden.height + 1);
      }
      expect(index).to.equal(k);
    }
  });

  it("decides nodes as the court does", async () => {
    const { market, request, leaves } = await withReadings();
    const tree = new ResultTree(request.query, leaves);
    for (const [height, index, lie] of [
      [1, 0, { count: 9n }],
      [1, 2, { weight: 9n }],
      [2, 0, { members: 3n }],
      [3, 0, { lastDevice: market.company.address }],
      [3, 0, {}],
    ] as const) {
      const { place, node, root } = lyingTree(tree, height, index, lie);
      expect(climbResult(nodeDigest(node), place)).to.deep.equal(nodeDigest(root));
      const [left, right] = [tree.node(2 * index, height - 1), tree.node(2 * index + 1, height - 1)];
      const sides = { left: left.node, right: right.node, leftAggregate: left.partial, rightAggregate: right.partial };
      const isLie = Object.keys(lie).length > 0;
      expect(ruleOnNode(request.query, { node, ...sides })).to.equal(isLie ? "slashed" : "refused");
      const swapped = { ...sides, leftAggregate: right.partial };
      expect(ruleOnNode(request.query, { node, ...swapped })).to.equal("refused");
    }
    expect(climbResult(nodeDigest(tree.root), { path: 1n, steps: [] })).to.equal(undefined);
    expect(climbResult(nodeDigest(tree.root), { path: 0n, steps: [id("half a step")] })).to.equal(undefined);
  });
});

/** A reading of the batch as a challenge takes it. */
function readingOf(
  market: Awaited<ReturnType<typeof openMarket>>,
  batch: Awaited<ReturnType<typeof anchored>>,
  k: number,
) {
  const { fields, place, signer, signature } = opened(market, batch, k);
  return { reading: fields, readingPlace: place, signer: fromHex(signer), signature: fromHex(signature) };
}
