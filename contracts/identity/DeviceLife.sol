// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DeviceStore} from "./DeviceStore.sol";
import {DeviceId, DeviceState, LotId} from "./DeviceTypes.sol";
import {DidLog} from "./DidLog.sol";
import {IDeviceRegistry} from "./IDeviceRegistry.sol";

/// @title Moves of a device between its states after activation
/// @dev Who may move it is checked by the caller; the table is in docs/identity.md.
library DeviceLife {
    /// @notice Adds reasons for which the device is suspended.
    function hold(DeviceStore.Layout storage store, LotId lot, DeviceId device, uint8 holds) internal {
        DeviceStore.Device storage record = store.devices[device];
        if (record.state == DeviceState.Active) {
            record.state = DeviceState.Suspended;
            record.stateSince = uint40(block.timestamp);
        }
        record.holds |= holds;
        emit IDeviceRegistry.DeviceSuspended(lot, device, holds);
    }

    /// @notice Takes reasons away; the device is active if none is left.
    function unhold(DeviceStore.Layout storage store, LotId lot, DeviceId device, uint8 holds) internal {
        DeviceStore.Device storage record = store.devices[device];
        uint8 left = record.holds & ~holds;
        record.holds = left;
        if (left == 0) {
            record.state = DeviceState.Active;
            record.stateSince = uint40(block.timestamp);
        }
        emit IDeviceRegistry.DeviceResumed(lot, device, holds, left);
    }

    /// @notice Ends the device's life. Its key falls with it, and so does its DID.
    function end(DeviceStore.Layout storage store, DeviceId device, DeviceState state) internal {
        DeviceStore.Device storage record = store.devices[device];
        record.state = state;
        record.stateSince = uint40(block.timestamp);
        DidLog.noteOwner(store, device, address(0));
        if (record.marks & DeviceStore.HAS_ATTRIBUTES == 0) return;
        record.marks &= ~DeviceStore.HAS_ATTRIBUTES;
        record.changed = uint40(block.number);
        store.attributes[device].changed = 0;
    }

    function setAssurance(DeviceStore.Layout storage store, LotId lot, DeviceId device, uint8 assurance) internal {
        store.devices[device].assurance = assurance;
        emit IDeviceRegistry.AssuranceStated(lot, device, assurance);
    }

    function isAlive(DeviceStore.Layout storage store, DeviceId device) internal view returns (bool) {
        DeviceState state = store.devices[device].state;
        return state == DeviceState.Active || state == DeviceState.Suspended;
    }

    function requireAlive(DeviceStore.Layout storage store, DeviceId device) internal view {
        requireState(store, device, isAlive(store, device));
    }

    /// @notice Refuses by naming the state, unless it is the right one.
    function requireState(DeviceStore.Layout storage store, DeviceId device, bool right) internal view {
        require(right, IDeviceRegistry.DeviceRegistryWrongState(device, store.devices[device].state));
    }
}
