// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {DeviceId, DeviceState, KeyKind, LotId} from "./DeviceTypes.sol";
import {IDeviceKeys} from "./IDeviceKeys.sol";
import {ILotBook} from "./ILotBook.sol";

/// @title Devices: from activation to retirement
/// @notice A device of an enrolled lot is activated by anyone who brings the proof of endorsement and the device's own signature. It is then
///         an ERC-721 token (id: the device's address as a number), an ERC-1056 identity that a did:ethr resolver reads, and something that
///         can be lent to a user (ERC-4907). Times are Unix seconds, ITC has 18 decimals.
/// @dev `ownerOf` a retired or revoked device is whoever had it at the end or has got it since: the thing can still change hands, but it has no
///      controller, no key, no delegates and no user any more.
interface IDeviceRegistry is ILotBook, IDeviceKeys {
    /// @notice A device went live.
    /// @dev The device is topic 2, not 1: a did:ethr resolver reads every event with the device in topic 1. So in all events below but UpdateUser.
    event DeviceActivated(LotId indexed lot, DeviceId indexed device, address indexed owner);
    /// @notice The device's signatures count for nothing until it is resumed, but to turn a recovery down and as proof against it. `hold` is the reason that was added, see `Holds`.
    event DeviceSuspended(LotId indexed lot, DeviceId indexed device, uint8 hold);
    /// @notice A reason went away; the device is active again if `left` is 0.
    event DeviceResumed(LotId indexed lot, DeviceId indexed device, uint8 hold, uint8 left);
    /// @notice The device's life has ended; its bond can be returned from `bondFreeAt` on.
    event DeviceRetired(LotId indexed lot, DeviceId indexed device, uint64 bondFreeAt);
    /// @notice The issuer no longer vouches for the device; its signatures count for nothing from here on.
    event DeviceRevoked(LotId indexed lot, DeviceId indexed device);
    /// @notice A device's bond went back to its issuer, or (`returned` false) was put down anew.
    event BondMoved(address indexed issuer, DeviceId indexed device, uint256 bond, bool returned);
    /// @notice How this device keeps its key, in the issuer's word; the lot's assurance remains a ceiling.
    event AssuranceStated(LotId indexed lot, DeviceId indexed device, uint8 assurance);

    error DeviceRegistryLotFull(LotId lot, uint64 size);
    error DeviceRegistryInvalidProof(DeviceId device, LotId lot);
    error DeviceRegistryInvalidSignature(DeviceId device);
    error DeviceRegistryExpired(uint64 deadline);
    error DeviceRegistryDeviceKnown(DeviceId device, DeviceState state);
    error DeviceRegistryDeviceRevoked(DeviceId device, LotId lot);
    error DeviceRegistryLengthMismatch();
    error DeviceRegistryWrongState(DeviceId device, DeviceState state);
    error DeviceRegistryNotAllowed(DeviceId device, address sender);
    error DeviceRegistryBondNotFree(DeviceId device, uint64 freeAt);
    error DeviceRegistryBondSettled(DeviceId device);
    error DeviceRegistryNoFault(DeviceId device);
    error DeviceRegistryAssuranceTooHigh(DeviceId device, uint8 assurance);
    error DeviceRegistryReservedName(bytes32 name);
    error DeviceRegistryValidityTooLong(uint256 validity);
    error DeviceRegistryTooManyDelegates(DeviceId device);
    error DeviceRegistryDelegateUnknown(DeviceId device, bytes32 delegateType, address delegate);

    /// @notice Brings a device to life. Anyone may send it: the device's signature names the owner, so the sender gains nothing.
    /// @dev The order of the parameters makes its selector one of the lowest: they are compared in ascending order, and so it saves 1,000 gas.
    /// @param id The lot that endorses the device.
    /// @param signer The device's ERC-7913 signer: 20 bytes of a secp256k1 account, or `verifier ‖ key` (P-256: 84 bytes).
    /// @param owner Receives the device as a token. A contract must accept ERC-721 tokens, and is asked after all else is done.
    /// @param signature The device's, over `activationDigest`: 65 bytes r ‖ s ‖ v, or 64 bytes r ‖ s for P-256. s in the lower half.
    /// @param deadline Last second at which the signature counts.
    /// @param path Which side each sibling is on, see `Merkle.climb`.
    /// @param proof The siblings from the device's leaf to the lot's root.
    /// Errors: DeviceRegistryExpired, DeviceKeysUnknownKind, LotBookLotUnknown, LotBookLotRevoked, DeviceRegistryLotFull,
    /// LotBookIssuerNotRegistered, DeviceRegistryInvalidProof, DeviceRegistryDeviceRevoked, DeviceRegistryDeviceKnown,
    /// DeviceRegistryInvalidSignature, ERC721InvalidReceiver, MerklePathTooLong.
    /// Events: DeviceActivated, Transfer, DIDOwnerChanged, and DIDDelegateChanged or DIDAttributeChanged with the key.
    function activate(
        LotId id,
        bytes calldata signer,
        address owner,
        bytes calldata signature,
        uint64 deadline,
        uint256 path,
        bytes32[] calldata proof
    ) external;

    /// @notice Brings many devices of one lot to life, with one proof for all. A device that is known already is passed over, so that nobody
    ///         can spoil a batch by activating one of its devices first.
    /// @param signers One a device, in the order of their places.
    /// @param owners Likewise. Hazard: one that takes no tokens, or a signer whose verifier runs out of gas, makes the whole batch fail; leave it
    ///        out and send again.
    /// @param signatures Likewise, each with the same deadline.
    /// @param places The devices' places in the maker's tree, ascending.
    /// @param leaves How many leaves the tree has.
    /// @param proof The nodes that can't be computed from the devices' leaves, see `Merkle.climbMany`.
    /// Errors: those of `activate`, DeviceRegistryLengthMismatch, MerkleBadMultiproof. DeviceRegistryInvalidProof names the first device.
    function activateBatch(
        LotId id,
        uint64 deadline,
        bytes[] calldata signers,
        address[] calldata owners,
        bytes[] calldata signatures,
        uint256[] calldata places,
        uint256 leaves,
        bytes32[] calldata proof
    ) external;

    /// @notice Stops the device until its reason is gone. Its owner or its issuer, each with a hold of their own.
    /// Errors: DeviceRegistryWrongState, DeviceRegistryNotAllowed. Event: DeviceSuspended.
    function suspend(DeviceId device) external;

    /// @notice Takes the sender's own hold away; the device is active again if there is no other.
    /// Errors: DeviceRegistryWrongState, DeviceRegistryNotAllowed. Event: DeviceResumed.
    function resume(DeviceId device) external;

    /// @notice Ends the device's life. Only the owner of an active or suspended device. Can't be undone.
    /// Errors: DeviceRegistryWrongState, DeviceRegistryNotAllowed. Events: DeviceRetired, DIDOwnerChanged to 0.
    function retire(DeviceId device) external;

    /// @notice Withdraws the endorsement of one device, active or not yet. Only the lot's issuer. Can't be undone.
    /// @dev Touches only the sender's own lot: a maker that lists a foreign device in its tree can't revoke it in its real lot.
    /// Errors: LotBookLotUnknown, LotBookNotIssuer, DeviceRegistryDeviceRevoked, DeviceRegistryWrongState for one that has retired.
    /// Event: DeviceRevoked, and DIDOwnerChanged to 0 if it was active or suspended.
    function revokeDevice(LotId lot, DeviceId device) external;

    /// @notice Returns the bond of a retired or revoked device to its issuer, `bondDelay()` after it ended. Anyone may send it.
    /// @dev The delay lets a contradiction of a retired device be proved; a revoked one's signatures prove nothing.
    /// Errors: DeviceRegistryWrongState, DeviceRegistryBondSettled, DeviceRegistryBondNotFree. Event: BondMoved.
    function releaseBond(DeviceId device) external;

    /// @notice Puts the bond of a device down anew that lost it, and takes the hold away that came of it. Only the issuer (allowance needed).
    ///         The device still needs another key: its owner recovers it.
    /// Errors: DeviceRegistryNotAllowed, DeviceRegistryWrongState, DeviceRegistryNoFault. Events: BondMoved, DeviceResumed.
    function restoreBond(DeviceId device) external;

    /// @notice States how one device keeps its key, up to its lot's assurance. Only the issuer.
    /// Errors: DeviceRegistryWrongState, DeviceRegistryNotAllowed, DeviceRegistryAssuranceTooHigh. Event: AssuranceStated.
    function stateAssurance(DeviceId device, uint8 assurance) external;

    /// @notice A device. All zero if it was never activated.
    /// @return state Where it stands.
    /// @return kind What kind of key it has, or had last.
    /// @return assurance How its key is kept in its issuer's word, after recalls.
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

    /// @notice Where the device stands, and since when its present owner has it: what `deviceOf` says, without a look at its lot.
    function tenureOf(DeviceId device) external view returns (DeviceState state, uint64 ownedSince);

    /// @notice Why the device is suspended (see `Holds`), and ITC that is put down for it now.
    function standingOf(DeviceId device) external view returns (uint8 holds, uint256 bond);

    /// @notice Whether the device is active now.
    function isActive(DeviceId device) external view returns (bool);

    /// @notice The delegates that the present owner has named and not withdrawn, expired ones included; none once its life has ended.
    /// @return types Their ERC-1056 types.
    /// @return accounts Who they are.
    /// @return validTo Last second of each.
    /// @return numbers Which `#delegate-N` of the DID document each is.
    function delegatesOf(
        DeviceId device
    )
        external
        view
        returns (bytes32[] memory types, address[] memory accounts, uint64[] memory validTo, uint16[] memory numbers);

    /// @notice A commitment to all attribute changes of a device, so that who is handed them can check them with this view alone: starting
    ///         from 0, each change makes it the low 216 bits of keccak256(abi.encode(digest, name, keccak256(value), validTo)).
    function attributesOf(DeviceId device) external view returns (uint216 digest);

    /// @notice Seconds from a device's end until its bond can be returned.
    function bondDelay() external view returns (uint64);

    /// @notice The 32 bytes that a device signs to be activated (EIP-712: Activation(device, lot, owner, deadline)).
    function activationDigest(
        DeviceId device,
        LotId lot,
        address owner,
        uint64 deadline
    ) external view returns (bytes32);
}
