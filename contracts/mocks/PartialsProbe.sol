// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Partials} from "../analytics/Partials.sol";
import {Query} from "../analytics/RequestTypes.sol";

/// @notice `Partials` for tests to call.
contract PartialsProbe {
    /// @return fits Whether the two fit.
    /// @return merged What they come to.
    /// @return intact Whether memory that was written before and after the call is as it was written.
    /// @return gas What it took.
    function merge(
        Query calldata query,
        bytes memory a,
        bytes memory b
    ) external view returns (bool fits, bytes memory merged, bool intact, uint256 gas) {
        bytes32 seal = keccak256(b);
        gas = gasleft();
        (fits, merged) = Partials.merge(query, a, b);
        gas -= gasleft();
        bytes memory later = abi.encode(query);
        intact = keccak256(b) == seal && keccak256(later) == keccak256(abi.encode(query));
    }

    function lengthOf(Query calldata query) external pure returns (uint256) {
        return Partials.lengthOf(query);
    }

    function neutral(Query calldata query) external pure returns (bytes memory) {
        return Partials.neutral(query);
    }

    /// @notice Adds the readings one by one.
    function add(
        Query calldata query,
        bytes memory aggregate,
        int256[] calldata values,
        uint64[] calldata times
    ) external pure returns (bytes memory) {
        for (uint256 k = 0; k < values.length; ++k) Partials.add(query, aggregate, values[k], times[k]);
        return aggregate;
    }

    function isWellFormed(Query calldata query, bytes memory aggregate) external pure returns (bool) {
        return Partials.isWellFormed(query, aggregate);
    }

    function isSound(Query calldata query) external pure returns (bool) {
        return Partials.isSound(query);
    }
}
