import { type ContractRunner, encodeBytes32String, getAddress, type Log } from "ethers";
import { type DeviceRegistry, DeviceRegistry__factory } from "../contracts.js";
import { concat, fromHex, toHex } from "../internal/bytes.js";
import { p256Multikey } from "./did.js";
import { type DeviceId, deviceIdOf, KEY_KINDS, type PublicKey } from "./keys.js";

const KEY_DELEGATE = encodeBytes32String("sigAuth");
const KEY_ATTRIBUTE = encodeBytes32String("did/pub/Multikey/sigAuth");
const ACTIVE = 1n;

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
  return await wasShown(contract, device, key, time);
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

/** By the last event about this key up to that second. */
async function wasShown(contract: DeviceRegistry, device: DeviceId, key: PublicKey, time: bigint): Promise<boolean> {
  const shown = shownAs(key);
  const [delegates, attributes] = await Promise.all([
    contract.queryFilter(contract.filters.DIDDelegateChanged(device)),
    contract.queryFilter(contract.filters.DIDAttributeChanged(device)),
  ]);
  const last = await lastUntil(time, [
    ...delegates.filter(({ args }) => args.delegateType === KEY_DELEGATE && args.delegate === shown),
    ...attributes.filter(({ args }) => args.name === KEY_ATTRIBUTE && args.value === shown),
  ]);
  return last !== undefined && last.args.validTo >= time;
}

async function lastUntil<Event extends Log>(time: bigint, events: readonly Event[]): Promise<Event | undefined> {
  const latestFirst = [...events].sort((a, b) => b.blockNumber - a.blockNumber || b.index - a.index);
  for (const event of latestFirst) if (BigInt((await event.getBlock()).timestamp) <= time) return event;
  return undefined;
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
