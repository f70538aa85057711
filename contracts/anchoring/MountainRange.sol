// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Merkle} from "../libraries/Merkle.sol";

/// @title Append-only Merkle Mountain Range
/// @notice A log of n leaves is kept as one perfect tree for each bit of n. Appending writes one peak, whatever n is. Joined from
///         the right, the peaks give the root that RFC 9162 defines for a tree of n leaves.
library MountainRange {
    /// @dev `size` and `time` share a slot. A peak at a height whose bit in `size` is 0 is stale and never read.
    struct Log {
        uint64 size;
        uint64 time;
        bytes32[64] peaks;
    }

    /// @notice Adds a leaf. Reads one peak for each trailing 1 bit of the size, one on average.
    function append(Log storage log, uint64 size, bytes32 leaf) internal {
        uint256 height = 0;
        bytes32 peak = leaf;
        for (uint256 rest = size; rest & 1 == 1; rest >>= 1) {
            peak = Merkle.node(log.peaks[height], peak);
            ++height;
        }
        log.peaks[height] = peak;
        log.size = size + 1;
        log.time = uint64(block.timestamp);
    }

    /// @notice Whether `leaf` stands at `index`. `proof` are the siblings up to the peak that covers the index today.
    function includes(
        Log storage log,
        uint64 index,
        bytes32 leaf,
        bytes32[] calldata proof
    ) internal view returns (bool) {
        uint256 size = log.size;
        if (index >= size) return false;
        // The mountain that holds `index` belongs to the highest bit in which the index and the size differ.
        uint256 height = Math.log2(index ^ size);
        if (proof.length != height) return false;
        return Merkle.climb(leaf, index & ((1 << height) - 1), proof) == log.peaks[height];
    }

    /// @notice The root over all leaves; 0 for an empty log.
    function root(Log storage log) internal view returns (bytes32 hash) {
        uint256 height = 0;
        for (uint256 rest = log.size; rest != 0; rest >>= 1) {
            if (rest & 1 == 1) hash = hash == 0 ? log.peaks[height] : Merkle.node(log.peaks[height], hash);
            ++height;
        }
    }
}
