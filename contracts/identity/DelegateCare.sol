// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DeviceLife} from "./DeviceLife.sol";
import {DeviceStore} from "./DeviceStore.sol";
import {DeviceId} from "./DeviceTypes.sol";
import {DidLog} from "./DidLog.sol";
import {IDeviceRegistry} from "./IDeviceRegistry.sol";
import {KeyBook} from "./KeyBook.sol";

/// @title The delegates that the owner of a device names
/// @dev Linked, to keep the registry below the size that a contract may have: its functions run in the registry's storage.
library DelegateCare {
    /// @dev A transfer ends all delegates in one transaction, so there is a bound to them.
    uint8 internal constant MOST_DELEGATES = 8;

    function addDelegate(
        DeviceStore.Layout storage store,
        DeviceId device,
        bytes32 delegateType,
        address account,
        uint256 validity
    ) external {
        require(
            delegateType != DidLog.KEY_DELEGATE && DidLog.isAscii(delegateType),
            IDeviceRegistry.DeviceRegistryReservedName(delegateType)
        );
        uint64 validTo = DidLog.validUntil(validity);
        DeviceStore.Delegates storage delegates = store.delegates[device];
        (uint8 place, uint8 count) = _placeFor(delegates, device, delegateType, account);
        delegates.count = count;
        _count(delegates, 1);
        store.devices[device].marks |= DeviceStore.HAS_DELEGATES;
        uint16 number = DidLog.numberAfter(store, device);
        delegates.list[place] = DeviceStore.Delegate(delegateType, account, validTo, number);
        DidLog.noteDelegate(store, device, delegateType, account, validTo);
    }

    function revokeDelegate(
        DeviceStore.Layout storage store,
        DeviceId device,
        bytes32 delegateType,
        address account
    ) external {
        DeviceStore.Delegates storage delegates = store.delegates[device];
        uint8 count = delegates.count;
        uint8 place = _find(delegates, delegateType, account);
        require(place < count, IDeviceRegistry.DeviceRegistryDelegateUnknown(device, delegateType, account));
        delegates.count = count - 1;
        delegates.list[place] = delegates.list[count - 1];
        delete delegates.list[count - 1];
        _count(delegates, 1);
        DidLog.noteDelegate(store, device, delegateType, account, block.timestamp - 1);
    }

    /// @notice Ends all delegates; the document loses each by an event of its own.
    function endDelegates(DeviceStore.Layout storage store, DeviceId device) external {
        DeviceStore.Delegates storage delegates = store.delegates[device];
        uint8 count = delegates.count;
        delegates.count = 0;
        store.devices[device].marks &= ~DeviceStore.HAS_DELEGATES;
        _count(delegates, count);
        for (uint8 k = 0; k < count; ++k) {
            DeviceStore.Delegate storage delegate = delegates.list[k];
            DidLog.noteDelegate(store, device, delegate.kind, delegate.account, block.timestamp - 1);
            delete delegates.list[k];
        }
    }

    function delegatesOf(
        DeviceStore.Layout storage store,
        DeviceId device
    )
        external
        view
        returns (bytes32[] memory types, address[] memory accounts, uint64[] memory validTo, uint16[] memory numbers)
    {
        DeviceStore.Delegates storage delegates = store.delegates[device];
        uint8 count = DeviceLife.isAlive(store, device) ? delegates.count : 0;
        types = new bytes32[](count);
        accounts = new address[](count);
        validTo = new uint64[](count);
        numbers = new uint16[](count);
        for (uint8 k = 0; k < count; ++k) {
            DeviceStore.Delegate storage delegate = delegates.list[k];
            (types[k], accounts[k]) = (delegate.kind, delegate.account);
            (validTo[k], numbers[k]) = (delegate.validTo, delegate.number);
        }
    }

    /// @notice Whether this account is the device's own key (`sigAuth`), or the owner has named it and its time isn't over.
    function isDelegate(
        DeviceStore.Layout storage store,
        DeviceId device,
        bytes32 delegateType,
        address account
    ) external view returns (bool) {
        if (!DeviceLife.isAlive(store, device)) return false;
        if (delegateType == DidLog.KEY_DELEGATE) return KeyBook.isAccountKey(store, device, account);
        DeviceStore.Delegates storage delegates = store.delegates[device];
        uint8 place = _find(delegates, delegateType, account);
        return place < delegates.count && delegates.list[place].validTo >= block.timestamp;
    }

    /// @dev Wraps, so that nobody can bring a device to where it can't be transferred; the numbers are names in a document, no more.
    function _count(DeviceStore.Delegates storage delegates, uint8 events) private {
        unchecked {
            delegates.events += events;
        }
    }

    /// @dev Where a delegate stands or may stand: its own place, that of an expired one, or a new one; and how many there are then.
    function _placeFor(
        DeviceStore.Delegates storage delegates,
        DeviceId device,
        bytes32 delegateType,
        address account
    ) private view returns (uint8 place, uint8 count) {
        count = delegates.count;
        place = _find(delegates, delegateType, account);
        if (place < count) return (place, count);
        for (place = 0; place < count; ++place) {
            if (delegates.list[place].validTo < block.timestamp) return (place, count);
        }
        require(count < MOST_DELEGATES, IDeviceRegistry.DeviceRegistryTooManyDelegates(device));
        return (count, count + 1);
    }

    /// @dev The place of a delegate in the list; its length if it isn't there.
    function _find(
        DeviceStore.Delegates storage delegates,
        bytes32 delegateType,
        address account
    ) private view returns (uint8 place) {
        uint8 count = delegates.count;
        for (place = 0; place < count; ++place) {
            DeviceStore.Delegate storage delegate = delegates.list[place];
            if (delegate.kind == delegateType && delegate.account == account) return place;
        }
    }
}
