import { ZeroAddress, ZeroHash } from "ethers";
import type { Attestations } from "../contracts.js";
import { IotchainError } from "../errors.js";
import { fromHex, toHex } from "../internal/bytes.js";
import { leafHash, type MerkleProof, MerkleTree } from "../internal/merkle.js";
import type { DeviceId } from "./keys.js";

/** Trust tiers as EAR tokens name them, with their numbers of AR4SI (draft-ietf-rats-ar4si §2.3.2), which the contract takes. */
export const TRUST_TIERS = { none: 0, affirming: 2, warning: 32, contraindicated: 96 } as const;
export type TrustTier = keyof typeof TRUST_TIERS;

/** What the contract's `Obstacle` numbers mean, in its order, in words for people. */
const OBSTACLES = [
  ["none", "yes"],
  ["deviceUnknown", "no: never activated"],
  ["deviceSuspended", "no: suspended"],
  ["deviceRetired", "no: retired"],
  ["deviceRevoked", "no: revoked by its maker"],
  ["issuerRevoked", "no: its maker is no longer registered"],
  ["assuranceTooLow", "no: its key is kept less well than asked for"],
  ["notAttested", "no: the verifier makes no assertion on it"],
  ["proofInvalid", "no: the proof doesn't show it to be in the fleet"],
  ["expired", "no: the attestation has expired"],
  ["recalledByVerifier", "no: firmware recalled by the verifier"],
  ["recalledByIssuer", "no: firmware recalled by its maker"],
  ["contraindicated", "no: the verifier found it not to be trusted"],
  ["warning", "no: the verifier warns of it; nothing else stands against it"],
] as const;

/** Why a device can't be relied on; `none` if it can. */
export type Obstacle = (typeof OBSTACLES)[number][0];

/** Something about an attestation that isn't as it must be. */
export class AttestationError extends IotchainError {}

/** The leaf of a device in a fleet's tree: keccak256(0x00 ‖ "attestation" ‖ device); the contract's `fleetLeafOf`. */
export function fleetLeaf(device: DeviceId): Uint8Array {
  return leafHash(FLEET, fromHex(device));
}

const FLEET = new TextEncoder().encode("attestation");

/**
 * The tree with which a verifier attests any number of devices in one transaction.
 *
 * @example
 * const fleet = new FleetTree(devices);
 * await attestations.connect(verifier).attestFleet(fleet.root, ref, TRUST_TIERS.affirming, expiry, resultDigestOf(token));
 * await relianceOn(attestations, { device, verifier, fleet: { root: fleet.root, proof: fleet.prove(device) } });
 */
export class FleetTree {
  private readonly tree: MerkleTree;
  private readonly places = new Map<DeviceId, number>();

  /** @param devices At least one, none twice. */
  constructor(devices: readonly DeviceId[]) {
    devices.forEach((device, place) => {
      if (this.places.has(device)) throw new RangeError(`Device ${device} is in the fleet twice.`);
      this.places.set(device, place);
    });
    this.tree = new MerkleTree(devices.map(fleetLeaf));
  }

  get size(): number {
    return this.tree.size;
  }

  /** 32 bytes as hex. */
  get root(): string {
    return toHex(this.tree.root);
  }

  /** The proof that the device is in the fleet. */
  prove(device: DeviceId): MerkleProof {
    const place = this.places.get(device);
    if (place === undefined) throw new RangeError(`Device ${device} is not in the fleet.`);
    return this.tree.prove(place);
  }
}

/** What a relying party asks. */
export interface RelianceQuery {
  readonly device: DeviceId;
  /** Least assurance: 0 software (if left out), 1 TEE, 2 secure element, 3 PUF. */
  readonly level?: number;
  /** The verifier that the relying party trusts: of its own choice, never the device's. Without one, attestation isn't asked for. */
  readonly verifier?: string;
  /** The fleet that the device is said to be of, where it was attested by a root. */
  readonly fleet?: { readonly root: string; readonly proof: MerkleProof };
}

/** What the chain answers. */
export interface Reliance {
  readonly relied: boolean;
  readonly obstacle: Obstacle;
  /** For people, for example `no: firmware recalled by its maker`. */
  readonly words: string;
}

/**
 * Whether one may rely on a device now, at a level of assurance and by a verifier's word, and why not.
 * Whoever lives with warnings also takes the obstacle `warning`.
 * Errors: ITC_ATTESTATION_OBSTACLE.
 *
 * @example
 * const { relied, words } = await relianceOn(attestations, { device, level: 2, verifier });
 */
export async function relianceOn(attestations: Attestations, query: RelianceQuery): Promise<Reliance> {
  const { device, level = 0, verifier = ZeroAddress, fleet } = query;
  const { path, siblings } = fleet?.proof ?? { path: 0n, siblings: [] };
  const root = fleet?.root ?? ZeroHash;
  const said = await attestations.relianceOn(device, level, verifier, root, path, siblings.map(toHex));
  const known = OBSTACLES[Number(said.obstacle)];
  if (!known) {
    const what = `The contract names obstacle ${said.obstacle}, which this version doesn't know.`;
    throw new AttestationError("ITC_ATTESTATION_OBSTACLE", what, "Take the toolkit of the contract's version.");
  }
  return { relied: said.relied, obstacle: known[0], words: known[1] };
}
