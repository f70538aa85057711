import { isError } from "ethers";

/** Narrower than that, a node refuses for another reason than the number of blocks. */
const NARROWEST = 64;

/** Asks about blocks in one go, or in pieces as wide as the node answers for. */
export async function paged(from: number, to: number, ask: (from: number, to: number) => Promise<void>): Promise<void> {
  let width = to - from + 1;
  for (let start = from; start <= to; ) {
    const end = Math.min(to, start + width - 1);
    try {
      await ask(start, end);
      start = end + 1;
    } catch (error) {
      if (isError(error, "NETWORK_ERROR") || width <= NARROWEST) throw error;
      width = Math.max(NARROWEST, Math.floor(width / 2));
    }
  }
}
