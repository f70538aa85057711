// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Partials} from "./Partials.sol";
import {Query} from "./RequestTypes.sol";

/// @title A partial that grows, reading by reading
/// @notice Sequence numbers ascend; each run of consecutive ones is a range, its first and last number in 8 bytes each.
library Openings {
    struct Opening {
        uint64 count;
        uint64 start;
        uint64 last;
        bytes aggregate;
        bytes ranges;
    }

    /// @notice A partial of no readings.
    function begin(Query calldata query) internal pure returns (Opening memory opening) {
        opening.aggregate = Partials.neutral(query);
    }

    /// @notice Takes in readings `first` to `last`. False, and nothing done, unless they come after all earlier ones.
    function extend(Opening memory opening, uint64 first, uint64 last) internal pure returns (bool) {
        if (last < first || (opening.count != 0 && first <= opening.last)) return false;
        if (opening.count == 0) {
            opening.start = first;
        } else if (first != opening.last + 1) {
            opening.ranges = rangesOf(opening);
            opening.start = first;
        }
        opening.last = last;
        opening.count += last - first + 1;
        return true;
    }

    /// @notice All ranges so far.
    function rangesOf(Opening memory opening) internal pure returns (bytes memory) {
        if (opening.count == 0) return "";
        return abi.encodePacked(opening.ranges, opening.start, opening.last);
    }
}
