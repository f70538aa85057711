// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {DeviceId} from "../identity/DeviceTypes.sol";
import {ReadingFields, ReadingPlace} from "./AnchoringTypes.sol";

/// @title One append-only log a publisher
/// @notice An entry is a 32-byte commitment: the digest of a reading, or the hash of a batch header of signed readings. The log is a Merkle
///         Mountain Range; a leaf is keccak256(0x00 ‖ entry ‖ time), with the time of the block as 8 bytes, so that a proof shows not only
///         that an entry is there and where, but also when it came. Times are Unix seconds.
///
///         A publisher is an account, such as a gateway's, or a device, whose log goes on under each of its keys: the device's own account
///         appends by itself as long as it is the device's key, anyone appends for it with its present key's signature.
/// @dev `append` makes no look-up in the registry, to cost what it costs: an account that no longer is its device's key is kept out from the
///      first entry under another key on, or from the moment that anyone calls `checkAccount`. Who relies on an entry before that asks the
///      registry whose key it was. Left out on purpose: deletion, administration, pause.
interface IDataAnchor {
    /// @notice An entry was added. The events of a publisher are all that is needed to rebuild its log.
    event EntryAppended(address indexed publisher, uint64 indexed index, bytes32 entry, uint64 time);
    /// @notice An entry of `appendMany` was left out: it isn't for the next position, or isn't signed by the device's present key.
    event EntryPassedOver(address indexed publisher, uint64 indexed index, bytes32 entry);
    /// @notice A device's account may no longer append by itself (`barred`), or may again.
    event AccountChecked(address indexed publisher, bool barred);

    error DataAnchorNotPublisher(address publisher, address sender);
    error DataAnchorAccountBarred(address publisher);
    error DataAnchorWrongIndex(address publisher, uint64 index, uint64 size);
    error DataAnchorInvalidSignature(DeviceId device);
    error DataAnchorLengthMismatch();

    /// @notice Adds an entry to the publisher's log. Only the publisher itself.
    /// @param publisher Whose log.
    /// @param index The position that the entry is meant for, which is the log's size. A message sent twice is refused the second time
    ///        and changes nothing, and none can be skipped.
    /// @param entry The commitment.
    /// Errors: DataAnchorNotPublisher, DataAnchorAccountBarred, DataAnchorWrongIndex. Event: EntryAppended.
    function append(address publisher, uint64 index, bytes32 entry) external;

    /// @notice Adds an entry to a device's log, in the device's word. Anyone may send it.
    /// @dev No deadline: the signature is good for one position of one log, once; whoever holds it back only stops the log, and the device can
    ///      sign another entry for the same position.
    /// @param device Whose log; it must be active.
    /// @param index As in `append`.
    /// @param entry The commitment.
    /// @param signer The device's present ERC-7913 signer.
    /// @param signature The device's, over `entryDigest(device, index, entry)`.
    /// Errors: DataAnchorWrongIndex, DataAnchorInvalidSignature. Event: EntryAppended.
    function appendFor(
        DeviceId device,
        uint64 index,
        bytes32 entry,
        bytes calldata signer,
        bytes calldata signature
    ) external;

    /// @notice Adds entries to many devices' logs. One that can't be added is passed over, so that nobody can spoil a batch by sending one of
    ///         its entries first, and a device that was revoked on the way stops no other. Several entries of one device go in order.
    /// @dev Hazard: a signer whose verifier uses up all gas makes the whole call fail; leave it out and send again.
    /// @param devices Whose logs.
    /// @param indexes One a device, as in `append`.
    /// @param entries Likewise.
    /// @param signers Likewise, as in `appendFor`.
    /// @param signatures Likewise.
    /// Errors: DataAnchorLengthMismatch. Events: EntryAppended or EntryPassedOver, one for each.
    function appendMany(
        DeviceId[] calldata devices,
        uint64[] calldata indexes,
        bytes32[] calldata entries,
        bytes[] calldata signers,
        bytes[] calldata signatures
    ) external;

    /// @notice Asks the registry whether a device's account is still its key, and keeps the account from appending by itself if it isn't.
    ///         Anyone may, as soon as a device's key was replaced, or its life has ended; and again, should the key come back.
    /// @return barred Whether the account is kept out now. Never for a publisher that is no device.
    /// Event: AccountChecked, if that changes.
    function checkAccount(DeviceId device) external returns (bool barred);

    /// @notice How many entries a log has, and when the last one came.
    function headOf(address publisher) external view returns (uint64 size, uint64 time);

    /// @notice Whether a device's account is kept from appending by itself.
    function isBarred(address publisher) external view returns (bool);

    /// @notice The root of a log, as RFC 9162 §2.1.1 defines it over the leaves, with keccak-256. 0 for an empty log.
    function rootOf(address publisher) external view returns (bytes32);

    /// @notice The peak of the log's perfect tree of 2^height leaves; meaningful where that bit of the size is 1.
    function peakOf(address publisher, uint8 height) external view returns (bytes32);

    /// @notice The 32 bytes that a device signs for `appendFor` (EIP-712: Entry(device, index, entry), in the domain of this contract).
    function entryDigest(DeviceId device, uint64 index, bytes32 entry) external view returns (bytes32);

    /// @notice Whether `entry` stands at `index` and came at `time`.
    /// @param proof The siblings from the leaf up to its peak in the log as it is now.
    function verifyEntry(
        address publisher,
        uint64 index,
        uint64 time,
        bytes32 entry,
        bytes32[] calldata proof
    ) external view returns (bool);

    /// @notice Whether a reading is in a log, by itself or in a batch: what it says, and when it existed at the latest. Who signed it is a
    ///         question for `verifySignedReading`, or off chain, where keys of the past are known.
    /// Errors: MerklePathTooLong.
    function verifyReading(ReadingFields calldata reading, ReadingPlace calldata place) external view returns (bool);

    /// @notice Whether a reading is in a log, and signed by the present key of an active device.
    /// @param signer The device's ERC-7913 signer.
    /// @param signature The device's, over the registry's `readingDigest`.
    /// Errors: MerklePathTooLong.
    function verifySignedReading(
        ReadingFields calldata reading,
        ReadingPlace calldata place,
        bytes calldata signer,
        bytes calldata signature
    ) external view returns (bool);

    /// @notice Whether these are the entries from `first` on, all of them, in this order: no gap.
    /// @param times When they came, one an entry.
    /// @param entries At least one.
    /// @param proof The nodes below the root that can't be computed from the entries, see `Merkle.climbMany`.
    /// Errors: DataAnchorLengthMismatch; MerkleBadMultiproof for positions beyond the log and a proof of another length.
    function verifyRange(
        address publisher,
        uint64 first,
        uint64[] calldata times,
        bytes32[] calldata entries,
        bytes32[] calldata proof
    ) external view returns (bool);

    /// @notice Whether a log that once had `size` entries and this root has only been added to since.
    /// @param proof A consistency proof of RFC 9162 §2.1.4.
    function verifyConsistency(
        address publisher,
        uint64 size,
        bytes32 root,
        bytes32[] calldata proof
    ) external view returns (bool);

    /// @notice Who knows the devices.
    function registry() external view returns (address);
}
