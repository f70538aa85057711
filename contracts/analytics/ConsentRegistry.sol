// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {DeviceId} from "../identity/DeviceTypes.sol";
import {History} from "../libraries/History.sol";
import {ConsentTerms, Decision, SignedDecision, Word} from "./ConsentTypes.sol";
import {IConsentRegistry} from "./IConsentRegistry.sol";
import {IHoldings} from "./IHoldings.sol";

/// @title What owners allow their devices' data to be used for
contract ConsentRegistry is IConsentRegistry, EIP712 {
    using History for History.Log;

    bytes32 private constant CONSENT_TYPEHASH = keccak256(
        "Consent(address owner,string decision,bytes32 purpose,address[] devices,uint64 expiry,uint64 cohort,"
        "uint128 price,uint64 budget,uint64 nonce,uint64 deadline)"
    );
    /// @dev No nonce is used from so far ahead. So a step of this length voids whatever has been signed.
    uint64 private constant NONCE_WINDOW = 2 ** 32;
    uint64 private constant UNLIMITED = type(uint64).max;

    IHoldings private immutable HOLDINGS;

    mapping(address owner => mapping(bytes32 purpose => History.Log)) private _general;
    mapping(address owner => mapping(bytes32 purpose => mapping(DeviceId device => History.Log))) private _listed;
    mapping(address owner => uint64) private _nonces;

    /// @param holdings_ Says who had a device when.
    constructor(IHoldings holdings_) EIP712("ConsentRegistry", "1") {
        HOLDINGS = holdings_;
    }

    /// @inheritdoc IConsentRegistry
    function grant(bytes32 purpose, ConsentTerms calldata terms) external {
        _grant(msg.sender, purpose, terms);
    }

    /// @inheritdoc IConsentRegistry
    function grantDevices(bytes32 purpose, DeviceId[] calldata devices, ConsentTerms calldata terms) external {
        _grantDevices(msg.sender, purpose, devices, terms);
    }

    /// @inheritdoc IConsentRegistry
    function revoke(bytes32 purpose) external {
        _raiseNonce(msg.sender, _nonces[msg.sender] + NONCE_WINDOW);
        _revoke(msg.sender, purpose);
    }

    /// @inheritdoc IConsentRegistry
    function revokeDevices(bytes32 purpose, DeviceId[] calldata devices) external {
        _raiseNonce(msg.sender, _nonces[msg.sender] + NONCE_WINDOW);
        _revokeDevices(msg.sender, purpose, devices);
    }

    /// @inheritdoc IConsentRegistry
    function unlistDevices(bytes32 purpose, DeviceId[] calldata devices) external {
        _unlistDevices(msg.sender, purpose, devices);
    }

    /// @inheritdoc IConsentRegistry
    function decideFor(SignedDecision calldata signed, bytes calldata signature) external {
        // Checks
        address owner = signed.owner;
        uint64 next = _nonces[owner];
        require(block.timestamp <= signed.deadline, ConsentRegistryExpired(signed.deadline));
        require(
            signed.nonce >= next && signed.nonce - next < NONCE_WINDOW,
            ConsentRegistryWrongNonce(owner, signed.nonce, next)
        );
        require(
            SignatureChecker.isValidSignatureNowCalldata(owner, digestOf(signed), signature),
            ConsentRegistryInvalidSignature(owner)
        );

        // Effects
        _raiseNonce(owner, signed.nonce + 1);
        Decision decision = signed.decision;
        if (decision == Decision.GrantDevices) {
            _grantDevices(owner, signed.purpose, signed.devices, signed.terms);
        } else if (decision == Decision.RevokeDevices) {
            _revokeDevices(owner, signed.purpose, signed.devices);
        } else if (decision == Decision.UnlistDevices) {
            _unlistDevices(owner, signed.purpose, signed.devices);
        } else {
            require(signed.devices.length == 0, ConsentRegistryDevicesNotAsked(signed.devices.length));
            if (decision == Decision.Grant) _grant(owner, signed.purpose, signed.terms);
            else _revoke(owner, signed.purpose);
        }
    }

    /// @inheritdoc IConsentRegistry
    function consentAt(
        address owner,
        DeviceId device,
        bytes32 purpose,
        uint64 time
    ) external view returns (bool granted, uint64 cohort, uint128 price, uint64 budget) {
        (bool known, address holder, uint64 heldSince) = HOLDINGS.tenureAt(device, time);
        if (known && holder != owner) return (false, 0, 0, 0);
        return _consentAt(owner, device, purpose, time, known, heldSince);
    }

    /// @inheritdoc IConsentRegistry
    function consentOfHolder(
        address owner,
        DeviceId device,
        bytes32 purpose,
        uint64 time,
        uint64 heldSince
    ) external view returns (bool granted, uint64 cohort, uint128 price, uint64 budget) {
        return _consentAt(owner, device, purpose, time, true, heldSince);
    }

    /// @inheritdoc IConsentRegistry
    function generalWordOf(
        address owner,
        bytes32 purpose
    ) external view returns (Word word, uint64 since, ConsentTerms memory terms) {
        return _lastOf(_general[owner][purpose]);
    }

    /// @inheritdoc IConsentRegistry
    function listedWordOf(
        address owner,
        bytes32 purpose,
        DeviceId device
    ) external view returns (Word word, uint64 since, ConsentTerms memory terms) {
        return _lastOf(_listed[owner][purpose][device]);
    }

    /// @inheritdoc IConsentRegistry
    function nonceOf(address owner) external view returns (uint64) {
        return _nonces[owner];
    }

    /// @inheritdoc IConsentRegistry
    function holdings() external view returns (address) {
        return address(HOLDINGS);
    }

    /// @inheritdoc IConsentRegistry
    function digestOf(SignedDecision calldata signed) public view returns (bytes32) {
        ConsentTerms calldata terms = signed.terms;
        return
            _hashTypedDataV4(
                keccak256(
                    abi.encode(
                        CONSENT_TYPEHASH,
                        signed.owner,
                        keccak256(bytes(_nameOf(signed.decision))),
                        signed.purpose,
                        keccak256(abi.encodePacked(signed.devices)),
                        terms.expiry,
                        terms.cohort,
                        terms.price,
                        terms.budget,
                        signed.nonce,
                        signed.deadline
                    )
                )
            );
    }

    function _grant(address owner, bytes32 purpose, ConsentTerms calldata terms) private {
        _general[owner][purpose].write(uint40(block.timestamp), _packed(terms));
        emit ConsentGranted(owner, purpose, terms.expiry, terms.cohort, terms.price, terms.budget);
    }

    function _grantDevices(
        address owner,
        bytes32 purpose,
        DeviceId[] calldata devices,
        ConsentTerms calldata terms
    ) private {
        _list(owner, purpose, devices, _packed(terms));
        emit DevicesGranted(owner, purpose, devices, terms.expiry, terms.cohort, terms.price, terms.budget);
    }

    function _revoke(address owner, bytes32 purpose) private {
        _general[owner][purpose].write(uint40(block.timestamp), uint192(Word.Refused));
        emit ConsentRevoked(owner, purpose);
    }

    function _revokeDevices(address owner, bytes32 purpose, DeviceId[] calldata devices) private {
        _list(owner, purpose, devices, uint192(Word.Refused));
        emit DevicesRevoked(owner, purpose, devices);
    }

    function _unlistDevices(address owner, bytes32 purpose, DeviceId[] calldata devices) private {
        _list(owner, purpose, devices, uint192(Word.Unsaid));
        emit DevicesUnlisted(owner, purpose, devices);
    }

    function _list(address owner, bytes32 purpose, DeviceId[] calldata devices, uint192 said) private {
        require(devices.length != 0, ConsentRegistryNoDevices());
        mapping(DeviceId device => History.Log) storage logs = _listed[owner][purpose];
        for (uint256 k = 0; k < devices.length; ++k) logs[devices[k]].write(uint40(block.timestamp), said);
    }

    function _raiseNonce(address owner, uint64 nonce) private {
        _nonces[owner] = nonce;
        emit NonceRaised(owner, nonce);
    }

    /// @dev What was consented to, by the holder if it is known that the owner was.
    function _consentAt(
        address owner,
        DeviceId device,
        bytes32 purpose,
        uint64 time,
        bool known,
        uint64 heldSince
    ) private view returns (bool granted, uint64 cohort, uint128 price, uint64 budget) {
        (, uint192 general) = _general[owner][purpose].valueAt(time);
        (uint40 since, uint192 listed) = _listed[owner][purpose][device].valueAt(time);
        if (_wordOf(listed) == Word.Unsaid || (known && since < heldSince)) listed = general;
        else if (known) general = listed;

        // Here the two are one, unless it can't be known which of them held.
        bool byGeneral = _covers(general, time);
        bool byListed = _covers(listed, time);
        if (!byGeneral && !byListed) return (false, 0, 0, 0);
        ConsentTerms memory a = _termsOf(byGeneral ? general : listed);
        ConsentTerms memory b = _termsOf(byListed ? listed : general);
        return (
            true,
            uint64(Math.min(a.cohort, b.cohort)),
            uint128(Math.min(a.price, b.price)),
            uint64(Math.max(a.budget, b.budget))
        );
    }

    /// @dev From the low end: word (8 bits), cohort (24), budget (32), expiry (40), price (88).
    function _packed(ConsentTerms calldata terms) private view returns (uint192) {
        require(terms.expiry > block.timestamp, ConsentRegistryExpiryPast(terms.expiry));
        bool unlimited = terms.budget == UNLIMITED;
        require(
            terms.expiry <= type(uint40).max &&
                terms.cohort <= type(uint24).max &&
                terms.price <= type(uint88).max &&
                (unlimited || terms.budget < type(uint32).max),
            ConsentRegistryTermsTooLarge(terms)
        );
        uint32 budget = unlimited ? type(uint32).max : uint32(terms.budget);
        return
            uint192(Word.Granted) |
            (uint192(terms.cohort) << 8) |
            (uint192(budget) << 32) |
            (uint192(terms.expiry) << 64) |
            (uint192(terms.price) << 104);
    }

    function _lastOf(
        History.Log storage log
    ) private view returns (Word word, uint64 since, ConsentTerms memory terms) {
        uint192 said;
        (since, said) = log.valueAt(type(uint64).max);
        return (_wordOf(said), since, _termsOf(said));
    }

    function _covers(uint192 said, uint64 time) private pure returns (bool) {
        return _wordOf(said) == Word.Granted && time < uint40(said >> 64);
    }

    function _wordOf(uint192 said) private pure returns (Word) {
        return Word(uint8(said));
    }

    function _termsOf(uint192 said) private pure returns (ConsentTerms memory) {
        uint32 budget = uint32(said >> 32);
        return
            ConsentTerms({
                expiry: uint40(said >> 64),
                cohort: uint24(said >> 8),
                price: uint88(said >> 104),
                budget: budget == type(uint32).max ? UNLIMITED : budget
            });
    }

    function _nameOf(Decision decision) private pure returns (string memory) {
        if (decision == Decision.Grant) return "grant for all my devices";
        if (decision == Decision.GrantDevices) return "grant for these devices";
        if (decision == Decision.Revoke) return "revoke for all my devices";
        if (decision == Decision.RevokeDevices) return "revoke for these devices";
        return "unlist these devices";
    }
}
