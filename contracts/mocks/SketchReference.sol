// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BloomFilter} from "../libraries/BloomFilter.sol";
import {HyperLogLog} from "../libraries/HyperLogLog.sol";

/// @notice `HyperLogLog` and `BloomFilter` beside the same byte by byte, for a fuzz test to compare, with the gas of the fast ones.
contract SketchReference {
    function addDistinct(
        bytes memory registers,
        int256[] calldata values
    ) external view returns (bytes memory, uint256 gas) {
        gas = gasleft();
        for (uint256 k = 0; k < values.length; ++k) HyperLogLog.add(registers, values[k]);
        return (registers, gas - gasleft());
    }

    function mergeDistinct(
        bytes memory a,
        bytes memory b
    ) external view returns (bytes memory, bytes memory plain, uint256 gas) {
        plain = _merged(a, b, true);
        gas = gasleft();
        HyperLogLog.merge(a, b);
        return (a, plain, gas - gasleft());
    }

    function estimateDistinct(bytes memory registers) external view returns (uint256 values, uint256 gas) {
        gas = gasleft();
        values = HyperLogLog.estimate(registers);
        gas -= gasleft();
    }

    function addMembers(
        bytes memory filter,
        uint256 hashes,
        int256[] calldata values
    ) external view returns (bytes memory, uint256 gas) {
        gas = gasleft();
        for (uint256 k = 0; k < values.length; ++k) BloomFilter.add(filter, hashes, values[k]);
        return (filter, gas - gasleft());
    }

    function mergeMembers(
        bytes memory a,
        bytes memory b
    ) external view returns (bytes memory, bytes memory plain, uint256 gas) {
        plain = _merged(a, b, false);
        gas = gasleft();
        BloomFilter.merge(a, b);
        return (a, plain, gas - gasleft());
    }

    function hasMember(bytes memory filter, uint256 hashes, int256 value) external view returns (bool, uint256 gas) {
        gas = gasleft();
        bool found = BloomFilter.has(filter, hashes, value);
        return (found, gas - gasleft());
    }

    function estimateMembers(bytes memory filter, uint256 hashes) external view returns (uint256 values, uint256 gas) {
        gas = gasleft();
        values = BloomFilter.estimate(filter, hashes);
        gas -= gasleft();
    }

    function addHash(bytes memory registers, uint64 hash) external pure returns (bytes memory) {
        HyperLogLog.addHash(registers, hash);
        return registers;
    }

    function isWellFormed(bytes memory registers) external pure returns (bool fast, bool plain) {
        plain = true;
        uint256 top = HyperLogLog.maxRank(registers);
        for (uint256 k = 0; k < registers.length; ++k) {
            if (uint8(registers[k]) > top) plain = false;
        }
        return (HyperLogLog.isWellFormed(registers), plain);
    }

    function fill(bytes memory filter) external pure returns (uint256 fast, uint256 plain) {
        for (uint256 k = 0; k < filter.length << 3; ++k) {
            if ((uint8(filter[k >> 3]) >> (7 - (k & 7))) & 1 == 1) ++plain;
        }
        return (BloomFilter.fill(filter), plain);
    }

    function _merged(bytes memory a, bytes memory b, bool greatest) private pure returns (bytes memory merged) {
        merged = new bytes(a.length);
        for (uint256 k = 0; k < b.length && k < a.length; ++k) {
            merged[k] = greatest ? (a[k] > b[k] ? a[k] : b[k]) : a[k] | b[k];
        }
    }
}
