import { AnalyticsError } from "./analytics-error.js";
import { type ExpectedResult, ResultData } from "./result-data.js";
import { isRootOf, type ResultLeaf, ResultTree } from "./result-tree.js";

/** All leaves of data, in whatever order they are; undefined for data that can't be read to their end. */
export async function leavesIn(
  data: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  expected: ExpectedResult,
): Promise<ResultLeaf[] | undefined> {
  const leaves: ResultLeaf[] = [];
  try {
    for await (const leaf of await ResultData.open(data, expected, { strict: false })) leaves.push(leaf);
    return leaves;
  } catch (error) {
    if (error instanceof AnalyticsError) return undefined;
    throw error;
  }
}

/** The tree of data; undefined where they don't make a root. */
export async function treeIn(
  data: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  expected: ExpectedResult,
  root: string,
): Promise<ResultTree | undefined> {
  const leaves = await leavesIn(data, expected);
  if (!leaves || leaves.length === 0) return undefined;
  try {
    const tree = new ResultTree(expected.request.query, leaves, false);
    return isRootOf(tree.root, root) ? tree : undefined;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
