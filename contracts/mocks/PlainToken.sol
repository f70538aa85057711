// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice OpenZeppelin's ERC-20 and nothing else, to measure ITC beside.
contract PlainToken is ERC20 {
    constructor(address holder) ERC20("Plain", "PLAIN") {
        _mint(holder, 1_000_000 ether);
    }
}
