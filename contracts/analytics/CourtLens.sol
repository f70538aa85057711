// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DeviceId} from "../identity/DeviceTypes.sol";
import {IConsentRegistry} from "./IConsentRegistry.sol";
import {IEligibility} from "./IEligibility.sol";
import {IHoldings} from "./IHoldings.sol";
import {Request} from "./RequestTypes.sol";
import {Origin} from "./ResultTypes.sol";

/// @notice A device in a result as its leaf has it.
struct LensQuery {
    DeviceId device;
    address owner;
    Origin origin;
    uint64 spent;
}

/// @title What the courts see of many devices at once
/// @notice Never deployed. A reader runs the creation code with an `eth_call` that has no `to`; what would become the contract's code is the answer.
///         So a result over thousands of devices is looked up in few calls, on any node, for the state of any block.
/// @dev The answer is `abi.encode(uint256[])`, a word for each query: verdict (8 bits), `mayUse` (1), `wasMember` (7), whether the holder is known (8), whether the
///      owner's consent at the snapshot allows the request's cohort and price (8), the consent's budget (64), the holder (160). EIP-3860 bounds
///      the queries to some 300 a call.
contract CourtLens {
    /// @param snapshot The second of the request.
    constructor(
        IEligibility eligibility,
        IHoldings holdings,
        IConsentRegistry consents,
        Request memory request,
        uint64 snapshot,
        LensQuery[] memory queries
    ) {
        uint256[] memory words = new uint256[](queries.length);
        for (uint256 k = 0; k < queries.length; ++k) {
            LensQuery memory one = queries[k];
            uint256 word = uint256(eligibility.verdictOn(request, one.device, one.owner, snapshot));
            if (eligibility.mayUse(request, one.owner, one.device, one.origin, one.spent, snapshot)) word |= 1 << 8;
            if (eligibility.wasMember(request, one.device, one.owner, snapshot)) word |= 1 << 9;
            (bool known, address holder) = holdings.holderAt(one.device, snapshot);
            if (known) word |= (uint256(uint160(holder)) << 96) | (1 << 16);
            words[k] = word | _consent(consents, request, one, snapshot);
        }
        bytes memory answer = abi.encode(words);
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            return(add(answer, 0x20), mload(answer))
        }
    }

    function _consent(
        IConsentRegistry consents,
        Request memory request,
        LensQuery memory one,
        uint64 snapshot
    ) private view returns (uint256 word) {
        (bool granted, uint64 cohort, uint128 price, uint64 budget) = consents.consentAt(
            one.owner,
            one.device,
            request.purpose,
            snapshot
        );
        if (granted && cohort <= request.terms.cohort && price <= request.terms.price) word = 1 << 24;
        word |= uint256(budget) << 32;
    }
}
