// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IProvenance} from "./IProvenance.sol";
import {PartId, PartRank, PartState} from "./ProvenanceTypes.sol";

/// @title What is in what, and in whose custody
/// @dev Knows nothing of makers and serials. Only the record at the root of a whole says who holds it and where it stands.
abstract contract PartTree is IProvenance {
    /// @dev First slot, full: custodian to bound. Then a slot each: parent, hand-over. `custodian` and `state` count for a part that is
    ///      in nothing; of one inside they are stale, and set when it is taken out.
    struct Part {
        address custodian;
        uint32 maker;
        uint24 claims;
        uint16 children;
        PartRank rank;
        PartState state;
        bool bound;
        PartId parent;
        address receiver;
        uint64 handOvers;
    }

    PartId internal constant NOTHING = PartId.wrap(0);
    uint16 private constant MAX_CHILDREN = 4096;

    mapping(PartId part => Part) private _parts;

    /// @inheritdoc IProvenance
    function assemble(PartId parent, PartId child) external {
        // Checks
        Part storage holder = _requireOwnTree(parent);
        Part storage part = _requireFit(holder, child);
        require(holder.children < MAX_CHILDREN, ProvenanceFull(parent));

        // Effects
        ++holder.children;
        part.parent = parent;
        emit PartAssembled(parent, child);
    }

    /// @inheritdoc IProvenance
    function disassemble(PartId parent, PartId child) external {
        Part storage holder = _requireOwnTree(parent);
        _takeOut(parent, child);
        --holder.children;
        emit PartDisassembled(parent, child);
    }

    /// @inheritdoc IProvenance
    function replace(PartId parent, PartId removed, PartId added) external {
        Part storage part = _requireFit(_requireOwnTree(parent), added);
        _takeOut(parent, removed);
        part.parent = parent;
        emit PartReplaced(parent, removed, added);
    }

    /// @inheritdoc IProvenance
    function handOver(PartId id, address to) external returns (uint64 number) {
        // Checks
        Part storage part = _requireOwnRoot(id);
        require(to != address(0) && to != msg.sender, ProvenanceInvalidReceiver(to));

        // Effects
        number = ++part.handOvers;
        part.receiver = to;
        part.state = PartState.InTransit;
        emit HandedOver(id, msg.sender, to, number);
    }

    /// @inheritdoc IProvenance
    function accept(PartId id, uint64 number) external {
        Part storage part = _requireKnown(id);
        require(part.receiver == msg.sender, ProvenanceNotReceiver(id, msg.sender));
        _arrive(id, part, number);
        address from = part.custodian;
        part.custodian = msg.sender;
        emit HandOverAccepted(id, from, msg.sender, number);
    }

    /// @inheritdoc IProvenance
    function cancel(PartId id, uint64 number) external {
        Part storage part = _requireKnown(id);
        bool isParty =
            part.receiver == msg.sender || (part.state == PartState.InTransit && part.custodian == msg.sender);
        require(isParty, ProvenanceNotReceiver(id, msg.sender));
        _arrive(id, part, number);
        emit HandOverCancelled(id, msg.sender, number);
    }

    /// @inheritdoc IProvenance
    function decommission(PartId id) external {
        Part storage part = _requireOwnRoot(id);
        part.state = PartState.Decommissioned;
        emit PartDecommissioned(id);
    }

    /// @inheritdoc IProvenance
    function handOverOf(PartId id) external view returns (address to, uint64 number) {
        Part storage part = _parts[id];
        return (part.receiver, part.handOvers);
    }

    /// @dev Leaves the counter of wrong claims as it is: there may have been some before.
    function _create(Part storage part, PartRank rank, uint32 maker) internal {
        part.custodian = msg.sender;
        part.maker = maker;
        part.rank = rank;
        part.state = PartState.Active;
    }

    function _part(PartId id) internal view returns (Part storage) {
        return _parts[id];
    }

    function _requireKnown(PartId id) internal view returns (Part storage part) {
        part = _parts[id];
        require(part.state != PartState.None, ProvenancePartUnknown(id));
    }

    /// @dev For a part that is in nothing: in the sender's custody, and not on its way.
    function _requireHeld(PartId root, Part storage whole) internal view {
        require(whole.custodian == msg.sender, ProvenanceNotCustodian(root, msg.sender));
        require(whole.state == PartState.Active, ProvenanceNotActive(root, whole.state));
    }

    /// @dev Four steps at most: each is to a higher rank.
    function _rootOf(PartId id) internal view returns (PartId root, Part storage part) {
        root = id;
        part = _parts[root];
        for (PartId next = part.parent; !_same(next, NOTHING); next = part.parent) {
            root = next;
            part = _parts[root];
        }
    }

    function _same(PartId a, PartId b) internal pure returns (bool) {
        return PartId.unwrap(a) == PartId.unwrap(b);
    }

    /// @dev The child's custodian becomes that of the whole, who is the sender.
    function _takeOut(PartId parent, PartId child) private {
        Part storage part = _parts[child];
        require(_same(part.parent, parent), ProvenanceNotInside(child, parent));
        part.parent = NOTHING;
        part.custodian = msg.sender;
    }

    /// @dev Ends a hand-over.
    function _arrive(PartId id, Part storage part, uint64 number) private {
        require(number == part.handOvers, ProvenanceWrongHandOver(id, number, part.handOvers));
        part.receiver = address(0);
        part.state = PartState.Active;
    }

    function _requireOwnRoot(PartId id) private view returns (Part storage part) {
        part = _requireKnown(id);
        require(_same(part.parent, NOTHING), ProvenanceInside(id, part.parent));
        _requireHeld(id, part);
    }

    /// @dev A part at any depth of a whole that the sender holds.
    function _requireOwnTree(PartId id) private view returns (Part storage part) {
        part = _requireKnown(id);
        (PartId root, Part storage whole) = _rootOf(id);
        _requireHeld(root, whole);
    }

    /// @dev What may go into `holder`. The ranks rule out a part in itself, or in one of its own.
    function _requireFit(Part storage holder, PartId child) private view returns (Part storage part) {
        part = _requireOwnRoot(child);
        PartRank rank = part.rank;
        require(rank != PartRank.IpBlock && rank < holder.rank, ProvenanceRankOrder(holder.rank, rank));
    }
}
