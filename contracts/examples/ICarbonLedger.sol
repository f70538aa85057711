// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.26;

import {Filter, Query, Request, RequestId} from "../analytics/RequestTypes.sol";

/// @notice A project: keccak256 of the chain id, the contract and the ABI-encoded `Project`.
type ProjectId is bytes32;

/// @title An example of a contract that acts on a final result: credits for emissions that metered energy has avoided
/// @notice A project's owner says once which meters count, what a kWh of theirs avoids, and who verifies. For a period, anyone asks `IAnalytics`
///         for the sum of all their readings. Once that result is final and the named verifier has signed for it, anyone has the credits issued
///         to the owner: ERC-1155 tokens, one for each gram of CO2e, one kind for each project and period (its vintage). Holders trade and retire them.
///         Energy has the decimals that the project names, factors have 6, credits none. Times are Unix seconds.
///
///         What is shown here: which devices' readings the sum is of, that it is final, the arithmetic, that no result and no second of a
///         project's time is credited twice, and what became of each credit.
///         The meters' word, in the result: the energy itself. An enrolled meter can be bypassed, or moved to another cable.
///         The verifier's word, nothing more: that the factor is the right baseline, that the reductions would not have come about without the
///         project (additionality), that they don't arise elsewhere as emissions (leakage), that the meters serve no second project here or in
///         another register, and that periods without credits hide no losses.
/// @dev Hazard: anyone registers anything, with an analytics contract and a verifier of his own. Look at a project's words before you take its credits.
///      Left out on purpose: administration, recall of issued credits, a change of a project's words or verifier (register another project), metadata
///      (`uri` is empty), buffers and insurance against reversal.
interface ICarbonLedger {
    /// @notice What a project says, once and for all.
    /// @param owner Gets the credits. A contract must accept ERC-1155 tokens.
    /// @param verifier Whose signature each issue needs; an account or an ERC-1271 contract.
    /// @param analytics An `IAnalytics`.
    /// @param purpose Which consent of the meters' owners the requests are made under.
    /// @param query What is asked: `Operation.Sum` with `from`, `to` and `anchoredBy` 0, since each request has its own. `lower` is the least
    ///        int64 and `cap` the greatest uint32, so that neither what a meter takes back nor any reading is left out; `upper` is above 0 and
    ///        can only make the sum smaller.
    /// @param filter Which meters: names a lot or a region at least.
    /// @param meters How many there are; a result with fewer members isn't taken. One with more is: the filter decides who counts.
    /// @param factor Grams of CO2e that a kWh avoids, with 6 decimals.
    /// @param decimals Of the readings, in kWh: 3 for a meter that counts whole Wh. At most 18.
    /// @param grace Seconds after a period that its readings have to be anchored, at least. Without it, whoever asks could choose an end that
    ///        comes before an unwelcome reading.
    struct Project {
        address owner;
        address verifier;
        address analytics;
        bytes32 purpose;
        Query query;
        Filter filter;
        uint64 meters;
        uint64 factor;
        uint8 decimals;
        uint64 grace;
    }

    /// @notice Somebody has a project.
    event ProjectRegistered(ProjectId indexed id, address indexed owner, address indexed verifier, Project project);
    /// @notice The owner has `amount` new credits, for the period [from, to).
    event CreditsIssued(
        uint256 indexed credit,
        ProjectId indexed project,
        RequestId indexed request,
        uint64 from,
        uint64 to,
        int256 sum,
        uint256 amount
    );
    /// @notice Credits are gone for good, and their holder says what for.
    event CreditsRetired(uint256 indexed credit, address indexed holder, uint256 amount, string reason);

    error CarbonLedgerNotOwner(address owner, address sender);
    error CarbonLedgerInvalidVerifier(address verifier);
    error CarbonLedgerInvalidAnalytics(address analytics);
    error CarbonLedgerInvalidQuery();
    error CarbonLedgerInvalidFilter();
    error CarbonLedgerInvalidMeters(uint64 meters);
    error CarbonLedgerInvalidFactor(uint64 factor, uint8 decimals);
    error CarbonLedgerRegistered(ProjectId project);
    error CarbonLedgerNotRegistered(ProjectId project);
    error CarbonLedgerOtherProject(ProjectId project, bytes32 salt);
    error CarbonLedgerOtherQuestion(ProjectId project);
    error CarbonLedgerNotExact(uint64 epsilon);
    error CarbonLedgerAnchoredTooEarly(uint64 anchoredBy, uint256 earliest);
    error CarbonLedgerPeriodPast(uint64 from, uint64 issuedUntil);
    error CarbonLedgerNotFinal(RequestId request);
    error CarbonLedgerTooFewMeters(uint64 members, uint64 meters);
    error CarbonLedgerNoReductions(int256 sum);
    error CarbonLedgerExpired(uint64 deadline);
    error CarbonLedgerInvalidAttestation(address verifier);
    error CarbonLedgerInvalidAmount(uint256 amount);

    /// @notice Registers the sender's project.
    /// @return id Its hash: as `projectIdOf`.
    /// Errors: CarbonLedgerNotOwner, CarbonLedgerInvalidVerifier (nobody, or the owner), CarbonLedgerInvalidAnalytics (no contract),
    /// CarbonLedgerInvalidQuery, CarbonLedgerInvalidFilter, CarbonLedgerInvalidMeters, CarbonLedgerInvalidFactor, CarbonLedgerRegistered.
    /// Event: ProjectRegistered.
    function register(Project calldata project) external returns (ProjectId id);

    /// @notice Issues a period's credits to the project's owner, once. Anyone.
    /// @dev A request names its project as its salt: else one result would count for each of two projects that ask the same, or whoever first
    ///      uses it for one would take it from the other. Periods ascend: one that is passed over, or whose sum gives no credit, is not made up for.
    /// @param project As registered.
    /// @param asked A request of anybody's with the project's id as salt, its purpose, query and filter, exact, on a later period than any before.
    /// @param deadline Last second at which the verifier's signature is taken.
    /// @param signature The verifier's, over `attestationDigest`.
    /// @return credit The token's id, as `creditOf`.
    /// @return amount Grams of CO2e, rounded down.
    /// Errors: CarbonLedgerNotRegistered, CarbonLedgerOtherProject, CarbonLedgerOtherQuestion, CarbonLedgerNotExact, CarbonLedgerAnchoredTooEarly,
    /// CarbonLedgerPeriodPast, CarbonLedgerNotFinal, CarbonLedgerTooFewMeters, CarbonLedgerNoReductions (a sum that is negative or gives no whole gram),
    /// CarbonLedgerExpired, CarbonLedgerInvalidAttestation, ERC1155InvalidReceiver. Event: CreditsIssued.
    function issue(
        Project calldata project,
        Request calldata asked,
        uint64 deadline,
        bytes calldata signature
    ) external returns (uint256 credit, uint256 amount);

    /// @notice Takes the sender's credits out of the world.
    /// @param credit The token's id.
    /// @param amount Grams of CO2e.
    /// @param reason What they make up for, and for whom, in the holder's words.
    /// Errors: CarbonLedgerInvalidAmount (0), ERC1155InsufficientBalance. Event: CreditsRetired.
    function retire(uint256 credit, uint256 amount, string calldata reason) external;

    /// @notice Whether a project is registered, and the second after the last period that gave credits; 0 before the first.
    function stateOf(ProjectId project) external view returns (bool isRegistered, uint64 issuedUntil);

    /// @notice Grams of CO2e that were issued of a vintage, and how many of them are retired.
    function supplyOf(uint256 credit) external view returns (uint256 issued, uint256 retired);

    /// @notice The 32 bytes that a verifier signs (EIP-712: Reductions(bytes32 project,bytes32 request,int256 sum,uint256 amount,uint64 deadline)).
    /// @param sum The result's, at the scale of its readings.
    /// @param amount What comes of it by `reductionsOf`.
    function attestationDigest(
        ProjectId project,
        RequestId request,
        int256 sum,
        uint256 amount,
        uint64 deadline
    ) external view returns (bytes32);

    /// @notice The id of a project on this chain and contract.
    function projectIdOf(Project calldata project) external view returns (ProjectId);

    /// @notice Grams of CO2e that a sum of readings stands for, rounded down; 0 for a negative one.
    /// @param sum Within int128, as results are.
    function reductionsOf(Project calldata project, int128 sum) external pure returns (uint256);

    /// @notice The token of a project's period [from, to).
    function creditOf(ProjectId project, uint64 from, uint64 to) external pure returns (uint256);
}
