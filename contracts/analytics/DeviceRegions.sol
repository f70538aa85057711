// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {DeviceId} from "../identity/DeviceTypes.sol";
import {IDeviceRegistry} from "../identity/IDeviceRegistry.sol";
import {History} from "../libraries/History.sol";
import {IDeviceRegions} from "./IDeviceRegions.sol";

/// @title Where devices stand, coarsely, in their owners' word
contract DeviceRegions is IDeviceRegions {
    using History for History.Log;

    IDeviceRegistry private immutable REGISTRY;

    mapping(DeviceId device => History.Log) private _cells;

    /// @param deviceRegistry The registry whose devices these are.
    constructor(IDeviceRegistry deviceRegistry) {
        REGISTRY = deviceRegistry;
    }

    /// @inheritdoc IDeviceRegions
    function place(DeviceId[] calldata devices, uint64 cell) external {
        require(devices.length != 0, DeviceRegionsNoDevices());
        for (uint256 k = 0; k < devices.length; ++k) {
            DeviceId device = devices[k];
            address owner = IERC721(address(REGISTRY)).ownerOf(uint160(DeviceId.unwrap(device)));
            require(owner == msg.sender, DeviceRegionsNotOwner(device, msg.sender));
            _cells[device].write(uint40(block.timestamp), cell);
        }
        emit DevicesPlaced(msg.sender, cell, devices);
    }

    /// @inheritdoc IDeviceRegions
    function isWithin(DeviceId device, uint64 region, uint64 time) external view returns (bool) {
        if (region == 0) return true;
        uint64 cell = cellAt(device, time);
        // Cells with the region's position bits are the numbers around the region's own, up to one less than its lowest 1 away. A coarser
        // cell is none of them: below the region's position bits it has zeros alone.
        uint64 reach = (region & (~region + 1)) - 1;
        return cell >= region - reach && cell <= region + reach;
    }

    /// @inheritdoc IDeviceRegions
    function registry() external view returns (address) {
        return address(REGISTRY);
    }

    /// @inheritdoc IDeviceRegions
    function cellAt(DeviceId device, uint64 time) public view returns (uint64 cell) {
        (, uint192 value) = _cells[device].valueAt(time);
        return uint64(value);
    }
}
