import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve, sep } from "node:path";
import { parse } from "csv-parse";
import { IotchainError } from "../errors.js";
import type { Source } from "./scenario-schema.js";

/** Data that can't be used as they are; the message names file, line, column and what was expected. */
export class DataError extends IotchainError {}

/** What one device will measure, in the order of time. */
export interface DeviceSeries {
  /** Names the device within its source: `12.625,53.375`, or the row, or `all`. */
  readonly key: string;
  /** Degrees east, WGS 84. */
  readonly longitude?: number;
  /** Degrees north, WGS 84. */
  readonly latitude?: number;
  readonly readings: readonly SourceReading[];
}

/** A value of the data set. */
export interface SourceReading {
  /** Unix seconds. */
  readonly time: bigint;
  /** Fixed point by the source's scale. */
  readonly value: bigint;
  /** Line of the file that it comes from. */
  readonly line: number;
}

/** A row of the file; values as the file writes them. */
interface Row {
  readonly line: number;
  readonly cells: Readonly<Record<string, unknown>>;
}

const INT64 = 1n << 63n;
const MAX_JSON_BYTES = 64 * 1024 * 1024;

/**
 * Reads a source of a scenario into what each of its devices measures. Nothing is rounded, filled in or left out: data that don't fit
 * are an error. Times without a zone are read as UTC.
 *
 * @param scenarioFile Relative paths are relative to it; so are packages looked up.
 * Errors: DataError.
 */
export async function loadSource(name: string, source: Source, scenarioFile: string): Promise<DeviceSeries[]> {
  const path = await locate(source.file, scenarioFile);
  const wanted = [...Object.values(source.columns), ...Object.keys(source.where ?? {})];
  const devices: { key: string; longitude?: number; latitude?: number; readings: SourceReading[] }[] = [];
  const keys = new Map<string, number>();
  let matching = 0;
  for await (const row of rowsOf(path, source.file)) {
    checkColumns(row, wanted, source.file);
    if (!Object.entries(source.where ?? {}).every(([column, text]) => String(row.cells[column]) === text)) continue;
    if (matching++ % source.every !== 0) continue;
    if (source.limit !== undefined && devices.length >= source.limit && source.device === "row") break;
    const reading = readingOf(row, source);
    const station = stationOf(row, source);
    if (source.device === "row") {
      const key = station.longitude === undefined ? `row-${row.line}` : `${station.longitude},${station.latitude}`;
      const before = keys.get(key);
      if (before !== undefined)
        throw wrong(source, row, "longitude", `station ${key} again`, `each station once; it is on line ${before}`);
      keys.set(key, row.line);
      devices.push({ key, ...station, readings: [reading] });
      continue;
    }
    const [device] = devices;
    if (!device) devices.push({ key: "all", ...station, readings: [reading] });
    else append(device.readings, reading, source, row);
    if (source.limit !== undefined && (device?.readings.length ?? 1) >= source.limit) break;
  }
  if (devices.length === 0) {
    throw new DataError(
      "ITC_DATA_EMPTY",
      `${source.file}: no row for source ${name}.`,
      "Check the file, where and every.",
    );
  }
  return devices;
}

/** A decimal as a fixed-point number; undefined for what is no plain decimal, null for one with too many decimals. */
export function fixedPoint(text: string, scale: number): bigint | null | undefined {
  const match = /^(-?)(\d{1,40})(?:\.(\d{1,40}))?$/.exec(text);
  if (!match) return undefined;
  const [, sign, whole = "", fraction = ""] = match;
  const kept = fraction.slice(0, scale).padEnd(scale, "0");
  if (/[1-9]/.test(fraction.slice(scale))) return null;
  const value = BigInt(whole + kept);
  return sign === "-" ? -value : value;
}

function append(readings: SourceReading[], reading: SourceReading, source: Source, row: Row): void {
  const last = readings.at(-1);
  if (last && reading.time <= last.time) {
    const found = `a time at or before that of line ${last.line}`;
    throw wrong(source, row, source.columns.time ?? "at", found, "rows in strictly ascending order of time");
  }
  readings.push(reading);
}

function readingOf(row: Row, source: Source): SourceReading {
  const { value: column, time: timeColumn } = source.columns;
  const cell = row.cells[column];
  const text = typeof cell === "number" ? String(cell) : cell;
  if (typeof text !== "string" || text === "") throw wrong(source, row, column, "nothing", "a decimal number");
  const value = fixedPoint(text, source.scale);
  if (value === undefined) throw wrong(source, row, column, JSON.stringify(text), "a decimal number such as -3.25");
  if (value === null) throw wrong(source, row, column, text, `${source.scale} decimals at most; raise the scale`);
  if (value >= INT64 || value < -INT64)
    throw wrong(source, row, column, text, "a number that fits 64 bits at this scale");
  const time = timeColumn === undefined ? source.at : timeOf(row, source, timeColumn);
  if (time === undefined) throw wrong(source, row, "at", "no time", "columns.time or at in the source");
  return { time, value, line: row.line };
}

function timeOf(row: Row, source: Source, column: string): bigint {
  const text = row.cells[column];
  const form = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?(\.0+)?(Z|[+-]\d{2}:\d{2})?)?$/;
  const expected = "an ISO 8601 time such as 2010-01-01T01:00:00";
  if (typeof text !== "string" || !form.test(text))
    throw wrong(source, row, column, JSON.stringify(text ?? ""), expected);
  const zoned = text.length <= 10 || /(Z|[+-]\d{2}:\d{2})$/.test(text) ? text : `${text}Z`;
  const milliseconds = Date.parse(zoned);
  // Date.parse takes 30 February for 2 March.
  const sameDay =
    /[+-]\d{2}:\d{2}$/.test(text) || new Date(milliseconds || 0).toISOString().startsWith(text.slice(0, 10));
  if (Number.isNaN(milliseconds) || !sameDay || milliseconds < 0) throw wrong(source, row, column, text, expected);
  return BigInt(milliseconds / 1000);
}

function stationOf(row: Row, source: Source): { longitude?: number; latitude?: number } {
  const { longitude, latitude } = source.columns;
  if (longitude === undefined || latitude === undefined) return {};
  return { longitude: degrees(row, source, longitude, 180), latitude: degrees(row, source, latitude, 90) };
}

function degrees(row: Row, source: Source, column: string, most: number): number {
  const text = String(row.cells[column] ?? "");
  const value = fixedPoint(text, 9) === undefined ? Number.NaN : Number(text);
  if (!(Math.abs(value) <= most))
    throw wrong(source, row, column, JSON.stringify(text), `degrees from -${most} to ${most}`);
  return value;
}

async function* rowsOf(path: string, file: string): AsyncGenerator<Row> {
  if (path.endsWith(".json")) {
    yield* jsonRows(path, file);
    return;
  }
  const parser = parse({
    columns: uniqueColumns(file),
    bom: true,
    skip_empty_lines: true,
    info: true,
    max_record_size: 65_536,
  });
  const stream = createReadStream(path).on("error", (error) => parser.destroy(error));
  try {
    for await (const { record, info } of stream.pipe(parser)) yield { line: info.lines, cells: record };
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DataError(
      "ITC_DATA_FORM",
      `${file}: not a table of comma-separated values: ${reason}.`,
      "Mend the file.",
      { cause },
    );
  } finally {
    stream.destroy();
  }
}

/** Two columns of one name would silently hide the first. */
function uniqueColumns(file: string): (header: string[]) => string[] {
  return (header) => {
    const twice = header.find((column, k) => header.indexOf(column) !== k);
    if (twice === undefined) return header;
    throw new DataError("ITC_DATA_COLUMN", `${file}:1: column ${twice} stands twice.`, "Name each column once.");
  };
}

async function* jsonRows(path: string, file: string): AsyncGenerator<Row> {
  const { size } = await stat(path);
  if (size > MAX_JSON_BYTES)
    throw new DataError("ITC_DATA_FORM", `${file}: ${size} bytes of JSON.`, "Turn it into CSV, which is streamed.");
  let rows: unknown;
  try {
    rows = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new DataError("ITC_DATA_FORM", `${file}: not JSON.`, "Mend the file.", { cause });
  }
  if (!Array.isArray(rows))
    throw new DataError("ITC_DATA_FORM", `${file}: no array of rows.`, "Give an array of objects.");
  for (const [k, cells] of rows.entries()) {
    if (typeof cells !== "object" || cells === null || Array.isArray(cells)) {
      throw new DataError("ITC_DATA_FORM", `${file}: element ${k + 1} is no object.`, "Give an array of objects.");
    }
    yield { line: k + 1, cells: { ...cells } };
  }
}

function checkColumns({ cells }: Row, wanted: readonly string[], file: string): void {
  const lacking = wanted.find((column) => !Object.hasOwn(cells, column));
  if (lacking === undefined) return;
  const there = Object.keys(cells).join(", ");
  throw new DataError(
    "ITC_DATA_COLUMN",
    `${file}:1: no column ${lacking}; there are ${there}.`,
    "Name a column of the file.",
  );
}

async function locate(file: string, scenarioFile: string): Promise<string> {
  const path = file.startsWith("npm:") ? inPackage(file, scenarioFile) : resolve(dirname(scenarioFile), file);
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile()) return path;
  throw new DataError(
    "ITC_DATA_FILE",
    `${file}: no such file.`,
    "Give a path relative to the scenario, or npm:<package>/<path>.",
  );
}

/** A package may not export its data, so its folder is looked up and the path joined. */
function inPackage(file: string, scenarioFile: string): string {
  const match = /^npm:((?:@[\w.-]+\/)?[\w.-]+)\/(.+)$/.exec(file);
  const [, name, path] = match ?? [];
  if (name === undefined || path === undefined || path.split(/[\\/]/).includes("..")) {
    throw new DataError("ITC_DATA_FILE", `${file}: not a file of a package.`, "Write npm:<package>/<path>, without ..");
  }
  const folders = createRequire(resolve(scenarioFile)).resolve.paths(name) ?? [];
  const own = createRequire(import.meta.url).resolve.paths(name) ?? [];
  for (const folder of [...folders, ...own]) {
    const home = join(folder, name);
    try {
      createRequire(home + sep).resolve(`${home}/package.json`);
      return join(home, path);
    } catch {
      // Not in this folder; the next one up may have it.
    }
  }
  throw new DataError("ITC_DATA_PACKAGE", `${file}: package ${name} is not installed.`, `Run npm i -D ${name}.`);
}

function wrong(source: Source, row: Row, column: string, found: string, expected: string): DataError {
  const what = `${source.file}:${row.line}: ${column}: ${found}, expected ${expected}.`;
  return new DataError("ITC_DATA_VALUE", what, "Mend the file, or leave the row out with where.");
}
