// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Words} from "./Words.sol";

/// @title Which values there were, from 2^s bits (Bloom filter)
/// @notice A value sets the bits (a + i b) mod 2^s for i from 0 to hashes - 1, after Kirsch and Mitzenmacher 2006: a and b are the upper and the
///         lower 128 bits of keccak256(abi.encode(value)), b made odd, so that up to 2^s bits of one value differ. Bit 0 is the first bit of
///         the first byte. s is 8 to 16, and follows from the length.
/// @dev Two values that share a and b are never told apart: beside the rate of `fill` there are 2 in 2^(2s) false positives for each value.
library BloomFilter {
    uint256 private constant TOP = 1 << 255;
    uint256 private constant PAIRS = 0x5555555555555555555555555555555555555555555555555555555555555555;
    uint256 private constant FOURS = 0x3333333333333333333333333333333333333333333333333333333333333333;
    uint256 private constant EIGHTS = 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f;
    uint256 private constant SIXTEENS = 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff;
    uint256 private constant LANES = 0x0001000100010001000100010001000100010001000100010001000100010001;
    /// @dev The natural logarithm of 2, with 64 bits behind the point.
    uint256 private constant LN2 = 0xb17217f7d1cf79ab;

    error BloomFilterBadLength(uint256 length);
    error BloomFilterUnlike(uint256 length, uint256 other);
    error BloomFilterNoHashes();

    /// @notice Lets the filter see a value. Errors: BloomFilterBadLength.
    function add(bytes memory filter, uint256 hashes, int256 value) internal pure {
        uint256 bits = _bitsOf(filter);
        (uint256 place, uint256 step) = _hash(value);
        unchecked {
            for (uint256 k = 0; k < hashes; ++k) {
                uint256 bit = place & (bits - 1);
                Words.write(filter, bit >> 8, Words.read(filter, bit >> 8) | (TOP >> (bit & 255)));
                place += step;
            }
        }
    }

    /// @notice Whether the filter may have seen a value; false is certain. Errors: BloomFilterBadLength.
    function has(bytes memory filter, uint256 hashes, int256 value) internal pure returns (bool) {
        uint256 bits = _bitsOf(filter);
        (uint256 place, uint256 step) = _hash(value);
        unchecked {
            for (uint256 k = 0; k < hashes; ++k) {
                uint256 bit = place & (bits - 1);
                if (Words.read(filter, bit >> 8) & (TOP >> (bit & 255)) == 0) return false;
                place += step;
            }
        }
        return true;
    }

    /// @notice Merges b into a: the bits that are set in either. Errors: BloomFilterUnlike for lengths that differ or aren't whole words.
    function merge(bytes memory a, bytes memory b) internal pure {
        require(a.length == b.length && a.length % 32 == 0, BloomFilterUnlike(a.length, b.length));
        unchecked {
            for (uint256 k = a.length >> 5; k > 0;) {
                --k;
                Words.write(a, k, Words.read(a, k) | Words.read(b, k));
            }
        }
    }

    /// @notice How many bits are set. With a share f of them set, a value that wasn't seen is taken for seen in f^hashes of cases.
    /// Errors: BloomFilterBadLength.
    function fill(bytes memory filter) internal pure returns (uint256 set) {
        unchecked {
            for (uint256 k = _bitsOf(filter) >> 8; k > 0;) set += _ones(Words.read(filter, --k));
        }
    }

    /// @notice How many distinct values the filter has seen, to the nearest whole number: -(bits / hashes) ln(1 - fill / bits), after Swamidass
    ///         and Baldi 2007.
    /// @return values The uint256 maximum if all bits are set, which stands for infinity.
    /// Errors: BloomFilterBadLength, BloomFilterNoHashes.
    function estimate(bytes memory filter, uint256 hashes) internal pure returns (uint256 values) {
        require(hashes != 0, BloomFilterNoHashes());
        uint256 bits = _bitsOf(filter);
        uint256 clear = bits - fill(filter);
        if (clear == 0) return type(uint256).max;
        uint256 product = bits * (_log2(bits) - _log2(clear)) * LN2;
        uint256 divisor = hashes << 128;
        return (product + divisor / 2) / divisor;
    }

    function _hash(int256 value) private pure returns (uint256 place, uint256 step) {
        uint256 hash = uint256(Words.hash(value));
        return (hash >> 128, uint128(hash) | 1);
    }

    function _bitsOf(bytes memory filter) private pure returns (uint256) {
        uint256 length = filter.length;
        require(length >= 32 && length <= 8192 && length & (length - 1) == 0, BloomFilterBadLength(length));
        return length << 3;
    }

    /// @dev How many bits of a word are set. The last step adds lanes of 16 bits, for 256 doesn't fit into one of 8.
    function _ones(uint256 word) private pure returns (uint256) {
        unchecked {
            word -= (word >> 1) & PAIRS;
            word = (word & FOURS) + ((word >> 2) & FOURS);
            word = (word + (word >> 4)) & EIGHTS;
            word = (word + (word >> 8)) & SIXTEENS;
            return (word * LANES) >> 240;
        }
    }

    /// @dev The logarithm to base 2 with 64 bits behind the point, rounded down: each squaring of a number from 1 to 2 gives the next bit.
    function _log2(uint256 x) private pure returns (uint256 result) {
        result = Math.log2(x);
        x <<= 127 - result;
        unchecked {
            for (uint256 k = 0; k < 64; ++k) {
                x = (x * x) >> 127;
                uint256 bit = x >> 128;
                x >>= bit;
                result = (result << 1) | bit;
            }
        }
    }
}
