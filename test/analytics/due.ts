import { expect } from "chai";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { device, PURPOSE, TERMS } from "./consenting.js";
import { BERLIN, ELIGIBLE, judgedDevice, PARIS, requestOf } from "./judged.js";

const [PROVED, ATTESTED] = [1, 2];
const UNLIMITED = 2n ** 64n - 1n;

describe("Eligibility, of a list", () => {
  const { world, now, later, mine, transfer, owner, buyer, registry, issuer, strict, prepare } = judgedDevice();
  const requests = () => [
    requestOf(),
    requestOf({ terms: { epsilon: 0n } }),
    requestOf(strict()),
    foreign(),
    elsewhere(),
  ];
  const foreign = () => requestOf({ filter: { lot: secretOf(1, "another lot") } });
  const elsewhere = () => requestOf({ filter: { region: PARIS } });

  it("isDue says what holder, verdict and budget say together, whatever happens to the device", async () => {
    const snapshot = await prepare();
    const { eligibility, holdings, regions } = world();
    const answers = new Set<boolean>();
    const compare = async (what: string) => {
      for (const time of [snapshot - 1n, snapshot, await now()]) {
        const [known, holder] = await holdings.holderAt(device, time);
        for (const request of requests()) {
          for (const who of [owner().address, buyer().address]) {
            for (const origin of [PROVED, ATTESTED]) {
              const due = await eligibility.isDue(request, who, device, origin, time);
              const verdict = await eligibility.verdictOn(request, device, who, time);
              const mayUse = await eligibility.mayUse(request, who, device, origin, 0n, time);
              expect(due, what).to.equal(known && holder === who && verdict === ELIGIBLE && mayUse);
              answers.add(due);
            }
          }
        }
      }
    };
    const acts: [string, () => Promise<unknown>][] = [
      ["at first", later],
      ["with a budget without limit", () => mine().grant(PURPOSE, { ...TERMS, budget: UNLIMITED })],
      ["placed elsewhere", () => regions.connect(owner()).place([device], BERLIN)],
      ["suspended", () => registry().suspend(device)],
      ["back", () => registry().resume(device)],
      ["refused for the device", () => mine().revokeDevices(PURPOSE, [device])],
      ["noted", () => holdings.note([device])],
      ["sold", () => transfer()],
      ["retired", () => world().registry.connect(buyer()).retire(device)],
    ];
    for (const [what, act] of acts) {
      await act();
      await later();
      await compare(what);
    }
    expect([...answers].sort()).to.deep.equal([false, true]);
  });

  it("wasMember: a device of the lot that was active by the snapshot is one, if its owner agreed", async () => {
    const before = await now();
    const snapshot = await prepare();
    const member = (request = requestOf(), who = owner().address, time = snapshot, of: string = device) =>
      world().eligibility.wasMember(request, of, who, time);
    expect(await member()).to.equal(true);
    expect(await member(requestOf(strict()))).to.equal(true);
    expect(await member(elsewhere())).to.equal(true);
    for (const no of [
      member(foreign()),
      member(requestOf({ terms: { cohort: TERMS.cohort - 1n } })),
      member(requestOf({ terms: { price: TERMS.price - 1n } })),
      member(requestOf(), buyer().address),
      member(requestOf(), owner().address, before),
      member(requestOf(), owner().address, 1n),
      member(requestOf(), owner().address, snapshot, buyer().address),
    ]) {
      expect(await no).to.equal(false);
    }
  });

  it("wasMember: what happens afterwards, and what is known for the present only, doesn't change it", async () => {
    const snapshot = await prepare();
    const acts: (() => Promise<unknown>)[] = [
      () => registry().suspend(device),
      () => issuer().stateAssurance(device, 1),
      () => mine().revoke(PURPOSE),
      () => registry().resume(device),
      () => transfer(),
      () => world().registry.connect(buyer()).retire(device),
    ];
    for (const act of acts) {
      await act().catch(() => undefined);
      await later();
      expect(await world().eligibility.wasMember(requestOf(strict()), device, owner().address, snapshot)).to.equal(
        true,
      );
    }
  });
});
