// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Role ids of the Authority
/// @dev Numbers, once used on a public network, never change their meaning.
library Roles {
    /// @notice Registers and revokes issuers (device makers).
    uint64 internal constant REGISTRAR = 1;

    /// @notice Sets the least bond a device for lots to come.
    uint64 internal constant TREASURER = 2;

    /// @notice Turns down a proposed result or payout root inside its challenge window. Can't take a bond or a reward.
    uint64 internal constant GUARDIAN = 3;
}
