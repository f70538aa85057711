// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DelegateCare} from "./DelegateCare.sol";
import {DeviceLife} from "./DeviceLife.sol";
import {DeviceStore} from "./DeviceStore.sol";
import {DeviceId, DeviceState} from "./DeviceTypes.sol";
import {DidLog} from "./DidLog.sol";
import {IDeviceRegistry} from "./IDeviceRegistry.sol";
import {IERC1056} from "./IERC1056.sol";

/// @title The registry as an ERC-1056 registry: what a did:ethr resolver reads, and what a device's owner adds
abstract contract DeviceDids is IERC1056 {
    bytes8 private constant KEY_PREFIX = "did/pub/";

    /// @inheritdoc IERC1056
    function changeOwner(address identity, address newOwner) external {
        _requireHolder(DeviceId.wrap(identity));
        _handOver(DeviceId.wrap(identity), newOwner);
    }

    /// @inheritdoc IERC1056
    function addDelegate(address identity, bytes32 delegateType, address delegate, uint256 validity) external {
        DelegateCare.addDelegate(_store(), _requireController(identity), delegateType, delegate, validity);
    }

    /// @inheritdoc IERC1056
    function revokeDelegate(address identity, bytes32 delegateType, address delegate) external {
        DelegateCare.revokeDelegate(_store(), _requireController(identity), delegateType, delegate);
    }

    /// @inheritdoc IERC1056
    function setAttribute(address identity, bytes32 name, bytes calldata value, uint256 validity) external {
        _noteAttribute(_requireDescriber(identity), name, value, DidLog.validUntil(validity));
    }

    /// @inheritdoc IERC1056
    function revokeAttribute(address identity, bytes32 name, bytes calldata value) external {
        _noteAttribute(_requireDescriber(identity), name, value, block.timestamp - 1);
    }

    /// @inheritdoc IERC1056
    function identityOwner(address identity) external view returns (address) {
        DeviceId device = DeviceId.wrap(identity);
        if (_store().devices[device].state == DeviceState.None) return identity;
        return DeviceLife.isAlive(_store(), device) ? _holderOf(device) : address(0);
    }

    /// @inheritdoc IERC1056
    function changed(address identity) external view returns (uint256) {
        return DidLog.latest(_store(), DeviceId.wrap(identity));
    }

    /// @inheritdoc IERC1056
    function validDelegate(address identity, bytes32 delegateType, address delegate) external view returns (bool) {
        return DelegateCare.isDelegate(_store(), DeviceId.wrap(identity), delegateType, delegate);
    }

    /// @inheritdoc IERC1056
    function nonce(address) external pure returns (uint256) {
        return 0;
    }

    /// @dev A safe transfer of the device from the sender.
    function _handOver(DeviceId device, address to) internal virtual;

    /// @dev The parts of the registry share one store; the registry has it.
    function _store() internal view virtual returns (DeviceStore.Layout storage);

    function _holderOf(DeviceId device) internal view virtual returns (address);

    /// @dev One write for an attribute, and no look at the device itself from the second one on: see `DeviceStore.Attributes`.
    function _noteAttribute(DeviceId device, bytes32 name, bytes calldata value, uint256 validTo) private {
        require(bytes8(name) != KEY_PREFIX && DidLog.isAscii(name), IDeviceRegistry.DeviceRegistryReservedName(name));
        DeviceStore.Attributes storage attributes = _store().attributes[device];
        uint256 previous = attributes.changed;
        if (previous == 0) {
            DeviceStore.Device storage record = _store().devices[device];
            previous = record.changed;
            record.marks |= DeviceStore.HAS_ATTRIBUTES;
        }
        bytes32 digest = keccak256(abi.encode(attributes.digest, name, keccak256(value), validTo));
        attributes.digest = uint216(uint256(digest));
        attributes.changed = uint40(block.number);
        emit DIDAttributeChanged(DeviceId.unwrap(device), name, value, validTo, previous);
    }

    /// @dev As `_requireController`, without a look at a device that has attributes: it lives.
    function _requireDescriber(address identity) private view returns (DeviceId device) {
        device = DeviceId.wrap(identity);
        _requireHolder(device);
        if (_store().attributes[device].changed == 0) DeviceLife.requireAlive(_store(), device);
    }

    function _requireHolder(DeviceId device) private view {
        require(msg.sender == _holderOf(device), IDeviceRegistry.DeviceRegistryNotAllowed(device, msg.sender));
    }

    /// @dev Whoever changes the DID document: the owner, as long as the device lives.
    function _requireController(address identity) private view returns (DeviceId device) {
        device = DeviceId.wrap(identity);
        _requireHolder(device);
        DeviceLife.requireAlive(_store(), device);
    }
}
