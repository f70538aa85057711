import { z } from "zod";

// What files of lines are made of. Hex is in lower case, numbers are decimals, each in one spelling.

/** A number below 2^bits, of 128 bits at most. */
export const unsigned = (bits: bigint) =>
  z
    .string()
    .regex(/^(0|[1-9][0-9]{0,38})$/, "a decimal")
    .transform(BigInt)
    .refine((value) => value < 2n ** bits, `below 2^${bits}`);
export const address = z.string().regex(/^0x[0-9a-f]{40}$/, "an address in lower case");
export const word = z.string().regex(/^0x[0-9a-f]{64}$/, "32 bytes in lower-case hex");
export const bytes = z.string().regex(/^0x(?:[0-9a-f]{2})*$/, "bytes in lower-case hex");
