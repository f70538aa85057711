import type { Digests } from "../../toolkit/identity/digests.js";
import type { DeviceId } from "../../toolkit/identity/keys.js";
import { type LotId, lotIdOf, lotLeaf } from "../../toolkit/identity/lots.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { climb } from "../../toolkit/internal/merkle.js";
import { type Device, HOLDS, isAlive, type Lot, NOBODY, STATES, unborn, type World } from "./identity-state.js";

/** A refusal, by the name of the custom error. */
export class Refused extends Error {}

/** A signature and what it was made of: the model trusts these words, the chain only the bytes. */
export interface Signed {
  readonly signer: string;
  /** Hex; empty if the bytes are no signature of anything. */
  readonly digest: string;
  readonly bytes: string;
}

/** Where the walk takes place. */
export interface Place {
  readonly digests: Digests;
  readonly p256Verifier: string;
  /** Who administers. */
  readonly operator: string;
  /** Contracts that take no tokens. */
  readonly refusing: readonly string[];
  readonly recoveryDelay: bigint;
  readonly bondDelay: bigint;
}

export function must(right: boolean, error: string): asserts right {
  if (!right) throw new Refused(error);
}

/** The moves that there are between the states of a device. */
export const MOVES = ["0→1", "1→2", "1→3", "1→4", "2→1", "2→3", "2→4"];

/** What the registry does with lots and the lives of devices, in plain TypeScript: a rule changes the world or throws `Refused`. */
export class LotsModel {
  world: World = {
    devices: new Map(),
    lots: new Map(),
    issuers: new Map(),
    balances: new Map(),
    allowances: new Map(),
    minimumBond: 10n ** 18n,
    pool: 0n,
  };
  /** The devices that were looked at since this was emptied. */
  readonly touched = new Set<DeviceId>();
  /** Whether a contract has acted in the midst of it. */
  calledBack = false;
  time = 0n;
  block = 0n;
  /** What a contract does while it receives a device; a refusal doesn't matter to it. */
  armed: { readonly account: string; readonly rule: () => void } | undefined;

  constructor(readonly place: Place) {}

  /** Follows a rule as a transaction does: all of it or nothing. The name of the error, if it refuses. */
  attempt(rule: () => void): string | undefined {
    const before = structuredClone(this.world);
    try {
      rule();
      return undefined;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.world = before;
      return error.message;
    }
  }

  device(id: DeviceId): Device {
    const known = this.world.devices.get(id) ?? unborn(id);
    this.world.devices.set(id, known);
    this.touched.add(id);
    return known;
  }

  lotOf({ lot }: Device): Lot | undefined {
    return lot && this.world.lots.get(lot);
  }

  issuerOf(device: Device): string {
    return this.lotOf(device)?.issuer ?? NOBODY;
  }

  kindOf(signer: string): number | undefined {
    if (signer.length === 42) return 0;
    return signer.length === 170 && signer.startsWith(this.place.p256Verifier) ? 1 : undefined;
  }

  holdsKey(device: Device, signer: string): boolean {
    return device.signer === signer && (device.holds & HOLDS.keyless) === 0;
  }

  isIssuer(account: string): boolean {
    return this.world.issuers.get(account) === false;
  }

  balanceOf(account: string): bigint {
    return this.world.balances.get(account) ?? 0n;
  }

  // Issuers, lots, bonds

  requireRole(sender: string): void {
    must(sender === this.place.operator, "AccessManagedUnauthorized");
  }

  registerIssuer(sender: string, issuer: string): void {
    this.requireRole(sender);
    must(!this.world.issuers.has(issuer), "LotBookIssuerKnown");
    this.world.issuers.set(issuer, false);
  }

  revokeIssuer(sender: string, issuer: string): void {
    this.requireRole(sender);
    must(this.isIssuer(issuer), "LotBookIssuerNotRegistered");
    this.world.issuers.set(issuer, true);
  }

  setMinimumBond(sender: string, bond: bigint): void {
    this.requireRole(sender);
    this.world.minimumBond = bond;
  }

  spendPool(sender: string, to: string, amount: bigint): void {
    this.requireRole(sender);
    must(amount <= this.world.pool, "LotBookPoolTooSmall");
    must(to !== NOBODY, "ERC20InvalidReceiver");
    this.world.pool -= amount;
    this.pay(to, amount);
  }

  enrolLot(issuer: string, root: string, size: bigint, assurance: number, bond: bigint): void {
    must(this.isIssuer(issuer), "LotBookIssuerNotRegistered");
    const id = lotIdOf(issuer, fromHex(root));
    must(!this.world.lots.has(id), "LotBookLotKnown");
    must(size > 0n && size < 2n ** 40n, "LotBookLotSize");
    must(bond >= this.world.minimumBond, "LotBookBondTooLow");
    must(bond < 2n ** 88n, "SafeCastOverflowedUintDowncast");
    this.world.lots.set(id, { id, issuer, size, bond, activated: 0n, assurance, revoked: false });
    this.collect(issuer, size * bond);
  }

  enrolLotFor(
    said: { issuer: string; root: string; size: bigint; assurance: number; bond: bigint; deadline: bigint },
    signed: Signed,
  ): void {
    must(this.time <= said.deadline, "LotBookExpired");
    const digest = toHex(this.place.digests.lot({ ...said, root: fromHex(said.root) }));
    must(signed.digest === digest && signed.signer === said.issuer.toLowerCase(), "LotBookInvalidSignature");
    this.enrolLot(said.issuer, said.root, said.size, said.assurance, said.bond);
  }

  ownLot(sender: string, id: LotId): Lot {
    const lot = this.world.lots.get(id);
    must(lot !== undefined, "LotBookLotUnknown");
    must(lot.issuer === sender, "LotBookNotIssuer");
    return lot;
  }

  revokeLot(sender: string, id: LotId): void {
    const lot = this.ownLot(sender, id);
    must(!lot.revoked, "LotBookLotRevoked");
    lot.revoked = true;
    this.pay(sender, (lot.size - lot.activated) * lot.bond);
  }

  lowerAssurance(sender: string, id: LotId, assurance: number): void {
    const lot = this.ownLot(sender, id);
    must(assurance < lot.assurance, "LotBookAssuranceNotLower");
    lot.assurance = assurance;
  }

  pay(to: string, amount: bigint): void {
    this.world.balances.set(to, this.balanceOf(to) + amount);
  }

  collect(from: string, amount: bigint): void {
    const allowance = this.world.allowances.get(from);
    if (allowance !== undefined) {
      must(allowance >= amount, "ERC20InsufficientAllowance");
      this.world.allowances.set(from, allowance - amount);
    }
    must(this.balanceOf(from) >= amount, "ERC20InsufficientBalance");
    this.world.balances.set(from, this.balanceOf(from) - amount);
  }

  bondOf(device: Device): bigint {
    return this.lotOf(device)?.bond ?? 0n;
  }

  // Activation

  openLot(id: LotId): Lot {
    const lot = this.world.lots.get(id);
    must(lot !== undefined, "LotBookLotUnknown");
    must(!lot.revoked, "LotBookLotRevoked");
    must(this.isIssuer(lot.issuer), "LotBookIssuerNotRegistered");
    return lot;
  }

  activate(said: Activation, path: bigint, siblings: readonly Uint8Array[]): void {
    must(this.time <= said.deadline, "DeviceRegistryExpired");
    const kind = this.kindOf(said.signer);
    must(kind !== undefined, "DeviceKeysUnknownKind");
    must(path >> BigInt(siblings.length) === 0n, "MerklePathTooLong");
    const root = climb(lotLeaf({ kind, id: said.device }), { path, siblings });
    const lot = this.openLot(said.lot);
    must(lotIdOf(lot.issuer, root) === lot.id, "DeviceRegistryInvalidProof");
    must(this.device(said.device).state === STATES.none, "DeviceRegistryDeviceKnown");
    this.bring(lot, said);
  }

  /** @param root What the proof leads to; undefined if it leads nowhere. */
  activateBatch(deadline: bigint, batch: readonly Activation[], equal: boolean, root: string | undefined): void {
    const [first] = batch;
    must(this.time <= deadline, "DeviceRegistryExpired");
    must(first !== undefined && equal, "DeviceRegistryLengthMismatch");
    must(
      batch.every(({ signer }) => this.kindOf(signer) !== undefined),
      "DeviceKeysUnknownKind",
    );
    must(root !== undefined, "MerkleBadMultiproof");
    const { issuer } = this.openLot(first.lot);
    must(lotIdOf(issuer, fromHex(root)) === first.lot, "DeviceRegistryInvalidProof");
    for (const said of batch) {
      if (this.device(said.device).state === STATES.none) this.bring(this.openLot(said.lot), said);
    }
  }

  bring(lot: Lot, { device: id, signer, owner, deadline, signed }: Activation): void {
    const device = this.device(id);
    must(!device.withdrawn.has(lot.id), "DeviceRegistryDeviceRevoked");
    must(lot.activated < lot.size, "DeviceRegistryLotFull");
    const digest = toHex(this.place.digests.activation({ device: id, lot: lot.id, owner, deadline }));
    must(signed.signer === signer && signed.digest === digest, "DeviceRegistryInvalidSignature");
    must(owner !== NOBODY && !this.place.refusing.includes(owner), "ERC721InvalidReceiver");
    lot.activated += 1n;
    this.move(device, STATES.active);
    Object.assign(device, { lot: lot.id, assurance: lot.assurance, activatedAt: this.time, ownedSince: this.time });
    Object.assign(device, { owner, signer, number: 1, changed: this.block });
    device.keys.add(signer);
    this.received(owner);
  }

  received(owner: string): void {
    if (this.armed?.account !== owner) return;
    this.calledBack = true;
    this.attempt(this.armed.rule);
  }

  // Life

  move(device: Device, state: number): void {
    if (!MOVES.includes(`${device.state}→${state}`)) throw new Error(`The model moves ${device.state}→${state}.`);
    device.state = state;
    device.stateSince = this.time;
  }

  alive(id: DeviceId): Device {
    const device = this.device(id);
    must(isAlive(device), "DeviceRegistryWrongState");
    return device;
  }

  hold(device: Device, holds: number): void {
    if (device.state === STATES.active) this.move(device, STATES.suspended);
    device.holds |= holds;
  }

  unhold(device: Device, holds: number): void {
    device.holds &= ~holds;
    if (device.holds === 0) this.move(device, STATES.active);
  }

  capacity(sender: string, device: Device): number {
    const holds = (sender === device.owner ? HOLDS.owner : 0) | (sender === this.issuerOf(device) ? HOLDS.issuer : 0);
    must(holds !== 0, "DeviceRegistryNotAllowed");
    return holds;
  }

  suspend(sender: string, id: DeviceId): void {
    const device = this.alive(id);
    const hold = this.capacity(sender, device) & ~device.holds;
    must(hold !== 0, "DeviceRegistryWrongState");
    this.hold(device, hold);
  }

  resume(sender: string, id: DeviceId): void {
    const device = this.alive(id);
    const hold = this.capacity(sender, device) & device.holds;
    must(hold !== 0, "DeviceRegistryWrongState");
    this.unhold(device, hold);
  }

  retire(sender: string, id: DeviceId): void {
    const device = this.alive(id);
    must(sender === device.owner, "DeviceRegistryNotAllowed");
    this.move(device, STATES.retired);
    device.changed = this.block;
  }

  revokeDevice(sender: string, lot: LotId, id: DeviceId): void {
    this.ownLot(sender, lot);
    const device = this.device(id);
    must(!device.withdrawn.has(lot), "DeviceRegistryDeviceRevoked");
    device.withdrawn.add(lot);
    if (device.lot !== lot) return;
    must(isAlive(device), "DeviceRegistryWrongState");
    this.move(device, STATES.revoked);
    device.changed = this.block;
  }

  releaseBond(id: DeviceId): void {
    const device = this.device(id);
    must(device.state === STATES.retired || device.state === STATES.revoked, "DeviceRegistryWrongState");
    must(!device.bondGone, "DeviceRegistryBondSettled");
    must(this.time >= device.stateSince + this.place.bondDelay, "DeviceRegistryBondNotFree");
    device.bondGone = true;
    this.pay(this.issuerOf(device), this.bondOf(device));
  }

  restoreBond(sender: string, id: DeviceId): void {
    const device = this.device(id);
    must(sender === this.issuerOf(device), "DeviceRegistryNotAllowed");
    must(device.state === STATES.suspended, "DeviceRegistryWrongState");
    must((device.holds & HOLDS.fault) !== 0, "DeviceRegistryNoFault");
    device.bondGone = false;
    this.unhold(device, HOLDS.fault);
    this.collect(sender, this.bondOf(device));
  }

  stateAssurance(sender: string, id: DeviceId, assurance: number): void {
    must(sender === this.issuerOf(this.device(id)), "DeviceRegistryNotAllowed");
    const device = this.alive(id);
    must(assurance <= (this.lotOf(device)?.assurance ?? 0), "DeviceRegistryAssuranceTooHigh");
    device.assurance = assurance;
  }
}

/** What one device says to be activated, and the call says of it. */
export interface Activation {
  readonly device: DeviceId;
  readonly lot: LotId;
  readonly signer: string;
  readonly owner: string;
  readonly deadline: bigint;
  readonly signed: Signed;
}
