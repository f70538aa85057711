import type { DeviceId } from "../../toolkit/identity/keys.js";
import type { LotId } from "../../toolkit/identity/lots.js";

/** As `DeviceState` in Solidity. */
export const STATES = { none: 0, active: 1, suspended: 2, retired: 3, revoked: 4 } as const;

/** As `Holds` in Solidity. */
export const HOLDS = { owner: 1, issuer: 2, fault: 4, keyless: 8 } as const;

export const NOBODY = "0x0000000000000000000000000000000000000000";
export const NO_HASH = `0x${"00".repeat(32)}`;

/** What a device's owner published as an ERC-1056 delegate. */
export interface Delegate {
  readonly kind: string;
  readonly account: string;
  readonly validTo: bigint;
  readonly number: number;
}

/** Everything that a device is known for, in plain words. Times are Unix seconds. */
export interface Device {
  readonly id: DeviceId;
  state: number;
  holds: number;
  bondGone: boolean;
  assurance: number;
  activatedAt: bigint;
  ownedSince: bigint;
  stateSince: bigint;
  lot: LotId | undefined;
  /** The block of the latest ERC-1056 event. */
  changed: bigint;
  keyEvents: number;
  /** The present ERC-7913 signer as hex, or the last one. */
  signer: string;
  /** Which `#delegate-N` the present key is. */
  number: number;
  owner: string;
  approved: string;
  /** keccak256 that the pending recovery is kept as. */
  recovery: string;
  delegates: Delegate[];
  delegateEvents: number;
  attributes: bigint;
  /** Last second of each attribute, by `name value`. */
  readonly services: Map<string, bigint>;
  user: string;
  userExpires: bigint;
  /** Every signer that was ever its key. */
  readonly keys: Set<string>;
  /** Signers that it must never have again. */
  readonly voided: Set<string>;
  /** Whether it was ever handed on. */
  sold: boolean;
  /** Lots whose issuer has withdrawn it. */
  readonly withdrawn: Set<LotId>;
}

export interface Lot {
  readonly id: LotId;
  readonly issuer: string;
  readonly size: bigint;
  readonly bond: bigint;
  activated: bigint;
  assurance: number;
  revoked: boolean;
}

/** Everything that the registry remembers, and the ITC of whoever takes part. */
export interface World {
  readonly devices: Map<DeviceId, Device>;
  readonly lots: Map<LotId, Lot>;
  /** Whether an issuer was revoked. */
  readonly issuers: Map<string, boolean>;
  readonly balances: Map<string, bigint>;
  readonly allowances: Map<string, bigint>;
  minimumBond: bigint;
  pool: bigint;
}

export function unborn(id: DeviceId): Device {
  return {
    id,
    state: STATES.none,
    holds: 0,
    bondGone: false,
    assurance: 0,
    activatedAt: 0n,
    ownedSince: 0n,
    stateSince: 0n,
    lot: undefined,
    changed: 0n,
    keyEvents: 0,
    signer: "0x",
    number: 0,
    owner: NOBODY,
    approved: NOBODY,
    recovery: NO_HASH,
    delegates: [],
    delegateEvents: 0,
    attributes: 0n,
    services: new Map(),
    user: NOBODY,
    userExpires: 0n,
    keys: new Set(),
    voided: new Set(),
    sold: false,
    withdrawn: new Set(),
  };
}

export function isAlive({ state }: { readonly state: number }): boolean {
  return state === STATES.active || state === STATES.suspended;
}
