// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DeviceId, DeviceState, KeyKind, LotId} from "./DeviceTypes.sol";

/// @title What the registry keeps of devices
/// @dev One struct, handed as a storage pointer to the registry's parts and to the libraries that it is linked with.
library DeviceStore {
    /// @dev One slot, full. No key: the id commits to the first one.
    ///      `ownedSince` and `stateSince` are 0 while they are `activatedAt`.
    ///      `keyEvents` counts the ERC-1056 events about keys after the first; it is the nonce of key changes.
    struct Device {
        DeviceState state;
        uint8 holds;
        uint8 marks;
        KeyKind kind;
        uint8 assurance;
        uint40 activatedAt;
        uint40 ownedSince;
        uint40 stateSince;
        uint40 lotNumber;
        uint40 changed;
        uint16 keyEvents;
    }

    /// @dev One slot, written when the first key is replaced. 240 bits of a hash; `number` is the key's `#delegate-N` in the DID document.
    struct Key {
        bytes30 hash;
        uint16 number;
    }

    /// @dev Two slots: `account`, `validTo` and `number` share the second.
    struct Delegate {
        bytes32 kind;
        address account;
        uint64 validTo;
        uint16 number;
    }

    /// @dev `events` and `count` share a slot. `events` counts all ERC-1056 events about delegates ever, `count` those in the list.
    struct Delegates {
        uint16 events;
        uint8 count;
        mapping(uint256 place => Delegate) list;
    }

    /// @dev One slot. While a device lives and has had attributes, `changed` is here instead of in its own slot, for all its changes: an
    ///      attribute then costs one write, and that it isn't 0 says that the device lives.
    struct Attributes {
        uint216 digest;
        uint40 changed;
    }

    struct Kind {
        address verifier;
        bytes multicodec;
    }

    /// @dev One slot.
    struct User {
        address account;
        uint64 expires;
    }

    /// @dev What the registry knows of a device beside this store: where the linked libraries can't look.
    struct Context {
        bytes32 domain;
        LotId lot;
        uint8 lotAssurance;
        address holder;
        address issuer;
    }

    struct Layout {
        mapping(DeviceId device => Device) devices;
        mapping(DeviceId device => Key) keys;
        mapping(DeviceId device => bytes32) recoveries;
        mapping(DeviceId device => Delegates) delegates;
        mapping(DeviceId device => Attributes) attributes;
        mapping(DeviceId device => User) users;
        mapping(KeyKind kind => Kind) kinds;
        mapping(address verifier => KeyKind) kindOf;
        uint8 kindCount;
        mapping(DeviceId device => mapping(bytes32 signerHash => bool)) voidKeys;
    }

    /// @dev What `Device.marks` says, bit by bit. All but the first spare a look at slots that most devices never use.
    uint8 internal constant BOND_GONE = 1;
    uint8 internal constant HAS_DELEGATES = 2;
    uint8 internal constant HAS_ATTRIBUTES = 4;
    uint8 internal constant HAS_VOID_KEYS = 8;
}
