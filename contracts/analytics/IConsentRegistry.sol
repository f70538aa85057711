// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

/// @title What owners allow their devices' data to be used for
/// @notice A purpose is the hash of terms that a person can read. A consent covers all devices of its owner, at present and to come; a
///         device that changes hands is covered by its new owner's consents. Times are Unix seconds.
interface IConsentRegistry {
    event ConsentGranted(address indexed owner, bytes32 indexed purpose, uint64 expiry);
    event ConsentRevoked(address indexed owner, bytes32 indexed purpose);

    error ConsentRegistryExpiryPast(uint64 expiry);
    error ConsentRegistryNotGranted(address owner, bytes32 purpose);

    /// @notice Allows a purpose from this second until `expiry`. The sender's own; granting again sets another expiry from now on.
    /// Errors: ConsentRegistryExpiryPast. Event: ConsentGranted.
    function grant(bytes32 purpose, uint64 expiry) external;

    /// @notice Withdraws a consent, at once for every request to come. The sender's own.
    /// Errors: ConsentRegistryNotGranted. Event: ConsentRevoked.
    function revoke(bytes32 purpose) external;

    /// @notice The latest consent of an owner to a purpose; all 0 if there was none. `revokedAt` is 0 while it stands.
    function consentOf(
        address owner,
        bytes32 purpose
    ) external view returns (uint64 grantedAt, uint64 expiry, uint64 revokedAt);

    /// @notice Whether the owner's consent, as it stood in the second `time`, covered it. What is past stays as it was, whatever the owner
    ///         grants or revokes later.
    function isGranted(address owner, bytes32 purpose, uint64 time) external view returns (bool);
}
