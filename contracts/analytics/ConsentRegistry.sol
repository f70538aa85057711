// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {IConsentRegistry} from "./IConsentRegistry.sol";

/// @title What owners allow their devices' data to be used for
contract ConsentRegistry is IConsentRegistry {
    using Checkpoints for Checkpoints.Trace208;

    /// @dev One slot.
    struct Consent {
        uint64 grantedAt;
        uint64 expiry;
        uint64 revokedAt;
    }

    mapping(address owner => mapping(bytes32 purpose => Consent)) private _consents;
    /// @dev From each second of a change on, until when consent lasts; 0 after it was revoked. All are kept: a result is judged by the consent
    ///      of the second of its request, which no later word may rewrite.
    mapping(address owner => mapping(bytes32 purpose => Checkpoints.Trace208)) private _expiries;

    /// @inheritdoc IConsentRegistry
    function grant(bytes32 purpose, uint64 expiry) external {
        require(expiry > block.timestamp, ConsentRegistryExpiryPast(expiry));
        _consents[msg.sender][purpose] = Consent(uint64(block.timestamp), expiry, 0);
        _expiries[msg.sender][purpose].push(uint48(block.timestamp), expiry);
        emit ConsentGranted(msg.sender, purpose, expiry);
    }

    /// @inheritdoc IConsentRegistry
    function revoke(bytes32 purpose) external {
        Consent storage consent = _consents[msg.sender][purpose];
        require(consent.grantedAt != 0 && consent.revokedAt == 0, ConsentRegistryNotGranted(msg.sender, purpose));
        consent.revokedAt = uint64(block.timestamp);
        _expiries[msg.sender][purpose].push(uint48(block.timestamp), 0);
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
        uint48 second = time > type(uint48).max ? type(uint48).max : uint48(time);
        return time < _expiries[owner][purpose].upperLookupRecent(second);
    }
}
