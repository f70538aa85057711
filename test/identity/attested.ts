import { expect } from "chai";
import type { ContractTransactionResponse } from "ethers";
import { FleetTree, type Obstacle, type RelianceQuery, relianceOn } from "../../toolkit/identity/attestation.js";
import type { DeviceId } from "../../toolkit/identity/keys.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { type Deployed, deployed } from "../support.js";
import { activationOf, type EnrolledLot, enrolLot, keyOf, makeIssuer, send } from "./fleet.js";

export const GOOD = secretOf(1, "firmware 1.4.2");
export const OTHER = secretOf(1, "firmware 1.4.3");
export const DIGEST = secretOf(1, "token");
export const DAY = 86_400n;

/** The maker's devices; `key` and `sibling` are active, `asleep` never was. */
export const [key, sibling, asleep] = [keyOf("attested-0"), keyOf("attested-1"), keyOf("attested-2")];
export const keys = [key, sibling, asleep];
/** The rival's device, active. */
export const foreign = keyOf("attested-foreign");

/** A fleet of so many, with the device at a place. */
export function fleetOf(size: number, device: DeviceId = key.id, place = 0): FleetTree {
  const others = Array.from({ length: size - 1 }, (_, k) => `0x${(k + 1).toString(16).padStart(40, "0")}` as DeviceId);
  return new FleetTree([...others.slice(0, place), device, ...others.slice(place)]);
}

/** The query's part that shows a device to be of a fleet. */
export function shown(fleet: FleetTree, device: DeviceId = key.id): Pick<RelianceQuery, "device" | "fleet"> {
  return { device, fleet: { root: fleet.root, proof: fleet.prove(device) } };
}

/** For a suite: two makers with active devices, and a verifier with one reference (`GOOD` is 1); anew for each test. */
export function attestedFleet() {
  let world: Deployed;
  let lot: EnrolledLot;
  let restore: () => Promise<void>;
  const signer = (k: number) => world.accounts[k] ?? world.operator;
  const maker = () => signer(0);
  const rival = () => signer(1);
  const owner = () => signer(2);
  const verifier = () => signer(3);
  const stranger = () => signer(4);
  const as = (who = verifier()) => world.attestations.connect(who);
  const now = async () => BigInt(await world.networkHelpers.time.latest());
  const soon = async () => (await now()) + DAY;

  before(async () => {
    world = await deployed();
    await makeIssuer(world, maker());
    await makeIssuer(world, rival());
    lot = await enrolLot(world, maker(), keys);
    const foreignLot = await enrolLot(world, rival(), [foreign]);
    for (const device of [key, sibling]) await send(world, activationOf(world, lot, device, owner().address));
    await send(world, activationOf(world, foreignLot, foreign, owner().address));
    await as().addReference(GOOD, "1.4.2");
  });

  beforeEach(async () => {
    const snapshot = await world.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });

  afterEach(() => restore());

  /** What the view answers on a device; asked of the verifier unless another is named. */
  async function answer(query: Partial<RelianceQuery> = {}): Promise<Obstacle> {
    const asked = { device: key.id, verifier: verifier().address, ...query };
    const { relied, obstacle } = await relianceOn(world.attestations, asked);
    expect(relied).to.equal(obstacle === "none");
    return obstacle;
  }

  /** Mines transactions together, in this order, so that they have one time. */
  async function inOneBlock(...calls: (() => Promise<ContractTransactionResponse>)[]): Promise<void> {
    await world.provider.request({ method: "evm_setAutomine", params: [false] });
    const sent: ContractTransactionResponse[] = [];
    for (const call of calls) sent.push(await call());
    await world.networkHelpers.mine();
    await world.provider.request({ method: "evm_setAutomine", params: [true] });
    const blocks = await Promise.all(sent.map(async (transaction) => (await transaction.wait())?.blockNumber));
    expect(new Set(blocks).size).to.equal(1);
  }

  return {
    world: () => world,
    lot: () => lot,
    maker,
    owner,
    verifier,
    stranger,
    as,
    now,
    soon,
    answer,
    inOneBlock,
  };
}
