// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title A value over time, one storage slot while it never changes
/// @notice The last entry has a slot of its own; only when another one comes, it goes to the earlier ones. So the first entry costs one write.
///         Of several entries of one second the last stays.
/// @dev An entry is one word: from the low end `since` (40 bits), how many are before it (24 bits), the value (192 bits). There is one entry
///      a second at most, so 24 bits last for half a year of a change in each second; whoever does that to a value of its own can't change
///      it any more.
library History {
    struct Log {
        uint256 last;
        mapping(uint256 place => uint256) earlier;
    }

    /// @notice Sets the value from a second on, which must not be before that of the last entry.
    function write(Log storage log, uint40 since, uint192 value) internal {
        uint256 last = log.last;
        uint24 place = uint24(last >> 40);
        if (last != 0 && uint40(last) != since) log.earlier[place++] = last;
        log.last = (uint256(value) << 64) | (uint256(place) << 40) | since;
    }

    /// @notice The entry that stood at the end of a second; all 0 if there was none yet.
    function valueAt(Log storage log, uint64 time) internal view returns (uint40 since, uint192 value) {
        uint256 entry = log.last;
        if (uint40(entry) > time) {
            uint256 low = 0;
            uint256 high = uint24(entry >> 40);
            // All places below `low` are of `time` or before, all from `high` on are later.
            while (low < high) {
                uint256 middle = (low + high) / 2;
                if (uint40(log.earlier[middle]) <= time) low = middle + 1;
                else high = middle;
            }
            entry = low == 0 ? 0 : log.earlier[low - 1];
        }
        return (uint40(entry), uint192(entry >> 64));
    }
}
