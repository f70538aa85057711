import { createHash } from "node:crypto";
import { expect } from "chai";
import { id, ZeroAddress } from "ethers";
import { type AttestedPartial, buildResult, type ResultSources } from "../../toolkit/analytics/build-result.js";
import { type Member, UNLIMITED } from "../../toolkit/analytics/membership.js";
import { PartialDigests } from "../../toolkit/analytics/partial-digests.js";
import { neutralPartial, packed } from "../../toolkit/analytics/partials.js";
import type { DevicePartial } from "../../toolkit/analytics/pieces.js";
import { Operation } from "../../toolkit/analytics/query.js";
import {
  ANY_DEVICE,
  type AnalysisRequest,
  requestIdOf,
  Settlement,
  Weighting,
} from "../../toolkit/analytics/requests.js";
import { compareLeaves, encodeRanges, Origin } from "../../toolkit/analytics/result-tree.js";
import { isSignature } from "../../toolkit/identity/keys.js";
import { keys, never } from "./aggregating.js";
import { queryOf } from "./queries.js";

const chainId = 31337n;
const analytics = "0x00000000000000000000000000000000000000a1";
const digests = new PartialDigests({ chainId, analytics });
const query = queryOf(Operation.Mean, { cap: 10n });
const ownerOf = (k: number) => `0x00000000000000000000000000000000000000c${k}`;
const empty = new Uint8Array();

const members: Member[] = keys
  .map((key, k) => ({ owner: ownerOf(k), device: key.id, isEligible: true, isKnown: true, budget: UNLIMITED }))
  .sort(compareLeaves);

function requestOf(epsilon = 0n, terms = {}): AnalysisRequest {
  return {
    requester: ZeroAddress,
    salt: id(`salt-${epsilon}`),
    purpose: id("purpose"),
    query,
    filter: ANY_DEVICE,
    terms: {
      ...{ cohort: 2n, epsilon, price: 1n, reward: 1_000n, fee: 0n, bond: 1n, deadline: 1n, challengeWindow: 1n },
      ...{ weighting: Weighting.Readings, settlement: Settlement.Direct },
      ...terms,
    },
  };
}

/** Four readings of a device. */
function folded(device: string, changes: Partial<DevicePartial> = {}): DevicePartial {
  return { device, count: 4n, partial: packed([40n, 4n]), ranges: encodeRanges([[1n, 4n]]), ...changes };
}

/** Three readings in the word of the k-th device. */
function attested(k: number, request: AnalysisRequest, changes: Partial<AttestedPartial> = {}): AttestedPartial {
  const key = keys[k] ?? never();
  const claim = { device: key.id, owner: ownerOf(k), count: 3n, spent: 0n, partial: packed([33n, 3n]), ...changes };
  const signature = key.sign(digests.partial(requestIdOf(request, chainId, analytics), claim));
  return { ...claim, signer: key.material, signature: changes.signature ?? signature };
}

function sourcesOf(request: AnalysisRequest, changes: Partial<ResultSources> = {}): ResultSources {
  const isSigned: ResultSources["isSigned"] = (device, digest, signer, signature) => {
    const key = keys.find(({ id: own }) => own === device) ?? never();
    return Buffer.compare(signer, key.material) === 0 && isSignature(key, digest, signature);
  };
  const nothing = { partialOf: () => undefined };
  return { chainId, analytics, request, digests, members, isSigned, mostProved: 10n, ...nothing, ...changes };
}

/** What the k-th device's leaf is, or why it is withheld. */
async function leafOf(k: number, sources: ResultSources) {
  const { tree, withheld } = await buildResult(sources);
  const device = keys[k]?.id ?? never();
  const leaf = tree.leaves.find((one) => one.device === device) ?? never();
  return { ...leaf, why: withheld.get(device) };
}

describe("Building a result", () => {
  const exact = requestOf();
  const noisy = requestOf(500n);
  const proved = (device: string) => folded(device);
  const word = (request: AnalysisRequest, changes: Partial<AttestedPartial> = {}) => ({
    attestedOf: (device: string) => (device === keys[0]?.id ? attested(0, request, changes) : undefined),
  });
  const withBudget = (budget: bigint) => ({ members: members.map((member) => ({ ...member, budget })) });

  it("has a leaf for every member, withheld where there is no partial", async () => {
    const { tree, withheld } = await buildResult(sourcesOf(exact));
    expect(tree.leaves.map(({ device }) => device)).to.deep.equal(members.map(({ device }) => device));
    for (const leaf of tree.leaves) {
      expect(leaf).to.deep.include({ origin: Origin.Withheld, count: 0n, weight: 0n, evidence: [empty, empty] });
      expect(leaf.partial).to.deep.equal(neutralPartial(query));
    }
    expect([...withheld.values()]).to.deep.equal(Array(5).fill("no-partial"));
  });

  describe("without noise", () => {
    it("takes proved partials first, attested ones else", async () => {
      const both = await leafOf(0, sourcesOf(exact, { partialOf: proved, ...word(exact) }));
      expect(both).to.deep.include({ origin: Origin.Proved, count: 4n, weight: 4n, partial: packed([40n, 4n]) });
      expect(both.evidence).to.deep.equal([encodeRanges([[1n, 4n]]), empty]);
      const said = await leafOf(0, sourcesOf(exact, word(exact)));
      expect(said).to.deep.include({ origin: Origin.Attested, count: 3n, weight: 3n, partial: packed([33n, 3n]) });
      const { signer, signature } = attested(0, exact);
      expect(said.evidence).to.deep.equal([signer, signature]);
    });

    it("takes neither from owners with a limited budget", async () => {
      const sources = sourcesOf(exact, { partialOf: proved, ...word(exact), ...withBudget(UNLIMITED - 1n) });
      expect(await leafOf(0, sources)).to.deep.include({ origin: Origin.Withheld, why: "budget" });
    });
  });

  describe("with noise", () => {
    it("takes attested partials first, proved ones only without a limit", async () => {
      const both = { partialOf: proved, ...word(noisy) };
      expect((await leafOf(0, sourcesOf(noisy, both))).origin).to.equal(Origin.Attested);
      expect((await leafOf(1, sourcesOf(noisy, both))).origin).to.equal(Origin.Proved);
      expect(await leafOf(1, sourcesOf(noisy, { ...both, ...withBudget(10_000n) }))).to.include({ why: "budget" });
    });

    it("takes what the budget has room for, to the millionth", async () => {
      for (const [spent, origin] of [
        [500n, Origin.Attested],
        [501n, Origin.Withheld],
      ] as const) {
        const leaf = await leafOf(0, sourcesOf(noisy, { ...word(noisy, { spent }), ...withBudget(1_000n) }));
        expect(leaf.origin).to.equal(origin);
      }
    });

    it("takes no part of the budget that an earlier result has spent", async () => {
      const earlier = requestOf(300n);
      const other = { ...earlier, purpose: id("other purpose") };
      const outcome = async (spent: bigint, request = earlier) =>
        (await leafOf(0, sourcesOf(noisy, { ...word(noisy, { spent }), spendsOf: () => [{ request, spent: 1_000n }] })))
          .origin;
      expect(await Promise.all([500n, 501n, 1_000n, 1_299n, 1_300n].map((spent) => outcome(spent)))).to.deep.equal([
        Origin.Attested,
        Origin.Withheld,
        Origin.Withheld,
        Origin.Withheld,
        Origin.Attested,
      ]);
      expect(await outcome(1_000n, other)).to.equal(Origin.Attested);
    });
  });

  it("takes no attested partial that its device hasn't signed, or that breaks the rules", async () => {
    const good = attested(0, exact);
    const wrongs: Partial<AttestedPartial>[] = [
      { owner: ownerOf(1) },
      { count: 4n },
      { spent: 1n },
      { partial: packed([34n, 3n]) },
      { signer: keys[1]?.material ?? never() },
      { signature: attested(0, noisy).signature },
      { device: keys[1]?.id ?? never() },
    ];
    for (const wrong of wrongs) {
      const attestedOf = (device: string) => (device === keys[0]?.id ? { ...good, ...wrong } : undefined);
      expect(await leafOf(0, sourcesOf(exact, { attestedOf }))).to.include({ why: "attested" });
    }
    for (const signed of [
      { count: 0n },
      { count: 11n },
      { spent: 1n },
      { partial: new Uint8Array(63) },
      { partial: packed([2n ** 127n, 3n]) },
    ]) {
      expect(await leafOf(0, sourcesOf(exact, word(exact, signed)))).to.include({ why: "attested" });
    }
    expect(await leafOf(0, sourcesOf(exact, word(exact)))).to.include({ origin: Origin.Attested });
  });

  const digest = new Uint8Array(32);
  const liar = (device: string) =>
    folded(device, { equivocation: { device, sequence: 2n, digests: [digest, digest] } });

  it("withholds devices that aren't eligible, contradict themselves, have changed, or have more readings than can be shown", async () => {
    const barred = members.map((member) => ({ ...member, isEligible: false }));
    const all = { partialOf: proved, ...word(exact) };
    expect(await leafOf(0, sourcesOf(exact, { ...all, members: barred }))).to.include({ why: "ineligible" });
    for (const budget of [UNLIMITED, 10_000n]) {
      const sources = sourcesOf(noisy, { partialOf: liar, ...word(noisy), ...withBudget(budget) });
      expect(await leafOf(0, sources)).to.include({ why: "equivocation" });
    }
    expect(await leafOf(1, sourcesOf(exact, { ...all, mostProved: 3n }))).to.include({ why: "proof-size" });
    expect(await leafOf(0, sourcesOf(exact, { ...all, mostProved: 3n }))).to.include({ origin: Origin.Attested });
    const isSteady = async (device: string) => device === keys[2]?.id;
    expect(await leafOf(1, sourcesOf(exact, { ...all, isSteady }))).to.include({ why: "changed" });
    expect(await leafOf(2, sourcesOf(exact, { ...all, isSteady }))).to.include({ origin: Origin.Proved });
  });

  describe("of contributed readings", () => {
    const contributionOf = () => 4n;

    it("counts as many, whatever else speaks against it", async () => {
      for (const changes of [word(noisy), { mostProved: 3n }, { partialOf: liar }]) {
        const leaf = await leafOf(0, sourcesOf(noisy, { partialOf: proved, contributionOf, ...changes }));
        expect(leaf).to.include({ origin: Origin.Proved, count: 4n });
      }
    });

    it("counts no more than can be shown", async () => {
      const cut = (device: string, most = 10n) => folded(device, { count: most < 9n ? most : 9n });
      const sources = (contributed: bigint) =>
        sourcesOf(exact, { partialOf: cut, contributionOf: () => contributed, mostProved: 5n });
      expect((await leafOf(0, sources(4n))).count).to.equal(5n);
      expect((await leafOf(0, sources(6n))).count).to.equal(6n);
    });

    it("leaves them out where the courts would let it", async () => {
      for (const change of [{ isKnown: false }, { isEligible: false }, { budget: 9n }]) {
        const changed = members.map((member) => ({ ...member, ...change }));
        const leaf = await leafOf(0, sourcesOf(exact, { contributionOf, members: changed }));
        expect(leaf.origin).to.equal(Origin.Withheld);
      }
    });

    it("fails where the sources have fewer", async () => {
      const partialOf = (device: string) => folded(device, { count: 3n });
      for (const changes of [{}, { partialOf }, word(exact)]) {
        const ofFirst = (device: string) => (device === keys[0]?.id ? 4n : 0n);
        const failure = await buildResult(sourcesOf(exact, { contributionOf: ofFirst, ...changes })).then(
          never,
          ({ code }) => code,
        );
        expect(failure).to.equal("ITC_RESULT_CONTRIBUTED");
      }
    });
  });

  it("says what proposing it would come up against", async () => {
    const obstacle = async (terms: object, changes: Partial<ResultSources> = {}) =>
      (await buildResult(sourcesOf(requestOf(0n, terms), { partialOf: proved, ...changes }))).obstacle;
    const wide = { partialOf: (device: string) => folded(device, { partial: packed([2n ** 126n, 4n]) }) };
    expect(await obstacle({})).to.equal(undefined);
    expect(await obstacle({ cohort: 6n })).to.equal("cohort");
    expect(await obstacle({ price: 51n })).to.equal("price");
    expect(await obstacle({ price: 50n })).to.equal(undefined);
    expect(await obstacle({}, wide)).to.equal("aggregate");
  });

  it("is the same root and file for the same sources", async () => {
    const built = await Promise.all([0, 1].map(() => buildResult(sourcesOf(exact, { partialOf: proved }))));
    const [a, b] = built.map(({ tree, data }) => {
      const hash = createHash("sha256");
      for (const piece of data()) hash.update(piece);
      return { root: tree.root, content: hash.digest("hex") };
    });
    expect(a).to.deep.equal(b);
  });

  it("fails without members", async () => {
    const failure = await buildResult(sourcesOf(exact, { members: [] })).then(never, ({ code }) => code);
    expect(failure).to.equal("ITC_RESULT_EMPTY");
  });
});
