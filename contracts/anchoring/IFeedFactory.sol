// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {DeviceId} from "../identity/DeviceTypes.sol";
import {FeedConfig} from "./FeedTypes.sol";

/// @title Makes feeds
/// @notice Anyone may make one, and nobody has any power over it afterwards. A feed's address follows from its configuration alone: whoever
///         agrees to an address agrees to the devices and rules behind it, and no reorganisation of the chain puts another feed there.
interface IFeedFactory {
    /// @notice A feed was made; `config()` of it tells the rest.
    event FeedCreated(address indexed feed, address indexed creator, bytes32 indexed schema, string description);

    error FeedFactoryInvalidSourceCount(uint256 count);
    error FeedFactoryRepeatedSource(DeviceId device);
    error FeedFactoryInvalidQuorum(uint8 quorum, uint256 sources);
    error FeedFactoryInvalidRange(int128 minimum, int128 maximum);
    error FeedFactoryInvalidMaxAge(uint32 maxAge);
    error FeedFactoryInvalidRing(uint16 ring);

    /// @notice Makes a feed, or finds the one that has this configuration; then nothing happens. The devices need not be active yet.
    /// @dev Who wants a second feed of the same rules describes it otherwise.
    /// @param config See `FeedConfig`. At least one round is kept, values count for at least a second.
    /// @return feed An `IDeviceFeed`.
    /// Errors: FeedFactoryInvalidSourceCount, FeedFactoryRepeatedSource, FeedFactoryInvalidQuorum, FeedFactoryInvalidRange,
    /// FeedFactoryInvalidMaxAge, FeedFactoryInvalidRing. Event: FeedCreated, if it is new.
    function create(FeedConfig calldata config) external returns (address feed);

    /// @notice Where the feed with this configuration is, or would be.
    function feedOf(FeedConfig calldata config) external view returns (address);

    /// @notice Whether a feed was made here, so that its code keeps what `IDeviceFeed` says. It says nothing of its devices and rules.
    function isFeed(address feed) external view returns (bool);

    /// @notice What every feed is a clone of (ERC-1167).
    function implementation() external view returns (address);
}
