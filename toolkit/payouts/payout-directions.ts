import type { TypedDataDomain, TypedDataField } from "ethers";

const fields = (text: string): TypedDataField[] =>
  text.split(",").map((field) => {
    const [type = "", name = ""] = field.split(" ");
    return { type, name };
  });

/** EIP-712 types of `PayoutPool.claimTo`. */
export const CLAIM_TO_TYPES = { ClaimTo: fields("address account,address to,uint256 nonce,uint64 deadline") };

/** EIP-712 types of `PayoutPool.claimInto`. */
export const CLAIM_INTO_TYPES = {
  ClaimInto: fields("address account,address to,bytes data,uint256 nonce,uint64 deadline"),
};

/** The EIP-712 domain of a pool. */
export function payoutPoolDomain(chainId: bigint, pool: string): TypedDataDomain {
  return { name: "PayoutPool", version: "1", chainId, verifyingContract: pool };
}
