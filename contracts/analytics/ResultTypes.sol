// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {DeviceId} from "../identity/DeviceTypes.sol";
import {ReadingFields, ReadingPlace} from "../anchoring/AnchoringTypes.sol";
import {RequestId} from "./RequestTypes.sol";

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
/// @param evidence keccak256(abi.encode(a, b)) of two byte strings. Proved: the ranges of sequence numbers that count, each as first and last in
///        8 bytes, ascending; and nothing. Attested: the device's ERC-7913 signer; and its signature over `partialDigest`. Withheld: 0.
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

/// @notice A result that can be challenged.
/// @param root The digest of the tree's root.
/// @param snapshot When the request was made: who owned and agreed to what then is in.
/// @param proposedAt When it came; in a later second than the request's proposal before it.
/// @param challengeEnd Last second for a challenge.
/// @param stamp Tells this proposal from all others.
struct Proposal {
    RequestId id;
    bytes32 root;
    address proposer;
    uint64 snapshot;
    uint64 proposedAt;
    uint64 proposedBlock;
    uint64 challengeEnd;
    bytes32 stamp;
}

/// @notice A place in a result where no leaf stands: between the two children of a node, of which the left one ends before it and the right one
///         begins after it; or beyond either end of the root.
/// @param left The left child; the root, for a place beyond its ends (`right` is then not looked at).
/// @param path Of the node above both, see `Place`.
/// @param steps The hash of what the node above both says, then its own steps as in `Place`; none where `left` is the root.
struct Gap {
    Node left;
    Node right;
    uint256 path;
    bytes32[] steps;
}

/// @notice Where two nodes are in a tree, neither of which is above the other. What the ways from both share is said once.
/// @param leftPath From the left one up to the left child of the lowest node above both, see `Place`; `rightPath` likewise.
/// @param path From that node up to the root.
/// @param turn Where in `steps` the right one's begin; `meet` where the hash of what the node above both says stands.
/// @param steps Those of the left one, of the right one, that hash, and those of the node above both.
struct Fork {
    uint256 leftPath;
    uint256 rightPath;
    uint256 path;
    uint256 turn;
    uint256 meet;
    bytes32[] steps;
}

/// @notice A reading that is laid open, with where it is anchored.
/// @param value The number whose salted hash is the reading's content.
/// @param signer The device's present ERC-7913 signer, and `signature` its signature over the registry's `readingDigest`; empty for a reading in the
///        device's own log.
struct OpenReading {
    ReadingFields fields;
    ReadingPlace place;
    int256 value;
    bytes32 salt;
    bytes signer;
    bytes signature;
}

/// @notice A batch in a device's own log, with a proof of what its values come to, none revealed; see `IPartialVerifier`.
/// @param index The entry's position in the log, and `entryTime` when it came.
/// @param root With `count`, `first` and `last` and keccak256(abi.encode(values, device, firstSequence)), the batch's header.
/// @param logSiblings From the entry's leaf up to its peak in the log as it is now.
/// @param firstSequence Sequence number of its first reading; the others follow without a gap.
/// @param words What the values come to: their sum, or how many are in each bin, packed as `IPartialVerifier.verifyHistogram` takes them.
struct ProvedBatch {
    uint64 index;
    uint64 entryTime;
    bytes32 root;
    uint64 count;
    uint64 first;
    uint64 last;
    bytes32 values;
    bytes32[] logSiblings;
    uint64 firstSequence;
    uint256[] words;
    bytes proof;
}

/// @notice A partial that grows, reading by reading or batch by batch; see `Openings`. `start` and `last` are the sequence numbers of its
///         latest range, `ranges` the earlier ones.
struct Opening {
    uint64 count;
    uint64 start;
    uint64 last;
    bytes aggregate;
    bytes ranges;
}
