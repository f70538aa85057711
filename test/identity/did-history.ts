import { expect } from "chai";
import { AbiCoder, encodeBytes32String, keccak256 } from "ethers";
import { decodeRevert, revertDataOf } from "../../toolkit/reverts.js";
import { type Deployed, deployed } from "../support.js";
import { changesOf, walk } from "./did-chain.js";
import { activationOf, enrolLot, keyOf, makeIssuer, send } from "./fleet.js";
import { dice } from "./lives.js";

const STEPS = 300;
const MOST = 8;
const device = keyOf("history");
const TYPES = ["veriKey", "enc"].map(encodeBytes32String);
const NAMES = ["did/svc/Hub", "did/svc/Log"].map(encodeBytes32String);

interface Delegate {
  readonly type: string;
  readonly account: string;
  validTo: bigint;
  number: bigint;
}

/** What the owner has published, in plain TypeScript. An answer is the name of the error, or undefined and the model has changed. */
class Model {
  readonly delegates: Delegate[] = [];
  digest = 0n;
  owner: number;
  private events = 0n;
  /** ERC-1056 events since activation. */
  changes = 0;

  constructor(owner: number) {
    this.owner = owner;
  }

  add(by: number, type: string, account: string, validTo: bigint, time: bigint): string | undefined {
    if (by !== this.owner) return "DeviceRegistryNotAllowed";
    const known = this.delegates.findIndex((one) => one.type === type && one.account === account);
    const expired = this.delegates.findIndex((one) => one.validTo < time);
    const place = known !== -1 ? known : expired !== -1 ? expired : this.delegates.length;
    if (place === MOST) return "DeviceRegistryTooManyDelegates";
    this.events++;
    this.changes++;
    this.delegates[place] = { type, account, validTo, number: 1n + this.events };
    return undefined;
  }

  revoke(by: number, type: string, account: string): string | undefined {
    if (by !== this.owner) return "DeviceRegistryNotAllowed";
    const place = this.delegates.findIndex((one) => one.type === type && one.account === account);
    if (place === -1) return "DeviceRegistryDelegateUnknown";
    this.events++;
    this.changes++;
    const last = this.delegates.pop();
    if (last && place < this.delegates.length) this.delegates[place] = last;
    return undefined;
  }

  attribute(by: number, name: string, value: string, validTo: bigint): string | undefined {
    if (by !== this.owner) return "DeviceRegistryNotAllowed";
    const words = [this.digest, name, keccak256(value), validTo];
    const coded = AbiCoder.defaultAbiCoder().encode(["uint216", "bytes32", "bytes32", "uint256"], words);
    this.digest = BigInt(keccak256(coded)) % 2n ** 216n;
    this.changes++;
    return undefined;
  }

  transfer(by: number, to: number): string | undefined {
    if (by !== this.owner) return "ERC721InsufficientApproval";
    this.events += BigInt(this.delegates.length);
    this.changes += this.delegates.length + 1;
    this.delegates.length = 0;
    this.owner = to;
    return undefined;
  }
}

interface Step {
  expected(time: bigint): string | undefined;
  send(): Promise<unknown>;
}

describe("DeviceRegistry's random history of delegates and attributes", () => {
  let world: Deployed;
  const roll = dice(1056);
  const signer = (k: number) => world.accounts[k] ?? world.operator;
  const pick = <T>(from: readonly T[]): T => {
    const found = from[roll(from.length)];
    if (found === undefined) throw new Error("There is nothing to pick from.");
    return found;
  };

  function nextStep(model: Model): Step {
    const kind = roll(40);
    // Transfers are rare, and mostly somebody else's idea.
    const by = kind === 0 || roll(10) === 0 ? roll(3) : model.owner;
    const registry = world.registry.connect(signer(by));
    const account = signer(5 + roll(7)).address;
    const type = pick(TYPES);
    const validity = pick([0, 500, 50_000, 50_000]);
    const value = pick(["0x", "0x01", "0x0203"]);
    const name = pick(NAMES);
    const to = roll(3);
    if (kind === 0) {
      return {
        expected: () => model.transfer(by, to),
        send: () =>
          world.registry.ownerOf(device.id).then((held) => {
            return registry.transferFrom(held, signer(to).address, device.id);
          }),
      };
    }
    if (kind < 22) {
      return {
        expected: (time) => model.add(by, type, account, time + BigInt(validity), time),
        send: () => registry.addDelegate(device.id, type, account, validity),
      };
    }
    if (kind < 30) {
      return {
        expected: () => model.revoke(by, type, account),
        send: () => registry.revokeDelegate(device.id, type, account),
      };
    }
    if (kind < 36) {
      return {
        expected: (time) => model.attribute(by, name, value, time + BigInt(validity)),
        send: () => registry.setAttribute(device.id, name, value, validity),
      };
    }
    return {
      expected: (time) => model.attribute(by, name, value, time - 1n),
      send: () => registry.revokeAttribute(device.id, name, value),
    };
  }

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

  it(`is what the model says after each of ${STEPS} steps`, async () => {
    world = await deployed();
    const maker = signer(4);
    await makeIssuer(world, maker);
    const lot = await enrolLot(world, maker, [device, keyOf("history beside")]);
    await send(world, activationOf(world, lot, device, signer(0).address));
    const model = new Model(0);
    const { registry, networkHelpers } = world;
    const outcomes = new Set<string | undefined>();
    for (let k = 0; k < STEPS; k++) {
      const time = BigInt(await networkHelpers.time.latest()) + 1n + BigInt(roll(90));
      await networkHelpers.time.setNextBlockTimestamp(time);
      const step = nextStep(model);
      const expected = step.expected(time);
      outcomes.add(expected);
      expect(await outcomeOf(step.send), `step ${k}`).to.equal(expected);
      const [types, accounts, validTo, numbers] = await registry.delegatesOf(device.id);
      expect(
        types.map((type, j) => ({ type, account: accounts[j], validTo: validTo[j], number: numbers[j] })),
        `step ${k}`,
      ).to.deep.equal(model.delegates);
      expect(await registry.attributesOf(device.id), `step ${k}`).to.equal(model.digest);
      for (const type of TYPES) {
        const account = signer(5 + roll(7)).address;
        const now = BigInt(await networkHelpers.time.latest());
        const named = model.delegates.find((one) => one.type === type && one.account === account);
        expect(await registry.validDelegate(device.id, type, account)).to.equal(
          named !== undefined && named.validTo >= now,
        );
      }
    }
    // Two at activation.
    const all = await changesOf(world, device.id, 0n, BigInt(await world.ethers.provider.getBlockNumber()));
    expect(all.length).to.equal(2 + model.changes);
    expect(await walk(world, device.id)).to.deep.equal(all);
    expect(outcomes.size).to.equal(5);
  });
});
