// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

/// @notice A device: the address of its secp256k1 key, or the last 20 bytes of keccak256 of its first public key of another kind.
type DeviceId is address;

/// @notice A lot of devices: keccak256(abi.encode(issuer, root)), so that two makers can't take each other's lots.
type LotId is bytes32;

/// @notice What kind of key a device holds. The number is part of the leaf in the maker's tree, so that a key of one curve can't pass
///         for one of another.
enum KeyKind {
    Secp256k1,
    P256
}

/// @notice Where a device stands. `None` is a device that was never activated: enrolled, if a lot endorses it. Nothing leads out of
///         `Retired` (the end of its life) and `Revoked` (its issuer no longer vouches for it).
enum DeviceState {
    None,
    Active,
    Suspended,
    Retired,
    Revoked
}
