import { nodeDigest, type ResultTree } from "../analytics/result-tree.js";
import { toHex } from "../internal/bytes.js";
import type { Flow } from "./ledger.js";
import type { Lie, Outsider } from "./lies.js";
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

/** A device that is active, and its owner, that don't belong into a result; undefined if there is none. */
export function outsiderOf(world: World, { leaves }: ResultTree): Outsider | undefined {
  const members = new Set(leaves.map(({ device }) => device.toLowerCase()));
  const found = world.activated.find(({ device }) => !members.has(device.key.id.toLowerCase()));
  return found && { owner: found.owner.address, device: found.device.key.id };
}
