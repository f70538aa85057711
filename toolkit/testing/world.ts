import type { Interface } from "ethers";
import type { Addresses } from "../../deploy/index.js";
import type { WithheldFor } from "../analytics/build-result.js";
import type { AnalysisRequest } from "../analytics/requests.js";
import type { ResultTree } from "../analytics/result-tree.js";
import type { FileContent, SealedContent } from "../anchoring/contents.js";
import type { FeedRound } from "../anchoring/feeds.js";
import type { HashedFile } from "../anchoring/files.js";
import type { Gateway } from "../anchoring/gateway.js";
import { GrantBook } from "../anchoring/grants.js";
import type { SealedJwe } from "../anchoring/jwe.js";
import type { SignedReading } from "../anchoring/readings.js";
import * as bindings from "../contracts.js";
import { IotchainError } from "../errors.js";
import { Digests } from "../identity/digests.js";
import type { DeviceId } from "../identity/keys.js";
import type { LotTree } from "../identity/lots.js";
import { CarbonBook } from "./carbon-book.js";
import { type Account, accountOf, type Call, type Chain, type Receipt } from "./chain.js";
import type { Measured, VirtualDevice } from "./devices.js";
import { secretOf } from "./fixture.js";
import { Ledger } from "./ledger.js";
import { PartBook } from "./parts.js";
import type { ProposalState } from "./proposals.js";
import type { ReportProvenance } from "./report.js";
import type { ActorKind, Fleet, Scenario, Source } from "./scenario-schema.js";
import { Shelf } from "./shelf.js";
import type { DeviceSeries } from "./sources.js";

/** A step that can't be carried out as the scenario says. */
export class ReplayError extends IotchainError {}

/** A device of a fleet with what it will measure. */
export interface Member {
  readonly device: VirtualDevice;
  readonly series: DeviceSeries;
  readonly owner: Account;
}

/** Devices of one maker, kind of key, source and gateway: a lot. */
export interface FleetState {
  readonly name: string;
  readonly spec: Fleet;
  /** Cameras have none. */
  readonly source: Source | undefined;
  readonly schema: Uint8Array;
  readonly lot: LotTree;
  readonly members: readonly Member[];
}

/** A gateway and who pays for its gas. */
export interface GatewayState {
  readonly account: Account;
  readonly gateway: Gateway;
}

/** A reading in a log; its gateway has what proves it. */
export interface Anchored extends Measured {
  readonly fleet: FleetState;
  readonly member: Member;
  readonly gateway: Gateway;
}

/** A recording that a camera has signed; `bytes` gives it as often as it is asked for. */
export interface Recorded {
  readonly reading: SignedReading;
  readonly content: FileContent | SealedContent;
  readonly member: Member;
  readonly gateway: Gateway;
  readonly bytes: () => Iterable<Uint8Array>;
  /** Of one that isn't sealed: what proves its segments. */
  readonly file?: HashedFile;
  /** Of one that is: its ciphertext, and the actors who should be able to read it. */
  readonly sealed?: { readonly jwe: SealedJwe; readonly readers: readonly string[] };
}

/** What the owners have said about who may read a device's sealed recordings. */
export interface GrantState {
  readonly book: GrantBook;
  /** How many messages each device's owner has signed. */
  readonly numbers: Map<DeviceId, bigint>;
  /** A model of the book: until when each actor may read, by device. */
  readonly until: Map<DeviceId, Map<string, bigint>>;
}

/** A request and what became of it. */
export interface RequestState {
  readonly name: string;
  readonly company: string;
  readonly request: AnalysisRequest;
  readonly id: string;
  readonly requestedAt: bigint;
  readonly source: Source;
  readonly purpose: string;
  status: "open" | "proposed" | "final" | "rolled" | "published" | "cancelled";
  tree: ResultTree | undefined;
  shares: ReadonlyMap<string, bigint>;
  /** The actor who proposed, and why some devices contribute nothing; once there is a tree. */
  proposer?: string;
  withheld?: ReadonlyMap<string, WithheldFor>;
}

/** A feed, and what it should hold. */
export interface FeedState {
  readonly name: string;
  readonly contract: bindings.DeviceFeed;
  readonly fleets: readonly FleetState[];
  readonly scale: number;
  readonly quorum: number;
  readonly ring: number;
  /** Seconds. */
  readonly maxAge: bigint;
  /** All rounds ever. */
  readonly rounds: FeedRound[];
  readonly latest: Map<DeviceId, { readonly time: bigint; readonly value: bigint }>;
}

/** A cover, and what became of it. */
export interface CoverState {
  readonly name: string;
  readonly id: bigint;
  readonly feed: FeedState;
  readonly insurer: Account;
  readonly insured: string;
  /** The actor that settles it. */
  readonly watcher: string;
  readonly low: bigint;
  readonly high: bigint;
  readonly start: bigint;
  readonly end: bigint;
  readonly amount: bigint;
  readonly premium: bigint;
  readonly status: "open" | "paid" | "returned";
}

/** What a check by a third party came to. */
export interface Verification {
  sampled: number;
  verified: number;
  bytes: number[];
  example: string[];
  readonly failures: string[];
}

/** Under what the world keeps the budget of an owner for a purpose. */
export const budgetKey = (purpose: string, owner: string): string => `${purpose}:${owner}`;

// Made once: parsing an ABI takes longer than sending what it encodes.
const interfaces = {
  Analytics: bindings.Analytics__factory.createInterface(),
  BandCover: bindings.BandCover__factory.createInterface(),
  CarbonLedger: bindings.CarbonLedger__factory.createInterface(),
  ConsentRegistry: bindings.ConsentRegistry__factory.createInterface(),
  DataAnchor: bindings.DataAnchor__factory.createInterface(),
  DeviceRegions: bindings.DeviceRegions__factory.createInterface(),
  DeviceRegistry: bindings.DeviceRegistry__factory.createInterface(),
  FeedFactory: bindings.FeedFactory__factory.createInterface(),
  ITC: bindings.ITC__factory.createInterface(),
  PayoutPool: bindings.PayoutPool__factory.createInterface(),
  PayoutLists: bindings.PayoutLists__factory.createInterface(),
  PayoutRoller: bindings.PayoutRoller__factory.createInterface(),
  ResultClaims: bindings.ResultClaims__factory.createInterface(),
  Provenance: bindings.Provenance__factory.createInterface(),
};

/** The contracts that a replay reads, bound to its chain. */
export interface Contracts {
  readonly analytics: bindings.Analytics;
  readonly anchor: bindings.DataAnchor;
  readonly carbon: bindings.CarbonLedger;
  readonly covers: bindings.BandCover;
  readonly consents: bindings.ConsentRegistry;
  readonly itc: bindings.ITC;
  readonly lists: bindings.PayoutLists;
  readonly pool: bindings.PayoutPool;
  readonly provenance: bindings.Provenance;
  readonly registry: bindings.DeviceRegistry;
  readonly resultClaims: bindings.ResultClaims;
  readonly roller: bindings.PayoutRoller;
}

/** Everything that a replay knows: the chain, the actors with their keys, and what they believe the state to be. */
export class World {
  readonly ledger = new Ledger();
  readonly accounts = new Map<string, readonly Account[]>();
  readonly nameOf = new Map<string, string>();
  readonly fleets = new Map<string, FleetState>();
  readonly gateways = new Map<string, GatewayState>();
  readonly activated: Member[] = [];
  readonly anchored: Anchored[] = [];
  readonly recordings: Recorded[] = [];
  readonly requests = new Map<string, RequestState>();
  /** All proposals ever, in their order. */
  readonly proposals: ProposalState[] = [];
  /** The data of proposals and rolls, for anybody to read. */
  readonly shelf = new Shelf();
  readonly feeds = new Map<string, FeedState>();
  readonly covers = new Map<string, CoverState>();
  readonly carbon = new CarbonBook();
  readonly verification: Verification = { sampled: 0, verified: 0, bytes: [], example: [], failures: [] };
  readonly parts = new PartBook();
  /** What a trace of parts has found. */
  provenance: ReportProvenance | undefined;
  /** Is handed each bundle that is checked. */
  keepEvidence: (name: string, bundle: string) => Promise<void> = async () => {};
  /** Millionths of epsilon that devices have spent, by purpose and device. */
  readonly spent = new Map<string, bigint>();
  /** Millionths of epsilon that owners allow, by {@link budgetKey}. */
  readonly budgets = new Map<string, bigint>();
  /** ITC that each account has earned in all published epochs. */
  earned: ReadonlyMap<string, bigint> = new Map();
  /** The same with the proposed root's, while there is one. */
  proposedEarnings: ReadonlyMap<string, bigint> | undefined;
  private granted: GrantState | undefined;
  private deployed: { addresses: Addresses; digests: Digests; contracts: Contracts } | undefined;

  constructor(
    readonly scenario: Scenario,
    /** Where the scenario lies; its data files are relative to it. */
    readonly file: string,
    readonly chain: Chain,
    readonly tick: (n: number) => void,
  ) {
    for (const [name, actor] of Object.entries(scenario.actors)) {
      const accounts = Array.from({ length: actor.count }, (_, k) =>
        accountOf(secretOf(scenario.seed, `actor:${name}:${k}`)),
      );
      this.accounts.set(name, accounts);
      for (const { address } of accounts) this.nameOf.set(address, name);
    }
    chain.onReceipt = (receipt, call) => this.ledger.note(receipt, call, this.deployed?.addresses.ITC);
  }

  get addresses(): Addresses {
    return this.require(this.deployed).addresses;
  }

  get digests(): Digests {
    return this.require(this.deployed).digests;
  }

  get contracts(): Contracts {
    return this.require(this.deployed).contracts;
  }

  get isDeployed(): boolean {
    return this.deployed !== undefined;
  }

  /** Takes note of where the contracts are. */
  setAddresses(addresses: Addresses): void {
    const { reader, id } = this.chain;
    const digests = new Digests({ chainId: id, registry: addresses.DeviceRegistry });
    const contracts = {
      analytics: bindings.Analytics__factory.connect(addresses.Analytics, reader),
      anchor: bindings.DataAnchor__factory.connect(addresses.DataAnchor, reader),
      carbon: bindings.CarbonLedger__factory.connect(addresses.CarbonLedger, reader),
      covers: bindings.BandCover__factory.connect(addresses.BandCover, reader),
      consents: bindings.ConsentRegistry__factory.connect(addresses.ConsentRegistry, reader),
      itc: bindings.ITC__factory.connect(addresses.ITC, reader),
      lists: bindings.PayoutLists__factory.connect(addresses.PayoutLists, reader),
      pool: bindings.PayoutPool__factory.connect(addresses.PayoutPool, reader),
      provenance: bindings.Provenance__factory.connect(addresses.Provenance, reader),
      registry: bindings.DeviceRegistry__factory.connect(addresses.DeviceRegistry, reader),
      resultClaims: bindings.ResultClaims__factory.connect(addresses.ResultClaims, reader),
      roller: bindings.PayoutRoller__factory.connect(addresses.PayoutRoller, reader),
    };
    this.deployed = { addresses, digests, contracts };
    for (const [name, address] of Object.entries(addresses)) this.nameOf.set(address, name);
  }

  /** Replaces the accounts of an actor, as when the operator's key comes from outside. */
  setAccount(actor: string, account: Account): void {
    this.accounts.set(actor, [account]);
    this.nameOf.set(account.address, actor);
  }

  /** The accounts of an actor; the scenario was checked, so it has some. */
  accountsOf(actor: string): readonly Account[] {
    return this.require(this.accounts.get(actor));
  }

  /** The account of an actor that is one. */
  account(actor: string): Account {
    return this.require(this.accountsOf(actor)[0]);
  }

  /** The name of the first actor of a kind. */
  actorOfKind(kind: ActorKind): string {
    return this.require(Object.entries(this.scenario.actors).find(([, actor]) => actor.kind === kind)?.[0]);
  }

  fleet(name: string): FleetState {
    return this.require(this.fleets.get(name));
  }

  gateway(name: string): GatewayState {
    return this.require(this.gateways.get(name));
  }

  request(name: string): RequestState {
    return this.require(this.requests.get(name));
  }

  feed(name: string): FeedState {
    return this.require(this.feeds.get(name));
  }

  cover(name: string): CoverState {
    return this.require(this.covers.get(name));
  }

  get grants(): GrantState {
    const domain = { chainId: this.chain.id, registry: this.addresses.DeviceRegistry };
    const book = () => new GrantBook(this.chain.reader, domain);
    return (this.granted ??= { book: book(), numbers: new Map(), until: new Map() });
  }

  /** How many devices there are in all fleets. */
  memberCount(): number {
    return [...this.fleets.values()].reduce((sum, { members }) => sum + members.length, 0);
  }

  /** ITC that the pool has paid to an account. */
  claimed(account: string): bigint {
    return this.ledger.sent(this.addresses.PayoutPool, account);
  }

  /** Calls one of the contracts with a transaction. */
  async send(
    from: Account,
    contract: keyof typeof interfaces,
    method: string,
    args: readonly unknown[],
    what: string,
  ): Promise<Receipt> {
    const data = this.interfaceOf(contract).encodeFunctionData(method, args);
    const call: Call = { to: this.addresses[contract], data, what };
    return this.chain.send(from, call);
  }

  interfaceOf(contract: keyof typeof interfaces): Interface {
    return interfaces[contract];
  }

  private require<T>(value: T | undefined): T {
    if (value !== undefined) return value;
    throw new ReplayError("ITC_REPLAY_ORDER", "A step needs what no earlier step has made.", "Put `deploy` first.");
  }
}
