// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {DeviceLife} from "./DeviceLife.sol";
import {DeviceSigner} from "./DeviceSigner.sol";
import {DeviceStore} from "./DeviceStore.sol";
import {DeviceId, DeviceState, Holds, KeyKind} from "./DeviceTypes.sol";
import {IDeviceKeys} from "./IDeviceKeys.sol";
import {IDeviceRegistry} from "./IDeviceRegistry.sol";
import {KeyBook} from "./KeyBook.sol";
import {KeyKinds} from "./KeyKinds.sol";
import {Reading} from "./Reading.sol";

/// @title Replacing, recovering and revoking device keys, and proving that one has contradicted itself
/// @dev Linked, to keep the registry below the size that a contract may have: its functions run in the registry's storage.
library KeyCare {
    uint256 private constant LONGEST_MULTICODEC = 8;
    bytes32 private constant KEY_CHANGE_TYPEHASH = keccak256(
        "KeyChange(address device,bytes32 signer,uint64 nonce,uint64 deadline)"
    );
    bytes32 private constant RECOVERY_VETO_TYPEHASH = keccak256("RecoveryVeto(address device,bytes32 recovery)");

    /// @notice Adds a kind of key, with the next number.
    function addKind(
        DeviceStore.Layout storage store,
        address verifier,
        bytes calldata multicodec
    ) external returns (KeyKind kind) {
        return _addKind(store, verifier, multicodec);
    }

    /// @notice A kind that the registrar adds: a contract judges its signatures, and a document must be able to show its keys.
    function addLaterKind(
        DeviceStore.Layout storage store,
        address verifier,
        bytes calldata multicodec
    ) external returns (KeyKind kind) {
        kind = store.kindOf[verifier];
        require(KeyKinds.equal(kind, KeyKinds.SECP256K1), IDeviceKeys.DeviceKeysKindKnown(verifier, kind));
        require(
            verifier.code.length != 0 && multicodec.length != 0 && multicodec.length <= LONGEST_MULTICODEC,
            IDeviceKeys.DeviceKeysInvalidKind(verifier, multicodec)
        );
        return _addKind(store, verifier, multicodec);
    }

    function rotateKey(
        DeviceStore.Layout storage store,
        DeviceStore.Context calldata context,
        DeviceId device,
        bytes calldata signer,
        bytes calldata newSigner,
        uint64 deadline,
        bytes calldata signature,
        bytes calldata newSignature
    ) external {
        // Checks
        DeviceLife.requireState(store, device, store.devices[device].state == DeviceState.Active);
        (KeyKind kind, bytes32 digest) = _checkNewKey(store, context.domain, device, newSigner, deadline, newSignature);
        _checkSignature(_requireKey(store, device, signer), device, signer, digest, signature);

        // Effects
        KeyBook.drop(store, device, signer);
        KeyBook.set(store, device, kind, newSigner);
        if (store.devices[device].assurance != 0) DeviceLife.setAssurance(store, context.lot, device, 0);
    }

    function revokeKey(
        DeviceStore.Layout storage store,
        DeviceStore.Context calldata context,
        DeviceId device,
        bytes calldata signer
    ) external {
        DeviceLife.requireAlive(store, device);
        require(
            msg.sender == context.holder || msg.sender == context.issuer,
            IDeviceRegistry.DeviceRegistryNotAllowed(device, msg.sender)
        );
        _requireKey(store, device, signer);
        KeyBook.void(store, device, signer);
        DeviceLife.hold(store, context.lot, device, Holds.KEYLESS);
    }

    function requestRecovery(
        DeviceStore.Layout storage store,
        DeviceStore.Context calldata context,
        DeviceId device,
        bytes calldata newSigner,
        uint64 deadline,
        bytes calldata newSignature,
        uint64 delay
    ) external {
        DeviceLife.requireAlive(store, device);
        require(msg.sender == context.holder, IDeviceRegistry.DeviceRegistryNotAllowed(device, msg.sender));
        _checkNewKey(store, context.domain, device, newSigner, deadline, newSignature);
        uint64 readyAt = uint64(block.timestamp) + delay;
        store.recoveries[device] = _recoveryOf(store, context.holder, device, newSigner, readyAt);
        emit IDeviceKeys.RecoveryRequested(msg.sender, device, newSigner, readyAt);
    }

    function cancelRecovery(
        DeviceStore.Layout storage store,
        DeviceStore.Context calldata context,
        DeviceId device,
        bytes calldata signer,
        bytes calldata signature
    ) external {
        bytes32 recovery = store.recoveries[device];
        require(recovery != 0, IDeviceKeys.DeviceKeysNoRecovery(device));
        if (msg.sender != context.holder && msg.sender != context.issuer) {
            bytes32 digest = vetoDigest(context.domain, device, recovery);
            _checkSignature(_requireKey(store, device, signer), device, signer, digest, signature);
        }
        delete store.recoveries[device];
        emit IDeviceKeys.RecoveryCancelled(msg.sender, device);
    }

    function completeRecovery(
        DeviceStore.Layout storage store,
        DeviceStore.Context calldata context,
        DeviceId device,
        bytes calldata signer,
        bytes calldata newSigner,
        uint64 readyAt
    ) external {
        // Checks. The commitment holds the owner, since when it is that, and the number of key events, so a transfer or another key makes
        // it worthless, though the device comes back.
        DeviceLife.requireAlive(store, device);
        bytes32 recovery = _recoveryOf(store, context.holder, device, newSigner, readyAt);
        require(store.recoveries[device] == recovery, IDeviceKeys.DeviceKeysNoRecovery(device));
        require(block.timestamp >= readyAt, IDeviceKeys.DeviceKeysRecoveryNotReady(device, readyAt));

        // Effects
        delete store.recoveries[device];
        bool keyless = store.devices[device].holds & Holds.KEYLESS != 0;
        if (!keyless) {
            _requireKey(store, device, signer);
            KeyBook.drop(store, device, signer);
        }
        KeyBook.set(store, device, _kindOf(store, newSigner), newSigner);
        DeviceLife.setAssurance(store, context.lot, device, 0);
        if (keyless) DeviceLife.unhold(store, context.lot, device, Holds.KEYLESS);
    }

    /// @return digests What the device signed, twice.
    function voidContradictory(
        DeviceStore.Layout storage store,
        DeviceStore.Context calldata context,
        DeviceId device,
        bytes calldata signer,
        uint64 sequence,
        uint64[2] calldata times,
        bytes32[2] calldata schemas,
        bytes32[2] calldata contents,
        bytes[2] calldata signatures
    ) external returns (bytes32[2] memory digests) {
        // Checks
        require(
            schemas[0] != schemas[1] || contents[0] != contents[1],
            IDeviceKeys.DeviceKeysNotContradictory(device, sequence)
        );
        DeviceStore.Device storage record = store.devices[device];
        bool retired = record.state == DeviceState.Retired;
        DeviceLife.requireState(store, device, retired || DeviceLife.isAlive(store, device));
        require(record.marks & DeviceStore.BOND_GONE == 0, IDeviceKeys.DeviceKeysNothingAtStake(device));
        KeyKind kind = _requireKey(store, device, signer);
        for (uint256 k = 0; k < 2; ++k) {
            bytes32 reading = Reading.hash(device, sequence, times[k], schemas[k], contents[k]);
            digests[k] = MessageHashUtils.toTypedDataHash(context.domain, reading);
            _checkSignature(kind, device, signer, digests[k], signatures[k]);
        }

        // Effects
        record.marks |= DeviceStore.BOND_GONE;
        if (retired) return digests;
        KeyBook.void(store, device, signer);
        DeviceLife.hold(store, context.lot, device, Holds.FAULT | Holds.KEYLESS);
    }

    function keyOf(
        DeviceStore.Layout storage store,
        DeviceId device
    ) external view returns (bytes30 signer, uint16 number) {
        DeviceStore.Device storage record = store.devices[device];
        if (!DeviceLife.isAlive(store, device) || record.holds & Holds.KEYLESS != 0) return (0, 0);
        if (record.keyEvents == 0) return (0, 1);
        DeviceStore.Key storage key = store.keys[device];
        return (key.hash, key.number);
    }

    function keyChangeDigest(
        DeviceStore.Layout storage store,
        bytes32 domain,
        DeviceId device,
        bytes calldata newSigner,
        uint64 deadline
    ) public view returns (bytes32) {
        uint64 events = store.devices[device].keyEvents;
        bytes32 change = keccak256(abi.encode(KEY_CHANGE_TYPEHASH, device, keccak256(newSigner), events, deadline));
        return MessageHashUtils.toTypedDataHash(domain, change);
    }

    function vetoDigest(bytes32 domain, DeviceId device, bytes32 recovery) public pure returns (bytes32) {
        bytes32 veto = keccak256(abi.encode(RECOVERY_VETO_TYPEHASH, device, recovery));
        return MessageHashUtils.toTypedDataHash(domain, veto);
    }

    function _addKind(
        DeviceStore.Layout storage store,
        address verifier,
        bytes calldata multicodec
    ) private returns (KeyKind kind) {
        kind = KeyKind.wrap(++store.kindCount);
        store.kinds[kind] = DeviceStore.Kind(verifier, multicodec);
        store.kindOf[verifier] = kind;
        emit IDeviceKeys.KeyKindAdded(kind, verifier, multicodec);
    }

    /// @dev The new key is of a known kind, is another one, was never revoked, and has signed.
    function _checkNewKey(
        DeviceStore.Layout storage store,
        bytes32 domain,
        DeviceId device,
        bytes calldata newSigner,
        uint64 deadline,
        bytes calldata signature
    ) private view returns (KeyKind kind, bytes32 digest) {
        require(block.timestamp <= deadline, IDeviceKeys.DeviceKeysExpired(deadline));
        kind = _kindOf(store, newSigner);
        require(!KeyBook.isKey(store, device, kind, newSigner), IDeviceKeys.DeviceKeysSameKey(device));
        require(!KeyBook.isVoid(store, device, newSigner), IDeviceKeys.DeviceKeysVoidKey(device, newSigner));
        digest = keyChangeDigest(store, domain, device, newSigner, deadline);
        _checkSignature(kind, device, newSigner, digest, signature);
    }

    function _checkSignature(
        KeyKind kind,
        DeviceId device,
        bytes calldata signer,
        bytes32 digest,
        bytes calldata signature
    ) private view {
        require(
            DeviceSigner.verify(kind, signer, digest, signature),
            IDeviceKeys.DeviceKeysInvalidSignature(device, signer)
        );
    }

    function _requireKey(
        DeviceStore.Layout storage store,
        DeviceId device,
        bytes calldata signer
    ) private view returns (KeyKind kind) {
        bool known;
        (known, kind) = KeyBook.tryKindOf(store, signer);
        require(known && KeyBook.isKey(store, device, kind, signer), IDeviceKeys.DeviceKeysNotTheKey(device, signer));
    }

    function _kindOf(DeviceStore.Layout storage store, bytes calldata signer) private view returns (KeyKind) {
        (bool known, KeyKind kind) = KeyBook.tryKindOf(store, signer);
        require(known, IDeviceKeys.DeviceKeysUnknownKind(signer));
        return kind;
    }

    /// @dev What a pending recovery is kept as.
    function _recoveryOf(
        DeviceStore.Layout storage store,
        address holder,
        DeviceId device,
        bytes calldata newSigner,
        uint64 readyAt
    ) private view returns (bytes32) {
        DeviceStore.Device storage record = store.devices[device];
        return keccak256(abi.encode(keccak256(newSigner), readyAt, holder, record.ownedSince, record.keyEvents));
    }
}
