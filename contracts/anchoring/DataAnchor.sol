// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDataAnchor} from "./IDataAnchor.sol";
import {MountainRange} from "./MountainRange.sol";

/// @title One append-only log a publisher
contract DataAnchor is IDataAnchor {
    using MountainRange for MountainRange.Log;

    mapping(address publisher => MountainRange.Log) private _logs;

    /// @inheritdoc IDataAnchor
    function append(address publisher, uint64 index, bytes32 entry) external {
        // Checks
        require(msg.sender == publisher, DataAnchorNotPublisher(publisher, msg.sender));
        MountainRange.Log storage log = _logs[publisher];
        uint64 size = log.size;
        require(index == size, DataAnchorWrongIndex(publisher, index, size));

        // Effects
        log.append(size, _leafOf(entry, uint64(block.timestamp)));
        emit EntryAppended(publisher, index, entry, uint64(block.timestamp));
    }

    /// @inheritdoc IDataAnchor
    function headOf(address publisher) external view returns (uint64 size, uint64 time) {
        MountainRange.Log storage log = _logs[publisher];
        return (log.size, log.time);
    }

    /// @inheritdoc IDataAnchor
    function rootOf(address publisher) external view returns (bytes32) {
        return _logs[publisher].root();
    }

    /// @inheritdoc IDataAnchor
    function peakOf(address publisher, uint8 height) external view returns (bytes32) {
        return height < 64 ? _logs[publisher].peaks[height] : bytes32(0);
    }

    /// @inheritdoc IDataAnchor
    function verifyEntry(
        address publisher,
        uint64 index,
        uint64 time,
        bytes32 entry,
        bytes32[] calldata proof
    ) external view returns (bool) {
        return _logs[publisher].includes(index, _leafOf(entry, time), proof);
    }

    function _leafOf(bytes32 entry, uint64 time) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x00), entry, time));
    }
}
