import type { DeviceId, KeyKind, PublicKey } from "../identity/keys.js";
import { concat, uintBytes } from "../internal/bytes.js";
import type { BatchHeader } from "./batches.js";
import type { BatchStatement, CommittedBatch } from "./committed-batch.js";
import type { Kept, Queue, Row, Served } from "./gateway-queue.js";
import type { CommittedValues } from "./zk-values.js";

/** A batch in a device's word, on its way into the device's log or there. */
export interface Stated {
  /** The device's row in the queue. */
  readonly row: bigint;
  readonly index: bigint;
  readonly entry: Uint8Array;
  readonly signature: Uint8Array;
  /** The key that has signed it. */
  readonly key: PublicKey;
  readonly keyRow: bigint;
  readonly header: BatchHeader;
  /** What the commitment opens to. Undefined once it was pruned. */
  readonly committed: CommittedValues | undefined;
  /** Block below which the chain can't hold it, as far as is known. */
  readonly since: bigint | undefined;
  /** Time and number of the block that holds it, as the node said last. */
  readonly time: bigint | undefined;
  readonly block: bigint | undefined;
  readonly final: boolean;
}

/** A value as a signed integer, though 5 bytes would hold it. */
const VALUE_BYTES = 8;
const SIGN = 64;

/** The statements in a queue file. Each has all that a proof takes, so that readings can be pruned meanwhile. */
export class Statements {
  constructor(private readonly queue: Queue) {}

  /** Keeps a statement, instead of one for the same place that isn't in the log, and marks its readings: one step. */
  add(
    device: Served,
    { index, entry, salt, signature }: BatchStatement,
    made: CommittedBatch,
    readings: readonly Kept[],
    now: bigint,
  ): void {
    const { header } = made.batch;
    const { firstSequence, values } = made.committed;
    this.queue.transaction(() => {
      this.free(device.row, index);
      this.queue.run(
        `INSERT INTO committed (device, place, key, first, count, root, earliest, latest, schema, commitment, entry, salt, content, signature,
        stated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        ...[device.row, index, device.keyRow, BigInt.asIntN(SIGN, firstSequence), header.count, header.root],
        ...[header.first, header.last, header.schema, header.values, entry, salt],
        ...[concat(...values.map((value) => uintBytes(BigInt.asUintN(SIGN, value), VALUE_BYTES))), signature, now],
      );
      for (const { row } of readings) this.queue.run("UPDATE reading SET own = ? WHERE id = ?", index, row);
    });
  }

  /** Forgets a statement that another entry has overtaken; its readings may be stated again. */
  drop({ row, index }: Stated): void {
    this.queue.transaction(() => this.free(row, index));
  }

  at(device: DeviceId, index: bigint): Stated | undefined {
    return this.list("WHERE device.address = ? AND committed.place = ?", device, index)[0];
  }

  /** A device's statements that stand in its log for good, from a position on. */
  final(device: DeviceId, from: bigint, most: number): Stated[] {
    const where = "WHERE device.address = ? AND committed.final = 1 AND place >= ? ORDER BY place LIMIT ?";
    return this.list(where, device, from, most);
  }

  /** The first statement that isn't in the log and whose key the device no longer has. */
  stale({ row, keyRow }: Served): Stated | undefined {
    const where = "WHERE committed.device = ? AND committed.time IS NULL AND committed.key <> ? ORDER BY place LIMIT 1";
    return this.list(where, row, keyRow)[0];
  }

  /** Where a device's next statement stands if no other entry comes before it: behind `size` entries and all other statements. */
  next(device: bigint, size: bigint): bigint {
    const sql = "SELECT MAX(?, COALESCE(MAX(place) + 1, 0)) FROM committed WHERE device = ?";
    return this.queue.count(sql, size, device);
  }

  /** Statements that aren't final, of some devices after one, in the order of their logs. */
  relaying(after: bigint, devices: number): Stated[] {
    const some = "SELECT DISTINCT device FROM committed WHERE final = 0 AND device > ? ORDER BY device LIMIT ?";
    return this.list(
      `WHERE committed.final = 0 AND committed.device IN (${some}) ORDER BY committed.device, place`,
      after,
      devices,
    );
  }

  count(final: 0 | 1): bigint {
    return this.queue.count("SELECT COUNT(*) FROM committed WHERE final = ?", BigInt(final));
  }

  /** Readings that can't be committed to, so that they aren't looked at again. */
  pass(rows: readonly bigint[]): void {
    this.queue.transaction(() => {
      for (const row of rows) this.queue.run("UPDATE reading SET own = -1 WHERE id = ?", row);
    });
  }

  seek({ row, index }: Stated, since: bigint): void {
    this.queue.run(
      "UPDATE committed SET since = MIN(COALESCE(since, ?), ?) WHERE device = ? AND place = ?",
      since,
      since,
      row,
      index,
    );
  }

  /** What the chain says of it; without a time, that it isn't there. */
  place({ row, index }: Stated, found?: { readonly time: bigint; readonly block: bigint }, final = false): void {
    this.queue.run(
      "UPDATE committed SET time = ?, block = ?, final = ? WHERE device = ? AND place = ?",
      ...[found?.time ?? null, found?.block ?? null, final ? 1n : 0n, row, index],
    );
  }

  /** Forgets values and salts of what was final before a time. */
  prune(before: bigint): void {
    const sql = "UPDATE committed SET content = x'', salt = x'' WHERE final = 1 AND stated < ? AND length(salt) > 0";
    this.queue.run(sql, before);
  }

  private free(device: bigint, index: bigint): void {
    const where = "WHERE device = ? AND place = ?";
    this.queue.run(
      `UPDATE reading SET own = NULL WHERE device = ? AND own = ? AND sequence BETWEEN (SELECT first FROM committed ${where})
      AND (SELECT first + count - 1 FROM committed ${where})`,
      ...[device, index, device, index, device, index],
    );
    this.queue.run(`DELETE FROM committed ${where}`, device, index);
  }

  private list(rest: string, ...values: (bigint | number | string)[]): Stated[] {
    const sql = `SELECT committed.*, address, kind, material FROM committed
      JOIN device ON device.id = committed.device JOIN key ON key.id = committed.key ${rest}`;
    return this.queue.all(sql, ...values).map(statedOf);
  }
}

function statedOf(row: Row): Stated {
  const bytes = (name: string): Uint8Array => row[name] as Uint8Array;
  const whole = (name: string): bigint => row[name] as bigint;
  const optional = (name: string): bigint | undefined => (row[name] as bigint | null) ?? undefined;
  const device = row.address as DeviceId;
  const salt = bytes("salt");
  const header = {
    root: bytes("root"),
    count: whole("count"),
    first: whole("earliest"),
    last: whole("latest"),
    schema: bytes("schema"),
    values: bytes("commitment"),
  };
  return {
    row: whole("device"),
    index: whole("place"),
    entry: bytes("entry"),
    signature: bytes("signature"),
    key: { kind: row.kind as KeyKind, material: bytes("material"), id: device },
    keyRow: whole("key"),
    header,
    committed:
      salt.length === 0
        ? undefined
        : { device, firstSequence: BigInt.asUintN(SIGN, whole("first")), values: valuesOf(bytes("content")), salt },
    since: optional("since"),
    time: optional("time"),
    block: optional("block"),
    final: row.final === 1n,
  };
}

function valuesOf(content: Uint8Array): bigint[] {
  const buffer = Buffer.from(content);
  return Array.from({ length: content.length / VALUE_BYTES }, (_, k) => buffer.readBigInt64BE(k * VALUE_BYTES));
}
