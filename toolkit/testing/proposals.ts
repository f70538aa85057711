import type { Aggregator } from "../analytics/aggregator.js";
import { type AnalysisRequest, weightOf } from "../analytics/requests.js";
import { nodeDigest, Origin, type ResultLeaf, type ResultTree } from "../analytics/result-tree.js";
import { toHex } from "../internal/bytes.js";
import type { Flow } from "./ledger.js";
import type { Lie } from "./lies.js";
import type { RequestState, World } from "./world.js";

/** A challenge, a question or an answer that was sent about a proposal. */
export interface SentCall {
  /** The actor. */
  readonly by: string;
  /** The contract's function. */
  readonly name: string;
  readonly gasUsed: bigint;
  readonly flows: readonly Flow[];
}

/** A proposal, and what became of it. */
export interface ProposalState {
  /** The request's name. */
  readonly request: string;
  /** The actor that has proposed it. */
  readonly author: string;
  readonly lie: Lie | undefined;
  /** The digest of its root. */
  readonly root: string;
  readonly tree: ResultTree;
  /** Whether its author shows what it is asked for. */
  readonly isShown: boolean;
  readonly calls: SentCall[];
  isWatched: boolean;
  fell: boolean;
  /** Whether it fell with its bond. */
  lostBond: boolean;
}

/** Takes note of a proposal that was sent. */
export function noteProposal(
  world: World,
  proposal: Pick<ProposalState, "request" | "author" | "lie" | "tree" | "isShown">,
): void {
  const root = toHex(nodeDigest(proposal.tree.root));
  world.proposals.push({ ...proposal, root, calls: [], isWatched: false, fell: false, lostBond: false });
}

/** The proposals that can be challenged, with their requests. */
export function standing(world: World): { readonly proposal: ProposalState; readonly state: RequestState }[] {
  return world.proposals.flatMap((proposal) => {
    const state = world.request(proposal.request);
    return !proposal.fell && state.status === "proposed" ? [{ proposal, state }] : [];
  });
}

/** Sees which proposals have fallen: their requests are open again. */
export async function noteFallen(world: World): Promise<ProposalState[]> {
  const { analytics } = world.contracts;
  const fallen: ProposalState[] = [];
  for (const { proposal, state } of standing(world)) {
    const { root } = await analytics.proposalOf(state.request);
    if (root === proposal.root) continue;
    const rejected = await analytics.queryFilter(analytics.filters.ResultRejected(state.id));
    proposal.fell = true;
    proposal.lostBond = rejected.at(-1)?.args.slashed === true;
    const { proposer: _, withheld: __, ...asked } = state;
    world.requests.set(state.name, { ...asked, status: "open", tree: undefined, shares: new Map() });
    fallen.push(proposal);
  }
  return fallen;
}

/** What the contract keeps for a requester until its request ends: half of each bond that was lost over it. */
export function halvesKept({ proposals }: World, { name, request: { terms } }: RequestState): bigint {
  const lost = proposals.filter(({ request, lostBond }) => lostBond && request === name);
  return BigInt(lost.length) * (terms.bond - terms.bond / 2n);
}

/** The leaf of a device that is active and has readings, and doesn't belong into a result; undefined if there is none. */
export function outsiderOf(
  world: World,
  { terms }: AnalysisRequest,
  { leaves }: ResultTree,
  aggregator: Aggregator,
): ResultLeaf | undefined {
  const members = new Set(leaves.map(({ device }) => device.toLowerCase()));
  for (const { device, owner } of world.activated) {
    const own = members.has(device.key.id.toLowerCase()) ? undefined : aggregator.partialOf(device.key.id);
    if (!own) continue;
    const { count, partial, ranges } = own;
    const evidence = [ranges, new Uint8Array()] as const;
    const said = { origin: Origin.Proved, count, weight: weightOf(terms, count), spent: 0n, evidence, partial };
    return { owner: owner.address, device: device.key.id, ...said };
  }
  return undefined;
}
