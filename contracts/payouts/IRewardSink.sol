// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

/// @title Where the reward of a final result goes
/// @notice A contract with results first sends the ITC, then says what it is for. Whoever calls speaks for results of its own only: what a sink
///         pays out for them never exceeds what came in for them.
interface IRewardSink {
    /// @notice The reward of a result has come in.
    event RewardFunded(address indexed analytics, bytes32 indexed id, address indexed requester, uint256 reward);
    /// @notice What was left of a reward went back to who had paid it.
    event RewardReturned(address indexed analytics, bytes32 indexed id, address indexed requester, uint256 amount);

    error RewardSinkFunded(address analytics, bytes32 id);
    error RewardSinkNotPaid(uint256 balance, uint256 needed);
    error RewardSinkTooEarly(uint64 until);
    error RewardSinkBusy(address analytics, bytes32 id);
    error RewardSinkNothingLeft(address analytics, bytes32 id);

    /// @notice `reward` ITC have come in for the result `id` of the sender, which is final. Once for each result.
    /// @param requester Who paid; what owners don't claim in time goes back there.
    /// Errors: RewardSinkFunded, RewardSinkNotPaid (the sink holds less than it owes to all). Event: RewardFunded.
    function fund(bytes32 id, address requester, uint128 reward) external;

    /// @notice Returns what is left of a reward to its requester, `claimPeriod()` after it came in. Anyone.
    /// Errors: RewardSinkNothingLeft, RewardSinkTooEarly, RewardSinkBusy (the sink is about to pay it). Event: RewardReturned.
    function sweep(address analytics, bytes32 id) external;

    /// @notice What came in for a result, what is left of it here, and when it came; all 0 if nothing did.
    function rewardOf(
        address analytics,
        bytes32 id
    ) external view returns (address requester, uint128 reward, uint128 left, uint64 fundedAt);

    /// @notice ITC that the sink owes to all together; what it holds beyond was sent here by mistake.
    function owed() external view returns (uint256);

    /// @notice Seconds after which unclaimed money goes back.
    function claimPeriod() external view returns (uint64);
}
