// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {Obstacle} from "./AttestationTypes.sol";
import {DeviceId} from "./DeviceTypes.sol";

/// @title Remote attestation of devices
/// @notice RATS (RFC 9334) on a chain. Devices (attesters) give evidence of their firmware to a verifier, off chain. The verifier
///         publishes known-good measurements (reference values) and its results, for one device or by a Merkle root for any number.
///         A relying party names the verifier that it trusts: any account may be one, and a stranger's results are worth nothing.
///         Times are Unix seconds. All that an account writes here counts as that account's word only, so nothing needs a role.
/// @dev The full result is an EAR token (draft-ietf-rats-ear) off chain; `resultDigest` in the events is SHA-256 of its bytes as they
///      were signed.
interface IAttestations {
    /// @notice `verifier` knows firmware that measures so to be good, and refers to it by number.
    event ReferenceAdded(address indexed verifier, uint32 indexed ref, bytes32 indexed measurement, string name);
    /// @notice `account` takes firmware that measures so for bad, for good.
    event MeasurementRecalled(address indexed account, bytes32 indexed measurement);
    /// @notice A verifier's result on one device.
    event DeviceAttested(
        address indexed verifier,
        DeviceId indexed device,
        uint32 indexed ref,
        uint8 tier,
        uint64 expiry,
        bytes32 resultDigest
    );
    /// @notice A verifier's result on all devices under a root.
    event FleetAttested(
        address indexed verifier,
        bytes32 indexed root,
        uint32 indexed ref,
        uint8 tier,
        uint64 expiry,
        bytes32 resultDigest
    );

    error AttestationsInvalidMeasurement(bytes32 measurement);
    error AttestationsMeasurementRecalled(address account, bytes32 measurement);
    error AttestationsReferenceUnknown(address verifier, uint32 ref);
    error AttestationsInvalidTier(uint8 tier);
    error AttestationsInvalidRoot(bytes32 root);
    error AttestationsExpiryPast(uint64 expiry);
    error AttestationsExpiryTooFar(uint64 expiry, uint64 latest);

    /// @notice Publishes a reference value of the sender as verifier.
    /// @dev The same measurement may be added again under another name: recalls go by measurement, so no twin escapes one.
    /// @param measurement Of known-good firmware, for example SHA-256 of the image. Not 0.
    /// @param name What people call it; kept in the event only.
    /// @return ref Its number among the sender's, from 1.
    /// Errors: AttestationsInvalidMeasurement, AttestationsMeasurementRecalled. Event: ReferenceAdded.
    function addReference(bytes32 measurement, string calldata name) external returns (uint32 ref);

    /// @notice Declares firmware bad, for all devices at once. Can't be undone: fixed firmware measures differently.
    /// @dev Any account may: the word counts for its own results where it is a verifier, and for devices of its lots, whoever
    ///      attested them, where it is their issuer. It may come before anyone has added the measurement.
    /// Errors: AttestationsInvalidMeasurement, AttestationsMeasurementRecalled. Event: MeasurementRecalled.
    function recall(bytes32 measurement) external;

    /// @notice Posts the sender's result on one device. It replaces the sender's last one on it.
    /// @param device Any device; it need not be active yet.
    /// @param ref The sender's reference that the firmware matches. 0, none, goes with the tiers 0 and 96 only.
    /// @param tier As in `ear_status`: 0 none, 2 affirming, 32 warning, 96 contraindicated.
    /// @param expiry First second at which the result no longer counts; at most `maxValidity()` from now.
    /// @param resultDigest SHA-256 of the EAR token. Kept in the event only.
    /// Errors: AttestationsInvalidTier, AttestationsExpiryPast, AttestationsExpiryTooFar, AttestationsReferenceUnknown,
    /// AttestationsMeasurementRecalled. Event: DeviceAttested.
    function attest(DeviceId device, uint32 ref, uint8 tier, uint64 expiry, bytes32 resultDigest) external;

    /// @notice Posts the sender's result on every device under a root. It replaces the sender's last one on that root, so posting the
    ///         tier none or contraindicated withdraws it.
    /// @dev Whoever asks chooses the root that it shows. A verifier that drops a device from its next root therefore withdraws the
    ///      old root, or says so of the device by `attest`. Posting a root again vouches again for all under it.
    /// @param root Of the tree whose leaves are `fleetLeafOf(device)`. Not 0.
    /// @param ref As in `attest`, as are `tier`, `expiry` and `resultDigest`.
    /// Errors: AttestationsInvalidRoot and those of `attest`. Event: FleetAttested.
    function attestFleet(bytes32 root, uint32 ref, uint8 tier, uint64 expiry, bytes32 resultDigest) external;

    /// @notice Whether one may rely on a device now, and if not, why not: the first obstacle in the order of `Obstacle`.
    ///         Never reverts, whatever the proof.
    /// @dev Of the verifier's results on the device and on the root, the later one counts, the device's if both are of one second.
    ///      The proof is looked at only if the root's counts. A wrong root or proof can only spoil the answer; a root that the verifier
    ///      has replaced, but not withdrawn, still counts. A warning is an obstacle: whoever lives with warnings also takes
    ///      `(false, Warning)`.
    /// @param level The least assurance that will do, see `IDeviceRegistry.enrolLot`.
    /// @param verifier Whose results count. Never take it from the device. 0 asks for none: state and assurance only.
    /// @param root A fleet that the device is said to be of; 0 for none.
    /// @param path Which side each sibling is on, see `Merkle.climb`.
    /// @param proof The siblings from `fleetLeafOf(device)` to the root.
    function relianceOn(
        DeviceId device,
        uint8 level,
        address verifier,
        bytes32 root,
        uint256 path,
        bytes32[] calldata proof
    ) external view returns (bool relied, Obstacle obstacle);

    /// @notice A verifier's last result on a device; all 0 if there is none. `attestedAt` is the time of its block.
    function resultOf(
        address verifier,
        DeviceId device
    ) external view returns (uint32 ref, uint8 tier, uint64 attestedAt, uint64 expiry);

    /// @notice A verifier's last result on a root; all 0 if there is none.
    function fleetResultOf(
        address verifier,
        bytes32 root
    ) external view returns (uint32 ref, uint8 tier, uint64 attestedAt, uint64 expiry);

    /// @notice The measurement behind a verifier's reference; 0 if there is none.
    function measurementOf(address verifier, uint32 ref) external view returns (bytes32);

    /// @notice How many references a verifier has; its last one has this number.
    function referenceCountOf(address verifier) external view returns (uint32);

    /// @notice When an account recalled a measurement; 0 if it didn't.
    function recalledAt(address account, bytes32 measurement) external view returns (uint64);

    /// @notice The registry whose devices these are.
    function registry() external view returns (address);

    /// @notice The leaf of a device in a fleet's tree: keccak256(0x00 ‖ "attestation" ‖ device). The word keeps it apart from the
    ///         leaves of all other trees, such as a maker's lot.
    function fleetLeafOf(DeviceId device) external pure returns (bytes32);

    /// @notice How long a result may last, in seconds: a verifier that falls silent is not believed for longer.
    function maxValidity() external pure returns (uint64);
}
