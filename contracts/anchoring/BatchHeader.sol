// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What a log holds for a batch
/// @notice The EIP-712 struct hash of the batch's header: root and number of its readings, the times that they cover, what they mean, and a
///         commitment to their values (0 for none).
library BatchHeader {
    bytes32 private constant TYPEHASH = keccak256(
        "Batch(bytes32 root,uint64 count,uint64 first,uint64 last,bytes32 schema,bytes32 values)"
    );

    /// @notice The entry of a batch.
    function entryOf(
        bytes32 root,
        uint64 count,
        uint64 first,
        uint64 last,
        bytes32 schema,
        bytes32 values
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(TYPEHASH, root, count, first, last, schema, values));
    }
}
