import { fromHex, toHex, uintBytes } from "../internal/bytes.js";
import { leafHash, type MerkleProof, MerkleTree } from "../internal/merkle.js";

/** What an account has earned in all epochs together, and all accounts before it; ITC of 18 decimals. */
export interface Earnings {
  readonly account: string;
  readonly earned: bigint;
  readonly before: bigint;
}

/** A leaf and its place, as `PayoutRoller` takes it. Siblings are hex. */
export interface ShownEarnings {
  readonly leaf: Earnings;
  readonly index: bigint;
  readonly siblings: string[];
}

/** Many leaves with one proof, as `PayoutPool.claimBatch` and `expire` take them. */
export interface EarningsBatch {
  readonly leaves: Earnings[];
  readonly places: bigint[];
  readonly size: bigint;
  readonly siblings: string[];
}

/** The leaf of an account: keccak256(0x00 ‖ account ‖ earned ‖ before), amounts of 16 bytes. */
export function payoutLeaf({ account, earned, before }: Earnings): Uint8Array {
  return leafHash(fromHex(account), uintBytes(earned, 16), uintBytes(before, 16));
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

/** Each account with what it has earned, in the order of accounts, with running sums. */
export function earningsInOrder(earned: ReadonlyMap<string, bigint>): Earnings[] {
  let before = 0n;
  return [...earned]
    .map(([account, amount]) => ({ account, amount, key: account.toLowerCase() }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ account, amount }) => {
      const leaf = { account, earned: amount, before };
      before += amount;
      return leaf;
    });
}

/**
 * The tree that `PayoutPool` pays by: every account with what it has earned in all epochs, sorted by account.
 *
 * @example
 * const { leaf, path, siblings } = tree.claimOf(account);
 * await pool.claim(leaf.account, leaf.earned, leaf.before, path, siblings);
 */
export class PayoutTree {
  readonly leaves: readonly Earnings[];
  private readonly tree: MerkleTree;
  private readonly places = new Map<string, number>();

  /** @param earned ITC by account, 18 decimals; at least one account. Or leaves as they are, right or wrong. */
  constructor(earned: ReadonlyMap<string, bigint> | readonly Earnings[]) {
    this.leaves = earned instanceof Map ? earningsInOrder(earned) : (earned as readonly Earnings[]);
    this.tree = new MerkleTree(this.leaves.map(payoutLeaf));
    for (const [place, { account }] of this.leaves.entries()) this.places.set(account.toLowerCase(), place);
  }

  /** 32 bytes as hex. */
  get root(): string {
    return toHex(this.tree.root);
  }

  /** How many accounts there are. */
  get size(): number {
    return this.leaves.length;
  }

  /** What all accounts have earned. */
  get total(): bigint {
    return this.leaves.reduce((sum, { earned }) => sum + earned, 0n);
  }

  /** ITC by account. */
  get earned(): Map<string, bigint> {
    return new Map(this.leaves.map(({ account, earned }) => [account, earned]));
  }

  /** The proof with which the account's earnings are claimed. */
  prove(account: string): MerkleProof {
    return this.tree.prove(this.placeOf(account));
  }

  /** What `PayoutPool.claim`, `claimTo` and `claimInto` take; siblings are hex. */
  claimOf(account: string): { leaf: Earnings; path: bigint; siblings: string[] } {
    const place = this.placeOf(account);
    const { path, siblings } = this.tree.prove(place);
    return { leaf: this.leafAt(place), path, siblings: siblings.map(toHex) };
  }

  /** Many accounts with one proof, in the order that the pool needs. */
  batchOf(accounts: Iterable<string>): EarningsBatch {
    const places = [...new Set([...accounts].map((account) => this.placeOf(account)))].sort((a, b) => a - b);
    return {
      leaves: places.map((place) => this.leafAt(place)),
      places: places.map(BigInt),
      size: BigInt(this.size),
      siblings: this.tree.proveMany(places).map(toHex),
    };
  }

  /** The leaf at an index with its proof: an answer to a demand, and what challenges are made of. */
  show(index: number): ShownEarnings {
    const { siblings } = this.tree.prove(index);
    return { leaf: this.leafAt(index), index: BigInt(index), siblings: siblings.map(toHex) };
  }

  /** What the tree grants an account: its leaf, or the one or two leaves beside which it would stand. */
  showGranted(account: string): ShownEarnings[] {
    const key = account.toLowerCase();
    const place = this.places.get(key);
    if (place !== undefined) return [this.show(place)];
    const after = this.leaves.findIndex((leaf) => leaf.account.toLowerCase() > key);
    if (after === 0) return [this.show(0)];
    return after === -1 ? [this.show(this.size - 1)] : [this.show(after - 1), this.show(after)];
  }

  /** The account's leaf, or nothing. */
  showLeaf(account: string): ShownEarnings[] {
    return this.places.has(account.toLowerCase()) ? this.showGranted(account) : [];
  }

  private placeOf(account: string): number {
    const place = this.places.get(account.toLowerCase());
    if (place === undefined) throw new RangeError(`Account ${account} has earned nothing.`);
    return place;
  }

  private leafAt(place: number): Earnings {
    const leaf = this.leaves[place];
    if (!leaf) throw new RangeError(`There is no leaf ${place}.`);
    return leaf;
  }
}
