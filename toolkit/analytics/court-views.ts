import type { ContractRunner } from "ethers";
import type { Addresses } from "../addresses.js";
import { DeviceRegistry__factory, Eligibility__factory, Holdings__factory } from "../contracts.js";
import { toHex } from "../internal/bytes.js";
import type { Verdict } from "./court-model.js";
import type { AnalysisRequest } from "./requests.js";
import type { Origin } from "./result-tree.js";

/** Whom the courts ask. */
export type CourtAddresses = Pick<Addresses, "DeviceRegistry"> & {
  readonly Eligibility: string;
  readonly Holdings: string;
};

/** What the courts ask of other contracts, for one request and its snapshot. */
export interface CourtViews {
  verdictOn(device: string, owner: string): Promise<Verdict>;
  mayUse(owner: string, device: string, origin: Origin, spent: bigint): Promise<boolean>;
  /** Whether the device may be listed at all, if only as withheld. */
  wasMember(device: string, owner: string): Promise<boolean>;
  /** Who had the device at the snapshot; undefined if nobody can tell. */
  holderOf(device: string): Promise<string | undefined>;
  /** Whether the device's present key has signed this. */
  isSigned(device: string, digest: Uint8Array, signer: Uint8Array, signature: Uint8Array): Promise<boolean>;
  /** Whether neither the device's keys nor its state have changed since a moment: its second and its block. */
  isSteady(device: string, time: bigint, block: bigint): Promise<boolean>;
}

/** The views of a deployment, as things stand after a block. */
export function courtViews(
  runner: ContractRunner,
  addresses: CourtAddresses,
  request: AnalysisRequest,
  snapshot: bigint,
  blockTag: number | "latest" = "latest",
): CourtViews {
  const at = { blockTag };
  const eligibility = Eligibility__factory.connect(addresses.Eligibility, runner);
  const holdings = Holdings__factory.connect(addresses.Holdings, runner);
  const registry = DeviceRegistry__factory.connect(addresses.DeviceRegistry, runner);
  return {
    verdictOn: async (device, owner) =>
      Number(await eligibility.verdictOn(request, device, owner, snapshot, at)) as Verdict,
    mayUse: (owner, device, origin, spent) => eligibility.mayUse(request, owner, device, origin, spent, snapshot, at),
    wasMember: (device, owner) => eligibility.wasMember(request, device, owner, snapshot, at),
    holderOf: async (device) => {
      const { known, owner } = await holdings.holderAt(device, snapshot, at);
      return known ? owner : undefined;
    },
    isSigned: (device, digest, signer, signature) =>
      registry.isSignedByDevice(device, toHex(digest), toHex(signer), toHex(signature), at),
    isSteady: async (device, time, block) => {
      const [{ stateSince }, changed] = await Promise.all([
        registry.deviceOf(device, at),
        registry.changed(device, at),
      ]);
      return stateSince < time && changed < block;
    },
  };
}
