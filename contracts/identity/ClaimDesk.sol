// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Merkle} from "../libraries/Merkle.sol";
import {DeviceId, DeviceState} from "./DeviceTypes.sol";
import {IClaimDesk} from "./IClaimDesk.sol";
import {IDeviceRegistry} from "./IDeviceRegistry.sol";

/// @title Devices for whoever holds the code that lay in the box
contract ClaimDesk is IClaimDesk, EIP712 {
    /// @dev One slot.
    struct Offer {
        uint64 offeredAt;
        uint64 expiry;
    }

    bytes32 private constant CLAIM_TYPEHASH = keccak256(
        "Claim(address device,address from,address to,bytes32 root,uint64 deadline)"
    );

    IDeviceRegistry private immutable REGISTRY;

    mapping(address owner => mapping(bytes32 root => Offer)) private _offers;

    /// @param registry Whose devices are claimed; it is also their ERC-721.
    constructor(IDeviceRegistry registry) EIP712("ClaimDesk", "1") {
        REGISTRY = registry;
    }

    /// @inheritdoc IClaimDesk
    function offer(bytes32 root, uint64 expiry) external {
        require(expiry > block.timestamp, ClaimDeskOfferExpired(msg.sender, root, expiry));
        Offer storage made = _offers[msg.sender][root];
        if (made.offeredAt == 0) made.offeredAt = uint64(block.timestamp);
        made.expiry = expiry;
        emit ClaimsOffered(msg.sender, root, expiry);
    }

    /// @inheritdoc IClaimDesk
    function withdrawOffer(bytes32 root) external {
        Offer storage made = _offers[msg.sender][root];
        require(made.expiry != 0, ClaimDeskNotOffered(msg.sender, root));
        made.expiry = 0;
        emit ClaimsWithdrawn(msg.sender, root);
    }

    /// @inheritdoc IClaimDesk
    /// @dev Nothing is written here: the transfer is what uses the code up. It happens a second or more after the offer, so whatever
    ///      the receiver does with the device, `ownedSince` is later than the offer ever after.
    function claim(
        DeviceId device,
        address from,
        address to,
        bytes32 root,
        uint64 deadline,
        bytes calldata signature,
        uint256 path,
        bytes32[] calldata proof
    ) external {
        // Checks
        require(block.timestamp <= deadline, ClaimDeskExpired(deadline));
        _checkOwnership(device, _offeredAt(from, root));
        (address codeKey, ECDSA.RecoverError failure, ) = ECDSA.tryRecoverCalldata(
            claimDigest(device, from, to, root, deadline),
            signature
        );
        require(failure == ECDSA.RecoverError.NoError, ClaimDeskInvalidSignature(device));
        require(Merkle.climb(_leafOf(device, codeKey), path, proof) == root, ClaimDeskWrongCode(device, codeKey, root));
        emit DeviceClaimed(device, from, to, root);

        // Interactions: the registry refuses unless `from` is the owner and has approved this desk. It asks `to`, which may be a
        // contract, whether it takes the device when it has it already.
        IERC721(address(REGISTRY)).safeTransferFrom(from, to, uint160(DeviceId.unwrap(device)));
    }

    /// @inheritdoc IClaimDesk
    function offerOf(address owner, bytes32 root) external view returns (uint64 offeredAt, uint64 expiry) {
        Offer storage made = _offers[owner][root];
        return (made.offeredAt, made.expiry);
    }

    /// @inheritdoc IClaimDesk
    function claimDigest(
        DeviceId device,
        address from,
        address to,
        bytes32 root,
        uint64 deadline
    ) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(CLAIM_TYPEHASH, device, from, to, root, deadline)));
    }

    /// @dev When an offer that counts now was first made. Not in that same second: the device of a claim could be back before it is
    ///      over, and its `ownedSince` would not tell.
    function _offeredAt(address from, bytes32 root) private view returns (uint64 offeredAt) {
        Offer memory made = _offers[from][root];
        offeredAt = made.offeredAt;
        require(made.expiry != 0, ClaimDeskNotOffered(from, root));
        require(block.timestamp <= made.expiry, ClaimDeskOfferExpired(from, root, made.expiry));
        require(block.timestamp > offeredAt, ClaimDeskTooSoon(from, root, offeredAt));
    }

    function _checkOwnership(DeviceId device, uint64 offeredAt) private view {
        (DeviceState state, uint64 ownedSince) = REGISTRY.tenureOf(device);
        require(state == DeviceState.Active || state == DeviceState.Suspended, ClaimDeskNotClaimable(device, state));
        require(ownedSince <= offeredAt, ClaimDeskOfferedLater(device, ownedSince, offeredAt));
    }

    /// @dev With a word and a length of its own, so that no leaf of another kind of tree can pass for one.
    function _leafOf(DeviceId device, address codeKey) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x00), "claim", DeviceId.unwrap(device), codeKey));
    }
}
