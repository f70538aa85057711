// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Partials} from "./Partials.sol";
import {Operation, Request, RequestId, Terms} from "./RequestTypes.sol";

/// @title What may be asked, and what a result looks like in one word
library RequestRules {
    uint64 private constant LONGEST_CHALLENGE_WINDOW = 30 days;
    /// @dev For how many leaves the least bond is enough.
    uint256 private constant LEAVES_PER_BOND = 1000;

    /// @notice Whether owners and proposers can trust the outcome under these terms.
    /// @param minimumWindow Seconds that a proposal must stay open to challenge.
    /// @param minimumBond ITC that a proposer must put down.
    function areFair(Request calldata asked, uint64 minimumWindow, uint128 minimumBond) internal view returns (bool) {
        Terms calldata terms = asked.terms;
        return
            Partials.isSound(asked.query) &&
            (terms.epsilon == 0 || _takesNoise(asked.query.operation)) &&
            terms.cohort > 1 &&
            terms.deadline > asked.query.anchoredBy &&
            terms.deadline >= block.timestamp &&
            terms.deadline <= type(uint40).max &&
            terms.challengeWindow >= minimumWindow &&
            terms.challengeWindow <= LONGEST_CHALLENGE_WINDOW &&
            terms.reward != 0 &&
            terms.bond >= minimumBond;
    }

    /// @notice The id of a request that a call brings, see `RequestId`.
    /// @dev Its words are hashed as they came: with bits beyond its types it is a request that was never opened.
    function idOf(Request calldata asked) internal view returns (RequestId id) {
        // Assembly: 200 gas against 2,200 for an encoding, twice in each challenge. Tests compare it with the toolkit's.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, chainid())
            mstore(add(free, 32), address())
            calldatacopy(add(free, 64), asked, 864)
            id := keccak256(free, 928)
        }
    }

    /// @notice What is put in escrow: the owners' reward and the proposer's fee.
    function escrowOf(Terms calldata terms) internal pure returns (uint256) {
        return uint256(terms.reward) + terms.fee;
    }

    /// @notice The requester's halves of bonds that were lost.
    function halvesOf(Terms calldata terms, uint8 slashed) internal pure returns (uint256) {
        return uint256(slashed) * (terms.bond - terms.bond / 2);
    }

    /// @notice Whether the bond is enough for so many leaves: who hides false ones among many true ones risks more the more there are.
    /// @param minimumBond ITC that a thousand leaves ask for.
    function bears(Terms calldata terms, uint64 leaves, uint128 minimumBond) internal pure returns (bool) {
        return uint256(leaves) * minimumBond <= uint256(terms.bond) * LEAVES_PER_BOND;
    }

    /// @notice What is kept of an aggregate: up to two numbers as one word, each in half of it, so that a contract can read them; of
    ///         wider ones, and of filters, the hash.
    /// @return fits False for bytes of another length or hash, and for narrow numbers beyond int128.
    function valueOf(
        Request calldata asked,
        bytes calldata aggregate,
        bytes32 hash
    ) internal pure returns (bool fits, bytes32 value) {
        if (aggregate.length != Partials.lengthOf(asked.query) || keccak256(aggregate) != hash) return (false, 0);
        if (aggregate.length > 64 || asked.query.operation == Operation.Membership) return (true, hash);
        int256 first = int256(uint256(bytes32(aggregate[:32])));
        int256 second = aggregate.length == 64 ? int256(uint256(bytes32(aggregate[32:]))) : int256(0);
        fits = first == int128(first) && second == int128(second);
        return (fits, bytes32((uint256(first) << 128) | uint128(int128(second))));
    }

    /// @dev Noise is added to sums: extremes and sketches have none to add to.
    function _takesNoise(Operation operation) private pure returns (bool) {
        return operation != Operation.MinMax && operation != Operation.Distinct && operation != Operation.Membership;
    }
}
