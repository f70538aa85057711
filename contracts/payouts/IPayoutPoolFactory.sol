// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {IPayoutPool} from "./IPayoutPool.sol";

/// @title Makes payout pools
/// @notice Anyone may have one made, for itself as manager. Nobody has power over it afterwards but that manager.
interface IPayoutPoolFactory {
    /// @notice A pool was made for a manager.
    event PoolCreated(address indexed manager, bytes32 indexed salt, IPayoutPool pool);

    /// @notice Makes a pool whose manager is the sender. Its address follows from the manager, the salt and the period.
    /// @param period Seconds after which earnings expire.
    /// Errors: a revert without data for the same pool twice. Event: PoolCreated.
    function create(uint64 period, bytes32 salt) external returns (IPayoutPool pool);
}
