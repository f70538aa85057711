// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

/// @title Cumulative Merkle distributor
/// @notice One root says what each account has earned in all epochs together, so that one claim collects whatever is due, however many
///         epochs went by. ITC has 18 decimals.
interface IPayoutPool {
    /// @notice A new root holds from here on, and `amount` ITC came in for it.
    event EpochPublished(uint64 indexed epoch, bytes32 root, uint256 amount);

    error PayoutPoolNotManager(address sender);
    error PayoutPoolInvalidProof(address account, uint256 earned);
    error PayoutPoolNothingToClaim(address account, uint256 earned);

    /// @notice Replaces the root and takes `amount` ITC from the manager (allowance needed). Only the manager.
    /// @dev What the tree promises beyond what came in can't be paid: the manager answers for the root.
    /// Errors: PayoutPoolNotManager, ERC20InsufficientAllowance, ERC20InsufficientBalance. Event: EpochPublished.
    function publish(bytes32 root, uint256 amount) external;

    /// @notice Pays `account` what it has earned and not had yet. Anyone may send it; the money goes to `account` alone.
    /// @param earned ITC that the present root grants the account in all epochs together.
    /// @param path Which side each sibling is on, see `Merkle.climb`.
    /// @param proof The siblings from the leaf, keccak256(0x00 ‖ account ‖ earned), to the root.
    /// @dev No event of its own: nothing leaves the pool but by a claim, so ITC's Transfer from the pool says all, 1,400 gas cheaper.
    /// Errors: PayoutPoolInvalidProof, PayoutPoolNothingToClaim, MerklePathTooLong. Event: ITC's Transfer.
    function claim(address account, uint256 earned, uint256 path, bytes32[] calldata proof) external;

    /// @notice ITC paid to an account so far.
    function claimedOf(address account) external view returns (uint256);

    /// @notice The root in force and its number; epoch 0 has none.
    function currentEpoch() external view returns (uint64 epoch, bytes32 root);

    /// @notice The one account that publishes roots, for good.
    function manager() external view returns (address);
}
