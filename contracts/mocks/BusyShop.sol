// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1363Receiver} from "@openzeppelin/contracts/interfaces/IERC1363Receiver.sol";

/// @notice Takes payments, says what came, answers as it was told, and tries a call of its own while it is paid.
contract BusyShop is IERC1363Receiver {
    address private _target;
    bytes private _again;
    bytes4 private _answer = IERC1363Receiver.onTransferReceived.selector;
    bool public succeeded;
    bytes public outcome;

    event Paid(address operator, address from, uint256 value, bytes data);

    error BusyShopClosed();

    function setCall(address target, bytes calldata again) external {
        _target = target;
        _again = again;
    }

    /// @param answer 0 makes it revert.
    function setAnswer(bytes4 answer) external {
        _answer = answer;
    }

    /// @inheritdoc IERC1363Receiver
    function onTransferReceived(
        address operator,
        address from,
        uint256 value,
        bytes calldata data
    ) external returns (bytes4) {
        require(_answer != 0, BusyShopClosed());
        emit Paid(operator, from, value, data);
        // solhint-disable-next-line avoid-low-level-calls
        if (_target != address(0)) (succeeded, outcome) = _target.call(_again);
        return _answer;
    }
}
