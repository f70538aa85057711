import type { Interface } from "ethers";
import { type DeviceId, type DeviceKey, signerOf } from "../../toolkit/identity/keys.js";
import type { LotId, LotTree } from "../../toolkit/identity/lots.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { highS, keyOf } from "../identity/fleet.js";
import type { Deployed } from "../support.js";
import type { Dice } from "./dice.js";
import type { IdentityModel, NextKey } from "./identity-model.js";
import { type Device, isAlive, NOBODY } from "./identity-state.js";
import type { Signed } from "./lots-model.js";

/** Whose word the call carries, as the present key of which device. */
export interface Spoken {
  readonly device: DeviceId;
  readonly signer: string;
}

/** A transaction that was drawn, and what the model makes of it. */
export interface Action {
  readonly what: string;
  readonly from: string;
  readonly to: string;
  readonly data: string;
  readonly rule: (sender: string) => void;
  readonly spoken: readonly Spoken[];
}

/** A lot that somebody tried to enrol. */
export interface DrawnLot {
  readonly id: LotId;
  readonly issuer: string;
  readonly tree: LotTree;
  readonly keys: readonly DeviceKey[];
}

/** Who takes part. Each is an account whose key we have, but for the contract that acts while it receives. */
export interface Parties {
  readonly operator: string;
  readonly issuers: readonly DeviceKey[];
  readonly people: readonly DeviceKey[];
  /** Issuer and owner at once. */
  readonly smith: string;
  readonly smithInterface: Interface;
}

const MINUTE = 60n;

/** What the draws share: who there is, what was said so far, and right and wrong words of devices. */
export class Cast {
  readonly lots: DrawnLot[] = [];
  readonly devices: DeviceKey[] = [];
  /** Every call that carried a device's or an issuer's signature. */
  readonly said: Action[] = [];
  /** The recoveries that were wished for. */
  readonly wishes = new Map<DeviceId, { signer: string; readyAt: bigint }[]>();
  private readonly keys = new Map<string, DeviceKey>();
  private readonly signatures = new Map<DeviceId, Signed[]>();
  private spares = 0;

  constructor(
    readonly world: Deployed,
    readonly dice: Dice,
    readonly model: IdentityModel,
    readonly parties: Parties,
  ) {}

  get time(): bigint {
    return this.model.time;
  }

  get everyone(): string[] {
    const { operator, issuers, people, smith } = this.parties;
    return [operator, smith, ...issuers.map(({ id }) => id), ...people.map(({ id }) => id)];
  }

  /** Who may become an owner, now and then somebody who can't. */
  someOwner(): string {
    const { dice, parties, model } = this;
    const odd = [...model.place.refusing, NOBODY];
    if (dice.chance(8)) return dice.pick(odd);
    const { id } = dice.pick([...parties.people, ...parties.issuers.slice(0, 1)]);
    return dice.chance(15) ? parties.smith : id;
  }

  /** The one who may, or anybody. */
  mostly(right: string): string {
    const { dice } = this;
    return dice.chance(75) && this.everyone.includes(right) ? right : dice.pick(this.everyone);
  }

  /** A new key, P-256 now and then. */
  freshKey(): DeviceKey {
    const key = keyOf(`walker-${this.spares++}`, this.dice.chance(25) ? "p256" : "secp256k1");
    this.signerOf(key);
    return key;
  }

  /** The ERC-7913 signer as hex; the key is remembered by it. */
  signerOf(key: DeviceKey): string {
    const signer = toHex(signerOf(key, this.world.addresses));
    this.keys.set(signer, key);
    return signer;
  }

  /** A device of some lot, an active or suspended one most of the time. */
  someDevice(): Device {
    const all = this.devices.map(({ id }) => this.model.device(id));
    const alive = all.filter(isAlive);
    return this.dice.pick(alive.length > 0 && this.dice.chance(80) ? alive : all);
  }

  /** The device's signer, an earlier one of its, or somebody else's. */
  signerFor(device: Device): string {
    const { dice } = this;
    if (device.signer === "0x" || dice.chance(8)) return this.signerOf(dice.pick(this.devices));
    return dice.chance(78) ? device.signer : dice.pick([...device.keys]);
  }

  /** A key for a device to change to, with its signature. */
  nextKeyFor(device: Device): NextKey {
    const { dice, model } = this;
    const signer = dice.weighted<() => string>([
      [70, () => this.signerOf(this.freshKey())],
      [14, () => this.signerFor(device)],
      [8, () => this.signerOf(dice.pick(this.devices))],
      [8, () => dice.pick(["0x", `0x${"11".repeat(84)}`, `${model.place.p256Verifier}${"22".repeat(63)}`])],
    ])();
    const deadline = this.deadline();
    const signed = this.sign(device.id, signer, model.keyChange(device.id, signer, deadline));
    return { signer, deadline, signed };
  }

  deadline(): bigint {
    const far = BigInt(this.dice.below(5000));
    return this.dice.chance(8) ? this.time - 1n - (far % 3n) : this.time + far * (this.dice.chance(50) ? MINUTE : 1n);
  }

  /** The word of a signer, or what a cheat would put in its place. */
  sign(device: DeviceId, signer: string, digest: Uint8Array): Signed {
    const { dice } = this;
    const earlier = this.signatures.get(device) ?? [];
    const right = this.signatureBy(signer, digest);
    const wrong = dice.weighted<() => Signed | undefined>([
      [85, () => undefined],
      [5, () => (earlier.length > 0 ? dice.pick(earlier) : undefined)],
      [3, () => this.signatureBy(signer, dice.bytes())],
      [3, () => this.signatureBy(this.signerOf(dice.pick(this.devices)), digest)],
      [2, () => this.malleated(right)],
      [2, () => ({ signer, digest: "", bytes: `0x${"ab".repeat(dice.pick([0, 64, 65]))}` })],
    ])();
    if (wrong) return wrong;
    this.signatures.set(device, [...earlier, right]);
    return right;
  }

  /** What a key signs; nothing if nobody has the key. */
  signatureBy(signer: string, digest: Uint8Array): Signed {
    const key = this.keys.get(signer);
    return { signer, digest: key ? toHex(digest) : "", bytes: key ? toHex(key.sign(digest)) : "0x" };
  }

  call(
    what: string,
    args: readonly unknown[],
    from: string,
    rule: (sender: string) => void,
    spoken: readonly Spoken[] = [],
  ): Action {
    const { interface: coder } = this.world.registry;
    const data = (coder as Interface).encodeFunctionData(what, args);
    return { what, from, to: this.world.addresses.DeviceRegistry, data, rule, spoken };
  }

  private malleated(right: Signed): Signed {
    const kind = this.keys.get(right.signer)?.kind === "p256" ? "p256" : "secp256k1";
    return { ...right, digest: "", bytes: fromHex(right.bytes).length < 64 ? "0x" : highS(right.bytes, kind) };
  }
}
