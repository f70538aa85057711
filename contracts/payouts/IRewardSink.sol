// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

/// @title Where the reward of a final result goes
/// @notice A contract with results first sends the ITC, then says what it is for. Whoever calls speaks for results of its own only: what a sink
///         pays out for them never exceeds what came in for them.
interface IRewardSink {
    /// @notice `reward` ITC have come in for the result `id` of the sender.
    /// @param requester Who paid; what owners don't claim in time goes back there.
    function fund(bytes32 id, address requester, uint128 reward) external;
}
