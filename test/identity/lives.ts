import type { ContractTransactionResponse, Signer } from "ethers";
import { type DeviceKey, signerOf } from "../../toolkit/identity/keys.js";
import { fromHex, toHex } from "../../toolkit/internal/bytes.js";
import { secretOf } from "../../toolkit/testing/fixture.js";
import type { Deployed } from "../support.js";

/** All that the registry says of a device, and all ITC that it holds. */
export interface Picture {
  readonly state: bigint;
  readonly kind: bigint;
  readonly assurance: bigint;
  readonly activatedAt: bigint;
  readonly ownedSince: bigint;
  readonly stateSince: bigint;
  readonly lot: string;
  readonly holds: bigint;
  readonly bond: bigint;
  /** Who has the token; empty if there is none. */
  readonly owner: string;
  readonly controller: string;
  readonly changed: bigint;
  readonly userExpires: bigint;
  readonly delegates: string;
  readonly attributes: string;
  readonly key: string;
  /** ITC of the registry, and what of it is in the pool. */
  readonly balance: bigint;
  readonly pool: bigint;
}

/**
 * The device as it is now.
 *
 * @param known Attributes that were known before; others are spelt "changed".
 */
export async function pictureOf(world: Deployed, device: string, known?: string): Promise<Picture> {
  const { registry, itc, addresses } = world;
  const { state, kind, assurance, activatedAt, ownedSince, stateSince, lot } = await registry.deviceOf(device);
  const { holds, bond } = await registry.standingOf(device);
  const attributes = (await registry.attributesOf(device)).toString();
  return {
    state,
    kind,
    assurance,
    activatedAt,
    ownedSince,
    stateSince,
    lot,
    holds,
    bond,
    owner: state === 0n ? "" : await registry.ownerOf(device),
    controller: await registry.identityOwner(device),
    changed: await registry.changed(device),
    userExpires: await registry.userExpires(device),
    delegates: (await registry.delegatesOf(device)).accounts.join(),
    attributes: known === undefined || known === attributes ? attributes : "changed",
    key: [...(await registry.keyOf(device))].map(BigInt).join(),
    balance: await itc.balanceOf(addresses.DeviceRegistry),
    pool: await registry.pool(),
  };
}

/** Has the device's key sign two readings of one number, and takes them to the registry. */
export async function contradict(world: Deployed, key: DeviceKey, by: Signer): Promise<ContractTransactionResponse> {
  const schema = secretOf(1, "schema");
  const contents: [string, string] = [secretOf(1, "content"), secretOf(2, "content")];
  const digests = await Promise.all(
    contents.map((content) => world.registry.readingDigest(key.id, 7, 1_800_000_000, schema, content)),
  );
  const [first = "", second = ""] = digests.map((digest) => toHex(key.sign(fromHex(digest))));
  return world.registry
    .connect(by)
    .proveEquivocation(
      key.id,
      toHex(signerOf(key, world.addresses)),
      7,
      [1_800_000_000, 1_800_000_000],
      [schema, schema],
      contents,
      [first, second],
    );
}

/** Numbers below `bound` that are the same in each run (a linear congruential generator). */
export function dice(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}
