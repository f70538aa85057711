// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base64} from "@openzeppelin/contracts/utils/Base64.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {DeviceStore} from "./DeviceStore.sol";
import {DeviceId, DeviceState, KeyKind, LotId} from "./DeviceTypes.sol";

/// @title A device's ERC-721 metadata, made on chain
/// @dev Linked, to keep the registry below the size that a contract may have. Everything in the text is of numbers and hex, so there is nothing
///      to escape.
library DeviceMetadata {
    // solhint-disable quotes
    // JSON is full of double quotes.

    /// @notice A data URI of a JSON object with `name`, `description` and `attributes` (the usual form of ERC-721 metadata).
    function tokenUri(
        DeviceStore.Layout storage store,
        DeviceStore.Context calldata context,
        DeviceId device
    ) external view returns (string memory) {
        DeviceStore.Device storage record = store.devices[device];
        uint8 assurance = record.assurance < context.lotAssurance ? record.assurance : context.lotAssurance;
        string memory id = Strings.toHexString(DeviceId.unwrap(device));
        string memory chain = Strings.toHexString(block.chainid);
        bytes memory head = abi.encodePacked(
            '{"name":"Device ',
            id,
            '","description":"did:ethr:',
            chain,
            ":",
            id,
            '","attributes":['
        );
        bytes memory facts = abi.encodePacked(
            _trait("state", _nameOf(record.state)),
            ",",
            _trait("issuer", Strings.toHexString(context.issuer)),
            ",",
            _trait("lot", Strings.toHexString(uint256(LotId.unwrap(context.lot)), 32)),
            ",",
            _level("key kind", KeyKind.unwrap(record.kind)),
            ",",
            _level("assurance", assurance)
        );
        return string.concat("data:application/json;base64,", Base64.encode(abi.encodePacked(head, facts, "]}")));
    }

    function _trait(string memory name, string memory value) private pure returns (bytes memory) {
        return abi.encodePacked('{"trait_type":"', name, '","value":"', value, '"}');
    }

    function _level(string memory name, uint8 value) private pure returns (bytes memory) {
        return abi.encodePacked('{"trait_type":"', name, '","value":', Strings.toString(value), "}");
    }

    function _nameOf(DeviceState state) private pure returns (string memory) {
        if (state == DeviceState.Active) return "active";
        if (state == DeviceState.Suspended) return "suspended";
        return state == DeviceState.Retired ? "retired" : "revoked";
    }
}
