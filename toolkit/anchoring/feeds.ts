import type { BytesLike } from "ethers";
import type { DeviceFeed } from "../contracts.js";
import { IotchainError } from "../errors.js";
import { sameBytes, toHex } from "../internal/bytes.js";
import { contentOf, type Measurement, type SignedReading } from "./readings.js";

/** A value that can't be brought to a feed. */
export class FeedError extends IotchainError {}

/** A round of a feed. */
export interface FeedRound {
  /** From 1. */
  readonly roundId: bigint;
  /** Fixed point; the feed's `decimals()` say the scale. */
  readonly answer: bigint;
  /** When the round was made, Unix seconds. */
  readonly startedAt: bigint;
  /** The time of the oldest value in the answer, Unix seconds. */
  readonly updatedAt: bigint;
}

/** What `DeviceFeed.push` takes. */
export type PushArguments = readonly [
  device: string,
  sequence: bigint,
  time: bigint,
  value: bigint,
  salt: BytesLike,
  signer: BytesLike,
  signature: BytesLike,
];

/**
 * The arguments with which anyone brings a signed reading to a feed: the same reading, with the same signature, that a gateway anchors.
 * The value and its salt are public from then on.
 * Errors: ITC_FEED_CONTENT.
 *
 * @param signer The device's present ERC-7913 signer, see `signerOf`.
 * @example
 * await feed.push(...pushArguments(reading, { value: 412n, salt }, signerOf(key, addresses)));
 */
export function pushArguments(
  reading: SignedReading,
  measurement: Measurement,
  signer: Uint8Array,
): [...PushArguments] {
  if (!sameBytes(contentOf(measurement), reading.content)) {
    const what = `Reading ${reading.sequence} of device ${reading.device} doesn't open to the value ${measurement.value} with this salt.`;
    throw new FeedError("ITC_FEED_CONTENT", what, "Bring the value and salt that the device hashed for this reading.");
  }
  const { device, sequence, time, signature } = reading;
  return [device, sequence, time, measurement.value, toHex(measurement.salt), toHex(signer), toHex(signature)];
}

/** The latest round of a feed; undefined before the first. */
export async function readLatestRound(feed: DeviceFeed): Promise<FeedRound | undefined> {
  const roundId = await feed.latestRound();
  return roundId === 0n ? undefined : readRound(feed, roundId);
}

/** The rounds that a feed keeps, the oldest first. One that is overwritten while this reads makes it fail: read again, or at a block. */
export async function readRounds(feed: DeviceFeed, blockTag: number | "latest" = "latest"): Promise<FeedRound[]> {
  const [latest, { ring }] = await Promise.all([feed.latestRound({ blockTag }), feed.config({ blockTag })]);
  const gone = latest > ring ? latest - ring : 0n;
  const ids = Array.from({ length: Number(latest - gone) }, (_, k) => gone + BigInt(k) + 1n);
  return Promise.all(ids.map((roundId) => readRound(feed, roundId, blockTag)));
}

/**
 * The median as a feed takes it: of an even number of values the mean of the two in the middle, rounded toward zero.
 *
 * @param values At least one.
 */
export function medianOf(values: readonly bigint[]): bigint {
  const ascending = [...values].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const upper = ascending[Math.floor(ascending.length / 2)];
  if (upper === undefined) throw new RangeError("There is no median of no values.");
  const lower = ascending.length % 2 === 1 ? upper : (ascending[ascending.length / 2 - 1] ?? upper);
  return (lower + upper) / 2n;
}

async function readRound(
  feed: DeviceFeed,
  roundId: bigint,
  blockTag: number | "latest" = "latest",
): Promise<FeedRound> {
  const [, answer, startedAt, updatedAt] = await feed.getRoundData(roundId, { blockTag });
  return { roundId, answer, startedAt, updatedAt };
}
