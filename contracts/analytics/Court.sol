// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {IDataAnchor} from "../anchoring/IDataAnchor.sol";
import {ReadingFields, ReadingPlace} from "../anchoring/AnchoringTypes.sol";
import {DeviceId} from "../identity/DeviceTypes.sol";
import {IDeviceRegistry} from "../identity/IDeviceRegistry.sol";
import {IERC1056} from "../identity/IERC1056.sol";
import {IAnalytics} from "./IAnalytics.sol";
import {ICourt} from "./ICourt.sol";
import {IEligibility} from "./IEligibility.sol";
import {Query, Request} from "./RequestTypes.sol";
import {Gap, Leaf, Node, Origin, Place, Proposal, Summary} from "./ResultTypes.sol";
import {ResultTree} from "./ResultTree.sol";

/// @title What all courts look at
/// @dev A court is told with each call whose proposal it judges, and asks that contract: it needs to know none beforehand, and one that lies only
///      harms itself.
abstract contract Court is ICourt {
    using ResultTree for Node;
    using ResultTree for Leaf;
    using ResultTree for bytes32;

    IDeviceRegistry internal immutable REGISTRY;
    IDataAnchor internal immutable ANCHOR;
    IEligibility internal immutable ELIGIBILITY;

    /// @param anchor Holds the logs; its registry knows the devices.
    /// @param eligibility Says who may be in a result.
    constructor(IDataAnchor anchor, IEligibility eligibility) {
        REGISTRY = IDeviceRegistry(anchor.registry());
        ANCHOR = anchor;
        ELIGIBILITY = eligibility;
    }

    /// @notice The proposal, while it can be challenged.
    function _open(IAnalytics analytics, Request calldata asked) internal view returns (Proposal memory proposal) {
        proposal = abi.decode(
            Address.functionStaticCall(address(analytics), _pass(IAnalytics.proposalOf.selector, asked, "")),
            (Proposal)
        );
        require(
            proposal.root != 0 && block.timestamp <= proposal.challengeEnd,
            CourtWindowOver(proposal.id, proposal.challengeEnd)
        );
    }

    /// @notice Whether a leaf was due for this device, see `IEligibility.isDue`.
    function _isDue(
        Request calldata asked,
        Proposal memory proposal,
        address owner,
        DeviceId device,
        Origin origin
    ) internal view returns (bool) {
        bytes memory said = abi.encode(owner, device, origin, proposal.snapshot);
        bytes memory call = _pass(IEligibility.isDue.selector, asked, said);
        return abi.decode(Address.functionStaticCall(address(ELIGIBILITY), call), (bool));
    }

    /// @notice Whether a reading is one that the query speaks of, on chain in time, in the device's own word: in its own log, or with its
    ///         signature.
    function _counts(
        Query calldata query,
        DeviceId device,
        ReadingFields calldata reading,
        ReadingPlace calldata place,
        bytes calldata signer,
        bytes calldata signature
    ) internal view returns (bool) {
        if (DeviceId.unwrap(reading.device) != DeviceId.unwrap(device) || reading.schema != query.schema) return false;
        if (reading.time < query.from || reading.time >= query.to || place.entryTime > query.anchoredBy) return false;
        return
            place.publisher == DeviceId.unwrap(device)
                ? ANCHOR.verifyReading(reading, place)
                : ANCHOR.verifySignedReading(reading, place, signer, signature);
    }

    /// @notice Whether a device is as it was at a moment in the past: its keys, and its state, which may be one in which nothing of it can be borne out.
    function _isSteady(DeviceId device, uint64 time, uint64 blockNumber) internal view returns (bool) {
        (, , , , , uint64 stateSince, ) = REGISTRY.deviceOf(device);
        return stateSince < time && IERC1056(address(REGISTRY)).changed(DeviceId.unwrap(device)) < blockNumber;
    }

    /// @notice A call whose first argument is the request, in the words in which it came: 1,500 gas less each time than to encode it anew. Whoever is
    ///         called reads no word of it before it has hashed them all.
    function _pass(bytes4 selector, Request calldata asked, bytes memory more) internal pure returns (bytes memory) {
        bytes calldata words;
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            words.offset := asked
            words.length := 864
        }
        return bytes.concat(selector, words, more);
    }

    function _requireIn(Proposal memory proposal, bytes32 digest, Place calldata place) internal pure {
        require(digest.climb(place) == proposal.root, CourtNotInResult(proposal.id));
    }

    /// @notice Requires that nothing stands where the leaf of this owner and device would: between the two children of a node, or beyond either
    ///         end of the root.
    function _requireGap(Proposal memory proposal, address owner, DeviceId device, Gap calldata gap) internal pure {
        (Summary calldata left, Summary calldata right) = (gap.left.summary, gap.right.summary);
        bool isBehind = ResultTree.isBefore(left.lastOwner, left.lastDevice, owner, device);
        bytes32 digest = gap.left.digestOf();
        bool isFree;
        if (gap.steps.length == 0) {
            isFree = isBehind || ResultTree.isBefore(owner, device, left.firstOwner, left.firstDevice);
        } else {
            isFree = isBehind && ResultTree.isBefore(owner, device, right.firstOwner, right.firstDevice);
            digest = ResultTree.digestOf(gap.steps[0], ResultTree.above(digest, gap.right.digestOf()));
            digest = digest.climb(gap.path, gap.steps[1:]);
        }
        require(digest == proposal.root, CourtNotInResult(proposal.id));
        require(isFree, CourtNoGap(proposal.id, owner, device));
    }

    /// @notice The evidence that a leaf names, see `Leaf`.
    function _evidenceOf(bytes calldata first, bytes calldata second) internal pure returns (bytes32) {
        return keccak256(abi.encode(first, second));
    }
}
