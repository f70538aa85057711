import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { IotchainError } from "../errors.js";

/** Data that may be there, and can't be got. */
export class DataError extends IotchainError {}

/**
 * Looks up data by their `content`. Undefined where there are none; throws `DataError` where that can't be told, as when nobody answers.
 * Asked again, it gives the data from their start.
 *
 * @param content The SHA-256 as hex.
 */
export type DataSource = (content: string) => Promise<AsyncIterable<Uint8Array> | undefined>;

/** What a check can hold: it keeps the whole tree in memory, which takes several times the data. */
export const MOST_DATA = 2 ** 27;

/** How long a server may be silent, in milliseconds. */
const PATIENCE = 30_000;

/**
 * Data in `<folder>/<content>.ndjson`.
 *
 * Errors of the source: ITC_WATCH_DATA for a file that is larger than `most` bytes.
 */
export function folderSource(folder: string, most = MOST_DATA): DataSource {
  return async (content) => {
    const path = join(folder, `${wordOf(content)}.ndjson`);
    const found = await stat(path).catch(() => undefined);
    if (!found?.isFile()) return undefined;
    if (found.size > most) throw tooLarge(path, most);
    return createReadStream(path);
  };
}

/**
 * Data at `<base>/<content>.ndjson`. 404 and 410 say that there are none.
 *
 * Errors of the source, and of the data while they are read: ITC_WATCH_DATA for more than `most` bytes, or a server that doesn't answer.
 */
export function webSource(base: string, most = MOST_DATA): DataSource {
  return async (content) => {
    const url = new URL(`${wordOf(content)}.ndjson`, base.endsWith("/") ? base : `${base}/`).href;
    const stop = new AbortController();
    const quiet = setTimeout(() => stop.abort(), PATIENCE);
    try {
      const response = await fetch(url, { signal: stop.signal });
      if (response.status === 404 || response.status === 410) {
        await response.body?.cancel();
        return undefined;
      }
      if (!response.ok || !response.body) throw new Error(`the server says ${response.status}`);
      return limited(response.body, url, most);
    } catch (cause) {
      throw unreachable(url, cause);
    } finally {
      clearTimeout(quiet);
    }
  };
}

async function* limited(body: ReadableStream<Uint8Array>, url: string, most: number): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  let size = 0;
  try {
    for (;;) {
      const { value, done } = await withinTime(reader.read(), url);
      if (done) return;
      size += value.length;
      if (size > most) throw tooLarge(url, most);
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

async function withinTime<Output>(reading: Promise<Output>, url: string): Promise<Output> {
  let quiet: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    quiet = setTimeout(() => reject(new Error("the server has gone silent")), PATIENCE);
  });
  try {
    return await Promise.race([reading, silence]);
  } catch (cause) {
    throw unreachable(url, cause);
  } finally {
    clearTimeout(quiet);
  }
}

/** It becomes part of a path. */
function wordOf(content: string): string {
  if (!/^0x[0-9a-f]{64}$/.test(content)) throw new RangeError("A content is 32 bytes in lower-case hex.");
  return content;
}

function tooLarge(what: string, most: number): DataError {
  return new DataError("ITC_WATCH_DATA", `${what} has more than ${most} bytes.`, "Watch it with more memory.");
}

function unreachable(url: string, cause: unknown): DataError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new DataError("ITC_WATCH_DATA", `${url} can't be read: ${why}.`, "Try again, or another address.", { cause });
}
