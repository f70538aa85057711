import { mkdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { JsonRpcProvider, Wallet } from "ethers";
import { type Addresses, readAddresses } from "../addresses.js";
import { type DataSource, folderSource, webSource } from "../analytics/data-sources.js";
import { PublicReadings } from "../analytics/public-readings.js";
import type { WatchNote } from "../analytics/watch-notes.js";
import { Chain } from "../testing/chain.js";
import { checkedUrl, isFolder, printable, readSmall, UsageError } from "./input.js";

/** How commands name a chain, and who acts on it. */
export interface NodeOptions {
  readonly rpc: string;
  readonly addresses: string;
  readonly keyFile?: string;
  readonly dryRun?: boolean;
  readonly from?: number;
}

/** A chain that a command works on. */
export interface Node {
  readonly provider: JsonRpcProvider;
  readonly chainId: bigint;
  readonly addresses: Addresses;
  readonly fromBlock: number;
  /** Whose key it is, if there is one. */
  readonly signer: Wallet | undefined;
}

/** Connects to a chain for as long as some work takes. Errors: of what is named wrongly, before anything is sent. */
export async function onNode(options: NodeOptions, work: (node: Node) => Promise<void>): Promise<void> {
  const key = options.dryRun || options.keyFile === undefined ? undefined : await keyIn(options.keyFile);
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
    await work({ provider, chainId: id, addresses, fromBlock: options.from ?? 0, signer });
  } finally {
    provider.destroy();
  }
}

/** Refuses to go on without a key, unless nothing is to be sent. */
export function requireKey({ keyFile, dryRun }: NodeOptions, purpose: string): void {
  if (dryRun || keyFile !== undefined) return;
  throw new UsageError(
    "ITC_CLI_KEY",
    `There is no key to ${purpose} with.`,
    "Give --key-file, or --dry-run to look on.",
  );
}

/** Works in rounds: once, with exit code 1 where something is wrong, or for ever. */
export async function rounds(
  worker: { round(): Promise<WatchNote[]> },
  { once = false, every }: { readonly once?: boolean; readonly every: number },
): Promise<void> {
  for (;;) {
    const notes = await worker.round().catch((error: unknown) => {
      if (once) throw unreadable(error);
      // A node that is down for a while must not end the work.
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

/** Data in a folder, or at a web address. */
export async function sourceOf(place: string): Promise<DataSource> {
  if (/^https?:\/\//.test(place)) return webSource(checkedUrl(place));
  await requireFolder(place, "data, or an http(s) address");
  return folderSource(place);
}

/** Published readings of a folder, with a folder for what they come to, which is made if it isn't there. */
export async function publicReadings(
  { provider, addresses, fromBlock }: Node,
  { readings: folder, state }: { readonly readings: string; readonly state: string },
): Promise<PublicReadings> {
  await requireFolder(folder, "published readings");
  await mkdir(state, { recursive: true, mode: 0o700 }).catch((cause: Error) => {
    const what = `The folder ${printable(state)} can't be made: ${cause.message}.`;
    throw new UsageError("ITC_CLI_WRITE", what, "Name another one by --state.", { cause });
  });
  const onTrouble = (place: string, why: string) => console.log(printable(`unread   ${place} ${why}`));
  return new PublicReadings({ provider, addresses, fromBlock, folder, state, onTrouble });
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
