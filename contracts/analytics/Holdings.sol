// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {DeviceId, DeviceState} from "../identity/DeviceTypes.sol";
import {IDeviceRegistry} from "../identity/IDeviceRegistry.sol";
import {History} from "../libraries/History.sol";
import {IHoldings} from "./IHoldings.sol";

/// @title Who had a device when
contract Holdings is IHoldings {
    using History for History.Log;

    IDeviceRegistry private immutable REGISTRY;

    /// @dev An entry is a noted tenure. From the low end: for how many seconds it is noted (32 bits: 136 years), the owner (160 bits).
    mapping(DeviceId device => History.Log) private _noted;

    /// @param deviceRegistry The registry whose devices these are.
    constructor(IDeviceRegistry deviceRegistry) {
        REGISTRY = deviceRegistry;
    }

    /// @inheritdoc IHoldings
    function note(DeviceId[] calldata devices) external {
        for (uint256 k = 0; k < devices.length; ++k) {
            DeviceId device = devices[k];
            (bool known, address owner, uint64 since) = _presentOf(device);
            require(known, HoldingsDeviceUnknown(device));
            uint64 length = uint64(block.timestamp) - since;
            if (length == 0) continue;
            // A tenure that is noted already is the last entry and begins in the same second, so its length is replaced.
            _noted[device].write(uint40(since), (uint192(uint160(owner)) << 32) | uint32(length));
            emit HoldingNoted(device, owner, since, uint64(block.timestamp));
        }
    }

    /// @inheritdoc IHoldings
    function holderAt(DeviceId device, uint64 time) external view returns (bool known, address owner) {
        (known, owner, ) = tenureAt(device, time);
    }

    /// @inheritdoc IHoldings
    function registry() external view returns (address) {
        return address(REGISTRY);
    }

    /// @inheritdoc IHoldings
    function tenureAt(DeviceId device, uint64 time) public view returns (bool known, address owner, uint64 since) {
        (known, owner, since) = _presentOf(device);
        if (!known || since <= time) return (known, owner, since);
        uint192 value;
        (since, value) = _noted[device].valueAt(time);
        if (time - since >= uint32(value)) return (false, address(0), 0);
        return (true, address(uint160(value >> 32)), since);
    }

    function _presentOf(DeviceId device) private view returns (bool known, address owner, uint64 since) {
        DeviceState state;
        (state, since) = REGISTRY.tenureOf(device);
        if (state == DeviceState.None) return (false, address(0), 0);
        return (true, IERC721(address(REGISTRY)).ownerOf(uint160(DeviceId.unwrap(device))), since);
    }
}
