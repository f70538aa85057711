// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Merkle} from "../libraries/Merkle.sol";

/// @title The proof that many devices are of one lot
/// @dev Linked, to keep the registry below the size that a contract may have.
library LotProofs {
    /// @notice See `Merkle.climbMany`.
    function rootOf(
        bytes32[] memory hashes,
        uint256[] memory places,
        uint256 leaves,
        bytes32[] calldata siblings
    ) external pure returns (bytes32) {
        return Merkle.climbMany(hashes, places, leaves, siblings);
    }
}
