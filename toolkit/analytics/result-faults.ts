import type { ReadingFields, ReadingPlace } from "../anchoring/on-chain.js";
import type { OtherResult, Ruling, ShownNode } from "./court-model.js";
import type { CourtViews } from "./court-views.js";
import type { Member } from "./membership.js";
import type { PartialDigests } from "./partial-digests.js";
import type { DevicePartial } from "./pieces.js";
import type { ExpectedResult } from "./result-data.js";
import type { Fork, Gap, Place, ResultLeaf, ResultNode, ResultTree } from "./result-tree.js";

type Upheld = Exclude<Ruling, "refused">;

/** Something wrong with a proposal, with what the challenge takes; the contract's function is named after `kind`. */
export type ResultFault =
  /** The data aren't those that the proposal names. Demand a leaf. */
  | { readonly kind: "content-mismatch"; readonly content: string }
  /** The data can't be read, or have another root. Demand the leaf at `index` (`IQuestionDesk.demand`); see {@link nextDemand}. */
  | { readonly kind: "root-mismatch"; readonly index: number; readonly why: string }
  | ({ readonly kind: "node"; readonly ruling: Upheld; readonly place: Place } & ShownNode)
  | ({ readonly kind: "leaf"; readonly ruling: Upheld; readonly node: ResultNode } & Placed)
  | ({ readonly kind: "member"; readonly ruling: Upheld } & Placed)
  | {
      readonly kind: "double";
      readonly ruling: Upheld;
      readonly leaves: [left: ResultLeaf, right: ResultLeaf];
      readonly fork: Fork;
    }
  | ({ readonly kind: "spent"; readonly ruling: Upheld; readonly other: OtherResult } & Placed & {
        readonly otherLeaf: Placed;
      })
  | ({ readonly kind: "signature"; readonly ruling: Upheld } & Placed)
  | ({
      readonly kind: "omission";
      readonly ruling: Upheld;
      readonly owner: string;
      readonly gap: Gap;
    } & AnchoredReading)
  | ({ readonly kind: "ignored"; readonly ruling: Upheld } & Placed)
  | {
      readonly kind: "ignored-device";
      readonly ruling: Upheld;
      readonly owner: string;
      readonly device: string;
      readonly gap: Gap;
    }
  /** A proved partial that doesn't follow from the readings. Ask for them (`IQuestionDesk.question`). */
  | ({ readonly kind: "question"; readonly why: string } & Placed);

/** A leaf with where it is. */
export interface Placed {
  readonly leaf: ResultLeaf;
  readonly place: Place;
}

/** A reading as `challengeOmission` takes it, which the court would count. */
export interface AnchoredReading {
  readonly reading: ReadingFields;
  readonly readingPlace: ReadingPlace;
  readonly signer: Uint8Array;
  readonly signature: Uint8Array;
}

/** Another result for the same purpose, with its leaves. */
export interface EarlierResult extends OtherResult {
  readonly tree: ResultTree;
}

/** A proposal, as the events and views of `Analytics` tell it. */
export interface ProposalFacts extends ExpectedResult {
  /** The digest of the root, as hex. */
  readonly root: string;
  /** The SHA-256 of its data, as hex. */
  readonly content: string;
  readonly proposedAt: bigint;
  readonly proposedBlock: bigint;
}

/** What a check looks at beside the data. What is left out isn't checked. */
export interface CheckSources {
  readonly digests: PartialDigests;
  readonly views?: CourtViews;
  /** Who belongs into the result, see `membersAt`. */
  readonly members?: readonly Member[];
  /** A reading of a device that the court would count (`onChain` of its evidence); undefined if the checker knows none. */
  readonly readingOf?: (device: string) => AnchoredReading | undefined | Promise<AnchoredReading | undefined>;
  /** Contributions that hold (`contributionOf`), by device; the events `ReadingsContributed` say of which to ask. */
  readonly contributions?: ReadonlyMap<string, bigint>;
  readonly earlier?: readonly EarlierResult[];
  /** What the checker itself has aggregated. */
  readonly partialOf?: (device: string) => DevicePartial | undefined;
}

/** What a check came to. */
export interface ResultCheck {
  /** None for a result that nothing is found against. */
  readonly faults: readonly ResultFault[];
  /** The tree, where the data make the proposal's root. */
  readonly tree?: ResultTree;
}
