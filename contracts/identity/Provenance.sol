// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DeviceId, LotId} from "./DeviceTypes.sol";
import {IDeviceRegistry} from "./IDeviceRegistry.sol";
import {IProvenance} from "./IProvenance.sol";
import {PartTree} from "./PartTree.sol";
import {PartId, PartRank, PartState} from "./ProvenanceTypes.sol";

/// @title Parts from the IP block to the installation
contract Provenance is PartTree {
    /// @dev One slot. The number stands for the maker in its parts, and is never used again.
    struct Prefix {
        address maker;
        uint32 number;
    }

    uint256 private constant MAX_DESIGNS = 16;

    IDeviceRegistry private immutable REGISTRY;

    uint32 private _makerCount;
    mapping(uint32 number => address) private _makers;
    mapping(bytes32 prefix => Prefix) private _prefixes;
    mapping(PartId chip => bytes32) private _designsHash;
    mapping(PartId design => mapping(address maker => bool)) private _licences;
    mapping(DeviceId device => PartId) private _partOfDevice;

    /// @param registry Which makers and devices there are.
    constructor(IDeviceRegistry registry) {
        REGISTRY = registry;
    }

    /// @inheritdoc IProvenance
    function claimPrefix(bytes32 prefix) external {
        // Checks: the registry is ours, its views can't come back here.
        _requireIssuer();
        Prefix storage record = _prefixes[prefix];
        address holder = record.maker;
        require(holder == address(0) || !REGISTRY.isIssuer(holder), ProvenancePrefixTaken(prefix, holder));

        // Effects
        uint32 number = ++_makerCount;
        record.maker = msg.sender;
        record.number = number;
        _makers[number] = msg.sender;
        emit PrefixClaimed(prefix, msg.sender);
    }

    /// @inheritdoc IProvenance
    function commission(
        bytes32 prefix,
        bytes32 serial,
        PartRank rank,
        PartId[] calldata designs
    ) external returns (PartId id, bool genuine) {
        // Checks
        _requireIssuer();
        require(rank != PartRank.None && rank != PartRank.Installation, ProvenanceWrongRank(rank));
        Prefix storage owner = _prefixes[prefix];
        require(owner.maker != address(0), ProvenancePrefixUnknown(prefix));
        id = partIdOf(prefix, serial);
        Part storage part = _part(id);
        if (owner.maker != msg.sender || part.state != PartState.None) {
            emit CounterfeitClaimed(id, msg.sender, ++part.claims);
            return (id, false);
        }

        // Effects
        _create(part, rank, owner.number);
        emit PartCommissioned(id, msg.sender, rank, prefix, serial);
        if (designs.length != 0) _include(id, rank, designs);
        return (id, true);
    }

    /// @inheritdoc IProvenance
    function commissionInstallation(bytes32 site) external returns (PartId id) {
        id = installationIdOf(msg.sender, site);
        Part storage part = _part(id);
        require(part.state == PartState.None, ProvenancePartKnown(id));
        _create(part, PartRank.Installation, 0);
        emit PartCommissioned(id, msg.sender, PartRank.Installation, 0, site);
    }

    /// @inheritdoc IProvenance
    function setLicence(PartId design, address maker, bool licensed) external {
        Part storage part = _requireKnown(design);
        require(part.rank == PartRank.IpBlock, ProvenanceWrongRank(part.rank));
        _requireHeld(design, part);
        _licences[design][maker] = licensed;
        emit LicenceSet(design, maker, licensed);
    }

    /// @inheritdoc IProvenance
    function bindDevice(PartId id, DeviceId device) external returns (bool bound) {
        // Checks
        _requireIssuer();
        Part storage part = _requireKnown(id);
        require(part.rank == PartRank.Device, ProvenanceWrongRank(part.rank));
        require(_makers[part.maker] == msg.sender, ProvenanceNotMaker(id, msg.sender));
        (PartId root, Part storage whole) = _rootOf(id);
        require(whole.state != PartState.Decommissioned, ProvenanceNotActive(root, whole.state));
        require(_issuerOf(device) == msg.sender, ProvenanceForeignDevice(device, msg.sender));
        PartId holder = _partOfDevice[device];
        if (_same(holder, id)) return true;
        if (part.bound || !_same(holder, NOTHING)) {
            ++part.claims;
            if (!_same(holder, NOTHING)) ++_part(holder).claims;
            emit BindingRefused(id, device, holder);
            return false;
        }

        // Effects
        part.bound = true;
        _partOfDevice[device] = id;
        emit DeviceBound(id, device);
        return true;
    }

    /// @inheritdoc IProvenance
    function partOf(
        PartId id
    )
        external
        view
        returns (
            PartRank rank,
            PartState state,
            address maker,
            address custodian,
            PartId parent,
            PartId root,
            uint64 children,
            uint64 claims,
            bool bound
        )
    {
        Part storage part = _part(id);
        Part storage whole;
        (root, whole) = _rootOf(id);
        rank = part.rank;
        state = whole.state;
        maker = _makers[part.maker];
        custodian = whole.custodian;
        parent = part.parent;
        if (rank == PartRank.None) root = NOTHING;
        children = part.children;
        claims = part.claims;
        bound = part.bound;
    }

    /// @inheritdoc IProvenance
    function partOfDevice(DeviceId device) external view returns (PartId) {
        return _partOfDevice[device];
    }

    /// @inheritdoc IProvenance
    function isMadeWith(PartId chip, PartId[] calldata designs) external view returns (bool) {
        bytes32 expected = designs.length == 0 ? bytes32(0) : keccak256(abi.encodePacked(designs));
        return _part(chip).rank == PartRank.Chip && _designsHash[chip] == expected;
    }

    /// @inheritdoc IProvenance
    function isLicensed(PartId design, address maker) external view returns (bool) {
        return _mayInclude(design, maker);
    }

    /// @inheritdoc IProvenance
    function makerOfPrefix(bytes32 prefix) external view returns (address) {
        return _prefixes[prefix].maker;
    }

    /// @inheritdoc IProvenance
    function partIdOf(bytes32 prefix, bytes32 serial) public pure returns (PartId) {
        return PartId.wrap(keccak256(abi.encode(prefix, serial)));
    }

    /// @inheritdoc IProvenance
    function installationIdOf(address account, bytes32 site) public pure returns (PartId) {
        return PartId.wrap(keccak256(abi.encodePacked(account, site)));
    }

    /// @dev Keeps a hash only: a chip's designs never change, and events name them.
    function _include(PartId chip, PartRank rank, PartId[] calldata designs) private {
        uint256 count = designs.length;
        require(rank == PartRank.Chip && count <= MAX_DESIGNS, ProvenanceDesignCount(rank, count));
        bytes32 last;
        for (uint256 k = 0; k < count; ++k) {
            PartId design = designs[k];
            require(PartId.unwrap(design) > last, ProvenanceDesignOrder(design));
            last = PartId.unwrap(design);
            require(_mayInclude(design, msg.sender), ProvenanceUnlicensed(design, msg.sender));
            emit DesignIncluded(chip, design);
        }
        _designsHash[chip] = keccak256(abi.encodePacked(designs));
    }

    function _requireIssuer() private view {
        require(REGISTRY.isIssuer(msg.sender), ProvenanceNotIssuer(msg.sender));
    }

    /// @dev The account that vouches for a device that went live; 0 for any other.
    function _issuerOf(DeviceId device) private view returns (address issuer) {
        (, , , , , , LotId lot) = REGISTRY.deviceOf(device);
        (issuer, , , , , ) = REGISTRY.lotOf(lot);
    }

    function _mayInclude(PartId design, address maker) private view returns (bool) {
        Part storage part = _part(design);
        if (part.rank != PartRank.IpBlock || part.state == PartState.Decommissioned) return false;
        return part.custodian == maker || _licences[design][maker];
    }
}
