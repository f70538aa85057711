import { EntryDigests } from "../../toolkit/anchoring/entries.js";
import { entryLeaf, MountainRange } from "../../toolkit/anchoring/mountain-range.js";
import { type CurveKey, type DeviceId, type DeviceKey, signerOf } from "../../toolkit/identity/keys.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import { activeLot, type EnrolledLot, FAR, makerOf } from "../identity/fleet.js";
import { type Deployed, deployed } from "../support.js";

/** An entry that is the same in each run. */
export const entryOf = (k: number): Uint8Array => fromHex(secretOf(2, `entry-${k}`));

/** A chain on which some devices are active and publish. */
export class Publishers {
  private constructor(
    readonly world: Deployed,
    readonly lot: EnrolledLot,
    readonly digests: EntryDigests,
  ) {}

  static async of(keys: readonly DeviceKey[], unborn: readonly DeviceKey[] = []): Promise<Publishers> {
    const world = await deployed();
    const lot = await activeLot(world, keys, { unborn });
    const digests = new EntryDigests({ chainId: world.chainId, anchor: world.addresses.DataAnchor });
    return new Publishers(world, lot, digests);
  }

  /** The maker of all devices. */
  get maker() {
    return makerOf(this.world);
  }

  signer(key: DeviceKey): string {
    return toHex(signerOf(key, this.world.addresses));
  }

  /** The device's word for an entry; `device` where the key is a later one of another id. */
  signed(key: DeviceKey, index: bigint, entry: Uint8Array, device: DeviceId = key.id): string {
    return toHex(key.sign(this.digests.entry({ device, index, entry })));
  }

  /** Sends an entry in the device's word, from nobody in particular. */
  relay(key: DeviceKey, index: bigint, entry: Uint8Array, device: DeviceId = key.id) {
    const signature = this.signed(key, index, entry, device);
    return this.world.anchor.appendFor(device, index, entry, this.signer(key), signature);
  }

  /** Replaces a device's present key. */
  async rotate(device: DeviceId, from: DeviceKey, to: DeviceKey, nonce = 0n) {
    const signer = signerOf(to, this.world.addresses);
    const digest = this.world.digests.keyChange({ device, signer, nonce, deadline: FAR });
    return this.world.registry.rotateKey(device, this.signer(from), signer, FAR, from.sign(digest), to.sign(digest));
  }

  async sizeOf(publisher: string): Promise<bigint> {
    return (await this.world.anchor.headOf(publisher)).size;
  }

  /** Appends as the account of a key, which gets the ether that it takes. */
  async append(key: CurveKey, secret: string, index: bigint, entry: Uint8Array) {
    const { ethers, operator, anchor } = this.world;
    const account = new ethers.Wallet(secret, ethers.provider);
    if ((await ethers.provider.getBalance(account.address)) === 0n) {
      await operator.sendTransaction({ to: account.address, value: 10n ** 18n });
    }
    return anchor.connect(account).append(key.id, index, entry);
  }
}

/** Appends entries of an account, and returns its log with their times. */
export async function grow(
  world: Deployed,
  by: Deployed["operator"],
  count: number,
): Promise<{ range: MountainRange; times: bigint[]; entries: Uint8Array[] }> {
  const range = new MountainRange();
  const [times, entries]: [bigint[], Uint8Array[]] = [[], []];
  for (let k = 0; k < count; k++) {
    await world.anchor.connect(by).append(by.address, k, entryOf(k));
    const time = BigInt(await world.networkHelpers.time.latest());
    times.push(time);
    entries.push(entryOf(k));
    range.append(entryLeaf(entryOf(k), time));
  }
  return { range, times, entries };
}
