import { AbiCoder, keccak256 } from "ethers";
import type { DeviceId } from "../../toolkit/identity/keys.js";
import { fromHex, toHex, uintBytes } from "../../toolkit/internal/bytes.js";
import { type Delegate, type Device, HOLDS, isAlive, NO_HASH, NOBODY, STATES } from "./identity-state.js";
import { LotsModel, must, type Signed } from "./lots-model.js";

const MOST_DELEGATES = 8;
const LONGEST_VALIDITY = 2n ** 40n - 1n;
const KEY_PREFIX = `0x${Buffer.from("did/pub/").toString("hex")}`;
export const SIG_AUTH = `0x${Buffer.from("sigAuth").toString("hex").padEnd(64, "0")}`;
const coder = AbiCoder.defaultAbiCoder();

/** A reading of `proveEquivocation`, with the device's signature. */
export interface SignedReading {
  readonly time: bigint;
  readonly schema: Uint8Array;
  readonly content: Uint8Array;
  readonly signed: Signed;
}

/** What `rotateKey` and `requestRecovery` are told of the next key. */
export interface NextKey {
  readonly signer: string;
  readonly deadline: bigint;
  readonly signed: Signed;
}

const isAscii = (name: string) => fromHex(name).every((byte) => byte < 0x80);

/** The rest of the registry in plain TypeScript: keys, tokens, users, DIDs. */
export class IdentityModel extends LotsModel {
  // Keys

  keyChange(id: DeviceId, signer: string, deadline: bigint): Uint8Array {
    const nonce = BigInt(this.device(id).keyEvents);
    return this.place.digests.keyChange({ device: id, signer: fromHex(signer), nonce, deadline });
  }

  veto(id: DeviceId): Uint8Array {
    return this.place.digests.recoveryVeto(id, fromHex(this.device(id).recovery));
  }

  /** What a recovery is kept as. */
  recoveryOf(device: Device, signer: string, readyAt: bigint): string {
    // Of a device that was never sold the registry keeps no second of ownership.
    const since = device.sold ? device.ownedSince : 0n;
    const words = [keccak256(signer), readyAt, device.owner, since, device.keyEvents];
    return keccak256(coder.encode(["bytes32", "uint64", "address", "uint40", "uint16"], words));
  }

  checkNewKey(device: Device, next: NextKey): void {
    must(this.time <= next.deadline, "DeviceKeysExpired");
    must(this.kindOf(next.signer) !== undefined, "DeviceKeysUnknownKind");
    must(!this.holdsKey(device, next.signer), "DeviceKeysSameKey");
    must(!device.voided.has(next.signer), "DeviceKeysVoidKey");
    this.checkSigned(next.signer, this.keyChange(device.id, next.signer, next.deadline), next.signed);
  }

  checkSigned(signer: string, digest: Uint8Array, signed: Signed): void {
    must(signed.signer === signer && signed.digest === toHex(digest), "DeviceKeysInvalidSignature");
  }

  requireKey(device: Device, signer: string): void {
    must(this.holdsKey(device, signer), "DeviceKeysNotTheKey");
  }

  dropKey(device: Device): void {
    device.keyEvents++;
    device.changed = this.block;
  }

  voidKey(device: Device): void {
    device.voided.add(device.signer);
    this.dropKey(device);
  }

  setKey(device: Device, signer: string): void {
    device.keyEvents++;
    device.changed = this.block;
    device.signer = signer;
    device.keys.add(signer);
    device.number = this.eventsOf(device);
  }

  /** The events that a resolver counts, up to the latest. */
  eventsOf({ keyEvents, delegateEvents }: Device): number {
    return 1 + keyEvents + delegateEvents;
  }

  rotateKey(id: DeviceId, signer: string, next: NextKey, signed: Signed): void {
    const device = this.device(id);
    must(device.state === STATES.active, "DeviceRegistryWrongState");
    this.checkNewKey(device, next);
    this.requireKey(device, signer);
    this.checkSigned(signer, this.keyChange(id, next.signer, next.deadline), signed);
    this.dropKey(device);
    this.setKey(device, next.signer);
    device.assurance = 0;
  }

  revokeKey(sender: string, id: DeviceId, signer: string): void {
    const device = this.alive(id);
    this.capacity(sender, device);
    this.requireKey(device, signer);
    this.voidKey(device);
    this.hold(device, HOLDS.keyless);
  }

  requestRecovery(sender: string, id: DeviceId, next: NextKey): void {
    const device = this.alive(id);
    must(sender === device.owner, "DeviceRegistryNotAllowed");
    this.checkNewKey(device, next);
    device.recovery = this.recoveryOf(device, next.signer, this.time + this.place.recoveryDelay);
  }

  cancelRecovery(sender: string, id: DeviceId, signer: string, signed: Signed): void {
    const device = this.device(id);
    must(device.recovery !== NO_HASH, "DeviceKeysNoRecovery");
    if (sender !== device.owner && sender !== this.issuerOf(device)) {
      this.requireKey(device, signer);
      this.checkSigned(signer, this.veto(id), signed);
    }
    device.recovery = NO_HASH;
  }

  completeRecovery(id: DeviceId, signer: string, newSigner: string, readyAt: bigint): void {
    const device = this.alive(id);
    must(device.recovery === this.recoveryOf(device, newSigner, readyAt), "DeviceKeysNoRecovery");
    must(this.time >= readyAt, "DeviceKeysRecoveryNotReady");
    const keyless = (device.holds & HOLDS.keyless) !== 0;
    if (!keyless) {
      this.requireKey(device, signer);
      this.dropKey(device);
    }
    device.recovery = NO_HASH;
    this.setKey(device, newSigner);
    device.assurance = 0;
    if (keyless) this.unhold(device, HOLDS.keyless);
  }

  proveEquivocation(
    sender: string,
    id: DeviceId,
    signer: string,
    sequence: bigint,
    readings: readonly [SignedReading, SignedReading],
  ): void {
    const [a, b] = readings.map(({ schema, content }) => toHex(schema) + toHex(content));
    must(a !== b, "DeviceKeysNotContradictory");
    const device = this.device(id);
    must(device.state === STATES.retired || isAlive(device), "DeviceRegistryWrongState");
    must(!device.bondGone, "DeviceKeysNothingAtStake");
    this.requireKey(device, signer);
    for (const { time, schema, content, signed } of readings) {
      const digest = this.place.digests.reading({ device: id, sequence, time, schema, content });
      this.checkSigned(signer, digest, signed);
    }
    device.bondGone = true;
    if (isAlive(device)) {
      this.voidKey(device);
      this.hold(device, HOLDS.fault | HOLDS.keyless);
    }
    const bond = this.bondOf(device);
    this.world.pool += bond - bond / 2n;
    this.pay(sender, bond / 2n);
  }

  // Tokens

  requireApproved(sender: string, device: Device): void {
    must(device.owner !== NOBODY, "ERC721NonexistentToken");
    must(sender === device.owner || sender === device.approved, "ERC721InsufficientApproval");
  }

  /** @param safe Whether a contract is asked first. */
  transfer(sender: string, id: DeviceId, from: string, to: string, safe: boolean): void {
    const device = this.device(id);
    must(to !== NOBODY, "ERC721InvalidReceiver");
    this.requireApproved(sender, device);
    must(device.owner === from, "ERC721IncorrectOwner");
    must(!safe || !this.place.refusing.includes(to), "ERC721InvalidReceiver");
    Object.assign(device, { owner: to, approved: NOBODY, ownedSince: this.time, sold: true });
    if (device.user !== NOBODY) Object.assign(device, { user: NOBODY, userExpires: 0n });
    if (isAlive(device)) {
      device.delegateEvents += device.delegates.length;
      device.delegates = [];
      device.changed = this.block;
    }
    if (safe) this.received(to);
  }

  changeOwner(sender: string, id: DeviceId, to: string): void {
    must(sender === this.device(id).owner, "DeviceRegistryNotAllowed");
    this.transfer(sender, id, sender, to, true);
  }

  approve(sender: string, id: DeviceId, to: string): void {
    const device = this.device(id);
    must(device.owner !== NOBODY, "ERC721NonexistentToken");
    must(sender === device.owner, "ERC721InvalidApprover");
    device.approved = to;
  }

  setUser(sender: string, id: DeviceId, user: string, expires: bigint): void {
    const device = this.device(id);
    this.requireApproved(sender, device);
    Object.assign(device, { user, userExpires: expires });
  }

  // DIDs

  controlled(sender: string, id: DeviceId): Device {
    must(sender === this.device(id).owner, "DeviceRegistryNotAllowed");
    return this.alive(id);
  }

  addDelegate(sender: string, id: DeviceId, kind: string, account: string, validity: bigint): void {
    const device = this.controlled(sender, id);
    must(kind !== SIG_AUTH && isAscii(kind), "DeviceRegistryReservedName");
    must(validity <= LONGEST_VALIDITY, "DeviceRegistryValidityTooLong");
    const list = device.delegates;
    let place = list.findIndex((one) => one.kind === kind && one.account === account);
    if (place < 0) place = list.findIndex(({ validTo }) => validTo < this.time);
    if (place < 0) place = list.length;
    must(place < MOST_DELEGATES, "DeviceRegistryTooManyDelegates");
    device.delegateEvents++;
    const number = this.eventsOf(device);
    list[place] = { kind, account, validTo: this.time + validity, number } satisfies Delegate;
    device.changed = this.block;
  }

  revokeDelegate(sender: string, id: DeviceId, kind: string, account: string): void {
    const device = this.controlled(sender, id);
    const list = device.delegates;
    const place = list.findIndex((one) => one.kind === kind && one.account === account);
    must(place >= 0, "DeviceRegistryDelegateUnknown");
    const last = list.pop();
    if (last && place < list.length) list[place] = last;
    device.delegateEvents++;
    device.changed = this.block;
  }

  setAttribute(sender: string, id: DeviceId, name: string, value: string, validity: bigint): void {
    const device = this.controlled(sender, id);
    must(validity <= LONGEST_VALIDITY, "DeviceRegistryValidityTooLong");
    this.noteAttribute(device, name, value, this.time + validity);
  }

  revokeAttribute(sender: string, id: DeviceId, name: string, value: string): void {
    this.noteAttribute(this.controlled(sender, id), name, value, this.time - 1n);
  }

  noteAttribute(device: Device, name: string, value: string, validTo: bigint): void {
    must(!name.startsWith(KEY_PREFIX) && isAscii(name), "DeviceRegistryReservedName");
    const words = [toHex(uintBytes(device.attributes, 32)), name, keccak256(value), validTo];
    const digest = keccak256(coder.encode(["bytes32", "bytes32", "bytes32", "uint256"], words));
    device.attributes = BigInt.asUintN(216, BigInt(digest));
    device.services.set(`${name} ${value}`, validTo);
    device.changed = this.block;
  }

  /** Whether an account speaks for a device; the answer of `validDelegate`. */
  speaksFor(device: Device, kind: string, account: string): boolean {
    if (!isAlive(device)) return false;
    if (kind === SIG_AUTH) return this.holdsKey(device, account.toLowerCase());
    return device.delegates.some((one) => one.kind === kind && one.account === account && one.validTo >= this.time);
  }
}
