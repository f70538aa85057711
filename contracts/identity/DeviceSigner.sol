// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {DeviceId, KeyKind} from "./DeviceTypes.sol";
import {KeyKinds} from "./KeyKinds.sol";
import {KeyVerifiers} from "./KeyVerifiers.sol";

/// @title What an ERC-7913 signer says about a device
/// @notice A signer is the 20 bytes of an account (secp256k1), or `verifier ‖ key` (P-256: the verifier's address and the 64 bytes
///         x ‖ y of the public key).
library DeviceSigner {
    address private constant P256_PRECOMPILE = address(0x100);
    uint256 private constant HALF_P256_ORDER = 0x7FFFFFFF800000007FFFFFFFFFFFFFFFDE737D56D38BCF4279DCE5617E3192A8;

    /// @notice Whether `signature` over `digest` is the signer's. High-s signatures are not.
    /// @dev An account with code is still asked for a plain signature: an EIP-7702 delegation must not change who a device is. A verifier
    ///      that reverts says no.
    /// @param kind The signer's kind, by a verifier that the registry knows.
    function verify(
        KeyKind kind,
        bytes calldata signer,
        bytes32 digest,
        bytes calldata signature
    ) internal view returns (bool) {
        if (KeyKinds.equal(kind, KeyKinds.SECP256K1)) {
            (address recovered, ECDSA.RecoverError failure, ) = ECDSA.tryRecoverCalldata(digest, signature);
            return failure == ECDSA.RecoverError.NoError && recovered == address(bytes20(signer));
        }
        if (KeyKinds.equal(kind, KeyKinds.P256) && _verifiesNatively(signer, digest, signature)) return true;
        return KeyVerifiers.verify(signer, digest, signature);
    }

    /// @notice The id that a signer commits to, whatever its kind.
    function idOf(bytes calldata signer) internal pure returns (DeviceId) {
        if (signer.length == 20) return DeviceId.wrap(address(bytes20(signer)));
        return DeviceId.wrap(address(uint160(uint256(keccak256(signer[20:])))));
    }

    /// @notice The leaf of a device in its maker's tree: keccak256(0x00 ‖ kind ‖ id).
    function leafOf(KeyKind kind, DeviceId device) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x00), kind, DeviceId.unwrap(device)));
    }

    /// @notice A P-256 key as a W3C Multikey: 0x8024 (the varint of p256-pub) ‖ compressed point.
    function p256Multikey(bytes calldata signer) internal pure returns (bytes memory) {
        bytes1 parity = uint8(signer[83]) & 1 == 1 ? bytes1(0x03) : bytes1(0x02);
        return abi.encodePacked(KeyKinds.P256_MULTICODEC, parity, signer[20:52]);
    }

    /// @dev Asks the P-256 precompile (EIP-7951) itself: 4,000 gas less than by way of the verifier, which decides wherever this says
    ///      no, since a chain without the precompile can't say yes. It takes high-s signatures, which we don't.
    function _verifiesNatively(
        bytes calldata signer,
        bytes32 digest,
        bytes calldata signature
    ) private view returns (bool) {
        if (signature.length != 64 || uint256(bytes32(signature[32:])) > HALF_P256_ORDER) return false;
        (, bytes memory answer) = P256_PRECOMPILE.staticcall(abi.encodePacked(digest, signature, signer[20:]));
        return answer.length == 32 && bytes32(answer) == bytes32(uint256(1));
    }
}
