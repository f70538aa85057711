import { mkdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { formatEther, JsonRpcProvider, parseEther, Wallet } from "ethers";
import { readAddresses } from "../addresses.js";
import { type DataSource, folderSource, webSource } from "../analytics/data-sources.js";
import { PublicReadings, type PublicReadingsOptions } from "../analytics/public-readings.js";
import { type QuestionPolicy, Watchtower } from "../analytics/watch.js";
import type { WatchNote } from "../analytics/watch-notes.js";
import { Chain } from "../testing/chain.js";
import { checkedUrl, isFolder, printable, readSmall, UsageError } from "./input.js";

interface WatchCommand {
  readonly rpc: string;
  readonly addresses: string;
  readonly data: string;
  readonly keyFile?: string;
  readonly dryRun?: boolean;
  readonly once?: boolean;
  readonly from?: number;
  readonly readings?: string;
  readonly state: string;
  readonly questions: QuestionPolicy;
  readonly most: string;
  readonly every: number;
}

/** `itc watch`: exit code 1 with --once where something is wrong. */
export async function watch(options: WatchCommand): Promise<void> {
  const most = itcOf(options.most);
  const dataOf = await sourceOf(options.data);
  const key = options.dryRun || options.keyFile === undefined ? undefined : await keyIn(options.keyFile);
  if (key === undefined && !options.dryRun) {
    const what = "There is no key to challenge with.";
    throw new UsageError("ITC_CLI_KEY", what, "Give --key-file, or --dry-run to look on.");
  }
  if (options.readings !== undefined) await requireFolder(options.readings, "published readings");
  const provider = new JsonRpcProvider(checkedUrl(options.rpc), undefined, { batchMaxCount: 1, cacheTimeout: -1 });
  try {
    // ethers asks a node that doesn't answer for ever; this asks once.
    const { id } = await Chain.connect({ request: ({ method, params }) => provider.send(method, params ?? []) });
    const addresses = await readAddresses(options.addresses, id);
    if ((await provider.getCode(addresses.Analytics)) === "0x") {
      const what = `There is no contract at ${addresses.Analytics} on chain ${id}.`;
      throw new UsageError("ITC_CLI_CONTRACT", what, "Name the node and the addresses of one chain.");
    }
    const signer = key === undefined ? undefined : new Wallet(key, provider);
    const { questions, from } = options;
    const start = from === undefined ? {} : { fromBlock: from };
    const common = { provider, addresses, ...start };
    const known =
      options.readings === undefined ? undefined : await publicReadings(common, options.readings, options.state);
    const own = { ...(signer && { signer }), ...(known && { readings: known.of }) };
    const tower = new Watchtower({ ...common, dataOf, questions, most, ...own });
    console.log(
      `Watching ${addresses.Analytics} on chain ${id} as ${signer?.address ?? "nobody"}, up to ${formatEther(most)} ITC.`,
    );
    await rounds(tower, options).finally(() => known?.close());
  } finally {
    provider.destroy();
  }
}

async function rounds(tower: Watchtower, { once = false, every }: WatchCommand): Promise<void> {
  for (;;) {
    const notes = await tower.round().catch((error: unknown) => {
      if (once) throw unreadable(error);
      // A node that is down for a while must not end the watch.
      return [{ what: "trouble", about: "chain", detail: unreadable(error).message } as const];
    });
    for (const note of notes) console.log(lineOf(note));
    if (once) {
      if (notes.some(({ what }) => what === "fault" || what === "trouble")) process.exitCode = 1;
      return;
    }
    await sleep(1000 * every);
  }
}

function lineOf({ what, about, detail, hash }: WatchNote): string {
  return printable(`${what.padEnd(8)} ${about} ${detail}${hash === undefined ? "" : ` ${hash}`}`);
}

function unreadable(cause: unknown): UsageError {
  const why = cause instanceof Error ? (cause.message.split("\n", 1)[0] ?? "") : String(cause);
  return new UsageError("ITC_CLI_CHAIN", `The chain can't be read: ${why.slice(0, 200)}.`, "Check the node.", {
    cause,
  });
}

async function publicReadings(
  common: Pick<PublicReadingsOptions, "provider" | "addresses" | "fromBlock">,
  folder: string,
  state: string,
): Promise<PublicReadings> {
  await mkdir(state, { recursive: true, mode: 0o700 }).catch((cause: Error) => {
    const what = `The folder ${printable(state)} can't be made: ${cause.message}.`;
    throw new UsageError("ITC_CLI_WRITE", what, "Name another one by --state.", { cause });
  });
  const onTrouble = (place: string, why: string) => console.log(printable(`unread   ${place} ${why}`));
  return new PublicReadings({ ...common, folder, state, onTrouble });
}

async function sourceOf(place: string): Promise<DataSource> {
  if (/^https?:\/\//.test(place)) return webSource(checkedUrl(place));
  await requireFolder(place, "data, or an http(s) address");
  return folderSource(place);
}

async function requireFolder(folder: string, what: string): Promise<void> {
  if (await isFolder(folder)) return;
  throw new UsageError("ITC_CLI_FOLDER", `There is no folder ${printable(folder)}.`, `Name one with ${what}.`);
}

/** A key is 66 characters, and the end of the line. */
const MAX_KEY = 128;

async function keyIn(file: string): Promise<string> {
  const key = (await readSmall(file, MAX_KEY, "a file with a private key")).trim();
  const isKey = /^0x[0-9a-fA-F]{64}$/.test(key) && BigInt(key) !== 0n;
  if (isKey) return key;
  // Nothing of it is shown: it may be a key with a typing error.
  throw new UsageError("ITC_CLI_KEY", `There is no private key in ${file}.`, "It holds 0x and 64 hex digits alone.");
}

function itcOf(text: string): bigint {
  if (/^\d{1,12}(\.\d{1,18})?$/.test(text)) return parseEther(text);
  throw new UsageError("ITC_CLI_AMOUNT", `${printable(text)} is no number of ITC.`, "Give one such as 100 or 0.5.");
}
