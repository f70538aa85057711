// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {RewardSink} from "../payouts/RewardSink.sol";
import {IResultClaims} from "./IResultClaims.sol";
import {IResults} from "./IResults.sol";
import {OwnerShares} from "./OwnerShares.sol";
import {RequestId} from "./RequestTypes.sol";
import {ResultTree} from "./ResultTree.sol";
import {Leaf, Place} from "./ResultTypes.sol";

/// @title Rewards claimed from a final result's own tree
contract ResultClaims is IResultClaims, RewardSink {
    /// @dev What is the same for all leaves of a result.
    struct Final {
        address analytics;
        RequestId id;
        bytes32 root;
        uint128 weight;
        uint128 reward;
    }

    /// @dev A bit for each position. The tree is final, so a position is one leaf for good; neighbours share a word.
    mapping(address analytics => mapping(RequestId id => mapping(uint256 word => uint256))) private _claimed;

    /// @param token ITC.
    /// @param period Seconds after which unclaimed money goes back.
    constructor(IERC20 token, uint64 period) RewardSink(token, period) {}

    /// @inheritdoc IResultClaims
    function claim(IResults analytics, RequestId id, Leaf calldata leaf, Place calldata place) external {
        Final memory result = _finalOf(analytics, id);
        uint128 amount = _settle(result, leaf, place);
        require(amount != 0, ResultClaimsNothingDue(id, _positionOf(place)));
        _pay(result, leaf.owner, amount);
    }

    /// @inheritdoc IResultClaims
    function claimMany(IResults analytics, RequestId id, Leaf[] calldata leaves, Place[] calldata places) external {
        require(leaves.length == places.length, ResultClaimsBadLength(leaves.length, places.length));
        Final memory result = _finalOf(analytics, id);
        uint128 amount = 0;
        for (uint256 k = 0; k < leaves.length; ++k) {
            amount += _settle(result, leaves[k], places[k]);
            bool isLast = k + 1 == leaves.length || leaves[k + 1].owner != leaves[k].owner;
            if (!isLast || amount == 0) continue;
            _pay(result, leaves[k].owner, amount);
            amount = 0;
        }
    }

    /// @inheritdoc IResultClaims
    function isClaimed(address analytics, RequestId id, uint256 position) external view returns (bool) {
        return (_claimed[analytics][id][position >> 8] >> (position & 255)) & 1 == 1;
    }

    /// @dev Checks a leaf and marks it. Nothing is due to one that was marked before.
    function _settle(Final memory result, Leaf calldata leaf, Place calldata place) private returns (uint128 amount) {
        // Checks
        bytes32 digest = ResultTree.digestOfBuilt(ResultTree.nodeOf(leaf));
        uint256 position = _positionOf(place);
        require(ResultTree.climb(digest, place) == result.root, ResultClaimsInvalidProof(result.id, position));
        mapping(uint256 word => uint256) storage claimed = _claimed[result.analytics][result.id];
        uint256 bits = claimed[position >> 8];
        uint256 bit = 1 << (position & 255);
        // No cast cuts: a leaf's weight isn't above the whole, or the tree isn't one, and then the most that comes of it is ResultClaimsSpent.
        uint256 share = OwnerShares.shareOf(result.reward, leaf.weight, result.weight);
        if (bits & bit != 0 || share == 0) return 0;
        require(share <= result.reward, ResultClaimsSpent(result.id, result.reward, share));

        // Effects
        claimed[position >> 8] = bits | bit;
        emit RewardClaimed(result.analytics, result.id, leaf.owner, position, share);
        return uint128(share);
    }

    function _pay(Final memory result, address owner, uint128 amount) private {
        Reward storage funded = _rewards[result.analytics][RequestId.unwrap(result.id)];
        uint128 left = funded.left;
        require(amount <= left, ResultClaimsSpent(result.id, left, amount));
        funded.left = left - amount;
        _send(owner, amount);
    }

    function _finalOf(IResults analytics, RequestId id) private view returns (Final memory) {
        (bool isFinal, bytes32 root, , uint128 weight, ) = analytics.resultOf(id);
        require(isFinal && weight != 0, ResultClaimsNotFinal(id));
        uint128 reward = _rewards[address(analytics)][RequestId.unwrap(id)].amount;
        return Final(address(analytics), id, root, weight, reward);
    }

    /// @dev One number for each place of a tree, whatever its shape. Wrong places are refused where they are climbed.
    function _positionOf(Place calldata place) private pure returns (uint256) {
        return (1 << (place.steps.length / 2)) | place.path;
    }
}
