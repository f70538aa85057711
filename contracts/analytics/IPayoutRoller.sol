// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {EarningsBatch, Shown} from "../payouts/PayoutTypes.sol";
import {IResults} from "./IResults.sol";
import {RequestId} from "./RequestTypes.sol";
import {Ledger, OwnerNodes, PendingRoll, RolledResult, RollRules} from "./RollTypes.sol";

/// @title Rolls final results into payout pools
/// @notice Anyone proposes a pool's next tree, over final results, with a bond; it is published after a window. Each contract with results has a
///         pool and a ledger of its own, so that a false one can divide no money but its own.
///
///         The rule. A result pays R: its reward, and for the first result of a roll the carry too. Each owner earns
///         floor(R × weight / total weight) of each. The tree is cumulative: what accounts had earned before stays. What rounding leaves, expired
///         earnings and half of each lost bond are the carry of the next roll.
///
///         How a tree is held to it. (a) Its leaves are in order, and each says what all before it have earned: two neighbours, or the leaf
///         at either end, show where that isn't so; the last one ends at the stated total. (b) Nobody has less than before, and the shares
///         of the roll's results on top: nodes of the results' trees show it. (c) Nobody needs to show that somebody has too much. The
///         total rises by at most the roll's rewards and carry, which is looked at when it is proposed. Where (b) holds for all, the
///         accounts have all of that but the rounding rests, less than a unit for each owner and result; so no excess is larger than
///         these, and it comes from the carry, not from anyone's share. (d) A leaf that isn't to be had can be demanded.
///
///         A result whose content nobody can get is not rolled: its reward stays here, safe, until somebody has the content, or goes
///         back to the requester after `claimPeriod()`. Whether content was to be had is settled before a result is final.
/// @dev A proposer must trust the contract with results to be sound: in a tree whose nodes say more than their leaves, any roll falls.
///      Left out on purpose: guardian, pause, upgrade.
interface IPayoutRoller {
    /// @notice The pool of a contract with results exists.
    event PoolOpened(address indexed analytics, address pool);
    /// @notice A tree was proposed and waits until `challengeEnd`. `content` identifies its leaves: a SHA-256 as in a CID.
    event RootProposed(
        address indexed analytics,
        uint64 indexed number,
        address indexed proposer,
        bytes32 root,
        uint64 leaves,
        uint128 total,
        bytes32 content,
        uint64 challengeEnd,
        RolledResult[] results
    );
    /// @notice The roll fell: half the bond went to `challenger`, half is carry; its results can be rolled again.
    event RootRejected(address indexed analytics, uint64 indexed number, address indexed challenger);
    /// @notice The pool has the root, and `amount` ITC came in with it; `carry` is left.
    event RootPublished(address indexed analytics, uint64 indexed number, bytes32 root, uint256 amount, uint256 carry);
    /// @notice Nodes show that an account weighs this much in a result of the roll, for a challenge by `by`.
    event WeightShown(
        address indexed analytics,
        uint64 indexed number,
        address indexed by,
        address account,
        uint256 result,
        uint128 weight
    );
    /// @notice Somebody wants to see a leaf of the proposed tree until `until`.
    event LeafDemanded(
        address indexed analytics,
        uint64 indexed number,
        uint64 index,
        address indexed by,
        uint64 until,
        uint64 challengeEnd
    );
    /// @notice The leaf was shown; the deposit went to the proposer.
    event LeafShown(address indexed analytics, uint64 indexed number, uint64 index, Shown shown);
    /// @notice The roll fell otherwise, and the deposit went back.
    event DemandRefunded(address indexed analytics, uint64 indexed number, uint64 index, address indexed by);
    /// @notice Expired earnings came back and are carry.
    event CarryReturned(address indexed analytics, uint64 indexed epoch, uint256 amount);

    error PayoutRollerBusy(address analytics, uint64 number);
    error PayoutRollerIdle(address analytics);
    error PayoutRollerBadSize(uint256 results, uint64 leaves);
    error PayoutRollerNoReward(RequestId id);
    error PayoutRollerNotFinal(RequestId id);
    error PayoutRollerRolled(RequestId id);
    error PayoutRollerBadTotal(uint128 total, uint256 least, uint256 most);
    error PayoutRollerWindowOpen(uint64 challengeEnd);
    error PayoutRollerWindowOver(uint64 challengeEnd);
    error PayoutRollerDemandsOpen(uint256 demands);
    error PayoutRollerNotInTree(uint64 index);
    error PayoutRollerNotNeighbours(uint64 left, uint64 right);
    error PayoutRollerNothingWrong();
    error PayoutRollerWrongResults(address analytics);
    error PayoutRollerNotGranted(address account);
    error PayoutRollerPaidEnough(address account, uint256 granted, uint256 due);
    error PayoutRollerDemanded(uint64 index);
    error PayoutRollerNotDemanded(uint64 index);
    error PayoutRollerTooEarly(uint64 until);
    error PayoutRollerTooLate(uint64 until);
    error PayoutRollerNotFallen(uint64 number);
    error PayoutRollerNoPool(address analytics);

    /// @notice Creates the pool of a contract with results, unless it is there. Anyone; `publish` does it too. Event: PoolOpened.
    function openPool(address analytics) external returns (address pool);

    /// @notice Proposes the next tree of a pool and takes the bond (allowance needed). Anyone; one at a time for each pool.
    /// @param ids 1 to 64 final results whose reward has come in and that aren't rolled.
    /// @param root Of a tree as in `PayoutLeaves`: what every account has earned in all epochs.
    /// @param leaves How many leaves it has, 1 at least.
    /// @param total What they have earned together.
    /// @param content Identifies the leaves, for those who check them.
    /// Errors: PayoutRollerBusy, PayoutRollerBadSize, PayoutRollerNoReward (none came in, or it went back), PayoutRollerNotFinal,
    /// PayoutRollerRolled, PayoutRollerBadTotal, ERC20InsufficientAllowance, ERC20InsufficientBalance. Event: RootProposed.
    function roll(
        IResults analytics,
        RequestId[] calldata ids,
        bytes32 root,
        uint64 leaves,
        uint128 total,
        bytes32 content
    ) external;

    /// @notice Takes down a roll by two neighbours that are out of order, or of which the right one has a wrong sum of those before it.
    ///         Anyone, inside the window.
    /// Errors: PayoutRollerIdle, PayoutRollerWindowOver, PayoutRollerNotNeighbours, PayoutRollerNotInTree, PayoutRollerNothingWrong.
    /// Event: RootRejected.
    function challengePair(IResults analytics, Shown calldata left, Shown calldata right) external;

    /// @notice Takes down a roll by its first leaf, if that has something before it, or its last, if the sum isn't the total there.
    ///         Anyone, inside the window. Errors and event as `challengePair`.
    function challengeEdge(IResults analytics, Shown calldata edge) external;

    /// @notice Takes down a roll that grants an account less than it had, and the shares of the rolled results. Anyone, inside the window.
    /// @param granted What the proposed tree grants: the account's leaf; or, if it has none, the two neighbours between which it would
    ///        stand, or the leaf at the end beyond which it would.
    /// @param former The account's leaf in the published tree, or nothing.
    /// @param results As in `RootProposed`.
    /// @param owned For each result nodes of its tree whose leaves are all the account's. Any will do whose weight suffices. They go on
    ///        from what the sender has shown by `showWeight`.
    /// Errors: PayoutRollerIdle, PayoutRollerWindowOver, PayoutRollerWrongResults, PayoutRollerNotInTree, PayoutRollerNotGranted,
    /// PayoutRollerPaidEnough, OwnerSharesBadNodes, OwnerSharesBadNode, ResultTreeBadPlace. Event: RootRejected.
    function challengeUnderpaid(
        IResults analytics,
        address account,
        Shown[] calldata granted,
        Shown[] calldata former,
        RolledResult[] calldata results,
        OwnerNodes[] calldata owned
    ) external;

    /// @notice Notes an account's weight in one result for a challenge by the sender: for owners of so many devices, in so many results, that
    ///         their nodes don't fit into one transaction. Can be called again with the nodes that follow.
    /// @param index Of the result in `results`.
    /// Errors: as `challengeUnderpaid`. Event: WeightShown.
    function showWeight(
        IResults analytics,
        address account,
        RolledResult[] calldata results,
        uint256 index,
        OwnerNodes calldata owned
    ) external;

    /// @notice Asks for a leaf of the proposed tree, with a deposit (allowance needed). Anyone, up to `demandEnd`; the first demand makes the
    ///         window longer by twice the time for an answer, so that what is shown can be challenged.
    /// Errors: PayoutRollerIdle, PayoutRollerWindowOver, PayoutRollerNotInTree (no such index), PayoutRollerDemanded,
    /// ERC20InsufficientAllowance, ERC20InsufficientBalance. Event: LeafDemanded.
    function demand(IResults analytics, uint64 index) external;

    /// @notice Shows a leaf that was demanded; the deposit goes to the proposer. Anyone, in time.
    /// Errors: PayoutRollerIdle, PayoutRollerNotDemanded, PayoutRollerTooLate, PayoutRollerNotInTree. Event: LeafShown.
    function answer(IResults analytics, Shown calldata shown) external;

    /// @notice Takes down a roll of which a leaf wasn't shown in time: the deposit goes back, with half the bond, to whoever demanded it.
    ///         Anyone. Errors: PayoutRollerIdle, PayoutRollerNotDemanded, PayoutRollerTooEarly. Event: RootRejected.
    function fail(IResults analytics, uint64 index) external;

    /// @notice Returns the deposit for a leaf of a roll that fell for another reason. Anyone.
    /// Errors: PayoutRollerNotFallen, PayoutRollerNotDemanded. Event: DemandRefunded.
    function refund(IResults analytics, uint64 number, uint64 index) external;

    /// @notice Publishes the tree once its window is over and all demands are answered, and returns the bond. Anyone.
    /// Errors: PayoutRollerIdle, PayoutRollerWindowOpen, PayoutRollerDemandsOpen. Event: RootPublished.
    function publish(IResults analytics) external;

    /// @notice Makes carry of what accounts had earned by an old epoch and not claimed in time, see `IPayoutPool.expire`. Anyone.
    /// Errors: PayoutRollerNoPool, PayoutPoolTooEarly, PayoutPoolInvalidBatch, MerkleBadMultiproof. Event: CarryReturned.
    function expire(IResults analytics, uint64 epoch, EarningsBatch calldata batch) external;

    /// @notice The proposed roll; all 0 when there is none.
    function pendingOf(address analytics) external view returns (PendingRoll memory);

    /// @notice Pool, published tree and carry of a contract with results.
    function ledgerOf(address analytics) external view returns (Ledger memory);

    /// @notice Whether a result is in a published tree, or in the one proposed.
    function isRolled(address analytics, RequestId id) external view returns (bool);

    /// @notice Who demanded a leaf of a roll, and until when it must be shown; all 0 if nobody did, or it is settled.
    function demandOf(address analytics, uint64 number, uint64 index) external view returns (address by, uint64 until);

    /// @notice Times and stakes, for good.
    function rules() external view returns (RollRules memory);
}
