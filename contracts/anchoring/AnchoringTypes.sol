// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {DeviceId} from "../identity/DeviceTypes.sol";

/// @notice What a device says of one reading: the EIP-712 struct `Reading`. `time` is in Unix seconds.
struct ReadingFields {
    DeviceId device;
    uint64 sequence;
    uint64 time;
    bytes32 schema;
    bytes32 content;
}

/// @notice Where a reading is in a log.
/// @param publisher Whose log.
/// @param index The entry's position.
/// @param entryTime When the entry came, Unix seconds.
/// @param count How many readings the batch has; 0 where the entry is the reading's own digest, without a batch.
/// @param first Time of the batch's earliest reading.
/// @param last Time of its latest.
/// @param path Which side each sibling in the batch is on, see `Merkle.climb`.
/// @param values Commitment to the batch's values, see `IPartialVerifier`; 0 where it has none.
/// @param batchSiblings From the reading's leaf up to the batch's root.
/// @param logSiblings From the entry's leaf up to its peak in the log as it is now.
struct ReadingPlace {
    address publisher;
    uint64 index;
    uint64 entryTime;
    uint64 count;
    uint64 first;
    uint64 last;
    uint256 path;
    bytes32 values;
    bytes32[] batchSiblings;
    bytes32[] logSiblings;
}
