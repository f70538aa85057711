// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

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
    uint256 private constant MAX_BINS = 64;
    uint256 private constant BINS_PER_WORD = 16;
    /// @dev Bits that a count of at most 2^8 doesn't have. Without them a word is below the field's order, so it has one spelling.
    uint256 private constant NO_COUNTS = 0xfe00fe00fe00fe00fe00fe00fe00fe00fe00fe00fe00fe00fe00fe00fe00fe00;

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
        // What ties the proof to request, device and sequence: as many bits as are free in a field element.
        uint256 context = uint256(keccak256(abi.encode(request, batch.device, batch.firstSequence))) >> 140;

        uint256[] memory inputs = new uint256[](2);
        inputs[0] =
            (uint256(sum + offset) << 205) |
            (_boundsOf(lower, upper) << 125) |
            (uint256(batch.count) << 116) |
            context;
        inputs[1] = uint256(batch.values);
        return Groth16.verify(batch.count > SMALL ? Groth16Keys.sum256() : Groth16Keys.sum64(), inputs, proof);
    }

    /// @inheritdoc IPartialVerifier
    function verifyHistogram(
        ValuesBatch calldata batch,
        int64 lower,
        int64 upper,
        RequestId request,
        uint256 size,
        uint256[] calldata counts,
        bytes calldata proof
    ) external view returns (bool) {
        if (!_isProvable(batch.count, lower, upper) || size < 2 || size > MAX_BINS) return false;
        if (counts.length != (size + BINS_PER_WORD - 1) / BINS_PER_WORD) return false;
        uint256 width = (uint256(int256(upper) - lower) + size) / size;
        // Ties the proof to all of it. The circuit says why it must be a hash of the counts too.
        uint256 challenge = uint256(keccak256(abi.encode(request, batch, lower, upper, width, counts))) >> 132;

        uint256 combined = 0;
        uint256 seen = 0;
        for (uint256 k = counts.length; k > 0; --k) {
            uint256 word = counts[k - 1];
            seen |= word;
            combined = addmod(mulmod(combined, challenge, Groth16.ORDER), word, Groth16.ORDER);
        }
        if (seen & NO_COUNTS != 0) return false;

        uint256[] memory inputs = new uint256[](3);
        inputs[0] = (uint256(batch.count) << 244) | (_boundsOf(lower, upper) << 164) | (width << 124) | challenge;
        inputs[1] = combined;
        inputs[2] = uint256(batch.values);
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

    function _boundsOf(int64 lower, int64 upper) private pure returns (uint256) {
        return (uint256(lower + OFFSET) << 40) | uint256(upper + OFFSET);
    }
}
