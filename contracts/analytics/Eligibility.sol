// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
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
        return _standingOf(request.filter, device, snapshot, false);
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
    function wasMember(
        Request calldata request,
        DeviceId device,
        address owner,
        uint64 snapshot
    ) external view returns (bool) {
        (DeviceState state, , , uint64 activatedAt, , , LotId lot) = REGISTRY.deviceOf(device);
        (bool granted, uint64 cohort, uint128 price, ) = CONSENTS.consentAt(owner, device, request.purpose, snapshot);
        return
            state != DeviceState.None &&
            activatedAt <= snapshot &&
            _isOf(request.filter.lot, lot) &&
            granted &&
            _isFor(request, cohort, price);
    }

    /// @inheritdoc IEligibility
    function isDue(
        Request calldata request,
        address owner,
        DeviceId device,
        Origin origin,
        uint64 snapshot
    ) external view returns (bool) {
        (bool held, bool isPlain, uint64 since) = _tenureOf(request.filter, device, owner, snapshot);
        if (!held) return false;
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
            _standingOf(request.filter, device, snapshot, isPlain) == Verdict.Eligible;
    }

    /// @dev Whether the owner had the device for sure, and since when. `isPlain`: it is active, has had this owner since before, and no lot or assurance is
    ///      asked for. Then all of `_lifeOf` is said: a tenure begins no earlier than the device's life. The registry is asked itself: for a present
    ///      tenure `IHoldings` says the same, for 4,000 gas more.
    function _tenureOf(
        Filter calldata filter,
        DeviceId device,
        address owner,
        uint64 snapshot
    ) private view returns (bool held, bool isPlain, uint64 since) {
        DeviceState state;
        (state, since) = REGISTRY.tenureOf(device);
        if (state == DeviceState.None) return (false, false, 0);
        if (since > snapshot) {
            address holder;
            (held, holder, since) = HOLDINGS.tenureAt(device, snapshot);
            return (held && holder == owner, false, since);
        }
        held = IERC721(address(REGISTRY)).ownerOf(uint160(DeviceId.unwrap(device))) == owner;
        isPlain = state == DeviceState.Active && LotId.unwrap(filter.lot) == 0 && filter.assurance == 0;
    }

    /// @dev What is to be said against the device itself.
    /// @param isPlain See `_tenureOf`.
    function _standingOf(
        Filter calldata filter,
        DeviceId device,
        uint64 snapshot,
        bool isPlain
    ) private view returns (Verdict) {
        (bool lived, uint8 assurance) = isPlain ? (true, 0) : _lifeOf(filter, device, snapshot);
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
            _isOf(filter.lot, lot);
    }

    function _isAttested(address verifier, DeviceId device, uint64 snapshot) private view returns (bool) {
        if (verifier == address(0)) return true;
        (uint32 ref, uint8 tier, , uint64 expiry) = ATTESTATIONS.resultOf(verifier, device);
        if (tier != TrustTier.AFFIRMING || expiry <= snapshot) return false;
        uint64 recalledAt = ATTESTATIONS.recalledAt(verifier, ATTESTATIONS.measurementOf(verifier, ref));
        return recalledAt == 0 || recalledAt > snapshot;
    }

    function _isOf(LotId lot, LotId other) private pure returns (bool) {
        return LotId.unwrap(lot) == 0 || LotId.unwrap(lot) == LotId.unwrap(other);
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
