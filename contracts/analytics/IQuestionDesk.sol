// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {DeviceId} from "../identity/DeviceTypes.sol";
import {IAnalytics} from "./IAnalytics.sol";
import {ICourt} from "./ICourt.sol";
import {Request, RequestId} from "./RequestTypes.sol";
import {Leaf, Node, Opening, OpenReading, Place, ProvedBatch} from "./ResultTypes.sol";

/// @title Questions that a proposer must answer
/// @notice What can't be seen from outside must be shown on demand: a leaf that isn't available, and the readings behind a proved partial. A
///         question costs a deposit, which goes to the proposer with the answer. One that isn't answered in `answerTime` takes the proposal down:
///         the asker gets the deposit and half the bond. Questions can be put up to the end of the window that the request states; the first one
///         makes it longer by twice the answer time, once, so that what an answer shows can still be challenged.
///         The other way round, whoever fears to be passed over contributes a device's readings on chain, before the data come to their end: a result
///         that counts fewer can be challenged (`IResultCourt.challengeIgnored`).
/// @dev All functions that answer or contribute: errors CourtWrongEvidence for readings that don't follow from the log or aren't as the query asks.
interface IQuestionDesk is ICourt {
    /// @notice Somebody wants to see a leaf.
    event LeafDemanded(address indexed analytics, RequestId indexed id, bytes32 stamp, uint64 index, uint64 due);
    /// @notice Somebody wants to see the readings behind a device's partial.
    event PartialQuestioned(
        address indexed analytics,
        RequestId indexed id,
        bytes32 stamp,
        DeviceId indexed device,
        bytes32 subject,
        uint64 due
    );
    /// @notice A question is settled: answered, or (`answered` false) not, or not needed any longer.
    event QuestionSettled(bytes32 indexed question, bool answered);
    /// @notice A part of an answer; `opening` is what the sender's next part goes on from.
    event PartialLaid(bytes32 indexed question, address indexed by, Opening opening);
    /// @notice A device's readings are open to everybody, in this transaction's calldata.
    event ReadingsContributed(address indexed analytics, RequestId indexed id, DeviceId indexed device, uint64 count);

    error QuestionDeskAsked(bytes32 question);
    error QuestionDeskNotAsked(bytes32 question);
    error QuestionDeskNotDue(bytes32 question, uint64 due);
    error QuestionDeskNoLeaf(RequestId id, uint64 index);
    error QuestionDeskTooLate(RequestId id, uint64 until);
    error QuestionDeskLess(RequestId id, DeviceId device, uint64 count);
    error QuestionDeskNoMargin(uint256 gasLeft, uint256 margin);

    /// @notice Demands that the proposer show a leaf and everything on the way up to the root. Takes the deposit (allowance needed).
    /// @param root The proposal's root, which says how many leaves there are.
    /// @param index The leaf's position from the left, from 0.
    /// Errors: CourtNotInResult, QuestionDeskNoLeaf, QuestionDeskAsked, AnalyticsTooLate. Event: LeafDemanded.
    function demand(IAnalytics analytics, Request calldata asked, Node calldata root, uint64 index) external;

    /// @notice Shows a leaf. Anyone may; the deposit goes to the proposer. That the way up merges to the root proves every node on it right.
    /// @param aggregate The bytes of the leaf's aggregate.
    /// @param first With `second`, what the leaf's evidence is the hash of.
    /// @param path Bit k says on which side the k-th sibling stands: 1 left.
    /// @param siblings From the lowest level up, with the bytes of their aggregates.
    /// Errors: QuestionDeskNotAsked, CourtWrongEvidence, CourtNotInResult (also for a proposal that is gone). Event: QuestionSettled.
    function show(
        IAnalytics analytics,
        Request calldata asked,
        uint64 index,
        Leaf calldata leaf,
        bytes calldata aggregate,
        bytes calldata first,
        bytes calldata second,
        uint256 path,
        Node[] calldata siblings,
        bytes[] calldata aggregates
    ) external;

    /// @notice Questions a proved partial. Takes the deposit (allowance needed).
    /// Errors: CourtNotInResult, CourtNothingWrong for a leaf that isn't proved, QuestionDeskAsked, AnalyticsTooLate. Event: PartialQuestioned.
    function question(IAnalytics analytics, Request calldata asked, Leaf calldata leaf, Place calldata place) external;

    /// @notice Answers by laying the readings open. Anyone may; the deposit goes to the proposer.
    /// @param readings All that the leaf counts, by ascending sequence number.
    /// Errors: QuestionDeskNotAsked, CourtWrongEvidence. Event: QuestionSettled.
    function answerWithReadings(
        IAnalytics analytics,
        Request calldata asked,
        Leaf calldata leaf,
        OpenReading[] calldata readings
    ) external;

    /// @notice Answers in several transactions: what is laid open in the last one completes what the sender has laid open before.
    /// @param before The `Opening` of the sender's latest `PartialLaid` for the question; with count 0 to begin, or to begin again.
    /// @param readings By ascending sequence number, after those of before.
    /// Errors: QuestionDeskNotAsked, CourtWrongEvidence. Event: PartialLaid, or QuestionSettled once the leaf is borne out.
    function layReadings(
        IAnalytics analytics,
        Request calldata asked,
        Leaf calldata leaf,
        Opening calldata before,
        OpenReading[] calldata readings
    ) external;

    /// @notice As `layReadings`, by a zero-knowledge proof of what one batch of the device's own log comes to: its readings stay hidden. For count,
    ///         sum, mean and histogram.
    function layProof(
        IAnalytics analytics,
        Request calldata asked,
        Leaf calldata leaf,
        Opening calldata before,
        ProvedBatch calldata batch
    ) external;

    /// @notice Ends a question without an answer: takes the proposal down if the answer is overdue, and in any case returns the deposit once the
    ///         proposal is gone. Where the question was about a device that has changed since the proposal, the bond goes back: it may
    ///         be the device that left its proposer without an answer.
    /// @param stamp Of the proposal that was asked.
    /// @param subject What was asked, see `questionIdOf`.
    /// Errors: QuestionDeskNotAsked, QuestionDeskNotDue. Event: QuestionSettled, and ResultRejected of `analytics`.
    function settle(IAnalytics analytics, Request calldata asked, bytes32 stamp, bytes32 subject) external;

    /// @notice Lays a device's readings open before the data come to their end, so that no result can leave them out. Anyone.
    ///         What is contributed holds while the device is active and doesn't change (keys, delegates, attributes, owner, state): its key may
    ///         not bear the readings out any longer. It can then be contributed anew.
    /// Errors: QuestionDeskTooLate after `anchoredBy`, QuestionDeskLess for not more than before or more than the cap, QuestionDeskNoMargin where
    /// the transaction has too little gas left for an answer with these readings to be sent at all. Event: ReadingsContributed.
    function contributeReadings(
        IAnalytics analytics,
        Request calldata asked,
        DeviceId device,
        OpenReading[] calldata readings
    ) external;

    /// @notice How many readings were contributed for a device, as far as that holds.
    function contributionOf(IAnalytics analytics, RequestId id, DeviceId device) external view returns (uint64 count);

    /// @notice Who asked a question about which device (0 for a demanded leaf), and when the answer is due; all 0 for one that wasn't asked, or is
    ///         settled.
    function questionOf(bytes32 id) external view returns (address asker, uint64 due, DeviceId device);

    /// @notice What checks proofs, an `IPartialVerifier`; 0 if there is none.
    function verifier() external view returns (address);

    /// @notice ITC that a question costs.
    function deposit() external view returns (uint256);

    /// @notice The id of a question.
    /// @param subject Of a demanded leaf its index, of a partial the hash of its leaf: what lies below the leaf's node.
    function questionIdOf(IAnalytics analytics, bytes32 stamp, bytes32 subject) external pure returns (bytes32);
}
