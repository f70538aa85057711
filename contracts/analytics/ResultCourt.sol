// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReadingFields, ReadingPlace} from "../anchoring/AnchoringTypes.sol";
import {IDataAnchor} from "../anchoring/IDataAnchor.sol";
import {DeviceId} from "../identity/DeviceTypes.sol";
import {Court} from "./Court.sol";
import {IAnalytics} from "./IAnalytics.sol";
import {IEligibility, Verdict} from "./IEligibility.sol";
import {IQuestionDesk} from "./IQuestionDesk.sol";
import {Fault, IResultCourt} from "./IResultCourt.sol";
import {LeafRules} from "./LeafRules.sol";
import {Partials} from "./Partials.sol";
import {Request, RequestId, RequestStatus} from "./RequestTypes.sol";
import {Fork, Gap, Leaf, Node, Origin, Place, Proposal, Summary} from "./ResultTypes.sol";
import {ResultTree} from "./ResultTree.sol";

/// @title Challenges of one transaction
contract ResultCourt is IResultCourt, Court {
    using ResultTree for Node;
    using ResultTree for Leaf;
    using ResultTree for Summary;
    using ResultTree for bytes32;

    IQuestionDesk private immutable DESK;

    /// @param anchor Holds the logs.
    /// @param eligibility Says who may be in a result.
    /// @param desk Knows what was contributed on chain.
    constructor(IDataAnchor anchor, IEligibility eligibility, IQuestionDesk desk) Court(anchor, eligibility) {
        DESK = desk;
    }

    /// @inheritdoc IResultCourt
    function challengeNode(
        IAnalytics analytics,
        Request calldata asked,
        Place calldata place,
        Node calldata node,
        Node calldata left,
        Node calldata right,
        bytes calldata leftAggregate,
        bytes calldata rightAggregate
    ) external {
        Proposal memory proposal = _open(analytics, asked);
        _requireIn(proposal, node.digestOf(), place);
        require(node.below == ResultTree.above(left.digestOf(), right.digestOf()), CourtNotInResult(proposal.id));
        require(
            keccak256(leftAggregate) == left.summary.aggregate && keccak256(rightAggregate) == right.summary.aggregate,
            CourtWrongEvidence(proposal.id, left.summary.firstDevice)
        );
        (bool fits, bytes memory aggregate) = Partials.merge(asked.query, leftAggregate, rightAggregate);
        if (fits) {
            Summary memory merged;
            (fits, merged) = ResultTree.merge(left.summary, right.summary, keccak256(aggregate));
            require(!fits || merged.hashOf() != ResultTree.hashOf(node.summary), CourtNothingWrong(proposal.id));
        }
        _uphold(analytics, asked, proposal.id, Fault.Node, true);
    }

    /// @inheritdoc IResultCourt
    function challengeLeaf(
        IAnalytics analytics,
        Request calldata asked,
        Place calldata place,
        Node calldata node,
        Leaf calldata leaf,
        bytes calldata aggregate
    ) external {
        Proposal memory proposal = _open(analytics, asked);
        _requireIn(proposal, node.digestOf(), place);
        Node memory own = leaf.nodeOf();
        require(node.below == own.below, CourtNotInResult(proposal.id));
        bool isGood =
            ResultTree.hashOf(node.summary) == own.summary.hashOf() &&
                LeafRules.isByRule(asked, leaf) &&
                (keccak256(aggregate) != leaf.aggregate || Partials.isWellFormed(asked.query, aggregate));
        require(!isGood, CourtNothingWrong(proposal.id));
        _uphold(analytics, asked, proposal.id, Fault.Leaf, true);
    }

    /// @inheritdoc IResultCourt
    function challengeMember(
        IAnalytics analytics,
        Request calldata asked,
        Leaf calldata leaf,
        Place calldata place
    ) external {
        Proposal memory proposal = _openWith(analytics, asked, leaf, place);
        bool slashed = true;
        if (leaf.origin == Origin.Withheld) {
            bool isGhost = !ELIGIBILITY.wasMember(asked, leaf.device, leaf.owner, proposal.snapshot);
            require(isGhost, CourtNothingWrong(proposal.id));
        } else {
            Verdict verdict = ELIGIBILITY.verdictOn(asked, leaf.device, leaf.owner, proposal.snapshot);
            slashed =
                verdict == Verdict.Ineligible ||
                !ELIGIBILITY.mayUse(asked, leaf.owner, leaf.device, leaf.origin, leaf.spent, proposal.snapshot);
            require(slashed || verdict == Verdict.Doubtful, CourtNothingWrong(proposal.id));
        }
        _uphold(analytics, asked, proposal.id, Fault.Member, slashed);
    }

    /// @inheritdoc IResultCourt
    function challengeDouble(
        IAnalytics analytics,
        Request calldata asked,
        Leaf[2] calldata leaves,
        Fork calldata fork
    ) external {
        Proposal memory proposal = _open(analytics, asked);
        (bytes32 left, bytes32 right) = (leaves[0].nodeOf().digestOfBuilt(), leaves[1].nodeOf().digestOfBuilt());
        require(ResultTree.climbBoth(left, right, fork) == proposal.root, CourtNotInResult(proposal.id));
        require(
            DeviceId.unwrap(leaves[0].device) == DeviceId.unwrap(leaves[1].device) &&
                leaves[0].owner != leaves[1].owner &&
                leaves[0].origin != Origin.Withheld &&
                leaves[1].origin != Origin.Withheld,
            CourtNothingWrong(proposal.id)
        );
        _uphold(analytics, asked, proposal.id, Fault.Double, true);
    }

    /// @inheritdoc IResultCourt
    function challengeSpent(
        IAnalytics analytics,
        Request calldata asked,
        Leaf calldata leaf,
        Place calldata place,
        Request calldata other,
        Leaf calldata otherLeaf,
        Place calldata otherPlace
    ) external {
        Proposal memory proposal = _openWith(analytics, asked, leaf, place);
        _requireEarlier(analytics, asked, other, proposal.id);
        (, bytes32 otherRoot, , , ) = analytics.resultOf(analytics.requestIdOf(other));
        require(otherLeaf.nodeOf().digestOfBuilt().climb(otherPlace) == otherRoot, CourtNotInResult(proposal.id));
        require(LeafRules.spendsTwice(asked, leaf, other, otherLeaf), CourtNothingWrong(proposal.id));
        _uphold(analytics, asked, proposal.id, Fault.Budget, true);
    }

    /// @inheritdoc IResultCourt
    function challengeSignature(
        IAnalytics analytics,
        Request calldata asked,
        Leaf calldata leaf,
        Place calldata place,
        bytes calldata signer,
        bytes calldata signature
    ) external {
        Proposal memory proposal = _openWith(analytics, asked, leaf, place);
        require(_evidenceOf(signer, signature) == leaf.evidence, CourtWrongEvidence(proposal.id, leaf.device));
        bytes32 digest = analytics.partialDigest(proposal.id, leaf);
        require(
            leaf.origin == Origin.Attested && !REGISTRY.isSignedByDevice(leaf.device, digest, signer, signature),
            CourtNothingWrong(proposal.id)
        );
        bool slashed = _isSteady(leaf.device, proposal.proposedAt, proposal.proposedBlock);
        _uphold(analytics, asked, proposal.id, Fault.Signature, slashed);
    }

    /// @inheritdoc IResultCourt
    function challengeOmission(
        IAnalytics analytics,
        Request calldata asked,
        address owner,
        Gap calldata gap,
        ReadingFields calldata reading,
        ReadingPlace calldata readingPlace,
        bytes calldata signer,
        bytes calldata signature
    ) external {
        Proposal memory proposal = _open(analytics, asked);
        _requireGap(proposal, owner, reading.device, gap);
        require(
            _isDue(asked, proposal, owner, reading.device, Origin.Attested) &&
                _counts(asked.query, reading.device, reading, readingPlace, signer, signature),
            CourtNothingWrong(proposal.id)
        );
        _uphold(analytics, asked, proposal.id, Fault.Omission, true);
    }

    /// @inheritdoc IResultCourt
    function challengeIgnored(
        IAnalytics analytics,
        Request calldata asked,
        Leaf calldata leaf,
        Place calldata place
    ) external {
        Proposal memory proposal = _openWith(analytics, asked, leaf, place);
        require(
            leaf.count < DESK.contributionOf(analytics, proposal.id, leaf.device) &&
                _isDue(asked, proposal, leaf.owner, leaf.device, Origin.Proved),
            CourtNothingWrong(proposal.id)
        );
        _uphold(analytics, asked, proposal.id, Fault.Contribution, _isCertain(asked));
    }

    /// @inheritdoc IResultCourt
    function challengeIgnoredDevice(
        IAnalytics analytics,
        Request calldata asked,
        address owner,
        DeviceId device,
        Gap calldata gap
    ) external {
        Proposal memory proposal = _open(analytics, asked);
        _requireGap(proposal, owner, device, gap);
        require(
            DESK.contributionOf(analytics, proposal.id, device) != 0 &&
                _isDue(asked, proposal, owner, device, Origin.Proved),
            CourtNothingWrong(proposal.id)
        );
        _uphold(analytics, asked, proposal.id, Fault.Contribution, _isCertain(asked));
    }

    function _uphold(IAnalytics analytics, Request calldata asked, RequestId id, Fault fault, bool slashed) private {
        emit ChallengeUpheld(address(analytics), id, msg.sender, fault, slashed);
        bytes4 selector = slashed ? IAnalytics.slash.selector : IAnalytics.dismiss.selector;
        Address.functionCall(address(analytics), _pass(selector, asked, abi.encode(msg.sender)));
    }

    function _openWith(
        IAnalytics analytics,
        Request calldata asked,
        Leaf calldata leaf,
        Place calldata place
    ) private view returns (Proposal memory proposal) {
        proposal = _open(analytics, asked);
        _requireIn(proposal, leaf.nodeOf().digestOfBuilt(), place);
    }

    /// @dev Requires that the other request's result was past challenge when the data of this one came to their end: an honest proposer knew it,
    ///      and nobody makes one up to bring others down.
    function _requireEarlier(
        IAnalytics analytics,
        Request calldata asked,
        Request calldata other,
        RequestId id
    ) private view {
        (RequestStatus status, , uint64 proposedAt, ) = analytics.statusOf(other);
        require(
            status == RequestStatus.Final &&
                uint256(proposedAt) + other.terms.challengeWindow <= asked.query.anchoredBy &&
                RequestId.unwrap(analytics.requestIdOf(other)) != RequestId.unwrap(id),
            CourtNothingWrong(id)
        );
    }

    /// @dev Whoever may be found eligible only later has no place in a result, nor out of it.
    function _isCertain(Request calldata asked) private pure returns (bool) {
        return asked.filter.assurance == 0 && asked.filter.verifier == address(0);
    }
}
