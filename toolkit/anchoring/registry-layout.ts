import { concat, fromHex, keccak256, uintBytes, word } from "../internal/bytes.js";

// Where contracts keep what state proofs show. A test compares all of it with the layout that solc reports: contracts that firmware pins
// can't move a slot, later versions have other addresses.

/** Slots of mappings in `DataAnchor`. */
export const ANCHOR_SLOTS = { _logs: 2n } as const;

/** Slots of mappings in `DeviceRegistry`; those of the struct `DeviceStore.Layout` by their own name. */
export const REGISTRY_SLOTS = {
  _issuers: 6n,
  _lots: 7n,
  _lotByNumber: 8n,
  devices: 16n,
  keys: 17n,
  kinds: 22n,
} as const;

/** The fields that share a word, each with the byte that it begins at and its bytes, counted from the low end. */
export type Fields = Readonly<Record<string, readonly [offset: number, length: number]>>;

/** `MountainRange.Head`. */
export const HEAD = { size: [0, 8], time: [8, 8] } as const satisfies Fields;

/** `DeviceStore.Device`. */
export const DEVICE = {
  state: [0, 1],
  holds: [1, 1],
  kind: [3, 1],
  assurance: [4, 1],
  activatedAt: [5, 5],
  stateSince: [15, 5],
  lotNumber: [20, 5],
  keyEvents: [30, 2],
} as const satisfies Fields;

/** `DeviceStore.Key`: 240 bits of the signer's hash. */
export const KEY = { hash: [0, 30] } as const satisfies Fields;

/** `DeviceStore.Kind`, its first word. */
export const KIND = { verifier: [0, 20] } as const satisfies Fields;

/** `LotBook.Lot`. */
export const LOT = { issuer: [0, 4], assurance: [19, 1], state: [20, 1] } as const satisfies Fields;

/** `LotBook.Issuer`. */
export const ISSUER = { account: [0, 20], revoked: [20, 1] } as const satisfies Fields;

/** Takes a word apart. */
export function fieldsOf<Layout extends Fields>(layout: Layout, value: bigint): { [Name in keyof Layout]: bigint } {
  const entries = Object.entries(layout).map(([name, [offset, length]]) => [
    name,
    BigInt.asUintN(length * 8, value >> BigInt(offset * 8)),
  ]);
  return Object.fromEntries(entries);
}

/** The slot of a mapping's value: keccak256(key ‖ slot), both as words. */
export function mappingSlot(key: Uint8Array | bigint, slot: bigint): bigint {
  const keyWord = typeof key === "bigint" ? uintBytes(key, 32) : word(key);
  return BigInt(`0x${Buffer.from(keccak256(concat(keyWord, uintBytes(slot, 32)))).toString("hex")}`);
}

/** The slots of a publisher's log: its head, and behind it a peak for each height. */
export function logSlots(publisher: string): { head: bigint; peak(height: number): bigint } {
  const head = mappingSlot(fromHex(publisher), ANCHOR_SLOTS._logs);
  return { head, peak: (height) => head + 1n + BigInt(height) };
}
