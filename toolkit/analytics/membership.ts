import { dataSlice, getAddress, type Provider, ZeroHash } from "ethers";
import { ConsentRegistry__factory, DeviceRegistry__factory } from "../contracts.js";
import type { DeviceId } from "../identity/keys.js";
import { paged } from "../internal/pages.js";
import { Verdict } from "./court-model.js";
import { type CourtAddresses, courtViews } from "./court-views.js";
import type { AnalysisRequest } from "./requests.js";
import { compareLeaves, Origin } from "./result-tree.js";

/** A device that belongs into a result, with its owner at the snapshot. */
export interface Member {
  readonly owner: string;
  readonly device: DeviceId;
  /** Whether it may contribute; else its leaf is withheld. */
  readonly isEligible: boolean;
  /** Whether the contracts know that the owner had it at the snapshot: only then can anyone complain that it is missing. */
  readonly isKnown: boolean;
  /** Millionths of epsilon that the owner allows; {@link UNLIMITED} also allows exact partials. */
  readonly budget: bigint;
}

/** The budget without limit. */
export const UNLIMITED: bigint = 2n ** 64n - 1n;

/** Where to ask. */
export type MembershipAddresses = CourtAddresses;

/** Between which blocks. */
export interface BlockSpan {
  /** One before the first event of registry and consents; 0 if left out. */
  readonly fromBlock?: number;
  /** Calls are for the state after this block; the latest if left out. */
  readonly toBlock?: number;
}

/**
 * Who belongs into a result, in the order of its leaves: every device that was live by the snapshot (of the lot that is asked for, if one is), whose
 * owner then had consented on terms that the request keeps. That is more than are eligible now, on purpose: a device that is suspended, badly
 * attested, or of too low assurance today may be eligible tomorrow, and its absence can then be challenged; a withheld leaf of a member
 * never can.
 *
 * @param snapshot The second of the request: `requestedAt` of `statusOf`.
 * @example
 * const members = await membersAt(provider, addresses, request, requestedAt);
 */
export async function membersAt(
  provider: Provider,
  addresses: MembershipAddresses,
  request: AnalysisRequest,
  snapshot: bigint,
  { fromBlock = 0, toBlock }: BlockSpan = {},
): Promise<Member[]> {
  const latest = toBlock ?? (await provider.getBlockNumber());
  const last = await lastBlockAt(provider, snapshot, latest);
  const owners = await ownersWhoAgreed(provider, addresses.ConsentRegistry, request.purpose, fromBlock, last);
  const held = await devicesOf(provider, addresses.DeviceRegistry, request.filter.lot, owners, fromBlock, last);
  const views = courtViews(provider, addresses, request, snapshot, latest);
  // Of what they have spent nothing is known yet, and nothing is asked.
  const asked = [...held].map(([device, owner]) => ({ device, owner, origin: Origin.Withheld, spent: 0n }));
  const members: Member[] = [];
  for (const [k, { verdict, holder, agrees, budget }] of (await views.see(asked)).entries()) {
    const { device, owner } = asked[k] ?? {};
    if (!agrees || device === undefined || owner === undefined) continue;
    members.push({ owner, device, isEligible: verdict === Verdict.Eligible, isKnown: holder === owner, budget });
  }
  return members.sort(compareLeaves);
}

/** The last block of a second or of one before it. */
async function lastBlockAt(provider: Provider, time: bigint, latest: number): Promise<number> {
  let [low, high] = [0, latest];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const block = await provider.getBlock(middle);
    if (block && BigInt(block.timestamp) <= time) low = middle;
    else high = middle - 1;
  }
  return low;
}

async function ownersWhoAgreed(
  provider: Provider,
  address: string,
  purpose: string,
  from: number,
  to: number,
): Promise<Set<string>> {
  const contract = ConsentRegistry__factory.connect(address, provider);
  const { ConsentGranted, DevicesGranted } = contract.filters;
  const found = new Set<string>();
  const note = ({ args }: { args: { owner: string } }) => void found.add(args.owner);
  await paged(from, to, async (a, b) => {
    const [general, listed] = await Promise.all([
      contract.queryFilter(ConsentGranted(undefined, purpose), a, b),
      contract.queryFilter(DevicesGranted(undefined, purpose), a, b),
    ]);
    general.forEach(note);
    listed.forEach(note);
  });
  return found;
}

/** A node finds the transfers of so many owners; of more, whoever asks sifts all transfers. */
const MOST_NAMED = 64;

async function transfersOf(
  provider: Provider,
  registry: string,
  owners: ReadonlySet<string>,
  from: number,
  to: number,
) {
  const named = [...owners];
  const asked = named.length > MOST_NAMED ? [[]] : [[null, named], [named]];
  const events = DeviceRegistry__factory.createInterface();
  const logs = await Promise.all(
    asked.map((values) => {
      const topics = events.encodeFilterTopics("Transfer", values);
      return provider.getLogs({ address: registry, topics, fromBlock: from, toBlock: to });
    }),
  );
  return logs.flat().sort((a, b) => a.blockNumber - b.blockNumber || a.index - b.index);
}

/** Devices by what the registry's events say of who had them at the end of the last block, of these owners alone. */
async function devicesOf(
  provider: Provider,
  registry: string,
  lot: string,
  owners: ReadonlySet<string>,
  from: number,
  to: number,
): Promise<Map<DeviceId, string>> {
  const contract = DeviceRegistry__factory.connect(registry, provider);
  const { DeviceActivated } = contract.filters;
  const held = new Map<DeviceId, string>();
  const ofLot = new Set<string>();
  if (owners.size === 0) return held;
  await paged(from, to, async (a, b) => {
    for (const { topics } of await transfersOf(provider, registry, owners, a, b)) {
      const [holder = "", device = ""] = topics.slice(2).map((topic) => getAddress(dataSlice(topic, 12)));
      if (owners.has(holder)) held.set(device as DeviceId, holder);
      else held.delete(device as DeviceId);
    }
    if (lot === ZeroHash) return;
    for (const { args } of await contract.queryFilter(DeviceActivated(lot), a, b)) ofLot.add(args.device);
  });
  if (lot !== ZeroHash) for (const device of held.keys()) if (!ofLot.has(device)) held.delete(device);
  return held;
}
