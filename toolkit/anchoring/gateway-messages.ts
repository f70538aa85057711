import { decode, encode, rfc8949EncodeOptions } from "cborg";
import { getAddress } from "ethers";
import { z } from "zod";
import type { DeviceId } from "../identity/keys.js";
import { fromHex, toHex } from "../internal/bytes.js";
import type { BatchDraft, BatchStatement } from "./committed-batch.js";
import { GatewayError } from "./gateway-errors.js";
import type { GatewayReceipt } from "./gateway-receipts.js";
import type { SignedReading } from "./readings.js";

/** A reading on its way to a gateway, with the bytes that it commits to, if they go along. */
export interface SentReading {
  readonly reading: SignedReading;
  readonly payload: Uint8Array;
}

/** Largest message that is looked at, in bytes: a payload of 64 KiB as hex, and the reading. */
export const MAX_MESSAGE_BYTES = 160 * 1024;

const hex = (bytes?: number): z.ZodType<Uint8Array> =>
  z
    .string()
    .regex(bytes === undefined ? /^0x([0-9a-fA-F]{2})*$/ : new RegExp(`^0x[0-9a-fA-F]{${bytes * 2}}$`), "bytes as 0x…")
    .transform(fromHex);
const bytes = (length?: number): z.ZodType<Uint8Array> =>
  z.instanceof(Uint8Array).refine((value) => length === undefined || value.length === length, `${length} bytes`);
const uint64 = z.bigint().refine((value) => value >= 0n && value >> 64n === 0n, "a number below 2^64");
const deviceOf = (address: Uint8Array): DeviceId => getAddress(toHex(address)) as DeviceId;

const Json = z.strictObject({
  device: hex(20).transform(deviceOf),
  sequence: decimal(),
  time: decimal(),
  schema: hex(32),
  content: hex(32),
  signature: hex(),
  payload: hex().optional(),
});

const whole = z.union([z.int().transform(BigInt), z.bigint()]).pipe(uint64);
const reading = [bytes(20).transform(deviceOf), whole, whole, bytes(32), bytes(32), bytes()] as const;
const Cbor = z.union([z.tuple([...reading]), z.tuple([...reading, bytes()])]);

const Draft = {
  device: hex(20).transform(deviceOf),
  index: decimal(),
  firstSequence: decimal(),
  count: decimal(),
  salt: hex(31),
  entry: hex(32),
};
const DraftJson = z.strictObject(Draft);
const StatementJson = z.strictObject({ ...Draft, signature: hex() });

const ReceiptJson = z.strictObject({
  reading: hex(32),
  publisher: hex(20).transform(deviceOf),
  received: decimal(),
  anchorBy: decimal(),
  signature: hex(65),
});

/** Writes a gateway's draft of a batch as JSON. It tells the salt: for the device alone. */
export function writeDraft({ device, index, firstSequence, count, salt, entry }: BatchDraft): string {
  const numbers = { index: index.toString(), firstSequence: firstSequence.toString(), count: count.toString() };
  return JSON.stringify({ device, ...numbers, salt: toHex(salt), entry: toHex(entry) });
}

/** Reads what {@link writeDraft} writes; `stateBatch` checks it. Errors: as for {@link readReadingJson}. */
export function readDraft(text: string): BatchDraft {
  checkSize(text.length);
  return parsed("draft", () => DraftJson.parse(JSON.parse(text)));
}

/** Writes a device's word for a batch as JSON. It tells the salt: for the gateway alone. */
export function writeStatement(statement: BatchStatement): string {
  return JSON.stringify({ ...JSON.parse(writeDraft(statement)), signature: toHex(statement.signature) });
}

/** Reads what {@link writeStatement} writes; `Committing.receive` checks it. Errors: as for {@link readReadingJson}. */
export function readStatement(text: string): BatchStatement {
  checkSize(text.length);
  return parsed("statement", () => StatementJson.parse(JSON.parse(text)));
}

/** Writes a receipt as JSON: what a bridge answers. */
export function writeReceipt({ reading, publisher, received, anchorBy, signature }: GatewayReceipt): string {
  const times = { received: received.toString(), anchorBy: anchorBy.toString() };
  return JSON.stringify({ reading: toHex(reading), publisher, ...times, signature: toHex(signature) });
}

/** Reads what {@link writeReceipt} writes; `checkReceipt` says what it is worth. Errors: as for {@link readReadingJson}. */
export function readReceipt(text: string): GatewayReceipt {
  checkSize(text.length);
  return parsed("receipt", () => ReceiptJson.parse(JSON.parse(text)));
}

/** Writes a reading as JSON, as it stands in an evidence bundle. */
export function writeReadingJson({ reading, payload }: SentReading): string {
  return JSON.stringify({
    device: reading.device,
    sequence: reading.sequence.toString(),
    time: reading.time.toString(),
    schema: toHex(reading.schema),
    content: toHex(reading.content),
    signature: toHex(reading.signature),
    ...(payload.length > 0 && { payload: toHex(payload) }),
  });
}

/** Writes a reading as CBOR (RFC 8949 §4.2): an array of device, sequence, time, schema, content, signature and, if there is one, the payload. */
export function writeReadingCbor({ reading, payload }: SentReading): Uint8Array {
  const { device, sequence, time, schema, content, signature } = reading;
  const parts = [fromHex(device), sequence, time, schema, content, signature];
  return encode(payload.length > 0 ? [...parts, payload] : parts, rfc8949EncodeOptions);
}

/** Reads what {@link writeReadingJson} writes. Errors: ITC_GATEWAY_TOO_LARGE, ITC_GATEWAY_MALFORMED; nothing else is thrown. */
export function readReadingJson(text: string): SentReading {
  // A character has a byte at least, so a text of a gigabyte isn't even walked through.
  checkSize(text.length);
  const { payload = new Uint8Array(), ...rest } = parsed("reading", () => Json.parse(JSON.parse(text)));
  return { reading: rest, payload };
}

/** Reads what {@link writeReadingCbor} writes, and no other spelling. Errors: as for {@link readReadingJson}. */
export function readReadingCbor(message: Uint8Array): SentReading {
  checkSize(message.length);
  const options = {
    strict: true,
    allowIndefinite: false,
    allowUndefined: false,
    rejectDuplicateMapKeys: true,
  } as const;
  const [device, sequence, time, schema, content, signature, payload = new Uint8Array()] = parsed("reading", () =>
    Cbor.parse(decode(message, options)),
  );
  return { reading: { device, sequence, time, schema, content, signature }, payload };
}

function decimal(): z.ZodType<bigint> {
  return z
    .string()
    .regex(/^(0|[1-9]\d{0,19})$/, "a whole number as a decimal string")
    .transform(BigInt)
    .pipe(uint64);
}

function checkSize(size: number): void {
  if (size <= MAX_MESSAGE_BYTES) return;
  const what = `A message of ${size} bytes is more than the ${MAX_MESSAGE_BYTES} that are looked at.`;
  throw new GatewayError("ITC_GATEWAY_TOO_LARGE", what, "Send one reading at a time, and large files by their hash.");
}

function parsed<Value>(name: string, parse: () => Value): Value {
  try {
    return parse();
  } catch (cause) {
    const issue = cause instanceof z.ZodError ? cause.issues[0] : undefined;
    const what = issue ? `its ${issue.path.join(".") || "top"} is wrong (${issue.message})` : "it is no JSON or CBOR";
    throw new GatewayError(
      "ITC_GATEWAY_MALFORMED",
      `The message is no ${name}: ${what}.`,
      "See docs/gateway.md, Messages.",
      { cause },
    );
  }
}
