import { decodeRlp, encodeRlp, toBeArray, toQuantity } from "ethers";
import { z } from "zod";
import { fromHex, keccak256, sameBytes, toHex } from "../internal/bytes.js";
import { EvidenceError } from "./evidence-error.js";

/** The one method of a node that is needed; ethers' `JsonRpcProvider` has it. */
export interface RpcClient {
  // biome-ignore lint/suspicious/noExplicitAny: as ethers declares it; whatever comes is parsed.
  send(method: string, params: any[]): Promise<unknown>;
}

/** What we read of a block's header. */
export interface Header {
  /** keccak256 of its RLP: the block's hash. */
  readonly hash: Uint8Array;
  readonly parentHash: Uint8Array;
  readonly stateRoot: Uint8Array;
  readonly number: bigint;
  /** Unix seconds. */
  readonly time: bigint;
}

/** Longest header that is looked at, in bytes; one of Ethereum has under 700. */
export const MAX_HEADER_BYTES = 2048;

/** Most headers between a trusted one and the bundle's: more than a day of Ethereum's blocks. */
export const MAX_HEADERS = 8192;

const NUMBER_BYTES = 8;

// In the order of the header's RLP list. What a fork adds goes to the end, and chains before it have none (execution-specs; EIP-1559,
// 4895, 4844, 4788, 7685).
const BYTES_FIELDS = [
  "parentHash",
  "sha3Uncles",
  "miner",
  "stateRoot",
  "transactionsRoot",
  "receiptsRoot",
  "logsBloom",
];
const NUMBER_FIELDS = ["difficulty", "number", "gasLimit", "gasUsed", "timestamp"];
const LATER_FIELDS: readonly (readonly [name: string, isNumber: boolean])[] = [
  ["extraData", false],
  ["mixHash", false],
  ["nonce", false],
  ["baseFeePerGas", true],
  ["withdrawalsRoot", false],
  ["blobGasUsed", true],
  ["excessBlobGas", true],
  ["parentBeaconBlockRoot", false],
  ["requestsHash", false],
];
const FIELDS = [
  ...BYTES_FIELDS.map((name) => [name, false] as const),
  ...NUMBER_FIELDS.map((name) => [name, true] as const),
  ...LATER_FIELDS,
];

const RpcBlock = z.looseObject({ hash: z.string().regex(/^0x[0-9a-f]{64}$/) });

/**
 * The RLP of a block's header, from what `eth_getBlockByNumber` says of it. Errors: ITC_EVIDENCE_HEADER when it doesn't hash to the block's
 * hash: the node lies, or the chain's headers have fields that Ethereum's had not in 2026.
 */
export function headerFromRpc(block: unknown): Uint8Array {
  const parsed = RpcBlock.safeParse(block);
  try {
    if (parsed.success) {
      const present = FIELDS.filter(([name]) => typeof parsed.data[name] === "string");
      const rlp = encodeRlp(present.map(([name, isNumber]) => rlpItem(String(parsed.data[name]), isNumber)));
      const bytes = fromHex(rlp);
      if (toHex(keccak256(bytes)) === parsed.data.hash) return bytes;
    }
  } catch (cause) {
    throw wrongHeader(cause);
  }
  throw wrongHeader();
}

function rlpItem(text: string, isNumber: boolean): string | Uint8Array {
  return isNumber ? toBeArray(BigInt(text)) : text;
}

function wrongHeader(cause?: unknown): EvidenceError {
  const what = "What the node says of a block doesn't hash to the block's hash.";
  return new EvidenceError("ITC_EVIDENCE_HEADER", what, "Ask another node.", { cause });
}

/**
 * The RLP of the headers from one block down to the child of another, newest first: what links the older to the newer.
 * Errors: ITC_EVIDENCE_HEADER, and RangeError for more than {@link MAX_HEADERS}; the node's own failures.
 */
export async function headersBetween(rpc: RpcClient, newest: bigint, older: bigint): Promise<Uint8Array[]> {
  if (newest - older > MAX_HEADERS) throw new RangeError(`${newest - older} headers are more than ${MAX_HEADERS}.`);
  const headers: Uint8Array[] = [];
  for (let number = newest; number > older; number--) {
    headers.push(headerFromRpc(await rpc.send("eth_getBlockByNumber", [toQuantity(number), false])));
  }
  return headers;
}

/** Reads a header's RLP. Undefined for what is none. */
export function readHeader(rlp: Uint8Array): Header | undefined {
  if (rlp.length > MAX_HEADER_BYTES) return undefined;
  try {
    const fields = decodeRlp(rlp);
    if (!Array.isArray(fields) || fields.length < 15) return undefined;
    const bytesAt = (index: number, length: number): Uint8Array | undefined => {
      const field = fields[index];
      return typeof field === "string" && field.length === 2 + 2 * length ? fromHex(field) : undefined;
    };
    const [parentHash, stateRoot] = [bytesAt(0, 32), bytesAt(3, 32)];
    const [number, time] = [numberOf(fields[8]), numberOf(fields[11])];
    if (!parentHash || !stateRoot || number === undefined || time === undefined) return undefined;
    return { hash: keccak256(rlp), parentHash, stateRoot, number, time };
  } catch {
    // Not RLP, or nested until the stack ends.
    return undefined;
  }
}

/** Undefined for more than a number of a block or a second can be, which nodes couldn't be asked for. */
function numberOf(field: unknown): bigint | undefined {
  if (typeof field !== "string" || field.length > 2 + 2 * NUMBER_BYTES) return undefined;
  const value = field === "0x" ? 0n : BigInt(field);
  return value <= Number.MAX_SAFE_INTEGER ? value : undefined;
}

/**
 * Why a header isn't linked to one that is trusted; undefined if it is.
 *
 * @param trusted Hash of a block that the reader knows to be on the chain, from a node or a light client of his own.
 * @param between RLP of the headers from the trusted one down to the child of this one, newest first; none if this is the trusted one.
 */
export function unlinkedSince(
  header: Header,
  trusted: Uint8Array,
  between: readonly Uint8Array[] = [],
): string | undefined {
  if (between.length > MAX_HEADERS) return `${between.length} headers are more than ${MAX_HEADERS}`;
  let [expected, number]: [Uint8Array, bigint | undefined] = [trusted, undefined];
  for (const [place, rlp] of between.entries()) {
    const link = readHeader(rlp);
    if (!link) return `header ${place} between is no header`;
    if (!sameBytes(link.hash, expected)) return `header ${place} between is not the parent of the one before`;
    if (number !== undefined && link.number !== number - 1n) return `header ${place} between has number ${link.number}`;
    [expected, number] = [link.parentHash, link.number];
  }
  if (!sameBytes(header.hash, expected)) return `block ${header.number} has another hash, ${toHex(header.hash)}`;
  if (number !== undefined && header.number !== number - 1n) return `block ${header.number} is not before ${number}`;
  return undefined;
}
