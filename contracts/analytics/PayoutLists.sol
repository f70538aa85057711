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
    /// @dev Two slots; given back when the list is decided.
    struct List {
        address proposer;
        uint40 challengeEnd;
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
        list.hash = hash;
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

        // Effects
        Reward storage funded = _rewards[address(analytics)][RequestId.unwrap(id)];
        uint128 left = funded.left;
        address proposer = _lists[address(analytics)][id].proposer;
        funded.left = 0;
        delete _lists[address(analytics)][id];
        _release(left + BOND);

        // Interactions: ITC calls nobody, and reverts where it can't pay.
        uint256 sum = _payAll(words);
        emit ListPushed(address(analytics), id, words.length, sum);
        TOKEN.transfer(funded.requester, left - sum);
        TOKEN.transfer(proposer, BOND);
    }

    /// @inheritdoc IPayoutLists
    function listOf(
        address analytics,
        RequestId id
    ) external view returns (address proposer, uint64 challengeEnd, bytes32 hash) {
        List storage list = _lists[analytics][id];
        return (list.proposer, list.challengeEnd, list.hash);
    }

    /// @inheritdoc IPayoutLists
    function bond() external view returns (uint128) {
        return BOND;
    }

    /// @dev A reward with a list is pushed, not returned.
    function _isBusy(address analytics, bytes32 id) internal view override returns (bool) {
        return _lists[analytics][RequestId.wrap(id)].proposer != address(0);
    }

    /// @dev Transfers to each what its word says. In assembly: 8,800 gas each against 9,300 in a loop of calls, of which 100 are one
    ///      transaction. A test compares it with `PlainLoop` in mocks/.
    function _payAll(bytes32[] calldata words) private returns (uint256 sum) {
        address token = address(TOKEN);
        bytes4 selector = IERC20.transfer.selector;
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let call_ := mload(0x40)
            mstore(call_, selector)
            let end := add(words.offset, shl(5, words.length))
            for {
                let next := words.offset
            } lt(next, end) {
                next := add(next, 32)
            } {
                let word := calldataload(next)
                let amount := and(word, 0xffffffffffffffffffffffff)
                mstore(add(call_, 4), shr(96, word))
                mstore(add(call_, 36), amount)
                if iszero(call(gas(), token, 0, call_, 68, 0, 0)) {
                    returndatacopy(call_, 0, returndatasize())
                    revert(call_, returndatasize())
                }
                sum := add(sum, amount)
            }
        }
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
