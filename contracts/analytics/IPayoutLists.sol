// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {IResults} from "./IResults.sol";
import {RequestId} from "./RequestTypes.sol";
import {OwnerNodes} from "./RollTypes.sol";

/// @title Rewards pushed to the owners of small groups
/// @notice Anyone proposes the list of who gets what of a result, with a bond; it is paid after a window. The rule: each owner earns
///         floor(reward × weight / total weight). A list is words of 32 bytes, account (20) ‖ ITC (12, 18 decimals), accounts ascending.
///         It comes with the proposal, so that it is there to be checked, and order and sum are looked at then and there. What is left to
///         challenge is an owner who gets too little. Nobody can get more than a rounding rest too much: the sum isn't above the reward, and
///         where all others have their share, what is left is less than a unit for each of them.
/// @dev A list is proposed over results whose contract the proposer trusts to be sound: in a tree whose nodes say more than their leaves, any
///      list falls.
interface IPayoutLists {
    /// @notice A list was proposed and waits until `challengeEnd`.
    event ListProposed(
        address indexed analytics,
        RequestId indexed id,
        address indexed proposer,
        bytes32 hash,
        uint256 count,
        uint256 sum,
        uint64 challengeEnd
    );
    /// @notice The list was wrong: half the bond went to `challenger`, half into the reward, and another can be proposed.
    event ListRejected(address indexed analytics, RequestId indexed id, address indexed challenger);
    /// @notice All on the list were paid; what was left of the reward went back to the requester.
    event ListPushed(address indexed analytics, RequestId indexed id, uint256 count, uint256 sum);

    error PayoutListsBusy(RequestId id);
    error PayoutListsIdle(RequestId id);
    error PayoutListsNoReward(RequestId id);
    error PayoutListsNotFinal(RequestId id);
    error PayoutListsBadLength(uint256 count);
    error PayoutListsOutOfOrder(uint256 index);
    error PayoutListsTooMuch(uint256 sum, uint256 reward);
    error PayoutListsWrongList(RequestId id);
    error PayoutListsPaidEnough(address account, uint256 granted, uint256 share);
    error PayoutListsWindowOpen(uint64 challengeEnd);
    error PayoutListsWindowOver(uint64 challengeEnd);

    /// @notice Proposes who gets what of a final result and takes the bond (allowance needed). Anyone; one at a time for each result.
    /// @param words The list, 1 to 500 words.
    /// Errors: PayoutListsBusy, PayoutListsNoReward (none came in, or it is gone), PayoutListsNotFinal, PayoutListsBadLength,
    /// PayoutListsOutOfOrder (a doubled account and account 0 too), PayoutListsTooMuch, ERC20InsufficientAllowance,
    /// ERC20InsufficientBalance. Event: ListProposed.
    function rollList(IResults analytics, RequestId id, bytes32[] calldata words) external;

    /// @notice Takes a list down that grants an account too little: shows nodes of the result's tree whose leaves are all the account's, and
    ///         whose weight earns more. Anyone, inside the window.
    /// Errors: PayoutListsIdle, PayoutListsWindowOver, PayoutListsWrongList, PayoutListsPaidEnough, OwnerSharesBadNodes,
    /// OwnerSharesBadNode, ResultTreeBadPlace. Event: ListRejected.
    function challengeList(
        IResults analytics,
        RequestId id,
        bytes32[] calldata words,
        address account,
        OwnerNodes calldata owned
    ) external;

    /// @notice Pays all on the list, returns the rest to the requester and the bond to the proposer. Anyone, after the window.
    /// @dev ITC calls nobody, so no receiver can block the others.
    /// Errors: PayoutListsIdle, PayoutListsWindowOpen, PayoutListsWrongList. Events: ListPushed, ITC's Transfer for each.
    function push(IResults analytics, RequestId id, bytes32[] calldata words) external;

    /// @notice The list that waits; all 0 if there is none.
    function listOf(
        address analytics,
        RequestId id
    ) external view returns (address proposer, uint64 challengeEnd, bytes32 hash);

    /// @notice ITC that a proposer puts down.
    function bond() external view returns (uint128);
}
