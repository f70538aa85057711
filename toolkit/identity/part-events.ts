import type { Log, Provider } from "ethers";
import { Provenance__factory } from "../contracts.js";
import type { PartId } from "./epc.js";
import type { DeviceId } from "./keys.js";

/** What parts are, numbered as `PartRank` in Solidity; `unknown` was claimed wrongly and never commissioned. */
export const PART_RANKS = ["unknown", "ip-block", "chip", "module", "device", "installation"] as const;
export type PartRank = (typeof PART_RANKS)[number];

/** Where and when something happened to a part. */
interface Place {
  readonly block: number;
  /** Its place among the logs of the block. */
  readonly index: number;
  /** Unix seconds. */
  readonly time: bigint;
  readonly transaction: string;
}

/** Something that happened to a part; see the events of `IProvenance`. */
export type PartEvent = Place &
  (
    | { kind: "commissioned"; part: PartId; maker: string; rank: PartRank; prefixHash: string; serialHash: string }
    | { kind: "design-included"; chip: PartId; design: PartId }
    | { kind: "licence-set"; design: PartId; maker: string; licensed: boolean }
    | { kind: "claim-refused"; part: PartId; claimant: string }
    | { kind: "bound"; part: PartId; device: DeviceId }
    | { kind: "binding-refused"; part: PartId; device: DeviceId; holder: PartId }
    | { kind: "assembled" | "disassembled"; parent: PartId; child: PartId }
    | { kind: "replaced"; parent: PartId; removed: PartId; added: PartId }
    | { kind: "handed-over" | "accepted"; part: PartId; from: string; to: string; number: bigint }
    | { kind: "cancelled"; part: PartId; by: string; number: bigint }
    | { kind: "decommissioned"; part: PartId }
  );

/** A log with the parts that its topics name. */
export interface PartLog {
  readonly log: Log;
  readonly names: readonly PartId[];
}

const AT_ONCE = 100;
const abi = Provenance__factory.createInterface();

/**
 * Every log that names one of the parts, in the order of the chain.
 *
 * @param deep How many topics to look at: 3, or 1 for designs, which every chip that includes them names.
 */
export async function logsOf(
  provider: Provider,
  address: string,
  parts: readonly PartId[],
  deep: 1 | 3,
  block: number,
): Promise<PartLog[]> {
  const found = new Map<string, PartLog>();
  const wanted = new Set<string>(parts);
  for (const some of chunks(parts)) {
    const ids: string[] = [...some];
    const filters = [
      [null, ids],
      [null, null, ids],
      [null, null, null, ids],
    ].slice(0, deep);
    const answers = filters.map((topics) => provider.getLogs({ address, topics, fromBlock: 0, toBlock: block }));
    for (const log of (await Promise.all(answers)).flat()) {
      const names = log.topics.slice(1, 1 + deep).filter((topic) => wanted.has(topic)) as PartId[];
      found.set(`${log.blockNumber}:${log.index}`, { log, names });
    }
  }
  return [...found.values()].sort((a, b) => a.log.blockNumber - b.log.blockNumber || a.log.index - b.log.index);
}

/** The logs as events, with the times of their blocks. Logs that are no event of the contract are left out. */
export async function eventsOf(
  provider: Provider,
  logs: readonly Log[],
  times: Map<number, bigint>,
): Promise<(PartEvent | undefined)[]> {
  const blocks = [...new Set(logs.map(({ blockNumber }) => blockNumber))].filter((block) => !times.has(block));
  for (const some of chunks(blocks)) {
    const found = await Promise.all(some.map((block) => provider.getBlock(block)));
    some.forEach((block, k) => {
      times.set(block, BigInt(found[k]?.timestamp ?? 0));
    });
  }
  return logs.map((log) => eventOf(log, times.get(log.blockNumber) ?? 0n));
}

/** Does something for each, a hundred at a time. */
export async function forEach<T, R>(list: readonly T[], ask: (one: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = [];
  for (const some of chunks(list)) answers.push(...(await Promise.all(some.map(ask))));
  return answers;
}

function chunks<T>(list: readonly T[]): T[][] {
  const count = Math.ceil(list.length / AT_ONCE);
  return Array.from({ length: count }, (_, k) => list.slice(k * AT_ONCE, (k + 1) * AT_ONCE));
}

function eventOf(log: Log, time: bigint): PartEvent | undefined {
  const parsed = abi.parseLog(log);
  if (!parsed) return undefined;
  const at = { block: log.blockNumber, index: log.index, time, transaction: log.transactionHash };
  const { name, args } = parsed;
  const { part, parent, child, removed, added, design, device, maker, from, to, number } = args;
  switch (name) {
    case "PartCommissioned": {
      const rank = PART_RANKS[Number(args.rank)] ?? "unknown";
      return { ...at, kind: "commissioned", part, maker, rank, prefixHash: args.prefix, serialHash: args.serial };
    }
    case "DesignIncluded":
      return { ...at, kind: "design-included", chip: args.chip, design };
    case "LicenceSet":
      return { ...at, kind: "licence-set", design, maker, licensed: args.licensed };
    case "CounterfeitClaimed":
      return { ...at, kind: "claim-refused", part, claimant: args.claimant };
    case "DeviceBound":
      return { ...at, kind: "bound", part, device };
    case "BindingRefused":
      return { ...at, kind: "binding-refused", part, device, holder: args.holder };
    case "PartAssembled":
      return { ...at, kind: "assembled", parent, child };
    case "PartDisassembled":
      return { ...at, kind: "disassembled", parent, child };
    case "PartReplaced":
      return { ...at, kind: "replaced", parent, removed, added };
    case "HandedOver":
      return { ...at, kind: "handed-over", part, from, to, number };
    case "HandOverAccepted":
      return { ...at, kind: "accepted", part, from, to, number };
    case "HandOverCancelled":
      return { ...at, kind: "cancelled", part, by: args.by, number };
    case "PartDecommissioned":
      return { ...at, kind: "decommissioned", part };
    default:
      return undefined;
  }
}
