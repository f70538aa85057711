// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {DeviceId} from "../identity/DeviceTypes.sol";
import {Request} from "./RequestTypes.sol";
import {Origin} from "./ResultTypes.sol";

/// @notice Whether a device, to an owner's credit, may be in a result.
///         `Eligible`: nothing shows that it may not.
///         `Ineligible`: it certainly could not at the snapshot. No honest proposer has it in a result.
///         `Doubtful`: it falls short of the request's filter now, in a way that says nothing of the snapshot. A result with it can't stand, but
///         its proposer may have been honest.
enum Verdict {
    Eligible,
    Ineligible,
    Doubtful
}

/// @title Who may be in a result
/// @notice All is judged for the second of the request, the snapshot. What is said or done in a later second makes nobody `Ineligible`, whoever does
///         it. Hazard: what is done in the snapshot's own second still counts, so a result that is judged by these verdicts must have been proposed in
///         a later second.
/// @dev Views alone, no storage. Where the chain has forgotten what held at the snapshot, the answer is the milder one: a device that has been active
///      again or has ended since was perhaps suspended then; one that was transferred since, and not noted in `IHoldings`, belonged to whom
///      the proposer says.
interface IEligibility {
    /// @notice What is to be said against a device in a result.
    ///         Ineligible: never activated, or after the snapshot; out of action since before the snapshot; known to have been another's; not
    ///         consented to by the owner, or for larger cohorts or higher prices alone; of another lot; not placed in the region.
    ///         Doubtful: its assurance is too low now; or the verifier's last result on it isn't affirming, expired by the snapshot, or
    ///         rests on a measurement that the verifier had recalled by then. A result renewed since the snapshot is as good as an old one. Results
    ///         on fleets (`attestFleet`) count for nothing here.
    /// @param device Who is in the result.
    /// @param owner To whose credit.
    /// @param snapshot The second of the request.
    function verdictOn(
        Request calldata request,
        DeviceId device,
        address owner,
        uint64 snapshot
    ) external view returns (Verdict);

    /// @notice Whether the owner's privacy budget at the snapshot allows a partial: exact ones (proved, or asked for without noise) need one without
    ///         limit; of others, what the device had spent and what the request costs must fit together. A withheld one uses nothing.
    /// @param origin Where the partial comes from.
    /// @param spent Millionths of epsilon spent before, in the device's word.
    function mayUse(
        Request calldata request,
        address owner,
        DeviceId device,
        Origin origin,
        uint64 spent,
        uint64 snapshot
    ) external view returns (bool);

    /// @notice Whether a device may be listed at all, if only as withheld: it was activated by the snapshot, is of the lot, and nothing shows that its
    ///         owner hadn't consented then on terms that the request keeps. What can change afterwards (state, assurance, attestation) isn't
    ///         looked at: no honest list becomes wrong.
    function wasMember(
        Request calldata request,
        DeviceId device,
        address owner,
        uint64 snapshot
    ) external view returns (bool);

    /// @notice Whether a leaf is due for a device: its owner had it for sure at the snapshot, it is `Eligible`, and a partial of this origin by
    ///         which nothing was spent before may be used. One call in place of three: they ask the same of the registries.
    function isDue(
        Request calldata request,
        address owner,
        DeviceId device,
        Origin origin,
        uint64 snapshot
    ) external view returns (bool);
}
