import { getAddress } from "ethers";
import { z } from "zod";
import type { DeviceId } from "../identity/keys.js";
import { fromHex, toHex } from "../internal/bytes.js";
import { address, bytes, unsigned, word } from "../internal/words.js";
import { partialLength } from "./partials.js";
import type { Query } from "./query.js";
import type { AnalysisRequest } from "./requests.js";
import type { ResultLeaf } from "./result-tree.js";

/** Names the format, and its version. */
export const RESULT_FORMAT = "iotchain:result:1";

/** What the data of a result say of themselves. */
export interface ResultHeader {
  readonly chainId: bigint;
  /** Address of `Analytics`. */
  readonly analytics: string;
  readonly request: AnalysisRequest;
  /** How many leaves follow. */
  readonly leaves: number;
}

const signed64 = z
  .string()
  .regex(/^(0|-?[1-9][0-9]{0,18})$/, "a decimal")
  .transform(BigInt)
  .refine((value) => BigInt.asIntN(64, value) === value, "an int64");
const small = (most: number) => z.int().min(0).max(most);

const uint64 = unsigned(64n);
const uint128 = unsigned(128n);

const QueryWords = z.strictObject({
  schema: word.transform(fromHex),
  operation: z.literal([0, 1, 2, 3, 4, 5, 6, 7]),
  size: small(255),
  hashes: small(255),
  lower: signed64,
  upper: signed64,
  from: uint64,
  to: uint64,
  anchoredBy: uint64,
  cap: unsigned(32n),
});

const RequestWords = z.strictObject({
  requester: address.transform(getAddress),
  salt: word,
  purpose: word,
  query: QueryWords,
  filter: z.strictObject({
    lot: word,
    region: uint64,
    assurance: small(255),
    verifier: address.transform(getAddress),
  }),
  terms: z.strictObject({
    cohort: uint64,
    epsilon: uint64,
    price: uint128,
    reward: uint128,
    fee: uint128,
    bond: uint128,
    deadline: uint64,
    challengeWindow: uint64,
    weighting: z.literal([0, 1]),
    settlement: z.literal([0, 1, 2]),
  }),
});

/** The first line. */
export const HeaderLine = z
  .strictObject({
    format: z.literal(RESULT_FORMAT),
    chain: unsigned(128n),
    analytics: address.transform(getAddress),
    request: RequestWords,
    leaves: z.int().min(1),
  })
  .transform(({ chain, analytics, request, leaves }): ResultHeader => ({ chainId: chain, analytics, request, leaves }));

/** Any other line: owner, device, origin, count, weight, spent, two pieces of evidence, partial. */
export const LeafLine = z
  .tuple([address, address, z.literal([0, 1, 2]), uint64, uint128, uint64, bytes, bytes, bytes])
  .transform(
    ([owner, device, origin, count, weight, spent, first, second, partial]): ResultLeaf => ({
      owner,
      device: device as DeviceId,
      origin,
      count,
      weight,
      spent,
      evidence: [fromHex(first), fromHex(second)],
      partial: fromHex(partial),
    }),
  );

/** The first line, without its end. */
export function headerLine({ chainId, analytics, request, leaves }: ResultHeader): string {
  const { requester, salt, purpose, query, filter, terms } = request;
  // One by one: the order of the keys is part of the format.
  return JSON.stringify({
    format: RESULT_FORMAT,
    chain: String(chainId),
    analytics: analytics.toLowerCase(),
    request: {
      requester: requester.toLowerCase(),
      salt: salt.toLowerCase(),
      purpose: purpose.toLowerCase(),
      query: {
        schema: toHex(query.schema),
        operation: query.operation,
        size: query.size,
        hashes: query.hashes,
        lower: String(query.lower),
        upper: String(query.upper),
        from: String(query.from),
        to: String(query.to),
        anchoredBy: String(query.anchoredBy),
        cap: String(query.cap),
      },
      filter: {
        lot: filter.lot.toLowerCase(),
        region: String(filter.region),
        assurance: filter.assurance,
        verifier: filter.verifier.toLowerCase(),
      },
      terms: {
        cohort: String(terms.cohort),
        epsilon: String(terms.epsilon),
        price: String(terms.price),
        reward: String(terms.reward),
        fee: String(terms.fee),
        bond: String(terms.bond),
        deadline: String(terms.deadline),
        challengeWindow: String(terms.challengeWindow),
        weighting: terms.weighting,
        settlement: terms.settlement,
      },
    },
    leaves,
  });
}

/** The line of a leaf, without its end. */
export function leafLine({ owner, device, origin, count, weight, spent, evidence, partial }: ResultLeaf): string {
  const [first, second] = evidence;
  const words = `"${owner.toLowerCase()}","${device.toLowerCase()}",${origin},"${count}","${weight}","${spent}"`;
  return `[${words},"${toHex(first)}","${toHex(second)}","${toHex(partial)}"]`;
}

/** Most sequence-number ranges that a leaf's line has room for; more of them no transaction could show. */
export const MAX_RANGES = 2 ** 16;

const MAX_HEADER = 4_096;

/** Longest line of such data, in bytes. */
export function longestLine(query: Query): number {
  return Math.max(MAX_HEADER, 512 + 2 * partialLength(query) + 2 * 16 * MAX_RANGES);
}
