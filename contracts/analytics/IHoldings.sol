// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {DeviceId} from "../identity/DeviceTypes.sol";

/// @title Who had a device when
/// @notice The registry knows a device's present owner, and since when. Of former owners it knows nothing; here anyone can have it noted who has a
///         device, before it changes hands. Whoever has it at the end of a second has it for all of that second. A transfer begins a tenure,
///         also one from an owner to itself. Times are Unix seconds.
interface IHoldings {
    /// @notice `owner` is known to have had the device from `since` until the second before `until`.
    event HoldingNoted(DeviceId indexed device, address indexed owner, uint64 since, uint64 until);

    error HoldingsDeviceUnknown(DeviceId device);

    /// @notice Notes that the present owners have had these devices since their tenures began, until the last second that is over. Anyone may, at
    ///         any time; one write a device, and another one for each later tenure. A tenure that began in this second isn't noted: it may
    ///         end in it.
    /// Errors: HoldingsDeviceUnknown. Event: HoldingNoted.
    function note(DeviceId[] calldata devices) external;

    /// @notice Who had a device in a second that is over; for the present second and later ones, who has it. What is known once stays so.
    /// @return known False if nobody can tell: the device wasn't activated, or has been transferred since and nobody had noted who had it.
    function holderAt(DeviceId device, uint64 time) external view returns (bool known, address owner);

    /// @notice Like `holderAt`, and since when the owner had had it.
    function tenureAt(DeviceId device, uint64 time) external view returns (bool known, address owner, uint64 since);

    /// @notice The registry whose devices these are.
    function registry() external view returns (address);
}
