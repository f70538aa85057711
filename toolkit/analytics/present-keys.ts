import type { ContractRunner } from "ethers";
import { spokeFor } from "../identity/key-history.js";
import type { DeviceId, PublicKey } from "../identity/keys.js";
import { toHex } from "../internal/bytes.js";
import { Recent } from "./recent.js";

/** A second that no chain has reached: as things are now. */
const NOW = 1n << 40n;
/** Answers that are kept. */
const MOST = 100_000;

/** Says which key of those that somebody offers is a device's present one, by the registry, asked once for each. */
export class PresentKeys {
  private readonly answers = new Recent<Promise<boolean>>(MOST);
  private offered = new Map<string, PublicKey>();

  /** @param registry Address of `DeviceRegistry`. */
  constructor(
    private readonly registry: string,
    private readonly runner: ContractRunner,
  ) {}

  /** Puts keys in the place of those that were offered before. */
  offer(keys: readonly PublicKey[]): void {
    this.offered = new Map(keys.map((key) => [key.id, key]));
  }

  /** As `BatchWitness` asks. Errors: the provider's. */
  readonly keyOf = async (device: string): Promise<PublicKey | undefined> => {
    const key = this.offered.get(device);
    return key && (await this.isPresent(key)) ? key : undefined;
  };

  private isPresent(key: PublicKey): Promise<boolean> {
    const name = `${key.id} ${key.kind} ${toHex(key.material)}`;
    const known = this.answers.get(name);
    if (known) return known;
    const asked = spokeFor(this.registry, this.runner, key.id as DeviceId, key, NOW);
    // What failed is asked again.
    asked.catch(() => this.answers.delete(name));
    this.answers.set(name, asked);
    return asked;
  }
}
