// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IPayoutPool} from "./IPayoutPool.sol";
import {IPayoutPoolFactory} from "./IPayoutPoolFactory.sol";
import {PayoutPool} from "./PayoutPool.sol";

/// @title Makes payout pools
/// @dev A contract of its own, since the code of a pool beside that of a roller is above EIP-170's limit.
contract PayoutPoolFactory is IPayoutPoolFactory {
    IERC20 private immutable TOKEN;

    /// @param token ITC.
    constructor(IERC20 token) {
        TOKEN = token;
    }

    /// @inheritdoc IPayoutPoolFactory
    function create(uint64 period, bytes32 salt) external returns (IPayoutPool pool) {
        bytes32 unique = keccak256(abi.encode(msg.sender, salt));
        pool = new PayoutPool{salt: unique}(TOKEN, msg.sender, period);
        emit PoolCreated(msg.sender, salt, pool);
    }
}
