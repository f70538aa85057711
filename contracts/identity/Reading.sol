// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DeviceId} from "./DeviceTypes.sol";

/// @title The EIP-712 struct that a device signs for each reading
/// @dev Five static words, so that firmware can hash it without an ABI encoder. The domain is the registry's: a device knows one
///      address, and the registry judges two readings of one sequence number.
library Reading {
    bytes32 internal constant TYPEHASH = keccak256(
        "Reading(address device,uint64 sequence,uint64 time,bytes32 schema,bytes32 content)"
    );

    function hash(
        DeviceId device,
        uint64 sequence,
        uint64 time,
        bytes32 schema,
        bytes32 content
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(TYPEHASH, device, sequence, time, schema, content));
    }
}
