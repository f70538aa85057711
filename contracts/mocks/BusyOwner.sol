// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";

/// @notice An account that does as it is told, and one thing of its plan each time that it receives a device.
contract BusyOwner is IERC721Receiver {
    struct Call {
        address target;
        bytes data;
    }

    Call[] private _plan;
    bool[] private _successes;
    bytes[] private _answers;
    uint256 private _next;

    error BusyOwnerFailed(bytes answer);

    /// @notice Adds a call to the plan.
    function plan(address target, bytes calldata data) external {
        _plan.push(Call(target, data));
    }

    /// @notice Does a call at once.
    function execute(address target, bytes calldata data) external {
        // solhint-disable-next-line avoid-low-level-calls
        (bool success, bytes memory answer) = target.call(data);
        require(success, BusyOwnerFailed(answer));
    }

    /// @inheritdoc IERC721Receiver
    function onERC721Received(address, address, uint256, bytes calldata) external returns (bytes4) {
        if (_next < _plan.length) {
            Call memory call = _plan[_next++];
            // solhint-disable-next-line avoid-low-level-calls
            (bool success, bytes memory answer) = call.target.call(call.data);
            _successes.push(success);
            _answers.push(answer);
        }
        return IERC721Receiver.onERC721Received.selector;
    }

    /// @notice What came of the plan so far; a call within a call comes first.
    function outcomes() external view returns (bool[] memory successes, bytes[] memory answers) {
        return (_successes, _answers);
    }
}
