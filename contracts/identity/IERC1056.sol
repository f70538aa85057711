// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

/// @title ERC-1056, lightweight identity: what a did:ethr resolver reads, and what a controller calls
/// @notice See https://eips.ethereum.org/EIPS/eip-1056. `previousChange` chains the events of an identity backwards from `changed`.
/// @dev Left out on purpose: the changes by signature, whose hash names no chain, so that one signature would serve on each chain where
///      the registry has this address.
interface IERC1056 {
    event DIDOwnerChanged(address indexed identity, address owner, uint256 previousChange);
    event DIDDelegateChanged(
        address indexed identity,
        bytes32 delegateType,
        address delegate,
        uint256 validTo,
        uint256 previousChange
    );
    event DIDAttributeChanged(
        address indexed identity,
        bytes32 name,
        bytes value,
        uint256 validTo,
        uint256 previousChange
    );

    /// @notice Hands the identity to another controller: a safe transfer of the token. Only its owner.
    function changeOwner(address identity, address newOwner) external;

    /// @notice Names a delegate for `validity` seconds, or for another time from now. Only the owner; a transfer ends it. At most 8 at
    ///         once; an expired one makes room. `sigAuth` is reserved for the device's own key.
    /// Errors: DeviceRegistryNotAllowed, DeviceRegistryReservedName, DeviceRegistryValidityTooLong, DeviceRegistryTooManyDelegates.
    function addDelegate(address identity, bytes32 delegateType, address delegate, uint256 validity) external;

    /// @notice Withdraws a delegate. Only the owner. Errors: DeviceRegistryNotAllowed, DeviceRegistryDelegateUnknown.
    function revokeDelegate(address identity, bytes32 delegateType, address delegate) external;

    /// @notice Publishes an attribute, such as the service `did/svc/<Type>`, for `validity` seconds. Only the owner; it stays when the
    ///         device is sold, for the next owner to revoke. `did/pub/…` is reserved for the device's own keys. Names are ASCII.
    /// Errors: DeviceRegistryNotAllowed, DeviceRegistryReservedName, DeviceRegistryValidityTooLong.
    function setAttribute(address identity, bytes32 name, bytes calldata value, uint256 validity) external;

    /// @notice Withdraws an attribute, named by its value. Only the owner. Errors: DeviceRegistryNotAllowed, DeviceRegistryReservedName.
    function revokeAttribute(address identity, bytes32 name, bytes calldata value) external;

    /// @notice The account that controls the identity. An address that was never activated controls itself; 0 means deactivated.
    function identityOwner(address identity) external view returns (address);

    /// @notice The block that holds the identity's latest ERC-1056 event; 0 if there is none.
    function changed(address identity) external view returns (uint256);

    /// @notice The nonce of signed ERC-1056 changes: always 0, there are none.
    function nonce(address identity) external view returns (uint256);

    /// @notice Whether `delegate` acts for the identity now: the device's own account key for `sigAuth`, else whom the owner has named.
    function validDelegate(address identity, bytes32 delegateType, address delegate) external view returns (bool);
}
