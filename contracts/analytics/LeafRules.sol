// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DeviceId} from "../identity/DeviceTypes.sol";
import {Partials} from "./Partials.sol";
import {Request, Weighting} from "./RequestTypes.sol";
import {Leaf, Origin} from "./ResultTypes.sol";

/// @title What a leaf may say
library LeafRules {
    /// @notice Whether a leaf's numbers follow the request's rules.
    function isByRule(Request calldata asked, Leaf calldata leaf) internal pure returns (bool) {
        if (leaf.origin == Origin.Withheld) {
            return
                leaf.count == 0 &&
                leaf.weight == 0 &&
                leaf.spent == 0 &&
                leaf.evidence == 0 &&
                leaf.aggregate == keccak256(Partials.neutral(asked.query));
        }
        bool isNoisy = leaf.origin == Origin.Attested && asked.terms.epsilon != 0;
        return
            leaf.count != 0 &&
            leaf.count <= asked.query.cap &&
            leaf.weight == weightOf(asked, leaf.count) &&
            (isNoisy || leaf.spent == 0);
    }

    /// @notice The weight of a device with this many readings.
    function weightOf(Request calldata asked, uint64 count) internal pure returns (uint128) {
        return asked.terms.weighting == Weighting.Readings ? count : 1;
    }

    /// @notice Whether a device's noisy partials in two results spend the same part of its budget.
    function spendsTwice(
        Request calldata asked,
        Leaf calldata leaf,
        Request calldata other,
        Leaf calldata otherLeaf
    ) internal pure returns (bool) {
        return
            DeviceId.unwrap(leaf.device) == DeviceId.unwrap(otherLeaf.device) &&
            asked.purpose == other.purpose &&
            leaf.origin == Origin.Attested &&
            otherLeaf.origin == Origin.Attested &&
            leaf.spent < uint256(otherLeaf.spent) + other.terms.epsilon &&
            otherLeaf.spent < uint256(leaf.spent) + asked.terms.epsilon;
    }
}
