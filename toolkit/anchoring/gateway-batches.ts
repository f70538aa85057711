import { nodeHash } from "../internal/merkle.js";
import type { Batch } from "./batches.js";
import type { Kept, Queue, Row } from "./gateway-queue.js";
import { peakHeight } from "./mountain-range.js";

/** A batch on its way into the log. */
export interface Sealed {
  /** Counts from 0 in this queue; its index in the log is this much above the queue's base. */
  readonly number: bigint;
  readonly entry: Uint8Array;
  readonly count: bigint;
  /** What is sent for it, once it was signed. */
  readonly attempt: Attempt | undefined;
  /** Block below which the chain can't hold it. */
  readonly since: bigint | undefined;
  /** Time and number of the block that holds it, as the node said last. */
  readonly time: bigint | undefined;
  readonly block: bigint | undefined;
  readonly final: boolean;
}

/** A signed transaction. Fees are wei a unit of gas. */
export interface Attempt {
  readonly nonce: bigint;
  readonly raw: string;
  readonly maxFee: bigint;
  readonly tip: bigint;
  /** Number of the latest block when it was signed. */
  readonly sent: bigint;
}

/** Where the log stood when the queue was begun. */
export interface Base {
  /** Entries that were there. */
  readonly size: bigint;
  readonly block: bigint;
}

/** Batches of a queue, and the nodes of the log that they are in. */
export class Batches {
  constructor(private readonly queue: Queue) {}

  get base(): Base | undefined {
    const row = this.queue.get("SELECT base, base_block FROM owner WHERE base IS NOT NULL");
    return row && { size: row.base as bigint, block: row.base_block as bigint };
  }

  begin({ size, block }: Base, leaves: readonly Uint8Array[]): void {
    this.queue.transaction(() => {
      for (const leaf of leaves) this.append(leaf);
      this.queue.run("UPDATE owner SET base = ?, base_block = ?", size, block);
    });
  }

  /** How many there are. */
  get size(): bigint {
    return this.queue.count("SELECT MAX(number) + 1 FROM batch");
  }

  /** How many are final; these are the first. */
  get final(): bigint {
    const unfinished = this.queue.get("SELECT MIN(number) AS first FROM batch WHERE final = 0")?.first as bigint | null;
    return unfinished ?? this.size;
  }

  /** How many are in the log as the node said last. */
  get anchored(): bigint {
    return this.final + this.queue.count("SELECT COUNT(*) FROM batch WHERE final = 0 AND time IS NOT NULL");
  }

  /** Keeps a batch and its readings' places, in one step; the next number is its own from now on. */
  seal({ header, entry }: Batch, readings: readonly Kept[], now: bigint): bigint {
    return this.queue.transaction(() => {
      const number = this.size;
      this.queue.run(
        "INSERT INTO batch (number, schema, entry, count, sealed) VALUES (?, ?, ?, ?, ?)",
        ...[number, header.schema, entry, header.count, now],
      );
      readings.forEach(({ row }, place) => {
        this.queue.run("UPDATE reading SET batch = ?, place = ? WHERE id = ? AND batch IS NULL", number, place, row);
      });
      return number;
    });
  }

  at(number: bigint): Sealed | undefined {
    const row = this.queue.get("SELECT * FROM batch WHERE number = ?", number);
    return row && sealedOf(row);
  }

  /** Batches from `first` on up to and without `end`. */
  between(first: bigint, end: bigint): Sealed[] {
    const sql = "SELECT * FROM batch WHERE number >= ? AND number < ? ORDER BY number";
    return this.queue.all(sql, first, end).map(sealedOf);
  }

  /** Batches from `first` on that are in the log as the node said last. */
  anchoredFrom(first: bigint): Sealed[] {
    const sql = "SELECT * FROM batch WHERE number >= ? AND time IS NOT NULL ORDER BY number";
    return this.queue.all(sql, first).map(sealedOf);
  }

  /** Keeps a signed transaction, before anyone sees it. */
  attempt(number: bigint, { nonce, raw, maxFee, tip, sent }: Attempt): void {
    const sql = `UPDATE batch SET nonce = ?, raw = ?, max_fee = ?, tip = ?, sent = ?, since = MIN(COALESCE(since, ?), ?)
      WHERE number = ?`;
    this.queue.run(sql, nonce, raw, maxFee, tip, sent, sent, sent, number);
  }

  place(number: bigint, time: bigint, block: bigint): void {
    this.queue.run("UPDATE batch SET time = ?, block = ? WHERE number = ?", time, block, number);
  }

  /** The chain no longer holds these. */
  displace(first: bigint): void {
    this.queue.run("UPDATE batch SET time = NULL, block = NULL, final = 0 WHERE number >= ?", first);
  }

  /** What was final is to be looked at again. */
  doubt(first: bigint): void {
    this.queue.run("UPDATE batch SET final = 0 WHERE number >= ?", first);
  }

  finish(number: bigint): void {
    this.queue.run("UPDATE batch SET final = 1, raw = NULL, nonce = NULL WHERE number = ?", number);
  }

  /** Entries of the log whose nodes are kept. */
  get logSize(): bigint {
    return this.queue.count("SELECT MAX(place) + 1 FROM node WHERE height = 0");
  }

  /** Adds a leaf and what it completes, see `MountainRange.append`. */
  append(leaf: Uint8Array): void {
    let place = this.logSize;
    let node = leaf;
    for (let height = 0; ; height++) {
      this.queue.run("INSERT INTO node (height, place, hash) VALUES (?, ?, ?)", height, place, node);
      if (place % 2n === 0n) return;
      node = nodeHash(this.node(height, place - 1n), node);
      place /= 2n;
    }
  }

  /** Forgets all but the first `size` entries. */
  truncate(size: bigint): void {
    this.queue.run("DELETE FROM node WHERE (place + 1) << height > ?", size);
  }

  /** The root of the log when it had `size` entries; undefined for none. */
  rootAt(size: bigint): Uint8Array | undefined {
    let root: Uint8Array | undefined;
    for (let height = 0; size >> BigInt(height) > 0n; height++) {
      const trees = size >> BigInt(height);
      if (trees % 2n === 0n) continue;
      const peak = this.node(height, trees - 1n);
      root = root ? nodeHash(peak, root) : peak;
    }
    return root;
  }

  /** The siblings of an entry up to its peak when the log had `size` entries. */
  siblings(index: bigint, size: bigint): Uint8Array[] {
    const height = peakHeight(index, size);
    return Array.from({ length: height }, (_, level) => this.node(level, (index >> BigInt(level)) ^ 1n));
  }

  private node(height: number, place: bigint): Uint8Array {
    const row = this.queue.get("SELECT hash FROM node WHERE height = ? AND place = ?", height, place);
    if (!row) throw new RangeError(`No node ${place} of height ${height}.`);
    return row.hash as Uint8Array;
  }
}

function sealedOf(row: Row): Sealed {
  const optional = (name: string): bigint | undefined => (row[name] as bigint | null) ?? undefined;
  const attempt = row.raw === null ? undefined : attemptOf(row);
  return {
    number: row.number as bigint,
    entry: row.entry as Uint8Array,
    count: row.count as bigint,
    attempt,
    since: optional("since"),
    time: optional("time"),
    block: optional("block"),
    final: row.final === 1n,
  };
}

function attemptOf(row: Row): Attempt {
  return {
    nonce: row.nonce as bigint,
    raw: row.raw as string,
    maxFee: row.max_fee as bigint,
    tip: row.tip as bigint,
    sent: row.sent as bigint,
  };
}
