// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {DeviceId} from "../identity/DeviceTypes.sol";

/// @title Where devices stand, coarsely, in their owners' word
/// @notice A cell is a number of 64 bits: from the top the bits of a position, each of which halves the cell (longitude and latitude in turn, as in
///         a geohash), then a 1, then zeros. 2^63 is the whole earth, any number but 0 is a cell, and no cell is finer than an owner chooses.
///         Nobody checks the word. It stays when the device changes hands, until its next owner says another. The last word of a second
///         stands for all of that second; no later one changes it. Times are Unix seconds.
interface IDeviceRegions {
    /// @notice The owner of these devices places them in a cell; 0 takes what was said back.
    event DevicesPlaced(address indexed owner, uint64 indexed cell, DeviceId[] devices);

    error DeviceRegionsNoDevices();
    error DeviceRegionsNotOwner(DeviceId device, address sender);

    /// @notice Says in which cell these devices stand from now on; 0 for nowhere that anyone need know. Only the present owner of each.
    /// Errors: DeviceRegionsNoDevices, DeviceRegionsNotOwner, ERC721NonexistentToken. Event: DevicesPlaced.
    function place(DeviceId[] calldata devices, uint64 cell) external;

    /// @notice Whether a device stood in a cell that is the region, or lies in it. All devices, placed or not, stand in region 0; none that isn't
    ///         placed stands in any other.
    function isWithin(DeviceId device, uint64 region, uint64 time) external view returns (bool);

    /// @notice The cell of a device at the end of a second; 0 if none was said.
    function cellAt(DeviceId device, uint64 time) external view returns (uint64 cell);

    /// @notice The registry whose devices these are.
    function registry() external view returns (address);
}
