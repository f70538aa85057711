import { expect } from "chai";
import { id, ZeroAddress, ZeroHash } from "ethers";
import { cellOfGeohash } from "../../toolkit/analytics/regions.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { consentingOwner, device, PURPOSE, TERMS } from "./consenting.js";

/** What `verdictOn` answers. */
export const [ELIGIBLE, INELIGIBLE, DOUBTFUL] = [0n, 1n, 2n];
export const GOOD = secretOf(1, "firmware");
export const DAY = 86_400n;
export const [BERLIN, PARIS] = [cellOfGeohash("u33d"), cellOfGeohash("u09t")];

/** Parts of a request that are replaced. */
export interface Changes {
  readonly filter?: object;
  readonly terms?: object;
}

/** A request that a device of a consenting owner passes, unless changed. */
export function requestOf({ filter, terms }: Changes = {}) {
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
      fee: 0,
      bond: 1,
      deadline: 1,
      challengeWindow: 1,
      weighting: 0,
      settlement: 0,
      ...terms,
    },
  };
}

/** For a suite: a consenting owner's device, and verdicts on it. */
export function judgedDevice() {
  const suite = consentingOwner();
  const { world, now, later, mine } = suite;
  const owner = () => world().owner;
  const verifier = () => world().attestations.connect(world().verifier);
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

  return {
    ...suite,
    owner,
    buyer: () => world().buyer,
    registry: () => world().registry.connect(owner()),
    issuer: () => world().registry.connect(world().maker),
    verifier,
    attest,
    verdict,
    strict,
    /** Does everything that makes the device pass, and says a second at which it does. */
    async prepare(): Promise<bigint> {
      await mine().grant(PURPOSE, TERMS);
      await world().regions.connect(owner()).place([device], BERLIN);
      await verifier().addReference(GOOD, "1");
      await attest();
      const snapshot = await later();
      await later();
      expect(await verdict(snapshot, strict())).to.equal(ELIGIBLE);
      return snapshot;
    },
  };
}
