// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC7913SignatureVerifier} from "@openzeppelin/contracts/interfaces/IERC7913.sol";
import {ERC7913RSAVerifier} from "@openzeppelin/contracts/utils/cryptography/verifiers/ERC7913RSAVerifier.sol";

/// @title ERC-7913 verifier of RSA-2048 signatures
/// @notice OpenZeppelin's, for keys in one spelling: exactly abi.encode(bytes e, bytes n) with e = 65537 (3 bytes) and n of 2,048 bits,
///         odd, so that a key has one id. A signature is PKCS#1 v1.5 over the 32 bytes of the hash, hashed with SHA-256, 256 bytes
///         below n. Anything else is invalid; it never reverts.
/// @dev Whether n is a product of two good primes, nobody can see: the issuer's endorsement stands for it. No storage, no owner.
contract RsaVerifier is ERC7913RSAVerifier {
    uint256 private constant KEY_LENGTH = 416;
    uint256 private constant MODULUS_START = 160;
    /// @dev Where e and n begin, e's length, e, n's length: all of the encoding before n.
    bytes32 private constant HEAD = keccak256(
        abi.encodePacked(uint256(0x40), uint256(0x80), uint256(3), bytes32(bytes3(0x010001)), uint256(256))
    );

    /// @inheritdoc IERC7913SignatureVerifier
    function verify(bytes calldata key, bytes32 hash, bytes calldata signature) public view override returns (bytes4) {
        return _isCanonical(key) ? super.verify(key, hash, signature) : bytes4(0xffffffff);
    }

    function _isCanonical(bytes calldata key) private pure returns (bool) {
        return
            key.length == KEY_LENGTH &&
            keccak256(key[:MODULUS_START]) == HEAD &&
            uint8(key[MODULUS_START]) >> 7 == 1 &&
            uint8(key[KEY_LENGTH - 1]) & 1 == 1;
    }
}
