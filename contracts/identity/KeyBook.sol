// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DeviceSigner} from "./DeviceSigner.sol";
import {DeviceStore} from "./DeviceStore.sol";
import {DeviceId, Holds, KeyKind} from "./DeviceTypes.sol";
import {DidLog} from "./DidLog.sol";
import {KeyKinds} from "./KeyKinds.sol";

/// @title Which signer speaks for a device
/// @dev While no key was replaced, the one that its id commits to; after that, the one whose hash is kept; while `Holds.KEYLESS`
///      stands, none.
library KeyBook {
    uint256 internal constant P256_SIGNER_LENGTH = 84;
    uint256 private constant FOREVER = type(uint256).max;

    /// @notice The present key holds no longer.
    function drop(DeviceStore.Layout storage store, DeviceId device, bytes calldata signer) internal {
        DeviceStore.Device storage record = store.devices[device];
        ++record.keyEvents;
        // The second before this one: who resolves the document as of this block finds the key gone.
        DidLog.noteKey(store, device, record.kind, signer, block.timestamp - 1);
    }

    /// @notice Another key holds from now on.
    function set(DeviceStore.Layout storage store, DeviceId device, KeyKind kind, bytes calldata signer) internal {
        DeviceStore.Device storage record = store.devices[device];
        record.kind = kind;
        ++record.keyEvents;
        store.keys[device] = DeviceStore.Key(bytes30(keccak256(signer)), DidLog.numberAfter(store, device));
        DidLog.noteKey(store, device, kind, signer, FOREVER);
    }

    /// @notice The kind of a signer, if it is one that the registry knows.
    function tryKindOf(
        DeviceStore.Layout storage store,
        bytes calldata signer
    ) internal view returns (bool known, KeyKind kind) {
        if (signer.length == 20) return (true, KeyKinds.SECP256K1);
        if (signer.length < 20) return (false, kind);
        kind = store.kindOf[address(bytes20(signer))];
        known =
            !KeyKinds.equal(kind, KeyKinds.SECP256K1) &&
            (!KeyKinds.equal(kind, KeyKinds.P256) || signer.length == P256_SIGNER_LENGTH);
    }

    /// @notice Whether `signer`, of this kind, speaks for the device now.
    function isKey(
        DeviceStore.Layout storage store,
        DeviceId device,
        KeyKind kind,
        bytes calldata signer
    ) internal view returns (bool) {
        DeviceStore.Device storage record = store.devices[device];
        return record.holds & Holds.KEYLESS == 0 && isLatest(store, device, kind, signer);
    }

    /// @notice Whether `signer`, of this kind, is the key that the device has, or had last if it was voided.
    function isLatest(
        DeviceStore.Layout storage store,
        DeviceId device,
        KeyKind kind,
        bytes calldata signer
    ) internal view returns (bool) {
        DeviceStore.Device storage record = store.devices[device];
        if (!KeyKinds.equal(kind, record.kind)) return false;
        // The first event voids the first key, the second sets another.
        if (record.keyEvents > 1) return store.keys[device].hash == bytes30(keccak256(signer));
        return DeviceId.unwrap(DeviceSigner.idOf(signer)) == DeviceId.unwrap(device);
    }

    /// @notice Whether an account is the device's key: as a secp256k1 key, or as an ERC-1271 contract.
    function isAccountKey(
        DeviceStore.Layout storage store,
        DeviceId device,
        address account
    ) internal view returns (bool) {
        DeviceStore.Device storage record = store.devices[device];
        if (!KeyKinds.isAccount(record.kind) || record.holds & Holds.KEYLESS != 0) return false;
        bytes memory key = abi.encodePacked(account);
        bool plain = KeyKinds.equal(record.kind, KeyKinds.SECP256K1);
        if (record.keyEvents == 0) {
            return DeviceId.unwrap(device) == (plain ? account : address(uint160(uint256(keccak256(key)))));
        }
        bytes memory signer = plain ? key : abi.encodePacked(store.kinds[record.kind].verifier, account);
        return store.keys[device].hash == bytes30(keccak256(signer));
    }
}
