// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Merkle} from "../libraries/Merkle.sol";
import {Obstacle, TrustTier} from "./AttestationTypes.sol";
import {DeviceId, DeviceState, LotId} from "./DeviceTypes.sol";
import {IAttestations} from "./IAttestations.sol";
import {IDeviceRegistry} from "./IDeviceRegistry.sol";

/// @title Remote attestation of devices
/// @dev Left out on purpose: roles (an account's words count as its own only) and results by signature (a root carries any number).
contract Attestations is IAttestations {
    /// @dev One slot.
    struct Result {
        uint32 ref;
        uint8 tier;
        uint64 attestedAt;
        uint64 expiry;
    }

    uint64 private constant MAX_VALIDITY = 366 days;
    /// @dev More than any fleet needs, fewer than `Merkle.climb` refuses.
    uint256 private constant MAX_DEPTH = 64;

    IDeviceRegistry private immutable REGISTRY;

    mapping(address verifier => uint32) private _referenceCounts;
    mapping(address verifier => mapping(uint32 ref => bytes32)) private _measurements;
    mapping(address account => mapping(bytes32 measurement => uint64)) private _recalledAt;
    mapping(address verifier => mapping(DeviceId device => Result)) private _results;
    mapping(address verifier => mapping(bytes32 root => Result)) private _fleetResults;

    /// @param deviceRegistry The registry whose devices these are.
    constructor(IDeviceRegistry deviceRegistry) {
        REGISTRY = deviceRegistry;
    }

    /// @inheritdoc IAttestations
    function addReference(bytes32 measurement, string calldata name) external returns (uint32 ref) {
        _requireGood(measurement);
        ref = ++_referenceCounts[msg.sender];
        _measurements[msg.sender][ref] = measurement;
        emit ReferenceAdded(msg.sender, ref, measurement, name);
    }

    /// @inheritdoc IAttestations
    function recall(bytes32 measurement) external {
        _requireGood(measurement);
        _recalledAt[msg.sender][measurement] = uint64(block.timestamp);
        emit MeasurementRecalled(msg.sender, measurement);
    }

    /// @inheritdoc IAttestations
    function attest(DeviceId device, uint32 ref, uint8 tier, uint64 expiry, bytes32 resultDigest) external {
        _results[msg.sender][device] = _checkedResult(ref, tier, expiry);
        emit DeviceAttested(msg.sender, device, ref, tier, expiry, resultDigest);
    }

    /// @inheritdoc IAttestations
    function attestFleet(bytes32 root, uint32 ref, uint8 tier, uint64 expiry, bytes32 resultDigest) external {
        require(root != 0, AttestationsInvalidRoot(root));
        _fleetResults[msg.sender][root] = _checkedResult(ref, tier, expiry);
        emit FleetAttested(msg.sender, root, ref, tier, expiry, resultDigest);
    }

    /// @inheritdoc IAttestations
    function relianceOn(
        DeviceId device,
        uint8 level,
        address verifier,
        bytes32 root,
        uint256 path,
        bytes32[] calldata proof
    ) external view returns (bool relied, Obstacle obstacle) {
        address issuer;
        (obstacle, issuer) = _standingOf(device, level);
        if (obstacle == Obstacle.None && verifier != address(0)) {
            Result memory result = _results[verifier][device];
            Result memory fleet = _fleetResults[verifier][root];
            bool byFleet = fleet.attestedAt > result.attestedAt;
            if (byFleet) result = fleet;
            if (result.tier == TrustTier.NONE) obstacle = Obstacle.NotAttested;
            else if (byFleet && !_isMember(device, root, path, proof)) obstacle = Obstacle.ProofInvalid;
            else obstacle = _obstacleOf(result, verifier, issuer);
        }
        relied = obstacle == Obstacle.None;
    }

    /// @inheritdoc IAttestations
    function resultOf(
        address verifier,
        DeviceId device
    ) external view returns (uint32 ref, uint8 tier, uint64 attestedAt, uint64 expiry) {
        Result storage result = _results[verifier][device];
        return (result.ref, result.tier, result.attestedAt, result.expiry);
    }

    /// @inheritdoc IAttestations
    function fleetResultOf(
        address verifier,
        bytes32 root
    ) external view returns (uint32 ref, uint8 tier, uint64 attestedAt, uint64 expiry) {
        Result storage result = _fleetResults[verifier][root];
        return (result.ref, result.tier, result.attestedAt, result.expiry);
    }

    /// @inheritdoc IAttestations
    function measurementOf(address verifier, uint32 ref) external view returns (bytes32) {
        return _measurements[verifier][ref];
    }

    /// @inheritdoc IAttestations
    function referenceCountOf(address verifier) external view returns (uint32) {
        return _referenceCounts[verifier];
    }

    /// @inheritdoc IAttestations
    function recalledAt(address account, bytes32 measurement) external view returns (uint64) {
        return _recalledAt[account][measurement];
    }

    /// @inheritdoc IAttestations
    function registry() external view returns (address) {
        return address(REGISTRY);
    }

    /// @inheritdoc IAttestations
    function maxValidity() external pure returns (uint64) {
        return MAX_VALIDITY;
    }

    /// @inheritdoc IAttestations
    function fleetLeafOf(DeviceId device) public pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x00), "attestation", DeviceId.unwrap(device)));
    }

    /// @dev What the sender may say of `measurement`: neither nothing nor the contrary of its recall.
    function _requireGood(bytes32 measurement) private view {
        require(measurement != 0, AttestationsInvalidMeasurement(measurement));
        require(_recalledAt[msg.sender][measurement] == 0, AttestationsMeasurementRecalled(msg.sender, measurement));
    }

    function _checkedResult(uint32 ref, uint8 tier, uint64 expiry) private view returns (Result memory) {
        bool vouches = tier == TrustTier.AFFIRMING || tier == TrustTier.WARNING;
        require(vouches || tier == TrustTier.NONE || tier == TrustTier.CONTRAINDICATED, AttestationsInvalidTier(tier));
        uint64 time = uint64(block.timestamp);
        require(expiry > time, AttestationsExpiryPast(expiry));
        require(expiry <= time + MAX_VALIDITY, AttestationsExpiryTooFar(expiry, time + MAX_VALIDITY));
        // Firmware that matches no reference has none to name; nobody vouches for such.
        if (ref != 0 || vouches) {
            bytes32 measurement = _measurements[msg.sender][ref];
            require(measurement != 0, AttestationsReferenceUnknown(msg.sender, ref));
            _requireGood(measurement);
        }
        return Result(ref, tier, time, expiry);
    }

    /// @dev What the registry has against the device.
    function _standingOf(DeviceId device, uint8 level) private view returns (Obstacle obstacle, address issuer) {
        (DeviceState state, , uint8 assurance, , , , LotId lot) = REGISTRY.deviceOf(device);
        obstacle = _obstacleIn(state);
        if (obstacle != Obstacle.None) return (obstacle, issuer);
        (issuer, , , , , ) = REGISTRY.lotOf(lot);
        if (!REGISTRY.isIssuer(issuer)) obstacle = Obstacle.IssuerRevoked;
        else if (assurance < level) obstacle = Obstacle.AssuranceTooLow;
    }

    /// @dev What stands against a result, as its verifier and the device's issuer see it now.
    function _obstacleOf(Result memory result, address verifier, address issuer) private view returns (Obstacle) {
        if (result.expiry <= block.timestamp) return Obstacle.Expired;
        bytes32 measurement = _measurements[verifier][result.ref];
        if (_recalledAt[verifier][measurement] != 0) return Obstacle.RecalledByVerifier;
        if (_recalledAt[issuer][measurement] != 0) return Obstacle.RecalledByIssuer;
        if (result.tier == TrustTier.CONTRAINDICATED) return Obstacle.Contraindicated;
        return result.tier == TrustTier.WARNING ? Obstacle.Warning : Obstacle.None;
    }

    /// @dev `Merkle.climb` reverts for paths that it doesn't take; a question must get an answer.
    function _isMember(
        DeviceId device,
        bytes32 root,
        uint256 path,
        bytes32[] calldata proof
    ) private pure returns (bool) {
        if (proof.length > MAX_DEPTH || path >> proof.length != 0) return false;
        return Merkle.climb(fleetLeafOf(device), path, proof) == root;
    }

    function _obstacleIn(DeviceState state) private pure returns (Obstacle) {
        if (state == DeviceState.Active) return Obstacle.None;
        if (state == DeviceState.Suspended) return Obstacle.DeviceSuspended;
        if (state == DeviceState.Retired) return Obstacle.DeviceRetired;
        return state == DeviceState.Revoked ? Obstacle.DeviceRevoked : Obstacle.DeviceUnknown;
    }
}
