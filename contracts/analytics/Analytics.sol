// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {DeviceId, DeviceState} from "../identity/DeviceTypes.sol";
import {IDeviceRegistry} from "../identity/IDeviceRegistry.sol";
import {AggregateTree} from "./AggregateTree.sol";
import {Aggregate, Leaf, Node, Request, RequestId, RequestStatus} from "./AnalyticsTypes.sol";
import {IAnalytics} from "./IAnalytics.sol";
import {IConsentRegistry} from "./IConsentRegistry.sol";
import {PayoutRollerV1} from "./PayoutRollerV1.sol";

/// @title Requests, results and challenges
/// @dev Left out on purpose: pause, upgrade, and any way for an administrator to take a reward or a bond.
contract Analytics is IAnalytics, AccessManaged {
    using AggregateTree for Node;

    /// @dev Three slots; a request writes the first alone. `sum`, `count` and `members` share the third.
    struct Analysis {
        RequestStatus status;
        uint40 requestedAt;
        uint40 challengeEnd;
        address proposer;
        bytes32 root;
        Aggregate result;
    }

    uint64 private constant LONGEST_CHALLENGE_WINDOW = 30 days;

    IERC20 private immutable TOKEN;
    IDeviceRegistry private immutable REGISTRY;
    IConsentRegistry private immutable CONSENTS;
    PayoutRollerV1 private immutable ROLLER;
    uint64 private immutable MINIMUM_CHALLENGE_WINDOW;
    uint128 private immutable MINIMUM_BOND;

    mapping(RequestId id => Analysis) private _analyses;

    /// @param authority Who may administer: names the guardian.
    /// @param token ITC.
    /// @param registry Says who owns which device.
    /// @param consents Says who agreed to what.
    /// @param minimumWindow Seconds that every proposal stays open to challenge at least, payout roots included.
    /// @param minimumBond_ ITC that every proposer puts down at least, rollers included.
    constructor(
        address authority,
        IERC20 token,
        IDeviceRegistry registry,
        IConsentRegistry consents,
        uint64 minimumWindow,
        uint128 minimumBond_
    ) AccessManaged(authority) {
        TOKEN = token;
        REGISTRY = registry;
        CONSENTS = consents;
        MINIMUM_CHALLENGE_WINDOW = minimumWindow;
        MINIMUM_BOND = minimumBond_;
        // Created here, since each must know the other for good.
        ROLLER = new PayoutRollerV1(authority, token, this, minimumWindow, minimumBond_);
    }

    /// @inheritdoc IAnalytics
    function request(Request calldata asked) external returns (RequestId id) {
        // Checks
        require(msg.sender == asked.requester, AnalyticsNotRequester(asked.requester, msg.sender));
        require(_areFair(asked), AnalyticsBadTerms(asked));
        id = requestIdOf(asked);
        Analysis storage analysis = _analyses[id];
        require(analysis.status == RequestStatus.None, AnalyticsWrongStatus(id, analysis.status));

        // Effects
        analysis.status = RequestStatus.Open;
        analysis.requestedAt = uint40(block.timestamp);
        emit AnalysisRequested(id, msg.sender, asked.purpose, asked);

        // Interactions: ITC reverts, it never returns false. The same holds for every transfer below.
        TOKEN.transferFrom(msg.sender, address(this), asked.reward);
    }

    /// @inheritdoc IAnalytics
    function cancel(Request calldata asked) external {
        // Checks
        (RequestId id, Analysis storage analysis) = _inStatus(asked, RequestStatus.Open);
        require(
            msg.sender == asked.requester || block.timestamp > asked.deadline,
            AnalyticsDeadlineAhead(id, asked.deadline)
        );

        // Effects
        analysis.status = RequestStatus.Cancelled;
        emit RequestCancelled(id);

        // Interactions
        TOKEN.transfer(asked.requester, asked.reward);
    }

    /// @inheritdoc IAnalytics
    function propose(
        Request calldata asked,
        Aggregate calldata result,
        Node calldata left,
        Node calldata right,
        bytes32 content
    ) external {
        // Checks
        (RequestId id, Analysis storage analysis) = _inStatus(asked, RequestStatus.Open);
        require(block.timestamp <= asked.deadline, AnalyticsDeadlinePassed(id, asked.deadline));
        Aggregate memory merged = AggregateTree.merge(left.aggregate, right.aggregate);
        require(AggregateTree.equal(result, merged), AnalyticsResultDoesNotSum(result, merged));
        require(result.count != 0, AnalyticsNoReadings(id));
        require(result.members >= asked.cohort, AnalyticsCohortTooSmall(id, result.members, asked.cohort));

        // Effects
        bytes32 root = AggregateTree.hashOf(left, right);
        uint64 challengeEnd = uint64(block.timestamp) + asked.challengeWindow;
        analysis.status = RequestStatus.Proposed;
        analysis.challengeEnd = uint40(challengeEnd);
        analysis.proposer = msg.sender;
        analysis.root = root;
        analysis.result = result;
        emit ResultProposed(id, msg.sender, root, result, content, challengeEnd);

        // Interactions
        TOKEN.transferFrom(msg.sender, address(this), asked.bond);
    }

    /// @inheritdoc IAnalytics
    function challengeMerge(
        Request calldata asked,
        Node calldata node,
        uint256 path,
        Node[] calldata siblings,
        Node calldata left,
        Node calldata right
    ) external {
        RequestId id = _requireInResult(asked, node, path, siblings);
        require(node.hash == AggregateTree.hashOf(left, right), AnalyticsNotInResult(id));
        // Compared in pieces, not merged: children that overflow are a wrong merge as well.
        bool right_ =
            int256(left.aggregate.sum) + right.aggregate.sum == node.aggregate.sum &&
                uint256(left.aggregate.count) + right.aggregate.count == node.aggregate.count &&
                uint256(left.aggregate.members) + right.aggregate.members == node.aggregate.members;
        require(!right_, AnalyticsNodeIsRight(id));
        _slash(id, asked);
    }

    /// @inheritdoc IAnalytics
    function challengeLeaf(
        Request calldata asked,
        Node calldata node,
        uint256 path,
        Node[] calldata siblings,
        Leaf calldata leaf
    ) external {
        RequestId id = _requireInResult(asked, node, path, siblings);
        Node memory right = AggregateTree.nodeOf(leaf);
        require(node.hash == right.hash, AnalyticsNotInResult(id));
        require(!AggregateTree.equal(node.aggregate, right.aggregate), AnalyticsNodeIsRight(id));
        _slash(id, asked);
    }

    /// @inheritdoc IAnalytics
    function challengeMember(
        Request calldata asked,
        Leaf calldata leaf,
        uint256 path,
        Node[] calldata siblings
    ) external {
        RequestId id = _requireInResult(asked, AggregateTree.nodeOf(leaf), path, siblings);
        require(!_isEligible(asked, leaf, _analyses[id].requestedAt), AnalyticsMemberIsEligible(id, leaf.device));
        _slash(id, asked);
    }

    /// @inheritdoc IAnalytics
    function challengeDouble(
        Request calldata asked,
        Leaf[2] calldata leaves,
        uint256[2] calldata paths,
        Node[] calldata siblingsOfFirst,
        Node[] calldata siblingsOfSecond
    ) external {
        RequestId id = _requireInResult(asked, AggregateTree.nodeOf(leaves[0]), paths[0], siblingsOfFirst);
        _requireInResult(asked, AggregateTree.nodeOf(leaves[1]), paths[1], siblingsOfSecond);
        require(
            DeviceId.unwrap(leaves[0].device) == DeviceId.unwrap(leaves[1].device) &&
                (paths[0] != paths[1] || siblingsOfFirst.length != siblingsOfSecond.length),
            AnalyticsSamePlace(id, leaves[0].device)
        );
        _slash(id, asked);
    }

    /// @inheritdoc IAnalytics
    function reject(Request calldata asked) external restricted {
        (RequestId id, Analysis storage analysis) = _inWindow(asked);
        _reopen(id);
        TOKEN.transfer(analysis.proposer, asked.bond);
    }

    /// @inheritdoc IAnalytics
    function finalise(Request calldata asked) external {
        // Checks
        (RequestId id, Analysis storage analysis) = _inStatus(asked, RequestStatus.Proposed);
        require(block.timestamp > analysis.challengeEnd, AnalyticsChallengeOpen(id, analysis.challengeEnd));

        // Effects
        analysis.status = RequestStatus.Final;
        emit ResultFinalised(id, analysis.root, analysis.result);

        // Interactions
        TOKEN.transfer(analysis.proposer, asked.bond);
        TOKEN.transfer(address(ROLLER), asked.reward);
    }

    /// @inheritdoc IAnalytics
    function statusOf(
        RequestId id
    ) external view returns (RequestStatus status, uint64 requestedAt, address proposer, uint64 challengeEnd) {
        Analysis storage analysis = _analyses[id];
        return (analysis.status, analysis.requestedAt, analysis.proposer, analysis.challengeEnd);
    }

    /// @inheritdoc IAnalytics
    function resultOf(RequestId id) external view returns (bool isFinal, bytes32 root, Aggregate memory result) {
        Analysis storage analysis = _analyses[id];
        return (analysis.status == RequestStatus.Final, analysis.root, analysis.result);
    }

    /// @inheritdoc IAnalytics
    function roller() external view returns (address) {
        return address(ROLLER);
    }

    /// @inheritdoc IAnalytics
    function minimumChallengeWindow() external view returns (uint64) {
        return MINIMUM_CHALLENGE_WINDOW;
    }

    /// @inheritdoc IAnalytics
    function minimumBond() external view returns (uint256) {
        return MINIMUM_BOND;
    }

    /// @inheritdoc IAnalytics
    function requestIdOf(Request calldata asked) public view returns (RequestId) {
        return RequestId.wrap(keccak256(abi.encode(block.chainid, address(this), asked)));
    }

    /// @dev Half to the challenger, half to the requester who waited in vain: a cheat that challenges itself first, on seeing a
    ///      challenge under way, still loses half.
    function _slash(RequestId id, Request calldata asked) private {
        uint256 half = asked.bond / 2;
        _reopen(id);
        TOKEN.transfer(msg.sender, half);
        TOKEN.transfer(asked.requester, asked.bond - half);
    }

    /// @dev The next proposal overwrites the fallen one; until then its root stays to be read, never as final.
    function _reopen(RequestId id) private {
        _analyses[id].status = RequestStatus.Open;
        emit ResultRejected(id, msg.sender);
    }

    /// @dev Terms under which owners and proposers can trust the outcome.
    function _areFair(Request calldata asked) private view returns (bool) {
        return
            asked.from < asked.to &&
            asked.cohort > 1 &&
            asked.deadline >= block.timestamp &&
            asked.challengeWindow >= MINIMUM_CHALLENGE_WINDOW &&
            asked.challengeWindow <= LONGEST_CHALLENGE_WINDOW &&
            asked.reward != 0 &&
            asked.bond >= MINIMUM_BOND;
    }

    function _isEligible(Request calldata asked, Leaf calldata leaf, uint64 time) private view returns (bool) {
        (DeviceState state, , , uint64 activatedAt, uint64 ownedSince, uint64 stateSince, ) = REGISTRY.deviceOf(
            leaf.device
        );
        if (state == DeviceState.None || activatedAt > time) return false;
        if (state != DeviceState.Active && stateSince <= time) return false;
        if (!CONSENTS.isGranted(leaf.owner, asked.purpose, time)) return false;
        // A device sold since the request was made says nothing about who had it then.
        if (ownedSince > time) return true;
        return IERC721(address(REGISTRY)).ownerOf(uint160(DeviceId.unwrap(leaf.device))) == leaf.owner;
    }

    function _inStatus(
        Request calldata asked,
        RequestStatus status
    ) private view returns (RequestId id, Analysis storage analysis) {
        id = requestIdOf(asked);
        analysis = _analyses[id];
        require(analysis.status == status, AnalyticsWrongStatus(id, analysis.status));
    }

    function _inWindow(Request calldata asked) private view returns (RequestId id, Analysis storage analysis) {
        (id, analysis) = _inStatus(asked, RequestStatus.Proposed);
        require(block.timestamp <= analysis.challengeEnd, AnalyticsChallengeOver(id, analysis.challengeEnd));
    }

    function _requireInResult(
        Request calldata asked,
        Node memory node,
        uint256 path,
        Node[] calldata siblings
    ) private view returns (RequestId id) {
        Analysis storage analysis;
        (id, analysis) = _inWindow(asked);
        Node memory root = node.climb(path, siblings);
        require(
            root.hash == analysis.root && AggregateTree.equal(root.aggregate, analysis.result),
            AnalyticsNotInResult(id)
        );
    }
}
