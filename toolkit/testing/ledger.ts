import { getAddress } from "ethers";
import { ITC__factory } from "../contracts.js";
import type { Call, Receipt } from "./chain.js";

/** Gas spent under one heading. */
export interface Tally {
  transactions: number;
  gasUsed: bigint;
  min: bigint;
  max: bigint;
}

/** ITC that went from one account to another, and by which call. */
export interface Flow {
  readonly from: string;
  readonly to: string;
  readonly amount: bigint;
  readonly what: string;
}

const token = ITC__factory.createInterface();
const TRANSFER = token.getEvent("Transfer").topicHash;

/** Counts what every receipt of a run says: gas by operation and sender, and where ITC went. */
export class Ledger {
  readonly byOperation = new Map<string, Tally>();
  readonly bySender = new Map<string, Tally>();
  readonly flows: Flow[] = [];
  readonly total: Tally = newTally();

  /** @param itc The token, once it is deployed. */
  note(receipt: Receipt, call: Call, itc: string | undefined): void {
    const sender = getAddress(receipt.from);
    for (const tally of [this.total, entryOf(this.byOperation, call.what), entryOf(this.bySender, sender)]) {
      tally.transactions += 1;
      tally.gasUsed += receipt.gasUsed;
      if (tally.transactions === 1 || receipt.gasUsed < tally.min) tally.min = receipt.gasUsed;
      if (receipt.gasUsed > tally.max) tally.max = receipt.gasUsed;
    }
    for (const log of receipt.logs) {
      if (itc === undefined || getAddress(log.address) !== itc || log.topics[0] !== TRANSFER) continue;
      const { from, to, value } = token.decodeEventLog("Transfer", log.data, log.topics);
      this.flows.push({ from, to, amount: value, what: call.what });
    }
  }

  /** Everyone who ever held ITC. */
  holders(): Set<string> {
    return new Set(this.flows.flatMap(({ from, to }) => [from, to]));
  }

  /** ITC that went from one account to another, all together. */
  sent(from: string, to?: string): bigint {
    const matching = this.flows.filter((flow) => flow.from === from && (to === undefined || flow.to === to));
    return matching.reduce((sum, { amount }) => sum + amount, 0n);
  }
}

function newTally(): Tally {
  return { transactions: 0, gasUsed: 0n, min: 0n, max: 0n };
}

function entryOf(tallies: Map<string, Tally>, key: string): Tally {
  const tally = tallies.get(key) ?? newTally();
  tallies.set(key, tally);
  return tally;
}
