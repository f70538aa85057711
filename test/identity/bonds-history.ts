import { expect } from "chai";
import type { DeviceKey } from "../../toolkit/identity/keys.js";
import { type LotId, LotTree } from "../../toolkit/identity/lots.js";
import { decodeRevert, revertDataOf } from "../../toolkit/reverts.js";
import { type Deployed, deployed } from "../support.js";
import { activationOf, keyOf, makeIssuer, send } from "./fleet.js";
import { contradict, dice } from "./lives.js";

const STEPS = 400;
const BONDS = [0n, 1n, 7n, 10n ** 18n];

interface ModelLot {
  readonly id: LotId;
  readonly tree: LotTree;
  readonly keys: readonly DeviceKey[];
  readonly maker: number;
  readonly size: number;
  readonly bond: bigint;
  readonly revokedDevices: Set<DeviceKey>;
  activated: number;
  revoked: boolean;
}

interface ModelDevice {
  readonly lot: ModelLot;
  state: "active" | "faulty" | "unkeyed" | "retired" | "revoked";
  ended: bigint;
  bond: bigint;
}

/** Who owes whom what, in plain TypeScript. An answer is the name of the error, or undefined and the model has changed. */
class Model {
  readonly lots: ModelLot[] = [];
  readonly devices = new Map<DeviceKey, ModelDevice>();
  readonly makers = [0n, 0n];
  pool = 0n;
  prover = 0n;
  spent = 0n;
  private readonly settled = new Set<DeviceKey>();
  private readonly keyless = new Set<DeviceKey>();

  constructor(private readonly delay: bigint) {}

  enrol(lot: ModelLot): undefined {
    this.lots.push(lot);
    this.pay(lot, BigInt(-lot.size) * lot.bond);
  }

  activate(lot: ModelLot, key: DeviceKey): string | undefined {
    if (lot.revoked) return "LotBookLotRevoked";
    if (this.devices.has(key)) return "DeviceRegistryDeviceKnown";
    if (lot.revokedDevices.has(key)) return "DeviceRegistryDeviceRevoked";
    if (lot.activated === lot.size) return "DeviceRegistryLotFull";
    lot.activated++;
    this.devices.set(key, { lot, state: "active", ended: 0n, bond: lot.bond });
    return undefined;
  }

  revokeLot(lot: ModelLot): string | undefined {
    if (lot.revoked) return "LotBookLotRevoked";
    lot.revoked = true;
    this.pay(lot, BigInt(lot.size - lot.activated) * lot.bond);
    return undefined;
  }

  revokeDevice(lot: ModelLot, key: DeviceKey, time: bigint): string | undefined {
    if (lot.revokedDevices.has(key)) return "DeviceRegistryDeviceRevoked";
    const device = this.devices.get(key);
    if (device?.state === "retired") return "DeviceRegistryWrongState";
    lot.revokedDevices.add(key);
    if (device) Object.assign(device, { state: "revoked", ended: time });
    return undefined;
  }

  retire(key: DeviceKey, time: bigint): string | undefined {
    const device = this.devices.get(key);
    if (!device || device.state === "retired" || device.state === "revoked") return "DeviceRegistryWrongState";
    Object.assign(device, { state: "retired", ended: time });
    return undefined;
  }

  release(key: DeviceKey, time: bigint): string | undefined {
    const device = this.devices.get(key);
    if (device?.state !== "retired" && device?.state !== "revoked") return "DeviceRegistryWrongState";
    if (this.settled.has(key)) return "DeviceRegistryBondSettled";
    if (time < device.ended + this.delay) return "DeviceRegistryBondNotFree";
    this.settled.add(key);
    this.pay(device.lot, device.bond);
    device.bond = 0n;
    return undefined;
  }

  contradict(key: DeviceKey): string | undefined {
    const device = this.devices.get(key);
    if (!device || device.state === "revoked") return "DeviceRegistryWrongState";
    if (this.settled.has(key)) return "DeviceKeysNothingAtStake";
    if (this.keyless.has(key)) return "DeviceKeysNotTheKey";
    this.settled.add(key);
    this.pool += device.bond - device.bond / 2n;
    this.prover += device.bond / 2n;
    device.bond = 0n;
    if (device.state === "active") {
      device.state = "faulty";
      this.keyless.add(key);
    }
    return undefined;
  }

  restore(key: DeviceKey): string | undefined {
    const device = this.devices.get(key);
    if (!device) return "DeviceRegistryNotAllowed";
    if (device.state === "unkeyed") return "DeviceRegistryNoFault";
    if (device.state !== "faulty") return "DeviceRegistryWrongState";
    this.settled.delete(key);
    Object.assign(device, { state: "unkeyed", bond: device.lot.bond });
    this.pay(device.lot, -device.lot.bond);
    return undefined;
  }

  spend(amount: bigint): string | undefined {
    if (amount > this.pool) return "LotBookPoolTooSmall";
    this.pool -= amount;
    this.spent += amount;
    return undefined;
  }

  /** All that the registry must hold. */
  get owed(): bigint {
    const waiting = this.lots.filter(({ revoked }) => !revoked);
    const bonds = [...this.devices.values()].map(({ bond }) => bond);
    const rest = waiting.map(({ size, activated, bond }) => BigInt(size - activated) * bond);
    return [...bonds, ...rest].reduce((sum, amount) => sum + amount, this.pool);
  }

  private pay(lot: ModelLot, amount: bigint): void {
    this.makers[lot.maker] = (this.makers[lot.maker] ?? 0n) + amount;
  }
}

interface Step {
  readonly what: string;
  expected(time: bigint): string | undefined;
  send(): Promise<unknown>;
}

describe("DeviceRegistry's random history of bonds", () => {
  let world: Deployed;
  let model: Model;
  const roll = dice(4);
  const signer = (k: number) => world.accounts[k] ?? world.operator;
  const owner = () => signer(2);
  const prover = () => signer(3);
  const beneficiary = () => signer(4).address;

  before(async () => {
    world = await deployed();
    await world.registry.setMinimumBond(0);
    for (const k of [0, 1]) await makeIssuer(world, signer(k));
    model = new Model(await world.registry.bondDelay());
  });

  const pick = <T>(from: readonly T[]): T => {
    const found = from[roll(from.length)];
    if (found === undefined) throw new Error("There is nothing to pick from.");
    return found;
  };

  function enrolment(): Step {
    const number = model.lots.length;
    const keys = Array.from({ length: 1 + roll(4) }, (_, k) => keyOf(`history-${number}-${k}`));
    const tree = new LotTree(keys);
    // Fewer, as many or more bonds than there are leaves.
    const size = Math.max(1, keys.length - 1 + roll(3));
    const maker = roll(2);
    const bond = pick(BONDS);
    const id = tree.idFor(signer(maker).address);
    const lot = {
      id,
      tree,
      keys,
      maker,
      size,
      bond,
      activated: 0,
      revoked: false,
      revokedDevices: new Set<DeviceKey>(),
    };
    return {
      what: "enrol",
      expected: () => model.enrol(lot),
      send: () => world.registry.connect(signer(maker)).enrolLot(tree.root, size, 2, bond),
    };
  }

  function ofLot(lot: ModelLot, key: DeviceKey): Step[] {
    const issuer = world.registry.connect(signer(lot.maker));
    const activation: Step = {
      what: "activate",
      expected: () => model.activate(lot, key),
      send: () => send(world, activationOf(world, lot, key, owner().address)),
    };
    return [
      activation,
      activation,
      {
        what: "revokeDevice",
        expected: (time) => model.revokeDevice(lot, key, time),
        send: () => issuer.revokeDevice(lot.id, key.id),
      },
      { what: "restore", expected: () => model.restore(key), send: () => issuer.restoreBond(key.id) },
      ...(roll(5) === 0
        ? [{ what: "revokeLot", expected: () => model.revokeLot(lot), send: () => issuer.revokeLot(lot.id) }]
        : []),
    ];
  }

  function ofDevice(key: DeviceKey): Step[] {
    const { registry } = world;
    return [
      { what: "retire", expected: (t) => model.retire(key, t), send: () => registry.connect(owner()).retire(key.id) },
      { what: "release", expected: (t) => model.release(key, t), send: () => registry.releaseBond(key.id) },
      { what: "release", expected: (t) => model.release(key, t), send: () => registry.releaseBond(key.id) },
      { what: "contradict", expected: () => model.contradict(key), send: () => contradict(world, key, prover()) },
    ];
  }

  function nextStep(): Step {
    if (model.lots.length < 3 || roll(12) === 0) return enrolment();
    if (roll(15) === 0) {
      const amount = BigInt(roll(12));
      const to = beneficiary();
      return {
        what: "spend",
        expected: () => model.spend(amount),
        send: () => world.registry.spendPool(to, amount),
      };
    }
    const lot = pick(model.lots);
    const key = pick(lot.keys);
    return pick([...ofLot(lot, key), ...ofDevice(key)]);
  }

  /** The name of the error that a call ends in. */
  async function outcomeOf(attempt: () => Promise<unknown>): Promise<string | undefined> {
    try {
      await attempt();
      return undefined;
    } catch (error) {
      const data = revertDataOf(error);
      if (data === undefined) throw error;
      return decodeRevert(data)?.name;
    }
  }

  it(`owes what the model says after each of ${STEPS} steps`, async () => {
    const { itc, registry, addresses, networkHelpers } = world;
    const start = await Promise.all([0, 1].map((k) => itc.balanceOf(signer(k).address)));
    const tally = new Map<string, number>();
    for (let k = 0; k < STEPS; k++) {
      if (roll(6) === 0) await networkHelpers.time.increase(roll(80_000));
      const step = nextStep();
      const time = BigInt(await networkHelpers.time.latest()) + 1n + BigInt(roll(60));
      await networkHelpers.time.setNextBlockTimestamp(time);
      const expected = step.expected(time);
      const label = `step ${k}: ${step.what}`;
      expect(await outcomeOf(step.send), label).to.equal(expected);
      tally.set(`${step.what}: ${expected ?? "done"}`, 1 + (tally.get(`${step.what}: ${expected ?? "done"}`) ?? 0));
      const held = await Promise.all(
        [addresses.DeviceRegistry, signer(0).address, signer(1).address, prover().address, beneficiary()].map((who) =>
          itc.balanceOf(who),
        ),
      );
      const makers = start.map((balance, m) => balance + (model.makers[m] ?? 0n));
      expect(held, label).to.deep.equal([model.owed, ...makers, model.prover, model.spent]);
      expect(await registry.pool(), label).to.equal(model.pool);
    }
    for (const [key, device] of model.devices) {
      expect((await registry.standingOf(key.id)).bond).to.equal(device.bond);
    }
    // A history that never came somewhere says nothing of it.
    for (const one of [
      "activate",
      "revokeDevice",
      "revokeLot",
      "retire",
      "release",
      "contradict",
      "restore",
      "spend",
    ]) {
      expect(tally.get(`${one}: done`), one).to.be.greaterThan(0);
    }
    expect(tally.size).to.be.greaterThan(20);
  });
});
