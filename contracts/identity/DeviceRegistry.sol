// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Merkle} from "../libraries/Merkle.sol";
import {DeviceSigner} from "./DeviceSigner.sol";
import {DeviceId, DeviceState, KeyKind, LotId} from "./DeviceTypes.sol";
import {IDeviceRegistry} from "./IDeviceRegistry.sol";
import {IERC1056} from "./IERC1056.sol";
import {LotBook} from "./LotBook.sol";
import {Reading} from "./Reading.sol";

/// @title Issuers, lots and devices
/// @dev Left out on purpose: pause and upgrade (firmware pins this address), and any way for an administrator to touch a device.
contract DeviceRegistry is LotBook, IERC1056, ERC721, EIP712 {
    /// @dev One slot. No key: the id commits to the first one, `kind` says which verifier speaks for it.
    struct Device {
        DeviceState state;
        KeyKind kind;
        uint8 assurance;
        uint40 activatedAt;
        uint40 ownedSince;
        uint40 stateSince;
        uint40 lotNumber;
        uint64 changed;
    }

    bytes32 private constant ACTIVATION_TYPEHASH = keccak256(
        "Activation(address device,bytes32 lot,address owner,uint64 deadline)"
    );
    bytes32 private constant PUBLIC_KEY_ATTRIBUTE = "did/pub/Multikey/veriKey";
    uint256 private constant P256_SIGNER_LENGTH = 84;

    address private immutable P256_VERIFIER;

    mapping(LotId lot => mapping(DeviceId device => bool)) private _revokedInLot;
    mapping(DeviceId device => Device) private _devices;

    /// @param authority Who may administer.
    /// @param token ITC, in which bonds are put down.
    /// @param verifier The ERC-7913 verifier of P-256 keys.
    /// @param bond The first minimum bond a device, in ITC.
    constructor(
        address authority,
        IERC20 token,
        address verifier,
        uint128 bond
    ) ERC721("IoT Chain Device", "ITCD") EIP712("DeviceRegistry", "1") LotBook(authority, token, bond) {
        P256_VERIFIER = verifier;
    }

    /// @inheritdoc IDeviceRegistry
    function revokeDevice(LotId id, DeviceId device) external {
        Lot storage lot = _requireOwnLot(id);
        require(!_revokedInLot[id][device], DeviceRegistryDeviceRevoked(device, id));
        _revokedInLot[id][device] = true;
        if (lot.state == LotState.Open) lot.state = LotState.Thinned;
        emit DeviceRevoked(id, device);

        Device storage record = _devices[device];
        if (record.state == DeviceState.Active && record.lotNumber == lot.number) {
            record.state = DeviceState.Revoked;
            record.stateSince = uint40(block.timestamp);
            _noteOwner(device, record, address(0));
        }
    }

    /// @inheritdoc IDeviceRegistry
    function activate(
        LotId id,
        bytes calldata signer,
        address owner,
        uint64 deadline,
        bytes calldata signature,
        uint256 path,
        bytes32[] calldata proof
    ) external {
        // Checks
        require(block.timestamp <= deadline, DeviceRegistryExpired(deadline));
        KeyKind kind = _kindOf(signer);
        DeviceId device = DeviceSigner.idOf(signer);
        bytes32 root = Merkle.climb(DeviceSigner.leafOf(kind, device), path, proof);
        Lot storage lot = _checkEndorsement(id, device, root);
        require(
            DeviceSigner.verify(signer, activationDigest(device, id, owner, deadline), signature),
            DeviceRegistryInvalidSignature(device)
        );

        // Effects
        ++lot.activated;
        _record(lot, device, kind, owner);
        if (kind == KeyKind.P256) _noteKey(device, signer);
        emit DeviceActivated(id, device, owner);

        // Interactions: `owner` may be a contract that is asked whether it takes the token. Its code sees the device as active.
        _safeMint(owner, _tokenIdOf(device));
    }

    /// @inheritdoc IDeviceRegistry
    function isValidDeviceSignature(
        DeviceId device,
        bytes32 digest,
        bytes calldata signer,
        bytes calldata signature
    ) external view returns (bool) {
        Device storage record = _devices[device];
        if (record.state != DeviceState.Active) return false;
        (bool known, KeyKind kind) = _tryKindOf(signer);
        if (!known || kind != record.kind) return false;
        if (DeviceId.unwrap(DeviceSigner.idOf(signer)) != DeviceId.unwrap(device)) return false;
        return DeviceSigner.verify(signer, digest, signature);
    }

    /// @inheritdoc IDeviceRegistry
    function readingDigest(
        DeviceId device,
        uint64 sequence,
        uint64 time,
        bytes32 schema,
        bytes32 content
    ) external view returns (bytes32) {
        return _hashTypedDataV4(Reading.hash(device, sequence, time, schema, content));
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
        Device storage record = _devices[device];
        state = record.state;
        kind = record.kind;
        assurance = record.assurance;
        activatedAt = record.activatedAt;
        ownedSince = record.ownedSince;
        stateSince = record.stateSince;
        lot = _lotIdOf(record.lotNumber);
    }

    /// @inheritdoc IDeviceRegistry
    function isActive(DeviceId device) external view returns (bool) {
        return _devices[device].state == DeviceState.Active;
    }

    /// @inheritdoc IDeviceRegistry
    function p256Verifier() external view returns (address) {
        return P256_VERIFIER;
    }

    /// @inheritdoc IERC1056
    function identityOwner(address identity) external view returns (address) {
        DeviceState state = _devices[DeviceId.wrap(identity)].state;
        if (state == DeviceState.None) return identity;
        return state == DeviceState.Active ? _ownerOf(uint160(identity)) : address(0);
    }

    /// @inheritdoc IERC1056
    function changed(address identity) external view returns (uint256) {
        return _devices[DeviceId.wrap(identity)].changed;
    }

    /// @inheritdoc IERC1056
    /// @dev Always 0: no change is made by an ERC-1056 signature yet.
    function nonce(address) external pure returns (uint256) {
        return 0;
    }

    /// @inheritdoc IERC1056
    /// @dev The owner alone acts for a device: delegates can't be added yet.
    function validDelegate(address, bytes32, address) external pure returns (bool) {
        return false;
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

    /// @dev A transfer changes the DID's controller, unless the device is revoked: its DID stays deactivated. A mint was noted by
    ///      `_record`, with the rest of the slot.
    function _update(address to, uint256 tokenId, address auth) internal override returns (address from) {
        from = super._update(to, tokenId, auth);
        if (from == address(0)) return from;
        DeviceId device = DeviceId.wrap(address(uint160(tokenId)));
        Device storage record = _devices[device];
        record.ownedSince = uint40(block.timestamp);
        if (record.state == DeviceState.Active) _noteOwner(device, record, to);
    }

    /// @dev Writes the device's one slot, and begins its chain of ERC-1056 changes.
    function _record(Lot storage lot, DeviceId device, KeyKind kind, address owner) private {
        // Field by field: the optimiser makes one store of it, of a whole struct it makes eight.
        Device storage record = _devices[device];
        record.state = DeviceState.Active;
        record.kind = kind;
        record.assurance = lot.assurance;
        record.activatedAt = uint40(block.timestamp);
        record.ownedSince = uint40(block.timestamp);
        record.stateSince = uint40(block.timestamp);
        record.lotNumber = lot.number;
        record.changed = uint64(block.number);
        emit DIDOwnerChanged(DeviceId.unwrap(device), owner, 0);
    }

    function _noteOwner(DeviceId device, Device storage record, address owner) private {
        emit DIDOwnerChanged(DeviceId.unwrap(device), owner, record.changed);
        record.changed = uint64(block.number);
    }

    /// @dev In the block that `changed` names already; `previousChange` is that block, as the reference registry has it.
    function _noteKey(DeviceId device, bytes calldata signer) private {
        emit DIDAttributeChanged(
            DeviceId.unwrap(device),
            PUBLIC_KEY_ATTRIBUTE,
            DeviceSigner.multikeyOf(signer),
            type(uint256).max,
            _devices[device].changed
        );
    }

    /// @dev Everything about the lot and the device that must hold before its signature is looked at.
    function _checkEndorsement(LotId id, DeviceId device, bytes32 root) private view returns (Lot storage lot) {
        address issuer;
        (lot, issuer) = _requireOpenLot(id);
        require(LotId.unwrap(lotIdOf(issuer, root)) == LotId.unwrap(id), DeviceRegistryInvalidProof(device, id));
        if (lot.state == LotState.Thinned) {
            require(!_revokedInLot[id][device], DeviceRegistryDeviceRevoked(device, id));
        }
        DeviceState state = _devices[device].state;
        require(state == DeviceState.None, DeviceRegistryDeviceKnown(device, state));
        // More leaves than `size` would be devices without a bond.
        require(lot.activated < lot.size, DeviceRegistryLotFull(id, lot.size));
    }

    function _kindOf(bytes calldata signer) private view returns (KeyKind) {
        (bool known, KeyKind kind) = _tryKindOf(signer);
        require(known, DeviceRegistryInvalidSigner(signer));
        return kind;
    }

    function _tryKindOf(bytes calldata signer) private view returns (bool known, KeyKind kind) {
        if (signer.length == 20) return (true, KeyKind.Secp256k1);
        known = signer.length == P256_SIGNER_LENGTH && address(bytes20(signer)) == P256_VERIFIER;
        return (known, KeyKind.P256);
    }

    function _tokenIdOf(DeviceId device) private pure returns (uint256) {
        return uint160(DeviceId.unwrap(device));
    }
}
