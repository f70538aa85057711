// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {KeyKind} from "./DeviceTypes.sol";

/// @title The kinds of key that a registry is born with
library KeyKinds {
    KeyKind internal constant SECP256K1 = KeyKind.wrap(0);
    KeyKind internal constant P256 = KeyKind.wrap(1);
    KeyKind internal constant RSA2048 = KeyKind.wrap(2);
    KeyKind internal constant ERC1271 = KeyKind.wrap(3);

    bytes2 internal constant P256_MULTICODEC = 0x8024;
    bytes2 internal constant RSA_MULTICODEC = 0x8524;

    function equal(KeyKind a, KeyKind b) internal pure returns (bool) {
        return KeyKind.unwrap(a) == KeyKind.unwrap(b);
    }

    /// @notice Whether a key of this kind is an account, which a DID document names by its address.
    function isAccount(KeyKind kind) internal pure returns (bool) {
        return equal(kind, SECP256K1) || equal(kind, ERC1271);
    }
}
