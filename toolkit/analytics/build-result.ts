import { AnalyticsError } from "./analytics-error.js";
import { spendsTwice } from "./court-model.js";
import { type Member, UNLIMITED } from "./membership.js";
import type { PartialClaim, PartialDigests } from "./partial-digests.js";
import { isWellFormedPartial, neutralPartial, partialWords } from "./partials.js";
import type { DevicePartial } from "./pieces.js";
import { Operation } from "./query.js";
import { type AnalysisRequest, requestIdOf, weightOf } from "./requests.js";
import { writeResultData } from "./result-data.js";
import { MAX_RANGES } from "./result-format.js";
import { Origin, type ResultLeaf, ResultTree, type Summary } from "./result-tree.js";

/** A partial in the device's word. */
export interface AttestedPartial extends PartialClaim {
  /** The device's present ERC-7913 signer. */
  readonly signer: Uint8Array;
  /** The device's, over `PartialDigests.partial`. */
  readonly signature: Uint8Array;
}

/** A noisy partial of a device in an earlier result. */
export interface EarlierSpend {
  readonly request: AnalysisRequest;
  readonly spent: bigint;
}

/** What a result is built from. */
export interface ResultSources {
  readonly chainId: bigint;
  /** Address of `Analytics`. */
  readonly analytics: string;
  readonly request: AnalysisRequest;
  readonly digests: PartialDigests;
  /** See `membersAt`. */
  readonly members: readonly Member[];
  /** What was aggregated: `Aggregator.partialOf`. */
  readonly partialOf: (device: string, most?: bigint) => DevicePartial | undefined;
  readonly attestedOf?: (device: string) => AttestedPartial | undefined;
  /** Whether the device's present key has signed this: the registry's `isSignedByDevice`, see `CourtViews`. */
  readonly isSigned?: (
    device: string,
    digest: Uint8Array,
    signer: Uint8Array,
    signature: Uint8Array,
  ) => boolean | Promise<boolean>;
  /** How many readings were contributed on chain: `contributionOf` of the desk. */
  readonly contributionOf?: (device: string) => bigint;
  /** The device's noisy partials in results for this purpose. */
  readonly spendsOf?: (device: string) => readonly EarlierSpend[];
  /**
   * Whether keys and state of a device are as they were when its readings were aggregated (`CourtViews.isSteady`): else their signatures may not bear
   * a proved partial out any longer. Not asked where it is left out, which is safe for readings in the devices' own logs alone.
   */
  readonly isSteady?: (device: string) => boolean | Promise<boolean>;
  /**
   * Most readings of a device that you can lay open in one transaction if its proved partial is questioned: on a chain with EIP-7825, what goes into
   * 16,777,216 gas. A partial of more isn't proved; where some were contributed, of so many, or as many as were contributed.
   */
  readonly mostProved: bigint;
}

/** Why a member contributes nothing. */
export type WithheldFor =
  | "ineligible"
  | "equivocation"
  | "budget"
  | "spent"
  | "attested"
  | "proof-size"
  | "changed"
  | "no-partial";

/** A result to be proposed. */
export interface BuiltResult {
  readonly tree: ResultTree;
  /** The published data; its SHA-256 is the `content` of the proposal. */
  readonly data: () => Generator<Uint8Array>;
  readonly withheld: ReadonlyMap<string, WithheldFor>;
  /** What `propose` would say against it. */
  readonly obstacle: Obstacle | undefined;
}

/** Why a result can't be proposed. */
export type Obstacle = "cohort" | "price" | "aggregate";

type Choice = { readonly leaf: ResultLeaf } | { readonly why: WithheldFor };
type Candidate = Pick<ResultLeaf, "origin" | "count" | "spent" | "evidence" | "partial">;

const EMPTY = new Uint8Array();

/**
 * Builds the result that an honest proposer stands by: a leaf for every member, with the partial that no challenge touches, or withheld.
 *
 * Without noise asked for, a proved partial goes before an attested one; with noise, after it, and only where the owner has set no limit to the
 * budget. Fewer readings than were contributed on chain are never counted.
 *
 * Errors: ITC_RESULT_EMPTY for no member; ITC_RESULT_CONTRIBUTED for a device whose contributed readings the sources don't have.
 */
export async function buildResult(sources: ResultSources): Promise<BuiltResult> {
  const { members, request, chainId, analytics } = sources;
  if (members.length === 0) {
    const what = "No device belongs into this result.";
    throw new AnalyticsError("ITC_RESULT_EMPTY", what, "Wait for the request to end; nothing can be proposed.");
  }
  const id = requestIdOf(request, chainId, analytics);
  const neutral = neutralPartial(request.query);
  const withheld = new Map<string, WithheldFor>();
  const leaves: ResultLeaf[] = [];
  for (const member of members) {
    const choice = await choose(sources, id, member);
    if ("leaf" in choice) leaves.push(choice.leaf);
    else {
      withheld.set(member.device, choice.why);
      leaves.push(withheldLeaf(member, neutral));
    }
  }
  const tree = new ResultTree(request.query, leaves);
  return {
    tree,
    data: () => writeResultData({ chainId, analytics, request, leaves: leaves.length }, leaves),
    withheld,
    obstacle: obstacleTo(request, tree.root.summary, tree.aggregate),
  };
}

/** What keeps a root from being proposed; the checks of `Analytics.propose` but for its times, and for the bond, which depends on the deployment. */
export function obstacleTo(request: AnalysisRequest, root: Summary, aggregate: Uint8Array): Obstacle | undefined {
  const { cohort, price, reward } = request.terms;
  if (root.members < cohort) return "cohort";
  if (root.weight === 0n || price * root.weight > reward) return "price";
  const isNarrow = aggregate.length <= 64 && request.query.operation !== Operation.Membership;
  const fits = !isNarrow || partialWords(aggregate).every((word) => BigInt.asIntN(128, word) === word);
  return fits ? undefined : "aggregate";
}

async function choose(sources: ResultSources, id: string, member: Member): Promise<Choice> {
  if (!member.isEligible) return { why: "ineligible" };
  const { request } = sources;
  const isUnlimited = member.budget === UNLIMITED;
  const contributed = sources.contributionOf?.(member.device) ?? 0n;
  // The courts hold a proposer to contributions only where the owner is known, and where a proved partial is allowed.
  const least = isUnlimited && member.isKnown ? contributed : 0n;
  const folded = sources.partialOf(member.device);
  // Readings that are on chain count, whatever else the device has said: whoever contributed them may insist.
  if (folded?.equivocation && least === 0n) return { why: "equivocation" };
  const proved = isUnlimited ? await provedOf(sources, folded, least) : ("budget" as const);
  const takesProvedFirst = request.terms.epsilon === 0n || least > 0n;
  if (takesProvedFirst && typeof proved === "object" && proved.count >= least) return chosen(request, member, proved);
  const attested = await attestedOf(sources, id, member);
  if (typeof attested === "object" && attested.count >= least) return chosen(request, member, attested);
  if (typeof proved === "object" && proved.count >= least) return chosen(request, member, proved);
  if (least > 0n) {
    const what = `${least} readings of ${member.device} were contributed on chain, and the sources have fewer.`;
    const next = "Get those that contributeReadings was given, and aggregate them too.";
    throw new AnalyticsError("ITC_RESULT_CONTRIBUTED", what, next);
  }
  if (typeof attested === "string" && attested !== "no-partial") return { why: attested };
  return { why: typeof proved === "string" ? proved : "no-partial" };
}

async function provedOf(
  { partialOf, mostProved, isSteady }: ResultSources,
  folded: DevicePartial | undefined,
  least: bigint,
): Promise<Candidate | WithheldFor> {
  if (!folded || folded.count === 0n) return "no-partial";
  const most = least > mostProved ? least : mostProved;
  if (folded.count > most && least === 0n) return "proof-size";
  const shown = folded.count > most ? partialOf(folded.device, most) : folded;
  if (!shown || shown.ranges.length > 16 * MAX_RANGES) return "proof-size";
  if (isSteady && !(await isSteady(folded.device))) return "changed";
  const { count, partial, ranges } = shown;
  return { origin: Origin.Proved, count, spent: 0n, evidence: [ranges, EMPTY], partial };
}

async function attestedOf(sources: ResultSources, id: string, member: Member): Promise<Candidate | WithheldFor> {
  const { request, digests } = sources;
  const attested = sources.attestedOf?.(member.device);
  if (!attested) return "no-partial";
  const { owner, device, count, spent, partial, signer, signature } = attested;
  const { epsilon } = request.terms;
  const isOfMember =
    owner.toLowerCase() === member.owner.toLowerCase() && device.toLowerCase() === member.device.toLowerCase();
  const isByRule = count > 0n && count <= request.query.cap && (epsilon !== 0n || spent === 0n);
  if (!isOfMember || !isByRule || !isWellFormedPartial(request.query, partial)) return "attested";
  const isAllowed = member.budget === UNLIMITED || (epsilon !== 0n && spent + epsilon <= member.budget);
  if (!isAllowed) return "budget";
  const own = { device: member.device, origin: Origin.Attested, spent };
  for (const earlier of sources.spendsOf?.(member.device) ?? []) {
    const other = { ...own, spent: earlier.spent };
    if (spendsTwice(request, own, earlier.request, other)) return "spent";
  }
  const digest = digests.partial(id, attested);
  if (!(await sources.isSigned?.(device, digest, signer, signature))) return "attested";
  return { origin: Origin.Attested, count, spent, evidence: [signer, signature], partial };
}

function chosen({ terms }: AnalysisRequest, { owner, device }: Member, candidate: Candidate): Choice {
  return { leaf: { owner, device, ...candidate, weight: weightOf(terms, candidate.count) } };
}

function withheldLeaf({ owner, device }: Member, partial: Uint8Array): ResultLeaf {
  const nothing = { count: 0n, weight: 0n, spent: 0n };
  return { owner, device, origin: Origin.Withheld, ...nothing, evidence: [EMPTY, EMPTY], partial };
}
