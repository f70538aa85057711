// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Bytes in memory, read and written in place as words of 32
/// @notice Nothing is checked here: the caller knows that the word lies within the bytes.
library Words {
    /// @notice The k-th word, from 0.
    function read(bytes memory data, uint256 k) internal pure returns (uint256 word) {
        // Assembly: Solidity reads words of bytes by copying them all, or byte by byte, for 3,000 gas a word.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            word := mload(add(add(data, 32), shl(5, k)))
        }
    }

    /// @notice Writes the k-th word, from 0.
    function write(bytes memory data, uint256 k, uint256 word) internal pure {
        // Assembly for the same reason.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            mstore(add(add(data, 32), shl(5, k)), word)
        }
    }
}
