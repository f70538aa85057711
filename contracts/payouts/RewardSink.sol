// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IRewardSink} from "./IRewardSink.sol";

/// @title What all sinks have in common: who paid what for which result, and what is owed
/// @dev Any contract may fund results, false ones too. `_owed` is why it can't spend the money of another: it must have sent what it funds.
abstract contract RewardSink is IRewardSink {
    /// @dev Two slots.
    /// @param use What the sink is doing with it, in numbers of its own; 0 is nothing.
    struct Reward {
        address requester;
        uint40 fundedAt;
        uint56 use;
        uint128 amount;
        uint128 left;
    }

    IERC20 internal immutable TOKEN;
    uint64 internal immutable CLAIM_PERIOD;

    mapping(address analytics => mapping(bytes32 id => Reward)) internal _rewards;
    uint256 private _owed;

    constructor(IERC20 token, uint64 period) {
        TOKEN = token;
        CLAIM_PERIOD = period;
    }

    /// @inheritdoc IRewardSink
    function fund(bytes32 id, address requester, uint128 reward) external {
        // Checks
        Reward storage funded = _rewards[msg.sender][id];
        require(funded.fundedAt == 0, RewardSinkFunded(msg.sender, id));
        uint256 needed = _owed + reward;
        uint256 balance = TOKEN.balanceOf(address(this));
        require(balance >= needed, RewardSinkNotPaid(balance, needed));

        // Effects
        _owed = needed;
        (funded.requester, funded.fundedAt) = (requester, uint40(block.timestamp));
        (funded.amount, funded.left) = (reward, reward);
        emit RewardFunded(msg.sender, id, requester, reward);
    }

    /// @inheritdoc IRewardSink
    function sweep(address analytics, bytes32 id) external {
        // Checks
        Reward storage funded = _rewards[analytics][id];
        (address requester, uint128 left) = (funded.requester, funded.left);
        require(left != 0, RewardSinkNothingLeft(analytics, id));
        uint64 until = funded.fundedAt + CLAIM_PERIOD;
        require(block.timestamp > until, RewardSinkTooEarly(until));
        require(!_isBusy(analytics, id), RewardSinkBusy(analytics, id));

        // Effects
        funded.left = 0;
        emit RewardReturned(analytics, id, requester, left);

        // Interactions
        _send(requester, left);
    }

    /// @inheritdoc IRewardSink
    function rewardOf(
        address analytics,
        bytes32 id
    ) external view returns (address requester, uint128 reward, uint128 left, uint64 fundedAt) {
        Reward storage funded = _rewards[analytics][id];
        return (funded.requester, funded.amount, funded.left, funded.fundedAt);
    }

    /// @inheritdoc IRewardSink
    function owed() external view returns (uint256) {
        return _owed;
    }

    /// @inheritdoc IRewardSink
    function claimPeriod() external view returns (uint64) {
        return CLAIM_PERIOD;
    }

    /// @dev Takes ITC from an account (allowance needed) and owes it from now on. ITC reverts, it never returns false.
    function _collect(address from, uint256 amount) internal {
        _owed += amount;
        TOKEN.transferFrom(from, address(this), amount);
    }

    /// @dev Sends ITC that is owed.
    function _send(address to, uint256 amount) internal {
        _release(amount);
        TOKEN.transfer(to, amount);
    }

    /// @dev ITC that has come in already is owed from now on.
    function _owe(uint256 amount) internal {
        _owed += amount;
    }

    /// @dev ITC that somebody is about to take is owed no longer.
    function _release(uint256 amount) internal {
        _owed -= amount;
    }

    /// @dev Whether the sink is about to pay a reward, so that it must not go back.
    function _isBusy(address, bytes32) internal view virtual returns (bool) {
        return false;
    }
}
