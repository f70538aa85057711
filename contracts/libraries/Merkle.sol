// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Merkle hashing of RFC 9162 §2.1.1, with keccak-256 in place of SHA-256
/// @notice A leaf is keccak256(0x00 ‖ data), a node keccak256(0x01 ‖ left ‖ right): nothing can be both, so the 64 bytes of a node's
///         children are never accepted as a leaf. Trees of any size have the shape of RFC 9162: a lone right-most node moves up.
library Merkle {
    /// @dev The path is shifted by five bits below; none may fall off.
    uint256 private constant MAX_SIBLINGS = 250;

    error MerklePathTooLong(uint256 path, uint256 siblings);
    error MerkleBadMultiproof(uint256 leaves, uint256 siblings);

    /// @notice The hash of an inner node.
    function node(bytes32 left, bytes32 right) internal pure returns (bytes32 hash) {
        // Assembly: 120 gas against 390 for abi.encodePacked, paid once a level by each proof and append.
        // `MerkleReference` in mocks/ is the plain version; a fuzz test compares the two.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore8(free, 1)
            mstore(add(free, 1), left)
            mstore(add(free, 33), right)
            hash := keccak256(free, 65)
        }
    }

    /// @notice Climbs from a node to its root.
    /// @param hash The node to start from.
    /// @param path Bit k says on which side the k-th sibling stands: 1 left, 0 right. In a tree whose size is a power of two this is
    ///        the index of the leaf.
    /// @param siblings From the lowest level up.
    /// @return root The root that the proof leads to.
    /// Errors: MerklePathTooLong for a bit beyond the last sibling, so that each position has one spelling, and for more siblings than
    /// any tree has levels.
    function climb(bytes32 hash, uint256 path, bytes32[] calldata siblings) internal pure returns (bytes32 root) {
        require(
            siblings.length <= MAX_SIBLINGS && path >> siblings.length == 0,
            MerklePathTooLong(path, siblings.length)
        );
        root = hash;
        // Assembly for the same reason as in `node`, and to read the siblings from calldata without bounds checks.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let free := mload(0x40)
            let left := add(free, 1)
            let right := add(free, 33)
            mstore8(free, 1)
            path := shl(5, path)
            let end := add(siblings.offset, shl(5, siblings.length))
            for {
                let at := siblings.offset
            } lt(at, end) {
                at := add(at, 32)
            } {
                let place := and(path, 32)
                mstore(add(left, place), root)
                mstore(sub(right, place), calldataload(at))
                root := keccak256(free, 65)
                path := shr(1, path)
            }
        }
    }

    /// @notice Climbs from many leaves of one tree to its root; what can be computed of the way isn't in the proof.
    /// @param hashes The leaves, in the order of their places; used up.
    /// @param places Where they stand, ascending.
    /// @param leaves How many leaves the tree has.
    /// @param siblings The nodes that don't follow from the leaves: level by level from the lowest, each level from left to right.
    /// @return root The root that the proof leads to.
    /// Errors: MerkleBadMultiproof for places that don't ascend or lie outside the tree, and for siblings that are missing or too many.
    function climbMany(
        bytes32[] memory hashes,
        uint256[] memory places,
        uint256 leaves,
        bytes32[] calldata siblings
    ) internal pure returns (bytes32 root) {
        require(_ascend(places, hashes.length, leaves), MerkleBadMultiproof(leaves, siblings.length));
        uint256 next;
        uint256 end;
        // Assembly: nothing else tells where in calldata the siblings are.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            next := siblings.offset
            end := add(next, shl(5, siblings.length))
        }
        uint256 known = hashes.length << 5;
        // Half of the width, rounded up, for any number.
        for (uint256 width = leaves; width > 1; width -= width >> 1) {
            (known, next) = _climbLevel(hashes, places, known, width, next);
        }
        require(next == end, MerkleBadMultiproof(leaves, siblings.length));
        return hashes[0];
    }

    /// @notice Where the leaf at `index` of a tree of `leaves` stands: the one path that leads from it to the root. Undefined for an
    ///         index that isn't below `leaves`.
    /// @return path See `climb`.
    /// @return siblings How many there are on the way.
    function placeOf(uint256 index, uint256 leaves) internal pure returns (uint256 path, uint256 siblings) {
        for (uint256 width = leaves; width > 1; width -= width >> 1) {
            // A lone right-most node moves up without a sibling.
            if (index & 1 == 1 || index + 1 < width) path |= (index & 1) << siblings++;
            index >>= 1;
        }
    }

    /// @dev Climbs one level of `width` nodes. Siblings are read beyond their end where there are too few: the caller refuses what comes of it.
    ///      In assembly: 400 gas a node against 970, of which a batch of 50 from a large lot has 14 a device. A fuzz test compares it with a
    ///      plain version.
    /// @param known How many bytes of hashes, and of places, are known; ascending by place.
    /// @param next Where the next sibling is in calldata.
    function _climbLevel(
        bytes32[] memory hashes,
        uint256[] memory places,
        uint256 known,
        uint256 width,
        uint256 next
    ) private pure returns (uint256 written, uint256) {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let free := mload(0x40)
            places := add(places, 32)
            hashes := add(hashes, 32)
            mstore8(free, 1)
            for {
                let k := 0
            } lt(k, known) {
                written := add(written, 32)
            } {
                let place := mload(add(places, k))
                let hash := mload(add(hashes, k))
                k := add(k, 32)
                let right := shl(5, and(place, 1))
                if or(right, lt(add(place, 1), width)) {
                    let other := sub(add(free, 33), right)
                    mstore(add(add(free, 1), right), hash)
                    switch and(and(iszero(right), lt(k, known)), eq(mload(add(places, k)), add(place, 1)))
                    case 1 {
                        mstore(other, mload(add(hashes, k)))
                        k := add(k, 32)
                    }
                    default {
                        mstore(other, calldataload(next))
                        next := add(next, 32)
                    }
                    hash := keccak256(free, 65)
                }
                mstore(add(places, written), shr(1, place))
                mstore(add(hashes, written), hash)
            }
        }
        return (written, next);
    }

    function _ascend(uint256[] memory places, uint256 count, uint256 leaves) private pure returns (bool) {
        if (count == 0 || places.length != count || places[count - 1] >= leaves) return false;
        uint256 last = places[0];
        for (uint256 k = 1; k < count; ++k) {
            uint256 place = places[k];
            if (last >= place) return false;
            last = place;
        }
        return true;
    }
}
