import { getAddress } from "ethers";
import { z } from "zod";
import type { Earnings, PayoutTree } from "../payouts/payout-tree.js";

/** Names the format of a roll's leaves, and its version. */
export const ROLL_FORMAT = "iotchain:roll:1";

/** No line is longer. */
const LONGEST = 160;
const PIECE = 65_536;

const amount = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,38})$/)
  .transform(BigInt);
const Header = z.strictObject({ format: z.literal(ROLL_FORMAT), leaves: z.int().min(1) });
const Line = z
  .tuple([z.string().regex(/^0x[0-9a-f]{40}$/), amount, amount])
  .transform(([account, earned, before]): Earnings => ({ account: getAddress(account), earned, before }));

/**
 * The leaves of a proposed roll as the bytes whose SHA-256 is its `content`: lines of JSON (NDJSON), a header and then each account with what it
 * has earned, and all before it.
 *
 * @example
 * const content = await contentOfData(writeRollData(plan.tree));
 */
export function* writeRollData(tree: PayoutTree): Generator<Uint8Array> {
  let text = `${JSON.stringify({ format: ROLL_FORMAT, leaves: tree.size })}\n`;
  for (const { account, earned, before } of tree.leaves) {
    text += `["${account.toLowerCase()}","${earned}","${before}"]\n`;
    if (text.length < PIECE) continue;
    yield Buffer.from(text, "latin1");
    text = "";
  }
  if (text) yield Buffer.from(text, "latin1");
}

/** The leaves of a roll; undefined for data that aren't in the format, or have another number of them. Holds them all in memory. */
export async function readRollData(
  data: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  size: number,
): Promise<Earnings[] | undefined> {
  const most = (size + 1) * LONGEST;
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of data) {
    length += piece.length;
    if (length > most) return undefined;
    pieces.push(piece);
  }
  const [first, ...lines] = Buffer.concat(pieces).toString("latin1").split("\n");
  if (lines.pop() !== "" || lines.length !== size) return undefined;
  if (parsed(Header, first ?? "")?.leaves !== size) return undefined;
  const leaves = lines.map((line) => parsed(Line, line));
  return leaves.every((leaf) => leaf !== undefined) ? leaves : undefined;
}

function parsed<Output>(schema: z.ZodType<Output>, text: string): Output | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
