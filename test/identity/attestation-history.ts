import { expect } from "chai";
import { ZeroAddress, ZeroHash } from "ethers";
import { FleetTree, type Obstacle, relianceOn, TRUST_TIERS } from "../../toolkit/identity/attestation.js";
import type { DeviceId } from "../../toolkit/identity/keys.js";
import { LotTree } from "../../toolkit/identity/lots.js";
import type { MerkleProof } from "../../toolkit/internal/merkle.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { type Deployed, deployed } from "../support.js";
import { activationOf, BOND, keyOf, makeIssuer, send } from "./fleet.js";

const STEPS = 400;
const QUERIES = 8;
const DAY = 86_400n;
const MEASUREMENTS = ["a", "b", "c"].map((name) => secretOf(1, name));
const TIERS = [...Object.values(TRUST_TIERS), 7];

/** What each state of a device stands for; the registry's new states join here, with a step that leads to them. */
const STATE_OBSTACLES = {
  unknown: "deviceUnknown",
  active: undefined,
  suspended: "deviceSuspended",
  retired: "deviceRetired",
  revoked: "deviceRevoked",
} as const satisfies Record<string, Obstacle | undefined>;
const UNREACHED: readonly Obstacle[] = ["deviceSuspended", "deviceRetired"];

interface Result {
  readonly ref: number;
  readonly tier: number;
  readonly at: bigint;
  readonly expiry: bigint;
}

interface Question {
  readonly device: DeviceId;
  readonly level: number;
  readonly verifier: string;
  readonly fleet: number | undefined;
  /** Whose proof is shown. */
  readonly prover: DeviceId;
}

/** The rules, told as a list of reasons: the first that holds is the answer. */
class Model {
  readonly states = new Map<DeviceId, keyof typeof STATE_OBSTACLES>();
  readonly issuers = new Map<DeviceId, string>();
  readonly assurances = new Map<DeviceId, number>();
  readonly revoked = new Set<string>();
  readonly references = new Map<string, string[]>();
  readonly recalls = new Set<string>();
  readonly results = new Map<string, Result>();

  constructor(readonly fleets: readonly ReadonlySet<DeviceId>[]) {}

  measurementOf(verifier: string, ref: number): string | undefined {
    return this.references.get(verifier)?.[ref - 1];
  }

  /** Why a result would be refused. */
  refusal(verifier: string, { ref, tier, at, expiry }: Result): string | undefined {
    if (![0, 2, 32, 96].includes(tier)) return "AttestationsInvalidTier";
    if (expiry <= at) return "AttestationsExpiryPast";
    if (expiry - at > 366n * DAY) return "AttestationsExpiryTooFar";
    if (ref === 0 && (tier === 0 || tier === 96)) return undefined;
    const measurement = this.measurementOf(verifier, ref);
    if (measurement === undefined) return "AttestationsReferenceUnknown";
    return this.recalls.has(verifier + measurement) ? "AttestationsMeasurementRecalled" : undefined;
  }

  answer({ device, level, verifier, fleet, prover }: Question, now: bigint): Obstacle {
    const issuer = this.issuers.get(device) ?? "";
    const own = this.results.get(verifier + device);
    const fleets = fleet === undefined ? undefined : this.results.get(`${verifier}${fleet}`);
    const byFleet = fleets !== undefined && (own === undefined || fleets.at > own.at);
    const counts = byFleet ? fleets : own;
    const proved = prover === device && fleet !== undefined && this.fleets[fleet]?.has(device);
    const measurement = counts && this.measurementOf(verifier, counts.ref);
    const standing: [boolean, Obstacle][] = [
      [this.revoked.has(issuer), "issuerRevoked"],
      [(this.assurances.get(device) ?? 0) < level, "assuranceTooLow"],
    ];
    const attested: [boolean, Obstacle][] = [
      [counts === undefined || counts.tier === TRUST_TIERS.none, "notAttested"],
      [byFleet && !proved, "proofInvalid"],
      [(counts?.expiry ?? 0n) <= now, "expired"],
      [this.recalls.has(verifier + measurement), "recalledByVerifier"],
      [this.recalls.has(issuer + measurement), "recalledByIssuer"],
      [counts?.tier === TRUST_TIERS.contraindicated, "contraindicated"],
      [counts?.tier === TRUST_TIERS.warning, "warning"],
    ];
    const state = STATE_OBSTACLES[this.states.get(device) ?? "unknown"];
    if (state !== undefined) return state;
    const reasons = verifier === ZeroAddress ? standing : [...standing, ...attested];
    return reasons.find(([holds]) => holds)?.[1] ?? "none";
  }
}

describe("Any history of attestations", () => {
  let world: Deployed;
  let model: Model;
  let drawn = 0;
  const makers: Deployed["accounts"] = [];
  const verifiers: Deployed["accounts"] = [];
  const seen = new Map<Obstacle, number>();
  const refused = new Map<string, number>();
  let devices: readonly DeviceId[] = [];
  let fleets: readonly FleetTree[] = [];
  const activations = new Map<DeviceId, () => Promise<unknown>>();
  const revocations = new Map<DeviceId, () => Promise<unknown>>();

  const draw = (below: number): number => Number(BigInt(secretOf(7, `draw ${drawn++}`)) % BigInt(below));
  const pick = <T>(of: readonly T[]): T => of[draw(of.length)] as T;
  const now = async () => BigInt(await world.networkHelpers.time.latest());

  before(async () => {
    world = await deployed();
    const [first, second, third, fourth, owner] = world.accounts;
    if (!first || !second || !third || !fourth || !owner) throw new Error("The chain has too few signers.");
    // The second is a maker that attests, too: its recalls count twice.
    makers.push(first, second);
    verifiers.push(second, third, fourth);
    const keys = Array.from({ length: 10 }, (_, k) => keyOf(`history-${k}`));
    devices = keys.map(({ id }) => id);
    fleets = [devices, devices.slice(0, 5), devices.slice(4, 9), devices.slice(9)].map((some) => new FleetTree(some));
    model = new Model(
      [devices, devices.slice(0, 5), devices.slice(4, 9), devices.slice(9)].map((some) => new Set(some)),
    );
    for (const [m, maker] of makers.entries()) {
      await makeIssuer(world, maker);
      const mine = keys.filter((_, k) => k % 2 === m);
      const tree = new LotTree(mine);
      await world.registry.connect(maker).enrolLot(tree.root, mine.length, m + 1, BOND);
      const lot = { id: tree.idFor(maker.address), tree };
      for (const key of mine) {
        model.issuers.set(key.id, maker.address);
        model.assurances.set(key.id, m + 1);
        activations.set(key.id, () => send(world, activationOf(world, lot, key, owner.address)));
        revocations.set(key.id, () => world.registry.connect(maker).revokeDevice(lot.id, key.id));
      }
    }
  });

  /** Sends what the model judges: refused by this name and without a trace, or accepted. */
  async function judged(refusal: string | undefined, call: () => Promise<unknown>, accept: () => void): Promise<void> {
    if (refusal === undefined) {
      await call();
      accept();
      return;
    }
    await expect(call()).to.be.revertedWithCustomError(world.attestations, refusal);
    refused.set(refusal, (refused.get(refusal) ?? 0) + 1);
  }

  async function attest(): Promise<void> {
    const verifier = pick(verifiers);
    const name = verifier.address;
    const count = model.references.get(name)?.length ?? 0;
    const at = (await now()) + 1n + BigInt(draw(100));
    const expiry = at + pick([-1n, 0n, 1n, 5n * DAY, 20n * DAY, 20n * DAY, 366n * DAY, 366n * DAY + 1n]);
    const result = { ref: draw(count + 2), tier: pick(TIERS), at, expiry };
    const args = [result.ref, result.tier, expiry, ZeroHash] as const;
    const contract = world.attestations.connect(verifier);
    const fleet = draw(fleets.length);
    const device = pick(devices);
    const calls = {
      device: () => contract.attest(device, ...args),
      fleet: () => contract.attestFleet(fleets[fleet]?.root ?? ZeroHash, ...args),
    };
    const which = pick(["device", "fleet"] as const);
    await world.networkHelpers.time.setNextBlockTimestamp(at);
    await judged(model.refusal(name, result), calls[which], () =>
      model.results.set(which === "device" ? name + device : `${name}${fleet}`, result),
    );
  }

  /** A device and a fleet in one block, so in one second. */
  async function attestBoth(): Promise<void> {
    const verifier = pick(verifiers);
    const name = verifier.address;
    const count = model.references.get(name)?.length ?? 0;
    const at = (await now()) + 5n;
    const expiry = at + 20n * DAY;
    const [own, all] = [0, 1].map(() => ({ ref: draw(count + 1), tier: pick(Object.values(TRUST_TIERS)), at, expiry }));
    if (!own || !all || [own, all].some((result) => model.refusal(name, result) !== undefined)) return;
    const contract = world.attestations.connect(verifier);
    const fleet = draw(fleets.length);
    const device = pick(devices);
    const gas = { gasLimit: 200_000 };
    await world.provider.request({ method: "evm_setAutomine", params: [false] });
    await contract.attest(device, own.ref, own.tier, expiry, ZeroHash, gas);
    await contract.attestFleet(fleets[fleet]?.root ?? ZeroHash, all.ref, all.tier, expiry, ZeroHash, gas);
    await world.networkHelpers.time.setNextBlockTimestamp(at);
    await world.networkHelpers.mine();
    await world.provider.request({ method: "evm_setAutomine", params: [true] });
    model.results.set(name + device, own).set(`${name}${fleet}`, all);
  }

  async function addReference(): Promise<void> {
    const verifier = pick(verifiers);
    const name = verifier.address;
    const measurement = pick([...MEASUREMENTS, secretOf(1, `rare ${draw(50)}`)]);
    await judged(
      model.recalls.has(name + measurement) ? "AttestationsMeasurementRecalled" : undefined,
      () => world.attestations.connect(verifier).addReference(measurement, "some"),
      () => model.references.set(name, [...(model.references.get(name) ?? []), measurement]),
    );
  }

  async function recall(): Promise<void> {
    const who = pick([...makers, ...verifiers]);
    const known = [...model.references.values()].flat();
    const measurement = pick([...MEASUREMENTS, ...known.slice(-3)]);
    await judged(
      model.recalls.has(who.address + measurement) ? "AttestationsMeasurementRecalled" : undefined,
      () => world.attestations.connect(who).recall(measurement),
      () => model.recalls.add(who.address + measurement),
    );
  }

  async function move(to: "active" | "revoked", from: "unknown" | "active"): Promise<void> {
    const ready = devices.filter((device) => (model.states.get(device) ?? "unknown") === from);
    if (ready.length === 0) return;
    const device = pick(ready);
    await (to === "active" ? activations : revocations).get(device)?.();
    model.states.set(device, to);
  }

  async function revokeIssuer(): Promise<void> {
    const name = pick(makers).address;
    await world.registry.revokeIssuer(name);
    model.revoked.add(name);
  }

  const wait = async () => void (await world.networkHelpers.time.increase(BigInt(draw(6)) * DAY + 1n));

  /** Which step comes next: recalls and revocations can't be undone, so that they are rare. */
  function nextStep(step: number): () => Promise<void> {
    if (step < 6) return () => move("active", "unknown");
    if (step === Math.floor(STEPS * 0.9)) return revokeIssuer;
    if (step % 100 === 99) return () => move("revoked", "active");
    const roll = draw(100);
    if (roll < 50) return attest;
    if (roll < 65) return attestBoth;
    if (roll < 80) return addReference;
    if (roll < 84) return recall;
    if (roll < 86) return () => move("active", "unknown");
    return wait;
  }

  function question(): Question {
    const device = pick(devices);
    return {
      device,
      level: pick([0, 0, 0, 1, 1, 2, 3]),
      verifier: pick([...verifiers, ...verifiers, ...makers].map(({ address }) => address).concat(ZeroAddress)),
      fleet: pick([undefined, 0, 1, 2, 3]),
      prover: pick([device, device, device, pick(devices)]),
    };
  }

  async function compare(step: number): Promise<void> {
    for (let k = 0; k < QUERIES; k++) {
      const asked = question();
      const { device, level, verifier } = asked;
      const tree = asked.fleet === undefined ? undefined : fleets[asked.fleet];
      const proof = tree && proofOf(tree, asked.prover);
      const said = await relianceOn(world.attestations, {
        device,
        level,
        verifier,
        ...(tree && proof && { fleet: { root: tree.root, proof } }),
      });
      expect([step, asked, said.obstacle]).to.deep.equal([step, asked, model.answer(asked, await now())]);
      expect(said.relied).to.equal(said.obstacle === "none");
      seen.set(said.obstacle, (seen.get(said.obstacle) ?? 0) + 1);
    }
  }

  function proofOf(tree: FleetTree, device: DeviceId): MerkleProof {
    try {
      return tree.prove(device);
    } catch {
      return { path: 0n, siblings: [new Uint8Array(32)] };
    }
  }

  it("is answered as the model answers, after every step, whatever is asked", async () => {
    for (let step = 0; step < STEPS; step++) {
      await nextStep(step)();
      await compare(step);
    }
  });

  it("changes nothing by a step that the model refuses", async () => {
    expect([...refused.keys()].sort()).to.deep.equal([
      "AttestationsExpiryPast",
      "AttestationsExpiryTooFar",
      "AttestationsInvalidTier",
      "AttestationsMeasurementRecalled",
      "AttestationsReferenceUnknown",
    ]);
    for (const verifier of verifiers.map(({ address }) => address)) {
      for (const device of devices) {
        const { ref = 0, tier = 0, at = 0n, expiry = 0n } = model.results.get(verifier + device) ?? {};
        const kept = await world.attestations.resultOf(verifier, device);
        expect(kept).to.deep.equal([BigInt(ref), BigInt(tier), at, expiry]);
      }
      expect(await world.attestations.referenceCountOf(verifier)).to.equal(
        BigInt(model.references.get(verifier)?.length ?? 0),
      );
    }
  });

  it("reaches every obstacle that can be reached today", () => {
    const all: Obstacle[] = [
      "none",
      "deviceUnknown",
      "deviceSuspended",
      "deviceRetired",
      "deviceRevoked",
      "issuerRevoked",
      "assuranceTooLow",
      "notAttested",
      "proofInvalid",
      "expired",
      "recalledByVerifier",
      "recalledByIssuer",
      "contraindicated",
      "warning",
    ];
    expect(all.filter((obstacle) => !seen.has(obstacle))).to.deep.equal(UNREACHED);
  });
});
