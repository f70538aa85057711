// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Merkle} from "../libraries/Merkle.sol";
import {Earnings, EarningsBatch, Shown} from "./PayoutTypes.sol";

/// @title Leaves of payout trees
/// @notice A leaf is keccak256(0x00 ‖ account ‖ earned ‖ before), 53 bytes; the tree has the shape of RFC 9162, see `Merkle`.
library PayoutLeaves {
    /// @notice The hash of a leaf.
    function hashOf(address account, uint128 earned, uint128 before) internal pure returns (bytes32 hash) {
        // Assembly: 120 gas against 400 for abi.encodePacked, once for each account of a batch.
        // `MerkleReference` in mocks/ has the plain version; a fuzz test compares the two.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore8(free, 0)
            mstore(add(free, 1), shl(96, account))
            mstore(add(free, 21), or(shl(128, earned), shr(128, shl(128, before))))
            hash := keccak256(free, 53)
        }
    }

    /// @notice The root that one proof of many leaves leads to.
    function rootOf(EarningsBatch calldata batch) internal pure returns (bytes32) {
        uint256 count = batch.leaves.length;
        bytes32[] memory hashes = new bytes32[](count);
        for (uint256 k = 0; k < count; ++k) {
            Earnings calldata leaf = batch.leaves[k];
            hashes[k] = hashOf(leaf.account, leaf.earned, leaf.before);
        }
        return Merkle.climbMany(hashes, batch.places, batch.size, batch.siblings);
    }

    /// @notice Whether a leaf stands where it is said to stand in the tree of `leaves` leaves with this root.
    function isIn(Shown calldata shown, bytes32 root, uint64 leaves) internal pure returns (bool) {
        if (shown.index >= leaves) return false;
        (uint256 path, uint256 siblings) = Merkle.placeOf(shown.index, leaves);
        if (siblings != shown.siblings.length) return false;
        Earnings calldata leaf = shown.leaf;
        return Merkle.climb(hashOf(leaf.account, leaf.earned, leaf.before), path, shown.siblings) == root;
    }
}
