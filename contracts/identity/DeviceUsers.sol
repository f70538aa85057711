// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DeviceStore} from "./DeviceStore.sol";
import {DeviceId, DeviceState} from "./DeviceTypes.sol";
import {IERC4907} from "./IERC4907.sol";

/// @title Lending a device to a user
/// @dev A grant ends with its time, and with a transfer. It is looked at when it is used, so that granting again costs one write.
abstract contract DeviceUsers is IERC4907 {
    /// @inheritdoc IERC4907
    function setUser(uint256 tokenId, address user, uint64 expires) external {
        _requireMayLend(tokenId);
        _store().users[DeviceId.wrap(address(uint160(tokenId)))] = DeviceStore.User(user, expires);
        emit UpdateUser(tokenId, user, expires);
    }

    /// @inheritdoc IERC4907
    function userOf(uint256 tokenId) external view returns (address) {
        DeviceId device = DeviceId.wrap(address(uint160(tokenId)));
        DeviceStore.User storage user = _store().users[device];
        bool holds = user.expires >= block.timestamp && _store().devices[device].state == DeviceState.Active;
        return holds ? user.account : address(0);
    }

    /// @inheritdoc IERC4907
    function userExpires(uint256 tokenId) external view returns (uint256) {
        return _store().users[DeviceId.wrap(address(uint160(tokenId)))].expires;
    }

    /// @dev The device has another owner.
    function _endUse(uint256 tokenId, DeviceId device) internal {
        if (_store().users[device].account == address(0)) return;
        delete _store().users[device];
        emit UpdateUser(tokenId, address(0), 0);
    }

    /// @dev The parts of the registry share one store; the registry has it.
    function _store() internal view virtual returns (DeviceStore.Layout storage);

    /// @dev Refuses whoever is neither the owner nor approved for the token.
    function _requireMayLend(uint256 tokenId) internal view virtual;
}
