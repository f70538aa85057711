// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {DeviceId, DeviceState} from "./DeviceTypes.sol";

/// @title Devices for whoever holds the code that lay in the box
/// @notice For a buyer who has no account yet when the device is sold. A code is a secret of 128 bits; a key pair of secp256k1 follows
///         from the code and the device. An owner of devices, a maker or a retailer, offers the codes of any number of them by one
///         Merkle root, and has let the desk move its devices (ERC-721 `setApprovalForAll`). A leaf is
///         keccak256(0x00 ‖ "claim" ‖ device ‖ address of the code's key). Times are Unix seconds.
/// @dev The code itself never appears on the chain, only a signature by its key that names the receiver: whoever copies a claim
///      carries it out. A code works once: its claim moves the device, and an offer counts only for devices that the owner has had
///      since before it was made. That time is set when a root is first offered and never again, so a device that comes back isn't
///      its old buyer's to claim, however long the offer lasts. It needs a new code.
///      A code is its seller's promise, not an escrow: until it is claimed, the owner can withdraw it or sell the device elsewhere.
///      Left out on purpose: an administrator, pause, a list of used codes (a transfer says it already).
interface IClaimDesk {
    /// @notice The devices under `root` go to the holders of their codes until `expiry`.
    event ClaimsOffered(address indexed owner, bytes32 indexed root, uint64 expiry);
    /// @notice The codes under `root` are good for nothing from here on.
    event ClaimsWithdrawn(address indexed owner, bytes32 indexed root);
    /// @notice The holder of the device's code has let it go to `to`.
    event DeviceClaimed(DeviceId indexed device, address indexed from, address indexed to, bytes32 root);

    error ClaimDeskExpired(uint64 deadline);
    error ClaimDeskInvalidSignature(DeviceId device);
    error ClaimDeskNotClaimable(DeviceId device, DeviceState state);
    error ClaimDeskNotOffered(address owner, bytes32 root);
    error ClaimDeskOfferedLater(DeviceId device, uint64 ownedSince, uint64 offeredAt);
    error ClaimDeskOfferExpired(address owner, bytes32 root, uint64 expiry);
    error ClaimDeskTooSoon(address owner, bytes32 root, uint64 offeredAt);
    error ClaimDeskWrongCode(DeviceId device, address codeKey, bytes32 root);

    /// @notice Offers the sender's devices under `root` to the holders of their codes. Again for the same root, it sets another
    ///         expiry, and the time at which it was first offered stays.
    /// @dev Only devices that the sender has by then can be claimed. For those that come later, offer a root of their own; unused codes
    ///      may stand under several roots, used ones must not: under a root that is first offered later they would work again. One code
    ///      is ended alone by transferring the device to oneself.
    /// @param root Root of the tree of codes. The sender answers for what is in it: whoever knows the keys gets the devices.
    /// @param expiry Last second at which they can be claimed.
    /// Errors: ClaimDeskOfferExpired. Event: ClaimsOffered.
    function offer(bytes32 root, uint64 expiry) external;

    /// @notice Ends an offer of the sender at once.
    /// Errors: ClaimDeskNotOffered. Event: ClaimsWithdrawn.
    function withdrawOffer(bytes32 root) external;

    /// @notice Moves a device to the account that the holder of its code has signed for. Anyone may send it and gains nothing by it.
    ///         The device is active or suspended: ownership doesn't depend on that. One that has come to its end isn't handed out.
    /// @param device The device.
    /// @param from Its owner, who made the offer.
    /// @param to Who gets it. A contract must accept ERC-721 tokens; if it doesn't, nothing changes and the code is still good.
    /// @param root The root that `from` has offered, at least a second ago.
    /// @param deadline Last second at which the signature counts.
    /// @param signature By the code's key over `claimDigest`: 65 bytes r ‖ s ‖ v, s in the lower half.
    /// @param path Which side each sibling is on, see `Merkle.climb`.
    /// @param proof The siblings from the code's leaf to the root.
    /// Errors: ClaimDeskExpired, ClaimDeskNotOffered, ClaimDeskOfferExpired, ClaimDeskTooSoon, ClaimDeskNotClaimable,
    /// ClaimDeskOfferedLater, ClaimDeskInvalidSignature, ClaimDeskWrongCode (another code, or a signature over anything else),
    /// MerklePathTooLong; from the registry ERC721IncorrectOwner, ERC721InsufficientApproval, ERC721InvalidReceiver.
    /// Events: DeviceClaimed, and the registry's for a transfer.
    function claim(
        DeviceId device,
        address from,
        address to,
        bytes32 root,
        uint64 deadline,
        bytes calldata signature,
        uint256 path,
        bytes32[] calldata proof
    ) external;

    /// @notice The 32 bytes that a code's key signs (EIP-712: Claim(device, from, to, root, deadline)).
    function claimDigest(
        DeviceId device,
        address from,
        address to,
        bytes32 root,
        uint64 deadline
    ) external view returns (bytes32);

    /// @notice An offer. All zero if there never was one.
    /// @return offeredAt When the root was first offered.
    /// @return expiry Until when its devices can be claimed; 0 after it was withdrawn.
    function offerOf(address owner, bytes32 root) external view returns (uint64 offeredAt, uint64 expiry);
}
