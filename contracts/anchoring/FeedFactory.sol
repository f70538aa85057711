// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {DeviceId} from "../identity/DeviceTypes.sol";
import {IAttestations} from "../identity/IAttestations.sol";
import {IDeviceRegistry} from "../identity/IDeviceRegistry.sol";
import {DeviceFeed} from "./DeviceFeed.sol";
import {FeedConfig} from "./FeedTypes.sol";
import {IFeedFactory} from "./IFeedFactory.sol";

/// @title Makes feeds
/// @dev Keeps nothing: an address tells by itself whether it is a feed of here, and of what.
contract FeedFactory is IFeedFactory {
    uint256 private constant MAX_SOURCES = 16;
    /// @dev Bytes of an ERC-1167 clone before its configuration.
    uint256 private constant CLONE_LENGTH = 45;
    /// @dev None is needed: the configuration is in the init code, from which the address follows.
    bytes32 private constant SALT = 0;

    address private immutable IMPLEMENTATION;

    constructor(IDeviceRegistry registry, IAttestations attestations) {
        IMPLEMENTATION = address(new DeviceFeed(registry, attestations));
    }

    /// @inheritdoc IFeedFactory
    function create(FeedConfig calldata config) external returns (address feed) {
        // Checks
        bytes memory args = abi.encode(config);
        feed = _addressOf(args);
        if (feed.code.length != 0) return feed;
        _requireUsable(config);

        // Effects
        Clones.cloneDeterministicWithImmutableArgs(IMPLEMENTATION, args, SALT);
        emit FeedCreated(feed, msg.sender, config.schema, config.description);
    }

    /// @inheritdoc IFeedFactory
    function feedOf(FeedConfig calldata config) external view returns (address) {
        return _addressOf(abi.encode(config));
    }

    /// @inheritdoc IFeedFactory
    function isFeed(address feed) external view returns (bool) {
        return feed.code.length > CLONE_LENGTH && _addressOf(Clones.fetchCloneArgs(feed)) == feed;
    }

    /// @inheritdoc IFeedFactory
    function implementation() external view returns (address) {
        return IMPLEMENTATION;
    }

    function _addressOf(bytes memory args) private view returns (address) {
        return Clones.predictDeterministicAddressWithImmutableArgs(IMPLEMENTATION, args, SALT);
    }

    function _requireUsable(FeedConfig calldata config) private pure {
        DeviceId[] calldata sources = config.sources;
        uint256 count = sources.length;
        require(count != 0 && count <= MAX_SOURCES, FeedFactoryInvalidSourceCount(count));
        for (uint256 k = 1; k < count; ++k) {
            for (uint256 earlier = 0; earlier < k; ++earlier) {
                require(
                    DeviceId.unwrap(sources[k]) != DeviceId.unwrap(sources[earlier]),
                    FeedFactoryRepeatedSource(sources[k])
                );
            }
        }
        require(config.quorum != 0 && config.quorum <= count, FeedFactoryInvalidQuorum(config.quorum, count));
        require(config.minimum <= config.maximum, FeedFactoryInvalidRange(config.minimum, config.maximum));
        require(config.maxAge != 0, FeedFactoryInvalidMaxAge(config.maxAge));
        require(config.ring != 0, FeedFactoryInvalidRing(config.ring));
    }
}
