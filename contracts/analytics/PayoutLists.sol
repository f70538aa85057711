// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {RewardSink} from "../payouts/RewardSink.sol";
import {IPayoutLists} from "./IPayoutLists.sol";
import {IResults} from "./IResults.sol";
import {OwnerShares} from "./OwnerShares.sol";
import {RequestId} from "./RequestTypes.sol";
import {Holding, OwnerNodes} from "./RollTypes.sol";

/// @title Rewards pushed to the owners of small groups
contract PayoutLists is IPayoutLists, RewardSink {
    /// @dev Three slots.
    struct List {
        address proposer;
        uint40 challengeEnd;
        uint128 sum;
        bytes32 hash;
    }

    /// @dev So many new holders of ITC are paid in one transaction of 2^24 gas (EIP-7825), with room to spare.
    uint256 private constant MAX_ACCOUNTS = 500;
    uint256 private constant AMOUNT_BITS = 96;

    uint64 private immutable WINDOW;
    uint128 private immutable BOND;

    mapping(address analytics => mapping(RequestId id => List)) private _lists;

    /// @param token ITC.
    /// @param period Seconds after which a reward without a list goes back.
    /// @param window Seconds for which a list can be challenged.
    /// @param bond_ ITC that a proposer puts down.
    constructor(IERC20 token, uint64 period, uint64 window, uint128 bond_) RewardSink(token, period) {
        WINDOW = window;
        BOND = bond_;
    }

    /// @inheritdoc IPayoutLists
    function rollList(IResults analytics, RequestId id, bytes32[] calldata words) external {
        // Checks
        List storage list = _lists[address(analytics)][id];
        require(list.proposer == address(0), PayoutListsBusy(id));
        uint128 reward = _rewards[address(analytics)][RequestId.unwrap(id)].left;
        require(reward != 0, PayoutListsNoReward(id));
        (bool isFinal, , , uint128 weight, ) = analytics.resultOf(id);
        require(isFinal && weight != 0, PayoutListsNotFinal(id));
        uint256 sum = _sumOf(words);
        require(sum <= reward, PayoutListsTooMuch(sum, reward));

        // Effects
        uint64 challengeEnd = uint64(block.timestamp) + WINDOW;
        bytes32 hash = keccak256(abi.encodePacked(words));
        (list.proposer, list.challengeEnd) = (msg.sender, uint40(challengeEnd));
        (list.sum, list.hash) = (uint128(sum), hash);
        emit ListProposed(address(analytics), id, msg.sender, hash, words.length, sum, challengeEnd);

        // Interactions
        _collect(msg.sender, BOND);
    }

    /// @inheritdoc IPayoutLists
    function challengeList(
        IResults analytics,
        RequestId id,
        bytes32[] calldata words,
        address account,
        OwnerNodes calldata owned
    ) external {
        // Checks
        uint64 challengeEnd = _requireList(analytics, id, words);
        require(block.timestamp <= challengeEnd, PayoutListsWindowOver(challengeEnd));
        Reward storage funded = _rewards[address(analytics)][RequestId.unwrap(id)];
        (, bytes32 root, , uint128 weight, ) = analytics.resultOf(id);
        Holding memory held;
        held = OwnerShares.weigh(account, root, owned, held);
        uint256 share = OwnerShares.shareOf(funded.amount, held.weight, weight);
        uint256 granted = _amountOf(words, account);
        require(share > granted, PayoutListsPaidEnough(account, granted, share));

        // Effects
        delete _lists[address(analytics)][id];
        uint128 half = BOND / 2;
        funded.amount += BOND - half;
        funded.left += BOND - half;
        emit ListRejected(address(analytics), id, msg.sender);

        // Interactions
        _send(msg.sender, half);
    }

    /// @inheritdoc IPayoutLists
    function push(IResults analytics, RequestId id, bytes32[] calldata words) external {
        // Checks
        uint64 challengeEnd = _requireList(analytics, id, words);
        require(block.timestamp > challengeEnd, PayoutListsWindowOpen(challengeEnd));
        Reward storage funded = _rewards[address(analytics)][RequestId.unwrap(id)];
        uint128 left = funded.left;
        require(left != 0, PayoutListsNoReward(id));

        // Effects
        List storage list = _lists[address(analytics)][id];
        (address proposer, uint128 sum) = (list.proposer, list.sum);
        funded.left = 0;
        _release(sum);
        emit ListPushed(address(analytics), id, words.length, sum);

        // Interactions
        for (uint256 k = 0; k < words.length; ++k) {
            uint256 word = uint256(words[k]);
            TOKEN.transfer(address(uint160(word >> AMOUNT_BITS)), uint96(word));
        }
        _send(funded.requester, left - sum);
        _send(proposer, BOND);
    }

    /// @inheritdoc IPayoutLists
    function listOf(
        address analytics,
        RequestId id
    ) external view returns (address proposer, uint64 challengeEnd, uint128 sum, bytes32 hash) {
        List storage list = _lists[analytics][id];
        return (list.proposer, list.challengeEnd, list.sum, list.hash);
    }

    /// @inheritdoc IPayoutLists
    function bond() external view returns (uint128) {
        return BOND;
    }

    /// @dev A reward with a list is pushed, not returned.
    function _isBusy(address analytics, bytes32 id) internal view override returns (bool) {
        return _lists[analytics][RequestId.wrap(id)].proposer != address(0);
    }

    function _requireList(
        IResults analytics,
        RequestId id,
        bytes32[] calldata words
    ) private view returns (uint64 challengeEnd) {
        List storage list = _lists[address(analytics)][id];
        require(list.proposer != address(0), PayoutListsIdle(id));
        require(keccak256(abi.encodePacked(words)) == list.hash, PayoutListsWrongList(id));
        return list.challengeEnd;
    }

    /// @dev What a list pays out, if it is in order.
    function _sumOf(bytes32[] calldata words) private pure returns (uint256 sum) {
        require(words.length != 0 && words.length <= MAX_ACCOUNTS, PayoutListsBadLength(words.length));
        uint256 last = 0;
        for (uint256 k = 0; k < words.length; ++k) {
            uint256 account = uint256(words[k]) >> AMOUNT_BITS;
            require(account > last, PayoutListsOutOfOrder(k));
            last = account;
            sum += uint96(uint256(words[k]));
        }
    }

    /// @dev What a list grants an account; 0 if it isn't on it.
    function _amountOf(bytes32[] calldata words, address account) private pure returns (uint256) {
        for (uint256 k = 0; k < words.length; ++k) {
            uint256 word = uint256(words[k]);
            if (word >> AMOUNT_BITS == uint160(account)) return uint96(word);
        }
        return 0;
    }
}
