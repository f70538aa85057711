import { closeSync, openSync } from "node:fs";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { fromHex } from "../internal/bytes.js";
import { AnalyticsError } from "./analytics-error.js";
import { mergePieces, readingsIn } from "./pieces.js";

/** What a file of pieces belongs to for good. */
export interface PiecesOwner {
  /** The request's id. */
  readonly request: string;
  readonly chainId: bigint;
  readonly registry: string;
}

/** "itca", in the header of each file. */
const APPLICATION_ID = 0x69746361;
const VERSION = 2;

// Numbers are uint64 as SQLite's signed integers. An entry that is complete had all its readings open and good: it never has more to give.
const SCHEMA = `
  CREATE TABLE owner (request TEXT NOT NULL, chain_id TEXT NOT NULL, registry TEXT NOT NULL, mark TEXT) STRICT;
  CREATE TABLE entry (id INTEGER PRIMARY KEY, publisher BLOB NOT NULL, number INTEGER NOT NULL, complete INTEGER NOT NULL,
    UNIQUE (publisher, number)) STRICT;
  CREATE TABLE piece (device BLOB NOT NULL, entry INTEGER NOT NULL REFERENCES entry, data BLOB NOT NULL,
    UNIQUE (device, entry)) STRICT;
  CREATE TABLE source (entry INTEGER NOT NULL REFERENCES entry, place TEXT NOT NULL, UNIQUE (entry, place)) STRICT;
`;

/** Where an aggregator keeps what counts: pieces by device, see `pieces.ts`. Every write belongs to a transaction, which {@link commit} ends. */
export class PieceStore {
  private isOpen = false;
  private filed = 0;
  private readonly statements: Record<
    "entry" | "enter" | "complete" | "piece" | "file" | "replace" | "of" | "source" | "places",
    StatementSync
  >;

  private constructor(private readonly database: DatabaseSync) {
    this.statements = {
      entry: database.prepare("SELECT id, complete FROM entry WHERE publisher = ? AND number = ?"),
      enter: database.prepare("INSERT INTO entry (publisher, number, complete) VALUES (?, ?, ?)"),
      complete: database.prepare("UPDATE entry SET complete = 1 WHERE id = ?"),
      piece: database.prepare("SELECT data FROM piece WHERE device = ? AND entry = ?"),
      file: database.prepare("INSERT INTO piece (device, entry, data) VALUES (?, ?, ?)"),
      replace: database.prepare("UPDATE piece SET data = ? WHERE device = ? AND entry = ?"),
      of: database.prepare("SELECT data FROM piece WHERE device = ? ORDER BY entry"),
      source: database.prepare("INSERT OR IGNORE INTO source (entry, place) VALUES (?, ?)"),
      places: database.prepare(
        "SELECT place FROM piece JOIN source USING (entry) WHERE device = ? ORDER BY entry, source.rowid",
      ),
    };
    const sizes = database.prepare(
      "SELECT SUBSTR(data, 1, 1) AS width, SUM(LENGTH(data)) AS bytes, COUNT(*) AS pieces FROM piece GROUP BY 1",
    );
    for (const { width, bytes, pieces } of sizes.all()) {
      this.filed += readingsIn(Number(bytes), (width as Uint8Array)[0] ?? 0, Number(pieces));
    }
  }

  /**
   * Opens a file, or begins one, readable for its user alone: it holds what devices measured. A file is one process's.
   * Errors: ITC_AGGREGATOR_FILE for one that is something else, ITC_AGGREGATOR_OTHER_REQUEST, ITC_AGGREGATOR_LOCKED; SQLite's own.
   */
  static async open(file: string, owner: PiecesOwner): Promise<PieceStore> {
    const { DatabaseSync: Database } = await import("node:sqlite");
    if (file !== ":memory:") closeSync(openSync(file, "a", 0o600));
    const database = new Database(file, { timeout: 0 });
    try {
      prepare(database, file, owner);
      return new PieceStore(database);
    } catch (error) {
      database.close();
      throw faultOf(file, error);
    }
  }

  /** Whether an entry has given all that it has. */
  isComplete(publisher: string, index: bigint): boolean {
    return this.statements.entry.get(fromHex(publisher), BigInt.asIntN(64, index))?.complete === 1;
  }

  /**
   * Files the pieces of an entry by device; where it had given some before, what is new is added.
   *
   * @param place Where the entry came from, in words of the source's own.
   */
  file(
    publisher: string,
    index: bigint,
    isComplete: boolean,
    pieces: ReadonlyMap<string, Uint8Array>,
    place?: string,
  ): void {
    this.begin();
    const { entry, enter, complete, piece, file, replace, source } = this.statements;
    const key = fromHex(publisher);
    const known = entry.get(key, BigInt.asIntN(64, index));
    const id = known
      ? Number(known.id)
      : Number(enter.run(key, BigInt.asIntN(64, index), Number(isComplete)).lastInsertRowid);
    if (known && isComplete) complete.run(id);
    if (place !== undefined) source.run(id, place);
    for (const [device, data] of pieces) {
      const address = fromHex(device);
      const before = known && (piece.get(address, id)?.data as Uint8Array | undefined);
      const all = before ? mergePieces(before, data) : data;
      if (before) replace.run(all, address, id);
      else file.run(address, id, all);
      this.filed += countIn(all) - (before ? countIn(before) : 0);
    }
  }

  /** Readings of all pieces; one that several entries hold counts for each. */
  get readings(): number {
    return this.filed;
  }

  /** What is filed of a device. */
  piecesOf(device: string): Uint8Array[] {
    return this.statements.of.all(fromHex(device)).map(({ data }) => data as Uint8Array);
  }

  /** Where the entries came from that have something of a device. */
  placesOf(device: string): string[] {
    return this.statements.places.all(fromHex(device)).map(({ place }) => String(place));
  }

  /** All devices of which something is filed, ascending, as lower-case hex. */
  *devices(): Generator<string> {
    const rows = this.database.prepare("SELECT DISTINCT device FROM piece ORDER BY device").iterate();
    for (const { device } of rows) yield `0x${Buffer.from(device as Uint8Array).toString("hex")}`;
  }

  /** Where the source was when the last commit came. */
  get mark(): string | undefined {
    const mark = this.database.prepare("SELECT mark FROM owner").get()?.mark;
    return typeof mark === "string" ? mark : undefined;
  }

  set mark(mark: string) {
    this.begin();
    this.database.prepare("UPDATE owner SET mark = ?").run(mark);
  }

  commit(): void {
    if (this.isOpen) this.database.exec("COMMIT");
    this.isOpen = false;
  }

  /** Drops what isn't committed. */
  close(): void {
    this.database.close();
  }

  private begin(): void {
    if (!this.isOpen) this.database.exec("BEGIN IMMEDIATE");
    this.isOpen = true;
  }
}

function countIn(piece: Uint8Array): number {
  return readingsIn(piece.length, piece[0] ?? 0);
}

/** By SQLite's primary result code (https://sqlite.org/rescode.html). */
function faultOf(file: string, error: unknown): unknown {
  const code = ((error as { errcode?: number }).errcode ?? 0) & 0xff;
  if (code === 5) {
    const what = `Another process has ${file}.`;
    return new AnalyticsError("ITC_AGGREGATOR_LOCKED", what, "Run one aggregator for each request.", { cause: error });
  }
  if (code !== 26) return error;
  return new AnalyticsError("ITC_AGGREGATOR_FILE", `${file} is no database.`, "Name another file.", { cause: error });
}

function prepare(database: DatabaseSync, file: string, owner: PiecesOwner): void {
  database.exec("PRAGMA locking_mode = EXCLUSIVE");
  const pragma = (name: string) => Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
  if (pragma("application_id") === 0 && database.prepare("SELECT 1 FROM sqlite_schema").get() === undefined) {
    // What a power failure takes is streamed again, so a commit need not wait for the disk.
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    database.exec(
      `BEGIN EXCLUSIVE; ${SCHEMA} PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${VERSION};`,
    );
    const { request, chainId, registry } = owner;
    database
      .prepare("INSERT INTO owner (request, chain_id, registry) VALUES (?, ?, ?)")
      .run(request, String(chainId), registry.toLowerCase());
    database.exec("COMMIT");
  }
  if (pragma("application_id") !== APPLICATION_ID || pragma("user_version") !== VERSION) {
    const what = `${file} holds something else than pieces of this version.`;
    throw new AnalyticsError("ITC_AGGREGATOR_FILE", what, "Name another file.");
  }
  database.exec("PRAGMA synchronous = NORMAL; PRAGMA cache_size = -32768; BEGIN IMMEDIATE; COMMIT");
  const row = database.prepare("SELECT request, chain_id AS chainId, registry FROM owner").get();
  const isOwn =
    row?.request === owner.request &&
    row.chainId === String(owner.chainId) &&
    row.registry === owner.registry.toLowerCase();
  if (isOwn) return;
  const what = `${file} is for request ${row?.request} on chain ${row?.chainId}.`;
  throw new AnalyticsError("ITC_AGGREGATOR_OTHER_REQUEST", what, "Name another file.");
}
