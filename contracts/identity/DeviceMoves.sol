// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DeviceLife} from "./DeviceLife.sol";
import {DeviceStore} from "./DeviceStore.sol";
import {DeviceId, DeviceState, Holds} from "./DeviceTypes.sol";
import {IDeviceRegistry} from "./IDeviceRegistry.sol";

/// @title Who may move a device from one state to another
/// @dev Linked, to keep the registry below the size that a contract may have: its functions run in the registry's storage. The table is in
///      docs/identity.md.
library DeviceMoves {
    function suspend(DeviceStore.Layout storage store, DeviceStore.Context calldata context, DeviceId device) external {
        DeviceLife.requireAlive(store, device);
        uint8 hold = _capacityOf(context, device) & ~store.devices[device].holds;
        DeviceLife.requireState(store, device, hold != 0);
        DeviceLife.hold(store, context.lot, device, hold);
    }

    function resume(DeviceStore.Layout storage store, DeviceStore.Context calldata context, DeviceId device) external {
        DeviceLife.requireAlive(store, device);
        uint8 hold = _capacityOf(context, device) & store.devices[device].holds;
        DeviceLife.requireState(store, device, hold != 0);
        DeviceLife.unhold(store, context.lot, device, hold);
    }

    function retire(
        DeviceStore.Layout storage store,
        DeviceStore.Context calldata context,
        DeviceId device,
        uint64 bondDelay
    ) external {
        DeviceLife.requireAlive(store, device);
        require(msg.sender == context.holder, IDeviceRegistry.DeviceRegistryNotAllowed(device, msg.sender));
        DeviceLife.end(store, device, DeviceState.Retired);
        emit IDeviceRegistry.DeviceRetired(context.lot, device, uint64(block.timestamp) + bondDelay);
    }

    /// @dev The caller has checked that the issuer of the device's lot is the sender.
    function revoke(DeviceStore.Layout storage store, DeviceId device) external {
        DeviceLife.requireAlive(store, device);
        DeviceLife.end(store, device, DeviceState.Revoked);
    }

    /// @dev The caller moves the bond.
    function settle(DeviceStore.Layout storage store, DeviceId device, uint64 bondDelay) external {
        DeviceStore.Device storage record = store.devices[device];
        DeviceState state = record.state;
        DeviceLife.requireState(store, device, state == DeviceState.Retired || state == DeviceState.Revoked);
        require(record.marks & DeviceStore.BOND_GONE == 0, IDeviceRegistry.DeviceRegistryBondSettled(device));
        uint64 freeAt = record.stateSince + bondDelay;
        require(block.timestamp >= freeAt, IDeviceRegistry.DeviceRegistryBondNotFree(device, freeAt));
        record.marks |= DeviceStore.BOND_GONE;
    }

    /// @dev The caller collects the bond.
    function restore(DeviceStore.Layout storage store, DeviceStore.Context calldata context, DeviceId device) external {
        _requireIssuer(context, device);
        DeviceStore.Device storage record = store.devices[device];
        DeviceLife.requireState(store, device, record.state == DeviceState.Suspended);
        require(record.holds & Holds.FAULT != 0, IDeviceRegistry.DeviceRegistryNoFault(device));
        record.marks &= ~DeviceStore.BOND_GONE;
        DeviceLife.unhold(store, context.lot, device, Holds.FAULT);
    }

    function stateAssurance(
        DeviceStore.Layout storage store,
        DeviceStore.Context calldata context,
        DeviceId device,
        uint8 assurance
    ) external {
        _requireIssuer(context, device);
        DeviceLife.requireAlive(store, device);
        require(
            assurance <= context.lotAssurance,
            IDeviceRegistry.DeviceRegistryAssuranceTooHigh(device, context.lotAssurance)
        );
        DeviceLife.setAssurance(store, context.lot, device, assurance);
    }

    /// @dev The holds that the sender may add and take away.
    function _capacityOf(DeviceStore.Context calldata context, DeviceId device) private view returns (uint8 holds) {
        if (msg.sender == context.holder) holds = Holds.OWNER;
        if (msg.sender == context.issuer) holds |= Holds.ISSUER;
        require(holds != 0, IDeviceRegistry.DeviceRegistryNotAllowed(device, msg.sender));
    }

    function _requireIssuer(DeviceStore.Context calldata context, DeviceId device) private view {
        require(msg.sender == context.issuer, IDeviceRegistry.DeviceRegistryNotAllowed(device, msg.sender));
    }
}
