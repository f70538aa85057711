// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Words} from "./Words.sol";

/// @title How many distinct values there were, from 2^p one-byte registers (HyperLogLog)
/// @notice A value's hash is keccak256(abi.encode(value)), of which the first 64 bits count, as in Heule et al. 2013: the first p of them
///         say which register, the zeros that lead the other 64 - p, plus 1, are the rank. A register holds the highest rank that it has
///         met; the highest there is is 65 - p. p is 5 to 16, and follows from the length.
/// @dev Estimates are by the improved estimator of Ertl 2017 (arXiv 1702.01284, algorithm 6), in fixed point: two series correct the raw estimate
///      for empty and for full registers. Heule's way needs some 200 pairs of measured estimate and bias for each p, which is 6,000 bytes of
///      code for 10 to 14, and a threshold. Measured at p = 12, 300 sketches of each number: the bias is within 0.12 % from 0.05 m to 50 m
///      values (that of the first HyperLogLog of 2007, with linear counting up to 2.5 m, reaches 2.3 %), the error 0.96 % to 1.57 %.
library HyperLogLog {
    uint256 private constant LOW_BITS = 0x7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f;
    uint256 private constant HIGH_BITS = 0x8080808080808080808080808080808080808080808080808080808080808080;
    uint256 private constant ONES = 0x0101010101010101010101010101010101010101010101010101010101010101;
    /// @dev 1 in fixed point.
    uint256 private constant ONE = 1 << 128;
    /// @dev 1 / (2 ln 2) in fixed point.
    uint256 private constant ALPHA = 0xb8aa3b295c17f0bbbe87fed0691d3e88;

    error HyperLogLogBadLength(uint256 length);
    error HyperLogLogUnlike(uint256 length, uint256 other);

    /// @notice The highest rank that a register can hold. Errors: HyperLogLogBadLength unless the length is a power of two from 32 to 65,536.
    function maxRank(bytes memory registers) internal pure returns (uint256) {
        return 65 - Math.log2(_sizeOf(registers));
    }

    /// @notice Lets the registers see a value. Errors: HyperLogLogBadLength.
    function add(bytes memory registers, int256 value) internal pure {
        addHash(registers, uint64(bytes8(Words.hash(value))));
    }

    /// @notice The same for a value whose hash begins with these 64 bits. Errors: HyperLogLogBadLength.
    function addHash(bytes memory registers, uint64 hash) internal pure {
        uint256 size = _sizeOf(registers);
        unchecked {
            // Times a power of two: the register's number moves before the 64 bits that stay.
            uint256 shifted = hash * size;
            // A mark in the bits that came in ends the zeros, where nothing else does, at the highest rank.
            uint256 rank = 64 - Math.log2((shifted & type(uint64).max) | (size >> 1));
            uint256 k = shifted >> 64;
            if (uint8(registers[k]) < rank) registers[k] = bytes1(uint8(rank));
        }
    }

    /// @notice Merges b into a: the greater of each two registers.
    /// Errors: HyperLogLogUnlike for lengths that differ or aren't whole words.
    function merge(bytes memory a, bytes memory b) internal pure {
        require(a.length == b.length && a.length % 32 == 0, HyperLogLogUnlike(a.length, b.length));
        unchecked {
            for (uint256 k = a.length >> 5; k > 0;) {
                --k;
                Words.write(a, k, _greater(Words.read(a, k), Words.read(b, k)));
            }
        }
    }

    /// @notice Whether no register holds a rank that there isn't. Errors: HyperLogLogBadLength.
    function isWellFormed(bytes memory registers) internal pure returns (bool) {
        unchecked {
            // Lifts ranks above the highest into the eighth bit. A byte that carries into the next has that bit set itself.
            uint256 lift = (127 - maxRank(registers)) * ONES;
            uint256 wrong;
            for (uint256 k = registers.length >> 5; k > 0;) {
                uint256 word = Words.read(registers, --k);
                wrong |= word | (word + lift);
            }
            return wrong & HIGH_BITS == 0;
        }
    }

    /// @notice How many distinct values the registers have seen, to the nearest whole number; the standard error is 1.04 / sqrt(registers).
    /// @return values The uint256 maximum if all registers are full, which stands for infinity.
    /// Errors: HyperLogLogBadLength.
    function estimate(bytes memory registers) internal pure returns (uint256 values) {
        uint256 top = maxRank(registers);
        uint256 size = registers.length;
        uint256 sum;
        uint256 empty;
        uint256 full;
        unchecked {
            for (uint256 k = size >> 5; k > 0;) {
                uint256 word = Words.read(registers, --k);
                sum += _powers(word);
                empty += _zeros(word);
                full += _zeros(word ^ (top * ONES));
            }
            if (empty == size) return 0;
            // Empty and full registers leave the sum; for each, what it says of ranks that couldn't be told apart comes in.
            sum -= empty * ONE + full * (ONE >> top);
            sum += size * _sigma((empty * ONE) / size) + ((size * _tau(((size - full) * ONE) / size)) >> (top - 1));
            return sum == 0 ? type(uint256).max : (ALPHA * size * size + sum / 2) / sum;
        }
    }

    function _sizeOf(bytes memory registers) private pure returns (uint256 size) {
        size = registers.length;
        require(size >= 32 && size <= 65536 && size & (size - 1) == 0, HyperLogLogBadLength(size));
    }

    /// @dev The greater of each two bytes. With the eighth bits set in a and cleared in b no byte borrows from the next.
    function _greater(uint256 a, uint256 b) private pure returns (uint256) {
        unchecked {
            uint256 notLess = ((a & ~b) | (~(a ^ b) & ((a | HIGH_BITS) - (b & LOW_BITS)))) & HIGH_BITS;
            uint256 mask = notLess | (notLess - (notLess >> 7));
            return b ^ ((a ^ b) & mask);
        }
    }

    /// @dev How many bytes are zero.
    function _zeros(uint256 word) private pure returns (uint256) {
        unchecked {
            uint256 zero = ~(((word & LOW_BITS) + LOW_BITS) | word) & HIGH_BITS;
            return ((zero >> 7) * ONES) >> 248;
        }
    }

    /// @dev The sum of 2^-register over a word's bytes.
    function _powers(uint256 word) private pure returns (uint256 sum) {
        // Assembly, without a loop: 28 gas a register against 112 for a loop in Solidity. The toolkit counts ranks instead; a fuzz test
        // compares the two.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let one := shl(128, 1)
            sum := add(sum, shr(byte(0, word), one))
            sum := add(sum, shr(byte(1, word), one))
            sum := add(sum, shr(byte(2, word), one))
            sum := add(sum, shr(byte(3, word), one))
            sum := add(sum, shr(byte(4, word), one))
            sum := add(sum, shr(byte(5, word), one))
            sum := add(sum, shr(byte(6, word), one))
            sum := add(sum, shr(byte(7, word), one))
            sum := add(sum, shr(byte(8, word), one))
            sum := add(sum, shr(byte(9, word), one))
            sum := add(sum, shr(byte(10, word), one))
            sum := add(sum, shr(byte(11, word), one))
            sum := add(sum, shr(byte(12, word), one))
            sum := add(sum, shr(byte(13, word), one))
            sum := add(sum, shr(byte(14, word), one))
            sum := add(sum, shr(byte(15, word), one))
            sum := add(sum, shr(byte(16, word), one))
            sum := add(sum, shr(byte(17, word), one))
            sum := add(sum, shr(byte(18, word), one))
            sum := add(sum, shr(byte(19, word), one))
            sum := add(sum, shr(byte(20, word), one))
            sum := add(sum, shr(byte(21, word), one))
            sum := add(sum, shr(byte(22, word), one))
            sum := add(sum, shr(byte(23, word), one))
            sum := add(sum, shr(byte(24, word), one))
            sum := add(sum, shr(byte(25, word), one))
            sum := add(sum, shr(byte(26, word), one))
            sum := add(sum, shr(byte(27, word), one))
            sum := add(sum, shr(byte(28, word), one))
            sum := add(sum, shr(byte(29, word), one))
            sum := add(sum, shr(byte(30, word), one))
            sum := add(sum, shr(byte(31, word), one))
        }
    }

    /// @dev x + the sum of x^(2^k) 2^(k-1) over k > 0, for x < 1.
    function _sigma(uint256 x) private pure returns (uint256 sum) {
        sum = x;
        unchecked {
            for (uint256 k = 0; x != 0; ++k) {
                x = (x * x) >> 128;
                sum += x << k;
            }
        }
    }

    /// @dev (1 - x - the sum of (1 - x^(2^-k))² 2^-k over k > 0) / 3.
    function _tau(uint256 x) private pure returns (uint256) {
        if (x == 0 || x == ONE) return 0;
        unchecked {
            uint256 sum = ONE - x;
            uint256 term = ONE;
            for (uint256 k = 1; term != 0; ++k) {
                x = Math.sqrt(x << 128);
                term = ((ONE - x) * (ONE - x)) >> (128 + k);
                sum -= term;
            }
            return sum / 3;
        }
    }
}
