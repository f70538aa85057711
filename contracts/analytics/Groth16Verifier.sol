// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DeviceId} from "../identity/DeviceTypes.sol";
import {Groth16} from "./Groth16.sol";
import {Groth16Keys} from "./Groth16Keys.sol";
import {IPartialVerifier, ValuesBatch} from "./IPartialVerifier.sol";
import {RequestId} from "./RequestTypes.sol";

/// @title Proofs of partials by the circuits in `circuits/`
/// @dev Public inputs are packed, for each costs over 6,000 gas; the circuits say how. Small batches have circuits of their own, which are
///      quicker to prove. No administration: other keys are another contract.
contract Groth16Verifier is IPartialVerifier {
    /// @dev Makes values, bounds and each value in a sum positive.
    int256 private constant OFFSET = 2 ** 39;
    uint256 private constant SMALL = 64;
    uint256 private constant LARGE = 256;
    uint256 private constant MAX_BINS = 16;
    uint256 private constant BITS_PER_BIN = 9;
    uint256 private constant CONTEXT_BITS = 120;

    constructor() {
        bool isSafe = !Groth16Keys.DEVELOPMENT || block.chainid == 31337 || block.chainid == 1337;
        require(isSafe, PartialVerifierDevelopmentKeys(block.chainid));
    }

    /// @inheritdoc IPartialVerifier
    function verifySum(
        ValuesBatch calldata batch,
        int64 lower,
        int64 upper,
        RequestId request,
        int256 sum,
        bytes calldata proof
    ) external view returns (bool) {
        if (!_isProvable(batch.count, lower, upper)) return false;
        int256 offset = OFFSET * int256(uint256(batch.count));
        if (sum < -offset || sum >= offset) return false;

        uint256[] memory inputs = new uint256[](3);
        inputs[0] = _batchOf(batch);
        inputs[1] = (uint256(sum + offset) << 200) | (_boundsOf(lower, upper) << CONTEXT_BITS) | _contextOf(request);
        inputs[2] = uint256(batch.values);
        return Groth16.verify(batch.count > SMALL ? Groth16Keys.sum256() : Groth16Keys.sum64(), inputs, proof);
    }

    /// @inheritdoc IPartialVerifier
    function verifyHistogram(
        ValuesBatch calldata batch,
        int64 lower,
        int64 upper,
        RequestId request,
        uint256[] calldata bins,
        bytes calldata proof
    ) external view returns (bool) {
        uint256 size = bins.length;
        if (!_isProvable(batch.count, lower, upper) || size < 2 || size > MAX_BINS) return false;
        uint256 counts = 0;
        uint256 seen = 0;
        for (uint256 k = size; k > 0; --k) {
            uint256 bin = bins[k - 1];
            seen |= bin;
            counts = (counts << BITS_PER_BIN) | bin;
        }
        if (seen >> BITS_PER_BIN != 0) return false;
        uint256 width = (uint256(int256(upper) - lower) + size) / size;

        uint256[] memory inputs = new uint256[](4);
        inputs[0] = _batchOf(batch);
        inputs[1] = (_boundsOf(lower, upper) << 160) | (width << CONTEXT_BITS) | _contextOf(request);
        inputs[2] = counts;
        inputs[3] = uint256(batch.values);
        return
            Groth16.verify(batch.count > SMALL ? Groth16Keys.histogram256() : Groth16Keys.histogram64(), inputs, proof);
    }

    /// @inheritdoc IPartialVerifier
    function isDevelopment() external pure returns (bool) {
        return Groth16Keys.DEVELOPMENT;
    }

    function _isProvable(uint64 count, int64 lower, int64 upper) private pure returns (bool) {
        return count != 0 && count <= LARGE && lower >= -OFFSET && lower <= upper && upper < OFFSET;
    }

    function _batchOf(ValuesBatch calldata batch) private pure returns (uint256) {
        uint256 device = uint160(DeviceId.unwrap(batch.device));
        return (device << 80) | (uint256(batch.firstSequence) << 16) | batch.count;
    }

    function _boundsOf(int64 lower, int64 upper) private pure returns (uint256) {
        return (uint256(lower + OFFSET) << 40) | uint256(upper + OFFSET);
    }

    /// @dev What ties a proof to its request; 120 bits are what is free in a field element.
    function _contextOf(RequestId request) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(request))) >> (256 - CONTEXT_BITS);
    }
}
