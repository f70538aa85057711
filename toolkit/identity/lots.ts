import { AbiCoder, keccak256 } from "ethers";
import { fromHex, toHex } from "../internal/bytes.js";
import { leafHash, type MerkleProof, MerkleTree } from "../internal/merkle.js";
import { type DeviceId, KEY_KINDS, type PublicKey } from "./keys.js";

/** A lot: keccak256(abi.encode(issuer, root)), 32 bytes as hex. */
export type LotId = string & { readonly __brand: "LotId" };

/** The id of the lot that an issuer makes of a root. */
export function lotIdOf(issuer: string, root: Uint8Array): LotId {
  return keccak256(AbiCoder.defaultAbiCoder().encode(["address", "bytes32"], [issuer, root])) as LotId;
}

/** The leaf of a device in its maker's tree: keccak256(0x00 ‖ kind ‖ id). */
export function lotLeaf(device: Pick<PublicKey, "kind" | "id">): Uint8Array {
  return leafHash(Uint8Array.of(KEY_KINDS[device.kind]), fromHex(device.id));
}

/**
 * The tree with which a maker endorses a lot of devices.
 *
 * @example
 * const lot = new LotTree(keys);
 * await registry.enrolLot(lot.root, lot.size, assurance, bond);
 * lot.prove(keys[7].id); // goes into `activate`
 */
export class LotTree {
  private readonly tree: MerkleTree;
  private readonly places = new Map<DeviceId, number>();

  /** @param devices At least one, none twice. */
  constructor(devices: readonly Pick<PublicKey, "kind" | "id">[]) {
    devices.forEach(({ id }, place) => {
      if (this.places.has(id)) throw new RangeError(`Device ${id} is in the lot twice.`);
      this.places.set(id, place);
    });
    this.tree = new MerkleTree(devices.map(lotLeaf));
  }

  get size(): number {
    return this.tree.size;
  }

  /** 32 bytes as hex. */
  get root(): string {
    return toHex(this.tree.root);
  }

  /** The lot's id if `issuer` enrols it. */
  idFor(issuer: string): LotId {
    return lotIdOf(issuer, this.tree.root);
  }

  /** The proof that the device is in the lot. */
  prove(device: DeviceId): MerkleProof {
    const place = this.places.get(device);
    if (place === undefined) throw new RangeError(`Device ${device} is not in the lot.`);
    return this.tree.prove(place);
  }
}
