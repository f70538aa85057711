// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {Obstacle} from "../identity/AttestationTypes.sol";
import {DeviceId} from "../identity/DeviceTypes.sol";
import {FeedConfig} from "./FeedTypes.sol";
import {IAggregatorV3} from "./IAggregatorV3.sol";

/// @title What devices measure now, for contracts that act on it
/// @notice One feed an address, with its devices and rules fixed at creation. It keeps each device's latest value. Each value that is taken
///         makes a round, as soon as enough devices have fresh ones: the median of all that are fresh. A value is fresh until `maxAge`
///         seconds after its device measured it. Times are Unix seconds, values fixed point with `decimals()`.
///
///         Of an even number of values the median is the mean of the two in the middle, rounded toward zero. It can't overflow: values are
///         of 128 bits and are added up in 256. A round's `startedAt` is the time of its block. Its `updatedAt` is the time of the oldest
///         value in it, or of the block if that is earlier: whoever checks an answer's age checks its oldest part, and no answer is of the
///         future. It can therefore go back from one round to the next, when a device comes in late.
/// @dev Left out on purpose: administration, pause, change of sources. Who wants other rules makes another feed. A device that is suspended
///      can push no more; the value that it had pushed counts until it is `maxAge` old.
interface IDeviceFeed is IAggregatorV3 {
    /// @notice A device's value was taken. `signed` is false where the account of the device or the gateway vouches for it.
    event ValueTaken(DeviceId indexed device, uint64 sequence, uint64 time, int256 value, bool signed);
    /// @notice A round was made; the event that Chainlink's feeds have.
    event AnswerUpdated(int256 indexed current, uint256 indexed roundId, uint256 updatedAt);

    error DeviceFeedNotSource(DeviceId device);
    error DeviceFeedOldSequence(DeviceId device, uint64 sequence, uint64 latest);
    error DeviceFeedTimeNotAfter(DeviceId device, uint64 time, uint64 latest);
    error DeviceFeedStale(DeviceId device, uint64 time, uint32 maxAge);
    error DeviceFeedFuture(DeviceId device, uint64 time, uint32 maxAhead);
    error DeviceFeedOutOfRange(int256 value, int256 minimum, int256 maximum);
    error DeviceFeedInvalidSignature(DeviceId device);
    error DeviceFeedNotReporter(DeviceId device, address sender);
    error DeviceFeedNotActive(DeviceId device);
    error DeviceFeedNotReliedUpon(DeviceId device, Obstacle obstacle);
    error DeviceFeedNoRound(uint80 roundId);

    /// @notice Takes a value that a device signed. Anyone may send it.
    /// @dev The signature is the one under the device's reading, the same that a gateway anchors: nothing is signed for a feed alone, and
    ///      one reading may go to several feeds. Hazard: whoever relays chooses which of a device's readings to send, and when.
    /// @param device One of the sources; it must be active.
    /// @param sequence The reading's number, greater than that of the device's latest value here. A reading sent twice is refused the second
    ///        time and changes nothing.
    /// @param time When the device measured, later than its latest value here.
    /// @param value What it measured. With `salt` it is opened on chain: the reading's content is keccak256(abi.encode(value, salt)).
    /// @param salt The reading's.
    /// @param signer The device's present ERC-7913 signer.
    /// @param signature The device's, over the registry's `readingDigest`.
    /// Errors: DeviceFeedNotSource, DeviceFeedOldSequence, DeviceFeedTimeNotAfter, DeviceFeedStale, DeviceFeedFuture,
    /// DeviceFeedOutOfRange, DeviceFeedInvalidSignature, DeviceFeedNotReliedUpon. Events: ValueTaken; AnswerUpdated if enough are fresh.
    function push(
        DeviceId device,
        uint64 sequence,
        uint64 time,
        int256 value,
        bytes32 salt,
        bytes calldata signer,
        bytes calldata signature
    ) external;

    /// @notice Takes a value at the sender's word. Only the feed's gateway, for any source; or a device's own account, for itself, while that
    ///         account is the device's present key.
    /// @dev Hazard: a gateway can make up every value within the range, and lock a device out with a high sequence number. A feed without
    ///      one has `gateway` 0.
    /// @param device As in `push`, as are `sequence`, `time` and `value`. It must be active, whoever sends.
    /// Errors: those of `push` but DeviceFeedInvalidSignature, and DeviceFeedNotReporter, DeviceFeedNotActive. Events: as of `push`.
    function pushAs(DeviceId device, uint64 sequence, uint64 time, int256 value) external;

    /// @notice Whether there is a round, and its answer is at most `maxAge` old.
    function isFresh() external view returns (bool);

    /// @notice A device's latest value here; all 0 if there is none.
    function latestOf(DeviceId device) external view returns (uint64 sequence, uint64 time, int256 value);

    /// @notice The number of the latest round; 0 if there is none.
    function latestRound() external view returns (uint80);

    /// @notice What the feed is.
    function config() external view returns (FeedConfig memory);

    /// @notice The registry whose devices these are.
    function registry() external view returns (address);

    /// @notice Where the feed asks whether a device may be relied on.
    function attestations() external view returns (address);
}
