import { AbiCoder, keccak256 } from "ethers";
import { fromHex, toHex } from "../internal/bytes.js";
import { leafHash, type MerkleProof, MerkleTree } from "../internal/merkle.js";
import { type DeviceId, KEY_KINDS, type KeyKind } from "./keys.js";

/** A lot: keccak256(abi.encode(issuer, root)), 32 bytes as hex. */
export type LotId = string & { readonly __brand: "LotId" };

/** The id of the lot that an issuer makes of a root. */
export function lotIdOf(issuer: string, root: Uint8Array): LotId {
  return keccak256(AbiCoder.defaultAbiCoder().encode(["address", "bytes32"], [issuer, root])) as LotId;
}

/** A device as its maker lists it. The kind is a number where the registrar has added it. */
export interface Listed {
  readonly kind: KeyKind | number;
  readonly id: DeviceId;
}

/** The leaf of a device in its maker's tree: keccak256(0x00 ‖ kind ‖ id). */
export function lotLeaf({ kind, id }: Listed): Uint8Array {
  return leafHash(Uint8Array.of(typeof kind === "number" ? kind : KEY_KINDS[kind]), fromHex(id));
}

/** What proves many devices of a lot at once. */
export interface LotMultiproof {
  /** In the order of their places: the order of everything that `activateBatch` takes. */
  readonly devices: readonly DeviceId[];
  readonly places: readonly bigint[];
  /** Leaves of the whole tree. */
  readonly leaves: bigint;
  readonly siblings: readonly Uint8Array[];
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
  constructor(devices: readonly Listed[]) {
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

  /** The proof that many devices are in the lot, for `activateBatch`: they are put into the order that it wants. */
  proveMany(devices: readonly DeviceId[]): LotMultiproof {
    const ordered = devices
      .map((device) => ({ device, place: this.placeOf(device) }))
      .sort((a, b) => a.place - b.place);
    const places = ordered.map(({ place }) => place);
    return {
      devices: ordered.map(({ device }) => device),
      places: places.map(BigInt),
      leaves: BigInt(this.size),
      siblings: this.tree.proveMany(places),
    };
  }

  /** The proof that the device is in the lot. */
  prove(device: DeviceId): MerkleProof {
    return this.tree.prove(this.placeOf(device));
  }

  private placeOf(device: DeviceId): number {
    const place = this.places.get(device);
    if (place === undefined) throw new RangeError(`Device ${device} is not in the lot.`);
    return place;
  }
}
