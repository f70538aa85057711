// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {LotId} from "./DeviceTypes.sol";
import {IDeviceRegistry} from "./IDeviceRegistry.sol";

/// @title The registry's book of issuers, lots and bonds
/// @dev Holds all ITC of the registry: for each lot, `bond` for every device that is or may still become active.
abstract contract LotBook is IDeviceRegistry, AccessManaged {
    struct Issuer {
        bool known;
        bool revoked;
    }

    /// @dev Two slots: activation writes the first and only reads the second.
    struct Lot {
        address issuer;
        uint40 size;
        uint40 activated;
        uint8 assurance;
        bool revoked;
        uint128 bond;
        uint40 number;
    }

    IERC20 private immutable TOKEN;

    uint128 private _minimumBond;
    uint40 private _lotCount;
    mapping(address issuer => Issuer) private _issuers;
    mapping(LotId lot => Lot) private _lots;
    mapping(uint40 number => LotId) private _lotByNumber;

    constructor(address authority, IERC20 token, uint128 bond) AccessManaged(authority) {
        TOKEN = token;
        _setMinimumBond(bond);
    }

    /// @inheritdoc IDeviceRegistry
    function registerIssuer(address issuer, string calldata name) external restricted {
        require(!_issuers[issuer].known, DeviceRegistryIssuerKnown(issuer));
        _issuers[issuer].known = true;
        emit IssuerRegistered(issuer, name);
    }

    /// @inheritdoc IDeviceRegistry
    function revokeIssuer(address issuer) external restricted {
        _requireIssuer(issuer);
        _issuers[issuer].revoked = true;
        emit IssuerRevoked(issuer);
    }

    /// @inheritdoc IDeviceRegistry
    function setMinimumBond(uint128 bond) external restricted {
        _setMinimumBond(bond);
    }

    /// @inheritdoc IDeviceRegistry
    function enrolLot(bytes32 root, uint64 size, uint8 assurance, uint128 bond) external returns (LotId id) {
        // Checks
        _requireIssuer(msg.sender);
        id = lotIdOf(msg.sender, root);
        Lot storage lot = _lots[id];
        require(lot.issuer == address(0), DeviceRegistryLotKnown(id));
        require(size != 0 && size <= type(uint40).max, DeviceRegistryLotSize(size));
        require(bond >= _minimumBond, DeviceRegistryBondTooLow(bond, _minimumBond));

        // Effects
        uint40 number = ++_lotCount;
        lot.issuer = msg.sender;
        lot.size = uint40(size);
        lot.assurance = assurance;
        lot.bond = bond;
        lot.number = number;
        _lotByNumber[number] = id;
        emit LotEnrolled(id, msg.sender, root, size, assurance, bond);

        // Interactions: ITC reverts, it never returns false.
        TOKEN.transferFrom(msg.sender, address(this), uint256(size) * bond);
    }

    /// @inheritdoc IDeviceRegistry
    function revokeLot(LotId id) external {
        // Checks
        Lot storage lot = _requireOwnLot(id);
        require(!lot.revoked, DeviceRegistryLotRevoked(id));

        // Effects
        lot.revoked = true;
        uint256 refund = uint256(lot.size - lot.activated) * lot.bond;
        emit LotRevoked(id, refund);

        // Interactions
        TOKEN.transfer(lot.issuer, refund);
    }

    /// @inheritdoc IDeviceRegistry
    function lotOf(
        LotId id
    )
        external
        view
        returns (address issuer, uint64 size, uint64 activated, uint256 bond, uint8 assurance, bool revoked)
    {
        Lot storage lot = _lots[id];
        return (lot.issuer, lot.size, lot.activated, lot.bond, lot.assurance, lot.revoked);
    }

    /// @inheritdoc IDeviceRegistry
    function isIssuer(address issuer) external view returns (bool) {
        return _isIssuer(issuer);
    }

    /// @inheritdoc IDeviceRegistry
    function minimumBond() external view returns (uint256) {
        return _minimumBond;
    }

    /// @inheritdoc IDeviceRegistry
    function lotIdOf(address issuer, bytes32 root) public pure returns (LotId) {
        return LotId.wrap(keccak256(abi.encode(issuer, root)));
    }

    function _lotAt(LotId id) internal view returns (Lot storage) {
        return _lots[id];
    }

    function _lotIdOf(uint40 number) internal view returns (LotId) {
        return _lotByNumber[number];
    }

    /// @dev The lot, if it may activate devices now.
    function _requireOpenLot(LotId id) internal view returns (Lot storage lot) {
        lot = _lots[id];
        require(lot.issuer != address(0), DeviceRegistryLotUnknown(id));
        require(!lot.revoked, DeviceRegistryLotRevoked(id));
        _requireIssuer(lot.issuer);
    }

    function _requireOwnLot(LotId id) internal view returns (Lot storage lot) {
        lot = _lots[id];
        require(lot.issuer != address(0), DeviceRegistryLotUnknown(id));
        require(lot.issuer == msg.sender, DeviceRegistryNotIssuer(id, msg.sender));
    }

    function _setMinimumBond(uint128 bond) private {
        _minimumBond = bond;
        emit MinimumBondSet(bond);
    }

    function _requireIssuer(address issuer) private view {
        require(_isIssuer(issuer), DeviceRegistryIssuerNotRegistered(issuer));
    }

    function _isIssuer(address issuer) private view returns (bool) {
        Issuer storage record = _issuers[issuer];
        return record.known && !record.revoked;
    }
}
