// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsentRegistry} from "./IConsentRegistry.sol";

/// @title What owners allow their devices' data to be used for
contract ConsentRegistry is IConsentRegistry {
    /// @dev One slot.
    struct Consent {
        uint64 grantedAt;
        uint64 expiry;
        uint64 revokedAt;
    }

    mapping(address owner => mapping(bytes32 purpose => Consent)) private _consents;

    /// @inheritdoc IConsentRegistry
    function grant(bytes32 purpose, uint64 expiry) external {
        require(expiry > block.timestamp, ConsentRegistryExpiryPast(expiry));
        _consents[msg.sender][purpose] = Consent(uint64(block.timestamp), expiry, 0);
        emit ConsentGranted(msg.sender, purpose, expiry);
    }

    /// @inheritdoc IConsentRegistry
    function revoke(bytes32 purpose) external {
        Consent storage consent = _consents[msg.sender][purpose];
        require(consent.grantedAt != 0 && consent.revokedAt == 0, ConsentRegistryNotGranted(msg.sender, purpose));
        consent.revokedAt = uint64(block.timestamp);
        emit ConsentRevoked(msg.sender, purpose);
    }

    /// @inheritdoc IConsentRegistry
    function consentOf(
        address owner,
        bytes32 purpose
    ) external view returns (uint64 grantedAt, uint64 expiry, uint64 revokedAt) {
        Consent storage consent = _consents[owner][purpose];
        return (consent.grantedAt, consent.expiry, consent.revokedAt);
    }

    /// @inheritdoc IConsentRegistry
    function isGranted(address owner, bytes32 purpose, uint64 time) external view returns (bool) {
        Consent storage consent = _consents[owner][purpose];
        return
            consent.grantedAt != 0 &&
            consent.grantedAt <= time &&
            time < consent.expiry &&
            (consent.revokedAt == 0 || time < consent.revokedAt);
    }
}
