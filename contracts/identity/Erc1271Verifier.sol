// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC7913SignatureVerifier} from "@openzeppelin/contracts/interfaces/IERC7913.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @title ERC-7913 verifier of contracts that speak ERC-1271
/// @notice The key is the 20 bytes of a contract, which is asked `isValidSignature(hash, signature)`. So a device whose rules are code (a
///         multisig, a passkey account, a module of several chips) goes through a verifier as every key does that isn't secp256k1.
/// @dev An account without code is never valid, precompiles included. What the contract answers may change with its state, and a
///      contract that burns all gas makes the caller's transaction fail: it can refuse only its own device. No storage, no owner.
contract Erc1271Verifier is IERC7913SignatureVerifier {
    uint256 private constant KEY_LENGTH = 20;

    /// @inheritdoc IERC7913SignatureVerifier
    function verify(bytes calldata key, bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        if (key.length != KEY_LENGTH) return 0xffffffff;
        address account = address(bytes20(key));
        bool valid =
            account.code.length != 0 && SignatureChecker.isValidERC1271SignatureNowCalldata(account, hash, signature);
        return valid ? IERC7913SignatureVerifier.verify.selector : bytes4(0xffffffff);
    }
}
