import type { Provider, Signer } from "ethers";
import type { ReadingFields, ReadingPlace } from "../anchoring/on-chain.js";
import { Analytics__factory, QuestionDesk__factory } from "../contracts.js";
import { toHex } from "../internal/bytes.js";
import type { AnalysisRequest } from "./requests.js";
import { leafBelow, leafWords, nodeDigest, type ResultTree } from "./result-tree.js";
import { type PlannedCall, Sender } from "./sender.js";
import { type Asked, type WatchAddresses, WatchBook } from "./watch-book.js";
import { Notes, type WatchNote } from "./watch-notes.js";

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

/** What a proposer answers from. */
export interface AnswerOptions {
  readonly provider: Provider;
  /** Sends the answers; anyone may. Without it they are only reported. */
  readonly signer?: Signer;
  readonly addresses: WatchAddresses;
  /** Whose proposals are answered for; the signer's if left out. */
  readonly proposer?: string;
  /** The tree of a proposal, by its request and the digest of its root. */
  readonly treeOf: (request: string, root: string) => Promise<ResultTree | undefined>;
  /** All readings that the leaf of a device counts, by ascending sequence number. */
  readonly readingsOf?: (request: string, device: string) => Promise<OpenReading[] | undefined>;
  /** The block in which the contracts were deployed; 0 if left out. */
  readonly fromBlock?: number;
}

/**
 * The proposer's side of a watchtower: shows demanded leaves, and lays open the readings behind questioned partials. As there, all state is on the
 * chain. An answer counts up to when the question is settled against the proposer, also past its time.
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

  /** Answers whatever is open. Errors: those of the provider. */
  async round(): Promise<WatchNote[]> {
    const { provider, addresses, fromBlock } = this.options;
    this.book ??= new WatchBook(provider, addresses, undefined, fromBlock);
    await this.book.read();
    const proposer = this.options.proposer ?? (await this.sender.address());
    for (const { id, proposer: by, root } of this.book.proposals()) {
      const request = this.book.request(id);
      if (!request || by.toLowerCase() !== proposer?.toLowerCase() || this.book.isFinal(id)) continue;
      const analytics = Analytics__factory.connect(addresses.Analytics, provider);
      const { stamp, root: digest } = await analytics.proposalOf(request);
      if (digest !== toHex(nodeDigest(root))) continue;
      await this.answer(id, request, stamp, digest);
    }
    return this.notes.take();
  }

  private async answer(id: string, request: AnalysisRequest, stamp: string, root: string): Promise<void> {
    const open = this.book?.questions().filter((asked) => asked.stamp === stamp && !this.book?.settled(asked)) ?? [];
    if (open.length === 0) return;
    const tree = await this.options.treeOf(id, root);
    for (const asked of open) {
      const call = tree && (await this.callFor(id, request, tree, asked));
      if (!call) {
        const detail = asked.device === undefined ? `leaf ${asked.index}` : `the readings of ${asked.device}`;
        this.notes.add({ what: "unseen", about: id, detail: `There is nothing to answer with: ${detail}.` });
        continue;
      }
      this.notes.outcome(id, call, await this.sender.send(call));
    }
  }

  private async callFor(
    id: string,
    request: AnalysisRequest,
    tree: ResultTree,
    { index, device, subject }: Asked,
  ): Promise<PlannedCall | undefined> {
    const { QuestionDesk, Analytics } = this.options.addresses;
    const desk = QuestionDesk__factory.createInterface();
    if (index !== undefined) {
      const leaf = tree.leaves[index];
      if (!leaf) return undefined;
      const { path, siblings, aggregates } = tree.siblings(index);
      const [first, second] = leaf.evidence;
      const data = desk.encodeFunctionData("show", [
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
    const leaf = tree.leaves.find((one) => toHex(leafBelow(one)) === subject);
    const readings = device === undefined ? undefined : await this.options.readingsOf?.(id, device);
    if (!leaf || !readings) return undefined;
    const args: [string, AnalysisRequest, ReturnType<typeof leafWords>, OpenReading[]] = [
      Analytics,
      request,
      leafWords(leaf),
      readings,
    ];
    const data = desk.encodeFunctionData("answerWithReadings", args);
    return { name: `answerWithReadings ${device}`, to: QuestionDesk, data };
  }
}
