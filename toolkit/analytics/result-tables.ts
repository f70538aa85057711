import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { stringify } from "csv-stringify/sync";
import { fileWriter, ParquetWriter, schemaFromColumnData } from "hyparquet-writer";
import { toHex } from "../internal/bytes.js";
import { headerLine, type ResultHeader } from "./result-format.js";
import { Origin, type ResultLeaf } from "./result-words.js";

/** What results can be written as. */
export const TABLE_FORMATS = ["csv", "json", "parquet"] as const;
export type TableFormat = (typeof TABLE_FORMATS)[number];

/** Rows that are held at a time. */
const ROWS = 4_096;
/** Bytes of them, where partials are wide. */
const BYTES = 2 ** 24;

/** The columns. Whole numbers are decimals in text: they may have 128 bits. Bytes are hex. */
const COLUMNS = [
  "owner",
  "device",
  "origin",
  "count",
  "weight",
  "spent",
  "evidence_first",
  "evidence_second",
  "partial",
] as const;

const NAMES = new Map<Origin, string>([
  [Origin.Withheld, "withheld"],
  [Origin.Proved, "proved"],
  [Origin.Attested, "attested"],
]);

type Row = readonly string[];

/**
 * Writes the leaves of a result to a file as a table: CSV (RFC 4180) with a line of names; JSON, one array of objects; or Parquet, whose metadata
 * hold the request. Holds some thousand rows at a time.
 *
 * @example
 * const data = await ResultData.open(createReadStream(path), expected);
 * await writeResultTable(data.header, data, "parquet", "result.parquet");
 */
export async function writeResultTable(
  header: ResultHeader,
  leaves: AsyncIterable<ResultLeaf>,
  format: TableFormat,
  file: string,
): Promise<void> {
  if (format === "parquet") await writeParquet(header, leaves, file);
  else await writeText(format === "csv" ? csv(leaves) : json(leaves), file);
}

function rowOf({ owner, device, origin, count, weight, spent, evidence, partial }: ResultLeaf): Row {
  const [first, second] = evidence;
  const numbers = [count, weight, spent].map(String);
  return [owner, device, NAMES.get(origin) ?? "", ...numbers, toHex(first), toHex(second), toHex(partial)];
}

async function* batched(leaves: AsyncIterable<ResultLeaf>): AsyncGenerator<Row[]> {
  let [rows, size]: [Row[], number] = [[], 0];
  for await (const leaf of leaves) {
    const row = rowOf(leaf);
    rows.push(row);
    size += row.reduce((sum, cell) => sum + cell.length, 0);
    if (rows.length < ROWS && size < BYTES) continue;
    yield rows;
    [rows, size] = [[], 0];
  }
  if (rows.length > 0) yield rows;
}

async function* csv(leaves: AsyncIterable<ResultLeaf>): AsyncGenerator<string> {
  yield stringify([[...COLUMNS]], { record_delimiter: "windows" });
  for await (const rows of batched(leaves)) yield stringify(rows as string[][], { record_delimiter: "windows" });
}

async function* json(leaves: AsyncIterable<ResultLeaf>): AsyncGenerator<string> {
  let before = "[\n";
  for await (const rows of batched(leaves)) {
    const objects = rows.map((row) => JSON.stringify(Object.fromEntries(COLUMNS.map((name, k) => [name, row[k]]))));
    yield `${before}${objects.join(",\n")}`;
    before = ",\n";
  }
  yield "\n]\n";
}

async function writeText(pieces: AsyncIterable<string>, file: string): Promise<void> {
  const out = createWriteStream(file);
  const failed = once(out, "error").then(([error]) => Promise.reject(error));
  failed.catch(() => undefined);
  try {
    for await (const piece of pieces) if (!out.write(piece)) await Promise.race([once(out, "drain"), failed]);
    out.end();
    await Promise.race([once(out, "finish"), failed]);
  } finally {
    out.destroy();
  }
}

async function writeParquet(header: ResultHeader, leaves: AsyncIterable<ResultLeaf>, file: string): Promise<void> {
  const columnsOf = (rows: readonly Row[]) =>
    COLUMNS.map((name, k) => ({
      name,
      data: rows.map((row) => row[k] ?? ""),
      type: "STRING" as const,
      nullable: false,
    }));
  const writer = new ParquetWriter({
    writer: fileWriter(file),
    schema: schemaFromColumnData({ columnData: columnsOf([]) }),
    kvMetadata: [{ key: "iotchain:result", value: headerLine(header) }],
    createdBy: "iotchain",
  });
  for await (const rows of batched(leaves)) {
    await writer.write({ columnData: columnsOf(rows), rowGroupSize: rows.length });
  }
  await writer.finish();
}
