import { AbiCoder, type ContractRunner, concat, getAddress, toBeHex } from "ethers";
import type { Addresses } from "../addresses.js";
import { CourtLens__factory, DeviceRegistry__factory } from "../contracts.js";
import { toHex } from "../internal/bytes.js";
import type { Verdict } from "./court-model.js";
import type { AnalysisRequest } from "./requests.js";
import type { Origin } from "./result-tree.js";

/** Whom the courts ask. */
export type CourtAddresses = Pick<Addresses, "DeviceRegistry" | "ConsentRegistry"> & {
  readonly Eligibility: string;
  readonly Holdings: string;
};

/** A device in a result, to an owner's credit. */
export interface MemberQuery {
  readonly device: string;
  readonly owner: string;
  readonly origin: Origin;
  /** Millionths of epsilon spent before. */
  readonly spent: bigint;
}

/** What other contracts say of it. */
export interface MemberView {
  readonly verdict: Verdict;
  /** Whether the owner's budget allows the partial. */
  readonly mayUse: boolean;
  /** Whether the device may be listed at all, if only as withheld. */
  readonly wasMember: boolean;
  /** Who had the device at the snapshot, checksummed; undefined if nobody can tell. */
  readonly holder: string | undefined;
  /** Whether the owner's consent at the snapshot allows the request's cohort and price. */
  readonly agrees: boolean;
  /** Millionths of epsilon that it allows. */
  readonly budget: bigint;
}

/** What the courts ask of other contracts, for one request and its snapshot. */
export interface CourtViews {
  /** A view for each query, in their order. */
  see(queries: readonly MemberQuery[]): Promise<MemberView[]>;
  /** Whether the device's present key has signed this. */
  isSigned(device: string, digest: Uint8Array, signer: Uint8Array, signature: Uint8Array): Promise<boolean>;
  /** Whether neither the device's keys nor its state have changed since a moment: its second and its block. */
  isSteady(device: string, time: bigint, block: bigint): Promise<boolean>;
}

/** Queries in a call: with its code and the request, 128 bytes each stay below the 48 KiB of EIP-3860, and the gas (66,000 each) below EIP-7825's bound. */
const IN_A_CALL = 128;
/** Calls under way at a time. */
const AT_ONCE = 8;

/** The views of a deployment, as things stand after a block. */
export function courtViews(
  runner: ContractRunner,
  addresses: CourtAddresses,
  request: AnalysisRequest,
  snapshot: bigint,
  blockTag: number | "latest" = "latest",
): CourtViews {
  const at = { blockTag };
  const registry = DeviceRegistry__factory.connect(addresses.DeviceRegistry, runner);
  const lens = new CourtLens__factory();
  const { Eligibility, Holdings, ConsentRegistry } = addresses;
  const look = async (queries: readonly MemberQuery[]): Promise<MemberView[]> => {
    const args = lens.interface.encodeDeploy([Eligibility, Holdings, ConsentRegistry, request, snapshot, queries]);
    const answer = await runner.call?.({ data: concat([lens.bytecode, args]), ...at });
    const [words] = AbiCoder.defaultAbiCoder().decode(["uint256[]"], answer ?? "0x");
    return (words as bigint[]).map(viewIn);
  };
  return {
    see: async (queries) => {
      const calls: (readonly MemberQuery[])[] = [];
      for (let k = 0; k < queries.length; k += IN_A_CALL) calls.push(queries.slice(k, k + IN_A_CALL));
      const views: MemberView[] = [];
      for (let k = 0; k < calls.length; k += AT_ONCE) {
        views.push(...(await Promise.all(calls.slice(k, k + AT_ONCE).map(look))).flat());
      }
      return views;
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

/** A word of `CourtLens`. */
function viewIn(word: bigint): MemberView {
  const isSet = (bit: bigint) => (word >> bit) % 2n === 1n;
  return {
    verdict: Number(word & 0xffn) as Verdict,
    mayUse: isSet(8n),
    wasMember: isSet(9n),
    holder: isSet(16n) ? getAddress(toBeHex(word >> 96n, 20)) : undefined,
    agrees: isSet(24n),
    budget: (word >> 32n) & (2n ** 64n - 1n),
  };
}
