// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC7913SignatureVerifier} from "@openzeppelin/contracts/interfaces/IERC7913.sol";

/// @notice Asks many questions in one call, for tests with thousands of vectors.
contract VerifierBatch {
    /// @return answers What the verifier says to each, and 0x00000000 where it reverts.
    function ask(
        IERC7913SignatureVerifier verifier,
        bytes[] calldata keys,
        bytes32[] calldata hashes,
        bytes[] calldata signatures
    ) external view returns (bytes4[] memory answers) {
        answers = new bytes4[](keys.length);
        for (uint256 k = 0; k < keys.length; ++k) {
            try verifier.verify(keys[k], hashes[k], signatures[k]) returns (bytes4 answer) {
                answers[k] = answer;
            } catch {
                answers[k] = 0;
            }
        }
    }

    /// @return answers What `account` returns to each input.
    function callRaw(address account, bytes[] calldata inputs) external view returns (bytes[] memory answers) {
        answers = new bytes[](inputs.length);
        for (uint256 k = 0; k < inputs.length; ++k) {
            // solhint-disable-next-line avoid-low-level-calls
            (, answers[k]) = account.staticcall(inputs[k]);
        }
    }
}
