// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TrustTier} from "../identity/AttestationTypes.sol";
import {DeviceId, DeviceState, LotId} from "../identity/DeviceTypes.sol";
import {IAttestations} from "../identity/IAttestations.sol";
import {IDeviceRegistry} from "../identity/IDeviceRegistry.sol";
import {IConsentRegistry} from "./IConsentRegistry.sol";
import {IDeviceRegions} from "./IDeviceRegions.sol";
import {IEligibility, Verdict} from "./IEligibility.sol";
import {IHoldings} from "./IHoldings.sol";
import {Filter, Request} from "./RequestTypes.sol";
import {Origin} from "./ResultTypes.sol";

/// @title Who may be in a result
contract Eligibility is IEligibility {
    IDeviceRegistry private immutable REGISTRY;
    IConsentRegistry private immutable CONSENTS;
    IHoldings private immutable HOLDINGS;
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
        HOLDINGS = IHoldings(consents.holdings());
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
        // Nobody's consent covers a device that is known to have been another's.
        (bool granted, uint64 cohort, uint128 price, ) = CONSENTS.consentAt(owner, device, request.purpose, snapshot);
        if (!granted || !_isFor(request, cohort, price)) return Verdict.Ineligible;
        return _standingOf(request.filter, device, snapshot);
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
        return _fits(request, origin, spent, budget);
    }

    /// @inheritdoc IEligibility
    function isDue(
        Request calldata request,
        address owner,
        DeviceId device,
        Origin origin,
        uint64 snapshot
    ) external view returns (bool) {
        (bool known, address holder, uint64 since) = HOLDINGS.tenureAt(device, snapshot);
        if (!known || holder != owner) return false;
        (bool granted, uint64 cohort, uint128 price, uint64 budget) = CONSENTS.consentOfHolder(
            owner,
            device,
            request.purpose,
            snapshot,
            since
        );
        return
            granted &&
            _isFor(request, cohort, price) &&
            (origin == Origin.Withheld || _fits(request, origin, 0, budget)) &&
            _standingOf(request.filter, device, snapshot) == Verdict.Eligible;
    }

    /// @dev What is to be said against the device itself.
    function _standingOf(Filter calldata filter, DeviceId device, uint64 snapshot) private view returns (Verdict) {
        (bool lived, uint8 assurance) = _lifeOf(filter, device, snapshot);
        uint64 region = filter.region;
        if (!lived || (region != 0 && !REGIONS.isWithin(device, region, snapshot))) return Verdict.Ineligible;
        bool doubtful = assurance < filter.assurance || !_isAttested(filter.verifier, device, snapshot);
        return doubtful ? Verdict.Doubtful : Verdict.Eligible;
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

    function _isAttested(address verifier, DeviceId device, uint64 snapshot) private view returns (bool) {
        if (verifier == address(0)) return true;
        (uint32 ref, uint8 tier, , uint64 expiry) = ATTESTATIONS.resultOf(verifier, device);
        if (tier != TrustTier.AFFIRMING || expiry <= snapshot) return false;
        uint64 recalledAt = ATTESTATIONS.recalledAt(verifier, ATTESTATIONS.measurementOf(verifier, ref));
        return recalledAt == 0 || recalledAt > snapshot;
    }

    function _isFor(Request calldata request, uint64 cohort, uint128 price) private pure returns (bool) {
        return cohort <= request.terms.cohort && price <= request.terms.price;
    }

    function _fits(Request calldata request, Origin origin, uint64 spent, uint64 budget) private pure returns (bool) {
        if (budget == type(uint64).max) return true;
        uint64 epsilon = request.terms.epsilon;
        return origin == Origin.Attested && epsilon != 0 && uint256(spent) + epsilon <= budget;
    }
}
