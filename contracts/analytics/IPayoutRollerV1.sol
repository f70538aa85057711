// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {Request, RequestId} from "./AnalyticsTypes.sol";

/// @title Rolls final results into the payout pool
/// @notice Anyone proposes the pool's next root, over any number of final results, with a bond; it is published after a window.
///         The rule that the root must follow: leaves of a result stand in the order of (owner, device); an owner whose readings are
///         numbers a to b of n earns floor(reward * b / n) - floor(reward * a / n). These add up to the reward, to the unit.
interface IPayoutRollerV1 {
    /// @notice A root was proposed for these results and waits until `challengeEnd`. `content` identifies its leaves.
    event RootProposed(
        uint64 indexed number,
        address indexed proposer,
        bytes32 root,
        uint256 amount,
        bytes32 content,
        uint64 challengeEnd,
        RequestId[] requests
    );
    /// @notice The root was turned down; its results can be rolled again.
    event RootRejected(uint64 indexed number);
    /// @notice The pool has the root, and `amount` ITC came in with it.
    event RootPublished(uint64 indexed number, bytes32 root, uint256 amount);

    error PayoutRollerBusy(uint64 number);
    error PayoutRollerIdle();
    error PayoutRollerNothingToRoll();
    error PayoutRollerNotFinal(RequestId id);
    error PayoutRollerRolled(RequestId id);
    error PayoutRollerWindowOpen(uint64 challengeEnd);
    error PayoutRollerWindowOver(uint64 challengeEnd);

    /// @notice Proposes the pool's next root and takes the bond (allowance needed). Anyone; one at a time.
    /// @param requests Final results not rolled yet; their rewards are the epoch's amount.
    /// @param root The whole pool's new root: what every account has earned in all epochs.
    /// Errors: PayoutRollerBusy, PayoutRollerNothingToRoll, PayoutRollerNotFinal, PayoutRollerRolled,
    /// ERC20InsufficientAllowance, ERC20InsufficientBalance. Event: RootProposed.
    function roll(Request[] calldata requests, bytes32 root, bytes32 content) external;

    /// @notice Turns the proposed root down inside its window; the bond returns. Only the guardian.
    /// Errors: PayoutRollerIdle, PayoutRollerWindowOver. Event: RootRejected.
    function reject() external;

    /// @notice Publishes the root once its window is over and returns the bond. Anyone.
    /// Errors: PayoutRollerIdle, PayoutRollerWindowOpen. Event: RootPublished.
    function publish() external;

    /// @notice The proposed root; all 0 when there is none.
    function pending()
        external
        view
        returns (uint64 number, address proposer, bytes32 root, uint256 amount, uint64 challengeEnd);

    /// @notice Whether a result is in a published root, or in the one proposed.
    function isRolled(RequestId id) external view returns (bool);

    /// @notice Where accounts claim.
    function pool() external view returns (address);
}
