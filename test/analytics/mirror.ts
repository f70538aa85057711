import { appendFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PublicReadings, type PublicReadingsOptions } from "../../toolkit/analytics/public-readings.js";
import {
  batchLine,
  type PublishedBatch,
  publishedBatch,
  readingsHeaderLine,
} from "../../toolkit/analytics/readings-format.js";
import type { SignedReading } from "../../toolkit/anchoring/readings.js";
import type { Anchored, Kept, Market } from "./market.js";

/** A folder in which readings of a market are published. */
export class Mirror {
  private readonly begun = new Set<string>();
  readonly troubles: string[] = [];

  private constructor(
    private readonly market: Market,
    private readonly root: string,
  ) {}

  static async open(market: Market): Promise<Mirror> {
    const root = await mkdtemp(join(tmpdir(), "itc-readings-"));
    for (const name of ["readings", "state"]) await mkdir(join(root, name));
    return new Mirror(market, root);
  }

  get folder(): string {
    return join(this.root, "readings");
  }

  get state(): string {
    return join(this.root, "state");
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  get header(): string {
    const { chainId, addresses } = this.market;
    return `${readingsHeaderLine({ chainId, registry: addresses.DeviceRegistry, anchor: addresses.DataAnchor })}\n`;
  }

  /** Appends text to a file as it is. */
  async append(name: string, text: string): Promise<void> {
    await appendFile(this.path(name), text);
  }

  /** Publishes batches in a file that has a header. */
  async publish(name: string, ...batches: readonly PublishedBatch[]): Promise<void> {
    if (!this.begun.has(name)) await this.append(name, this.header);
    this.begun.add(name);
    for (const batch of batches) await this.append(name, `${batchLine(batch)}\n`);
  }

  /** A batch with those of its readings open that are chosen. */
  batch(anchored: Anchored, isOpen: (kept: Kept) => boolean = () => true): PublishedBatch {
    const { publisher, index, entryTime: time, batch, kept } = anchored;
    const measured = ({ device, sequence }: SignedReading) =>
      kept.find((one) => one.key.id === device && one.reading.sequence === sequence && isOpen(one));
    return publishedBatch(
      { publisher, index, time, batch },
      this.market.digests,
      measured,
      (device) => kept.find(({ key }) => key.id === device)?.key,
    );
  }

  /** Readings of this folder, by a state of its own. */
  reader(changes: Partial<PublicReadingsOptions> = {}): PublicReadings {
    return new PublicReadings({
      provider: this.market.ethers.provider,
      addresses: this.market.addresses,
      folder: this.folder,
      state: this.state,
      onTrouble: (place, why) => void this.troubles.push(`${place} ${why}`),
      ...changes,
    });
  }

  async remove(): Promise<void> {
    await rm(this.root, { recursive: true });
  }
}
