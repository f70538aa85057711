// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Aggregate, Leaf, Node} from "./AnalyticsTypes.sol";

/// @title Merkle tree whose nodes commit to their children's aggregates
/// @notice hash(leaf) = keccak256(0x00 ‖ owner ‖ device ‖ sum ‖ count); hash(node) = keccak256(0x01 ‖ left ‖ right), each child given as
///         hash ‖ sum ‖ count ‖ members. A node's own aggregate stands in its parent, so a wrong merge is one node whose children don't
///         add up to what its parent says of it. Counts are never negative: leaves that verify under one root can't count for more than
///         the root does, whatever else the tree holds.
library AggregateTree {
    error AggregateTreeOverflow(Aggregate left, Aggregate right);
    error AggregateTreePathTooLong(uint256 path, uint256 siblings);

    /// @notice The node of a leaf.
    function nodeOf(Leaf calldata leaf) internal pure returns (Node memory) {
        bytes32 hash = keccak256(abi.encodePacked(bytes1(0x00), leaf.owner, leaf.device, leaf.sum, leaf.count));
        return Node(hash, Aggregate(leaf.sum, leaf.count, 1));
    }

    /// @notice The hash of the node with these children.
    function hashOf(Node memory left, Node memory right) internal pure returns (bytes32) {
        Aggregate memory a = left.aggregate;
        Aggregate memory b = right.aggregate;
        return
            keccak256(
                abi.encodePacked(
                    bytes1(0x01),
                    abi.encodePacked(left.hash, a.sum, a.count, a.members),
                    abi.encodePacked(right.hash, b.sum, b.count, b.members)
                )
            );
    }

    /// @notice Adds two aggregates. Errors: AggregateTreeOverflow.
    function merge(Aggregate memory a, Aggregate memory b) internal pure returns (Aggregate memory) {
        // Wider sums can't overflow, so that what is too large gets a name.
        int256 sum = int256(a.sum) + b.sum;
        uint256 count = uint256(a.count) + b.count;
        uint256 members = uint256(a.members) + b.members;
        require(
            sum == int128(sum) && count <= type(uint64).max && members <= type(uint64).max,
            AggregateTreeOverflow(a, b)
        );
        return Aggregate(int128(sum), uint64(count), uint64(members));
    }

    /// @notice Whether two aggregates are the same.
    function equal(Aggregate memory a, Aggregate memory b) internal pure returns (bool) {
        return a.sum == b.sum && a.count == b.count && a.members == b.members;
    }

    /// @notice Climbs from a node to the root, merging on the way.
    /// @param path Bit k says on which side the k-th sibling stands: 1 left, 0 right.
    /// Errors: AggregateTreePathTooLong, AggregateTreeOverflow.
    function climb(Node memory node, uint256 path, Node[] calldata siblings) internal pure returns (Node memory) {
        require(path >> siblings.length == 0, AggregateTreePathTooLong(path, siblings.length));
        for (uint256 k = 0; k < siblings.length; ++k) {
            Node memory sibling = siblings[k];
            bytes32 hash = (path >> k) & 1 == 1 ? hashOf(sibling, node) : hashOf(node, sibling);
            node = Node(hash, merge(node.aggregate, sibling.aggregate));
        }
        return node;
    }
}
