// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {RequestId} from "./RequestTypes.sol";

/// @title What a sink of rewards asks of a contract with results
interface IResults {
    /// @notice The latest proposal or the final result, see `IAnalytics`. What is final never changes.
    function resultOf(
        RequestId id
    ) external view returns (bool isFinal, bytes32 root, uint64 members, uint128 weight, bytes32 value);
}
