// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

/// @notice A device: the address of its first key if that is secp256k1, else the last 20 bytes of keccak256 of that key. It stays the
///         same when the key is replaced.
type DeviceId is address;

/// @notice A lot of devices: keccak256(abi.encode(issuer, root)), so that two makers can't take each other's lots.
type LotId is bytes32;

/// @notice What kind of key a device holds: 0 secp256k1, 1 P-256, 2 RSA-2048, 3 an ERC-1271 contract, 4 and up as the registrar has added
///         them. The number is part of the leaf in the maker's tree, so that a key of one kind can't pass for one of another.
type KeyKind is uint8;

/// @notice Where a device stands. `None` is a device that was never activated: enrolled, if a lot endorses it. Nothing leads out of
///         `Retired` (the end of its life) and `Revoked` (its issuer no longer vouches for it).
enum DeviceState {
    None,
    Active,
    Suspended,
    Retired,
    Revoked
}

/// @notice Why a device is suspended, as bits of one number; it is active again when all are gone.
library Holds {
    /// @notice Its owner said so.
    uint8 internal constant OWNER = 1;
    /// @notice Its issuer said so.
    uint8 internal constant ISSUER = 2;
    /// @notice It contradicted itself and lost its bond.
    uint8 internal constant FAULT = 4;
    /// @notice Its key was revoked and no other holds.
    uint8 internal constant KEYLESS = 8;
}
