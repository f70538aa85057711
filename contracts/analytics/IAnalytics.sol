// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {IRewardSink} from "../payouts/IRewardSink.sol";
import {Request, RequestId, RequestStatus} from "./RequestTypes.sol";
import {Leaf, Node, Proposal} from "./ResultTypes.sol";

/// @notice Who may take proposals down, and where rewards go by settlement; fixed for good. The courts don't know a contract with results until it
///         is named to them.
struct AnalyticsParts {
    address court;
    address questions;
    IRewardSink claims;
    IRewardSink roller;
    IRewardSink pusher;
}

/// @title Requests and results
/// @notice A company puts a reward in escrow and says what it wants to know. Once the data are in, anyone proposes the result as the root of a
///         tree, with a bond. Whoever sees something wrong in it shows it in one transaction to one of the courts (`IResultCourt`,
///         `IQuestions`) and takes half the bond; the other half goes to the requester, and the request is open again. A result that stands to
///         the end of its window is final: its reward goes to where owners claim it. Times are Unix seconds, ITC has 18 decimals, values carry
///         the scale of their schema.
/// @dev Left out on purpose: pause, upgrade, and administration of any kind.
interface IAnalytics {
    /// @notice A request is open and its reward in escrow.
    event AnalysisRequested(RequestId indexed id, address indexed requester, bytes32 indexed purpose, Request request);
    /// @notice The request ended without a result; its money went back.
    event RequestCancelled(RequestId indexed id);
    /// @notice A result was proposed. `content` identifies the full data of its tree.
    event ResultProposed(
        RequestId indexed id,
        address indexed proposer,
        Node root,
        bytes aggregate,
        bytes32 content,
        uint64 challengeEnd
    );
    /// @notice The proposal fell; the request is open again. `slashed` says whether its bond was lost.
    event ResultRejected(RequestId indexed id, address indexed by, bool slashed);
    /// @notice Somebody asks the proposer to show something; the window is longer for it.
    event ResultQuestioned(RequestId indexed id, uint64 challengeEnd);
    /// @notice The result stands.
    event ResultFinalised(RequestId indexed id, bytes32 root);

    error AnalyticsNotRequester(address requester, address sender);
    error AnalyticsNotCourt(address sender);
    error AnalyticsBadTerms(RequestId id);
    error AnalyticsWrongStatus(RequestId id, RequestStatus status);
    error AnalyticsTooEarly(RequestId id, uint64 from);
    error AnalyticsTooLate(RequestId id, uint64 until);
    error AnalyticsCohortTooSmall(RequestId id, uint64 members, uint64 cohort);
    error AnalyticsWrongAggregate(RequestId id);
    error AnalyticsBondTooSmall(RequestId id, uint64 leaves);
    error AnalyticsRewardTooSmall(RequestId id, uint128 weight);
    error AnalyticsQuestionsOpen(RequestId id, uint256 questions);

    /// @notice Opens a request and takes reward and fee (allowance needed). Only `asked.requester`. The time of this block is the snapshot:
    ///         who owned and agreed to what then decides who is in.
    /// Errors: AnalyticsNotRequester, AnalyticsBadTerms (query unsound; cohort below 2, deadline not after `anchoredBy`, challenge window or bond below
    /// `limits()`, window above 30 days, no reward, noise asked for an operation that has none),
    /// AnalyticsWrongStatus (the same request twice), ERC20InsufficientAllowance, ERC20InsufficientBalance. Event: AnalysisRequested.
    function request(Request calldata asked) external returns (RequestId id);

    /// @notice As `request`, with the requester's EIP-2612 permit for reward and fee. Only the requester.
    ///         Errors also: those of the token's `permit`.
    /// @dev A permit that somebody else has used first does no harm: where the allowance is there, it isn't looked at.
    function requestWithPermit(
        Request calldata asked,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external returns (RequestId id);

    /// @notice As `request`, paid by the requester's EIP-3009 authorisation to receive, whose nonce is the request's id. Anyone may send it: the
    ///         nonce binds every word of the request.
    function requestWithAuthorization(
        Request calldata asked,
        uint256 validAfter,
        uint256 validBefore,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external returns (RequestId id);

    /// @notice Ends an open request and returns its money, with the requester's halves of bonds that were lost. The requester up to the second `anchoredBy`, in which no proposal can be seen yet;
    ///         anyone after the last second for a proposal.
    /// Errors: AnalyticsWrongStatus, AnalyticsNotRequester, AnalyticsTooEarly. Event: RequestCancelled.
    function cancel(Request calldata asked) external;

    /// @notice Proposes a result and takes the bond (allowance needed). Anyone, after `anchoredBy` and up to the last second that `statusOf` says,
    ///         in a later second than the request and the fall of its last proposal.
    /// @param root The tree's root.
    /// @param aggregate The bytes whose hash the root names.
    /// @param content Identifies the full data of the tree, for those who check it: a SHA-256 as in a CID.
    /// Errors: AnalyticsWrongStatus, AnalyticsTooEarly, AnalyticsTooLate, AnalyticsWrongAggregate (hash or length, or narrow numbers beyond
    /// int128), AnalyticsCohortTooSmall (too few members, or more of them than leaves), AnalyticsRewardTooSmall (`price` isn't met, or no
    /// weight), AnalyticsBondTooSmall (the least bond is for a thousand leaves, and so on in proportion), ERC20InsufficientAllowance, ERC20InsufficientBalance. Event: ResultProposed.
    function propose(Request calldata asked, Node calldata root, bytes calldata aggregate, bytes32 content) external;

    /// @notice Makes a proposal final once its window is over, returns the bond, pays the fee, hands the reward on, and gives the requester its halves
    ///         of bonds that were lost. Anyone.
    /// Errors: AnalyticsWrongStatus, AnalyticsTooEarly, AnalyticsQuestionsOpen. Event: ResultFinalised.
    function finalise(Request calldata asked) external;

    /// @notice Takes a wrong proposal down: half the bond to `challenger` at once, half to the requester when the request ends. Only a court.
    /// Errors: AnalyticsNotCourt, AnalyticsWrongStatus. Event: ResultRejected.
    function slash(Request calldata asked, address challenger) external;

    /// @notice Takes a doubtful proposal down; the bond goes back. Only a court. Errors and event as `slash`.
    function dismiss(Request calldata asked, address challenger) external;

    /// @notice Counts a question that must be settled before the result can be final. Only a court.
    /// Errors: AnalyticsNotCourt, AnalyticsWrongStatus, AnalyticsTooLate. Event: ResultQuestioned.
    function hold(Request calldata asked) external;

    /// @notice A question is settled. Only a court. Errors: AnalyticsNotCourt, AnalyticsWrongStatus.
    function release(Request calldata asked) external;

    /// @notice The id of a request on this chain and contract.
    function requestIdOf(Request calldata asked) external view returns (RequestId);

    /// @notice Where a request stands.
    /// @return status The stage.
    /// @return requestedAt When it was made: the snapshot.
    /// @return proposedAt When the latest proposal came, or, for one that is open again, when the latest fell; 0 if there was none.
    /// @return lastSecond Last second for a proposal. A request whose proposal fell late stays open for as long as a challenge window.
    function statusOf(
        Request calldata asked
    ) external view returns (RequestStatus status, uint64 requestedAt, uint64 proposedAt, uint64 lastSecond);

    /// @notice The proposal that waits for the end of its window; all 0 if there is none.
    function proposalOf(Request calldata asked) external view returns (Proposal memory);

    /// @notice The latest proposal or the final result, for contracts to read.
    /// @return isFinal Whether it stands for good.
    /// @return root The root's digest.
    /// @return members Devices that contribute.
    /// @return weight What the reward is divided by.
    /// @return value For aggregates of at most two numbers: both as int128, the first in the upper half; for wider ones and filters their keccak256.
    function resultOf(
        RequestId id
    ) external view returns (bool isFinal, bytes32 root, uint64 members, uint128 weight, bytes32 value);

    /// @notice What identifies the full data of the latest proposal's tree.
    function contentOf(RequestId id) external view returns (bytes32);

    /// @notice Whether a final result has this aggregate: how a contract reads one that is wider than two words.
    function isResult(Request calldata asked, bytes calldata aggregate) external view returns (bool);

    /// @notice The 32 bytes that a device signs for an attested partial (EIP-712: Partial(device, request, owner, count, spent, aggregate)).
    function partialDigest(RequestId id, Leaf calldata leaf) external view returns (bytes32);

    /// @notice What holds for every request.
    /// @return minimumWindow The shortest challenge window, in seconds.
    /// @return answerTime Seconds in which a proposer answers a question.
    /// @return minimumBond The smallest proposer's bond, in ITC.
    function limits() external view returns (uint64 minimumWindow, uint64 answerTime, uint256 minimumBond);
}
