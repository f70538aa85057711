import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { DeviceId, KeyKind, PublicKey } from "../identity/keys.js";
import { OPENING_BYTES } from "./committed-batch.js";
import type { GatewayReceipt } from "./gateway-receipts.js";
import { guarded, openStore, type QueueOwner } from "./gateway-store.js";
import type { SignedReading } from "./readings.js";

/** A device that a gateway serves. */
export interface Served {
  readonly row: bigint;
  readonly key: PublicKey;
  /** Its key's row. */
  readonly keyRow: bigint;
  readonly next: bigint;
  /** The code of the error that its readings are turned away with. */
  readonly stopped: string | undefined;
  readonly checked: bigint;
}

/** A reading as the queue keeps it. */
export interface Kept {
  readonly row: bigint;
  readonly keyRow: bigint;
  readonly reading: SignedReading;
  readonly key: PublicKey;
  readonly digest: Uint8Array;
  readonly payload: Uint8Array;
  readonly receipt: GatewayReceipt;
  /** Number of its batch in this queue and its place there, once it is sealed. */
  readonly batch: bigint | undefined;
  readonly place: bigint;
  /** Its batch's position in its device's own log, once the device has stated one; below 0 if it can't be committed to. */
  readonly own: bigint | undefined;
}

/** Two readings of one sequence number that contradict each other, both signed: what `proveEquivocation` takes. */
export interface Contradiction {
  readonly key: PublicKey;
  readonly readings: readonly [SignedReading, SignedReading];
}

/** Readings of one schema that no batch has yet. */
export interface Waiting {
  readonly count: bigint;
  readonly bytes: bigint;
  /** When the oldest came. */
  readonly since: bigint;
}

export type Row = Record<string, SQLInputValue>;

/** Devices and readings of a queue file. Nothing here awaits, so a call is one step that happens or doesn't. */
export class Queue {
  private readonly statements = new Map<string, StatementSync>();

  private constructor(
    private readonly file: string,
    private readonly store: DatabaseSync,
    private readonly publisher: string,
  ) {}

  /** Errors: those of {@link openStore}. */
  static async open(file: string, owner: QueueOwner): Promise<Queue> {
    return new Queue(file, await openStore(file, owner), owner.publisher);
  }

  close(): void {
    this.store.close();
  }

  /** Runs `work` as one transaction: on disk when it returns, without a trace when it throws. */
  transaction<Result>(work: () => Result): Result {
    return guarded(this.file, () => {
      this.store.exec("BEGIN IMMEDIATE");
      try {
        const result = work();
        this.store.exec("COMMIT");
        return result;
      } catch (error) {
        // A full disk has rolled back already.
        if (this.store.isTransaction) this.store.exec("ROLLBACK");
        throw error;
      }
    });
  }

  run(sql: string, ...values: SQLInputValue[]): void {
    guarded(this.file, () => this.statement(sql).run(...values));
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return guarded(this.file, () => this.statement(sql).get(...values));
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return guarded(this.file, () => this.statement(sql).all(...values));
  }

  /** A number that a query gives. */
  count(sql: string, ...values: SQLInputValue[]): bigint {
    const row = this.get(sql, ...values);
    return (row && (Object.values(row)[0] as bigint | null)) ?? 0n;
  }

  /** Bytes of the file that are in use. */
  get bytes(): bigint {
    const pages = this.count("PRAGMA page_count") - this.count("PRAGMA freelist_count");
    return pages * this.count("PRAGMA page_size");
  }

  /** Serves a device with this key. Its next number never goes back: what has been taken stays taken. */
  admit({ id, kind, material }: PublicKey, next: bigint, now: bigint): void {
    this.transaction(() => {
      const known = this.device(id)?.next ?? 0n;
      this.run("INSERT OR IGNORE INTO key (kind, material) VALUES (?, ?)", kind, material);
      this.run(
        `INSERT INTO device (address, key, next, checked)
        VALUES (?, (SELECT id FROM key WHERE kind = ? AND material = ?), ?, ?)
        ON CONFLICT (address) DO UPDATE SET key = excluded.key, next = excluded.next, stopped = NULL, checked = excluded.checked`,
        ...[id, kind, material, String(next > known ? next : known), now],
      );
    });
  }

  device(id: DeviceId): Served | undefined {
    const row = this.get(`${DEVICE} WHERE device.address = ?`, id);
    return row && servedOf(row);
  }

  /** Devices that were last checked before `time` and are not stopped, the longest unchecked first. */
  unchecked(time: bigint, most: number): Served[] {
    const rest = "WHERE device.stopped IS NULL AND device.checked < ? ORDER BY device.checked LIMIT ?";
    return this.all(`${DEVICE} ${rest}`, time, most).map(servedOf);
  }

  checked(device: Served, now: bigint, stopped: string | undefined): void {
    // Under the same key only: it may have been admitted with another one while the registry was asked.
    const sql = "UPDATE device SET checked = ?, stopped = ? WHERE id = ? AND key = ?";
    this.run(sql, now, stopped ?? null, device.row, device.keyRow);
  }

  /** Takes a reading, and what its device must send next. */
  add(device: Served, reading: SignedReading, digest: Uint8Array, payload: Uint8Array, receipt: GatewayReceipt): void {
    const { sequence, time, schema, content, signature } = reading;
    this.transaction(() => {
      this.run(
        `INSERT INTO reading (device, sequence, key, time, schema, content, signature, digest, payload, bytes, received,
        anchor_by, receipt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        ...[device.row, BigInt.asIntN(64, sequence), device.keyRow, time, schema, content, signature, digest, payload],
        ...[bytesOf(reading, payload), receipt.received, receipt.anchorBy, receipt.signature],
      );
      this.run("UPDATE device SET next = ? WHERE id = ?", String(sequence + 1n), device.row);
    });
  }

  reading(device: DeviceId, sequence: bigint): Kept | undefined {
    const row = this.get(
      `${READING} WHERE device.address = ? AND reading.sequence = ?`,
      device,
      BigInt.asIntN(64, sequence),
    );
    return row && this.keptOf(row);
  }

  /** The oldest readings of a schema that no batch has. */
  waitingOf(schema: Uint8Array, most: number): Kept[] {
    const rest = "WHERE reading.batch IS NULL AND reading.schema = ? ORDER BY reading.id LIMIT ?";
    return this.all(`${READING} ${rest}`, schema, most).map((row) => this.keptOf(row));
  }

  /** The schemas of readings that no batch has, the one that waits longest first. */
  schemasWaiting(): Uint8Array[] {
    const sql = "SELECT schema FROM reading WHERE batch IS NULL GROUP BY schema ORDER BY MIN(id)";
    return this.all(sql).map(({ schema }) => schema as Uint8Array);
  }

  /** The oldest readings of a schema that no batch has, `most` of them at most. */
  waitingIn(schema: Uint8Array, most: number): Waiting {
    const sql = `SELECT COUNT(*) AS count, COALESCE(SUM(bytes), 0) AS bytes, COALESCE(MIN(received), 0) AS since FROM
      (SELECT bytes, received FROM reading WHERE batch IS NULL AND schema = ? ORDER BY id LIMIT ?)`;
    return this.get(sql, schema, most) as unknown as Waiting;
  }

  readingsOf(batch: bigint): Kept[] {
    return this.all(`${READING} WHERE reading.batch = ? ORDER BY reading.place`, batch).map((row) => this.keptOf(row));
  }

  /** Keeps the payload that opens a reading instead of another one. */
  open({ row, reading }: Kept, payload: Uint8Array): void {
    this.run("UPDATE reading SET payload = ?, bytes = ? WHERE id = ?", payload, bytesOf(reading, payload), row);
  }

  /** The first of a device's readings that may be open and that no batch of its own log has. */
  uncommitted(device: bigint, most: number): Kept[] {
    const rest = `WHERE reading.device = ? AND own IS NULL AND length(payload) = ${OPENING_BYTES} ORDER BY reading.sequence LIMIT ?`;
    return this.all(`${READING} ${rest}`, device, most).map((row) => this.keptOf(row));
  }

  /** A device's readings from one number to another, both among them. */
  span(device: DeviceId, first: bigint, last: bigint): Kept[] {
    const rest = "WHERE device.address = ? AND reading.sequence BETWEEN ? AND ? ORDER BY reading.sequence";
    const ends = [first, last].map((sequence) => BigInt.asIntN(64, sequence));
    return this.all(`${READING} ${rest}`, device, ...ends).map((row) => this.keptOf(row));
  }

  /** Readings after a row that are in no batch that the log holds. */
  unanchored(after: bigint, most: number): Kept[] {
    const rest = `LEFT JOIN batch ON batch.number = reading.batch WHERE batch.time IS NULL AND reading.id > ?
      ORDER BY reading.id LIMIT ?`;
    return this.all(`${READING} ${rest}`, after, most).map((row) => this.keptOf(row));
  }

  /** Keeps a proof against a device. One is enough to slash it, so a device can't fill the disk with more. */
  contradict(device: Served, first: SignedReading, second: SignedReading): void {
    this.run(
      `INSERT OR IGNORE INTO contradiction (device, key, sequence, time1, schema1, content1, signature1, time2, schema2,
      content2, signature2) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[device.row, device.keyRow, BigInt.asIntN(64, first.sequence)],
      ...[first.time, first.schema, first.content, first.signature],
      ...[String(second.time), second.schema, second.content, second.signature],
    );
  }

  contradictions(): Contradiction[] {
    const sql = `SELECT contradiction.*, address, kind, material FROM contradiction
      JOIN device ON device.id = contradiction.device JOIN key ON key.id = contradiction.key`;
    return this.all(sql).map((row) => {
      const said = (k: 1 | 2): SignedReading => ({
        device: row.address as DeviceId,
        sequence: BigInt.asUintN(64, row.sequence as bigint),
        time: BigInt(row[`time${k}`] as bigint | string),
        schema: row[`schema${k}`] as Uint8Array,
        content: row[`content${k}`] as Uint8Array,
        signature: row[`signature${k}`] as Uint8Array,
      });
      return { key: keyOf(row), readings: [said(1), said(2)] as const };
    });
  }

  private keptOf(row: Row): Kept {
    const digest = row.digest as Uint8Array;
    return {
      row: row.id as bigint,
      keyRow: row.key as bigint,
      reading: {
        device: row.address as DeviceId,
        sequence: BigInt.asUintN(64, row.sequence as bigint),
        time: row.time as bigint,
        schema: row.schema as Uint8Array,
        content: row.content as Uint8Array,
        signature: row.signature as Uint8Array,
      },
      key: keyOf(row),
      digest,
      payload: row.payload as Uint8Array,
      receipt: {
        reading: digest,
        publisher: this.publisher,
        received: row.received as bigint,
        anchorBy: row.anchor_by as bigint,
        signature: row.receipt as Uint8Array,
      },
      batch: (row.batch as bigint | null) ?? undefined,
      place: (row.place as bigint | null) ?? 0n,
      own: (row.own as bigint | null) ?? undefined,
    };
  }

  private statement(sql: string): StatementSync {
    const known = this.statements.get(sql);
    if (known) return known;
    const statement = this.store.prepare(sql);
    statement.setReadBigInts(true);
    this.statements.set(sql, statement);
    return statement;
  }
}

/** What a reading adds to a batch: 100 bytes of words, its signature and its payload. */
export function bytesOf({ signature }: SignedReading, payload: Uint8Array): number {
  return 100 + signature.length + payload.length;
}

const DEVICE = `SELECT device.id, device.address, device.key, device.next, device.stopped, device.checked, kind, material
  FROM device JOIN key ON key.id = device.key`;
const READING = `SELECT reading.*, address, kind, material FROM reading
  JOIN device ON device.id = reading.device JOIN key ON key.id = reading.key`;

function servedOf(row: Row): Served {
  return {
    row: row.id as bigint,
    key: keyOf(row),
    keyRow: row.key as bigint,
    next: BigInt(row.next as string),
    stopped: (row.stopped as string | null) ?? undefined,
    checked: row.checked as bigint,
  };
}

function keyOf(row: Row): PublicKey {
  return { kind: row.kind as KeyKind, material: row.material as Uint8Array, id: row.address as DeviceId };
}
