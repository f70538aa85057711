import type { Digests } from "../identity/digests.js";
import type { DeviceKey, PublicKey } from "../identity/keys.js";
import { sameBytes, toHex } from "../internal/bytes.js";
import { openedBy } from "./committed-batch.js";
import { spellingsOf } from "./device-signatures.js";
import { type Standing, standingError } from "./gateway-devices.js";
import { GatewayError } from "./gateway-errors.js";
import { bytesOf, type Kept, type Queue, type Served } from "./gateway-queue.js";
import type { GatewayReceipt, Receipts } from "./gateway-receipts.js";
import { isAuthentic, type SignedReading } from "./readings.js";

/** Which readings a gateway takes. */
export interface IntakePolicy {
  /** Seconds that a reading's time may be behind the gateway's clock. */
  readonly behind: bigint;
  /** Seconds that it may be ahead. */
  readonly ahead: bigint;
  /** Most bytes of a payload. */
  readonly payload: number;
  /** Most bytes of the queue file. Default: as many as the disk has. */
  readonly disk?: bigint | undefined;
  /**
   * What readings may mean. Default: anything. A batch has one schema, so a device that makes schemas up makes the publisher pay for an entry
   * each.
   */
  readonly schemas?: readonly Uint8Array[] | undefined;
  /** Whether a device may leave sequence numbers out. */
  readonly allowGaps: boolean;
  /** Seconds from receipt to the block that holds the entry. */
  readonly promise: bigint;
}

/** Decides about each reading, and gives the receipts. */
export class Intake {
  constructor(
    private readonly queue: Queue,
    private readonly digests: Digests,
    private readonly receipts: Receipts,
    private readonly publisher: DeviceKey,
    private readonly policy: IntakePolicy,
  ) {}

  /** See `Gateway.receive`. */
  receive(sent: SignedReading, payload: Uint8Array, now: bigint): GatewayReceipt {
    this.checkShape(sent, payload);
    const device = this.queue.device(sent.device);
    if (!device) {
      throw new GatewayError("ITC_GATEWAY_UNKNOWN", `Device ${sent.device} is not served here.`, "Admit it first.");
    }
    if (sent.sequence < device.next) return this.again(sent, payload, device);
    if (device.stopped !== undefined) throw standingError(device.stopped as Standing, sent.device);
    if (sent.sequence > device.next && !this.policy.allowGaps) throw sequenceError(sent, `${device.next} was due`);
    const reading = this.authentic(sent, device.key);
    this.checkClock(reading, now);
    this.checkSchema(reading);
    if (this.policy.disk !== undefined && this.queue.bytes + BigInt(bytesOf(reading, payload)) > this.policy.disk) {
      const what = `The queue has the ${this.policy.disk} bytes that it may have.`;
      throw new GatewayError("ITC_GATEWAY_FULL", what, "Let it drain and prune (keep), or allow more.");
    }
    const digest = this.digests.reading(reading);
    const receipt = this.receipts.sign(this.publisher, digest, now, now + this.policy.promise);
    this.queue.add(device, reading, digest, payload, receipt);
    return receipt;
  }

  /** A number that was taken: the same reading has its receipt already, another one is a contradiction. */
  private again(sent: SignedReading, payload: Uint8Array, device: Served): GatewayReceipt {
    const kept = this.queue.reading(sent.device, sent.sequence);
    if (!kept) throw sequenceError(sent, `${device.next} is due, and that number was skipped or has been pruned`);
    const first = kept.reading;
    // The contract, too, forgives a resend that was stamped anew.
    const same = sameBytes(first.content, sent.content) && sameBytes(first.schema, sent.schema);
    if (same) {
      // The opening may come later, or after a stranger's payload; it proves itself.
      const opens = openedBy(first.content, payload) && !openedBy(first.content, kept.payload);
      if (opens) this.queue.open(kept, payload);
      return kept.receipt;
    }
    throw this.contradiction(this.authentic(sent, device.key), kept, device);
  }

  private contradiction(second: SignedReading, kept: Kept, device: Served): GatewayError {
    // Of two keys, each has said one thing: no contradiction that the registry knows.
    if (kept.keyRow === device.keyRow) this.queue.contradict(device, kept.reading, second);
    const what = `Device ${second.device} signed two different readings ${second.sequence}.`;
    const next = "The first one stands. Don't trust the device: see contradictions().";
    return new GatewayError("ITC_GATEWAY_CONTRADICTION", what, next);
  }

  /** The reading with its signature as the chain takes it. */
  private authentic(sent: SignedReading, key: PublicKey): SignedReading {
    for (const signature of spellingsOf(key.kind, sent.signature)) {
      const reading = { ...sent, signature };
      if (isAuthentic(reading, key, this.digests)) return reading;
    }
    const what = `Reading ${sent.sequence} of ${sent.device} isn't signed by its key.`;
    throw new GatewayError(
      "ITC_GATEWAY_SIGNATURE",
      what,
      "Sign the digest of this registry and chain with the admitted key.",
    );
  }

  private checkClock({ device, sequence, time }: SignedReading, now: bigint): void {
    const { behind, ahead } = this.policy;
    if (time >= now - behind && time <= now + ahead) return;
    const what = `Reading ${sequence} of ${device} is of second ${time}; here it is ${now}.`;
    throw new GatewayError("ITC_GATEWAY_CLOCK", what, "Set the device's clock, or the gateway's limits for it.");
  }

  private checkSchema({ device, sequence, schema }: SignedReading): void {
    const { schemas } = this.policy;
    if (!schemas || schemas.some((one) => sameBytes(one, schema))) return;
    const what = `Reading ${sequence} of ${device} has schema ${toHex(schema)}, which is not taken here.`;
    throw new GatewayError("ITC_GATEWAY_SCHEMA", what, "Add it to intake.schemas if it is known.");
  }

  private checkShape({ sequence, time, schema, content, signature }: SignedReading, payload: Uint8Array): void {
    const isWhole = (value: bigint): boolean => value >= 0n && value >> 64n === 0n;
    if (
      !isWhole(sequence) ||
      !isWhole(time) ||
      schema.length !== 32 ||
      content.length !== 32 ||
      signature.length > MAX_SIGNATURE
    ) {
      const what = "The reading isn't one: numbers have 64 bits, hashes 32 bytes, signatures 256 bytes at most.";
      throw new GatewayError("ITC_GATEWAY_MALFORMED", what, "See docs/devices.md, A reading.");
    }
    if (payload.length > this.policy.payload) {
      const what = `A payload of ${payload.length} bytes is more than the ${this.policy.payload} that are taken.`;
      throw new GatewayError("ITC_GATEWAY_TOO_LARGE", what, "Anchor its hash and keep it elsewhere.");
    }
  }
}

/** An RSA-2048 signature. */
const MAX_SIGNATURE = 256;

function sequenceError({ device, sequence }: SignedReading, why: string): GatewayError {
  const what = `Device ${device} sent sequence ${sequence}; ${why}.`;
  return new GatewayError("ITC_GATEWAY_SEQUENCE", what, "Send each reading once, in order.");
}
