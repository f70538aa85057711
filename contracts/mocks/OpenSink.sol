// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRewardSink} from "../payouts/IRewardSink.sol";

/// @notice A sink that takes every reward and pays nobody.
contract OpenSink is IRewardSink {
    event Funded(bytes32 indexed id, address requester, uint128 reward);

    /// @inheritdoc IRewardSink
    function fund(bytes32 id, address requester, uint128 reward) external {
        emit Funded(id, requester, reward);
    }
}
