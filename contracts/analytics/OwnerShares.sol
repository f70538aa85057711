// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DeviceId} from "../identity/DeviceTypes.sol";
import {Node} from "./ResultTypes.sol";
import {ResultTree} from "./ResultTree.sol";
import {Holding, OwnerNodes} from "./RollTypes.sol";

/// @title What an owner earns of a result
/// @notice A result's leaves stand in the order of (owner, device), so that an owner's lie together, and the nodes above them say their weight.
library OwnerShares {
    error OwnerSharesBadNodes(uint256 nodes, uint256 places);
    error OwnerSharesBadNode(address account, uint256 index);

    /// @notice Adds the weight of more of an owner's nodes to what is known.
    /// @param root The digest of the root of the result's tree.
    /// @param known What was shown before; nodes come after its last device.
    /// Errors: OwnerSharesBadNodes (as many places as nodes), OwnerSharesBadNode (another's leaves, out of order, not in the tree),
    /// ResultTreeBadPlace.
    function weigh(
        address account,
        bytes32 root,
        OwnerNodes calldata owned,
        Holding memory known
    ) internal pure returns (Holding memory) {
        uint256 count = owned.nodes.length;
        require(owned.places.length == count, OwnerSharesBadNodes(count, owned.places.length));
        for (uint256 k = 0; k < count; ++k) {
            Node memory node = owned.nodes[k];
            bool isTheirs = node.summary.firstOwner == account && node.summary.lastOwner == account;
            require(
                isTheirs &&
                    DeviceId.unwrap(node.summary.firstDevice) > DeviceId.unwrap(known.last) &&
                    ResultTree.climb(ResultTree.digestOfBuilt(node), owned.places[k]) == root,
                OwnerSharesBadNode(account, k)
            );
            known.weight += node.summary.weight;
            known.last = node.summary.lastDevice;
        }
        return known;
    }

    /// @notice What a weight earns: floor(reward × weight / total).
    function shareOf(uint128 reward, uint128 weight, uint128 total) internal pure returns (uint256) {
        return (uint256(reward) * weight) / total;
    }
}
