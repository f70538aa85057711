// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SignedMath} from "@openzeppelin/contracts/utils/math/SignedMath.sol";
import {BloomFilter} from "../libraries/BloomFilter.sol";
import {HyperLogLog} from "../libraries/HyperLogLog.sol";
import {Words} from "../libraries/Words.sol";
import {Operation, Query} from "./RequestTypes.sol";

/// @title What a device's readings come to, by operation, and how two such partials become one
/// @notice As bytes, words being int256:
///         Count [n]; Sum [sum]; Mean [sum, n]; Histogram [a count for each bin]; Regression [n, Σx, Σy, Σx², Σxy, Σy²] with x the seconds
///         since `from` and y the value. These merge by adding words; with noise, any may be below zero.
///         MinMax [min, max]; of no readings [int256 maximum, int256 minimum]. Merges to the outer ones.
///         Distinct: the 2^size registers of `HyperLogLog`. Membership: the 2^size bits of `BloomFilter`.
///         Values beyond [lower, upper] count as the nearer bound, but for the two sketches. Bin k of a histogram holds the values from
///         lower + k w on, w = ⌈(upper - lower + 1) / size⌉ of them; the last ones may end beyond `upper`.
/// @dev All but `isSound` take queries that are sound, and times inside the window.
library Partials {
    /// @dev What one device's sums of squares come to at most: with noise of 6,000,000 times as much and a hundred times that again, a word
    ///      still is well formed.
    uint256 private constant MAX_SQUARES = 1 << 96;

    error PartialsBadLength(uint256 length, uint256 expected);

    /// @notice How many bytes a partial has; whole words.
    function lengthOf(Query calldata query) internal pure returns (uint256) {
        Operation operation = query.operation;
        if (operation == Operation.Distinct) return uint256(1) << query.size;
        if (operation == Operation.Membership) return (uint256(1) << query.size) >> 3;
        if (operation == Operation.Histogram) return uint256(query.size) << 5;
        if (operation == Operation.Regression) return 192;
        return operation == Operation.Mean || operation == Operation.MinMax ? 64 : 32;
    }

    /// @notice The partial of no readings, which merges with any other to that one.
    function neutral(Query calldata query) internal pure returns (bytes memory) {
        if (query.operation == Operation.MinMax) return abi.encode(type(int256).max, type(int256).min);
        return new bytes(lengthOf(query));
    }

    /// @notice Lets a partial count one more reading, in place.
    /// @param value The reading's, at the scale of its schema.
    /// @param time The reading's, Unix seconds.
    /// Errors: PartialsBadLength; Panic for a word that leaves int256, which no well-formed partial comes near.
    function add(Query calldata query, bytes memory aggregate, int256 value, uint64 time) internal pure {
        uint256 length = lengthOf(query);
        require(aggregate.length == length, PartialsBadLength(aggregate.length, length));
        Operation operation = query.operation;
        if (operation == Operation.Distinct) return HyperLogLog.add(aggregate, value);
        if (operation == Operation.Membership) return BloomFilter.add(aggregate, query.hashes, value);
        int256 clamped = SignedMath.max(query.lower, SignedMath.min(query.upper, value));
        if (operation == Operation.MinMax) return _widen(aggregate, clamped, clamped);
        if (operation == Operation.Regression) {
            return _addPoint(aggregate, int256(uint256(time - query.from)), clamped);
        }
        if (operation == Operation.Histogram) return _raise(aggregate, _binOf(query, clamped), 1);
        _raise(aggregate, 0, operation == Operation.Count ? int256(1) : clamped);
        if (operation == Operation.Mean) _raise(aggregate, 1, 1);
    }

    /// @notice Makes one partial of two.
    /// @param a Used up: what is returned lies in its memory.
    /// @return fits False if a length is wrong or a sum leaves int256.
    /// @return merged Empty if it doesn't fit.
    function merge(
        Query calldata query,
        bytes memory a,
        bytes memory b
    ) internal pure returns (bool fits, bytes memory merged) {
        uint256 length = lengthOf(query);
        if (a.length != length || b.length != length) return (false, "");
        Operation operation = query.operation;
        if (operation == Operation.Distinct) {
            HyperLogLog.merge(a, b);
        } else if (operation == Operation.Membership) {
            BloomFilter.merge(a, b);
        } else if (operation == Operation.MinMax) {
            _widen(a, _at(b, 0), _at(b, 1));
        } else if (!_sum(a, b)) {
            return (false, "");
        }
        return (true, a);
    }

    /// @notice Whether a device can have sent these bytes, with noise or without: the length is right; words that are added are within
    ///         int128, so that those of 2^64 devices don't leave int256; extremes are in order and within the query's bounds, or neutral;
    ///         no register is above the highest rank.
    function isWellFormed(Query calldata query, bytes memory aggregate) internal pure returns (bool) {
        if (aggregate.length != lengthOf(query)) return false;
        Operation operation = query.operation;
        if (operation == Operation.Distinct) return HyperLogLog.isWellFormed(aggregate);
        if (operation == Operation.Membership) return true;
        if (operation == Operation.MinMax) return _isRange(query, _at(aggregate, 0), _at(aggregate, 1));
        for (uint256 k = 0; k < aggregate.length >> 5; ++k) {
            int256 word = _at(aggregate, k);
            if (word != int128(word)) return false;
        }
        return true;
    }

    /// @notice Whether a query can be asked: its window holds a second and ends before its readings are due, at least one reading of a
    ///         device counts, the parameters are those of its operation, and the others 0.
    function isSound(Query calldata query) internal pure returns (bool) {
        if (query.from >= query.to || query.anchoredBy < query.to - 1 || query.cap == 0) return false;
        Operation operation = query.operation;
        if (operation == Operation.Distinct || operation == Operation.Membership) return _isSketch(query);
        if (query.hashes != 0 || query.lower > query.upper) return false;
        if (operation != Operation.Histogram) {
            return query.size == 0 && (operation != Operation.Regression || _hasSmallSquares(query));
        }
        return query.size >= 2 && query.size <= 64 && int256(query.upper) - query.lower >= int8(query.size) - 1;
    }

    function _isSketch(Query calldata query) private pure returns (bool) {
        (uint256 size, uint256 hashes) = (query.size, query.hashes);
        if (query.lower != 0 || query.upper != 0) return false;
        if (query.operation == Operation.Distinct) return size >= 10 && size <= 14 && hashes == 0;
        return size >= 8 && size <= 16 && hashes >= 1 && hashes <= 16;
    }

    function _isRange(Query calldata query, int256 min, int256 max) private pure returns (bool) {
        if (min == type(int256).max && max == type(int256).min) return true;
        return query.lower <= min && min <= max && max <= query.upper;
    }

    function _hasSmallSquares(Query calldata query) private pure returns (bool) {
        uint256 x = query.to - query.from - 1;
        uint256 y = Math.max(SignedMath.abs(query.lower), SignedMath.abs(query.upper));
        return x * x * query.cap <= MAX_SQUARES && y * y * query.cap <= MAX_SQUARES;
    }

    function _binOf(Query calldata query, int256 clamped) private pure returns (uint256) {
        uint256 size = query.size;
        uint256 width = (uint256(int256(query.upper) - query.lower) + size) / size;
        return uint256(clamped - query.lower) / width;
    }

    function _addPoint(bytes memory aggregate, int256 x, int256 y) private pure {
        _raise(aggregate, 0, 1);
        _raise(aggregate, 1, x);
        _raise(aggregate, 2, y);
        _raise(aggregate, 3, x * x);
        _raise(aggregate, 4, x * y);
        _raise(aggregate, 5, y * y);
    }

    function _widen(bytes memory aggregate, int256 min, int256 max) private pure {
        Words.write(aggregate, 0, uint256(SignedMath.min(_at(aggregate, 0), min)));
        Words.write(aggregate, 1, uint256(SignedMath.max(_at(aggregate, 1), max)));
    }

    function _sum(bytes memory a, bytes memory b) private pure returns (bool) {
        int256 overflows;
        unchecked {
            for (uint256 k = a.length >> 5; k > 0;) {
                --k;
                (int256 x, int256 y) = (_at(a, k), _at(b, k));
                int256 sum = x + y;
                // Below zero where both have a sign that the sum hasn't.
                overflows |= (x ^ sum) & (y ^ sum);
                Words.write(a, k, uint256(sum));
            }
        }
        return overflows >= 0;
    }

    function _raise(bytes memory aggregate, uint256 k, int256 by) private pure {
        Words.write(aggregate, k, uint256(_at(aggregate, k) + by));
    }

    function _at(bytes memory aggregate, uint256 k) private pure returns (int256) {
        return int256(Words.read(aggregate, k));
    }
}
