import type { Signer } from "ethers";
import { pushArguments } from "../../toolkit/anchoring/feeds.js";
import { contentOf, saltOf, schemaIdOf, signReading } from "../../toolkit/anchoring/readings.js";
import { type DeviceFeed, DeviceFeed__factory } from "../../toolkit/contracts.js";
import { type CurveKey, type DeviceId, heldBy, signerOf } from "../../toolkit/identity/keys.js";
import { toHex } from "../../toolkit/internal/bytes.js";
import type { FeedConfigStruct } from "../../typechain-types/anchoring/FeedFactory.js";
import { Publishers } from "./publishers.js";

export const SCHEMA = toHex(schemaIdOf({ quantity: "temperature", unit: "Cel", scale: 2 }));
export const RAIN = toHex(schemaIdOf({ quantity: "rain", unit: "mm", scale: 1 }));
export const MAX_AGE = 600;
export const MAX_AHEAD = 30;

/** A reading to bring to a feed; what is left out is right. */
export interface Value {
  readonly sequence: bigint;
  readonly time: bigint;
  readonly value: bigint;
  readonly schema?: string;
  /** Whose reading it is, where the key is a later one of another id. */
  readonly device?: DeviceId;
}

/** A chain with active devices, and feeds of them. */
export class Feeders {
  private constructor(readonly publishers: Publishers) {}

  static async of(keys: readonly CurveKey[], unborn: readonly CurveKey[] = []): Promise<Feeders> {
    return new Feeders(await Publishers.of(keys, unborn));
  }

  get world() {
    return this.publishers.world;
  }

  /** An account that has no part in anything but what a test gives it. */
  account(k: number): Signer & { address: string } {
    return this.world.accounts[k + 2] ?? this.world.operator;
  }

  async now(): Promise<bigint> {
    return BigInt(await this.world.networkHelpers.time.latest());
  }

  /** The next block comes `seconds` after the last; returns its time. */
  async after(seconds: bigint | number = 1n): Promise<bigint> {
    const time = (await this.now()) + BigInt(seconds);
    await this.world.networkHelpers.time.setNextBlockTimestamp(time);
    return time;
  }

  config(sources: readonly CurveKey[], changes: Partial<FeedConfigStruct> = {}): FeedConfigStruct {
    return {
      sources: sources.map(({ id }) => id),
      gateway: this.account(0).address,
      schema: SCHEMA,
      decimals: 2,
      quorum: 1,
      level: 0,
      ring: 8,
      maxAge: MAX_AGE,
      maxAhead: MAX_AHEAD,
      minimum: -(2n ** 127n),
      maximum: 2n ** 127n - 1n,
      verifier: `0x${"00".repeat(20)}`,
      description: "Hold 3, °C",
      ...changes,
    };
  }

  async create(...args: Parameters<Feeders["config"]>): Promise<DeviceFeed> {
    const config = this.config(...args);
    const address = await this.world.feeds.create.staticCall(config);
    await this.world.feeds.create(config);
    return DeviceFeed__factory.connect(address, this.world.operator);
  }

  /** What `push` takes for a reading that the key signs. */
  signed(key: CurveKey, { sequence, time, value, schema = SCHEMA, device = key.id }: Value) {
    const measurement = { value, salt: saltOf(key.material, sequence) };
    const content = contentOf(measurement);
    const reading = signReading(heldBy(device, key), this.world.digests, {
      sequence,
      time,
      schema: Buffer.from(schema.slice(2), "hex"),
      content,
    });
    return pushArguments(reading, measurement, signerOf(key, this.world.addresses));
  }

  /** Pushes from somebody who is nobody to the feed. */
  async push(feed: DeviceFeed, key: CurveKey, value: Value) {
    return feed.connect(this.account(5)).push(...this.signed(key, value));
  }

  /** Pushes a value that is measured in the second of its block. */
  async pushNow(feed: DeviceFeed, key: CurveKey, sequence: bigint, value: bigint): Promise<bigint> {
    const time = await this.after();
    await this.push(feed, key, { sequence, time, value });
    return time;
  }

  async pushAs(feed: DeviceFeed, by: Signer, key: CurveKey, { sequence, time, value, device = key.id }: Value) {
    return feed.connect(by).pushAs(device, sequence, time, value);
  }

  /** The account of a key, with ether. */
  async accountOf(secret: string) {
    const { ethers, operator } = this.world;
    const account = new ethers.Wallet(secret, ethers.provider);
    await operator.sendTransaction({ to: account.address, value: 10n ** 18n });
    return account;
  }
}

/** For a suite: a chain that is as it was before each test. */
export function feeders(keys: readonly CurveKey[], unborn: readonly CurveKey[] = []): () => Feeders {
  let chain: Feeders;
  let restore: () => Promise<void>;
  before(async () => {
    chain = await Feeders.of(keys, unborn);
  });
  beforeEach(async () => {
    const snapshot = await chain.world.networkHelpers.takeSnapshot();
    restore = () => snapshot.restore();
  });
  afterEach(() => restore());
  return () => chain;
}
