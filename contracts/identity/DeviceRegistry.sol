// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Merkle} from "../libraries/Merkle.sol";
import {DelegateCare} from "./DelegateCare.sol";
import {DeviceDids} from "./DeviceDids.sol";
import {DeviceKeys} from "./DeviceKeys.sol";
import {DeviceLife} from "./DeviceLife.sol";
import {DeviceMetadata} from "./DeviceMetadata.sol";
import {DeviceMoves} from "./DeviceMoves.sol";
import {DeviceSigner} from "./DeviceSigner.sol";
import {DeviceStore} from "./DeviceStore.sol";
import {DeviceId, DeviceState, KeyKind, LotId} from "./DeviceTypes.sol";
import {DeviceUsers} from "./DeviceUsers.sol";
import {DidLog} from "./DidLog.sol";
import {IDeviceKeys} from "./IDeviceKeys.sol";
import {IERC4907} from "./IERC4907.sol";
import {IDeviceRegistry} from "./IDeviceRegistry.sol";
import {KeyCare} from "./KeyCare.sol";
import {LotBook} from "./LotBook.sol";
import {LotProofs} from "./LotProofs.sol";

/// @title Devices: from activation to retirement
/// @dev Left out on purpose: pause and upgrade (firmware pins this address), and any way for an administrator to touch a device.
contract DeviceRegistry is LotBook, DeviceKeys, DeviceDids, DeviceUsers, IDeviceRegistry, ERC721 {
    bytes32 private constant ACTIVATION_TYPEHASH = keccak256(
        "Activation(address device,bytes32 lot,address owner,uint64 deadline)"
    );
    uint64 private immutable BOND_DELAY;

    mapping(LotId lot => mapping(DeviceId device => bool)) private _revokedInLot;
    DeviceStore.Layout private _devices;

    /// @param authority Who may administer.
    /// @param token ITC, in which bonds are put down.
    /// @param verifiers The ERC-7913 verifiers of P-256, of RSA-2048 and of ERC-1271 contracts.
    /// @param bond The first minimum bond a device, in ITC.
    /// @param recovery Seconds that a key's recovery takes.
    /// @param bondDelay_ Seconds from a device's end until its bond can be returned.
    constructor(
        address authority,
        IERC20 token,
        address[3] memory verifiers,
        uint128 bond,
        uint64 recovery,
        uint64 bondDelay_
    )
        ERC721("IoT Chain Device", "ITCD")
        EIP712("DeviceRegistry", "1")
        LotBook(authority, token, bond)
        DeviceKeys(verifiers, recovery)
    {
        BOND_DELAY = bondDelay_;
    }

    /// @inheritdoc IDeviceRegistry
    function activate(
        LotId id,
        bytes calldata signer,
        address owner,
        bytes calldata signature,
        uint64 deadline,
        uint256 path,
        bytes32[] calldata proof
    ) external {
        require(block.timestamp <= deadline, DeviceRegistryExpired(deadline));
        KeyKind kind = _kindOf(signer);
        DeviceId device = DeviceSigner.idOf(signer);
        bytes32 root = Merkle.climb(DeviceSigner.leafOf(kind, device), path, proof);
        Lot storage lot = _requireEndorsed(id, root, device);
        DeviceState state = _devices.devices[device].state;
        require(state == DeviceState.None, DeviceRegistryDeviceKnown(device, state));
        _activate(id, lot, device, kind, signer, owner, deadline, signature);
    }

    /// @inheritdoc IDeviceRegistry
    function activateBatch(
        LotId id,
        uint64 deadline,
        bytes[] calldata signers,
        address[] calldata owners,
        bytes[] calldata signatures,
        uint256[] calldata places,
        uint256 leaves,
        bytes32[] calldata proof
    ) external {
        require(block.timestamp <= deadline, DeviceRegistryExpired(deadline));
        uint256 count = signers.length;
        require(count != 0 && count == owners.length && count == signatures.length, DeviceRegistryLengthMismatch());
        bytes32[] memory hashes = new bytes32[](count);
        for (uint256 k = 0; k < count; ++k) {
            hashes[k] = DeviceSigner.leafOf(_kindOf(signers[k]), DeviceSigner.idOf(signers[k]));
        }
        bytes32 root = LotProofs.rootOf(hashes, places, leaves, proof);
        Lot storage lot = _requireEndorsed(id, root, DeviceSigner.idOf(signers[0]));
        for (uint256 k = 0; k < count; ++k) {
            DeviceId device = DeviceSigner.idOf(signers[k]);
            if (_devices.devices[device].state != DeviceState.None) continue;
            // Anew each time: an owner that was just handed its device may have revoked the lot, or activated another device of it.
            _requireOpenLot(id);
            _activate(id, lot, device, _kindOf(signers[k]), signers[k], owners[k], deadline, signatures[k]);
        }
    }

    /// @inheritdoc IDeviceRegistry
    function suspend(DeviceId device) external {
        DeviceMoves.suspend(_devices, _contextOf(device), device);
    }

    /// @inheritdoc IDeviceRegistry
    function resume(DeviceId device) external {
        DeviceMoves.resume(_devices, _contextOf(device), device);
    }

    /// @inheritdoc IDeviceRegistry
    function retire(DeviceId device) external {
        DeviceMoves.retire(_devices, _contextOf(device), device, BOND_DELAY);
    }

    /// @inheritdoc IDeviceRegistry
    function revokeDevice(LotId id, DeviceId device) external {
        Lot storage lot = _requireOwnLot(id);
        require(!_revokedInLot[id][device], DeviceRegistryDeviceRevoked(device, id));
        _revokedInLot[id][device] = true;
        if (lot.state == LotState.Open) lot.state = LotState.Thinned;
        emit DeviceRevoked(id, device);
        if (_devices.devices[device].lotNumber == lot.number) DeviceMoves.revoke(_devices, device);
    }

    /// @inheritdoc IDeviceRegistry
    function releaseBond(DeviceId device) external {
        DeviceMoves.settle(_devices, device, BOND_DELAY);
        (address issuer, uint256 bond) = _returnBond(_devices.devices[device].lotNumber);
        emit BondMoved(issuer, device, bond, true);
    }

    /// @inheritdoc IDeviceRegistry
    function restoreBond(DeviceId device) external {
        DeviceMoves.restore(_devices, _contextOf(device), device);
        emit BondMoved(msg.sender, device, _collectBond(_devices.devices[device].lotNumber), false);
    }

    /// @inheritdoc IDeviceRegistry
    function stateAssurance(DeviceId device, uint8 assurance) external {
        DeviceMoves.stateAssurance(_devices, _contextOf(device), device, assurance);
    }

    /// @inheritdoc IDeviceKeys
    function addKeyKind(address verifier, bytes calldata multicodec) external restricted returns (KeyKind kind) {
        return KeyCare.addLaterKind(_devices, verifier, multicodec);
    }

    /// @inheritdoc IDeviceRegistry
    function deviceOf(
        DeviceId device
    )
        external
        view
        returns (
            DeviceState state,
            KeyKind kind,
            uint8 assurance,
            uint64 activatedAt,
            uint64 ownedSince,
            uint64 stateSince,
            LotId lot
        )
    {
        DeviceStore.Device storage record = _devices.devices[device];
        state = record.state;
        kind = record.kind;
        activatedAt = record.activatedAt;
        ownedSince = record.ownedSince == 0 ? activatedAt : record.ownedSince;
        stateSince = record.stateSince == 0 ? activatedAt : record.stateSince;
        lot = _lotIdOf(record.lotNumber);
        (, uint8 ceiling) = _lotByItsNumber(record.lotNumber);
        assurance = record.assurance < ceiling ? record.assurance : ceiling;
    }

    /// @inheritdoc IDeviceRegistry
    function tenureOf(DeviceId device) external view returns (DeviceState state, uint64 ownedSince) {
        DeviceStore.Device storage record = _devices.devices[device];
        return (record.state, record.ownedSince == 0 ? record.activatedAt : record.ownedSince);
    }

    /// @inheritdoc IDeviceRegistry
    function standingOf(DeviceId device) external view returns (uint8 holds, uint256 bond) {
        DeviceStore.Device storage record = _devices.devices[device];
        return (record.holds, record.marks & DeviceStore.BOND_GONE != 0 ? 0 : _bondOf(record.lotNumber));
    }

    /// @inheritdoc IDeviceRegistry
    function isActive(DeviceId device) external view returns (bool) {
        return _devices.devices[device].state == DeviceState.Active;
    }

    /// @inheritdoc IDeviceRegistry
    function delegatesOf(
        DeviceId device
    )
        external
        view
        returns (bytes32[] memory types, address[] memory accounts, uint64[] memory validTo, uint16[] memory numbers)
    {
        return DelegateCare.delegatesOf(_devices, device);
    }

    /// @inheritdoc IDeviceRegistry
    function attributesOf(DeviceId device) external view returns (uint216) {
        return _devices.attributes[device].digest;
    }

    /// @inheritdoc IDeviceRegistry
    function bondDelay() external view returns (uint64) {
        return BOND_DELAY;
    }

    /// @inheritdoc IDeviceRegistry
    function activationDigest(
        DeviceId device,
        LotId lot,
        address owner,
        uint64 deadline
    ) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(ACTIVATION_TYPEHASH, device, lot, owner, deadline)));
    }

    /// @inheritdoc ERC721
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IERC4907).interfaceId || super.supportsInterface(interfaceId);
    }

    /// @inheritdoc ERC721
    function tokenURI(uint256 tokenId) public view override returns (string memory) {
        _requireOwned(tokenId);
        return DeviceMetadata.tokenUri(_devices, _contextOf(_deviceOf(tokenId)), _deviceOf(tokenId));
    }

    /// @dev A transfer ends what the owner before has granted, and moves the DID's controller unless the device is at its end: its DID stays
    ///      deactivated. A mint was noted by `_activate`, with the rest of the slot.
    function _update(address to, uint256 tokenId, address auth) internal override returns (address from) {
        from = super._update(to, tokenId, auth);
        if (from == address(0)) return from;
        DeviceId device = _deviceOf(tokenId);
        DeviceStore.Device storage record = _devices.devices[device];
        record.ownedSince = uint40(block.timestamp);
        _endUse(tokenId, device);
        if (!DeviceLife.isAlive(_devices, device)) return from;
        if (record.marks & DeviceStore.HAS_DELEGATES != 0) DelegateCare.endDelegates(_devices, device);
        DidLog.noteOwner(_devices, device, to);
    }

    function _handOver(DeviceId device, address to) internal override {
        _safeTransfer(msg.sender, to, uint160(DeviceId.unwrap(device)));
    }

    function _slash(DeviceId device) internal override returns (uint256 reward, uint256 bond) {
        return _slashBond(_devices.devices[device].lotNumber, msg.sender);
    }

    function _requireMayLend(uint256 tokenId) internal view override {
        _checkAuthorized(_requireOwned(tokenId), msg.sender, tokenId);
    }

    function _store() internal view override(DeviceKeys, DeviceDids, DeviceUsers) returns (DeviceStore.Layout storage) {
        return _devices;
    }

    function _holderOf(DeviceId device) internal view override returns (address) {
        return _ownerOf(uint160(DeviceId.unwrap(device)));
    }

    function _lotOf(DeviceId device) internal view override returns (LotId) {
        return _lotIdOf(_devices.devices[device].lotNumber);
    }

    function _contextOf(DeviceId device) internal view override returns (DeviceStore.Context memory) {
        uint40 lotNumber = _devices.devices[device].lotNumber;
        (address issuer, uint8 assurance) = _lotByItsNumber(lotNumber);
        return DeviceStore.Context(_domainSeparatorV4(), _lotIdOf(lotNumber), assurance, _holderOf(device), issuer);
    }

    /// @dev The device is endorsed and unknown; its own word is the last check.
    function _activate(
        LotId id,
        Lot storage lot,
        DeviceId device,
        KeyKind kind,
        bytes calldata signer,
        address owner,
        uint64 deadline,
        bytes calldata signature
    ) private {
        // Checks
        if (lot.state == LotState.Thinned) {
            require(!_revokedInLot[id][device], DeviceRegistryDeviceRevoked(device, id));
        }
        // More leaves than `size` would be devices without a bond.
        require(lot.activated < lot.size, DeviceRegistryLotFull(id, lot.size));
        bytes32 digest = activationDigest(device, id, owner, deadline);
        require(DeviceSigner.verify(kind, signer, digest, signature), DeviceRegistryInvalidSignature(device));

        // Effects
        ++lot.activated;
        _record(lot, device, kind, owner);
        DidLog.emitKey(_devices, device, kind, signer, type(uint256).max, block.number);
        emit DeviceActivated(id, device, owner);

        // Interactions: `owner` may be a contract that is asked whether it takes the token. Its code sees the device as active.
        _safeMint(owner, uint160(DeviceId.unwrap(device)));
    }

    /// @dev Writes the device's one slot, and begins its chain of ERC-1056 changes.
    function _record(Lot storage lot, DeviceId device, KeyKind kind, address owner) private {
        // Everything is read before anything is written, and then written field by field: the optimiser makes one store of it, of a whole
        // struct it makes eight.
        uint40 number = lot.number;
        uint8 assurance = lot.assurance;
        DeviceStore.Device storage record = _devices.devices[device];
        record.state = DeviceState.Active;
        record.kind = kind;
        record.assurance = assurance;
        record.activatedAt = uint40(block.timestamp);
        record.lotNumber = number;
        record.changed = uint40(block.number);
        emit DIDOwnerChanged(DeviceId.unwrap(device), owner, 0);
    }

    /// @dev The lot, if it activates devices now and the root is its root.
    function _requireEndorsed(LotId id, bytes32 root, DeviceId device) private view returns (Lot storage lot) {
        address issuer;
        (lot, issuer) = _requireOpenLot(id);
        require(LotId.unwrap(lotIdOf(issuer, root)) == LotId.unwrap(id), DeviceRegistryInvalidProof(device, id));
    }

    function _deviceOf(uint256 tokenId) private pure returns (DeviceId) {
        return DeviceId.wrap(address(uint160(tokenId)));
    }
}
