import { rejects } from "node:assert/strict";
import { expect } from "chai";
import { courtViews, type MemberQuery } from "../../toolkit/analytics/court-views.js";
import { Operation } from "../../toolkit/analytics/query.js";
import { ANY_DEVICE, type AnalysisRequest } from "../../toolkit/analytics/requests.js";
import { Origin } from "../../toolkit/analytics/result-tree.js";
import { device, keys, PURPOSE, TERMS, UNLIMITED, unborn } from "./consenting.js";
import { judgedDevice, requestOf } from "./judged.js";

/** As `requestOf` has it, in the toolkit's types. */
const asked: AnalysisRequest = {
  ...requestOf(),
  query: {
    ...requestOf().query,
    schema: new Uint8Array(32),
    lower: 0n,
    upper: 1n,
    from: 1n,
    to: 2n,
    anchoredBy: 2n,
    cap: 1n,
    operation: Operation.Sum,
  },
  filter: ANY_DEVICE,
  terms: {
    ...requestOf().terms,
    reward: 1n,
    fee: 0n,
    bond: 1n,
    deadline: 1n,
    challengeWindow: 1n,
    weighting: 0,
    settlement: 0,
  },
};

describe("Court lens", () => {
  const { world, now, later, mine, transfer, owner, buyer, registry } = judgedDevice();

  /** Views of a request, through the lens. */
  function views(snapshot: bigint, blockTag: number | "latest" = "latest") {
    const { ethers, addresses, eligibility } = world();
    return courtViews(
      ethers.provider,
      { ...addresses, Eligibility: eligibility.target as string },
      asked,
      snapshot,
      blockTag,
    );
  }

  it("sees of each device what the contracts say, in order and over many calls", async () => {
    await mine().grant(PURPOSE, TERMS);
    await mine().grantDevices(PURPOSE, [keys[1]?.id ?? ""], { ...TERMS, budget: UNLIMITED, price: 1n });
    await world()
      .consents.connect(buyer())
      .grant(PURPOSE, { ...TERMS, cohort: TERMS.cohort + 1n });
    await registry().suspend(keys[2]?.id ?? "");
    const snapshot = await later();
    await transfer(owner(), buyer(), keys[3]?.id ?? "");
    await world().holdings.note([device]);
    await later();
    const queries = [...keys, unborn].flatMap(({ id }) =>
      [owner().address, buyer().address].flatMap((of) =>
        [Origin.Withheld, Origin.Proved, Origin.Attested].flatMap((origin) =>
          [0n, TERMS.budget - 10n, TERMS.budget].map(
            (spent): MemberQuery => ({ device: id, owner: of, origin, spent }),
          ),
        ),
      ),
    );
    const seen = await views(snapshot).see(queries);
    expect(seen.length).to.equal(queries.length);
    const { eligibility, holdings, consents } = world();
    for (const [k, { device: of, owner: by, origin, spent }] of queries.entries()) {
      const consent = await consents.consentAt(by, of, PURPOSE, snapshot);
      const { known, owner: holder } = await holdings.holderAt(of, snapshot);
      const { cohort, price } = requestOf().terms;
      expect(seen[k]).to.deep.equal({
        verdict: Number(await eligibility.verdictOn(requestOf(), of, by, snapshot)),
        mayUse: await eligibility.mayUse(requestOf(), by, of, origin, spent, snapshot),
        wasMember: await eligibility.wasMember(requestOf(), of, by, snapshot),
        holder: known ? holder : undefined,
        agrees: consent.granted && consent.cohort <= cohort && consent.price <= price,
        budget: consent.budget,
      });
    }
    for (const key of ["verdict", "mayUse", "wasMember", "holder", "agrees", "budget"] as const) {
      expect(new Set(seen.map((view) => view[key])).size, key).to.be.greaterThan(1);
    }
  });

  it("sees the state after a block", async () => {
    await mine().grant(PURPOSE, TERMS);
    const snapshot = await now();
    const block = await world().ethers.provider.getBlockNumber();
    await later();
    const query = { device, owner: owner().address, origin: Origin.Attested, spent: 0n };
    await transfer(owner(), buyer(), keys[1]?.id ?? "");
    const other = { ...query, device: keys[1]?.id ?? "" };
    const [before] = await views(snapshot, block).see([other]);
    const [after] = await views(snapshot).see([other]);
    expect([before?.holder, after?.holder]).to.deep.equal([owner().address, undefined]);
  });

  it("has nothing to say of nothing, and fails where the contracts aren't", async () => {
    expect(await views(1n).see([])).to.deep.equal([]);
    const { ethers, addresses } = world();
    const lost = courtViews(ethers.provider, { ...addresses, Eligibility: device }, asked, 1n);
    const query = { device, owner: owner().address, origin: Origin.Proved, spent: 0n };
    await rejects(lost.see([query]), /revert/);
  });
});
