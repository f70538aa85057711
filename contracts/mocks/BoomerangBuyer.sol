// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";

/// @notice A receiver that gives the device back while it receives it, tries a call to have it again, and says what came of it.
contract BoomerangBuyer is IERC721Receiver {
    address private _target;
    bytes private _again;
    bytes public answer;
    bool public succeeded;

    function setCall(address target, bytes calldata again) external {
        _target = target;
        _again = again;
    }

    /// @inheritdoc IERC721Receiver
    function onERC721Received(address, address from, uint256 tokenId, bytes calldata) external returns (bytes4) {
        IERC721(msg.sender).transferFrom(address(this), from, tokenId);
        // solhint-disable-next-line avoid-low-level-calls
        (succeeded, answer) = _target.call(_again);
        return IERC721Receiver.onERC721Received.selector;
    }
}
