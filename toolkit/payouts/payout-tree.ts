import { fromHex, toHex, uintBytes } from "../internal/bytes.js";
import { leafHash, type MerkleProof, MerkleTree } from "../internal/merkle.js";

/** The leaf of an account: keccak256(0x00 ‖ account ‖ ITC earned in all epochs). */
export function payoutLeaf(account: string, earned: bigint): Uint8Array {
  return leafHash(fromHex(account), uintBytes(earned, 32));
}

/** Adds an epoch's shares to what accounts had earned before. */
export function addEarnings(
  earned: ReadonlyMap<string, bigint>,
  shares: ReadonlyMap<string, bigint>,
): Map<string, bigint> {
  const sum = new Map(earned);
  for (const [account, share] of shares) sum.set(account, (sum.get(account) ?? 0n) + share);
  return sum;
}

/** The tree that `PayoutPool` pays by: every account with what it has earned in all epochs, sorted by account. */
export class PayoutTree {
  private readonly tree: MerkleTree;
  private readonly places = new Map<string, number>();

  /** @param earned ITC by account, 18 decimals; at least one account. */
  constructor(readonly earned: ReadonlyMap<string, bigint>) {
    const accounts = [...earned].sort(([a], [b]) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1));
    this.tree = new MerkleTree(accounts.map(([account, amount]) => payoutLeaf(account, amount)));
    for (const [place, [account]] of accounts.entries()) this.places.set(account, place);
  }

  /** 32 bytes as hex. */
  get root(): string {
    return toHex(this.tree.root);
  }

  /** The proof with which the account's earnings are claimed. */
  prove(account: string): MerkleProof {
    const place = this.places.get(account);
    if (place === undefined) throw new RangeError(`Account ${account} has earned nothing.`);
    return this.tree.prove(place);
  }
}
