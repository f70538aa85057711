// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC7913SignatureVerifier} from "@openzeppelin/contracts/interfaces/IERC7913.sol";
import {ERC7913P256Verifier} from "@openzeppelin/contracts/utils/cryptography/verifiers/ERC7913P256Verifier.sol";

/// @title ERC-7913 verifier of P-256 signatures
/// @notice OpenZeppelin's, but for signatures of exactly 64 bytes: the EIP-7951 precompile at 0x100 where the chain has it, the same
///         mathematics in Solidity where not. No storage, no owner. Keys are x ‖ y (64 bytes), signatures r ‖ s (64 bytes), s in the
///         lower half.
contract P256Verifier is ERC7913P256Verifier {
    /// @inheritdoc IERC7913SignatureVerifier
    /// @dev OpenZeppelin's takes any bytes after the 64: one signature would have any number of spellings.
    function verify(bytes calldata key, bytes32 hash, bytes calldata signature) public view override returns (bytes4) {
        return signature.length == 64 ? super.verify(key, hash, signature) : bytes4(0xffffffff);
    }
}
