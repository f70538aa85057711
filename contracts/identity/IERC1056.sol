// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

/// @title ERC-1056, lightweight identity: what a did:ethr resolver reads
/// @notice See https://eips.ethereum.org/EIPS/eip-1056. `previousChange` chains the events of an identity backwards from `changed`.
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

    /// @notice The account that controls the identity. An address that was never activated controls itself; 0 means deactivated.
    function identityOwner(address identity) external view returns (address);

    /// @notice The block that holds the identity's latest ERC-1056 event; 0 if there is none.
    function changed(address identity) external view returns (uint256);

    /// @notice The nonce of signed ERC-1056 changes.
    function nonce(address identity) external view returns (uint256);

    /// @notice Whether `delegate` acts for the identity now.
    function validDelegate(address identity, bytes32 delegateType, address delegate) external view returns (bool);
}
