// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Groth16} from "../analytics/Groth16.sol";
import {Groth16Keys} from "../analytics/Groth16Keys.sol";

/// @title `Groth16.verify` beside the same without assembly
contract PlainGroth16 {
    uint256 private constant ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

    /// @notice What both say of a proof by the circuit `sum-64`, and what gas each took.
    function compare(
        uint256[] calldata inputs,
        bytes calldata proof
    ) external view returns (bool holds, bool plain, uint256 gas, uint256 plainGas) {
        bytes memory key = Groth16Keys.sum64();
        uint256 start = gasleft();
        holds = Groth16.verify(key, inputs, proof);
        gas = start - gasleft();
        start = gasleft();
        plain = this.verify(key, inputs, proof);
        plainGas = start - gasleft();
    }

    function verify(bytes calldata key, uint256[] calldata inputs, bytes calldata proof) external view returns (bool) {
        if (proof.length != 256 || key.length != 512 + 64 * inputs.length) return false;
        bytes memory sum = key[448:512];
        for (uint256 k = 0; k < inputs.length; ++k) {
            if (inputs[k] >= ORDER) return false;
            bytes memory term = key[512 + 64 * k:576 + 64 * k];
            (, bytes memory product) = address(7).staticcall(bytes.concat(term, bytes32(inputs[k])));
            (, sum) = address(6).staticcall(bytes.concat(sum, product));
        }
        bytes memory pairs = bytes.concat(proof[:192], key[:192], sum, key[192:320], proof[192:], key[320:448]);
        (bool done, bytes memory result) = address(8).staticcall{gas: 380_000}(pairs);
        return done && bytes32(result) == bytes32(uint256(1));
    }
}
