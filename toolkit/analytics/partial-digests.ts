import { id, TypedDataEncoder } from "ethers";
import { fromHex, keccak256, uintBytes, word } from "../internal/bytes.js";
import { typedDataHash } from "../internal/typed-data.js";
import type { ResultLeaf } from "./result-tree.js";

const PARTIAL_TYPE = fromHex(
  id("Partial(address device,bytes32 request,address owner,uint64 count,uint64 spent,bytes32 aggregate)"),
);

/** The results that signatures are meant for: their chain, and the address of `Analytics`. */
export interface AnalyticsDomain {
  readonly chainId: bigint;
  readonly analytics: string;
}

/** What a device says of its readings, to whose credit (EIP-712 struct `Partial`). */
export type PartialClaim = Pick<ResultLeaf, "device" | "owner" | "count" | "spent" | "partial">;

/**
 * Hashes the partials of one `Analytics`; keep it, since the domain is hashed once.
 *
 * @example
 * const digests = new PartialDigests({ chainId: 1n, analytics: addresses.Analytics });
 * const signature = key.sign(digests.partial(requestIdOf(request, 1n, addresses.Analytics), claim));
 */
export class PartialDigests {
  private readonly domain: Uint8Array;

  constructor({ chainId, analytics }: AnalyticsDomain) {
    const domain = { name: "Analytics", version: "1", chainId, verifyingContract: analytics };
    this.domain = fromHex(TypedDataEncoder.hashDomain(domain));
  }

  /**
   * The 32 bytes that the device signs; the contract's `partialDigest`.
   *
   * @param request The request's id.
   */
  partial(request: string, { device, owner, count, spent, partial }: PartialClaim): Uint8Array {
    return typedDataHash(
      this.domain,
      PARTIAL_TYPE,
      word(fromHex(device)),
      fromHex(request),
      word(fromHex(owner)),
      uintBytes(count, 32),
      uintBytes(spent, 32),
      keccak256(partial),
    );
  }
}
