// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {PayoutLeaves} from "../payouts/PayoutLeaves.sol";
import {Shown} from "../payouts/PayoutTypes.sol";
import {RewardSink} from "../payouts/RewardSink.sol";
import {IPayoutRoller} from "./IPayoutRoller.sol";
import {IResults} from "./IResults.sol";
import {Ledger, PendingRoll, RollRules} from "./RollTypes.sol";

/// @title What a roller keeps, how rolls fall, and leaves that are demanded
abstract contract RollBook is IPayoutRoller, RewardSink {
    /// @dev One slot.
    struct Demand {
        address by;
        uint40 until;
    }

    uint64 internal immutable WINDOW;
    uint64 private immutable ANSWER_TIME;
    uint128 internal immutable BOND;
    uint128 private immutable DEPOSIT;

    mapping(address analytics => Ledger) internal _ledgers;
    mapping(address analytics => PendingRoll) internal _pending;
    /// @dev A result of a roll that fell is free again; so no roll has to be walked through to free its results.
    mapping(address analytics => mapping(uint64 number => bool)) private _fallen;
    mapping(address analytics => mapping(uint64 number => mapping(uint64 index => Demand))) private _demands;

    /// @param token ITC.
    /// @param rules_ Times and stakes, for good.
    constructor(IERC20 token, RollRules memory rules_) RewardSink(token, rules_.claimPeriod) {
        WINDOW = rules_.window;
        ANSWER_TIME = rules_.answerTime;
        BOND = rules_.bond;
        DEPOSIT = rules_.deposit;
    }

    /// @inheritdoc IPayoutRoller
    function demand(IResults analytics, uint64 index) external {
        // Checks
        PendingRoll storage pending = _requirePending(analytics);
        uint64 end = pending.demandEnd;
        require(block.timestamp <= end, PayoutRollerWindowOver(end));
        require(index < pending.leaves, PayoutRollerNotInTree(index));
        uint64 number = _ledgers[address(analytics)].number;
        Demand storage made = _demands[address(analytics)][number][index];
        require(made.by == address(0), PayoutRollerDemanded(index));

        // Effects
        uint40 until = uint40(block.timestamp + ANSWER_TIME);
        (made.by, made.until) = (msg.sender, until);
        ++pending.demands;
        pending.challengeEnd = uint40(end + 2 * ANSWER_TIME);
        emit LeafDemanded(address(analytics), number, index, msg.sender, until, pending.challengeEnd);

        // Interactions
        _collect(msg.sender, DEPOSIT);
    }

    /// @inheritdoc IPayoutRoller
    function answer(IResults analytics, Shown calldata shown) external {
        // Checks
        PendingRoll storage pending = _requirePending(analytics);
        uint64 number = _ledgers[address(analytics)].number;
        Demand memory made = _requireDemand(analytics, number, shown.index);
        require(block.timestamp <= made.until, PayoutRollerTooLate(made.until));
        _requireIn(shown, pending.root, pending.leaves);

        // Effects
        delete _demands[address(analytics)][number][shown.index];
        --pending.demands;
        emit LeafShown(address(analytics), number, shown.index, shown);

        // Interactions
        _send(pending.proposer, DEPOSIT);
    }

    /// @inheritdoc IPayoutRoller
    function fail(IResults analytics, uint64 index) external {
        _requirePending(analytics);
        uint64 number = _ledgers[address(analytics)].number;
        Demand memory made = _requireDemand(analytics, number, index);
        require(block.timestamp > made.until, PayoutRollerTooEarly(made.until));
        delete _demands[address(analytics)][number][index];
        _fall(analytics, made.by, DEPOSIT);
    }

    /// @inheritdoc IPayoutRoller
    function refund(IResults analytics, uint64 number, uint64 index) external {
        require(_fallen[address(analytics)][number], PayoutRollerNotFallen(number));
        Demand memory made = _requireDemand(analytics, number, index);
        delete _demands[address(analytics)][number][index];
        emit DemandRefunded(address(analytics), number, index, made.by);
        _send(made.by, DEPOSIT);
    }

    /// @inheritdoc IPayoutRoller
    function demandOf(address analytics, uint64 number, uint64 index) external view returns (address by, uint64 until) {
        Demand storage made = _demands[analytics][number][index];
        return (made.by, made.until);
    }

    /// @inheritdoc IPayoutRoller
    function rules() external view returns (RollRules memory) {
        return RollRules(CLAIM_PERIOD, WINDOW, ANSWER_TIME, BOND, DEPOSIT);
    }

    function _fall(IResults analytics, address challenger, uint256 deposit) internal {
        Ledger storage ledger = _ledgers[address(analytics)];
        uint64 number = ledger.number;
        uint128 half = BOND / 2;
        ledger.carry += _pending[address(analytics)].carry + BOND - half;
        _fallen[address(analytics)][number] = true;
        delete _pending[address(analytics)];
        emit RootRejected(address(analytics), number, challenger);
        _send(challenger, half + deposit);
    }

    /// @dev What is rolled isn't returned.
    function _isBusy(address analytics, bytes32 id) internal view override returns (bool) {
        uint64 number = _rewards[analytics][id].use;
        return number != 0 && !_fallen[analytics][number];
    }

    function _requirePending(IResults analytics) internal view returns (PendingRoll storage pending) {
        pending = _pending[address(analytics)];
        require(pending.proposer != address(0), PayoutRollerIdle(address(analytics)));
    }

    function _requireIn(Shown calldata shown, bytes32 root, uint64 leaves) internal pure {
        require(PayoutLeaves.isIn(shown, root, leaves), PayoutRollerNotInTree(shown.index));
    }

    function _requireDemand(IResults analytics, uint64 number, uint64 index) private view returns (Demand memory made) {
        made = _demands[address(analytics)][number][index];
        require(made.by != address(0), PayoutRollerNotDemanded(index));
    }
}
