// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {LotId} from "./DeviceTypes.sol";
import {ILotBook} from "./ILotBook.sol";
import {KeyVerifiers} from "./KeyVerifiers.sol";

/// @title The registry's book of issuers, lots and bonds
/// @dev Holds all ITC of the registry: for each lot, `bond` for every device that is or may still become active, less the bonds that were
///      returned or slashed; and the pool.
abstract contract LotBook is ILotBook, AccessManaged, EIP712 {
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

    bytes32 private constant LOT_TYPEHASH = keccak256(
        "Lot(address issuer,bytes32 root,uint64 size,uint8 assurance,uint128 bond,uint64 deadline)"
    );

    IERC20 private immutable TOKEN;

    /// @dev One slot.
    uint128 private _minimumBond;
    uint128 private _pool;
    /// @dev One slot.
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

    /// @inheritdoc ILotBook
    function registerIssuer(address issuer, string calldata name) external restricted {
        require(_issuerNumbers[issuer] == 0, LotBookIssuerKnown(issuer));
        uint32 number = ++_issuerCount;
        _issuerNumbers[issuer] = number;
        _issuers[number].account = issuer;
        emit IssuerRegistered(issuer, name);
    }

    /// @inheritdoc ILotBook
    function revokeIssuer(address issuer) external restricted {
        _issuers[_requireIssuer(issuer)].revoked = true;
        emit IssuerRevoked(issuer);
    }

    /// @inheritdoc ILotBook
    function setMinimumBond(uint128 bond) external restricted {
        _setMinimumBond(bond);
    }

    /// @inheritdoc ILotBook
    function spendPool(address to, uint256 amount) external restricted {
        require(amount <= _pool, LotBookPoolTooSmall(amount, _pool));
        _pool -= uint128(amount);
        emit PoolSpent(to, amount);
        _pay(to, amount);
    }

    /// @inheritdoc ILotBook
    function enrolLot(bytes32 root, uint64 size, uint8 assurance, uint128 bond) external returns (LotId id) {
        return _enrol(msg.sender, root, size, assurance, bond);
    }

    /// @inheritdoc ILotBook
    function enrolLotFor(
        address issuer,
        bytes32 root,
        uint64 size,
        uint8 assurance,
        uint128 bond,
        uint64 deadline,
        bytes calldata signature
    ) external returns (LotId id) {
        require(block.timestamp <= deadline, LotBookExpired(deadline));
        bytes32 digest = lotDigest(issuer, root, size, assurance, bond, deadline);
        require(KeyVerifiers.verifyAccount(issuer, digest, signature), LotBookInvalidSignature(issuer));
        return _enrol(issuer, root, size, assurance, bond);
    }

    /// @inheritdoc ILotBook
    function revokeLot(LotId id) external {
        // Checks
        Lot storage lot = _requireOwnLot(id);
        require(lot.state != LotState.Revoked, LotBookLotRevoked(id));

        // Effects
        lot.state = LotState.Revoked;
        uint256 refund = uint256(lot.size - lot.activated) * lot.bond;
        emit LotRevoked(id, refund);

        // Interactions
        _pay(msg.sender, refund);
    }

    /// @inheritdoc ILotBook
    function lowerAssurance(LotId id, uint8 assurance) external {
        Lot storage lot = _requireOwnLot(id);
        require(assurance < lot.assurance, LotBookAssuranceNotLower(id, lot.assurance));
        lot.assurance = assurance;
        emit LotAssuranceLowered(id, assurance);
    }

    /// @inheritdoc ILotBook
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

    /// @inheritdoc ILotBook
    function isIssuer(address issuer) external view returns (bool) {
        uint32 number = _issuerNumbers[issuer];
        return number != 0 && !_issuers[number].revoked;
    }

    /// @inheritdoc ILotBook
    function minimumBond() external view returns (uint256) {
        return _minimumBond;
    }

    /// @inheritdoc ILotBook
    function pool() external view returns (uint256) {
        return _pool;
    }

    /// @inheritdoc ILotBook
    function lotDigest(
        address issuer,
        bytes32 root,
        uint64 size,
        uint8 assurance,
        uint128 bond,
        uint64 deadline
    ) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(LOT_TYPEHASH, issuer, root, size, assurance, bond, deadline)));
    }

    /// @inheritdoc ILotBook
    function lotIdOf(address issuer, bytes32 root) public pure returns (LotId) {
        return LotId.wrap(keccak256(abi.encode(issuer, root)));
    }

    /// @dev Returns a device's bond to the issuer of its lot.
    function _returnBond(uint40 lotNumber) internal returns (address issuer, uint256 bond) {
        Lot storage lot = _lots[_lotByNumber[lotNumber]];
        (issuer, bond) = (_issuers[lot.issuer].account, lot.bond);
        _pay(issuer, bond);
    }

    /// @dev Takes a device's bond: half to whoever proved its fault, the rest (with an odd unit) to the pool.
    function _slashBond(uint40 lotNumber, address prover) internal returns (uint256 reward, uint256 bond) {
        bond = _lots[_lotByNumber[lotNumber]].bond;
        reward = bond / 2;
        _pool += uint128(bond - reward);
        _pay(prover, reward);
    }

    /// @dev Takes a device's bond from its issuer anew.
    function _collectBond(uint40 lotNumber) internal returns (uint256 bond) {
        Lot storage lot = _lots[_lotByNumber[lotNumber]];
        bond = lot.bond;
        _collect(_issuers[lot.issuer].account, bond);
    }

    function _bondOf(uint40 lotNumber) internal view returns (uint256) {
        return _lots[_lotByNumber[lotNumber]].bond;
    }

    function _lotIdOf(uint40 number) internal view returns (LotId) {
        return _lotByNumber[number];
    }

    /// @dev The issuer of a lot by the lot's number, and what its assurance is now.
    function _lotByItsNumber(uint40 number) internal view returns (address issuer, uint8 assurance) {
        Lot storage lot = _lots[_lotByNumber[number]];
        return (_issuers[lot.issuer].account, lot.assurance);
    }

    /// @dev The lot and its issuer, if it may activate devices now.
    function _requireOpenLot(LotId id) internal view returns (Lot storage lot, address account) {
        lot = _lots[id];
        require(lot.state != LotState.None, LotBookLotUnknown(id));
        require(lot.state != LotState.Revoked, LotBookLotRevoked(id));
        Issuer storage issuer = _issuers[lot.issuer];
        account = issuer.account;
        require(!issuer.revoked, LotBookIssuerNotRegistered(account));
    }

    function _requireOwnLot(LotId id) internal view returns (Lot storage lot) {
        lot = _lots[id];
        require(lot.state != LotState.None, LotBookLotUnknown(id));
        require(_issuers[lot.issuer].account == msg.sender, LotBookNotIssuer(id, msg.sender));
    }

    function _enrol(
        address account,
        bytes32 root,
        uint64 size,
        uint8 assurance,
        uint128 bond
    ) private returns (LotId id) {
        // Checks
        uint32 issuer = _requireIssuer(account);
        id = lotIdOf(account, root);
        require(_lots[id].state == LotState.None, LotBookLotKnown(id));
        require(size != 0 && size <= type(uint40).max, LotBookLotSize(size));
        require(bond >= _minimumBond, LotBookBondTooLow(bond, _minimumBond));

        // Effects
        uint40 number = ++_lotCount;
        _lots[id] = Lot(issuer, number, uint40(size), 0, assurance, LotState.Open, SafeCast.toUint88(bond));
        _lotByNumber[number] = id;
        emit LotEnrolled(id, account, root, size, assurance, bond);

        // Interactions
        _collect(account, uint256(size) * bond);
    }

    /// @dev ITC reverts, it never returns false. The same holds for `_collect`.
    function _pay(address to, uint256 amount) private {
        TOKEN.transfer(to, amount);
    }

    function _collect(address from, uint256 amount) private {
        TOKEN.transferFrom(from, address(this), amount);
    }

    function _setMinimumBond(uint128 bond) private {
        _minimumBond = bond;
        emit MinimumBondSet(bond);
    }

    function _requireIssuer(address issuer) private view returns (uint32 number) {
        number = _issuerNumbers[issuer];
        require(number != 0 && !_issuers[number].revoked, LotBookIssuerNotRegistered(issuer));
    }
}
