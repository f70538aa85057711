// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";

/// @title The one place that says who may administer
/// @notice OpenZeppelin's AccessManager as it is: roles, delays, guardians. docs/security.md lists the roles that this project uses
///         and what each of them can and can't do; deploy/06-roles.ts sets them up.
contract Authority is AccessManager {
    /// @param admin Holds the admin role (0); on a public network a timelock or a multisig.
    constructor(address admin) AccessManager(admin) {}
}
