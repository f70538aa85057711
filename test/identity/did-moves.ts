import { type Contract, getAddress as checksum, id, TypedDataEncoder, ZeroAddress } from "ethers";
import type { DidChange } from "../../toolkit/identity/did.js";
import { concat, fromHex, keccak256, toHex, uintBytes, word } from "../../toolkit/internal/bytes.js";
import type { Deployed } from "../support.js";
import { type Dice, endpointOf, nameOf, validityOf } from "./did-histories.js";
import { type AnyKey, delegateEvent, KEY_ATTRIBUTE, keysOf } from "./did-keys.js";
import { type EnrolledLot, FAR } from "./fleet.js";

const FOREVER = 2n ** 256n - 1n;
const MOST_DELEGATES = 8;
const KEY_CHANGE_TYPE = fromHex(id("KeyChange(address device,bytes32 signer,uint64 nonce,uint64 deadline)"));

interface Delegate {
  readonly type: string;
  readonly account: string;
  readonly validTo: bigint;
}

/** A device, and where it stands after the transactions that were sent. */
export interface Device {
  readonly address: string;
  owner: string;
  state: "active" | "suspended" | "ended";
  key: AnyKey | undefined;
  keyEvents: bigint;
  /** In the order of the registry's list. */
  delegates: Delegate[];
  attributes: (readonly [name: string, value: Uint8Array])[];
  recovery: { readonly key: AnyKey; readonly readyAt: bigint } | undefined;
  /** Keys that it must never have again. */
  readonly voided: Set<AnyKey>;
  /** Which signer held from which block on. */
  readonly signers: { readonly block: number; readonly signer: Uint8Array }[];
}

const NONE = new Uint8Array();

type Move = (device: Device, dice: Dice, time: bigint) => Promise<readonly DidChange[]>;

export interface PossibleMove {
  readonly name: string;
  readonly weight: number;
  possible(device: Device, time: bigint): boolean;
  readonly move: Move;
}

export function pickMove(
  moves: readonly PossibleMove[],
  device: Device,
  dice: Dice,
  time: bigint,
): readonly [name: string, move: Move] {
  const possible = moves.filter((one) => one.possible(device, time));
  let roll = dice.below(possible.reduce((sum, { weight }) => sum + weight, 0));
  for (const { name, weight, move } of possible) {
    if ((roll -= weight) < 0) return [name, move];
  }
  throw new Error("Nothing can be played.");
}

export async function movesOf(
  world: Deployed,
  contract: Contract,
  issuer: { readonly address: string },
  lot: EnrolledLot,
  owners: readonly { readonly address: string }[],
): Promise<readonly PossibleMove[]> {
  const call = caller(world, contract);
  const keys = await keysOf(world, contract);
  const delay = BigInt(await contract.getFunction("recoveryDelay")());
  const alive = ({ state }: Device) => state !== "ended";
  const active = ({ state, key }: Device) => state === "active" && key !== undefined;
  const newKey = (device: Device, dice: Dice): AnyKey => {
    const others = keys.filter(
      (key) => !device.voided.has(key) && toHex(key.signer) !== toHex(device.key?.signer ?? NONE),
    );
    return others[dice.below(others.length)] ?? others[0] ?? fail();
  };
  return [
    ...delegateMoves(call),
    ...attributeMoves(call),
    ...keyMoves(world, call, newKey, delay),
    {
      name: "transfer",
      weight: 3,
      possible: () => true,
      move: async (device, dice, time) => {
        const to = (owners[dice.below(4)] ?? fail()).address;
        await call(device.owner, "transferFrom", device.owner, to, BigInt(device.address));
        // A recovery is the wish of one time of ownership.
        device.recovery = undefined;
        device.owner = to;
        if (!alive(device)) return [];
        const ended = device.delegates.map(({ type, account }) => delegateEvent(type, account, time - 1n));
        device.delegates = [];
        return [...ended, { kind: "owner", owner: to }];
      },
    },
    {
      name: "suspend",
      weight: 2,
      possible: active,
      move: async (device) => {
        await call(device.owner, "suspend", device.address);
        device.state = "suspended";
        return [];
      },
    },
    {
      name: "resume",
      weight: 6,
      possible: ({ state, key }) => state === "suspended" && key !== undefined,
      move: async (device) => {
        await call(device.owner, "resume", device.address);
        device.state = "active";
        return [];
      },
    },
    ...(["retire", "revokeDevice"] as const).map((name) => ({
      name,
      weight: 1,
      possible: alive,
      move: async (device: Device) => {
        if (name === "retire") await call(device.owner, name, device.address);
        else await call(issuer.address, name, lot.id, device.address);
        device.state = "ended";
        return [{ kind: "owner", owner: ZeroAddress } as const];
      },
    })),
    {
      name: "refused",
      weight: 2,
      possible: () => true,
      move: async (device, dice) => {
        const [stranger, { address }] = [owners[5]?.address ?? fail(), device];
        await dice.pick(
          () => call(device.owner, "addDelegate", address, nameOf("sigAuth"), stranger, 9n),
          () => call(device.owner, "setAttribute", address, KEY_ATTRIBUTE, "0x01", 9n),
          () => call(device.owner, "setAttribute", address, new Uint8Array(32).fill(0xff), "0x01", 9n),
          () => call(device.owner, "setAttribute", address, nameOf("free"), "0x01", 2n ** 40n),
          () => call(stranger, "setAttribute", address, nameOf("free"), "0x01", 9n),
          () => call(stranger, "addDelegate", address, nameOf("veriKey"), stranger, 9n),
          () => call(stranger, "revokeKey", address, device.key?.signer ?? "0x"),
        )();
        return [];
      },
    },
  ];
}

type Call = (from: string, name: string, ...args: unknown[]) => Promise<void>;

/** Sends a transaction that will be in the next block, behind those that were sent before it. */
function caller({ provider }: Deployed, contract: Contract): Call {
  // Dearer transactions come first in a block, so the price falls.
  let price = 10n ** 12n;
  return async (from, name, ...args) => {
    const data = contract.interface.encodeFunctionData(name, args);
    const to = await contract.getAddress();
    price -= 10n ** 8n;
    const params = [{ from, to, data, gas: "0xc0000", gasPrice: `0x${price.toString(16)}` }];
    await provider.request({ method: "eth_sendTransaction", params });
  };
}

function delegateMoves(call: Call): PossibleMove[] {
  return [
    {
      name: "addDelegate",
      weight: 6,
      possible: ({ state, delegates }, time) =>
        state !== "ended" && (delegates.length < MOST_DELEGATES || delegates.some(({ validTo }) => validTo < time)),
      move: async (device, dice, time) => {
        const [type, account] = [dice.pick("veriKey", "veriKey", "enc", ""), checksum(dice.address())];
        const validity = validityOf(dice);
        await call(device.owner, "addDelegate", device.address, nameOf(type), account, validity);
        const added = { type, account, validTo: time + validity };
        const own = device.delegates.findIndex((one) => one.type === type && one.account === account);
        const place = own >= 0 ? own : device.delegates.findIndex(({ validTo }) => validTo < time);
        if (place >= 0) device.delegates[place] = added;
        else device.delegates.push(added);
        return [delegateEvent(type, account, added.validTo)];
      },
    },
    {
      name: "revokeDelegate",
      weight: 4,
      possible: ({ state, delegates }) => state !== "ended" && delegates.length > 0,
      move: async (device, dice, time) => {
        const place = dice.below(device.delegates.length);
        const { type, account } = device.delegates[place] ?? fail();
        await call(device.owner, "revokeDelegate", device.address, nameOf(type), account);
        const last = device.delegates.pop() ?? fail();
        if (place < device.delegates.length) device.delegates[place] = last;
        return [delegateEvent(type, account, time - 1n)];
      },
    },
  ];
}

function attributeMoves(call: Call): PossibleMove[] {
  const event = (name: string, value: Uint8Array, validTo: bigint): DidChange => {
    return { kind: "attribute", name: nameOf(name), value, validTo };
  };
  return [
    {
      name: "setAttribute",
      weight: 8,
      possible: ({ state }) => state !== "ended",
      move: async (device, dice, time) => {
        const name = dice.pick("did/svc/Hub", "did/svc/Hub", "did/svc/Messages/v2", "did/svc/of-no-form", "free");
        const [value, validity] = [endpointOf(dice), validityOf(dice)];
        await call(device.owner, "setAttribute", device.address, nameOf(name), value, validity);
        device.attributes.push([name, value]);
        return [event(name, value, time + validity)];
      },
    },
    {
      name: "revokeAttribute",
      weight: 3,
      possible: ({ state, attributes }) => state !== "ended" && attributes.length > 0,
      move: async (device, dice, time) => {
        const [name, value] = device.attributes[dice.below(device.attributes.length)] ?? fail();
        await call(device.owner, "revokeAttribute", device.address, nameOf(name), value);
        return [event(name, value, time - 1n)];
      },
    },
  ];
}

function keyMoves(
  world: Deployed,
  call: Call,
  newKey: (device: Device, dice: Dice) => AnyKey,
  delay: bigint,
): PossibleMove[] {
  const digestOf = ({ address, keyEvents }: Device, { signer }: AnyKey): Uint8Array => {
    const words = [word(fromHex(address)), keccak256(signer), uintBytes(keyEvents, 32), uintBytes(FAR, 32)];
    const struct = keccak256(concat(KEY_CHANGE_TYPE, ...words));
    return keccak256(Uint8Array.of(0x19, 0x01), domainOf(world), struct);
  };
  const drop = (device: Device, time: bigint): readonly DidChange[] => {
    if (!device.key) return [];
    device.keyEvents++;
    return [device.key.event(time - 1n)];
  };
  const set = (device: Device, key: AnyKey): DidChange => {
    device.keyEvents++;
    device.key = key;
    return key.event(FOREVER);
  };
  return [
    {
      name: "rotateKey",
      weight: 6,
      possible: ({ state, key }) => state === "active" && key !== undefined,
      move: async (device, dice, time) => {
        const [old, next] = [device.key ?? fail(), newKey(device, dice)];
        const digest = digestOf(device, next);
        const signatures = [old.sign(digest), next.sign(digest)];
        await call(world.operator.address, "rotateKey", device.address, old.signer, next.signer, FAR, ...signatures);
        device.recovery = undefined;
        return [...drop(device, time), set(device, next)];
      },
    },
    {
      name: "revokeKey",
      weight: 2,
      possible: ({ state, key }) => state !== "ended" && key !== undefined,
      move: async (device, _dice, time) => {
        await call(device.owner, "revokeKey", device.address, (device.key ?? fail()).signer);
        const changes = drop(device, time);
        if (device.key) device.voided.add(device.key);
        device.key = device.recovery = undefined;
        return changes;
      },
    },
    {
      name: "requestRecovery",
      weight: 3,
      possible: ({ state, recovery }) => state !== "ended" && recovery === undefined,
      move: async (device, dice, time) => {
        const key = newKey(device, dice);
        await call(device.owner, "requestRecovery", device.address, key.signer, FAR, key.sign(digestOf(device, key)));
        device.recovery = { key, readyAt: time + delay };
        return [];
      },
    },
    {
      name: "completeRecovery",
      weight: 30,
      possible: ({ state, recovery }, time) => state !== "ended" && recovery !== undefined && recovery.readyAt <= time,
      move: async (device, _dice, time) => {
        const { key, readyAt } = device.recovery ?? fail();
        const present = device.key?.signer ?? new Uint8Array();
        await call(world.operator.address, "completeRecovery", device.address, present, key.signer, readyAt);
        device.recovery = undefined;
        return [...drop(device, time), set(device, key)];
      },
    },
  ];
}

function domainOf({ chainId, addresses }: Deployed): Uint8Array {
  const domain = { name: "DeviceRegistry", version: "1", chainId, verifyingContract: addresses.DeviceRegistry };
  return fromHex(TypedDataEncoder.hashDomain(domain));
}

function fail(): never {
  throw new Error("The test is wrong.");
}
