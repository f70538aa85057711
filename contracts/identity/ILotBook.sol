// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {LotId} from "./DeviceTypes.sol";

/// @title Issuers, lots and bonds
/// @notice An issuer publishes the Merkle root of a lot of any size with one deposit of ITC, a bond for each device. Bonds never become
///         anybody's but the issuer's, unless a device is shown to have contradicted itself. Times are Unix seconds, ITC has 18 decimals.
interface ILotBook {
    /// @notice A maker may enrol lots from now on.
    event IssuerRegistered(address indexed issuer, string name);
    /// @notice A maker may no longer enrol, and its lots activate no more devices. Devices that are active stay so.
    event IssuerRevoked(address indexed issuer);
    /// @notice `size` devices are endorsed by `root`, with `bond` ITC deposited for each.
    event LotEnrolled(
        LotId indexed lot,
        address indexed issuer,
        bytes32 root,
        uint64 size,
        uint8 assurance,
        uint256 bond
    );
    /// @notice The lot activates no more devices; `refund` is the bond of those that never were.
    event LotRevoked(LotId indexed lot, uint256 refund);
    /// @notice No device of the lot counts for more than `assurance` from now on.
    event LotAssuranceLowered(LotId indexed lot, uint8 assurance);
    /// @notice Lots to come need at least this bond a device.
    event MinimumBondSet(uint256 bond);
    /// @notice Slashed ITC left the pool.
    event PoolSpent(address indexed to, uint256 amount);

    error LotBookIssuerNotRegistered(address issuer);
    error LotBookIssuerKnown(address issuer);
    error LotBookLotKnown(LotId lot);
    error LotBookLotUnknown(LotId lot);
    error LotBookLotRevoked(LotId lot);
    error LotBookLotSize(uint64 size);
    error LotBookBondTooLow(uint256 bond, uint256 minimum);
    error LotBookNotIssuer(LotId lot, address sender);
    error LotBookInvalidSignature(address issuer);
    error LotBookExpired(uint64 deadline);
    error LotBookAssuranceNotLower(LotId lot, uint8 assurance);
    error LotBookPoolTooSmall(uint256 amount, uint256 pool);

    /// @notice Lets a maker enrol lots. Only the registrar.
    /// @param issuer The maker's account. Once revoked it can't come back: it registers a new one.
    /// @param name What people call it; kept in the event only.
    /// Errors: LotBookIssuerKnown. Event: IssuerRegistered.
    function registerIssuer(address issuer, string calldata name) external;

    /// @notice Stops a maker: no new lots, no further activations from its lots. Only the registrar.
    /// Errors: LotBookIssuerNotRegistered. Event: IssuerRevoked.
    function revokeIssuer(address issuer) external;

    /// @notice Sets the least bond a device for lots to come. Only the treasurer. Event: MinimumBondSet.
    function setMinimumBond(uint128 bond) external;

    /// @notice Hands out ITC that devices lost by contradicting themselves. Only the treasurer; bonds in force are out of its reach.
    /// Errors: LotBookPoolTooSmall. Event: PoolSpent.
    function spendPool(address to, uint256 amount) external;

    /// @notice Endorses a lot of any size. Only a registered issuer, which pays `size * bond` ITC (allowance needed).
    /// @param root Root of the lot's tree; a leaf is keccak256(0x00 ‖ kind ‖ device). For a single device the root is its leaf.
    /// @param size How many of its devices may be activated, 1 to 2^40 - 1. Leaves beyond that are of no use to anyone.
    /// @param assurance The issuer's word on how the keys are kept: 0 software, 1 TEE, 2 secure element, 3 PUF; more may follow.
    /// @param bond ITC for each device, at least `minimumBond()`.
    /// @return lot Its id, `lotIdOf(sender, root)`.
    /// Errors: LotBookIssuerNotRegistered, LotBookLotKnown, LotBookLotSize, LotBookBondTooLow, ERC20InsufficientAllowance,
    /// ERC20InsufficientBalance. Event: LotEnrolled.
    function enrolLot(bytes32 root, uint64 size, uint8 assurance, uint128 bond) external returns (LotId lot);

    /// @notice The same by the issuer's signature, sent by anyone: how a maker of one device endorses it without a transaction. The bond is
    ///         the issuer's (allowance needed).
    /// @dev A lot can be enrolled once, so a signature serves once.
    /// @param issuer A registered issuer: an account, or an ERC-1271 contract.
    /// @param deadline Last second at which the signature counts.
    /// @param signature The issuer's, over `lotDigest`.
    /// Errors: those of `enrolLot`, LotBookExpired, LotBookInvalidSignature. Event: LotEnrolled.
    function enrolLotFor(
        address issuer,
        bytes32 root,
        uint64 size,
        uint8 assurance,
        uint128 bond,
        uint64 deadline,
        bytes calldata signature
    ) external returns (LotId lot);

    /// @notice Ends a lot: no further activations; the bond of devices never activated returns. Only the lot's issuer.
    /// Errors: LotBookLotUnknown, LotBookNotIssuer, LotBookLotRevoked. Event: LotRevoked.
    function revokeLot(LotId lot) external;

    /// @notice Recalls a lot's assurance: its devices, active or to come, count for no more than this. Only the lot's issuer, only down.
    /// Errors: LotBookLotUnknown, LotBookNotIssuer, LotBookAssuranceNotLower. Event: LotAssuranceLowered.
    function lowerAssurance(LotId lot, uint8 assurance) external;

    /// @notice A lot. All zero if there is none.
    /// @return issuer Its maker.
    /// @return size How many devices it endorses.
    /// @return activated How many went live.
    /// @return bond ITC deposited for each.
    /// @return assurance The issuer's word on how keys are kept, as it stands after recalls.
    /// @return revoked Whether it has ended.
    function lotOf(
        LotId lot
    )
        external
        view
        returns (address issuer, uint64 size, uint64 activated, uint256 bond, uint8 assurance, bool revoked);

    /// @notice Whether `issuer` is registered and not revoked.
    function isIssuer(address issuer) external view returns (bool);

    /// @notice The least bond a device for lots to come, in ITC.
    function minimumBond() external view returns (uint256);

    /// @notice ITC lost by devices that contradicted themselves and not spent yet.
    function pool() external view returns (uint256);

    /// @notice The 32 bytes that an issuer signs for `enrolLotFor` (EIP-712: Lot(issuer, root, size, assurance, bond, deadline)).
    function lotDigest(
        address issuer,
        bytes32 root,
        uint64 size,
        uint8 assurance,
        uint128 bond,
        uint64 deadline
    ) external view returns (bytes32);

    /// @notice The id of the lot that `issuer` makes of `root`.
    function lotIdOf(address issuer, bytes32 root) external pure returns (LotId);
}
