// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {DeviceSigner} from "./DeviceSigner.sol";
import {DeviceStore} from "./DeviceStore.sol";
import {DeviceId, DeviceState, KeyKind, LotId} from "./DeviceTypes.sol";
import {IDeviceKeys} from "./IDeviceKeys.sol";
import {KeyBook} from "./KeyBook.sol";
import {KeyCare} from "./KeyCare.sol";
import {KeyKinds} from "./KeyKinds.sol";
import {Reading} from "./Reading.sol";

/// @title The registry's care of device keys
/// @dev What devices and gateways call often is here; the rest goes to the library `KeyCare`.
abstract contract DeviceKeys is IDeviceKeys, EIP712 {
    address private immutable P256_VERIFIER;
    uint64 private immutable RECOVERY_DELAY;

    /// @param verifiers The ERC-7913 verifiers of P-256, of RSA-2048 and of ERC-1271 contracts.
    /// @param delay Seconds that a recovery takes.
    constructor(address[3] memory verifiers, uint64 delay) {
        P256_VERIFIER = verifiers[0];
        RECOVERY_DELAY = delay;
        KeyCare.addKind(_store(), verifiers[0], abi.encodePacked(KeyKinds.P256_MULTICODEC));
        KeyCare.addKind(_store(), verifiers[1], abi.encodePacked(KeyKinds.RSA_MULTICODEC));
        KeyCare.addKind(_store(), verifiers[2], "");
    }

    /// @inheritdoc IDeviceKeys
    function rotateKey(
        DeviceId device,
        bytes calldata signer,
        bytes calldata newSigner,
        uint64 deadline,
        bytes calldata signature,
        bytes calldata newSignature
    ) external {
        DeviceStore.Context memory context;
        (context.domain, context.lot) = (_domainSeparatorV4(), _lotOf(device));
        KeyCare.rotateKey(_store(), context, device, signer, newSigner, deadline, signature, newSignature);
    }

    /// @inheritdoc IDeviceKeys
    function revokeKey(DeviceId device, bytes calldata signer) external {
        KeyCare.revokeKey(_store(), _contextOf(device), device, signer);
    }

    /// @inheritdoc IDeviceKeys
    function requestRecovery(
        DeviceId device,
        bytes calldata newSigner,
        uint64 deadline,
        bytes calldata newSignature
    ) external {
        KeyCare.requestRecovery(
            _store(),
            _contextOf(device),
            device,
            newSigner,
            deadline,
            newSignature,
            RECOVERY_DELAY
        );
    }

    /// @inheritdoc IDeviceKeys
    function cancelRecovery(DeviceId device, bytes calldata signer, bytes calldata signature) external {
        KeyCare.cancelRecovery(_store(), _contextOf(device), device, signer, signature);
    }

    /// @inheritdoc IDeviceKeys
    function completeRecovery(
        DeviceId device,
        bytes calldata signer,
        bytes calldata newSigner,
        uint64 readyAt
    ) external {
        KeyCare.completeRecovery(_store(), _contextOf(device), device, signer, newSigner, readyAt);
    }

    /// @inheritdoc IDeviceKeys
    function proveEquivocation(
        DeviceId device,
        bytes calldata signer,
        uint64 sequence,
        uint64[2] calldata times,
        bytes32[2] calldata schemas,
        bytes32[2] calldata contents,
        bytes[2] calldata signatures
    ) external {
        bytes32[2] memory digests = KeyCare.voidContradictory(
            _store(),
            _contextOf(device),
            device,
            signer,
            sequence,
            times,
            schemas,
            contents,
            signatures
        );
        (uint256 reward, uint256 bond) = _slash(device);
        emit EquivocationProved(msg.sender, device, sequence, digests[0], digests[1], reward, bond);
    }

    /// @inheritdoc IDeviceKeys
    function isSignedByDevice(
        DeviceId device,
        bytes32 digest,
        bytes calldata signer,
        bytes calldata signature
    ) external view returns (bool) {
        if (_store().devices[device].state != DeviceState.Active) return false;
        (bool known, KeyKind kind) = _tryKindOf(signer);
        if (!known || !KeyBook.isKey(_store(), device, kind, signer)) return false;
        return DeviceSigner.verify(kind, signer, digest, signature);
    }

    /// @inheritdoc IDeviceKeys
    function readingDigest(
        DeviceId device,
        uint64 sequence,
        uint64 time,
        bytes32 schema,
        bytes32 content
    ) external view returns (bytes32) {
        return _hashTypedDataV4(Reading.hash(device, sequence, time, schema, content));
    }

    /// @inheritdoc IDeviceKeys
    function keyChangeDigest(
        DeviceId device,
        bytes calldata newSigner,
        uint64 deadline
    ) external view returns (bytes32) {
        return KeyCare.keyChangeDigest(_store(), _domainSeparatorV4(), device, newSigner, deadline);
    }

    /// @inheritdoc IDeviceKeys
    function cancelRecoveryDigest(DeviceId device) external view returns (bytes32) {
        return KeyCare.vetoDigest(_domainSeparatorV4(), device, _store().recoveries[device]);
    }

    /// @inheritdoc IDeviceKeys
    function keyOf(DeviceId device) external view returns (bytes30 signer, uint16 number) {
        return KeyCare.keyOf(_store(), device);
    }

    /// @inheritdoc IDeviceKeys
    function keyKindOf(KeyKind kind) external view returns (address verifier, bytes memory multicodec) {
        DeviceStore.Kind storage known = _store().kinds[kind];
        return (known.verifier, known.multicodec);
    }

    /// @inheritdoc IDeviceKeys
    function p256Verifier() external view returns (address) {
        return P256_VERIFIER;
    }

    /// @inheritdoc IDeviceKeys
    function recoveryDelay() external view returns (uint64) {
        return RECOVERY_DELAY;
    }

    /// @dev Takes the device's bond for the sender and the pool.
    function _slash(DeviceId device) internal virtual returns (uint256 reward, uint256 bond);

    /// @dev The parts of the registry share one store; the registry has it.
    function _store() internal view virtual returns (DeviceStore.Layout storage);

    function _contextOf(DeviceId device) internal view virtual returns (DeviceStore.Context memory);

    function _lotOf(DeviceId device) internal view virtual returns (LotId);

    function _kindOf(bytes calldata signer) internal view returns (KeyKind) {
        (bool known, KeyKind kind) = _tryKindOf(signer);
        require(known, DeviceKeysUnknownKind(signer));
        return kind;
    }

    /// @dev P-256 without a look into storage, for activation and for each check of a reading.
    function _tryKindOf(bytes calldata signer) internal view returns (bool known, KeyKind kind) {
        if (signer.length == KeyBook.P256_SIGNER_LENGTH && address(bytes20(signer)) == P256_VERIFIER) {
            return (true, KeyKinds.P256);
        }
        return KeyBook.tryKindOf(_store(), signer);
    }
}
