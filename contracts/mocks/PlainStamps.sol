// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What stands beside the logs in the gas table: the least that could be called anchoring
contract PlainStamps {
    mapping(bytes32 hash => uint64) public timeOf;

    event Stamped(address indexed publisher, bytes32 hash);

    /// @notice A mapping of times.
    function stamp(bytes32 hash) external {
        timeOf[hash] = uint64(block.timestamp);
    }

    /// @notice An event alone.
    function emitOnly(bytes32 hash) external {
        emit Stamped(msg.sender, hash);
    }
}
