import { id, TypedDataEncoder } from "ethers";
import { Digests } from "../identity/digests.js";
import { type DeviceKey, deviceIdOf, recoverKey } from "../identity/keys.js";
import { fromHex, sameBytes, uintBytes, word } from "../internal/bytes.js";
import { typedDataHash } from "../internal/typed-data.js";
import type { AnchorDomain } from "./entries.js";
import type { Evidence } from "./evidence.js";

const RECEIPT_TYPE = fromHex(id("Receipt(bytes32 reading,address publisher,uint64 received,uint64 anchorBy)"));

/**
 * A publisher's promise to have a reading in its log by a time, as a log of RFC 9162 gives with a signed certificate timestamp (EIP-712 struct
 * `Receipt`). Times are Unix seconds.
 */
export interface GatewayReceipt {
  /** The digest that the device signed. */
  readonly reading: Uint8Array;
  readonly publisher: string;
  readonly received: bigint;
  /** Last second of the block that holds the entry. */
  readonly anchorBy: bigint;
  /** 65 bytes r ‖ s ‖ v by the publisher's key. */
  readonly signature: Uint8Array;
}

/** What a receipt has come to. */
export type ReceiptState =
  /** The publisher never gave it. */
  | "forged"
  /** There is time left. */
  | "pending"
  /** The time is over and no evidence was shown. Whoever gave the receipt has the batch, so it is for the publisher to show it. */
  | "overdue"
  | "kept"
  /** The evidence shows an entry that came too late. */
  | "late";

/** Signs and checks the receipts of one log. */
export class Receipts {
  private readonly domain: Uint8Array;

  constructor({ chainId, anchor }: AnchorDomain) {
    // A name of its own, so that no contract takes a receipt for a message to itself.
    const domain = { name: "iotchain gateway", version: "1", chainId, verifyingContract: anchor };
    this.domain = fromHex(TypedDataEncoder.hashDomain(domain));
  }

  sign(publisher: DeviceKey, reading: Uint8Array, received: bigint, anchorBy: bigint): GatewayReceipt {
    const receipt = { reading, publisher: publisher.id, received, anchorBy };
    return { ...receipt, signature: publisher.sign(this.digest(receipt)) };
  }

  /** Whether the publisher that it names has signed it. */
  isSigned(receipt: GatewayReceipt): boolean {
    const material = recoverKey(this.digest(receipt), receipt.signature);
    return material !== undefined && deviceIdOf(material) === receipt.publisher;
  }

  private digest({ reading, publisher, received, anchorBy }: Omit<GatewayReceipt, "signature">): Uint8Array {
    const words = [reading, word(fromHex(publisher)), uintBytes(received, 32), uintBytes(anchorBy, 32)];
    return typedDataHash(this.domain, RECEIPT_TYPE, ...words);
  }
}

/**
 * What a receipt has come to. A device that holds one which is `overdue` or `late` can show anyone that the publisher broke its word.
 *
 * @param now Unix seconds.
 * @param evidence Of the reading, if there is some, and only after `verifyEvidence` has found that it holds. Evidence of another reading or
 *   of another log counts as none.
 */
export function checkReceipt(
  receipt: GatewayReceipt,
  domain: AnchorDomain,
  now: bigint,
  evidence?: Evidence,
): ReceiptState {
  if (!new Receipts(domain).isSigned(receipt)) return "forged";
  const fits =
    evidence &&
    evidence.domain.chainId === domain.chainId &&
    evidence.anchor === domain.anchor &&
    evidence.entry.publisher === receipt.publisher &&
    sameBytes(new Digests(evidence.domain).reading(evidence.reading), receipt.reading);
  if (fits) return evidence.entry.time <= receipt.anchorBy ? "kept" : "late";
  return now <= receipt.anchorBy ? "pending" : "overdue";
}
