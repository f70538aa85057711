// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {DeviceId} from "../identity/DeviceTypes.sol";
import {RequestId} from "./RequestTypes.sol";
import {Node, Place} from "./ResultTypes.sol";

/// @notice A result as a roll divides it.
/// @param root The digest of its tree's root.
/// @param weight What the reward is divided by.
/// @param reward ITC for its owners; the first result of a roll has the carry in it.
struct RolledResult {
    RequestId id;
    bytes32 root;
    uint128 weight;
    uint128 reward;
}

/// @notice Nodes of a result's tree below which all leaves are one owner's, in the order of the tree, none below another. They show
///         that the owner has their weight at least; 2 log n of them are all that an owner has.
struct OwnerNodes {
    Node[] nodes;
    Place[] places;
}

/// @notice What has been shown of an owner's weight in a result: so much, up to this device.
struct Holding {
    uint128 weight;
    DeviceId last;
}

/// @notice A proposed root.
/// @param demandEnd Last second in which leaves can be demanded.
/// @param challengeEnd Last second for a challenge; later than `demandEnd` once a leaf was demanded.
/// @param demands How many demands aren't answered.
/// @param leaves How many leaves the tree has.
/// @param total What all accounts have earned, in all epochs.
/// @param rewards What the roll may pay out: rewards and carry.
/// @param carry The part of `rewards` that earlier rolls left.
/// @param results keccak256 of the ABI-encoded `RolledResult[]`.
struct PendingRoll {
    address proposer;
    uint40 demandEnd;
    uint40 challengeEnd;
    uint64 leaves;
    uint128 total;
    uint32 demands;
    uint128 rewards;
    uint128 carry;
    bytes32 root;
    bytes32 results;
}

/// @notice Where the earnings from one contract with results stand.
/// @param pool Where accounts claim; 0 until it is needed.
/// @param number Of the latest roll, whatever became of it.
/// @param root Of the published tree; as `total` and `leaves`, 0 before the first.
/// @param total What all accounts have earned by it.
/// @param carry What is left for the next roll.
/// @param leaves How many leaves it has.
struct Ledger {
    address pool;
    uint64 number;
    bytes32 root;
    uint128 total;
    uint128 carry;
    uint64 leaves;
}

/// @notice Times in seconds and stakes in ITC.
/// @param claimPeriod After which rewards that aren't rolled, and earnings that aren't claimed, go back.
/// @param window For which a roll can be challenged.
/// @param answerTime In which a demanded leaf must be shown.
/// @param bond That a proposer puts down.
/// @param deposit That a demand costs if it is answered.
struct RollRules {
    uint64 claimPeriod;
    uint64 window;
    uint64 answerTime;
    uint128 bond;
    uint128 deposit;
}
