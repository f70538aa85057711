// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC7913RSAVerifier} from "@openzeppelin/contracts/utils/cryptography/verifiers/ERC7913RSAVerifier.sol";

/// @notice OpenZeppelin's RSA verifier as it is, to show what ours refuses beyond it.
contract PlainRsaVerifier is ERC7913RSAVerifier {} // solhint-disable-line no-empty-blocks
