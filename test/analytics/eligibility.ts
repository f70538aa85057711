import { expect } from "chai";
import { id } from "ethers";
import { cellOfGeohash } from "../../toolkit/analytics/regions.js";
import { enrolLot, keyOf } from "../identity/fleet.js";
import { device, keys, PURPOSE, sibling, TERMS, UNLIMITED, unborn } from "./consenting.js";
import { BERLIN, DAY, DOUBTFUL, ELIGIBLE, GOOD, INELIGIBLE, judgedDevice, PARIS, requestOf } from "./judged.js";

const [WITHHELD, PROVED, ATTESTED] = [0, 1, 2];
const keyAt = (k: number) => keys[k]?.id ?? "";

describe("Eligibility", () => {
  const { world, now, later, mine, transfer, owner, buyer, registry, issuer, verifier, attest, verdict } =
    judgedDevice();

  describe("verdictOn, for certain", () => {
    it("a device that never was active, or came later, is ineligible", async () => {
      await mine().grant(PURPOSE, TERMS);
      const { activatedAt } = await registry().deviceOf(device);
      await world().consents.connect(owner()).grant(PURPOSE, TERMS);
      expect(await verdict(await now())).to.equal(ELIGIBLE);
      expect(await verdict(await now(), {}, unborn.id)).to.equal(INELIGIBLE);
      expect(await verdict(activatedAt - 1n)).to.equal(INELIGIBLE);
    });

    it("a device that was out of action before the snapshot is ineligible", async () => {
      await mine().grant(PURPOSE, TERMS);
      for (const [of, end] of [
        [device, () => registry().suspend(device)],
        [sibling.id, () => registry().retire(sibling.id)],
        [keyAt(2), () => issuer().revokeDevice(world().lot.id, keyAt(2))],
      ] as const) {
        await end();
        const ended = await now();
        await later();
        const answers = await Promise.all([ended - 1n, ended, ended + 1n].map((time) => verdict(time, {}, of)));
        expect(answers).to.deep.equal([ELIGIBLE, ELIGIBLE, INELIGIBLE]);
      }
      const suspended = (await now()) - 1n;
      expect(await verdict(suspended)).to.equal(INELIGIBLE);
      await registry().resume(device);
      expect(await verdict(await now())).to.equal(ELIGIBLE);
    });

    it("another's device is ineligible, as far as that is known", async () => {
      await mine().grant(PURPOSE, TERMS);
      await world().consents.connect(buyer()).grant(PURPOSE, TERMS);
      const before = await later();
      expect(await verdict(before, {}, device, buyer())).to.equal(INELIGIBLE);
      await world().holdings.note([device]);
      await transfer();
      expect(await verdict(before, {}, device, buyer())).to.equal(INELIGIBLE);
      expect(await verdict(before)).to.equal(ELIGIBLE);
      expect(await verdict(await now())).to.equal(INELIGIBLE);
      expect(await verdict(await now(), {}, device, buyer())).to.equal(ELIGIBLE);
      await transfer(owner(), buyer(), sibling.id);
      for (const to of [owner(), buyer()]) expect(await verdict(before, {}, sibling.id, to)).to.equal(ELIGIBLE);
    });

    it("without a consent that covers the request it is ineligible", async () => {
      expect(await verdict(await now())).to.equal(INELIGIBLE);
      await mine().grant(PURPOSE, TERMS);
      const granted = await now();
      const asked: [object, bigint][] = [
        [{}, ELIGIBLE],
        [{ cohort: TERMS.cohort - 1n }, INELIGIBLE],
        [{ cohort: TERMS.cohort + 1n }, ELIGIBLE],
        [{ price: TERMS.price - 1n }, INELIGIBLE],
        [{ price: TERMS.price + 1n }, ELIGIBLE],
      ];
      for (const [terms, expected] of asked) expect(await verdict(granted, { terms })).to.equal(expected);
      expect(await verdict(granted - 1n)).to.equal(INELIGIBLE);
      const other = { ...requestOf(), purpose: id("other terms") };
      expect(await world().eligibility.verdictOn(other, device, owner().address, granted)).to.equal(INELIGIBLE);
      await mine().revokeDevices(PURPOSE, [device]);
      expect(await verdict(await now())).to.equal(INELIGIBLE);
      expect(await verdict(await now(), {}, sibling.id)).to.equal(ELIGIBLE);
    });

    it("a device of another lot, or from outside of the region, is ineligible", async () => {
      await mine().grant(PURPOSE, TERMS);
      const other = await enrolLot(world().world, world().maker, [keyOf("another lot")]);
      const time = await now();
      expect(await verdict(time, { filter: { lot: world().lot.id } })).to.equal(ELIGIBLE);
      expect(await verdict(time, { filter: { lot: other.id } })).to.equal(INELIGIBLE);
      expect(await verdict(time, { filter: { region: BERLIN } })).to.equal(INELIGIBLE);
      await world().regions.connect(owner()).place([device], BERLIN);
      const placed = await now();
      expect(await verdict(placed, { filter: { region: cellOfGeohash("u3") } })).to.equal(ELIGIBLE);
      expect(await verdict(placed, { filter: { region: PARIS } })).to.equal(INELIGIBLE);
      expect(await verdict(placed - 1n, { filter: { region: BERLIN } })).to.equal(INELIGIBLE);
    });
  });

  describe("verdictOn, in doubt", () => {
    beforeEach(async () => {
      await mine().grant(PURPOSE, TERMS);
      await verifier().addReference(GOOD, "1");
    });

    it("too low an assurance is doubtful", async () => {
      const time = await now();
      expect(await verdict(time, { filter: { assurance: 2 } })).to.equal(ELIGIBLE);
      expect(await verdict(time, { filter: { assurance: 3 } })).to.equal(DOUBTFUL);
      await issuer().stateAssurance(device, 1);
      expect(await verdict(time, { filter: { assurance: 2 } })).to.equal(DOUBTFUL);
      expect(await verdict(time, { filter: { assurance: 1 } })).to.equal(ELIGIBLE);
      // What is certain goes before what isn't.
      expect(await verdict(time, { filter: { assurance: 2 } }, unborn.id)).to.equal(INELIGIBLE);
    });

    it("without a good result of the verifier it is doubtful", async () => {
      const filter = { verifier: world().verifier.address };
      expect(await verdict(await now(), { filter })).to.equal(DOUBTFUL);
      const tiers: [number, number, bigint][] = [
        [2, 1, ELIGIBLE],
        [32, 1, DOUBTFUL],
        [96, 0, DOUBTFUL],
        [0, 0, DOUBTFUL],
      ];
      for (const [tier, ref, expected] of tiers) {
        await attest(tier, 40n * DAY, ref);
        expect(await verdict(await now(), { filter })).to.equal(expected);
        expect(await verdict(await now(), { filter: { verifier: world().maker.address } })).to.equal(DOUBTFUL);
      }
      await attest(2, 100n);
      const { expiry } = await verifier().resultOf(world().verifier.address, device);
      expect(await verdict(expiry - 1n, { filter })).to.equal(ELIGIBLE);
      expect(await verdict(expiry, { filter })).to.equal(DOUBTFUL);
    });

    it("a result renewed since, and a measurement recalled since, are good", async () => {
      const filter = { verifier: world().verifier.address };
      const before = await later();
      expect(await verdict(before, { filter })).to.equal(DOUBTFUL);
      await later();
      await attest();
      expect(await verdict(before, { filter })).to.equal(ELIGIBLE);
      await verifier().recall(GOOD);
      const recalled = await now();
      expect(await verdict(recalled - 1n, { filter })).to.equal(ELIGIBLE);
      expect(await verdict(recalled, { filter })).to.equal(DOUBTFUL);
      expect(await verdict(recalled + 1n, { filter })).to.equal(DOUBTFUL);
      await world().attestations.connect(world().maker).recall(GOOD);
      expect(await verdict(recalled - 1n, { filter })).to.equal(ELIGIBLE);
    });
  });

  describe("mayUse", () => {
    async function mayUse(origin: number, spent: bigint, terms: object = {}, snapshot?: bigint): Promise<boolean> {
      const time = snapshot ?? (await now());
      return world().eligibility.mayUse(requestOf({ terms }), owner().address, device, origin, spent, time);
    }

    it("exact partials need a budget without limit", async () => {
      const answers = () =>
        Promise.all([mayUse(PROVED, 0n), mayUse(PROVED, 0n, { epsilon: 0n }), mayUse(ATTESTED, 0n, { epsilon: 0n })]);
      expect(await answers()).to.deep.equal([false, false, false]);
      await mine().grant(PURPOSE, { ...TERMS, budget: 2n ** 32n - 2n });
      expect(await answers()).to.deep.equal([false, false, false]);
      await mine().grant(PURPOSE, { ...TERMS, budget: UNLIMITED });
      expect(await answers()).to.deep.equal([true, true, true]);
      await mine().revokeDevices(PURPOSE, [device]);
      expect(await answers()).to.deep.equal([false, false, false]);
    });

    it("noisy ones need what was spent and what is asked to fit the budget", async () => {
      await mine().grant(PURPOSE, { ...TERMS, budget: 100n });
      const asked: [bigint, bigint, boolean][] = [
        [90n, 10n, true],
        [91n, 10n, false],
        [90n, 11n, false],
        [0n, 100n, true],
        [UNLIMITED, 10n, false],
        [UNLIMITED, UNLIMITED, false],
      ];
      for (const [spent, epsilon, expected] of asked) {
        expect(await mayUse(ATTESTED, spent, { epsilon })).to.equal(expected);
      }
      await mine().grant(PURPOSE, { ...TERMS, budget: UNLIMITED });
      expect(await mayUse(ATTESTED, UNLIMITED, { epsilon: UNLIMITED })).to.equal(true);
      await mine().revoke(PURPOSE);
      expect(await mayUse(ATTESTED, 0n, { epsilon: 1n })).to.equal(false);
    });

    it("a withheld one uses nothing", async () => {
      expect(await mayUse(WITHHELD, 0n, { epsilon: 0n })).to.equal(true);
    });

    it("the budget of the snapshot counts", async () => {
      await mine().grant(PURPOSE, { ...TERMS, budget: UNLIMITED });
      const snapshot = await later();
      await mine().grant(PURPOSE, { ...TERMS, budget: 0n });
      await transfer();
      expect(await mayUse(PROVED, 0n, {}, snapshot)).to.equal(true);
      expect(await mayUse(PROVED, 0n)).to.equal(false);
    });
  });
});
