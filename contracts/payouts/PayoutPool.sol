// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1363Receiver} from "@openzeppelin/contracts/interfaces/IERC1363Receiver.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Merkle} from "../libraries/Merkle.sol";
import {IPayoutPool} from "./IPayoutPool.sol";
import {PayoutLeaves} from "./PayoutLeaves.sol";
import {Earnings, EarningsBatch} from "./PayoutTypes.sol";

/// @title Cumulative Merkle distributor
/// @dev One contract a pool: its balance is the bound on what a wrong root can cost, with no slot to write for it.
///      Left out on purpose: withdrawal by anyone but the accounts in the tree, but for what they leave for the whole claim period.
contract PayoutPool is IPayoutPool, EIP712, Nonces {
    /// @dev The present root stands in a slot of its own too, so that a claim reads one slot for it.
    struct Epoch {
        bytes32 root;
        uint64 publishedAt;
    }

    bytes32 private constant CLAIM_TO_TYPEHASH = keccak256(
        "ClaimTo(address account,address to,uint256 nonce,uint64 deadline)"
    );
    bytes32 private constant CLAIM_INTO_TYPEHASH = keccak256(
        "ClaimInto(address account,address to,bytes data,uint256 nonce,uint64 deadline)"
    );

    IERC20 private immutable TOKEN;
    address private immutable MANAGER;
    uint64 private immutable CLAIM_PERIOD;

    bytes32 private _root;
    uint64 private _epoch;
    mapping(uint64 epoch => Epoch) private _epochs;
    mapping(address account => uint256) private _claimed;

    /// @param token ITC.
    /// @param manager_ Publishes roots; the pool's creator makes it a contract that checks them.
    /// @param period Seconds after which earnings expire.
    constructor(IERC20 token, address manager_, uint64 period) EIP712("PayoutPool", "1") {
        TOKEN = token;
        MANAGER = manager_;
        CLAIM_PERIOD = period;
    }

    /// @inheritdoc IPayoutPool
    function publish(bytes32 root, uint256 amount) external {
        // Checks
        require(msg.sender == MANAGER, PayoutPoolNotManager(msg.sender));

        // Effects
        uint64 epoch = ++_epoch;
        _root = root;
        _epochs[epoch] = Epoch(root, uint64(block.timestamp));
        emit EpochPublished(epoch, root, amount);

        // Interactions: ITC reverts, it never returns false.
        TOKEN.transferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IPayoutPool
    function claim(address account, uint128 earned, uint128 before, uint256 path, bytes32[] calldata proof) external {
        _settle(account, account, earned, before, path, proof);
    }

    /// @inheritdoc IPayoutPool
    function claimBatch(EarningsBatch calldata batch) external {
        require(PayoutLeaves.rootOf(batch) == _root, PayoutPoolInvalidBatch(_root));
        uint256 count = batch.leaves.length;
        for (uint256 k = 0; k < count; ++k) {
            Earnings calldata leaf = batch.leaves[k];
            uint256 claimed = _claimed[leaf.account];
            if (leaf.earned <= claimed) continue;
            _claimed[leaf.account] = leaf.earned;
            TOKEN.transfer(leaf.account, leaf.earned - claimed);
        }
    }

    /// @inheritdoc IPayoutPool
    function claimTo(
        Earnings calldata leaf,
        uint256 path,
        bytes32[] calldata proof,
        address to,
        uint64 deadline,
        bytes calldata signature
    ) external {
        if (msg.sender != leaf.account) {
            bytes32 digest = claimToDigest(leaf.account, to, _useNonce(leaf.account), deadline);
            _checkSignature(leaf.account, digest, deadline, signature);
        }
        _direct(leaf, path, proof, to);
    }

    /// @inheritdoc IPayoutPool
    function claimInto(
        Earnings calldata leaf,
        uint256 path,
        bytes32[] calldata proof,
        address to,
        bytes calldata data,
        uint64 deadline,
        bytes calldata signature
    ) external {
        if (msg.sender != leaf.account) {
            bytes32 digest = claimIntoDigest(leaf.account, to, data, _useNonce(leaf.account), deadline);
            _checkSignature(leaf.account, digest, deadline, signature);
        }
        require(to.code.length != 0, PayoutPoolBadReceiver(to));
        uint256 due = _direct(leaf, path, proof, to);
        bytes4 answer = IERC1363Receiver(to).onTransferReceived(msg.sender, leaf.account, due, data);
        require(answer == IERC1363Receiver.onTransferReceived.selector, PayoutPoolBadReceiver(to));
    }

    /// @inheritdoc IPayoutPool
    function expire(uint64 epoch, EarningsBatch calldata batch) external returns (uint256 amount) {
        // Checks
        require(msg.sender == MANAGER, PayoutPoolNotManager(msg.sender));
        Epoch memory old = _epochs[epoch];
        uint64 until = old.publishedAt + CLAIM_PERIOD;
        require(old.publishedAt != 0 && block.timestamp > until, PayoutPoolTooEarly(epoch, until));
        require(PayoutLeaves.rootOf(batch) == old.root, PayoutPoolInvalidBatch(old.root));

        // Effects
        uint256 count = batch.leaves.length;
        for (uint256 k = 0; k < count; ++k) {
            Earnings calldata leaf = batch.leaves[k];
            uint256 claimed = _claimed[leaf.account];
            if (leaf.earned <= claimed) continue;
            _claimed[leaf.account] = leaf.earned;
            amount += leaf.earned - claimed;
            emit EarningsExpired(epoch, leaf.account, leaf.earned - claimed);
        }

        // Interactions
        TOKEN.transfer(msg.sender, amount);
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
    function epochOf(uint64 epoch) external view returns (bytes32 root, uint64 publishedAt) {
        return (_epochs[epoch].root, _epochs[epoch].publishedAt);
    }

    /// @inheritdoc IPayoutPool
    function manager() external view returns (address) {
        return MANAGER;
    }

    /// @inheritdoc IPayoutPool
    function claimPeriod() external view returns (uint64) {
        return CLAIM_PERIOD;
    }

    /// @inheritdoc IPayoutPool
    function claimToDigest(address account, address to, uint256 nonce, uint64 deadline) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(CLAIM_TO_TYPEHASH, account, to, nonce, deadline)));
    }

    /// @inheritdoc IPayoutPool
    function claimIntoDigest(
        address account,
        address to,
        bytes calldata data,
        uint256 nonce,
        uint64 deadline
    ) public view returns (bytes32) {
        return
            _hashTypedDataV4(keccak256(abi.encode(CLAIM_INTO_TYPEHASH, account, to, keccak256(data), nonce, deadline)));
    }

    /// @dev Pays what is due to an account, and says how much that was. The token's Transfer from this pool is the event.
    function _settle(
        address account,
        address to,
        uint128 earned,
        uint128 before,
        uint256 path,
        bytes32[] calldata proof
    ) private returns (uint256 due) {
        // Checks
        bytes32 leaf = PayoutLeaves.hashOf(account, earned, before);
        require(Merkle.climb(leaf, path, proof) == _root, PayoutPoolInvalidProof(account, earned));
        uint256 claimed = _claimed[account];
        require(earned > claimed, PayoutPoolNothingToClaim(account, earned));

        // Effects
        _claimed[account] = earned;
        unchecked {
            due = earned - claimed;
        }

        // Interactions
        TOKEN.transfer(to, due);
    }

    function _direct(
        Earnings calldata leaf,
        uint256 path,
        bytes32[] calldata proof,
        address to
    ) private returns (uint256 due) {
        require(to != address(this), PayoutPoolBadReceiver(to));
        due = _settle(leaf.account, to, leaf.earned, leaf.before, path, proof);
        emit EarningsDirected(leaf.account, to, due);
    }

    function _checkSignature(address account, bytes32 digest, uint64 deadline, bytes calldata signature) private view {
        require(block.timestamp <= deadline, PayoutPoolExpired(deadline));
        require(
            SignatureChecker.isValidSignatureNowCalldata(account, digest, signature),
            PayoutPoolInvalidSignature(account)
        );
    }
}
