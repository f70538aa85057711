// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {DeviceStore} from "./DeviceStore.sol";
import {KeyKind} from "./DeviceTypes.sol";
import {KeyKinds} from "./KeyKinds.sol";

/// @title What the registry asks of the rarer kinds of key, and of issuers
/// @dev Linked, to keep the registry below the size that a contract may have.
library KeyVerifiers {
    /// @notice Whether the ERC-7913 verifier that the signer begins with takes the signature. One that reverts doesn't.
    function verify(bytes calldata signer, bytes32 digest, bytes calldata signature) external view returns (bool) {
        return SignatureChecker.isValidSignatureNow(signer, digest, signature);
    }

    /// @notice Whether an account, or an ERC-1271 contract, has signed.
    function verifyAccount(address account, bytes32 digest, bytes calldata signature) external view returns (bool) {
        return SignatureChecker.isValidSignatureNowCalldata(account, digest, signature);
    }

    /// @notice The W3C Multikey form of a key that is neither an account nor of P-256: the varint of its multicodec ‖ key.
    function multikeyOf(
        DeviceStore.Layout storage store,
        KeyKind kind,
        bytes calldata signer
    ) external view returns (bytes memory) {
        bytes memory multicodec = store.kinds[kind].multicodec;
        if (!KeyKinds.equal(kind, KeyKinds.RSA2048)) return abi.encodePacked(multicodec, signer[20:]);
        // RSAPublicKey of RFC 8017 in DER. The verifier takes abi.encode(e, n) with e = 65537 and 256 bytes of n alone, so the rest is constant.
        return abi.encodePacked(multicodec, hex"3082010a0282010100", signer[180:436], hex"0203010001");
    }
}
