import { createHash, type Hash } from "node:crypto";
import type { z } from "zod";
import { toHex } from "../internal/bytes.js";
import { AnalyticsError } from "./analytics-error.js";
import { partialLength } from "./partials.js";
import { type AnalysisRequest, requestIdOf } from "./requests.js";
import { HeaderLine, headerLine, LeafLine, leafLine, longestLine, type ResultHeader } from "./result-format.js";
import { compareLeaves, type ResultLeaf } from "./result-tree.js";

/** Lines are handed on in pieces of about this many characters. */
const PIECE = 65_536;
/** Before the header is read, nobody knows how wide partials are. */
const LONGEST_HEADER = 4_096;

/** Whose data are expected. */
export interface ExpectedResult {
  readonly chainId: bigint;
  /** Address of `Analytics`. */
  readonly analytics: string;
  readonly request: AnalysisRequest;
}

export interface ReadOptions {
  /**
   * Whether leaves that don't ascend, and partials of another length, are refused. Who checks a proposal wants to see them: they are what is
   * wrong with it.
   */
  readonly strict?: boolean;
}

/**
 * The full data of a result, as the bytes whose SHA-256 is a proposal's `content`: lines of JSON (NDJSON), the header and then the leaves in their
 * order, each line ended by \n and spelled in one way only, so that the same result is the same file. Adds nothing to memory but 64 KiB.
 *
 * @param leaves As many as the header says, ascending.
 * Errors: RangeError for another number of them.
 * @example
 * const hash = createHash("sha256");
 * await pipeline(writeResultData(header, leaves), async function* (pieces) { for await (const piece of pieces) { hash.update(piece); yield piece; } }, file);
 */
export function* writeResultData(header: ResultHeader, leaves: Iterable<ResultLeaf>): Generator<Uint8Array> {
  let text = `${headerLine(header)}\n`;
  let count = 0;
  for (const leaf of leaves) {
    text += `${leafLine(leaf)}\n`;
    count++;
    if (text.length < PIECE) continue;
    yield Buffer.from(text, "latin1");
    text = "";
  }
  if (text) yield Buffer.from(text, "latin1");
  if (count !== header.leaves) throw new RangeError(`The header says ${header.leaves} leaves, there are ${count}.`);
}

/** The `content` of a proposal: the SHA-256 of its data, as hex. */
export async function contentOfData(data: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of data) hash.update(piece);
  return toHex(hash.digest());
}

/**
 * Reads the data of a result, line by line; holds one line at a time. Iterate it once: that also lets go of the source, wherever it ends.
 *
 * Errors, from `open` and while iterating: ITC_RESULT_DATA, which names the line, for one that is too long, isn't in the format or not in its one
 * spelling, for leaves out of order, too many or too few, and for data of another request.
 *
 * @example
 * const data = await ResultData.open(createReadStream(path), { chainId, analytics, request });
 * for await (const leaf of data) leaves.push(leaf);
 * data.content; // the SHA-256 of all of it
 */
export class ResultData implements AsyncIterable<ResultLeaf> {
  private number = 1;
  private finished: string | undefined;

  private constructor(
    readonly header: ResultHeader,
    private readonly lines: Lines,
    private readonly isStrict: boolean,
  ) {}

  static async open(
    source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    expected: ExpectedResult,
    { strict = true }: ReadOptions = {},
  ): Promise<ResultData> {
    const lines = new Lines(source);
    try {
      const text = await lines.next();
      if (text === undefined) throw malformed(1, "There is no header.");
      const header = parsed(HeaderLine, 1, text);
      if (headerLine(header) !== text) throw malformed(1, "The header isn't in its one spelling.");
      const idOf = ({ request, chainId, analytics }: ExpectedResult) => requestIdOf(request, chainId, analytics);
      if (idOf(header) !== idOf(expected)) throw malformed(1, "The data are of another request.");
      lines.longest = longestLine(header.request.query);
      return new ResultData(header, lines, strict);
    } catch (error) {
      await lines.close();
      throw error;
    }
  }

  /** The SHA-256 of the data as hex. Errors: RangeError before all leaves are read. */
  get content(): string {
    if (this.finished === undefined) throw new RangeError("Read all leaves first.");
    return this.finished;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ResultLeaf> {
    try {
      yield* this.leaves();
    } finally {
      await this.lines.close();
    }
  }

  private async *leaves(): AsyncGenerator<ResultLeaf> {
    const { leaves, request } = this.header;
    const length = partialLength(request.query);
    let before: ResultLeaf | undefined;
    for (let text = await this.lines.next(); text !== undefined; text = await this.lines.next()) {
      const line = ++this.number;
      if (line > leaves + 1) throw malformed(line, `The header says ${leaves} leaves.`);
      const leaf = parsed(LeafLine, line, text);
      if (leafLine(leaf) !== text) throw malformed(line, "The leaf isn't in its one spelling.");
      if (this.isStrict && before && compareLeaves(before, leaf) >= 0) {
        throw malformed(line, "The leaf doesn't come after the one before.");
      }
      if (this.isStrict && leaf.partial.length !== length) throw malformed(line, `A partial has ${length} bytes.`);
      before = leaf;
      yield leaf;
    }
    if (this.number !== leaves + 1) {
      throw malformed(this.number, `The data end after ${this.number - 1} leaves of ${leaves}.`);
    }
    this.finished = this.lines.content;
  }
}

/** Cuts bytes into lines of ASCII, and hashes them on the way. */
class Lines {
  longest = LONGEST_HEADER;
  private readonly pieces: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  private readonly hash: Hash = createHash("sha256");
  private rest: Buffer = Buffer.alloc(0);
  private at = 0;
  private line = 1;

  constructor(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
    this.pieces = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  }

  get content(): string {
    return toHex(this.hash.copy().digest());
  }

  /** A file that is read by pieces stays open until somebody says that no more are wanted. */
  async close(): Promise<void> {
    await this.pieces.return?.();
  }

  /** The next line without its end; undefined after the last. */
  async next(): Promise<string | undefined> {
    let seen = this.at;
    for (;;) {
      const end = this.rest.indexOf(0x0a, seen);
      const length = (end < 0 ? this.rest.length : end) - this.at;
      if (length > this.longest) throw malformed(this.line, `A line has at most ${this.longest} bytes.`);
      if (end >= 0) {
        const text = this.rest.toString("latin1", this.at, end);
        this.at = end + 1;
        this.line++;
        return text;
      }
      const { value, done } = await this.pieces.next();
      if (done) {
        if (length > 0) throw malformed(this.line, "The last line has no end.");
        return undefined;
      }
      this.hash.update(value);
      seen = length;
      this.rest = length === 0 ? bufferOf(value) : Buffer.concat([this.rest.subarray(this.at), value]);
      this.at = 0;
    }
  }
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function parsed<Output>(schema: z.ZodType<Output>, line: number, text: string): Output {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    throw malformed(line, "The line is no JSON.");
  }
  const result = schema.safeParse(raw);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw malformed(line, `${issue?.path.join(".") || "The line"}: ${issue?.message}.`);
}

function malformed(line: number, what: string): AnalyticsError {
  return new AnalyticsError(
    "ITC_RESULT_DATA",
    `Line ${line} of the result's data: ${what}`,
    "Ask its proposer for the data.",
  );
}
