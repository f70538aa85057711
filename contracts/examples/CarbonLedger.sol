// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC1155} from "@openzeppelin/contracts/token/ERC1155/ERC1155.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {IAnalytics} from "../analytics/IAnalytics.sol";
import {Operation, Query, Request, RequestId} from "../analytics/RequestTypes.sol";
import {LotId} from "../identity/DeviceTypes.sol";
import {ICarbonLedger, ProjectId} from "./ICarbonLedger.sol";

/// @title Credits for emissions that metered energy has avoided
contract CarbonLedger is ICarbonLedger, ERC1155, EIP712 {
    /// @dev One slot.
    struct State {
        bool isRegistered;
        uint64 issuedUntil;
    }

    struct Supply {
        uint256 issued;
        uint256 retired;
    }

    bytes32 private constant REDUCTIONS_TYPEHASH = keccak256(
        "Reductions(bytes32 project,bytes32 request,int256 sum,uint256 amount,uint64 deadline)"
    );
    uint256 private constant FACTOR_DECIMALS = 6;
    uint8 private constant MAX_DECIMALS = 18;

    mapping(ProjectId project => State) private _states;
    mapping(uint256 credit => Supply) private _supplies;

    constructor() ERC1155("") EIP712("CarbonLedger", "1") {}

    /// @inheritdoc ICarbonLedger
    function register(Project calldata project) external returns (ProjectId id) {
        address verifier = project.verifier;
        require(msg.sender == project.owner, CarbonLedgerNotOwner(project.owner, msg.sender));
        require(verifier != address(0) && verifier != msg.sender, CarbonLedgerInvalidVerifier(verifier));
        require(project.analytics.code.length != 0, CarbonLedgerInvalidAnalytics(project.analytics));
        require(_isTemplate(project.query), CarbonLedgerInvalidQuery());
        require(LotId.unwrap(project.filter.lot) != 0 || project.filter.region != 0, CarbonLedgerInvalidFilter());
        require(project.meters != 0, CarbonLedgerInvalidMeters(project.meters));
        require(
            project.factor != 0 && project.decimals <= MAX_DECIMALS,
            CarbonLedgerInvalidFactor(project.factor, project.decimals)
        );
        id = projectIdOf(project);
        require(!_states[id].isRegistered, CarbonLedgerRegistered(id));
        _states[id].isRegistered = true;
        emit ProjectRegistered(id, msg.sender, verifier, project);
    }

    /// @inheritdoc ICarbonLedger
    function issue(
        Project calldata project,
        Request calldata asked,
        uint64 deadline,
        bytes calldata signature
    ) external returns (uint256 credit, uint256 amount) {
        // Checks
        ProjectId id = projectIdOf(project);
        _requireAsked(id, project, asked);
        (RequestId request, int128 sum) = _resultOf(project, asked);
        amount = reductionsOf(project, sum);
        require(amount != 0, CarbonLedgerNoReductions(sum));
        require(block.timestamp <= deadline, CarbonLedgerExpired(deadline));
        bytes32 digest = attestationDigest(id, request, sum, amount, deadline);
        require(
            SignatureChecker.isValidSignatureNowCalldata(project.verifier, digest, signature),
            CarbonLedgerInvalidAttestation(project.verifier)
        );

        // Effects
        (uint64 from, uint64 to) = (asked.query.from, asked.query.to);
        credit = creditOf(id, from, to);
        _states[id].issuedUntil = to;
        _supplies[credit].issued = amount;
        emit CreditsIssued(credit, id, request, from, to, sum, amount);

        // Interactions
        _mint(project.owner, credit, amount, "");
    }

    /// @inheritdoc ICarbonLedger
    function retire(uint256 credit, uint256 amount, string calldata reason) external {
        require(amount != 0, CarbonLedgerInvalidAmount(amount));
        _burn(msg.sender, credit, amount);
        _supplies[credit].retired += amount;
        emit CreditsRetired(credit, msg.sender, amount, reason);
    }

    /// @inheritdoc ICarbonLedger
    function stateOf(ProjectId project) external view returns (bool isRegistered, uint64 issuedUntil) {
        State storage state = _states[project];
        return (state.isRegistered, state.issuedUntil);
    }

    /// @inheritdoc ICarbonLedger
    function supplyOf(uint256 credit) external view returns (uint256 issued, uint256 retired) {
        Supply storage supply = _supplies[credit];
        return (supply.issued, supply.retired);
    }

    /// @inheritdoc ICarbonLedger
    function attestationDigest(
        ProjectId project,
        RequestId request,
        int256 sum,
        uint256 amount,
        uint64 deadline
    ) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(REDUCTIONS_TYPEHASH, project, request, sum, amount, deadline)));
    }

    /// @inheritdoc ICarbonLedger
    function projectIdOf(Project calldata project) public view returns (ProjectId) {
        return ProjectId.wrap(keccak256(abi.encode(block.chainid, address(this), project)));
    }

    /// @inheritdoc ICarbonLedger
    /// @dev Can't overflow: 64 bits by 127.
    function reductionsOf(Project calldata project, int128 sum) public pure returns (uint256) {
        if (sum <= 0) return 0;
        return (uint256(project.factor) * uint128(sum)) / 10 ** (FACTOR_DECIMALS + project.decimals);
    }

    /// @inheritdoc ICarbonLedger
    function creditOf(ProjectId project, uint64 from, uint64 to) public pure returns (uint256) {
        return uint256(keccak256(abi.encode(project, from, to)));
    }

    /// @dev The request is one of this project's, for a later period than any that gave credits.
    function _requireAsked(ProjectId id, Project calldata project, Request calldata asked) private view {
        State memory state = _states[id];
        require(state.isRegistered, CarbonLedgerNotRegistered(id));
        require(asked.salt == ProjectId.unwrap(id), CarbonLedgerOtherProject(id, asked.salt));
        Query memory query = asked.query;
        (uint64 from, uint64 to, uint64 anchoredBy) = (query.from, query.to, query.anchoredBy);
        (query.from, query.to, query.anchoredBy) = (0, 0, 0);
        require(
            keccak256(abi.encode(asked.purpose, query, asked.filter)) ==
                keccak256(abi.encode(project.purpose, project.query, project.filter)),
            CarbonLedgerOtherQuestion(id)
        );
        require(asked.terms.epsilon == 0, CarbonLedgerNotExact(asked.terms.epsilon));
        uint256 earliest = uint256(to) + project.grace;
        require(anchoredBy >= earliest, CarbonLedgerAnchoredTooEarly(anchoredBy, earliest));
        require(from >= state.issuedUntil, CarbonLedgerPeriodPast(from, state.issuedUntil));
    }

    /// @dev The sum is the upper half of a result's value.
    function _resultOf(
        Project calldata project,
        Request calldata asked
    ) private view returns (RequestId id, int128 sum) {
        IAnalytics analytics = IAnalytics(project.analytics);
        id = analytics.requestIdOf(asked);
        (bool isFinal, , uint64 members, , bytes32 value) = analytics.resultOf(id);
        require(isFinal, CarbonLedgerNotFinal(id));
        require(members >= project.meters, CarbonLedgerTooFewMeters(members, project.meters));
        sum = int128(int256(uint256(value)) >> 128);
    }

    function _isTemplate(Query calldata query) private pure returns (bool) {
        return
            query.operation == Operation.Sum &&
            query.size == 0 &&
            query.hashes == 0 &&
            query.lower == type(int64).min &&
            query.upper > 0 &&
            query.cap == type(uint32).max &&
            (query.from | query.to | query.anchoredBy) == 0;
    }
}
