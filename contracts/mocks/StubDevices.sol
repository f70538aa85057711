// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {DeviceId, DeviceState} from "../identity/DeviceTypes.sol";

/// @notice Devices in any state without the life that leads there: what a desk asks of a registry, and no more.
contract StubDevices is ERC721("Stub", "STUB") {
    DeviceState private _state;

    function put(DeviceId device, address owner, DeviceState state) external {
        _state = state;
        uint256 token = uint160(DeviceId.unwrap(device));
        if (_ownerOf(token) == address(0)) _mint(owner, token);
    }

    /// @return state The state that was put last. The rest is as if the device had always been its owner's.
    function deviceOf(
        DeviceId
    )
        external
        view
        returns (
            DeviceState state,
            uint8 kind,
            uint8 assurance,
            uint64 activatedAt,
            uint64 ownedSince,
            uint64 stateSince,
            bytes32 lot
        )
    {
        return (_state, kind, assurance, activatedAt, ownedSince, stateSince, lot);
    }
}
