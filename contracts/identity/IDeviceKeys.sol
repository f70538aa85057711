// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {DeviceId, KeyKind} from "./DeviceTypes.sol";

/// @title The keys of devices: replacing, recovering, revoking them, and what two signatures of one key can prove
/// @notice A key is an ERC-7913 signer: the 20 bytes of a secp256k1 account, or `verifier ‖ key`. The registry keeps nothing while a
///         device's first key holds, since the id commits to it, and the hash of the signer from then on; callers bring the signer.
///         secp256k1 signatures are 65 bytes r ‖ s ‖ v, P-256 ones 64 bytes r ‖ s, both with s in the lower half; others as their verifier
///         takes them. A key that was replaced or revoked counts for nothing from that transaction on.
/// @dev Key changes show in the DID document, so their events are those of ERC-1056. Where another event names a device, it is topic 2: a
///      did:ethr resolver reads every event that has the device in topic 1.
interface IDeviceKeys {
    /// @notice Devices may hold keys of one more kind: those that `verifier` judges, shown in DID documents as `multicodec ‖ key`.
    event KeyKindAdded(KeyKind indexed kind, address indexed verifier, bytes multicodec);
    /// @notice The owner wants the device to have another key; anyone can complete it from `readyAt` on, unless it is cancelled.
    event RecoveryRequested(address indexed owner, DeviceId indexed device, bytes signer, uint64 readyAt);
    /// @notice The wish was withdrawn by the owner, or turned down by the issuer or the device.
    event RecoveryCancelled(address indexed by, DeviceId indexed device);
    /// @notice The device signed two readings with one sequence number. Its key is void and its bond gone: `reward` to the prover, the rest
    ///         to the pool.
    event EquivocationProved(
        address indexed prover,
        DeviceId indexed device,
        uint64 sequence,
        bytes32 first,
        bytes32 second,
        uint256 reward,
        uint256 bond
    );

    error DeviceKeysUnknownKind(bytes signer);
    error DeviceKeysKindKnown(address verifier, KeyKind kind);
    error DeviceKeysInvalidKind(address verifier, bytes multicodec);
    error DeviceKeysNotTheKey(DeviceId device, bytes signer);
    error DeviceKeysSameKey(DeviceId device);
    error DeviceKeysVoidKey(DeviceId device, bytes signer);
    error DeviceKeysInvalidSignature(DeviceId device, bytes signer);
    error DeviceKeysExpired(uint64 deadline);
    error DeviceKeysNoRecovery(DeviceId device);
    error DeviceKeysRecoveryNotReady(DeviceId device, uint64 readyAt);
    error DeviceKeysNotContradictory(DeviceId device, uint64 sequence);
    error DeviceKeysNothingAtStake(DeviceId device);

    /// @notice Adds a kind of key. Only the registrar. It can't be taken back, and changes no device that exists.
    /// @param verifier A stateless ERC-7913 verifier. Hazard: who picks a key of this kind trusts its code.
    /// @param multicodec What stands before the key in a W3C Multikey: 1 to 8 bytes, the varint of the multicodec.
    /// Errors: DeviceKeysKindKnown, DeviceKeysInvalidKind. Event: KeyKindAdded.
    function addKeyKind(address verifier, bytes calldata multicodec) external returns (KeyKind kind);

    /// @notice Replaces the key of an active device by the word of both keys, sent by anyone. Its assurance falls to 0, for its issuer has
    ///         said nothing of this key.
    /// @param signer The present key, as an ERC-7913 signer.
    /// @param newSigner The next one.
    /// @param deadline Last second at which the signatures count.
    /// @param signature The present key's, over `keyChangeDigest(device, newSigner, deadline)`.
    /// @param newSignature The new key's, over the same (proof of possession).
    /// Errors: DeviceKeysExpired, DeviceRegistryWrongState, DeviceKeysUnknownKind, DeviceKeysSameKey, DeviceKeysVoidKey,
    /// DeviceKeysNotTheKey, DeviceKeysInvalidSignature. Events: DIDDelegateChanged or DIDAttributeChanged, twice; AssuranceStated if it fell.
    function rotateKey(
        DeviceId device,
        bytes calldata signer,
        bytes calldata newSigner,
        uint64 deadline,
        bytes calldata signature,
        bytes calldata newSignature
    ) external;

    /// @notice Voids the present key at once, for a key that is lost or stolen. Only the owner or the issuer. The device is suspended until a
    ///         recovery gives it another; this one it can't have again.
    /// @param signer The present key, so that the DID document can lose it.
    /// Errors: DeviceRegistryWrongState, DeviceRegistryNotAllowed, DeviceKeysNotTheKey.
    /// Events: DIDDelegateChanged or DIDAttributeChanged, DeviceSuspended.
    function revokeKey(DeviceId device, bytes calldata signer) external;

    /// @notice Asks for another key without the present one. Only the owner of an active or suspended device. It takes `recoveryDelay()`, in which
    ///         the device or the issuer can turn it down. A new request replaces an earlier one; a transfer or a key change voids it.
    /// @dev Left out on purpose: a veto of a key that the owner has revoked. A stolen key could block its own end for ever; the issuer's
    ///      veto remains.
    /// @param newSignature The new key's, over `keyChangeDigest(device, newSigner, deadline)`.
    /// Errors: DeviceKeysExpired, DeviceRegistryWrongState, DeviceRegistryNotAllowed, DeviceKeysUnknownKind, DeviceKeysSameKey,
    /// DeviceKeysVoidKey, DeviceKeysInvalidSignature. Event: RecoveryRequested.
    function requestRecovery(
        DeviceId device,
        bytes calldata newSigner,
        uint64 deadline,
        bytes calldata newSignature
    ) external;

    /// @notice Turns a recovery down: the owner or the issuer by sending it, anyone with the device's signature.
    /// @param signer The present key; empty if the sender is the owner or the issuer.
    /// @param signature The device's, over `cancelRecoveryDigest(device)`; empty likewise.
    /// Errors: DeviceKeysNoRecovery, DeviceKeysNotTheKey, DeviceKeysInvalidSignature. Event: RecoveryCancelled.
    function cancelRecovery(DeviceId device, bytes calldata signer, bytes calldata signature) external;

    /// @notice Gives the device the key of a recovery whose time has come. Anyone may send it. Its assurance falls to 0, for its issuer has
    ///         said nothing of this key.
    /// @param signer The present key, so that the DID document can lose it; ignored if there is none.
    /// @param newSigner The key that was asked for.
    /// @param readyAt From the event RecoveryRequested.
    /// Errors: DeviceRegistryWrongState, DeviceKeysNoRecovery, DeviceKeysRecoveryNotReady, DeviceKeysNotTheKey.
    /// Events: DIDDelegateChanged or DIDAttributeChanged, once or twice; AssuranceStated; DeviceResumed if nothing else holds it.
    function completeRecovery(
        DeviceId device,
        bytes calldata signer,
        bytes calldata newSigner,
        uint64 readyAt
    ) external;

    /// @notice Proves that a device signed two readings of one sequence number that differ in schema or content. Anyone may, and earns half of
    ///         the bond. The device's key is void from then on, so a contradiction is proved once.
    /// @dev Readings that differ in time alone don't count: an honest resend may be stamped anew. Hazard: the proof can be copied by a
    ///      faster sender. Devices that are active, suspended or retired answer for it as long as the bond is there.
    /// @param signer The present key.
    /// @param sequence The number that both have.
    /// @param times Unix seconds, of the first and of the second.
    /// @param schemas Likewise.
    /// @param contents Likewise.
    /// @param signatures Likewise, over `readingDigest`.
    /// Errors: DeviceKeysNotContradictory, DeviceRegistryWrongState, DeviceKeysNothingAtStake, DeviceKeysNotTheKey,
    /// DeviceKeysInvalidSignature. Events: EquivocationProved, DIDDelegateChanged or DIDAttributeChanged, DeviceSuspended.
    function proveEquivocation(
        DeviceId device,
        bytes calldata signer,
        uint64 sequence,
        uint64[2] calldata times,
        bytes32[2] calldata schemas,
        bytes32[2] calldata contents,
        bytes[2] calldata signatures
    ) external;

    /// @notice Whether `signature` over `digest` is by the present key of an active device.
    /// @param signer The ERC-7913 signer; one that isn't the device's makes the answer false.
    function isSignedByDevice(
        DeviceId device,
        bytes32 digest,
        bytes calldata signer,
        bytes calldata signature
    ) external view returns (bool);

    /// @notice The 32 bytes that a device signs for a reading (EIP-712: Reading(device, sequence, time, schema, content)).
    function readingDigest(
        DeviceId device,
        uint64 sequence,
        uint64 time,
        bytes32 schema,
        bytes32 content
    ) external view returns (bytes32);

    /// @notice The 32 bytes that both keys sign for a change (EIP-712: KeyChange(device, signer, nonce, deadline), where signer is
    ///         keccak256 of the new ERC-7913 signer and nonce the number of events about keys since activation: two more with each rotation).
    function keyChangeDigest(
        DeviceId device,
        bytes calldata newSigner,
        uint64 deadline
    ) external view returns (bytes32);

    /// @notice The 32 bytes that a device signs to turn the pending recovery down (EIP-712: RecoveryVeto(device, recovery)).
    function cancelRecoveryDigest(DeviceId device) external view returns (bytes32);

    /// @notice The present key of a device.
    /// @return signer The first 30 bytes of keccak256 of the ERC-7913 signer; 0 while the first key holds, and if none does.
    /// @return number Which of the device's `#delegate-N` shows it in the DID document; 0 if none holds.
    function keyOf(DeviceId device) external view returns (bytes30 signer, uint16 number);

    /// @notice The verifier of a kind of key, and what stands before such a key in a Multikey. 0 and empty for secp256k1.
    function keyKindOf(KeyKind kind) external view returns (address verifier, bytes memory multicodec);

    /// @notice The ERC-7913 verifier that signers of P-256 devices begin with.
    function p256Verifier() external view returns (address);

    /// @notice Seconds that a recovery takes.
    function recoveryDelay() external view returns (uint64);
}
