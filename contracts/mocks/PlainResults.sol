// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IResults} from "../analytics/IResults.sol";
import {RequestId} from "../analytics/RequestTypes.sol";
import {IRewardSink} from "../payouts/IRewardSink.sol";

/// @notice Results as a test wants them, and the way in which an analytics contract hands their rewards on.
contract PlainResults is IResults {
    struct Result {
        bool isFinal;
        bytes32 root;
        uint128 weight;
    }

    mapping(RequestId id => Result) private _results;

    function setResult(RequestId id, bool isFinal, bytes32 root, uint128 weight) external {
        _results[id] = Result(isFinal, root, weight);
    }

    /// @param sent ITC that go to the sink, which an honest contract makes as many as it says.
    function hand(
        IERC20 token,
        IRewardSink sink,
        RequestId id,
        address requester,
        uint128 reward,
        uint256 sent
    ) external {
        token.transfer(address(sink), sent);
        sink.fund(RequestId.unwrap(id), requester, reward);
    }

    /// @inheritdoc IResults
    function resultOf(
        RequestId id
    ) external view returns (bool isFinal, bytes32 root, uint64 members, uint128 weight, bytes32 value) {
        Result memory result = _results[id];
        return (result.isFinal, result.root, 0, result.weight, 0);
    }
}
