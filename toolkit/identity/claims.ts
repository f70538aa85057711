import { randomBytes } from "node:crypto";
import { TypedDataEncoder } from "ethers";
import { IotchainError } from "../errors.js";
import { fromHex, keccak256, toHex, uintBytes } from "../internal/bytes.js";
import { leafHash, type MerkleProof, MerkleTree } from "../internal/merkle.js";
import { type DeviceId, type DeviceKey, deviceKey } from "./keys.js";

/** The secret that lies in a device's box: 16 random bytes. Whoever knows it can have the device. */
export type ClaimCode = Uint8Array & { readonly __brand: "ClaimCode" };

/** A code that was mistyped or is no good, or a device that isn't in a tree. */
export class ClaimError extends IotchainError {}

/** A device and the address of its code's key. That isn't secret: a retailer can build a tree without knowing a code. */
export interface ClaimEntry {
  readonly device: DeviceId;
  /** `claimKey(device, code).id`. */
  readonly key: string;
}

/** What the holder of a code signs (EIP-712 struct `Claim`). */
export interface Claim {
  readonly device: DeviceId;
  /** The owner, who offered the root. */
  readonly from: string;
  /** Who gets the device. */
  readonly to: string;
  /** 32 bytes as hex. */
  readonly root: string;
  /** Last second at which the signature counts. */
  readonly deadline: bigint;
}

/** The desk that claims are meant for: its chain and its address. */
export interface ClaimDomain {
  readonly chainId: bigint;
  readonly desk: string;
}

const CODE_LENGTH = 16;
// 26 symbols of 5 bits hold 128, and one more, of 37, checks them: see https://www.crockford.com/base32.html.
const SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U";
const TEXT_LENGTH = 27;
const GROUP = /.{1,5}/g;
// Of 16 random bytes, fewer have values or steps as alike as that less often than once in 10^11.
const LEAST_DISTINCT = 8;
const KEY_DOMAIN = new TextEncoder().encode("iotchain claim code v1");
const LEAF_DOMAIN = new TextEncoder().encode("claim");

const CLAIM_TYPES = {
  Claim: [
    { name: "device", type: "address" },
    { name: "from", type: "address" },
    { name: "to", type: "address" },
    { name: "root", type: "bytes32" },
    { name: "deadline", type: "uint64" },
  ],
};

/** A new code from the system's cryptographic random numbers. Never make one from a serial number, a counter or a date. */
export function newClaimCode(): ClaimCode {
  return claimCode(new Uint8Array(randomBytes(CODE_LENGTH)));
}

/**
 * Takes 16 bytes from a generator of one's own for a code. Bytes that are visibly not random are refused; bytes that merely look
 * random can't be told from those that are.
 * Errors: ITC_CLAIM_LENGTH, ITC_CLAIM_WEAK.
 */
export function claimCode(bytes: Uint8Array): ClaimCode {
  if (bytes.length !== CODE_LENGTH) {
    const what = `A code has ${CODE_LENGTH} bytes, not ${bytes.length}.`;
    throw new ClaimError("ITC_CLAIM_LENGTH", what, "Take 16 bytes from a cryptographic generator.");
  }
  const steps = bytes.map((byte, k) => byte - (bytes[(k + CODE_LENGTH - 1) % CODE_LENGTH] ?? 0));
  if (new Set(bytes).size < LEAST_DISTINCT || new Set(steps).size < LEAST_DISTINCT) {
    const what = "The code is not random: others would guess it and take the device.";
    throw new ClaimError("ITC_CLAIM_WEAK", what, "Use newClaimCode().");
  }
  return bytes as ClaimCode;
}

/** A code as it is printed: 26 symbols of Crockford's base 32 and a check symbol, in groups of five. */
export function formatClaimCode(code: ClaimCode): string {
  const value = BigInt(toHex(code));
  const symbols = Array.from({ length: TEXT_LENGTH - 1 }, (_, k) => {
    return SYMBOLS[Number((value >> BigInt(5 * (TEXT_LENGTH - 2 - k))) & 31n)];
  });
  return ([...symbols, checkSymbol(value)].join("").match(GROUP) ?? []).join("-");
}

/**
 * Reads a code that a person typed. Case, spaces and hyphens don't matter; O is read as 0, I and L as 1. Any single wrong symbol and
 * any two neighbours swapped are found.
 * Errors: ITC_CLAIM_LENGTH, ITC_CLAIM_SYMBOL, ITC_CLAIM_CHECK, ITC_CLAIM_WEAK.
 *
 * @example
 * const key = claimKey(device, parseClaimCode(input.value));
 */
export function parseClaimCode(text: string): ClaimCode {
  const typed = text.toUpperCase().replace(/[\s-]/g, "").replace(/O/g, "0").replace(/[IL]/g, "1");
  if (typed.length !== TEXT_LENGTH) {
    const what = `A code has ${TEXT_LENGTH} symbols, this one has ${typed.length}.`;
    throw new ClaimError("ITC_CLAIM_LENGTH", what, "Type the whole code, the last symbol too.");
  }
  let value = 0n;
  [...typed].slice(0, -1).forEach((symbol, k) => {
    const digit = SYMBOLS.indexOf(symbol);
    // Two of the 130 bits are none of the code's.
    if (digit < 0 || digit > 31 || (k === 0 && digit > 7)) {
      const what = `"${symbol}" can't be symbol ${k + 1} of a code.`;
      throw new ClaimError("ITC_CLAIM_SYMBOL", what, "Compare that symbol with the card.");
    }
    value = (value << 5n) | BigInt(digit);
  });
  if (typed.at(-1) !== checkSymbol(value)) {
    const what = "A symbol of the code is wrong, or two are swapped.";
    throw new ClaimError("ITC_CLAIM_CHECK", what, "Compare each symbol with the card.");
  }
  return claimCode(uintBytes(value, CODE_LENGTH));
}

/**
 * The secp256k1 key that follows from a code: its secret is keccak256("iotchain claim code v1" ‖ device ‖ code). The device is part
 * of it, so a search for codes helps for one device alone, and a code that was printed twice isn't shared.
 */
export function claimKey(device: DeviceId, code: ClaimCode): DeviceKey {
  return deviceKey("secp256k1", keccak256(KEY_DOMAIN, fromHex(device), code));
}

/** The leaf of a device's code: keccak256(0x00 ‖ "claim" ‖ device ‖ address of the code's key). */
export function claimLeaf({ device, key }: ClaimEntry): Uint8Array {
  return leafHash(LEAF_DOMAIN, fromHex(device), fromHex(key));
}

/** The 32 bytes that a code's key signs; the desk's `claimDigest`. */
export function claimDigest({ chainId, desk }: ClaimDomain, claim: Claim): Uint8Array {
  const domain = { name: "ClaimDesk", version: "1", chainId, verifyingContract: desk };
  return fromHex(TypedDataEncoder.hash(domain, CLAIM_TYPES, claim));
}

/** The signature with which a code lets its device go to `claim.to`, 65 bytes. Anyone may send it; the code stays with its holder. */
export function signClaim(code: ClaimCode, domain: ClaimDomain, claim: Claim): Uint8Array {
  return claimKey(claim.device, code).sign(claimDigest(domain, claim));
}

/**
 * The tree under whose root an owner offers devices to the holders of their codes.
 *
 * @example
 * const codes = devices.map((device) => ({ device, code: newClaimCode() }));
 * const tree = new ClaimTree(codes.map(({ device, code }) => ({ device, key: claimKey(device, code).id })));
 * await registry.setApprovalForAll(desk, true);
 * await desk.offer(tree.root, expiry);
 */
export class ClaimTree {
  private readonly tree: MerkleTree;
  private readonly places = new Map<DeviceId, number>();

  /** @param entries At least one, no device twice. Errors: ITC_CLAIM_TWICE. */
  constructor(entries: readonly ClaimEntry[]) {
    entries.forEach(({ device }, place) => {
      if (this.places.has(device)) {
        throw new ClaimError("ITC_CLAIM_TWICE", `Device ${device} is there twice.`, "Give each device one code.");
      }
      this.places.set(device, place);
    });
    this.tree = new MerkleTree(entries.map(claimLeaf));
  }

  get size(): number {
    return this.tree.size;
  }

  /** 32 bytes as hex. */
  get root(): string {
    return toHex(this.tree.root);
  }

  /** The proof that goes into `claim`. Errors: ITC_CLAIM_UNKNOWN. */
  prove(device: DeviceId): MerkleProof {
    const place = this.places.get(device);
    if (place === undefined) {
      const what = `Device ${device} is not in this tree.`;
      throw new ClaimError("ITC_CLAIM_UNKNOWN", what, "Take the tree that its seller has offered last.");
    }
    return this.tree.prove(place);
  }
}

function checkSymbol(value: bigint): string {
  return SYMBOLS[Number(value % 37n)] ?? "";
}
