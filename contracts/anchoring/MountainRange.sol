// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Merkle} from "../libraries/Merkle.sol";

/// @title Append-only Merkle Mountain Range
/// @notice A log of n leaves is kept as one perfect tree for each bit of n. Appending writes one peak, whatever n is. Joined from
///         the right, the peaks give the root that RFC 9162 defines for a tree of n leaves.
library MountainRange {
    /// @dev One word: the size in the lowest 64 bits, the time of the last leaf in the next 64, and above them `barred`, whose meaning is the
    ///      contract's. As one value it is read and written once, 200 gas less than as fields of a struct.
    type Head is uint256;

    /// @dev A peak at a height whose bit in the size is 0 is stale and never read.
    struct Log {
        Head head;
        bytes32[64] peaks;
    }

    uint256 private constant BARRED = 1 << 128;

    function sizeOf(Head head) internal pure returns (uint64) {
        return uint64(Head.unwrap(head));
    }

    function timeOf(Head head) internal pure returns (uint64) {
        return uint64(Head.unwrap(head) >> 64);
    }

    function isBarred(Head head) internal pure returns (bool) {
        return Head.unwrap(head) & BARRED != 0;
    }

    /// @notice The same head, barred or not.
    function barredAs(Head head, bool barred) internal pure returns (Head) {
        uint256 rest = Head.unwrap(head) & ~BARRED;
        return Head.wrap(barred ? rest | BARRED : rest);
    }

    /// @notice The leaf of an entry: keccak256(0x00 ‖ entry ‖ time as 8 bytes).
    function leafOf(bytes32 entry, uint64 time) internal pure returns (bytes32 leaf) {
        // Assembly: 100 gas against 310 for abi.encodePacked, paid by each append. `MerkleReference` in mocks/ is the plain version; a fuzz
        // test compares the two.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore8(free, 0)
            mstore(add(free, 1), entry)
            mstore(add(free, 33), shl(192, time))
            leaf := keccak256(free, 41)
        }
    }

    /// @notice Adds a leaf. Reads one peak for each trailing 1 bit of the size, one on average.
    /// @param head What the log's head is, or is to be apart from the leaf.
    function append(Log storage log, Head head, bytes32 leaf) internal {
        uint256 height = 0;
        bytes32 peak = leaf;
        uint256 size = sizeOf(head);
        for (uint256 rest = size; rest & 1 == 1; rest >>= 1) {
            peak = Merkle.node(log.peaks[height], peak);
            ++height;
        }
        log.peaks[height] = peak;
        uint256 mark = Head.unwrap(head) & BARRED;
        log.head = Head.wrap(mark | (uint256(uint64(block.timestamp)) << 64) | (size + 1));
    }

    /// @notice Whether `leaf` stands at `index`. `proof` are the siblings up to the peak that covers the index today.
    function includes(
        Log storage log,
        uint64 index,
        bytes32 leaf,
        bytes32[] calldata proof
    ) internal view returns (bool) {
        uint256 size = sizeOf(log.head);
        if (index >= size) return false;
        // The mountain that holds `index` belongs to the highest bit in which the index and the size differ.
        uint256 height = Math.log2(index ^ size);
        if (proof.length != height) return false;
        return Merkle.climb(leaf, index & ((1 << height) - 1), proof) == log.peaks[height];
    }

    /// @notice The root over all leaves; 0 for an empty log.
    function root(Log storage log) internal view returns (bytes32 hash) {
        uint256 height = 0;
        for (uint256 rest = sizeOf(log.head); rest != 0; rest >>= 1) {
            if (rest & 1 == 1) hash = hash == 0 ? log.peaks[height] : Merkle.node(log.peaks[height], hash);
            ++height;
        }
    }

    /// @notice Whether the log began with `size` leaves of this root (RFC 9162 §2.1.4.2).
    function extends(
        Log storage log,
        uint64 size,
        bytes32 oldRoot,
        bytes32[] calldata proof
    ) internal view returns (bool) {
        uint256 present = sizeOf(log.head);
        if (size > present) return false;
        bytes32 presentRoot = root(log);
        if (size == present || size == 0) {
            return proof.length == 0 && oldRoot == (size == 0 ? bytes32(0) : presentRoot);
        }
        (bytes32 fromOld, bytes32 toPresent) = _climbBoth(size, oldRoot, present, proof);
        return fromOld == oldRoot && toPresent == presentRoot;
    }

    /// @dev What a consistency proof leads to: the root of the old tree, and of the present one. 0 and 0 for a proof that is too short or too long.
    function _climbBoth(
        uint256 size,
        bytes32 oldRoot,
        uint256 present,
        bytes32[] calldata proof
    ) private pure returns (bytes32 fromOld, bytes32 toPresent) {
        // A perfect tree is the first node of its own proof, and is left out of it.
        uint256 next = size & (size - 1) == 0 ? 0 : 1;
        if (proof.length <= next) return (0, 0);
        fromOld = next == 0 ? oldRoot : proof[0];
        toPresent = fromOld;
        (uint256 old, uint256 last) = (size - 1, present - 1);
        while (old & 1 == 1) (old, last) = (old >> 1, last >> 1);
        for (; next < proof.length && last != 0; ++next) {
            if (old & 1 == 1 || old == last) {
                (fromOld, toPresent) = (Merkle.node(proof[next], fromOld), Merkle.node(proof[next], toPresent));
                while (old & 1 == 0 && old != 0) (old, last) = (old >> 1, last >> 1);
            } else {
                toPresent = Merkle.node(toPresent, proof[next]);
            }
            (old, last) = (old >> 1, last >> 1);
        }
        if (last != 0 || next != proof.length) return (0, 0);
    }
}
