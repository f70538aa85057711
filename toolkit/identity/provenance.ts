import { isAddress, isHexString, type Provider, ZeroAddress, ZeroHash } from "ethers";
import { type Provenance, Provenance__factory } from "../contracts.js";
import { IotchainError } from "../errors.js";
import { goodIdOf, type PartId, partIdOf, serialHashOf, siteIdOf } from "./epc.js";
import type { DeviceId } from "./keys.js";
import { eventsOf, forEach, logsOf, PART_RANKS, type PartEvent, type PartRank } from "./part-events.js";

export type { PartEvent, PartRank } from "./part-events.js";

/** A tree of parts that can't be read, or that a node has lied about. */
export class ProvenanceError extends IotchainError {}

/** Where parts stand, numbered as `PartState` in Solidity. */
const PART_STATES = ["unknown", "active", "in-transit", "decommissioned"] as const;
export type PartState = (typeof PART_STATES)[number];

/** A claim that was refused: of the part's serial, or of a device that is bound elsewhere. */
export interface WrongClaim {
  /** The issuer that made it. */
  readonly by: string;
  readonly what: "serial" | "device";
  readonly time: bigint;
  readonly transaction: string;
}

/** A part with everything in it. */
export interface PartNode {
  readonly id: PartId;
  readonly rank: PartRank;
  /** Where the whole stands that it is in. */
  readonly state: PartState;
  readonly maker: string;
  /** Who holds the whole that it is in. */
  readonly custodian: string;
  /** To whom it is on its way. */
  readonly receiver?: string;
  /** Its EPC URI, if it is among those that the caller knows. */
  readonly serial?: string;
  /** The registered device whose key it carries. */
  readonly device?: DeviceId;
  readonly parent?: PartId;
  readonly root: PartId;
  readonly claims: readonly WrongClaim[];
  /** What is in it; a chip's are its designs. */
  readonly children: readonly PartNode[];
  /** All that happened to it, in order. */
  readonly history: readonly PartEvent[];
}

/** How to read a tree. */
export interface ProvenanceOptions {
  /** EPC URIs that may occur: the chain has their hashes only. */
  readonly serials?: Iterable<string>;
  /** The block of which the answer speaks; the latest if left out. */
  readonly block?: number;
  /** How many parts to read at most. */
  readonly most?: number;
}

const MOST_PARTS = 10_000;
const MOST_EVENTS = 200_000;

type View = Awaited<ReturnType<Provenance["partOf"]>>;

/** What the node says of one part, before it is believed. */
interface Said {
  readonly view: View;
  readonly receiver: string;
  readonly handOvers: bigint;
  readonly history: PartEvent[];
}

/**
 * Reads a part with everything in it, down to the designs of its chips. Events say what is where, views confirm each link and the
 * number of links, claims and hand-overs: a node that hides, invents or mixes up any is refused.
 *
 * @param address Where `Provenance` is.
 * @param name A part's id or its EPC URI, or a device's address.
 * Errors: ITC_PROVENANCE_NAME, ITC_PROVENANCE_UNKNOWN, ITC_PROVENANCE_TOO_LARGE, ITC_PROVENANCE_MISMATCH, ITC_EPC_INVALID.
 *
 * @example
 * const tree = await readProvenance(provider, Provenance, device, { serials });
 * for (const module of tree.children) console.log(module.serial, module.custodian, module.claims.length);
 */
export async function readProvenance(
  provider: Provider,
  address: string,
  name: string,
  options: ProvenanceOptions = {},
): Promise<PartNode> {
  const contract = Provenance__factory.connect(address, provider);
  const block = options.block ?? (await provider.getBlockNumber());
  const start = await partNamed(contract, name, block);
  const known = [...(options.serials ?? []), ...(name.startsWith("urn:") ? [name] : [])];
  // A good is known by its id, an installation, whose id is made of an account, by its hash.
  const serials = new Map(known.flatMap((uri) => [partIdOf(uri), serialHashOf(uri)].map((key) => [key, uri])));
  const reader = new Reader(provider, contract, address, block, options.most ?? MOST_PARTS);
  const said = await reader.readAll(start);
  const { view } = said.get(start) ?? {};
  if (!view || (view.rank === 0n && view.claims === 0n)) {
    throw new ProvenanceError("ITC_PROVENANCE_UNKNOWN", `There is no part ${start}.`, "Check its serial.");
  }
  return new Builder(contract, block, said, serials).build(start);
}

/** All parts of a tree, each once, the whole before its parts. */
export function partsOf(tree: PartNode): PartNode[] {
  const found = new Map<PartId, PartNode>();
  const visit = (node: PartNode): void => {
    if (found.has(node.id)) return;
    found.set(node.id, node);
    node.children.forEach(visit);
  };
  visit(tree);
  return [...found.values()];
}

async function partNamed(contract: Provenance, name: string, block: number): Promise<PartId> {
  if (name.startsWith("urn:")) return partIdOf(name);
  if (isHexString(name, 32)) return name.toLowerCase() as PartId;
  if (!isAddress(name)) {
    const what = `${name} is no part, EPC or device.`;
    throw new ProvenanceError("ITC_PROVENANCE_NAME", what, "Give 32 bytes as hex, an EPC URI, or an address.");
  }
  const part = await contract.partOfDevice(name, { blockTag: block });
  if (part !== ZeroHash) return part as PartId;
  throw new ProvenanceError("ITC_PROVENANCE_UNKNOWN", `No part carries device ${name}.`, "Ask its maker to bind it.");
}

/** Asks the node, one level of the tree at a time. */
class Reader {
  private readonly times = new Map<number, bigint>();
  private events = 0;

  constructor(
    private readonly provider: Provider,
    private readonly contract: Provenance,
    private readonly address: string,
    private readonly block: number,
    private readonly most: number,
  ) {}

  async readAll(start: PartId): Promise<ReadonlyMap<PartId, Said>> {
    const said = new Map<PartId, Said>();
    for (let level: PartId[] = [start]; level.length > 0; ) {
      if (said.size + level.length > this.most) throw tooLarge(`more than ${this.most} parts`);
      for (const [id, one] of await this.readLevel(level)) said.set(id, one);
      const below = level.flatMap((id) => [...contentsOf(id, said.get(id)?.history ?? [])]);
      level = [...new Set(below)].filter((id) => !said.has(id));
    }
    return said;
  }

  private async readLevel(ids: readonly PartId[]): Promise<Map<PartId, Said>> {
    const at = { blockTag: this.block };
    const views = await forEach(ids, (id) => this.contract.partOf(id, at));
    const offers = await forEach(ids, (id) => this.contract.handOverOf(id, at));
    const said = new Map(
      ids.map((id, k): [PartId, Said] => {
        const [view, offer] = [views[k], offers[k]];
        if (!view || !offer) throw mismatch(id, "there is no answer");
        return [id, { view, receiver: offer.to, handOvers: offer.number, history: [] }];
      }),
    );
    const isDesign = (id: PartId) => said.get(id)?.view.rank === 1n;
    const { provider, address, block } = this;
    const found = [
      ...(await logsOf(provider, address, ids.filter(isDesign), 1, block)),
      ...(await logsOf(
        provider,
        address,
        ids.filter((id) => !isDesign(id)),
        3,
        block,
      )),
    ];
    this.events += found.length;
    if (this.events > MOST_EVENTS) throw tooLarge(`more than ${MOST_EVENTS} events`);
    const logs = found.map(({ log }) => log);
    const events = await eventsOf(provider, logs, this.times);
    events.forEach((event, k) => {
      if (event) for (const id of new Set(found[k]?.names)) said.get(id)?.history.push(event);
    });
    return said;
  }
}

/** Makes nodes of what was said, and believes none of it without a second word. */
class Builder {
  private readonly nodes = new Map<PartId, PartNode>();

  constructor(
    private readonly contract: Provenance,
    private readonly block: number,
    private readonly said: ReadonlyMap<PartId, Said>,
    private readonly serials: ReadonlyMap<string, string>,
  ) {}

  async build(id: PartId): Promise<PartNode> {
    const done = this.nodes.get(id);
    if (done) return done;
    const said = this.said.get(id);
    if (!said) throw mismatch(id, "there is no answer");
    const { view, receiver, history } = said;
    const maker = this.checkBirth(id, said);
    checkCounts(id, said);
    const device = await this.checkDevice(id, said);
    const children: PartNode[] = [];
    for (const child of await this.checkContents(id, said)) children.push(await this.build(child));
    const site = history.find((event) => event.kind === "commissioned" && event.rank === "installation");
    const serial = this.serials.get(site?.kind === "commissioned" ? site.serialHash : id);
    const node: PartNode = {
      id,
      rank: PART_RANKS[Number(view.rank)] ?? "unknown",
      state: PART_STATES[Number(view.state)] ?? "unknown",
      maker,
      custodian: view.custodian,
      ...(receiver !== ZeroAddress && { receiver }),
      ...(serial !== undefined && { serial }),
      ...(device !== undefined && { device }),
      ...(view.parent !== ZeroHash && { parent: view.parent as PartId }),
      root: view.root as PartId,
      claims: claimsOf(id, maker, history),
      children,
      history,
    };
    this.nodes.set(id, node);
    return node;
  }

  /** The event that commissioned it says what the id is made of, and what the view says. */
  private checkBirth(id: PartId, { view, history }: Said): string {
    const births = history.filter((event) => event.kind === "commissioned");
    const [birth] = births;
    if (!birth) {
      if (view.rank !== 0n) throw mismatch(id, "no event commissions it");
      return ZeroAddress;
    }
    const { maker, prefixHash, serialHash, rank } = birth;
    const isSite = rank === "installation";
    const named = isSite ? siteIdOf(maker, serialHash) : goodIdOf(prefixHash, serialHash);
    const right = births.length === 1 && named === id && PART_RANKS.indexOf(rank) === Number(view.rank);
    if (!right || view.maker !== (isSite ? ZeroAddress : maker)) throw mismatch(id, "another event commissions it");
    return maker;
  }

  private async checkDevice(id: PartId, { view, history }: Said): Promise<DeviceId | undefined> {
    const bound = history.filter((event) => event.kind === "bound");
    if (bound.length !== (view.bound ? 1 : 0)) throw mismatch(id, "its device is another");
    const [binding] = bound;
    if (!binding) return undefined;
    const holder = await this.contract.partOfDevice(binding.device, { blockTag: this.block });
    if (holder !== id) throw mismatch(id, `device ${binding.device} is in ${holder}`);
    return binding.device;
  }

  /** Each child says that it is in here, and there are as many as the contract counts; a chip has the designs that it was made with. */
  private async checkContents(id: PartId, { view, history }: Said): Promise<PartId[]> {
    const contents = [...contentsOf(id, history)];
    if (view.rank === 2n) {
      const designs = contents.sort();
      const right = await this.contract.isMadeWith(id, designs, { blockTag: this.block });
      if (!right || view.children !== 0n) throw mismatch(id, "its designs are others");
      return designs;
    }
    const stray = contents.find((child) => this.said.get(child)?.view.parent !== id);
    if (stray) throw mismatch(id, `${stray} is elsewhere`);
    if (BigInt(contents.length) !== view.children) {
      throw mismatch(id, `${contents.length} parts are in it by events, ${view.children} by the contract`);
    }
    return contents;
  }
}

/** What is in a part after its history, in which nothing comes out that wasn't in, and nothing goes in twice. */
function contentsOf(id: PartId, history: readonly PartEvent[]): Set<PartId> {
  const contents = new Set<PartId>();
  const put = (child: PartId) => {
    if (contents.has(child)) throw mismatch(id, `${child} goes in twice`);
    contents.add(child);
  };
  const take = (child: PartId) => {
    if (!contents.delete(child)) throw mismatch(id, `${child} comes out and was never put in`);
  };
  for (const event of history) {
    if (event.kind === "design-included") put(event.design);
    if (event.kind === "assembled" && event.parent === id) put(event.child);
    if (event.kind === "disassembled" && event.parent === id) take(event.child);
    if (event.kind === "replaced" && event.parent === id) {
      take(event.removed);
      put(event.added);
    }
  }
  return contents;
}

/** The contract counts what a node could hide. */
function checkCounts(id: PartId, { view, receiver, handOvers, history }: Said): void {
  const count = (...kinds: PartEvent["kind"][]) => BigInt(history.filter(({ kind }) => kinds.includes(kind)).length);
  if (count("claim-refused", "binding-refused") !== view.claims) throw mismatch(id, "wrong claims are missing");
  const arrived = count("accepted", "cancelled") + (receiver === ZeroAddress ? 0n : 1n);
  if (count("handed-over") !== handOvers || arrived !== handOvers) throw mismatch(id, "hand-overs are missing");
  const ended = count("decommissioned") > 0n;
  if (view.root === id && ended !== (view.state === 3n)) throw mismatch(id, "its end is missing");
}

/** A device's second binding is by its issuer, who made both parts. */
function claimsOf(id: PartId, maker: string, history: readonly PartEvent[]): WrongClaim[] {
  return history.flatMap((event): WrongClaim[] => {
    const { time, transaction } = event;
    if (event.kind === "claim-refused" && event.part === id)
      return [{ by: event.claimant, what: "serial", time, transaction }];
    if (event.kind === "binding-refused") return [{ by: maker, what: "device", time, transaction }];
    return [];
  });
}

function mismatch(id: PartId, why: string): ProvenanceError {
  const what = `The node's word on part ${id} doesn't hold together: ${why}.`;
  return new ProvenanceError("ITC_PROVENANCE_MISMATCH", what, "Ask another node, one that keeps all events.");
}

function tooLarge(why: string): ProvenanceError {
  return new ProvenanceError("ITC_PROVENANCE_TOO_LARGE", `The tree has ${why}.`, "Read its branches one by one.");
}
