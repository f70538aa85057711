import { IotchainError } from "../errors.js";
import type { Digests } from "../identity/digests.js";
import type { DeviceId, PublicKey } from "../identity/keys.js";
import { toHex } from "../internal/bytes.js";
import { Batch } from "./batches.js";
import { isAuthentic, type SignedReading } from "./readings.js";

/** A reading that a gateway turned away. */
export class GatewayError extends IotchainError {}

/**
 * Takes signed readings from devices and seals them into batches, one schema each. It forwards only what a device that it knows has
 * signed, each sequence number once and in order.
 *
 * @example
 * const gateway = new Gateway(digests, 256);
 * gateway.admit(device);
 * gateway.receive(reading);
 * for (const batch of gateway.seal()) await anchor.append(address, index++, batch.entry);
 */
export class Gateway {
  private readonly devices = new Map<DeviceId, { key: PublicKey; next: bigint }>();
  private readonly open = new Map<string, SignedReading[]>();
  private readonly full: Batch[] = [];

  /** @param capacity Most readings in a batch. */
  constructor(
    private readonly digests: Digests,
    private readonly capacity: number,
  ) {
    if (!Number.isInteger(capacity) || capacity < 1) throw new RangeError("A batch holds at least one reading.");
  }

  /** Serves this device from now on. `next` is the sequence number that it will use. */
  admit(key: PublicKey, next = 0n): void {
    this.devices.set(key.id, { key, next });
  }

  /** Takes a reading. Errors: ITC_GATEWAY_UNKNOWN, ITC_GATEWAY_SEQUENCE, ITC_GATEWAY_SIGNATURE; nothing is kept then. */
  receive(reading: SignedReading): void {
    const device = this.devices.get(reading.device);
    if (!device) {
      throw new GatewayError("ITC_GATEWAY_UNKNOWN", `Device ${reading.device} is not served here.`, "Admit it first.");
    }
    if (reading.sequence !== device.next) {
      const what = `Device ${reading.device} sent sequence ${reading.sequence}; ${device.next} was due.`;
      throw new GatewayError("ITC_GATEWAY_SEQUENCE", what, "Send each reading once, in order.");
    }
    if (!isAuthentic(reading, device.key, this.digests)) {
      const what = `Reading ${reading.sequence} of ${reading.device} isn't signed by its key.`;
      throw new GatewayError(
        "ITC_GATEWAY_SIGNATURE",
        what,
        "Sign the digest of this registry and chain, with s in the lower half.",
      );
    }
    device.next += 1n;
    this.keep(reading);
  }

  /** The batches that are ready and those that had begun; the gateway is empty then. */
  seal(): Batch[] {
    for (const readings of this.open.values()) this.full.push(new Batch(readings, this.digests));
    this.open.clear();
    return this.full.splice(0);
  }

  private keep(reading: SignedReading): void {
    const schema = toHex(reading.schema);
    const readings = this.open.get(schema) ?? [];
    readings.push(reading);
    this.open.set(schema, readings);
    if (readings.length < this.capacity) return;
    this.full.push(new Batch(readings, this.digests));
    this.open.delete(schema);
  }
}
