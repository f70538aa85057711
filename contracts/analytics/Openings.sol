// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BatchHeader} from "../anchoring/BatchHeader.sol";
import {IDataAnchor} from "../anchoring/IDataAnchor.sol";
import {DeviceId} from "../identity/DeviceTypes.sol";
import {IPartialVerifier, ValuesBatch} from "./IPartialVerifier.sol";
import {Partials} from "./Partials.sol";
import {Operation, Query, RequestId} from "./RequestTypes.sol";
import {Leaf, Opening, ProvedBatch} from "./ResultTypes.sol";

/// @title A partial that grows, reading by reading or batch by batch
/// @notice Sequence numbers ascend; each run of consecutive ones is a range, its first and last number in 8 bytes each.
library Openings {
    /// @notice Takes in a batch of the device's own log whose values a proof sums up. False unless it stands there in time, all of it is of the
    ///         query, and the proof holds.
    function extendProved(
        Opening memory opening,
        Query calldata query,
        DeviceId device,
        RequestId id,
        ProvedBatch calldata batch,
        IDataAnchor anchor,
        IPartialVerifier verifier
    ) internal view returns (bool) {
        if (batch.count == 0 || batch.firstSequence > type(uint64).max - batch.count) return false;
        if (batch.first < query.from || batch.last >= query.to || batch.entryTime > query.anchoredBy) return false;
        // The proof is of whatever number is claimed for the first reading: only the header holds the one under which the batch counts, once.
        bytes32 bound = keccak256(abi.encode(batch.values, device, batch.firstSequence));
        bytes32 entry = BatchHeader.entryOf(batch.root, batch.count, batch.first, batch.last, query.schema, bound);
        if (!anchor.verifyEntry(DeviceId.unwrap(device), batch.index, batch.entryTime, entry, batch.logSiblings)) {
            return false;
        }
        ValuesBatch memory values = ValuesBatch(batch.values, device, batch.firstSequence, batch.count);
        (bool holds, bytes memory partial_) = _provedPartial(query, id, values, batch.words, batch.proof, verifier);
        if (!holds || !extend(opening, batch.firstSequence, batch.firstSequence + batch.count - 1)) return false;
        (holds, opening.aggregate) = Partials.merge(query, opening.aggregate, partial_);
        return holds;
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

    /// @notice Whether a leaf says what these readings come to.
    function bears(Opening memory opening, Leaf calldata leaf) internal pure returns (bool) {
        return
            leaf.count == opening.count &&
            leaf.aggregate == keccak256(opening.aggregate) &&
            leaf.evidence == keccak256(abi.encode(rangesOf(opening), ""));
    }

    function _provedPartial(
        Query calldata query,
        RequestId id,
        ValuesBatch memory values,
        uint256[] calldata words,
        bytes calldata proof,
        IPartialVerifier verifier
    ) private view returns (bool, bytes memory) {
        Operation operation = query.operation;
        if (operation == Operation.Histogram) {
            if (!verifier.verifyHistogram(values, query.lower, query.upper, id, query.size, words, proof)) {
                return (false, "");
            }
            return (true, abi.encodePacked(_unpacked(words, query.size)));
        }
        if (operation > Operation.Mean || words.length != 1) return (false, "");
        int256 sum = int256(words[0]);
        bool holds = verifier.verifySum(values, query.lower, query.upper, id, sum, proof);
        if (operation == Operation.Count) return (holds, abi.encode(values.count));
        return (holds, operation == Operation.Sum ? abi.encode(sum) : abi.encode(sum, uint256(values.count)));
    }
    /// @dev What is packed as `verifyHistogram` takes it, in a word each.
    function _unpacked(uint256[] calldata words, uint256 size) private pure returns (uint256[] memory counts) {
        counts = new uint256[](size);
        for (uint256 k = 0; k < size; ++k) counts[k] = uint16(words[k / 16] >> (16 * (k % 16)));
    }
}
