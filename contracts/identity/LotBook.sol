// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {LotId} from "./DeviceTypes.sol";
import {IDeviceRegistry} from "./IDeviceRegistry.sol";

/// @title The registry's book of issuers, lots and bonds
/// @dev Holds all ITC of the registry: for each lot, `bond` for every device that is or may still become active.
abstract contract LotBook is IDeviceRegistry, AccessManaged {
    /// @dev `Thinned` lots have devices revoked, which activation must look for: a slot that other lots are spared.
    enum LotState {
        None,
        Open,
        Thinned,
        Revoked
    }

    /// @dev One slot.
    struct Issuer {
        address account;
        bool revoked;
    }

    /// @dev One slot, full: an issuer's number saves 16 bytes, and all ITC there is fits 88 bits.
    struct Lot {
        uint32 issuer;
        uint40 number;
        uint40 size;
        uint40 activated;
        uint8 assurance;
        LotState state;
        uint88 bond;
    }

    IERC20 private immutable TOKEN;

    uint128 private _minimumBond;
    uint40 private _lotCount;
    uint32 private _issuerCount;
    mapping(address account => uint32) private _issuerNumbers;
    mapping(uint32 number => Issuer) private _issuers;
    mapping(LotId lot => Lot) private _lots;
    mapping(uint40 number => LotId) private _lotByNumber;

    constructor(address authority, IERC20 token, uint128 bond) AccessManaged(authority) {
        TOKEN = token;
        _setMinimumBond(bond);
    }

    /// @inheritdoc IDeviceRegistry
    function registerIssuer(address issuer, string calldata name) external restricted {
        require(_issuerNumbers[issuer] == 0, DeviceRegistryIssuerKnown(issuer));
        uint32 number = ++_issuerCount;
        _issuerNumbers[issuer] = number;
        _issuers[number].account = issuer;
        emit IssuerRegistered(issuer, name);
    }

    /// @inheritdoc IDeviceRegistry
    function revokeIssuer(address issuer) external restricted {
        _issuers[_requireIssuer(issuer)].revoked = true;
        emit IssuerRevoked(issuer);
    }

    /// @inheritdoc IDeviceRegistry
    function setMinimumBond(uint128 bond) external restricted {
        _setMinimumBond(bond);
    }

    /// @inheritdoc IDeviceRegistry
    function enrolLot(bytes32 root, uint64 size, uint8 assurance, uint128 bond) external returns (LotId id) {
        // Checks
        uint32 issuer = _requireIssuer(msg.sender);
        id = lotIdOf(msg.sender, root);
        require(_lots[id].state == LotState.None, DeviceRegistryLotKnown(id));
        require(size != 0 && size <= type(uint40).max, DeviceRegistryLotSize(size));
        require(bond >= _minimumBond, DeviceRegistryBondTooLow(bond, _minimumBond));

        // Effects
        uint40 number = ++_lotCount;
        _lots[id] = Lot(issuer, number, uint40(size), 0, assurance, LotState.Open, SafeCast.toUint88(bond));
        _lotByNumber[number] = id;
        emit LotEnrolled(id, msg.sender, root, size, assurance, bond);

        // Interactions: ITC reverts, it never returns false.
        TOKEN.transferFrom(msg.sender, address(this), uint256(size) * bond);
    }

    /// @inheritdoc IDeviceRegistry
    function revokeLot(LotId id) external {
        // Checks
        Lot storage lot = _requireOwnLot(id);
        require(lot.state != LotState.Revoked, DeviceRegistryLotRevoked(id));

        // Effects
        lot.state = LotState.Revoked;
        uint256 refund = uint256(lot.size - lot.activated) * lot.bond;
        emit LotRevoked(id, refund);

        // Interactions
        TOKEN.transfer(msg.sender, refund);
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
        return (
            _issuers[lot.issuer].account,
            lot.size,
            lot.activated,
            lot.bond,
            lot.assurance,
            lot.state == LotState.Revoked
        );
    }

    /// @inheritdoc IDeviceRegistry
    function isIssuer(address issuer) external view returns (bool) {
        uint32 number = _issuerNumbers[issuer];
        return number != 0 && !_issuers[number].revoked;
    }

    /// @inheritdoc IDeviceRegistry
    function minimumBond() external view returns (uint256) {
        return _minimumBond;
    }

    /// @inheritdoc IDeviceRegistry
    function lotIdOf(address issuer, bytes32 root) public pure returns (LotId) {
        return LotId.wrap(keccak256(abi.encode(issuer, root)));
    }

    function _lotIdOf(uint40 number) internal view returns (LotId) {
        return _lotByNumber[number];
    }

    /// @dev The lot and its issuer, if it may activate devices now.
    function _requireOpenLot(LotId id) internal view returns (Lot storage lot, address account) {
        lot = _lots[id];
        require(lot.state != LotState.None, DeviceRegistryLotUnknown(id));
        require(lot.state != LotState.Revoked, DeviceRegistryLotRevoked(id));
        Issuer storage issuer = _issuers[lot.issuer];
        account = issuer.account;
        require(!issuer.revoked, DeviceRegistryIssuerNotRegistered(account));
    }

    function _requireOwnLot(LotId id) internal view returns (Lot storage lot) {
        lot = _lots[id];
        require(lot.state != LotState.None, DeviceRegistryLotUnknown(id));
        require(_issuers[lot.issuer].account == msg.sender, DeviceRegistryNotIssuer(id, msg.sender));
    }

    function _setMinimumBond(uint128 bond) private {
        _minimumBond = bond;
        emit MinimumBondSet(bond);
    }

    function _requireIssuer(address issuer) private view returns (uint32 number) {
        number = _issuerNumbers[issuer];
        require(number != 0 && !_issuers[number].revoked, DeviceRegistryIssuerNotRegistered(issuer));
    }
}
