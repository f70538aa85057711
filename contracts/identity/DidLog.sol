// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DeviceStore} from "./DeviceStore.sol";
import {DeviceId, KeyKind} from "./DeviceTypes.sol";
import {DeviceSigner} from "./DeviceSigner.sol";
import {IDeviceRegistry} from "./IDeviceRegistry.sol";
import {IERC1056} from "./IERC1056.sol";
import {KeyKinds} from "./KeyKinds.sol";
import {KeyVerifiers} from "./KeyVerifiers.sol";

/// @title A device's chain of ERC-1056 changes
/// @dev Each event names the block of the change before it, as the reference registry does: within one block, that block. Everything that
///      writes `changed` is here, beside the event that it speaks of.
library DidLog {
    bytes32 internal constant KEY_DELEGATE = "sigAuth";
    bytes32 internal constant KEY_ATTRIBUTE = "did/pub/Multikey/sigAuth";

    /// @dev 34,000 years; what is added to a time then fits 64 bits.
    uint256 private constant LONGEST_VALIDITY = type(uint40).max;
    bytes32 private constant NOT_ASCII = 0x8080808080808080808080808080808080808080808080808080808080808080;

    /// @notice The controller changed; 0 deactivates the identity.
    function noteOwner(DeviceStore.Layout storage store, DeviceId device, address owner) internal {
        emit IERC1056.DIDOwnerChanged(DeviceId.unwrap(device), owner, advance(store, device));
    }

    /// @notice A delegate was named, or ends now.
    function noteDelegate(
        DeviceStore.Layout storage store,
        DeviceId device,
        bytes32 delegateType,
        address delegate,
        uint256 validTo
    ) internal {
        uint256 previous = advance(store, device);
        emit IERC1056.DIDDelegateChanged(DeviceId.unwrap(device), delegateType, delegate, validTo, previous);
    }

    /// @notice A key of the device itself holds from now on, or no longer does.
    /// @param validTo 2^256 - 1, or a second that has passed.
    function noteKey(
        DeviceStore.Layout storage store,
        DeviceId device,
        KeyKind kind,
        bytes calldata signer,
        uint256 validTo
    ) internal {
        emitKey(store, device, kind, signer, validTo, advance(store, device));
    }

    /// @notice The event of `noteKey` alone, for a caller that has set `changed`.
    function emitKey(
        DeviceStore.Layout storage store,
        DeviceId device,
        KeyKind kind,
        bytes calldata signer,
        uint256 validTo,
        uint256 previous
    ) internal {
        address identity = DeviceId.unwrap(device);
        if (KeyKinds.isAccount(kind)) {
            address account = address(bytes20(signer[signer.length - 20:]));
            emit IERC1056.DIDDelegateChanged(identity, KEY_DELEGATE, account, validTo, previous);
            return;
        }
        bytes memory value =
            KeyKinds.equal(kind, KeyKinds.P256)
                ? DeviceSigner.p256Multikey(signer)
                : KeyVerifiers.multikeyOf(store, kind, signer);
        emit IERC1056.DIDAttributeChanged(identity, KEY_ATTRIBUTE, value, validTo, previous);
    }

    /// @notice Writes this block as the latest change of the device, and returns the one before.
    function advance(DeviceStore.Layout storage store, DeviceId device) internal returns (uint256 previous) {
        previous = latest(store, device);
        if (store.devices[device].marks & DeviceStore.HAS_ATTRIBUTES != 0) {
            store.attributes[device].changed = uint40(block.number);
        } else {
            store.devices[device].changed = uint40(block.number);
        }
    }

    /// @notice The block of the device's latest change.
    function latest(DeviceStore.Layout storage store, DeviceId device) internal view returns (uint256) {
        DeviceStore.Device storage record = store.devices[device];
        bool beside = record.marks & DeviceStore.HAS_ATTRIBUTES != 0;
        return beside ? store.attributes[device].changed : record.changed;
    }

    /// @notice Which `#delegate-N` the event is that was counted last: the one of activation comes first.
    function numberAfter(DeviceStore.Layout storage store, DeviceId device) internal view returns (uint16) {
        unchecked {
            return 1 + store.devices[device].keyEvents + store.delegates[device].events;
        }
    }

    /// @notice The last second of something that is to last `validity` seconds from now.
    function validUntil(uint256 validity) internal view returns (uint64) {
        require(validity <= LONGEST_VALIDITY, IDeviceRegistry.DeviceRegistryValidityTooLong(validity));
        return uint64(block.timestamp + validity);
    }

    /// @notice Whether a name is ASCII: a resolver passes over what is no UTF-8, and would count differently.
    function isAscii(bytes32 name) internal pure returns (bool) {
        return name & NOT_ASCII == 0;
    }
}
