// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {LotId} from "../identity/DeviceTypes.sol";

/// @notice A request: keccak256 of the chain id, the contract and the ABI-encoded `Request`.
type RequestId is bytes32;

/// @notice What is computed. The list is the whole interface to people's data; no code of the requester runs. Aggregates are bytes, whole words
///         of 32 but for the sketches; how each looks stands in `Partials`.
enum Operation {
    Count,
    Sum,
    Mean,
    MinMax,
    Histogram,
    Distinct,
    Membership,
    Regression
}

/// @notice What a device's weight is: the number of its readings, or 1.
enum Weighting {
    Readings,
    Devices
}

/// @notice How the reward reaches the owners: claimed from the result's own tree, rolled into the payout pool, or pushed to a small group.
enum Settlement {
    Direct,
    Rolled,
    Pushed
}

/// @notice Where a request stands.
enum RequestStatus {
    None,
    Open,
    Proposed,
    Final,
    Cancelled
}

/// @notice What is asked of which readings.
/// @param schema Which readings are meant; fixes the unit and the scale of the values.
/// @param operation What is computed of them.
/// @param size Bins of a histogram (2 to 64), log2 of the registers of a distinct count (10 to 14), log2 of the bits of a filter (8 to 16); else 0.
/// @param hashes Bits that a filter sets for a value, 1 to 16; else 0.
/// @param lower Values below count as this one. Not for sketches of distinct values.
/// @param upper Values above count as this one; a histogram's bins divide [lower, upper] evenly.
/// @param from First second of the window of reading times.
/// @param to First second after the window.
/// @param anchoredBy Last second at which a reading can have come on chain to count; not before `to` - 1. Proposals come later.
/// @param cap Most readings of one device that count.
struct Query {
    bytes32 schema;
    Operation operation;
    uint8 size;
    uint8 hashes;
    int64 lower;
    int64 upper;
    uint64 from;
    uint64 to;
    uint64 anchoredBy;
    uint32 cap;
}

/// @notice Which devices are meant; zeros ask for nothing.
/// @param lot Only devices of this lot.
/// @param region Only devices in this cell, see `DeviceRegions`.
/// @param assurance The least assurance that will do.
/// @param verifier Only devices whose firmware this verifier attests.
struct Filter {
    LotId lot;
    uint64 region;
    uint8 assurance;
    address verifier;
}

/// @notice On which terms.
/// @param cohort Fewest devices that a result may speak of, at least 2.
/// @param epsilon Privacy loss of each device, in millionths; 0 asks for exact partials.
/// @param price ITC that a unit of weight earns at least; a result with more weight than the reward pays for can't be proposed.
/// @param reward ITC for the owners.
/// @param fee ITC for whoever proposes the result that stands.
/// @param bond ITC that a proposer puts down and loses for a wrong result.
/// @param deadline Last second for a proposal.
/// @param challengeWindow Seconds for which a proposal can be challenged.
/// @param weighting What the reward is divided by.
/// @param settlement How it reaches the owners.
struct Terms {
    uint64 cohort;
    uint64 epsilon;
    uint128 price;
    uint128 reward;
    uint128 fee;
    uint128 bond;
    uint64 deadline;
    uint64 challengeWindow;
    Weighting weighting;
    Settlement settlement;
}

/// @notice What a company asks for. Its hash is stored, its words are passed with each call.
/// @param requester Who pays.
/// @param salt Tells apart two requests that are otherwise alike.
/// @param purpose Hash of the terms that owners consented to.
struct Request {
    address requester;
    bytes32 salt;
    bytes32 purpose;
    Query query;
    Filter filter;
    Terms terms;
}
