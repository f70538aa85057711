// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {DeviceId, DeviceState, KeyKind, LotId} from "./DeviceTypes.sol";

/// @title Issuers, lots and devices
/// @notice An issuer publishes the Merkle root of a lot of any size with one deposit of ITC. A device of it is activated later, one by
///         one, by anyone who brings the proof of endorsement and the device's own signature. It is then an ERC-721 token (id: the
///         device's address as a number) and an ERC-1056 identity. Times are Unix seconds, ITC has 18 decimals.
interface IDeviceRegistry {
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
    /// @notice A device went live.
    /// @dev The device is topic 2, not 1: a did:ethr resolver reads every event with the device in topic 1.
    event DeviceActivated(LotId indexed lot, DeviceId indexed device, address indexed owner);
    /// @notice The issuer no longer vouches for the device; its signatures count for nothing from here on.
    event DeviceRevoked(LotId indexed lot, DeviceId indexed device);
    /// @notice Lots to come need at least this bond a device.
    event MinimumBondSet(uint256 bond);

    error DeviceRegistryIssuerNotRegistered(address issuer);
    error DeviceRegistryIssuerKnown(address issuer);
    error DeviceRegistryLotKnown(LotId lot);
    error DeviceRegistryLotUnknown(LotId lot);
    error DeviceRegistryLotRevoked(LotId lot);
    error DeviceRegistryLotFull(LotId lot, uint64 size);
    error DeviceRegistryLotSize(uint64 size);
    error DeviceRegistryBondTooLow(uint256 bond, uint256 minimum);
    error DeviceRegistryNotIssuer(LotId lot, address sender);
    error DeviceRegistryInvalidSigner(bytes signer);
    error DeviceRegistryInvalidProof(DeviceId device, LotId lot);
    error DeviceRegistryInvalidSignature(DeviceId device);
    error DeviceRegistryExpired(uint64 deadline);
    error DeviceRegistryDeviceKnown(DeviceId device, DeviceState state);
    error DeviceRegistryDeviceRevoked(DeviceId device, LotId lot);

    /// @notice Lets a maker enrol lots. Only the registrar.
    /// @param issuer The maker's account. Once revoked it can't come back: it registers a new one.
    /// @param name What people call it; kept in the event only.
    /// Errors: DeviceRegistryIssuerKnown. Event: IssuerRegistered.
    function registerIssuer(address issuer, string calldata name) external;

    /// @notice Stops a maker: no new lots, no further activations from its lots. Only the registrar.
    /// Errors: DeviceRegistryIssuerNotRegistered. Event: IssuerRevoked.
    function revokeIssuer(address issuer) external;

    /// @notice Sets the least bond a device for lots to come. Only the treasurer. Event: MinimumBondSet.
    function setMinimumBond(uint128 bond) external;

    /// @notice Endorses a lot of any size. Only a registered issuer, which pays `size * bond` ITC (allowance needed).
    /// @param root Root of the lot's tree; a leaf is keccak256(0x00 ‖ kind ‖ device).
    /// @param size How many of its devices may be activated, 1 to 2^40 - 1. Leaves beyond that are of no use to anyone.
    /// @param assurance The issuer's word on how the keys are kept: 0 software, 1 TEE, 2 secure element, 3 PUF; more may follow.
    /// @param bond ITC for each device, at least `minimumBond()`.
    /// @return lot Its id, `lotIdOf(sender, root)`.
    /// Errors: DeviceRegistryIssuerNotRegistered, DeviceRegistryLotKnown, DeviceRegistryLotSize, DeviceRegistryBondTooLow,
    /// ERC20InsufficientAllowance, ERC20InsufficientBalance. Event: LotEnrolled.
    function enrolLot(bytes32 root, uint64 size, uint8 assurance, uint128 bond) external returns (LotId lot);

    /// @notice Ends a lot: no further activations; the bond of devices never activated returns. Only the lot's issuer.
    /// Errors: DeviceRegistryLotUnknown, DeviceRegistryNotIssuer, DeviceRegistryLotRevoked. Event: LotRevoked.
    function revokeLot(LotId lot) external;

    /// @notice Withdraws the endorsement of one device, active or not yet. Only the lot's issuer. Can't be undone.
    /// @dev Touches only the sender's own lot: a maker that lists a foreign device in its tree can't revoke it in its real lot.
    ///      The bond stays deposited, so that revoking doesn't outrun a slashing.
    /// Errors: DeviceRegistryLotUnknown, DeviceRegistryNotIssuer, DeviceRegistryDeviceRevoked. Event: DeviceRevoked, and
    /// DIDOwnerChanged to 0 if it was active.
    function revokeDevice(LotId lot, DeviceId device) external;

    /// @notice Brings a device to life. Anyone may send it: the device's signature names the owner, so the sender gains nothing.
    /// @param id The lot that endorses the device.
    /// @param signer The device's ERC-7913 signer: 20 bytes of a secp256k1 account, or the P-256 verifier ‖ x ‖ y (84 bytes).
    /// @param owner Receives the device as a token. A contract must accept ERC-721 tokens, and is asked after all else is done.
    /// @param deadline Last second at which the signature counts.
    /// @param signature The device's, over `activationDigest`: 65 bytes r ‖ s ‖ v, or 64 bytes r ‖ s for P-256. s in the lower half.
    /// @param path Which side each sibling is on, see `Merkle.climb`.
    /// @param proof The siblings from the device's leaf to the lot's root.
    /// Errors: DeviceRegistryExpired, DeviceRegistryInvalidSigner, DeviceRegistryLotUnknown, DeviceRegistryLotRevoked,
    /// DeviceRegistryLotFull, DeviceRegistryIssuerNotRegistered, DeviceRegistryInvalidProof, DeviceRegistryDeviceRevoked,
    /// DeviceRegistryDeviceKnown, DeviceRegistryInvalidSignature, ERC721InvalidReceiver.
    /// Events: DeviceActivated, Transfer, DIDOwnerChanged, and DIDAttributeChanged with the key for P-256.
    function activate(
        LotId id,
        bytes calldata signer,
        address owner,
        uint64 deadline,
        bytes calldata signature,
        uint256 path,
        bytes32[] calldata proof
    ) external;

    /// @notice The 32 bytes that a device signs to be activated (EIP-712: Activation(device, lot, owner, deadline)).
    function activationDigest(
        DeviceId device,
        LotId lot,
        address owner,
        uint64 deadline
    ) external view returns (bytes32);

    /// @notice The 32 bytes that a device signs for a reading (EIP-712: Reading(device, sequence, time, schema, content)).
    function readingDigest(
        DeviceId device,
        uint64 sequence,
        uint64 time,
        bytes32 schema,
        bytes32 content
    ) external view returns (bytes32);

    /// @notice Whether `signature` over `digest` is by the present key of an active device.
    /// @param signer The ERC-7913 signer; one that isn't the device's makes the answer false.
    function isValidDeviceSignature(
        DeviceId device,
        bytes32 digest,
        bytes calldata signer,
        bytes calldata signature
    ) external view returns (bool);

    /// @notice A lot. All zero if there is none.
    /// @return issuer Its maker.
    /// @return size How many devices it endorses.
    /// @return activated How many went live.
    /// @return bond ITC deposited for each.
    /// @return assurance The issuer's word on how keys are kept.
    /// @return revoked Whether it has ended.
    function lotOf(
        LotId lot
    )
        external
        view
        returns (address issuer, uint64 size, uint64 activated, uint256 bond, uint8 assurance, bool revoked);

    /// @notice A device. All zero if it was never activated.
    /// @return state Where it stands.
    /// @return kind What kind of key it was born with.
    /// @return assurance From its lot.
    /// @return activatedAt When it went live.
    /// @return ownedSince Since when its present owner has it.
    /// @return stateSince Since when it is in this state.
    /// @return lot The lot that it came from.
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
        );

    /// @notice Whether the device is active now.
    function isActive(DeviceId device) external view returns (bool);

    /// @notice Whether `issuer` is registered and not revoked.
    function isIssuer(address issuer) external view returns (bool);

    /// @notice The least bond a device for lots to come, in ITC.
    function minimumBond() external view returns (uint256);

    /// @notice The ERC-7913 verifier that signers of P-256 devices begin with.
    function p256Verifier() external view returns (address);

    /// @notice The id of the lot that `issuer` makes of `root`.
    function lotIdOf(address issuer, bytes32 root) external pure returns (LotId);
}
