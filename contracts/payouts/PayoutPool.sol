// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Merkle} from "../libraries/Merkle.sol";
import {IPayoutPool} from "./IPayoutPool.sol";

/// @title Cumulative Merkle distributor
/// @dev One contract a pool: its balance is the bound on what a wrong root can cost, with no slot to write for it.
///      Left out on purpose: withdrawal by anyone but the accounts in the tree.
contract PayoutPool is IPayoutPool {
    IERC20 private immutable TOKEN;
    address private immutable MANAGER;

    bytes32 private _root;
    uint64 private _epoch;
    mapping(address account => uint256) private _claimed;

    /// @param token ITC.
    /// @param manager_ Publishes roots; the pool's creator makes it a contract that checks them.
    constructor(IERC20 token, address manager_) {
        TOKEN = token;
        MANAGER = manager_;
    }

    /// @inheritdoc IPayoutPool
    function publish(bytes32 root, uint256 amount) external {
        // Checks
        require(msg.sender == MANAGER, PayoutPoolNotManager(msg.sender));

        // Effects
        _root = root;
        emit EpochPublished(++_epoch, root, amount);

        // Interactions: ITC reverts, it never returns false.
        TOKEN.transferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IPayoutPool
    function claim(address account, uint256 earned, uint256 path, bytes32[] calldata proof) external {
        // Checks
        bytes32 leaf = keccak256(abi.encodePacked(bytes1(0x00), account, earned));
        require(Merkle.climb(leaf, path, proof) == _root, PayoutPoolInvalidProof(account, earned));
        uint256 claimed = _claimed[account];
        require(earned > claimed, PayoutPoolNothingToClaim(account, earned));

        // Effects
        _claimed[account] = earned;

        // Interactions: the token's Transfer from this pool is the event.
        TOKEN.transfer(account, earned - claimed);
    }

    /// @inheritdoc IPayoutPool
    function claimedOf(address account) external view returns (uint256) {
        return _claimed[account];
    }

    /// @inheritdoc IPayoutPool
    function currentEpoch() external view returns (uint64 epoch, bytes32 root) {
        return (_epoch, _root);
    }

    /// @inheritdoc IPayoutPool
    function manager() external view returns (address) {
        return MANAGER;
    }
}
