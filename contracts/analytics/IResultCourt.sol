// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {ReadingFields, ReadingPlace} from "../anchoring/AnchoringTypes.sol";
import {DeviceId} from "../identity/DeviceTypes.sol";
import {IAnalytics} from "./IAnalytics.sol";
import {ICourt} from "./ICourt.sol";
import {Request, RequestId} from "./RequestTypes.sol";
import {Fork, Gap, Leaf, Node, Place} from "./ResultTypes.sol";

/// @notice What was wrong with a proposal.
enum Fault {
    Node,
    Leaf,
    Member,
    Double,
    Budget,
    Signature,
    Omission,
    Contribution
}

/// @title Challenges of one transaction
/// @notice Anyone shows what is wrong with a proposal while its window is open. A call that is right takes the proposal down at once: the
///         challenger earns half its bond. A call that isn't reverts and costs its gas. `analytics` is the contract with the proposal, `asked`
///         its request, a `place` where something is in the proposal's tree.
///         Where the present can't tell the past (a device's assurance or attestation; a signature of a device that has changed since), a
///         proposal falls without its bond: see each function.
/// @dev All functions: errors CourtWindowOver, CourtNotInResult, CourtNothingWrong, ResultTreeBadPlace; events ChallengeUpheld, and
///      ResultRejected of `analytics`.
///      Hazard: a challenge can be copied by whoever sees it waiting and pays more. The copier's own copy is right as well: the lie falls.
interface IResultCourt is ICourt {
    /// @notice A proposal fell. `slashed` says whether its bond was lost.
    event ChallengeUpheld(
        address indexed analytics,
        RequestId indexed id,
        address indexed challenger,
        Fault fault,
        bool slashed
    );

    /// @notice Shows a node that isn't what its two children merge to: numbers, order of leaves, or aggregate.
    /// @param node In the tree at `place`.
    /// @param left Its left child.
    /// @param leftAggregate The bytes whose hash the left child names.
    /// Errors also: CourtWrongEvidence for bytes of another hash.
    function challengeNode(
        IAnalytics analytics,
        Request calldata asked,
        Place calldata place,
        Node calldata node,
        Node calldata left,
        Node calldata right,
        bytes calldata leftAggregate,
        bytes calldata rightAggregate
    ) external;

    /// @notice Shows a leaf that breaks the rules by itself: its node says something else of it; its weight isn't the request's rule, or its
    ///         count above the cap; a withheld one that isn't empty; an aggregate whose bytes are no partial of the query.
    /// @param node In the tree at `place`, right above the leaf.
    /// @param aggregate The bytes whose hash the leaf names; looked at only if they are.
    function challengeLeaf(
        IAnalytics analytics,
        Request calldata asked,
        Place calldata place,
        Node calldata node,
        Leaf calldata leaf,
        bytes calldata aggregate
    ) external;

    /// @notice Shows a leaf whose device or owner may not be in the result, see `IEligibility`: it wasn't eligible at the snapshot, or the consent
    ///         doesn't cover such a partial, its budget included. Of a withheld leaf: its device was no member then (`IEligibility.wasMember`), so that
    ///         none are made up to hide others among. Doubtful
    ///         members (assurance, attestation) take the proposal down without its bond.
    function challengeMember(
        IAnalytics analytics,
        Request calldata asked,
        Leaf calldata leaf,
        Place calldata place
    ) external;

    /// @notice Shows a device that contributes under two owners.
    /// @param leaves The left one first.
    /// Errors also: ResultTreeBadFork.
    function challengeDouble(
        IAnalytics analytics,
        Request calldata asked,
        Leaf[2] calldata leaves,
        Fork calldata fork
    ) external;

    /// @notice Shows that a device's noisy partial spends a part of its budget that it has spent before: in a final result for the same
    ///         purpose whose window was over by `anchoredBy`, so that whoever proposed this one could know.
    /// @param other The other request.
    /// @param otherLeaf The device's leaf there.
    function challengeSpent(
        IAnalytics analytics,
        Request calldata asked,
        Leaf calldata leaf,
        Place calldata place,
        Request calldata other,
        Leaf calldata otherLeaf,
        Place calldata otherPlace
    ) external;

    /// @notice Shows an attested partial that the device's key hasn't signed. Of a device that has changed since the proposal (keys, delegates,
    ///         attributes, owner, state), this can't be told: the proposal then falls without its bond.
    /// @param signer With `signature`, what the leaf's evidence is the hash of. Errors also: CourtWrongEvidence.
    function challengeSignature(
        IAnalytics analytics,
        Request calldata asked,
        Leaf calldata leaf,
        Place calldata place,
        bytes calldata signer,
        bytes calldata signature
    ) external;

    /// @notice Shows that a consenting device with an anchored reading in the window was left out altogether. Who proposes lists every device
    ///         whose owner agreed, as withheld where its readings weren't open or it isn't eligible now: it may be found to have been later.
    /// @param reading Signed by the device's present key, or in its own log.
    /// Errors also: CourtNoGap.
    function challengeOmission(
        IAnalytics analytics,
        Request calldata asked,
        address owner,
        Gap calldata gap,
        ReadingFields calldata reading,
        ReadingPlace calldata readingPlace,
        bytes calldata signer,
        bytes calldata signature
    ) external;

    /// @notice Shows a leaf that counts fewer readings than were contributed on chain for its device (`IQuestionDesk.contributeReadings`). Where the
    ///         request asks for an assurance or an attestation, which may have come since, the proposal falls without its bond.
    function challengeIgnored(
        IAnalytics analytics,
        Request calldata asked,
        Leaf calldata leaf,
        Place calldata place
    ) external;

    /// @notice Shows that there is no leaf for a device whose readings were contributed on chain; as `challengeIgnored`. Errors also: CourtNoGap.
    function challengeIgnoredDevice(
        IAnalytics analytics,
        Request calldata asked,
        address owner,
        DeviceId device,
        Gap calldata gap
    ) external;
}
