// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {DeviceId} from "../identity/DeviceTypes.sol";

/// @notice What was last said: nothing (or it was taken back), yes, no.
enum Word {
    Unsaid,
    Granted,
    Refused
}

/// @notice What an owner can sign; each is a function of `IConsentRegistry` too.
enum Decision {
    Grant,
    GrantDevices,
    Revoke,
    RevokeDevices,
    UnlistDevices
}

/// @notice On which terms an owner consents.
/// @param expiry First second that isn't covered, below 2^40.
/// @param cohort Fewest devices that a result may speak of, below 2^24.
/// @param price ITC that a unit of weight must earn at least, below 2^88.
/// @param budget Privacy loss that a device may suffer by the purpose, in millionths of epsilon, below 2^32 - 1; 2^64 - 1 is without limit, and
///        the only one that allows exact partials.
struct ConsentTerms {
    uint64 expiry;
    uint64 cohort;
    uint128 price;
    uint64 budget;
}

/// @notice A decision that anyone may bring.
/// @param owner Whose it is.
/// @param decision What it is.
/// @param purpose Hash of the terms of use.
/// @param devices Which devices; none for `Grant` and `Revoke`, which are for all.
/// @param terms For a grant; else they count for nothing.
/// @param nonce At least the owner's `nonceOf`. Once it is used, no lower one counts.
/// @param deadline Last second at which it counts.
struct SignedDecision {
    address owner;
    Decision decision;
    bytes32 purpose;
    DeviceId[] devices;
    ConsentTerms terms;
    uint64 nonce;
    uint64 deadline;
}
