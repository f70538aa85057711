import { getAddress, isAddress } from "ethers";
import { Answerer } from "../analytics/answer.js";
import {
  aggregatePublic,
  answersFrom,
  keepResult,
  type PublicResult,
  proposeResult,
} from "../analytics/public-aggregator.js";
import { Sender } from "../analytics/sender.js";
import { printable, UsageError } from "./input.js";
import { type Node, type NodeOptions, onNode, publicReadings, requireKey, rounds, sourceOf } from "./node.js";

interface AggregateCommand extends NodeOptions {
  readonly readings: string;
  readonly state: string;
  readonly data: string;
  readonly proved: number;
}

interface AnswerCommand extends NodeOptions {
  readonly readings: string;
  readonly state: string;
  readonly data: string;
  readonly proposer?: string;
  readonly once?: boolean;
  readonly every: number;
}

/** `itc aggregate`: exit code 1 where the result can't be proposed. */
export async function aggregate(id: string, options: AggregateCommand): Promise<void> {
  if (!/^0x[0-9a-f]{64}$/.test(id)) {
    const what = `${printable(id)} is no id of a request.`;
    throw new UsageError("ITC_CLI_WORD", what, "It has 0x and 64 hex digits in lower case.");
  }
  await onNode(options, async (node) => {
    const { provider, addresses, fromBlock } = node;
    const readings = await publicReadings(node, options);
    try {
      const mostProved = BigInt(options.proved);
      const result = await aggregatePublic(id, { provider, addresses, fromBlock, readings, mostProved });
      await report(result, options.data);
      if (result.obstacle !== undefined) {
        console.log(`It can't be proposed for its ${result.obstacle}.`);
        process.exitCode = 1;
      } else if (node.signer) await propose(result, node);
    } finally {
      readings.close();
    }
  });
}

/** `itc answer`: exit code 1 with --once where something is in trouble. */
export async function answer(options: AnswerCommand): Promise<void> {
  const dataOf = await sourceOf(options.data);
  requireKey(options, "answer");
  const { proposer } = options;
  if (proposer === undefined ? options.dryRun : !isAddress(proposer)) {
    const what = proposer === undefined ? "There is nobody to answer for." : `${printable(proposer)} is no address.`;
    throw new UsageError("ITC_CLI_PROPOSER", what, "Give --proposer with an address.");
  }
  await onNode(options, async (node) => {
    const { provider, addresses, chainId, fromBlock, signer } = node;
    const readings = await publicReadings(node, options);
    const from = answersFrom({ chainId, analytics: addresses.Analytics }, dataOf, readings);
    const who = { ...(signer && { signer }), ...(proposer !== undefined && { proposer: getAddress(proposer) }) };
    const answerer = new Answerer({ provider, addresses, fromBlock, ...from, ...who });
    const name = who.proposer ?? signer?.address ?? "nobody";
    console.log(`Answering for ${name} at ${addresses.Analytics} on chain ${chainId}.`);
    await rounds(answerer, options).finally(() => readings.close());
  });
}

async function report(result: PublicResult, folder: string): Promise<void> {
  const path = await keepResult(result, folder).catch((cause: Error) => {
    const what = `${printable(folder)} can't be written: ${cause.message}.`;
    throw new UsageError("ITC_CLI_WRITE", what, "Name another folder.", { cause });
  });
  const { leaves, members, count } = result.tree.root.summary;
  console.log(`${members} of ${leaves} devices, ${count} readings`);
  for (const [device, why] of result.withheld) console.log(`withheld ${device} ${why}`);
  console.log(`content  ${result.content}\ndata     ${printable(path)}`);
}

async function propose(result: PublicResult, { provider, addresses, signer }: Node): Promise<void> {
  const done = await proposeResult(result, provider, addresses, new Sender(provider, signer));
  for (const { call, outcome } of done) {
    const detail = outcome.kind === "sent" ? outcome.hash : outcome.kind === "refused" ? outcome.why : "";
    console.log(printable(`${outcome.kind.padEnd(8)} ${call.name} ${detail}`));
  }
  if (done.some(({ outcome }) => outcome.kind === "refused")) process.exitCode = 1;
}
