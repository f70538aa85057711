// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {DeviceId} from "../identity/DeviceTypes.sol";
import {RequestId} from "./RequestTypes.sol";

/// @title What all courts refuse
interface ICourt {
    error CourtWindowOver(RequestId id, uint64 challengeEnd);
    error CourtNotInResult(RequestId id);
    error CourtNoGap(RequestId id, address owner, DeviceId device);
    error CourtWrongEvidence(RequestId id, DeviceId device);
    error CourtNothingWrong(RequestId id);
}
