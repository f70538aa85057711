// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @notice Transfers in a loop, from two arrays, with no list to check: what a bench sets `PayoutLists.push` beside.
contract PlainLoop {
    function pay(IERC20 token, address[] calldata accounts, uint256[] calldata amounts) external {
        for (uint256 k = 0; k < accounts.length; ++k) token.transfer(accounts[k], amounts[k]);
    }
}
