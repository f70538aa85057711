// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {Obstacle} from "../identity/AttestationTypes.sol";
import {DeviceId} from "../identity/DeviceTypes.sol";
import {IAttestations} from "../identity/IAttestations.sol";
import {IDeviceRegistry} from "../identity/IDeviceRegistry.sol";
import {IERC1056} from "../identity/IERC1056.sol";
import {FeedConfig} from "./FeedTypes.sol";
import {IAggregatorV3} from "./IAggregatorV3.sol";
import {IDeviceFeed} from "./IDeviceFeed.sol";

/// @title What devices measure now, for contracts that act on it
/// @dev Feeds are clones (ERC-1167) of one of these, each with its configuration behind its code: reading the sources from code costs less
///      than reading them from storage, and a feed is cheap to create. The original itself has no configuration and takes nothing.
contract DeviceFeed is IDeviceFeed {
    /// @dev One slot, as is `Round`: that is why values have 128 bits.
    struct Latest {
        int128 value;
        uint64 sequence;
        uint64 time;
    }

    struct Round {
        int128 answer;
        uint64 startedAt;
        uint64 updatedAt;
    }

    /// @dev The latest round, and how many are kept: repeated here, where it costs nothing, so that reading a round needs no look at the
    ///      configuration, which costs 3,000 gas and more.
    struct Head {
        uint80 round;
        uint16 ring;
    }

    bytes32 private constant KEY_DELEGATE = "sigAuth";

    IDeviceRegistry private immutable REGISTRY;
    IAttestations private immutable ATTESTATIONS;

    Head private _head;
    mapping(uint256 place => Round) private _rounds;
    mapping(DeviceId device => Latest) private _latest;

    constructor(IDeviceRegistry registry_, IAttestations attestations_) {
        REGISTRY = registry_;
        ATTESTATIONS = attestations_;
    }

    /// @inheritdoc IDeviceFeed
    function push(
        DeviceId device,
        uint64 sequence,
        uint64 time,
        int256 value,
        bytes32 salt,
        bytes calldata signer,
        bytes calldata signature
    ) external {
        // Checks
        FeedConfig memory rules = config();
        _requireNews(rules, device, sequence, time, value);
        bytes32 content = keccak256(abi.encode(value, salt));
        bytes32 digest = REGISTRY.readingDigest(device, sequence, time, rules.schema, content);
        require(REGISTRY.isSignedByDevice(device, digest, signer, signature), DeviceFeedInvalidSignature(device));
        _requireReliance(rules, device);

        // Effects
        _take(rules, device, Latest(int128(value), sequence, time), true);
    }

    /// @inheritdoc IDeviceFeed
    function pushAs(DeviceId device, uint64 sequence, uint64 time, int256 value) external {
        // Checks
        FeedConfig memory rules = config();
        _requireNews(rules, device, sequence, time, value);
        require(_isReporter(rules.gateway, device), DeviceFeedNotReporter(device, msg.sender));
        require(REGISTRY.isActive(device), DeviceFeedNotActive(device));
        _requireReliance(rules, device);

        // Effects
        _take(rules, device, Latest(int128(value), sequence, time), false);
    }

    /// @inheritdoc IDeviceFeed
    function isFresh() external view returns (bool) {
        Head memory head = _head;
        return head.round != 0 && _isFresh(config(), _rounds[head.round % head.ring].updatedAt);
    }

    /// @inheritdoc IDeviceFeed
    function latestOf(DeviceId device) external view returns (uint64 sequence, uint64 time, int256 value) {
        Latest memory latest = _latest[device];
        return (latest.sequence, latest.time, latest.value);
    }

    /// @inheritdoc IDeviceFeed
    function latestRound() external view returns (uint80) {
        return _head.round;
    }

    /// @inheritdoc IDeviceFeed
    function registry() external view returns (address) {
        return address(REGISTRY);
    }

    /// @inheritdoc IDeviceFeed
    function attestations() external view returns (address) {
        return address(ATTESTATIONS);
    }

    /// @inheritdoc IAggregatorV3
    function decimals() external view returns (uint8) {
        return config().decimals;
    }

    /// @inheritdoc IAggregatorV3
    function description() external view returns (string memory) {
        return config().description;
    }

    /// @inheritdoc IAggregatorV3
    function latestRoundData()
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        return getRoundData(_head.round);
    }

    /// @inheritdoc IAggregatorV3
    function version() external pure returns (uint256) {
        return 1;
    }

    /// @inheritdoc IDeviceFeed
    function config() public view returns (FeedConfig memory) {
        return abi.decode(Clones.fetchCloneArgs(address(this)), (FeedConfig));
    }

    /// @inheritdoc IAggregatorV3
    function getRoundData(
        uint80 round
    )
        public
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        Head memory head = _head;
        require(round != 0 && round <= head.round && head.round - round < head.ring, DeviceFeedNoRound(round));
        Round memory kept = _rounds[round % head.ring];
        return (round, kept.answer, kept.startedAt, kept.updatedAt, round);
    }

    function _take(FeedConfig memory rules, DeviceId device, Latest memory latest, bool signed) private {
        _latest[device] = latest;
        emit ValueTaken(device, latest.sequence, latest.time, latest.value, signed);

        (int256[] memory values, uint256 count, uint256 oldest) = _freshValues(rules);
        if (count < rules.quorum) return;
        int128 answer = _medianOf(values, count);
        uint64 updatedAt = uint64(oldest);
        uint80 round = _head.round + 1;
        _head = Head(round, rules.ring);
        _rounds[round % rules.ring] = Round(answer, uint64(block.timestamp), updatedAt);
        emit AnswerUpdated(answer, round, updatedAt);
    }

    function _requireNews(
        FeedConfig memory rules,
        DeviceId device,
        uint64 sequence,
        uint64 time,
        int256 value
    ) private view {
        require(_isSource(rules.sources, device), DeviceFeedNotSource(device));
        Latest memory latest = _latest[device];
        // A value's time is never 0, so that 0 means: none yet, and any first number will do.
        require(
            latest.time == 0 || sequence > latest.sequence,
            DeviceFeedOldSequence(device, sequence, latest.sequence)
        );
        require(time > latest.time, DeviceFeedTimeNotAfter(device, time, latest.time));
        require(_isFresh(rules, time), DeviceFeedStale(device, time, rules.maxAge));
        require(time <= block.timestamp + rules.maxAhead, DeviceFeedFuture(device, time, rules.maxAhead));
        require(
            value >= rules.minimum && value <= rules.maximum,
            DeviceFeedOutOfRange(value, rules.minimum, rules.maximum)
        );
    }

    function _requireReliance(FeedConfig memory rules, DeviceId device) private view {
        if (rules.level == 0 && rules.verifier == address(0)) return;
        (bool relied, Obstacle obstacle) = ATTESTATIONS.relianceOn(
            device,
            rules.level,
            rules.verifier,
            bytes32(0),
            0,
            new bytes32[](0)
        );
        require(relied, DeviceFeedNotReliedUpon(device, obstacle));
    }

    function _isReporter(address gateway, DeviceId device) private view returns (bool) {
        if (msg.sender == gateway) return true;
        address account = DeviceId.unwrap(device);
        return msg.sender == account && IERC1056(address(REGISTRY)).validDelegate(account, KEY_DELEGATE, account);
    }

    /// @dev The values that count now, in ascending order at the front of `values`, and the time of the oldest, now at the latest.
    function _freshValues(
        FeedConfig memory rules
    ) private view returns (int256[] memory values, uint256 count, uint256 oldest) {
        values = new int256[](rules.sources.length);
        oldest = block.timestamp;
        for (uint256 k = 0; k < rules.sources.length; ++k) {
            Latest memory latest = _latest[rules.sources[k]];
            if (latest.time == 0 || !_isFresh(rules, latest.time)) continue;
            if (latest.time < oldest) oldest = latest.time;
            uint256 place = count++;
            for (; place > 0 && values[place - 1] > latest.value; --place) values[place] = values[place - 1];
            values[place] = latest.value;
        }
    }

    function _isFresh(FeedConfig memory rules, uint64 time) private view returns (bool) {
        return uint256(time) + rules.maxAge >= block.timestamp;
    }

    function _isSource(DeviceId[] memory sources, DeviceId device) private pure returns (bool) {
        for (uint256 k = 0; k < sources.length; ++k) {
            if (DeviceId.unwrap(sources[k]) == DeviceId.unwrap(device)) return true;
        }
        return false;
    }

    function _medianOf(int256[] memory ascending, uint256 count) private pure returns (int128) {
        int256 upper = ascending[count / 2];
        return int128(count % 2 == 1 ? upper : (ascending[count / 2 - 1] + upper) / 2);
    }
}
