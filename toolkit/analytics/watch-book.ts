import { AbiCoder, keccak256, type Provider, toBeHex } from "ethers";
import type { Addresses } from "../addresses.js";
import {
  Analytics__factory,
  ITC__factory,
  PayoutLists__factory,
  PayoutRoller__factory,
  QuestionDesk__factory,
  type RequestStructOutput,
} from "../contracts.js";
import type { DeviceId } from "../identity/keys.js";
import { fromHex } from "../internal/bytes.js";
import { paged } from "../internal/pages.js";
import type { CourtAddresses } from "./court-views.js";
import type { MembershipAddresses } from "./membership.js";
import type { Operation } from "./query.js";
import type { AnalysisRequest, Settlement, Weighting } from "./requests.js";
import type { ResultNode } from "./result-tree.js";

/** The contracts that a watchtower looks at. */
export type WatchAddresses = CourtAddresses &
  MembershipAddresses &
  Pick<Addresses, "DataAnchor" | "Analytics" | "ResultCourt" | "QuestionDesk" | "PayoutRoller" | "PayoutLists" | "ITC">;

/** Blocks that are read again each time: the chain may have replaced them. */
const REPLACEABLE = 64;

/** A proposal, as its event tells it. */
export interface Proposed {
  readonly id: string;
  readonly proposer: string;
  readonly root: ResultNode;
  readonly content: string;
  readonly block: number;
}

/** A question to a proposer, as its event tells it. */
export interface Asked {
  /** The request's. */
  readonly request: string;
  readonly stamp: string;
  /** Of a demanded leaf its index as a word, of a partial what lies below its leaf's node. */
  readonly subject: string;
  /** Of a demanded leaf. */
  readonly index?: number;
  /** Of a questioned partial. */
  readonly device?: string;
  readonly due: bigint;
  readonly hash: string;
  readonly at: LogPlace;
}

/** Block and index of an event: which came first. */
type LogPlace = readonly [block: number, index: number];

/** What a sender has laid open of an answer; the struct `Opening`. */
export interface Opening {
  readonly count: bigint;
  readonly start: bigint;
  readonly last: bigint;
  readonly aggregate: string;
  readonly ranges: string;
}

/** How a question ended. */
export interface Settled {
  readonly answered: boolean;
  readonly hash: string;
}

interface Track {
  /** Reads events, and says how to take them in. */
  fetch(from: number, to: number): Promise<() => void>;
  drop(from: number): void;
}

function trackOf<Event extends { readonly blockNumber: number }>(
  read: (from: number, to: number) => Promise<Event[]>,
): Track & { readonly events: Event[] } {
  const events: Event[] = [];
  return {
    events,
    fetch: async (from, to) => {
      const found = await read(from, to);
      return () => void events.push(...found);
    },
    drop: (from) => {
      while ((events.at(-1)?.blockNumber ?? -1) >= from) events.pop();
    },
  };
}

/** What the events of one Analytics, its desk and its roller say; a watcher's whole memory, since all of it is on the chain. */
export class WatchBook {
  private readonly tracks: ReturnType<typeof tracksOf>;
  private next: number;

  /**
   * @param me Whose deposits are counted, and whose answers in parts are followed.
   * @param fromBlock One before the first request.
   */
  constructor(
    private readonly provider: Provider,
    private readonly addresses: WatchAddresses,
    me: string | undefined,
    private readonly fromBlock = 0,
  ) {
    this.tracks = tracksOf(provider, addresses, me);
    this.next = fromBlock;
  }

  /** Reads up to the latest block. */
  async read(): Promise<void> {
    const latest = await this.provider.getBlockNumber();
    const from = Math.max(this.fromBlock, Math.min(this.next, latest + 1) - REPLACEABLE);
    const all: Track[] = Object.values(this.tracks);
    for (const track of all) track.drop(from);
    this.next = from;
    await paged(from, latest, async (start, end) => {
      const found = await Promise.all(all.map((track) => track.fetch(start, end)));
      for (const take of found) take();
      this.next = end + 1;
    });
  }

  request(id: string): AnalysisRequest | undefined {
    const event = this.tracks.requested.events.find(({ args }) => args.id === id);
    return event && requestOf(event.args.request);
  }

  /** The latest proposal of each request, also of those that are final or fell. */
  proposals(): Proposed[] {
    const latest = new Map<string, Proposed>();
    for (const { args, blockNumber } of this.tracks.proposed.events) {
      const { id, proposer, root, content } = args;
      latest.set(id, { id, proposer, root: nodeOf(root), content, block: blockNumber });
    }
    return [...latest.values()];
  }

  isFinal(id: string): boolean {
    return this.tracks.finalised.events.some(({ args }) => args.id === id);
  }

  /** All questions, in the order in which they came. */
  questions(): Asked[] {
    const leaves = this.tracks.demanded.events.map((event) => {
      const { id, stamp, index, due } = event.args;
      const subject = toBeHex(index, 32);
      return {
        request: id,
        stamp,
        subject,
        index: Number(index),
        due,
        hash: event.transactionHash,
        at: placeOf(event),
      };
    });
    const partials = this.tracks.questioned.events.map((event) => {
      const { id, stamp, device, subject, due } = event.args;
      return { request: id, stamp, subject, device, due, hash: event.transactionHash, at: placeOf(event) };
    });
    return [...leaves, ...partials].sort((a, b) => (isBefore(a.at, b.at) ? -1 : 1));
  }

  /** How a question ended, if it has. The same can be asked again once it was answered. */
  settled(asked: Pick<Asked, "stamp" | "subject" | "at">): Settled | undefined {
    const id = this.questionId(asked);
    const event = this.tracks.settled.events.find(
      (one) => one.args.question === id && isBefore(asked.at, placeOf(one)),
    );
    return event && { answered: event.args.answered, hash: event.transactionHash };
  }

  /** What the account of this book has laid open of an answer last. */
  laid(asked: Pick<Asked, "stamp" | "subject">): Opening | undefined {
    const id = this.questionId(asked);
    return this.tracks.laid.events.findLast(({ args }) => args.question === id)?.args.opening;
  }

  private questionId({ stamp, subject }: Pick<Asked, "stamp" | "subject">): string {
    const words = [this.addresses.Analytics, stamp, subject];
    return keccak256(AbiCoder.defaultAbiCoder().encode(["address", "bytes32", "bytes32"], words));
  }

  /** Whether the watcher asked it. */
  isMine({ hash }: Pick<Asked, "hash">): boolean {
    return this.tracks.paid.events.some(({ transactionHash }) => transactionHash === hash);
  }

  /** Devices of which readings were contributed to a request. */
  contributedTo(id: string): Set<DeviceId> {
    const own = this.tracks.contributed.events.filter(({ args }) => args.id === id);
    return new Set(own.map(({ args }) => args.device as DeviceId));
  }

  /** ITC of the watcher's that lie at the desk, or went to proposers with their answers. */
  deposits(): bigint {
    const sum = (events: readonly { args: { value: bigint } }[]) =>
      events.reduce((all, { args }) => all + args.value, 0n);
    const net = sum(this.tracks.paid.events) - sum(this.tracks.returned.events);
    return net > 0n ? net : 0n;
  }

  /** How many deposits of an account lie at the roller, or went to proposers with their answers; those of a roll that fell come back. */
  rollDemands(account: string | undefined): bigint {
    const { demanded, rejected } = this.rolls;
    const fallen = new Set(rejected.map(({ args }) => args.number));
    return BigInt(demanded.filter(({ args }) => args.by === account && !fallen.has(args.number)).length);
  }

  /** The latest list of each result, also of those that were pushed or fell. */
  lists() {
    return [...new Map(this.tracks.listed.events.map((event) => [event.args.id, event])).values()];
  }

  /** What the roller has said, in the order of blocks; `weighed` by the watcher alone. */
  get rolls() {
    const { rolled, rollRejected, rollPublished, rollDemanded, rollShown, rollRefunded, weighed } = this.tracks;
    return {
      proposed: rolled.events,
      rejected: rollRejected.events,
      published: rollPublished.events,
      demanded: rollDemanded.events,
      shown: rollShown.events,
      refunded: rollRefunded.events,
      weighed: weighed.events,
    };
  }
}

function placeOf({ blockNumber, index }: { readonly blockNumber: number; readonly index: number }): LogPlace {
  return [blockNumber, index];
}

function isBefore(a: LogPlace, b: LogPlace): boolean {
  return a[0] === b[0] ? a[1] < b[1] : a[0] < b[0];
}

function tracksOf(provider: Provider, addresses: WatchAddresses, me: string | undefined) {
  const at = addresses.Analytics;
  const analytics = Analytics__factory.connect(at, provider);
  const desk = QuestionDesk__factory.connect(addresses.QuestionDesk, provider);
  const roller = PayoutRoller__factory.connect(addresses.PayoutRoller, provider);
  const lists = PayoutLists__factory.connect(addresses.PayoutLists, provider);
  const itc = ITC__factory.connect(addresses.ITC, provider);
  const transfers = (from: string, to: string) =>
    trackOf(async (a, b) => (me === undefined ? [] : itc.queryFilter(itc.filters.Transfer(from, to), a, b)));
  return {
    requested: trackOf((a, b) => analytics.queryFilter(analytics.filters.AnalysisRequested(), a, b)),
    proposed: trackOf((a, b) => analytics.queryFilter(analytics.filters.ResultProposed(), a, b)),
    finalised: trackOf((a, b) => analytics.queryFilter(analytics.filters.ResultFinalised(), a, b)),
    demanded: trackOf((a, b) => desk.queryFilter(desk.filters.LeafDemanded(at), a, b)),
    questioned: trackOf((a, b) => desk.queryFilter(desk.filters.PartialQuestioned(at), a, b)),
    settled: trackOf((a, b) => desk.queryFilter(desk.filters.QuestionSettled(), a, b)),
    laid: trackOf(async (a, b) =>
      me === undefined ? [] : desk.queryFilter(desk.filters.PartialLaid(undefined, me), a, b),
    ),
    contributed: trackOf((a, b) => desk.queryFilter(desk.filters.ReadingsContributed(at), a, b)),
    paid: transfers(me ?? "", addresses.QuestionDesk),
    returned: transfers(addresses.QuestionDesk, me ?? ""),
    rolled: trackOf((a, b) => roller.queryFilter(roller.filters.RootProposed(at), a, b)),
    rollRejected: trackOf((a, b) => roller.queryFilter(roller.filters.RootRejected(at), a, b)),
    rollPublished: trackOf((a, b) => roller.queryFilter(roller.filters.RootPublished(at), a, b)),
    rollDemanded: trackOf((a, b) => roller.queryFilter(roller.filters.LeafDemanded(at), a, b)),
    rollShown: trackOf((a, b) => roller.queryFilter(roller.filters.LeafShown(at), a, b)),
    weighed: trackOf(async (a, b) =>
      me === undefined ? [] : roller.queryFilter(roller.filters.WeightShown(at, undefined, me), a, b),
    ),
    listed: trackOf((a, b) => lists.queryFilter(lists.filters.ListProposed(at), a, b)),
    rollRefunded: trackOf((a, b) => roller.queryFilter(roller.filters.DemandRefunded(at), a, b)),
  };
}

/** A request as events and calldata have it. */
export function requestOf(words: RequestStructOutput): AnalysisRequest {
  // By position: `filter` of what ethers decodes is the method of an array.
  const [requester, salt, purpose, query, filter, terms] = words;
  const { schema, operation, size, hashes, lower, upper, from, to, anchoredBy, cap } = query;
  const { lot, region, assurance, verifier } = filter;
  const { cohort, epsilon, price, reward, fee, bond, deadline, challengeWindow, weighting, settlement } = terms;
  return {
    requester,
    salt,
    purpose,
    query: {
      schema: fromHex(schema),
      operation: Number(operation) as Operation,
      size: Number(size),
      hashes: Number(hashes),
      ...{ lower, upper, from, to, anchoredBy, cap },
    },
    filter: { lot, region, assurance: Number(assurance), verifier },
    terms: {
      ...{ cohort, epsilon, price, reward, fee, bond, deadline, challengeWindow },
      weighting: Number(weighting) as Weighting,
      settlement: Number(settlement) as Settlement,
    },
  };
}

/** A node as events and calldata have it. */
export function nodeOf({ summary, below }: ResultNode): ResultNode {
  const { firstOwner, firstDevice, lastOwner, lastDevice, leaves, members, count, weight, aggregate } = summary;
  return {
    summary: { firstOwner, firstDevice, lastOwner, lastDevice, leaves, members, count, weight, aggregate },
    below,
  };
}
