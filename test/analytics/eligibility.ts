import { expect } from "chai";
import { id, ZeroAddress, ZeroHash } from "ethers";
import { cellOfGeohash } from "../../toolkit/analytics/regions.js";
import { signerOf } from "../../toolkit/identity/keys.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { enrolLot, FAR, keyOf } from "../identity/fleet.js";
import { contradict } from "../identity/lives.js";
import {
  consentingOwner,
  device,
  key,
  keys,
  PURPOSE,
  sibling,
  signatureOn,
  TERMS,
  UNLIMITED,
  unborn,
} from "./consenting.js";

const [ELIGIBLE, INELIGIBLE, DOUBTFUL] = [0n, 1n, 2n];
const [WITHHELD, PROVED, ATTESTED] = [0, 1, 2];
const GOOD = secretOf(1, "firmware");
const DAY = 86_400n;
const [BERLIN, PARIS] = [cellOfGeohash("u33d"), cellOfGeohash("u09t")];

interface Changes {
  readonly filter?: object;
  readonly terms?: object;
}

function requestOf({ filter, terms }: Changes = {}) {
  return {
    requester: ZeroAddress,
    salt: ZeroHash,
    purpose: PURPOSE,
    query: {
      schema: ZeroHash,
      operation: 1,
      size: 0,
      hashes: 0,
      lower: 0,
      upper: 1,
      from: 1,
      to: 2,
      anchoredBy: 2,
      cap: 1,
    },
    filter: { lot: ZeroHash, region: 0, assurance: 0, verifier: ZeroAddress, ...filter },
    terms: {
      cohort: TERMS.cohort,
      epsilon: 10n,
      price: TERMS.price,
      reward: 1,
      bond: 1,
      deadline: 1,
      challengeWindow: 1,
      weighting: 0,
      settlement: 0,
      ...terms,
    },
  };
}

describe("Eligibility", () => {
  const { world, now, later, mine, transfer } = consentingOwner();
  const owner = () => world().owner;
  const buyer = () => world().buyer;
  const registry = () => world().registry.connect(owner());
  const issuer = () => world().registry.connect(world().maker);
  const verifier = () => world().attestations.connect(world().verifier);
  const keyAt = (k: number) => keys[k]?.id ?? "";
  const attest = async (tier = 2, seconds = 40n * DAY, ref = 1) =>
    verifier().attest(device, ref, tier, (await now()) + seconds, id("token"));

  /** The verdict on the device, for its owner at a time, unless others are named. */
  async function verdict(snapshot: bigint, changes: Changes = {}, of: string = device, to = owner()): Promise<bigint> {
    return world().eligibility.verdictOn(requestOf(changes), of, to.address, snapshot);
  }

  /** A request with a filter that the device passes in every way. */
  const strict = () => ({
    filter: { lot: world().lot.id, region: cellOfGeohash("u33"), assurance: 2, verifier: world().verifier.address },
  });

  /** Everything that makes the device pass. */
  async function prepare(): Promise<bigint> {
    await mine().grant(PURPOSE, TERMS);
    await world().regions.connect(owner()).place([device], BERLIN);
    await verifier().addReference(GOOD, "1");
    await attest();
    const snapshot = await later();
    await later();
    expect(await verdict(snapshot, strict())).to.equal(ELIGIBLE);
    return snapshot;
  }

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

  describe("afterwards", () => {
    type Act = () => Promise<unknown>;

    /** Does each act alone, then all in a row, and expects the verdict on the past to stay, or to become no worse than `worst`. */
    async function expectUnmoved(acts: Record<string, Act>, worst = ELIGIBLE): Promise<void> {
      const snapshot = await prepare();
      const { networkHelpers } = world();
      const start = await networkHelpers.takeSnapshot();
      const allowed = worst === ELIGIBLE ? [ELIGIBLE] : [ELIGIBLE, worst];
      for (const [name, act] of Object.entries(acts)) {
        await act();
        await later();
        expect(allowed, name).to.include(await verdict(snapshot, strict()));
        await start.restore();
      }
      for (const [name, act] of Object.entries(acts)) {
        await act().catch(() => undefined);
        await later();
        expect(allowed, `all up to ${name}`).to.include(await verdict(snapshot, strict()));
      }
    }

    it("the owner can't make an eligible device ineligible", async () => {
      const { regions, consents } = world();
      const harsh = { expiry: (await now()) + 10n * DAY, cohort: 9_999n, price: 10n ** 20n, budget: 0n };
      await expectUnmoved({
        revokes: () => mine().revoke(PURPOSE),
        "grants for a larger cohort": () => mine().grant(PURPOSE, { ...TERMS, cohort: 9_999n }),
        "grants for a higher price": () => mine().grant(PURPOSE, { ...TERMS, price: 10n ** 20n }),
        "grants for a shorter time": async () => mine().grant(PURPOSE, { ...TERMS, expiry: (await now()) + 2n }),
        "refuses for the device": () => mine().revokeDevices(PURPOSE, [device]),
        "lists the device on other terms": () => mine().grantDevices(PURPOSE, [device], harsh),
        "unlists it": () => mine().unlistDevices(PURPOSE, [device]),
        "moves it elsewhere": () => regions.connect(owner()).place([device], PARIS),
        "takes its place back": () => regions.connect(owner()).place([device], 0),
        "says that it is everywhere": () => regions.connect(owner()).place([device], 2n ** 63n),
        "suspends it": () => registry().suspend(device),
        "resumes it": async () => {
          await registry()
            .suspend(device)
            .catch(() => undefined);
          await registry().resume(device);
        },
        "revokes its key": () => registry().revokeKey(device, toHex(signerOf(key, world().addresses))),
        "retires it": () => registry().retire(device),
        "has it noted": () => world().holdings.note([device]),
        "signs a revocation": async () => {
          const nonce = await consents.nonceOf(owner().address);
          const signed = {
            owner: owner().address,
            decision: 2,
            purpose: PURPOSE,
            devices: [],
            terms: harsh,
            nonce,
            deadline: FAR,
          };
          await consents.decideFor(signed, await signatureOn(world(), signed));
        },
      });
    });

    it("the owner can't by moving the device, whatever it had said of it", async () => {
      const away = async () => {
        await transfer();
        await later();
        await transfer(buyer(), owner());
      };
      const noted = async () => world().holdings.note([device]);
      const itself = () => transfer(owner(), owner());
      /** What was said before the snapshot: the listed word that counts, or one that a move has ended. */
      const before: Record<string, Act> = {
        nothing: async () => undefined,
        "a listed grant": () => mine().grantDevices(PURPOSE, [device], { ...TERMS, cohort: 2n }),
        "only a listed grant": async () => {
          await mine().grantDevices(PURPOSE, [device], TERMS);
          await mine().revoke(PURPOSE);
        },
        "a refusal that has ended": async () => {
          await mine().revokeDevices(PURPOSE, [device]);
          await later();
          await away();
        },
        "a harsh grant that has ended": async () => {
          await mine().grantDevices(PURPOSE, [device], { ...TERMS, cohort: 9_999n, price: 10n ** 20n });
          await noted();
          await later();
          await itself();
        },
      };
      const after: Record<string, Act[]> = {
        sold: [transfer],
        "noted and sold": [noted, transfer],
        "sold and noted": [transfer, later, noted],
        "given to itself": [itself],
        "noted, given to itself twice, noted": [noted, itself, later, itself, later, noted],
        "sold and bought back": [away],
        "refused, sold and bought back": [() => mine().revokeDevices(PURPOSE, [device]), away],
        "noted, sold, bought back, noted, sold": [noted, away, later, noted, transfer],
      };
      await prepare();
      const { networkHelpers } = world();
      const start = await networkHelpers.takeSnapshot();
      for (const [said, say] of Object.entries(before)) {
        await say();
        const snapshot = await later();
        await later();
        expect(await verdict(snapshot, strict()), said).to.equal(ELIGIBLE);
        const moment = await networkHelpers.takeSnapshot();
        for (const [done, acts] of Object.entries(after)) {
          for (const act of acts) {
            await act();
            expect(await verdict(snapshot, strict()), `${said}; ${done}`).to.equal(ELIGIBLE);
          }
          await moment.restore();
        }
        await start.restore();
      }
    });

    it("the next owner can't", async () => {
      const { regions, consents } = world();
      const sold = (act: Act) => async () => {
        if ((await registry().ownerOf(device)) === owner().address) await transfer();
        await act();
      };
      const theirs = () => world().registry.connect(buyer());
      await expectUnmoved({
        buys: sold(async () => undefined),
        refuses: sold(() => consents.connect(buyer()).revokeDevices(PURPOSE, [device])),
        revokes: sold(() => consents.connect(buyer()).revoke(PURPOSE)),
        "moves it": sold(() => regions.connect(buyer()).place([device], PARIS)),
        "suspends it": sold(() => theirs().suspend(device)),
        "retires it": sold(() => theirs().retire(device)),
        "has it noted": sold(() => world().holdings.note([device])),
      });
    });

    it("its issuer and the registrar can't", async () => {
      const { lot, maker } = world();
      await expectUnmoved(
        {
          "suspends it": () => issuer().suspend(device),
          "resumes it": async () => {
            await issuer()
              .suspend(device)
              .catch(() => undefined);
            await issuer().resume(device);
          },
          "revokes it": () => issuer().revokeDevice(lot.id, device),
          "revokes the lot": () => issuer().revokeLot(lot.id),
          "lowers its assurance": () => issuer().stateAssurance(device, 0),
          "lowers the lot's": () => issuer().lowerAssurance(lot.id, 0),
          "recalls the firmware": () => world().attestations.connect(maker).recall(GOOD),
          "is revoked": () => world().registry.revokeIssuer(maker.address),
        },
        DOUBTFUL,
      );
    });

    it("the verifier can't", async () => {
      await expectUnmoved(
        {
          warns: () => attest(32),
          "affirms anew": () => attest(2),
          contraindicates: () => attest(96, 40n * DAY, 0),
          "says nothing": () => attest(0, 40n * DAY, 0),
          "affirms for a moment": () => attest(2, 2n),
          recalls: () => verifier().recall(GOOD),
        },
        DOUBTFUL,
      );
    });

    it("whoever proves that the device contradicted itself can't", async () => {
      await expectUnmoved({ "proves it": () => contradict(world().world, key, world().stranger) });
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
