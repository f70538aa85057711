// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {DeviceId, DeviceState} from "../identity/DeviceTypes.sol";
import {IDeviceRegistry} from "../identity/IDeviceRegistry.sol";
import {IERC1056} from "../identity/IERC1056.sol";
import {Merkle} from "../libraries/Merkle.sol";
import {ReadingFields, ReadingPlace} from "./AnchoringTypes.sol";
import {BatchHeader} from "./BatchHeader.sol";
import {IDataAnchor} from "./IDataAnchor.sol";
import {MountainRange} from "./MountainRange.sol";

/// @title One append-only log a publisher
contract DataAnchor is IDataAnchor, EIP712 {
    using MountainRange for MountainRange.Log;
    using MountainRange for MountainRange.Head;

    bytes32 private constant ENTRY_TYPEHASH = keccak256("Entry(address device,uint64 index,bytes32 entry)");
    bytes32 private constant KEY_DELEGATE = "sigAuth";

    IDeviceRegistry private immutable REGISTRY;
    mapping(address publisher => MountainRange.Log) private _logs;

    constructor(IDeviceRegistry registry_) EIP712("DataAnchor", "1") {
        REGISTRY = registry_;
    }

    /// @inheritdoc IDataAnchor
    function append(address publisher, uint64 index, bytes32 entry) external {
        // Checks
        require(msg.sender == publisher, DataAnchorNotPublisher(publisher, msg.sender));
        MountainRange.Log storage log = _logs[publisher];
        MountainRange.Head head = log.head;
        require(!head.isBarred(), DataAnchorAccountBarred(publisher));
        require(index == head.sizeOf(), DataAnchorWrongIndex(publisher, index, head.sizeOf()));

        // Effects
        _append(log, head, publisher, entry);
    }

    /// @inheritdoc IDataAnchor
    function appendFor(
        DeviceId device,
        uint64 index,
        bytes32 entry,
        bytes calldata signer,
        bytes calldata signature
    ) external {
        MountainRange.Log storage log = _logs[DeviceId.unwrap(device)];
        MountainRange.Head head = log.head;
        require(index == head.sizeOf(), DataAnchorWrongIndex(DeviceId.unwrap(device), index, head.sizeOf()));
        require(_isEntrySigned(device, index, entry, signer, signature), DataAnchorInvalidSignature(device));
        _relay(log, head, device, entry, signer);
    }

    /// @inheritdoc IDataAnchor
    function appendMany(
        DeviceId[] calldata devices,
        uint64[] calldata indexes,
        bytes32[] calldata entries,
        bytes[] calldata signers,
        bytes[] calldata signatures
    ) external {
        require(
            devices.length == indexes.length &&
                devices.length == entries.length &&
                devices.length == signers.length &&
                devices.length == signatures.length,
            DataAnchorLengthMismatch()
        );
        for (uint256 k = 0; k < devices.length; ++k) {
            (DeviceId device, uint64 index, bytes32 entry) = (devices[k], indexes[k], entries[k]);
            MountainRange.Log storage log = _logs[DeviceId.unwrap(device)];
            MountainRange.Head head = log.head;
            if (index == head.sizeOf() && _isEntrySigned(device, index, entry, signers[k], signatures[k])) {
                _relay(log, head, device, entry, signers[k]);
            } else {
                emit EntryPassedOver(DeviceId.unwrap(device), index, entry);
            }
        }
    }

    /// @inheritdoc IDataAnchor
    function checkAccount(DeviceId device) external returns (bool barred) {
        address account = DeviceId.unwrap(device);
        (DeviceState state, ) = REGISTRY.tenureOf(device);
        barred =
            state != DeviceState.None &&
            !IERC1056(address(REGISTRY)).validDelegate(account, KEY_DELEGATE, account);
        MountainRange.Log storage log = _logs[account];
        MountainRange.Head head = log.head;
        if (head.isBarred() == barred) return barred;
        log.head = head.barredAs(barred);
        emit AccountChecked(account, barred);
    }

    /// @inheritdoc IDataAnchor
    function headOf(address publisher) external view returns (uint64 size, uint64 time) {
        MountainRange.Log storage log = _logs[publisher];
        return (log.head.sizeOf(), log.head.timeOf());
    }

    /// @inheritdoc IDataAnchor
    function isBarred(address publisher) external view returns (bool) {
        return _logs[publisher].head.isBarred();
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
        return _logs[publisher].includes(index, MountainRange.leafOf(entry, time), proof);
    }

    /// @inheritdoc IDataAnchor
    function verifyReading(ReadingFields calldata reading, ReadingPlace calldata place) external view returns (bool) {
        return _isAt(_digestOf(reading), reading, place);
    }

    /// @inheritdoc IDataAnchor
    function verifySignedReading(
        ReadingFields calldata reading,
        ReadingPlace calldata place,
        bytes calldata signer,
        bytes calldata signature
    ) external view returns (bool) {
        bytes32 digest = _digestOf(reading);
        return _isAt(digest, reading, place) && _isSigned(reading.device, digest, signer, signature);
    }

    /// @inheritdoc IDataAnchor
    function verifyRange(
        address publisher,
        uint64 first,
        uint64[] calldata times,
        bytes32[] calldata entries,
        bytes32[] calldata proof
    ) external view returns (bool) {
        require(times.length == entries.length, DataAnchorLengthMismatch());
        bytes32[] memory leaves = new bytes32[](entries.length);
        uint256[] memory places = new uint256[](entries.length);
        for (uint256 k = 0; k < entries.length; ++k) {
            leaves[k] = MountainRange.leafOf(entries[k], times[k]);
            places[k] = uint256(first) + k;
        }
        MountainRange.Log storage log = _logs[publisher];
        return Merkle.climbMany(leaves, places, log.head.sizeOf(), proof) == log.root();
    }

    /// @inheritdoc IDataAnchor
    function verifyConsistency(
        address publisher,
        uint64 size,
        bytes32 root,
        bytes32[] calldata proof
    ) external view returns (bool) {
        return _logs[publisher].extends(size, root, proof);
    }

    /// @inheritdoc IDataAnchor
    function registry() external view returns (address) {
        return address(REGISTRY);
    }

    /// @inheritdoc IDataAnchor
    function entryDigest(DeviceId device, uint64 index, bytes32 entry) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(ENTRY_TYPEHASH, device, index, entry)));
    }

    /// @dev An entry in the device's word. Under another key than its own account, that account is out from here on.
    function _relay(
        MountainRange.Log storage log,
        MountainRange.Head head,
        DeviceId device,
        bytes32 entry,
        bytes calldata signer
    ) private {
        address publisher = DeviceId.unwrap(device);
        bool barred = address(bytes20(signer)) != publisher;
        if (head.isBarred() != barred) {
            head = head.barredAs(barred);
            emit AccountChecked(publisher, barred);
        }
        _append(log, head, publisher, entry);
    }

    function _append(MountainRange.Log storage log, MountainRange.Head head, address publisher, bytes32 entry) private {
        log.append(head, MountainRange.leafOf(entry, uint64(block.timestamp)));
        emit EntryAppended(publisher, head.sizeOf(), entry, uint64(block.timestamp));
    }

    function _isEntrySigned(
        DeviceId device,
        uint64 index,
        bytes32 entry,
        bytes calldata signer,
        bytes calldata signature
    ) private view returns (bool) {
        return _isSigned(device, entryDigest(device, index, entry), signer, signature);
    }

    function _isSigned(
        DeviceId device,
        bytes32 digest,
        bytes calldata signer,
        bytes calldata signature
    ) private view returns (bool) {
        return REGISTRY.isSignedByDevice(device, digest, signer, signature);
    }

    function _digestOf(ReadingFields calldata reading) private view returns (bytes32) {
        return REGISTRY.readingDigest(reading.device, reading.sequence, reading.time, reading.schema, reading.content);
    }

    function _isAt(
        bytes32 digest,
        ReadingFields calldata reading,
        ReadingPlace calldata place
    ) private view returns (bool) {
        bytes32 entry = digest;
        if (place.count != 0) {
            if (reading.time < place.first || reading.time > place.last) return false;
            bytes32 leaf = keccak256(abi.encodePacked(bytes1(0x00), digest));
            bytes32 root = Merkle.climb(leaf, place.path, place.batchSiblings);
            entry = BatchHeader.entryOf(root, place.count, place.first, place.last, reading.schema, place.values);
        }
        return
            _logs[place.publisher].includes(
                place.index,
                MountainRange.leafOf(entry, place.entryTime),
                place.logSiblings
            );
    }
}
