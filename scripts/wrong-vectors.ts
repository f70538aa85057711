import { concat, fromHex, uintBytes } from "../toolkit/internal/bytes.js";

const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** What is done to a right P-256 signature. */
export const WRONG_SIGNATURES: readonly { why: string; change: (signature: Uint8Array) => Uint8Array }[] = [
  { why: "s in the upper half of the order", change: highS },
  { why: "a byte too few", change: (signature) => signature.slice(0, 63) },
  { why: "a byte too many", change: (signature) => concat(signature, Uint8Array.of(27)) },
  { why: "one bit of r changed", change: (signature) => signature.map((byte, k) => (k === 0 ? byte ^ 1 : byte)) },
  { why: "r and s are 0", change: () => new Uint8Array(64) },
];

function highS(signature: Uint8Array): Uint8Array {
  const s = signature.slice(32).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return concat(signature.slice(0, 32), uintBytes(P256_ORDER - s, 32));
}

const pack = (why: string, hex: string, error: string) => ({ why, cbor: fromHex(hex), error });

/** Bytes that a reader of packs refuses. */
export const WRONG_PACKS = [
  pack("an array of indefinite length", "9fa10202ff", "ITC_SENML_CBOR"),
  pack("a map of indefinite length", "81bf0202ff", "ITC_SENML_CBOR"),
  pack("a longer head than needed", "81a1021801", "ITC_SENML_CBOR"),
  pack("one label twice", "81a202020203", "ITC_SENML_CBOR"),
  pack("bytes behind the pack", "81a1020200", "ITC_SENML_CBOR"),
  pack("cut off", "81a102", "ITC_SENML_CBOR"),
  pack("not a number", "81a102f97e00", "ITC_SENML_CBOR"),
  pack("labels out of order", "81a20202006174", "ITC_SENML_NOT_CANONICAL"),
  pack("a float that is an integer", "81a102f94000", "ITC_SENML_NOT_CANONICAL"),
  pack("a float", "81a102f94d60", "ITC_SENML_RECORD"),
  pack("a decimal fraction that is an integer", "81a102c4820005", "ITC_SENML_RECORD"),
  pack("a mantissa that ends in 0", "81a102c48220181e", "ITC_SENML_RECORD"),
  pack("two values", "81a2020204f5", "ITC_SENML_RECORD"),
  pack("no value", "81a1006174", "ITC_SENML_RECORD"),
  pack("a label that must be understood", "81a20202626d5f01", "ITC_SENML_LABEL"),
  pack("a label by its name", "81a30061610201617601", "ITC_SENML_LABEL"),
];

const jwe = (why: string, change: object, error = "ITC_SEAL_MALFORMED") => ({ why, change, error });
const header = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** Members of the JWE that are replaced, and what a reader says. */
export const WRONG_JWES = [
  jwe("another cipher", { protected: header({ enc: "A128GCM" }) }),
  jwe("compression", { protected: header({ enc: "A256GCM", zip: "DEF" }) }),
  jwe("an extension that must be understood", { protected: header({ enc: "A256GCM", crit: ["exp"], exp: 1 }) }),
  jwe("a member more", { unprotected: {} }),
  jwe("nobody to open it", { recipients: [] }),
  jwe("a short tag", { tag: "AAAA" }),
  jwe("another tag", { tag: "AAAAAAAAAAAAAAAAAAAAAA" }, "ITC_SEAL_OTHER"),
];
