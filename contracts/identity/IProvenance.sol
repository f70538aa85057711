// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {DeviceId} from "./DeviceTypes.sol";
import {PartId, PartRank, PartState} from "./ProvenanceTypes.sol";

/// @title Parts from the IP block to the installation
/// @notice Who made a part, what it is made of, in whose custody it is. Goods (IP blocks, chips, modules, devices) are commissioned by
///         the registered issuer that holds the prefix of their serial; installations by anyone. A prefix is the hash of a GS1 company
///         prefix, a serial the hash of the whole EPC URI, both as keccak256 of their text: the chain doesn't publish what is made where.
/// @dev A wrong claim of a serial by an issuer doesn't revert: it changes nothing but the counter and the event that show it. Others
///      are refused outright, or anyone could blacken a part. Custody is who holds a part, not who owns it: a device's owner is the
///      holder of its token. No loop here grows with the tree; the children of a part are counted, so that a reader of events sees
///      whether a node has hidden one. Left out on purpose: administration, pause, a way back from decommissioning.
interface IProvenance {
    /// @notice Serials that begin with the prefix are this maker's from now on.
    event PrefixClaimed(bytes32 indexed prefix, address indexed maker);
    /// @notice A part came into being, in its maker's custody. EPCIS: commissioning. `prefix` is 0 for an installation.
    event PartCommissioned(PartId indexed part, address indexed maker, PartRank rank, bytes32 prefix, bytes32 serial);
    /// @notice A chip was made with a design. One event for each.
    event DesignIncluded(PartId indexed chip, PartId indexed design);
    /// @notice Chips of this maker may include the design, or no longer may.
    event LicenceSet(PartId indexed design, address indexed maker, bool licensed);
    /// @notice An issuer claimed a serial that is taken or not of its prefix; refused. `claims` is how many wrong claims there are now.
    event CounterfeitClaimed(PartId indexed part, address indexed claimant, uint256 claims);
    /// @notice The part carries this device's key.
    event DeviceBound(PartId indexed part, DeviceId indexed device);
    /// @notice A second part for one device (`holder` has it), or a second device for one part; refused, and counted as a wrong claim
    ///         of each part that it names.
    event BindingRefused(PartId indexed part, DeviceId indexed device, PartId indexed holder);
    /// @notice `child` is inside `parent` from now on. EPCIS: assembling, or installing.
    event PartAssembled(PartId indexed parent, PartId indexed child);
    /// @notice `child` was taken out, into the custody of whoever held the whole. EPCIS: disassembling, or removing.
    event PartDisassembled(PartId indexed parent, PartId indexed child);
    /// @notice `removed` was taken out and `added` put in its place. EPCIS: replacing.
    event PartReplaced(PartId indexed parent, PartId indexed removed, PartId indexed added);
    /// @notice A part and all in it is on its way to `to`. EPCIS: shipping.
    event HandedOver(PartId indexed part, address indexed from, address indexed to, uint64 number);
    /// @notice The receiver took it: custody has moved. EPCIS: receiving.
    event HandOverAccepted(PartId indexed part, address indexed from, address indexed to, uint64 number);
    /// @notice It stays where it was. EPCIS: void_shipping.
    event HandOverCancelled(PartId indexed part, address indexed by, uint64 number);
    /// @notice The part and all in it is of no use any more. EPCIS: decommissioning.
    event PartDecommissioned(PartId indexed part);

    error ProvenanceNotIssuer(address sender);
    error ProvenancePrefixTaken(bytes32 prefix, address maker);
    error ProvenancePrefixUnknown(bytes32 prefix);
    error ProvenanceWrongRank(PartRank rank);
    error ProvenancePartKnown(PartId part);
    error ProvenancePartUnknown(PartId part);
    error ProvenanceDesignCount(PartRank rank, uint256 count);
    error ProvenanceDesignOrder(PartId design);
    error ProvenanceUnlicensed(PartId design, address maker);
    error ProvenanceNotMaker(PartId part, address sender);
    error ProvenanceForeignDevice(DeviceId device, address sender);
    error ProvenanceNotCustodian(PartId part, address sender);
    error ProvenanceInside(PartId part, PartId parent);
    error ProvenanceNotInside(PartId part, PartId parent);
    error ProvenanceNotActive(PartId part, PartState state);
    error ProvenanceRankOrder(PartRank parent, PartRank child);
    error ProvenanceFull(PartId parent);
    error ProvenanceInvalidReceiver(address to);
    error ProvenanceNotReceiver(PartId part, address sender);
    error ProvenanceWrongHandOver(PartId part, uint64 number, uint64 current);

    /// @notice Takes a prefix for one's serials. Only a registered issuer; free is a prefix that nobody has, or whose holder is no
    ///         issuer any more: a maker whose account was revoked comes back with another, and a squatter goes with its revocation.
    /// @param prefix keccak256 of the digits of a GS1 company prefix.
    /// Errors: ProvenanceNotIssuer, ProvenancePrefixTaken. Event: PrefixClaimed.
    function claimPrefix(bytes32 prefix) external;

    /// @notice Commissions a good. Only a registered issuer. If it holds the prefix and the serial is new, the part is there, in its
    ///         custody; otherwise nothing is changed and the claim is on record, the maker's own second claim included: its line has
    ///         printed a serial twice.
    /// @param prefix What the serial's EPC URI begins with, hashed; a prefix that somebody has claimed.
    /// @param serial keccak256 of the EPC URI.
    /// @param rank IpBlock, Chip, Module or Device.
    /// @param designs For a chip, the IP blocks in it, in ascending order, 16 at most; the sender holds each or is licensed. Else none.
    /// @return part Its id, `partIdOf(prefix, serial)`.
    /// @return genuine False for a wrong claim, which was refused.
    /// Errors: ProvenanceNotIssuer, ProvenanceWrongRank, ProvenancePrefixUnknown, ProvenanceDesignCount, ProvenanceDesignOrder,
    /// ProvenanceUnlicensed. Events: PartCommissioned and DesignIncluded, or CounterfeitClaimed.
    function commission(
        bytes32 prefix,
        bytes32 serial,
        PartRank rank,
        PartId[] calldata designs
    ) external returns (PartId part, bool genuine);

    /// @notice Commissions an installation, a site into which parts are put. Anyone, under its own account.
    /// @param site keccak256 of its EPC URI, or any other name.
    /// @return part Its id, `installationIdOf(sender, site)`.
    /// Errors: ProvenancePartKnown. Event: PartCommissioned.
    function commissionInstallation(bytes32 site) external returns (PartId part);

    /// @notice Lets a maker's chips include a design, or no longer. Only the design's custodian. Chips that are there stay.
    /// Errors: ProvenancePartUnknown, ProvenanceWrongRank, ProvenanceNotCustodian, ProvenanceNotActive. Event: LicenceSet.
    function setLicence(PartId design, address maker, bool licensed) external;

    /// @notice Says which registered device a device part is. Only its maker, if it is also the issuer of the device's lot. One part
    ///         a device and one device a part, for good; saying it again changes nothing.
    /// @return bound False if either is bound to another already: refused, and on record.
    /// Errors: ProvenanceNotIssuer, ProvenancePartUnknown, ProvenanceWrongRank, ProvenanceNotMaker, ProvenanceNotActive,
    /// ProvenanceForeignDevice. Event: DeviceBound or BindingRefused.
    function bindDevice(PartId part, DeviceId device) external returns (bool bound);

    /// @notice Puts a part with all in it into another of a higher rank, 4,096 at most. Only the custodian of both. Neither may be on
    ///         its way, for the receiver has seen what is to come.
    /// @param parent In any depth of a whole that the sender holds.
    /// @param child A chip, module or device that is in nothing yet.
    /// Errors: ProvenancePartUnknown, ProvenanceNotCustodian, ProvenanceNotActive, ProvenanceInside, ProvenanceRankOrder,
    /// ProvenanceFull. Event: PartAssembled.
    function assemble(PartId parent, PartId child) external;

    /// @notice Takes a part with all in it out of another. Only the custodian of the whole, who holds it then.
    /// Errors: ProvenancePartUnknown, ProvenanceNotCustodian, ProvenanceNotActive, ProvenanceNotInside. Event: PartDisassembled.
    function disassemble(PartId parent, PartId child) external;

    /// @notice Takes one part out and puts another in, as by disassemble and assemble. Only the custodian of all.
    /// Errors: those of both, but ProvenanceFull. Event: PartReplaced.
    function replace(PartId parent, PartId removed, PartId added) external;

    /// @notice Sends a part with all in it on its way. Only its custodian, and only one that is in nothing.
    /// @param to Who is to receive it; nobody's custody changes before it accepts.
    /// @return number The hand-over's, which the receiver names.
    /// Errors: ProvenancePartUnknown, ProvenanceInside, ProvenanceNotCustodian, ProvenanceNotActive, ProvenanceInvalidReceiver.
    /// Event: HandedOver.
    function handOver(PartId part, address to) external returns (uint64 number);

    /// @notice Takes what is on its way to the sender.
    /// @param number The hand-over that is meant: a part that was called back, changed and sent again has another.
    /// Errors: ProvenancePartUnknown, ProvenanceNotReceiver, ProvenanceWrongHandOver. Event: HandOverAccepted.
    function accept(PartId part, uint64 number) external;

    /// @notice Calls back what is on its way, or declines it. Only custodian or receiver.
    /// @param number The hand-over that is meant.
    /// Errors: ProvenancePartUnknown, ProvenanceNotReceiver, ProvenanceWrongHandOver. Event: HandOverCancelled.
    function cancel(PartId part, uint64 number) external;

    /// @notice Ends a part with all in it. Only its custodian, and only one that is in nothing. Its serial stays taken.
    /// Errors: ProvenancePartUnknown, ProvenanceInside, ProvenanceNotCustodian, ProvenanceNotActive. Event: PartDecommissioned.
    function decommission(PartId part) external;

    /// @notice A part. All zero but `claims` if it was never commissioned.
    /// @return rank What it is.
    /// @return state Where the whole stands that it is in.
    /// @return maker Who commissioned it; 0 for an installation, whose id is made of that account.
    /// @return custodian Who holds the whole that it is in.
    /// @return parent What it is in; 0 for none.
    /// @return root The whole that it is in; itself if in nothing.
    /// @return children How many parts are directly in it, designs not counted.
    /// @return claims How many wrong claims there were.
    /// @return bound Whether it is bound to a device.
    function partOf(
        PartId part
    )
        external
        view
        returns (
            PartRank rank,
            PartState state,
            address maker,
            address custodian,
            PartId parent,
            PartId root,
            uint64 children,
            uint64 claims,
            bool bound
        );

    /// @notice The latest hand-over of a part.
    /// @return to To whom it is on its way; 0 if it isn't.
    /// @return number How many there were.
    function handOverOf(PartId part) external view returns (address to, uint64 number);

    /// @notice The part that carries a device's key; 0 for none.
    function partOfDevice(DeviceId device) external view returns (PartId);

    /// @notice Whether a chip was made with exactly these designs, in ascending order.
    function isMadeWith(PartId chip, PartId[] calldata designs) external view returns (bool);

    /// @notice Whether a maker's chips may include a design.
    function isLicensed(PartId design, address maker) external view returns (bool);

    /// @notice Whose serials begin with a prefix; 0 for nobody's.
    function makerOfPrefix(bytes32 prefix) external view returns (address);

    /// @notice The id of the good with this serial.
    function partIdOf(bytes32 prefix, bytes32 serial) external pure returns (PartId);

    /// @notice The id of the installation that an account calls so.
    function installationIdOf(address account, bytes32 site) external pure returns (PartId);
}
