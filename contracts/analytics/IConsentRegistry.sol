// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {DeviceId} from "../identity/DeviceTypes.sol";
import {ConsentTerms, SignedDecision, Word} from "./ConsentTypes.sol";

/// @title What owners allow their devices' data to be used for
/// @notice A purpose is the hash of terms that a person can read. An owner's general word is for all devices that it has, now and later; its
///         word on a listed device, yes or no, goes before that. Words are kept by owner: what anyone says of a device that it doesn't have
///         counts for nothing, so nobody is asked whether it has it. Times are Unix seconds, ITC has 18 decimals.
///
///         A word on a listed device ends with a transfer of the device, also one from its owner to itself, and stays ended if the device comes
///         back: the general word is for it then. A word of the very second of a transfer counts as said after it.
///
///         The last word of a second stands for all of that second, and nothing said later changes what `consentAt` answers for it. To do so,
///         `consentAt` must know since when the device had been with its owner then, see `IHoldings`. If that can't be known (the device has
///         been transferred since, and nobody had noted who had it), the listed word may have ended before or not. Then the answer is the
///         mildest that may be true: granted if either word grants, on the milder of each of their terms. It is never stricter than the truth.
interface IConsentRegistry {
    event ConsentGranted(
        address indexed owner,
        bytes32 indexed purpose,
        uint64 expiry,
        uint64 cohort,
        uint128 price,
        uint64 budget
    );
    event ConsentRevoked(address indexed owner, bytes32 indexed purpose);
    event DevicesGranted(
        address indexed owner,
        bytes32 indexed purpose,
        DeviceId[] devices,
        uint64 expiry,
        uint64 cohort,
        uint128 price,
        uint64 budget
    );
    event DevicesRevoked(address indexed owner, bytes32 indexed purpose, DeviceId[] devices);
    /// @notice The owner's general word is for these devices again.
    event DevicesUnlisted(address indexed owner, bytes32 indexed purpose, DeviceId[] devices);
    /// @notice What the owner has signed with a lower nonce counts no more.
    event NonceRaised(address indexed owner, uint64 nonce);

    error ConsentRegistryExpiryPast(uint64 expiry);
    error ConsentRegistryTermsTooLarge(ConsentTerms terms);
    error ConsentRegistryNoDevices();
    error ConsentRegistryDevicesNotAsked(uint256 count);
    error ConsentRegistryExpired(uint64 deadline);
    error ConsentRegistryWrongNonce(address owner, uint64 nonce, uint64 next);
    error ConsentRegistryInvalidSignature(address owner);

    /// @notice Allows a purpose from this second until `terms.expiry`, for all devices of the sender but those that it has listed. Granting again
    ///         replaces the terms from now on.
    /// Errors: ConsentRegistryExpiryPast, ConsentRegistryTermsTooLarge. Event: ConsentGranted.
    function grant(bytes32 purpose, ConsentTerms calldata terms) external;

    /// @notice Allows a purpose for these devices of the sender, whatever its general word.
    /// Errors: those of `grant`, ConsentRegistryNoDevices. Event: DevicesGranted.
    function grantDevices(bytes32 purpose, DeviceId[] calldata devices, ConsentTerms calldata terms) external;

    /// @notice Withdraws the sender's general word, at once for every request to come. Listed devices keep theirs. Works without a consent too:
    ///         it also voids all that the sender has signed and nobody has brought yet.
    /// Events: ConsentRevoked, NonceRaised.
    function revoke(bytes32 purpose) external;

    /// @notice Refuses a purpose for these devices of the sender, at once for every request to come, whatever its general word, and voids all that
    ///         the sender has signed and nobody has brought yet. They need not have been listed before.
    /// Errors: ConsentRegistryNoDevices. Events: DevicesRevoked, NonceRaised.
    function revokeDevices(bytes32 purpose, DeviceId[] calldata devices) external;

    /// @notice Takes the sender's words on these devices back, be they yes or no: its general word is for them from now on.
    /// Errors: ConsentRegistryNoDevices. Event: DevicesUnlisted.
    function unlistDevices(bytes32 purpose, DeviceId[] calldata devices) external;

    /// @notice Does what an owner has signed. Anyone may send it. A higher nonce can be used at any time, and voids all lower ones: whoever holds
    ///         an older grant can't hold up the revocation that was signed after it, nor bring the grant afterwards.
    /// @param signature The owner's, over `digestOf(signed)`; an ERC-1271 contract is asked.
    /// Errors: ConsentRegistryExpired, ConsentRegistryWrongNonce, ConsentRegistryInvalidSignature, ConsentRegistryDevicesNotAsked, and
    /// those of the function that the decision stands for. Events: NonceRaised, and that function's.
    function decideFor(SignedDecision calldata signed, bytes calldata signature) external;

    /// @notice What held for a device of an owner in a second that is over; for the present second and later ones, as things stand.
    /// @return granted Whether a word of the owner's covered the device; never for a device that another is known to have had.
    /// @return cohort Fewest devices that a result may speak of. This and all that follows is 0 unless granted.
    /// @return price ITC that a unit of weight must earn at least.
    /// @return budget Millionths of epsilon; 2^64 - 1 is without limit.
    function consentAt(
        address owner,
        DeviceId device,
        bytes32 purpose,
        uint64 time
    ) external view returns (bool granted, uint64 cohort, uint128 price, uint64 budget);

    /// @notice What held for a device if its owner had it, by the caller's own knowledge, from a second on: `consentAt` without the question to
    ///         `IHoldings`.
    /// @param heldSince First second of the owner's tenure that covers `time`.
    function consentOfHolder(
        address owner,
        DeviceId device,
        bytes32 purpose,
        uint64 time,
        uint64 heldSince
    ) external view returns (bool granted, uint64 cohort, uint128 price, uint64 budget);

    /// @notice The owner's last general word; all 0 if it never said one. An expired one is still told.
    function generalWordOf(
        address owner,
        bytes32 purpose
    ) external view returns (Word word, uint64 since, ConsentTerms memory terms);

    /// @notice The owner's last word on a listed device, whoever has the device now; all 0 if it never said one.
    function listedWordOf(
        address owner,
        bytes32 purpose,
        DeviceId device
    ) external view returns (Word word, uint64 since, ConsentTerms memory terms);

    /// @notice The least nonce that the owner can sign with. Those from 2^32 above it are refused, so that no single signature can use all up.
    function nonceOf(address owner) external view returns (uint64);

    /// @notice The 32 bytes that an owner signs (EIP-712: Consent(address owner,string decision,bytes32 purpose,address[] devices,uint64 expiry,
    ///         uint64 cohort,uint128 price,uint64 budget,uint64 nonce,uint64 deadline)). `decision` is for the eyes of whoever signs: "grant for
    ///         all my devices", "grant for these devices", "revoke for all my devices", "revoke for these devices", "unlist these devices".
    function digestOf(SignedDecision calldata signed) external view returns (bytes32);

    /// @notice Who is asked who had a device when.
    function holdings() external view returns (address);
}
