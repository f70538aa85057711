import { contentOf, type Measurement, type SignedReading, saltOf, signReading } from "../anchoring/readings.js";
import type { Activation, Digests } from "../identity/digests.js";
import { type CurveKind, type DeviceKey, deviceKey } from "../identity/keys.js";
import { fromHex } from "../internal/bytes.js";
import { secretOf } from "./fixture.js";

/** A reading, and the measurement that it commits to. */
export interface Measured {
  readonly reading: SignedReading;
  readonly measurement: Measurement;
}

/** A device with a real key and a counter, which does what firmware does. */
export class VirtualDevice {
  readonly key: DeviceKey;
  private readonly saltSecret: Uint8Array;
  private sequence = 0n;

  /** @param label Names the device within a run; with the seed it fixes the key. */
  constructor(kind: CurveKind, seed: number, label: string) {
    this.key = deviceKey(kind, fromHex(secretOf(seed, `${label}:key`)));
    this.saltSecret = fromHex(secretOf(seed, `${label}:salt`));
  }

  /** The sequence number of its next reading. */
  get nextSequence(): bigint {
    return this.sequence;
  }

  /** Signs that it wants to be activated. */
  signActivation(digests: Digests, activation: Omit<Activation, "device">): Uint8Array {
    return this.key.sign(digests.activation({ ...activation, device: this.key.id }));
  }

  /** Measures, and signs with the next sequence number. */
  measure(digests: Digests, schema: Uint8Array, time: bigint, value: bigint): Measured {
    const measurement = { value, salt: this.nextSalt };
    return { reading: this.say(digests, schema, time, contentOf(measurement)), measurement };
  }

  /** The salt of its next reading. */
  get nextSalt(): Uint8Array {
    return saltOf(this.saltSecret, this.sequence);
  }

  /** Signs a content hash with the next sequence number. */
  say(digests: Digests, schema: Uint8Array, time: bigint, content: Uint8Array): SignedReading {
    return signReading(this.key, digests, { sequence: this.sequence++, time, schema, content });
  }
}
