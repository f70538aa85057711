import { closeSync, existsSync, fsyncSync, linkSync, openSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { RegistryDomain } from "../identity/digests.js";
import { OPENING_BYTES } from "./committed-batch.js";
import { GatewayError, messageOf } from "./gateway-errors.js";

/** What a queue file belongs to for good. */
export interface QueueOwner extends RegistryDomain {
  /** Address of `DataAnchor`. */
  readonly anchor: string;
  /** Whose log it is. */
  readonly publisher: string;
}

/** "itcq", in the header of each queue file. */
const APPLICATION_ID = 0x69746371;
const VERSION = 2;

// `sequence` is a uint64 as SQLite's signed integer. An index makes it impossible that a place in a batch is taken twice.
const SCHEMA = `
  CREATE TABLE owner (chain_id TEXT NOT NULL, registry TEXT NOT NULL, anchor TEXT NOT NULL, publisher TEXT NOT NULL,
    base INTEGER, base_block INTEGER) STRICT;
  CREATE TABLE key (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, material BLOB NOT NULL, UNIQUE (kind, material)) STRICT;
  CREATE TABLE device (id INTEGER PRIMARY KEY, address TEXT NOT NULL UNIQUE, key INTEGER NOT NULL REFERENCES key,
    next TEXT NOT NULL, stopped TEXT, checked INTEGER NOT NULL) STRICT;
  CREATE TABLE reading (id INTEGER PRIMARY KEY, device INTEGER NOT NULL REFERENCES device, sequence INTEGER NOT NULL,
    key INTEGER NOT NULL REFERENCES key, time INTEGER NOT NULL, schema BLOB NOT NULL, content BLOB NOT NULL,
    signature BLOB NOT NULL, digest BLOB NOT NULL, payload BLOB NOT NULL, bytes INTEGER NOT NULL,
    received INTEGER NOT NULL, anchor_by INTEGER NOT NULL, receipt BLOB NOT NULL, batch INTEGER, place INTEGER,
    UNIQUE (device, sequence)) STRICT;
  CREATE INDEX waiting ON reading (schema) WHERE batch IS NULL;
  CREATE UNIQUE INDEX place ON reading (batch, place) WHERE batch IS NOT NULL;
  CREATE TABLE contradiction (device INTEGER PRIMARY KEY REFERENCES device, key INTEGER NOT NULL REFERENCES key,
    sequence INTEGER NOT NULL, time1 INTEGER NOT NULL, schema1 BLOB NOT NULL, content1 BLOB NOT NULL,
    signature1 BLOB NOT NULL, time2 TEXT NOT NULL, schema2 BLOB NOT NULL, content2 BLOB NOT NULL,
    signature2 BLOB NOT NULL) STRICT;
  CREATE TABLE batch (number INTEGER PRIMARY KEY, schema BLOB NOT NULL, entry BLOB NOT NULL, count INTEGER NOT NULL,
    sealed INTEGER NOT NULL, since INTEGER, nonce INTEGER, raw TEXT, max_fee INTEGER, tip INTEGER, sent INTEGER,
    time INTEGER, block INTEGER, final INTEGER NOT NULL DEFAULT 0) STRICT;
  CREATE INDEX unfinished ON batch (number) WHERE final = 0;
  CREATE TABLE node (height INTEGER NOT NULL, place INTEGER NOT NULL, hash BLOB NOT NULL,
    PRIMARY KEY (height, place)) STRICT, WITHOUT ROWID;
`;

// What version 2 adds: batches of devices' own logs. `own` is where in its device's log a reading is committed to, -1 if it can't be.
const COMMITTED = `
  ALTER TABLE reading ADD COLUMN own INTEGER;
  CREATE INDEX uncommitted ON reading (device, sequence) WHERE own IS NULL AND length(payload) = ${OPENING_BYTES};
  CREATE TABLE committed (device INTEGER NOT NULL REFERENCES device, place INTEGER NOT NULL, key INTEGER NOT NULL REFERENCES key,
    first INTEGER NOT NULL, count INTEGER NOT NULL, root BLOB NOT NULL, earliest INTEGER NOT NULL, latest INTEGER NOT NULL,
    schema BLOB NOT NULL, commitment BLOB NOT NULL, entry BLOB NOT NULL, salt BLOB NOT NULL, content BLOB NOT NULL,
    signature BLOB NOT NULL, stated INTEGER NOT NULL, since INTEGER, time INTEGER, block INTEGER,
    final INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (device, place)) STRICT;
  CREATE INDEX relaying ON committed (device, place) WHERE final = 0;
`;

/**
 * Opens a queue file, or begins one where there is none, and holds it alone until it is closed or the process ends, however it ends.
 *
 * Each commit is on disk when it returns (write-ahead log, synchronous=FULL): a receipt is a promise, and NORMAL may forget the last commits
 * when the power fails. Exclusive locking is SQLite's own lock of the file by the operating system, which a killed process can't leave behind.
 *
 * Errors: ITC_GATEWAY_LOCKED, ITC_GATEWAY_CORRUPT, ITC_GATEWAY_FOREIGN_FILE, ITC_GATEWAY_VERSION, ITC_GATEWAY_OTHER_OWNER,
 * ITC_GATEWAY_DISK.
 */
export async function openStore(file: string, owner: QueueOwner): Promise<DatabaseSync> {
  // Not at the top: Node warns of an experimental module once it is loaded, which concerns those alone who run a gateway.
  const { DatabaseSync: Database } = await import("node:sqlite");
  const connect = (name: string): DatabaseSync => guarded(name, () => new Database(name, { timeout: 0 }));
  if (file === ":memory:") {
    const store = connect(file);
    begin(store, owner);
    return store;
  }
  if (!existsSync(file)) beginFile(file, connect, owner);
  rmSync(`${file}.new`, { force: true });
  const store = connect(file);
  try {
    guarded(file, () => checkFile(store, file, owner));
  } catch (error) {
    store.close();
    throw error;
  }
  return store;
}

/** Runs something on a queue, and names its failure. */
export function guarded<Result>(file: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw faultOf(file, error);
  }
}

/**
 * Makes the file under another name first: a crash on the way leaves none, so that an empty or half-made one under the real name is always
 * the rest of a queue that was, and never taken for a fresh one.
 */
function beginFile(file: string, connect: (name: string) => DatabaseSync, owner: QueueOwner): void {
  if (existsSync(`${file}-wal`)) {
    const what = `${file} is gone, but its write-ahead log ${path.basename(file)}-wal is there.`;
    throw new GatewayError("ITC_GATEWAY_CORRUPT", what, "Bring the file back; the two belong together.");
  }
  const fresh = `${file}.new`;
  const store = connect(fresh);
  guarded(fresh, () => {
    try {
      if (store.prepare("PRAGMA user_version").get()?.user_version !== VERSION) begin(store, owner);
    } finally {
      store.close();
    }
  });
  guarded(file, () => {
    try {
      // Not rename: it would replace what another process has begun in the meantime.
      linkSync(fresh, file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    syncFolder(path.dirname(file));
  });
}

function begin(store: DatabaseSync, { chainId, registry, anchor, publisher }: QueueOwner): void {
  store.exec(
    `BEGIN EXCLUSIVE; ${SCHEMA} ${COMMITTED} PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${VERSION};`,
  );
  store
    .prepare("INSERT INTO owner (chain_id, registry, anchor, publisher) VALUES (?, ?, ?, ?)")
    .run(String(chainId), registry, anchor, publisher);
  store.exec("COMMIT");
}

function checkFile(store: DatabaseSync, file: string, owner: QueueOwner): void {
  store.exec("PRAGMA locking_mode = EXCLUSIVE");
  const application = store.prepare("PRAGMA application_id").get()?.application_id;
  const version = store.prepare("PRAGMA user_version").get()?.user_version;
  if (application !== APPLICATION_ID) {
    const empty =
      application === 0 && version === 0 && store.prepare("SELECT 1 FROM sqlite_schema").get() === undefined;
    if (empty) throw corrupt(file, "it is empty");
    const what = `${file} is a database, but no gateway's queue.`;
    throw new GatewayError("ITC_GATEWAY_FOREIGN_FILE", what, "Name another file.");
  }
  if (version !== VERSION && version !== 1) {
    const what = `${file} is a queue of version ${version}; this gateway writes version ${VERSION}.`;
    throw new GatewayError("ITC_GATEWAY_VERSION", what, "Run it with the release that wrote it until it is drained.");
  }
  store.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN IMMEDIATE; COMMIT");
  // SQLite reads what is missing of the last page as zeros.
  const rest = statSync(file).size % Number(store.prepare("PRAGMA page_size").get()?.page_size);
  if (rest !== 0) throw corrupt(file, "its last page is not whole");
  const verdict = store.prepare("PRAGMA quick_check(1)").get()?.quick_check;
  if (verdict !== "ok") throw corrupt(file, String(verdict));
  checkOwner(store, file, owner);
  // Readings without an opening stay as they are; whoever has it may send them again.
  if (version === 1) store.exec(`BEGIN IMMEDIATE; ${COMMITTED} PRAGMA user_version = ${VERSION}; COMMIT`);
}

function checkOwner(store: DatabaseSync, file: string, owner: QueueOwner): void {
  const row = store.prepare("SELECT chain_id AS chainId, registry, anchor, publisher FROM owner").get();
  if (!row) throw corrupt(file, "it has no owner");
  for (const name of ["chainId", "registry", "anchor", "publisher"] as const) {
    if (row[name] === String(owner[name])) continue;
    const what = `${file} is the queue of ${name} ${row[name]}, not of ${String(owner[name])}.`;
    throw new GatewayError(
      "ITC_GATEWAY_OTHER_OWNER",
      what,
      "A queue has one publisher, chain and log: name another file.",
    );
  }
}

function corrupt(file: string, how: string, cause?: unknown): GatewayError {
  const next = "Keep it, bring back a copy of file and -wal, or begin anew as docs/gateway.md tells under Recovery.";
  return new GatewayError("ITC_GATEWAY_CORRUPT", `The queue ${file} is damaged: ${how}.`, next, { cause });
}

/** By SQLite's primary result code (https://sqlite.org/rescode.html). */
function faultOf(file: string, error: unknown): unknown {
  if (error instanceof GatewayError) return error;
  const { code, errcode } = error as { code?: string; errcode?: number };
  switch ((errcode ?? 0) & 0xff) {
    case 5:
    case 6: {
      const what = `Another process has the queue ${file}.`;
      return new GatewayError("ITC_GATEWAY_LOCKED", what, "Run one gateway for each publisher.", { cause: error });
    }
    case 11:
    case 26:
      return corrupt(file, messageOf(error), error);
  }
  if (code !== "ERR_SQLITE_ERROR" && !(error as NodeJS.ErrnoException).syscall) return error;
  const what = `The queue ${file} can't be read or written: ${messageOf(error)}.`;
  return new GatewayError("ITC_GATEWAY_DISK", what, "Free or mend the disk; what has a receipt is kept.", {
    cause: error,
  });
}

/** So that the file's name, too, is there after a power failure. Windows has no such call and needs none. */
function syncFolder(folder: string): void {
  if (process.platform === "win32") return;
  const handle = openSync(folder, "r");
  fsyncSync(handle);
  closeSync(handle);
}
