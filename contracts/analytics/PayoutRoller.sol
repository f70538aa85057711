// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IPayoutPool} from "../payouts/IPayoutPool.sol";
import {IPayoutPoolFactory} from "../payouts/IPayoutPoolFactory.sol";
import {EarningsBatch, Shown} from "../payouts/PayoutTypes.sol";
import {IPayoutRoller} from "./IPayoutRoller.sol";
import {IResults} from "./IResults.sol";
import {OwnerShares} from "./OwnerShares.sol";
import {RequestId} from "./RequestTypes.sol";
import {RollBook} from "./RollBook.sol";
import {Holding, Ledger, OwnerNodes, PendingRoll, RolledResult, RollRules} from "./RollTypes.sol";

/// @title Rolls final results into payout pools
contract PayoutRoller is RollBook {
    /// @dev A challenge carries them all.
    uint256 private constant MAX_RESULTS = 64;

    IPayoutPoolFactory private immutable FACTORY;

    /// @dev Each challenger has notes of its own, so that nobody can write what would keep another from going on.
    mapping(bytes32 challengerRollAccountResult => Holding) private _shown;

    /// @param token ITC.
    /// @param factory Makes the pools.
    /// @param rules_ Times and stakes, for good.
    constructor(IERC20 token, IPayoutPoolFactory factory, RollRules memory rules_) RollBook(token, rules_) {
        FACTORY = factory;
    }

    /// @inheritdoc IPayoutRoller
    function openPool(address analytics) external returns (address) {
        return address(_open(analytics));
    }

    /// @inheritdoc IPayoutRoller
    function roll(
        IResults analytics,
        RequestId[] calldata ids,
        bytes32 root,
        uint64 leaves,
        uint128 total,
        bytes32 content
    ) external {
        // Checks
        Ledger storage ledger = _ledgers[address(analytics)];
        PendingRoll storage pending = _pending[address(analytics)];
        require(pending.proposer == address(0), PayoutRollerBusy(address(analytics), ledger.number));
        bool isSized = ids.length != 0 && ids.length <= MAX_RESULTS && leaves != 0;
        require(isSized, PayoutRollerBadSize(ids.length, leaves));

        // Effects
        uint64 number = ++ledger.number;
        uint128 carry = ledger.carry;
        (RolledResult[] memory results, uint128 rewards) = _include(analytics, ids, number, carry);
        uint128 least = ledger.total;
        require(total >= least && total - least <= rewards, PayoutRollerBadTotal(total, least, least + rewards));
        ledger.carry = 0;
        uint40 end = uint40(block.timestamp + WINDOW);
        (pending.proposer, pending.demandEnd, pending.challengeEnd) = (msg.sender, end, end);
        (pending.leaves, pending.total, pending.rewards, pending.carry) = (leaves, total, rewards, carry);
        (pending.root, pending.results) = (root, keccak256(abi.encode(results)));
        emit RootProposed(address(analytics), number, msg.sender, root, leaves, total, content, end, results);

        // Interactions
        _collect(msg.sender, BOND);
    }

    /// @inheritdoc IPayoutRoller
    function challengePair(IResults analytics, Shown calldata left, Shown calldata right) external {
        PendingRoll storage pending = _requireOpen(analytics);
        require(left.index + 1 == right.index, PayoutRollerNotNeighbours(left.index, right.index));
        _requireIn(left, pending.root, pending.leaves);
        _requireIn(right, pending.root, pending.leaves);
        bool isRight =
            left.leaf.account < right.leaf.account && uint256(left.leaf.before) + left.leaf.earned == right.leaf.before;
        require(!isRight, PayoutRollerNothingWrong());
        _fall(analytics, msg.sender, 0);
    }

    /// @inheritdoc IPayoutRoller
    function challengeEdge(IResults analytics, Shown calldata edge) external {
        PendingRoll storage pending = _requireOpen(analytics);
        _requireIn(edge, pending.root, pending.leaves);
        bool isWrong = edge.index == 0 && edge.leaf.before != 0;
        if (edge.index + 1 == pending.leaves) {
            isWrong = isWrong || uint256(edge.leaf.before) + edge.leaf.earned != pending.total;
        }
        require(isWrong, PayoutRollerNothingWrong());
        _fall(analytics, msg.sender, 0);
    }

    /// @inheritdoc IPayoutRoller
    function challengeUnderpaid(
        IResults analytics,
        address account,
        Shown[] calldata granted,
        Shown[] calldata former,
        RolledResult[] calldata results,
        OwnerNodes[] calldata owned
    ) external {
        PendingRoll storage pending = _requireOpen(analytics);
        _requireResults(analytics, pending, results, owned.length);
        uint256 has = _grantedTo(account, granted, pending);
        uint256 due = _formerOf(analytics, account, former);
        for (uint256 k = 0; k < results.length; ++k) {
            Holding memory held = _shown[_noteOf(analytics, account, k)];
            held = OwnerShares.weigh(account, results[k].root, owned[k], held);
            due += OwnerShares.shareOf(results[k].reward, held.weight, results[k].weight);
        }
        require(due > has, PayoutRollerPaidEnough(account, has, due));
        _fall(analytics, msg.sender, 0);
    }

    /// @inheritdoc IPayoutRoller
    function showWeight(
        IResults analytics,
        address account,
        RolledResult[] calldata results,
        uint256 index,
        OwnerNodes calldata owned
    ) external {
        PendingRoll storage pending = _requireOpen(analytics);
        _requireResults(analytics, pending, results, results.length);
        bytes32 note = _noteOf(analytics, account, index);
        Holding memory held = OwnerShares.weigh(account, results[index].root, owned, _shown[note]);
        _shown[note] = held;
        uint64 number = _ledgers[address(analytics)].number;
        emit WeightShown(address(analytics), number, msg.sender, account, index, held.weight);
    }

    /// @inheritdoc IPayoutRoller
    function publish(IResults analytics) external {
        // Checks
        PendingRoll memory published = _requirePending(analytics);
        require(block.timestamp > published.challengeEnd, PayoutRollerWindowOpen(published.challengeEnd));
        require(published.demands == 0, PayoutRollerDemandsOpen(published.demands));

        // Effects
        Ledger storage ledger = _ledgers[address(analytics)];
        uint128 amount = published.total - ledger.total;
        uint128 carry = ledger.carry + published.rewards - amount;
        (ledger.root, ledger.leaves) = (published.root, published.leaves);
        (ledger.total, ledger.carry) = (published.total, carry);
        delete _pending[address(analytics)];
        _release(amount);
        emit RootPublished(address(analytics), ledger.number, published.root, amount, carry);

        // Interactions
        _open(address(analytics)).publish(published.root, amount);
        _send(published.proposer, BOND);
    }

    /// @inheritdoc IPayoutRoller
    function expire(IResults analytics, uint64 epoch, EarningsBatch calldata batch) external {
        Ledger storage ledger = _ledgers[address(analytics)];
        require(ledger.pool != address(0), PayoutRollerNoPool(address(analytics)));
        // The pool is our own, and ITC calls nobody: nothing can happen in between.
        uint256 amount = IPayoutPool(ledger.pool).expire(epoch, batch);
        ledger.carry += uint128(amount);
        _owe(amount);
        emit CarryReturned(address(analytics), epoch, amount);
    }

    /// @inheritdoc IPayoutRoller
    function pendingOf(address analytics) external view returns (PendingRoll memory) {
        return _pending[analytics];
    }

    /// @inheritdoc IPayoutRoller
    function ledgerOf(address analytics) external view returns (Ledger memory) {
        return _ledgers[analytics];
    }

    /// @inheritdoc IPayoutRoller
    function isRolled(address analytics, RequestId id) external view returns (bool) {
        return _isBusy(analytics, RequestId.unwrap(id));
    }

    /// @dev The pool's address follows from this one and that of the contract with results.
    function _open(address analytics) private returns (IPayoutPool pool) {
        Ledger storage ledger = _ledgers[analytics];
        if (ledger.pool != address(0)) return IPayoutPool(ledger.pool);
        pool = FACTORY.create(CLAIM_PERIOD, bytes32(uint256(uint160(analytics))));
        ledger.pool = address(pool);
        TOKEN.approve(address(pool), type(uint256).max);
        emit PoolOpened(analytics, address(pool));
    }

    /// @dev Marks final results as rolled and says what they pay; the first has the carry in it.
    function _include(
        IResults analytics,
        RequestId[] calldata ids,
        uint64 number,
        uint128 carry
    ) private returns (RolledResult[] memory results, uint128 rewards) {
        results = new RolledResult[](ids.length);
        for (uint256 k = 0; k < ids.length; ++k) {
            bytes32 id = RequestId.unwrap(ids[k]);
            Reward storage funded = _rewards[address(analytics)][id];
            uint128 reward = funded.left;
            require(reward != 0, PayoutRollerNoReward(ids[k]));
            require(!_isBusy(address(analytics), id), PayoutRollerRolled(ids[k]));
            (bool isFinal, bytes32 root, , uint128 weight, ) = analytics.resultOf(ids[k]);
            require(isFinal && weight != 0, PayoutRollerNotFinal(ids[k]));
            funded.use = uint56(number);
            if (k == 0) reward += carry;
            results[k] = RolledResult(ids[k], root, weight, reward);
            rewards += reward;
        }
    }

    /// @dev What the proposed tree grants an account.
    function _grantedTo(
        address account,
        Shown[] calldata shown,
        PendingRoll storage pending
    ) private view returns (uint256) {
        uint64 leaves = pending.leaves;
        require(shown.length == 1 || shown.length == 2, PayoutRollerNotGranted(account));
        for (uint256 k = 0; k < shown.length; ++k) _requireIn(shown[k], pending.root, leaves);
        Shown calldata first = shown[0];
        bool isGap;
        if (shown.length == 2) {
            bool isNext = first.index + 1 == shown[1].index;
            isGap = isNext && first.leaf.account < account && account < shown[1].leaf.account;
        } else {
            if (first.leaf.account == account) return first.leaf.earned;
            isGap = account < first.leaf.account ? first.index == 0 : first.index + 1 == leaves;
        }
        require(isGap, PayoutRollerNotGranted(account));
        return 0;
    }

    /// @dev What the published tree grants an account, as far as it is shown.
    function _formerOf(IResults analytics, address account, Shown[] calldata shown) private view returns (uint256) {
        if (shown.length == 0) return 0;
        Ledger storage ledger = _ledgers[address(analytics)];
        _requireIn(shown[0], ledger.root, ledger.leaves);
        require(shown[0].leaf.account == account, PayoutRollerNotGranted(account));
        return shown[0].leaf.earned;
    }

    function _requireOpen(IResults analytics) private view returns (PendingRoll storage pending) {
        pending = _requirePending(analytics);
        require(block.timestamp <= pending.challengeEnd, PayoutRollerWindowOver(pending.challengeEnd));
    }

    function _requireResults(
        IResults analytics,
        PendingRoll storage pending,
        RolledResult[] calldata results,
        uint256 lists
    ) private view {
        bool isRight = keccak256(abi.encode(results)) == pending.results && lists == results.length;
        require(isRight, PayoutRollerWrongResults(address(analytics)));
    }

    function _noteOf(IResults analytics, address account, uint256 index) private view returns (bytes32) {
        uint64 number = _ledgers[address(analytics)].number;
        return keccak256(abi.encode(msg.sender, analytics, number, account, index));
    }
}
