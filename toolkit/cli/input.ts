import { open, stat } from "node:fs/promises";
import { IotchainError } from "../errors.js";

/** A command that was called wrongly. */
export class UsageError extends IotchainError {}

export function checkedUrl(url: string): string {
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url;
  throw new UsageError("ITC_CLI_URL", `${url} is no RPC address.`, "Give one such as http://127.0.0.1:8545.");
}

/** Text of others without what a terminal would act upon: a hostile bundle could clear the screen and write a verdict of its own. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, "\uFFFD");
}

/** Whether there is such a folder. */
export async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() ?? false;
}

/**
 * The text of a file, of which never more is read than it may have, whatever it is.
 *
 * @param what What the file should be, in words.
 */
export async function readSmall(file: string, most: number, what: string): Promise<string> {
  const found = await stat(file).catch(() => undefined);
  if (!found?.isFile()) throw new UsageError("ITC_CLI_FILE", `There is no file ${file}.`, `Name ${what}.`);
  if (found.size > most) {
    throw new UsageError("ITC_CLI_TOO_LARGE", `${file} has ${found.size} bytes.`, `${what} has ${most} at most.`);
  }
  const handle = await open(file);
  try {
    return await handle.readFile("utf8");
  } finally {
    await handle.close();
  }
}
