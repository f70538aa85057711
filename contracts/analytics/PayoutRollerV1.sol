// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {PayoutPool} from "../payouts/PayoutPool.sol";
import {Request, RequestId} from "./AnalyticsTypes.sol";
import {IAnalytics} from "./IAnalytics.sol";
import {IPayoutRollerV1} from "./IPayoutRollerV1.sol";

/// @title Rolls final results into the payout pool
contract PayoutRollerV1 is IPayoutRollerV1, AccessManaged {
    struct Roll {
        address proposer;
        uint40 challengeEnd;
        uint128 amount;
        bytes32 root;
        RequestId[] requests;
    }

    IERC20 private immutable TOKEN;
    IAnalytics private immutable ANALYTICS;
    PayoutPool private immutable POOL;
    uint64 private immutable WINDOW;
    uint128 private immutable BOND;

    uint64 private _number;
    Roll private _pending;
    mapping(RequestId id => bool) private _rolled;

    /// @param authority Who may administer: names the guardian.
    /// @param token ITC.
    /// @param analytics Whose final results are rolled; it sends their rewards here.
    /// @param window Seconds for which a proposed root can be turned down.
    /// @param bond ITC that a proposer puts down.
    constructor(
        address authority,
        IERC20 token,
        IAnalytics analytics,
        uint64 window,
        uint128 bond
    ) AccessManaged(authority) {
        TOKEN = token;
        ANALYTICS = analytics;
        WINDOW = window;
        BOND = bond;
        POOL = new PayoutPool(token, address(this), 365 days);
        token.approve(address(POOL), type(uint256).max);
    }

    /// @inheritdoc IPayoutRollerV1
    function roll(Request[] calldata requests, bytes32 root, bytes32 content) external {
        // Checks
        require(_pending.proposer == address(0), PayoutRollerBusy(_number));
        require(requests.length != 0, PayoutRollerNothingToRoll());

        // Effects
        uint64 challengeEnd = uint64(block.timestamp) + WINDOW;
        uint256 amount = 0;
        for (uint256 k = 0; k < requests.length; ++k) amount += _take(requests[k]);
        _pending.proposer = msg.sender;
        _pending.challengeEnd = uint40(challengeEnd);
        _pending.amount = uint128(amount);
        _pending.root = root;
        emit RootProposed(++_number, msg.sender, root, amount, content, challengeEnd, _pending.requests);

        // Interactions: ITC reverts, it never returns false.
        TOKEN.transferFrom(msg.sender, address(this), BOND);
    }

    /// @inheritdoc IPayoutRollerV1
    function reject() external restricted {
        // Checks
        Roll memory rejected = _requirePending();
        require(block.timestamp <= rejected.challengeEnd, PayoutRollerWindowOver(rejected.challengeEnd));

        // Effects
        for (uint256 k = 0; k < rejected.requests.length; ++k) delete _rolled[rejected.requests[k]];
        delete _pending;
        emit RootRejected(_number);

        // Interactions
        TOKEN.transfer(rejected.proposer, BOND);
    }

    /// @inheritdoc IPayoutRollerV1
    function publish() external {
        // Checks
        Roll memory published = _requirePending();
        require(block.timestamp > published.challengeEnd, PayoutRollerWindowOpen(published.challengeEnd));

        // Effects
        delete _pending;
        emit RootPublished(_number, published.root, published.amount);

        // Interactions
        POOL.publish(published.root, published.amount);
        TOKEN.transfer(published.proposer, BOND);
    }

    /// @inheritdoc IPayoutRollerV1
    function pending()
        external
        view
        returns (uint64 number, address proposer, bytes32 root, uint256 amount, uint64 challengeEnd)
    {
        Roll storage current = _pending;
        number = current.proposer == address(0) ? 0 : _number;
        return (number, current.proposer, current.root, current.amount, current.challengeEnd);
    }

    /// @inheritdoc IPayoutRollerV1
    function isRolled(RequestId id) external view returns (bool) {
        return _rolled[id];
    }

    /// @inheritdoc IPayoutRollerV1
    function pool() external view returns (address) {
        return address(POOL);
    }

    /// @dev Marks one final result as rolled and says what it pays.
    function _take(Request calldata request) private returns (uint256 reward) {
        RequestId id = ANALYTICS.requestIdOf(request);
        (bool isFinal, , ) = ANALYTICS.resultOf(id);
        require(isFinal, PayoutRollerNotFinal(id));
        require(!_rolled[id], PayoutRollerRolled(id));
        _rolled[id] = true;
        _pending.requests.push(id);
        return request.reward;
    }

    function _requirePending() private view returns (Roll memory current) {
        current = _pending;
        require(current.proposer != address(0), PayoutRollerIdle());
    }
}
