// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @notice An ERC-1271 account with one owner, and every way to answer badly.
contract MoodyWallet is IERC1271 {
    enum Mood {
        Honest,
        Reverting,
        Short,
        Dirty,
        Burning,
        Silent
    }

    address private immutable OWNER;

    Mood private _mood;

    error MoodyWalletReverting();

    constructor(address owner) {
        OWNER = owner;
    }

    function setMood(Mood mood) external {
        _mood = mood;
    }

    /// @inheritdoc IERC1271
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        Mood mood = _mood;
        bytes4 yes = IERC1271.isValidSignature.selector;
        require(mood != Mood.Reverting, MoodyWalletReverting());
        if (mood == Mood.Burning) while (gasleft() != 0) hash = keccak256(abi.encode(hash));
        if (mood == Mood.Honest) {
            (address signer, ECDSA.RecoverError failure, ) = ECDSA.tryRecoverCalldata(hash, signature);
            return failure == ECDSA.RecoverError.NoError && signer == OWNER ? yes : bytes4(0xffffffff);
        }
        bytes32 answer = mood == Mood.Dirty ? bytes32(yes) | bytes32(uint256(1)) : bytes32(yes);
        uint256 length = mood == Mood.Short ? 4 : (mood == Mood.Dirty ? 32 : 0);
        // Assembly: Solidity returns no answer that is malformed.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            mstore(0, answer)
            return(0, length)
        }
    }
}
