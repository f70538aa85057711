// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";

/// @title ITC, the token of the machines
/// @notice ERC-20 with EIP-2612 permits and EIP-3009 authorisations. The whole supply is minted once, here.
/// @dev Left out on purpose: mint, burn, pause, owner, upgrade. Nobody can change a balance but its holder.
///      EIP-3009 takes random nonces (not OpenZeppelin's sequential variant), which x402 clients need.
contract ITC is ERC20Permit, ERC3009 {
    /// @notice 100,000,000 ITC of 18 decimals, fixed for good.
    uint256 public constant TOTAL_SUPPLY = 100_000_000 ether;

    /// @param holder Receives the whole supply.
    constructor(address holder) ERC20("IoT Chain", "ITC") ERC20Permit("IoT Chain") {
        _mint(holder, TOTAL_SUPPLY);
    }
}
