// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {DeviceId} from "../identity/DeviceTypes.sol";
import {RequestId} from "./RequestTypes.sol";

/// @notice A batch of one device's readings, as its header and its first reading say it.
/// @param values The commitment to the values, which the header holds hashed with device and first sequence.
/// @param device Whose readings.
/// @param firstSequence Sequence number of the first one; the others follow without a gap.
/// @param count How many, 1 to 256.
struct ValuesBatch {
    bytes32 values;
    DeviceId device;
    uint64 firstSequence;
    uint64 count;
}

/// @title What proves a partial without its readings
/// @notice A partial is what a request's operation makes of one device's readings. Here it is of all the readings of one batch, each of which is
///         within the bounds of the request: a value outside is nowhere counted as the bound, it makes a proof impossible. A count and a mean follow
///         from `verifySum` and the batch's count.
///
///         Values, bounds and sums are fixed point in the scale of the schema. Values are in [-2^39, 2^39).
/// @dev Behind this stands one proof system with one set of keys; another one is another contract. What is proved is that the partial follows
///      from what the commitment holds. That the header with this commitment, device and first sequence is in a log, and in whose, is for the caller to check: a
///      proof can be made for any device and sequence. That the commitment holds what the device signed is the word of whoever made the header. A proof can be changed into another one of the same,
///      so its hash identifies nothing. Malformed proofs cost more gas than right ones, up to 400,000.
interface IPartialVerifier {
    /// @notice The keys are those for development, and this chain is none (31337, 1337): the constructor refuses.
    error PartialVerifierDevelopmentKeys(uint256 chainId);

    /// @notice Whether a proof shows the sum of a batch's values. False too for whatever can't be proved: bounds outside [-2^39, 2^39), a count
    ///         of 0 or over 256, a commitment that is no field element, a malformed proof.
    /// @param lower Least value that the request takes.
    /// @param upper Greatest.
    /// @param request What the proof was made for; it serves no other.
    function verifySum(
        ValuesBatch calldata batch,
        int64 lower,
        int64 upper,
        RequestId request,
        int256 sum,
        bytes calldata proof
    ) external view returns (bool);

    /// @notice Whether a proof shows how many of a batch's values are in which bin. Bins have one width, the least with which they cover
    ///         [lower, upper]. False too as in `verifySum`, for fewer than 2 bins or more than 64, and for words that no such bins have.
    /// @param size How many bins.
    /// @param counts Values in each, from the lowest on: 16 bins a word, 16 bits a bin, the first in the lowest bits.
    function verifyHistogram(
        ValuesBatch calldata batch,
        int64 lower,
        int64 upper,
        RequestId request,
        uint256 size,
        uint256[] calldata counts,
        bytes calldata proof
    ) external view returns (bool);

    /// @notice Whether the keys are those for development, for which anyone can make proofs of what isn't so.
    function isDevelopment() external view returns (bool);
}
