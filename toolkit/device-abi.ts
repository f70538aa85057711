import type { JsonFragment } from "ethers";
import {
  Attestations__factory,
  ClaimDesk__factory,
  DataAnchor__factory,
  DeviceFeed__factory,
  DeviceRegistry__factory,
} from "./contracts.js";

/** The functions that devices and gateways call, by contract: all that small firmware needs of an ABI. */
const DEVICE_FACING = {
  DataAnchor: [
    "append",
    "appendFor",
    "appendMany",
    "checkAccount",
    "entryDigest",
    "headOf",
    "isBarred",
    "peakOf",
    "rootOf",
    "verifyConsistency",
    "verifyEntry",
    "verifyRange",
  ],
  DeviceFeed: ["isFresh", "latestOf", "latestRound", "latestRoundData", "push", "pushAs"],
  DeviceRegistry: [
    "activate",
    "activateBatch",
    "activationDigest",
    "cancelRecovery",
    "cancelRecoveryDigest",
    "deviceOf",
    "isActive",
    "isSignedByDevice",
    "keyChangeDigest",
    "keyOf",
    "lotOf",
    "proveEquivocation",
    "readingDigest",
    "rotateKey",
    "standingOf",
    "userOf",
  ],
  Attestations: ["attest", "attestFleet", "fleetLeafOf", "fleetResultOf", "relianceOn", "resultOf"],
  ClaimDesk: ["claim", "claimDigest"],
} as const;

const ABIS = {
  DataAnchor: DataAnchor__factory.abi,
  DeviceFeed: DeviceFeed__factory.abi,
  DeviceRegistry: DeviceRegistry__factory.abi,
  Attestations: Attestations__factory.abi,
  ClaimDesk: ClaimDesk__factory.abi,
} as const;

/** A contract of which devices call functions. */
export type DeviceFacingContract = keyof typeof DEVICE_FACING;

/** Their names. */
export const DEVICE_FACING_CONTRACTS = Object.keys(DEVICE_FACING) as DeviceFacingContract[];

/**
 * The ABI of a contract's device-facing functions alone, as C generators of device SDKs take it: no structs, no nested arrays, no
 * overloads, every input named.
 */
export function deviceAbiOf(contract: DeviceFacingContract): { readonly abi: readonly JsonFragment[] } {
  const wanted: readonly string[] = DEVICE_FACING[contract];
  const all: readonly JsonFragment[] = ABIS[contract];
  return { abi: all.filter(({ type, name }) => type === "function" && wanted.includes(name ?? "")) };
}
