// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC7913P256Verifier} from "@openzeppelin/contracts/utils/cryptography/verifiers/ERC7913P256Verifier.sol";

/// @title ERC-7913 verifier of P-256 signatures
/// @notice OpenZeppelin's, as it is: the EIP-7951 precompile at 0x100 where the chain has it, the same mathematics in Solidity where
///         not. No storage, no owner. Keys are x ‖ y (64 bytes), signatures r ‖ s (64 bytes), s in the lower half.
contract P256Verifier is ERC7913P256Verifier {} // solhint-disable-line no-empty-blocks
