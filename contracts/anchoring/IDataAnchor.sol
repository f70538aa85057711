// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

/// @title One append-only log a publisher
/// @notice An entry is a 32-byte commitment: a device's own hash, or the hash of a batch header of signed readings. The log is a Merkle
///         Mountain Range; a leaf is keccak256(0x00 ‖ entry ‖ time), with the time of the block as 8 bytes, so that a proof shows not only
///         that an entry is there and where, but also when it came. Times are Unix seconds.
/// @dev No look-up in the registry: an entry is a claim by an address. Who relies on it asks the registry what that address is.
///      Left out on purpose: deletion, administration, pause.
interface IDataAnchor {
    /// @notice An entry was added. The events of a publisher are all that is needed to rebuild its log.
    event EntryAppended(address indexed publisher, uint64 indexed index, bytes32 entry, uint64 time);

    error DataAnchorNotPublisher(address publisher, address sender);
    error DataAnchorWrongIndex(address publisher, uint64 index, uint64 size);

    /// @notice Adds an entry to the publisher's log. Only the publisher itself.
    /// @param publisher Whose log.
    /// @param index The position that the entry is meant for, which is the log's size. A message sent twice is refused the second time
    ///        and changes nothing, and none can be skipped.
    /// @param entry The commitment.
    /// Errors: DataAnchorNotPublisher, DataAnchorWrongIndex. Event: EntryAppended.
    function append(address publisher, uint64 index, bytes32 entry) external;

    /// @notice How many entries a log has, and when the last one came.
    function headOf(address publisher) external view returns (uint64 size, uint64 time);

    /// @notice The root of a log, as RFC 9162 §2.1.1 defines it over the leaves, with keccak-256. 0 for an empty log.
    function rootOf(address publisher) external view returns (bytes32);

    /// @notice The peak of the log's perfect tree of 2^height leaves; meaningful where that bit of the size is 1.
    function peakOf(address publisher, uint8 height) external view returns (bytes32);

    /// @notice Whether `entry` stands at `index` and came at `time`.
    /// @param proof The siblings from the leaf up to its peak in the log as it is now.
    function verifyEntry(
        address publisher,
        uint64 index,
        uint64 time,
        bytes32 entry,
        bytes32[] calldata proof
    ) external view returns (bool);
}
