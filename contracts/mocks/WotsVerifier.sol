// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC7913SignatureVerifier} from "@openzeppelin/contracts/interfaces/IERC7913.sol";

/// @title ERC-7913 verifier of Winternitz one-time signatures: a kind of key that a quantum computer doesn't break
/// @notice Shows that a later kind needs no change of the registry. 64 digits of 4 bits of the hash and 3 of their checksum say how far
///         each of 67 hash chains of 15 steps has been climbed; the verifier climbs the rest. The key is seed ‖ keccak256 of the ends
///         (64 bytes), the signature one link of each chain (2,144 bytes).
/// @dev One time means one time: two signatures by one key show two links of most chains, from which anyone can make a third. Such a
///      key must be rotated by the very message that it signs. A device that signs daily wants a tree of such keys (XMSS, SLH-DSA).
contract WotsVerifier is IERC7913SignatureVerifier {
    uint256 private constant DIGITS = 64;
    uint256 private constant CHAINS = 67;
    uint256 private constant LAST_STEP = 15;

    /// @inheritdoc IERC7913SignatureVerifier
    function verify(bytes calldata key, bytes32 hash, bytes calldata signature) external pure returns (bytes4) {
        if (key.length != 64 || signature.length != CHAINS * 32) return 0xffffffff;
        bytes32 seed = bytes32(key[:32]);
        bytes32[] memory ends = new bytes32[](CHAINS);
        // The checksum falls when a digit rises: climbing one chain of a signature further means climbing another one back.
        uint256 checksum = DIGITS * LAST_STEP;
        for (uint256 chain = 0; chain < CHAINS; ++chain) {
            uint256 digit =
                chain < DIGITS
                    ? (uint256(hash) >> (4 * (DIGITS - 1 - chain))) & 15
                    : (checksum >> (4 * (CHAINS - 1 - chain))) & 15;
            if (chain < DIGITS) checksum -= digit;
            ends[chain] = _climb(seed, uint8(chain), digit, bytes32(signature[32 * chain:]));
        }
        bytes32 found = keccak256(abi.encodePacked("wots key", seed, ends));
        return found == bytes32(key[32:]) ? IERC7913SignatureVerifier.verify.selector : bytes4(0xffffffff);
    }

    /// @dev Each step of each chain of each key hashes under a name of its own, so that no two searches for preimages help each other.
    function _climb(bytes32 seed, uint8 chain, uint256 step, bytes32 link) private pure returns (bytes32 end) {
        end = link;
        for (; step < LAST_STEP; ++step) {
            end = keccak256(abi.encodePacked("wots step", seed, chain, uint8(step), end));
        }
    }
}
