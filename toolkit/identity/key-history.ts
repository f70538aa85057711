import { type ContractRunner, encodeBytes32String, getAddress, type Log } from "ethers";
import { type DeviceRegistry, DeviceRegistry__factory } from "../contracts.js";
import { concat, fromHex, toHex } from "../internal/bytes.js";
import { p256Multikey } from "./did.js";
import { type DeviceId, deviceIdOf, KEY_KINDS, type PublicKey } from "./keys.js";
import { ACTIVE } from "./states.js";

const KEY_DELEGATE = encodeBytes32String("sigAuth");
const KEY_ATTRIBUTE = encodeBytes32String("did/pub/Multikey/sigAuth");

/**
 * Whether a key spoke for a device in a second that is past, as the registry would have answered then: it was the device's, and the device
 * active. In the second of a change the change counts already.
 *
 * @param registry Address of the registry.
 * @param runner A node that keeps the events of a device whose key or state has changed.
 * @param time Unix seconds.
 */
export async function spokeFor(
  registry: string,
  runner: ContractRunner,
  device: DeviceId,
  key: PublicKey,
  time: bigint,
): Promise<boolean> {
  const contract = DeviceRegistry__factory.connect(registry, runner);
  const [{ state, kind, activatedAt, stateSince }, { number }] = await Promise.all([
    contract.deviceOf(device),
    contract.keyOf(device),
  ]);
  if (state === 0n || activatedAt > time || (state !== ACTIVE && stateSince <= time)) return false;
  if (stateSince > time && !(await wasActive(contract, device, time))) return false;
  // The first key still holds, and the id commits to it: nothing to look up.
  if (number === 1n) return deviceIdOf(key.material) === device && BigInt(KEY_KINDS[key.kind]) === kind;
  return await wasShown(contract, device, key, time, BigInt(KEY_KINDS[key.kind]) === kind);
}

/** By the last event about holds up to that second; what ends a life, `deviceOf` has told. */
async function wasActive(contract: DeviceRegistry, device: DeviceId, time: bigint): Promise<boolean> {
  const [suspended, resumed] = await Promise.all([
    contract.queryFilter(contract.filters.DeviceSuspended(undefined, device)),
    contract.queryFilter(contract.filters.DeviceResumed(undefined, device)),
  ]);
  const last = await lastUntil(time, [...suspended, ...resumed]);
  return !last || resumed.some((event) => event === last && event.args.left === 0n);
}

/**
 * By the last event about this key up to that second. Events show an account alike whether it signs itself or its code does (EIP-7702): of the
 * present key the registry tells which.
 */
async function wasShown(
  contract: DeviceRegistry,
  device: DeviceId,
  key: PublicKey,
  time: bigint,
  isPresentKind: boolean,
): Promise<boolean> {
  const shown = shownAs(key);
  const [delegates, attributes] = await Promise.all([
    contract.queryFilter(contract.filters.DIDDelegateChanged(device)),
    contract.queryFilter(contract.filters.DIDAttributeChanged(device)),
  ]);
  const shows = [
    ...delegates.filter(({ args }) => args.delegateType === KEY_DELEGATE && args.delegate === shown),
    ...attributes.filter(({ args }) => args.name === KEY_ATTRIBUTE && args.value === shown),
  ];
  const latest = latestFirst(shows)[0];
  const last = await lastUntil(time, shows);
  if (!last || last.args.validTo < time) return false;
  return isPresentKind || last !== latest;
}

async function lastUntil<Event extends Log>(time: bigint, events: readonly Event[]): Promise<Event | undefined> {
  for (const event of latestFirst(events)) if (BigInt((await event.getBlock()).timestamp) <= time) return event;
  return undefined;
}

function latestFirst<Event extends Log>(events: readonly Event[]): Event[] {
  return [...events].sort((a, b) => b.blockNumber - a.blockNumber || b.index - a.index);
}

/** How the registry's events name a key: an account by its address, others by their Multikey. */
function shownAs({ kind, material }: PublicKey): string {
  switch (kind) {
    case "secp256k1":
      return deviceIdOf(material);
    case "erc1271":
      return getAddress(toHex(material));
    case "p256":
      return toHex(p256Multikey(material));
    case "rsa2048":
      return toHex(concat(fromHex("0x85243082010a0282010100"), material.subarray(160), fromHex("0x0203010001")));
  }
}
