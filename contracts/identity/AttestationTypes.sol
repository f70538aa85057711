// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

/// @notice Why a device can't be relied on, in the order in which it is looked for: the first that holds is the answer.
///         `Warning` is the last, so that it says: nothing but the warning stands against the device.
enum Obstacle {
    None,
    DeviceUnknown,
    DeviceSuspended,
    DeviceRetired,
    DeviceRevoked,
    IssuerRevoked,
    AssuranceTooLow,
    NotAttested,
    ProofInvalid,
    Expired,
    RecalledByVerifier,
    RecalledByIssuer,
    Contraindicated,
    Warning
}

/// @notice The trust tiers of attestation results, with the numbers that they have in AR4SI and EAR (claim `ear_status`): the verifier
///         makes no assertion; it affirms; it has concerns; it has found the device not to be trusted.
library TrustTier {
    uint8 internal constant NONE = 0;
    uint8 internal constant AFFIRMING = 2;
    uint8 internal constant WARNING = 32;
    uint8 internal constant CONTRAINDICATED = 96;
}
