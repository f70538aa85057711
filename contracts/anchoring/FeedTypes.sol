// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {DeviceId} from "../identity/DeviceTypes.sol";

/// @notice What a feed is, fixed when it is created.
/// @param sources The devices whose values count: 1 to 16, none twice.
/// @param gateway An account that is believed without the devices' signatures; 0 for none.
/// @param schema What a reading must be of: the `schema` that the devices sign.
/// @param decimals Of the fixed-point values.
/// @param quorum How many fresh values it takes to make a round.
/// @param level The least assurance of a device, see `IAttestations.relianceOn`; 0 for any.
/// @param ring How many recent rounds are kept.
/// @param maxAge Seconds after which a value no longer counts.
/// @param maxAhead Seconds that a device's clock may be ahead of the chain's.
/// @param minimum The least value that is taken.
/// @param maximum The greatest.
/// @param verifier Whose attestation of the device must be good; 0 asks for none.
/// @param description For people.
struct FeedConfig {
    DeviceId[] sources;
    address gateway;
    bytes32 schema;
    uint8 decimals;
    uint8 quorum;
    uint8 level;
    uint16 ring;
    uint32 maxAge;
    uint32 maxAhead;
    int128 minimum;
    int128 maximum;
    address verifier;
    string description;
}
