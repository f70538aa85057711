// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {IResults} from "./IResults.sol";
import {RequestId} from "./RequestTypes.sol";
import {Leaf, Place} from "./ResultTypes.sol";

/// @title Rewards claimed from a final result's own tree
/// @notice A leaf earns floor(reward × weight / total weight) ITC for its owner. What isn't claimed in time, and what rounding leaves, goes back
///         to the requester by `sweep`. ITC has 18 decimals.
interface IResultClaims {
    /// @notice A leaf's share went to its owner. `position` is the path with a leading 1 at the bit of its length.
    event RewardClaimed(
        address indexed analytics,
        RequestId indexed id,
        address indexed owner,
        uint256 position,
        uint256 amount
    );

    error ResultClaimsNotFinal(RequestId id);
    error ResultClaimsInvalidProof(RequestId id, uint256 position);
    error ResultClaimsNothingDue(RequestId id, uint256 position);
    error ResultClaimsSpent(RequestId id, uint256 left, uint256 amount);
    error ResultClaimsBadLength(uint256 leaves, uint256 places);

    /// @notice Pays a leaf's share to its owner. Anyone may send it.
    /// Errors: ResultClaimsNotFinal, ResultClaimsInvalidProof, ResultClaimsNothingDue (claimed, or less than a unit), ResultClaimsSpent
    /// (swept), ResultTreeBadPlace. Event: RewardClaimed.
    function claim(IResults analytics, RequestId id, Leaf calldata leaf, Place calldata place) external;

    /// @notice As `claim` for many leaves; those that nothing is due to are passed over. One transfer for neighbours of one owner.
    /// Errors: ResultClaimsBadLength, and those of `claim` but ResultClaimsNothingDue. Event: RewardClaimed for each.
    function claimMany(IResults analytics, RequestId id, Leaf[] calldata leaves, Place[] calldata places) external;

    /// @notice Whether the leaf at a position was paid.
    function isClaimed(address analytics, RequestId id, uint256 position) external view returns (bool);
}
