// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {DeviceId} from "../identity/DeviceTypes.sol";

/// @notice Where a device's partial comes from.
///         `Withheld`: its readings weren't open to the proposer; it counts for nothing, and earns nothing.
///         `Proved`: it follows from anchored readings, and can be made to be shown so; exact.
///         `Attested`: the device signed it, with noise of its own if the request asks for any.
enum Origin {
    Withheld,
    Proved,
    Attested
}

/// @notice What one device contributes, and to whose credit. Leaves stand in the order of (owner, device).
/// @param owner Who had the device when the request was made.
/// @param origin Where the partial comes from.
/// @param count How many readings it speaks of.
/// @param weight Its part of the reward, by the request's rule.
/// @param spent Attested with noise: millionths of epsilon that the device had spent on the purpose before, in its own word; else 0.
/// @param evidence Proved: keccak256 of the ranges of sequence numbers, see `Ranges`. Attested: keccak256(abi.encode(signer, signature)).
///        Withheld: 0.
/// @param aggregate keccak256 of the partial's bytes.
struct Leaf {
    address owner;
    DeviceId device;
    Origin origin;
    uint64 count;
    uint128 weight;
    uint64 spent;
    bytes32 evidence;
    bytes32 aggregate;
}

/// @notice What a node of a result tree says of all leaves below it.
/// @param leaves How many there are.
/// @param members How many of them contribute: those that aren't withheld.
/// @param count Readings.
/// @param aggregate keccak256 of the merged partials.
struct Summary {
    address firstOwner;
    DeviceId firstDevice;
    address lastOwner;
    DeviceId lastDevice;
    uint64 leaves;
    uint64 members;
    uint64 count;
    uint128 weight;
    bytes32 aggregate;
}

/// @notice A node: what it says, and the hash of what lies below it (its leaf, or its two children).
struct Node {
    Summary summary;
    bytes32 below;
}

/// @notice Where a node is in a tree.
/// @param path Bit k says on which side the k-th sibling stands, from below: 1 left, 0 right.
/// @param steps Two words a level: the hash of the parent's summary, then the digest of the sibling.
struct Place {
    uint256 path;
    bytes32[] steps;
}
