// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {DeviceId} from "../identity/DeviceTypes.sol";
import {Aggregate, Leaf, Node, Request, RequestId, RequestStatus} from "./AnalyticsTypes.sol";

/// @title Requests, results and challenges
/// @notice A company puts a reward in escrow and says what it wants to know. Anyone proposes the result as one root with a bond. Whoever
///         sees a wrong node shows it in one transaction and takes half the bond; the other half goes to the requester. A result that stands to the end of its window is final, and
///         its reward goes to the payout roller. Times are Unix seconds, ITC has 18 decimals, values carry the scale of their schema.
/// @dev What a challenge can't yet show on chain (a device's sum that its anchored readings don't bear out, a device left out) the
///      guardian can turn down inside the window; see docs/security.md.
interface IAnalytics {
    /// @notice A request is open and its reward in escrow.
    event AnalysisRequested(RequestId indexed id, address indexed requester, bytes32 indexed purpose, Request request);
    /// @notice The request ended without a result; its reward went back.
    event RequestCancelled(RequestId indexed id);
    /// @notice A result was proposed and can be challenged up to `challengeEnd`. `content` identifies the full data.
    event ResultProposed(
        RequestId indexed id,
        address indexed proposer,
        bytes32 root,
        Aggregate result,
        bytes32 content,
        uint64 challengeEnd
    );
    /// @notice The proposal fell, by a challenge or by the guardian; the request is open again.
    event ResultRejected(RequestId indexed id, address indexed by);
    /// @notice The result stands.
    event ResultFinalised(RequestId indexed id, bytes32 root, Aggregate result);

    error AnalyticsNotRequester(address requester, address sender);
    error AnalyticsBadTerms(Request request);
    error AnalyticsWrongStatus(RequestId id, RequestStatus status);
    error AnalyticsDeadlinePassed(RequestId id, uint64 deadline);
    error AnalyticsDeadlineAhead(RequestId id, uint64 deadline);
    error AnalyticsCohortTooSmall(RequestId id, uint64 members, uint64 cohort);
    error AnalyticsResultDoesNotSum(Aggregate stated, Aggregate merged);
    error AnalyticsNoReadings(RequestId id);
    error AnalyticsChallengeOpen(RequestId id, uint64 challengeEnd);
    error AnalyticsChallengeOver(RequestId id, uint64 challengeEnd);
    error AnalyticsNotInResult(RequestId id);
    error AnalyticsNodeIsRight(RequestId id);
    error AnalyticsMemberIsEligible(RequestId id, DeviceId device);
    error AnalyticsSamePlace(RequestId id, DeviceId device);

    /// @notice Opens a request and takes its reward (allowance needed). Only `request.requester`.
    /// Errors: AnalyticsNotRequester, AnalyticsBadTerms (window empty, cohort below 2, deadline past, challenge window below
    /// `minimumChallengeWindow()` or above 30 days, no reward, bond below `minimumBond()`), AnalyticsWrongStatus (the same request
    /// twice), ERC20InsufficientAllowance, ERC20InsufficientBalance. Event: AnalysisRequested.
    function request(Request calldata request) external returns (RequestId id);

    /// @notice Ends an open request and returns its reward. The requester at any time, anyone after the deadline.
    /// Errors: AnalyticsWrongStatus, AnalyticsDeadlineAhead. Event: RequestCancelled.
    function cancel(Request calldata request) external;

    /// @notice Proposes a result and takes the bond (allowance needed). Anyone.
    /// @param result What the proposer states.
    /// @param left The root's left child, with its aggregate.
    /// @param right The root's right child.
    /// @param content Identifies the full data of the tree, for those who check it.
    /// Errors: AnalyticsWrongStatus, AnalyticsDeadlinePassed, AnalyticsResultDoesNotSum, AnalyticsNoReadings,
    /// AnalyticsCohortTooSmall, AggregateTreeOverflow, ERC20InsufficientAllowance, ERC20InsufficientBalance. Event: ResultProposed.
    function propose(
        Request calldata request,
        Aggregate calldata result,
        Node calldata left,
        Node calldata right,
        bytes32 content
    ) external;

    /// @notice Shows a node whose children don't add up to what its parent says. Anyone; earns half the bond.
    /// @dev Name the highest wrong node: above it everything must add up for the proof to climb.
    /// Errors: AnalyticsWrongStatus, AnalyticsChallengeOver, AnalyticsNotInResult, AnalyticsNodeIsRight. Event: ResultRejected.
    function challengeMerge(
        Request calldata request,
        Node calldata node,
        uint256 path,
        Node[] calldata siblings,
        Node calldata left,
        Node calldata right
    ) external;

    /// @notice Shows a leaf whose parent says something else of it. Anyone; earns half the bond. Errors and event as above.
    function challengeLeaf(
        Request calldata request,
        Node calldata node,
        uint256 path,
        Node[] calldata siblings,
        Leaf calldata leaf
    ) external;

    /// @notice Shows a member that may not be in the result: its device was not active when the request was made and is in that
    ///         state still, its owner is another and was so then, or had not consented then. Anyone; earns half the bond.
    /// Errors: AnalyticsMemberIsEligible and as above. Event: ResultRejected.
    function challengeMember(
        Request calldata request,
        Leaf calldata leaf,
        uint256 path,
        Node[] calldata siblings
    ) external;

    /// @notice Shows a device that counts twice. Anyone; earns half the bond.
    /// @param paths The two places.
    /// Errors: AnalyticsSamePlace and as above. Event: ResultRejected.
    function challengeDouble(
        Request calldata request,
        Leaf[2] calldata leaves,
        uint256[2] calldata paths,
        Node[] calldata siblingsOfFirst,
        Node[] calldata siblingsOfSecond
    ) external;

    /// @notice Turns a proposal down inside its window; the bond returns to its proposer. Only the guardian.
    /// Errors: AnalyticsWrongStatus, AnalyticsChallengeOver. Event: ResultRejected.
    function reject(Request calldata request) external;

    /// @notice Makes a proposal final once its window is over, returns the bond, and hands the reward to the roller. Anyone.
    /// Errors: AnalyticsWrongStatus, AnalyticsChallengeOpen. Event: ResultFinalised.
    function finalise(Request calldata request) external;

    /// @notice The id of a request on this chain and contract.
    function requestIdOf(Request calldata request) external view returns (RequestId);

    /// @notice Where a request stands.
    function statusOf(
        RequestId id
    ) external view returns (RequestStatus status, uint64 requestedAt, address proposer, uint64 challengeEnd);

    /// @notice The latest proposal or the final result, for contracts to read.
    /// @return isFinal Whether it stands for good.
    /// @return root The tree's root.
    /// @return result The aggregate; the mean is sum / count.
    function resultOf(RequestId id) external view returns (bool isFinal, bytes32 root, Aggregate memory result);

    /// @notice Where rewards of final results go.
    function roller() external view returns (address);

    /// @notice The shortest challenge window that a request may ask for, in seconds.
    function minimumChallengeWindow() external view returns (uint64);

    /// @notice The smallest proposer's bond that a request may ask for, in ITC.
    function minimumBond() external view returns (uint256);
}
