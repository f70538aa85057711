// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IDataAnchor} from "../anchoring/IDataAnchor.sol";
import {DeviceId, DeviceState} from "../identity/DeviceTypes.sol";
import {IERC1056} from "../identity/IERC1056.sol";
import {Court} from "./Court.sol";
import {IAnalytics} from "./IAnalytics.sol";
import {IEligibility} from "./IEligibility.sol";
import {IPartialVerifier} from "./IPartialVerifier.sol";
import {IQuestionDesk} from "./IQuestionDesk.sol";
import {Openings} from "./Openings.sol";
import {Partials} from "./Partials.sol";
import {Query, Request, RequestId, RequestStatus} from "./RequestTypes.sol";
import {Leaf, Node, Opening, OpenReading, Origin, Place, Proposal, ProvedBatch} from "./ResultTypes.sol";
import {ResultPath} from "./ResultPath.sol";
import {ResultTree} from "./ResultTree.sol";

/// @title Questions that a proposer must answer
contract QuestionDesk is IQuestionDesk, Court {
    using Openings for Opening;
    using ResultTree for Node;
    using ResultTree for Leaf;

    /// @dev One slot, and another one for a question about a device.
    struct Question {
        address asker;
        uint64 due;
        DeviceId device;
    }

    /// @dev One slot. When and at which block it came tells whether the device has changed since.
    struct Contribution {
        uint64 count;
        uint64 time;
        uint64 blockNumber;
    }

    /// @dev More than an answer costs beyond a contribution of the same readings.
    uint256 private constant ANSWER_MARGIN = 250_000;

    IERC20 private immutable TOKEN;
    uint256 private immutable DEPOSIT;
    IPartialVerifier private immutable VERIFIER;

    mapping(bytes32 id => Question) private _questions;
    /// @dev keccak256 of the ABI-encoded `Opening` of an answer that somebody hasn't finished.
    mapping(bytes32 id => mapping(address by => bytes32)) private _laid;
    mapping(IAnalytics analytics => mapping(RequestId id => mapping(DeviceId device => Contribution)))
        private _contributions;

    /// @param token ITC.
    /// @param anchor Holds the logs.
    /// @param eligibility Says who may be in a result.
    /// @param verifier_ Checks proofs of partials; 0 for none.
    /// @param deposit_ ITC that a question costs; more than an answer costs in gas.
    constructor(
        IERC20 token,
        IDataAnchor anchor,
        IEligibility eligibility,
        IPartialVerifier verifier_,
        uint256 deposit_
    ) Court(anchor, eligibility) {
        TOKEN = token;
        VERIFIER = verifier_;
        DEPOSIT = deposit_;
    }

    /// @inheritdoc IQuestionDesk
    function demand(IAnalytics analytics, Request calldata asked, Node calldata root, uint64 index) external {
        Proposal memory proposal = _open(analytics, asked);
        require(root.digestOf() == proposal.root, CourtNotInResult(proposal.id));
        require(index < root.summary.leaves, QuestionDeskNoLeaf(proposal.id, index));
        uint64 due = _ask(analytics, asked, proposal.stamp, bytes32(uint256(index)), DeviceId.wrap(address(0)));
        emit LeafDemanded(address(analytics), proposal.id, proposal.stamp, index, due);
    }

    /// @inheritdoc IQuestionDesk
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
    ) external {
        Proposal memory proposal = analytics.proposalOf(asked);
        require(
            leaf.aggregate == keccak256(aggregate) &&
                (leaf.origin == Origin.Withheld || leaf.evidence == _evidenceOf(first, second)),
            CourtWrongEvidence(proposal.id, leaf.device)
        );
        (bytes32 root, uint64 place) = ResultPath.mergeUp(asked.query, leaf, aggregate, path, siblings, aggregates);
        require(root == proposal.root && place == index, CourtNotInResult(proposal.id));
        _answer(analytics, asked, proposal, bytes32(uint256(index)));
    }

    /// @inheritdoc IQuestionDesk
    function question(IAnalytics analytics, Request calldata asked, Leaf calldata leaf, Place calldata place) external {
        Proposal memory proposal = _open(analytics, asked);
        Node memory node = leaf.nodeOf();
        _requireIn(proposal, node.digestOfBuilt(), place);
        require(leaf.origin == Origin.Proved, CourtNothingWrong(proposal.id));
        uint64 due = _ask(analytics, asked, proposal.stamp, node.below, leaf.device);
        emit PartialQuestioned(address(analytics), proposal.id, proposal.stamp, leaf.device, node.below, due);
    }

    /// @inheritdoc IQuestionDesk
    function answerWithReadings(
        IAnalytics analytics,
        Request calldata asked,
        Leaf calldata leaf,
        OpenReading[] calldata readings
    ) external {
        Proposal memory proposal = analytics.proposalOf(asked);
        Opening memory opening = Openings.begin(asked.query);
        _lay(opening, asked.query, proposal.id, leaf.device, readings);
        require(opening.bears(leaf), CourtWrongEvidence(proposal.id, leaf.device));
        _answer(analytics, asked, proposal, leaf.nodeOf().below);
    }

    /// @inheritdoc IQuestionDesk
    function layReadings(
        IAnalytics analytics,
        Request calldata asked,
        Leaf calldata leaf,
        Opening calldata before,
        OpenReading[] calldata readings
    ) external {
        Proposal memory proposal = analytics.proposalOf(asked);
        (bytes32 id, Opening memory opening) = _resume(analytics, asked, proposal, leaf, before);
        _lay(opening, asked.query, proposal.id, leaf.device, readings);
        _goOn(analytics, asked, proposal, leaf, id, opening);
    }

    /// @inheritdoc IQuestionDesk
    function layProof(
        IAnalytics analytics,
        Request calldata asked,
        Leaf calldata leaf,
        Opening calldata before,
        ProvedBatch calldata batch
    ) external {
        Proposal memory proposal = analytics.proposalOf(asked);
        (bytes32 id, Opening memory opening) = _resume(analytics, asked, proposal, leaf, before);
        require(
            opening.extendProved(asked.query, leaf.device, proposal.id, batch, ANCHOR, VERIFIER),
            CourtWrongEvidence(proposal.id, leaf.device)
        );
        _goOn(analytics, asked, proposal, leaf, id, opening);
    }

    /// @inheritdoc IQuestionDesk
    function settle(IAnalytics analytics, Request calldata asked, bytes32 stamp, bytes32 subject) external {
        // Checks
        bytes32 id = questionIdOf(analytics, stamp, subject);
        Question memory asked_ = _questions[id];
        require(asked_.asker != address(0), QuestionDeskNotAsked(id));
        Proposal memory proposal = analytics.proposalOf(asked);
        bool stands = proposal.stamp == stamp;
        require(!stands || block.timestamp > asked_.due, QuestionDeskNotDue(id, asked_.due));

        // Effects
        delete _questions[id];
        emit QuestionSettled(id, false);

        // Interactions: ITC reverts, it never returns false.
        if (stands) {
            bool isForDevice = DeviceId.unwrap(asked_.device) != address(0);
            if (isForDevice && !_isSteady(asked_.device, proposal.proposedAt, proposal.proposedBlock)) {
                analytics.dismiss(asked, asked_.asker);
            } else {
                analytics.slash(asked, asked_.asker);
            }
        }
        TOKEN.transfer(asked_.asker, DEPOSIT);
    }

    /// @inheritdoc IQuestionDesk
    function contributeReadings(
        IAnalytics analytics,
        Request calldata asked,
        DeviceId device,
        OpenReading[] calldata readings
    ) external {
        RequestId id = analytics.requestIdOf(asked);
        uint64 until = asked.query.anchoredBy;
        (RequestStatus status, , , ) = analytics.statusOf(asked);
        require(status == RequestStatus.Open && block.timestamp <= until, QuestionDeskTooLate(id, until));
        Opening memory opening = Openings.begin(asked.query);
        _lay(opening, asked.query, id, device, readings);
        uint64 count = opening.count;
        uint64 before = contributionOf(analytics, id, device);
        require(count > before && count <= asked.query.cap, QuestionDeskLess(id, device, before));
        _contributions[analytics][id][device] = Contribution(count, uint64(block.timestamp), uint64(block.number));
        emit ReadingsContributed(address(analytics), id, device, count);
        // Whoever counts these readings must be able to lay them open in one transaction, as large as they come.
        require(gasleft() >= ANSWER_MARGIN, QuestionDeskNoMargin(gasleft(), ANSWER_MARGIN));
    }

    /// @inheritdoc IQuestionDesk
    function questionOf(bytes32 id) external view returns (address asker, uint64 due, DeviceId device) {
        Question storage asked = _questions[id];
        return (asked.asker, asked.due, asked.device);
    }

    /// @inheritdoc IQuestionDesk
    function verifier() external view returns (address) {
        return address(VERIFIER);
    }

    /// @inheritdoc IQuestionDesk
    function deposit() external view returns (uint256) {
        return DEPOSIT;
    }

    /// @inheritdoc IQuestionDesk
    function contributionOf(IAnalytics analytics, RequestId id, DeviceId device) public view returns (uint64 count) {
        Contribution storage made = _contributions[analytics][id][device];
        count = made.count;
        if (count == 0) return 0;
        (DeviceState state, , , , , uint64 stateSince, ) = REGISTRY.deviceOf(device);
        bool holds =
            state == DeviceState.Active &&
                stateSince <= made.time &&
                IERC1056(address(REGISTRY)).changed(DeviceId.unwrap(device)) <= made.blockNumber;
        return holds ? count : 0;
    }

    /// @inheritdoc IQuestionDesk
    function questionIdOf(IAnalytics analytics, bytes32 stamp, bytes32 subject) public pure returns (bytes32) {
        return keccak256(abi.encode(analytics, stamp, subject));
    }

    function _ask(
        IAnalytics analytics,
        Request calldata asked,
        bytes32 stamp,
        bytes32 subject,
        DeviceId device
    ) private returns (uint64 due) {
        // Checks
        bytes32 id = questionIdOf(analytics, stamp, subject);
        Question storage asking = _questions[id];
        require(asking.asker == address(0), QuestionDeskAsked(id));

        // Effects
        (, uint64 answerTime, ) = analytics.limits();
        due = uint64(block.timestamp) + answerTime;
        asking.asker = msg.sender;
        asking.due = due;
        if (DeviceId.unwrap(device) != address(0)) asking.device = device;

        // Interactions: ITC reverts, it never returns false.
        analytics.hold(asked);
        TOKEN.transferFrom(msg.sender, address(this), DEPOSIT);
    }

    function _answer(IAnalytics analytics, Request calldata asked, Proposal memory proposal, bytes32 subject) private {
        // Checks
        bytes32 id = questionIdOf(analytics, proposal.stamp, subject);
        require(_questions[id].asker != address(0), QuestionDeskNotAsked(id));

        // Effects
        delete _questions[id];
        emit QuestionSettled(id, true);

        // Interactions: ITC reverts, it never returns false.
        analytics.release(asked);
        TOKEN.transfer(proposal.proposer, DEPOSIT);
    }

    /// @dev Answers if the leaf says what was laid open so far; else notes how far the sender is. Each has notes of its own, so that nobody spoils
    ///      another's answer.
    function _goOn(
        IAnalytics analytics,
        Request calldata asked,
        Proposal memory proposal,
        Leaf calldata leaf,
        bytes32 id,
        Opening memory opening
    ) private {
        if (opening.bears(leaf)) return _answer(analytics, asked, proposal, leaf.nodeOf().below);
        _laid[id][msg.sender] = keccak256(abi.encode(opening));
        emit PartialLaid(id, msg.sender, opening);
    }

    /// @dev Where the sender goes on with an answer of several transactions.
    function _resume(
        IAnalytics analytics,
        Request calldata asked,
        Proposal memory proposal,
        Leaf calldata leaf,
        Opening calldata before
    ) private view returns (bytes32 id, Opening memory opening) {
        id = questionIdOf(analytics, proposal.stamp, leaf.nodeOf().below);
        require(_questions[id].asker != address(0), QuestionDeskNotAsked(id));
        if (before.count == 0) return (id, Openings.begin(asked.query));
        require(_laid[id][msg.sender] == keccak256(abi.encode(before)), CourtWrongEvidence(proposal.id, leaf.device));
        opening = before;
    }

    /// @dev Takes in readings, each looked up in its log.
    function _lay(
        Opening memory opening,
        Query calldata query,
        RequestId id,
        DeviceId device,
        OpenReading[] calldata readings
    ) private view {
        for (uint256 k = 0; k < readings.length; ++k) {
            OpenReading calldata reading = readings[k];
            uint64 sequence = reading.fields.sequence;
            require(
                reading.fields.content == keccak256(abi.encode(reading.value, reading.salt)) &&
                    opening.extend(sequence, sequence) &&
                    _counts(query, device, reading.fields, reading.place, reading.signer, reading.signature),
                CourtWrongEvidence(id, device)
            );
            Partials.add(query, opening.aggregate, reading.value, reading.fields.time);
        }
    }
}
