import { expect } from "chai";
import { signerOf } from "../../toolkit/identity/keys.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import { FAR } from "../identity/fleet.js";
import { contradict } from "../identity/lives.js";
import { device, key, PURPOSE, signatureOn, TERMS } from "./consenting.js";
import { DAY, DOUBTFUL, ELIGIBLE, GOOD, judgedDevice, PARIS } from "./judged.js";

describe("Eligibility afterwards", () => {
  const {
    world,
    now,
    later,
    mine,
    transfer,
    owner,
    buyer,
    registry,
    issuer,
    verifier,
    attest,
    verdict,
    strict,
    prepare,
  } = judgedDevice();

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
