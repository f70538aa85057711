// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

/// @notice A part: keccak256(abi.encode(prefix, serial)) of a good, keccak256(account ‖ site) of an installation. Their lengths differ
///         (64 and 52 bytes), so neither can pass for the other.
type PartId is bytes32;

/// @notice What a part is. A part goes only into one of a higher rank, so there can be no circle, and no way up is longer than four.
enum PartRank {
    None,
    IpBlock,
    Chip,
    Module,
    Device,
    Installation
}

/// @notice Where a part stands. What is inside another shares the fate of the whole. Nothing leads out of `Decommissioned`.
enum PartState {
    None,
    Active,
    InTransit,
    Decommissioned
}
