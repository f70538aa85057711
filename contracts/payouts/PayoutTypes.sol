// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

/// @notice A leaf of a payout tree: what an account has earned in all epochs together. Leaves stand in the order of accounts.
/// @param earned ITC, 18 decimals.
/// @param before The sum of `earned` of all leaves before this one: two neighbours show whether it is right.
struct Earnings {
    address account;
    uint128 earned;
    uint128 before;
}

/// @notice Many leaves of one tree, and one proof for all of them.
/// @param leaves In the order of their places.
/// @param places Where they stand, ascending from 0.
/// @param size How many leaves the tree has.
/// @param siblings See `Merkle.climbMany`.
struct EarningsBatch {
    Earnings[] leaves;
    uint256[] places;
    uint256 size;
    bytes32[] siblings;
}

/// @notice A leaf and its place in a tree whose number of leaves is known, which settles the path.
/// @param index From 0.
/// @param siblings From the lowest level up.
struct Shown {
    Earnings leaf;
    uint64 index;
    bytes32[] siblings;
}
