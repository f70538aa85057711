// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IRewardSink} from "../payouts/IRewardSink.sol";
import {ITC} from "../token/ITC.sol";
import {AnalyticsParts, IAnalytics} from "./IAnalytics.sol";
import {RequestRules} from "./RequestRules.sol";
import {Request, RequestId, RequestStatus, Settlement, Terms} from "./RequestTypes.sol";
import {Leaf, Node, Proposal} from "./ResultTypes.sol";
import {ResultTree} from "./ResultTree.sol";

/// @title Requests and results
contract Analytics is IAnalytics, EIP712 {
    using ResultTree for Node;
    using RequestRules for Request;
    using RequestRules for Terms;

    /// @dev Five slots; a request writes the first alone. `status` to `proposer` share it, and so do `weight` to `questions`: 0 before the first
    ///      one, then one more than are open. While a request is open, `proposedAt` is when its last proposal fell, or 0. `slashed` is how many
    ///      bonds were lost of which the requester hasn't had its half.
    struct Analysis {
        RequestStatus status;
        uint8 slashed;
        uint40 requestedAt;
        uint40 proposedAt;
        address proposer;
        bytes32 root;
        uint128 weight;
        uint64 members;
        uint40 proposedBlock;
        uint24 questions;
        bytes32 value;
        bytes32 content;
    }

    bytes32 private constant PARTIAL_TYPEHASH = keccak256(
        "Partial(address device,bytes32 request,address owner,uint64 count,uint64 spent,bytes32 aggregate)"
    );

    ITC private immutable TOKEN;
    address private immutable COURT;
    address private immutable QUESTIONS;
    IRewardSink private immutable CLAIMS;
    IRewardSink private immutable ROLLER;
    IRewardSink private immutable PUSHER;
    uint64 private immutable MINIMUM_CHALLENGE_WINDOW;
    uint64 private immutable ANSWER_TIME;
    uint128 private immutable MINIMUM_BOND;

    mapping(RequestId id => Analysis) private _analyses;

    modifier onlyCourt() {
        require(msg.sender == COURT || msg.sender == QUESTIONS, AnalyticsNotCourt(msg.sender));
        _;
    }

    /// @param token ITC.
    /// @param parts The courts and the reward sinks.
    /// @param minimumWindow Seconds that every proposal stays open to challenge at least.
    /// @param answerTime Seconds in which the proposer answers a question; a questioned proposal stays open twice as long beyond its window.
    /// @param minimumBond_ ITC that every proposer puts down at least.
    constructor(
        ITC token,
        AnalyticsParts memory parts,
        uint64 minimumWindow,
        uint64 answerTime,
        uint128 minimumBond_
    ) EIP712("Analytics", "1") {
        TOKEN = token;
        COURT = parts.court;
        QUESTIONS = parts.questions;
        CLAIMS = parts.claims;
        ROLLER = parts.roller;
        PUSHER = parts.pusher;
        MINIMUM_CHALLENGE_WINDOW = minimumWindow;
        ANSWER_TIME = answerTime;
        MINIMUM_BOND = minimumBond_;
    }

    /// @inheritdoc IAnalytics
    function request(Request calldata asked) external returns (RequestId id) {
        id = _open(asked, msg.sender);
        // ITC reverts, it never returns false. The same holds for every transfer below.
        TOKEN.transferFrom(msg.sender, address(this), asked.terms.escrowOf());
    }

    /// @inheritdoc IAnalytics
    function requestWithPermit(
        Request calldata asked,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external returns (RequestId id) {
        id = _open(asked, msg.sender);
        uint256 escrow = asked.terms.escrowOf();
        // A permit is public once sent: used by somebody else first, it has done its work.
        if (TOKEN.allowance(msg.sender, address(this)) < escrow) {
            TOKEN.permit(msg.sender, address(this), escrow, deadline, v, r, s);
        }
        TOKEN.transferFrom(msg.sender, address(this), escrow);
    }

    /// @inheritdoc IAnalytics
    function requestWithAuthorization(
        Request calldata asked,
        uint256 validAfter,
        uint256 validBefore,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external returns (RequestId id) {
        id = _open(asked, asked.requester);
        (address from, bytes32 nonce, uint256 escrow) = (asked.requester, RequestId.unwrap(id), asked.terms.escrowOf());
        TOKEN.receiveWithAuthorization(from, address(this), escrow, validAfter, validBefore, nonce, v, r, s);
    }

    /// @inheritdoc IAnalytics
    function cancel(Request calldata asked) external {
        // Checks
        (RequestId id, Analysis storage analysis) = _inStatus(asked, RequestStatus.Open);
        if (block.timestamp <= asked.query.anchoredBy) {
            require(msg.sender == asked.requester, AnalyticsNotRequester(asked.requester, msg.sender));
        } else {
            uint64 lastSecond = _lastSecondOf(asked, analysis);
            require(block.timestamp > lastSecond, AnalyticsTooEarly(id, lastSecond + 1));
        }

        // Effects
        analysis.status = RequestStatus.Cancelled;
        emit RequestCancelled(id);

        // Interactions
        TOKEN.transfer(asked.requester, asked.terms.escrowOf() + asked.terms.halvesOf(analysis.slashed));
    }

    /// @inheritdoc IAnalytics
    function propose(Request calldata asked, Node calldata root, bytes calldata aggregate, bytes32 content) external {
        // Checks
        (RequestId id, Analysis storage analysis) = _inStatus(asked, RequestStatus.Open);
        _requireProposable(id, analysis, asked, root);

        (bool fits, bytes32 value) = asked.valueOf(aggregate, root.summary.aggregate);
        require(fits, AnalyticsWrongAggregate(id));

        // Effects
        analysis.status = RequestStatus.Proposed;
        analysis.proposedAt = uint40(block.timestamp);
        analysis.proposer = msg.sender;
        analysis.root = root.digestOf();
        analysis.weight = root.summary.weight;
        analysis.members = root.summary.members;
        analysis.proposedBlock = uint40(block.number);
        analysis.questions = 0;
        analysis.value = value;
        analysis.content = content;
        emit ResultProposed(id, msg.sender, root, aggregate, content, _challengeEndOf(asked, analysis));

        // Interactions
        TOKEN.transferFrom(msg.sender, address(this), asked.terms.bond);
    }

    /// @inheritdoc IAnalytics
    function finalise(Request calldata asked) external {
        // Checks
        (RequestId id, Analysis storage analysis) = _inStatus(asked, RequestStatus.Proposed);
        uint64 end = _challengeEndOf(asked, analysis);
        require(block.timestamp > end, AnalyticsTooEarly(id, end + 1));
        uint24 questions = analysis.questions;
        if (questions > 1) revert AnalyticsQuestionsOpen(id, questions - 1);

        // Effects
        analysis.status = RequestStatus.Final;
        emit ResultFinalised(id, analysis.root);

        // Interactions
        Settlement settlement = asked.terms.settlement;
        IRewardSink sink =
            settlement == Settlement.Direct
                ? CLAIMS
                : settlement == Settlement.Rolled
                    ? ROLLER
                    : PUSHER;
        if (analysis.slashed != 0) TOKEN.transfer(asked.requester, asked.terms.halvesOf(analysis.slashed));
        TOKEN.transfer(analysis.proposer, uint256(asked.terms.bond) + asked.terms.fee);
        TOKEN.transfer(address(sink), asked.terms.reward);
        sink.fund(RequestId.unwrap(id), asked.requester, asked.terms.reward);
    }

    /// @inheritdoc IAnalytics
    /// @dev Half to the requester, who waited in vain: a cheat that challenges itself first, on seeing a challenge under way, still loses half. Paid
    ///      when the request ends, so that a challenge, which is in haste, needn't pay for a second transfer.
    function slash(Request calldata asked, address challenger) external onlyCourt {
        (RequestId id, Analysis storage analysis) = _inStatus(asked, RequestStatus.Proposed);
        _reopen(id, analysis, challenger, true);
        uint8 slashed = analysis.slashed + 1;
        // The last that is counted pays all.
        analysis.slashed = slashed == type(uint8).max ? 0 : slashed;
        TOKEN.transfer(challenger, asked.terms.bond / 2);
        if (slashed == type(uint8).max) TOKEN.transfer(asked.requester, asked.terms.halvesOf(slashed));
    }

    /// @inheritdoc IAnalytics
    function dismiss(Request calldata asked, address challenger) external onlyCourt {
        (RequestId id, Analysis storage analysis) = _inStatus(asked, RequestStatus.Proposed);
        _reopen(id, analysis, challenger, false);
        TOKEN.transfer(analysis.proposer, asked.terms.bond);
    }

    /// @inheritdoc IAnalytics
    function hold(Request calldata asked) external onlyCourt {
        (RequestId id, Analysis storage analysis) = _inStatus(asked, RequestStatus.Proposed);
        uint64 until = uint64(analysis.proposedAt) + asked.terms.challengeWindow;
        require(block.timestamp <= until, AnalyticsTooLate(id, until));
        analysis.questions += analysis.questions == 0 ? 2 : 1;
        emit ResultQuestioned(id, _challengeEndOf(asked, analysis));
    }

    /// @inheritdoc IAnalytics
    function release(Request calldata asked) external onlyCourt {
        (, Analysis storage analysis) = _inStatus(asked, RequestStatus.Proposed);
        --analysis.questions;
    }

    /// @inheritdoc IAnalytics
    function statusOf(
        Request calldata asked
    ) external view returns (RequestStatus status, uint64 requestedAt, uint64 proposedAt, uint64 lastSecond) {
        Analysis storage analysis = _analyses[requestIdOf(asked)];
        return (analysis.status, analysis.requestedAt, analysis.proposedAt, _lastSecondOf(asked, analysis));
    }

    /// @inheritdoc IAnalytics
    function proposalOf(Request calldata asked) external view returns (Proposal memory proposal) {
        RequestId id = requestIdOf(asked);
        Analysis storage analysis = _analyses[id];
        if (analysis.status != RequestStatus.Proposed) return proposal;
        proposal.id = id;
        proposal.root = analysis.root;
        (proposal.proposer, proposal.snapshot) = (analysis.proposer, analysis.requestedAt);
        proposal.proposedAt = analysis.proposedAt;
        proposal.proposedBlock = analysis.proposedBlock;
        proposal.challengeEnd = _challengeEndOf(asked, analysis);
        proposal.stamp = keccak256(abi.encode(id, proposal.root, proposal.proposer, proposal.proposedAt));
    }

    /// @inheritdoc IAnalytics
    function resultOf(
        RequestId id
    ) external view returns (bool isFinal, bytes32 root, uint64 members, uint128 weight, bytes32 value) {
        Analysis storage analysis = _analyses[id];
        isFinal = analysis.status == RequestStatus.Final;
        return (isFinal, analysis.root, analysis.members, analysis.weight, analysis.value);
    }

    /// @inheritdoc IAnalytics
    function contentOf(RequestId id) external view returns (bytes32) {
        return _analyses[id].content;
    }

    /// @inheritdoc IAnalytics
    function isResult(Request calldata asked, bytes calldata aggregate) external view returns (bool) {
        Analysis storage analysis = _analyses[requestIdOf(asked)];
        (bool fits, bytes32 value) = asked.valueOf(aggregate, keccak256(aggregate));
        return analysis.status == RequestStatus.Final && fits && analysis.value == value;
    }

    /// @inheritdoc IAnalytics
    function partialDigest(RequestId id, Leaf calldata leaf) external view returns (bytes32) {
        (address owner, uint64 count) = (leaf.owner, leaf.count);
        bytes memory said = abi.encode(PARTIAL_TYPEHASH, leaf.device, id, owner, count, leaf.spent, leaf.aggregate);
        return _hashTypedDataV4(keccak256(said));
    }

    /// @inheritdoc IAnalytics
    function limits() external view returns (uint64 minimumWindow, uint64 answerTime, uint256 minimumBond) {
        return (MINIMUM_CHALLENGE_WINDOW, ANSWER_TIME, MINIMUM_BOND);
    }

    /// @inheritdoc IAnalytics
    function requestIdOf(Request calldata asked) public view returns (RequestId) {
        return asked.idOf();
    }

    function _open(Request calldata asked, address payer) private returns (RequestId id) {
        require(payer == asked.requester, AnalyticsNotRequester(asked.requester, payer));
        id = requestIdOf(asked);
        require(asked.areFair(MINIMUM_CHALLENGE_WINDOW, MINIMUM_BOND), AnalyticsBadTerms(id));
        Analysis storage analysis = _analyses[id];
        require(analysis.status == RequestStatus.None, AnalyticsWrongStatus(id, analysis.status));
        analysis.status = RequestStatus.Open;
        analysis.requestedAt = uint40(block.timestamp);
        emit AnalysisRequested(id, asked.requester, asked.purpose, asked);
    }

    /// @dev The next proposal overwrites the fallen one; until then its root stays to be read, never as final.
    function _reopen(RequestId id, Analysis storage analysis, address by, bool slashed) private {
        analysis.status = RequestStatus.Open;
        analysis.proposedAt = uint40(block.timestamp);
        emit ResultRejected(id, by, slashed);
    }

    function _requireProposable(
        RequestId id,
        Analysis storage analysis,
        Request calldata asked,
        Node calldata root
    ) private view {
        require(block.timestamp > asked.query.anchoredBy, AnalyticsTooEarly(id, asked.query.anchoredBy + 1));
        // The snapshot's second must be over before anybody relies on it; and a second has one proposal, to which its questions belong.
        uint64 latest = analysis.proposedAt == 0 ? analysis.requestedAt : analysis.proposedAt;
        require(block.timestamp > latest, AnalyticsTooEarly(id, latest + 1));
        uint64 lastSecond = _lastSecondOf(asked, analysis);
        require(block.timestamp <= lastSecond, AnalyticsTooLate(id, lastSecond));
        uint64 members = root.summary.members;
        require(
            members >= asked.terms.cohort && members <= root.summary.leaves,
            AnalyticsCohortTooSmall(id, members, asked.terms.cohort)
        );
        require(asked.terms.bears(root.summary.leaves, MINIMUM_BOND), AnalyticsBondTooSmall(id, root.summary.leaves));
        uint128 weight = root.summary.weight;
        require(
            weight != 0 && uint256(asked.terms.price) * weight <= asked.terms.reward,
            AnalyticsRewardTooSmall(id, weight)
        );
    }

    function _inStatus(
        Request calldata asked,
        RequestStatus status
    ) private view returns (RequestId id, Analysis storage analysis) {
        id = requestIdOf(asked);
        analysis = _analyses[id];
        require(analysis.status == status, AnalyticsWrongStatus(id, analysis.status));
    }

    /// @dev A request whose proposal fell late stays open for as long as a window, so that a lie can't use up the time for the truth.
    function _lastSecondOf(Request calldata asked, Analysis storage analysis) private view returns (uint64) {
        uint64 fallen = analysis.proposedAt == 0 ? 0 : uint64(analysis.proposedAt) + asked.terms.challengeWindow;
        return fallen > asked.terms.deadline ? fallen : asked.terms.deadline;
    }

    function _challengeEndOf(Request calldata asked, Analysis storage analysis) private view returns (uint64) {
        uint64 end = uint64(analysis.proposedAt) + asked.terms.challengeWindow;
        return analysis.questions == 0 ? end : end + 2 * ANSWER_TIME;
    }
}
