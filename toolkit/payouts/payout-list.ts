import { getAddress } from "ethers";
import { concat, fromHex, toHex, uintBytes } from "../internal/bytes.js";

/** Most accounts on a list that `PayoutLists` takes. */
export const MAX_LIST = 500;

/**
 * The words that `PayoutLists.rollList` and `push` take: account (20 bytes) ‖ ITC (12 bytes), in the order of accounts. Accounts that nothing
 * is due to are left out.
 *
 * @param shares ITC by account, 18 decimals.
 */
export function payoutList(shares: ReadonlyMap<string, bigint>): string[] {
  const words = [...shares]
    .filter(([, amount]) => amount > 0n)
    .map(([account, amount]) => toHex(concat(fromHex(account), uintBytes(amount, 12))))
    .sort();
  if (words.length > MAX_LIST) throw new RangeError(`A list has ${MAX_LIST} accounts at most, not ${words.length}.`);
  return words;
}

/** The shares that a list grants, by checksummed address. */
export function readPayoutList(words: readonly string[]): Map<string, bigint> {
  return new Map(words.map((word) => [getAddress(word.slice(0, 42)), BigInt(`0x${word.slice(42)}`)]));
}
