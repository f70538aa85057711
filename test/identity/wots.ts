import { concat, keccak256, uintBytes } from "../../toolkit/internal/bytes.js";

const CHAINS = 67;
const DIGITS = 64;
const LAST_STEP = 15;
const text = (words: string): Uint8Array => new TextEncoder().encode(words);

/** The 64 digits of a hash and the 3 of their checksum, 4 bits each: how far each chain is climbed. */
export function digitsOf(hash: Uint8Array): number[] {
  const digits = [...hash].flatMap((byte) => [byte >> 4, byte & 15]);
  const checksum = digits.reduce((sum, digit) => sum + LAST_STEP - digit, 0);
  return [...digits, checksum >> 8, (checksum >> 4) & 15, checksum & 15];
}

/** One more step of one chain of a key. */
export function stepOf(seed: Uint8Array, chain: number, step: number, link: Uint8Array): Uint8Array {
  return keccak256(text("wots step"), seed, Uint8Array.of(chain, step), link);
}

/** A Winternitz key, which signs once: what `WotsVerifier` in mocks/ verifies. For tests, not for devices. */
export class WotsKey {
  private readonly seed: Uint8Array;
  private signed = false;

  constructor(private readonly secret: Uint8Array) {
    this.seed = keccak256(text("wots seed"), secret);
  }

  /** seed ‖ keccak256 of the chains' ends, 64 bytes. */
  get publicKey(): Uint8Array {
    const ends = Array.from({ length: CHAINS }, (_, chain) => this.link(chain, LAST_STEP));
    return concat(this.seed, keccak256(text("wots key"), this.seed, ...ends));
  }

  /** Signs 32 bytes. A second signature would let others make a third, so there is none. */
  sign(hash: Uint8Array): Uint8Array {
    if (this.signed) throw new Error("A one-time key has signed already. Rotate it.");
    this.signed = true;
    const digits = digitsOf(hash);
    if (digits.length !== DIGITS + 3) throw new RangeError("A hash has 32 bytes.");
    return concat(...digits.map((digit, chain) => this.link(chain, digit)));
  }

  private link(chain: number, steps: number): Uint8Array {
    let link = keccak256(text("wots secret"), this.secret, uintBytes(chain, 1));
    for (let step = 0; step < steps; step++) link = stepOf(this.seed, chain, step, link);
    return link;
  }
}
