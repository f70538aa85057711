// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {Earnings, EarningsBatch} from "./PayoutTypes.sol";

/// @title Cumulative Merkle distributor
/// @notice One root says what each account has earned in all epochs together, so that one claim collects whatever is due, however many
///         epochs went by. ITC has 18 decimals, times are Unix seconds. Trees: see `PayoutLeaves`. Claims hold against the present root only.
interface IPayoutPool {
    /// @notice A new root holds from here on, and `amount` ITC came in for it.
    event EpochPublished(uint64 indexed epoch, bytes32 root, uint256 amount);
    /// @notice What an account had earned by an old epoch and not claimed in time went back to the manager.
    event EarningsExpired(uint64 indexed epoch, address indexed account, uint256 amount);
    /// @notice An account's earnings went to another address, by its own will.
    event EarningsDirected(address indexed account, address indexed to, uint256 amount);

    error PayoutPoolNotManager(address sender);
    error PayoutPoolInvalidProof(address account, uint256 earned);
    error PayoutPoolInvalidBatch(bytes32 root);
    error PayoutPoolNothingToClaim(address account, uint256 earned);
    error PayoutPoolInvalidSignature(address account);
    error PayoutPoolExpired(uint64 deadline);
    error PayoutPoolBadReceiver(address to);
    error PayoutPoolTooEarly(uint64 epoch, uint64 until);

    /// @notice Replaces the root and takes `amount` ITC from the manager (allowance needed). Only the manager.
    /// @dev What the tree promises beyond what came in can't be paid: the manager answers for the root.
    /// Errors: PayoutPoolNotManager, ERC20InsufficientAllowance, ERC20InsufficientBalance. Event: EpochPublished.
    function publish(bytes32 root, uint256 amount) external;

    /// @notice Pays `account` what it has earned and not had yet. Anyone may send it; the money goes to `account` alone.
    /// @param earned ITC that the present root grants the account in all epochs together.
    /// @param before What it grants all accounts before this one.
    /// @param path Which side each sibling is on, see `Merkle.climb`.
    /// @param proof The siblings from the leaf to the root.
    /// @dev No event of its own: nothing leaves the pool but by a claim, so ITC's Transfer from the pool says all, 1,400 gas cheaper.
    /// Errors: PayoutPoolInvalidProof, PayoutPoolNothingToClaim, MerklePathTooLong. Event: ITC's Transfer.
    function claim(address account, uint128 earned, uint128 before, uint256 path, bytes32[] calldata proof) external;

    /// @notice Pays many accounts what is due to them, by one proof for all; those that nothing is due to are passed over. Anyone.
    /// @dev ITC calls nobody, so no receiver can block the others.
    /// Errors: PayoutPoolInvalidBatch, MerkleBadMultiproof. Events: ITC's Transfer for each account paid.
    function claimBatch(EarningsBatch calldata batch) external;

    /// @notice Sends what is due to an account to another address. The account itself, or anyone with its signature of `claimToDigest`.
    /// @param signature ECDSA or ERC-1271, with the account's present nonce; not looked at if the account itself calls.
    /// Errors: PayoutPoolExpired, PayoutPoolInvalidSignature, PayoutPoolBadReceiver (this pool), PayoutPoolInvalidProof,
    /// PayoutPoolNothingToClaim, MerklePathTooLong, ERC20InvalidReceiver. Event: EarningsDirected.
    function claimTo(
        Earnings calldata leaf,
        uint256 path,
        bytes32[] calldata proof,
        address to,
        uint64 deadline,
        bytes calldata signature
    ) external;

    /// @notice Sends what is due to an account into a contract and tells it, as ERC-1363 does: onTransferReceived(sender, account, amount, data).
    ///         The account itself, or anyone with its signature of `claimIntoDigest`, which binds receiver and data.
    /// @dev The pool calls, not the token: a receiver that relies on `from` and `value` must know this pool. It may call back: all is
    ///      written by then.
    /// Errors: as `claimTo`; PayoutPoolBadReceiver also for a receiver without code, or with another answer than ERC-1363's; the
    /// receiver's own. Event: EarningsDirected.
    function claimInto(
        Earnings calldata leaf,
        uint256 path,
        bytes32[] calldata proof,
        address to,
        bytes calldata data,
        uint64 deadline,
        bytes calldata signature
    ) external;

    /// @notice Takes back what accounts had earned by an epoch that is `claimPeriod()` old, and haven't claimed; they count as paid up to
    ///         there. Accounts that nothing is due to are passed over. Only the manager, which gets it.
    /// Errors: PayoutPoolNotManager, PayoutPoolTooEarly, PayoutPoolInvalidBatch, MerkleBadMultiproof. Event: EarningsExpired for each.
    function expire(uint64 epoch, EarningsBatch calldata batch) external returns (uint256 amount);

    /// @notice ITC paid to an account so far, or expired.
    function claimedOf(address account) external view returns (uint256);

    /// @notice The root in force and its number; epoch 0 has none.
    function currentEpoch() external view returns (uint64 epoch, bytes32 root);

    /// @notice A root and when it was published; 0 if it wasn't.
    function epochOf(uint64 epoch) external view returns (bytes32 root, uint64 publishedAt);

    /// @notice The 32 bytes to sign for `claimTo` (EIP-712: ClaimTo(address account,address to,uint256 nonce,uint64 deadline)).
    function claimToDigest(address account, address to, uint256 nonce, uint64 deadline) external view returns (bytes32);

    /// @notice The 32 bytes to sign for `claimInto` (EIP-712: ClaimInto(address account,address to,bytes data,uint256 nonce,uint64 deadline)).
    function claimIntoDigest(
        address account,
        address to,
        bytes calldata data,
        uint256 nonce,
        uint64 deadline
    ) external view returns (bytes32);

    /// @notice The one account that publishes roots, for good.
    function manager() external view returns (address);

    /// @notice Seconds after which earnings expire.
    function claimPeriod() external view returns (uint64);
}
