import { formatEther, parseEther } from "ethers";
import { type QuestionPolicy, Watchtower } from "../analytics/watch.js";
import { printable, UsageError } from "./input.js";
import { type NodeOptions, onNode, publicReadings, requireKey, rounds, sourceOf } from "./node.js";

interface WatchCommand extends NodeOptions {
  readonly data: string;
  readonly once?: boolean;
  readonly readings?: string;
  readonly state: string;
  readonly questions: QuestionPolicy;
  readonly most: string;
  readonly every: number;
}

/** `itc watch`: exit code 1 with --once where something is wrong. */
export async function watch(options: WatchCommand): Promise<void> {
  const most = itcOf(options.most);
  const dataOf = await sourceOf(options.data);
  requireKey(options, "challenge");
  await onNode(options, async (node) => {
    const { provider, addresses, chainId, fromBlock, signer } = node;
    const { questions, readings, state } = options;
    const known = readings === undefined ? undefined : await publicReadings(node, { readings, state });
    const own = { ...(signer && { signer }), ...(known && { readings: known.of }) };
    const tower = new Watchtower({ provider, addresses, fromBlock, dataOf, questions, most, ...own });
    const who = signer?.address ?? "nobody";
    console.log(`Watching ${addresses.Analytics} on chain ${chainId} as ${who}, up to ${formatEther(most)} ITC.`);
    await rounds(tower, options).finally(() => known?.close());
  });
}

function itcOf(text: string): bigint {
  if (/^\d{1,12}(\.\d{1,18})?$/.test(text)) return parseEther(text);
  throw new UsageError("ITC_CLI_AMOUNT", `${printable(text)} is no number of ITC.`, "Give one such as 100 or 0.5.");
}
