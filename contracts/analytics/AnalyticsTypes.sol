// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {DeviceId} from "../identity/DeviceTypes.sol";

/// @notice A request: keccak256 of the chain id, the contract and the ABI-encoded `Request`.
type RequestId is bytes32;

/// @notice What is computed. The list is the whole interface to people's data; no code of the requester runs.
enum Operation {
    Mean
}

/// @notice Where a request stands.
enum RequestStatus {
    None,
    Open,
    Proposed,
    Final,
    Cancelled
}

/// @notice What a company asks for. Its hash is stored, its words are passed with each call.
/// @param requester Who pays.
/// @param salt Tells apart two requests that are otherwise alike.
/// @param purpose Hash of the terms that owners consented to.
/// @param schema Which readings are meant; fixes the unit and the scale of the values.
/// @param operation What is computed of them.
/// @param from First second of the window of reading times.
/// @param to First second after the window.
/// @param cohort Fewest devices that a result may speak of, at least 2.
/// @param deadline Last second for a proposal.
/// @param challengeWindow Seconds for which a proposal can be challenged.
/// @param reward ITC for the owners.
/// @param bond ITC that a proposer puts down and loses for a wrong result.
struct Request {
    address requester;
    bytes32 salt;
    bytes32 purpose;
    bytes32 schema;
    Operation operation;
    uint64 from;
    uint64 to;
    uint64 cohort;
    uint64 deadline;
    uint64 challengeWindow;
    uint128 reward;
    uint128 bond;
}

/// @notice Sum of the fixed-point values, number of readings, number of devices.
struct Aggregate {
    int128 sum;
    uint64 count;
    uint64 members;
}

/// @notice A node of a result tree as its parent commits to it: its hash and its aggregate.
struct Node {
    bytes32 hash;
    Aggregate aggregate;
}

/// @notice What one device contributes, and to whose credit.
struct Leaf {
    address owner;
    DeviceId device;
    int128 sum;
    uint64 count;
}
