// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MountainRange} from "../anchoring/MountainRange.sol";
import {Merkle} from "../libraries/Merkle.sol";
import {PayoutLeaves} from "../payouts/PayoutLeaves.sol";

/// @notice `Merkle` beside the same in plain Solidity, for a fuzz test to compare.
contract MerkleReference {
    function node(bytes32 left, bytes32 right) external pure returns (bytes32 fast, bytes32 plain) {
        return (Merkle.node(left, right), _node(left, right));
    }

    function entryLeaf(bytes32 entry, uint64 time) external pure returns (bytes32 fast, bytes32 plain) {
        return (MountainRange.leafOf(entry, time), keccak256(abi.encodePacked(bytes1(0x00), entry, time)));
    }

    function payoutLeaf(
        address account,
        uint128 earned,
        uint128 before
    ) external pure returns (bytes32 fast, bytes32 plain) {
        plain = keccak256(abi.encodePacked(bytes1(0x00), account, earned, before));
        return (PayoutLeaves.hashOf(account, earned, before), plain);
    }

    /// @return fast The library's root.
    /// @return plain The reference's.
    /// @return intact Whether memory that was written before and after the call is as it was written.
    function climb(
        bytes32 hash,
        uint256 path,
        bytes32[] calldata siblings
    ) external pure returns (bytes32 fast, bytes32 plain, bool intact) {
        bytes memory before = abi.encode(hash, path);
        bytes32 seal = keccak256(before);
        fast = Merkle.climb(hash, path, siblings);
        bytes memory later = abi.encode(path, hash);
        plain = hash;
        for (uint256 k = 0; k < siblings.length; ++k) {
            plain = (path >> k) & 1 == 1 ? _node(siblings[k], plain) : _node(plain, siblings[k]);
        }
        intact = keccak256(before) == seal && keccak256(later) == keccak256(abi.encode(path, hash));
    }

    /// @notice The library's root of many leaves; a test has the plain version.
    /// @return fast The root.
    /// @return intact Whether memory that was written before and after the call is as it was written.
    function climbMany(
        bytes32[] memory hashes,
        uint256[] memory places,
        uint256 leaves,
        bytes32[] calldata siblings
    ) external pure returns (bytes32 fast, bool intact) {
        bytes memory before = abi.encode(leaves, siblings);
        bytes32 seal = keccak256(before);
        fast = Merkle.climbMany(hashes, places, leaves, siblings);
        bytes memory later = abi.encode(siblings, leaves);
        intact = keccak256(before) == seal && keccak256(later) == keccak256(abi.encode(siblings, leaves));
    }

    function placeOf(uint256 index, uint256 leaves) external pure returns (uint256 path, uint256 siblings) {
        return Merkle.placeOf(index, leaves);
    }

    function _node(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x01), left, right));
    }
}
