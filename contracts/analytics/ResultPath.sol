// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Partials} from "./Partials.sol";
import {Query} from "./RequestTypes.sol";
import {Leaf, Node} from "./ResultTypes.sol";
import {ResultTree} from "./ResultTree.sol";

/// @title The whole way from a leaf to the root
/// @notice Unlike `ResultTree.climb`, every node on it is computed from its children: that it ends at a root proves each of them right.
library ResultPath {
    using ResultTree for Node;
    using ResultTree for Leaf;

    /// @notice Merges from a leaf up to the root. Returns no root where two don't merge, and where the bytes of an aggregate aren't the sibling's.
    /// @param path Bit k says on which side the k-th sibling stands: 1 left.
    /// @return root The digest that the way leads to.
    /// @return index How many leaves stand to the left.
    function mergeUp(
        Query calldata query,
        Leaf calldata leaf,
        bytes memory aggregate,
        uint256 path,
        Node[] calldata siblings,
        bytes[] calldata aggregates
    ) internal pure returns (bytes32 root, uint64 index) {
        Node memory node = leaf.nodeOf();
        if (siblings.length != aggregates.length || path >> siblings.length != 0) return (0, 0);
        for (uint256 k = 0; k < siblings.length; ++k) {
            Node memory sibling = siblings[k];
            bytes memory other = aggregates[k];
            if (sibling.summary.aggregate != keccak256(other)) return (0, 0);
            bool isRight = (path >> k) & 1 == 1;
            if (isRight) index += sibling.summary.leaves;
            bool fits;
            (fits, aggregate) = isRight
                ? Partials.merge(query, other, aggregate)
                : Partials.merge(query, aggregate, other);
            if (!fits) return (0, 0);
            (fits, node) = isRight ? _over(sibling, node, aggregate) : _over(node, sibling, aggregate);
            if (!fits) return (0, 0);
        }
        return (node.digestOfBuilt(), index);
    }

    function _over(
        Node memory left,
        Node memory right,
        bytes memory aggregate
    ) private pure returns (bool fits, Node memory node) {
        (fits, node.summary) = ResultTree.merge(left.summary, right.summary, keccak256(aggregate));
        node.below = ResultTree.above(left.digestOfBuilt(), right.digestOfBuilt());
    }
}
