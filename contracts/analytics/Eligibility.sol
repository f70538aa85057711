// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TrustTier} from "../identity/AttestationTypes.sol";
import {DeviceId, DeviceState, LotId} from "../identity/DeviceTypes.sol";
import {IAttestations} from "../identity/IAttestations.sol";
import {IDeviceRegistry} from "../identity/IDeviceRegistry.sol";
import {IConsentRegistry} from "./IConsentRegistry.sol";
import {IDeviceRegions} from "./IDeviceRegions.sol";
import {IEligibility, Verdict} from "./IEligibility.sol";
import {Filter, Request} from "./RequestTypes.sol";
import {Origin} from "./ResultTypes.sol";

/// @title Who may be in a result
contract Eligibility is IEligibility {
    IDeviceRegistry private immutable REGISTRY;
    IConsentRegistry private immutable CONSENTS;
    IDeviceRegions private immutable REGIONS;
    IAttestations private immutable ATTESTATIONS;

    /// @param registry Says what devices there are.
    /// @param consents Says who agreed to what, and had a device when.
    /// @param regions Says where devices stand.
    /// @param attestations Says what verifiers found.
    constructor(
        IDeviceRegistry registry,
        IConsentRegistry consents,
        IDeviceRegions regions,
        IAttestations attestations
    ) {
        REGISTRY = registry;
        CONSENTS = consents;
        REGIONS = regions;
        ATTESTATIONS = attestations;
    }

    /// @inheritdoc IEligibility
    function verdictOn(
        Request calldata request,
        DeviceId device,
        address owner,
        uint64 snapshot
    ) external view returns (Verdict) {
        Filter calldata filter = request.filter;
        (bool lived, uint8 assurance) = _lifeOf(filter, device, snapshot);
        if (
            !lived ||
            !_consented(request, device, owner, snapshot) ||
            !REGIONS.isWithin(device, filter.region, snapshot)
        ) return Verdict.Ineligible;
        bool doubtful = assurance < filter.assurance || !_isAttested(filter.verifier, device, snapshot);
        return doubtful ? Verdict.Doubtful : Verdict.Eligible;
    }

    /// @inheritdoc IEligibility
    function mayUse(
        Request calldata request,
        address owner,
        DeviceId device,
        Origin origin,
        uint64 spent,
        uint64 snapshot
    ) external view returns (bool) {
        if (origin == Origin.Withheld) return true;
        (, , , uint64 budget) = CONSENTS.consentAt(owner, device, request.purpose, snapshot);
        if (budget == type(uint64).max) return true;
        uint64 epsilon = request.terms.epsilon;
        return origin == Origin.Attested && epsilon != 0 && uint256(spent) + epsilon <= budget;
    }

    /// @dev `stateSince` alone tells nothing of earlier states: an active device may have been suspended, a retired one active until then.
    function _lifeOf(
        Filter calldata filter,
        DeviceId device,
        uint64 snapshot
    ) private view returns (bool lived, uint8 assurance) {
        DeviceState state;
        uint64 activatedAt;
        uint64 stateSince;
        LotId lot;
        (state, , assurance, activatedAt, , stateSince, lot) = REGISTRY.deviceOf(device);
        lived =
            state != DeviceState.None &&
            activatedAt <= snapshot &&
            (state == DeviceState.Active || stateSince >= snapshot) &&
            (LotId.unwrap(filter.lot) == 0 || LotId.unwrap(filter.lot) == LotId.unwrap(lot));
    }

    /// @dev Nobody's consent covers a device that is known to have been another's.
    function _consented(
        Request calldata request,
        DeviceId device,
        address owner,
        uint64 snapshot
    ) private view returns (bool) {
        (bool granted, uint64 cohort, uint128 price, ) = CONSENTS.consentAt(owner, device, request.purpose, snapshot);
        return granted && cohort <= request.terms.cohort && price <= request.terms.price;
    }

    function _isAttested(address verifier, DeviceId device, uint64 snapshot) private view returns (bool) {
        if (verifier == address(0)) return true;
        (uint32 ref, uint8 tier, , uint64 expiry) = ATTESTATIONS.resultOf(verifier, device);
        if (tier != TrustTier.AFFIRMING || expiry <= snapshot) return false;
        uint64 recalledAt = ATTESTATIONS.recalledAt(verifier, ATTESTATIONS.measurementOf(verifier, ref));
        return recalledAt == 0 || recalledAt > snapshot;
    }
}
