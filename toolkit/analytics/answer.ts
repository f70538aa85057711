import { getAddress, type Provider, type Signer } from "ethers";
import type { ReadingFields, ReadingPlace } from "../anchoring/on-chain.js";
import { Analytics__factory, QuestionDesk__factory } from "../contracts.js";
import { toHex } from "../internal/bytes.js";
import { type AnswerMaterial, NO_OPENING, nextPart } from "./answer-parts.js";
import type { AnalysisRequest } from "./requests.js";
import { leafBelow, leafWords, nodeDigest, type ResultLeaf, type ResultTree } from "./result-tree.js";
import { MOST_CALLDATA, type PlannedCall, Sender } from "./sender.js";
import { type Asked, type WatchAddresses, WatchBook } from "./watch-book.js";
import { Notes, type WatchNote } from "./watch-notes.js";
import type { ProvedBatch } from "./zk-answer.js";

/** A reading that is laid open, with where it is anchored; see `OpenReading` in Solidity. Bytes are hex. */
export interface OpenReading {
  readonly fields: ReadingFields;
  readonly place: ReadingPlace;
  readonly value: bigint;
  readonly salt: string;
  /** Empty, as `signature`, for a reading in the device's own log. */
  readonly signer: string;
  readonly signature: string;
}

/** A proposal that is answered for. */
export interface AnsweredProposal {
  readonly request: AnalysisRequest;
  /** The SHA-256 of its data, as hex. */
  readonly content: string;
}

/** What a proposer answers from. */
export interface AnswerOptions {
  readonly provider: Provider;
  /** Sends the answers; anyone may. Without it they are only reported. */
  readonly signer?: Signer;
  readonly addresses: WatchAddresses;
  /** Whose proposals are answered for; the signer's if left out. */
  readonly proposer?: string;
  /** The tree of a proposal, by its request and the digest of its root. */
  readonly treeOf: (id: string, root: string, proposal: AnsweredProposal) => Promise<ResultTree | undefined>;
  /** Readings of a device: all that its leaf counts, but for those that proofs show. */
  readonly readingsOf?: (id: string, device: string, request: AnalysisRequest) => Promise<OpenReading[] | undefined>;
  /** Batches of a device's own log whose values are proved without being shown, where it commits to them and there are keys; see `proveBatch`. */
  readonly proofsOf?: (id: string, device: string, request: AnalysisRequest) => Promise<ProvedBatch[] | undefined>;
  /** Most readings of a transaction; 100 if left out. More of them are laid open in several. */
  readonly mostReadings?: number;
  /** Most bytes of calldata of a transaction; 100,000 if left out. */
  readonly mostCalldata?: number;
  /** The block in which the contracts were deployed; 0 if left out. */
  readonly fromBlock?: number;
}

/** An answer to one reading has about 1.2 KB and 30,000 gas. */
const MOST_READINGS = 100;

/**
 * The proposer's side of a watchtower: shows demanded leaves, and lays open the readings behind questioned partials, in one transaction or in parts, or
 * proves what they come to. As there, all state is on the chain: an answer goes on where the same sender has stopped. An answer counts up to when the
 * question is settled against the proposer, also past its time.
 *
 * @example
 * const answerer = new Answerer({ provider, signer, addresses, treeOf: async () => built.tree, readingsOf });
 * await answerer.round();
 */
export class Answerer {
  private readonly sender: Sender;
  private readonly notes = new Notes();
  private book: WatchBook | undefined;

  constructor(private readonly options: AnswerOptions) {
    this.sender = new Sender(options.provider, options.signer);
  }

  /** Answers whatever is open. Errors: those of the provider; trouble with one question is a note. */
  async round(): Promise<WatchNote[]> {
    const { provider, addresses, fromBlock } = this.options;
    const me = await this.sender.address();
    const book = (this.book ??= new WatchBook(provider, addresses, me, fromBlock));
    await book.read();
    const proposer = this.options.proposer ?? me;
    for (const { id, proposer: by, root, content } of book.proposals()) {
      const request = book.request(id);
      if (!request || by.toLowerCase() !== proposer?.toLowerCase() || book.isFinal(id)) continue;
      const analytics = Analytics__factory.connect(addresses.Analytics, provider);
      const { stamp, root: digest } = await analytics.proposalOf(request);
      if (digest !== toHex(nodeDigest(root))) continue;
      await this.answer(book, id, { request, content }, stamp, digest);
    }
    return this.notes.take();
  }

  private async answer(
    book: WatchBook,
    id: string,
    proposal: AnsweredProposal,
    stamp: string,
    root: string,
  ): Promise<void> {
    const open = book.questions().filter((asked) => asked.stamp === stamp && !book.settled(asked));
    if (open.length === 0) return;
    const tree = await this.options.treeOf(id, root, proposal).catch((error: unknown) => this.trouble(id, error));
    for (const asked of open) {
      const isAnswered = tree && (await this.answerOne(book, id, proposal.request, tree, asked));
      if (isAnswered) continue;
      const detail = asked.device === undefined ? `leaf ${asked.index}` : `the readings of ${asked.device}`;
      this.notes.add({ what: "unseen", about: id, detail: `There is nothing to answer with: ${detail}.` });
    }
  }

  /** Says whether there was something to answer with. */
  private async answerOne(
    book: WatchBook,
    id: string,
    request: AnalysisRequest,
    tree: ResultTree,
    asked: Asked,
  ): Promise<boolean> {
    try {
      if (asked.index === undefined) return await this.bearOut(book, id, request, tree, asked);
      const call = this.showing(request, tree, asked.index);
      if (call) this.notes.outcome(id, call, await this.sender.send(call));
      return call !== undefined;
    } catch (error) {
      this.trouble(id, error);
      return true;
    }
  }

  /** Lays open what a partial follows from, as far as this sender gets. */
  private async bearOut(
    book: WatchBook,
    id: string,
    request: AnalysisRequest,
    tree: ResultTree,
    asked: Asked,
  ): Promise<boolean> {
    const leaf = tree.leaves.find((one) => toHex(leafBelow(one)) === asked.subject);
    const material = leaf && (await this.materialOf(id, request, leaf));
    if (!material) return false;
    for (let before = book.laid(asked) ?? NO_OPENING; ; ) {
      const call = nextPart(before, material);
      if (!call) return false;
      const outcome = await this.sender.send(call);
      this.notes.outcome(id, call, outcome);
      if (outcome.kind !== "sent") return true;
      await book.read();
      const laid = book.laid(asked) ?? NO_OPENING;
      if (book.settled(asked) || laid.count <= before.count) return true;
      before = laid;
    }
  }

  private async materialOf(
    id: string,
    request: AnalysisRequest,
    leaf: ResultLeaf,
  ): Promise<AnswerMaterial | undefined> {
    const { addresses, readingsOf, proofsOf } = this.options;
    const { mostReadings = MOST_READINGS, mostCalldata = MOST_CALLDATA } = this.options;
    const device = getAddress(leaf.device);
    // Where proving fails, readings may do.
    const proofs = await proofsOf?.(id, device, request).catch((error: unknown) => this.trouble(id, error));
    const readings = await readingsOf?.(id, device, request);
    if (!proofs && !readings) return undefined;
    const where = { analytics: addresses.Analytics, desk: addresses.QuestionDesk };
    return { ...where, request, leaf, readings: readings ?? [], proofs: proofs ?? [], mostReadings, mostCalldata };
  }

  private showing(request: AnalysisRequest, tree: ResultTree, index: number): PlannedCall | undefined {
    const { QuestionDesk, Analytics } = this.options.addresses;
    const leaf = tree.leaves[index];
    if (!leaf) return undefined;
    const { path, siblings, aggregates } = tree.siblings(index);
    const [first, second] = leaf.evidence;
    const data = QuestionDesk__factory.createInterface().encodeFunctionData("show", [
      Analytics,
      request,
      BigInt(index),
      leafWords(leaf),
      toHex(leaf.partial),
      toHex(first),
      toHex(second),
      path,
      siblings,
      aggregates,
    ]);
    return { name: `show ${index}`, to: QuestionDesk, data };
  }

  private trouble(about: string, error: unknown): undefined {
    this.notes.add({ what: "trouble", about, detail: error instanceof Error ? error.message : String(error) });
  }
}
