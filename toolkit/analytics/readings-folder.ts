import { createReadStream } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { linesOf } from "../internal/lines.js";
import type { MarkedBatch } from "./aggregator.js";
import { AnalyticsError } from "./analytics-error.js";
import {
  BatchLine,
  LONGEST_BATCH,
  type PublishedBatch,
  type ReadingsDomain,
  ReadingsHeaderLine,
  readingsHeaderLine,
} from "./readings-format.js";

/** Most files of a folder. */
const MOST_FILES = 10_000;
const LONGEST_HEADER = 512;

/** A batch of a folder, with where it is, and how far the folder was read. */
export type FolderBatch = PublishedBatch & Required<Pick<MarkedBatch, "mark" | "place">>;

/** The block before which nothing was read, and its second. */
export interface ReadSince {
  readonly block: number;
  readonly time: bigint;
}

const second = z
  .string()
  .regex(/^\d{1,20}$/)
  .transform(BigInt);
const Mark = z.strictObject({
  since: z.strictObject({ block: z.int().min(0), time: second }),
  files: z.record(z.string(), z.int().min(0)),
});

/** What an aggregator's mark says; undefined for one that a folder never gave. */
export function readMark(mark: string): z.output<typeof Mark> | undefined {
  try {
    return Mark.safeParse(JSON.parse(mark)).data;
  } catch {
    return undefined;
  }
}

/**
 * Published readings in the files `*.ndjson` of a folder, in the order of names. Files only grow: who publishes appends whole lines. One that has become
 * shorter is read from its start again. What isn't a batch in the format is passed over and told, as the files may be anybody's.
 */
export class ReadingsFolder {
  private readonly header: string;
  private readonly told = new Set<string>();

  /**
   * @param domain Of which deployment; files of others are passed over.
   * @param onTrouble Told once of each line that is passed over, and of each file.
   */
  constructor(
    private readonly folder: string,
    domain: ReadingsDomain,
    private readonly onTrouble: (place: string, why: string) => void = () => {},
  ) {
    this.header = readingsHeaderLine(domain);
  }

  /**
   * What has come since a mark.
   *
   * @param since Noted in the marks that follow, where there was none.
   * Errors: ITC_READINGS_FOLDER for a folder that can't be read, or has more than 10,000 files.
   */
  async *from(mark: string | undefined, since: ReadSince): AsyncGenerator<FolderBatch> {
    const before = mark === undefined ? undefined : readMark(mark);
    const offsets = new Map(Object.entries(before?.files ?? {}));
    const from = before?.since ?? since;
    const present = () =>
      JSON.stringify({ since: { ...from, time: String(from.time) }, files: Object.fromEntries(offsets) });
    for (const name of await this.names()) {
      for await (const { batch, start, end } of this.batchesOf(name, offsets.get(name) ?? 0)) {
        const place = `${name}:${start}`;
        // Only once somebody comes for the next one has this one been dealt with.
        if (batch)
          yield Object.defineProperty({ ...batch, place, mark: "" }, "mark", { get: present, enumerable: true });
        offsets.set(name, end);
      }
    }
  }

  /** A batch by its place; undefined where there is none any longer. */
  async at(place: string): Promise<PublishedBatch | undefined> {
    const cut = place.lastIndexOf(":");
    const [path, start] = [join(this.folder, place.slice(0, cut)), Number(place.slice(cut + 1))];
    if (!(await sizeOf(path))) return undefined;
    for await (const { text } of linesOf(createReadStream(path, { start }), start, LONGEST_BATCH)) {
      return text === undefined ? undefined : parsed(text);
    }
    return undefined;
  }

  private async names(): Promise<string[]> {
    const all = await readdir(this.folder).catch((cause: unknown) => {
      const what = `The folder ${this.folder} can't be read.`;
      throw new AnalyticsError("ITC_READINGS_FOLDER", what, "Name one with readings.", { cause });
    });
    const names = all.filter((name) => name.endsWith(".ndjson")).sort();
    if (names.length <= MOST_FILES) return names;
    const what = `${this.folder} has ${names.length} files, ${MOST_FILES} is the limit.`;
    throw new AnalyticsError("ITC_READINGS_FOLDER", what, "Put the lines of several into one.");
  }

  private async *batchesOf(name: string, offset: number) {
    const path = join(this.folder, name);
    const size = await sizeOf(path);
    if (!size || size === offset) return;
    if (!(await this.isOurs(path))) return this.tell(name, `it doesn't begin with ${this.header}`);
    const start = size < offset ? 0 : offset;
    for await (const line of linesOf(createReadStream(path, { start }), start, LONGEST_BATCH)) {
      const batch = line.start === 0 || line.text === undefined ? undefined : parsed(line.text);
      if (!batch && line.start > 0) this.tell(`${name}:${line.start}`, "the line is no batch");
      yield { batch, start: line.start, end: line.end };
    }
  }

  private async isOurs(path: string): Promise<boolean> {
    const handle = await open(path);
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(LONGEST_HEADER), 0, LONGEST_HEADER, 0);
      const [line = ""] = buffer.toString("latin1", 0, bytesRead).split("\n", 1);
      const header = jsonOf(line, ReadingsHeaderLine);
      return header !== undefined && readingsHeaderLine(header) === this.header;
    } finally {
      await handle.close();
    }
  }

  private tell(place: string, why: string): void {
    if (this.told.has(place)) return;
    this.told.add(place);
    this.onTrouble(place, why);
  }
}

/** Bytes of a file; undefined for what is none, or isn't there. */
async function sizeOf(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ? found.size : undefined;
}

function parsed(text: string): PublishedBatch | undefined {
  return jsonOf(text, BatchLine);
}

function jsonOf<Output>(text: string, schema: z.ZodType<Output>): Output | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
