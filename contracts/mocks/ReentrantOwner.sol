// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";

/// @notice An owner that calls back while it receives a device, and says what came of it.
contract ReentrantOwner is IERC721Receiver {
    bytes public again;
    bytes public answer;
    bool public succeeded;

    function setCall(bytes calldata call) external {
        again = call;
    }

    /// @inheritdoc IERC721Receiver
    function onERC721Received(address, address, uint256, bytes calldata) external returns (bytes4) {
        // solhint-disable-next-line avoid-low-level-calls
        (succeeded, answer) = msg.sender.call(again);
        return IERC721Receiver.onERC721Received.selector;
    }
}
